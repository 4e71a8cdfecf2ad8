"""/v1/complaints"""

import hashlib
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, post
from litestar.params import JSONBody
from msgspec import Meta

from ventures.accounts import api as accounts
from ventures.http.authentication import ask_caller
from ventures.http.exchange import Body, IdempotencyKey, platform_of
from ventures.signals import api as signals
from ventures.signals.api import About, Place, Text

LocalZone = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="The time zone you are in, an IANA name such as Asia/Tokyo. Only its first part is kept.",
    ),
]


class NewComplaint(Body, frozen=True, kw_only=True):
    """about: slow, wrong (a mistake), inconsistent (two places disagree), or other. place: where in the product."""

    about: About
    text: Text
    place: Place = ""
    zone: LocalZone | None = None


class KeptComplaint(msgspec.Struct, frozen=True):
    """That it was heard."""

    id: UUID
    about: About
    at: datetime


@post("/", summary="Complain", operation_id="complain")
async def complain(
    request: Request[Any, Any, Any], data: JSONBody[NewComplaint], idempotency_key: IdempotencyKey = None
) -> Response[KeptComplaint]:
    """Tells those who run the platform that something is slow or wrong. At most 20 a day.

    They see who sent it. How many there are, about what and from which part of the world, is counted.
    """
    platform = platform_of(request)
    async with platform.database.everywhere() as scope:
        caller = await (await ask_caller(request, scope)).answer()
        if idempotency_key is not None:
            digest = hashlib.sha256(b"POST /v1/complaints\0" + msgspec.json.encode(data)).digest()
            replay = await accounts.once(scope, caller.account, idempotency_key, digest, platform.now())
            if replay is not None:
                return _kept(msgspec.convert(replay.body, KeptComplaint), replayed=True)
        made = await signals.complain(
            scope,
            platform.new_id(),
            caller.account,
            about=data.about,
            text=data.text,
            place=data.place,
            zone=data.zone,
            region=platform.settings.region,
            now=platform.now(),
        )
        kept = KeptComplaint(made.id, made.about, made.at)
        if idempotency_key is not None:
            await accounts.keep(scope, caller.account, idempotency_key, 201, kept)
    return _kept(kept)


def _kept(kept: KeptComplaint, *, replayed: bool = False) -> Response[KeptComplaint]:
    return Response(kept, status_code=201, headers={"Idempotency-Replayed": "true"} if replayed else {})


ROUTERS = (Router("/v1/complaints", route_handlers=[complain], tags=["complaints"]),)

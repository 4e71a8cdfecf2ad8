"""A Mastodon server on loopback: the part of its API that posts use, and its ways to fail.

    async with mastodon() as server:
        ... {"server": server.url}, {"access_token": server.token} ...
        server.faults.append("error_after")      # the next new status is made, then answered 500
        assert server.texts == ["Hello"]

Like the real one it keeps an idempotency key for an hour, from when the status is made on.
"""

import asyncio
import html
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, get_args

import msgspec

from ventures.testing.channels import Fault
from ventures.testing.loopback import Answer, Drop, Request, serving

TOKEN = "let-me-in"  # noqa: S105  opens a server that lives as long as a test
ACCOUNT = "1001"
KEY_LASTS = timedelta(hours=1)
MOST_CHARACTERS = 500
UNAUTHORISED = Answer({"error": "The access token is invalid"}, 401)
MISSING = Answer({"error": "Record not found"}, 404)
FAULTS = get_args(Fault)


class Wanted(msgspec.Struct, frozen=True):
    """What a new status is made of."""

    status: str = ""
    visibility: str = "public"
    language: str | None = None


@dataclass(frozen=True)
class Status:
    """One status of the account."""

    id: str
    text: str
    visibility: str
    created_at: datetime


@dataclass
class LocalMastodon:
    """The server. `faults`: what happens to the next requests for a new status, in order. `requests`: all it was asked.
    `unreadable`: look-ups are refused.
    """

    now: Callable[[], datetime]
    url: str = ""
    token: str = TOKEN
    statuses: list[Status] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    unreadable: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    _keys: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        """Of the statuses, in the order in which they were made."""
        return [status.text for status in self.statuses]

    async def handle(self, request: Request) -> Answer | Drop:
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return UNAUTHORISED
        if request.method == "POST" and request.path == "/api/v1/statuses":
            return await self._post(request)
        if request.method != "GET":
            return MISSING
        if self.unreadable:
            return Answer({"error": "This action is outside the authorized scopes"}, 403)
        return self._read(request)

    async def _post(self, request: Request) -> Answer | Drop:
        key = request.headers.get("idempotency-key")
        if key is not None and (known := self._known(key)) is not None:
            return Answer(self._shown(known))
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and not fault.endswith("_after"):
            return await self._failed(fault)
        wanted = msgspec.json.decode(request.body, type=Wanted)
        if not wanted.status.strip() or len(wanted.status) > MOST_CHARACTERS:
            return Answer({"error": "Validation failed: Text character limit of 500 exceeded"}, 422)
        status = Status(str(110_000 + len(self.statuses)), wanted.status.strip(), wanted.visibility, self.now())
        self.statuses.append(status)
        if key is not None and fault != "crash_after":
            self._keys[key] = (self.now(), status.id)
        return Answer(self._shown(status)) if fault is None else await self._failed(fault)

    async def _failed(self, fault: Fault) -> Answer | Drop:
        self.asked.set()
        if fault.startswith("drop"):
            return Drop()
        if fault.startswith("hang"):
            await asyncio.Event().wait()
        if fault == "refuse":
            return Answer({"error": "Validation failed: Text can't be blank"}, 422)
        if fault == "busy":
            reset = self.now() + timedelta(seconds=77)
            limits = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset.isoformat()}
            limits["Date"] = format_datetime(self.now(), usegmt=True)
            return Answer({"error": "Too many requests"}, 429, limits)
        return Answer({"error": "Something went wrong"}, 500)

    def _known(self, key: str) -> Status | None:
        kept_at, status_id = self._keys.get(key, (None, ""))
        if kept_at is None or self.now() - kept_at >= KEY_LASTS:
            return None
        return next((status for status in self.statuses if status.id == status_id), None)

    def _read(self, request: Request) -> Answer:
        if request.path == "/api/v1/accounts/verify_credentials":
            return Answer({"id": ACCOUNT, "username": "ada", "acct": "ada"})
        if request.path == f"/api/v1/accounts/{ACCOUNT}/statuses":
            before = request.query.get("max_id")
            found = [status for status in reversed(self.statuses) if before is None or status.id < before]
            return Answer([self._shown(status) for status in found[: int(request.query.get("limit", "20"))]])
        for status in self.statuses:
            if request.path == f"/api/v1/statuses/{status.id}/source":
                return Answer({"id": status.id, "text": status.text, "spoiler_text": ""})
        return MISSING

    def _shown(self, status: Status) -> dict[str, Any]:
        return {
            "id": status.id,
            "created_at": status.created_at.isoformat(),
            "visibility": status.visibility,
            "url": f"{self.url}/@ada/{status.id}",
            "content": f"<p>{html.escape(status.text)}</p>",
            "account": {"id": ACCOUNT},
        }


@asynccontextmanager
async def mastodon(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> AsyncIterator[LocalMastodon]:
    """A running server."""
    server = LocalMastodon(now)
    async with serving(server.handle) as url:
        server.url = url
        yield server

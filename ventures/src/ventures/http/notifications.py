"""/v1/ventures/{venture:uuid}/notices and …/webhooks"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from ventures.database.scope import Scope
from ventures.errors import Invalid
from ventures.http.authentication import actor_of, ask_caller, claimed_account
from ventures.http.exchange import (
    Body,
    IdempotencyKey,
    IfMatch,
    append,
    expected_version,
    noted,
    platform_of,
    reading,
    reading_as,
    reading_back,
    shown,
)
from ventures.http.paging import Cursor, Limit, Page, page, position
from ventures.log.api import Actor, Appended, feature_of
from ventures.notifications import api as notifications
from ventures.notifications.api import Address, Attempt, Delivery, DeliveryState, EventFilters, Label, Notice, Webhook
from ventures.outbound import require_callable
from ventures.tenancy import api as tenancy

T = TypeVar("T")
MOST_SEQ = 2**62
Unread = Annotated[bool, QueryParameter(description="Only notices that are not read yet.")]
Seq = Annotated[int, PathParameter(ge=1, le=MOST_SEQ, description="The notice's `seq`.")]
ByState = Annotated[DeliveryState | None, QueryParameter(name="state", description="Only deliveries in this state.")]


class ReadUpTo(Body, frozen=True, kw_only=True):
    """Which notices were seen: up to this `seq`; null for all there are."""

    up_to: Annotated[int, Meta(ge=1, le=MOST_SEQ)] | None = None


class NewWebhook(Body, frozen=True, kw_only=True):
    """url: https, reachable from the internet; it is part of the log, so put no secret in it. types: which events."""

    url: Address
    label: Label = ""
    types: EventFilters = ("*",)


class WebhookChanges(Body, frozen=True, kw_only=True):
    """What is left out stays as it is. A disabled webhook is sent nothing of what happens meanwhile, now or later."""

    url: Address | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    types: EventFilters | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class WebhookSecret(msgspec.Struct, frozen=True):
    """A webhook and its secret (`whsec_…`), which is shown here and never again. Requests are signed with it after
    Standard Webhooks: HMAC-SHA256 over `webhook-id.webhook-timestamp.body`, in `webhook-signature`.
    """

    webhook: Webhook
    secret: str


class DeliveryInFull(msgspec.Struct, frozen=True):
    """A delivery and its attempts, the last first."""

    delivery: Delivery
    attempts: list[Attempt]


@get("/notices", summary="My notices", operation_id="list_notices")
async def list_notices(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    unread: Unread = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Notice]:
    """What whoever asks was told in this venture, the newest first."""
    account, before = claimed_account(request), position(cursor, tuple[int])

    async def fetch(scope: Scope) -> list[Notice]:
        features = await _viewable(scope, account, None)
        return await notifications.notices(
            scope, account, features, unread=unread, before=before[0] if before else None, limit=limit + 1
        )

    actor, rows = await reading_as(request, venture, "notifications", "view", fetch)
    found = page(rows, limit, lambda notice: (notice.seq,))
    return Page([notice for notice in found.items if _in_scope(actor, notice.feature)], found.next)


@post("/notices/{seq:int}/read", summary="Mark a notice as read", operation_id="read_notice", status_code=200)
async def read_notice(request: Request[Any, Any, Any], venture: FromPath[UUID], seq: Seq) -> Notice:
    """A second time changes nothing."""
    now = platform_of(request).now()

    async def change(scope: Scope, actor: Actor) -> Notice:
        account = claimed_account(request)
        features = await _viewable(scope, account, actor)
        return await notifications.read_notice(scope, account, features, seq, now=now)

    return await _changing(request, venture, "view", change)


@post("/notices/read-all", summary="Mark notices as read", operation_id="read_all_notices", status_code=204)
async def read_all_notices(request: Request[Any, Any, Any], venture: FromPath[UUID], data: JSONBody[ReadUpTo]) -> None:
    """All up to a `seq`, so that one that came in meanwhile stays unread."""
    now = platform_of(request).now()

    async def change(scope: Scope, actor: Actor) -> None:
        await notifications.read_all_notices(scope, claimed_account(request), up_to=data.up_to, now=now)

    await _changing(request, venture, "view", change)


@get("/webhooks", summary="Webhooks", operation_id="list_webhooks")
async def list_webhooks(
    request: Request[Any, Any, Any], venture: FromPath[UUID], cursor: Cursor = None, limit: Limit = 50
) -> Page[Webhook]:
    """Without their secrets, the oldest first."""
    after = position(cursor, tuple[UUID])
    rows = await reading(
        request,
        venture,
        "notifications",
        "manage",
        notifications.webhooks,
        after=after[0] if after else None,
        limit=limit + 1,
    )
    return page(rows, limit, lambda webhook: (webhook.id,))


@post("/webhooks", summary="Add a webhook", operation_id="add_webhook")
async def add_webhook(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    data: JSONBody[NewWebhook],
    idempotency_key: IdempotencyKey = None,
) -> Response[WebhookSecret]:
    """It is sent what happens from now on, at least once and in no promised order: the same `webhook-id` is the same
    message, and `data.seq` tells the order. Anything but a 2xx answer within ten seconds is tried again, eight times
    within a day. An address that fails for three days is disabled, and its venture's managers are told.
    """
    _require_address(request, data.url)
    _require_known(request, data.types)
    command = notifications.AddWebhook(url=data.url, label=data.label, types=data.types)
    done = await append(request, venture, command, idempotency_key)
    return await _with_secret(request, venture, done.entity, done, status=201)


@get("/webhooks/{webhook:uuid}", summary="A webhook", operation_id="read_webhook")
async def read_webhook(
    request: Request[Any, Any, Any], venture: FromPath[UUID], webhook: FromPath[UUID]
) -> Response[Webhook]:
    """Without its secret."""
    found = await reading(request, venture, "notifications", "manage", notifications.webhook, webhook)
    return shown(found, found.version)


@patch("/webhooks/{webhook:uuid}", summary="Change a webhook", operation_id="change_webhook")
async def change_webhook(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    webhook: FromPath[UUID],
    data: JSONBody[WebhookChanges],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Webhook]:
    """Its secret stays the same."""
    if data.url is not UNSET:
        _require_address(request, data.url)
    if data.types is not UNSET:
        _require_known(request, data.types)
    command = notifications.ChangeWebhook(
        webhook=webhook,
        version=expected_version(if_match),
        url=None if data.url is UNSET else data.url,
        label=None if data.label is UNSET else data.label,
        types=None if data.types is UNSET else data.types,
        enabled=None if data.enabled is UNSET else data.enabled,
    )
    done = await append(request, venture, command, idempotency_key)
    found = await reading_back(request, venture, notifications.webhook, webhook)
    return shown(found, found.version, done=done)


@delete("/webhooks/{webhook:uuid}", summary="Remove a webhook", operation_id="remove_webhook")
async def remove_webhook(
    request: Request[Any, Any, Any], venture: FromPath[UUID], webhook: FromPath[UUID], if_match: IfMatch = None
) -> None:
    """What still waits to be delivered is not."""
    await append(request, venture, notifications.RemoveWebhook(webhook=webhook, version=expected_version(if_match)))


@post(
    "/webhooks/{webhook:uuid}/rotate",
    summary="Rotate a webhook's secret",
    operation_id="rotate_webhook_secret",
    status_code=200,
)
async def rotate_webhook_secret(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    webhook: FromPath[UUID],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[WebhookSecret]:
    """For 24 hours requests bear two signatures, of the new secret and of the one before."""
    command = notifications.RotateWebhookSecret(webhook=webhook, version=expected_version(if_match))
    done = await append(request, venture, command, idempotency_key)
    return await _with_secret(request, venture, webhook, done, status=200)


@post("/webhooks/{webhook:uuid}/test", summary="Send a test message", operation_id="test_webhook", status_code=202)
async def test_webhook(request: Request[Any, Any, Any], venture: FromPath[UUID], webhook: FromPath[UUID]) -> Delivery:
    """Of type notifications.test, tried once; to a disabled webhook too. The delivery says how it went."""
    platform = platform_of(request)

    async def change(scope: Scope, actor: Actor) -> Delivery:
        return await notifications.send_test(scope, webhook, new_id=platform.new_id, now=platform.now())

    return await _changing(request, venture, "manage", change)


@get("/webhooks/{webhook:uuid}/deliveries", summary="Deliveries", operation_id="list_deliveries")
async def list_deliveries(
    request: Request[Any, Any, Any],
    venture: FromPath[UUID],
    webhook: FromPath[UUID],
    in_state: ByState = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Delivery]:
    """The newest first. Ended ones are kept for 30 days."""
    rows = await reading(
        request,
        venture,
        "notifications",
        "manage",
        notifications.deliveries,
        webhook,
        state=in_state,
        before=position(cursor, tuple[datetime, UUID]),
        limit=limit + 1,
    )
    return page(rows, limit, lambda delivery: (delivery.made_at, delivery.id))


@get("/webhooks/{webhook:uuid}/deliveries/{delivery:uuid}", summary="A delivery", operation_id="read_delivery")
async def read_delivery(
    request: Request[Any, Any, Any], venture: FromPath[UUID], webhook: FromPath[UUID], delivery: FromPath[UUID]
) -> DeliveryInFull:
    """With its attempts: status, duration, and how the answer began."""

    async def fetch(scope: Scope) -> DeliveryInFull:
        found = await notifications.delivery(scope, webhook, delivery)
        return DeliveryInFull(found, await notifications.attempts(scope, delivery))

    return await reading(request, venture, "notifications", "manage", fetch)


@post(
    "/webhooks/{webhook:uuid}/deliveries/{delivery:uuid}/redeliver",
    summary="Deliver again",
    operation_id="redeliver",
    status_code=202,
)
async def redeliver(
    request: Request[Any, Any, Any], venture: FromPath[UUID], webhook: FromPath[UUID], delivery: FromPath[UUID]
) -> Delivery:
    """Under the same `webhook-id`, with all its retries."""
    now = platform_of(request).now()

    async def change(scope: Scope, actor: Actor) -> Delivery:
        return await notifications.redeliver(scope, webhook, delivery, now=now)

    return await _changing(request, venture, "manage", change)


async def _changing(
    request: Request[Any, Any, Any], venture: UUID, action: str, change: Callable[[Scope, Actor], Awaitable[T]]
) -> T:
    """What is no part of the log, changed by who may: read marks and deliveries."""
    noted(request, "notifications", action)
    platform = platform_of(request)
    async with platform.database.venture(venture) as scope:
        asked = await ask_caller(request, scope)
        rights = await platform.spine.authority.ask(scope, asked.account)
        actor = actor_of(await asked.answer())
        await rights.allow(actor, "notifications", action)
        return await change(scope, actor)


async def _with_secret(
    request: Request[Any, Any, Any], venture: UUID, webhook: UUID, done: Appended, *, status: int
) -> Response[WebhookSecret]:
    async def fetch(scope: Scope) -> tuple[Webhook, notifications.Signing]:
        return await notifications.webhook(scope, webhook), await notifications.signing(scope, webhook)

    found, signing = await reading_back(request, venture, fetch)
    key = platform_of(request).settings.key(notifications.SECRETS)
    secret = notifications.secret_text(notifications.secret_of(key, venture, webhook, signing.secret_id))
    location = f"/v1/ventures/{venture}/webhooks/{webhook}" if status == 201 else None
    answer = shown(WebhookSecret(found, secret), found.version, done=done, status=status, location=location)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _viewable(scope: Scope, account: UUID, actor: Actor | None) -> list[str]:
    """The features whose notices the account may see now."""
    role = await tenancy.role(scope, account)
    return [
        feature
        for feature in tenancy.FEATURES
        if tenancy.may(role, feature, "view") and (actor is None or _in_scope(actor, feature))
    ]


def _in_scope(actor: Actor, feature: str) -> bool:
    return actor.scopes is None or tenancy.permission(feature, "view") in actor.scopes


def _require_address(request: Request[Any, Any, Any], url: str) -> None:
    require_callable(url, platform_of(request).settings.webhook_networks)


def _require_known(request: Request[Any, Any, Any], types: Sequence[str]) -> None:
    known = platform_of(request).registry.facts
    features = {feature_of(kind) for kind in known}
    for one in types:
        if one != "*" and one not in known and not (one.endswith(".*") and one[:-2] in features):
            raise Invalid(f"“{one}” is no event type; take one such as content.item_approved.", fields={"types": one})


ROUTERS = (
    Router(
        "/v1/ventures/{venture:uuid}",
        route_handlers=[
            list_notices,
            read_notice,
            read_all_notices,
            list_webhooks,
            add_webhook,
            read_webhook,
            change_webhook,
            remove_webhook,
            rotate_webhook_secret,
            test_webhook,
            list_deliveries,
            read_delivery,
            redeliver,
        ],
        tags=["notifications"],
    ),
)

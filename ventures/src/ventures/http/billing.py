"""/v1/plans and a venture's subscription and usage."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, Router, get, put
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from ventures.billing import api as billing
from ventures.billing.api import Allowance, BillingPort, Plan, Subscription
from ventures.database.scope import Scope
from ventures.errors import Conflict, Stale
from ventures.http.exchange import Body, IfMatch, expected_version, platform_of, reading_as, shown
from ventures.http.paging import Page
from ventures.log.api import Actor


class PlanChoice(Body, frozen=True, kw_only=True):
    """plan: an id of GET /v1/plans."""

    plan: Annotated[str, Meta(min_length=1, max_length=40)]


@get("/plans", summary="The plans", operation_id="list_plans", security=[{}])
async def list_plans() -> Page[Plan]:
    """What each includes; null is no limit."""
    return Page(list(billing.PLANS.values()), None)


@get("/subscription", summary="What the venture is subscribed to", operation_id="read_subscription")
async def read_subscription(request: Request[Any, Any, Any], venture: FromPath[UUID]) -> Response[Subscription]:
    await _allowed(request, venture, "view")
    return await _shown(request, venture)


@put("/subscription", summary="Choose a plan", operation_id="choose_plan")
async def choose_plan(
    request: Request[Any, Any, Any], venture: FromPath[UUID], data: JSONBody[PlanChoice], if_match: IfMatch = None
) -> Response[Subscription]:
    """A plan with a price holds when its checkout is paid (`checkout.url` while it is pending). The free one ends what
    is paid for with the calendar month (UTC).
    """
    actor = await _allowed(request, venture, "manage")
    if platform_of(request).settings.plans == "none":
        raise Conflict("Nothing is sold here: every venture has the largest plan (VENTURES_PLANS is none).")
    service, now = billing_of(request), platform_of(request).now()
    held = await service.subscription(venture, now)
    if if_match is not None and expected_version(if_match) != held.version:
        raise Stale("The subscription was changed meanwhile: read it again.")
    if data.plan == "free":
        await service.cancel(venture, now)
    elif (held.plan, held.ends_at) != (data.plan, None) and actor.account is not None:
        await service.subscribe(venture, data.plan, actor.account, now)
    return await _shown(request, venture)


@get("/usage", summary="What of the plan is used", operation_id="read_usage")
async def read_usage(request: Request[Any, Any, Any], venture: FromPath[UUID]) -> Page[Allowance]:
    """Of this calendar month (UTC), or at present for what is not counted by the month."""
    await _allowed(request, venture, "view")
    allowances = await billing_of(request).allowances(venture, platform_of(request).now())
    return Page(list(allowances.values()), None)


def billing_of(request: Request[Any, Any, Any]) -> BillingPort:
    """The billing service that this process asks."""
    return platform_of(request).billing


async def _allowed(request: Request[Any, Any, Any], venture: UUID, action: str) -> Actor:
    """Asks the venture, wherever billing is. Raises: NotSignedIn, NotFound, Forbidden."""

    async def nothing(scope: Scope) -> None:
        """The permission alone is asked for."""

    return (await reading_as(request, venture, "billing", action, nothing))[0]


async def _shown(request: Request[Any, Any, Any], venture: UUID) -> Response[Subscription]:
    held = await billing_of(request).subscription(venture, platform_of(request).now())
    return shown(held, held.version)


ROUTERS = (
    Router("/v1", route_handlers=[list_plans], tags=["billing"]),
    Router(
        "/v1/ventures/{venture:uuid}",
        route_handlers=[read_subscription, choose_plan, read_usage],
        tags=["billing"],
    ),
)

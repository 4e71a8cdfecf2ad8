"""/v1/ventures/{venture:uuid}/analytics"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Router, get
from litestar.params import FromPath, QueryParameter

from ventures.analytics import api as analytics
from ventures.analytics.api import Analytics
from ventures.http.exchange import platform_of, reading

From = Annotated[
    date | None, QueryParameter(name="from", description="The first day, in the venture's zone; 30 days up to `to`.")
]
To = Annotated[date | None, QueryParameter(name="to", description="The last day, included; today.")]


@get("/", summary="How work goes", operation_id="read_analytics")
async def read_analytics(
    request: Request[Any, Any, Any], venture: FromPath[UUID], first_day: From = None, last_day: To = None
) -> Analytics:
    """Counts and durations by day, with totals; `as_of` says how far the log was read for them. At most 366 days."""
    return await reading(
        request,
        venture,
        "analytics",
        "view",
        analytics.analytics,
        first_day=first_day,
        last_day=last_day,
        now=platform_of(request).now(),
    )


ROUTERS = (Router("/v1/ventures/{venture:uuid}/analytics", route_handlers=[read_analytics], tags=["analytics"]),)

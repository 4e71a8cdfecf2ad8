"""The plans and what they include. Pure."""

from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Final, Literal, get_args

import msgspec

from ventures.errors import LimitReached, NotFound

Metric = Literal["members", "items", "posts", "drafts"]
METRICS: Final[tuple[Metric, ...]] = get_args(Metric)
MONTHLY: Final[frozenset[Metric]] = frozenset({"posts", "drafts"})
"""Counted anew each calendar month (UTC); the others are levels, which go up and down."""
ALWAYS: Final = date(1970, 1, 1)
"""The period of a level."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a venture may have. None is no limit. ventures: how many whoever founded this one may have founded.

    posts, drafts: a calendar month; of drafts, those that were written to the end. cents: the price a month, in
    euro cents.
    """

    id: str
    name: str
    cents: int
    ventures: int | None
    members: int | None
    items: int | None
    posts: int | None
    drafts: int | None


class Allowance(msgspec.Struct, frozen=True):
    """used of included (None: no limit). as_of: when that was true; None where it is a default and not known."""

    metric: Metric | Literal["ventures"]
    used: int
    included: int | None
    as_of: datetime | None

    def has_room(self, wanted: int = 1) -> bool:
        """Whether so much more is included."""
        return self.included is None or self.used + wanted <= self.included


FREE: Final = Plan(id="free", name="Free", cents=0, ventures=3, members=3, items=500, posts=100, drafts=50)
TEAM: Final = Plan(
    id="team", name="Team", cents=2_900, ventures=20, members=25, items=20_000, posts=3_000, drafts=1_000
)
SCALE: Final = Plan(
    id="scale", name="Scale", cents=19_900, ventures=None, members=None, items=None, posts=None, drafts=None
)
PLANS: Final = MappingProxyType({plan.id: plan for plan in (FREE, TEAM, SCALE)})


def plan_named(name: str) -> Plan:
    """Raises: NotFound."""
    try:
        return PLANS[name]
    except KeyError:
        raise NotFound(f"There is no plan “{name}”; there are {', '.join(PLANS)}.") from None


def included(plan: Plan, metric: Metric) -> int | None:
    """How much of it the plan includes; None is no limit."""
    value: int | None = getattr(plan, metric)
    return value


def period(metric: Metric, at: datetime) -> date:
    """What `at` is counted under: the first day of its month (UTC), or always the same for a level."""
    return at.astimezone(UTC).date().replace(day=1) if metric in MONTHLY else ALWAYS


def end_of_month(at: datetime) -> datetime:
    """The first moment of the next month (UTC)."""
    month = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def require_room(allowance: Allowance, wanted: int = 1) -> None:
    """Returns where so much more is included. Raises: LimitReached."""
    if not allowance.has_room(wanted):
        what = allowance.metric.replace("_", " ")
        month = " this month" if allowance.metric in MONTHLY else ""
        raise LimitReached(
            f"The plan includes {allowance.included} {what}{month}; {allowance.used} are used. Choose a larger plan."
        )

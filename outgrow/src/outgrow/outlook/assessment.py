"""From judged triggers and their forecasts to the state of a point and which limit governs it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.outlook.records import Crossing, Forecast
from outgrow.outlook.refusal import NOT_KNOWABLE_SPREAD
from outgrow.outlook.sentences import point_sentence
from outgrow.outlook.status import WORST_FIRST, PointStatus, State, TriggerStatus
from outgrow.outlook.triggers import Judgement
from outgrow.points.declaration import Point, Trigger
from outgrow.quantities import DAY, significant
from outgrow.signals.series import Origin

SOON = 90 * DAY
"""A crossing or a start within a quarter is close enough to act on."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedTrigger:
    """A declared trigger, what its samples say now, and what is known about when (None: nothing can be forecast)."""

    trigger: Trigger
    unit: str
    judgement: Judgement
    forecast: Forecast | None
    origins: tuple[Origin, ...] = ()


def assess(point: Point, judged: Sequence[JudgedTrigger], users_now: float | None, milestones: Sequence[int],
           now: float) -> PointStatus:  # fmt: skip
    """The status of a point.

    Args:
        point: declared.
        judged: its triggers, in declared order.
        users_now: users today, None when unknown.
        milestones: the declared ladder, rising.
        now: seconds since the epoch.
    """
    soonest = _soonest(judged)
    measured = soonest.forecast.breaks.users_at_limit if soonest and soonest.forecast else None
    watch_from = own_watch(point, soonest, milestones)
    triggers = tuple(
        _trigger_status(point, item, users_now, own_watch(point, item, milestones), now) for item in judged
    )
    state = point_state(triggers)
    forecast = soonest.forecast if soonest else None
    status = PointStatus(
        id=point.id,
        title=point.title or point.id,
        state=state,
        sentence="",
        triggers=triggers,
        declared_users=point.complete_before,
        measured_users=measured,
        governs="measured" if _is_knowable(soonest) else "declared",
        users_now=users_now,
        watched_from=watch_from,
        soonest=soonest.trigger.id if soonest else None,
        crossing=forecast.breaks.crossing if forecast else None,
        start_by=forecast.start_by if forecast else None,
    )
    return point_sentence(status, now)


def point_state(triggers: Sequence[TriggerStatus]) -> State:
    """The worst state: firing > unknown > approaching > quiet. A trigger that only confirms never decides alone."""
    own = [status.state for status in triggers if not status.confirms]
    return min(own, key=WORST_FIRST.index) if own else "unknown"


def watched_from(limit_users: float, milestones: Sequence[int]) -> float:
    """From how many users a measured limit is watched: two rungs of the ladder below it, at most the limit itself.

    Without enough rungs, two thirds of the limit.
    """
    below = [rung for rung in milestones if rung < limit_users]
    return float(below[-2]) if len(below) >= 2 else limit_users * 2 / 3


def own_watch(point: Point, item: JudgedTrigger | None, milestones: Sequence[int]) -> float:
    """From how many users one trigger is watched: by its own measured limit, else as declared for the point.

    The far limit of one trigger says nothing about another that cannot be judged.
    """
    users = item.forecast.breaks.users_at_limit if item is not None and item.forecast is not None else None
    if users is None or not _is_knowable(item):
        return float(point.monitor_from)
    return watched_from(users.low, milestones)


def soonest_first(statuses: Sequence[PointStatus]) -> tuple[PointStatus, ...]:
    """Firing first, then by date of the crossing; without a date, unknown before approaching before quiet."""

    def key(status: PointStatus) -> tuple[int, float, int]:
        date = status.crossing.mid if status.crossing else math.inf
        return (0 if status.state == "firing" else 1, date, WORST_FIRST.index(status.state))

    return tuple(sorted(statuses, key=key))


def _soonest(judged: Sequence[JudgedTrigger]) -> JudgedTrigger | None:
    """The trigger whose break is expected first: by date, else by users at the limit."""
    known = [item for item in judged if item.forecast is not None and not item.trigger.confirms]

    def key(item: JudgedTrigger) -> tuple[float, float, bool]:
        crossing = item.forecast.breaks if item.forecast else None
        date = crossing.crossing.mid if crossing and crossing.crossing else math.inf
        users = crossing.users_at_limit.mid if crossing and crossing.users_at_limit else math.inf
        return date, users, crossing is None or crossing.verdict == "unknown"

    return min(known, key=key, default=None)


def _is_knowable(item: JudgedTrigger | None) -> bool:
    if item is None or item.forecast is None or item.forecast.breaks.verdict == "unknown":
        return False
    users = item.forecast.breaks.users_at_limit
    return users is not None and math.isfinite(users.mid) and users.high < NOT_KNOWABLE_SPREAD * users.low


def _trigger_status(point: Point, item: JudgedTrigger, users_now: float | None, watch_from: float,
                    now: float) -> TriggerStatus:  # fmt: skip
    judgement, trigger = item.judgement, item.trigger
    state, reason = trigger_state(item, users_now, watch_from, now)
    return TriggerStatus(
        point=point.id,
        trigger=trigger.id,
        title=trigger.title or trigger.id,
        state=state,
        value=judgement.value,
        unit=item.unit,
        threshold=trigger.threshold,
        breaks_at=trigger.breaks_at,
        reason=reason,
        since=judgement.since,
        broken=judgement.broken,
        confirms=trigger.confirms,
        forecast=item.forecast,
        origins=tuple(dict.fromkeys((*item.origins, *(item.forecast.origins if item.forecast else ())))),
    )


def trigger_state(item: JudgedTrigger, users_now: float | None, watch_from: float, now: float) -> tuple[State, str]:
    """State and reason. A value inside its limit is *quiet* only if the outlook is known to be far, or too few users
    for it to matter are measured; otherwise it is *approaching*, or *unknown* with what would make it known."""
    judgement = item.judgement
    if judgement.state in ("firing", "unknown"):
        return ("firing" if judgement.state == "firing" else "unknown"), judgement.reason
    if judgement.state == "pending":
        return "approaching", judgement.reason
    if item.trigger.kind == "fact":
        return "quiet", judgement.reason
    near = _near(item.forecast, now)
    if near:
        return "approaching", f"{judgement.reason}; {near}"
    if users_now is None:
        return "unknown", f"{judgement.reason}, but the number of users is not known"
    if users_now < watch_from:
        return "quiet", f"{judgement.reason}; watched closely from {significant(watch_from)} users"
    if item.trigger.kind in ("grows-faster-than-users", "worse-though-scaled-out"):
        return "quiet", judgement.reason
    breaks = item.forecast.breaks if item.forecast else None
    if breaks is None or (breaks.verdict == "unknown" and breaks.refusal is not None):
        why = breaks.refusal.reason if breaks and breaks.refusal else "nothing can be forecast of it"
        return "unknown", f"{judgement.reason}, but when it will be crossed is not known: {why}"
    if not _is_knowable(item):
        return "unknown", f"{judgement.reason}, but at how many users it is reached is not known from here"
    if _is_far(breaks):
        return "quiet", judgement.reason
    return "approaching", f"{judgement.reason}; {significant(watch_from)} users are passed, two milestones before it"


def _near(forecast: Forecast | None, now: float) -> str:
    if forecast is None:
        return ""
    if forecast.start_by is not None and forecast.start_by <= now + SOON:
        return "the time to start is here" if forecast.start_by <= now else "the time to start is within 90 days"
    crossing = forecast.warn.crossing
    if crossing is not None and crossing.low <= now + SOON:
        return "it may be crossed within 90 days"
    return ""


def _is_far(crossing: Crossing) -> bool:
    return crossing.refusal is not None and crossing.refusal.code == "no-crossing"

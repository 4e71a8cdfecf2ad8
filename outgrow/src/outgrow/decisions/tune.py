"""Option 0: does the tuned service keep every trigger of a point quiet at the users it must carry?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from outgrow.decisions.records import Held
from outgrow.evidence.comparison import CONFIDENCE, is_tuned, widened_value
from outgrow.evidence.records import Evidence
from outgrow.points.declaration import Point, Trigger
from outgrow.quantities import Interval, format_quantity, significant


def tune_keeps_quiet(
    point: Point,
    newest_first: Sequence[Evidence],
    facts: Mapping[str, tuple[bool, str]],
    units: Mapping[str, str],
) -> tuple[Held, ...]:
    """A line for each trigger that can fire alone.

    A measured one is held when the bound of what the tuned service measured, at ``complete_before`` users or more and
    with 95 %, lies strictly on the quiet side of its threshold; a fact when it is quiet now. What was not measured is
    not held.
    """
    lines = []
    for trigger in point.triggers:
        if trigger.confirms:
            continue
        if trigger.kind == "fact":
            quiet, why = facts.get(trigger.id, (False, "whether it is quiet now is not known"))
            lines.append(Held(trigger.id, quiet, f"{trigger.title or trigger.id}: {why}"))
        else:
            lines.append(_measured(point, trigger, newest_first, units.get(trigger.signal or "", "")))
    return tuple(lines)


def tune_evidence(point: Point, newest_first: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The evidence that the lines of ``tune_keeps_quiet`` rest on."""
    used = {}
    for trigger in point.triggers:
        found = _newest(newest_first, trigger.id, point.complete_before) if not trigger.confirms else None
        if found is not None:
            used[found.digest] = found
    return tuple(used.values())


def _measured(point: Point, trigger: Trigger, newest_first: Sequence[Evidence], unit: str) -> Held:
    name, wanted = trigger.title or trigger.id, f"{significant(point.complete_before, 6)} users"
    if trigger.threshold is None:
        return Held(trigger.id, False, f"{name}: declares no threshold to hold a measurement against")
    found = _newest(newest_first, trigger.id, point.complete_before)
    if found is None:
        most = max((users for one in newest_first for users, _ in _of_tune(one, trigger.id)), default=None)
        only = "" if most is None else f", only at {significant(most, 6)} users"
        return Held(trigger.id, False, f"{name}: not measured with the tuned service at {wanted}{only}", most)
    above = trigger.direction == "above"
    measures = [(users, value) for users, value in _of_tune(found, trigger.id) if users >= point.complete_before]
    users, value = max(measures, key=lambda each: each[1].high if above else -each[1].low)
    bound = value.high if above else value.low
    held = bound < trigger.threshold if above else bound > trigger.threshold
    limit = format_quantity(trigger.threshold, unit)
    if held:
        side = f"its {'upper' if above else 'lower'} bound is {'below' if above else 'above'} {limit}"
    else:
        side = f"its {'upper' if above else 'lower'} bound does not stay {'below' if above else 'above'} {limit}"
    why = f"{name}: {value_text(value, unit)} at {significant(users, 6)} users; {side}"
    return Held(trigger.id, held, why, users, value)


def value_text(value: Interval, unit: str) -> str:
    """``1.2 s (900 ms – 1.6 s, 95 %)``."""
    low, mid, high = (format_quantity(each, unit) for each in (value.low, value.mid, value.high))
    return f"{mid} ({low} – {high}, {significant(value.confidence * 100)} %)"


def _newest(newest_first: Sequence[Evidence], trigger: str, users: float) -> Evidence | None:
    """The newest evidence in which the tuned service measured a trigger at so many users."""
    return next(
        (one for one in newest_first if any(reached >= users for reached, _ in _of_tune(one, trigger))),
        None,
    )


def _of_tune(evidence: Evidence, trigger: str) -> Iterator[tuple[float, Interval]]:
    """What tuned arms measured of a trigger, as (users, value with 95 %)."""
    tuned = {arm.id for arm in evidence.arms if is_tuned(evidence, arm)}
    for measure in evidence.measures:
        if measure.trigger == trigger and measure.arm in tuned:
            yield measure.users, widened_value(measure.value, CONFIDENCE)

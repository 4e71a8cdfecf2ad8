"""When to try each option out: a calm window before its choice is due.

A day is calm when in at least 90 % of the scenarios no rewrite is under way, nobody is away, nothing is frozen, and no
other prototype is being made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from outgrow.points.declaration import TimeOff
from outgrow.quantities import format_quantity
from outgrow.schedule.records import NEVER, Days, Flags, Outcome, Prototype
from outgrow.signals.series import FloatArray

CALM_RATIO = 0.9


@dataclass(frozen=True, slots=True)
class Wish:
    """A prototype to place: ``length`` days that end by ``decide_by`` and by ``start``, days from day 0.

    ``decide_by`` is ``NEVER`` where growth does not get there.
    """

    length: int
    decide_by: int
    start: int

    @property
    def deadline(self) -> int:
        """The day by which it should be over."""
        return min(self.decide_by, self.start)


def place_prototypes(
    wishes: Sequence[Wish | None], outcome: Outcome, calendar: Sequence[TimeOff], made_on: date
) -> tuple[Prototype | None, ...]:
    """A window for each wish, as late as possible before its deadline, the most urgent first.

    Where no calm window is left it is the least busy one before the deadline, and where there is no room before the
    deadline the first one after day 0; ``why`` says so.
    """
    days = max((max(wish.start, wish.length) for wish in wishes if wish), default=0)
    busy = under_way(outcome, days)
    off = _off(calendar, made_on, days)
    taken = np.zeros(days, dtype=np.bool_)
    placed: list[Prototype | None] = [None] * len(wishes)
    urgent = [(wish.deadline, index, wish) for index, wish in enumerate(wishes) if wish]
    for _, index, wish in sorted(urgent, key=lambda each: each[:2]):
        first, calm, why = _window(wish, busy, off, taken)
        taken[first : first + wish.length] = True
        start = made_on + timedelta(days=first)
        placed[index] = Prototype(start, start + timedelta(days=wish.length), calm, why)
    return tuple(placed)


def prototype_days(weeks: float) -> int:
    """Whole days of a prototype, at least 1."""
    return max(1, math.ceil(weeks * 7 - 1e-9))


def under_way(outcome: Outcome, days: int) -> FloatArray:
    """Share of scenarios in which any rewrite is under way, for each day from 0; shape (days,)."""
    if outcome.starts.size == 0:
        return np.zeros(days)
    scenarios = outcome.starts.shape[1]
    busy = np.zeros((scenarios, days), dtype=np.bool_)
    for starts, finishes in zip(outcome.starts, outcome.finishes, strict=True):
        change = np.zeros((scenarios, days + 1), dtype=np.int8)
        row = np.flatnonzero(starts < NEVER)
        change[row, np.minimum(starts[row], days)] += 1
        change[row, np.minimum(finishes[row], days)] -= 1
        busy |= np.cumsum(change[:, :days], axis=1, dtype=np.int8) > 0
    return np.asarray(busy.mean(axis=0), dtype=np.float64)


def _window(wish: Wish, busy: FloatArray, off: Flags, taken: Flags) -> tuple[int, bool, str]:
    """First day of the window, whether it is calm, and why it is not as wished."""
    begins = np.arange(busy.size - wish.length + 1)
    free = np.where(off | taken, np.inf, busy)
    worst = np.lib.stride_tricks.sliding_window_view(free, wish.length).max(axis=1)
    calm = worst <= 1 - CALM_RATIO + 1e-12
    ends = begins + wish.length
    in_time = ends <= wish.deadline
    if (calm & in_time).any():
        return int(begins[calm & in_time][-1]), True, ""
    if in_time.any():
        least = _least_busy(begins[in_time], wish.length, busy, off, taken)
        return least, False, _why(least, wish.length, busy, off, taken)
    before_start = ends <= wish.start
    near = "is past already" if wish.decide_by == 0 else "is too near"
    late = f"it ends after the date to decide by, which {near}"
    if (calm & before_start).any():
        return int(begins[calm & before_start][0]), True, late
    if before_start.any():
        least = _least_busy(begins[before_start], wish.length, busy, off, taken)
        return least, False, f"{late}; {_why(least, wish.length, busy, off, taken)}"
    return 0, False, "the rewrite starts before there is time for a prototype: begin with it"


def _least_busy(begins: Days, length: int, busy: FloatArray, off: Flags, taken: Flags) -> int:
    """The begin with the fewest days off or taken, then the least under way; the latest of equals."""
    lost = np.concatenate([[0], np.cumsum(off | taken)])
    work = np.concatenate([[0.0], np.cumsum(busy)])
    hindered = lost[begins + length] - lost[begins]
    share = np.round(work[begins + length] - work[begins], 9)
    return int(begins[np.lexsort((-begins, share, hindered))[0]])


def _why(first: int, length: int, busy: FloatArray, off: Flags, taken: Flags) -> str:
    span = slice(first, first + length)
    reasons = []
    if busy[span].max() > 1 - CALM_RATIO:
        reasons.append(
            f"a rewrite is under way then in {format_quantity(float(busy[span].max()), 'ratio')} of scenarios"
        )
    if off[span].any():
        reasons.append("somebody is away or changes are frozen then")
    if taken[span].any():
        reasons.append("another prototype is made then")
    return f"no calm window is left: {' and '.join(reasons)}"


def _off(calendar: Sequence[TimeOff], made_on: date, days: int) -> Flags:
    off = np.zeros(days, dtype=np.bool_)
    for each in calendar:
        off[max(0, (each.from_ - made_on).days) : max(0, (each.to - made_on).days + 1)] = True
    return off

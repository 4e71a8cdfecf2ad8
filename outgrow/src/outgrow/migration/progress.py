"""How far a move is, and how long it may take."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.migration.records import State, TenantMove
from outgrow.quantities import Interval

MOST_LOOKS = 60
"""Of the past, so many looks are enough to tell a rate from."""


@dataclass(frozen=True, slots=True)
class Look:
    """How many items had been copied at a time, over all tenants."""

    at: float
    copied: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a move is.

    Attributes:
        tenants: how many are in each state that has any. wave: the first that is not done; None: all are.
        copied, items: over all tenants that are wanted somewhere; ``items`` None where a size is not known.
        per_second: items copied, None: not known yet. left_seconds: until all is copied, None: cannot be said yet,
            and ``unknown`` says why.
    """

    tenants: dict[State, int]
    wave: int | None
    copied: int
    items: int | None
    per_second: Interval | None
    left_seconds: Interval | None
    unknown: str = ""


def progress(rows: Sequence[TenantMove], looks: Sequence[Look]) -> Progress:
    """How far these rows are; the rate comes from ``looks``, oldest first."""
    states: dict[State, int] = {}
    for row in rows:
        states[row.state] = states.get(row.state, 0) + 1
    wanted = [row for row in rows if row.goal not in ("none", "cancelled") and row.state != "cancelled"]
    open_waves = [row.wave for row in wanted if not _is_copied(row)]
    copied = sum(row.copied for row in wanted)
    left = [_left(row) for row in wanted]
    known = [one for one in left if one is not None]
    items = copied + sum(known) if len(known) == len(left) else None
    rate = rate_of(looks)
    if items is None:
        seconds, unknown = None, f"of {len(left) - len(known)} tenants it is not known how large they are"
    elif items == copied:
        seconds, unknown = Interval(0.0, 0.0, 0.0), ""
    elif rate is None or rate.mid <= 0:
        seconds, unknown = None, "too little was copied so far to tell how fast it goes"
    else:
        to_go = items - copied
        high = to_go / rate.low if rate.low > 0 else math.inf
        seconds, unknown = Interval(to_go / rate.high, to_go / rate.mid, high), ""
    return Progress(states, min(open_waves, default=None), copied, items, rate, seconds, unknown)


def rate_of(looks: Sequence[Look]) -> Interval | None:
    """Items a second, from at least three stretches between looks.

    The mean over the whole time, give or take 1.28 standard errors of it (80 %), from how much the stretches differ,
    each weighed with its length: a ratio estimator (Cochran, Sampling Techniques, 6.4). Pauses count: what was waited
    for so far may be waited for again.
    """
    recent = [look for number, look in enumerate(looks) if number == 0 or look.at > looks[number - 1].at][-MOST_LOOKS:]
    stretches = [(b.at - a.at, max(0, b.copied - a.copied)) for a, b in itertools.pairwise(recent)]
    count, time = len(stretches), sum(seconds for seconds, _ in stretches)
    if count < 3 or time <= 0:
        return None
    mean = sum(items for _, items in stretches) / time
    spread = sum((items - mean * seconds) ** 2 for seconds, items in stretches) / (count - 1)
    doubt = 1.28 * math.sqrt(spread * count) / time
    return Interval(max(0.0, mean - doubt), mean, mean + doubt)


def _is_copied(row: TenantMove) -> bool:
    return row.copied_all or row.state in ("completed", "cancelled")


def _left(row: TenantMove) -> int | None:
    """Items still to be copied of one tenant; None: not known."""
    if _is_copied(row):
        return 0
    return None if row.items is None else max(0, row.items - row.copied)

"""How many registered writes are carried at once, and whether they come faster than they are carried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_KEYS = 10_000
"""A batch grows to so many keys by itself; one that is declared larger stays as it is."""
LONGEST_SECONDS = 0.5
"""A batch that grew takes no longer: so long may a switch be held up by the last one of it, while writers wait."""
WINDOW_SECONDS = 10.0
"""Over so long it is looked whether writes come faster than they are carried."""
LEAST_LOOKS = 4
MOST_COUNTED = 100_000
"""Writes that wait are counted up to so many."""


def next_batch(declared: int, batch: int, took_seconds: float, left: int) -> int:
    """How many are carried the next time: at least ``declared``, at most ``MOST_KEYS`` where that is more.

    Args:
        batch: how many were carried at most the last time, ``took_seconds`` long. left: how many wait after it.

    Grows by doubling while more are left than one batch carries, as far as the time allows; shrinks where one took
    longer than ``LONGEST_SECONDS``, and by halves once there is little left.
    """
    most = max(declared, MOST_KEYS)
    in_time = int(batch * LONGEST_SECONDS / took_seconds) if took_seconds * most > batch * LONGEST_SECONDS else most
    if took_seconds > LONGEST_SECONDS:
        wanted = min(in_time, batch)
    elif left > batch:
        wanted = min(2 * batch, in_time)
    elif left <= batch // 4:
        wanted = batch // 2
    else:
        wanted = batch
    return max(declared, min(wanted, most))


@dataclass(frozen=True, slots=True)
class Backlog:
    """A tenant's registered writes after a batch was carried: ``at`` in seconds, how many waited then, at most
    ``MOST_COUNTED``, how many had been carried since the first look, and how old the oldest was that waited."""

    at: float
    waiting: int
    carried: int
    behind_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outrun:
    """A tenant is written faster than its changes are carried."""

    written_per_second: float
    carried_per_second: float
    waiting: int

    def sentence(self, tenant: str) -> str:
        """For people; what to do is in ``OUTRUN_STEP``."""
        more = " or more" if self.waiting >= MOST_COUNTED else ""
        return (
            f"{tenant} is written faster than it is carried: {self.written_per_second:,.0f}/s against "
            f"{self.carried_per_second:,.0f}/s, {self.waiting:,}{more} writes wait"
        )


OUTRUN_STEP = (
    "let it be written less for a while, move it at a quieter hour, or give the move a machine, or a link to both "
    "stores, that is quicker; it goes on by itself once fewer writes come"
)


def outrun(looks: Sequence[Backlog]) -> Outrun | None:
    """Whether more came than were carried over the last ``WINDOW_SECONDS`` of these looks, oldest first; None: no, or
    not known yet. They must have grown at the end as over the whole, so that one burst is none.

    Of more than can be counted, the age of the oldest tells: they are carried in the order in which they were written,
    so that in these seconds as many were carried as had been written in the seconds by which it did not age.
    """
    if not looks:
        return None
    recent = [look for look in looks if look.at > looks[-1].at - 1.5 * WINDOW_SECONDS]
    first, last = recent[0], recent[-1]
    seconds = last.at - first.at
    if len(recent) < LEAST_LOOKS or seconds < WINDOW_SECONDS:
        return None
    half = next(look for look in recent if look.at >= first.at + seconds / 2)
    carried = last.carried - first.carried
    if first.waiting < half.waiting < last.waiting:
        return Outrun((carried + last.waiting - first.waiting) / seconds, carried / seconds, last.waiting)
    aged = last.behind_seconds - first.behind_seconds
    if last.waiting >= MOST_COUNTED and first.behind_seconds < half.behind_seconds < last.behind_seconds:
        return Outrun(carried / (seconds - aged), carried / seconds, last.waiting) if aged < seconds else None
    return None

"""Days on which work advances: when what is begun is finished, and when it must be begun at the latest.

Lane ``l`` advances on day ``d`` if ``free[d] > l``; the last value of ``free`` holds for ever after. Of ``e`` days of
work begun on day ``s``, the finish is the first day ``f`` such that ``e`` of the days ``s … f − 1`` were worked, so
``s + e`` where every day is. Starting on a closed day is allowed; the work begins when the lane opens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.schedule.records import NEVER, Days


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """The working days of one lane.

    Attributes:
        worked: (days + 1,), days worked before each day. nth: (worked days + 1,), the first day by which so many are
            worked. after: whether the lane advances on every day past the calendar, or on none.
        always: whether it advances on every day there is.
    """

    worked: Days
    nth: Days
    after: bool
    always: bool

    def worked_before(self, day: Days) -> Days:
        """Days worked before ``day``; none before day 0."""
        last = self.worked.size - 1
        within = self.worked[np.clip(day, 0, last)]
        return within + np.maximum(day - last, 0) if self.after else within

    def _day_by_which(self, worked: Days) -> Days:
        most = self.nth.size - 1
        within = self.nth[np.clip(worked, 0, most)]
        beyond = self.worked.size - 1 + worked - most if self.after else NEVER
        day: Days = np.where(worked <= most, within, beyond)
        return day

    def finish(self, start: Days, effort: Days) -> Days:
        """The day by which ``effort`` days of work begun on ``start`` are done; at most ``NEVER``."""
        if self.always:
            done: Days = start + effort
        else:
            done = self._day_by_which(self.worked_before(start) + effort)
        finish: Days = np.minimum(done, NEVER)
        return finish

    def latest_start(self, effort: Days, by: Days) -> Days:
        """The last day on which to begin so that ``effort`` ≥ 1 days are done ``by`` a day.

        Negative where it is too late; ``NEVER`` where ``by`` is.
        """
        if self.always:
            latest = by - effort
        else:
            spare = self.worked_before(by) - effort
            latest = np.where(spare < 0, -1, self._day_by_which(spare + 1) - 1)
        return np.where(by >= NEVER, NEVER, np.minimum(latest, NEVER))


def lanes_of(free: Days, rewrites: int) -> tuple[Lane, ...]:
    """One lane for everybody who is ever free, at most one a rewrite and at least one (which may never advance)."""
    count = max(1, min(int(free.max(initial=0)), rewrites))
    lanes = []
    for lane in range(count):
        opened = free > lane
        worked = np.concatenate(([0], np.cumsum(opened))).astype(np.int64)
        nth = np.concatenate(([0], np.flatnonzero(opened) + 1)).astype(np.int64)
        lanes.append(Lane(worked, nth, bool(opened.size and opened[-1]), bool(opened.size and opened.all())))
    return tuple(lanes)

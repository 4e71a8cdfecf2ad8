"""What analytics shows."""

from datetime import date, datetime
from typing import Literal

import msgspec

CountMetric = Literal[
    "items_drafted",
    "items_submitted",
    "items_approved",
    "changes_requested",
    "items_published",
    "posts_published",
    "posts_failed",
    "posts_unknown",
    "members_active",
]
DurationMetric = Literal["draft_to_first_approval"]
Unit = Literal["items", "posts", "members", "times"]


class DayCount(msgspec.Struct, frozen=True):
    """One day in the venture's zone."""

    day: date
    count: int


class CountSeries(msgspec.Struct, frozen=True):
    """A metric over all days of the range. `dimension`: the channel's kind, where the metric has one.

    `total` is the sum of the days; of members_active it is how many different members were active in the range.
    """

    metric: CountMetric
    dimension: str | None
    unit: Unit
    total: int
    days: list[DayCount]


class Quantile(msgspec.Struct, frozen=True):
    """An estimate from a histogram: the true quantile (nearest rank) lies between `low` and `high`, which is
    null where it is beyond the histogram; `mid` is interpolated.
    """

    low_seconds: int
    mid_seconds: int
    high_seconds: int | None


class DayDuration(msgspec.Struct, frozen=True):
    """How often something ended on a day, and how long it had taken on average."""

    day: date
    count: int
    mean_seconds: float | None


class DurationSeries(msgspec.Struct, frozen=True):
    """How long something took, over all days of the range, on the day it ended; null where nothing ended."""

    metric: DurationMetric
    unit: Literal["seconds"]
    count: int
    mean_seconds: float | None
    p50: Quantile | None
    p90: Quantile | None
    days: list[DayDuration]


class AsOf(msgspec.Struct, frozen=True):
    """How far the log was read: up to event `seq` of `epoch`, which happened `at`; it ends with event `head_seq`.

    `seconds_behind`: between these two events. `left_out`: events before `seq` that could not be counted yet.
    """

    epoch: int
    seq: int
    at: datetime | None
    head_seq: int
    events_behind: int
    seconds_behind: float
    left_out: int


class Analytics(msgspec.Struct, frozen=True):
    """A venture's work from one day to another, both included. `zone`: in whose days it was counted last; a day
    counted before the venture's zone changed is a day of the zone it had then.
    """

    first_day: date
    last_day: date
    zone: str
    as_of: AsOf
    counts: list[CountSeries]
    durations: list[DurationSeries]

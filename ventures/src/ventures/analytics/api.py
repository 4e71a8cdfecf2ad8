"""What other rooms may use of analytics."""

from ventures.analytics.counting import Counting
from ventures.analytics.reading import DEFAULT_DAYS, MOST_DAYS, analytics, as_of
from ventures.analytics.records import (
    Analytics,
    AsOf,
    CountSeries,
    DayCount,
    DayDuration,
    DurationSeries,
    Quantile,
)
from ventures.log.api import Consumer, Room

ROOM = Room("analytics", {}, {})


def consumers() -> list[Consumer]:
    """The one that counts."""
    return [Counting()]


__all__ = [
    "DEFAULT_DAYS",
    "MOST_DAYS",
    "ROOM",
    "Analytics",
    "AsOf",
    "CountSeries",
    "Counting",
    "DayCount",
    "DayDuration",
    "DurationSeries",
    "Quantile",
    "analytics",
    "as_of",
    "consumers",
]

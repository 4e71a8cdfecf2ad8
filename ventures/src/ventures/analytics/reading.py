"""Reading of analytics. Asks nobody for permission; callers do."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import Final, get_args

from ventures.analytics import sql
from ventures.analytics.counting import NO_ZONE, Counting, day_of
from ventures.analytics.histogram import quantile
from ventures.analytics.records import (
    Analytics,
    AsOf,
    CountMetric,
    CountSeries,
    DayCount,
    DayDuration,
    DurationMetric,
    DurationSeries,
    Unit,
)
from ventures.database.scope import Row, Scope
from ventures.errors import Invalid
from ventures.log.api import head, parked

DEFAULT_DAYS: Final = 30
MOST_DAYS: Final = 366
BY_KIND: Final[tuple[CountMetric, ...]] = ("posts_published", "posts_failed", "posts_unknown")
UNITS: Final[dict[str, Unit]] = {"changes_requested": "times", "members_active": "members"}


async def analytics(
    scope: Scope, *, first_day: date | None, last_day: date | None, now: datetime, target: str = ""
) -> Analytics:
    """Counts and durations of these days, both included; the last 30 days up to today where they are not said.

    Raises: NotFound; Invalid for more than 366 days, or where the last is before the first.
    """
    zone_row = await scope.one(sql.ZONE, target=target)
    zone = zone_row[0] if zone_row else NO_ZONE
    days = _days(first_day, last_day, day_of(now, zone))
    between = {"target": target, "first": days[0], "last": days[-1]}
    counting = await scope.queued(sql.COUNTS, **between)
    lasting = await scope.queued(sql.DURATIONS, **between)
    by_day = await scope.queued(sql.ACTIVE_DAYS, **between)
    over_all = await scope.queued(sql.ACTIVE_ALL, **between)
    counts = _counts(days, await counting.all())
    durations = _durations(days, await lasting.all())
    active: dict[date, int] = dict(await by_day.all())
    total = await over_all.one()
    counts.append(
        CountSeries(
            "members_active", None, "members", total[0] if total else 0, [DayCount(d, active.get(d, 0)) for d in days]
        )
    )
    return Analytics(days[0], days[-1], zone, await as_of(scope, target), counts, durations)


async def as_of(scope: Scope, target: str = "") -> AsOf:
    """How far the log was counted. Raises: NotFound."""
    end = await head(scope)
    row = await scope.one(sql.LAST_COUNTED, target=target)
    seq, at = row or (0, None)
    left_out = len(await parked(scope, Counting(target=target)))
    behind = end.seq - seq
    seconds = (end.moved_at - at).total_seconds() if behind and at is not None else 0.0
    return AsOf(end.epoch, seq, at, end.seq, behind, seconds, left_out)


def _days(first_day: date | None, last_day: date | None, today: date) -> list[date]:
    try:
        last = last_day or (today if first_day is None else max(today, first_day))
        first = first_day or last - timedelta(days=DEFAULT_DAYS - 1)
    except OverflowError:
        raise Invalid("Say days that people live in.", fields={"to": "too early"}) from None
    if last < first:
        raise Invalid("The last day is before the first.", fields={"to": "before from"})
    if (last - first).days >= MOST_DAYS:
        raise Invalid(f"Ask for at most {MOST_DAYS} days at once.", fields={"from": "too long before to"})
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


def _counts(days: list[date], rows: list[Row]) -> list[CountSeries]:
    found: dict[tuple[CountMetric, str], dict[date, int]] = defaultdict(dict)
    for metric, dimension, day, count in rows:
        found[metric, dimension][day] = count
    metrics: tuple[CountMetric, ...] = get_args(CountMetric)
    series = []
    for metric in metrics:
        if metric == "members_active":
            continue
        dimensions = sorted(dimension for of, dimension in found if of == metric) if metric in BY_KIND else [""]
        unit = UNITS.get(metric, "posts" if metric in BY_KIND else "items")
        for dimension in dimensions:
            of_day = found.get((metric, dimension), {})
            line = [DayCount(day, of_day.get(day, 0)) for day in days]
            series.append(CountSeries(metric, dimension or None, unit, sum(of_day.values()), line))
    return series


def _durations(days: list[date], rows: list[Row]) -> list[DurationSeries]:
    metrics: tuple[DurationMetric, ...] = get_args(DurationMetric)
    series = []
    for metric in metrics:
        buckets, counts, seconds = Counter[int](), Counter[date](), Counter[date]()
        for _, day, bucket, count, length in (row for row in rows if row[0] == metric):
            buckets[bucket] += count
            counts[day] += count
            seconds[day] += length
        total = counts.total()
        series.append(
            DurationSeries(
                metric,
                "seconds",
                total,
                seconds.total() / total if total else None,
                quantile(buckets, 0.5),
                quantile(buckets, 0.9),
                [DayDuration(day, counts[day], seconds[day] / counts[day] if counts[day] else None) for day in days],
            )
        )
    return series

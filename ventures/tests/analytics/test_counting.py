"""Counts follow from the log alone, each event once; quantiles hold the true one."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import LiteralString
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.analytics import histogram
from ventures.analytics.api import Analytics, Counting, analytics
from ventures.content import api as content
from ventures.database.pool import Database
from ventures.database.scope import Row
from ventures.errors import Invalid
from ventures.log.api import Actor, rewind
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy
from ventures.testing.notifications import STEPS, Say, Stage, Step, staged

FEW = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BEGINNING = (Step("draft", 3, 0), Step("edit", 3, 0), Step("edit", 3, 0), Step("draft", 2, 0))
one = st.builds(Step, st.sampled_from(STEPS), st.sampled_from((0, 0, 1, 2, 2, 3, 3, 4, 5)), st.integers(0, 5))
steps = st.lists(one, min_size=10, max_size=40).map(lambda rest: [*BEGINNING, *rest])
TABLES: tuple[LiteralString, ...] = (
    "SELECT * FROM analytics_counted WHERE venture = %(venture)s AND target = %(target)s ORDER BY seq",
    "SELECT * FROM analytics_zone WHERE venture = %(venture)s AND target = %(target)s",
    "SELECT * FROM analytics_item WHERE venture = %(venture)s AND target = %(target)s ORDER BY item",
    "SELECT * FROM analytics_unknown_post WHERE venture = %(venture)s AND target = %(target)s ORDER BY post",
    "SELECT * FROM analytics_count WHERE venture = %(venture)s AND target = %(target)s ORDER BY day, metric, dimension",
    "SELECT * FROM analytics_duration WHERE venture = %(venture)s AND target = %(target)s ORDER BY day, metric, bucket",
    "SELECT * FROM analytics_active WHERE venture = %(venture)s AND target = %(target)s ORDER BY day, account",
)


async def made(stage: Stage, target: str = "") -> list[list[Row]]:
    """All the consumer made, without the target's name."""
    return [[(row[0], *row[2:]) for row in await stage.rows(statement, target=target)] for statement in TABLES]


async def shown(stage: Stage, first: date | None = None, last: date | None = None) -> Analytics:
    async with stage.database.reading(stage.venture) as scope:
        return await analytics(scope, first_day=first, last_day=last, now=stage.watch())


@FEW
@given(steps)
async def test_counts_are_those_of_the_log_and_the_same_however_often_it_is_read(
    database: Database, sequence: list[Step]
) -> None:
    stage = await staged(database)
    await stage.try_steps(sequence)
    await stage.read(Counting())
    once = await made(stage)
    await _as_by_hand(stage)

    for event in await stage.events():
        async with stage.database.venture(stage.venture) as scope:
            await Counting().handle(scope, event)
            await Counting(target="singly").handle(scope, event)
    assert await made(stage) == once
    assert await made(stage, "singly") == once

    await stage.read(Counting(target="beside"))
    assert await made(stage, "beside") == once
    await rewind(stage.database, Counting(), stage.venture)
    assert not any(await made(stage))
    assert await made(stage, "beside") == once
    await stage.read(Counting())
    assert await made(stage) == once


async def _as_by_hand(stage: Stage) -> None:
    """Against counts made of the events in one go."""
    zone, counts = "UTC", Counter[tuple[str, str | None, date]]()
    active: dict[date, set[str]] = defaultdict(set)
    drafted: dict[UUID, datetime] = {}
    seconds: list[int] = []
    doubt: dict[UUID, str] = {}
    events = await stage.events()
    for event in events:
        if isinstance(event.data, tenancy.VentureFounded | tenancy.VentureChanged):
            zone = event.data.zone
        day = event.at.astimezone(ZoneInfo(zone)).date()
        if event.actor.startswith("account:"):
            active[day].add(event.actor)
        match event.data:
            case content.ItemDrafted():
                counts["items_drafted", None, day] += 1
                drafted[event.entity] = event.at
            case content.SubmittedForApproval():
                counts["items_submitted", None, day] += 1
            case content.ItemApproved():
                counts["items_approved", None, day] += 1
                if event.entity in drafted:
                    seconds.append(int((event.at - drafted.pop(event.entity)).total_seconds()))
            case content.ChangesRequested():
                counts["changes_requested", None, day] += 1
            case content.ItemPublished():
                counts["items_published", None, day] += 1
            case posts.PostPublished(kind=kind):
                counts["posts_published", kind, day] += 1
            case posts.PublishingFailed(kind=kind, retry_at=None):
                counts["posts_failed", kind, day] += 1
            case posts.PublishingUnknown(kind=kind):
                counts["posts_unknown", kind, day] += 1
                doubt[event.entity] = kind
            case posts.PostResolved(published=published) if event.entity in doubt:
                kind = doubt.pop(event.entity)
                counts["posts_published" if published else "posts_failed", kind, day] += 1
    first, last = date(2025, 12, 20), date(2026, 12, 1)
    found = await shown(stage, first, last)
    assert found.zone == zone
    by_day = {
        (series.metric, series.dimension, line.day): line.count
        for series in found.counts
        for line in series.days
        if line.count and series.metric != "members_active"
    }
    assert by_day == {key: count for key, count in counts.items() if key[2] <= last}
    for series in found.counts:
        assert len(series.days) == (last - first).days + 1
        if series.metric == "members_active":
            assert {line.day: line.count for line in series.days if line.count} == {
                day: len(who) for day, who in active.items() if day <= last
            }
            assert series.total == len(set().union(*(who for day, who in active.items() if day <= last)))
        else:
            assert series.total == sum(line.count for line in series.days)
    (duration,) = found.durations
    if stage.watch() < datetime(2026, 11, 30, tzinfo=UTC):
        assert duration.count == len(seconds)
        assert duration.mean_seconds == (sum(seconds) / len(seconds) if seconds else None)
    assert (found.as_of.seq, found.as_of.head_seq, found.as_of.left_out) == (events[-1].seq, events[-1].seq, 0)


async def test_it_says_how_far_it_has_read(stage: Stage) -> None:
    before = (await shown(stage)).as_of
    assert (before.seq, before.at, before.events_behind) == (0, None, before.head_seq)
    await stage.read(Counting())
    stage.watch.move(90)
    await stage.drafted()
    behind = (await shown(stage)).as_of
    assert (behind.events_behind, behind.seconds_behind) == (1, 90)
    await stage.read(Counting())
    assert (await shown(stage)).as_of.events_behind == 0


async def test_a_day_is_a_day_in_the_ventures_zone(stage: Stage) -> None:
    stage.watch.move(timedelta(hours=23, minutes=30).total_seconds())  # 00:30 of the next day in Berlin
    await stage.drafted()
    await stage.read(Counting())
    (drafts,) = [series for series in (await shown(stage)).counts if series.metric == "items_drafted"]
    assert [line.day for line in drafts.days if line.count] == [date(2026, 1, 2)]


async def test_an_attempt_that_is_tried_again_is_no_failure(stage: Stage) -> None:
    item = await stage.drafted()
    failed = posts.PublishingFailed(entity=item, item=item, kind="sink", problem="", retry_at=stage.watch())
    await stage.do(Actor(system="publisher"), Say(facts=(failed,)))
    await stage.read(Counting())
    assert not [series for series in (await shown(stage)).counts if series.dimension == "sink"]


@pytest.mark.parametrize(
    ("first", "last"), [(date(2026, 2, 2), date(2026, 2, 1)), (date(2025, 1, 1), date(2026, 1, 2)), (None, date.min)]
)
async def test_a_range_that_is_none_or_too_long_is_refused(stage: Stage, first: date | None, last: date) -> None:
    with pytest.raises(Invalid):
        await shown(stage, first, last)


@given(st.lists(st.integers(0, 2 * histogram.BOUNDS[-1]), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_within_its_bounds(durations: list[int], share: float) -> None:
    counts = Counter(histogram.bucket_of(seconds) for seconds in durations)
    true = sorted(durations)[max(ceil(share * len(durations)), 1) - 1]
    found = histogram.quantile(counts, share)
    assert found is not None
    assert found.low_seconds <= true
    if found.high_seconds is None:
        assert true > histogram.BOUNDS[-1]
    else:
        assert found.low_seconds <= found.mid_seconds <= found.high_seconds
        assert true <= found.high_seconds <= max(found.low_seconds * 1.5, 60)


def test_nothing_counted_has_no_quantile() -> None:
    assert histogram.quantile({}, 0.5) is None

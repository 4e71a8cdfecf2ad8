"""What one venture piles up takes no other venture's turn, and costs nobody the same work twice."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from uuid import uuid4
from zoneinfo import available_timezones

import httpx2

from ventures.database.pool import Database
from ventures.identifiers import new_id
from ventures.notifications.api import AddWebhook, Deliverer, Deliveries
from ventures.notifications.delivering import AT_ONCE as REQUESTS_AT_ONCE
from ventures.notifications.delivering import AT_ONCE_OF_ONE
from ventures.outbound import outbound_client
from ventures.planner.api import Entry, document
from ventures.planner.feed import timezone
from ventures.planner.times import NO_ZONES
from ventures.posts.publisher import AT_ONCE as POSTS_AT_ONCE
from ventures.tenancy import api as tenancy
from ventures.testing.notifications import staged
from ventures.testing.posts import World, new_world
from ventures.testing.webhooks import receiver


async def test_many_posts_of_one_venture_do_not_go_before_all_others(database: Database) -> None:
    crowd = await new_world(database)
    single = World(crowd.spine, crowd.watch, new_id())
    await single.do(tenancy.FoundVenture(name="Another", display_name="Ada"))
    item, channel = await crowd.item(), await crowd.channel("sink")
    for minute in range(POSTS_AT_ONCE + 1):
        await crowd.scheduled(item, channel, after=timedelta(minutes=1 + minute))
    waiting = await single.scheduled(await single.item(), await single.channel("sink"), after=timedelta(minutes=30))
    crowd.watch.at += timedelta(hours=1)
    await crowd.publish()
    assert (await single.see(waiting)).state == "published"


async def test_slow_receivers_of_one_venture_do_not_keep_anothers_waiting(database: Database) -> None:
    crowd = await staged(database)
    single = await staged(database, crowd.watch)
    async with receiver() as slow, receiver() as quick:
        slow.answers("hang")
        for _ in range(REQUESTS_AT_ONCE // AT_ONCE_OF_ONE + 2):
            await crowd.do(crowd.manager, AddWebhook(url=slow.url, label="", types=("content.*",)))
        await single.do(single.manager, AddWebhook(url=quick.url, label="", types=("content.*",)))
        for _ in range(4):
            await crowd.drafted()
        await crowd.read(Deliveries(crowd.watch))
        crowd.watch.at += timedelta(minutes=1)
        await single.drafted()
        await single.read(Deliveries(crowd.watch))
        networks = (ip_network("127.0.0.0/8"),)

        def client() -> httpx2.AsyncClient:
            return outbound_client(networks, timeout_seconds=2)

        by = Deliverer(database, crowd.spine, client, lambda: b"k" * 32, crowd.watch)
        await by.turn()
        await by.idle()
        assert len(quick.received) == 1
        assert len(slow.received) < REQUESTS_AT_ONCE


def test_a_calendar_in_every_zone_is_searched_for_changes_of_the_clocks_once() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    zones = sorted(available_timezones() - NO_ZONES)
    entries = [
        Entry(
            id=uuid4(), kind="event", title="x", item=None, subject=None, starts_at=at, ends_at=at, zone=zone,
            starts_on=None, ends_on=None, note="", updated_at=at, deleted_at=None, version=1,
        )
        for zone in zones
    ]  # fmt: skip
    titles = {one.id: "x" for one in entries}
    first = document("Tea", entries, titles)
    searched = timezone.cache_info().misses
    assert document("Tea", entries, titles) == first
    assert timezone.cache_info().misses == searched

"""Posts and what they mean for their item and the calendar, without any network."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.content import api as content
from ventures.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Stale
from ventures.log.api import Actor, Command, rewind
from ventures.posts import api as posts
from ventures.posts.outbox import Outbox
from ventures.posts.ports import Limits
from ventures.posts.publishing import PUBLISHER, BeginPublishing, EndFailed, EndPublished, EndUnknown
from ventures.posts.texts import length
from ventures.tenancy import api as tenancy
from ventures.testing.posts import World

HOUR = timedelta(hours=1)


async def test_a_post_needs_an_approved_item_and_pins_its_version(world: World) -> None:
    channel = await world.channel("sink")
    item = await world.item(approved=False)
    post = await world.post(item, channel)
    schedule = posts.SchedulePost(post=post, version=1, at=world.watch() + HOUR)
    with pytest.raises(Conflict, match="approved"):
        await world.do(schedule)
    with pytest.raises(Conflict, match="approved"):
        await world.do(posts.PublishPost(post=post, version=1))
    await world.approve(item)
    await world.do(schedule)
    seen = await world.see(post)
    assert (seen.state, seen.number, seen.at) == ("scheduled", 1, world.watch() + HOUR)
    assert (await world.see_item(item)).state == "scheduled"
    assert await world.calendar(post) == {post: world.watch() + HOUR}


async def test_an_edit_of_the_item_unschedules_all_its_posts_at_once(world: World) -> None:
    channel, item, other = await world.channel("sink"), await world.item(), await world.item()
    both = [await world.scheduled(item, channel) for _ in range(2)]
    kept = await world.scheduled(other, channel)
    await world.edit(item, "Something else.")
    for post in both:
        seen = await world.see(post)
        assert (seen.state, seen.number, seen.at) == ("draft", None, None)
        assert "approved again" in (seen.problem or "")
    assert await world.calendar(*both, kept) == {kept: world.watch() + timedelta(minutes=1)}
    assert (await world.see(kept)).state == "scheduled"
    world.watch.move(3600)
    await world.publish()
    assert [(await world.see(post)).state for post in (*both, kept)] == ["draft", "draft", "published"]
    assert await world.replays()


async def test_a_deleted_item_takes_its_posts_along(world: World) -> None:
    channel, item = await world.channel("sink"), await world.item()
    gone = [await world.post(item, channel), await world.scheduled(item, channel)]
    await world.do(content.DeleteItem(item=item, version=(await world.see_item(item)).version))
    for post in gone:
        with pytest.raises(NotFound):
            await world.see(post)
    assert not await world.calendar(*gone)
    assert await world.replays()


async def test_the_item_is_scheduled_as_long_as_one_of_its_posts_is(world: World) -> None:
    channel, item = await world.channel("sink"), await world.item()
    first, second = [await world.scheduled(item, channel) for _ in range(2)]
    await world.do(posts.UnschedulePost(post=first, version=2))
    assert (await world.see_item(item)).state == "scheduled"
    await world.do(posts.UnschedulePost(post=second, version=2))
    assert (await world.see_item(item)).state == "approved"
    assert not await world.calendar(first, second)
    await world.do(posts.PublishPost(post=first, version=3))
    await world.publish()
    assert (await world.see_item(item)).state == "published"
    later = await world.scheduled(item, channel)
    assert (await world.see(later)).state == "scheduled"
    assert (await world.see_item(item)).state == "published"


async def test_rescheduling_moves_the_one_entry_in_the_calendar(world: World) -> None:
    channel, item = await world.channel("sink"), await world.item()
    post = await world.scheduled(item, channel)
    at = world.watch() + 2 * HOUR
    await world.do(posts.SchedulePost(post=post, version=2, at=at, zone="Asia/Tokyo"))
    assert await world.calendar(post) == {post: at}
    world.watch.move(3600)
    await world.publish()
    assert (await world.see(post)).state == "scheduled"
    world.watch.move(3600)
    await world.publish()
    assert (await world.see(post)).state == "published"


async def test_disconnecting_a_channel_unschedules_its_posts_and_forgets_its_credentials(world: World) -> None:
    item = await world.item()
    channel = await world.channel("sink", credentials={"secret": "x"})
    post = await world.scheduled(item, channel)
    await world.do(posts.DisconnectChannel(channel=channel, version=1))
    await world.caught_up()
    seen = await world.see(post)
    assert (seen.state, seen.at) == ("draft", None)
    assert (await world.see_item(item)).state == "approved"
    async with world.database.venture(world.venture) as scope:
        assert await scope.all("SELECT 1 FROM channel_credential WHERE venture = %(venture)s") == []
        with pytest.raises(NotFound):
            await posts.channel(scope, channel)
    with pytest.raises(NotFound):
        await world.do(posts.SchedulePost(post=post, version=seen.version, at=world.watch() + HOUR))
    assert await world.replays()


async def test_a_deleted_venture_publishes_nothing(world: World) -> None:
    post = await world.scheduled(await world.item(), await world.channel("sink"))
    await world.caught_up()
    async with world.database.venture(world.venture) as scope:
        version = (await tenancy.venture(scope)).version
    await world.do(tenancy.DeleteVenture(version=version))
    world.watch.move(3600)
    await world.publish()
    assert (await world.see(post)).state == "draft"


async def test_what_cannot_be_done_in_a_state_is_refused_and_leaves_no_trace(world: World) -> None:
    channel, item = await world.channel("sink"), await world.item()
    post = await world.scheduled(item, channel)
    for command in (
        posts.EditPost(post=post, version=2, text="No"),
        posts.DeletePost(post=post, version=2),
        posts.RetryPost(post=post, version=2),
        posts.ResolvePost(post=post, version=2, published=True),
    ):
        with pytest.raises(Conflict):
            await world.do(command)
    with pytest.raises(Stale):
        await world.do(posts.UnschedulePost(post=post, version=1))
    assert (await world.see(post)).version == 2


async def test_times_and_texts_are_checked(world: World) -> None:
    channel, item = await world.channel("sink", characters=20), await world.item()
    post = await world.post(item, channel, "x" * 20)
    for wrong in (world.watch(), world.watch() - HOUR, world.watch() + timedelta(days=800)):
        with pytest.raises(Invalid) as refused:
            await world.do(posts.SchedulePost(post=post, version=1, at=wrong))
        assert refused.value.fields.keys() == {"at"}
    with pytest.raises(Invalid):
        await world.do(posts.SchedulePost(post=post, version=1, at=(world.watch() + HOUR).replace(tzinfo=None)))
    with pytest.raises(Invalid):
        await world.do(posts.SchedulePost(post=post, version=1, at=world.watch() + HOUR, zone="Mars/Base"))
    for text in ("x" * 21, "  \n "):
        with pytest.raises(Invalid) as refused:
            await world.do(posts.EditPost(post=post, version=1, text=text))
        assert refused.value.fields.keys() == {"text"}


@given(st.text(max_size=300), st.integers(1, 50))
def test_a_link_counts_for_what_the_channel_says(text: str, counted: int) -> None:
    limits = Limits(characters=500, link_characters=counted)
    plain = text.replace("http", "")
    assert length(plain, limits) == len(plain)
    assert length(f"{plain} https://example.org/{'x' * 100}", limits) == len(plain) + 1 + counted


@pytest.mark.parametrize(
    "command",
    [
        lambda post: BeginPublishing(post=post, seq=1),
        lambda post: EndPublished(post=post, attempt=1, external_id="x"),
        lambda post: EndFailed(post=post, attempt=1, problem="x"),
        lambda post: EndUnknown(post=post, attempt=1, problem="x"),
    ],
)
async def test_only_the_publisher_says_how_publishing_goes(world: World, command: Callable[[UUID], Command]) -> None:
    post = await world.scheduled(await world.item(), await world.channel("sink"))
    for actor in (Actor(account=UUID(int=1)), Actor(system="test")):
        with pytest.raises(Forbidden):
            await world.do(command(post), actor)


async def test_publishing_does_not_begin_early_or_under_another_schedule(world: World) -> None:
    post = await world.scheduled(await world.item(), await world.channel("sink"))
    async with world.database.venture(world.venture) as scope:
        row = await scope.one("SELECT scheduled_seq FROM post WHERE venture = %(venture)s")
    seq = row[0] if row else 0
    with pytest.raises(Conflict, match="due"):
        await world.do(BeginPublishing(post=post, seq=seq), PUBLISHER)
    world.watch.move(3600)
    with pytest.raises(Conflict):
        await world.do(BeginPublishing(post=post, seq=seq - 1), PUBLISHER)
    await world.do(BeginPublishing(post=post, seq=seq), PUBLISHER)
    with pytest.raises(Conflict):
        await world.do(BeginPublishing(post=post, seq=seq), PUBLISHER)
    with pytest.raises(Conflict):
        await world.do(EndFailed(post=post, attempt=2, problem="x"), PUBLISHER)


async def test_a_rebuilt_outbox_sends_nothing_twice(world: World) -> None:
    item, channel = await world.item(), await world.channel("sink")
    out = await world.scheduled(item, channel)
    world.watch.move(3600)
    await world.publish()
    waiting = await world.scheduled(item, channel, after=HOUR)
    version = (await world.see(out)).version
    await rewind(world.database, Outbox(), world.venture)
    await world.publish()
    async with world.database.venture(world.venture) as scope:
        rows = await scope.all("SELECT post, due_at FROM outbox WHERE venture = %(venture)s")
    assert rows == [(waiting, world.watch() + HOUR)]
    assert (await world.see(out)).version == version


STEPS = ("draft", "edit", "delete", "schedule", "unschedule", "publish", "retry", "resolve", "resolve_not")
step = st.tuples(
    st.sampled_from((*STEPS, "edit_item", "approve_item", "delete_item", "time", "disconnect")), st.integers(0, 2)
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(step, min_size=8, max_size=40))
async def test_no_sequence_of_commands_breaks_what_must_hold(world: World, steps: list[tuple[str, int]]) -> None:
    items = [await world.item() for _ in range(2)]
    channels = [await world.channel("sink") for _ in range(2)]
    found = [await world.post(items[0], channels[0]), await world.post(items[1], channels[1])]
    for what, which in steps:
        try:
            await _step(world, what, which, items, channels, found)
        except Refused:
            continue
        await _must_hold(world, items, found)
    assert await world.replays()


async def _step(
    world: World, what: str, which: int, items: list[UUID], channels: list[UUID], found: list[UUID]
) -> None:
    item, channel, post = items[which % 2], channels[which % 2], found[which % len(found)]
    if what == "draft":
        found.append(await world.post(item, channel, "Another"))
    elif what == "edit_item":
        await world.edit(item, f"{world.watch()}")
    elif what == "approve_item":
        await world.approve(item)
    elif what == "delete_item":
        await world.do(content.DeleteItem(item=item, version=(await world.see_item(item)).version))
    elif what == "time":
        world.watch.move(1800)
        await world.publish()
    elif what == "disconnect":
        async with world.database.venture(world.venture) as scope:
            version = (await posts.channel(scope, channel)).version
        await world.do(posts.DisconnectChannel(channel=channel, version=version))
    else:
        version = (await world.see(post)).version
        commands = {
            "edit": posts.EditPost(post=post, version=version, text="Edited"),
            "delete": posts.DeletePost(post=post, version=version),
            "schedule": posts.SchedulePost(post=post, version=version, at=world.watch() + timedelta(minutes=20)),
            "unschedule": posts.UnschedulePost(post=post, version=version),
            "publish": posts.PublishPost(post=post, version=version),
            "retry": posts.RetryPost(post=post, version=version),
            "resolve": posts.ResolvePost(post=post, version=version, published=True),
            "resolve_not": posts.ResolvePost(post=post, version=version, published=False),
        }
        await world.do(commands[what])


async def _must_hold(world: World, items: list[UUID], found: list[UUID]) -> None:
    """What is scheduled is approved in the version that is pinned, and stands in the calendar; drafts do not."""
    calendar = await world.calendar(*found)
    for post in found:
        try:
            seen = await world.see(post)
        except NotFound:
            assert post not in calendar
            continue
        assert (post in calendar) is (seen.state != "draft")
        if seen.state == "scheduled":
            item = await world.see_item(seen.item)
            assert item.state in content.APPROVED
            assert item.approved_number == seen.number
    for item_id in items:
        try:
            item = await world.see_item(item_id)
        except NotFound:
            continue
        if item.state == "scheduled":
            async with world.database.venture(world.venture) as scope:
                under_way = await posts.posts(scope, item=item_id, state="scheduled", limit=10)
            assert under_way

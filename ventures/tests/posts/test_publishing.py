"""However a publisher dies, and whatever a network does: one status, or an honest *unknown*; never two."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import UUID

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.database.pool import Database
from ventures.errors import Unavailable
from ventures.identifiers import new_id
from ventures.log.api import Actor, Appended, Command, Spine, rewind
from ventures.outbound import outbound_client
from ventures.posts import api as posts
from ventures.posts.outbox import Outbox
from ventures.posts.ports import CannotTell, Channel, Outgoing, Published
from ventures.posts.publisher import CALL_SECONDS, FENCE_SECONDS
from ventures.posts.publishing import MOST_ATTEMPTS, SETTLE, BeginPublishing
from ventures.tenancy import api as tenancy
from ventures.testing.channels import Fault, receiver
from ventures.testing.mastodon import mastodon
from ventures.testing.posts import LOOPBACK, World

SECRET = "whsec_" + "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz"
QUICK = 0.1
DEATHS = (
    "begin:before",
    "begin:after",
    "find:before",
    "find:after",
    "call:before",
    "call:after",
    "end:before",
    "end:after",
)
FAULTS: tuple[Fault, ...] = get_args(Fault)
LONG = 3 * 3600.0


class Killed(BaseException):
    """The process is gone; nothing that catches exceptions sees it."""


@dataclass
class Deaths:
    """Where the publisher dies: at most once a turn."""

    at: str | None = None

    def pass_by(self, place: str) -> None:
        if self.at == place:
            self.at = None
            raise Killed(place)


class MortalSpine:
    def __init__(self, inner: Spine, deaths: Deaths) -> None:
        self.inner, self.database, self.deaths = inner, inner.database, deaths
        self.new_id = inner.new_id

    async def append(self, venture: UUID, command: Command, *, actor: Actor, idem: str | None = None) -> Appended:
        place = "begin" if isinstance(command, BeginPublishing) else "end"
        self.deaths.pass_by(f"{place}:before")
        done = await self.inner.append(venture, command, actor=actor, idem=idem)
        self.deaths.pass_by(f"{place}:after")
        return done


class MortalChannel:
    def __init__(self, inner: Channel, deaths: Deaths, *, takes_key: bool, looks_up: bool) -> None:
        self.inner, self.deaths, self.takes_key, self.looks_up = inner, deaths, takes_key, looks_up
        self.kind, self.limits, self.address = inner.kind, inner.limits, inner.address

    async def publish(self, post: Outgoing, key: str) -> Any:
        self.deaths.pass_by("call:before")
        result = await self.inner.publish(post, key if self.takes_key else f"{key}-{id(post)}")
        self.deaths.pass_by("call:after")
        return result

    async def find(self, post: Outgoing, key: str) -> Published | CannotTell | None:
        self.deaths.pass_by("find:before")
        found = await self.inner.find(post, key)
        self.deaths.pass_by("find:after")
        return found


@dataclass
class Stage:
    """A world, a network, and a publisher that dies where it is told."""

    world: World
    out: Callable[[], list[str]]
    faults: Any
    channel: UUID
    takes_key: bool
    looks_up: bool
    client: httpx2.AsyncClient
    deaths: Deaths = field(default_factory=Deaths)

    def make(
        self, kind: str, settings: Mapping[str, Any], credentials: Mapping[str, str], client: httpx2.AsyncClient
    ) -> Channel:
        inner = self.world.make(kind, settings, credentials, self.client)
        return MortalChannel(inner, self.deaths, takes_key=self.takes_key, looks_up=self.looks_up)  # type: ignore[return-value]

    async def turn(self, trouble: str | None = None) -> None:
        """One turn of the outbox and a publisher, with this death or fault on its way."""
        if trouble in DEATHS:
            self.deaths.at = trouble
        elif trouble is not None:
            self.faults.append(trouble)
        await self.world.caught_up()
        spine: Any = MortalSpine(self.world.spine, self.deaths)
        with suppress(Killed):
            await self.world.publisher(spine=spine, make=self.make).turn()
        self.deaths.at = None
        self.faults.clear()

    async def played(self, troubles: tuple[str, ...], wait: float = LONG) -> posts.Post:
        """A post goes out under these troubles, one a turn, and then without; → how it ends."""
        text = f"Post {new_id()}"
        post = await self.world.scheduled(await self.world.item(), self.channel, text)
        self.world.watch.move(61)
        for trouble in (*troubles, *[None] * (MOST_ATTEMPTS + 2)):
            await self.turn(trouble)
            seen = await self.world.see(post)
            assert self.out().count(text) <= 1, troubles
            if seen.state in ("published", "failed", "unknown"):
                break
            self.world.watch.move(wait)
        assert (seen.state == "published") <= (self.out().count(text) == 1), troubles
        assert (seen.state == "failed") <= (self.out().count(text) == 0), troubles
        return seen


@asynccontextmanager
async def mastodon_stage(world: World, *, looks_up: bool = True, takes_key: bool = True) -> AsyncIterator[Stage]:
    async with mastodon(world.watch) as server, outbound_client(LOOPBACK, timeout_seconds=QUICK) as client:
        channel = await world.channel("mastodon", {"server": server.url}, {"access_token": server.token})
        yield Stage(world, lambda: server.texts, server.faults, channel, takes_key, looks_up, client)


@asynccontextmanager
async def webhook_stage(world: World, *, takes_key: bool = True) -> AsyncIterator[Stage]:
    async with receiver() as found, outbound_client(LOOPBACK, timeout_seconds=QUICK) as client:
        channel = await world.channel("webhook", {"url": found.url}, {"secret": SECRET})
        yield Stage(world, lambda: list(found.taken.values()), found.faults, channel, takes_key, False, client)


@pytest.mark.parametrize("wait", [SETTLE.total_seconds() + 11, LONG])
async def test_mastodon_has_exactly_one_wherever_the_publisher_dies(world: World, wait: float) -> None:
    """Soon, while the key is kept, and late, when it is not any more."""
    async with mastodon_stage(world) as stage:
        for trouble in (*DEATHS, *FAULTS):
            seen = await stage.played((trouble,), wait)
            assert seen.state == ("failed" if trouble == "refuse" else "published"), trouble
        for troubles in itertools.product(
            ("call:after", "begin:after", "crash_after"), ("find:after", "call:after", "drop_after")
        ):
            assert (await stage.played(troubles, wait)).state == "published", troubles
    assert await world.replays()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from((*DEATHS, *FAULTS)), min_size=2, max_size=6).map(tuple),
    st.sampled_from([131.0, 700.0, LONG]),
)
async def test_mastodon_never_has_two(world: World, troubles: tuple[str, ...], wait: float) -> None:
    async with mastodon_stage(world) as stage:
        await stage.played(troubles, wait)


async def test_a_webhook_has_exactly_one_by_its_key(world: World) -> None:
    async with webhook_stage(world) as stage:
        for trouble in (*DEATHS, *(fault for fault in FAULTS if fault != "crash_after")):
            seen = await stage.played((trouble,))
            assert seen.state == ("failed" if trouble == "refuse" else "published"), trouble


async def test_a_no_after_an_attempt_in_doubt_is_no_certainty(world: World) -> None:
    async with webhook_stage(world) as stage:
        for first in ("drop_after", "call:after"):
            assert (await stage.played((first, "refuse"))).state == "unknown"
            assert (await stage.played((first, "busy"))).state == "published"


async def test_without_key_and_look_up_doubt_ends_as_unknown_and_is_never_repeated(world: World) -> None:
    async with webhook_stage(world, takes_key=False) as stage:
        for trouble in (*DEATHS, *FAULTS):
            seen = await stage.played((trouble,))
            sure = trouble in ("begin:before", "find:before", "find:after", "end:after", "busy", "refuse")
            assert seen.state == ("failed" if trouble == "refuse" else "published" if sure else "unknown"), trouble
            assert seen.state != "unknown" or seen.problem


async def test_with_a_key_that_is_forgotten_the_look_up_alone_prevents_a_second(world: World) -> None:
    async with mastodon_stage(world, takes_key=False) as stage:
        for trouble in ("call:after", "drop_after", "crash_after", "error_before"):
            assert (await stage.played((trouble,))).state == "published", trouble


async def test_a_look_up_that_fails_is_repeated_and_then_left_to_a_person(world: World) -> None:
    async with mastodon(world.watch) as server:
        channel = await world.channel("mastodon", {"server": server.url}, {"access_token": server.token})
        item = await world.item()
        post = await world.scheduled(item, channel)
        world.watch.move(61)
        server.faults.append("drop_after")
        server.unreadable = True
        for _ in range(MOST_ATTEMPTS + 1):
            await world.publish()
            world.watch.move(LONG)
        seen = await world.see(post)
        assert (seen.state, server.texts) == ("unknown", ["Hello"])
        assert (await world.see_item(item)).state == "scheduled"
        await world.do(posts.ResolvePost(post=post, version=seen.version, published=True, url="https://example.org/1"))
        seen = await world.see(post)
        assert (seen.state, seen.url) == ("published", "https://example.org/1")
        assert (await world.see_item(item)).state == "published"
    assert await world.replays()


async def test_resolved_as_not_out_it_can_be_retried(world: World) -> None:
    async with webhook_stage(world, takes_key=False) as stage:
        seen = await stage.played(("drop_before",))
        assert seen.state == "unknown"
        await world.do(posts.ResolvePost(post=seen.id, version=seen.version, published=False))
        assert (await world.see_item(seen.item)).state == "approved"
        seen = await world.see(seen.id)
        assert seen.state == "failed"
        await world.do(posts.RetryPost(post=seen.id, version=seen.version))
        await stage.turn()
        assert (await world.see(seen.id)).state == "published"
        assert (await world.see_item(seen.item)).state == "published"


async def test_how_long_the_network_says_to_wait_is_waited(world: World) -> None:
    async with mastodon_stage(world) as stage:
        post = await world.scheduled(await world.item(), stage.channel, "Patience")
        world.watch.move(61)
        await stage.turn("busy")
        seen = await world.see(post)
        assert (seen.state, seen.attempts) == ("scheduled", 1)
        assert "429" in (seen.problem or "")
        asked = world.watch()
        while not stage.out():
            world.watch.move(5)
            await stage.turn()
        assert 70 <= (world.watch() - asked).total_seconds() <= 90


async def test_at_most_so_many_attempts(world: World) -> None:
    channel = await world.channel("webhook", {"url": "http://127.0.0.1:9/"}, {"secret": SECRET})
    item = await world.item()
    post = await world.scheduled(item, channel)
    for _ in range(MOST_ATTEMPTS + 3):
        world.watch.move(LONG)
        await world.publish()
    seen = await world.see(post)
    assert (seen.state, seen.attempts) == ("failed", MOST_ATTEMPTS)
    assert "cannot be reached" in (seen.problem or "")
    assert (await world.see_item(item)).state == "approved"
    async with world.database.venture(world.venture) as scope:
        assert await scope.all("SELECT 1 FROM outbox WHERE venture = %(venture)s") == []
    await world.do(posts.RetryPost(post=post, version=seen.version))
    await world.publish()
    assert (await world.see(post)).state == "scheduled"


async def test_an_attempt_that_may_still_be_under_way_is_left_alone(world: World) -> None:
    async with mastodon_stage(world) as stage:
        post = await world.scheduled(await world.item(), stage.channel, "Slow")
        world.watch.move(61)
        await stage.turn("begin:after")
        asked = len(stage.out())
        async with world.database.venture(world.venture) as scope:
            await scope.run("UPDATE outbox SET lease_until = NULL WHERE venture = %(venture)s")
        world.watch.move(SETTLE.total_seconds() - 1)
        await stage.turn()
        assert (await world.see(post)).attempts == 1
        assert len(stage.out()) == asked
        world.watch.move(2)
        await stage.turn()
        assert (await world.see(post)).state == "published"


@pytest.mark.parametrize("takes_key", [True, False])
async def test_an_outbox_rebuilt_in_the_middle_repeats_nothing(world: World, takes_key: bool) -> None:
    async with webhook_stage(world, takes_key=takes_key) as stage:
        post = await world.scheduled(await world.item(), stage.channel, "Once")
        world.watch.move(61)
        await stage.turn("call:after")
        for wait in (0, SETTLE.total_seconds() + 11, LONG):
            await rewind(world.database, Outbox(), world.venture)
            world.watch.move(wait)
            await stage.turn()
        seen = await world.see(post)
        assert (seen.state, stage.out()) == ("published" if takes_key else "unknown", ["Once"])


async def test_two_publishers_share_the_work(world: World) -> None:
    async with mastodon_stage(world) as stage:
        item = await world.item()
        for number in range(12):
            await world.scheduled(item, stage.channel, f"Number {number}")
        world.watch.move(61)
        await world.caught_up()
        publishers = [world.publisher(make=stage.make) for _ in range(3)]
        for _ in range(4):
            await asyncio.gather(*(publisher.turn() for publisher in publishers))
        assert sorted(stage.out()) == sorted(f"Number {number}" for number in range(12))


async def test_an_edit_while_it_goes_out_is_told_as_it_was(world: World) -> None:
    async with mastodon_stage(world) as stage:
        item = await world.item()
        post = await world.scheduled(item, stage.channel, "As approved")
        world.watch.move(61)
        await stage.turn("end:before")
        await world.edit(item, "Something else.")
        assert (await world.see(post)).state == "publishing"
        world.watch.move(LONG)
        await stage.turn()
        assert (await world.see(post)).state == "unknown"
        assert (await world.see_item(item)).state == "draft"
        assert stage.out() == ["As approved"]
    assert await world.replays()


async def test_a_venture_that_was_deleted_meanwhile_is_not_published_for_again(world: World) -> None:
    async with mastodon_stage(world) as stage:
        post = await world.scheduled(await world.item(), stage.channel, "Too late")
        world.watch.move(61)
        await stage.turn("begin:after")
        async with world.database.venture(world.venture) as scope:
            version = (await tenancy.venture(scope)).version
        await world.do(tenancy.DeleteVenture(version=version))
        world.watch.move(LONG)
        await stage.turn()
        assert (await world.see(post)).state == "publishing"
        assert stage.out() == []
        async with world.database.venture(world.venture) as scope:
            assert await scope.all("SELECT 1 FROM outbox WHERE venture = %(venture)s") == []


async def test_the_status_of_another_post_is_not_taken_for_its_own(world: World) -> None:
    async with mastodon_stage(world) as stage:
        item = await world.item()
        first = await world.scheduled(item, stage.channel, "The same")
        world.watch.move(61)
        await stage.turn()
        second = await world.scheduled(item, stage.channel, "The same")
        world.watch.move(61)
        await stage.turn("begin:after")
        world.watch.move(LONG / 10)
        await stage.turn()
        assert [(await world.see(post)).state for post in (first, second)] == ["published", "unknown"]
        assert stage.out() == ["The same"]


async def test_a_database_that_does_not_answer_for_a_while_is_asked_again(world: World) -> None:
    failures = deque([True, False, True, True, False])

    class Flaky(MortalSpine):
        async def append(self, venture: UUID, command: Command, *, actor: Actor, idem: str | None = None) -> Appended:
            done = await self.inner.append(venture, command, actor=actor, idem=idem)
            if failures and failures.popleft():
                raise Unavailable("it was carried out, but nobody heard")
            return done

    async with webhook_stage(world, takes_key=False) as stage:
        post = await world.scheduled(await world.item(), stage.channel, "Once")
        world.watch.move(61)
        await world.caught_up()
        spine: Any = Flaky(world.spine, stage.deaths)
        await world.publisher(spine=spine, make=stage.make).turn()
        assert (await world.see(post)).state == "published"
        assert stage.out() == ["Once"]


async def test_credentials_under_another_secret_fail_and_are_named(world: World) -> None:
    channel = await world.channel("sink", credentials={"x": "y"})
    post = await world.scheduled(await world.item(), channel)
    world.watch.move(61)
    await world.caught_up()
    publisher = world.publisher()
    publisher._key = lambda: b"z" * 32
    await publisher.turn()
    seen = await world.see(post)
    assert seen.state == "failed"
    assert "VENTURES_SECRET" in (seen.problem or "")


async def test_no_secret_is_in_the_log_or_in_plain_in_the_database(world: World, database: Database) -> None:
    async with mastodon(world.watch) as server:
        channel = await world.channel("mastodon", {"server": server.url}, {"access_token": server.token})
        await world.scheduled(await world.item(), channel)
        world.watch.move(61)
        await world.publish()
        async with database.venture(world.venture) as scope:
            for table in ("event", "channel", "post", "channel_credential", "outbox"):
                rows = await scope.connection.execute(f"SELECT t::text FROM {table} t")  # type: ignore[arg-type]
                found = str(await rows.fetchall())
                assert server.token not in found
                assert server.token.encode().hex() not in found


def test_a_call_ends_long_before_another_attempt_may_begin() -> None:
    assert SETTLE.total_seconds() > FENCE_SECONDS + 2 * CALL_SECONDS

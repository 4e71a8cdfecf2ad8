"""What every ledger of a move must hold. Subclass ``MoveLedgerContract`` and give a fixture ``world``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import pytest

from outgrow.errors import LedgerError, UsageError
from outgrow.migration.records import LAYOUT_VERSION, Migration, Pace, State, TenantMove
from outgrow.ports.moves import Busy, Flipped, MoveLedger, ShadowCount, Superseded
from outgrow.routing import ABANDONED_SECONDS, Route

POINT = "data-architecture"
SOURCE, TARGET = "old", "new"
MADE_AT = 1_772_323_200.0


class MoveWorld(Protocol):
    """One truth: as many ledgers on it as there are processes, and the application's side of it."""

    def open(self) -> MoveLedger:
        """A further process's ledger; the world closes it."""
        ...

    def register(self, tenant: str, key: str) -> Any:
        """Registers a write of a tenant of ``POINT``, whose default store is ``SOURCE``; None where it is frozen."""
        ...

    def close_write(self, written: Any) -> bool:
        """It was carried out; False where the tenant was switched meanwhile."""
        ...

    def grow_old(self, seconds: float) -> None:
        """Makes all registered writes so much older."""
        ...

    def count(self, migration: str, tenant: str, matched: int, differed: int, failed: int) -> None:
        """Adds compared reads."""
        ...


def a_migration(id_: str = "m1", **changes: Any) -> Migration:
    """One of ``POINT`` from ``SOURCE`` to ``TARGET``."""
    made = Migration(id_, POINT, "copying", SOURCE, TARGET, MADE_AT, Pace(batch=7, shadow_share=0.25, stop_file="x"))
    return replace(made, **changes)


def rows_of(*tenants: str) -> list[TenantMove]:
    """Pending rows."""
    return [TenantMove(tenant, wave=1, since=MADE_AT) for tenant in tenants]


def begun(ledger: MoveLedger, *tenants: str, who: str = "ana") -> Migration:
    """A migration that was created and taken, whose tenants are placed and on the way."""
    migration = ledger.take(ledger.create(a_migration(), rows_of(*tenants), who), who)
    for move in ledger.tenants(migration):
        ledger.keep(migration, replace(move, state="preparing"))
        ledger.place(migration, move.tenant)
    return migration


def row(ledger: MoveLedger, migration: Migration, tenant: str) -> TenantMove:
    """A tenant's row as it stands."""
    return next(move for move in ledger.tenants(migration) if move.tenant == tenant)


def flipped(ledger: MoveLedger, migration: Migration, tenant: str, store: str = TARGET) -> Flipped:
    """What comes of a flip of the tenant."""
    move = row(ledger, migration, tenant)
    state: State = "switched" if store == TARGET else "ready"
    return ledger.flip(migration, move, store, replace(move, state=state), state)


def carried(ledger: MoveLedger, migration: Migration, tenant: str) -> Sequence[str]:
    """Clears all registered writes, as if they had been carried over; → their keys."""
    changes = ledger.changes(migration, tenant, 100)
    ledger.clear(migration, changes)
    return [change.key for change in changes]


class MoveLedgerContract:
    """The laws of ``outgrow.ports.MoveLedger``."""

    @pytest.fixture
    def world(self) -> MoveWorld:
        """An empty one, of the kind that is tested."""
        raise NotImplementedError("give a fixture `world` that yields an empty one")

    @pytest.fixture
    def ledger(self, world: MoveWorld) -> MoveLedger:
        """The first process's."""
        return world.open()

    def test_what_is_created_is_found_by_every_process(self, world: MoveWorld, ledger: MoveLedger) -> None:
        assert ledger.migration(POINT) is None
        made = ledger.create(a_migration(), [*rows_of("b", "a"), TenantMove("c", wave=2, items=3)], "ana")
        assert made == a_migration()
        other = world.open()
        assert other.migration(POINT) == made
        assert other.migration("another") is None
        assert [(move.wave, move.tenant, move.items) for move in other.tenants(made)] == [
            (1, "a", None),
            (1, "b", None),
            (2, "c", 3),
        ]

    def test_a_point_has_one_migration_at_a_time(self, ledger: MoveLedger) -> None:
        first = ledger.create(a_migration(), [], "ana")
        with pytest.raises(UsageError, match="m1"):
            ledger.create(a_migration("m2"), [], "ben")
        ledger.create(a_migration("m3", point="another"), [], "ben")
        ended = ledger.end(ledger.take(first, "ana"))
        assert ended.ended_at is not None
        assert ledger.migration(POINT) == ended
        second = ledger.create(a_migration("m2", made_at=MADE_AT + 9), [], "ana")
        assert ledger.migration(POINT) == second

    def test_it_ends_only_when_all_its_tenants_are_over(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a", "b")
        ledger.keep(migration, replace(row(ledger, migration, "a"), state="cancelled"))
        with pytest.raises(UsageError):
            ledger.end(migration)
        ledger.keep(migration, replace(row(ledger, migration, "b"), state="completed"))
        assert ledger.end(migration).ended_at is not None

    def test_one_process_holds_it(self, world: MoveWorld, ledger: MoveLedger) -> None:
        made = ledger.create(a_migration(), [], "ana")
        taken = ledger.take(made, "ana@host")
        assert (taken.epoch, taken.holder) == (1, "ana@host")
        other = world.open()
        with pytest.raises(Busy, match="ana@host"):
            other.take(made, "ben")
        ledger.release(taken)
        assert other.take(made, "ben").epoch == 2

    def test_the_lock_ends_with_its_connection(self, world: MoveWorld, ledger: MoveLedger) -> None:
        made = ledger.create(a_migration(), [], "ana")
        ledger.take(made, "ana")
        ledger.close()
        other = world.open()
        for _ in range(100):
            try:
                assert other.take(made, "ben").epoch == 2
                return
            except Busy:  # the server learns a moment later that the connection is gone
                time.sleep(0.02)
        pytest.fail("the lock outlived its connection")

    def test_who_was_superseded_changes_nothing(self, world: MoveWorld, ledger: MoveLedger) -> None:
        old = begun(ledger, "a")
        move = row(ledger, old, "a")
        written = world.register("a", "k")
        assert world.close_write(written)
        changes = ledger.changes(old, "a", 10)
        ledger.release(old)
        other = world.open()
        new = other.take(old, "ben")
        lines = other.journal(new)
        for call in (
            lambda: ledger.keep(old, replace(move, state="copying"), "entered"),
            lambda: ledger.add_tenants(old, rows_of("z")),
            lambda: ledger.place(old, "z"),
            lambda: ledger.clear(old, changes),
            lambda: ledger.generation(old),
            lambda: ledger.mark_changed(old, "a", ["k2"]),
            lambda: ledger.freeze(old, "a", 5),
            lambda: ledger.thaw(old, "a"),
            lambda: ledger.flip(old, move, TARGET, move, "switched"),
            lambda: ledger.write_down(old, "a", "said", {}),
            lambda: ledger.end(old),
        ):
            with pytest.raises(Superseded):
                call()
        assert row(other, new, "a") == move
        assert [one.tenant for one in other.tenants(new)] == ["a"]
        assert other.route(POINT, "a") == Route(SOURCE, 1)
        assert other.route(POINT, "z") is None
        assert [one.key for one in other.changes(new, "a", 10)] == ["k"]
        assert other.journal(new) == lines

    def test_a_row_is_kept_as_it_was_written_with_its_line(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        move = replace(
            row(ledger, migration, "a"),
            state="copying",
            copied_to="k\u00e4y",
            copied=12,
            retry_at=MADE_AT + 0.5,
            error="no",
        )
        kept = ledger.keep(migration, move, "copying", {"items": 12, "why": None})
        assert kept == replace(move, version=move.version + 1)
        assert row(ledger, migration, "a") == kept
        line = ledger.journal(migration, "a")[-1]
        assert (line.what, line.who, line.facts) == ("copying", "ana", {"items": 12, "why": None})
        assert abs(line.at - ledger.now()) < 60

    def test_a_row_that_was_written_in_between_is_not_overwritten(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        stale = row(ledger, migration, "a")
        kept = ledger.keep(migration, replace(stale, state="copying"))
        lines = len(ledger.journal(migration))
        with pytest.raises(Superseded):
            ledger.keep(migration, replace(stale, state="verifying"), "said")
        assert row(ledger, migration, "a") == kept
        assert len(ledger.journal(migration)) == lines

    def test_goals_of_people_and_steps_of_the_tool_do_not_undo_each_other(
        self, world: MoveWorld, ledger: MoveLedger
    ) -> None:
        migration = begun(ledger, "a", "b")
        move = row(ledger, migration, "a")
        person = world.open()
        assert person.want(migration, None, "ready", "ben") == 2
        assert person.want(migration, ["a", "nobody"], "switched", "ben") == 1
        kept = ledger.keep(migration, replace(move, state="copying"))
        assert (kept.state, kept.goal) == ("copying", "switched")
        assert ledger.keep(migration, replace(kept, goal="ready")).goal == "ready"
        assert row(person, migration, "a").goal == "ready"
        assert row(person, migration, "b").goal == "ready"

    def test_what_is_over_has_no_new_goal(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a", "b")
        ledger.keep(migration, replace(row(ledger, migration, "a"), state="completed"))
        assert ledger.want(migration, ["a", "b"], "cancelled", "ben") == 1
        with pytest.raises(UsageError):
            ledger.want(migration, None, "nonsense", "ben")  # type: ignore[arg-type]  # as a stranger would

    def test_tenants_that_came_up_leave_those_there_as_they_are(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        before = row(ledger, migration, "a")
        ledger.add_tenants(migration, [*rows_of("a"), TenantMove("b", wave=3)])
        assert [(one.tenant, one.wave) for one in ledger.tenants(migration)] == [("a", 1), ("b", 3)]
        assert row(ledger, migration, "a") == before

    def test_pauses_and_shares_are_seen_by_all(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        person = world.open()
        assert person.set_paused(migration, "Black Friday", "ben").paused == "Black Friday"
        assert person.set_shadow_share(migration, 0.5, "ben").pace.shadow_share == 0.5
        seen = ledger.migration(POINT)
        assert seen is not None
        assert (seen.paused, seen.pace.shadow_share, seen.pace.batch, seen.epoch) == ("Black Friday", 0.5, 7, 1)
        assert person.set_paused(migration, "", "ben").paused == ""
        for share in (-0.1, 1.1, float("nan")):
            with pytest.raises(UsageError):
                person.set_shadow_share(migration, share, "ben")
        assert [line.who for line in ledger.journal(migration)][-3:] == ["ben"] * 3

    def test_which_stores_it_is_between_is_kept_with_it(self, world: MoveWorld, ledger: MoveLedger) -> None:
        made = ledger.create(replace(a_migration(), mover={"source": "a", "target": "b"}), rows_of("a"), "ana")
        assert made.mover == {"source": "a", "target": "b"}
        person = world.open()
        seen = person.migration(POINT)
        assert seen is not None
        assert seen.mover == made.mover
        assert person.set_mover(made, {"source": "c", "target": "b"}, "ben").mover == {"source": "c", "target": "b"}
        again = ledger.migration(POINT)
        assert again is not None
        assert (again.mover, again.pace) == ({"source": "c", "target": "b"}, made.pace)
        assert [(line.what, line.who) for line in ledger.journal(made)][-1] == ("mover accepted", "ben")

    def test_a_newer_layout_is_looked_at_and_left_alone(self, ledger: MoveLedger) -> None:
        made = ledger.create(a_migration(layout_version=LAYOUT_VERSION + 1), rows_of("a"), "ana")
        assert ledger.migration(POINT) == made
        assert [one.tenant for one in ledger.tenants(made)] == ["a"]
        with pytest.raises(LedgerError, match="newer outgrow"):
            ledger.take(made, "ana")

    def test_placing_lays_one_row_and_moves_nobody(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        mark = ledger.place(migration, "a")
        assert ledger.settled(mark)
        assert ledger.route(POINT, "a") == Route(SOURCE, 1)
        assert flipped(ledger, migration, "a").why_not == ""
        ledger.place(migration, "a")
        assert ledger.route(POINT, "a") == Route(TARGET, 2)

    def test_generations_only_grow(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration, other = begun(ledger, "a"), world.open()
        numbers = [one.generation(migration) for one in (ledger, other, ledger, ledger, other)]
        assert numbers == sorted(set(numbers))

    def test_who_takes_a_move_on_has_higher_generations_than_whoever_had_it(
        self, world: MoveWorld, ledger: MoveLedger
    ) -> None:
        old = begun(ledger, "a")
        last = ledger.generation(old)
        ledger.release(old)
        new = world.open().take(old, "ben")
        with pytest.raises(Superseded):
            ledger.generation(old)
        assert ledger.generation(new) > last

    def test_what_is_marked_changed_is_carried_and_stands_against_a_flip(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a", "b")
        ledger.mark_changed(migration, "a", ["k1", "k2"])
        ledger.mark_changed(migration, "a", [])
        assert [(one.key, one.open) for one in ledger.changes(migration, "a", 10)] == [("k1", False), ("k2", False)]
        assert ledger.changes(migration, "b", 10) == []
        assert "2 registered writes" in flipped(ledger, migration, "a").why_not
        assert carried(ledger, migration, "a") == ["k1", "k2"]
        assert flipped(ledger, migration, "a").why_not == ""

    def test_a_move_that_was_given_back_was_taken_from_nobody(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        assert ledger.overtaken(migration) is None
        ledger.release(migration)
        other = world.open()
        again = other.take(migration, "ben")
        assert other.overtaken(again) is None
        other.close()
        for _ in range(100):
            try:
                last = ledger.take(again, "cy")
                break
            except Busy:  # the server learns a moment later that the connection is gone
                time.sleep(0.02)
        found = ledger.overtaken(last)
        assert found is not None
        assert 0 <= ledger.now() - found[0] < 60
        assert found[1] == "ben"
        ledger.release(last)
        assert ledger.overtaken(ledger.take(last, "ana")) == found

    def test_registered_writes_come_oldest_first_and_go_when_they_were_carried(
        self, world: MoveWorld, ledger: MoveLedger
    ) -> None:
        migration = begun(ledger, "a", "b")
        first, second = world.register("a", "k1"), world.register("a", "k2")
        world.register("b", "k3")
        assert world.close_write(first)
        changes = ledger.changes(migration, "a", 10)
        assert [(one.tenant, one.key, one.open) for one in changes] == [("a", "k1", False), ("a", "k2", True)]
        assert [one.key for one in ledger.changes(migration, "a", 1)] == ["k1"]
        assert all(0 <= one.age_seconds < 60 for one in changes)
        assert world.close_write(second)
        ledger.clear(migration, changes)
        assert [(one.key, one.open) for one in ledger.changes(migration, "a", 10)] == [("k2", False)]
        assert carried(ledger, migration, "a") == ["k2"]
        assert ledger.changes(migration, "a", 10) == []
        assert [one.key for one in ledger.changes(migration, "b", 10)] == ["k3"]

    def test_a_look_has_the_route_and_what_waits(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a", "b")
        assert ledger.routes(POINT) == {"a": Route(SOURCE, 1), "b": Route(SOURCE, 1)}
        assert ledger.routes("another") == {}
        before = ledger.now()
        seen = ledger.look(POINT, "a")
        assert (seen.route, seen.waiting, seen.open, seen.abandoned, seen.behind_seconds) == (
            Route(SOURCE, 1), 0, 0, 0, 0.0,
        )  # fmt: skip
        assert before <= seen.now <= ledger.now()
        assert ledger.look(POINT, "nobody").route is None
        first, _ = world.register("a", "k1"), world.register("a", "k2")
        world.register("b", "k1")
        world.grow_old(ABANDONED_SECONDS + 1)
        assert world.close_write(first)
        world.register("a", "k3")
        seen = ledger.look(POINT, "a")
        assert (seen.waiting, seen.open, seen.abandoned) == (3, 2, 1)
        aged = ABANDONED_SECONDS + 1
        assert aged <= seen.behind_seconds <= aged + seen.now - before, "of those that are over"
        assert ledger.look(POINT, "a", 1).waiting == 1
        ledger.clear(migration, ledger.changes(migration, "a", 10))
        seen = ledger.look(POINT, "a")
        assert (seen.waiting, seen.open, seen.behind_seconds) == (2, 2, 0.0)

    def test_only_tenants_on_the_way_have_their_writes_kept(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        ledger.add_tenants(migration, rows_of("later"))
        for tenant in ("later", "stranger"):
            assert world.close_write(world.register(tenant, "k"))
            assert ledger.changes(migration, tenant, 10) == []
        assert world.close_write(world.register("a", "k"))
        ledger.keep(migration, replace(row(ledger, migration, "a"), state="cancelled"))
        assert ledger.changes(migration, "a", 10) == []

    def test_a_freeze_makes_writers_wait_and_ends_by_itself(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a", "b")
        ledger.freeze(migration, "a", 30)
        assert world.register("a", "k") is None
        assert ledger.changes(migration, "a", 10) == []
        assert world.register("b", "k") is not None
        ledger.thaw(migration, "a")
        assert world.register("a", "k") is not None
        ledger.freeze(migration, "a", 0.05)
        time.sleep(0.1)
        assert world.register("a", "k") is not None

    def test_a_flip_is_one_with_its_row_and_its_line(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        ledger.freeze(migration, "a", 30)
        assert flipped(ledger, migration, "a") == Flipped(Route(TARGET, 2))
        moved = row(ledger, migration, "a")
        assert (moved.state, ledger.route(POINT, "a")) == ("switched", Route(TARGET, 2))
        assert [line.what for line in ledger.journal(migration, "a")] == ["switched"]
        assert ledger.journal(migration, "a")[0].facts == {"from": SOURCE, "to": TARGET, "generation": 2}
        assert world.register("a", "k") is not None, "a flip ends the freeze"
        again = ledger.flip(migration, moved, TARGET, moved, "switched")
        assert again.why_not
        assert row(ledger, migration, "a") == moved

    def test_going_back_is_the_same_flip_and_counts_as_a_rehearsal(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        flipped(ledger, migration, "a")
        seen = ledger.migration(POINT)
        assert seen is not None
        assert seen.rehearsed_at is None
        assert flipped(ledger, migration, "a", SOURCE) == Flipped(Route(SOURCE, 3))
        seen = ledger.migration(POINT)
        assert seen is not None
        assert seen.rehearsed_at is not None

    def test_a_registered_write_stands_against_a_flip(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        before = row(ledger, migration, "a")
        written = world.register("a", "k")
        refused = flipped(ledger, migration, "a")
        assert "1 registered write" in refused.why_not
        assert refused.route == Route(SOURCE, 1)
        assert world.close_write(written)
        assert flipped(ledger, migration, "a").why_not
        assert row(ledger, migration, "a") == before
        assert ledger.journal(migration, "a") == []
        carried(ledger, migration, "a")
        assert flipped(ledger, migration, "a").why_not == ""

    def test_an_abandoned_write_that_was_carried_does_not(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        late = world.register("a", "k")
        carried(ledger, migration, "a")
        assert flipped(ledger, migration, "a").why_not, "it is too young"
        world.grow_old(ABANDONED_SECONDS + 1)
        ledger.freeze(migration, "a", 30)
        assert flipped(ledger, migration, "a").why_not, "it was not carried since the freeze"
        carried(ledger, migration, "a")
        assert flipped(ledger, migration, "a").why_not == ""
        assert [one.open for one in ledger.changes(migration, "a", 10)] == [True], "it stays, for the way back"
        assert not world.close_write(late), "whoever made it learns that it is to be written anew"
        assert [(one.key, one.open) for one in ledger.changes(migration, "a", 10)] == [("k", False)]

    def test_a_write_that_only_became_old_within_the_freeze_stands_against_the_flip(
        self, world: MoveWorld, ledger: MoveLedger
    ) -> None:
        migration = begun(ledger, "a")
        world.register("a", "k")
        world.grow_old(ABANDONED_SECONDS - 1.0)
        ledger.freeze(migration, "a", 30)
        time.sleep(1.1)
        assert [one.age_seconds > ABANDONED_SECONDS for one in ledger.changes(migration, "a", 10)] == [True]
        carried(ledger, migration, "a")
        assert flipped(ledger, migration, "a").why_not, "its request may have arrived since it was carried"
        ledger.freeze(migration, "a", 30)
        carried(ledger, migration, "a")
        assert flipped(ledger, migration, "a").why_not == ""

    def test_a_write_is_carried_again_if_it_ends_after_it_was_given_up(
        self, world: MoveWorld, ledger: MoveLedger
    ) -> None:
        migration = begun(ledger, "a")
        late = world.register("a", "k")
        assert world.close_write(late)
        carried(ledger, migration, "a")
        assert world.close_write(late)
        assert [(one.key, one.open) for one in ledger.changes(migration, "a", 10)] == [("k", False)]

    def test_a_write_that_ends_between_carrying_and_clearing_is_carried_again(
        self, world: MoveWorld, ledger: MoveLedger
    ) -> None:
        migration = begun(ledger, "a")
        late = world.register("a", "k")
        assert world.close_write(late), "as somebody would who took it for abandoned"
        changes = ledger.changes(migration, "a", 10)
        assert world.close_write(late), "and then its own maker"
        ledger.clear(migration, changes)
        assert [one.key for one in ledger.changes(migration, "a", 10)] == ["k"]

    def test_a_flip_of_a_stale_row_or_from_elsewhere_is_none(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        ledger.add_tenants(migration, rows_of("unplaced"))
        stale = row(ledger, migration, "a")
        ledger.keep(migration, stale)
        with pytest.raises(Superseded):
            ledger.flip(migration, stale, TARGET, stale, "switched")
        assert ledger.route(POINT, "a") == Route(SOURCE, 1)
        assert flipped(ledger, migration, "unplaced").why_not
        assert flipped(ledger, migration, "a", SOURCE).why_not
        assert [line for line in ledger.journal(migration) if line.tenant] == []

    def test_compared_reads_are_counted_anew_each_time(self, world: MoveWorld, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        assert ledger.shadow(migration, "a") == ShadowCount()
        world.count(migration.id, "a", 5, 1, 0)
        world.count(migration.id, "a", 2, 0, 3)
        assert ledger.shadow(migration, "a") == ShadowCount(7, 1, 3)
        shadowing = ledger.keep(migration, replace(row(ledger, migration, "a"), state="shadowing"))
        assert ledger.shadow(migration, "a") == ShadowCount()
        world.count(migration.id, "a", 1, 0, 0)
        ledger.keep(migration, shadowing)
        assert ledger.shadow(migration, "a") == ShadowCount(1)

    def test_the_journal_is_read_on_from_where_one_was(self, ledger: MoveLedger) -> None:
        migration = begun(ledger, "a")
        ledger.write_down(migration, "a", "first", {"n": 1})
        ledger.write_down(migration, "", "second", {})
        lines = ledger.journal(migration)
        assert [line.what for line in lines] == ["created", "taken", "first", "second"]
        assert [line.what for line in ledger.journal(migration, after=lines[1].id)] == ["first", "second"]
        assert [line.what for line in ledger.journal(migration, "a")] == ["first"]

    def test_a_closed_ledger_says_so(self, ledger: MoveLedger) -> None:
        ledger.close()
        with pytest.raises(LedgerError):
            ledger.now()

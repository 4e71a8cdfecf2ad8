"""Laws of the next command and of the row after it."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.migration.advancing import MOST_FALLBACKS
from outgrow.migration.commands import (
    Carry,
    Command,
    CompareLast,
    CopyPage,
    Drop,
    Enter,
    Fill,
    Flip,
    Freeze,
    Observed,
    Outcome,
    Place,
    ProveWayBack,
    Rest,
    Thaw,
    Verify,
    Wait,
)
from outgrow.migration.records import LAYOUT_VERSION, Goal, Kind, Migration, Pace, State, Step, TenantMove
from outgrow.migration.transitions import advanced, is_over, next_command, truth_of

NOW = 1_000.0
KINDS: tuple[Kind, ...] = get_args(Kind)
GOALS: tuple[Goal, ...] = get_args(Goal)


def migration(kind: Kind = "copying", **pace: object) -> Migration:
    return Migration("m-1", "data-architecture", kind, "shared", "buckets", 0.0, replace(Pace(), **pace))


def seconds(low: float = 0.0, high: float = 3_000.0) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


MIGRATIONS = st.builds(
    migration,
    st.sampled_from(KINDS),
    batch=st.integers(1, 1_000),
    freeze_seconds=seconds(0.1, 60),
    least_shadowed=st.integers(0, 5),
)
STOPPED = st.builds(
    lambda one, paused, ended, layout: replace(one, paused=paused, ended_at=ended, layout_version=layout),
    MIGRATIONS,
    st.sampled_from(["", "", "", "a release"]),
    st.sampled_from([None, None, None, 5.0]),
    st.sampled_from([LAYOUT_VERSION] * 5 + [LAYOUT_VERSION + 1]),
)
ROWS = st.builds(
    TenantMove,
    tenant=st.just("t"),
    wave=st.just(1),
    state=st.sampled_from(get_args(State)),
    step=st.sampled_from(get_args(Step)),
    goal=st.sampled_from(GOALS),
    items=st.none() | st.integers(0, 9),
    since=seconds(),
    placed=st.sampled_from(["", "7"]),
    copied_to=st.sampled_from(["", "k", "é"]),
    copied_all=st.booleans(),
    verified_at=st.none() | seconds(),
    differing=st.sampled_from([0, 0, 0, 2]),
    tries=st.integers(0, 3_000),
    retry_at=st.none() | seconds(),
    error=st.sampled_from(["", "the store is down"]),
    deadline=st.none() | seconds(),
    dropped=st.booleans(),
    fallbacks=st.integers(0, 9),
)
SEEN = st.builds(
    Observed,
    now=seconds(),
    settled=st.booleans(),
    waiting=st.integers(0, 2_000),
    open=st.integers(0, 5),
    abandoned=st.integers(0, 5),
    lag_seconds=st.none() | seconds(0, 100),
    behind=st.integers(0, 5),
    fault=st.sampled_from(["", "", "the worker is down"]),
    route=st.sampled_from([None, "shared", "shared", "buckets", "buckets", "elsewhere"]),
    frozen=st.booleans(),
    matched=st.integers(0, 9),
    differed=st.integers(0, 2),
    throttled=st.sampled_from(["", "", "p95 is high"]),
    batch=st.sampled_from([0, 0, 400, 3_000]),
    outrun=st.sampled_from(["", "", "written faster"]),
)
OUTCOMES = st.builds(
    Outcome,
    at=seconds(),
    mark=st.sampled_from(["", "9"]),
    items=st.none() | st.integers(0, 9),
    last_key=st.sampled_from(["", "k", "z"]),
    copied=st.integers(0, 500),
    ended=st.booleans(),
    left=st.integers(0, 2_000),
    differing=st.sampled_from([0, 0, 3]),
    refused=st.sampled_from(["", "", "a registered write"]),
    failed=st.sampled_from(["", "", "the store is down"]),
)
COMMANDS: tuple[Command, ...] = (
    Place(),
    Fill(),
    CopyPage("", 5),
    Carry("source", 5),
    Verify("source"),
    Verify("target", repair=True),
    Freeze(5),
    CompareLast("source"),
    ProveWayBack("source"),
    Flip("target"),
    Thaw("why"),
    Drop("source"),
    Enter("copying"),
    Wait("", 1, "lag"),
    Rest(),
)


@settings(max_examples=400, deadline=None)
@given(STOPPED, ROWS, SEEN, OUTCOMES)
def test_every_row_under_every_observation_has_a_command_and_a_row_after_it(
    of: Migration, row: TenantMove, seen: Observed, outcome: Outcome
) -> None:
    command = next_command(of, row, seen)
    after = advanced(of, row, command, outcome)
    assert (after.tenant, after.wave, after.version) == (row.tenant, row.wave, row.version)
    if isinstance(command, Wait):
        assert command.reason
        assert command.seconds > 0
        assert command.kind != "people" or command.next_step
    if isinstance(command, Drop):
        truth = "target" if row.state == "completed" else "source"
        assert command.store != truth
        assert seen.route in ((of.target,) if truth == "target" else (of.source, None))
    if isinstance(command, Freeze):
        assert 0 < command.seconds <= of.pace.freeze_seconds


@settings(max_examples=200, deadline=None)
@given(MIGRATIONS, ROWS, st.sampled_from(COMMANDS), OUTCOMES)
def test_a_command_that_does_not_suit_the_row_never_moves_the_truth(
    of: Migration, row: TenantMove, command: Command, outcome: Outcome
) -> None:
    after = advanced(of, row, command, outcome)
    if truth_of(after) != truth_of(row):
        flipped = isinstance(command, Flip) and row.state in ("switching", "reversing")
        assert flipped or isinstance(command, Enter)
    if outcome.failed and not isinstance(command, Wait | Rest):
        assert (after.state, after.error) == (row.state, outcome.failed)
        assert after.retry_at is not None
        assert outcome.at < after.retry_at <= outcome.at + 60


class Outside:
    """Stores and tables where nothing fails: what a command does to what is seen next."""

    def __init__(self, of: Migration, waiting: int = 3, reads: int = 10) -> None:
        self.of, self.now, self.route, self.waiting, self.reads = of, NOW, "shared", waiting, reads
        self.pages = 3

    def seen(self) -> Observed:
        self.now += 0.01
        placed = self.route or None
        if self.of.kind == "filling":
            return Observed(self.now, route=placed, matched=self.reads)
        return Observed(self.now, waiting=self.waiting, route=placed, matched=self.reads)

    def carried_out(self, command: Command) -> Outcome:
        match command:
            case Place():
                return Outcome(self.now, mark="9")
            case CopyPage():
                self.pages -= 1
                return Outcome(self.now, last_key=f"k{9 - self.pages}", copied=1, ended=self.pages == 0)
            case Carry():
                self.waiting = 0
                return Outcome(self.now, carried=3)
            case Flip(to):
                self.route = self.of.target if to == "target" else self.of.source
                self.waiting = 2
                return Outcome(self.now)
            case _:
                return Outcome(self.now)

    def brought(self, row: TenantMove, most: int = 60) -> tuple[TenantMove, list[Command]]:
        """The row once nothing is left to do, and what was done."""
        done: list[Command] = []
        for _ in range(most):
            command = next_command(self.of, row, self.seen())
            if isinstance(command, Rest):
                return row, done
            assert not isinstance(command, Wait), command
            done.append(command)
            row = advanced(self.of, row, command, self.carried_out(command))
        raise AssertionError(f"not there after {most} steps: {row}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("least_shadowed", [0, 5])
def test_every_goal_is_reached_where_nothing_fails(kind: Kind, least_shadowed: int) -> None:
    outside = Outside(migration(kind, least_shadowed=least_shadowed))
    row, done = outside.brought(TenantMove("t", 1, goal="ready"))
    assert row.state == "ready"
    assert row.copied_all
    assert not any(isinstance(command, Drop | Flip | Freeze) for command in done)
    row, done = outside.brought(replace(row, goal="switched"))
    assert (row.state, outside.route) == ("switched", "buckets")
    assert row.switched_at is not None
    assert [type(one) for one in done[-4 if kind == "copying" else -3 :]][:3] == [CompareLast, ProveWayBack, Flip]
    row, done = outside.brought(replace(row, goal="ready"))
    assert (row.state, outside.route) == ("ready", "shared")
    assert row.reversed_at is not None
    assert CompareLast("target") in done
    cancelled, done = outside.brought(replace(row, goal="cancelled"))
    assert is_over(cancelled)
    assert done == [Enter("cancelled"), Drop("target")]
    row, _ = outside.brought(replace(row, goal="switched"))
    row, done = outside.brought(replace(row, goal="completed"))
    assert is_over(row)
    assert done == [Enter("completed"), Drop("source")]


def plain(row: TenantMove) -> TenantMove:
    """Without times and counts, of which there is no end."""
    times = {"since": 0.0, "verified_at": None if row.verified_at is None else 0.0, "retry_at": None, "error": ""}
    row = replace(row, **times, deadline=None, switched_at=None, reversed_at=None, copied=0, items=None)
    return replace(row, tries=0, fallbacks=0)


EARLY = 1.0
OBSERVATIONS = [
    Observed(now, settled, waiting, opened, abandoned, lag, behind, route=route, matched=5, throttled=throttled)
    for now in (EARLY, 1e6)
    for route in (None, "shared", "buckets")
    for settled, waiting, opened, abandoned, lag, behind, throttled in (
        (True, 0, 0, 0, 0.0, 0, ""),
        (False, 2, 1, 0, 0.0, 3, "p95 is high"),
        (True, 2, 2, 2, None, 0, ""),
        (True, 900, 0, 0, 99.0, 9, ""),
    )
]
RESULTS = [
    Outcome(EARLY, mark="9", last_key="k", copied=1, ended=True),
    Outcome(EARLY, mark="9", last_key="k", copied=1, left=900),
    Outcome(EARLY, differing=2),
    Outcome(EARLY, refused="a registered write"),
    Outcome(EARLY, failed="the store is down"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_no_way_leads_past_a_proof(kind: Kind) -> None:
    """Over every row that any observations, outcomes and wishes lead to."""
    of = migration(kind, least_shadowed=2)
    first = (TenantMove("t", 1), frozenset[str]())
    seen, waiting = {first}, deque([first])
    while waiting:
        row, proofs = waiting.popleft()
        following = [(replace(row, goal=goal), proofs) for goal in GOALS if goal != "none" and not is_over(row)]
        for observed in OBSERVATIONS:
            command = next_command(of, row, observed)
            for outcome in RESULTS:
                after = advanced(of, row, command, outcome)
                following.append((plain(after), proved(of, row, command, outcome, after, proofs)))
        for one in following:
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    states = {row.state for row, _ in seen}
    assert states == {*get_args(State)} - ({"catching_up"} if kind == "filling" else set())
    for row, proofs in seen:
        if truth_of(row) == "target":
            assert {"verified", "compared", "way back"} <= proofs, row


def proved(
    of: Migration, row: TenantMove, command: Command, outcome: Outcome, after: TenantMove, proofs: frozenset[str]
) -> frozenset[str]:
    """What is proved of the copy, and what holds for each single step."""
    if isinstance(command, Drop):
        assert row.state in ("completed", "cancelled")
    if after.state != row.state and after.state in ("completed", "cancelled"):
        assert row.goal == after.state
        assert isinstance(command, Enter)
        assert row.state == "switched" or after.state == "cancelled"
        assert truth_of(row) == truth_of(after)
    if truth_of(after) != truth_of(row):
        assert isinstance(command, Flip)
        assert {"compared", "way back"} <= proofs
    if after.step in ("", "frozen") or (isinstance(command, Carry) and not outcome.failed):
        kept = {"verified"} if truth_of(after) == "source" else proofs
        proofs = proofs & kept
    against = outcome.refused if isinstance(command, ProveWayBack) else outcome.differing
    good = not (outcome.failed or against)
    found = {Verify: "verified", CompareLast: "compared", ProveWayBack: "way back"}.get(type(command))
    return proofs | {found} if found and good else proofs


def switching(**changes: object) -> TenantMove:
    return replace(
        TenantMove("t", 1, "switching", "frozen", "switched", placed="7", copied_all=True, verified_at=NOW),
        since=NOW,
        deadline=NOW + 5,
        **changes,
    )


def test_a_switch_falls_back_by_itself_and_says_why() -> None:
    of = migration()
    late = Observed(NOW + 6, waiting=1, open=1, route="shared")
    thaw = next_command(of, switching(), late)
    assert thaw == Thaw("1 writes under way did not end within 5s")
    row = advanced(of, switching(), thaw, Outcome(NOW + 6))
    assert (row.state, row.step, row.goal, row.deadline) == ("ready", "", "switched", None)
    assert row.error == thaw.reason
    waits = next_command(of, row, Observed(NOW + 7, route="shared"))
    assert isinstance(waits, Wait)
    assert waits.kind == "retry"
    assert next_command(of, row, Observed(NOW + 17, route="shared")) == Enter("switching")


def test_a_switch_that_writes_outran_says_so() -> None:
    late = Observed(
        NOW + 6, waiting=30, route="shared", outrun="t is written faster than it is carried: 9/s against 5/s"
    )
    assert next_command(migration(), switching(), late) == Thaw(
        "30 registered writes were not carried over (t is written faster than it is carried: 9/s against 5/s) within 5s"
    )


def test_as_many_are_carried_as_the_batch_grew_to_and_open_ones_beside() -> None:
    of, ready = migration(batch=10), TenantMove("t", 1, "ready", goal="switched", placed="7", copied_all=True)
    many = Observed(NOW, waiting=90, open=3, route="shared")
    assert next_command(of, ready, many) == Carry("source", 13)
    assert next_command(of, ready, replace(many, batch=40)) == Carry("source", 43)
    assert next_command(of, ready, replace(many, batch=100)) == Enter("switching"), "one batch carries the rest"
    assert next_command(of, switching(), replace(many, batch=100)) == Carry("source", 103)
    assert next_command(of, switching(), replace(many, batch=4)) == Carry("source", 13), "never fewer than declared"


def test_after_many_switches_that_fell_back_people_are_asked() -> None:
    of, row = migration(), switching()
    pauses = []
    for _ in range(MOST_FALLBACKS):
        row = advanced(of, row, Thaw("writers did not end"), Outcome(NOW))
        if row.retry_at is not None:
            pauses.append(row.retry_at - NOW)
            row = replace(switching(), fallbacks=row.fallbacks)
    assert pauses == sorted(pauses) == [10, 20, 40, 80]
    assert (row.state, row.goal) == ("ready", "ready")
    assert "tried 5 times" in row.error
    assert isinstance(next_command(of, row, Observed(NOW, route="shared")), Rest)


def test_a_refused_flip_drains_and_compares_again() -> None:
    of, row = migration(), switching()
    row = advanced(of, replace(row, step="way_back_ready"), Flip("target"), Outcome(NOW, refused="1 registered write"))
    assert row.step == "frozen"
    assert isinstance(next_command(of, row, Observed(NOW + 1, waiting=1, route="shared")), Carry)


def test_writes_that_were_carried_after_the_comparison_are_compared_again() -> None:
    of = migration()
    row = switching()
    for step in ("compared", "way_back_ready"):
        carry = next_command(of, replace(row, step=step), Observed(NOW + 1, waiting=1, route="shared"))
        assert isinstance(carry, Carry)
        after = advanced(of, replace(row, step=step), carry, Outcome(NOW + 1, carried=1))
        assert after.step == "drained"


def test_a_mismatch_stops_and_a_repair_goes_on() -> None:
    of = migration()
    row = TenantMove("t", 1, "verifying", goal="ready", placed="7", copied_all=True)
    row = advanced(of, row, Verify("source"), Outcome(NOW, differing=2))
    stopped = next_command(of, row, Observed(NOW, route="shared"))
    assert isinstance(stopped, Wait)
    assert (stopped.kind, stopped.reason) == ("people", "2 keys differ between shared and buckets")
    assert "outgrow migrate data-architecture verify --tenant t" in stopped.next_step
    row = advanced(of, row, Verify("source", repair=True), Outcome(NOW + 1))
    assert (row.state, row.differing, row.error, row.verified_at) == ("ready", 0, "", NOW + 1)


@pytest.mark.parametrize("state", ["ready", "switched"])
def test_nothing_is_switched_or_completed_while_keys_differ(state: State) -> None:
    route = "buckets" if state == "switched" else "shared"
    for goal in GOALS[1:]:
        row = TenantMove("t", 1, state, goal=goal, placed="7", copied_all=True, differing=1)
        command = next_command(migration(), row, Observed(NOW, route=route))
        cancels = state == "ready" and goal == "cancelled"
        assert isinstance(command, Enter) if cancels else isinstance(command, Wait | Rest)


def test_copying_waits_for_a_throttle_and_a_switch_does_not() -> None:
    of = migration()
    copying = TenantMove("t", 1, "copying", goal="ready", placed="7")
    waits = next_command(of, copying, Observed(NOW, route="shared", throttled="p95 is 3 s"))
    assert isinstance(waits, Wait)
    assert (waits.kind, waits.reason) == ("throttled", "p95 is 3 s")
    assert isinstance(next_command(of, switching(), Observed(NOW, route="shared", throttled="p95")), Carry)


def test_abandoned_writes_are_carried_and_do_not_hold_a_switch_up() -> None:
    of, seen = migration(), Observed(NOW + 1, waiting=1, open=1, abandoned=1, route="shared")
    carry = next_command(of, switching(), seen)
    assert isinstance(carry, Carry)
    row = advanced(of, switching(), carry, Outcome(NOW + 1, left=1))
    assert row.step == "drained"
    assert next_command(of, row, seen) == CompareLast("source")


def test_a_pause_ends_a_switch_under_way() -> None:
    of = replace(migration(), paused="a release")
    assert next_command(of, switching(), Observed(NOW, route="shared")) == Thaw("paused: a release")
    row = advanced(of, switching(), Thaw("paused: a release"), Outcome(NOW))
    assert (row.state, row.goal, row.error, row.fallbacks) == ("ready", "switched", "", 0)


def test_a_failure_within_a_switch_is_tried_again_at_once_and_not_beyond_its_deadline() -> None:
    of = migration()
    row = advanced(of, switching(), Carry("source", 5), Outcome(NOW + 1, failed="the store is down"))
    assert row.retry_at is not None
    assert row.retry_at - NOW - 1 < 1
    late = replace(row, retry_at=NOW + 9)
    assert next_command(of, late, Observed(NOW + 1, route="shared")) == Thaw(
        "the store is down; it did not come about within 5s"
    )


def test_a_tenant_whose_route_was_changed_by_others_is_left_alone() -> None:
    for state in get_args(State):
        if state not in ("switching", "reversing"):
            row = TenantMove("t", 1, state, goal="switched", placed="7")
            command = next_command(migration(), row, Observed(NOW, route="elsewhere"))
            assert isinstance(command, Wait), state
            assert "elsewhere" in command.reason


def test_a_switched_tenant_without_a_route_is_not_completed() -> None:
    row = TenantMove("t", 1, "completed", goal="completed", placed="7")
    assert isinstance(next_command(migration(), row, Observed(NOW, route=None)), Wait)


def test_to_cancel_a_pending_tenant_deletes_nothing() -> None:
    row = TenantMove("t", 1, goal="cancelled")
    over = advanced(migration(), row, Enter("cancelled"), Outcome(NOW))
    assert is_over(over)
    assert next_command(migration(), over, Observed(NOW, route="buckets")) == Rest()


def test_shadowed_reads_that_differ_keep_a_tenant_from_being_ready() -> None:
    of = migration(least_shadowed=100)
    row = TenantMove("t", 1, "shadowing", goal="ready", placed="7", copied_all=True)
    few = next_command(of, row, Observed(NOW, route="shared", matched=50))
    assert isinstance(few, Wait)
    assert (few.kind, few.reason) == ("shadow", "50 of 100 reads were compared")
    many = next_command(of, row, Observed(NOW, route="shared", matched=98, differed=2))
    assert isinstance(many, Wait)
    assert many.kind == "people"
    assert next_command(of, row, Observed(NOW, route="shared", matched=199, differed=1)) == Enter("ready", 200, 1)

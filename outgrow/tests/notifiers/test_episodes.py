"""Laws of what is told: once an episode, closed once, never closed by not knowing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.notifiers.episodes import Event, Patience, Told, follow
from outgrow.outlook.status import State

WAITS = Patience(settle_seconds=600, approach_settle_seconds=3600, unknown_after_seconds=900)


@dataclass(frozen=True)
class Look:
    after_seconds: float
    state: State
    broken: bool
    began_seconds_ago: float


looks = st.lists(
    st.builds(
        Look,
        after_seconds=st.sampled_from([1.0, 60.0, 300.0, 601.0, 901.0, 4000.0]),
        state=st.sampled_from(["quiet", "approaching", "firing", "unknown"]),
        broken=st.booleans(),
        began_seconds_ago=st.sampled_from([0.0, 30.0, 700.0, 100_000.0]),
    ),
    max_size=40,
)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def run(make: Any, seen: list[Look]) -> list[tuple[float, Event]]:
    memory: dict[tuple[str, str], Told] = {}
    now, told = make.now, []
    for look in seen:
        now += look.after_seconds
        status = make.trigger(look.state, now - look.began_seconds_ago, broken=look.broken and look.state == "firing")
        memory, events = follow(memory, [make.point(status)], now, WAITS)
        told += [(now, event) for event in events]
    return told


@relaxed
@given(seen=looks)
def test_in_an_episode_each_kind_is_told_once_and_it_is_closed_once(make: Any, seen: list[Look]) -> None:
    calm = [Look(1.0, "quiet", False, 0.0), Look(601.0, "quiet", False, 0.0), Look(601.0, "quiet", False, 0.0)]
    kinds = [event.kind for _, event in run(make, seen + calm) if event.kind in ("warning", "critical", "resolved")]
    letters = "".join(kind[0] for kind in kinds)
    while letters:
        assert letters.startswith(("wr", "cr", "wcr")), kinds
        letters = letters[letters.index("r") + 1 :]


@relaxed
@given(seen=looks)
def test_nothing_is_ever_told_twice(make: Any, seen: list[Look]) -> None:
    told = Counter((event.kind, event.episode) for _, event in run(make, seen))
    assert not told or max(told.values()) == 1


@relaxed
@given(seen=looks)
def test_whatever_fires_is_told_at_once(make: Any, seen: list[Look]) -> None:
    now, fired_at, told = make.now, set(), run(make, seen)
    opened = False
    for look in seen:
        now += look.after_seconds
        if look.state == "firing" and not opened:
            fired_at.add(now)
            opened = True
        opened = opened and not any(at == now and event.kind == "resolved" for at, event in told)
    opening = {event.episode for _, event in told if event.kind in ("warning", "critical")}
    assert opening == fired_at


@relaxed
@given(seen=looks)
def test_not_knowing_resolves_nothing_and_is_told_and_taken_back_in_turn(make: Any, seen: list[Look]) -> None:
    blind = [look if look.state == "firing" else Look(look.after_seconds, "unknown", False, 0.0) for look in seen]
    assert not [event for _, event in run(make, blind) if event.kind == "resolved"]
    sight = [event for _, event in run(make, seen) if event.kind in ("unknown", "seen")]
    for before, after in pairwise(sight):
        assert before.kind == "unknown" or after.kind == "unknown"
        if after.kind == "seen":
            assert (before.kind, before.episode) == ("unknown", after.episode)


@relaxed
@given(seen=looks)
def test_approaching_is_not_told_again_within_its_rest(make: Any, seen: list[Look]) -> None:
    notices = [at for at, event in run(make, seen) if event.kind == "approaching"]
    assert all(after - before >= WAITS.approach_settle_seconds for before, after in pairwise(notices))


@relaxed
@given(seen=looks)
def test_looking_twice_at_once_changes_nothing(make: Any, seen: list[Look]) -> None:
    memory: dict[tuple[str, str], Told] = {}
    now = make.now
    for look in seen:
        now += look.after_seconds
        points = [make.point(make.trigger(look.state, now - look.began_seconds_ago))]
        memory, _ = follow(memory, points, now, WAITS)
        again, events = follow(memory, points, now, WAITS)
        assert (again, events) == (memory, ())


def test_a_value_that_flaps_faster_than_it_settles_is_one_episode(make: Any) -> None:
    flapping = [Look(200, state, False, 0) for _ in range(20) for state in ("firing", "quiet", "approaching")]
    told = run(make, [*flapping, Look(200, "quiet", False, 0), Look(600, "quiet", False, 0)])
    assert [event.kind for _, event in told] == ["warning", "resolved"]


def test_a_break_passed_during_an_episode_is_one_more_message(make: Any) -> None:
    told = run(make, [Look(1, "firing", broken, 0) for broken in (False, True, False, True)])
    assert [event.kind for _, event in told] == ["warning", "critical"]


def test_a_break_at_once_needs_no_warning_beside_it(make: Any) -> None:
    assert [event.kind for _, event in run(make, [Look(1, "firing", True, 0)])] == ["critical"]


def test_falling_back_to_approaching_resolves_and_needs_no_notice(make: Any) -> None:
    seen = [Look(1, "firing", False, 0), *(Look(400, "approaching", False, 0) for _ in range(4))]
    assert [event.kind for _, event in run(make, seen)] == ["warning", "resolved"]


def test_a_short_gap_is_not_told(make: Any) -> None:
    assert not run(make, [Look(60, "quiet", False, 0), *(Look(200, "unknown", False, 0) for _ in range(4))])


def test_a_recovery_seen_by_the_samples_between_two_looks_is_resolved_at_the_next_look(make: Any) -> None:
    told = run(make, [Look(1, "firing", False, 0), Look(3600, "quiet", False, 3000)])
    assert [event.kind for _, event in told] == ["warning", "resolved"]


def test_what_only_confirms_has_no_message(make: Any) -> None:
    _, events = follow({}, [make.point(make.trigger("firing", confirms=True))], make.now)
    assert events == ()


@pytest.mark.parametrize("gone", ["undeclared", "confirms"])
def test_a_trigger_that_leaves_while_firing_is_closed_once(make: Any, gone: str) -> None:
    memory, _ = follow({}, [make.point(make.trigger("firing"))], make.now)
    left = [make.point(*([make.trigger("firing", confirms=True)] if gone == "confirms" else []))]
    memory, events = follow(memory, left, make.now + 60)
    assert [event.kind for event in events] == ["unwatched"]
    assert follow(memory, left, make.now + 120)[1] == ()

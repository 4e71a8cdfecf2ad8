"""Who goes first, who may go on, why it waits, and how far it is."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.migration.progress import Look, progress, rate_of
from outgrow.migration.records import Pace, TenantMove
from outgrow.migration.throttling import Pressure, throttled
from outgrow.migration.waves import may_go_on, waves_of

SIZES = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.none() | st.integers(0, 99), max_size=60)


@settings(deadline=None)
@given(SIZES, st.integers(1, 5), st.floats(1, 5))
def test_smaller_tenants_never_come_later_and_each_wave_is_larger(
    sizes: dict[str, int | None], first: int, factor: float
) -> None:
    waves = waves_of(sizes, (), first, factor)
    assert waves.keys() == sizes.keys()
    known = sorted((items, waves[tenant]) for tenant, items in sizes.items() if items is not None)
    assert [wave for _, wave in known] == sorted(wave for _, wave in known)
    unknown = [waves[tenant] for tenant, items in sizes.items() if items is None]
    assert all(wave >= last for wave in unknown for _, last in known[-1:])
    counts = [list(waves.values()).count(wave) for wave in range(1, max(waves.values(), default=0) + 1)]
    assert all(counts)
    assert counts[:1] == [min(first, len(sizes))] or not counts
    assert all(later >= earlier for earlier, later in itertools.pairwise(counts[:-1]))


def test_your_own_tenants_go_first_however_large() -> None:
    waves = waves_of({"us": 100_000, "a": 1, "b": 2, "c": 3}, {"us"}, 2)
    assert waves == {"us": 1, "a": 1, "b": 2, "c": 2}


def rows(*states: tuple[int, str, str]) -> list[TenantMove]:
    return [
        TenantMove(f"t{number}", wave, state, goal=goal, placed="7")  # type: ignore[arg-type]
        for number, (wave, state, goal) in enumerate(states)
    ]


def test_a_wave_begins_when_those_before_are_where_they_are_wanted() -> None:
    moves = rows((1, "copying", "ready"), (1, "pending", "ready"), (2, "pending", "ready"), (2, "switched", "switched"))
    assert may_go_on(moves) == (frozenset({"t0", "t1", "t3"}), "")
    done = [replace(move, state="ready") if move.wave == 1 else move for move in moves]
    assert "t2" in may_go_on(done)[0]


def test_tenants_that_nobody_wants_anywhere_hold_up_nobody() -> None:
    assert may_go_on(rows((1, "pending", "none"), (2, "pending", "ready")))[0] == {"t1"}


def test_a_mismatch_stops_later_waves_and_says_what_to_do() -> None:
    moves = rows((1, "ready", "ready"), (2, "pending", "ready"), (2, "ready", "switched"), (3, "switched", "switched"))
    moves[0] = replace(moves[0], differing=3)
    allowed, why = may_go_on(moves)
    assert allowed == {"t0", "t3"}
    assert why == (
        "t0: 3 keys differ; no wave after 1 begins. verify --tenant t0 lists them, with --repair copies them again"
    )


def test_throttling_says_why_and_what_ends_it() -> None:
    pace = Pace(stop_file="/run/stop", command="may-we", p95_limit_seconds=2.0, p95_signal="api_p95")
    fine = Pressure(p95_seconds=1.0, exit_code=0)
    assert throttled(pace, fine) == ""
    assert throttled(pace, replace(fine, stop_file=True)) == "the file /run/stop is there; remove it to go on"
    assert "ended with 3 (backup runs)" in throttled(pace, replace(fine, exit_code=3, said="backup runs\n"))
    assert throttled(pace, replace(fine, p95_seconds=3.2)) == "api_p95 is 3.2 s, above 2 s; it goes on below that"
    unknown = replace(fine, p95_seconds=None, p95_unknown="shop: it was scraped less than twice")
    assert throttled(pace, unknown) == (
        "api_p95 is not known, nor then whether the service bears more: shop: it was scraped less than twice; it goes "
        "on once it is known"
    )
    assert throttled(pace, replace(unknown, idle=True)) == "", "nobody asks, so nobody waits"
    assert throttled(pace, replace(fine, lag_seconds=9.0, lagging="t7")) == (
        "t7 is 9 s behind, more than 5 s; its changes are carried over first"
    )


def test_time_left_comes_from_what_was_copied_and_doubts_it() -> None:
    row = TenantMove("t", 1, "copying", goal="ready", items=1_000, copied=400)
    looks = [Look(float(at), copied) for at, copied in enumerate([0, 110, 190, 310, 400])]
    far = progress([row], looks)
    assert (far.copied, far.items, far.wave) == (400, 1_000, 1)
    assert far.left_seconds is not None
    assert far.left_seconds.low < 6.0 == far.left_seconds.mid < far.left_seconds.high < math.inf
    assert progress([row], looks[:2]).unknown.startswith("too little")
    assert "not known how large" in progress([replace(row, items=None)], looks).unknown
    done = progress([replace(row, copied_all=True, state="ready")], [])
    assert done.left_seconds is not None
    assert done.left_seconds.high == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**9)), max_size=20))
def test_a_rate_never_fails_and_is_never_negative(seen: list[tuple[float, int]]) -> None:
    rate = rate_of([Look(at, copied) for at, copied in sorted(seen)])
    assert rate is None or rate.low >= 0

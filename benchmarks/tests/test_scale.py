"""What `scale` reads out of its steps: where limits are passed, lines of memory, ramps, and files copied with holes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.platform.scale_index import PASSAGES_EACH, read_files, sizes_of, write_files
from benchmarks.platform.scale_report import behind, crossing, memory_line, processor_full, ramps, users_at
from outgrow.imports.ramp_records import RampRequest
from outgrow.imports.ramps import read_ramps


def step(users: int, **more: float) -> dict[str, Any]:
    plain = {
        "users": users, "p50": 0.001, "p95": 0.002, "p99": 0.003, "alone": 0.001, "late": 0.0, "seconds": 20.0,
        "busy": 0.1, "searches": 100, "resident_bytes": 1e8,
    }  # fmt: skip
    return plain | more


@given(st.integers(100, 50_000), st.integers(0, 20_000))
def test_no_venture_has_fewer_passages_with_more_users(users: int, more: int) -> None:
    few, many = sizes_of(users), sizes_of(users + more)
    assert (many[: len(few)] >= few).all()
    assert abs(few.sum() - users * PASSAGES_EACH) <= len(few)


@given(st.floats(0.01, 100.0), st.floats(0.5, 3.0))
def test_a_limit_of_a_power_law_is_passed_where_the_law_says(limit: float, power: float) -> None:
    steps = [step(users, p95=(users / 5_000) ** power) for users in (10, 1_000, 4_000, 16_000, 5_000_000)]
    wanted = 5_000 * limit ** (1 / power)
    if 10 < wanted < 5_000_000:
        assert crossing(steps, limit) == pytest.approx(wanted, rel=1e-6)


def test_what_no_step_passes_is_not_guessed() -> None:
    assert crossing([step(1_000), step(4_000)], 5.0) is None
    assert behind([step(1_000), step(4_000)], 600.0) is None


@given(st.integers(3_000, 12_000), st.floats(0.5, 0.95), st.floats(1.1, 2.0))
def test_a_queue_grows_from_where_searches_take_all_the_time(wall: int, below: float, above: float) -> None:
    low, high = int(wall * below), int(wall * above)
    each = 600.0 / wall**2  # seconds a search and user: those of `wall` users take all of each second
    kept_up = step(low, alone=each * low)
    fell = step(high, alone=each * high, late=20.0 * ((high / wall) ** 2 - 1))
    assert behind([kept_up, fell], 600.0) == pytest.approx(wall, rel=0.01)


@given(st.floats(200.0, 5_000.0), st.floats(5e7, 3e8), st.integers(0, 2**32))
def test_memory_goes_on_as_its_line_does(each: float, level: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 1e6, 4)
    users = (1_000, 4_000, 16_000, 50_000)
    steps = [step(n, resident_bytes=level + each * 20 * n + e) for n, e in zip(users, noise, strict=True)]
    low, mid, high = memory_line(steps, 20) or (0, 0, 0)
    assert low <= mid <= high
    assert mid == pytest.approx(each, rel=0.05)
    low, mid, high = users_at(steps, 20, 1e9) or (0, 0, 0)
    assert low <= mid <= high
    assert mid == pytest.approx((1e9 - level) / each / 20, rel=0.05)


def test_memory_that_stays_or_was_seen_twice_is_not_continued() -> None:
    assert memory_line([step(1_000), step(4_000), step(16_000, resident_bytes=1.1e8), step(50_000)], 20) is None
    assert memory_line([step(1_000), step(4_000, resident_bytes=2e8)], 20) is None


def test_a_processor_is_full_where_all_searches_take_a_second_of_it_a_second() -> None:
    steps = [step(n, busy=0.1 * (n / 1_000) ** 2, searches=int(20 * n / 600)) for n in (1_200, 2_400, 3_000)]
    low, mid, high = processor_full(steps, 600.0) or (0, 0, 0)
    assert mid == pytest.approx(1_000 * 10**0.5, rel=0.01)
    assert low <= mid <= high


def test_ramps_are_read_as_open_loop_over_users(tmp_path: Path) -> None:
    steps = [step(1_000), step(4_000, p95=5.5, late=20.0)]
    for name, text in ramps(steps, "2026-03-14T15:09:26Z", 600.0).items():
        (tmp_path / name).write_text(text)
        quantile = 0.95 if name == "latency" else None
        ramp = read_ramps([tmp_path / name], RampRequest("it", quantile))[0].ramp
        assert (ramp.axis, ramp.loop, ramp.levels.tolist()) == ("users", "open", [1_000, 4_000])
        assert ramp.values.tolist() == ([0.002, 5.5] if name == "latency" else [1e8, 1e8])
        if name == "latency":
            assert ramp.throughput_per_second is not None
            assert ramp.throughput_per_second == pytest.approx([1_000 / 600, 4_000 / 600 / 2], rel=1e-4)


def test_a_copied_folder_is_the_same_and_takes_no_more_room(tmp_path: Path) -> None:
    first = tmp_path / "first"
    (first / "segments" / "0").mkdir(parents=True)
    (first / "segments" / "0" / "all").write_bytes(os.urandom(10_000))
    (first / "empty").write_bytes(b"")
    with (first / "holes").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"in the middle")
        file.truncate(1 << 22)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "old").write_bytes(b"gone")
    write_files(tmp_path / "second", list(read_files(first)))
    files = {path.relative_to(first) for path in first.rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(tmp_path / "second") for path in (tmp_path / "second").rglob("*") if path.is_file()
    }
    for path in files:
        assert (first / path).read_bytes() == (tmp_path / "second" / path).read_bytes()
        assert (tmp_path / "second" / path).stat().st_blocks <= (first / path).stat().st_blocks + 8

"""Clocks: the real one, one that stands still, and one that runs faster."""

import time

import pytest

from outgrow.clock import ScaledClock, SystemClock, parse_scale
from outgrow.testing import FixedClock


def test_the_real_clock_is_the_machines() -> None:
    before = time.time()
    assert before <= SystemClock().now() <= time.time()
    assert SystemClock().scale == ""


def test_a_scaled_clock_runs_by_its_scale() -> None:
    real = FixedClock(1_000.0)
    clock = ScaledClock(5e8, "1s = 1d", real=real.now)
    assert (clock.now(), clock.scale, clock.seconds_per_second) == (5e8, "1s=1d", 86_400.0)
    real.advance(2.5)
    assert clock.now() == 5e8 + 2.5 * 86_400


def test_two_processes_agree_on_a_scaled_time() -> None:
    real = FixedClock(1_000.0)
    first = ScaledClock(5e8, "1s=1h", since=900.0, real=real.now)
    real.advance(10)
    second = ScaledClock(5e8, "1s=1h", since=900.0, real=real.now)
    assert first.now() == second.now() == 5e8 + 110 * 3600


@pytest.mark.parametrize("text", ["", "1d", "2s=1d", "1s=", "1s=soon", "1s=0s", "1s=-1d"])
def test_what_is_no_scale_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 1s=1d"):
        parse_scale(text)

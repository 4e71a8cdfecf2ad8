"""Laws of the peers and of the scoring."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.crossing import score
from benchmarks.peers import Prediction, exponential, growth_alone, predict_linear, two_stage
from benchmarks.report import Report, Table, Target, show, write_report
from benchmarks.simulator import History, simulate
from outgrow.quantities import DAY, WEEK
from outgrow.signals.series import series_of


@pytest.fixture(scope="module")
def history() -> History:
    return next(each for each in (simulate(seed, "mmc", "steady") for seed in range(100)) if each.crosses)


def with_signal(history: History, values_of_days: np.ndarray) -> History:
    times = history.now - (np.arange(values_of_days.size)[::-1] + 0.5) * DAY
    return replace(history, signal=series_of("signal", "seconds", times, values_of_days), limit=10.0)


def test_predict_linear_finds_the_end_of_a_line(history: History) -> None:
    days = np.arange(60.0)
    told = predict_linear(with_signal(history, 1 + 0.1 * days), "none")
    expected = history.now + ((10 - 1) / 0.1 - 59.5) * DAY
    assert told.mid == pytest.approx(expected, abs=DAY)
    assert told.low == pytest.approx(expected, abs=DAY)


def test_predict_linear_is_the_slope_prometheus_computes(history: History) -> None:
    """cov(x, y) / var(x) over the raw samples of the last 28 days."""
    rng = np.random.default_rng(3)
    values = 1 + 0.05 * np.arange(60.0) + rng.normal(0, 0.2, 60)
    values[:32] = 5.0  # before the window
    x, y = np.arange(28.0) - 27.5, values[-28:]
    slope, level = np.polyfit(x, y, 1)
    told = predict_linear(with_signal(history, values), "none")
    assert told.mid == pytest.approx(history.now + (10 - level) / slope * DAY, abs=1.01 * DAY)


def test_a_falling_signal_never_gets_there(history: History) -> None:
    falling = with_signal(history, 5 - 0.05 * np.arange(60.0))
    assert predict_linear(falling, "none").mid == math.inf
    assert exponential(falling, "none").mid == math.inf


def test_exponential_finds_the_end_of_an_exponential(history: History) -> None:
    values = np.exp(0.02 * np.arange(100.0)) * 0.5
    told = exponential(with_signal(history, values), "none")
    assert told.mid == pytest.approx(history.now + (math.log(20) / 0.02 - 99.5) * DAY, abs=DAY)


def test_peers_give_ordered_bounds_and_the_same_twice(history: History) -> None:
    first, second = two_stage(history, "limit"), two_stage(history, "limit")
    assert first == second
    assert first.low is not None
    assert first.mid is not None
    assert first.high is not None
    assert first.low <= first.mid <= first.high


def test_growth_alone_comes_later_for_more_users(history: History) -> None:
    near = growth_alone(history, history.users_at_limit)
    far = growth_alone(history, 1.5 * history.users_at_limit)
    assert near.mid is not None
    assert far.mid is not None
    assert near.mid < far.mid


def test_the_rules_of_the_score(history: History) -> None:
    truth, horizon = history.crossing, history.crossing - history.now
    right = Prediction(truth - WEEK, truth, truth + WEEK)
    early = Prediction(truth - horizon / 2, truth - horizon / 2, truth - horizon / 4)
    never = Prediction(math.inf, math.inf, math.inf)
    silent = Prediction(None, None, None)
    figures = score([history] * 4, [right, early, never, silent], [1.0, 2.0, 3.0, 4.0])
    assert figures.error == pytest.approx((0.5 + 2.0) / 2)
    assert figures.no_date == 0.5
    assert figures.late == pytest.approx(1 / 3)
    assert figures.coverage == pytest.approx(1 / 3)
    assert figures.silent == 0.25
    assert figures.late_or_silent == 0.5
    assert figures.seconds == 2.5


def test_a_date_for_what_never_crosses_is_counted_apart(history: History) -> None:
    quiet = replace(history, crossing=math.inf)
    dated = Prediction(history.now, history.now + WEEK, math.inf)
    far = Prediction(history.now, history.now + 200 * WEEK, math.inf)
    soon = replace(history, crossing=history.now + WEEK)
    assert score([soon], [Prediction(soon.now, soon.now + 50 * WEEK, math.inf)], []).error == 2.0
    figures = score([quiet, quiet], [dated, far], [])
    assert figures.wrongly_dated == 0.5
    assert math.isnan(figures.error)


def test_targets_are_hit_inclusively_and_missing_figures_are_said() -> None:
    assert Target("t", 0.9, 0.9, 0.78).outcome == "hit"
    assert Target("t", 0.91, 0.9, 0.78).outcome == "miss"
    assert Target("t", None, 0.9).outcome == "not measured"
    assert Target("t", math.nan, 0.9).outcome == "not measured"
    assert show(math.inf) == "∞"
    assert show(0.12345) == "0.123"
    assert show(1234567.0) == "1,234,567"


def test_a_report_says_how_it_was_made(tmp_path) -> None:
    table = Table("Rows", ("a", "b"), ((1, math.inf), ("x", None)))
    report = Report("one", "One", "python -m benchmarks one", (table,), (Target("t", 1.0, 2.0),))
    path = write_report(report, tmp_path)
    text = path.read_text()
    assert "python -m benchmarks one" in text
    assert "| t | 1.00 | ≤ 2.00 | hit |" in text
    assert '"inf"' in path.with_suffix(".json").read_text()

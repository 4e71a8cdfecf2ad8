"""Figures of a run stand for triggers, as declared."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from outgrow.experiments.figures import Figure, with_measures
from outgrow.ports import Measured

RUN = Measured(0.01, 0.05, 0.09, 200, 10, 19.0, {"own": 3.0})
GONE = Measured(math.inf, math.inf, math.inf, 200, 200, 0.0)


def test_each_trigger_reads_the_figure_that_is_declared_for_it() -> None:
    told = with_measures(RUN, {"slow": "p95_seconds", "failing": "answered_ratio", "lost": "dropped_ratio"})
    assert told.measures == pytest.approx({"own": 3.0, "slow": 0.05, "failing": 0.95, "lost": 0.05})
    assert with_measures(RUN, {}) == RUN


@pytest.mark.parametrize("figure", get_args(Figure))
def test_every_figure_is_a_number_that_can_be_kept(figure: Figure) -> None:
    assert math.isfinite(with_measures(RUN, {"t": figure}).measures["t"])
    assert all(math.isfinite(each) for each in with_measures(GONE, {"t": figure}).measures.values())


def test_what_answered_nothing_has_no_time_but_a_share() -> None:
    assert with_measures(GONE, {"slow": "p95_seconds", "failing": "answered_ratio"}).measures == {"failing": 0.0}

"""Whether a machine can judge: an arm against itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.evidence.fitness import FIT_WITHIN, fit_sentence, fitness, only_too_wide
from outgrow.evidence.records import Round


def pairs(log_ratios: list[float], dropped: int = 0) -> list[tuple[Round, Round]]:
    return [
        (Round(number, "current", 0, math.exp(each), 100, dropped), Round(number, "current", 1, 1.0, 100, dropped))
        for number, each in enumerate(log_ratios)
    ]


def test_a_quiet_machine_is_fit() -> None:
    fit = fitness("current", pairs([0.02, -0.03, 0.01, -0.01, 0.03, -0.02]))
    assert fit.why_not == ""
    assert fit_sentence(fit).startswith("This machine is fit to judge: current against itself is 0.9")


def test_an_arm_that_differs_from_itself_is_unfit_and_more_rounds_do_not_mend_it() -> None:
    fit = fitness("current", pairs([0.1, 0.11, 0.12, 0.1, 0.09, 0.11]))
    assert "though it is the same" in fit.why_not
    assert not only_too_wide(fit)
    assert "unfit to judge" in fit_sentence(fit)


def test_a_noisy_machine_is_unfit_and_more_rounds_may_mend_it() -> None:
    fit = fitness("current", pairs([0.4, -0.4, 0.3, -0.3, 0.35, -0.35]))
    assert "± 25 % is asked for" in fit.why_not
    assert only_too_wide(fit)


def test_dropped_requests_and_too_few_rounds_are_unfit() -> None:
    assert "dropped 60 of 1,200 requests" in fitness("current", pairs([0.0] * 6, dropped=5)).why_not
    assert "6 do" in fitness("current", pairs([0.0] * 5)).why_not


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=12))
def test_fit_means_one_within_and_bounds_within_a_quarter(logs: list[float]) -> None:
    fit = fitness("current", pairs(logs))
    assert fit.ratio is not None
    inside = 1 / FIT_WITHIN <= fit.ratio.low <= 1 <= fit.ratio.high <= FIT_WITHIN
    assert inside == (fit.why_not == "")


@pytest.mark.parametrize(("spread", "least", "most"), [(0.03, 0.9, 1.0), (0.5, 0.0, 0.05)])
def test_how_often_machines_of_some_noise_are_fit(spread: float, least: float, most: float) -> None:
    rng = np.random.default_rng(1)
    fit = [not fitness("a", pairs(list(spread * rng.standard_normal(6)))).why_not for _ in range(200)]
    assert least <= np.mean(fit) <= most

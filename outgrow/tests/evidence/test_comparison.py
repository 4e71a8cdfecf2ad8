"""Ratios of paired rounds: bounds that hold, thresholds that are cleared or not, and what cannot be ruled on."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from outgrow.evidence.comparison import (
    clearance,
    measured_ratios,
    rounds_needed,
    widened_ratio,
    widened_value,
)
from outgrow.evidence.intervals import (
    MOST_PAIRS,
    least_pairs,
    outermost_bounds,
    ratio_interval,
    sign_bounds,
    signed_rank_bounds,
    signed_rank_place,
    student_bounds,
    student_quantile,
)
from outgrow.evidence.records import Arm, Evidence, MeasuredRatio, ReportedRatio, Round
from outgrow.outlook.crossing import normal_quantile
from outgrow.quantities import Interval
from outgrow.signals.series import FloatArray

ARMS = (Arm("current", None), Arm("tune", "tune"), Arm("A", "A"), Arm("B", "B"))
P95 = {"current": 20.0, "tune": 1.0, "A": 1 / 8, "B": 1 / 3}

log_ratios = st.lists(st.floats(-6, 6), min_size=6, max_size=25).map(np.array)


def side_by_side(
    rounds: int = 12, *, noise: float = 0.2, seed: int = 0, p95: dict[str, float] = P95, baseline: str = "tune"
) -> Evidence:
    """Every arm in every round, in an order that changes."""
    rng = np.random.default_rng(seed)
    ran = []
    for number in range(rounds):
        for order, arm in enumerate(rng.permutation(sorted(p95))):
            seconds = p95[arm] * math.exp(noise * rng.standard_normal())
            ran.append(Round(number, str(arm), order, seconds, 1000, 0))
    arms = tuple(arm for arm in ARMS if arm.id in p95)
    return Evidence("p", 1.0, "bench", baseline, baseline == "tune", "d", arms=arms, rounds=tuple(ran))


def ratio_of(evidence: Evidence, option: str, against: str) -> MeasuredRatio:
    found = [each for each in measured_ratios(evidence, "A") if (each.option, each.against) == (option, against)]
    assert len(found) == 1
    return found[0]


def changed(evidence: Evidence, arm: str, **fields: int) -> Evidence:
    rounds = tuple(replace(each, **fields) if each.arm == arm else each for each in evidence.rounds)
    return replace(evidence, rounds=rounds)


# What is compared


def test_the_option_of_the_rule_over_the_tuned_service_comes_first() -> None:
    found = measured_ratios(side_by_side(), "A")
    assert [(each.option, each.against, each.tuned) for each in found] == [
        ("A", "tune", True),
        ("A", "current", False),
        ("A", "B", False),
        ("B", "tune", True),
        ("tune", "current", False),
        ("B", "current", False),
    ]
    assert all(each.rounds == 12 and each.ratio is not None and each.ratio.confidence == 0.95 for each in found)


def test_the_declared_baseline_is_tuned_where_the_evidence_says_so() -> None:
    for arms in (ARMS, ARMS[::-1]):
        evidence = replace(side_by_side(), arms=arms, baseline="current", baseline_tuned=True)
        found = measured_ratios(evidence, "A")
        assert [(each.against, each.tuned) for each in found[:2]] == [("current", True), ("tune", True)]


@given(st.integers(0, 99))
def test_swapping_the_arms_inverts_the_ratio(seed: int) -> None:
    evidence = side_by_side(seed=seed)
    swapped = replace(evidence, arms=(Arm("tune", "A"), Arm("A", "tune")), baseline="A")
    one, other = ratio_of(evidence, "A", "tune").ratio, ratio_of(swapped, "A", "tune").ratio
    if one is None or other is None:  # not steady in either
        assert one is other is None
        return
    assert (one.low, one.mid, one.high) == pytest.approx((1 / other.high, 1 / other.mid, 1 / other.low))


@given(st.integers(0, 99), st.floats(0.01, 100))
def test_a_slower_machine_changes_nothing(seed: int, factor: float) -> None:
    evidence = side_by_side(seed=seed)
    slower = replace(
        evidence, rounds=tuple(replace(each, p95_seconds=each.p95_seconds * factor) for each in evidence.rounds)
    )
    one, other = ratio_of(evidence, "A", "tune").ratio, ratio_of(slower, "A", "tune").ratio
    assume(one is not None and other is not None)
    assert one is not None
    assert other is not None
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_rounds_are_paired_so_that_what_disturbed_both_disturbs_nothing() -> None:
    evidence = side_by_side(noise=0.0)
    weather = np.random.default_rng(1).lognormal(0, 3, 12)
    disturbed = tuple(replace(each, p95_seconds=each.p95_seconds * weather[each.round]) for each in evidence.rounds)
    ratio = ratio_of(replace(evidence, rounds=disturbed), "A", "tune").ratio
    assert ratio is not None
    assert (ratio.low, ratio.high) == pytest.approx((8, 8))


def test_a_round_that_lacks_an_arm_is_left_out_and_counted() -> None:
    evidence = side_by_side()
    lacking = tuple(each for each in evidence.rounds if (each.round, each.arm) not in {(2, "A"), (7, "tune")})
    found = ratio_of(replace(evidence, rounds=lacking), "A", "tune")
    assert found.rounds == 10
    assert "2 rounds left out, as one of A and tune did not run" in found.remarks
    assert ratio_of(replace(evidence, rounds=lacking), "B", "current").remarks == ()


def test_an_order_that_never_changes_is_remarked_on() -> None:
    evidence = side_by_side(p95={"tune": 1.0, "A": 0.1})
    for first, second in (("tune", "A"), ("A", "tune")):
        fixed = tuple(replace(each, order=int(each.arm == second)) for each in evidence.rounds)
        (remark,) = ratio_of(replace(evidence, rounds=fixed), "A", "tune").remarks
        assert remark.startswith(f"{first} ran before {second} in every round")
    assert ratio_of(evidence, "A", "tune").remarks == ()


@pytest.mark.parametrize("arm", ["A", "tune"])
def test_an_arm_that_dropped_requests_is_not_faster(arm: str) -> None:
    evidence = side_by_side()
    assert ratio_of(changed(evidence, arm, dropped=10), "A", "tune").ratio is not None
    found = ratio_of(changed(evidence, arm, dropped=11), "A", "tune")
    assert found.ratio is None
    assert f"{arm} dropped 132 of 12,000 requests" in found.why_not
    assert ratio_of(changed(evidence, arm, dropped=11), "B", "current").ratio is not None


@pytest.mark.parametrize(("arm", "other"), [("A", "tune"), ("tune", "A")])
def test_an_arm_that_had_less_to_do_is_not_faster(arm: str, other: str) -> None:
    evidence = side_by_side()
    assert ratio_of(changed(evidence, arm, sent=900), "A", "tune").ratio is not None
    found = ratio_of(changed(evidence, arm, sent=899), "A", "tune")
    assert found.ratio is None
    assert f"{arm} was sent 10,788 requests and {other} 12,000" in found.why_not


@pytest.mark.parametrize(
    ("rounds", "said"), [(0, "no round has both arms"), (1, "only 1 round with"), (5, "only 5 rounds with both arms")]
)
def test_too_few_rounds_bound_nothing(rounds: int, said: str) -> None:
    found = ratio_of(side_by_side(rounds), "A", "tune")
    assert found.ratio is None
    assert said in found.why_not
    assert "needs 6" in found.why_not
    assert ratio_of(side_by_side(6), "A", "tune").ratio is not None


def test_more_rounds_than_are_compared_are_refused() -> None:
    found = ratio_of(side_by_side(MOST_PAIRS + 1, p95={"tune": 1.0, "A": 0.1}), "A", "tune")
    assert found.ratio is None
    assert "1,001 rounds are more than the 1,000" in found.why_not


@pytest.mark.parametrize("sign", [1, -1])
def test_a_ratio_that_rises_or_falls_along_the_rounds_is_refused(sign: int) -> None:
    evidence = side_by_side(20)
    warming = tuple(
        replace(each, p95_seconds=each.p95_seconds * math.exp(sign * 0.1 * each.round)) if each.arm == "A" else each
        for each in evidence.rounds
    )
    found = ratio_of(replace(evidence, rounds=warming), "A", "tune")
    assert found.ratio is None
    assert "the ratio was not steady" in found.why_not


def test_one_in_a_hundred_steady_ratios_is_refused() -> None:
    refused = sum(ratio_of(side_by_side(20, seed=seed), "A", "tune").ratio is None for seed in range(400))
    assert 0 < refused <= 12  # 4 expected; 12 or more: 1 in 1,000


def test_a_reported_ratio_is_ruled_on_at_95_per_cent() -> None:
    reported = (ReportedRatio("", Interval(6.0, 8.0, 10.0, 0.8)),)
    evidence = Evidence("p", 1.0, "a colleague", "tune", True, "d", reported=reported)
    (found,) = measured_ratios(evidence, "A")
    assert (found.option, found.against, found.tuned, found.rounds) == ("A", "tune", True, 0)
    factor = 1.959964 / 1.281552
    assert found.ratio is not None
    assert found.ratio.low == pytest.approx(8 * (6 / 8) ** factor, rel=1e-5)
    assert found.ratio.high == pytest.approx(8 * (10 / 8) ** factor, rel=1e-5)


# Thresholds


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (5.0, 9.0, "above"),
        (math.nextafter(5, 0), 9.0, "unclear"),
        (4.9999, 9.0, "unclear"),
        (1.0, 2.0, "below"),
        (1.0, math.nextafter(2, 3), "unclear"),
        (math.nextafter(2, 3), math.nextafter(5, 0), "inside"),
        (2.0, 4.0, "unclear"),
        (3.0, 5.0, "unclear"),
        (1.0, 9.0, "unclear"),
        (5.0, 5.0, "above"),
        (2.0, 2.0, "below"),
    ],
)
def test_a_bound_clears_a_threshold_or_it_does_not(low: float, high: float, said: str) -> None:
    assert clearance(Interval(low, (low + high) / 2, high, 0.95), 5, 2) == said


@given(st.floats(0.1, 50), st.floats(0, 3), st.floats(0, 3), st.floats(0, 3), st.floats(0, 3))
def test_a_wider_interval_clears_nothing_more(mid: float, a: float, b: float, c: float, d: float) -> None:
    narrow = Interval(mid * math.exp(-a), mid, mid * math.exp(b), 0.95)
    wide = Interval(narrow.low * math.exp(-c), mid, narrow.high * math.exp(d), 0.95)
    assert clearance(wide, 5, 2) in (clearance(narrow, 5, 2), "unclear")


@given(st.floats(0.3, 30), st.floats(0.01, 3), st.integers(6, 40))
def test_the_rounds_that_are_said_to_settle_it_settle_it(mid: float, width: float, rounds: int) -> None:
    ratio = Interval(mid * math.exp(-width), mid, mid * math.exp(width), 0.95)
    assume(clearance(ratio, 5, 2) == "unclear")
    needed = rounds_needed(ratio, rounds, 5, 2)
    if needed is None:
        needed = MOST_PAIRS
        assume(abs(math.log(mid / 5)) > 1e-6)
        assume(abs(math.log(mid / 2)) > 1e-6)
        then = width * math.sqrt(rounds / needed)
        assert clearance(Interval(mid * math.exp(-then), mid, mid * math.exp(then), 0.95), 5, 2) == "unclear"
        return
    assert needed > rounds
    then = width * math.sqrt(rounds / needed) * (1 - 1e-9)
    assert clearance(Interval(mid * math.exp(-then), mid, mid * math.exp(then), 0.95), 5, 2) != "unclear"


@given(st.floats(0.01, 100), st.floats(0, 5), st.floats(0, 5), st.floats(0.5, 0.999))
def test_widening_never_narrows(mid: float, down: float, up: float, confidence: float) -> None:
    given_ratio = Interval(mid * math.exp(-down), mid, mid * math.exp(up), confidence)
    for widened in (widened_ratio(given_ratio, 0.95), widened_value(given_ratio, 0.95)):
        assert widened.low <= given_ratio.low
        assert widened.high >= given_ratio.high
        assert widened.confidence >= 0.95
        if confidence >= 0.95:
            assert widened == given_ratio


def test_a_value_of_zero_and_an_endless_one_can_be_widened() -> None:
    assert widened_value(Interval(0, 0, 1, 0.8), 0.95).high == pytest.approx(1.529, abs=0.001)
    assert widened_value(Interval(0, 1e-300, 1e300, 0.5), 0.95).high == math.inf
    assert widened_value(Interval(1, 2, math.inf, 0.8), 0.95).high == math.inf


# Intervals


def test_signed_ranks_have_their_exact_distribution() -> None:
    """Counted out over all signs; 1.56 % for six rounds that all agree."""
    for n in range(6, 13):
        sums = sorted(sum(ranks) for ranks in itertools.product(*((0, rank) for rank in range(1, n + 1))))
        place = signed_rank_place(n, 0.025)
        assert sum(total <= place for total in sums) <= 0.025 * 2**n < sum(total <= place + 1 for total in sums)


def test_the_normal_approximation_takes_over_where_it_was_exact() -> None:
    for n in (101, 150):
        exact = np.ones(1)
        for rank in range(1, n + 1):
            exact = np.convolve(exact, np.concatenate([[0.5], np.zeros(rank - 1), [0.5]]))
        right = int(np.searchsorted(np.cumsum(exact), 0.025, side="right")) - 1
        assert right - 5 <= signed_rank_place(n, 0.025) <= right


@pytest.mark.parametrize(("freedom", "known"), [(1, 12.7062), (5, 2.57058), (11, 2.20099), (39, 2.02269)])
def test_quantiles_of_student_are_the_tabled_ones(freedom: int, known: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(known, rel=1e-4)


def test_bounds_of_student_are_those_of_a_textbook() -> None:
    low, high = student_bounds(np.arange(1.0, 7.0)[None, :], 0.95)
    assert (low[0], high[0]) == pytest.approx((3.5 - 2.57058 * 0.763763, 3.5 + 2.57058 * 0.763763), rel=1e-4)


def test_six_rounds_are_the_fewest_that_bound_at_95_per_cent() -> None:
    assert [least_pairs(confidence) for confidence in (0.8, 0.9, 0.95, 0.99)] == [4, 5, 6, 8]
    assert ratio_interval(np.zeros(5), 0.95) is None
    with pytest.raises(ValueError, match="5 pairs"):
        outermost_bounds(np.zeros((2, 5)), 0.95)


@given(log_ratios)
def test_the_outermost_bounds_hold_all_others(values: FloatArray) -> None:
    rows = values[None, :]
    low, _, high = outermost_bounds(rows, 0.95)
    rank_low, mid, rank_high = signed_rank_bounds(rows, 0.95)
    for others_low, others_high in ((rank_low, rank_high), sign_bounds(rows, 0.95), student_bounds(rows, 0.95)):
        assert low[0] <= others_low[0]
        assert high[0] >= others_high[0]
    assert low[0] <= mid[0] <= high[0]


@given(log_ratios)
def test_more_confidence_never_narrows(values: FloatArray) -> None:
    rows = values[None, :]
    low, _, high = outermost_bounds(rows, 0.9)
    surer_low, _, surer_high = outermost_bounds(rows, 0.95)
    assert surer_low[0] <= low[0] + 1e-12
    assert surer_high[0] >= high[0] - 1e-12


@given(log_ratios, st.integers(2, 4))
def test_the_same_rounds_again_never_widen(values: FloatArray, times: int) -> None:
    low, _, high = outermost_bounds(values[None, :], 0.95)
    more_low, _, more_high = outermost_bounds(np.tile(values, times)[None, :], 0.95)
    assert more_low[0] >= low[0] - 1e-12
    assert more_high[0] <= high[0] + 1e-12


@pytest.mark.parametrize("noise", ["normal", "skewed"])
def test_more_rounds_of_the_same_process_narrow(noise: str) -> None:
    rng = np.random.default_rng(2)
    widths = []
    for rounds in (6, 8, 12, 20, 40):
        drawn = rng.standard_normal((2000, rounds)) if noise == "normal" else rng.exponential(1, (2000, rounds))
        low, _, high = outermost_bounds(drawn, 0.95)
        widths.append(float(np.median(high - low)))
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("rounds", [6, 7, 9, 14, 25])
def test_a_bound_is_wrong_in_at_most_one_of_forty(rounds: int) -> None:
    """Also where the noise is skewed; the limit leaves room for three standard errors of 20,000 draws."""
    rng = np.random.default_rng([3, rounds])
    shape = (20_000, rounds)
    draws = {
        "normal": rng.standard_normal(shape),
        "one-sided": rng.exponential(1, shape) - math.log(2),
        "heavy": np.exp(rng.standard_normal(shape)) - 1,
    }
    for name, drawn in draws.items():
        low, _, high = outermost_bounds(drawn, 0.95)
        assert np.mean(low > 0) <= 0.025 + 0.0033, name
        assert np.mean(high < 0) <= 0.025 + 0.0033, name


def test_one_confidence_is_widened_to_another_by_normal_quantiles() -> None:
    assert normal_quantile(0.975) / normal_quantile(0.9) == pytest.approx(1.52937, rel=1e-4)

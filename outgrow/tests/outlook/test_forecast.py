"""The laws of a forecast, and what it says instead of a date."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from outgrow.outlook.forecast import digest_of, forecast, forecast_many
from outgrow.outlook.records import Forecast, ForecastInputs
from outgrow.quantities import DAY, WEEK, Interval
from outgrow.signals.series import FloatArray, Ramp, Series, series_of

Make = Callable[..., ForecastInputs]
DRAWS = 200
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def scaled(series: Series, factor: float) -> Series:
    return replace(series, values=series.values * factor)


def numbers_of(told: Forecast) -> list[float]:
    intervals = [told.growth_per_month, told.warn.users_at_limit, told.warn.crossing, told.breaks.estimate]
    found = [value for each in intervals if each for value in (each.low, each.mid, each.high)]
    arrays = [*(getattr(told.fan, name) for name in ("times", "p10", "p50", "p90"))] if told.fan else []
    if told.curve:
        arrays += [told.curve.driver_values, told.curve.p10, told.curve.p50, told.curve.p90]
    return found + [float(value) for array in arrays for value in array]


def test_names_users_and_date_of_a_known_queue(make: Make, ramp: Ramp) -> None:
    told = forecast(make(ramps=(ramp,), breaks_at=None))
    busy_users = 90 / (0.01 * 1.04)  # .5 s is reached at 90/s; the busy load is 4 % above that of a weekday
    assert told.warn.verdict == "dated"
    assert told.warn.users_at_limit is not None
    assert told.warn.crossing is not None
    assert told.warn.users_at_limit.mid == pytest.approx(busy_users, rel=0.04)
    truth = make().now + math.log(busy_users / 4000) / 0.015 * WEEK
    assert told.warn.crossing.low < truth < told.warn.crossing.high
    assert told.warn.crossing.mid == pytest.approx(truth, abs=10 * WEEK)


@few
@given(lower=st.floats(0.06, 3), factor=st.floats(1, 4), seed=st.integers(0, 3), with_ramp=st.booleans())
def test_a_higher_limit_is_never_crossed_sooner(
    make: Make, ramp: Ramp, lower: float, factor: float, seed: int, with_ramp: bool
) -> None:
    inputs = make(seed=seed, threshold=lower, breaks_at=lower * factor, ramps=(ramp,) if with_ramp else ())
    told = forecast(inputs, draws=DRAWS)
    apart = forecast(replace(inputs, threshold=lower * factor, breaks_at=None), draws=DRAWS)
    assert told.breaks == apart.warn
    for name in ("users_at_limit", "estimate"):
        first, second = getattr(told.warn, name), getattr(told.breaks, name)
        if told.warn.probability == 1.0 and first.high == inputs.now:
            continue  # reached already: said as now, whatever single draws say
        assert first.low <= second.low
        assert first.mid <= second.mid
        assert first.high <= second.high
    assert told.warn.probability >= told.breaks.probability


@few
@given(
    signal=st.sampled_from([1e-3, 0.7, 1000.0, 1024.0]), load=st.sampled_from([1e-2, 3.0, 60.0]), seed=st.integers(0, 3)
)
def test_a_change_of_units_changes_nothing(make: Make, ramp: Ramp, signal: float, load: float, seed: int) -> None:
    plain = make(seed=seed, ramps=(ramp,))
    assert plain.load is not None
    assert plain.breaks_at is not None
    other = replace(
        plain,
        signal=scaled(plain.signal, signal),
        load=scaled(plain.load, load),
        threshold=plain.threshold * signal,
        breaks_at=plain.breaks_at * signal,
        ramps=(replace(ramp, levels=ramp.levels * load, values=ramp.values * signal),),
    )
    first, second = forecast(plain, draws=DRAWS), forecast(other, draws=DRAWS)
    for mine, theirs in ((first.warn, second.warn), (first.breaks, second.breaks)):
        assert mine.verdict == theirs.verdict
        assert mine.users_at_limit is not None
        assert theirs.users_at_limit is not None
        assert mine.estimate is not None
        assert theirs.estimate is not None
        for field in ("low", "mid", "high"):
            assert getattr(mine.users_at_limit, field) == pytest.approx(getattr(theirs.users_at_limit, field), rel=1e-6)
            ahead = getattr(mine.estimate, field) - plain.now
            assert ahead == pytest.approx(getattr(theirs.estimate, field) - plain.now, rel=1e-5, abs=60)


@few
@example(slower=0.0078125, faster=1e-7, seed=0)  # once a week apart, by the noise of the draws
@given(slower=st.floats(0.004, 0.03), faster=st.floats(0, 0.02), seed=st.integers(0, 3))
def test_faster_growth_to_the_same_users_never_crosses_later(
    make: Make, slower: float, faster: float, seed: int
) -> None:
    def when(growth: float) -> float:
        inputs = make(growth_per_week=growth, seed=seed, breaks_at=None)
        signal = series_of("memory", "bytes", inputs.users.times, 1e6 * inputs.users.values)
        resource = replace(inputs, signal=signal, driver="users", family="resource", load=None, threshold=6e9)
        estimate = forecast(resource, draws=DRAWS).warn.estimate
        assert estimate is not None
        return estimate.mid

    assert when(slower + faster) <= when(slower) + WEEK / 2


def test_the_same_inputs_give_the_same_forecast(make: Make, ramp: Ramp) -> None:
    inputs = make(ramps=(ramp,), lead_time_weeks=Interval(2, 3, 5))
    first, second = forecast(inputs), forecast(make(ramps=(ramp,), lead_time_weeks=Interval(2, 3, 5)))
    assert numbers_of(first) == numbers_of(second)
    assert (first.digest, first.start_by, first.steps) == (second.digest, second.start_by, second.steps)


def test_a_forecast_changes_when_a_week_completes_and_not_before(make: Make) -> None:
    inputs = make(weeks=40)
    monday = inputs.now - DAY / 2
    assert monday % WEEK == 4 * DAY
    midweek = replace(inputs, now=monday + 3 * DAY)
    for series in ("users", "load", "signal"):
        old = getattr(midweek, series)
        more = series_of(old.name, old.unit, np.append(old.times, monday + 2 * DAY), np.append(old.values, 1e9))
        midweek = replace(midweek, **{series: more})
    assert digest_of(midweek) == digest_of(replace(inputs, now=monday)) == forecast(midweek).digest
    assert forecast(midweek).warn.users_at_limit == forecast(replace(inputs, now=monday)).warn.users_at_limit
    assert digest_of(replace(midweek, now=monday + 7 * DAY)) != digest_of(midweek)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.6},
        {"breaks_at": None},
        {"normal_load_only": True},
        {"lead_time_weeks": Interval(1, 2, 3)},
        {"horizon_weeks": 52},
        {"family": "resource"},
    ],
)
def test_every_setting_is_in_the_digest(make: Make, change: dict[str, object]) -> None:
    assert digest_of(make()) != digest_of(make(**change))


def test_a_ramp_is_in_the_digest_and_narrows_the_users_at_the_limit(make: Make, ramp: Ramp) -> None:
    without, joined = forecast(make()), forecast(make(ramps=(ramp,)))
    assert without.digest != joined.digest
    assert without.breaks.users_at_limit is not None
    assert joined.breaks.users_at_limit is not None
    before = without.breaks.users_at_limit.high / without.breaks.users_at_limit.low
    after = joined.breaks.users_at_limit.high / joined.breaks.users_at_limit.low
    assert after < 0.6 * before


def test_many_at_once_are_the_same_as_one_by_one(make: Make, ramp: Ramp) -> None:
    inputs = [make(ramps=(ramp,)), make(threshold=0.2, breaks_at=None), make(seed=1), make(weeks=5)]
    together, apart = forecast_many(inputs, draws=DRAWS), [forecast(each, draws=DRAWS) for each in inputs]
    assert [numbers_of(each) for each in together] == [numbers_of(each) for each in apart]
    assert [each.digest for each in together] == [each.digest for each in apart]


def test_the_picture_is_filled_and_modest(make: Make, ramp: Ramp) -> None:
    told = forecast(make(ramps=(ramp,)))
    assert told.fan is not None
    assert told.curve is not None
    assert told.history is not None
    assert max(told.fan.times.size, told.curve.driver_values.size, len(told.history)) <= 200
    assert np.all(told.fan.p10 <= told.fan.p50)
    assert np.all(told.fan.p50 <= told.fan.p90)
    assert np.all(np.diff(told.curve.p50) >= 0)
    assert told.curve.ramp_driver.size == ramp.levels.size
    assert 6 <= len(told.steps) <= 10
    assert not np.isnan(numbers_of(told)).any()
    assert told.warn.doubt is not None
    assert told.warn.doubt.growth + told.warn.doubt.curve == pytest.approx(1)


def test_start_by_is_the_early_bound_less_the_lead_time(make: Make, ramp: Ramp) -> None:
    exact = forecast(make(ramps=(ramp,), lead_time_weeks=Interval(4, 4, 4)))
    longer = forecast(make(ramps=(ramp,), lead_time_weeks=Interval(6, 6, 6)))
    assert exact.breaks.crossing is not None
    assert exact.start_by == pytest.approx(exact.breaks.crossing.low - 4 * WEEK)
    assert longer.start_by == pytest.approx(exact.breaks.crossing.low - 6 * WEEK)
    assert forecast(make(ramps=(ramp,))).start_by is None


def test_a_limit_reached_already_is_dated_now(make: Make, ramp: Ramp) -> None:
    told = forecast(make(threshold=0.06, ramps=(ramp,)))
    now = make().now
    assert told.warn.verdict == "dated"
    assert told.warn.probability == 1
    assert told.warn.crossing == Interval(now, now, now)


def test_below_is_the_mirror_of_above(make: Make) -> None:
    def failing(load: FloatArray) -> FloatArray:
        return 0.01 + 0.04 * (load / 60) ** 2

    above = make(curve=failing, noise=0.01, threshold=0.05, breaks_at=0.1, family="resource")
    above = replace(above, signal=replace(above.signal, unit="ratio"))
    success = replace(above.signal, values=1 - above.signal.values)
    below = replace(above, signal=success, direction="below", threshold=0.95, breaks_at=0.9)
    first, second = forecast(above), forecast(below)
    assert second.warn.users_at_limit is not None
    assert first.warn.users_at_limit is not None
    assert second.warn.users_at_limit.mid == pytest.approx(first.warn.users_at_limit.mid, rel=1e-6)
    assert second.warn.limit == 0.95
    assert second.curve is not None
    assert np.all(np.diff(second.curve.p50) <= 0)
    assert np.all(second.curve.p10 <= second.curve.p90)


def test_below_without_a_ratio_is_turned_by_negation(make: Make) -> None:
    def throughput_left(load: FloatArray) -> FloatArray:
        return 1000 - 8 * load

    inputs = make(curve=throughput_left, noise=0.002, direction="below", threshold=400.0, breaks_at=None)
    told = forecast(replace(inputs, family="resource", signal=replace(inputs.signal, unit="connections")))
    assert told.warn.users_at_limit is not None
    assert told.warn.users_at_limit.mid == pytest.approx(75 / 0.0103, rel=0.05)


def test_normal_load_is_judged_later_than_busy_load(make: Make, ramp: Ramp) -> None:
    busy, normal = (forecast(make(ramps=(ramp,), normal_load_only=flag)).warn.users_at_limit for flag in (False, True))
    assert busy is not None
    assert normal is not None
    assert normal.mid > busy.mid


def refusal_of(told: Forecast) -> tuple[str, str]:
    assert told.breaks.refusal is not None
    assert told.breaks.refusal.next_step
    return told.breaks.verdict, told.breaks.refusal.code


EMPTY = series_of("nothing", "", [], [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"users": EMPTY}, "no-users"),
        ({"load": None}, "no-load"),
        ({"load": EMPTY}, "no-load"),
        ({"signal": EMPTY}, "no-signal"),
        ({"weeks": 9}, "too-short"),
    ],
)
def test_what_is_missing_is_said(make: Make, change: dict[str, object], code: str) -> None:
    told = forecast(make(**change))
    assert refusal_of(told) == ("unknown", code)
    assert told.breaks.users_at_limit is None
    assert digest_of(make(**change)) == told.digest


def test_too_short_counts_what_is_missing(make: Make) -> None:
    told = forecast(make(weeks=9))
    assert told.warn.refusal is not None
    assert "covers 9 complete weeks" in told.warn.refusal.reason
    assert "3 complete weeks are missing" in told.warn.refusal.reason


def test_constant_load_has_too_few_levels(make: Make) -> None:
    inputs = make()
    assert inputs.load is not None
    flat = replace(inputs.load, values=np.full(len(inputs.load), 3.0))
    assert refusal_of(forecast(replace(inputs, load=flat))) == ("unknown", "too-few-levels")


def test_a_recent_shift_refuses_and_a_ramp_made_since_answers(make: Make, ramp: Ramp) -> None:
    inputs = make(weeks=40)
    deployed = inputs.now - 17 * DAY
    values = np.where(inputs.signal.times >= deployed, 1.5, 1.0) * inputs.signal.values
    shifted = replace(inputs, signal=replace(inputs.signal, values=values))
    told = forecast(shifted)
    assert refusal_of(told) == ("unknown", "recent-shift")
    assert told.warn.refusal is not None
    assert "are missing" in told.warn.refusal.reason
    since = replace(ramp, values=1.5 * ramp.values, made_at=inputs.now - DAY)
    assert forecast(replace(shifted, ramps=(since,))).breaks.verdict in ("dated", "range")


def test_a_curve_that_does_not_reach_the_limit_asks_for_a_ramp(make: Make) -> None:
    told = forecast(make(noise=0.1, users_now=2_500, curve=lambda load: 0.05 + 0 * load, horizon_weeks=520))
    assert refusal_of(told) == ("unknown", "not-knowable-yet")
    assert told.breaks.users_at_limit is not None
    assert told.breaks.users_at_limit.low > 2_500
    assert told.breaks.crossing is None
    assert told.breaks.estimate is not None
    assert told.breaks.refusal is not None
    assert "run a ramp to the limit, then `outgrow import ramp.csv`" in told.breaks.refusal.next_step.lower()


def test_growth_that_predicts_nothing_gives_users_only(make: Make, ramp: Ramp) -> None:
    inputs = make(growth_per_week=0.0, ramps=(ramp,))
    jitter = np.random.default_rng(5).normal(0, 0.05, len(inputs.users) // 7).repeat(7)
    users = replace(inputs.users, values=8_400 * np.exp(jitter))
    told = forecast(replace(inputs, users=users, load=replace(inputs.load, values=users.values * 0.01)))
    assert told.breaks.users_at_limit is not None
    assert refusal_of(told) in (("users-only", "no-growth-evidence"), ("users-only", "no-crossing"))


def test_no_crossing_within_the_horizon_gives_users_only(make: Make, ramp: Ramp) -> None:
    told = forecast(make(ramps=(ramp,), growth_per_week=0.002, horizon_weeks=52))
    assert refusal_of(told) == ("users-only", "no-crossing")
    assert told.breaks.crossing is None
    assert told.breaks.probability is not None
    assert told.breaks.probability < 0.5


def test_a_closed_loop_is_labelled_and_never_joins_production(make: Make) -> None:
    clients = np.array([1.0, 2, 4, 8, 16, 32])
    served = np.array([18.0, 35, 60, 80, 90, 90.5])
    closed = Ramp("k6", "p95", "concurrency", clients, clients / served, "closed", make().now, served)
    told, without = forecast(make(ramps=(closed,))), forecast(make())
    assert told.closed_loop_ramp
    assert told.breaks == without.breaks
    assert any("is kept apart" in step for step in told.steps)


def test_a_closed_loop_alone_is_read_by_its_throughput(make: Make) -> None:
    clients = np.array([1.0, 2, 4, 8, 16, 32])
    served = np.array([18.0, 35, 60, 80, 90, 90.5])
    closed = Ramp("k6", "p95", "concurrency", clients, clients / served, "closed", make().now, served)
    nothing = series_of("p95", "seconds", [], [])
    told = forecast(make(ramps=(closed,), signal=nothing))
    assert told.curve is not None
    assert told.curve.ramp_driver.tolist() == served[:5].tolist()
    assert any("closed loop read by its throughput" in step for step in told.steps)
    unread = forecast(make(ramps=(replace(closed, throughput_per_second=None),), signal=nothing))
    assert unread.breaks.verdict == "unknown"


def test_a_ramp_alone_stands_in_for_a_missing_signal(make: Make, ramp: Ramp) -> None:
    told = forecast(make(signal=series_of("p95", "seconds", [], []), ramps=(ramp,)))
    assert told.breaks.verdict in ("dated", "range")
    assert any("rests on the ramp alone" in step for step in told.steps)


def test_simulated_data_is_named(make: Make, ramp: Ramp) -> None:
    inputs = make(ramps=(replace(ramp, origin="imported"),))
    told = forecast(replace(inputs, users=replace(inputs.users, origin="simulated")))
    assert set(told.origins) == {"simulated", "measured", "imported"}


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_data_raises(data: st.DataObject) -> None:
    value = st.sampled_from([0.0, 1.0, -1.0, 5.0, 1e-9, 1e12])
    start, step = 1.6e9, data.draw(st.sampled_from([DAY, WEEK]))

    def drawn(name: str, unit: str) -> Series:
        values = data.draw(st.lists(value, max_size=6))
        repeat = data.draw(st.integers(1, 30))
        return series_of(name, unit, start + step * np.arange(len(values) * repeat), np.tile(values, repeat))

    inputs = ForecastInputs(
        users=drawn("users", "users"),
        load=drawn("load", "per_second"),
        signal=drawn("signal", data.draw(st.sampled_from(["seconds", "ratio"]))),
        driver=data.draw(st.sampled_from(["load", "users"])),
        family=data.draw(st.sampled_from(["latency", "resource"])),
        direction=data.draw(st.sampled_from(["above", "below"])),
        threshold=data.draw(value),
        breaks_at=None,
        now=start + data.draw(st.sampled_from([0, 100, 300])) * DAY,
        utilisation=drawn("busy", "ratio"),
    )
    told = forecast(inputs, draws=30)
    assert told.digest == digest_of(inputs)
    assert not np.isnan(numbers_of(told)).any()


def test_a_curve_that_contradicts_the_highest_loads_gives_no_date(make: Callable[..., ForecastInputs]) -> None:
    def falls_at_the_top(load: FloatArray) -> FloatArray:
        return np.where(load < 0.75 * load.max(), 0.05 * np.exp(load / 12), 0.12)

    made = forecast(make(curve=falls_at_the_top))
    assert made.breaks.verdict == "unknown"
    assert made.breaks.refusal is not None
    assert made.breaks.refusal.code == "curve-does-not-fit"
    assert "below the curve" in made.breaks.refusal.reason

"""Growth in a few steps, as a load test or a demonstration makes it: no date while the wall is far, then one."""

from __future__ import annotations

import numpy as np

from outgrow.outlook.forecast import forecast
from outgrow.outlook.records import Crossing, ForecastInputs
from outgrow.quantities import DAY
from outgrow.signals.series import series_of

START = 1_609_718_400.0
USERS = (250, 320, 410, 520, 660, 840, 1070, 1360)
WALL = 1518.0
"""Users at which a queue that is full at 1,725 users takes .1 s, where nothing waiting takes 12 ms."""


def after(steps: int, seed: int, noise: float = 0.2) -> Crossing:
    """12 samples a step, two days apart, the last 8 of them under load: 24 days a step."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.array(USERS[:steps], dtype=np.float64), 12)
    times = START + np.arange(users.size) * 2 * DAY
    busy = np.arange(users.size) % 12 >= 4
    load = users[busy] / 22 * np.exp(0.05 * rng.standard_normal(busy.sum()))
    p95 = 0.012 / (1 - users[busy] / 1725) * np.exp(noise * rng.standard_normal(busy.sum()))
    return forecast(
        ForecastInputs(
            users=series_of("users", "users", times, users),
            load=series_of("requests", "per_second", times[busy], load),
            signal=series_of("p95", "seconds", times[busy], p95),
            driver="load",
            family="latency",
            direction="above",
            threshold=0.05,
            breaks_at=0.1,
            now=float(times[-1]) + DAY,
        )
    ).breaks


def holds(found: Crossing) -> bool:
    """The wall lies within the users at the limit."""
    at = found.users_at_limit
    return at is not None and at.low <= WALL <= at.high


def test_far_from_the_wall_users_are_bounded_rightly_and_hardly_any_date_is_said() -> None:
    """The bounds are of 80 %. What bends no further than to twice its rest says little of eight times."""
    found = [after(6, seed) for seed in range(10)]
    assert sum(each.verdict == "dated" for each in found) <= 2
    assert {each.refusal.code for each in found if each.refusal} <= {"not-knowable-yet", "wide"}
    assert sum(map(holds, found)) >= 8


def test_near_the_wall_most_have_a_date_and_it_holds() -> None:
    found = [after(8, seed) for seed in range(10)]
    assert sum(each.verdict == "dated" for each in found) >= 8
    assert sum(map(holds, found)) >= 8

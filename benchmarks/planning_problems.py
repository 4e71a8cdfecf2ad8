"""Problems to plan: realistic ones of any size, and small ones that can be solved by trying everything."""

from __future__ import annotations

import numpy as np

from outgrow.schedule.records import NEVER, Problem

GAP = 183


def realistic(rewrites: int, scenarios: int, seed: int, *, tightness: float = 1.0, calendar: bool = False) -> Problem:
    """Rewrites of one growing service, one person free for them.

    Walls lie at users that grow by a lognormal step from one to the next; growth a month is lognormal and common to a
    scenario, so walls are correlated; efforts of 2–32 weeks vary by a quarter. ``tightness`` 1 leaves on the average
    about as much time between walls as the six months between major rewrites take.
    """
    rng = np.random.default_rng(seed)
    steps = GAP * rng.lognormal(0.25, 0.6, rewrites) / tightness
    middle = 120 + np.cumsum(steps)
    common = rng.lognormal(0.0, 0.25, scenarios)
    walls = np.rint(middle[:, None] * common * rng.lognormal(0.0, 0.08, (rewrites, scenarios))).astype(np.int64)
    efforts = np.exp(rng.uniform(np.log(14), np.log(224), rewrites))[:, None]
    efforts = np.rint(np.maximum(efforts * rng.lognormal(0.0, 0.2, (rewrites, scenarios)), 1)).astype(np.int64)
    chance = rng.choice([1.0, 0.7, 0.4, 0.15], rewrites, p=[0.4, 0.3, 0.2, 0.1])
    free = np.ones(7 * 52 * 30, dtype=np.int64)
    if calendar:
        free[np.isin(np.arange(free.size) // 7 % 52, (20, 21, 44))] = 0
    return Problem(
        walls=walls,
        efforts=efforts,
        needed=rng.random((rewrites, scenarios)) < chance[:, None],
        releases=np.zeros((rewrites, scenarios), dtype=np.int64),
        judged=np.ones(rewrites, dtype=np.bool_),
        major=rng.random(rewrites) < 0.9,
        free=free,
        gap=GAP,
        early=np.rint(rng.lognormal(3.5, 1.0, rewrites)),
        late=np.rint(rng.lognormal(6.0, 0.7, rewrites)),
        horizon=int(np.ceil(middle[-1] * 1.3 / 7)) * 7,
    )


def small(seed: int) -> Problem:
    """Two to four rewrites, few scenarios, every feature switched on now and then."""
    rng = np.random.default_rng(seed)
    rewrites = int(rng.integers(2, 5))
    lanes = 1 if rewrites == 4 else int(rng.integers(1, 3))
    scenarios = int(rng.integers(1, 13))
    weeks = 7 if rewrites == 4 else int(rng.integers(8, 21)) if rewrites == 2 else int(rng.integers(6, 13))
    shape = rewrites, scenarios
    horizon = 7 * weeks
    walls = rng.integers(-5 if rng.random() < 0.2 else 10, int(horizon * 1.5), shape)
    walls[rng.random(shape) < 0.08] = NEVER
    free = np.full(1, lanes)
    if rng.random() < 0.5:
        free = rng.integers(0, lanes + 1, horizon // 7 * 2).repeat(int(rng.integers(1, 8)))
        free[-1] = lanes if rng.random() < 0.9 else 0
    releases = rng.integers(0, horizon, shape) * (rng.random(shape) < 0.3)
    return Problem(
        walls=walls.astype(np.int64),
        efforts=rng.integers(1, max(3, horizon // 3), shape),
        needed=rng.random(shape) < rng.choice([0.5, 0.8, 1.0]),
        releases=releases.astype(np.int64),
        judged=rng.random(rewrites) < 0.8,
        major=rng.random(rewrites) < 0.7,
        free=free.astype(np.int64),
        gap=int(rng.integers(0, horizon // 2)),
        early=np.round(rng.uniform(0, 3, rewrites), 2) * (rng.random(rewrites) < 0.9),
        late=np.round(rng.uniform(0, 9, rewrites), 2) * (rng.random(rewrites) < 0.9),
        horizon=horizon,
    )

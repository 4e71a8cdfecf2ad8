"""The gate before any date: growth must have predicted better than "no change" on this very history.

The filtered means of every past week are by-products of the one Kalman pass, so the rolling backtest costs next to
nothing and never sees a week it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.outlook.growth import DAMPINGS, Growth, season_at
from outgrow.signals.series import FloatArray

HORIZONS_WEEKS = (4, 8, 13)
FIRST_ORIGIN_WEEK = 8


@dataclass(frozen=True, slots=True)
class Backtest:
    """Mean absolute errors in log users over all origins and horizons; ``forecasts`` counts them."""

    growth_error: float
    no_change_error: float
    forecasts: int

    @property
    def passed(self) -> bool:
        """Growth predicted better than no change."""
        return self.forecasts > 0 and self.growth_error < self.no_change_error


def backtest(growth: Growth, log_users: FloatArray) -> Backtest:
    """Score the filtered forecasts of ``growth`` at 4, 8 and 13 weeks from every week since the eighth.

    Args:
        growth: fitted to ``log_users``.
        log_users: shape (weeks,), NaN for a gap.
    """
    weeks = log_users.size
    season = season_at(growth.season, growth.first_week + np.arange(weeks))
    known = np.isfinite(log_users)
    latest = log_users[np.maximum.accumulate(np.where(known, np.arange(weeks), 0))]
    ours, still, count = 0.0, 0.0, 0
    for horizon in HORIZONS_WEEKS:
        origins = np.arange(FIRST_ORIGIN_WEEK, weeks - horizon)
        origins = origins[known[origins] & known[origins + horizon]] if origins.size else origins
        if origins.size == 0:
            continue
        ahead = np.array([sum(damping**step for step in range(1, horizon + 1)) for damping in DAMPINGS])
        predicted = growth.level_path[origins] + growth.drift_path[origins] @ ahead + season[origins + horizon]
        truth = log_users[origins + horizon]
        ours += float(np.abs(predicted - truth).sum())
        still += float(np.abs(latest[origins] - truth).sum())
        count += origins.size
    return Backtest(ours / max(count, 1), still / max(count, 1), count)

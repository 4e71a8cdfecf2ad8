"""What the alert rule people write today would say: a straight line through the last weeks of the signal itself."""

from __future__ import annotations

from typing import Literal

import numpy as np

from outgrow.quantities import DAY
from outgrow.signals.series import Series

RANGE_SECONDS = 28 * DAY


def predict_linear_date(
    series: Series,
    limit: float,
    now: float,
    *,
    direction: Literal["above", "below"] = "above",
    range_seconds: float = RANGE_SECONDS,
) -> float | None:
    """When the line of Prometheus' ``predict_linear(signal[28d], …)`` meets ``limit``.

    Simple linear regression over the samples with ``now - range_seconds ≤ time ≤ now``, its intercept taken at ``now``,
    as in ``promql/functions.go`` (``linearRegression``): every sample weighs the same, and no doubt is stated.

    Args:
        series: the watched signal. limit: in its unit. now: when the rule is evaluated, seconds since the epoch.
        direction: on which side of the limit trouble lies.
        range_seconds: how far back the rule looks.

    Returns:
        Seconds since the epoch; ``now`` where the line already is beyond the limit; None where it never gets there, or
        where fewer than two samples lie in the range (Prometheus then answers nothing).
    """
    window = series.between(now - range_seconds, now)
    if len(window) < 2:
        return None
    sign = 1.0 if direction == "above" else -1.0
    offsets = window.times - now
    spread = offsets - offsets.mean()
    slope = sign * float(spread @ window.values / (spread @ spread))
    gap = sign * limit - (sign * float(window.values.mean()) - slope * float(offsets.mean()))
    if gap <= 0:
        return now
    # A slope lost in rounding would promise a date in a million years.
    scale = float(np.abs(window.values).max()) + abs(limit)
    if slope * range_seconds <= 1e-12 * scale:
        return None
    return now + gap / slope

"""What every reader of ramps is told and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from outgrow.errors import ImportRefused
from outgrow.signals.series import FloatArray, Origin, Ramp

Loop = Literal["open", "closed"]
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
"""Kept of every load test whose requests are known one by one."""


@dataclass(frozen=True, slots=True)
class RampRequest:
    """What the reader cannot see in the file.

    Attributes:
        signal: the declared signal the ramp measured.
        quantile: which quantile that signal is; None for one that is no quantile (memory, say).
        loop: whether clients waited for their answers (``closed``) or requests left on schedule (``open``); None takes
            what is usual for the kind of file.
        metric: the k6 trend that holds the durations.
    """

    signal: str
    quantile: float | None = 0.95
    loop: Loop | None = None
    origin: Origin = "imported"
    metric: str = "http_req_duration"


@dataclass(frozen=True, slots=True, eq=False)
class ReadRamp:
    """A ramp, what kind of file it was read from, and what the reader should know about it."""

    ramp: Ramp
    kind: str
    remarks: tuple[str, ...] = ()


def latency_ramp(
    file: Path,
    request: RampRequest,
    *,
    axis: Literal["load", "users", "concurrency"],
    loop: Loop,
    levels: FloatArray,
    quantiles: Mapping[float, FloatArray],
    throughput_per_second: FloatArray | None,
    made_at: float,
    name: str = "",
) -> Ramp:
    """A ramp of response times from its measured levels. Raises ``ImportRefused`` where it cannot be one."""
    wanted = request.quantile or 0.95
    values = next((found for quantile, found in quantiles.items() if abs(quantile - wanted) < 1e-9), None)
    if values is None:
        there = ", ".join(f"p{quantile * 100:g}" for quantile in sorted(quantiles)) or "none"
        raise ImportRefused(
            str(file),
            1,
            f"{request.signal} is the {wanted:g} quantile, which was not measured; there is {there}",
            next_step=f"measure p{wanted * 100:g} too (k6: --summary-trend-stats), or choose another signal",
        )
    if levels.size < 2:
        raise ImportRefused(
            str(file),
            1,
            f"only {levels.size} level of load was held long enough to be measured; a ramp needs at least two",
            next_step="raise the load step by step, each held for 30 seconds or more",
        )
    return Ramp(
        name=name or file.name,
        signal=request.signal,
        axis=axis,
        levels=levels,
        values=np.asarray(values, dtype=np.float64),
        loop=loop,
        made_at=made_at,
        throughput_per_second=throughput_per_second,
        quantiles=dict(quantiles),
        origin=request.origin,
    )

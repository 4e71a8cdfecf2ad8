"""Clocks: the real one, and one that runs faster for rehearsals."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from outgrow.quantities import parse_duration

_SCALE = re.compile(r"1s\s*=\s*(\S+)")


class SystemClock:
    """The machine's time."""

    scale = ""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


class ScaledClock:
    """A clock on which one real second is ``scale``.

    Args:
        start: what the clock shows, seconds since the epoch, at the real time ``since``.
        scale: ``1s=1d`` or any other Prometheus-style duration for one second.
        since: the real time at ``start``; now, when left out. Two processes that are to agree pass the same.
        real: the real clock.

    Raises:
        ValueError: the scale cannot be read.
    """

    def __init__(
        self, start: float, scale: str, *, since: float | None = None, real: Callable[[], float] = time.time
    ) -> None:
        self.seconds_per_second = parse_scale(scale)
        self.scale = scale.replace(" ", "")
        self._start = start
        self._real = real
        self._since = real() if since is None else since

    def now(self) -> float:
        """Seconds since the epoch, as this clock has it."""
        return self._start + (self._real() - self._since) * self.seconds_per_second


def parse_scale(text: str) -> float:
    """How many seconds one real second stands for: ``1s=1d`` → 86400. Raises ``ValueError``."""
    match = _SCALE.fullmatch(text.strip())
    try:
        factor = parse_duration(match[1]) if match else 0.0
    except ValueError:
        factor = 0.0
    if factor <= 0:
        raise ValueError(f"{text!r} is not a time scale; write for example 1s=1d (a second stands for a day)")
    return factor

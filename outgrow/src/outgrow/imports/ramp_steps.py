"""From a load test over time to its steps: at which load, for how long, with which answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from outgrow.signals.series import FloatArray

PLATEAU_SECONDS = 5.0
"""A level held for at least this long is a step."""

MOST_WINDOWS = 30
NEAR_PEAK = 0.9
SAME_LEVEL = 1.1
"""Windows whose load differs by at most a tenth are one step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One level of load and the spans of time, [start, end), in which it was held."""

    level: float
    spans: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """How long it was held in all."""
        return sum(end - start for start, end in self.spans)

    def holds(self, times: FloatArray) -> NDArray[np.bool_]:
        """Which of ``times``, shape (n,), fall into its spans."""
        inside = np.zeros(times.shape, dtype=np.bool_)
        for start, end in self.spans:
            inside |= (times >= start) & (times < end)
        return inside


def steps_of_level(times: FloatArray, levels: FloatArray) -> tuple[Step, ...]:
    """The steps of a level that is reported again and again, such as virtual users.

    Levels held for ``PLATEAU_SECONDS`` are the steps. Where at most one was held (the load rose all the time), the
    rise is cut into ten windows of equal length at their mean level. What comes after the peak is left out: an
    overloaded service needs time to recover.

    Args:
        times: shape (n,), not decreasing, seconds. levels: shape (n,), the level from each time to the next.
    """
    if times.size < 2:
        return ()
    ends = np.append(times[1:], times[-1] + float(np.median(np.diff(times))))
    bounds = np.flatnonzero(np.append(True, np.diff(levels) != 0))
    lasts = np.append(bounds[1:], levels.size) - 1
    runs = [
        (float(levels[first]), float(times[first]), float(ends[last]))
        for first, last in zip(bounds, lasts, strict=True)
        if levels[first] > 0
    ]
    held = [run for run in runs if run[2] - run[1] >= PLATEAU_SECONDS]
    if len({level for level, _, _ in held}) >= 2:
        peak = max(level for level, _, _ in held)
        last_at_peak = max(place for place, run in enumerate(held) if run[0] == peak)
        return _pooled(held[: last_at_peak + 1])
    if not runs:
        return ()
    rise_end = ends[int(np.argmax(levels))]
    rise_start = runs[0][1]
    edges = np.linspace(rise_start, rise_end, 11)
    cut = []
    for start, end in pairwise(edges.tolist()):
        shares = np.clip(np.minimum(ends, end) - np.maximum(times, start), 0, None)
        if shares.sum() > 0:
            cut.append((float(np.average(levels, weights=shares)), start, end))
    return _pooled(cut)


def steps_of_arrivals(times: FloatArray, counts: FloatArray) -> tuple[Step, ...]:
    """The steps of an open-loop test, from when requests were sent.

    The test is cut into at most ``MOST_WINDOWS`` windows of equal length, none shorter than ``PLATEAU_SECONDS``;
    windows in which the load stepped or paused are left out, those whose rates differ by at most a tenth are pooled.
    What comes after the last window near the peak is left out. A test shorter than ``PLATEAU_SECONDS`` has no steps.

    Args:
        times: shape (n,), when requests were sent (or should have been), seconds. counts: shape (n,), how many.
    """
    if times.size < 2 or times.max() - times.min() < PLATEAU_SECONDS:
        return ()
    start, end = float(times.min()), float(times.max())
    windows = int(np.clip((end - start) // PLATEAU_SECONDS, 2, MOST_WINDOWS))
    edges = np.linspace(start, end, windows + 1)
    length = float(edges[1] - edges[0])
    sent, _ = np.histogram(times, edges, weights=counts)
    rates = sent / length
    usable = (rates > 0) & ~_mixed(times, counts, edges)
    if not usable.any():
        return ()
    last = int(np.flatnonzero(usable & (rates >= NEAR_PEAK * rates[usable].max()))[-1])
    groups: list[list[int]] = []
    for window in sorted(np.flatnonzero(usable[: last + 1]).tolist(), key=lambda place: rates[place]):
        if groups and rates[window] <= SAME_LEVEL * rates[groups[-1][0]]:
            groups[-1].append(window)
        else:
            groups.append([window])
    return tuple(
        Step(
            float(rates[group].mean()),
            tuple((float(edges[window]), float(edges[window + 1])) for window in sorted(group)),
        )
        for group in groups
    )


def _mixed(times: FloatArray, counts: FloatArray, edges: FloatArray) -> NDArray[np.bool_]:
    """Windows in which the load changed by a step or paused: their mean is a load that was never offered.

    A tenth of a window in which less than a third of its share was sent, or halves that differ by more than half, each
    beyond four standard deviations of a Poisson count.
    """
    tenths = np.linspace(edges[0], edges[-1], 10 * (edges.size - 1) + 1)
    sent = np.histogram(times, tenths, weights=counts)[0].reshape(-1, 10)
    share = sent.mean(axis=1)
    paused = (sent.min(axis=1) < share / 3) & (share - sent.min(axis=1) > 4 * np.sqrt(share))
    first, second = sent[:, :5].sum(axis=1), sent[:, 5:].sum(axis=1)
    stepped = (np.abs(first - second) > 4 * np.sqrt(first + second)) & (
        np.maximum(first, second) > 1.5 * np.minimum(first, second)
    )
    return np.asarray(paused | stepped, dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What the steps of a test showed; shape (n,) each, levels strictly increasing, times in seconds."""

    levels: FloatArray
    throughput_per_second: FloatArray
    quantiles: Mapping[float, FloatArray]
    left_out: int


def measure(
    steps: Sequence[Step], sent: FloatArray, durations_seconds: FloatArray, wanted: Sequence[float], needed: float
) -> Measured:
    """Quantiles and throughput of each step.

    A step needs at least 1 / (1 - ``needed``) requests, or its quantile ``needed`` would be its slowest request alone;
    steps with fewer are left out and counted.

    Args:
        sent, durations_seconds: shape (n,), when each request was sent and how long it took.
        wanted: the quantiles to give; ``needed`` must be among them.
    """
    enough = 1 / (1 - needed)
    kept: list[tuple[float, float, list[float]]] = []
    answered = sent + durations_seconds
    for step in sorted(steps, key=lambda one: one.level):
        durations = durations_seconds[step.holds(sent)]
        if durations.size + 1e-9 >= enough:
            rate = float(step.holds(answered).sum()) / step.seconds
            kept.append((step.level, rate, np.quantile(durations, wanted).tolist()))
    columns = np.array([row[2] for row in kept], dtype=np.float64).reshape(len(kept), len(wanted))
    return Measured(
        levels=np.array([row[0] for row in kept], dtype=np.float64),
        throughput_per_second=np.array([row[1] for row in kept], dtype=np.float64),
        quantiles={quantile: columns[:, place].copy() for place, quantile in enumerate(wanted)},
        left_out=len(steps) - len(kept),
    )


def _pooled(runs: Sequence[tuple[float, float, float]]) -> tuple[Step, ...]:
    """One step a level, with all the spans in which it was held."""
    spans: dict[float, list[tuple[float, float]]] = {}
    for level, start, end in runs:
        spans.setdefault(level, []).append((start, end))
    return tuple(Step(level, tuple(spans[level])) for level in sorted(spans))

"""Ramps from Locust: the ``*_stats_history.csv`` of ``locust --csv NAME``.

Format: https://docs.locust.io/en/stable/retrieving-stats.html. Times are in milliseconds; Locust's users wait for their
answers, so the loop is closed and the level is their number.

The percentiles of a row are those of the last ten seconds with ``--csv-full-history``, but *of the whole run so far*
without it (``StatsCSVFileWriter._stats_history_data_rows``). From the latter the steps are taken apart: with N₀ and
N₁ requests before and after a step and F₀, F₁ the distributions so far, the step's own is (N₁F₁ - N₀F₀) / (N₁ - N₀).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outgrow.errors import ImportRefused
from outgrow.imports.files import open_text
from outgrow.imports.ramp_records import RampRequest, ReadRamp, latency_ramp
from outgrow.imports.ramp_steps import Step, steps_of_level
from outgrow.quantities import parse_time
from outgrow.signals.series import FloatArray

HISTORY_COLUMNS = ("Timestamp", "User Count", "Name", "Requests/s")
WINDOW_SECONDS = 10.0
"""Locust's window for current percentiles (``CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW``)."""

_PERCENTILE = re.compile(r"(\d+(?:\.\d+)?)%")
_ROUNDING = 0.06
"""Locust keeps two significant digits of a response time."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The aggregated rows; shape (n,) each, times in seconds."""

    times: FloatArray
    users: FloatArray
    rates: FloatArray
    totals: FloatArray
    slowest: FloatArray
    percentiles: Mapping[float, FloatArray]
    of_the_run: bool


def read_locust(path: Path, request: RampRequest) -> ReadRamp:
    """A ramp from a ``*_stats_history.csv``. Raises ``ImportRefused`` with the line that is wrong."""
    rows = _rows(path)
    if rows.times.size < 2:
        raise ImportRefused(str(path), 1, "there are fewer than two rows named Aggregated with requests")
    steps = steps_of_level(rows.times, rows.users)
    measured = [found for step in steps if (found := _measured(rows, step)) is not None]
    quantiles = {
        quantile: np.array([found[2][quantile] for found in measured]) for quantile in sorted(rows.percentiles)
    }
    ramp = latency_ramp(
        path,
        request,
        axis="concurrency",
        loop="closed",
        levels=np.array([found[0] for found in measured], dtype=np.float64),
        quantiles=quantiles,
        throughput_per_second=np.array([found[1] for found in measured], dtype=np.float64),
        made_at=float(rows.times[0]),
    )
    remarks = []
    if rows.of_the_run:
        remarks.append(
            "its percentiles are of the whole run so far, and were taken apart step by step; "
            "locust --csv-full-history writes those of the moment, which is more exact"
        )
    if request.loop == "open":
        remarks.append("Locust's users wait for their answers, so the loop is closed whatever was said")
    return ReadRamp(ramp, "Locust history", tuple(remarks))


def _rows(path: Path) -> _Rows:
    with open_text(path) as text:
        reader = csv.DictReader(text.lines, strict=True)
        names = [_PERCENTILE.fullmatch(name) for name in reader.fieldnames or ()]
        percentiles = [match[0] for match in names if match and float(match[1]) < 100]
        kept: list[list[float]] = []
        endpoints = False
        try:
            for row in reader:
                if row["Name"] != "Aggregated":
                    endpoints = True
                elif None in row or None in row.values():
                    raise ImportRefused(str(path), reader.line_num, "the row is cut short")
                elif "N/A" not in row.values():
                    numbers = list(_numbers(path, reader.line_num, row, percentiles))
                    if any(numbers[6:]):  # zeros throughout: no request in the window
                        kept.append(numbers)
        except csv.Error as error:
            raise ImportRefused(str(path), reader.line_num, f"this is not CSV: {error}") from None
    table = np.array(kept, dtype=np.float64).reshape(len(kept), 6 + len(percentiles))
    table = table[np.argsort(table[:, 0], kind="stable")]
    table = table[np.append(np.diff(table[:, 0]) > 0, True)] if len(table) else table
    times, users, rates, totals, slowest, hundredth = table[:, :6].T
    shares = [round(float(name[:-1]) / 100, 9) for name in percentiles]
    return _Rows(
        times,
        users,
        rates,
        totals,
        slowest,
        {share: table[:, 6 + place] / 1000 for place, share in enumerate(shares)},
        of_the_run=not endpoints and _like_the_whole_run(totals, slowest, hundredth),
    )


def _numbers(path: Path, line: int, row: Mapping[str, str], percentiles: list[str]) -> Iterator[float]:
    """Time, users, rate, total requests, slowest and 100th percentile (NaN where missing), then the percentiles."""
    try:
        yield parse_time(row["Timestamp"])
        yield float(row["User Count"])
        yield float(row["Requests/s"])
        for name in ("Total Request Count", "Total Max Response Time", "100%"):
            yield float(row.get(name, "nan"))
        for name in percentiles:
            yield float(row[name])
    except ValueError as error:
        raise ImportRefused(str(path), line, str(error)) from None


def _like_the_whole_run(totals: FloatArray, slowest: FloatArray, hundredth: FloatArray) -> bool:
    """Whether the 100th percentile is the slowest answer so far in every row, as it is only over the whole run."""
    counted = totals.size > 1 and bool(np.all(np.diff(totals) >= 0) and totals[-1] > totals[0])
    return counted and bool(np.all(np.abs(hundredth - slowest) <= _ROUNDING * slowest + 1))


def _measured(rows: _Rows, step: Step) -> tuple[float, float, dict[float, float]] | None:
    """Level, requests a second and quantiles in seconds of one step; None where there is too little of it."""
    inside = np.flatnonzero(step.holds(rows.times))
    if not inside.size:
        return None
    if rows.of_the_run:
        quantiles = _taken_apart(rows, step)
        return None if quantiles is None else (step.level, float(np.median(rows.rates[inside])), quantiles)
    settled = [
        row for row in inside if any(start + WINDOW_SECONDS <= rows.times[row] < end for start, end in step.spans)
    ]
    chosen = np.array(settled or inside[-1:])
    medians = {share: float(np.median(values[chosen])) for share, values in rows.percentiles.items()}
    return step.level, float(np.median(rows.rates[chosen])), medians


def _taken_apart(rows: _Rows, step: Step) -> dict[float, float] | None:
    """The quantiles of the requests between the first and the last row of each span of a step."""
    shares = np.array([0.0, *sorted(rows.percentiles), 1.0])
    grid = np.unique(np.concatenate([*rows.percentiles.values(), rows.slowest / 1000, [0.0]]))
    requests, weight = np.zeros(grid.size), 0.0

    def so_far(row: int) -> FloatArray:
        """How many requests of the run so far took at most each time of the grid."""
        if row < 0:
            return np.zeros(grid.size)
        points = [rows.percentiles[share][row] for share in sorted(rows.percentiles)]
        known = np.maximum.accumulate([0.0, *points, max(rows.slowest[row] / 1000, *points)])
        # At equal times the highest share counts.
        last = np.append(np.diff(known) > 0, True)
        return np.asarray(rows.totals[row] * np.interp(grid, known[last], shares[last]), dtype=np.float64)

    for start, end in step.spans:
        inside = np.flatnonzero((rows.times >= start) & (rows.times < end))
        if inside.size:
            before = int(inside[0]) - 1
            requests += so_far(int(inside[-1])) - so_far(before)
            weight += float(rows.totals[inside[-1]] - (rows.totals[before] if before >= 0 else 0.0))
    if weight <= 0:
        return None
    distribution = np.clip(np.maximum.accumulate(requests / weight), 0.0, 1.0)
    return {
        share: float(grid[np.searchsorted(distribution, share - 1e-12).clip(max=grid.size - 1)])
        for share in rows.percentiles
    }

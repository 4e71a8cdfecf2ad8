"""Ramps from k6: ``--out csv``, ``--out json``, or one end-of-test summary a step.

Formats: https://grafana.com/docs/k6/latest/results-output/real-time/csv/ and ``.../json/``; summaries as written by
``--summary-export`` and by ``handleSummary``. Times of requests are in milliseconds.

k6's usual executors (constant and ramping VUs) wait for each answer before they send the next request: a closed loop,
whose level is the number of virtual users. The arrival-rate executors send on schedule: an open loop, whose level
is the offered load, dropped iterations included. Which it was is not in the files; ``loop`` says so.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.errors import ImportRefused
from outgrow.imports.files import Progress, no_progress, open_text
from outgrow.imports.ramp_records import QUANTILES, RampRequest, ReadRamp, latency_ramp
from outgrow.imports.ramp_steps import measure, steps_of_arrivals, steps_of_level
from outgrow.quantities import parse_time

CSV_START = "metric_name,timestamp,metric_value"
_PROGRESS_LINES = 200_000
_OUTSIDE = ("::setup", "::teardown")
_PERCENTILE = re.compile(r"p\(?(\d+(?:\.\d+)?)\)?")


@dataclass(slots=True)
class _Run:
    """What is kept of a run: seconds throughout."""

    ended: array[float] = field(default_factory=lambda: array("d"))
    durations: array[float] = field(default_factory=lambda: array("d"))
    vus_times: list[float] = field(default_factory=list)
    vus: list[float] = field(default_factory=list)
    dropped_times: list[float] = field(default_factory=list)
    dropped: list[float] = field(default_factory=list)
    iterations: float = 0.0
    failed: float = 0.0

    def take(self, metric: str, wanted: str, time: float, value: float) -> None:
        """Take one sample of one metric."""
        if metric == wanted:
            self.ended.append(time)
            self.durations.append(value / 1000)
        elif metric == "vus":
            self.vus_times.append(time)
            self.vus.append(value)
        elif metric == "dropped_iterations":
            self.dropped_times.append(time)
            self.dropped.append(value)
        elif metric == "iterations":
            self.iterations += value
        elif metric == "http_req_failed":
            self.failed += value


def read_k6_csv(path: Path, request: RampRequest, progress: Progress = no_progress) -> ReadRamp:
    """A ramp from the file of ``k6 run --out csv=FILE``. Raises ``ImportRefused`` with the line that is wrong."""
    run = _Run()
    prefixes = tuple(f"{metric}," for metric in _metrics(request))
    with open_text(path) as text:
        for number, line in enumerate(text.lines, start=1):
            if number % _PROGRESS_LINES == 0:
                progress(text.done, text.size)
            if not line.startswith(prefixes) or any(group in line for group in _OUTSIDE):
                continue
            try:
                metric, time, value, *_ = line.split(",", 3)
                run.take(metric, request.metric, _time(time), float(value))
            except ValueError:
                raise ImportRefused(str(path), number, f"this is no sample of k6: {line.strip()[:80]!r}") from None
    return _ramp(path, "k6 CSV output", run, request)


def read_k6_json(path: Path, request: RampRequest, progress: Progress = no_progress) -> ReadRamp:
    """A ramp from the file of ``k6 run --out json=FILE``. Raises ``ImportRefused`` with the line that is wrong."""
    run = _Run()
    wanted = _metrics(request)
    with open_text(path) as text:
        for number, line in enumerate(text.lines, start=1):
            if number % _PROGRESS_LINES == 0:
                progress(text.done, text.size)
            if not any(metric in line for metric in wanted):
                continue
            try:
                point = json.loads(line)
                if point["type"] != "Point" or point["metric"] not in wanted:
                    continue
                data = point["data"]
                if (data.get("tags") or {}).get("group", "").startswith(_OUTSIDE):
                    continue
                run.take(point["metric"], request.metric, _time(data["time"]), float(data["value"]))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ImportRefused(str(path), number, f"this is no sample of k6: {line.strip()[:80]!r}") from None
    return _ramp(path, "k6 JSON output", run, request)


def read_k6_summaries(paths: Sequence[Path], request: RampRequest) -> ReadRamp:
    """A ramp from end-of-test summaries, one a step, in any order. Raises ``ImportRefused`` for a wrong file."""
    is_open = request.loop == "open"
    steps = sorted((_summary(path, request, is_open) for path in paths), key=lambda step: step[0])
    for (level, path, _, _), (next_level, next_path, _, _) in pairwise(steps):
        if level == next_level:
            raise ImportRefused(str(next_path), 1, f"it is at the same level, {level:g}, as {path.name}")
    shared = set.intersection(*(set(quantiles) for _, _, quantiles, _ in steps))
    ramp = latency_ramp(
        steps[0][1],
        request,
        axis="load" if is_open else "concurrency",
        loop="open" if is_open else "closed",
        levels=np.array([step[0] for step in steps], dtype=np.float64),
        quantiles={quantile: np.array([step[2][quantile] for step in steps]) for quantile in sorted(shared)},
        throughput_per_second=np.array([step[3] for step in steps], dtype=np.float64),
        made_at=min(path.stat().st_mtime for path in paths),
        name=" + ".join(step[1].name for step in steps),
    )
    return ReadRamp(ramp, f"{len(steps)} k6 summaries, one a step")


def _metrics(request: RampRequest) -> tuple[str, ...]:
    return (request.metric, "vus", "dropped_iterations", "iterations", "http_req_failed")


def _time(text: str) -> float:
    """Seconds from any of k6's time formats: Unix in s, ms, µs or ns, or RFC 3339."""
    try:
        number = float(text)
    except ValueError:
        return parse_time(text)
    for above, factor in ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)):
        if number > above:
            return number * factor
    return number


def _ramp(path: Path, kind: str, run: _Run, request: RampRequest) -> ReadRamp:
    if not run.ended:
        raise ImportRefused(
            str(path), 1, f"there is no sample of {request.metric}", next_step="name the k6 trend with --metric"
        )
    durations = np.array(run.durations)
    sent = np.array(run.ended) - durations
    is_open = request.loop == "open"
    if is_open:
        per_iteration = max(1.0, sent.size / run.iterations) if run.iterations else 1.0
        dropped = np.array(run.dropped) * per_iteration
        times = np.concatenate([sent, np.array(run.dropped_times)])
        steps = steps_of_arrivals(times, np.concatenate([np.ones(sent.size), dropped]))
    else:
        order = np.argsort(run.vus_times, kind="stable")
        steps = steps_of_level(np.array(run.vus_times)[order], np.array(run.vus)[order])
        if not steps:
            raise ImportRefused(str(path), 1, "there are no samples of vus, so the level of load is not known")
    needed = request.quantile or 0.95
    measured = measure(steps, sent, durations, sorted({*QUANTILES, needed}), needed)
    ramp = latency_ramp(
        path,
        request,
        axis="load" if is_open else "concurrency",
        loop="open" if is_open else "closed",
        levels=measured.levels,
        quantiles=measured.quantiles,
        throughput_per_second=measured.throughput_per_second,
        made_at=float(sent.min()),
    )
    return ReadRamp(ramp, kind, tuple(_remarks(run, sent.size, measured.left_out, is_open, needed)))


def _remarks(run: _Run, requests: int, left_out: int, is_open: bool, needed: float) -> Iterable[str]:
    if left_out:
        steps = "step" if left_out == 1 else "steps"
        yield f"{left_out} {steps} with too few requests for p{needed * 100:g} left out"
    if run.failed > 0.01 * requests:
        yield f"{run.failed / requests:.0%} of the requests failed; their times count as answers"
    if run.dropped and not is_open:
        yield "iterations were dropped, as only arrival-rate executors do: if that is what ran, import with --open-loop"


def _summary(path: Path, request: RampRequest, is_open: bool) -> tuple[float, Path, dict[float, float], float]:
    """Level, file, quantiles in seconds and requests a second of one summary."""
    with open_text(path) as text:
        try:
            metrics = _metrics_of(json.load(text.lines))
        except json.JSONDecodeError as error:
            raise ImportRefused(str(path), error.lineno, f"this is not JSON: {error.msg}") from None
    trend = metrics.get(request.metric)
    if trend is None:
        raise ImportRefused(str(path), 1, f"there is no metric {request.metric}", next_step="name it with --metric")
    quantiles = {_share(name): value / 1000 for name, value in trend.items() if _share(name)}
    rate = metrics.get("http_reqs", metrics.get("iterations", {})).get("rate", np.nan)
    vus = metrics.get("vus", {})
    level = (
        rate + metrics.get("dropped_iterations", {}).get("rate", 0.0) if is_open else vus.get("max", vus.get("value"))
    )
    if level is None or not level > 0:
        what = "http_reqs" if is_open else "vus"
        raise ImportRefused(str(path), 1, f"there is no {what} in it, so the level of load is not known")
    return float(level), path, quantiles, float(rate)


def _metrics_of(document: Any) -> dict[str, dict[str, float]]:
    """Metric → statistic → number, from any of k6's summary shapes."""
    found = document.get("metrics") or document.get("results", {}).get("metrics", {})
    named = {item["name"]: item for item in found} if isinstance(found, list) else found
    return {name: _numbers(metric.get("values", metric)) for name, metric in named.items()}


def _numbers(statistics: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in statistics.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _share(name: str) -> float:
    """The quantile a statistic is, 0 for one that is none: ``p(95)`` → 0.95, ``med`` → 0.5."""
    if name == "med":
        return 0.5
    match = _PERCENTILE.fullmatch(name)
    return round(float(match[1]) / 100, 9) if match else 0.0

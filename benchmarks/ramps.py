"""Where real ramps cross a limit beyond what was measured: ``outgrow``'s continuation beside simple rules.

    python -m benchmarks ramps

``data/load-ramps.json`` holds 104 closed-loop ramps of vector databases. Of each, the levels N ≤ 20, 30 or 40 are
shown; asked is the N at which p99 is ``factor`` times (twice, or one and a half times) its value at the last level
shown. That is always an extrapolation; twice the value at the lowest level would mostly lie inside the levels shown.

The truth is where the running maximum of the whole ramp's p99 first reaches that value, between levels by straight line
in log–log (the running maximum keeps a noisy dip from moving it). Ramps that end before are left out and counted.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Cell, Report, Table, Target, write_report
from outgrow.outlook.level import level_at_limit
from outgrow.outlook.records import Refusal
from outgrow.outlook.scalability import fit_usl
from outgrow.quantities import Interval
from outgrow.signals.series import FloatArray

DATA = Path(__file__).parent / "data" / "load-ramps.json"
SHOWN = (20, 30, 40)
FACTORS = (2.0, 1.5)
FARTHEST = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class RealRamp:
    """Clients, throughput a second and p99 seconds at each level; shapes (n,)."""

    label: str
    clients: FloatArray
    throughput: FloatArray
    p99: FloatArray

    def up_to(self, most: float) -> RealRamp:
        """The levels with at most that many clients."""
        seen = self.clients <= most
        return RealRamp(self.label, self.clients[seen], self.throughput[seen], self.p99[seen])


def load(path: Path = DATA) -> tuple[RealRamp, ...]:
    """The ramps of the file."""
    ramps = json.loads(path.read_text(encoding="utf-8"))["ramps"]
    return tuple(
        RealRamp(
            f"{ramp['label']} case {ramp['case']}",
            np.array(ramp["concurrency"], dtype=np.float64),
            np.array(ramp["throughput_per_second"]),
            np.array(ramp["p99_seconds"]),
        )
        for ramp in ramps
    )


def crossing(ramp: RealRamp, limit: float) -> float | None:
    """The clients at which p99 first reaches ``limit``; None when the ramp ends before."""
    highest = np.maximum.accumulate(ramp.p99)
    after = int(np.searchsorted(highest, limit))
    if after == highest.size:
        return None
    if after == 0:
        return float(ramp.clients[0])
    x, y = np.log(ramp.clients[after - 1 : after + 1]), np.log(highest[after - 1 : after + 1])
    return float(np.exp(np.interp(math.log(limit), y, x)))


def carry_last(ramp: RealRamp, limit: float) -> float:
    """Throughput stays as it is at the last level, so p99 grows as N does."""
    return float(ramp.clients[-1] * limit / ramp.p99[-1])


def linear(ramp: RealRamp, limit: float) -> float:
    """Least-squares line of p99 over N."""
    slope, level = np.polyfit(ramp.clients, ramp.p99, 1)
    return float((limit - level) / slope) if slope > 0 else FARTHEST


def last_two(ramp: RealRamp, limit: float) -> float:
    """The line through the last two levels."""
    slope = (ramp.p99[-1] - ramp.p99[-2]) / (ramp.clients[-1] - ramp.clients[-2])
    return float(ramp.clients[-1] + (limit - ramp.p99[-1]) / slope) if slope > 0 else FARTHEST


def bounded(ramp: RealRamp, limit: float) -> float:
    """X = Xmax (1 − exp(−N / K)) by least squares; p99 grows from its last value as N / X does."""
    turns = np.geomspace(0.1, 1000, 400)
    shape = 1 - np.exp(-ramp.clients / turns[:, None])
    top = shape @ ramp.throughput / np.sum(shape**2, axis=1)
    best = int(np.argmin(np.sum((ramp.throughput - top[:, None] * shape) ** 2, axis=1)))
    clients = np.linspace(ramp.clients[-1], FARTHEST, 20_000)
    slowness = clients / (1 - np.exp(-clients / turns[best]))
    return _first(clients, ramp.p99[-1] * slowness / slowness[0] >= limit)


def usl(ramp: RealRamp, limit: float) -> float:
    """The universal scalability law fitted to throughput; p99 = N / X(N) times its median ratio over three levels."""
    law = fit_usl(ramp.clients, ramp.throughput)
    if isinstance(law, Refusal):
        return FARTHEST
    clients = np.linspace(ramp.clients[-1], FARTHEST, 20_000)
    tail = float(np.median((ramp.p99 / (ramp.clients / ramp.throughput))[-3:]))
    return _first(clients, tail * clients / law.at(clients) >= limit)


def _first(clients: FloatArray, reached: NDArray[np.bool_]) -> float:
    where = np.flatnonzero(reached)
    return float(clients[where[0]]) if where.size else FARTHEST


RULES: dict[str, Callable[[RealRamp, float], float]] = {
    "carry the last ratio": carry_last,
    "linear in N": linear,
    "line through the last two": last_two,
    "bounded asymptote": bounded,
    "universal scalability law": usl,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Absolute log errors by method, and our intervals beside the truth. ``ended``: ramps that end before."""

    errors: dict[str, list[float]]
    intervals: list[tuple[Interval, float]]
    refused: int
    ended: int


def measure(ramps: tuple[RealRamp, ...], most: float, factor: float) -> Outcome:
    """Every rule and ours on the levels up to ``most``. A refusal of ours is scored by carrying the last ratio."""
    outcome = Outcome({name: [] for name in (*RULES, "outgrow")}, [], 0, 0)
    refused = ended = 0
    for number, ramp in enumerate(ramps):
        shown = ramp.up_to(most)
        limit = factor * float(shown.p99[-1])
        truth = crossing(ramp, limit)
        if truth is None or truth <= most:
            ended += 1
            continue
        for name, rule in RULES.items():
            outcome.errors[name].append(abs(math.log(max(rule(shown, limit), 1e-3) / truth)))
        told = level_at_limit(shown.clients, shown.p99, limit, np.random.default_rng(number))
        if isinstance(told, Refusal):
            refused += 1
        else:
            outcome.intervals.append((told, truth))
        middle = carry_last(shown, limit) if isinstance(told, Refusal) else told.mid
        outcome.errors["outgrow"].append(abs(math.log(middle / truth)))
    return Outcome(outcome.errors, outcome.intervals, refused, ended)


def coverage(outcome: Outcome) -> float:
    """Share of our intervals that hold the truth."""
    return float(np.mean([told.low <= truth <= told.high for told, truth in outcome.intervals]))


def _row(most: int, outcome: Outcome) -> tuple[Cell, ...]:
    medians = [float(np.median(errors)) for errors in outcome.errors.values()]
    width = float(np.median([math.log(told.high / told.low) for told, _ in outcome.intervals]))
    count = len(outcome.errors["outgrow"])
    return (f"N ≤ {most}", count, outcome.ended, *medians, coverage(outcome), width, outcome.refused)


def main(arguments: list[str]) -> None:
    """Measure, print and write ``results/ramps.{md,json}``."""
    ramps = load()
    columns = ("shown", "n", "end before", *RULES, "outgrow", "our cov80", "our log width", "our refusals")
    outcomes = {(factor, most): measure(ramps, most, factor) for factor in FACTORS for most in SHOWN}
    tables = tuple(
        Table(
            f"Median absolute log error of the N at which p99 is {factor:g} times its last value",
            columns,
            tuple(_row(most, outcomes[factor, most]) for most in SHOWN),
        )
        for factor in FACTORS
    )
    main_one = outcomes[2.0, 40]
    medians = {name: float(np.median(errors)) for name, errors in main_one.errors.items()}
    best = min((name for name in RULES), key=medians.__getitem__)
    targets = (
        Target(
            f"N ≤ 40, p99 doubles: our median log error ÷ that of the best rule ({best})",
            medians["outgrow"] / medians[best],
            1.0,
        ),
        Target("N ≤ 40, p99 doubles: share of our 80 % intervals that hold the truth", coverage(main_one), low=0.78),
    )
    report = Report(
        name="ramps",
        title="Where real ramps cross: outgrow beside simple rules",
        command=" ".join(["python -m benchmarks ramps", *arguments]),
        tables=tables,
        targets=targets,
        facts={"ramps": len(ramps)},
        notes=("The question, the truth and the rules are stated in `benchmarks/ramps.py`.",),
        packages=("outgrow", "numpy"),
    )
    print(write_report(report).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])

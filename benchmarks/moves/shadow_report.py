"""What mirroring came to: ratios of rounds, processor time, the kill switch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.report import Cell, Report, Table, Target, show, write_report
from outgrow.evidence.intervals import ratio_interval
from outgrow.quantities import Interval
from ventures.population.latencies import Latencies
from ventures.population.loading import Step
from ventures.population.shape import Plan

ARMS = ("off", "on", "stalled", "failing")
QUANTILES = (0.5, 0.95, 0.99)
CONFIDENCE = 0.95
MOST_RATIO = 1.10
KILL_SECONDS = 2.0


@dataclass
class Figures:
    """All that was measured.

    taken: (round, arm) → how long its searches took, of all its slices. cost: arm → processor seconds of a search, by
    kind of process, each slice's. kills: seconds from the command's begin and from its end to the last mirrored search,
    and how many there were before. counts: of the counted seconds, in which `searched` searches were sent.
    """

    rate: float = 0.0
    taken: dict[tuple[int, str], Latencies] = field(default_factory=dict)
    cost: dict[str, list[Mapping[str, float]]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)
    saturated: int = 0
    searched: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    kills: list[tuple[float, float, int]] = field(default_factory=list)

    def add(self, number: int, arm: str, step: Step, cost: Mapping[str, float]) -> None:
        """A slice of an arm in a round."""
        self.taken.setdefault((number, arm), Latencies()).merge(step.whole)
        self.cost.setdefault(arm, []).append(cost)
        self.sent[arm] = self.sent.get(arm, 0) + step.offered
        self.wrong[arm] = self.wrong.get(arm, 0) + step.dropped + sum(step.errors.values())
        self.saturated += step.saturated

    def rounds(self, arm: str) -> list[int]:
        """Those that have it."""
        return sorted(number for number, name in self.taken if name == arm)

    def _took(self, number: int, arm: str, place: int) -> float:
        return self.taken[number, arm].quantile(QUANTILES[place]) or float("nan")

    def ratio(self, arm: str, place: int) -> Interval | None:
        """Of a quantile to that of *off* in the same rounds, as `outgrow prove` bounds a ratio."""
        pairs = [(self._took(number, arm, place), self._took(number, "off", place)) for number in self.rounds(arm)]
        if not pairs:
            return None
        with_it, without = np.array(pairs).T
        return ratio_interval(np.log(with_it) - np.log(without), CONFIDENCE)

    def quantile(self, arm: str, place: int) -> float | None:
        """Of the arm's middle round, seconds."""
        found = [self._took(number, arm, place) for number in self.rounds(arm)]
        return float(np.median(found)) if found else None

    def processor(self, arm: str) -> dict[str, float]:
        """Of a search, seconds, by kind of process: the mean over slices."""
        rounds = self.cost.get(arm, [])
        return {kind: float(np.mean([one[kind] for one in rounds])) for kind in rounds[0]} if rounds else {}

    def lines(self) -> Iterator[str]:
        """For whoever waits at the terminal."""
        for arm in ARMS:
            if not self.rounds(arm):
                continue
            p50, p95, p99 = (_ms(self.quantile(arm, place)) for place in range(3))
            used = self.processor(arm)
            kinds = ", ".join(f"{kind} {seconds * 1000:.2f}" for kind, seconds in used.items())
            yield (
                f"{arm}: p50 {p50}, p95 {p95}, p99 {p99} ms; p99 to off {_interval(self.ratio(arm, 2))}; "
                f"{sum(used.values()) * 1000:.2f} ms of processor time ({kinds}); "
                f"{self.sent[arm]} sent, {self.wrong[arm]} wrong"
            )
        yield f"counted: {dict(self.counts)} of {self.searched} searches; the generator was late {self.saturated} times"
        for begun, ended, before in self.kills:
            yield f"kill switch: {begun:.2f} s from its begin, {ended:.2f} s from its end ({before} mirrored before)"


def write(figures: Figures, plan: Plan, *, one: bool = False) -> None:
    """The result files. one: it was one index process."""
    write_report(
        Report(
            name="shadow-one" if one else "shadow",
            title="Reads that are mirrored" + (", with one index process" if one else ""),
            command="python -m benchmarks shadow" + (" --one" if one else ""),
            tables=(
                Table(
                    "Searches through HTTP, the middle round of each arm",
                    (
                        "arm",
                        "rounds",
                        "p50 ms",
                        "p95 ms",
                        "p99 ms",
                        "p50 to off",
                        "p95 to off",
                        "p99 to off",
                        "sent",
                        "errors",
                    ),
                    tuple(_row(figures, arm) for arm in ARMS if figures.rounds(arm)),
                    (
                        "Ratios to *off* in the same round, with their 95 % interval (outgrow.evidence). A round is "
                        "made of slices of some seconds, one of each arm after the other in random order. off: nothing "
                        "is mirrored; on: 10 % of the searches are; stalled: the same, and the target's process is "
                        "stopped as the measuring begins; failing: it refuses whatever it is asked.",
                    ),
                ),
                Table(
                    "Processor time of a search, ms",
                    ("arm", "API", "PostgreSQL", "index", "workers", "generator"),
                    tuple(_used(figures, arm) for arm in ARMS if figures.rounds(arm)),
                ),
                Table(
                    "What was mirrored",
                    ("searches", "mirrored", "the same", "different", "no answer"),
                    (
                        (
                            figures.searched,
                            f"{sum(figures.counts.values()) / max(figures.searched, 1):.1%}",
                            *(figures.counts[key] for key in ("matched", "differed", "failed")),
                        ),
                    ),
                    ("Where a search finds both of its places in a process taken, it is not mirrored.",),
                ),
                *(() if one else (_kills(figures),)),
            ),
            targets=(
                *(
                    Target(f"p99 {arm} to off, upper 95 % bound", _high(figures.ratio(arm, 2)), high=MOST_RATIO)
                    for arm in ARMS[1:]
                    if figures.rounds(arm)
                ),
                *(
                    Target(
                        "kill switch, s after the command ended",
                        max(ended for _, ended, _ in figures.kills),
                        KILL_SECONDS,
                    )
                    for _ in figures.kills[:1]
                ),
                Target("searches that failed", float(sum(figures.wrong.values())), high=0.0),
            ),
            facts={
                "ventures": plan.count,
                "passages": plan.passages,
                "searches a second": round(figures.rate, 1),
                "arms in which the generator was late": figures.saturated,
            },
            packages=("litestar", "uvicorn", "psycopg", "qdrant-edge-py"),
        )
    )


def _kills(figures: Figures) -> Table:
    return Table(
        "`outgrow migrate data-architecture shadow --percent 0`, with all searches mirrored",
        ("last mirrored search, s after the command began", "… after it ended"),
        tuple((begun, ended) for begun, ended, _ in figures.kills),
        ("Negative: it came before the command ended.",),
    )


def _row(figures: Figures, arm: str) -> tuple[Cell, ...]:
    quantiles = [_ms(figures.quantile(arm, place)) for place in range(3)]
    ratios = [_interval(figures.ratio(arm, place)) if arm != "off" else "" for place in range(3)]
    return (arm, len(figures.rounds(arm)), *quantiles, *ratios, figures.sent[arm], figures.wrong[arm])


def _used(figures: Figures, arm: str) -> tuple[Cell, ...]:
    used = figures.processor(arm)
    return (arm, *(used[kind] * 1000 for kind in ("api", "postmaster", "index", "worker", "generator")))


def _interval(ratio: Interval | None) -> str:
    return "too few rounds" if ratio is None else f"{ratio.mid:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def _high(ratio: Interval | None) -> float | None:
    return None if ratio is None else ratio.high


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else show(seconds * 1000)

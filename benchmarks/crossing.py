"""How well the date of a crossing is foretold, on simulated histories, beside what people use today.

    python -m benchmarks crossing --n 2000 --seeds fresh

Every method gets the same histories in the same run, one process, one thread, history by history; its time is the CPU
time it took, children included. Slow peers get a prefix of the same seeds, and time ratios are taken over the prefix
that both sides saw.

Rules
    error = |median − truth| ÷ (truth − origin), capped at 2; without a median within three years it is 2.
    no date = no median within three years. silent = no interval at all: the method declined to say.
    P10-late = of the histories in which an interval was given, those whose early bound came after the crossing. "Not
    within three years" is such a bound, and counts as late; a refusal is not. late or silent adds the refusals.
    cov80 = of the same, those whose interval holds the truth. width = (P90 − P10) ÷ horizon, median.
    These are taken over the histories that cross within three years; the last column is the share of the others for
    which a date within three years was given all the same.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks import peers
from benchmarks.peers import Prediction
from benchmarks.report import Cell, Report, Table, Target, source_digest, write_report
from benchmarks.simulator import FIRST_FRESH_SEED, HORIZON_WEEKS, History, RampKind, World, simulate
from outgrow.quantities import WEEK

CAP = 2.0
COLUMNS = (
    "method",
    "n",
    "median error",
    "no date",
    "P10-late",
    "cov80",
    "width",
    "silent",
    "late or silent",
    "dated, does not cross",
    "CPU s/series",
)


@dataclass(frozen=True, slots=True)
class Method:
    """One row or more: ``run`` gives as many predictions as there are ``labels``. ``share``: which prefix it gets."""

    labels: tuple[str, ...]
    run: Callable[[History], tuple[Prediction, ...]]
    share: str = "all"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one method said about a prefix of the histories, and the CPU seconds of each."""

    predictions: tuple[Prediction, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one row; NaN where there was nothing to count."""

    count: int
    error: float
    no_date: float
    late: float
    coverage: float
    width: float
    silent: float
    late_or_silent: float
    wrongly_dated: float
    seconds: float


def score(histories: Sequence[History], predictions: Sequence[Prediction], seconds: Sequence[float]) -> Score:
    """The figures of one method over the histories it saw; the rules are those of the module."""
    errors, no_date, late, inside, widths, dated = [], [], [], [], [], []
    crossing = 0
    for history, told in zip(histories, predictions, strict=False):
        has_date = told.mid is not None and told.mid <= history.now + HORIZON_WEEKS * WEEK
        if not history.crosses:
            dated.append(has_date)
            continue
        crossing += 1
        horizon = history.crossing - history.now
        no_date.append(not has_date)
        errors.append(error_of(history, told))
        if told.low is not None and told.high is not None:
            late.append(told.low > history.crossing)
            inside.append(told.low <= history.crossing <= told.high)
            widths.append((told.high - told.low) / horizon if math.isfinite(told.high) else math.inf)
    silent = crossing - len(late)
    return Score(
        count=crossing + len(dated),
        error=float(np.median(errors)) if errors else math.nan,
        no_date=_mean(no_date),
        late=_mean(late),
        coverage=_mean(inside),
        width=float(np.sort(widths)[len(widths) // 2]) if widths else math.nan,
        silent=silent / crossing if crossing else math.nan,
        late_or_silent=(sum(late) + silent) / crossing if crossing else math.nan,
        wrongly_dated=_mean(dated),
        seconds=_mean(seconds),
    )


def error_of(history: History, told: Prediction) -> float:
    """Error over horizon, capped; the history must cross."""
    if told.mid is None or told.mid > history.now + HORIZON_WEEKS * WEEK:
        return CAP
    return min(CAP, abs(told.mid - history.crossing) / (history.crossing - history.now))


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return float(np.mean(kept)) if kept else math.nan


def methods() -> tuple[Method, ...]:
    """All rows, ours last."""

    def peer(label: str, function: peers.Peer, ramp: RampKind = "none", share: str = "all") -> Method:
        return Method((label,), lambda history: (function(history, ramp),), share)

    def ours(words: str, ramp: RampKind, *, utilisation: bool = False) -> Method:
        return Method(
            (f"outgrow, {words}: shown", f"outgrow, {words}: before refusals"),
            partial(peers.ours, ramp=ramp, utilisation=utilisation),
        )

    return (
        peer("predict_linear 28 d", peers.predict_linear),
        peer("exponential regression 90 d", peers.exponential),
        peer("AutoETS, daily", peers.auto_ets, share="slow"),
        peer("AutoETS, daily, log", peers.auto_ets_log, share="slow"),
        peer("AutoETS, weekly", peers.auto_ets_weekly, share="slow"),
        peer("Prophet, weekly", peers.prophet, share="prophet"),
        peer("two-stage least squares", peers.two_stage),
        peer("two-stage least squares + ramp to 2/3", peers.two_stage, "two-thirds"),
        peer("two-stage least squares + ramp to the limit", peers.two_stage, "limit"),
        ours("passive", "none"),
        ours("passive + utilisation", "none", utilisation=True),
        ours("ramp to 2/3", "two-thirds"),
        ours("ramp to the limit", "limit"),
        ours("ramp to the limit + utilisation", "limit", utilisation=True),
        Method(("floor: true curve known",), lambda h: (peers.growth_alone(h, h.users_at_limit),)),
        Method(("floor of a ramp: the rig known",), lambda h: (peers.growth_alone(h, h.users_at_limit * h.rig_ratio),)),
    )


def run(histories: Sequence[History], chosen: Sequence[Method], counts: dict[str, int]) -> dict[str, Outcome]:
    """Every method on its prefix, history by history; the first history is run once beforehand, unmeasured."""
    told: dict[str, list[Prediction]] = {label: [] for method in chosen for label in method.labels}
    took: dict[str, list[float]] = {label: [] for label in told}
    for method in chosen:
        if counts[method.share]:
            method.run(histories[0])
    for number, history in enumerate(histories):
        for method in chosen:
            if number >= counts[method.share]:
                continue
            start = _cpu_seconds()
            answers = method.run(history)
            seconds = _cpu_seconds() - start
            for label, answer in zip(method.labels, answers, strict=True):
                told[label].append(answer)
                took[label].append(seconds)
        if (number + 1) % 250 == 0:
            print(f"  {number + 1} of {len(histories)}", flush=True)
    return {label: Outcome(tuple(told[label]), tuple(took[label])) for label in told}


def _cpu_seconds() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def table(title: str, histories: Sequence[History], outcomes: dict[str, Outcome], notes: tuple[str, ...] = ()) -> Table:
    """One row a method."""
    rows = []
    for label, outcome in outcomes.items():
        if outcome.predictions:
            figures = score(histories, outcome.predictions, outcome.seconds)
            rows.append((label, *_cells(figures)))
    return Table(title, COLUMNS, tuple(rows), notes)


def _cells(figures: Score) -> tuple[Cell, ...]:
    return (
        figures.count,
        figures.error,
        figures.no_date,
        figures.late,
        figures.coverage,
        figures.width,
        figures.silent,
        figures.late_or_silent,
        figures.wrongly_dated,
        figures.seconds,
    )


def breakdown(histories: Sequence[History], outcomes: dict[str, Outcome]) -> Table:
    """Ours and the floor by kind of curve and of growth."""
    labels = ("outgrow, passive: before refusals", "outgrow, ramp to the limit: shown", "floor: true curve known")
    groups: list[tuple[str, Callable[[History], bool]]] = [
        *((kind, lambda h, kind=kind: h.curve_kind == kind) for kind in ("mmc", "usl", "power")),
        *(
            (kind, lambda h, kind=kind: h.growth_kind == kind)
            for kind in ("steady", "slowing", "wandering", "piecewise")
        ),
        ("origin by users", lambda h: h.origin_rule == "users"),
        ("origin by utilisation", lambda h: h.origin_rule == "utilisation"),
        ("deploy in the record", lambda h: h.deploy_weeks_ago is not None),
    ]
    rows = []
    for name, belongs in groups:
        chosen = [index for index, history in enumerate(histories) if belongs(history)]
        cells: list[Cell] = [name, len(chosen)]
        for label in labels:
            figures = score([histories[i] for i in chosen], [outcomes[label].predictions[i] for i in chosen], ())
            cells += [figures.error, figures.late, figures.coverage]
        rows.append(tuple(cells))
    heads = [f"{short} {what}" for short in ("passive", "ramp", "floor") for what in ("error", "P10-late", "cov80")]
    return Table("In-model families, by kind", ("kind", "n", *heads), tuple(rows))


def verdicts(histories: Sequence[History], outcomes: dict[str, Outcome]) -> Table:
    """How often each verdict was given, and the figures where it was, over the estimate before refusals."""
    rows = []
    for label, outcome in outcomes.items():
        if not label.endswith("before refusals"):
            continue
        for verdict in ("dated", "range", "users-only", "unknown"):
            chosen = [i for i, told in enumerate(outcome.predictions) if told.verdict == verdict]
            figures = score([histories[i] for i in chosen], [outcome.predictions[i] for i in chosen], ())
            crossing = _mean(histories[i].crosses for i in chosen)
            name = label.removeprefix("outgrow, ").removesuffix(": before refusals")
            share = len(chosen) / len(outcome.predictions)
            rows.append((name, verdict, share, crossing, figures.error, figures.late, figures.coverage, figures.width))
    columns = ("outgrow, with", "verdict", "share", "of these cross", "median error", "P10-late", "cov80", "width")
    return Table("What was said, and how good the number behind it was", columns, tuple(rows))


class Figures:
    """Scores by label and time ratios, from what was run."""

    def __init__(self, histories: Sequence[History], outcomes: dict[str, Outcome]) -> None:
        self.histories, self.outcomes = histories, outcomes

    def at(self, label: str) -> Score:
        """The score of one row."""
        return score(self.histories, self.outcomes[label].predictions, self.outcomes[label].seconds)

    def times(self, label: str, peer: str) -> float | None:
        """CPU time of ``label`` ÷ that of ``peer``, over the histories both saw; None when the peer was left out."""
        seen = len(self.outcomes[peer].seconds)
        return sum(self.outcomes[label].seconds[:seen]) / sum(self.outcomes[peer].seconds) if seen else None


RAMP = "outgrow, ramp to the limit: shown"
RAMP_BEFORE = "outgrow, ramp to the limit: before refusals"
PASSIVE = "outgrow, passive: shown"
PASSIVE_BEFORE = "outgrow, passive: before refusals"


def targets(figures: Figures) -> tuple[Target, ...]:
    """The promises, with what was measured."""
    ramp, passive = figures.at(RAMP), figures.at(PASSIVE)
    ramp_before, passive_before = figures.at(RAMP_BEFORE), figures.at(PASSIVE_BEFORE)
    linear = figures.at("predict_linear 28 d")
    base, floor = figures.at("two-stage least squares"), figures.at("floor: true curve known")
    rows = [
        Target("median error with a ramp ÷ two-stage baseline", ramp.error / base.error, 0.55),
        Target("median error with a ramp ÷ true-curve floor", ramp.error / floor.error, 1.3),
    ]
    said = {
        "with a ramp": ramp,
        "with a ramp, before refusals": ramp_before,
        "passive": passive,
        "passive, before refusals": passive_before,
    }
    rows += [Target(f"P10-late {words}", each.late, 0.14) for words, each in said.items()]
    rows += [
        Target(f"P10-late {words} ÷ predict_linear's", each.late / linear.late, 0.25) for words, each in said.items()
    ]
    rows += [Target(f"cov80 {words}", each.coverage, 0.90, 0.78) for words, each in said.items()]
    rows += [
        Target("fit time ÷ AutoETS (daily)", figures.times(PASSIVE, "AutoETS, daily"), 0.1),
        Target("fit time with a ramp ÷ AutoETS (daily)", figures.times(RAMP, "AutoETS, daily"), 0.2),
    ]
    return tuple(rows)


def beside_targets(figures: Figures) -> Table:
    """Sterner comparisons than were promised, so that nobody has to guess them."""
    ramp, passive = figures.at(RAMP), figures.at(PASSIVE_BEFORE)
    base_ramp = figures.at("two-stage least squares + ramp to the limit")
    base = figures.at("two-stage least squares")
    rows: list[tuple[Cell, ...]] = [
        ("median error with a ramp ÷ two-stage baseline given the same ramp", ramp.error / base_ramp.error),
        ("cov80 of that baseline", base_ramp.coverage),
        ("P10-late of that baseline", base_ramp.late),
        (
            "median error with a ramp ÷ floor of a ramp (rig known exactly, off by LogN(0, .1) from production)",
            ramp.error / figures.at("floor of a ramp: the rig known").error,
        ),
        ("median error passive, before refusals ÷ two-stage baseline", passive.error / base.error),
        ("fit time ÷ AutoETS (daily, log)", figures.times(PASSIVE, "AutoETS, daily, log")),
        ("fit time ÷ AutoETS (weekly)", figures.times(PASSIVE, "AutoETS, weekly")),
    ]
    return Table("Beside the targets", ("what", "measured"), tuple(rows))


def main(arguments: list[str]) -> None:
    """Run, print and write ``results/crossing.{md,json}``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks crossing", description="How well dates are foretold.")
    parser.add_argument("--n", type=int, default=2000, help="in-model histories")
    parser.add_argument("--outside", type=int, default=500, help="histories of each family outside the model")
    parser.add_argument("--slow", type=int, default=250, help="of these, how many AutoETS sees")
    parser.add_argument("--prophet", type=int, default=100, help="of these, how many Prophet sees (0: leave it out)")
    parser.add_argument("--seeds", default="fresh", help="fresh, development, or the first seed")
    parser.add_argument("--only-ours", action="store_true", help="leave the slow peers out")
    parser.add_argument("--name", default="crossing", help="name of the result files")
    chosen = parser.parse_args(arguments)
    first = {"fresh": FIRST_FRESH_SEED, "development": 0}.get(chosen.seeds)
    first = int(chosen.seeds) if first is None else first
    counts = {"all": chosen.n, "slow": min(chosen.slow, chosen.n), "prophet": min(chosen.prophet, chosen.n)}
    if chosen.only_ours:
        counts["slow"] = counts["prophet"] = 0

    measured = source_digest("outgrow.outlook", "outgrow.signals")
    print(f"in-model: {chosen.n} histories from seed {first}", flush=True)
    histories = [simulate(first + number) for number in range(chosen.n)]
    outcomes = run(histories, methods(), counts)
    notes = (
        "The rules of the columns are in `benchmarks/crossing.py`, those of the truth in `benchmarks/simulator.py`.",
    )
    tables = [table("In-model families", histories, outcomes, notes)]
    figures = Figures(histories, outcomes)
    tables = [beside_targets(figures), *tables]
    tables += [verdicts(histories, outcomes), breakdown(histories, outcomes)]
    quick = [method for method in methods() if method.share == "all"]
    worlds: tuple[tuple[World, str], ...] = (
        ("saturating", "Outside the model: saturating growth"),
        ("step-capacity", "Outside the model: capacity raised in steps"),
    )
    for world, title in worlds:
        if chosen.outside:
            print(f"{world}: {chosen.outside} histories", flush=True)
            strange = [simulate(first + number, world=world) for number in range(chosen.outside)]
            tables.append(table(title, strange, run(strange, quick, {"all": chosen.outside})))
    report = Report(
        name=chosen.name,
        title="When a limit is crossed: outgrow beside its peers on simulated histories",
        command=" ".join(["python -m benchmarks crossing", *arguments]),
        tables=tuple(tables),
        targets=targets(figures),
        facts={
            "source digest of outlook and signals": measured,
            "histories": chosen.n,
            "seeds": f"{first} to {first + chosen.n - 1}",
            "that cross within three years": sum(history.crosses for history in histories),
        },
        packages=("outgrow", "numpy", "statsforecast", "prophet"),
    )
    path = write_report(report)
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])

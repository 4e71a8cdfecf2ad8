"""Does planning pay? The plan of outgrow beside the two obvious rules, in simulated growth histories.

    python -m benchmarks policies --n 1000 --seeds fresh

Every policy is carried out in every history by the same hands: see ``benchmarks/policy_world.py`` for the histories and
for what is known when, ``benchmarks/policy_rules.py`` for the policies, ``benchmarks/policy_doubt.py`` for the variant
that is proposed.

Figures
    in time = of the rewrites that are due (needed, and their wall is reached within three years of now), those finished
    by their wall. all in time = of the histories with a rewrite due, those with all of them in time. months late = mean
    over those that are late; what is not finished a year after the three counts as finished then.
    early = the step of the monthly bill (price of the option less that before it), from the finish to the wall, or to
    the end of the three years where the wall comes later or never. breach = months past the wall × ten times that step,
    which is what outgrow assumes where no breach_cost is declared. Both are means over all histories.
    weeks for nothing = weeks of work on rewrites that turn out not to be needed, a history.
    Intervals are 95 %, by bootstrap over histories; differences are paired by history.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.policy_rules import (
    DAYS_PER_MONTH,
    POLICIES,
    SCENARIOS,
    Course,
    carry_out,
    hindsight,
    problem_known,
    solved,
)
from benchmarks.policy_world import END, GROWTH_KINDS, HORIZON, GrowthHistory, history_of
from benchmarks.report import Cell, Report, Table, source_digest, write_report
from benchmarks.simulator import FIRST_FRESH_SEED
from outgrow.signals.series import FloatArray

HINDSIGHT = "perfect foresight"
TRIGGER = "trigger fires"
DEADLINE = "deadline − effort (high)"
RESAMPLES = 2_000
BANDS = (("below 5 %", -1.0, 0.05), ("5 – 15 %", 0.05, 0.15), ("above 15 %", 0.15, 99.0))
SENSITIVITY = (0.25, 1.0, 4.0)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one policy came to in one history.

    Attributes:
        due: rewrites due. in_time: of these. late_months: of those that are late, in all.
        early, breach: money. idle_weeks: work on what is not needed.
        regrets: weeks from the start with perfect foresight to the start, of due rewrites that were begun.
    """

    due: int
    in_time: int
    late_months: float
    early: float
    breach: float
    idle_weeks: float
    regrets: tuple[float, ...]


def tally(history: GrowthHistory, course: Course, best: Course) -> Tally:
    """Count one course against the truth, and its starts against those with perfect foresight."""
    due = in_time = 0
    late_months = early = breach = idle = 0.0
    regrets = []
    for index, rewrite in enumerate(history.rewrites):
        finish = course.finishes.get(index)
        prices = rewrite.candidate.prices
        assert prices.early is not None
        assert prices.late is not None
        if finish is not None:
            early += prices.early * max(0, min(rewrite.wall, HORIZON) - finish) / DAYS_PER_MONTH
        if not rewrite.needed and index in course.starts:
            idle += course.stopped.get(index, rewrite.effort) / 7
        if not rewrite.due:
            continue
        due += 1
        late = (END if finish is None else min(finish, END)) - rewrite.wall
        in_time += late <= 0
        late_months += max(0, late) / DAYS_PER_MONTH
        breach += prices.late * max(0, late) / DAYS_PER_MONTH
        if index in course.starts:
            regrets.append((course.starts[index] - best.starts[index]) / 7)
    return Tally(due, in_time, late_months, early, breach, idle, tuple(regrets))


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """One policy in a set of histories, one row each (h,), and how often each history was drawn (b, h)."""

    due: FloatArray
    in_time: FloatArray
    late_months: FloatArray
    early: FloatArray
    breach: FloatArray
    idle_weeks: FloatArray
    draws: NDArray[np.float64]

    def in_time_ratio(self) -> FloatArray:
        """Shape (b,)."""
        return np.asarray(self.draws @ self.in_time / np.maximum(self.draws @ self.due, 1))

    def all_ratio(self) -> FloatArray:
        """Shape (b,)."""
        some = self.due > 0
        all_of_them = some & (self.in_time == self.due)
        return np.asarray(self.draws @ all_of_them / np.maximum(self.draws @ some, 1))

    def mean_late(self) -> FloatArray:
        """Months, shape (b,)."""
        return np.asarray(self.draws @ self.late_months / np.maximum(self.draws @ (self.due - self.in_time), 1))

    def mean(self, money: FloatArray) -> FloatArray:
        """Mean a history, shape (b,)."""
        return np.asarray(self.draws @ money / self.draws.sum(axis=1))

    def total(self, times: float = 1.0) -> FloatArray:
        """Money a history with the breach ``times`` as dear, shape (b,)."""
        return self.mean(self.early + times * self.breach)


def resampled(count: int) -> NDArray[np.float64]:
    """How often each history is drawn: every one once in row 0, then ``RESAMPLES`` bootstrap samples."""
    rng = np.random.default_rng(0)
    return np.vstack([np.ones(count), rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)]).astype(np.float64)


def sums(tallies: Sequence[Tally], draws: NDArray[np.float64]) -> Sums:
    """The tallies as columns."""
    names = ("due", "in_time", "late_months", "early", "breach", "idle_weeks")
    columns = {name: np.array([getattr(each, name) for each in tallies], dtype=np.float64) for name in names}
    return Sums(**columns, draws=draws)


def said(values: FloatArray, form: str = ",.0f") -> str:
    """The figure (first of the values) and its 95 % interval."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:{form}} ({low:{form}} … {high:{form}})"


def side_by_side(by_policy: Mapping[str, Sums]) -> Table:
    """Time and money of every policy."""
    columns = (
        "policy",
        "in time",
        "all in time",
        "months late",
        "early",
        "breach",
        "early + breach",
        "weeks for nothing",
    )
    rows = tuple(
        (
            name,
            said(each.in_time_ratio(), ".3f"),
            said(each.all_ratio(), ".3f"),
            said(each.mean_late(), ".1f"),
            said(each.mean(each.early)),
            said(each.mean(each.breach)),
            said(each.total()),
            said(each.mean(each.idle_weeks), ".1f"),
        )
        for name, each in by_policy.items()
    )
    return Table("Side by side", columns, rows, ("Money in USD a history over three years.",))


def differences(by_policy: Mapping[str, Sums]) -> Table:
    """Each policy less each of the obvious rules, paired."""
    rows: list[tuple[Cell, ...]] = []
    for name, each in by_policy.items():
        if name.startswith("plan") or name == HINDSIGHT:
            for other in (DEADLINE, TRIGGER):
                rule = by_policy[other]
                rows.append(
                    (
                        f"{name} less {other}",
                        said(each.in_time_ratio() - rule.in_time_ratio(), "+.3f"),
                        said(each.all_ratio() - rule.all_ratio(), "+.3f"),
                        said(each.total() - rule.total(), "+,.0f"),
                    )
                )
    return Table("Differences, paired by history", ("what", "in time", "all in time", "early + breach"), tuple(rows))


def sensitivity(by_policy: Mapping[str, Sums]) -> Table:
    """Money with a breach cheaper and dearer; the plans were made for the middle column."""
    rows = tuple((name, *(said(each.total(times)) for times in SENSITIVITY)) for name, each in by_policy.items())
    columns = ("policy", *(f"breach × {times:g}" for times in SENSITIVITY))
    return Table("Early + breach when a breach costs less or more", columns, rows)


def by_group(
    title: str,
    histories: Sequence[GrowthHistory],
    tallies: Mapping[str, Sequence[Tally]],
    groups: Sequence[tuple[str, Callable[[GrowthHistory], bool]]],
) -> Table:
    """In time, money, and the paired difference to the trigger in groups of histories."""
    rows: list[tuple[Cell, ...]] = []
    for words, belongs in groups:
        inside = [place for place, history in enumerate(histories) if belongs(history)]
        if not sum(tallies[TRIGGER][place].due for place in inside):
            continue
        draws = resampled(len(inside))
        draws = draws[draws @ np.array([float(tallies[TRIGGER][place].due) for place in inside]) > 0]
        base = sums([tallies[TRIGGER][place] for place in inside], draws)
        for name, all_of_them in tallies.items():
            each = sums([all_of_them[place] for place in inside], draws)
            rows.append(
                (
                    words,
                    len(inside),
                    int(each.due.sum()),
                    name,
                    said(each.in_time_ratio(), ".3f"),
                    said(each.total()),
                    said(each.in_time_ratio() - base.in_time_ratio(), "+.3f"),
                    said(each.total() - base.total(), "+,.0f"),
                )
            )
    columns = (
        "group",
        "histories",
        "due",
        "policy",
        "in time",
        "early + breach",
        "in time less trigger's",
        "money less",
    )
    return Table(title, columns, tuple(rows))


def start_regret(tallies: Mapping[str, Sequence[Tally]]) -> Table:
    """Weeks between a start and the one with perfect foresight, over due rewrites that were begun."""
    rows: list[tuple[Cell, ...]] = []
    for name, each in tallies.items():
        weeks = np.array([regret for one in each for regret in one.regrets])
        low, middle, high = (float(place) for place in np.quantile(weeks, [0.1, 0.5, 0.9]))
        half, late = float(np.mean(weeks < -26)), float(np.mean(weeks > 1))
        rows.append((name, weeks.size, low, middle, high, float(np.mean(np.abs(weeks))), half, late))
    columns = (
        "policy",
        "begun",
        "10 %",
        "50 %",
        "90 %",
        "mean of |weeks|",
        "half a year early or more",
        "later than it",
    )
    return Table("Start against perfect foresight, weeks (negative: earlier)", columns, tuple(rows))


def solver_facts(histories: Sequence[GrowthHistory]) -> dict[str, Cell]:
    """How the solver fares on the plans of day 0: seconds of CPU a solve, and the share that is proven."""
    seconds, proven = 0.0, []
    for history in histories:
        waiting = tuple(Course().open(history, 0))
        problem_known(history, waiting, 0, SCENARIOS, False)
        start = time.process_time()
        proven.append(solved(history, waiting, 0, SCENARIOS, False).status == "optimal")
        seconds += time.process_time() - start
    return {
        f"CPU s a solve (day 0, {SCENARIOS} scenarios)": seconds / len(proven),
        "share proven optimal": float(np.mean(proven)),
    }


def main(arguments: list[str]) -> None:
    """Run, print and write ``results/policies.{md,json}``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks policies", description="Does planning pay?")
    parser.add_argument("--n", type=int, default=1000, help="histories")
    parser.add_argument("--seeds", default="fresh", help="fresh, development, or the first seed")
    parser.add_argument("--name", default="policies", help="name of the result files")
    chosen = parser.parse_args(arguments)
    first = {"fresh": FIRST_FRESH_SEED, "development": 0}.get(chosen.seeds)
    first = int(chosen.seeds) if first is None else first
    measured = source_digest("outgrow.schedule", "outgrow.outlook", "outgrow.signals")
    begun = time.process_time()
    histories, tallies = list[GrowthHistory](), {name: list[Tally]() for name in (*POLICIES, HINDSIGHT)}
    for number in range(chosen.n):
        history = history_of(first + number)
        best = hindsight(history)
        histories.append(history)
        for name, policy in POLICIES.items():
            tallies[name].append(tally(history, carry_out(history, policy()), best))
        tallies[HINDSIGHT].append(tally(history, best, best))
        if number % 100 == 99:
            print(f"{number + 1} histories, {time.process_time() - begun:.0f} s of CPU", flush=True)
    seconds = time.process_time() - begun
    draws = resampled(chosen.n)
    by_policy = {name: sums(each, draws) for name, each in tallies.items()}
    bands = [(words, lambda h, low=low, high=high: low <= h.growth_per_month < high) for words, low, high in BANDS]
    kinds = [(kind, lambda h, kind=kind: h.kind == kind) for kind in GROWTH_KINDS]
    report = Report(
        name=chosen.name,
        title="Does planning pay? The plan of outgrow beside the two obvious rules",
        command=" ".join(["python -m benchmarks policies", *arguments]),
        tables=(
            side_by_side(by_policy),
            differences(by_policy),
            sensitivity(by_policy),
            by_group("By growth a month, as the team measures it on day 0", histories, tallies, bands),
            by_group("By kind of growth", histories, tallies, kinds),
            start_regret(tallies),
        ),
        facts={
            "source digest of schedule, outlook and signals": measured,
            "histories": chosen.n,
            "seeds": f"{first} to {first + chosen.n - 1}",
            "rewrites due": int(by_policy[TRIGGER].due.sum()),
            "histories with two or more due": int((by_policy[TRIGGER].due >= 2).sum()),
            "CPU s in all": seconds,
            **solver_facts(histories[:100]),
        },
        notes=NOTES,
        packages=("outgrow", "numpy"),
    )
    print(write_report(report).read_text(encoding="utf-8"))


NOTES = (
    "The rules of the figures are in `benchmarks/policies.py`; histories and what is known when in "
    "`benchmarks/policy_world.py`; the policies in `benchmarks/policy_rules.py`.",
    "“Plan” is the plan as it is made: the chance first, then the cost. “95 %” and “90 %” "
    "give up to a twentieth or a tenth of that chance for less cost. “Doubt paid” counts what the plan leaves out: "
    "work begun before it is known to be needed.",
)

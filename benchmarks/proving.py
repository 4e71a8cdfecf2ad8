"""How often `outgrow prove` is wrong from end to end: the baseline against itself first, then interleaved rounds.

    python -m benchmarks.proving [COMPARISONS]

A machine has noise of its own that goes on through all slots of time, in which arms run one after the other in the
order that `prove` draws: a comparison is of neighbouring slots, as it is in truth. Machines that are found unfit tell
nothing. Of the others it is counted how often a *stay* (true ratio just below 5) or a *migrate* (just above 2) is
false, and how often the interval holds the true ratio. Bounds move with the true ratio, so one draw of noise serves
every ratio. That the simulated verdicts are those of the command's own code is checked on some of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report, Table, Target, source_digest, write_report
from outgrow.evidence.comparison import CONFIDENCE, clearance, measured_ratios
from outgrow.evidence.design import round_orders
from outgrow.evidence.fitness import FIT_WITHIN, fitness, only_too_wide
from outgrow.evidence.intervals import outermost_bounds
from outgrow.evidence.records import Arm, Evidence, Round

ARMS = ("current", "tune", "A")
FITNESS_ROUNDS = 6
ROUNDS = (10, 12, 20)
STAY, MIGRATE = 5.0, 2.0
FALSE_STAY_AT, FALSE_MIGRATE_AT = 4.999, 2.001
RIGHT_STAY_AT, RIGHT_MIGRATE_AT = 7.0, 1.4
COMPARISONS = 20_000
LEAST_FIT = 2_000
DESIGNS = 200
CHECKED = 40
SEED = 20_26

Logs = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int], Logs]
"""(generator, machines, slots) → the machine's noise in the log p95 of whatever runs in a slot, (machines, slots)."""


def steady(spread: float) -> Noise:
    """Every slot by itself."""
    return lambda rng, m, n: spread * rng.standard_normal((m, n))


def heavy(rng: np.random.Generator, m: int, n: int) -> Logs:
    """Student's t with two degrees of freedom: no variance at all."""
    return 0.03 * rng.standard_t(2, (m, n))


def stalls(rng: np.random.Generator, m: int, n: int) -> Logs:
    """One slot in twenty is slower by a factor of 1.8 on average (geometric), sometimes far more."""
    return 0.05 * rng.standard_normal((m, n)) + (rng.random((m, n)) < 0.05) * rng.exponential(0.6, (m, n))


def drifting(rng: np.random.Generator, m: int, n: int) -> Logs:
    """Slower by 1 % from slot to slot, wandering by 5 % beside, and 5 % of a slot's own."""
    return np.cumsum(0.01 + 0.05 * rng.standard_normal((m, n)), axis=1) + 0.05 * rng.standard_normal((m, n))


def persisting(rng: np.random.Generator, m: int, n: int) -> Logs:
    """Neighbours on the machine: what slows a slot by 15 % is four fifths there in the next."""
    noise = 0.15 * rng.standard_normal((m, n))
    for place in range(1, n):
        noise[:, place] = 0.8 * noise[:, place - 1] + 0.6 * noise[:, place]
    return noise + 0.03 * rng.standard_normal((m, n))


def gusts(rng: np.random.Generator, m: int, n: int) -> Logs:
    """Drift and heavy tails together: a wandering machine with now and then a slot that is far off."""
    return np.cumsum(0.03 * rng.standard_normal((m, n)), axis=1) + 0.025 * rng.standard_t(2, (m, n))


def of_all_kinds(rng: np.random.Generator, m: int, n: int) -> Logs:
    """Machines from quiet to noisy: the gate chooses among them."""
    return np.exp(rng.normal(np.log(0.1), 0.7, (m, 1))) * rng.standard_normal((m, n))


NOISES: dict[str, Noise] = {
    "quiet, 5 %": steady(0.05),
    "log-normal, 10 %": steady(0.1),
    "noisy, 20 %": steady(0.2),
    "machines of all kinds": of_all_kinds,
    "heavy tails": heavy,
    "stalls": stalls,
    "drifting": drifting,
    "persisting": persisting,
    "drift and heavy tails": gusts,
}


@dataclass(frozen=True, slots=True)
class Run:
    """Machines that were simulated: whether each is fit, its A-against-A log ratios, and log p95 of tune and of A by
    round at a true ratio of 1.
    """

    fit: NDArray[np.bool_]
    self_ratios: Logs
    tune: Logs
    option: Logs
    low: Logs
    high: Logs

    def told(self, wrong: NDArray[np.bool_]) -> float | None:
        """The share among fit machines; None where too few are fit to say."""
        return float(np.mean(wrong[self.fit])) if np.count_nonzero(self.fit) >= LEAST_FIT else None

    def stays(self, ratio: float) -> float | None:
        """Share ruled *stay* at a true ratio."""
        return self.told(ratio * np.exp(self.low) >= STAY)

    def migrates(self, ratio: float) -> float | None:
        """Share ruled *migrate*."""
        return self.told(ratio * np.exp(self.high) <= MIGRATE)

    def covers(self) -> float | None:
        """Share of intervals that hold the true ratio."""
        return self.told((self.low <= 0) & (self.high >= 0))


def simulate(noise: Noise, machines: int, rounds: int, seed: list[int]) -> Run:
    """Machines through the whole of a measurement, slot after slot."""
    rng = np.random.default_rng(seed)
    slots = noise(rng, machines, (2 + len(ARMS)) * rounds)
    ours = np.arange(machines) % DESIGNS
    halves = np.array([_places(("a", "b"), rounds, each) for each in range(DESIGNS)])[ours]
    arms = np.array([_places(ARMS, rounds, each) for each in range(DESIGNS)])[ours] + 2 * rounds
    first, second = (np.take_along_axis(slots, halves[:, each], axis=1) for each in (0, 1))
    tune, option = (np.take_along_axis(slots, arms[:, each], axis=1) for each in (1, 2))
    itself = first - second
    short_low, _, short_high = outermost_bounds(itself[:, :FITNESS_ROUNDS], CONFIDENCE)
    long_low, _, long_high = outermost_bounds(itself, CONFIDENCE)
    at_last = _holds_one(long_low, long_high) & _within(long_low, long_high)
    fit = _holds_one(short_low, short_high) & (_within(short_low, short_high) | at_last)
    low, _, high = outermost_bounds(tune - option, CONFIDENCE)
    return Run(fit, itself, tune, option, low, high)


def _holds_one(low: Logs, high: Logs) -> NDArray[np.bool_]:
    held: NDArray[np.bool_] = (low <= 0) & (high >= 0)
    return held


def _within(low: Logs, high: Logs) -> NDArray[np.bool_]:
    limit = np.log(FIT_WITHIN)
    inside: NDArray[np.bool_] = (low >= -limit) & (high <= limit)
    return inside


def _places(arms: tuple[str, ...], rounds: int, seed: int) -> list[list[int]]:
    """The slot of each arm in each round, (arms, rounds)."""
    orders = round_orders(arms, rounds, seed)
    return [[number * len(arms) + order.index(arm) for number, order in enumerate(orders)] for arm in arms]


def differing(run: Run, ratio: float) -> int:
    """On how many of the first machines the command's own code says something else.

    One comparison in a hundred it refuses as unsteady, and is right.
    """
    wrong = 0
    for row in range(CHECKED):
        pairs = [
            (_round(0, "current", float(np.exp(each))), _round(0, "current", 1.0)) for each in run.self_ratios[row]
        ]
        fit = fitness("current", pairs[:FITNESS_ROUNDS])
        fit = fitness("current", pairs) if only_too_wide(fit) else fit
        wrong += bool(run.fit[row]) == bool(fit.why_not)
        rounds = []
        for number, (tune, option) in enumerate(zip(run.tune[row], run.option[row], strict=True)):
            rounds += [_round(number, "tune", float(np.exp(tune))), _round(number, "A", float(np.exp(option)) / ratio)]
        arms = (Arm("tune", "tune"), Arm("A", "A"))
        evidence = Evidence("p", 0.0, "simulation", "tune", True, "", arms=arms, rounds=tuple(rounds))
        ruled = measured_ratios(evidence, "A")[0].ratio
        said = clearance(ruled, STAY, MIGRATE) if ruled else None
        expected = (ratio * np.exp(run.low[row]) >= STAY, ratio * np.exp(run.high[row]) <= MIGRATE)
        wrong += ruled is not None and expected != (said == "above", said == "below")
    return wrong


def _round(number: int, arm: str, p95_seconds: float) -> Round:
    return Round(number, arm, ARMS.index(arm), p95_seconds, 1000, 0)


def main(arguments: list[str]) -> None:
    """Measure, print and write ``results/proving.{md,json}``."""
    machines = int(arguments[0]) if arguments else COMPARISONS
    found = {
        (name, rounds): simulate(noise, machines, rounds, [SEED, place, rounds])
        for place, (name, noise) in enumerate(NOISES.items())
        for rounds in ROUNDS
    }
    wrong = sum(differing(run, ratio) for run in found.values() for ratio in (RIGHT_STAY_AT, RIGHT_MIGRATE_AT))
    stay = [share for run in found.values() if (share := run.stays(FALSE_STAY_AT)) is not None]
    migrate = [share for run in found.values() if (share := run.migrates(FALSE_MIGRATE_AT)) is not None]
    covered = [share for run in found.values() if (share := run.covers()) is not None]
    report = Report(
        name="proving",
        title="How often proving is wrong, from the first slot to the verdict",
        command=" ".join(["python -m benchmarks.proving", *arguments]),
        tables=(
            _table("Machines found fit", found, lambda run: float(np.mean(run.fit))),
            _table("Intervals that hold the true ratio", found, Run.covers),
            _table(f"False stay at a true ratio of {FALSE_STAY_AT}", found, lambda run: run.stays(FALSE_STAY_AT)),
            _table(
                f"False migrate at a true ratio of {FALSE_MIGRATE_AT}",
                found,
                lambda run: run.migrates(FALSE_MIGRATE_AT),
            ),
            _table(f"Right stay at {RIGHT_STAY_AT:g}", found, lambda run: run.stays(RIGHT_STAY_AT)),
            _table(f"Right migrate at {RIGHT_MIGRATE_AT:g}", found, lambda run: run.migrates(RIGHT_MIGRATE_AT)),
        ),
        targets=(
            Target("false stay on a fit machine: worst share over noises and rounds", max(stay), 0.025),
            Target("false migrate: the same", max(migrate), 0.025),
            Target("intervals that hold the true ratio: worst share", min(covered), low=0.94),
            Target("simulated verdicts that the command's code sees otherwise", float(wrong), 0.0),
        ),
        facts={
            "machines a cell": machines,
            "cells": len(found),
            "source": source_digest("outgrow.evidence"),
        },
        notes=(
            f"Shares are of fit machines; where fewer than {LEAST_FIT:,} are fit none is told. A share of 2 % of "
            f"{machines:,} is known to ± {1.96 * (0.02 * 0.98 / machines) ** 0.5:.2%}.",
            "The baseline is compared with itself in 6 rounds; where the bounds are only too wide, in as many as arms "
            "are compared in. Noise that stays with an arm from round to round is in none of these machines, and "
            "outside what is promised.",
            "The rest of the right verdicts is *inconclusive*, which says how many rounds would settle it.",
        ),
        packages=("outgrow", "numpy"),
    )
    print(write_report(report).read_text(encoding="utf-8"))


def _table(title: str, found: dict[tuple[str, int], Run], share: Callable[[Run], float | None]) -> Table:
    rows = []
    for name in NOISES:
        shares = [share(found[name, rounds]) for rounds in ROUNDS]
        rows.append((name, *("–" if each is None else f"{each:.1%}" for each in shares)))
    return Table(title, ("noise", *(f"{rounds} rounds" for rounds in ROUNDS)), tuple(rows))


if __name__ == "__main__":
    main(sys.argv[1:])

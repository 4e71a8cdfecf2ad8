"""How often a verdict on measured rounds is wrong, and how often it is none: by simulation with a known true ratio.

    python -m benchmarks verdicts [COMPARISONS]

Two arms run next to each other in rounds; the true ratio is that of a typical round (half of all rounds show more). A
*stay* at a true ratio below 5 is false, and so is a *migrate* at one above 2. Bounds move with the true ratio, so one
draw of noise serves every ratio. Rounds are ruled on by the code that `outgrow decide` uses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Cell, Report, Table, Target, source_digest, write_report
from outgrow.evidence.comparison import CONFIDENCE, clearance, measured_ratios
from outgrow.evidence.intervals import outermost_bounds, sign_bounds, signed_rank_bounds, student_bounds
from outgrow.evidence.records import Arm, Evidence, Round

STAY, MIGRATE = 5.0, 2.0
ROUNDS = (6, 7, 8, 10, 12, 15, 20, 30, 40)
FALSE_STAY_AT = (4.999, 4.9, 4.5)
FALSE_MIGRATE_AT = (2.001, 2.05, 2.2)
POWER_AT = (7.0, 1.4)
SAID_AT = (1.0, 1.4, 1.8, 2.2, 3.2, 4.0, 4.5, 4.9, 5.5, 7.0, 9.0)
PROMISED = 0.025
COMPARISONS = 40_000
SEED = 20_26

Logs = NDArray[np.float64]
Arms = tuple[Logs, Logs]
Noise = Callable[[np.random.Generator, int, int], Arms]
"""(generator, comparisons, rounds) → log p95 of the tuned service and of the option, each (comparisons, rounds)."""


def _even(draw: Callable[[np.random.Generator, tuple[int, int]], Logs]) -> Noise:
    return lambda rng, m, n: (draw(rng, (m, n)), draw(rng, (m, n)))


def _unequal(
    tuned: Callable[[np.random.Generator, tuple[int, int]], Logs],
    option: Callable[[np.random.Generator, tuple[int, int]], Logs],
) -> Noise:
    return lambda rng, m, n: (tuned(rng, (m, n)), option(rng, (m, n)))


def _normal(spread: float) -> Callable[[np.random.Generator, tuple[int, int]], Logs]:
    return lambda rng, shape: spread * rng.standard_normal(shape)


def _heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Logs:
    return 0.2 * rng.standard_t(2, shape)


def _stalls(rng: np.random.Generator, shape: tuple[int, int]) -> Logs:
    """One round in five is 3.3 times slower on average (geometric), sometimes far more."""
    return 0.15 * rng.standard_normal(shape) + (rng.random(shape) < 0.2) * rng.exponential(1.2, shape)


def _one_sided(rng: np.random.Generator, shape: tuple[int, int]) -> Logs:
    return rng.exponential(0.5, shape)


def _in_turn(rng: np.random.Generator, m: int, n: int, slots: Logs) -> Arms:
    """What each slot of time adds, (m, 2n), for arms that take turns in going first."""
    first, second = slots[:, 0::2], slots[:, 1::2]
    leads = np.arange(n) % 2 == 0
    noise = 0.2 * rng.standard_normal((2, m, n))
    return np.where(leads, first, second) + noise[0], np.where(leads, second, first) + noise[1]


def _drifting(rng: np.random.Generator, m: int, n: int) -> Arms:
    """A machine that gets 3 % slower from slot to slot, and wanders by 15 % beside."""
    return _in_turn(rng, m, n, np.cumsum(0.03 + 0.15 * rng.standard_normal((m, 2 * n)), axis=1))


def _order(rng: np.random.Generator, m: int, n: int) -> Arms:
    """Who goes second finds warm caches and is 20 % faster."""
    return _in_turn(rng, m, n, np.tile([0.0, np.log(0.8)], (m, n)))


def _persisting(rng: np.random.Generator, m: int, n: int) -> Arms:
    """What slows one arm in a round is still half there in its next one."""
    noise = 0.3 * rng.standard_normal((2, m, n))
    for place in range(1, n):
        noise[:, :, place] = 0.5 * noise[:, :, place - 1] + np.sqrt(0.75) * noise[:, :, place]
    return noise[0], noise[1]


NOISES: dict[str, Noise] = {
    "log-normal": _even(_normal(0.3)),
    "heavy tails": _even(_heavy),
    "both stall": _even(_stalls),
    "drifting machine": _drifting,
    "order matters": _order,
    "tuned arm noisier": _unequal(_normal(0.5), _normal(0.1)),
    "only the tuned arm stalls": _unequal(_stalls, _normal(0.1)),
    "only the option stalls": _unequal(_normal(0.1), _stalls),
    "one-sided, tuned arm": _unequal(_one_sided, _normal(0.1)),
    "one-sided, option": _unequal(_normal(0.1), _one_sided),
}
BEYOND: dict[str, Noise] = {"noise that persists in an arm": _persisting}
METHODS = ("no interval", "Student's t", "signed ranks", "sign test", "outermost")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of log ratios around a true ratio of 1, each (comparisons,); for a point estimate both are the same."""

    low: Logs
    high: Logs

    def stays(self, ratio: float) -> float:
        """Share of comparisons ruled *stay* at a true ratio."""
        return float(np.mean(ratio * np.exp(self.low) >= STAY))

    def migrates(self, ratio: float) -> float:
        """Share ruled *migrate*."""
        return float(np.mean(ratio * np.exp(self.high) <= MIGRATE))

    def inside(self, ratio: float) -> float:
        """Share ruled *between*."""
        return float(np.mean((ratio * np.exp(self.low) > MIGRATE) & (ratio * np.exp(self.high) < STAY)))

    def worst(self) -> float:
        """The larger share of false *stay* and false *migrate* over the ratios next to the thresholds."""
        return max(
            *(self.stays(ratio) for ratio in FALSE_STAY_AT), *(self.migrates(ratio) for ratio in FALSE_MIGRATE_AT)
        )


def typical(noise: Noise, center: Callable[[Logs], float] = lambda logs: float(np.median(logs))) -> float:
    """The log ratio of a typical round of this noise at a true ratio of 1, from two million rounds."""
    tuned, option = noise(np.random.default_rng(SEED), 50_000, 40)
    return center(tuned - option)


def all_bounds(tuned: Logs, option: Logs, shift: float) -> dict[str, Bounds]:
    """The bounds by each method; ``shift`` is the log ratio of a typical round."""
    logs = tuned - option - shift
    middle = np.median(logs, axis=1)
    rank_low, _, rank_high = signed_rank_bounds(logs, CONFIDENCE)
    low, _, high = outermost_bounds(logs, CONFIDENCE)
    found = (
        Bounds(middle, middle),
        Bounds(*student_bounds(logs, CONFIDENCE)),
        Bounds(rank_low, rank_high),
        Bounds(*sign_bounds(logs, CONFIDENCE)),
        Bounds(low, high),
    )
    return dict(zip(METHODS, found, strict=True))


def differs_from_rulings(tuned: Logs, option: Logs, bounds: Bounds, ratio: float) -> int:
    """On how many of the first comparisons `measured_ratios` and `clearance` say something else.

    A comparison refused as unsteady (one in a hundred) is ruled on by nobody, and right.
    """
    wrong = 0
    for row in range(50):
        rounds = []
        for number, (slow, fast) in enumerate(zip(np.exp(tuned[row]), np.exp(option[row]) / ratio, strict=True)):
            rounds += [
                Round(number, "tune", number % 2, float(slow), 1000, 0),
                Round(number, "A", 1 - number % 2, float(fast), 1000, 0),
            ]
        arms = (Arm("tune", "tune"), Arm("A", "A"))
        evidence = Evidence("p", 0.0, "simulation", "tune", True, "", arms=arms, rounds=tuple(rounds))
        ruled = measured_ratios(evidence, "A")[0].ratio
        said = clearance(ruled, STAY, MIGRATE) if ruled else None
        expected = (ratio * np.exp(bounds.low[row]) >= STAY, ratio * np.exp(bounds.high[row]) <= MIGRATE)
        wrong += ruled is not None and expected != (said == "above", said == "below")
    return wrong


def main(arguments: list[str]) -> None:
    """Measure, print and write ``results/verdicts.{md,json}``."""
    comparisons = int(arguments[0]) if arguments else COMPARISONS
    found: dict[tuple[str, int], dict[str, Bounds]] = {}
    differing = 0
    for place, (name, noise) in enumerate((NOISES | BEYOND).items()):
        shift = typical(noise)
        for rounds in ROUNDS:
            tuned, option = noise(np.random.default_rng([SEED, place, rounds]), comparisons, rounds)
            found[name, rounds] = all_bounds(tuned, option, shift)
            outermost = found[name, rounds]["outermost"]
            differing += sum(differs_from_rulings(tuned - shift, option, outermost, ratio) for ratio in (7.0, 1.4))
    promised = {key: value for key, value in found.items() if key[0] in NOISES}
    false_stay = max(bounds["outermost"].stays(ratio) for bounds in promised.values() for ratio in FALSE_STAY_AT)
    false_migrate = max(
        bounds["outermost"].migrates(ratio) for bounds in promised.values() for ratio in FALSE_MIGRATE_AT
    )
    report = Report(
        name="verdicts",
        title="How often a verdict is wrong",
        command=" ".join(["python -m benchmarks verdicts", *arguments]),
        tables=(
            _by_noise(found),
            _said(found),
            _by_rounds("False stay", found, FALSE_STAY_AT[0], Bounds.stays),
            _by_rounds("False migrate", found, FALSE_MIGRATE_AT[0], Bounds.migrates),
            _power(found),
            _widths(found),
            _of_the_mean(comparisons),
        ),
        targets=(
            Target("false stay: worst share over noises, rounds and true ratios", false_stay, PROMISED),
            Target("false migrate: the same", false_migrate, PROMISED),
            Target("simulated bounds that the rulings' code sees otherwise", float(differing), 0.0),
        ),
        facts={
            "comparisons a cell": comparisons,
            "cells": len(promised) * (len(FALSE_STAY_AT) + len(FALSE_MIGRATE_AT)),
            "source": source_digest("outgrow.evidence"),
        },
        notes=(
            f"True ratios next to the thresholds: {', '.join(map(str, FALSE_STAY_AT))} for a false *stay*, "
            f"{', '.join(map(str, FALSE_MIGRATE_AT))} for a false *migrate*. A share of 2 % of {comparisons:,} is "
            f"known to ± {1.96 * (0.02 * 0.98 / comparisons) ** 0.5:.2%}.",
            "Persisting noise is outside what is promised: it makes rounds worth less than their number says. Run the "
            "arms in an order that changes, restart between rounds, and leave time between them.",
        ),
        packages=("outgrow", "numpy"),
    )
    print(write_report(report).read_text(encoding="utf-8"))


def _by_noise(found: dict[tuple[str, int], dict[str, Bounds]]) -> Table:
    rows = []
    for name in NOISES | BEYOND:
        worst = [max(found[name, rounds][method].worst() for rounds in ROUNDS) for method in METHODS]
        rows.append((name, *(f"{share:.1%}" for share in worst)))
    return Table(
        "Worst share of false verdicts, by how the bound is made",
        ("noise", *METHODS),
        tuple(rows),
        (
            "Each over all numbers of rounds and true ratios. *Outermost* is what rules: the outermost bounds of the "
            "three before it. *No interval*: the median of the rounds' ratios against 5 and 2.",
        ),
    )


def _by_rounds(
    title: str, found: dict[tuple[str, int], dict[str, Bounds]], ratio: float, share: Callable[[Bounds, float], float]
) -> Table:
    rows = tuple(
        (name, *(f"{share(found[name, rounds]['outermost'], ratio):.1%}" for rounds in ROUNDS))
        for name in NOISES | BEYOND
    )
    return Table(f"{title} at a true ratio of {ratio}, by rounds", ("noise", *map(str, ROUNDS)), rows)


def _said(found: dict[tuple[str, int], dict[str, Bounds]]) -> Table:
    """What is said at a true ratio, with and without an interval."""
    rows: list[tuple[Cell, ...]] = []
    for ratio in SAID_AT:
        cells: list[Cell] = [f"{ratio:g}"]
        for method in (METHODS[0], METHODS[-1]):
            bounds = found["log-normal", 12][method]
            stay, migrate = bounds.stays(ratio), bounds.migrates(ratio)
            inside = bounds.inside(ratio)
            cells += [f"{stay:.0%}", f"{inside:.0%}", f"{migrate:.0%}", f"{max(0.0, 1 - stay - inside - migrate):.0%}"]
        rows.append(tuple(cells))
    said = ("stay", "between", "migrate", "inconclusive")
    columns = ("true ratio", *(f"{word}, no interval" for word in said), *(f"{word}, outermost" for word in said))
    return Table("What is said after 12 rounds with log-normal noise", columns, tuple(rows))


def _power(found: dict[tuple[str, int], dict[str, Bounds]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    stay_at, migrate_at = POWER_AT
    for name in NOISES:
        cells = []
        for rounds in ROUNDS:
            bounds = found[name, rounds]["outermost"]
            cells.append(f"{bounds.stays(stay_at):.0%} / {bounds.migrates(migrate_at):.0%}")
        rows.append((name, *cells))
    return Table(
        f"Right verdicts: stay at {stay_at:g} / migrate at {migrate_at:g}, by rounds",
        ("noise", *map(str, ROUNDS)),
        tuple(rows),
        ("The rest is *inconclusive*, which asks for more rounds.",),
    )


def _widths(found: dict[tuple[str, int], dict[str, Bounds]]) -> Table:
    def width(bounds: Bounds) -> str:
        return f"×÷ {np.exp(np.median(bounds.high - bounds.low) / 2):.2f}"

    rows = tuple((name, *(width(found[name, rounds]["outermost"]) for rounds in ROUNDS)) for name in NOISES)
    return Table("Half the width of the interval, as a factor, by rounds", ("noise", *map(str, ROUNDS)), rows)


def _of_the_mean(comparisons: int) -> Table:
    """What becomes of it for who means the geometric mean of all rounds rather than a typical one."""
    rows = []
    for name, noise in _skewed():
        mean = typical(noise, lambda logs: float(np.mean(logs)))
        cells = []
        for rounds in ROUNDS:
            tuned, option = noise(np.random.default_rng([SEED, 99, rounds]), comparisons, rounds)
            cells.append(f"{all_bounds(tuned, option, mean)['outermost'].worst():.1%}")
        rows.append((name, *cells))
    return Table(
        "Worst share of false verdicts if the geometric mean of all rounds were the truth",
        ("noise", *map(str, ROUNDS)),
        tuple(rows),
        ("Rare rounds that are far off move the mean and are mostly not among few rounds: no bound holds there.",),
    )


def _skewed() -> Iterator[tuple[str, Noise]]:
    yield from ((name, noise) for name, noise in NOISES.items() if "stalls" in name or "one-sided" in name)


if __name__ == "__main__":
    main(sys.argv[1:])

"""How good and how quick a plan is: against trying everything, four and twenty rewrites, and a far longer solve.

    python -m benchmarks planning [--small 200] [--problems 4] [--long 1] [--long-effort 200]

Small cases have two to four rewrites, up to twelve scenarios, one or two people free, absences, releases, rewrites that
are not needed or not judged; every order, lane and weekly start is tried by code that shares nothing with the solver.
The others are made up to be realistic (``planning_problems``): walls lognormal and correlated by common growth, efforts
of 2 to 32 weeks, 183 days between major rewrites. ``tightness`` 1 leaves on the average as much time between walls as
the team rules take. Each plan of four is solved in a process of its own, so that loading counts. The long solve is the
same solver with another seed and far more effort, which ends when its patience does (time: see table).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.exhaustive import exhaustive
from benchmarks.planning_problems import realistic, small
from benchmarks.report import Cell, Report, Table, Target, write_report
from outgrow.schedule.records import Problem, Solution
from outgrow.schedule.solver import EFFORT_LIMIT, solve

FIRST_SEED = 500
TIGHTNESS = (1.0, 0.7, 1.5, 2.0)
SCENARIOS = 500


@dataclass(frozen=True, slots=True)
class Timed:
    """A solution and what it took: wall and CPU seconds."""

    solution: Solution
    seconds: float
    cpu_seconds: float


def timed(rewrites: int, number: int, *, seed: int = 0, effort_limit: float = EFFORT_LIMIT) -> Timed:
    """Solve one realistic problem in this process."""
    problem = problem_of(rewrites, number)
    start, cpu = time.perf_counter(), time.process_time()
    solution = solve(problem, seed=seed, effort_limit=effort_limit)
    return Timed(solution, time.perf_counter() - start, time.process_time() - cpu)


def problem_of(rewrites: int, number: int) -> Problem:
    """The numbered problem; every second one of four rewrites has absences in its calendar."""
    tightness = TIGHTNESS[number % len(TIGHTNESS)]
    calendar = rewrites == 4 and number % 2 == 1
    return realistic(rewrites, SCENARIOS, FIRST_SEED + number, tightness=tightness, calendar=calendar)


def cold(number: int) -> tuple[float, float, str]:
    """Wall and CPU seconds of a process that does nothing but plan four rewrites, and the status it ended with."""
    code = f"from benchmarks.planning import problem_of, solve; print(solve(problem_of(4, {number})).status)"
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"planning four rewrites ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, said


def disagreements(count: int) -> tuple[int, int]:
    """Of ``count`` small cases: those that differ from trying everything, and those not called optimal."""
    wrong = unproven = 0
    for seed in range(count):
        problem = small(seed)
        solution, (ratio, cost) = solve(problem), exhaustive(problem)
        alike = np.isclose(solution.in_time_ratio, ratio, rtol=0, atol=1e-9)
        wrong += not (alike and np.isclose(solution.expected_cost, cost, rtol=1e-9, atol=1e-9))
        unproven += solution.status != "optimal"
    return wrong, unproven


def main(arguments: list[str]) -> None:
    """Measure, print and write ``results/planning.{md,json}``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks planning", description="How good a plan is.")
    parser.add_argument("--small", type=int, default=200)
    parser.add_argument("--problems", type=int, default=4, help="problems of twenty rewrites")
    parser.add_argument("--long", type=int, default=1, help="of these, how many are also solved with far more effort")
    parser.add_argument("--long-effort", type=float, default=200.0, help="some 2 s of CPU a unit")
    chosen = parser.parse_args(arguments)
    wrong, unproven = disagreements(chosen.small)
    fours = [(number, *cold(number)) for number in range(8)]
    twenties = [timed(20, number) for number in range(chosen.problems)]
    for number, each in enumerate(twenties):
        print(json.dumps({"problem": number, "cost": each.solution.expected_cost, "s": each.seconds}), flush=True)
    longs = [timed(20, number, seed=1, effort_limit=chosen.long_effort) for number in range(chosen.long)]
    pairs = list(zip(twenties, longs, strict=False))
    chance_short = [1 - one.solution.in_time_ratio / long.solution.in_time_ratio for one, long in pairs]
    dearer = [
        one.solution.expected_cost / long.solution.expected_cost - 1
        for one, long in pairs
        if one.solution.in_time_ratio == long.solution.in_time_ratio
    ]
    report = Report(
        name="planning",
        title="How good and how quick a plan is",
        command=" ".join(["python -m benchmarks planning", *arguments]),
        tables=(
            Table(
                f"Four rewrites, {SCENARIOS} scenarios, a process of their own",
                ("problem", "tightness", "wall s", "CPU s", "status"),
                tuple(
                    (number, TIGHTNESS[number % len(TIGHTNESS)], wall, cpu, status)
                    for number, wall, cpu, status in fours
                ),
                ("Problems with odd numbers have absences in the calendar.",),
            ),
            Table(
                f"Twenty rewrites, {SCENARIOS} scenarios",
                ("problem", "tightness", "solve", "wall s", "CPU s", "effort", "chance", "at most", "cost", "at least"),
                tuple(
                    _row(number, kind, each)
                    for kind, solved in (("usual", twenties), ("long", longs))
                    for number, each in enumerate(solved)
                ),
                (
                    "Chance: share of scenarios with every judged rewrite in time, and a proven bound on it. Cost: "
                    "expected weight of early and late days at that chance. Its bound is weak: it only counts days "
                    "late that no order avoids.",
                ),
            ),
        ),
        targets=(
            Target(f"small cases of {chosen.small} that differ from trying everything", wrong, 0),
            Target("of them not proven", unproven, 0),
            Target("four rewrites, slowest, wall s with loading", max(wall for _, wall, _, _ in fours), 3.0),
            Target("twenty rewrites, slowest, wall s", max((each.seconds for each in twenties), default=None), 30.0),
            Target("twenty rewrites, slowest, CPU s", max((each.cpu_seconds for each in twenties), default=None), 30.0),
            Target(
                f"chance short of the long solve (CPU s in the table), of {len(pairs)}",
                max(chance_short, default=None),
                0.01,
            ),
            Target(f"cost above the long solve at equal chance, of {len(dearer)}", max(dearer, default=None), 0.01),
        ),
        packages=("outgrow", "numpy", "ortools"),
    )
    print(write_report(report).read_text(encoding="utf-8"))


def _row(number: int, kind: str, each: Timed) -> tuple[Cell, ...]:
    found = each.solution
    chances, costs = (found.in_time_ratio, found.best_ratio), (found.expected_cost, found.least_cost)
    effort = f"{found.effort:.1f} of {found.effort_limit:.0f}"
    return (number, TIGHTNESS[number % len(TIGHTNESS)], kind, each.seconds, each.cpu_seconds, effort, *chances, *costs)


if __name__ == "__main__":
    main(sys.argv[1:])

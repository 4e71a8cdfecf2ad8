"""The demo from its first process to the directory it leaves: measured where it can be, simulated where it must be.

The steps are functions that take what they need; ``tell`` strings them together and reports as it goes. Recording and
keeping come from outside, so that this room needs no ledger.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from outgrow.demo.children import RunningService, child, last_line, lines_of, running_service
from outgrow.demo.directory import Limits, prepare_directory, write_declaration
from outgrow.demo.history import SimulatedHistory, simulate_history, write_history
from outgrow.demo.load import Step, write_csv
from outgrow.errors import OutgrowError
from outgrow.signals.series import Ramp

SIGNAL, USERS, LOAD = "search_p95", "registered_users", "searches_per_second"
CORE_COUNTERS = ("search_cpu_seconds_total", "search_wall_seconds_total")
LEAST_FIT_STEPS = 6
BEYOND = 1.12  # each further step, while the ramp has not reached the limit
MOST_FURTHER = 3
WARN_FACTOR, BREAK_FACTOR = 4.0, 8.0
DISTURBED_RATIO, MOST_REPEATED = 1.25, 4
ORDINARY_SHARE = 0.7  # of the busiest hours
BUSY_SHARE = 0.55  # of the load at which the warning comes: where the busiest hours of the simulated users are today


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard; the defaults fit into three minutes on two cores.

    Attributes:
        shares: of the capacity found, for the steps of the ramp.
        step_seconds: length of a step. burst_seconds: of the search for capacity.
        settle_seconds: of ordinary load afterwards, so that the record does not end in an emergency of our own making.
        scrape_seconds: between two scrapes.
        patience_seconds: no step is added or repeated once the ramp has taken so long.
    """

    shares: tuple[float, ...] = (0.1, 0.25, 0.4, 0.52, 0.64, 0.75, 0.85, 0.95, 1.05)
    step_seconds: float = 6.0
    burst_seconds: float = 3.0
    settle_seconds: float = 14.0
    scrape_seconds: float = 2.0
    patience_seconds: float = 110.0
    seed: int = 1

    def seconds(self) -> float:
        """About how long all of it takes."""
        return 8 + self.burst_seconds + len(self.shares) * self.step_seconds * 1.1 + self.settle_seconds


@dataclass(frozen=True, slots=True)
class Began:
    """A stage began."""

    text: str


@dataclass(frozen=True, slots=True)
class CapacityFound:
    """What the service can serve at all, about."""

    per_second: float


@dataclass(frozen=True, slots=True)
class StepDone:
    """One step of the ramp; ``again`` where it was disturbed the first time."""

    step: Step
    number: int
    of: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class LimitsChosen:
    """Both thresholds, from what the ramp showed."""

    limits: Limits


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured on this machine.

    Attributes:
        ramp: the fit steps. steps: all of them.
        limits: chosen from it. busy_load_per_second: what the busiest hours of the simulated users bring today.
        scrapes: rounds of the recorder.
        core_share_ratio: how much of a core the service got while it searched; well under 1 means that other programs
            had their part in what was measured.
    """

    ramp: Ramp
    limits: Limits
    busy_load_per_second: float
    steps: tuple[Step, ...]
    scrapes: int
    core_share_ratio: float


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """The end: what was simulated, what was measured, and the declared file of both."""

    config: Path
    history: SimulatedHistory
    measured: Measured


Event = Began | CapacityFound | StepDone | LimitsChosen | Told
Recorder = Callable[[Path], AbstractContextManager[Callable[[], None]]]
"""Opens a recorder on a declared file; what it gives records one round at each call."""


def tell(directory: Path, *, record: Recorder, now: float, plan: Plan | None = None) -> Generator[Event, None, None]:
    """The whole story; the last event is ``Told``. Closing the iterator early ends every child.

    Args:
        directory: where it is written; made where there is none, and emptied of an earlier demo's files.
        record: opens the recorder.
        now: the end of the simulated history, seconds since the epoch.
        plan: how long and how hard.

    Raises:
        UsageError: the directory holds something else.
        OutgrowError: a process failed, or this machine was too busy to measure anything.
    """
    chosen = plan or Plan()
    prepare_directory(directory)
    config = directory / "outgrow.yaml"
    measured: Measured | None = None
    try:
        with tempfile.TemporaryDirectory(prefix="outgrow-demo-") as folder:
            measured = yield from measure(config, Path(folder), record=record, now=now, plan=chosen)
    finally:
        if config.exists():  # the service has ended, whatever became of the rest
            write_declaration(config, metrics_url=None, limits=measured.limits if measured else None)
    yield Began("joining a year of simulated users")
    history = simulate_history(
        measured.ramp,
        busy_load_per_second=measured.busy_load_per_second,
        now=now,
        seed=chosen.seed,
        users_signal=USERS,
        load_signal=LOAD,
    )
    write_csv(measured.steps, directory / "ramp.csv")
    write_history(history, directory / "history.csv")
    yield Told(config, history, measured)


def measure(
    config: Path, folder: Path, *, record: Recorder, now: float, plan: Plan
) -> Generator[Event, None, Measured]:
    """All that is measured: the service from its start to its end, scraped while it is loaded."""
    scrapes = 0
    yield Began("starting the search service")
    with running_service(folder, seed=plan.seed) as service:
        write_declaration(config, metrics_url=service.metrics_url, limits=None)
        with record(config) as observe:

            def tick() -> None:
                nonlocal scrapes
                observe()
                scrapes += 1

            yield Began("asking as fast as it answers, to find its capacity")
            capacity = find_capacity(service, folder, plan)
            yield CapacityFound(capacity)
            yield Began("raising the load step by step, open loop")
            steps = yield from climb(service, capacity, folder, plan, tick)
            core_share = core_share_ratio(service)
            limits = choose_limits(steps)
            yield LimitsChosen(limits)
            ramp = ramp_of(steps, made_at=now)
            busy = BUSY_SHARE * load_at(ramp, limits.warn_seconds)
            yield Began("letting it calm down at the load of an ordinary day")
            ordinary = Plan(step_seconds=plan.settle_seconds, scrape_seconds=plan.scrape_seconds)
            list(run_ramp(service, [ORDINARY_SHARE * busy], folder, ordinary, tick))
    return Measured(ramp, limits, busy, tuple(steps), scrapes, core_share)


def climb(
    service: RunningService, capacity: float, folder: Path, plan: Plan, tick: Callable[[], None]
) -> Generator[StepDone, None, list[Step]]:
    """Every step of the ramp, further ones until it is past the limit, and the disturbed ones once more."""
    steps: list[Step] = []
    rates = [share * capacity for share in plan.shares]
    patient_until = time.monotonic() + plan.patience_seconds
    for further in range(1 + MOST_FURTHER):
        for step in run_ramp(service, rates, folder, plan, tick):
            steps.append(step)
            yield StepDone(step, len(steps), max(len(plan.shares), len(steps)))
        if further == MOST_FURTHER or reaches_limit(steps) or time.monotonic() > patient_until:
            break
        rates = [steps[-1].load_per_second * BEYOND]
    for _ in range(MOST_REPEATED):
        found = disturbed_steps(steps)
        if not found or time.monotonic() > patient_until:
            break
        place = steps.index(found[0])
        for again in run_ramp(service, [found[0].load_per_second], folder, plan, tick):
            yield StepDone(again, place + 1, len(steps), again=True)
            steps[place] = min(found[0], again, key=_by_p95)
    return without_disturbed(steps)


def find_capacity(service: RunningService, folder: Path, plan: Plan) -> float:
    """Searches a second that four clients get answered, each asking again at once (closed loop)."""
    report = folder / "burst.json"
    arguments = ("--url", service.search_url, "--burst", f"{plan.burst_seconds:g}", "--report", str(report))
    with child("outgrow.demo.load", *arguments, log=folder / "burst.log") as process:
        if process.wait(plan.burst_seconds + 60) != 0:
            raise OutgrowError(f"the load generator failed: {last_line(folder / 'burst.log')}")
    served = float(json.loads(report.read_text())["served_per_second"])
    if served <= 0:
        raise OutgrowError("the search service answered nothing", next_step="run the demo again")
    return served


def run_ramp(
    service: RunningService, rates: Sequence[float], folder: Path, plan: Plan, tick: Callable[[], None]
) -> Iterator[Step]:
    """Steps as they are done; ``tick`` is called every ``plan.scrape_seconds`` meanwhile."""
    log = folder / "load.log"
    arguments = (
        *("--url", service.search_url, "--rates", ",".join(f"{rate:.3f}" for rate in rates)),
        *("--seconds", f"{plan.step_seconds:g}", "--seed", str(plan.seed), "--report", str(folder / "ramp.json")),
    )
    with child("outgrow.demo.load", *arguments, log=log) as process:
        for line in lines_of(process, plan.scrape_seconds, tick):
            yield Step(**json.loads(line))
        if process.wait() != 0:
            raise OutgrowError(f"the load generator failed: {last_line(log)}")


def core_share_ratio(service: RunningService) -> float:
    """Processor time over passed time of all searches so far, by the service's own counters."""
    with closing(HTTPConnection("127.0.0.1", service.port, timeout=10)) as connection:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    totals = {name: float(value) for name, _, value in (line.partition(" ") for line in lines) if name in CORE_COUNTERS}
    cpu, wall = (totals.get(name, 0.0) for name in CORE_COUNTERS)
    return min(cpu / wall, 1.0) if wall > 0 else 1.0


def fit_steps(steps: Sequence[Step]) -> list[Step]:
    """The steps that tell about the service, by load."""
    return sorted((step for step in steps if not step.unfit), key=lambda step: step.load_per_second)


def choose_limits(steps: Sequence[Step]) -> Limits:
    """Both thresholds as multiples of the unloaded p95, to two digits.

    Unloaded is the lowest p95 of all: load only adds to it. Raises ``OutgrowError`` where too few steps are fit.
    """
    fit = fit_steps(steps)
    if len(fit) < LEAST_FIT_STEPS:
        reason = next((step.unfit for step in steps if step.unfit), "")
        raise OutgrowError(
            f"only {len(fit)} of {len(steps)} steps could be measured: {reason}",
            next_step="run the demo again when this machine is less busy",
        )
    unloaded = min(step.p95_seconds for step in fit)
    return Limits(_two_digits(WARN_FACTOR * unloaded), _two_digits(BREAK_FACTOR * unloaded))


def reaches_limit(steps: Sequence[Step]) -> bool:
    """Whether the ramp has gone beyond the point at which the service breaks (or got nowhere at all)."""
    if len(fit_steps(steps)) < LEAST_FIT_STEPS:
        return True
    return max(step.p95_seconds for step in steps) >= 1.1 * choose_limits(steps).break_seconds


def disturbed_steps(steps: Sequence[Step]) -> list[Step]:
    """Fit steps whose p95 lies well above that of a higher load, the worst first.

    More load never makes a queue shorter, so something else used this machine meanwhile; of two measurements of such
    a step the lower is nearer to the truth.
    """
    fit = fit_steps(steps)
    lowest_above = np.minimum.accumulate([step.p95_seconds for step in fit][::-1])[::-1]
    ratios = [step.p95_seconds / float(least) for step, least in zip(fit, lowest_above, strict=True)]
    worst = sorted(zip(ratios, fit, strict=True), key=lambda pair: -pair[0])
    return [step for ratio, step in worst if ratio > DISTURBED_RATIO]


def without_disturbed(steps: Sequence[Step]) -> list[Step]:
    """The steps, those still disturbed marked as unfit, as long as enough others are left."""
    found = disturbed_steps(steps)
    if len(fit_steps(steps)) - len(found) < LEAST_FIT_STEPS:
        return list(steps)
    reason = "a higher load was answered faster: something else used this machine"
    return [replace(step, unfit=reason) if step in found else step for step in steps]


def ramp_of(steps: Sequence[Step], *, made_at: float) -> Ramp:
    """The fit steps as a ramp of the declared signal."""
    fit = fit_steps(steps)
    columns = {
        name: np.array([getattr(step, name) for step in fit])
        for name in ("load_per_second", "p50_seconds", "p95_seconds", "p99_seconds")
    }
    return Ramp(
        name="demo ramp",
        signal=SIGNAL,
        axis="load",
        levels=columns["load_per_second"],
        values=columns["p95_seconds"],
        loop="open",
        made_at=made_at,
        quantiles={0.5: columns["p50_seconds"], 0.95: columns["p95_seconds"], 0.99: columns["p99_seconds"]},
    )


def load_at(ramp: Ramp, seconds: float) -> float:
    """The load at which the ramp first reaches a latency, interpolated between its steps."""
    return float(np.interp(seconds, np.maximum.accumulate(ramp.values), ramp.levels))


def _by_p95(step: Step) -> tuple[bool, float]:
    return bool(step.unfit), step.p95_seconds


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")

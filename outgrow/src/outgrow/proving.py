"""From a declared comparison to evidence: arms are set up, the machine is judged, answers are compared, rounds are run.

In: an experiment, what is declared of it, the ledger. Out: a ``Proof``, its evidence kept in the ledger. Every
complete round is durable when it ends: after an interruption, a crash or a kill the next ``prove`` of the same
comparison goes on where it ended. Nothing of what a ratio will be is told meanwhile, so that nobody can stop when it
looks best.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from outgrow.evidence.body import evidence_body, with_digest
from outgrow.evidence.design import fitness_seed, request_seed, round_orders
from outgrow.evidence.fitness import fitness, only_too_wide
from outgrow.evidence.kept import Begun, KeptRound, begun_bytes, begun_of, round_bytes, round_of
from outgrow.evidence.measures import trigger_measures
from outgrow.evidence.parity import parity
from outgrow.evidence.records import Arm, ArmFacts, Evidence, Fit, Round
from outgrow.points.declaration import TUNE, Comparison, Point
from outgrow.ports import Answers, Experiment, ExperimentFailed, Ledger, Load, Measured
from outgrow.quantities import DAY, format_duration

MEMORY = "prove"
GO_ON_SECONDS = DAY
"""Rounds that began longer ago are not gone on from: what they were measured on may have changed."""

FEW_REQUESTS = 100
"""With fewer a round, the p95 is that of the five slowest or less."""

Phase = Literal["prepare", "capacity", "fitness", "parity", "rounds"]
Ending = Literal["finished", "unfit", "interrupted", "nothing-to-compare"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: ``done`` of ``total`` steps of a phase. ``seconds_left`` of all phases, by what runs took so far;
    ``said`` is what an arm tells, or a sentence on what just happened.
    """

    phase: Phase
    done: int
    total: int
    arm: str
    seconds_left: float
    said: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured: a point, its declared comparison, and what the command line says otherwise."""

    point: Point
    comparison: Comparison
    rounds: int
    seed: int
    fresh: bool = False

    @property
    def key(self) -> str:
        """Stands for what is measured and how, but for the number of rounds: what has the same goes on from it."""
        said = self.comparison.model_dump(mode="json", exclude={"rounds", "seed"})
        text = json.dumps([self.point.id, self.seed, said, machine()], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of it.

    Attributes:
        ended: finished: ``evidence`` is in the ledger. unfit: nothing was compared. interrupted: its complete rounds
            are kept, to be gone on from. nothing-to-compare: fewer than two arms are left.
        evidence: what was measured, with reasons for arms that were left out; of a finished one alone ratios are told.
        planned: rounds. gone_on_from: how many of them were measured by an earlier run.
    """

    ended: Ending
    evidence: Evidence
    planned: int
    gone_on_from: int = 0

    @property
    def rounds(self) -> int:
        """Complete rounds."""
        return len({each.round for each in self.evidence.rounds})


@dataclass(slots=True)
class _Run:
    """A run under way."""

    asked: Asked
    experiment: Experiment
    ledger: Ledger
    now: Callable[[], float]
    tell: Callable[[Step], None]
    timer: Callable[[], float]
    alive: list[str] = field(default_factory=list)
    facts: dict[str, ArmFacts] = field(default_factory=dict)
    fit: Fit | None = None
    rate: float | None = None
    ran: list[KeptRound] = field(default_factory=list)
    kept: int = 0
    begun: Begun | None = None
    took: list[float] = field(default_factory=list)
    fitness_left: int = 0
    in_round: int = 0

    def change(self, arm: str, **facts: Any) -> None:
        """Note something of an arm."""
        self.facts[arm] = replace(self.facts.get(arm, ArmFacts(arm)), **facts)

    def leave_out(self, arm: str, reason: str, phase: Phase) -> None:
        """Go on without an arm."""
        self.alive.remove(arm)
        self.change(arm, left_out=reason.rstrip("."))
        self.say(phase, 0, 0, arm, f"{arm} is left out: {reason}")

    def say(self, phase: Phase, done: int, total: int, arm: str = "", said: str = "") -> None:
        """Tell how far it is."""
        usual = float(np.mean(self.took)) if self.took else self.asked.comparison.round_seconds
        rounds = max(0, self.asked.rounds - len(self.ran)) * len(self.alive) - self.in_round
        self.tell(Step(phase, done, total, arm, usual * max(0, rounds + self.fitness_left), said))

    def measure(self, arm: str, seed: int) -> Measured:
        """Ask one arm, and note how long that took. Raises ``ExperimentFailed``, also where nothing was answered."""
        began = self.timer()
        measured = self.experiment.run(arm, Load(self.asked.comparison.round_seconds, seed, self.rate))
        self.took.append(self.timer() - began)
        if not (measured.sent > measured.dropped and 0 < measured.p95_seconds < math.inf):
            raise ExperimentFailed(f"it answered {measured.sent - measured.dropped:,} of {measured.sent:,} requests")
        return measured


def runs_of(arms: int, comparison: Comparison, rounds: int) -> int:
    """How many times an arm is asked in all; each takes ``round_seconds`` and a little more."""
    return 2 * comparison.fitness_rounds + arms * rounds


def prove(
    asked: Asked,
    experiment: Experiment,
    ledger: Ledger,
    now: Callable[[], float],
    tell: Callable[[Step], None],
    *,
    timer: Callable[[], float] = time.monotonic,
) -> Proof:
    """Measure the arms of an experiment side by side; a finished measurement is in the ledger when this returns.

    Args:
        asked: what and how. experiment: opened; the caller closes it.
        now: the time, seconds since the epoch. tell: is told of every step. timer: seconds, for the time left.

    Ctrl-C ends it at any moment: complete rounds are kept. What an arm raises as ``ExperimentFailed`` leaves that arm
    out, with the reason; the others go on.
    """
    run = _Run(asked, experiment, ledger, now, tell, timer, alive=[arm.id for arm in experiment.arms])
    try:
        ended = _phases(run)
    except KeyboardInterrupt:
        ended = "interrupted"
    evidence = _evidence(run, ended)
    if ended == "finished":
        with ledger.transaction():
            ledger.add_record("evidence", evidence.point, evidence.made_at, evidence.digest, evidence_body(evidence))
            ledger.put_memory(MEMORY, asked.point.id, b"{}")
    return Proof(ended, evidence, asked.rounds, run.kept)


def rounds_kept(asked: Asked, ledger: Ledger, at: float) -> int:
    """How many rounds of an earlier run of the same would be gone on from."""
    return len(_kept(asked, ledger, at)[1])


def machine() -> dict[str, str]:
    """What the figures depend on, and nothing that names the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
    return {
        "cores": str(cores),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _phases(run: _Run) -> Ending:
    if not run.asked.fresh:
        _take_up(run)
    if len(run.ran) == run.asked.rounds and run.fit is not None:
        return "finished" if len(run.alive) >= 2 else "nothing-to-compare"
    run.fitness_left = 2 * run.asked.comparison.fitness_rounds
    _prepare(run)
    if not run.kept and len(run.alive) >= 2:
        _settle_rate(run)
    if len(run.alive) >= 2:
        run.fit = _fitness(run)
        if run.fit.why_not:
            return "unfit"
        _compare_answers(run)
    if len(run.alive) < 2:
        return "nothing-to-compare"
    _begin(run)
    _rounds(run)
    return "finished" if len(run.alive) >= 2 else "nothing-to-compare"


def _prepare(run: _Run) -> None:
    arms = tuple(run.alive)
    for place, arm in enumerate(arms):
        run.say("prepare", place, len(arms), arm)

        def heard(text: str, place: int = place, arm: str = arm) -> None:
            run.say("prepare", place, len(arms), arm, text)

        try:
            run.experiment.prepare(arm, heard)
        except ExperimentFailed as failed:
            run.leave_out(arm, failed.message, "prepare")
    run.say("prepare", len(arms), len(arms))


def _settle_rate(run: _Run) -> None:
    """The rate for all arms: as declared, or the load's share of what the slowest can answer."""
    comparison = run.asked.comparison
    arms, found = tuple(run.alive), dict[str, float]()
    for place, arm in enumerate(arms):
        run.say("capacity", place, len(arms), arm)
        try:
            capacity = run.experiment.capacity(arm)
        except ExperimentFailed as failed:
            run.leave_out(arm, failed.message, "capacity")
            continue
        if capacity is not None:
            found[arm] = capacity
            run.change(arm, capacity_per_second=capacity)
    run.say("capacity", len(arms), len(arms))
    slowest = min((found[arm] for arm in run.alive if arm in found), default=None)
    run.rate = comparison.rate or (None if slowest is None else comparison.load * slowest)
    if run.rate is not None and run.rate * comparison.round_seconds < FEW_REQUESTS:
        longer = format_duration(math.ceil(FEW_REQUESTS / run.rate))
        run.say("capacity", 1, 1, said=f"few requests make a round's p95; with round_seconds: {longer} it tells more")


def _fitness(run: _Run) -> Fit:
    """An arm against itself: the baseline, or the first there is.

    Where the bounds are only too far apart, it goes on to as many rounds as arms are compared in: what then is still
    too wide for this, would be for that.
    """
    arm = run.experiment.baseline if run.experiment.baseline in run.alive else run.alive[0]
    first = run.asked.comparison.fitness_rounds
    orders = round_orders(("a", "b"), max(first, run.asked.rounds), run.asked.seed)
    pairs: list[tuple[Round, Round]] = []
    try:
        _pairs_of_itself(run, arm, orders[:first], pairs)
        found = fitness(arm, pairs)
        if only_too_wide(found) and len(orders) > first:
            run.fitness_left = 2 * (len(orders) - first)
            run.say("fitness", first, len(orders), arm, "the machine is noisy; the baseline is asked for longer")
            _pairs_of_itself(run, arm, orders, pairs)
            found = fitness(arm, pairs)
    except ExperimentFailed as failed:
        run.leave_out(arm, failed.message, "fitness")
        return Fit(arm, None, len(pairs), f"{arm} failed when it was compared with itself: {failed.message}")
    run.say("fitness", len(pairs), len(pairs))
    return found


def _pairs_of_itself(run: _Run, arm: str, orders: Sequence[tuple[str, ...]], pairs: list[tuple[Round, Round]]) -> None:
    for number in range(len(pairs), len(orders)):
        halves = {}
        for place, half in enumerate(orders[number]):
            run.say("fitness", number, len(orders), arm)
            measured = run.measure(arm, fitness_seed(run.asked.seed, number))
            run.fitness_left -= 1
            halves[half] = _round(number, arm, place, measured)
        pairs.append((halves["a"], halves["b"]))


def _compare_answers(run: _Run) -> None:
    """The parity gate: an arm that answers wrongly is left out."""
    requests = run.experiment.requests(run.asked.seed)
    if not requests:
        run.say("parity", 1, 1, said="answers were not compared: the experiment has none that could be")
        return
    right, answers = run.experiment.right(requests), dict[str, Answers]()
    arms = tuple(run.alive)
    for place, arm in enumerate(arms):
        run.say("parity", place, len(arms), arm)
        try:
            answers[arm] = run.experiment.answers(arm, requests)
        except ExperimentFailed as failed:
            run.leave_out(arm, failed.message, "parity")
    texts = {each.id: each.text for each in requests}
    like = answers.get(run.experiment.baseline)
    for arm, given in answers.items():
        if like is None and right is None:
            break
        against = {} if like is None else like.by_request
        found = parity(given.by_request, against, right.by_request if right else None, texts,
                       run.asked.comparison.least_recall)  # fmt: skip
        run.change(arm, recall=found.recall if right else None, parity=found.same if like else None)
        if found.why_not:
            run.leave_out(arm, found.why_not, "parity")
    run.say("parity", len(arms), len(arms))


def _rounds(run: _Run) -> None:
    orders = round_orders([arm.id for arm in run.experiment.arms], run.asked.rounds, run.asked.seed)
    done = {each.number for each in run.ran}
    for number, order in enumerate(orders, 1):
        if number in done:
            continue
        ran = _one_round(run, number, [arm for arm in order if arm in run.alive])
        if len(run.alive) < 2:
            return
        run.ran.append(ran)
        run.in_round = 0
        _keep(run, ran)
    run.say("rounds", run.asked.rounds, run.asked.rounds)


def _one_round(run: _Run, number: int, order: Sequence[str]) -> KeptRound:
    rounds, measures = [], dict[str, Mapping[str, float]]()
    for place, arm in enumerate(order):
        run.say("rounds", number - 1, run.asked.rounds, arm)
        try:
            measured = run.measure(arm, request_seed(run.asked.seed, number))
            footprint = run.experiment.footprint(arm)
        except ExperimentFailed as error:
            run.leave_out(arm, f"it failed in round {number}: {error.message}", "rounds")
            continue
        run.in_round += 1
        rounds.append(_round(number, arm, place, measured))
        measures[arm] = {key: value for key, value in measured.measures.items() if 0 <= value < math.inf}
        run.change(arm, **{name: value for name, value in asdict(footprint).items() if value is not None})
    return KeptRound(number, tuple(rounds), measures)


def _round(number: int, arm: str, order: int, measured: Measured) -> Round:
    return Round(
        number,
        arm,
        order,
        measured.p95_seconds,
        measured.sent,
        measured.dropped,
        measured.p50_seconds,
        measured.throughput_per_second,
    )


def _evidence(run: _Run, ended: Ending) -> Evidence:
    comparison = run.asked.comparison
    baseline = next((arm for arm in run.experiment.arms if arm.id == run.experiment.baseline), Arm("", None))
    rounds = tuple(each for ran in sorted(run.ran, key=lambda one: one.number) for each in ran.rounds)
    evidence = Evidence(
        point=run.asked.point.id,
        made_at=run.now(),
        source="outgrow prove",
        baseline=baseline.id,
        baseline_tuned=baseline.option == TUNE,
        digest="",
        arms=tuple(run.experiment.arms),
        rounds=rounds,
        measures=tuple(trigger_measures(run.ran, _told(run), run.asked.point, comparison.users)),
        seed=run.asked.seed,
        versions=_versions(run),
        machine=machine(),
        facts=tuple(run.facts[arm.id] for arm in run.experiment.arms if arm.id in run.facts),
        fit=run.fit,
        rate_per_second=run.rate,
        load_ratio=comparison.load if run.rate is not None and comparison.rate is None else None,
        interrupted=ended == "interrupted" or (run.asked.rounds < comparison.rounds and run.kept > 0),
    )
    return with_digest(evidence)


def _told(run: _Run) -> list[str]:
    """The arms that were not left out."""
    return [arm.id for arm in run.experiment.arms if not run.facts.get(arm.id, ArmFacts(arm.id)).left_out]


def _versions(run: _Run) -> dict[str, str]:
    try:
        return dict(run.experiment.versions())
    except ExperimentFailed:
        return {}


def _begin(run: _Run) -> None:
    """Remember that rounds of this comparison are being measured, at which rate, and that the machine is fit."""
    at = run.begun.at if run.begun else run.now()
    run.begun = Begun(run.asked.key, at, run.rate, run.fit)
    run.ledger.put_memory(MEMORY, run.asked.point.id, begun_bytes(run.begun))


def _keep(run: _Run, ran: KeptRound) -> None:
    assert run.begun is not None, "rounds come after _begin"
    kept = replace(ran, facts=tuple(run.facts.values()))
    run.ledger.put_memory(MEMORY, f"{run.asked.point.id} {ran.number}", round_bytes(run.begun, kept))


def _take_up(run: _Run) -> None:
    """Take up the complete rounds of an earlier run of the same, where there are any."""
    begun, run.ran = _kept(run.asked, run.ledger, run.now())
    run.kept = len(run.ran)
    if begun is None or not run.ran:
        return
    run.begun, run.rate, run.fit = begun, begun.rate_per_second, begun.fit
    run.facts = {each.arm: each for ran in run.ran for each in ran.facts}
    run.alive = [arm for arm in run.alive if not run.facts.get(arm, ArmFacts(arm)).left_out]


def _kept(asked: Asked, ledger: Ledger, at: float) -> tuple[Begun | None, list[KeptRound]]:
    """An unfinished run of the same, and its complete rounds."""
    begun = begun_of(ledger.memory(MEMORY, asked.point.id))
    if begun is None or begun.key != asked.key or not 0 <= at - begun.at <= GO_ON_SECONDS:
        return None, []
    found = (round_of(ledger.memory(MEMORY, f"{asked.point.id} {each}"), begun) for each in range(1, asked.rounds + 1))
    return begun, [each for each in found if each is not None]

"""From a declared comparison to evidence: what comes before, then the rounds, gone on from where they ended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

from outgrow.evidence.body import evidence_body, with_digest
from outgrow.evidence.design import request_seed, round_orders
from outgrow.evidence.kept import Begun, KeptRound, other_versions, phrase
from outgrow.evidence.measures import trigger_measures
from outgrow.evidence.records import Arm, ArmFacts, Evidence
from outgrow.points.declaration import TUNE
from outgrow.ports import Experiment, ExperimentFailed, Ledger
from outgrow.proving.before import compare_answers, judge_machine, prepare, settle_rate
from outgrow.proving.keeping import Kept, Rounds
from outgrow.proving.records import Asked, Ending, Proof, Step, machine
from outgrow.proving.under_way import Run, round_of_arm

MEMORY = "prove"


class _OtherThings(Exception):
    """What is measured is not what the rounds that it goes on from were measured on."""


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
    out, with the reason; the others go on. Kept rounds are gone on from where declaration, machine and versions are
    those of then; else it begins anew, tells why, and leaves them where they are.
    """

    def begun() -> Run:
        return Run(asked, experiment, ledger, now, tell, timer, alive=[arm.id for arm in experiment.arms])

    run, refused = begun(), set[float]()
    try:
        while True:
            try:
                ended = _phases(run, refused)
                break
            except _OtherThings as changed:
                assert run.begun is not None, "only what was gone on from can differ from now"
                refused.add(run.begun.at)
                run = begun()
                run.say("prepare", 0, 0, said=str(changed))
    except KeyboardInterrupt:
        ended = "interrupted"
    evidence = _evidence(run, ended)
    if ended == "finished":
        with ledger.transaction():
            ledger.add_record("evidence", evidence.point, evidence.made_at, evidence.digest, evidence_body(evidence))
            if run.begun is not None:
                _kept_of(asked, ledger).end(run.begun)
    return Proof(ended, evidence, asked.rounds, run.kept)


def rounds_kept(asked: Asked, ledger: Ledger, at: float) -> int:
    """How many rounds of an earlier run of the same would be gone on from, if versions are those of then."""
    return next((len(each.rounds) for each in _kept_of(asked, ledger).same(asked.said, at)), 0)


def _kept_of(asked: Asked, ledger: Ledger) -> Rounds:
    return Rounds(ledger, MEMORY, asked.point.id, asked.rounds)


def _phases(run: Run, refused: set[float]) -> Ending:
    asked, kept = run.asked, _kept_of(run.asked, run.ledger)
    same = () if asked.fresh else kept.same(asked.said, run.now())
    same = tuple(each for each in same if each.begun.at not in refused)
    whole = next((each for each in same if len(each.rounds) == asked.rounds and each.begun.fit), None)
    if whole is not None:
        _take_up(run, whole)
        return "finished" if len(run.alive) >= 2 else "nothing-to-compare"
    run.fitness_left = 2 * asked.comparison.fitness_rounds
    prepare(run)
    run.see_versions()
    fitting = (each for each in same if not other_versions(each.begun.versions, run.versions))
    found = next(fitting, None)
    if found is not None:
        _take_up(run, found)
    elif not asked.fresh and not refused:
        run.say("prepare", 1, 1, said=kept.why_not(asked.said, run.versions, run.now()))
    if not run.kept and len(run.alive) >= 2:
        settle_rate(run)
    if len(run.alive) >= 2:
        run.fit = judge_machine(run)
        if run.fit.why_not:
            return "unfit"
        compare_answers(run)
    if len(run.alive) < 2:
        return "nothing-to-compare"
    _same_as_kept(run)
    run.begun = Begun(asked.said, run.begun.at if run.begun else run.now(), run.rate, run.fit, run.all_versions)
    run.place = kept.begin(run.begun, run.place)
    _rounds(run, kept)
    return "finished" if len(run.alive) >= 2 else "nothing-to-compare"


def _take_up(run: Run, kept: Kept) -> None:
    """Go on from rounds of an earlier run."""
    run.begun, run.place, run.ran, run.kept = kept.begun, kept.place, list(kept.rounds), len(kept.rounds)
    run.rate, run.fit = kept.begun.rate_per_second, kept.begun.fit
    run.facts = {each.arm: each for ran in run.ran for each in ran.facts} | {
        arm: each for arm, each in run.facts.items() if each.left_out
    }
    run.alive = [arm for arm in run.alive if not run.facts.get(arm, ArmFacts(arm)).left_out]


def _same_as_kept(run: Run) -> None:
    """Raises ``_OtherThings`` where versions that were not known before contradict what it goes on from."""
    run.see_versions()
    if not run.kept or run.begun is None:
        return
    changes = other_versions(run.begun.versions, run.versions)
    if changes:
        count = f"{run.kept} kept {'round is' if run.kept == 1 else 'rounds are'}"
        raise _OtherThings(
            f"{count} not gone on from, as other things would be mixed ({phrase(changes)}); it begins anew"
        )


def _rounds(run: Run, kept: Rounds) -> None:
    orders = round_orders([arm.id for arm in run.experiment.arms], run.asked.rounds, run.asked.seed)
    done = {each.number for each in run.ran}
    for number, order in enumerate(orders, 1):
        if number in done:
            continue
        ran = _one_round(run, number, [arm for arm in order if arm in run.alive])
        if len(run.alive) < 2:
            return
        _same_as_kept(run)
        run.ran.append(ran)
        run.in_round = 0
        _keep(run, kept, ran)
    run.say("rounds", run.asked.rounds, run.asked.rounds)


def _one_round(run: Run, number: int, order: Sequence[str]) -> KeptRound:
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
        rounds.append(round_of_arm(number, arm, place, measured))
        measures[arm] = {key: value for key, value in measured.measures.items() if 0 <= value < math.inf}
        run.change(arm, **{name: value for name, value in asdict(footprint).items() if value is not None})
    return KeptRound(number, tuple(rounds), measures)


def _keep(run: Run, kept: Rounds, ran: KeptRound) -> None:
    assert run.begun is not None, "rounds come after they were begun"
    assert run.place is not None, "what was begun has a place"
    if dict(run.begun.versions) != run.all_versions:
        run.begun = replace(run.begun, versions=run.all_versions)
        kept.begin(run.begun, run.place)
    kept.keep(run.place, run.begun, replace(ran, facts=tuple(run.facts.values())))


def _evidence(run: Run, ended: Ending) -> Evidence:
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
        versions=run.all_versions,
        machine=machine(),
        facts=tuple(run.facts[arm.id] for arm in run.experiment.arms if arm.id in run.facts),
        fit=run.fit,
        rate_per_second=run.rate,
        load_ratio=comparison.load if run.rate is not None and comparison.rate is None else None,
        interrupted=ended == "interrupted" or (run.asked.rounds < comparison.rounds and run.kept > 0),
    )
    return with_digest(evidence)


def _told(run: Run) -> list[str]:
    """The arms that were not left out."""
    return [arm.id for arm in run.experiment.arms if not run.facts.get(arm.id, ArmFacts(arm.id)).left_out]

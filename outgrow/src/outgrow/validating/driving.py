"""The four checks, one after the other: what is cheap first, and last the load that may leave the service in ruins."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from outgrow.errors import UsageError
from outgrow.evidence.kept import Begun, KeptRound, digested, other_versions
from outgrow.evidence.records import Round
from outgrow.points.declaration import Declaration, DeclaredValidation, Point
from outgrow.ports import Experiment, ExperimentFailed, Ledger, Load, Request
from outgrow.proving.keeping import Kept, Rounds
from outgrow.quantities import HOUR, WEEK, format_duration, significant
from outgrow.validating.baselines import last_baseline
from outgrow.validating.measuring import Arms, Told
from outgrow.validating.signing import signatures
from outgrow.validating.suites import run_suite
from outgrow.validation.baseline import workload_key
from outgrow.validation.improvement import interleaved_check, unfit_baseline, unpaired_check
from outgrow.validation.load import CurrentRate, LoadRun, current_rate, load_check
from outgrow.validation.parity import ASKED_AGAIN, Compared, Pass, SuiteRun, compared, parity_check, to_ask_again
from outgrow.validation.readiness import MoveSeen, Page, readiness_check
from outgrow.validation.records import CHECKS, Check, CheckId, check_body

VALIDATION_SCHEMA = "outgrow/validation/v1"
_MADE_IN_ORDER: tuple[CheckId, ...] = ("readiness", "parity", "improvement", "load")
MEMORY = "validate"
"""Where rounds of a check are kept while it is made."""


@dataclass(frozen=True, slots=True)
class Given:
    """All that checks are made from.

    Attributes:
        experiment: the declared workload, opened; the caller closes it.
        machine: as ``outgrow.proving.machine``.
        page: whether the handbook page is there. move: what is known of the point's move.
        folder: where the suite is run. simulated: made on a declared time scale.
    """

    declaration: Declaration
    point: Point
    validation: DeclaredValidation
    experiment: Experiment
    ledger: Ledger
    now: Callable[[], float]
    tell: Callable[[Told], None]
    machine: Mapping[str, str]
    page: Callable[[], Page]
    move: Callable[[], MoveSeen]
    folder: Path
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Validated:
    """The checks that were finished, in the order in which they are told."""

    checks: tuple[Check, ...]
    made_at: float
    interrupted: bool = False


def validate(given: Given, only: Sequence[CheckId] = CHECKS) -> Validated:
    """Makes these checks and keeps them in the ledger (kind "validation"). Ctrl-C keeps those that are finished.

    Raises:
        UsageError: an arm that the validation names is none of its workload.
    """
    _known_arms(given)
    arms = Arms(given.experiment, given.validation.workload, given.tell)
    makers: Mapping[CheckId, Callable[[Given, Arms], Check]] = {
        "readiness": _readiness,
        "parity": _parity,
        "improvement": _improvement,
        "load": _load,
    }
    made, interrupted = dict[CheckId, Check](), False
    try:
        for each in _MADE_IN_ORDER:
            if each in only:
                made[each] = makers[each](given, arms)
    except KeyboardInterrupt:
        interrupted = True
    found = Validated(tuple(made[each] for each in CHECKS if each in made), given.now(), interrupted)
    if found.checks:
        _keep(given, arms, found)
    return found


def _keep(given: Given, arms: Arms, found: Validated) -> None:
    body = {
        "schema": VALIDATION_SCHEMA,
        "what": "checks",
        "point": given.point.id,
        "made_at": found.made_at,
        "before": given.validation.before,
        "after": given.validation.after,
        "seed": given.validation.workload.seed,
        "checks": [check_body(each) for each in found.checks],
        "interrupted": found.interrupted,
        "versions": {} if found.interrupted else dict(arms.versions()),
        "machine": dict(given.machine),
        "simulated": given.simulated,
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
    given.ledger.add_record("validation", given.point.id, found.made_at, digest, body)


def _known_arms(given: Given) -> None:
    validation, known = given.validation, [arm.id for arm in given.experiment.arms]
    for key in ("before", "after"):
        named = getattr(validation, key)
        if named not in known:
            raise UsageError(
                f"{given.point.id}: {key}: of its validation names {named!r}, and its workload has {', '.join(known)}"
            )
    if validation.before == validation.after:
        raise UsageError(f"{given.point.id}: before: and after: of its validation are one arm, {validation.before}")


def _readiness(given: Given, arms: Arms) -> Check:
    del arms
    given.tell(Told("readiness", "looks for the page, the runbooks, the way back and the signatures"))
    signed = signatures(given.ledger, given.point.id)
    within, names = given.validation.rehearsed_within, given.declaration.team.names
    return readiness_check(given.point, given.page(), given.move(), within, names, signed)


def _parity(given: Given, arms: Arms) -> Check:
    validation = given.validation
    answers: Compared | None = None
    failed = step = ""
    try:
        answers = _compared(given, arms)
    except ExperimentFailed as error:
        failed, step = error.message, error.next_step
    runs = list[SuiteRun]()
    for arm in (validation.before, validation.after) if validation.suite else ():
        given.tell(Told("parity", f"your own tests against {arm}"))
        runs.append(run_suite(validation.suite, arm, _base_url(validation, arm), given.folder))
    return parity_check(answers, runs, validation.workload.least_recall, failed, step)


def _compared(given: Given, arms: Arms) -> Compared | None:
    """What both answer; None where there is nothing to ask. Raises ``ExperimentFailed``."""
    experiment, before, after = given.experiment, given.validation.before, given.validation.after
    for arm in (after, before):
        arms.set_up(arm, "parity")
    requests = experiment.requests(given.validation.workload.seed)
    if not requests:
        return None
    right = experiment.right(requests)
    given.tell(Told("parity", f"{len(requests):,} requests: {before}, {before} once more, {after}"))
    olds = [_answers(experiment, before, requests), _answers(experiment, before, requests)]
    news = [_answers(experiment, after, requests)]
    again = set(to_ask_again(olds, news))
    doubted = [each for each in requests if each.id in again]
    for _ in range(ASKED_AGAIN if doubted else 0):
        given.tell(Told("parity", f"{len(doubted):,} differ; both are asked again"))
        olds.append(_answers(experiment, before, doubted))
        news.append(_answers(experiment, after, doubted))
    texts = {each.id: each.text for each in requests}
    return compared(texts, olds, news, None if right is None else right.by_request)


def _answers(experiment: Experiment, arm: str, requests: Sequence[Request]) -> Pass:
    found = experiment.answers(arm, requests).by_request
    return {each.id: tuple(found.get(each.id, ())) for each in requests}


def _base_url(validation: DeclaredValidation, arm: str) -> str:
    declared = next((each for each in validation.workload.arms if each.id == arm), None)
    return str((declared.__pydantic_extra__ or {}).get("url", "")) if declared is not None else ""


def _improvement(given: Given, arms: Arms) -> Check:
    before, after = given.validation.before, given.validation.after
    kept = Rounds(given.ledger, MEMORY, f"{given.point.id} improvement", given.validation.workload.rounds)
    found: Kept | None = None
    new_capacity: float | None = None
    try:
        arms.set_up(after, "improvement")
        with suppress(ExperimentFailed):
            arms.set_up(before, "improvement")
            found = _gone_on_from(given, arms, kept)
        if found is None:
            new_capacity = arms.capacity(after, "improvement")
    except ExperimentFailed as error:
        return _cannot_tell("improvement", f"{after} cannot be asked: {error.message}", error.next_step)
    try:
        arms.set_up(before, "improvement")
        if found is None:
            rate = arms.rate(arms.capacity(before, "improvement"), new_capacity)
            begun = Begun(_said(given), given.now(), rate, None, arms.versions())
        else:
            begun = found.begun
    except ExperimentFailed as error:
        return _against_baseline(given, arms, f"{before} cannot be asked any more ({error.message})")
    place, left_out = kept.begin(begun, found.place if found else None), dict[str, str]()
    rounds = [each for ran in (found.rounds if found else ()) for each in ran.rounds]

    def keep(ran: KeptRound) -> None:
        kept.keep(place, begun, ran)

    arms.rounds((before, after), begun.rate_per_second, "improvement", rounds, left_out, keep)
    kept.end(begun)
    return interleaved_check(before, after, rounds, begun.rate_per_second, left_out)


def _said(given: Given) -> dict[str, str]:
    """What is measured and how, but for the number of rounds."""
    validation = given.validation
    declared = validation.workload.model_dump(mode="json", exclude={"rounds"})
    settings = {f"{name}:": digested(value) for name, value in declared.items()}
    return {"before": validation.before, "after": validation.after, **settings, **given.machine}


def _gone_on_from(given: Given, arms: Arms, kept: Rounds) -> Kept | None:
    """Rounds of an interrupted check of the very same."""
    said, versions, now = _said(given), arms.versions(), given.now()
    fitting = (each for each in kept.same(said, now) if not other_versions(each.begun.versions, versions))
    found = next(fitting, None)
    if found is not None:
        given.tell(Told("improvement", f"goes on from {len(found.rounds)} of {kept.most} rounds that are kept"))
    elif why_not := kept.why_not(said, versions, now):
        given.tell(Told("improvement", why_not))
    return found


def _against_baseline(given: Given, arms: Arms, why: str) -> Check:
    workload, after = given.validation.workload, given.validation.after
    kept = last_baseline(given.ledger, given.point.id, given.validation.before)
    if kept is None:
        step = f"outgrow baseline record {given.point.id}, while {given.validation.before} can still be asked"
        return _cannot_tell("improvement", f"{why}, and no baseline of it was recorded", step)
    unfit = unfit_baseline(kept, given.machine, workload_key(workload))
    rounds, left_out = list[Round](), dict[str, str]()
    if not unfit:
        arms.rounds((after,), kept.rate_per_second, "improvement", rounds, left_out)
    if after in left_out:
        return _cannot_tell("improvement", f"{after}: {left_out[after]}")
    return unpaired_check(kept, after, rounds, kept.rate_per_second, given.machine, workload_key(workload), why)


def _cannot_tell(check: CheckId, why: str, step: str = "") -> Check:
    return Check(check, None, f"Cannot tell: {why.rstrip('.')}.", next_step=step or "mend that, then validate again")


def _load(given: Given, arms: Arms) -> Check:
    validation, point = given.validation, given.point
    rate = _rate_of_today(given)
    if rate.per_second is None:
        return load_check(rate, validation.factor, None, "", point.triggers)
    per_second, seconds = validation.factor * rate.per_second, _load_seconds(validation)
    run: LoadRun | None = None
    failed = ""
    try:
        arms.set_up(validation.after, "load")
        said = f"{validation.after}: {significant(per_second)} requests a second for {format_duration(seconds)}"
        given.tell(Told("load", said, seconds_left=seconds))
        run = _run(given, per_second, seconds)
    except ExperimentFailed as error:
        failed = error.message.rstrip(".") + "."
    return load_check(rate, validation.factor, run, failed, point.triggers)


def _load_seconds(validation: DeclaredValidation) -> float:
    """As long as all rounds of an arm together, in one run: queues have the time to build up."""
    return validation.workload.rounds * validation.workload.round_seconds


def _run(given: Given, per_second: float, seconds: float) -> LoadRun:
    validation = given.validation
    arm, load = validation.after, Load(seconds, validation.workload.seed, per_second)
    ran = given.experiment.run(arm, load)
    measures = {trigger: value for trigger, value in ran.measures.items() if math.isfinite(value)}
    run = LoadRun(arm, per_second, seconds, ran.sent, ran.dropped, measures=measures, why_dropped=ran.why_dropped)
    if not ran.answered:
        return run
    return replace(run, p50_seconds=ran.p50_seconds, p95_seconds=ran.p95_seconds, p99_seconds=ran.p99_seconds)


def _rate_of_today(given: Given) -> CurrentRate:
    declared, load, now = given.validation.current_rate, given.declaration.load, given.now()
    if declared is not None or load is None:
        return current_rate(declared, None, now)
    unit = given.declaration.signals[load.signal].unit
    hours = given.ledger.hourly(load.signal, unit, "mean", now - WEEK - HOUR, now)
    return current_rate(None, hours, now)

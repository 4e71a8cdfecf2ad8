"""``outgrow prove``: measure the options of a point side by side, and say what that settles."""

from __future__ import annotations

import statistics
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.cli.prove_progress import progress
from outgrow.cli.prove_table import VERDICT_STYLES, arms_table, share_text, show_ratios
from outgrow.deciding import consider
from outgrow.decision_folder import DecisionFolder, decision_folder
from outgrow.decisions.records import Ruling
from outgrow.decisions.rules import cheapest_option
from outgrow.errors import UsageError
from outgrow.evidence.fitness import fit_sentence
from outgrow.evidence.held import lacked_for_tune, lacking_for_tune
from outgrow.evidence.records import Evidence
from outgrow.evidence.summary import ArmSummary, RuledRatio, arm_summaries, ratio_words, ruled_ratios
from outgrow.evidence.tuning import found_tuned, tuning_sentence
from outgrow.evidence.worth import worth_sentence
from outgrow.points.declaration import TUNE, Comparison, Point, RatioRule
from outgrow.ports import Experiment
from outgrow.proving import FEW_REQUESTS, Asked, Proof, rounds_kept, runs_of
from outgrow.proving import prove as measure
from outgrow.quantities import format_duration, format_quantity, significant
from outgrow.standing import answers_of
from outgrow.wiring import Workspace, chosen_point, experiment_of, open_workspace

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class _Shown:
    """A measurement with all that is said of it. ``ruling`` and ``ratios`` are of a finished one alone."""

    point: Point
    proof: Proof
    ruling: Ruling | None
    ratios: tuple[RuledRatio, ...]
    sentence: str
    next_step: str

    @property
    def code(self) -> int:
        """0 settled · 1 an arm was left out · 3 unfit, inconclusive, or nothing to compare · 130 interrupted."""
        if self.proof.ended == "interrupted":
            return INTERRUPTED
        if self.proof.ended != "finished":
            return 3
        if any(each.left_out for each in self.proof.evidence.facts):
            return 1
        return 0 if self.verdict not in (None, "inconclusive") or self._answered_elsewhere else 3

    @property
    def verdict(self) -> str | None:
        """Of the rule; None where none is told."""
        return self.ruling.verdict if self.ruling is not None else None

    @property
    def _answered_elsewhere(self) -> bool:
        return self.proof.ended == "finished" and self.ruling is None and any(one.measured.ratio for one in self.ratios)


def prove(
    point: Annotated[str, typer.Argument(help="The rewrite point: its id, or its number.", show_default=False)],
    rounds: Annotated[
        int | None, typer.Option(min=6, max=1000, help="Instead of the declared number; fixed before it begins.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the declared one.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write the ratios with their bounds as .png or .svg.", show_default=False)
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, also where an earlier run was interrupted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be measured and how long it takes; measure nothing.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Measure the options side by side on your own data, and say which threshold the ratio clears.

    First the baseline against itself: a machine that cannot judge is told so. Then answers are compared, and rounds are
    run in random order. Ctrl-C keeps what is complete; the same command goes on from there.
    """
    if picture is not None and picture.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"{picture}: a picture is written as .png or .svg")
    with open_workspace(config) as workspace:
        chosen: Point = chosen_point(workspace.declaration, point)
        with closing(experiment_of(workspace, chosen)) as experiment:
            asked = _asked(chosen, rounds, seed, fresh=fresh)
            if dry_run:
                _say_plan(workspace, asked, experiment, as_json)
                return
            _say_before(workspace, asked, experiment)
            with progress() as tell:
                proof = measure(asked, experiment, workspace.ledger, workspace.clock.now, tell)
        shown = _considered(workspace, config, chosen, proof)
    told = "" if config == DEFAULT_CONFIG else f" --config {config}"
    if as_json:
        emit_json(_fields(shown))
    else:
        _show(shown, plain)
    if picture is not None:
        _draw(shown, workspace.declaration.name, picture)
    hint(f"{shown.next_step}{told}" if shown.next_step.startswith("outgrow ") else shown.next_step)
    raise typer.Exit(shown.code)


def _asked(point: Point, rounds: int | None, seed: int | None, *, fresh: bool) -> Asked:
    declared = point.experiment
    assert declared is not None, "experiment_of refuses a point without one"
    return Asked(point, declared, rounds or declared.rounds, declared.seed if seed is None else seed, fresh)


def _rule(point: Point) -> tuple[str, RatioRule | None]:
    """The option that is judged, and the thresholds, where the point has any."""
    cheapest = cheapest_option(point)
    rule = point.rule if isinstance(point.rule, RatioRule) else None
    return (rule.option if rule else None) or (cheapest.id if cheapest else ""), rule


def _considered(workspace: Workspace, config: Path, point: Point, proof: Proof) -> _Shown:
    option, rule = _rule(point)
    if proof.ended != "finished":
        return _Shown(point, proof, None, (), *_unfinished(point, proof, option))
    ratios = ruled_ratios(proof.evidence, option, rule)
    ruling = _ruling(workspace, config, point, proof.evidence)
    if rule is None and ruling.option != TUNE:  # what answers decide is not what was measured
        return _Shown(point, proof, None, ratios, _without_thresholds(ratios), f"outgrow decide {point.id}")
    judged = next((one for one in ratios if one.measured.option == option and one.measured.tuned), None)
    step = f"outgrow decide {point.id}"
    if ruling.verdict == "inconclusive":
        more = judged.rounds_needed if judged is not None else None
        step = f"outgrow prove {point.id} --rounds {more}" if more else ""
    return _Shown(point, proof, ruling, ratios, " ".join(ruling.reasons[:1]), step)


def _ruling(workspace: Workspace, config: Path, point: Point, evidence: Evidence) -> Ruling:
    """What the rule says on this measurement alone."""
    lookout = look_from(workspace, as_of=None, offline=True)
    lookout.keep = False
    folder = DecisionFolder(decision_folder(config, workspace.declaration.decisions))
    return consider(
        workspace.declaration,
        point,
        lookout.statuses((point,))[0],
        lookout.now,
        [evidence],
        answers_of(point, workspace.ledger),
        folder.heads().heads,
    ).ruling


def _without_thresholds(ratios: tuple[RuledRatio, ...]) -> str:
    first = next((one.measured for one in ratios if one.measured.ratio is not None), None)
    if first is None or first.ratio is None:
        return "No ratio could be told."
    return (
        f"{first.option} over {first.against} is {ratio_words(first.ratio)}; the point declares no thresholds to "
        "hold that against."
    )


def _unfinished(point: Point, proof: Proof, option: str) -> tuple[str, str]:
    """The sentence and the next step of a measurement that tells no ratio."""
    again = f"outgrow prove {point.id}"
    if proof.ended == "interrupted":
        return f"Interrupted. {worth_sentence(proof.evidence, option, proof.planned)}", again
    if proof.ended == "unfit":
        said = fit_sentence(proof.evidence.fit) if proof.evidence.fit else "This machine could not be judged."
        return (
            f"{said} No option was measured.",
            f"stop what else runs here, or measure more rounds (fitness_rounds), then: {again}",
        )
    reasons = "; ".join(f"{each.arm}: {each.left_out}" for each in proof.evidence.facts if each.left_out)
    return f"Fewer than two arms are left, so there is nothing to compare. {reasons}.", f"mend that, then: {again}"


def _say_before(workspace: Workspace, asked: Asked, experiment: Experiment) -> None:
    kept = 0 if asked.fresh else rounds_kept(asked, workspace.ledger, workspace.clock.now())
    if kept:
        err().print(f"goes on from {kept} of {asked.rounds} rounds that are kept; to begin anew: --fresh", style="dim")
    else:
        err().print(_plan_sentence(asked, len(experiment.arms)), style="dim", markup=False)


def _plan_sentence(asked: Asked, arms: int) -> str:
    comparison = asked.comparison
    seconds = runs_of(arms, comparison, asked.rounds) * comparison.round_seconds
    return (
        f"the baseline against itself in {comparison.fitness_rounds} rounds, then {arms} arms in {asked.rounds} rounds,"
        f" {format_duration(comparison.round_seconds)} each: about {format_duration(round(seconds))}, and what setting "
        "up takes"
    )


def _say_plan(workspace: Workspace, asked: Asked, experiment: Experiment, as_json: bool) -> None:
    """The dry run."""
    comparison: Comparison = asked.comparison
    arms = experiment.arms
    kept = 0 if asked.fresh else rounds_kept(asked, workspace.ledger, workspace.clock.now())
    fields: dict[str, Any] = {
        "point": asked.point.id,
        "dry_run": True,
        "kind": comparison.kind,
        "arms": [asdict(arm) for arm in arms],
        "baseline": experiment.baseline,
        "rounds": asked.rounds,
        "rounds_kept": kept,
        "round_seconds": comparison.round_seconds,
        "fitness_rounds": comparison.fitness_rounds,
        "seconds": runs_of(len(arms), comparison, asked.rounds - kept) * comparison.round_seconds,
        "rate_per_second": comparison.rate,
        "load_ratio": None if comparison.rate else comparison.load,
        "users": comparison.users,
        "least_recall": comparison.least_recall,
        "seed": asked.seed,
    }
    if as_json:
        emit_json(fields)
    else:
        sent = (
            f"{significant(comparison.rate)} requests a second"
            if comparison.rate
            else f"{significant(comparison.load * 100)} % of what the slowest arm can answer"
        )
        emit_line(f"{asked.point.id}: {', '.join(arm.id for arm in arms)}; the baseline is {experiment.baseline}")
        emit_line(_plan_sentence(asked, len(arms)))
        emit_line(f"sent: {sent}, whether answered or not; seed {asked.seed}")
        emit_line(f"an arm that finds less than {significant(comparison.least_recall * 100)} % has no ratio")
        for each in lacking_for_tune(asked.point, comparison, arms):
            emit_line(each)
        if kept:
            emit_line(f"{kept} rounds of an earlier run are kept and gone on from, unless --fresh")
    hint(f"outgrow prove {asked.point.id}")


def _show(shown: _Shown, plain: bool) -> None:
    proof, title = shown.proof, shown.point.title or shown.point.id
    evidence = proof.evidence
    finished = proof.ended == "finished"
    arms = arm_summaries(evidence) if finished else ()
    lines = list(_lines(shown, finished))
    if plain:
        emit_line(f"{shown.verdict or proof.ended}\t{shown.point.id}\t{shown.sentence}")
        for arm in arms:
            emit_line(f"arm\t{arm.arm.id}\t{_arm_words(arm)}")
        for one in shown.ratios:
            words = ratio_words(one.measured.ratio) if one.measured.ratio else f"no ratio: {one.measured.why_not}"
            emit_line(f"ratio\t{one.measured.option}\t{one.measured.against}\t{words}\t{one.verdict or 'shown'}")
        for line in lines:
            emit_line(f"note\t{line}")
        return
    console = out()
    if finished:
        console.print(arms_table(arms))
        rule = _rule(shown.point)[1]
        out_of_it = {each.arm.option or each.arm.id for each in arms if each.facts.left_out}
        told = [each for each in shown.ratios if not out_of_it & {each.measured.option, each.measured.against}]
        show_ratios(console, told, (rule.migrate, rule.stay) if rule else ())
        console.print()
    word = shown.verdict or proof.ended
    console.print(Text(f"● {word}", style=VERDICT_STYLES.get(word, "bold magenta")) + Text(f"  {title}"))
    for line in (shown.sentence, *lines):
        for part in Text(line).wrap(console, console.width - 2):
            console.print(Text("  ") + part)


def _lines(shown: _Shown, finished: bool) -> tuple[str, ...]:
    """What is said beside the verdict."""
    evidence = shown.proof.evidence
    said: list[str] = []
    if finished:
        said.append(tuning_sentence(evidence))
        if shown.point.experiment is not None and (shown.ruling is None or shown.ruling.option != TUNE):
            said += lacked_for_tune(shown.point, shown.point.experiment, evidence)
        said += shown.ruling.reasons[1:] if shown.ruling else ()
        said += [f"{each.arm} was left out: {each.left_out}." for each in evidence.facts if each.left_out]
        said.append(fit_sentence(evidence.fit) if evidence.fit else "")
        said.append(_sent_sentence(evidence))
    return tuple(each for each in said if each)


def _sent_sentence(evidence: Evidence) -> str:
    if evidence.rate_per_second is None:
        return "Each arm was asked at the rate that the experiment has of its own."
    rate = format_quantity(evidence.rate_per_second, "per_second")
    share = (
        f", {significant(evidence.load_ratio * 100)} % of what the slowest can answer" if evidence.load_ratio else ""
    )
    usual = statistics.median(each.sent for each in evidence.rounds)
    few = (
        f" That is {usual:,.0f} requests a round, so that few of them make the p95; longer rounds tell more."
        if usual < FEW_REQUESTS
        else ""
    )
    return f"Each arm was sent {rate}{share}; seed {evidence.seed}.{few}"


def _arm_words(arm: ArmSummary) -> str:
    p50, p95 = (format_quantity(each, "seconds") if each is not None else "–"
                for each in (arm.p50_seconds, arm.p95_seconds))  # fmt: skip
    return f"p50 {p50}\tp95 {p95}\tdropped {share_text(arm.dropped, arm.sent) or '–'}"


def _draw(shown: _Shown, service: str, path: Path) -> None:
    if not any(one.measured.ratio for one in shown.ratios):
        err().print(f"{path} was not written: there is no ratio to draw", style="yellow", markup=False)
        return
    from outgrow.charts.forecast import save  # altair: half a second, only for a picture
    from outgrow.charts.ratios import RatioWords, ratio_picture

    rule = _rule(shown.point)[1]
    said = RatioWords(
        title=f"{service}: {shown.point.title or shown.point.id}, measured side by side",
        answer=shown.sentence,
        notes=(tuning_sentence(shown.proof.evidence), f"{shown.proof.rounds} rounds"),
    )
    save(ratio_picture(shown.ratios, rule, said), path)
    err().print(f"wrote {path}", markup=False, soft_wrap=True)


def _fields(shown: _Shown) -> dict[str, Any]:
    """The JSON, as documented in the reference."""
    evidence, proof = shown.proof.evidence, shown.proof
    finished = proof.ended == "finished"
    return {
        "point": shown.point.id,
        "ended": proof.ended,
        "verdict": shown.verdict,
        "option": shown.ruling.option if shown.ruling else None,
        "sentence": shown.sentence,
        "reasons": list(_lines(shown, finished)),
        "next": shown.next_step or None,
        "fit": None if evidence.fit is None else not evidence.fit.why_not,
        "fitness": asdict(evidence.fit) if evidence.fit else None,
        "arms": [_arm_fields(each, finished) for each in arm_summaries(evidence)],
        "ratios": [_ratio_fields(each) for each in shown.ratios],
        "baseline": evidence.baseline,
        "baseline_tuned": found_tuned(evidence) if finished else None,
        "tune": [asdict(one) for one in shown.ruling.tune] if shown.ruling else [],
        "rounds": proof.rounds,
        "planned_rounds": proof.planned,
        "gone_on_from": proof.gone_on_from,
        "interrupted": evidence.interrupted,
        "rate_per_second": evidence.rate_per_second,
        "load_ratio": evidence.load_ratio,
        "seed": evidence.seed,
        "versions": dict(evidence.versions),
        "machine": dict(evidence.machine),
        "evidence": evidence.digest if finished else None,
    }


def _arm_fields(arm: ArmSummary, finished: bool) -> dict[str, Any]:
    """Times of a finished measurement alone: until then nobody is to see how it goes."""
    facts = {key: value for key, value in asdict(arm.facts).items() if key not in ("arm", "left_out")}
    return {
        "id": arm.arm.id,
        "option": arm.arm.option,
        "p50_seconds": arm.p50_seconds if finished else None,
        "p95_seconds": arm.p95_seconds if finished else None,
        "p95": asdict(arm.p95) if finished and arm.p95 else None,
        "throughput_per_second": arm.throughput_per_second if finished else None,
        "sent": arm.sent,
        "dropped": arm.dropped,
        **facts,
        "left_out": arm.facts.left_out or None,
    }


def _ratio_fields(one: RuledRatio) -> dict[str, Any]:
    measured = one.measured
    bounds = asdict(measured.ratio) if measured.ratio else dict.fromkeys(("low", "mid", "high", "confidence"))
    return {
        "option": measured.option,
        "baseline": measured.against,
        "tuned": measured.tuned,
        **bounds,
        "verdict": one.verdict,
        "rounds": measured.rounds,
        "rounds_needed": one.rounds_needed,
        "p50": asdict(one.p50) if one.p50 else None,
        "throughput": asdict(one.throughput) if one.throughput else None,
        "why_not": measured.why_not or None,
        "remarks": list(measured.remarks),
    }

"""What the declared rule of a point says: tune first, then a ratio or answers, the criteria where they must decide.

Nothing is guessed: where a bound is missing the verdict is inconclusive and names what would settle it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from outgrow.decisions.criteria import TIE, weigh
from outgrow.decisions.records import Answered, Held, Ruling, Verdict, Weighing
from outgrow.decisions.rule_words import label, ratio_lead, ratio_text, simulated, weighed
from outgrow.decisions.tune import tune_evidence, tune_keeps_quiet
from outgrow.evidence.comparison import clearance, measured_ratios, rounds_needed
from outgrow.evidence.records import Evidence, MeasuredRatio
from outgrow.points.declaration import TUNE, AnswersRule, Case, Criteria, Option, Point, RatioRule
from outgrow.quantities import Interval, significant

USEFUL_ROUNDS = 12
"""What a first comparison should have: with half as many, bounds are as far apart as the rounds themselves."""


@dataclass(frozen=True, slots=True)
class _Ratios:
    """Ratios of a point: the newest of each (option, against), newest first, and the evidence each came from."""

    all: tuple[tuple[MeasuredRatio, Evidence], ...]

    def ruled_on(self, option: str) -> tuple[MeasuredRatio, Evidence] | None:
        """The newest one of the option over a tuned baseline."""
        return next((each for each in self.all if each[0].option == option and each[0].tuned), None)

    def but(self, ratio: MeasuredRatio | None) -> tuple[MeasuredRatio, ...]:
        """All others."""
        return tuple(each for each, _ in self.all if each is not ratio)


def rule_on(
    point: Point,
    criteria: Criteria,
    evidence: Sequence[Evidence],
    answers: Mapping[str, Answered],
    *,
    facts: Mapping[str, tuple[bool, str]] | None = None,
    closed: Sequence[tuple[str, str]] = (),
    units: Mapping[str, str] | None = None,
) -> Ruling:
    """The ruling on one point.

    Args:
        point, criteria: as declared.
        evidence: of any point, in any order; of two made at the same time the later in the sequence is newer.
        answers: fact → answer; what the declared file answers counts before it.
        facts: trigger of kind fact → (quiet now, why); one that is not named is not known to be quiet.
        closed: (option, why) for options that earlier decisions closed; they are never chosen.
        units: signal → base unit, for the words.
    """
    own = [one for one in evidence if one.point == point.id]
    newest_first = [one for _, one in sorted(enumerate(own), key=lambda each: (-each[1].made_at, -each[0]))]
    tune = tune_keeps_quiet(point, newest_first, facts or {}, units or {})
    ratios = _ratios(point, newest_first)
    if tune and all(line.held for line in tune) and _option(point, TUNE) is not None:
        ruling = _stay_with_tune(point, tune, newest_first)
    elif isinstance(point.rule, RatioRule):
        ruling = _rule_on_ratio(point, point.rule, criteria, ratios, closed)
    elif isinstance(point.rule, AnswersRule):
        ruling = _rule_on_answers(point, point.rule, answers)
    else:
        ruling = _no_rule(point)
    ruling = _without_closed(point, ruling, closed)
    if ruling.verdict != "stay" or ruling.option != TUNE:
        ruling = replace(ruling, reasons=(*ruling.reasons, *_about_tune(point, tune, facts or {})))
    return replace(ruling, tune=tune, shown=ratios.but(ruling.ratio), closed=tuple(closed))


def cheapest_option(point: Point) -> Option | None:
    """The option of the least effort other than tune; None where there is none."""
    rewrites = [option for option in point.options if option.id != TUNE]
    return min(rewrites, key=lambda option: (option.effort_weeks[1], option.effort_weeks[0]), default=None)


def _option(point: Point, option: str) -> Option | None:
    return next((each for each in point.options if each.id == option), None)


def _ratios(point: Point, newest_first: Sequence[Evidence]) -> _Ratios:
    cheapest = cheapest_option(point)
    rule_option = (point.rule.option if isinstance(point.rule, RatioRule) else None) or (
        cheapest.id if cheapest else ""
    )
    found: dict[tuple[str, str, bool], tuple[MeasuredRatio, Evidence]] = {}
    for one in newest_first:
        for ratio in measured_ratios(one, rule_option):
            found.setdefault((ratio.option, ratio.against, ratio.tuned), (ratio, one))
    return _Ratios(tuple(found.values()))


def _stay_with_tune(point: Point, tune: tuple[Held, ...], newest_first: Sequence[Evidence]) -> Ruling:
    users = f"{point.complete_before:,} users"
    every = f"all {len(tune)} triggers" if len(tune) > 1 else "its trigger"
    reasons = [f"{label(point, TUNE)} keeps {every} quiet at {users}: nothing larger is needed."]
    reasons += [f"{line.why}." for line in tune]
    return Ruling(
        point=point.id,
        verdict="stay",
        option=TUNE,
        reasons=(*reasons, *simulated(tune_evidence(point, newest_first))),
        next_step="outgrow plan",
    )


def _about_tune(point: Point, tune: tuple[Held, ...], facts: Mapping[str, tuple[bool, str]]) -> tuple[str, ...]:
    """What is to be said of option 0 where it did not settle the matter."""
    users = f"{point.complete_before:,} users"
    failing = [line.why for line in tune if not line.held and (line.value is not None or line.trigger in facts)]
    if failing:
        return (f"Tune is not enough: {'; '.join(failing)}.",)
    if all(line.value is None for line in tune):
        return (f"Tune was not measured at {users}, so it cannot be said to be enough.",)
    unknown = ", ".join(line.trigger for line in tune if not line.held)
    if not unknown:
        return ()
    return (f"Tune cannot be said to be enough: nothing shows that it keeps quiet at {users}: {unknown}.",)


def _rule_on_ratio(
    point: Point, rule: RatioRule, criteria: Criteria, ratios: _Ratios, closed: Sequence[tuple[str, str]]
) -> Ruling:
    cheapest = cheapest_option(point)
    option = rule.option or (cheapest.id if cheapest else None)
    if option is None:
        return _inconclusive(
            point,
            f"{point.id} declares no option other than tune, so there is nothing to judge.",
            missing="an option to compare with the tuned service",
            next_step=f"write the options of {point.id} into the declared file, then: outgrow decide {point.id}",
        )
    found = ratios.ruled_on(option)
    if found is None:
        return _no_evidence(point, option, ratios)
    measured, source = found
    if measured.ratio is None:
        return replace(
            _inconclusive(
                point,
                f"The newest comparison of {label(point, option)} with the tuned service cannot be ruled on: "
                f"{measured.why_not}.",
                missing=_wanted(point, option),
                next_step=_measure(option),
            ),
            ratio=measured,
        )
    ruling = _by_clearance(point, rule, option, criteria, measured, measured.ratio, closed)
    remarks = tuple(f"{remark[:1].upper()}{remark[1:]}." for remark in measured.remarks)
    return replace(ruling, ratio=measured, reasons=(*ruling.reasons, *remarks, *simulated([source])))


def _by_clearance(
    point: Point,
    rule: RatioRule,
    option: str,
    criteria: Criteria,
    measured: MeasuredRatio,
    ratio: Interval,
    closed: Sequence[tuple[str, str]],
) -> Ruling:
    lead = ratio_lead(point, option, measured, ratio)
    stay, migrate = significant(rule.stay), significant(rule.migrate)
    cleared = clearance(ratio, rule.stay, rule.migrate)
    if cleared == "above":
        return _chosen(point, "stay", option, f"{lead}: the lower bound clears {stay}.")
    if cleared == "below":
        return _migrate(point, rule, option, criteria, f"{lead}: the upper bound does not exceed {migrate}.", closed)
    if cleared == "inside":
        reason = f"{lead}: between {migrate} and {stay} the rule is silent, and the five criteria decide."
        named = [option, rule.otherwise] if rule.option and rule.otherwise else []
        eligible = named or [each.id for each in point.options if each.id != TUNE]
        return _by_criteria(point, "between", criteria, eligible, reason, closed)
    held = [text for text, limit in ((migrate, rule.migrate), (stay, rule.stay)) if ratio.low <= limit <= ratio.high]
    more = rounds_needed(ratio, measured.rounds, rule.stay, rule.migrate) if measured.rounds else None
    if more:
        settle = f"about {more:,} rounds in all would settle it"
    elif measured.rounds:
        settle = "its middle is too near to tell in any number of rounds worth running"
    else:
        settle = "a measurement of your own would tell more"
    return _inconclusive(
        point,
        f"{lead}: the interval contains {' and '.join(held)}; {settle}.",
        missing=f"a narrower interval of {label(point, option)} over the tuned service"
        + (f": about {more:,} rounds" if more else ""),
        next_step=_measure(option),
    )


def _migrate(
    point: Point, rule: RatioRule, option: str, criteria: Criteria, reason: str, closed: Sequence[tuple[str, str]]
) -> Ruling:
    if rule.otherwise is not None:
        return _chosen(point, "migrate", rule.otherwise, reason)
    others = [each.id for each in point.options if each.id not in (TUNE, option)]
    ruling = _by_criteria(point, "migrate", criteria, others, reason, closed)
    if ruling.option is not None:
        return ruling
    return replace(
        ruling,
        verdict="inconclusive",
        reasons=(*ruling.reasons, "The rule does not name the option to migrate to."),
        missing=ruling.missing or ("otherwise: in the rule, the option to migrate to",),
        next_step=f"name it as otherwise: in the rule of {point.id}, then: outgrow decide {point.id}",
    )


def _by_criteria(
    point: Point,
    verdict: Verdict,
    criteria: Criteria,
    options: Sequence[str],
    reason: str,
    closed: Sequence[tuple[str, str]],
) -> Ruling:
    """The best of ``options`` that are still open; a single one needs no weighing."""
    shut = {option for option, _ in closed}
    eligible = [option for option in options if option not in shut]
    weighing = weigh(point.options, criteria, eligible)
    said = tuple(f"{label(point, option)} is closed: {why}." for option, why in closed if option in options)
    if len(eligible) == 1:
        left = f"{label(point, eligible[0])} is the only option left."
        return replace(_chosen(point, verdict, eligible[0], reason, left, *said), weighing=weighing)
    if weighing.best is not None:
        return replace(
            _chosen(point, verdict, weighing.best, reason, weighed(point, weighing), *said), weighing=weighing
        )
    why, missing, next_step = _nobody_wins(point, weighing)
    return Ruling(point.id, verdict, None, (reason, why, *said), next_step, (missing,), weighing=weighing)


def _nobody_wins(point: Point, weighing: Weighing) -> tuple[str, str, str]:
    """Why, what is missing, and the next step."""
    again = f"then: outgrow decide {point.id}"
    if not weighing.eligible:
        return "No option is left to choose.", "an option that is still open", f"declare another option, {again}"
    if weighing.missing:
        unscored = ", ".join(label(point, option) for option in weighing.missing)
        return (
            f"{unscored} has no scores, so the options cannot be weighed.",
            f"scores of {unscored}",
            f"write scores: for {', '.join(weighing.missing)} into the declared file, {again}",
        )
    means = [(option, score) for option, score in weighing.scores if option in weighing.eligible]
    top = means[0][1]
    tied = [option for option, score in means if top - score <= TIE]
    return (
        f"{' and '.join(label(point, option) for option in tied)} weigh the same, {top:.2f}: a tie is a tie.",
        "a reason to prefer one of them",
        f"move a weight under criteria: or a score in the declared file, {again}",
    )


def _no_evidence(point: Point, option: str, ratios: _Ratios) -> Ruling:
    untuned = next((each for each, _ in ratios.all if each.option == option and not each.tuned), None)
    if untuned is None:
        reason = f"Nothing measured says how {label(point, option)} compares with the tuned service."
    else:
        bounds = f" ({ratio_text(untuned.ratio, untuned)})" if untuned.ratio else ""
        reason = (
            f"{label(point, option)} was compared with {untuned.against}{bounds}, not with the tuned service: that is "
            "shown, never ruled on."
        )
    return _inconclusive(point, reason, missing=_wanted(point, option), next_step=_measure(option))


def _wanted(point: Point, option: str) -> str:
    return f"a comparison of {label(point, option)} with the tuned service, {USEFUL_ROUNDS} rounds or more"


def _measure(option: str) -> str:
    return f"measure the arms tune and {option} beside each other, then: outgrow import evidence FILE"


def _rule_on_answers(point: Point, rule: AnswersRule, answers: Mapping[str, Answered]) -> Ruling:
    used: list[Answered] = []
    for place, case in enumerate(rule.cases):
        answer = _answer(case, answers)
        if answer is None and _outcomes(rule, place + 1, answers) != {case.choose}:
            return replace(_ask(point, case), answers=tuple(used))
        if answer is None:
            continue
        used.append(answer)
        if answer.answer:
            reason = f"{case.ask.rstrip('?')}? Yes, says {answer.source}: {label(point, case.choose)}."
            return replace(_chosen(point, _verdict_of(case.choose), case.choose, reason), answers=tuple(used))
    if rule.otherwise is None:
        return replace(
            _inconclusive(
                point,
                "Every question of the rule is answered with no, and it does not name what is chosen then.",
                missing="otherwise: in the rule",
                next_step=f"name it as otherwise: in the rule of {point.id}, then: outgrow decide {point.id}",
            ),
            answers=tuple(used),
        )
    said = [
        f"{each.ask.rstrip('?')}? No, says {one.source}."
        for each in rule.cases
        for one in used
        if one.fact == each.fact
    ]
    every = "No question of the rule is answered with yes" if said else "Whatever is answered"
    reason = f"{every}: {label(point, rule.otherwise)}."
    return replace(_chosen(point, _verdict_of(rule.otherwise), rule.otherwise, reason, *said), answers=tuple(used))


def _answer(case: Case, answers: Mapping[str, Answered]) -> Answered | None:
    if case.answer is not None:
        return Answered(case.fact, case.answer, case.source)
    return answers.get(case.fact)


def _outcomes(rule: AnswersRule, place: int, answers: Mapping[str, Answered]) -> set[str | None]:
    """The options that may still be chosen by the cases from ``place`` on."""
    possible = set[str | None]()
    for case in rule.cases[place:]:
        answer = _answer(case, answers)
        if answer is None or answer.answer:
            possible.add(case.choose)
        if answer is not None and answer.answer:
            return possible
    return possible | {rule.otherwise}


def _ask(point: Point, case: Case) -> Ruling:
    return _inconclusive(
        point,
        f"One question decides and is not answered: {case.ask}",
        missing=case.ask,
        next_step=f'outgrow decide {point.id} --answer {case.fact}=yes --source "who says so"',
    )


def _verdict_of(option: str) -> Verdict:
    return "stay" if option == TUNE else "migrate"


def _no_rule(point: Point) -> Ruling:
    options = [option.id for option in point.options if option.id != TUNE]
    first, last = (options[0], options[-1]) if options else ("A", "B")
    return _inconclusive(
        point,
        f"{point.id} declares no rule, so nothing says how its options are judged.",
        missing="a rule",
        next_step=(
            f"write under {point.id}, for example, rule: {{kind: ratio, option: {first}, stay: 5, migrate: 2, "
            f"otherwise: {last}}}, then: outgrow decide {point.id}"
        ),
    )


def _without_closed(point: Point, ruling: Ruling, closed: Sequence[tuple[str, str]]) -> Ruling:
    """A choice that an earlier decision closed is a conflict, and nobody is chosen."""
    why = next((why for option, why in closed if option == ruling.option), None)
    if ruling.option is None or why is None:
        return ruling
    name = label(point, ruling.option)
    return replace(
        ruling,
        verdict="inconclusive",
        option=None,
        reasons=(f"The rule says {name}, but that is closed: {why}.", *ruling.reasons),
        missing=(f"whether {name} may be opened again, or what takes its place",),
        next_step=f"outgrow decisions, then change that decision or the rule of {point.id}",
    )


def _chosen(point: Point, verdict: Verdict, option: str, *reasons: str) -> Ruling:
    return Ruling(point.id, verdict, option, reasons, next_step="outgrow plan")


def _inconclusive(point: Point, reason: str, *, missing: str, next_step: str) -> Ruling:
    return Ruling(point.id, "inconclusive", None, (reason,), next_step, (missing,))

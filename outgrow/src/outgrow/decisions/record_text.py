"""The text of a decision record: MADR 4 (https://adr.github.io/madr/) with one key of our own, ``outgrow``.

Programs read the front matter, people the rest. The same record gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from outgrow.decisions.decision_record import DecisionRecord
from outgrow.decisions.markdown import bullets, clean, inline, link_target, paragraph, scalar
from outgrow.decisions.option_text import (
    consequences,
    criteria_weights,
    criterion_text,
    percent,
    pros_and_cons,
    weighing_text,
)
from outgrow.decisions.records import Answered, DecisionHead, ReopenWhen, Ruling
from outgrow.decisions.reopening import reopening_conditions
from outgrow.evidence.records import Evidence, MeasuredRatio
from outgrow.outlook.sentences import limits_clause
from outgrow.outlook.status import TriggerStatus
from outgrow.outlook.triggers import ago
from outgrow.points.declaration import AnswersRule, RatioRule, Trigger
from outgrow.quantities import DAY, Interval, format_duration, format_quantity, iso_date, significant

_ASKED = {
    "operational_simplicity": "can this team run it?",
    "learning_curve": "how soon is it at home in it?",
    "community_support": "who helps when it breaks?",
    "rollback_safety": "can it be undone?",
    "future_flexibility": "what does it leave open?",
}

_REACHES = {
    "inevitable": "will reach",
    "likely": "will likely reach",
    "possible": "may reach",
    "only-if": "reaches only under certain conditions",
}

_PROBABILITIES = ("grows-faster-than-users", "worse-though-scaled-out")


def record_text(record: DecisionRecord) -> str:
    """The whole file.

    Raises:
        ValueError: the ruling chose no option, so that there is nothing to record.
    """
    parts = [
        _front_matter(record),
        f"# {title_of(record)}",
        *_context(record),
        "## Decision Drivers",
        bullets([*_triggers(record), *_criteria(record)]),
        "## Considered Options",
        bullets([inline(record.label(option.id)) for option in record.options]),
        "## Decision Outcome",
        *_outcome(record),
        "### Consequences",
        consequences(record),
        "### Confirmation",
        *_confirmation(record),
        "## Pros and Cons of the Options",
        *pros_and_cons(record),
    ]
    if record.ruling.weighing is not None:
        parts += ["### Weighing by the five criteria", *weighing_text(record, record.ruling.weighing)]
    return "\n\n".join(part for part in parts if part) + "\n"


def title_of(record: DecisionRecord) -> str:
    """Problem and solution: ``Data architecture: stay, with Partition (A)``; the number is the file name's."""
    chosen = inline(record.label(record.chosen.id))
    solution = {"stay": f"stay, with {chosen}", "migrate": f"move to {chosen}"}.get(
        record.ruling.verdict, f"{chosen}, by weighing"
    )
    return f"{inline(record.point.title or record.point.id)}: {solution}"


def file_name(record: DecisionRecord) -> str:
    """``0007-data-architecture-partition.md``: only small letters, digits and hyphens, whatever the words hold."""
    option = record.chosen
    slug = re.sub(r"[^a-z0-9]+", "-", f"{record.point.id}-{option.title or option.id}".lower()).strip("-")[:80]
    return f"{record.number:04d}-{slug.strip('-') or 'decision'}.md"


def ratio_text(ratio: Interval) -> str:
    """``9.2 times (6.1–13.8 at 95 %)``; the low bound is rounded down and the high one up, so neither flatters."""
    low, high = _rounded(ratio.low, ROUND_FLOOR), _rounded(ratio.high, ROUND_CEILING)
    return f"{significant(ratio.mid)} times ({low}–{high} at {significant(ratio.confidence * 100)} %)"


def ratio_sentence(record: DecisionRecord, measured: MeasuredRatio) -> str:
    """One measured ratio with where it comes from, as plain text."""
    against = clean(_arm(record, measured.against))
    what = f"{clean(record.label(measured.option))} against {against}, {'tuned' if measured.tuned else 'not tuned'}"
    rounds = f"{measured.rounds} rounds, " if measured.rounds else ""
    source = f"{rounds}{clean(measured.source) or 'no source named'}, {iso_date(measured.made_at)}"
    if measured.ratio is None:
        return f"{what}: no ratio, because {clean(measured.why_not).rstrip('.')} ({source})."
    return f"{what}: {ratio_text(measured.ratio)}; {source}."


def _front_matter(record: DecisionRecord) -> str:
    ruling = record.ruling
    firing = [one.trigger for one in record.outlook.triggers if one.state == "firing" and not one.confirms]
    lines = [
        "---",
        f"status: {record.status}",
        f"date: {record.made_on}",
        f"decision-makers: {_list(record.decision_makers)}",
        f"consulted: {_list(record.consulted)}",
        f"informed: {_list(record.informed)}",
        "outgrow:",
        f"  point: {scalar(record.point.id)}",
        f"  verdict: {ruling.verdict}",
        f"  option: {scalar(record.chosen.id)}",
        f"  digest: {scalar(record.digest)}",
        f"  evidence: {_list(tuple(one.digest for one in record.evidence))}",
        f"  firing-then: {_list(tuple(firing))}",
        "  reopen-when:",
        *(f"  - {{{_condition(record, one)}}}" for one in reopening_conditions(record.point, ruling.answers)),
        "---",
    ]
    return "\n".join(lines)


def _list(items: tuple[str, ...]) -> str:
    return f"[{', '.join(scalar(clean(item)) for item in items)}]"


def _condition(record: DecisionRecord, when: ReopenWhen) -> str:
    if when.fact is not None:
        return f"fact: {scalar(when.fact)}, becomes: {'yes' if when.becomes else 'no'}"
    trigger = next(one for one in record.point.triggers if one.id == when.trigger)
    fields = [f"trigger: {scalar(trigger.id)}"]
    if trigger.kind != "threshold":
        fields.append(f"kind: {trigger.kind}")
    if trigger.signal is not None:
        fields.append(f"signal: {scalar(trigger.signal)}")
    if trigger.kind == "fact":
        fields += [f"notes: {trigger.threshold or 1:.12g}", f"within: {trigger.within / DAY:.12g}d"]
    elif trigger.threshold is not None:
        name = "probability" if trigger.kind in _PROBABILITIES else trigger.direction
        fields.append(f"{name}: {trigger.threshold:.12g}")
    unit = record.units.get(trigger.signal or "", "")
    if unit and trigger.kind == "threshold":
        fields.append(f"unit: {scalar(unit)}")
    if trigger.for_:
        fields.append(f"for: {format_duration(trigger.for_)}")
    return ", ".join(fields)


def _context(record: DecisionRecord) -> Iterator[str]:
    yield "## Context and Problem Statement"
    point, outlook = record.point, record.outlook
    cause = f"Root cause: {inline(point.root_cause).rstrip('.')}. " if point.root_cause else ""
    headline = f"It shows as: {inline(point.headline).rstrip('.')}. " if point.headline else ""
    name, reaches = inline(point.title or point.id), _REACHES[point.likelihood]
    yield paragraph(f"{name} is a limit that growth {reaches}. {cause}{headline}")
    users = "" if outlook.users_now is None else f" There were {significant(outlook.users_now)} users then."
    yield paragraph(f"As of {record.known_on}: {limits_clause(outlook)}{users}")
    yield paragraph(f"Which way leads past {point.complete_before:,} users, and is a rewrite needed for it?")
    if record.time_scale:
        yield paragraph(f"**Time scale {inline(record.time_scale)}: this is a rehearsal.**")
    if any(one.simulated for one in record.evidence) or any("simulated" in one.origins for one in outlook.triggers):
        yield paragraph("**Made with simulated data.**")


def _triggers(record: DecisionRecord) -> Iterator[str]:
    now = {one.trigger: one for one in record.outlook.triggers}
    for trigger in record.point.triggers:
        status = now.get(trigger.id)
        state = f"{status.state} then ({inline(status.reason)})" if status else "not judged then"
        alone = "; it confirms others and never fires alone" if trigger.confirms else ""
        yield f"{inline(trigger.title or trigger.id)} (`{trigger.id}`): {limits_of(record, trigger)}{alone}; {state}"


def limits_of(record: DecisionRecord, trigger: Trigger) -> str:
    """``warns above 5 s for 10m, felt by users above 15 s``."""
    if trigger.kind == "fact":
        count = trigger.threshold or 1
        return f"warns from {significant(count)} note{'s' if count > 1 else ''} within {ago(trigger.within)}"
    probability = trigger.kind in _PROBABILITIES
    unit = (
        "ratio"
        if probability
        else "regions"
        if trigger.kind == "spread"
        else record.units.get(trigger.signal or "", "")
    )
    side = "from a probability of" if probability else trigger.direction
    if trigger.threshold is None:
        return "warns by its default"
    held = f" for {format_duration(trigger.for_)}" if trigger.for_ else ""
    felt = "" if trigger.breaks_at is None else f", felt by users {side} {format_quantity(trigger.breaks_at, unit)}"
    return f"warns {side} {format_quantity(trigger.threshold, unit)}{held}{felt}"


def _criteria(record: DecisionRecord) -> Iterator[str]:
    for name, weight in criteria_weights(record).items():
        yield f"{criterion_text(name).capitalize()}, weight {percent(weight)}: {_ASKED[name]}"


def _outcome(record: DecisionRecord) -> Iterator[str]:
    ruling = record.ruling
    yield f'Chosen option: "{inline(record.label(record.chosen.id))}", because the verdict is **{ruling.verdict}**:'
    yield bullets([inline(reason) for reason in ruling.reasons])
    if ruling.closed:
        closed = "; ".join(f"{inline(record.label(option))}: {inline(why)}" for option, why in ruling.closed)
        yield paragraph(f"Closed by earlier decisions: {closed}.")
    for head in record.supersedes:
        yield paragraph(f"This replaces [{_listed(head)}](<{link_target(head.file)}>) of {head.made_on}.")


def _listed(head: DecisionHead) -> str:
    """``0004 Data architecture: move to Migrate (B)``, also where the heading itself begins with the number."""
    number = f"{head.number:04d} "
    return inline(number + head.title.removeprefix(number))


def _confirmation(record: DecisionRecord) -> Iterator[str]:
    ruling, rule = record.ruling, record.point.rule
    measured = []
    if ruling.ratio is not None:
        measured.append(f"Ruled on: {inline(ratio_sentence(record, ruling.ratio))}")
    if isinstance(rule, RatioRule):
        measured.append(
            f"The rule: stay where the lower bound is {significant(rule.stay)} or more, migrate where the upper bound "
            f"is {significant(rule.migrate)} or less; between the two the five criteria decide."
        )
    measured += [f"Shown, never ruled on: {inline(ratio_sentence(record, one))}" for one in ruling.shown]
    measured += [f"Answered: {_answer_text(record, one)}" for one in ruling.answers]
    measured += [f"Tune, {said}" for said in tune_lines(ruling, mark=inline, code="`")]
    measured += [_evidence_text(one) for one in record.evidence]
    yield bullets(measured)
    yield "To decide again on fresh evidence:"
    yield "```sh\n" + "\n".join(again(record)) + "\n```"
    yield "This is reopened when"
    yield bullets([_reopened_by(record, one) for one in reopening_conditions(record.point, ruling.answers)])


def again(record: DecisionRecord) -> tuple[str, ...]:
    """The commands that measure and decide once more."""
    rule, point = record.point.rule, record.point.id
    if isinstance(rule, AnswersRule):
        given = {one.fact: one.answer for one in record.ruling.answers}
        fact = next(iter(given), rule.cases[0].fact)
        said = "yes" if given.get(fact, True) else "no"
        return (f'outgrow decide {point} --answer {fact}={said} --source "who says so"',)
    return "outgrow import evidence FILE", f"outgrow decide {point}"


def tune_lines(ruling: Ruling, *, mark: Callable[[str], str] = clean, code: str = "") -> list[str]:
    """What *tune* holds, a line a trigger; one line for all where nothing of it was measured.

    Plain text; for Markdown, ``mark`` is what makes words safe and ``code`` what stands about an id.
    """
    if any(one.value is not None for one in ruling.tune):
        return [
            f"{code}{one.trigger}{code}: {'held' if one.held else 'not held'}; {mark(one.why)}" for one in ruling.tune
        ]
    missing = ", ".join(f"{code}{one.trigger}{code}" for one in ruling.tune if not one.held)
    return [f"not measured for {missing}"] if missing else []


def _answer_text(record: DecisionRecord, answered: Answered) -> str:
    rule = record.point.rule
    asked = (
        next((one.ask for one in rule.cases if one.fact == answered.fact), "") if isinstance(rule, AnswersRule) else ""
    )
    said = "yes" if answered.answer else "no"
    at = f", {iso_date(answered.at)}" if answered.at is not None else ""
    source = inline(answered.source) or "no source named"
    return f"{inline(asked) or answered.fact} **{said}** ({source}{at}; `{answered.fact}`)"


def _evidence_text(evidence: Evidence) -> str:
    if evidence.rounds:
        size = f"{len({one.round for one in evidence.rounds})} rounds of {len(evidence.arms)} arms"
    else:
        size = "reported"
    facts = [
        f"{inline(key)} {inline(value)}"
        for made in (evidence.machine, evidence.versions)
        for key, value in sorted(made.items())
    ]
    if evidence.seed is not None:
        facts.append(f"seed {evidence.seed}")
    with_ = f"; {', '.join(facts)}" if facts else ""
    simulated = ", simulated" if evidence.simulated else ""
    return (
        f"Evidence `{evidence.digest[:12]}`: {size}{simulated}, {inline(evidence.source) or 'no source named'}, "
        f"{iso_date(evidence.made_at)}{with_}"
    )


def _reopened_by(record: DecisionRecord, when: ReopenWhen) -> str:
    if when.fact is not None:
        return f"`{when.fact}` is answered {'yes' if when.becomes else 'no'}"
    trigger = next(one for one in record.point.triggers if one.id == when.trigger)
    then: TriggerStatus | None = next((one for one in record.outlook.triggers if one.trigger == trigger.id), None)
    again_ = " again, once it has gone quiet" if then is not None and then.state == "firing" else ""
    return f"`{trigger.id}` begins to fire{again_}: {inline(trigger.title or trigger.id)}, {limits_of(record, trigger)}"


def _arm(record: DecisionRecord, name: str) -> str:
    """An option by its label, any other arm by its own name."""
    return record.label(name) if any(option.id == name for option in record.point.options) else name


def _rounded(value: float, rounding: str) -> str:
    if value in (0.0, float("inf")):
        return significant(value)
    exact = Decimal(repr(value))
    return significant(float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 2), rounding=rounding)))

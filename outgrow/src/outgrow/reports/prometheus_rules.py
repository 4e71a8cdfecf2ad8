"""Alert and recording rules for a Prometheus-compatible server, from the declared file.

Every signal becomes a recording rule ``outgrow:<signal>``, every point a group of alerts: ``severity: warning`` at
``threshold``, ``severity: critical`` at ``breaks_at``, and ``OutgrowSignalUnknown`` where nothing is measured, for an
alert that cannot fire looks just like one that has no reason to. What PromQL cannot say truthfully is left out, with a
comment that says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from outgrow.outlook.triggers import LOOK_BACK, NORMAL_LOAD_QUANTILE
from outgrow.points.declaration import Declaration, Point, Signal, Trigger
from outgrow.quantities import MINUTE, format_quantity
from outgrow.reports.handbook import handbook_place, handbook_url, is_url
from outgrow.signals.promql import absence_promql, promql_duration, promql_of

KEEP_FIRING_SECONDS = 5 * MINUTE
"""A value that wavers about its threshold is one alert: it keeps firing at least this long, or its own ``for``."""

UNKNOWN_AFTER_SECONDS = 30 * MINUTE

_NOT_PRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_LEFT_OUT = {
    "fact": "is a fact that no metric knows; outgrow note sets it",
    "grows-faster-than-users": (
        "is a probability; in PromQL the ratio of two slopes turns to noise when users hardly grow; "
        "outgrow status judges it"
    ),
    "worse-though-scaled-out": "needs a fitted scaling law; outgrow status judges it",
}


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule, or (without ``expr``) a comment in its place."""

    comment: str = ""
    head: tuple[str, str] = ("", "")
    expr: str = ""
    for_seconds: float = 0.0
    keep_firing_seconds: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def prometheus_rules(declaration: Declaration) -> str:
    """The rules as YAML that ``promtool check rules`` accepts; Prometheus 2.42 or newer (``keep_firing_for``)."""
    records = record_names(declaration)
    groups = [("outgrow:signals", list(_recordings(declaration, records)))]
    groups += [(f"outgrow:{point.id}", list(_alerts(point, declaration, records))) for point in declaration.points]
    lines = [
        _comment(f"Early warnings of {declaration.name}. Written by: outgrow export prometheus-rules"),
        _comment("Change outgrow.yaml and write this file anew. Needs Prometheus 2.42 or newer, for keep_firing_for."),
        "groups:",
    ]
    for name, rules in groups:
        lines += [f"- name: {_quoted(name)}", *(["  rules:"] if any(rule.expr for rule in rules) else ["  rules: []"])]
        for rule in rules:
            lines += _lines(rule)
    return "\n".join(lines) + "\n"


def left_out(declaration: Declaration) -> tuple[str, ...]:
    """``point/trigger`` of what PromQL cannot say and the rules therefore leave to the tool itself."""
    return tuple(
        f"{point.id}/{trigger.id}"
        for point in declaration.points
        for trigger in point.triggers
        if _why_not(trigger, declaration)
    )


def _why_not(trigger: Trigger, declaration: Declaration) -> str:
    if trigger.confirms:
        return "may confirm another trigger and never fires alone"
    if trigger.signal is not None and declaration.signals[trigger.signal].imported:
        return f"is judged on {trigger.signal}, which comes from imports alone; outgrow status judges it"
    load = declaration.load
    if trigger.when == "normal-load" and load is not None and declaration.signals[load.signal].imported:
        return f"needs {load.signal}, which comes from imports alone; outgrow status judges it"
    return _LEFT_OUT.get(trigger.kind, "")


def record_names(declaration: Declaration) -> dict[str, str]:
    """The recorded series of each signal: ``outgrow:`` and the signal's name in the letters a metric may have."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for signal in declaration.signals:
        plain = f"outgrow:{re.sub(r'[^a-zA-Z0-9_]', '_', signal)}"
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name)
        names[signal] = name
    return names


def _recordings(declaration: Declaration, records: Mapping[str, str]) -> Iterator[_Rule]:
    by_member = {
        trigger.signal for point in declaration.points for trigger in point.triggers if trigger.kind == "spread"
    }
    for name, signal in declaration.signals.items():
        if signal.imported:
            yield _Rule(comment=f"left out: {name} comes from imports alone")
            continue
        yield _Rule(head=("record", records[name]), expr=promql_of(signal))
        if name in by_member and signal.by:
            yield _Rule(head=("record", _by_member(records[name])), expr=promql_of(signal, by_member=True))
    for use in (declaration.users, declaration.load):
        if use is not None and not declaration.signals[use.signal].imported:
            yield _unknown(None, use.signal, declaration, records)


def _by_member(record: str) -> str:
    return f"{record}:by_member"


def _alerts(point: Point, declaration: Declaration, records: Mapping[str, str]) -> Iterator[_Rule]:
    watched: dict[str, None] = {}
    for trigger in point.triggers:
        if trigger.signal is None or trigger.threshold is None or _why_not(trigger, declaration):
            yield _Rule(comment=f"left out: {trigger.id} {_why_not(trigger, declaration)}")
            continue
        watched[trigger.signal] = None
        signal = declaration.signals[trigger.signal]
        yield _alert(point, trigger, signal, trigger.threshold, declaration, records, breaks=False)
        if trigger.breaks_at is not None:
            yield _alert(point, trigger, signal, trigger.breaks_at, declaration, records, breaks=True)
    for name in watched:
        yield _unknown(point, name, declaration, records)


def _alert(
    point: Point,
    trigger: Trigger,
    signal: Signal,
    limit: float,
    declaration: Declaration,
    records: Mapping[str, str],
    *,
    breaks: bool,
) -> _Rule:
    record = records[trigger.signal or ""]
    reading = _spread(record, trigger.share) if trigger.kind == "spread" else record
    expr = f"{reading} {'>' if trigger.direction == 'above' else '<'} {_number(limit)}"
    if trigger.when == "normal-load" and declaration.load is not None:
        load = records[declaration.load.signal]
        past = f"{load}[{promql_duration(LOOK_BACK)}]"
        expr = f"{expr}\nand on () ({load} <= quantile_over_time({_number(NORMAL_LOAD_QUANTILE)}, {past}))"
    unit = "regions" if trigger.kind == "spread" else signal.unit
    return _Rule(
        head=("alert", alert_name(point.id, trigger.id)),
        expr=expr,
        for_seconds=trigger.for_,
        keep_firing_seconds=max(trigger.for_, KEEP_FIRING_SECONDS),
        labels={"severity": "critical" if breaks else "warning", "point": point.id, "trigger": trigger.id},
        annotations=_annotations(point, trigger, unit, limit, declaration, records, breaks=breaks),
    )


def _spread(record: str, share: float) -> str:
    members = _by_member(record)
    return f"count({members} / on () group_left () sum({members}) >= {_number(share)})"


def _annotations(
    point: Point,
    trigger: Trigger,
    unit: str,
    limit: float,
    declaration: Declaration,
    records: Mapping[str, str],
    *,
    breaks: bool,
) -> dict[str, str]:
    past = "past" if trigger.direction == "above" else "below"
    kind = "where it breaks" if breaks else "its early warning"
    title = _text(f"{point.title or point.id}: {trigger.title or trigger.id}")
    users = (
        f'{{{{ with query "{records[declaration.users.signal]}" }}}}{{{{ . | first | value | humanize }}}}{{{{ end }}}}'
    )
    handbook = handbook_url(declaration, point.id, trigger.id)
    parts = [
        f"Felt by users: {_text(_bare(point.headline))}." if breaks and point.headline else "",
        f"Root cause: {_text(_bare(point.root_cause))}." if point.root_cause else "",
        f"Users now: {users}; to be complete before {point.complete_before:,}."
        if not declaration.signals[declaration.users.signal].imported
        else f"To be complete before {point.complete_before:,} users.",
        _first(trigger.runbook, linked=not handbook),
        "" if handbook else f"Handbook: {_text(handbook_place(declaration, point.id, trigger.id))}.",
        f"Next: outgrow forecast {point.id}",
    ]
    annotations = {
        "summary": f"{title}, {_humanised(unit)}, {past} {format_quantity(limit, unit)} ({kind})",
        "description": " ".join(part for part in parts if part),
    }
    link = handbook or (trigger.runbook if is_url(trigger.runbook) else "")
    return annotations | ({"runbook_url": _text(link)} if link else {})


def _first(runbook: str, *, linked: bool) -> str:
    """What to do first; a web address stands here only where the alert's link leads elsewhere."""
    if is_url(runbook):
        return "" if linked else f"First: see {_text(runbook)}"
    return f"First: {_text(_bare(runbook))}." if runbook else ""


def _unknown(point: Point | None, name: str, declaration: Declaration, records: Mapping[str, str]) -> _Rule:
    """Nothing is measured, or only a part. Of a point's signals this matters from ``monitor_from`` users on."""
    record, users = records[name], records[declaration.users.signal]
    absence = absence_promql(declaration.signals[name])
    # A series of NaN is there but says nothing: NaN is not equal to itself.
    expr = f"absent({record} == {record})" + (f" or count({absence})" if absence else "")
    title = _text(declaration.signals[name].title or name)
    summary, described = f"{title} is not measured, no date can be forecast", "Not knowing is not the same as fine."
    if point is not None:
        if not declaration.signals[declaration.users.signal].imported:
            expr = f"({expr})\nand on () (absent({users}) or {users} >= {point.monitor_from})"
        summary = f"{_text(point.title or point.id)}: {title} is not measured, its alerts cannot fire"
        described = f"{described} Watched from {point.monitor_from:,} users."
    link = handbook_url(declaration, point.id) if point is not None else ""
    return _Rule(
        head=("alert", "OutgrowSignalUnknown"),
        expr=expr,
        for_seconds=UNKNOWN_AFTER_SECONDS,
        labels={"severity": "info", **({"point": point.id} if point else {}), "signal": name},
        annotations={"summary": summary, "description": f"{described} Next: outgrow check"}
        | ({"runbook_url": _text(link)} if link else {}),
    )


def alert_name(point_id: str, trigger_id: str) -> str:
    """``OutgrowDataArchitectureSlowSearch`` from the ids of point and trigger."""
    words = re.split(r"[^a-zA-Z0-9]+", f"{point_id}-{trigger_id}")
    return "Outgrow" + "".join(word[:1].upper() + word[1:] for word in words)


def _number(value: float) -> str:
    return format(value, ".15g")


def _humanised(unit: str) -> str:
    value = {
        "seconds": "{{ $value | humanizeDuration }}",
        "bytes": "{{ $value | humanize }}B",
        "ratio": "{{ $value | humanizePercentage }}",
    }
    return value.get(unit, "{{ $value | humanize }}" + ("/s" if unit.endswith("per_second") else ""))


def _text(text: str) -> str:
    """People's words, never read as a template."""
    return text.replace("{{", '{{ "{{" }}')


def _bare(text: str) -> str:
    return text.strip().removesuffix(".")


def _lines(rule: _Rule) -> Iterator[str]:
    if not rule.expr:
        yield f"  {_comment(rule.comment)}"
        return
    key, name = rule.head
    yield f"  - {key}: {_quoted(name)}"
    if "\n" in rule.expr and rule.expr.replace("\n", "").isprintable():
        yield "    expr: |-"
        yield from (f"      {line}" for line in rule.expr.split("\n"))
    else:
        yield f"    expr: {_quoted(rule.expr)}"
    if rule.for_seconds:
        yield f"    for: {promql_duration(rule.for_seconds)}"
    if rule.keep_firing_seconds:
        yield f"    keep_firing_for: {promql_duration(rule.keep_firing_seconds)}"
    for key, table in (("labels", rule.labels), ("annotations", rule.annotations)):
        if table:
            yield f"    {key}:"
            yield from (f"      {name}: {_quoted(value)}" for name, value in table.items())


def _comment(text: str) -> str:
    return f"# {_NOT_PRINTABLE.sub('', ' '.join(text.split()))}"


def _quoted(text: str) -> str:
    """A double-quoted scalar: every JSON string is one, save for characters that YAML wants written out."""
    return _NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))

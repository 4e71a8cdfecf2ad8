"""A Grafana dashboard from the declared file: a row for each rewrite point, a panel for each signal with its limits.

Classic dashboard JSON, which Grafana imports and provisions (schema version 41 is that of Grafana 12; others migrate).
Queries are those of the declared signals, so it works whether or not the alert rules are installed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from outgrow.points.declaration import Declaration, Point, Signal, Trigger
from outgrow.quantities import format_quantity
from outgrow.signals.promql import promql_of

SCHEMA_VERSION = 41

_WIDTH, _PANEL_WIDTH, _HEIGHT = 24, 8, 8
# No green: a value inside its limits says nothing of when it will leave them.
_NEUTRAL, _WARN, _BREAK = "blue", "orange", "red"
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_UNITS = {"seconds": "s", "bytes": "decbytes", "ratio": "percentunit", "users": "locale"}

Json = dict[str, Any]


def grafana_dashboard(declaration: Declaration) -> Json:
    """The dashboard as plain data; the same declaration gives the same dashboard."""
    panels: list[Json] = []
    top = 0
    rows = [("Growth", list(_growth(declaration)))]
    rows += [(_row_title(point), list(_point(point, declaration))) for point in declaration.points]
    for title, row in rows:
        panels.append(_row(title, top))
        top = _lay(row, top + 1)
        panels += row
    for number, panel in enumerate(panels, start=1):
        panel["id"] = number
    return {
        "uid": _uid(declaration.name),
        "title": f"Outlook of {declaration.name}",
        "description": "Signals and limits as declared in outgrow.yaml. When each limit is reached: outgrow status.",
        "tags": ["outgrow"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "id": None,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-28d", "to": "now"},
        "timezone": "utc",
        "annotations": {"list": []},
        "links": [],
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                    "refresh": 1,
                    "hide": 0,
                    "multi": False,
                    "includeAll": False,
                    "options": [],
                    "current": {},
                }
            ]
        },
        "panels": panels,
    }


def left_out(declaration: Declaration) -> tuple[str, ...]:
    """Signals that have no panel: they come from imports alone, and Prometheus does not know them."""
    return tuple(name for name, signal in declaration.signals.items() if signal.imported)


def _growth(declaration: Declaration) -> Iterator[Json]:
    uses = (("users", declaration.users), ("load", declaration.load), ("utilisation", declaration.utilisation))
    seen: set[str] = set()
    for word, use in uses:
        if use is not None and use.signal not in seen:
            seen.add(use.signal)
            signal = declaration.signals[use.signal]
            if signal.imported:
                continue
            yield _panel(signal.title or use.signal, f"The {word} every forecast rests on.", signal)


def _point(point: Point, declaration: Declaration) -> Iterator[Json]:
    users = declaration.signals[declaration.users.signal]
    decide = [(float(point.decide_by), _WARN)] if point.decide_by else []
    yield _text(point, declaration)
    if not users.imported:
        yield _panel(
            "Users against the declared limit",
            " ".join(_ladder(point)),
            users,
            [(float(point.monitor_from), "yellow"), *decide, (float(point.complete_before), _BREAK)],
        )
    by_signal: dict[tuple[str, bool], list[Trigger]] = {}
    for trigger in point.triggers:
        if trigger.signal is not None and not declaration.signals[trigger.signal].imported:
            by_signal.setdefault((trigger.signal, trigger.kind == "spread"), []).append(trigger)
    for (name, by_member), triggers in by_signal.items():
        signal = declaration.signals[name]
        limits = list(_limits(triggers))
        below = any(trigger.direction == "below" and trigger.kind == "threshold" for trigger in triggers)
        yield _panel(
            signal.title or name,
            " ".join(_described(trigger, signal) for trigger in triggers),
            signal,
            [(limit, colour) for limit, colour, direction in limits if (direction == "below") == below],
            below=below,
            by_member=by_member,
        )


def _limits(triggers: Iterable[Trigger]) -> Iterator[tuple[float, str, str]]:
    for trigger in triggers:
        if trigger.kind == "threshold":
            for value, colour in ((trigger.threshold, _WARN), (trigger.breaks_at, _BREAK)):
                if value is not None:
                    yield float(format(value, ".15g")), colour, trigger.direction


def _panel(
    title: str,
    description: str,
    signal: Signal,
    limits: Sequence[tuple[float, str]] = (),
    *,
    below: bool = False,
    by_member: bool = False,
) -> Json:
    highest = max([limit for limit, _ in limits], default=None)
    custom: Json = {
        "lineWidth": 2,
        "fillOpacity": 6,
        "showPoints": "never",
        "spanNulls": False,
        "axisSoftMin": 0,
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    if highest is not None:  # the way that is left to the limit is what the picture is for
        custom["axisSoftMax"] = 1 if below and signal.unit == "ratio" else highest
    defaults: Json = {
        "unit": _grafana_unit(signal.unit),
        "noValue": "not measured: unknown, not fine",
        "color": {"mode": "palette-classic"} if by_member else {"mode": "fixed", "fixedColor": _NEUTRAL},
        "custom": custom,
        "thresholds": {"mode": "absolute", "steps": _steps(limits, below=below)},
    }
    legend = f"{{{{{signal.by}}}}}" if by_member and signal.by else title
    return {
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": by_member},
            "tooltip": {"mode": "multi" if by_member else "single", "sort": "desc"},
        },
        "targets": [
            {
                "refId": "A",
                "datasource": _DATASOURCE,
                "expr": promql_of(signal, by_member=by_member),
                "legendFormat": legend,
                "range": True,
            }
        ],
    }


def _steps(limits: Sequence[tuple[float, str]], *, below: bool) -> list[Json]:
    """Colours from each value up. Where trouble lies below, a colour reaches up to its limit."""
    ordered = sorted(dict(limits).items())
    values = [value for value, _ in ordered]
    colours = [colour for _, colour in ordered]
    steps = [*colours, _NEUTRAL] if below else [_NEUTRAL, *colours]
    return [{"color": colour, "value": value} for colour, value in zip(steps, [None, *values], strict=True)]


def _text(point: Point, declaration: Declaration) -> Json:
    lines = [f"**{_escaped(point.headline or point.title or point.id)}**", ""]
    lines += [f"Root cause: {_escaped(point.root_cause)}.", ""] if point.root_cause else []
    lines += [" ".join(_ladder(point)), ""]
    if point.symptoms:
        lines += ["Where it breaks:", "", *(f"- {_escaped(symptom)}" for symptom in point.symptoms), ""]
    unseen = [trigger for trigger in point.triggers if trigger.kind != "threshold"]
    if unseen:
        lines += ["Not drawn as a line:", "", *(f"- {_escaped(_unseen(trigger))}" for trigger in unseen), ""]
    imported = [
        f"{trigger.title or trigger.id}: {trigger.signal} comes from imports alone, judged by outgrow status"
        for trigger in point.triggers
        if trigger.signal is not None and declaration.signals[trigger.signal].imported
    ]
    if imported:
        lines += ["Not drawn at all:", "", *(f"- {_escaped(line)}" for line in imported), ""]
    lines.append(f"`outgrow forecast {point.id}`")
    return {
        "type": "text",
        "title": "",
        "description": "",
        "options": {"mode": "markdown", "content": "\n".join(lines)},
    }


def _unseen(trigger: Trigger) -> str:
    name = trigger.title or trigger.id
    if trigger.kind == "fact":
        return f"{name}: a fact, set by outgrow note"
    if trigger.kind == "spread":
        return f"{name}: more than {format_quantity(trigger.threshold or 0, '')} with {trigger.share:.0%} of users each"
    return f"{name}: judged by outgrow status"


def _described(trigger: Trigger, signal: Signal) -> str:
    name = trigger.title or trigger.id
    if trigger.kind != "threshold" or trigger.threshold is None:
        return f"{_unseen(trigger)}."
    breaks = f", breaks at {format_quantity(trigger.breaks_at, signal.unit)}" if trigger.breaks_at is not None else ""
    first = f" First: {trigger.runbook.strip().removesuffix('.')}." if trigger.runbook else ""
    normal = " (at normal load)" if trigger.when == "normal-load" else ""
    return f"{name}{normal}: warns at {format_quantity(trigger.threshold, signal.unit)}{breaks}.{first}"


def _ladder(point: Point) -> Iterator[str]:
    yield f"Watched from {point.monitor_from:,} users."
    if point.decide_by:
        yield f"Decided by {point.decide_by:,}."
    yield f"Complete before {point.complete_before:,}."


def _row_title(point: Point) -> str:
    return point.title or point.id


def _row(title: str, top: int) -> Json:
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": top},
        "panels": [],
    }


def _lay(panels: list[Json], top: int) -> int:
    """Places panels from left to right and returns where the next row begins."""
    for place, panel in enumerate(panels):
        line, column = divmod(place, _WIDTH // _PANEL_WIDTH)
        panel["gridPos"] = {"h": _HEIGHT, "w": _PANEL_WIDTH, "x": column * _PANEL_WIDTH, "y": top + line * _HEIGHT}
    return top + -(-len(panels) // (_WIDTH // _PANEL_WIDTH)) * _HEIGHT


def _grafana_unit(unit: str) -> str:
    return "suffix:/s" if unit.endswith("per_second") else _UNITS.get(unit, "short")


def _uid(name: str) -> str:
    """At most 40 letters, digits and dashes, as Grafana asks."""
    return f"outgrow-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"[:40].rstrip("-")


def _escaped(text: str) -> str:
    return html.escape(text.strip().removesuffix("."), quote=False)

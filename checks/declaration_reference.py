"""The reference of ``outgrow.yaml``, generated from its models; ``python -m checks.declaration_reference`` writes it.

Types and defaults come from the models' JSON Schemas. The meaning of a key is its description there, or stands in
``MEANINGS``; a key with neither, or with both, is an error, so that no key is left out and no meaning outlives its key.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from outgrow.notifiers.apprise import AppriseConfig
from outgrow.points import declaration as models
from outgrow.quantities import DAY, format_duration
from outgrow.sources.prometheus import PrometheusSettings
from outgrow.sources.scrape import ScrapeSettings, Target

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path("docs") / "reference" / "outgrow-yaml.md"

HEAD = """# outgrow.yaml

Generated from the models by `make docs`. `outgrow init` writes a commented file and its JSON Schema beside it, so that
an editor can complete and check it; `outgrow check` gives every finding at once as `file:line:column: path: message`.
How to write one: [write a declaration](../howto/write-a-declaration.md).

The file is UTF-8, at most 2,000,000 bytes, YAML with the scalars of YAML 1.2 (`on` and `1:30` are texts). Unknown keys,
keys that stand twice and aliases (`*name`) are refused.
"""

VALUES = (
    ("identifier", "letters, digits, `_`, `.`, `-`; begins with a letter or digit; at most 80 characters"),
    ("duration", "`30s`, `10m`, `1h30m`, `28d`, `12w`, `1y`, or a number of seconds"),
    (
        "quantity",
        "a number in the signal's base unit, or one with a suffix that fits the unit: `500ms`, `5s`, `10m`, `1h`, `1d` "
        "(`seconds`); `8GB`, `8GiB` (`bytes`); `95%` (`ratio`)",
    ),
    ("label value", "exact, or a regular expression over the whole value when it starts with `~`"),
)

TRIGGER_KINDS = (
    (
        "`threshold`",
        "the signal is beyond `threshold` for `for`",
        "`signal`, `threshold`; `breaks_at`, `direction`, `for`, `when`, `clears_at`",
    ),
    (
        "`fact`",
        "at least `threshold` notes (default 1) lie within `within`; `outgrow note` adds one",
        "`threshold`, `breaks_at`, `within`; no `signal`",
    ),
    (
        "`grows-faster-than-users`",
        "the probability that the signal grows faster than users is at least `threshold` (default 0.8)",
        "`signal`; `threshold`, `breaks_at` between 0 and 1",
    ),
    (
        "`worse-though-scaled-out`",
        "the probability that more replicas now serve less is at least `threshold` (default 0.8)",
        "`signal` (a latency), `replicas`; `threshold`, `breaks_at` between 0 and 1; needs `load` at the top",
    ),
    (
        "`spread`",
        "more than `threshold` members of the signal hold at least `share` of the users each",
        "`signal` (with `by`), `threshold`; `breaks_at`, `share`",
    ),
)

READING = """
Exactly one of `quantile`, `rate`, `ratio`, `value`, `max` goes with `metric`; `promql` and `imported` stand alone. `by`
works with `value`, `rate` and `max`. The same declaration gives the same number through Prometheus and through the
recorder.
"""

TRIGGERS = """
Which keys belong to which `kind`:

{table}

`breaks_at` does not lie on the quiet side of `threshold`, nor `clears_at` on the other.
"""

POINTS = """
`monitor_from` ≤ `decide_by` ≤ `complete_before`, and `monitor_from` < `complete_before`. `decide_by`, or `monitor_from`
where there is none, is the milestone at which `outgrow pace` lets a rewrite start.
"""

OPTIONS = """
An option with the id `tune` is the cheap fix that is looked for first ([why](../explanation/why-tune-comes-first.md)):
it counts neither as a major rewrite nor towards the lead time, unless it is the only option.
"""

PLUGINS = """
`sources` are asked in their order; a signal comes from the first that has it, or from the one it names in `source`. The
other keys belong to the plugin. A setting whose name ends in `_file` is a path relative to the declared file. Plugins
of your own: [CONTRIBUTING](../../CONTRIBUTING.md#add-a-source).
"""

SECRETS = """
A secret is never written into this file: `password`, `token` and the like are refused as keys, credentials in a URL are
refused, and so is sending credentials over plain HTTP to another machine unless that is asked for by name.
"""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


SECTIONS: tuple[tuple[type[BaseModel], str, str, str], ...] = (
    (models.Declaration, "file", "The top of the file", ""),
    (models.SignalUse, "`{signal: NAME}`", "`users`, `load`, `utilisation`", ""),
    (models.Signal, "signal", "`signals.NAME`", READING),
    (models.Selection, "selection", "`signals.NAME.ratio`", ""),
    (models.Point, "point", "`points[]`", POINTS),
    (
        models.Trigger,
        "trigger",
        "`points[].triggers[]`",
        TRIGGERS.format(table=_table(("kind", "fires when", "keys"), TRIGGER_KINDS)),
    ),
    (models.Option, "option", "`points[].options[]`", OPTIONS),
    (models.Variant, "variant", "`points[].options[].variants[]`", ""),
    (models.Cost, "cost", "`points[].options[].monthly_cost`", ""),
    (models.Scores, "scores", "`points[].options[].scores`", ""),
    (models.RatioRule, "ratio", "`points[].rule` of kind `ratio`", ""),
    (models.AnswersRule, "answers", "`points[].rule` of kind `answers`", ""),
    (models.Case, "case", "`points[].rule.cases[]`", ""),
    (models.Comparison, "experiment", "`points[].experiment`", ""),
    (models.DeclaredArm, "arm", "`points[].experiment.arms[]`", ""),
    (models.DeclaredMove, "migration", "`points[].migration`", ""),
    (models.DeclaredPace, "pace", "`points[].migration.pace`", ""),
    (models.DeclaredValidation, "validation", "`points[].validation`", ""),
    (models.Team, "team", "`team`", ""),
    (models.TimeOff, "time off", "`team.calendar[]`", ""),
    (models.Criteria, "weights", "`criteria`", ""),
    (models.Costs, "costs", "`costs`", ""),
    (models.Plugin, "plugin", "`sources[]`, `notify[]` and `points[].migration.mover`", PLUGINS),
    (PrometheusSettings, "prometheus", "`sources[]` of kind `prometheus`", SECRETS),
    (ScrapeSettings, "scrape", "`sources[]` of kind `scrape`", ""),
    (Target, "target", "`sources[].targets[]` of kind `scrape`", ""),
    (AppriseConfig, "apprise", "`notify[]` of kind `apprise`", ""),
)
"""Model, what it is called in a type, where it stands (the heading), and what is said below its table."""

MEANINGS: Mapping[str, str] = {
    "Declaration.apiVersion": "The version of this format.",
    "Declaration.name": "Of the service, for titles.",
    "Declaration.users": "The signal that counts users. Every date rests on it.",
    "Declaration.load": "The signal that counts load (requests a second, say). Needed by signals that follow load.",
    "Declaration.signals": "What is measured, by name.",
    "Declaration.points": "The rewrite points, in the order in which growth is expected to reach them.",
    "Declaration.team": "What the team can carry.",
    "Declaration.criteria": "How the team weighs the five selection criteria.",
    "Declaration.costs": "Today's bill.",
    "Declaration.sources": "Where signals are read. None: `outgrow import` alone.",
    "Declaration.notify": "Where warnings go. None: nowhere but the terminal.",
    "SignalUse.signal": "A name from `signals`.",
    "Selection.metric": "The denominator's metric.",
    "Selection.labels": "Its labels, as for the signal.",
    "Signal.title": "For people; the name when absent.",
    "Signal.metric": "As it is exported. For a quantile, the histogram (with or without `_bucket`).",
    "Signal.window": "What rates, ratios, quantiles and maxima look back over.",
    "Point.id": "For commands, alerts and the ledger.",
    "Point.title": "For people; the id when absent.",
    "Point.headline": "What users feel when it breaks, in a few words; stands in critical messages.",
    "Point.root_cause": "What is used up.",
    "Point.symptoms": "What is seen at the breaking point; shown on the dashboard.",
    "Point.monitor_from": "Users from which it takes more than values inside their limits to be *quiet*.",
    "Point.decide_by": "Users by which an option is chosen.",
    "Point.complete_before": "Users before which it is done: the declared limit, until a measured one governs.",
    "Point.likelihood": "How sure it is that growth gets there; shown by `pace`.",
    "Point.likelihood_note": "Why, in words.",
    "Point.risk": "Of the rewrite.",
    "Point.felt_by_users": "What users notice during the rewrite.",
    "Point.triggers": "What warns of it.",
    "Point.options": "The ways through it. The cheapest other than `tune` gives the lead time of `start_by`.",
    "Point.rule": "How the choice between options falls; `outgrow decide` applies it.",
    "Trigger.id": "Unique within the point.",
    "Trigger.kind": "What makes it fire; see below.",
    "Trigger.title": "For people; the id when absent.",
    "Trigger.signal": "A name from `signals`.",
    "Trigger.direction": "On which side of the threshold trouble lies.",
    "Option.id": "Unique within the point.",
    "Option.title": "For people; the id when absent.",
    "Option.what": "What is done, in a line.",
    "Option.scores": "On the five selection criteria. They decide between the thresholds of a ratio.",
    "Variant.id": "Unique within the option.",
    "Variant.title": "For people; the id when absent.",
    "Variant.what": "What is bought, in a line.",
    "Variant.monthly_cost": "The whole bill with it.",
    "Variant.scores": "On the five selection criteria.",
    "Cost.fixed": "The part that does not grow, a month.",
    "Cost.per_user": "The part of each user, a month.",
    "Scores.operational_simplicity": "Can two people run it?",
    "Scores.learning_curve": "How soon is the team at home in it?",
    "Scores.community_support": "Is there help?",
    "Scores.rollback_safety": "Can it be undone?",
    "Scores.future_flexibility": "What does it leave open?",
    "RatioRule.kind": "By measured ratios.",
    "RatioRule.stay": "Stay where the option is at least so many times better.",
    "RatioRule.migrate": "Migrate where it is at most so many times better; not above `stay`.",
    "AnswersRule.kind": "By answers to questions.",
    "AnswersRule.cases": "In the order in which they are asked.",
    "AnswersRule.otherwise": "The option chosen when every answer is no.",
    "Case.fact": "Names the answer.",
    "Case.ask": "The question, answerable with yes or no.",
    "Case.choose": "The option that a yes chooses.",
    "Team.people": "How many there are.",
    "Team.simultaneous": "Rewrites under way at once.",
    "Team.learning_buffer": "Added to an effort that is new to the team: 0.25 is a quarter.",
    "Team.months_between": "From the start of one major rewrite to the start of the next.",
    "Team.always_operational": "People who stay with the running service.",
    "TimeOff.kind": "One person is away, or nothing may change for anybody.",
    "TimeOff.from": "The first day.",
    "TimeOff.to": "The last day.",
    "TimeOff.what": "Why, for the plan.",
    "Criteria.operational_simplicity": "Weight.",
    "Criteria.learning_curve": "Weight.",
    "Criteria.community_support": "Weight.",
    "Criteria.rollback_safety": "Weight.",
    "Criteria.future_flexibility": "Weight.",
    "Costs.currency": "Of every cost in the file.",
    "Costs.monthly_now": "Today's infrastructure bill.",
    "Costs.at_users": "How many users it carries.",
    "Plugin.kind": "Which plugin: `prometheus` or `scrape` in `sources`, `apprise` in `notify`, or one you installed.",
    "Plugin.name": "What it is called in messages and in a signal's `source`; the kind when absent.",
    "PrometheusSettings.timeout": "Of one request.",
    "PrometheusSettings.max_bytes": "Of one answer; more is refused.",
    "PrometheusSettings.key_file": "Its private key; must not be readable by everyone.",
    "Target.url": "Of its metrics; `/metrics` where the URL has no path.",
    "Target.name": "Becomes the label `instance`; `host:port` when absent.",
    "Target.labels": "Added to each of its series.",
}
TYPES: Mapping[str, str] = {
    "Option.effort_weeks": "`[low, high]` or one number",
    "Point.users_range": "`[low, high]`, users; high may be `null`",
}
OF_PLUGINS = ("kind", "name")
"""Keys every plugin has, said once."""

DURATION = TypeAdapter(models.Duration).json_schema()
QUANTITY = TypeAdapter(models.Quantity).json_schema()
IDENTIFIER = TypeAdapter(models.Identifier).json_schema()

Schema = Mapping[str, Any]


def reference() -> str:
    """The whole page. Raises ``ValueError`` for a key without a meaning and for a meaning without its key."""
    used: set[str] = set()
    inherited = set(ScrapeSettings.model_fields) & set(PrometheusSettings.model_fields)
    parts = [HEAD, _table(("kind of value", "written as"), VALUES) + "\n"]
    for model, _, place, notes in SECTIONS:
        plugin = model in (PrometheusSettings, ScrapeSettings, AppriseConfig)
        skipped = set(OF_PLUGINS) if plugin else set()
        if model is ScrapeSettings:
            skipped |= inherited
        parts.append(_section(model, place, notes, skipped, used))
    left = MEANINGS.keys() - used
    if left:
        raise ValueError(f"meanings without a key: {', '.join(sorted(left))}")
    return "\n".join(parts)


def outdated(root: Path) -> Iterator[str]:
    """A finding where the page is not what the models say now."""
    path = root / TARGET
    try:
        expected = reference()
    except ValueError as error:
        yield f"checks/declaration_reference.py:1: {error}"
        return
    if not path.exists() or path.read_text(encoding="utf-8") != expected:
        yield f"{TARGET}:1: the reference of outgrow.yaml is not current; run make docs"


def _section(model: type[BaseModel], place: str, notes: str, skipped: set[str], used: set[str]) -> str:
    schema = model.model_json_schema(by_alias=True)
    required = set(schema.get("required", ()))
    lines = [f"## {place}", "", *_about(model)]
    rows = []
    for key, field in schema["properties"].items():
        if key in skipped:
            continue
        name = f"{model.__name__}.{key}"
        described = " ".join(field.get("description", "").split())
        if bool(described) == (name in MEANINGS):
            raise ValueError(f"{name} has {'two meanings' if described else 'no meaning'}; say it once")
        used.add(name)
        kind = TYPES.get(name) or _type(field, schema.get("$defs", {}))
        default = "required" if key in required else _default(field)
        rows.append((f"`{key}`", kind, default, (described or MEANINGS[name]).replace("|", "\\|")))
    lines.append(_table(("key", "type", "default", "meaning"), rows))
    if model is ScrapeSettings:
        lines += ["", "And all keys of the kind `prometheus` but `url` and `missing_targets`."]
    return "\n".join([*lines, *([notes.rstrip("\n")] if notes else []), ""])


def _about(model: type[BaseModel]) -> list[str]:
    """The model's own sentence, for those that are not plugins' settings."""
    said = " ".join((model.__doc__ or "").split()).replace("``", "`")
    if model is models.Declaration or model.__module__ != models.__name__:
        return []
    return [said, ""]


def _type(schema: Schema, definitions: Schema) -> str:
    bare = {key: value for key, value in schema.items() if key not in ("title", "description", "default")}
    for known, word in ((DURATION, "duration"), (QUANTITY, "quantity"), (IDENTIFIER, "identifier")):
        if bare == known:
            return word
    if "$ref" in bare:
        return _place_of(str(bare["$ref"]).rsplit("/", 1)[-1])
    for key in ("anyOf", "oneOf"):
        if key in bare:
            alternatives = [one for one in bare[key] if one.get("type") != "null"]
            if alternatives == QUANTITY["anyOf"]:
                return "quantity"
            several = [_type(one, definitions) for one in alternatives]
            return " or ".join(dict.fromkeys(several))
    if "const" in bare:
        return f"`{_written(bare['const'])}`"
    if "enum" in bare:
        return " · ".join(f"`{value}`" for value in bare["enum"])
    return _simple(bare, definitions)


def _simple(bare: Schema, definitions: Schema) -> str:
    kind = bare.get("type")
    if kind == "array":
        if "prefixItems" in bare:
            return f"`[`{', '.join(_type(one, definitions) for one in bare['prefixItems'])}`]`"
        return f"list of {_type(bare['items'], definitions)}"
    if kind == "object":
        values = bare.get("additionalProperties") or next(iter(bare["patternProperties"].values()))
        return f"mapping of name to {_type(values, definitions)}"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` · `false`"}
    if bare.get("format") in ("path", "date"):
        return {"path": "path", "date": "date (`2027-03-01`)"}[bare["format"]]
    bounds = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    limits = [f"{sign} {bare[key]:g}" for key, sign in bounds.items() if key in bare]
    return " ".join([words[str(kind)], ", ".join(limits)]).strip()


def _place_of(name: str) -> str:
    called, place = next((called, place) for model, called, place, _ in SECTIONS if model.__name__ == name)
    return f"[{called}](#{_anchor(place)})"


def _anchor(heading: str) -> str:
    """The anchor GitHub gives a heading."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def _default(field: Schema) -> str:
    value = field.get("default")
    if isinstance(value, dict) and value:
        return "see there"
    if value is None or value == "" or isinstance(value, (dict, list)):
        return "–"
    if _type(field, {}) == "duration":
        days, rest = divmod(float(value), DAY)
        return f"`{days:.0f}d`" if days and not rest else f"`{format_duration(float(value))}`"
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}".replace(",", "_") if value >= 1e6 else f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    (ROOT / TARGET).write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET}\n")

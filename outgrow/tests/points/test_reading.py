"""The declared file: every finding at once, where it stands, and what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import DeclarationError, UsageError
from outgrow.points.reading import parse_declaration, read_declaration
from outgrow.points.schema import schema_text
from outgrow.points.templates import NAMES, template_text

PLATFORM = template_text("venture-platform")


def findings(text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        parse_declaration(text, "outgrow.yaml")
    return [str(finding) for finding in caught.value.findings]


@pytest.mark.parametrize("name", NAMES)
def test_templates_are_right_and_follow_the_published_schema(name: str) -> None:
    parse_declaration(template_text(name))
    jsonschema.validate(yaml.safe_load(template_text(name)), json.loads(schema_text()))


def test_the_platform_template_is_complete() -> None:
    declared = parse_declaration(PLATFORM)
    triggers = [trigger for point in declared.points for trigger in point.triggers]
    assert [len(point.triggers) for point in declared.points] == [4, 4, 4, 4]
    assert all(trigger.threshold is not None and trigger.breaks_at is not None for trigger in triggers)
    assert [[option.id for option in point.options] for point in declared.points] == [
        ["tune", "A", "B"],
        ["tune", "A", "B"],
        ["tune", "A", "B", "C"],
        ["tune", "A", "B"],
    ]
    assert [(p.monitor_from, p.decide_by, p.complete_before) for p in declared.points] == [
        (1000, 1500, 2000),
        (6000, 7000, 10000),
        (12000, None, 20000),
        (35000, 40000, 60000),
    ]
    efforts = {f"{p.id}/{o.id}": o.effort_weeks for p in declared.points for o in p.options if o.id != "tune"}
    assert list(efforts.values()) == [(2, 3), (6, 8), (3, 4), (8, 10), (6, 8), (12, 16), (20, 24), (12, 16), (24, 32)]
    assert {t.kind for t in triggers} == {
        "threshold",
        "fact",
        "grows-faster-than-users",
        "worse-though-scaled-out",
        "spread",
    }
    assert declared.team.model_dump() == {
        "people": 2,
        "simultaneous": 1,
        "learning_buffer": 0.25,
        "months_between": 6,
        "always_operational": 1,
    }


def test_every_error_is_said_at_once_with_line_and_column() -> None:
    wrong = (
        PLATFORM.replace("slow-search", "slow search")
        .replace("breaks_at: 16GB", "breaks_at: 1GB")
        .replace("signal: vector_p95", "signal: vector_p59")
        .replace("rollback: low", "rolback: low")
        .replace("effort_weeks: [2, 3]", "effort_weeks: [4, 3]")
        .replace("threshold: 30s", "threshold: 30B")
        .replace("decide_by: 1500", "decide_by: soon")
    )
    lines = wrong.split("\n")

    def at(text: str) -> str:
        number = next(number for number, line in enumerate(lines, start=1) if text in line)
        return f"outgrow.yaml:{number}:{lines[number - 1].index(text) + 1}"

    assert findings(wrong) == [
        f"{at('decide_by: soon')}: points[0].decide_by: should be a valid integer, "
        "unable to parse string as an integer",
        f"{at('rolback')}: points[0].rolback: is not a known key",
        f"{at('id: slow search')}: points[0].triggers[0].id: "
        "String should match pattern '^[A-Za-z0-9][A-Za-z0-9_.-]*$'",
        f"{at('signal: vector_p59')}: points[0].triggers[0].signal: there is no signal 'vector_p59'; "
        "did you mean 'vector_p95'?",
        f"{at('breaks_at: 1GB')}: points[0].triggers[1].breaks_at: "
        "must lie above the threshold: the warning comes first",
        f"{at('effort_weeks: [4, 3]')}: points[0].options[1].effort_weeks: low is above high",
        f"{at('threshold: 30B')}: points[3].triggers[2].threshold: "
        "'30B' is not a quantity in seconds; write 5s or 500ms",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("complete_before: 2000", "complete_before: 900", "must lie above monitor_from (1,000)"),
        ("otherwise: B}", "otherwise: X}", "there is no option 'X' in this point"),
        ("opens: [distribution/A]", "opens: [distribution/Z]", "there is no option 'distribution/Z'"),
        ("direction: below\n    for: 15m", "for: 15m", "must lie above the threshold"),
        ("kind: fact\n    threshold: 1 ", "kind: fact\n    signal: vector_p95\n    threshold: 1 ", "watches no signal"),
        ("{unit: bytes, title: vector memory,", "{imported: true, unit: bytes,", "stands alone: leave out metric"),
        ("people: 2,", "people: 0,", "greater than or equal to 1"),
        (
            "quantile: 0.95}\n  # 3",
            "quantile: 0.95, rate: true}\n  # 3",
            "exactly one of quantile, rate, ratio, value, max",
        ),
    ],
)
def test_contradictions_are_found(old: str, new: str, said: str) -> None:
    assert old in PLATFORM
    assert any(said in finding for finding in findings(PLATFORM.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty or not a mapping"),
        ("- 1", "is empty or not a mapping"),
        ("a: [", "expected node content"),
        ("apiVersion: outgrow/v2", "should be 'outgrow/v1'"),
        ("a: &x [1]\nb: *x", "is used by an alias"),
        ("name: a\nname: b", "stands twice"),
        ("a: !!python/object:os.system {}", "is not a known key"),
    ],
)
def test_what_is_no_declaration_is_refused_in_words(text: str, said: str) -> None:
    assert any(said in finding for finding in findings(text))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        read_declaration(tmp_path / "outgrow.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: 1\n\xff\xfe")
    with pytest.raises(DeclarationError, match=r"binary\.yaml:2:1: \(file\): is not UTF-8"):
        read_declaration(binary)


@given(st.text(max_size=200))
def test_no_text_crashes_the_reader(text: str) -> None:
    try:
        parse_declaration(text)
    except DeclarationError as error:
        assert error.findings


@given(st.integers(0, PLATFORM.count("\n") - 1), st.sampled_from(["", "  - [", "x: {", "\t", "  : :", "id: 7"]))
def test_a_broken_line_is_found_or_harmless(number: int, replacement: str) -> None:
    lines = PLATFORM.split("\n")
    lines[number] = replacement
    try:
        parse_declaration("\n".join(lines))
    except DeclarationError as error:
        assert all(finding.line >= 1 and finding.column >= 1 for finding in error.findings)


SMALL = """\
apiVersion: outgrow/v1
users: {signal: users}
signals:
  users: {unit: users, metric: users, value: true}
  load: {unit: per_second, metric: requests_total, rate: true}
  wait: {unit: seconds, metric: wait_seconds, quantile: 0.95}
  failing: {unit: ratio, metric: errors_total, ratio: {metric: requests_total}}
  regions: {unit: users, metric: users, value: true, by: region}
points:
- id: one
  monitor_from: 10
  complete_before: 20
  triggers:
  - {id: slow, signal: wait, threshold: 1s}
"""


def with_trigger(trigger: str) -> str:
    return SMALL.replace("  - {id: slow, signal: wait, threshold: 1s}", f"  - {{id: x, {trigger}}}")


def test_signals_named_like_rules_keep_their_place() -> None:
    wrong = SMALL.replace(
        "signals:\n",
        "signals:\n"
        "  ratio: {unti: users, metric: x, value: true}\n"
        "  answers: {metric: x, value: true, windwo: 4}\n"
        "  rule: {metric: x, ratio: {metric: y, lables: {a: b}}}\n",
    )
    wrong += "  rule: {kind: ratio, stay: 5, migrate: 2, bogus: 1}\n"
    assert findings(wrong) == [
        "outgrow.yaml:4:11: signals.ratio.unti: is not a known key",
        "outgrow.yaml:5:37: signals.answers.windwo: is not a known key",
        "outgrow.yaml:6:40: signals.rule.ratio.lables: is not a known key",
        "outgrow.yaml:18:44: points[0].rule.bogus: is not a known key",
    ]


def test_costs_and_names_are_found_without_the_names_of_their_models() -> None:
    wrong = SMALL.replace("  wait:", "  bad name:") + "costs: {monthly_now: much}\n"
    paths = [finding.split(": ")[1] for finding in findings(wrong)]
    assert {"signals.bad name", "costs.monthly_now"} <= set(paths)
    option = SMALL + "  options:\n  - {id: A, effort_weeks: 1, monthly_cost: {fixed: much}}\n"
    assert {finding.split(": ")[1] for finding in findings(option)} <= {
        "points[0].options[0].monthly_cost.fixed",
        "points[0].options[0].monthly_cost",
    }


@pytest.mark.parametrize("depth", [60, 1_500, 200_000])
@pytest.mark.parametrize("mark", ["[", "{a: "])
def test_deep_nesting_is_a_finding(depth: int, mark: str) -> None:
    text = "apiVersion: outgrow/v1\na: " + mark * depth
    assert findings(text) == [f"outgrow.yaml:2:{4 + 49 * len(mark)}: (yaml): is nested too deeply: more than 50 levels"]

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
        "names": (),
        "calendar": (),
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
        ("people: 2", "people: 0", "greater than or equal to 1"),
        ("people: 2", "people: 2\n  names: [Ana, Ben, Eve]", "are 3, but the team has 2 people"),
        ("people: 2", "people: 2\n  names: [Ana, Ana]", "'Ana' stands twice"),
        (
            "people: 2",
            "people: 2\n  names: [Ana]\n  calendar: [{who: Anna, from: 2027-07-05, to: 2027-07-23}]",
            "there is no 'Anna' among names; did you mean 'Ana'?",
        ),
        ("people: 2", "people: 2\n  calendar: [{from: 2027-07-05, to: 2027-07-04}]", "must not lie before from"),
        ("people: 2", "people: 2\n  calendar: [{from: 2027-07-05, to: soon}]", "should be a valid date"),
        (
            "people: 2",
            "people: 2\n  calendar: [{kind: freeze, who: Ana, from: 2027-07-05, to: 2027-07-05}]",
            "for everybody",
        ),
        (
            "criteria: {operational_simplicity: 1,",
            "criteria: {operational_simplicity: -1,",
            "greater than or equal to 0",
        ),
        (
            "criteria: {operational_simplicity: 1, learning_curve: 1, community_support: 1, rollback_safety: 1, "
            "future_flexibility: 1}",
            "criteria: {operational_simplicity: 0, learning_curve: 0, community_support: 0, rollback_safety: 0, "
            "future_flexibility: 0}",
            "at least one weight must be above zero",
        ),
        ("option: A, stay: 5,", "option: tune, stay: 5,", "tune is the baseline"),
        ("otherwise: B}", "otherwise: A}", "staying and migrating must differ"),
        ("stay: 5, migrate: 2", "stay: 2, migrate: 5", "must not lie above stay"),
        ("opens: [B]", "opens: [A]", "names the option itself"),
        ("opens: [B]", "opens: [B]\n    closes: [B]", "stands under opens as well"),
        ("{fact: few-hot-services,", "{fact: scaling-out-suffices,", "is asked twice"),
        ("{fact: few-hot-services,", "{answer: yes, fact: few-hot-services,", "an answer needs its source"),
        ("{fact: few-hot-services,", "{answer: perhaps, fact: few-hot-services,", "valid boolean"),
        ("likelihood: possible", "likelihood: possible\n  probability: 1.2", "less than or equal to 1"),
        ("- id: pinecone", "- id: weaviate", "'weaviate' stands twice"),
        ("name: venture platform", "name: x\nhandbook: 'https://wiki/{poin}'", "knows {point} only"),
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


@pytest.mark.parametrize(
    ("trigger", "path", "said"),
    [
        ("signal: wait, threshold: 1s, confirms: true", "", "at least one trigger must not merely confirm"),
        ("signal: wait, threshold: 1s, when: normal-load", "[0].when", "declare load: {signal: …}"),
        ("signal: failing, threshold: 80", "[0].threshold", "80 of unit ratio: write 80% or 0.8"),
        ("signal: failing, threshold: 0.5, breaks_at: 250", "[0].breaks_at", "it lies between 0 and 1"),
        ("signal: failing, threshold: 0.5, clears_at: -1", "[0].clears_at", "it lies between 0 and 1"),
        ("kind: fact, threshold: 5s", "[0].threshold", "'5s' has a unit here; write a plain number"),
        ("kind: fact, threshold: 5, breaks_at: 2", "[0].breaks_at", "the warning comes first"),
        ("kind: fact, for: 10m", "[0].for", "means nothing for kind fact"),
        ("kind: fact, when: any", "[0].when", "means nothing"),
        ("kind: fact, direction: above", "[0].direction", "means nothing"),
        ("kind: fact, share: 0.05", "[0].share", "means nothing"),
        ("kind: fact, clears_at: 1", "[0].clears_at", "a fact is set by outgrow note"),
        ("signal: wait, threshold: 1s, share: 0.1", "[0].share", "means nothing for kind threshold"),
        ("signal: wait, threshold: 1s, within: 90d", "[0].within", "means nothing"),
        ("kind: grows-faster-than-users, signal: wait, threshold: 0.8, for: 1h", "[0].for", "means nothing"),
        ("kind: grows-faster-than-users, signal: wait, threshold: 0.8s", "[0].threshold", "not a quantity in ratio"),
        ("kind: spread, signal: regions, threshold: 3, when: any", "[0].when", "means nothing for kind spread"),
        ("kind: spread, signal: regions, threshold: 3B", "[0].threshold", "'3B' has a unit here"),
    ],
)
def test_what_a_trigger_would_ignore_or_never_reach_is_found(trigger: str, path: str, said: str) -> None:
    [finding] = findings(with_trigger(trigger))
    assert f" points[0].triggers{path}: " in finding
    assert said in finding


@pytest.mark.parametrize(
    "trigger",
    [
        "signal: failing, threshold: 80%, breaks_at: 1",
        "signal: wait, threshold: 1s, for: 5m, clears_at: 500ms, direction: above",
        "kind: fact, threshold: 3, breaks_at: 3, within: 90d",
        "kind: grows-faster-than-users, signal: wait, threshold: 80%, breaks_at: 0.9",
        "kind: spread, signal: regions, threshold: 3, share: 0.1, for: 1d, clears_at: 2",
    ],
)
def test_what_means_something_is_accepted(trigger: str) -> None:
    parse_declaration(with_trigger(trigger))


def test_a_signal_asks_a_source_that_is_declared() -> None:
    asking = SMALL.replace("quantile: 0.95", "quantile: 0.95, source: promtheus")
    assert findings(asking) == [
        "outgrow.yaml:6:63: signals.wait.source: there is no source 'promtheus'; declared: none"
    ]
    declared = (
        'sources:\n- {kind: prometheus, url: "http://127.0.0.1:9090"}\n- {kind: scrape, name: own, targets: []}\n'
    )
    [finding] = findings(asking + declared)
    assert finding.endswith("there is no source 'promtheus'; did you mean 'prometheus'?")
    for name in ("prometheus", "own"):
        parse_declaration(asking.replace("promtheus", name) + declared)


def test_a_wrong_name_of_a_source_is_the_only_finding() -> None:
    asking = SMALL.replace("quantile: 0.95", "quantile: 0.95, source: own")
    declared = 'sources:\n- {kind: prometheus, url: "http://a"}\n- {kind: prometheus, name: [own], url: "http://b"}\n'
    assert [finding.split(": ")[1] for finding in findings(asking + declared)] == ["sources[1].name"]


def test_two_sources_of_one_name_are_found() -> None:
    twice = SMALL + 'sources:\n- {kind: prometheus, url: "http://a"}\n- {kind: scrape, name: prometheus}\n'
    assert findings(twice) == [
        "outgrow.yaml:17:3: sources[1]: is the second source named 'prometheus'; give each a name of its own"
    ]


def test_contradictions_are_found_beside_a_plugin_without_kind() -> None:
    found = findings(with_trigger("signal: waits, threshold: 1s") + "sources: [{name: a}]\nnotify: [{name: b}]\n")
    assert [finding.split(": ")[1] for finding in found] == [
        "points[0].triggers[0].signal",
        "sources[0].kind",
        "notify[0].kind",
    ]


@pytest.mark.parametrize("wrong", ["triggers: []", "triggers: 5", "triggers: {a: b}"])
def test_triggers_that_are_none_do_not_hide_the_rest(wrong: str) -> None:
    text = SMALL.replace("triggers:\n  - {id: slow, signal: wait, threshold: 1s}", wrong)
    found = findings(text.replace("signal: users}", "signal: user}"))
    assert [finding.split(": ")[1] for finding in found] == ["users.signal", "points[0].triggers"]


@pytest.mark.parametrize(
    "location",
    [
        "postgresql://me:hunter2@host/db",
        "postgres://me:hunter2@host/db",
        "postgresql://me@host/db?password=hunter2",
        "postgresql+psycopg://me:hunter2@host/db",
        "postgresql://me:hunter2/@host:5432/db",
        "postgresql://host/db?user=me&PASSWORD=hunter2",
    ],
)
def test_a_password_in_the_ledgers_url_is_refused_and_not_repeated(location: str) -> None:
    [finding] = findings(SMALL + f'ledger: "{location}"\n')
    assert "ledger: a password would stand in the file" in finding
    assert "OUTGROW_LEDGER" in finding
    assert "hunter2" not in finding


def test_a_ledgers_url_without_password_is_accepted() -> None:
    for location in (
        "postgresql://me@host/db",
        "postgresql://host:5432/db?user=me@host",
        "postgresql:///db?service=outgrow",
        "here.sqlite",
    ):
        parse_declaration(SMALL + f'ledger: "{location}"\n')


WHOLE = (
    with_trigger("signal: failing, threshold: 80%, when: normal-load, for: 5m, clears_at: 0.5")
    + """\
  - {id: note, kind: fact, threshold: 3, within: 90d}
  options: [{id: A, effort_weeks: [1, 2], opens: [B], monthly_cost: {fixed: 3}}, {id: B, effort_weeks: 1}]
  rule: {kind: answers, cases: [{fact: f, ask: q, choose: A}], otherwise: B}
load: {signal: load}
milestones: [1, 2]
costs: {monthly_now: 3}
ledger: here.sqlite
time_scale: 1s=1d
sources: [{kind: prometheus, url: "http://a"}, {kind: scrape, name: own, targets: ["http://b"]}]
notify: [{kind: apprise, url_env: URL}]
"""
).replace("quantile: 0.95", "quantile: 0.95, source: own")


def places(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in inner for place in ((*path, key), *places(value, (*path, key)))]


@pytest.mark.parametrize("place", places(yaml.safe_load(WHOLE)), ids=str)
def test_no_value_anywhere_crashes_the_reader(place: tuple[str | int, ...]) -> None:
    parse_declaration(WHOLE)
    for value in (None, 5, "x y", "http://[", [], [5], {}, {"a": 1}):
        data = yaml.safe_load(WHOLE)
        owner = data
        for part in place[:-1]:
            owner = owner[part]
        owner[place[-1]] = value
        try:
            parse_declaration(yaml.safe_dump(data))
        except DeclarationError as error:
            assert error.findings

"""Evidence from files: what is right is read, what is wrong is refused with its line, and nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
import re
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import ImportRefused, UsageError
from outgrow.evidence.comparison import is_tuned, measured_ratios
from outgrow.evidence.records import Arm, ArmFacts, Evidence, Fit, ReportedRatio, Round, TriggerMeasure
from outgrow.imports.evidence import MAX_CHARACTERS, evidence_body, evidence_of, read_evidence
from outgrow.imports.json_lines import line_of
from outgrow.ledger.bodies import strict_json
from outgrow.quantities import Interval

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "evidence.md"
EXAMPLES = tuple(re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
MEASURED, REPORTED = (json.loads(text) for text in EXAMPLES)

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Any], Evidence]:
    """Reads what is given as text, or as JSON with indents."""

    def reading(content: Any) -> Evidence:
        path = tmp_path / "evidence.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
        return read_evidence(path)

    return reading


def edited(data: dict[str, Any], edit: Edit) -> dict[str, Any]:
    changed = deepcopy(data)
    edit(changed)
    return changed


def test_the_measured_example_of_the_reference_is_evidence(read: Callable[[Any], Evidence]) -> None:
    found = read(EXAMPLES[0])
    assert (found.point, found.baseline, found.baseline_tuned, found.seed) == ("data-architecture", "tune", True, 7)
    assert found.arms == (Arm("current", None), Arm("tune", "tune"), Arm("A-warm", "A"))
    assert found.rounds[1] == Round(1, "tune", 1, 0.0061, 600, 0)
    assert found.made_at == 1_772_323_200.0
    assert found.machine == {"cores": "2", "memory": "8 GB"}
    value = found.measures[0].value
    assert (value.low, value.mid, value.high) == pytest.approx((0.0056, 0.0059, 0.0061))
    first = measured_ratios(found, "A")[0]
    assert (first.option, first.against, first.tuned, first.rounds) == ("A", "tune", True, 6)
    assert first.ratio is not None
    assert 8 < first.ratio.low < 9.4 < first.ratio.high < 11


def test_the_reported_example_of_the_reference_is_evidence(read: Callable[[Any], Evidence]) -> None:
    found = read(EXAMPLES[1])
    assert found.reported == (ReportedRatio("A", Interval(2.4, 3.1, 4.0, 0.9)),)
    assert (found.baseline_tuned, found.rounds, found.simulated) == (True, (), False)


def measured_with_facts(data: dict[str, Any]) -> None:
    data["arms"][1] = {"id": "tune", "capacity_per_second": 80, "recall": 0.99, "parity": 0.9, "memory_bytes": 8e8,
                       "disk_bytes": 1e9, "monthly_cost": 300}  # fmt: skip
    data["arms"][2]["left_out"] = "it failed in round 4"
    data["rounds"][0] |= {"p50_seconds": 0.1, "throughput_per_second": 30}
    data["fit"] = {"arm": "tune", "rounds": 6, "ratio": {"low": 0.9, "mid": 1, "high": 1.1, "confidence": 0.95}}
    data |= {"rate_per_second": 30, "load_ratio": 0.6, "interrupted": True}


def test_what_is_known_beside_rounds_is_read(read: Callable[[Any], Evidence]) -> None:
    found = read(edited(MEASURED, measured_with_facts))
    assert found.facts_of("tune") == ArmFacts("tune", 80, 0.99, 0.9, 8e8, 1e9, 300)
    assert found.facts_of("current") == ArmFacts("current")
    assert (found.rounds[0].p50_seconds, found.rounds[0].throughput_per_second) == (0.1, 30)
    assert found.rounds[1].p50_seconds is None
    assert found.fit == Fit("tune", Interval(0.9, 1, 1.1, 0.95), 6)
    assert (found.rate_per_second, found.load_ratio, found.interrupted) == (30, 0.6, True)
    assert measured_ratios(found, "A")[0].why_not == "A was left out: it failed in round 4"
    assert evidence_of(json.loads(strict_json(evidence_body(found)))) == found


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda data: data["fit"].update(arm="nobody"), "fit.arm: 'nobody' is none of the arms"),
        (lambda data: data["fit"]["ratio"].update(low=2), "fit.ratio: low (2) is above high (1.1)"),
        (lambda data: data["arms"][1].update(recall=1.2), "arms.1.recall: should be at least"),
        (lambda data: data.update(load_ratio=0), "load_ratio"),
        (lambda data: data["rounds"][0].update(p50_seconds=0), "rounds.0.p50_seconds"),
    ],
)
def test_what_is_wrong_beside_rounds_is_refused(edit: Edit, message: str, read: Callable[[Any], Evidence]) -> None:
    data = edited(MEASURED, measured_with_facts)
    edit(data)
    with pytest.raises(ImportRefused, match=re.escape(message.split(":")[0])) as refused:
        read(data)
    assert message.split(" should")[0] in refused.value.message


def test_without_date_and_source_the_file_speaks_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(edited(MEASURED, lambda data: (data.pop("date"), data.pop("source")))))
    os.utime(path, (1_770_000_000, 1_770_000_000))
    found = read_evidence(path)
    assert (found.made_at, found.source) == (1_770_000_000, "run.json")


def test_the_same_content_has_the_same_digest(tmp_path: Path, read: Callable[[Any], Evidence]) -> None:
    gzipped = tmp_path / "evidence.json.gz"
    gzipped.write_bytes(gzip.compress(json.dumps(MEASURED).encode()))
    turned = dict(reversed(MEASURED.items()))
    digests = {read(MEASURED).digest, read(turned).digest, read(EXAMPLES[0]).digest, read_evidence(gzipped).digest}
    assert len(digests) == 1
    assert read(edited(MEASURED, lambda data: data["rounds"][0].update(sent=601))).digest not in digests


@pytest.mark.parametrize(
    ("arms", "baseline", "options", "tuned"),
    [
        (["untuned", "A"], "untuned", (None, "A"), False),
        (["current", "tuned"], "tuned", (None, "tune"), True),
        ([{"id": "Baseline"}, "A"], "Baseline", (None, "A"), False),
        ([{"id": "old", "option": None}, "A"], "old", (None, "A"), False),
        ([{"id": "old", "option": "tune"}, "A"], "old", ("tune", "A"), True),
        (["tune", "A"], "", ("tune", "A"), False),
    ],
)
def test_what_an_arm_stands_for(
    arms: list[Any], baseline: str, options: tuple[Any, ...], tuned: bool, read: Callable[[Any], Evidence]
) -> None:
    names = [arm if isinstance(arm, str) else arm["id"] for arm in arms]
    ran = [
        {"round": 1, "arm": name, "order": n, "p95_seconds": 1, "sent": 9, "dropped": 0} for n, name in enumerate(names)
    ]
    data = {key: MEASURED[key] for key in ("schema", "point")} | {"arms": arms, "rounds": ran}
    found = read(data | ({"baseline": baseline} if baseline else {}))
    assert tuple(arm.option for arm in found.arms) == options
    assert found.baseline_tuned is tuned


def test_a_baseline_is_tuned_where_the_file_says_so(read: Callable[[Any], Evidence]) -> None:
    found = read(edited(REPORTED, lambda data: data.update(baseline="indexed store", baseline_tuned=True)))
    assert found.baseline_tuned
    measured = read(
        edited(MEASURED, lambda data: data.update(baseline="current", baseline_tuned=True, arms=data["arms"]))
    )
    assert [is_tuned(measured, arm) for arm in measured.arms] == [True, True, False]


WRONG: dict[str, tuple[dict[str, Any], Edit, str, str]] = {
    "unknown key": (MEASURED, lambda d: d.update(p99=1), '"p99"', "p99: this key is not known here"),
    "unknown key inside": (MEASURED, lambda d: d["rounds"][3].update(p50=1), '"p50"', "rounds.3.p50: this key is not"),
    "missing": (MEASURED, lambda d: d["rounds"][2].pop("sent"), "", "rounds.2.sent: is missing"),
    "no point": (MEASURED, lambda d: d.pop("point"), "", "point: is missing"),
    "point with a path": (MEASURED, lambda d: d.update(point="../x"), '"../x"', "point: "),
    "other schema": (MEASURED, lambda d: d.update(schema="v2"), '"v2"', "schema is 'v2'"),
    "negative p95": (
        MEASURED,
        lambda d: d["rounds"][5].update(p95_seconds=-0.5),
        "-0.5",
        "rounds.5.p95_seconds: should",
    ),
    "zero p95": (MEASURED, lambda d: d["rounds"][5].update(p95_seconds=0), '"p95_seconds": 0,', "rounds.5.p95_seconds"),
    "NaN": (MEASURED, lambda d: d["rounds"][4].update(p95_seconds=float("nan")), "NaN", "rounds.4.p95_seconds"),
    "infinite": (MEASURED, lambda d: d["rounds"][4].update(p95_seconds=float("inf")), "Infinity", "rounds.4.p95"),
    "text for a number": (MEASURED, lambda d: d["rounds"][4].update(p95_seconds="0.5"), '"0.5"', "should be a number"),
    "truth for a number": (MEASURED, lambda d: d["rounds"][4].update(sent=True), "true", "sent: should be a number"),
    "half a request": (MEASURED, lambda d: d["rounds"][4].update(sent=600.5), "600.5", "rounds.4.sent"),
    "nothing sent": (MEASURED, lambda d: d["rounds"][4].update(sent=0), '"sent": 0,', "rounds.4.sent"),
    "dropped more": (MEASURED, lambda d: d["rounds"][4].update(dropped=601), "601", "601 dropped of 600 sent"),
    "strange arm": (MEASURED, lambda d: d["rounds"][4].update(arm="B"), '"B"', "'B' is none of the arms"),
    "strange baseline": (MEASURED, lambda d: d.update(baseline="B"), '"baseline": "B"', "'B' is none of the arms"),
    "arm twice a round": (
        MEASURED,
        lambda d: d["rounds"][1].update(arm="current"),
        "",
        "current stands twice in round 1",
    ),
    "order twice": (MEASURED, lambda d: d["rounds"][1].update(order=0), "", "two arms of round 1 have the order 0"),
    "arm twice": (MEASURED, lambda d: d["arms"].append("tune"), "", "arms.3: 'tune' stands twice"),
    "option twice": (MEASURED, lambda d: d["arms"].append("A"), "", "arms.3: 'A-warm' stands for option 'A' already"),
    "one arm": (
        REPORTED,
        lambda d: (d.pop("ratio"), d.pop("option"), d.update(rounds=MEASURED["rounds"][1:2], arms=["tune"])),
        "",
        "needs two arms",
    ),
    "low above high": (REPORTED, lambda d: d["ratio"].update(low=9), "", "ratio: low (9) is above high (4)"),
    "mid outside": (REPORTED, lambda d: d["ratio"].update(mid=1), '"mid": 1', "ratio.mid: 1 does not lie between"),
    "ratio of zero": (REPORTED, lambda d: d["ratio"].update(low=0), '"low": 0', "ratio.low"),
    "per cent": (REPORTED, lambda d: d["ratio"].update(confidence=95), "95", "write 0.95 for 95 %"),
    "no source": (REPORTED, lambda d: d.pop("source"), "", "ratio: needs source: who measured it"),
    "no date": (REPORTED, lambda d: d.pop("date"), "", "ratio: needs date"),
    "wrong date": (REPORTED, lambda d: d.update(date="last week"), '"last week"', "date: should be a date"),
    "date long ago": (REPORTED, lambda d: d.update(date="0001-01-01"), '"0001', "between 1990 and 2100"),
    "both": (REPORTED, lambda d: d.update(rounds=MEASURED["rounds"], arms=MEASURED["arms"]), "", "not both"),
    "neither": (REPORTED, lambda d: (d.pop("ratio"), d.pop("option")), "", "holds neither rounds, nor a ratio"),
    "option of rounds": (MEASURED, lambda d: d.update(option="A"), '"option": "A"', "belongs to a reported ratio"),
    "untuned tune": (MEASURED, lambda d: d.update(baseline_tuned=False), "false", "the baseline is the tuned service"),
    "tuned option": (
        MEASURED,
        lambda d: d.update(baseline="A-warm", baseline_tuned=True),
        "",
        "which is no tuned service",
    ),
    "tuned nothing": (MEASURED, lambda d: (d.pop("baseline"), d.update(baseline_tuned=True)), "", "needs baseline"),
    "measured nothing": (MEASURED, lambda d: d["measures"][0].update(arm="B"), '"B"', "'B' is none of the arms"),
    "wrong unit": (
        MEASURED,
        lambda d: d["measures"][0]["value"].update(high="6 parsecs"),
        "parsecs",
        "is not a quantity",
    ),
    "value below zero": (MEASURED, lambda d: d["measures"][0]["value"].update(low=-1), "-1", "measures.0.value.low"),
    "terminal codes": (MEASURED, lambda d: d.update(source="\x1b[2J"), "u001b", "printable text only"),
    "half a surrogate": (MEASURED, lambda d: d.update(source="\ud800"), "ud800", "source: "),
    "list for an object": (MEASURED, lambda d: d["rounds"].insert(0, []), "", "rounds.0: "),
    "object for a list": (MEASURED, lambda d: d.update(rounds={"a": 1}), "", "rounds: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_with_its_line(case: str, read: Callable[[Any], Evidence]) -> None:
    data, edit, marked, message = WRONG[case]
    content = json.dumps(edited(data, edit), indent=1)
    with pytest.raises(ImportRefused) as refused:
        read(content)
    assert message in refused.value.message
    assert "nothing of this file was imported" in refused.value.message
    assert refused.value.message.isprintable()
    assert "docs/reference/evidence.md" in refused.value.next_step
    if marked:
        assert marked in content.splitlines()[refused.value.line - 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "this is not JSON"),
        ("{", "this is not JSON"),
        ("[]", "is no JSON object"),
        ("null", "is no JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"schema":' * 100_000, "nested too deeply"),
        ('{"seed": ' + "9" * 10_000 + "}", "too large to be read"),
        ('{"schema": "outgrow/evidence/v1",\n"point": "a",\n"point": "b"}', ":2: point: stands twice"),
        ('{"schema": "outgrow/v1"}', "schema is 'outgrow/v1'"),
        ("{}", "it has no schema"),
        ("\x00", "this is not JSON"),
        (" " * (MAX_CHARACTERS + 1), "larger than"),
    ],
)
def test_hostile_text_is_refused(content: str, message: str, read: Callable[[Any], Evidence]) -> None:
    with pytest.raises(ImportRefused, match=re.escape(message)):
        read(content)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    path.write_bytes(b'{"schema": "\xff"}')
    with pytest.raises(ImportRefused, match="not UTF-8"):
        read_evidence(path)
    path.write_bytes(gzip.compress(b" " * (3 * MAX_CHARACTERS)))
    with pytest.raises(ImportRefused, match="larger than"):
        read_evidence(path)
    for missing in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError):
            read_evidence(missing)


def test_many_mistakes_are_refused_quickly(read: Callable[[Any], Evidence]) -> None:
    ran = [{"round": n, "arm": "x", "order": -1, "p95_seconds": -1, "sent": -1, "dropped": -1} for n in range(15_000)]
    with pytest.raises(ImportRefused, match=r"rounds\.0\."):
        read(edited(MEASURED, lambda data: data.update(rounds=ran)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """One of the examples with some value replaced by any other."""
    data = deepcopy(draw(st.sampled_from([MEASURED, REPORTED])))
    place: Any = data
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            place[key] = draw(json_values)
            return data
        place = place[key]


@given(damaged())
def test_a_damaged_file_is_read_or_refused_and_never_crashes(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.json"
        path.write_text(json.dumps(data, indent=1), encoding="utf-8")
        try:
            found = read_evidence(path)
        except ImportRefused as refused:
            assert 1 <= refused.line <= len(path.read_text().splitlines())
        else:
            assert evidence_of(json.loads(strict_json(evidence_body(found)))) == found
            measured_ratios(found, "A")


@given(json_values, st.data())
def test_a_line_is_that_of_the_value(value: Any, data: st.DataObject) -> None:
    text = json.dumps({"a": [value, {"b": "SOUGHT"}], "c": value}, indent=1)
    line = line_of(text, ("a", 1, "b"))
    assert "SOUGHT" in text.splitlines()[line - 1] or '"b"' in text.splitlines()[line - 1]


numbers = st.floats(1e-6, 1e6)
names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, mid, high = sorted(draw(st.tuples(numbers, numbers, numbers)))
    return Interval(low, mid, high, draw(st.floats(0.5, 0.999)))


evidences = st.builds(
    Evidence,
    point=names,
    made_at=st.floats(0, 4e9),
    source=names,
    baseline=names,
    baseline_tuned=st.booleans(),
    digest=names,
    arms=st.lists(st.builds(Arm, names, st.none() | names), max_size=3).map(tuple),
    rounds=st.lists(
        st.builds(Round, st.integers(0, 99), names, st.integers(0, 9), numbers, st.integers(1, 999), st.integers(0, 9)),
        max_size=4,
    ).map(tuple),
    reported=st.lists(st.builds(ReportedRatio, names, intervals()), max_size=2).map(tuple),
    measures=st.lists(st.builds(TriggerMeasure, names, names, numbers, intervals()), max_size=2).map(tuple),
    seed=st.none() | st.integers(0, 2**62),
    versions=st.dictionaries(names, names, max_size=2),
    machine=st.dictionaries(names, names, max_size=2),
    simulated=st.booleans(),
)


@given(evidences)
def test_what_the_ledger_keeps_is_what_was_read(evidence: Evidence) -> None:
    assert evidence_of(json.loads(strict_json(evidence_body(evidence)))) == evidence

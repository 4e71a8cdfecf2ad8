"""The text of a record: goldens of what people read, laws of what programs read, and words that stay words."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from outgrow.decision_folder import read_heads
from outgrow.decisions.decision_record import DecisionRecord, option_titles
from outgrow.decisions.markdown import clean, inline, paragraph, table
from outgrow.decisions.record_text import file_name, ratio_text, record_text
from outgrow.decisions.records import Answered, DecisionHead, Flip, Held, ReopenWhen, Ruling, Weighing
from outgrow.evidence.records import Arm, Evidence, MeasuredRatio, ReportedRatio, Round
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.points.declaration import Costs
from outgrow.points.reading import read_declaration
from outgrow.quantities import Interval

GOLDENS = Path(__file__).parent / "goldens"
MADE_AT = 1_799_000_000.0  # 3 Jan 2027
DECLARATION = read_declaration(Path(__file__).parent / "declaration.yaml")


def outlook(point: str, firing: tuple[str, ...] = ()) -> PointStatus:
    declared = DECLARATION.point(point)
    triggers = tuple(
        TriggerStatus(
            point=point,
            trigger=one.id,
            title=one.title,
            state="firing" if one.id in firing else "quiet",
            value=6.1 if one.id in firing else 0.4,
            unit="seconds",
            threshold=one.threshold,
            breaks_at=one.breaks_at,
            reason="6.1 s, above 5 s for 3 days" if one.id in firing else "far from its limit",
            since=MADE_AT,
        )
        for one in declared.triggers
    )
    return PointStatus(
        id=point,
        title=declared.title,
        state="firing" if firing else "quiet",
        sentence="",
        triggers=triggers,
        declared_users=declared.complete_before,
        measured_users=Interval(1700, 2100, 2600) if point == "data-architecture" else None,
        governs="measured" if point == "data-architecture" else "declared",
        users_now=1320,
        watched_from=1000,
    )


def record(point: str, ruling: Ruling, **changes: Any) -> DecisionRecord:
    return replace(
        DecisionRecord(
            number=7,
            made_on="2027-01-15",
            digest="4f1c0ffee4f1c0ffee4f1c0ffee4f1c0",
            status="accepted",
            decision_makers=("Ana", "Ben"),
            point=DECLARATION.point(point),
            criteria=DECLARATION.criteria,
            costs=DECLARATION.costs,
            learning_buffer=0.25,
            ruling=ruling,
            outlook=outlook(point),
            known_on="2027-01-14",
            units={name: signal.unit for name, signal in DECLARATION.signals.items()},
            titles=option_titles(DECLARATION.points),
        ),
        **changes,
    )


def measured(low: float, mid: float, high: float, tuned: bool = True) -> MeasuredRatio:
    against = "tune" if tuned else "current"
    return MeasuredRatio("A", against, tuned, Interval(low, mid, high, 0.95), 12, "bench of 3 January", MADE_AT)


ROUNDS = Evidence(
    point="data-architecture",
    made_at=MADE_AT,
    source="bench of 3 January",
    baseline="tune",
    baseline_tuned=True,
    digest="0123456789abcdef",
    arms=(Arm("tune", "tune"), Arm("A", "A"), Arm("current", None)),
    rounds=tuple(Round(number, arm, 0, 1.0, 100, 0) for number in range(12) for arm in ("tune", "A", "current")),
    seed=11,
    versions={"qdrant": "1.14"},
    machine={"cores": "2"},
)

HIGH = Interval(4.9, 5.4, 6.2, 0.95)

STAY = record(
    "data-architecture",
    Ruling(
        point="data-architecture",
        verdict="stay",
        option="A",
        reasons=(
            "Partition (A) is 9.2 times faster than the tuned service (6.1–13.8, 95 %, 12 rounds): the lower bound "
            "clears 5.",
        ),
        tune=(Held("slow-search", False, "5.4 s (4.9–6.2, 95 %) at 2,000 users, not surely below 5 s", 2000.0, HIGH),),
        ratio=measured(6.1, 9.2, 13.8),
        shown=(
            measured(310.0, 420.0, 560.0, tuned=False),
            replace(measured(1, 1, 1, tuned=False), ratio=None, why_not="A dropped 3 % of what was sent"),
        ),
    ),
    outlook=outlook("data-architecture", firing=("slow-search",)),
    evidence=(ROUNDS,),
    supersedes=(
        DecisionHead(
            4, "0004-data-architecture-migrate.md", "0004 Data architecture: move to Migrate (B)", "data-architecture",
            "migrate", "B", "2026-06-01", "accepted", "d", (),
        ),
    ),
)  # fmt: skip

MIGRATE = record(
    "state-management",
    Ruling(
        point="state-management",
        verdict="migrate",
        option="B",
        reasons=("Must several people edit the same thing at once? Yes, says Ana: State service (B).",),
        tune=(Held("memory", False, "not measured"), Held("inconsistent-data", True, "no note in 90 days")),
        answers=(Answered("real-time-collaboration", True, "Ana", MADE_AT),),
        closed=(("A", "decision 0003 chose Full rewrite for backend-architecture, which closes it"),),
    ),
)

WEIGHING = Weighing(
    scores=(("A", 3.8), ("B", 3.2)),
    eligible=("A", "B"),
    best="A",
    flips=(
        Flip("operational_simplicity", 0.2, None, None),
        Flip("learning_curve", 0.2, None, None),
        Flip("community_support", 0.2, None, None),
        Flip("rollback_safety", 0.2, None, None),
        Flip("future_flexibility", 0.2, 0.3846, "B"),
    ),
    missing=("tune",),
    holds_in_ratio=0.874,
)

BETWEEN = record(
    "data-architecture",
    Ruling(
        point="data-architecture",
        verdict="between",
        option="A",
        reasons=("Partition (A) is 3.1 times faster (2.4–4.2, 95 %): between 2 and 5 the five criteria decide.",),
        ratio=replace(measured(2.4, 3.1, 4.2), rounds=0),
        weighing=WEIGHING,
    ),
    status="proposed",
    decision_makers=(),
    evidence=(replace(ROUNDS, rounds=(), arms=(), reported=(ReportedRatio("A", Interval(2.4, 3.1, 4.2, 0.95)),),
                      seed=None, versions={}, machine={}, simulated=True),),
    time_scale="1s=1d",
)  # fmt: skip

TUNE = record(
    "data-architecture",
    Ruling(
        point="data-architecture",
        verdict="stay",
        option="tune",
        reasons=("Tuned, the service keeps every trigger quiet at 2,000 users, with the upper bound of each.",),
        tune=(Held("slow-search", True, "0.8 s (0.6–1.1, 95 %) at 2,000 users, below 5 s", 2000.0, HIGH),),
    ),
    evidence=(ROUNDS,),
)


@pytest.mark.parametrize(
    ("name", "made"), [("stay", STAY), ("stay-tune", TUNE), ("migrate", MIGRATE), ("between", BETWEEN)]
)
def test_golden(name: str, made: DecisionRecord) -> None:
    """Write the goldens anew with OUTGROW_WRITE_GOLDENS=1, and read them before you keep them."""
    text, golden = record_text(made), GOLDENS / f"record-{name}.md"
    if os.environ.get("OUTGROW_WRITE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("made", [STAY, TUNE, MIGRATE, BETWEEN])
def test_the_front_matter_says_what_was_decided(tmp_path: Path, made: DecisionRecord) -> None:
    (tmp_path / file_name(made)).write_text(record_text(made), encoding="utf-8")
    found = read_heads(tmp_path)
    assert found.warnings == ()
    (head,) = found.heads
    ruling = made.ruling
    assert (head.number, head.point, head.verdict, head.option) == (7, made.point.id, ruling.verdict, ruling.option)
    assert (head.made_on, head.status, head.digest) == (made.made_on, made.status, made.digest)
    assert not head.title.startswith("0007")  # the file name carries the number
    triggers = [one.trigger for one in head.reopen_when if one.trigger]
    assert triggers == [one.id for one in made.point.triggers if not one.confirms]
    turned = [ReopenWhen(fact=one.fact, becomes=not one.answer) for one in made.ruling.answers]
    assert [one for one in head.reopen_when if one.fact] == turned
    assert head.firing_then == (("slow-search",) if made is STAY else ())


def structure(text: str) -> list[str]:
    """The blocks a Markdown reader makes of a record, without what stands in them."""
    body = text.split("\n---\n", 1)[1]
    return [one.type for one in MarkdownIt("commonmark").enable("table").parse(body)]


HOSTILE = st.text(max_size=60) | st.sampled_from(
    ["yes", "[a]: b", "***", "___", "2) x", "+", "> x", "|a|", "null",
     "1", "- x", "a: b", "{", "]", "---", "# x", "\n---\n", "'", '"', "\u2028x", "\x1b[31m", "\ud800",
     "<script>", "|", "%", "&a", "*a", "!x", "@", "`", "x # y", "1. x", "…", "```"]
)  # fmt: skip


@given(HOSTILE, HOSTILE, HOSTILE.filter(clean))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_others_words_stay_words(tmp_path: Path, name: str, source: str, reason: str) -> None:
    ruling = replace(MIGRATE.ruling, reasons=(reason,), answers=(Answered("real-time-collaboration", True, source),))
    text = record_text(replace(MIGRATE, decision_makers=(name,), ruling=ruling))
    (tmp_path / file_name(MIGRATE)).write_text(text, encoding="utf-8")
    found = read_heads(tmp_path)
    assert found.warnings == ()
    assert found.heads[0].reopen_when[-1] == ReopenWhen(fact="real-time-collaboration", becomes=False)
    assert structure(text) == structure(record_text(MIGRATE))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


MARKS = [
    "a", "1.", "2)", "15.", "-", "--", "---", "+", "*", "***", "_", "___", "#", "##", "#######", ">", ">x", "=", "==",
    "|", "|a|", "%", "```", "~~~", "-|-", "[a]:", "[b]", "<b>",
]  # fmt: skip


@given(st.lists(st.sampled_from([*MARKS, "ab" * 30]), min_size=1, max_size=60).map(" ".join))
@settings(max_examples=300)
def test_folding_makes_one_paragraph_of_anything(text: str) -> None:
    folded = paragraph(inline(text))
    assert [one.type for one in MarkdownIt("commonmark").enable("table").parse(folded)] == [
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert "".join(folded.replace("\\", "").split()) == "".join(text.split())


@given(st.floats(0.01, 1e4), st.floats(0, 3), st.floats(0, 3))
def test_bounds_are_never_rounded_in_favour(low: float, more: float, most: float) -> None:
    ratio = Interval(low, low * (1 + more), low * (1 + more) * (1 + most), 0.95)
    shown_low, shown_high = re.search(r"\((\S+)–(\S+) at", ratio_text(ratio)).groups()
    assert float(shown_low.replace(",", "")) <= ratio.low
    assert float(shown_high.replace(",", "")) >= ratio.high


def test_just_below_five_is_not_five() -> None:
    assert ratio_text(Interval(4.9999, 6, 7.0001, 0.95)) == "6 times (4.99–7.01 at 95 %)"


def test_nothing_chosen_is_nothing_to_record() -> None:
    undecided = Ruling("data-architecture", "inconclusive", None, ("nothing was measured",))
    with pytest.raises(ValueError, match="nothing is chosen for data-architecture"):
        record_text(record("data-architecture", undecided))


def test_a_name_of_a_file_holds_letters_digits_and_hyphens_only() -> None:
    assert file_name(STAY) == "0007-data-architecture-partition.md"
    option = MIGRATE.chosen.model_copy(update={"title": "../../etc/passwd ü" * 20})
    point = MIGRATE.point.model_copy(update={"options": (option,)})
    assert re.fullmatch(r"0007-[a-z0-9-]{1,80}\.md", file_name(replace(MIGRATE, point=point)))


def test_what_is_cheaper_is_good_and_what_is_unknown_is_neither() -> None:
    assert "* Bad, because the bill becomes 3,000 USD a month; what a user adds is unknown" in record_text(MIGRATE)
    cheap = replace(MIGRATE, costs=Costs(monthly_now=9000))
    assert "* Good, because the bill becomes 3,000 USD a month" in record_text(cheap)
    assert "* Neutral, because what it costs a month is unknown." in record_text(STAY)


def test_cells_line_up_and_bars_stay_in_their_cell() -> None:
    shown = table(("a", "b"), [("x|y", "1"), ("long", "22")]).split("\n")
    assert len({len(line) for line in shown}) == 1
    assert "x\\|y" in shown[2]
    assert inline("a\n\x00 b\t<b>c</b>") == "a b \\<b\\>c\\</b\\>"

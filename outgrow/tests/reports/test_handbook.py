"""The handbook page: goldens, and laws about anchors, missing parts and words that must stay words.

The goldens are written anew by ``OUTGROW_GOLDEN=write pytest``.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from outgrow.decisions.records import DecisionHead, ReopenWhen
from outgrow.points.declaration import Declaration, Point
from outgrow.ports import Note
from outgrow.quantities import DAY, Interval
from outgrow.reports.announcement import Announcement, PlannedMove, PlanSeen, Told
from outgrow.reports.handbook import (
    DecisionSeen,
    HandbookRecords,
    handbook_page,
    handbook_place,
    handbook_url,
    missing_parts,
    own_notes_of,
    written_for,
)

GOLDENS = Path(__file__).parent / "goldens"
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def point_of(declaration: Declaration, place: int = 0) -> Point:
    return declaration.points[place]


def head(**changes: Any) -> DecisionHead:
    fields: dict[str, Any] = {
        "number": 7,
        "file": "0007-data-architecture-partition.md",
        "title": "Partition",
        "point": "data-architecture",
        "verdict": "stay",
        "option": "A",
        "made_on": "2027-01-14",
        "status": "accepted",
        "digest": "abc",
        "reopen_when": (ReopenWhen(trigger="slow-search"), ReopenWhen(fact="real-time-collaboration", becomes=True)),
    }
    return DecisionHead(**(fields | changes))


def planned(**changes: Any) -> PlannedMove:
    fields: dict[str, Any] = {
        "option": "A",
        "start": date(2027, 3, 3),
        "start_window": (date(2027, 1, 20), date(2027, 5, 1)),
        "finish": (date(2027, 3, 20), date(2027, 4, 1), date(2027, 4, 14)),
        "wall": (date(2027, 6, 1), date(2027, 7, 1), None),
        "in_time_ratio": 0.97,
        "needed_ratio": 0.8,
        "who": "Ada",
        "prototype": (date(2027, 2, 1), date(2027, 2, 8)),
        "decide_by": date(2027, 2, 10),
        "held_by": "so late on purpose, its bill is not paid too early",
    }
    return PlannedMove(**(fields | changes))


def full(declaration: Declaration, make: Any) -> HandbookRecords:
    """Everything there is: recorded, decided, planned, told."""
    slow = make.trigger(
        "firing", point="data-architecture", title="vector queries are slow", value=6.2, forecast=make.forecast(),
        reason="6.2 s, above 5 s for 20 minutes",
    )  # fmt: skip
    memory = make.trigger(
        "quiet", point="data-architecture", trigger="vector-memory", title="memory", value=3.1e9, unit="bytes",
        threshold=8e9, breaks_at=16e9, reason="3.1 GB, the limit is 8 GB",
    )  # fmt: skip
    blind = make.trigger("unknown", point="data-architecture", trigger="generation-failing", unit="ratio")
    return HandbookRecords(
        declaration=declaration,
        point=point_of(declaration),
        as_of=make.now,
        status=make.point("firing", slow, memory, blind, id="data-architecture", title="Data architecture"),
        decision=DecisionSeen(head(), "../decisions/0007-data-architecture-partition.md",
                              ("Partition (A) is 9.2 times faster than the tuned store.", "Tune was measured first.")),
        plan=PlanSeen(made_on=date(2027, 1, 15), move=planned(), growth_per_month=0.12),
        told=Announcement("first", date(2027, 1, 16), 7, "A",
                          Told(date(2027, 3, 3), date(2027, 4, 1), date(2027, 4, 14)), "text"),
    )  # fmt: skip


def facts(declaration: Declaration, make: Any) -> HandbookRecords:
    """The last point: facts with notes, a spread; a plan whose dates are over, a decision that is reopened."""
    notes = tuple(
        Note(number, "distribution", "international-complaints", f"slow from place {number}", "support",
             make.now - number * DAY, make.now, make.now if number == 2 else None)
        for number in range(1, 9)
    )  # fmt: skip
    point = point_of(declaration, 3)
    quiet = make.trigger("quiet", point=point.id, trigger="many-regions", value=2.0, unit="regions", threshold=3.0,
                         breaks_at=4.0, reason="2, the limit is 3")  # fmt: skip
    over = planned(start=date(2026, 9, 1), finish=(date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)), option="B")
    return HandbookRecords(
        declaration=declaration.model_copy(update={"handbook": "https://wiki.example.org/{point}"}),
        point=point,
        as_of=make.now,
        status=make.point("quiet", quiet, id=point.id, title=point.title, measured_users=None, governs="declared"),
        notes=notes,
        decision=DecisionSeen(head(point=point.id), "0007.md", reopened=("slow-sync fires since 3 Jan 2027",)),
        plan=PlanSeen(made_on=date(2026, 8, 15), move=over, simulated=True),
        time_scale="1s=1d",
    )


def bare(declaration: Declaration) -> HandbookRecords:
    return HandbookRecords(declaration, point_of(declaration))


@pytest.mark.parametrize("name", ["full", "facts", "bare"])
def test_pages_read_as_agreed(venture_platform: Declaration, make: Any, name: str) -> None:
    def page() -> str:
        made = {"full": full, "facts": facts}.get(name)
        return handbook_page(made(venture_platform, make) if made else bare(venture_platform))

    golden = GOLDENS / f"handbook-{name}.txt"
    if os.environ.get("OUTGROW_GOLDEN") == "write":
        golden.write_text(page(), encoding="utf-8")
    assert page() == golden.read_text(encoding="utf-8")
    assert page() == page()


@pytest.mark.parametrize("place", range(4))
def test_every_alert_finds_its_section(venture_platform: Declaration, place: int) -> None:
    point = point_of(venture_platform, place)
    page = handbook_page(HandbookRecords(venture_platform, point))
    for trigger in point.triggers:
        anchor = handbook_place(venture_platform, point.id, trigger.id).partition("#")[2]
        assert page.count(f'<a id="{anchor}"></a>') == 1
        section = page.partition(f'<a id="{anchor}"></a>')[2].partition("<a id=")[0]
        assert trigger.title in section
        assert trigger.runbook[1:].removesuffix(".") in section.replace("\\", "")
        for name in filter(None, (trigger.signal, trigger.replicas)):
            assert f"Reads `{name}`" in section


def test_where_a_page_is_found(venture_platform: Declaration) -> None:
    def at(handbook: str) -> tuple[str, str]:
        declaration = venture_platform.model_copy(update={"handbook": handbook})
        return handbook_place(declaration, "data", "slow"), handbook_url(declaration, "data", "slow")

    assert at("docs/handbook/{point}.md") == ("docs/handbook/data.md#slow", "")
    assert at("https://wiki/{point}") == ("https://wiki/data#slow", "https://wiki/data#slow")
    assert at("https://wiki/all#{point}") == ("https://wiki/all#data", "https://wiki/all#data")
    assert at("https://wiki/a page/{point}")[1] == ""


@given(known=st.sets(st.sampled_from(["status", "decision", "plan", "runbook", "root_cause"])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_what_is_missing_is_said_with_the_command_that_makes_it(
    venture_platform: Declaration, make: Any, known: set[str]
) -> None:
    records = full(venture_platform, make)
    point = records.point.model_copy(
        update={
            "root_cause": records.point.root_cause if "root_cause" in known else "",
            "triggers": tuple(
                one.model_copy(update={"runbook": one.runbook if "runbook" in known else " "})
                for one in records.point.triggers
            ),
        }
    )
    records = replace(
        records,
        point=point,
        as_of=records.as_of if "status" in known else None,
        status=records.status if "status" in known else None,
        decision=records.decision if "decision" in known else None,
        plan=records.plan if "plan" in known else None,
    )
    page, missing = handbook_page(records), missing_parts(records)
    for part, command in (("status", "outgrow record --once"), ("plan", "outgrow plan"),
                          ("decision", "outgrow decide data-architecture")):  # fmt: skip
        assert (command in {step for _, step in missing}) is (part not in known)
        assert part in known or f"`{command}`" in page
    assert ("no root cause is declared" in page) is ("root_cause" not in known)
    assert page.count("no runbook is declared") == (0 if "runbook" in known else 4)
    assert "status" in known or "**unknown**" in page  # not knowing is never shown as fine
    assert "status" in known or "| quiet" not in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decision": None, "plan": None}, "there is nothing to go back from"),
        ({}, "nothing begins before 3 March 2027"),
        ({"as_of": 1_805_000_000.0}, "it may be under way since 3 March 2027"),
        ({"as_of": 1_830_000_000.0}, "**These dates are over.**"),
        ({"decision": DecisionSeen(head(status="done"), "x.md")}, "The change is carried out."),
        ({"decision": DecisionSeen(head(status="proposed"), "x.md")}, "proposed, not accepted yet"),
        ({"decision": DecisionSeen(head(option="B"), "x.md")}, "It plans another option than is decided"),
        ({"decision": DecisionSeen(head(option="gone"), "x y<.md")}, "**`gone`** · verdict: stay · in force"),
        (
            {"decision": DecisionSeen(head(option=None, verdict="between"), "x.md")},
            "**no option yet** · verdict: between",
        ),
        ({"decision": DecisionSeen(head(), "x y<.md")}, "(<x%20y%3C.md>)"),
        ({"plan": PlanSeen(date(2027, 1, 1), None, "never needed")}, "has no place for this point: never needed."),
    ],
)
def test_how_far_it_has_come(venture_platform: Declaration, make: Any, changes: dict[str, Any], said: str) -> None:
    assert said in handbook_page(replace(full(venture_platform, make), **changes))


@pytest.mark.parametrize("rollback", ["low", "medium", "high", "very-high", "nearly-impossible"])
def test_the_way_back_is_as_hard_as_declared(venture_platform: Declaration, rollback: Any) -> None:
    point = point_of(venture_platform).model_copy(update={"rollback": rollback})
    page = handbook_page(HandbookRecords(venture_platform, point))
    assert f"**{rollback.replace('-', ' ')}**" in page
    assert ("easy" in page) is (rollback == "low")


@given(notes=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_what_people_wrote_is_kept(venture_platform: Declaration, notes: str) -> None:
    page = handbook_page(bare(venture_platform), notes)
    assert own_notes_of(page) == notes.strip("\n")
    assert handbook_page(bare(venture_platform), own_notes_of(page)) == page
    assert written_for(page) == "data-architecture"


def test_a_page_by_hand_is_nobodys() -> None:
    assert written_for("# Ours\n<!-- written by outgrow handbook data -->\n") is None
    assert own_notes_of("# Ours\n") == ""


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="a1 *_`[]()<>#-+=~|\\!&;:/.\n\t\x1b\u202e\x00", max_size=30),
    st.sampled_from(
        ["<script>alert(1)</script>", "[x](http://evil)", "a|b", "```\n# x", "--> <b>", "https://x/<y>`", "\u2028- x"]
    ),
)


@given(text=HOSTILE, query=HOSTILE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_no_word_changes_the_page(venture_platform: Declaration, make: Any, text: str, query: str) -> None:
    """Whatever people wrote, the page has the same blocks, our anchors and comments, and links of ours alone."""
    mine, plain = hostile(venture_platform, make, text, query), hostile(venture_platform, make, "word", "up")
    page = handbook_page(mine)
    tokens, usual = MARKDOWN.parse(page), MARKDOWN.parse(handbook_page(plain))
    assert not any(mark in page for mark in "\x1b\x00\x07\r\u202e\u2028\ufeff")
    assert [each.content for each in html(tokens)] == [each.content for each in html(usual)]
    if text.strip() and query.strip() and all(re.search(r"\w", each) for each in (text, query)):
        assert [each.type for each in tokens] == [each.type for each in usual]
        allowed = {"text", "code_inline", "strong_open", "strong_close", "link_open", "link_close", "html_inline"}
        for each in tokens:
            for child in each.children or ():
                assert child.type in allowed, (child, text)
                target = str(child.attrs.get("href", "#"))
                assert target.startswith(("#", "../decisions/", "https://x/", "http")), target
                assert not target.startswith("http://evil")


def html(tokens: list[Token]) -> list[Token]:
    return [each for token in tokens for each in (token, *(token.children or ())) if each.type.startswith("html")]


def hostile(declaration: Declaration, make: Any, text: str, query: str) -> HandbookRecords:
    """Every word that somebody may write is ``text``."""
    records = full(declaration, make)
    point = records.point.model_copy(
        update={
            "title": text or "x", "headline": text or "x", "root_cause": text or "x", "symptoms": (text or "x",),
            "felt_by_users": text or "x", "likelihood_note": text,
            "triggers": tuple(one.model_copy(update={"title": text or "x", "runbook": text}) for one in
                              records.point.triggers),
            "options": tuple(one.model_copy(update={"title": text, "what": text or "x"}) for one in
                             records.point.options),
        }
    )  # fmt: skip
    signals = {
        name: signal.model_copy(update={"promql": query or "1", "title": text})
        for name, signal in declaration.signals.items()
    }
    team = declaration.team.model_copy(update={"names": (text or "x", "b")})
    assert records.status is not None
    assert records.decision is not None
    return replace(
        records,
        declaration=declaration.model_copy(update={"name": text or "x", "signals": signals, "team": team}),
        point=point,
        status=replace(records.status, sentence=text, measured_users=Interval(1, 2, 3)),
        decision=replace(records.decision, reasons=(text,), reopened=(text,)),
        plan=PlanSeen(date(2027, 1, 15), planned(who=text or "x", held_by=text or "x")),
    )

"""The notes to users: goldens, and laws about dates that move and words that must not leak.

The goldens are written anew by ``OUTGROW_GOLDEN=write pytest``.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from outgrow.quantities import Interval
from outgrow.reports.announcement import (
    Announcement,
    PlanSeen,
    Subject,
    Told,
    announce,
    announcement_body,
    announcement_digest,
    announcement_of,
    clean,
    close,
    day_words,
    inline,
    plan_seen,
    window_words,
)
from outgrow.reports.plan_json import plan_fields
from outgrow.schedule.records import (
    Candidate,
    CostPath,
    Plan,
    PlannedRewrite,
    Prototype,
    Runway,
    Wall,
)

GOLDENS = Path(__file__).parent / "goldens"
SUBJECT = Subject("venture platform", "Data architecture", "AI features slower for a while", 7)
OCTOBER, JANUARY = date(2026, 10, 12), date(2027, 1, 4)


def seen(**changes: Any) -> PlanSeen:
    """The plan of October, as the ledger has it; ``changes`` go to the rewrite, but for those of the plan."""
    body: dict[str, Any] = {
        "made_on": "2026-10-12",
        "growth_per_month_ratio": {"p10": 0.1, "p50": 0.12, "p90": 0.14},
        "rewrites": [
            {
                "point": "data-architecture",
                "option": "A",
                "start": "2027-03-03",
                "start_window": {"earliest": "2026-11-01", "latest": "2027-05-01"},
                "finish": {"p10": "2027-03-20", "p50": "2027-04-01", "p90": "2027-04-14"},
                "wall": {"p10": "2027-06-01", "p50": "2027-07-01", "p90": None},
                "in_time_ratio": 0.97,
                "needed_ratio": 1.0,
                "who": "Ada",
                "prototype": {"start": "2027-02-01", "finish": "2027-02-08", "calm": True, "why": None},
                "decide_by": "2027-02-10",
                "held_by": None,
            }
        ],
        "not_planned": [{"point": "distribution", "why": "60,000 users are not reached"}],
        "time_scale": None,
        "simulated": False,
    }
    for key, value in changes.items():
        (body if key in body else body["rewrites"][0])[key] = value
    found = plan_seen(json.loads(json.dumps(body)), "data-architecture")
    assert found is not None
    return found


def told_first(**changes: Any) -> Announcement:
    note = announce(SUBJECT, seen(**changes), None, OCTOBER)
    assert note is not None
    return note


def finish(low: str | None, mid: str | None, high: str | None) -> dict[str, str | None]:
    return {"p10": low, "p50": mid, "p90": high}


EARLIER = {
    "made_on": "2027-01-04",
    "growth_per_month_ratio": {"p10": 0.17, "p50": 0.19, "p90": 0.21},
    "start": "2027-02-01",
    "finish": finish("2027-02-18", "2027-03-01", "2027-03-14"),
}


def notes() -> dict[str, Announcement | None]:
    unsure = Subject("venture platform", "", "", 7)
    return {
        "first": told_first(),
        "moved": announce(SUBJECT, seen(**EARLIER), told_first(), JANUARY),
        "done": close(SUBJECT, told_first(), date(2027, 4, 9)),
        "done-unannounced": close(unsure, None, date(2027, 4, 9)),
        "unsure": announce(
            unsure,
            seen(finish=finish("2027-03-20", None, None), needed_ratio=0.5, simulated=True),
            None,
            date(2027, 2, 20),
        ),
    }


@pytest.mark.parametrize("name", list(notes()))
def test_notes_read_as_agreed(name: str) -> None:
    note = notes()[name]
    assert note is not None
    golden = GOLDENS / f"announcement-{name}.txt"
    if os.environ.get("OUTGROW_GOLDEN") == "write":
        golden.write_text(note.text, encoding="utf-8")
    assert note.text == golden.read_text(encoding="utf-8")
    assert notes()[name] == note  # the same records give the same bytes


days = st.dates(date(2026, 1, 1), date(2031, 12, 31))


@st.composite
def rewrites(draw: st.DrawFn) -> dict[str, Any]:
    """The fields of a planned rewrite with dates in order, some of them out of sight."""
    start = draw(days)
    ahead = sorted(draw(st.lists(st.integers(0, 400), min_size=3, max_size=3)))
    known = draw(st.integers(0, 3))
    dates = [(start + timedelta(days=by)).isoformat() if place < known else None for place, by in enumerate(ahead)]
    return {"start": start.isoformat(), "finish": finish(*dates)}


@given(before=rewrites(), after=rewrites(), growth=st.floats(-0.1, 0.5), today=days)
def test_a_date_that_moved_is_named_with_both_dates(
    before: dict[str, Any], after: dict[str, Any], growth: float, today: date
) -> None:
    last = told_first(**before)
    now = seen(**after, growth_per_month_ratio={"p50": growth}, made_on="2026-12-01")
    note = announce(SUBJECT, now, last, today)
    assert last.told is not None
    assert now.move is not None
    if note is None:
        assert (last.told.begins, last.told.likely, last.told.ends) == (now.move.start, *now.move.finish[1:])
        return
    assert note.stage == "moved"
    assert note.told is not None
    assert note.told != last.told
    moved = note.text.partition("**What moved.**")[2].partition("**Why.**")[0]
    for was, day in zip(dates_of(last.told), dates_of(note.told), strict=True):
        if was != day:
            assert was is None or day_words(was) in moved
            assert day is None or day_words(day) in moved
    assert note.why
    assert note.why in note.text


def dates_of(told: Told) -> tuple[date | None, date | None, date | None]:
    return told.begins, told.likely, told.ends


@given(rewrite=rewrites(), today=days, option=st.sampled_from(["A", "B"]))
def test_what_has_not_moved_is_not_told_again(rewrite: dict[str, Any], today: date, option: str) -> None:
    assert announce(SUBJECT, seen(**rewrite, option=option, made_on="2027-09-09"), told_first(**rewrite), today) is None


@given(rewrite=rewrites(), later=rewrites(), done=st.booleans())
def test_no_internal_id_or_name_leaks(rewrite: dict[str, Any], later: dict[str, Any], done: bool) -> None:
    inner = {"option": "zq-option", "option_title": "zq-title", "who": "zq-who", "held_by": "zq-held"}
    first = announce(SUBJECT, seen(**rewrite, **inner), None, OCTOBER)
    moved = announce(SUBJECT, seen(**later, **(inner | {"option": "zq-other"})), first, JANUARY)
    for note in (first, moved, close(SUBJECT, moved or first, JANUARY)):
        if note is not None:
            assert "zq-" not in note.text
            for internal in ("p95", "p90", "data-architecture", "trigger", "%"):
                assert internal not in note.text


@given(rewrite=rewrites(), later=rewrites())
def test_a_kept_note_is_the_note(rewrite: dict[str, Any], later: dict[str, Any]) -> None:
    first = told_first(**rewrite)
    for note in (first, announce(SUBJECT, seen(**later), first, JANUARY), close(SUBJECT, first, JANUARY)):
        if note is not None:
            assert announcement_of(json.loads(json.dumps(announcement_body(note)))) == note


def test_dates_that_move_back_are_news() -> None:
    first = told_first()
    away = announce(SUBJECT, seen(**EARLIER), first, JANUARY)
    assert away is not None
    back = announce(SUBJECT, seen(), away, date(2027, 1, 20))
    assert back is not None
    again = announce(SUBJECT, seen(**EARLIER), back, JANUARY)
    assert again is not None
    assert replace(again, text="") == replace(away, text="")
    digests = [announcement_digest(first, "")]
    for note in (away, back, again):
        digests.append(announcement_digest(note, digests[-1]))
    assert len(set(digests)) == 4
    tomorrow = replace(first, on=OCTOBER + timedelta(days=1))  # two runs about the same are one record
    assert announcement_digest(tomorrow, "") == digests[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (EARLIER, "Growth is faster than in October, so we need this change earlier."),
        (
            EARLIER | {"growth_per_month_ratio": {"p50": 0.05}, "start": "2027-05-01"},
            "Growth is slower than in October, so this change is needed later.",
        ),
        ({"option": "B", "start": "2027-02-01"}, "We have decided to do it in another way."),
        ({"finish": finish("2027-03-20", "2027-04-01", "2027-05-01")}, "how long the work takes."),
        ({"start": "2027-03-10", "made_on": "2027-01-04"}, "with what we have learnt since 12 October 2026."),
        (EARLIER | {"start": "2027-03-10"}, "with what we have learnt since 12 October 2026."),  # faster, yet later
    ],
)
def test_why_a_date_moved(changes: dict[str, Any], why: str) -> None:
    note = announce(SUBJECT, seen(**changes), told_first(), JANUARY)
    assert note is not None
    assert note.why.endswith(why)


def test_work_that_comes_before_is_a_reason() -> None:
    def plan(start: str, before: str) -> PlanSeen:
        earlier = {"point": "other", "start": "2026-11-01", "finish": {"p50": before}}
        own = {"point": "data-architecture", "option": "A", "start": start, "finish": finish(None, None, None)}
        found = plan_seen({"made_on": "2026-10-12", "rewrites": [earlier, own]}, "data-architecture")
        assert found is not None
        return found

    last = announce(SUBJECT, plan("2027-03-03", "2027-02-01"), None, OCTOBER)
    note = announce(SUBJECT, plan("2027-04-03", "2027-03-01"), last, JANUARY)
    assert note is not None
    assert note.why.startswith("The work that comes before it is done later than we expected")


def test_a_closed_change_is_closed_once_and_may_be_followed_by_another() -> None:
    done = close(SUBJECT, told_first(), JANUARY)
    assert close(SUBJECT, done, JANUARY) is None
    another = announce(replace(SUBJECT, decision=9), seen(option="B"), done, JANUARY)
    assert another is not None
    assert another.stage == "first"
    assert close(replace(SUBJECT, decision=9), done, JANUARY) is not None


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [
        ("2027-03-03", "2027-04-14", "between 3 March and 14 April 2027"),
        ("2027-03-03", "2027-03-14", "between 3 and 14 March 2027"),
        ("2026-12-03", "2027-04-14", "between 3 December 2026 and 14 April 2027"),
        ("2027-03-03", "2027-03-03", "on 3 March 2027"),
        ("2027-03-03", None, "from 3 March 2027 on; until when, we cannot say yet"),
    ],
)
def test_a_window_in_words(begins: str, ends: str | None, words: str) -> None:
    assert window_words(Told(date.fromisoformat(begins), None, date.fromisoformat(ends) if ends else None)) == words


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> tuple[str, set[str]]:
    """What a reader sees of a paragraph, and the kinds of markup in it."""
    block, inner, *rest = MARKDOWN.parse(markdown)
    assert (block.type, inner.type, len(rest)) == ("paragraph_open", "inline", 1), markdown
    children = inner.children or []
    return "".join(child.content for child in children), {child.type for child in children}


hostile = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="a1 *_`[]()<>#-+=~|\\!&;:/.\n\t\x1b\u202e\x00", max_size=40),
    st.sampled_from(
        ["<script>alert(1)</script>", "[x](javascript:y)", "![](http://x/y.png)", "# h", "&lt;b&gt;", "a\\"]
    ),
)


@given(text=hostile)
def test_words_of_others_are_shown_and_never_obeyed(text: str) -> None:
    words = clean(text)
    assert words.isprintable() or not any(mark in words for mark in "\x1b\x00\x07\n\r\u202e\u2066")
    if words:
        assert shown(inline(text)) == (words, {"text"})
        seen_, kinds = shown(f"**When.** {inline(text)}.")
        assert (seen_, kinds) == (f"When. {words}.", {"text", "strong_open", "strong_close"})


@given(text=hostile)
def test_a_hostile_title_changes_no_other_line(text: str) -> None:
    subject = Subject(text, text, text, 7)
    for note in (announce(subject, seen(), None, OCTOBER), close(subject, None, OCTOBER)):
        assert note is not None
        plain = close(replace(SUBJECT, felt_by_users="x"), None, OCTOBER) if note.stage == "done" else told_first()
        assert plain is not None
        if clean(text):
            assert note.text.count("\n") == plain.text.count("\n")
        assert {token.type for token in MARKDOWN.parse(note.text)} <= {
            "heading_open", "inline", "heading_close", "paragraph_open", "paragraph_close",
        }  # fmt: skip


KEYS = st.sampled_from(
    ["made_on", "rewrites", "point", "start", "start_window", "earliest", "finish", "p50", "p90", "needed_ratio",
     "prototype", "not_planned", "growth_per_month_ratio", "on", "stage", "told", "begins", "decision"]
)  # fmt: skip
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | days.map(date.isoformat),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@given(body=st.dictionaries(KEYS, jsons, max_size=8))
def test_a_damaged_record_is_none_and_no_crash(body: dict[str, Any]) -> None:
    plan = plan_seen(body | {"made_on": "2026-10-12"}, "data-architecture")
    assert plan is not None
    announcement_of(body | {"on": "2026-10-12", "stage": "first"})
    assert plan_seen({**body, "made_on": None}, "data-architecture") is None


def test_it_reads_what_a_plan_is_kept_as() -> None:
    wall = Wall(Interval(2000, 2000, 2000), "declared")
    rewrite = PlannedRewrite(
        candidate=Candidate(1, "data-architecture", "Data architecture", "A", "Partition", Interval(2, 2.5, 3), wall,
                            1500, 0.8),
        start=date(2027, 3, 3),
        start_window=(date(2027, 1, 1), date(2027, 5, 1)),
        finish=(date(2027, 3, 20), date(2027, 4, 1), None),
        wall=(date(2027, 6, 1), None, None),
        in_time_ratio=0.9,
        who="Ada",
        prototype=Prototype(date(2027, 2, 1), date(2027, 2, 8), calm=True),
        decide_by=date(2027, 2, 10),
        held_by="so late on purpose",
    )  # fmt: skip
    plan = Plan(
        made_on=OCTOBER, users_now=1000, growth_per_month=Interval(0.1, 0.12, 0.14), growth_source="given",
        start_rule="early", people=2, wanted_ratio=0.8, in_time_ratio=0.9, feasible=True, rewrites=(rewrite,),
        not_planned=(("distribution", "not reached"),), gives=(), scenarios=500, solution=None, simulated=True,
        cost=CostPath("USD", (), Interval(2, 2, 3), None, Runway(None, None)),
    )  # fmt: skip
    body = json.loads(json.dumps(plan_fields(plan)))
    found = plan_seen(body, "data-architecture")
    assert found is not None
    move = found.move
    assert move is not None
    assert (found.made_on, found.growth_per_month, found.simulated) == (OCTOBER, 0.12, True)
    assert (move.option, move.start, move.start_window) == ("A", rewrite.start, rewrite.start_window)
    assert (move.finish, move.wall, move.in_time_ratio) == (rewrite.finish, rewrite.wall, 0.9)
    assert (move.needed_ratio, move.who, move.held_by) == (0.8, "Ada", "so late on purpose")
    assert (move.prototype, move.decide_by) == ((date(2027, 2, 1), date(2027, 2, 8)), rewrite.decide_by)
    other = plan_seen(body, "distribution")
    assert other is not None
    assert (other.move, other.why_not) == (None, "not reached")

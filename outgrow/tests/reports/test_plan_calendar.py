"""The calendar: parsed back it says what the plan says, and a later plan updates it instead of doubling it."""

from __future__ import annotations

import runpy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from icalendar import Calendar

from outgrow.reports.plan_calendar import plan_calendar
from outgrow.schedule.records import Plan

PLANS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("plans.py"))))
SHAPES = ("feasible", "infeasible", "nobody_free", "one_past", "hostile", "nothing_ahead")


def events(plan: Plan, service: str = "venture platform") -> list[Any]:
    return list(Calendar.from_ical(plan_calendar(plan, service)).events)


def by_summary(plan: Plan) -> dict[str, Any]:
    return {str(event["SUMMARY"]): event for event in events(plan)}


def test_parsed_back_it_says_what_the_plan_says() -> None:
    found = by_summary(PLANS.feasible())
    work = found["Rewrite: 2A Client store (Grace)"]
    assert (work.start, work.end) == (date(2026, 12, 3), date(2027, 1, 11))
    assert found["Prototype: 2A Client store"].end - found["Prototype: 2A Client store"].start == timedelta(days=7)
    assert found["Wall: Distribution"].start == date(2028, 3, 2)
    assert found["Decide: State management"].start == date(2026, 11, 26)
    window = found["May start: 2A Client store"]
    assert (window.start, window.end) == (date(2026, 9, 12), date(2027, 2, 12))
    assert "8,800 (7,600–9,900) users, measured" in str(work["DESCRIPTION"])
    assert "Decide: Data architecture" not in found  # it is decided already
    assert len(found) == 19


@pytest.mark.parametrize("shape", SHAPES)
def test_all_are_days_without_time_or_zone_and_leave_people_free(shape: str) -> None:
    for event in events(getattr(PLANS, shape)()):
        assert type(event.start) is date
        assert type(event.end) is date
        assert event.start < event.end
        assert event["DTSTAMP"].dt == datetime(2026, 1, 15, tzinfo=UTC)
        assert event["TRANSP"] == "TRANSPARENT"
        assert {"SUMMARY", "UID", "DESCRIPTION", "SEQUENCE"} <= set(event)


def test_a_later_plan_updates_what_is_there() -> None:
    before = PLANS.feasible()
    after = PLANS.infeasible(made_on=date(2026, 3, 1))
    old = {str(event["UID"]): event for event in events(before)}
    new = {str(event["UID"]): event for event in events(after)}
    assert len(old) == len(events(before))
    assert set(new) <= set(old)
    for uid, event in new.items():
        assert event["SEQUENCE"] > old[uid]["SEQUENCE"]
        assert event["DTSTAMP"].dt > old[uid]["DTSTAMP"].dt


def test_another_option_of_a_point_moves_its_events() -> None:
    first, *others = PLANS.rewrites()
    other = replace(first, candidate=replace(first.candidate, option="B", option_title="Migrate"))
    changed = events(PLANS.feasible(rewrites=(other, *others)))
    assert {str(event["UID"]) for event in changed} == {str(event["UID"]) for event in events(PLANS.feasible())}


def test_two_services_keep_apart_and_the_same_plan_gives_the_same_bytes() -> None:
    plan = PLANS.feasible()
    assert plan_calendar(plan, "a") == plan_calendar(plan, "a")
    uids = [{str(event["UID"]) for event in events(plan, service)} for service in ("a", "b")]
    assert not uids[0] & uids[1]


def test_hostile_titles_add_no_event_and_no_line() -> None:
    content = plan_calendar(PLANS.hostile(), "x\r\nBEGIN:VEVENT\x00")
    lines = content.split(b"\r\n")
    assert lines.count(b"BEGIN:VEVENT") == lines.count(b"END:VEVENT") == len(events(PLANS.feasible()))
    assert len(events(PLANS.hostile(), "x\r\nBEGIN:VEVENT\x00")) == len(events(PLANS.feasible()))
    assert not {b"\x1b", b"\x07", b"\x00"} & {bytes([each]) for each in content}
    assert all(len(line) <= 75 for line in lines)


def test_what_is_simulated_says_so() -> None:
    assert all("Made with simulated history." in str(event["DESCRIPTION"]) for event in events(PLANS.one_past()))
    assert "Wall: Data architecture" not in by_summary(PLANS.one_past())
    assert events(PLANS.nobody_free()) == []

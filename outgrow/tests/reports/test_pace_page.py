"""The page of ``outgrow pace --html``: whole, self-contained, true to the figures, and safe with any title."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.reports.pace_page import GUTTER, RIGHT, WIDTH, pace_page, picture
from outgrow.schedule.inputs import inputs_of
from outgrow.schedule.pace import Pace, pace

POINTS, TWO = inputs_of(parse_declaration(template_text("venture-platform")))
TODAY = date(2026, 1, 15)
VOID = {"meta", "br", "rect", "line", "circle", "path"}


class _Reader(HTMLParser):
    """Collects text and attributes, and fails on tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "data", "action", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def _asked(users: int = 1000, growth: float = 0.15, people: int = 2, **pins: str) -> Pace:
    return pace(POINTS, TWO.with_people(people), users, growth, pins)


@pytest.mark.parametrize(
    "asked",
    [
        _asked(),
        _asked(growth=0.05),
        _asked(growth=0.205),
        _asked(growth=0.25),
        _asked(growth=10.0),
        _asked(growth=0.0),
        _asked(people=1),
        _asked(users=5000),
        _asked(users=10**9),
        _asked(distribution="done"),
    ],
)
def test_the_page_is_whole_and_asks_nothing_of_the_network(asked: Pace) -> None:
    page = pace_page(asked, TODAY, "outgrow pace")
    reader = _read(page)
    assert reader.addresses == []
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert not re.search(r"url\(|@import|https?:", page)
    assert not re.search(r"\"(nan|inf|-inf)\"", page)
    assert "prefers-color-scheme: dark" in page


def test_the_page_says_what_can_be_carried() -> None:
    text = _read(pace_page(_asked(), TODAY, "outgrow pace --users 1000")).text
    for words in (
        "Yes, but only if you start early",
        "4A by Feb 2028",
        "9.2–12.4 %",
        "19.8–21.0 %",
        "start by Feb 2028, at 31,500 users",
        "7 weeks late",
        "outgrow pace --users 1000",
    ):
        assert words in text


def test_without_growth_and_without_hands_there_is_no_timeline() -> None:
    for asked in (_asked(growth=0.0), _asked(people=1)):
        assert "When each rewrite must run" not in pace_page(asked, TODAY)


def test_a_title_from_a_file_cannot_add_markup() -> None:
    evil = '<script>alert("x")</script>'
    options = (replace(POINTS[0].options[1], title=evil),)
    asked = pace((replace(POINTS[0], title=evil, options=options), *POINTS[1:]), TWO, 1000, 0.15)
    reader = _read(pace_page(asked, TODAY, evil))
    assert "script" not in reader.tags
    assert evil in reader.text


@settings(max_examples=20, deadline=None)
@given(users=st.integers(1, 200_000), growth=st.floats(0.001, 3), people=st.integers(2, 5))
def test_everything_lies_inside_the_picture(users: int, growth: float, people: int) -> None:
    drawn = picture(_asked(users, growth, people), TODAY)
    left, right = GUTTER - 1e-6, WIDTH - RIGHT + 1e-6
    assert drawn.months
    for lane in drawn.lanes:
        for bar in (lane.early, lane.at_milestone):
            assert left <= bar.x <= bar.x + bar.width <= right + 2.0
            assert 0 <= bar.late <= bar.width
        assert left <= lane.start_x <= right
        assert left <= lane.due_x <= right
        assert 0 < lane.due_y < drawn.height
        assert lane.window.width >= lane.early.width - 2.0
    assert all(0 < tick.at < drawn.height for tick in drawn.users)

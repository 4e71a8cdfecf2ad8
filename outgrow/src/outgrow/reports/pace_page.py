"""``outgrow pace --html``: one self-contained page. Geometry is reckoned here; the template only draws it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from outgrow.quantities import Interval
from outgrow.reports.pace_words import (
    due_text,
    give_words,
    gives_shown,
    growth_text,
    label,
    limit_text,
    mark,
    month_text,
    people_text,
    span_text,
    start_text,
    team_text,
    useless_text,
    users_text,
    verdict,
    weeks_text,
)
from outgrow.schedule.limit import State, doublings_a_month, users_after
from outgrow.schedule.pace import OptionPace, Pace, PointPace, Rewrite

WIDTH, GUTTER, RIGHT = 1080.0, 196.0, 24.0
_CURVE_TOP, _CURVE_BOTTOM = 34.0, 214.0
_LANE_TOP, _LANE, _LANE_TEXT = 236.0, 64.0, 240.0
_TICK_ROOM = 96.0
_TICKS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000)
_STRIP_LOW, _STRIP_HIGH, STRIP_WIDTH = 0.02, 1.0, 220.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A rewrite under one assumption, in pixels from ``x``; the last ``late`` of ``width`` lie beyond the due line."""

    x: float
    width: float
    late: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One chosen rewrite in the picture. ``window`` reaches from the earliest start to the end of a latest start."""

    name: str
    weeks: str
    y: float
    due_x: float
    due_y: float
    due_users: str
    past: bool
    early: Bar
    at_milestone: Bar
    window: Bar
    start_x: float
    start: str
    start_anchor: str
    late: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick with up to two lines of text."""

    at: float
    text: str
    below: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The growth line above, a lane a rewrite below, one time axis for both. All in pixels."""

    width: float
    height: float
    left: float
    right: float
    lanes: tuple[Lane, ...]
    line: tuple[float, float, float, float]
    months: tuple[Tick, ...]
    users: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """A growth limit as a bar on the shared logarithmic axis of growth: from ``x``, ``width`` wide."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """One option in the table."""

    name: str
    chosen: bool
    weeks: str
    at_milestone: str
    at_milestone_state: State
    early: str
    early_state: State
    start: str
    at_milestone_strip: Strip
    early_strip: Strip


def pace_page(pace: Pace, today: date, command: str = "") -> str:
    """The page as HTML text: no script, nothing fetched, light and dark.

    Args:
        today: the day months count from. command: what makes this page again, shown at its foot.
    """
    source = files("outgrow.reports").joinpath("templates", "pace.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["mark"] = mark
    environment.filters["px"] = lambda value: f"{value:.1f}".removesuffix(".0")
    gives, which = gives_shown(pace)
    words = [(give, give_words(give, pace), limit_text(give.limit)) for give in gives if give.helps]
    said = verdict(pace, today)
    return environment.from_string(source).render(
        pace=pace,
        said=said,
        tone="no" if pace.past or said.code in ("not-carried", "nobody-free") else _TONES.get(said.code, "at-best"),
        users=f"{pace.users:,.0f}",
        growth=growth_text(pace.growth_per_month),
        people=people_text(pace.rules.people),
        team=team_text(pace.rules),
        today=f"{today.day} {today:%B %Y}",
        picture=picture(pace, today) if pace.early.rewrites else None,
        groups=[
            (point, due_text(point, today), [_row(option, point, today) for option in point.options])
            for point in pace.points
        ],
        dated=pace.ever_reached and pace.rules.hands > 0,
        strip_width=STRIP_WIDTH,
        strip_ticks=[Tick(_strip_x(ratio), growth_text(ratio)) for ratio in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)],
        growth_x=_strip_x(pace.growth_per_month) if pace.ever_reached else None,
        gives=words,
        which=which,
        useless=useless_text(gives, pace),
        command=command,
    )


_TONES = {"carried": "yes", "never-reached": "yes"}


def picture(pace: Pace, today: date) -> Picture:
    """The geometry of the timeline; the plans must have rewrites."""
    both = (*pace.early.rewrites, *pace.at_milestone.rewrites)
    horizon = 1.03 * max(max(rewrite.due_months, rewrite.finish_months.high) for rewrite in both)
    rate = doublings_a_month(pace.growth_per_month)
    top_doublings = rate * horizon

    def x(months: float) -> float:
        return GUTTER + months / horizon * (WIDTH - GUTTER - RIGHT)

    def y(doublings: float) -> float:
        return _CURVE_BOTTOM - min(max(doublings / top_doublings, 0.0), 1.0) * (_CURVE_BOTTOM - _CURVE_TOP)

    lanes = tuple(
        _lane(point, early, late, _LANE_TOP + index * _LANE, x, y(rate * early.due_months), today)
        for index, (point, early, late) in enumerate(
            zip(pace.points, pace.early.rewrites, pace.at_milestone.rewrites, strict=True)
        )
    )
    step = next((tick for tick in _TICKS_MONTHS if horizon / tick <= 7), _TICKS_MONTHS[-1])
    months = [
        Tick(x(at), month_text(today, at) if at else "now", f"{users_text(users_after(rate * at, pace.users))} users")
        for at in range(0, int(horizon) + 1, step)
        if (at == 0 or x(at) > GUTTER + _TICK_ROOM) and x(at) < WIDTH - RIGHT - _TICK_ROOM / 3
    ]
    return Picture(
        width=WIDTH,
        height=_LANE_TOP + len(lanes) * _LANE + 52,
        left=GUTTER,
        right=WIDTH - RIGHT,
        lanes=lanes,
        line=(GUTTER, y(0), WIDTH - RIGHT, y(top_doublings)),
        months=tuple(months),
        users=tuple(
            Tick(y(math.log2(users / pace.users)), f"{users:,}") for users in _round_users(pace.users, top_doublings)
        ),
    )


def _lane(
    point: PointPace, early: Rewrite, late: Rewrite, top: float, x: Callable[[float], float], due_y: float, today: date
) -> Lane:
    chosen = next(option for option in point.options if option.chosen)
    window = chosen.window
    assert window is not None  # a plan with rewrites has one for every option
    length = early.finish_months.high - early.start_months
    start_x = x(window.latest_months)
    fits_before = start_x - GUTTER > _LANE_TEXT
    return Lane(
        name=label(point, chosen),
        weeks=f"{weeks_text(chosen.weeks)} weeks",
        y=top,
        due_x=x(early.due_months),
        due_y=due_y,
        due_users=f"{point.point.complete_before:,.0f}",
        past=point.past,
        early=_bar(early, x),
        at_milestone=_bar(late, x),
        window=Bar(x(window.earliest_months), x(window.latest_months + length) - x(window.earliest_months), 0.0),
        start_x=start_x,
        start=_lane_text(chosen, point, today),
        start_anchor="end" if fits_before else "start",
        late=f"{span_text(late.late_months)} late" if late.late_months and not point.past else "",
    )


def _lane_text(option: OptionPace, point: PointPace, today: date) -> str:
    start = start_text(option, point, today)
    if point.past or option.early_state == "no":
        return start
    return f"start {start}" if start.startswith("now") else f"start by {start}"


def _bar(rewrite: Rewrite, x: Callable[[float], float]) -> Bar:
    start, finish = x(rewrite.start_months), x(rewrite.finish_months.high)
    late = finish - max(start, x(rewrite.due_months)) if rewrite.late_months else 0.0
    return Bar(start, max(finish - start, 2.0), max(0.0, late))


def _row(option: OptionPace, point: PointPace, today: date) -> Row:
    name, title = option.option.option, option.option.title
    return Row(
        name=title if len(name) > 2 or name == title else f"{name} {title}",
        chosen=option.chosen,
        weeks=weeks_text(option.weeks),
        at_milestone="past" if point.past else limit_text(option.at_milestone),
        at_milestone_state=option.at_milestone_state,
        early="past" if point.past else limit_text(option.early),
        early_state=option.early_state,
        start=start_text(option, point, today),
        at_milestone_strip=_strip(option.at_milestone),
        early_strip=_strip(option.early),
    )


def _strip(limit: Interval) -> Strip:
    low, high = _strip_x(limit.low), _strip_x(limit.high)
    return Strip(low, max(high - low, 5.0))


def _strip_x(growth: float) -> float:
    """Pixels from the left of the axis of growth, logarithmic; what lies beyond an end is put there."""
    inside = min(max(growth, _STRIP_LOW), _STRIP_HIGH)
    return math.log(inside / _STRIP_LOW) / math.log(_STRIP_HIGH / _STRIP_LOW) * STRIP_WIDTH


def _round_users(users: float, doublings: float) -> list[int]:
    """Round numbers of users within the picture: 1, 2 and 5 times powers of ten, or the powers alone."""
    first, last = math.log10(users), math.log10(users) + doublings * math.log10(2)
    steps = (1, 2, 5) if last - first < 2.5 else (1,)
    every = max(1, math.ceil((last - first) / 6))
    exponents = range(math.floor(first), math.floor(last) + 1, every)
    return [step * 10**power for power in exponents for step in steps if first <= math.log10(step * 10**power) <= last]

"""The picture of a plan: a row a rewrite, from its start to its finish, against the wall it must not meet."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import altair as alt

from outgrow.charts.marks import Align, Frame, Row, chart, milliseconds, month_ticks, nothing, panel, shortened, words
from outgrow.charts.plan_legend import Sign, plan_legend
from outgrow.charts.style import DARK, LIGHT, Palette, config
from outgrow.points.declaration import TimeOff
from outgrow.schedule.records import Plan, PlannedRewrite

WIDTH, ROW = 860, 66
LINE_CHARACTERS = 150
_BAR, _BAND = 17.0, 50.0
_LABEL_CHARACTERS = 30


@dataclass(frozen=True, slots=True)
class RowWords:
    """What stands beside a row: name and who on the left, chance and need on the right; ``sentence`` says it all."""

    name: str
    who: str
    chance: str
    needed: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PlanWords:
    """What stands around the picture: ``answer`` and ``asked`` as sentences, a ``RowWords`` for each rewrite."""

    title: str
    answer: str
    asked: str
    rows: tuple[RowWords, ...]


def plan_picture(
    plan: Plan, said: PlanWords, time_off: Sequence[TimeOff] = (), *, dark: bool = False
) -> alt.LayerChart:
    """A plan as a picture of about 1,200 pixels across.

    Each row has a bar from the planned start to the middle finish with whiskers at 10 and 90 %, behind it the days on
    which the rewrite may be under way, its wall as a band (10–90 %, a line at 50 %), prototype and decide-by; freezes
    and absences are shaded through all rows.

    Args:
        plan: the record.
        said: its words, the rows in the order of its rewrites.
        time_off: absences and freezes.
        dark: dark paper in place of white.
    """
    palette = DARK if dark else LIGHT
    lines = subtitle(plan, said)
    height = max(1, len(plan.rewrites)) * ROW
    first, last = plan.made_on - timedelta(days=7), _last_day(plan)
    frame = Frame(milliseconds(first), milliseconds(last), height, 0, WIDTH, height)
    off = [one for one in time_off if one.to >= first and one.from_ <= last]
    if plan.rewrites:
        bands, edges = _walls(plan, frame, palette)
        layers = [
            *_ground(plan, frame, first, last, palette),
            *_closed(off, frame, palette),
            *bands,
            *_bars(plan, frame, palette),
            *edges,
            *_today(plan.made_on, frame, palette),
            *_labels(said, frame, palette),
            *plan_legend(_signs(plan, off), frame.width + 130.0, frame.height + 44.0, palette),
        ]
        picture = panel(layers, WIDTH, height)
    else:
        picture = nothing("no rewrite is planned", WIDTH, height, [], palette)
    heading = alt.TitleParams(
        shortened(said.title, 90),
        subtitle=lines,
        fontSize=20,
        fontWeight="bold",
        subtitleFontSize=13,
        subtitleLineHeight=18,
        offset=30,
        subtitlePadding=8,
    )
    described: alt.LayerChart = picture.properties(
        title=heading,
        description=" ".join([f"{said.title}.", *lines, *(row.sentence for row in said.rows)]),
        config=alt.Config(**config(palette)),
    )
    return described


def subtitle(plan: Plan, said: PlanWords) -> list[str]:
    """The answer, what was asked, and what a reader must know of where it comes from."""
    source = [f"{said.asked} · made {plan.made_on.day} {plan.made_on:%b %Y}", rehearsal_text(plan)]
    return [part for line in (said.answer, *source) for part in textwrap.wrap(line, LINE_CHARACTERS)]


def rehearsal_text(plan: Plan) -> str:
    """That history is simulated, or time runs faster; empty for what is real."""
    parts = ["made with simulated history"] if plan.simulated else []
    return " · ".join([*parts, f"time scale {plan.time_scale}"] if plan.time_scale else parts)


def _last_day(plan: Plan) -> date:
    """What is planned and its walls at 50 %; of the walls' doubt what is not much further away."""
    planned = [day for one in plan.rewrites for day in (*one.finish, one.start_window[1], one.wall[1]) if day]
    end = max([*planned, plan.made_on + timedelta(days=28)])
    near = end + (end - plan.made_on) / 4
    walls = [one.wall[2] for one in plan.rewrites if one.wall[2] is not None and one.wall[2] <= near]
    return max([end, *walls]) + timedelta(days=14)


def _x(field: str, frame: Frame, **more: Any) -> alt.X:
    return alt.X(f"{field}:T", scale=_time_scale(frame), title=None, **more)


def _time_scale(frame: Frame) -> alt.Scale:
    return alt.Scale(type="utc", domain=[frame.left, frame.right], nice=False)


def _y(field: str, height: int) -> alt.Y:
    """Pixels, counted from above, as a scale: so that one layer draws all rows."""
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)


def _centre(index: int) -> float:
    return (index + 0.5) * ROW


def _ground(plan: Plan, frame: Frame, first: date, last: date, palette: Palette) -> list[alt.Chart]:
    """Lines between the rows, and months along the top."""
    ticks = month_ticks(first, last, 12)
    axis = alt.Axis(
        orient="top",
        values=[milliseconds(day) for day in ticks],
        format="%b %Y",
        grid=True,
        gridColor=palette.grid,
        domain=False,
        ticks=False,
        labelAlign="left",
        labelOffset=0,
        labelPadding=10,
    )
    invisible = chart([{"time": frame.left, "y": 0}]).mark_point(opacity=0)
    months = invisible.encode(x=_x("time", frame, axis=axis), y=_y("y", frame.height))
    between = chart([{"y": index * ROW} for index in range(len(plan.rewrites) + 1)])
    lines = between.mark_rule(color=palette.grid, strokeWidth=1.2)
    return [months, lines.encode(x=alt.value(0), x2=alt.value(frame.width), y=_y("y", frame.height))]


def _closed(off: Sequence[TimeOff], frame: Frame, palette: Palette) -> list[alt.Chart]:
    """Freezes and absences, shaded through all rows."""
    layers: list[alt.Chart] = []
    for kind, opacity in (("freeze", 0.30), ("absence", 0.14)):
        rows: list[Row] = [
            {
                "from": max(milliseconds(one.from_), frame.left),
                "to": min(milliseconds(one.to + timedelta(days=1)), frame.right),
            }
            for one in off
            if one.kind == kind
        ]
        if rows:
            shade = chart(rows).mark_rect(color=palette.quiet_ink, opacity=opacity)
            layers.append(shade.encode(x=_x("from", frame), x2="to:T", y=alt.value(0), y2=alt.value(frame.height)))
    return layers


def _walls(plan: Plan, frame: Frame, palette: Palette) -> tuple[list[alt.Chart], list[alt.Chart]]:
    """The bands, which lie behind the bars, and the lines at 50 %, which lie before them."""
    bands: list[Row] = []
    middles: list[Row] = []
    beyond: list[Row] = []
    for index, one in enumerate(plan.rewrites):
        low, mid, high = one.wall
        if low is None or one.candidate.past or milliseconds(low) > frame.right:
            continue
        centre = _centre(index)
        edges = {"top": centre - _BAND / 2, "bottom": centre + _BAND / 2}
        end = frame.right if high is None else min(milliseconds(high), frame.right)
        bands.append({"from": milliseconds(low), "to": end, **edges})
        if high is None or milliseconds(high) > frame.right:
            beyond.append({"y": centre})
        if mid is not None and milliseconds(mid) <= frame.right:
            middles.append({"time": milliseconds(mid), **edges})
    vertical = {"y": _y("top", frame.height), "y2": "bottom:Q"}
    band = chart(bands).mark_rect(color=palette.breaks, opacity=0.17)
    line = chart(middles).mark_rule(color=palette.breaks, strokeWidth=2.6)
    arrow = chart(beyond).mark_point(shape="triangle-right", size=90, filled=True, color=palette.breaks, opacity=0.7)
    behind = [band.encode(x=_x("from", frame), x2="to:T", **vertical)] if bands else []
    before = [line.encode(x=_x("time", frame), **vertical)] if middles else []
    if beyond:
        before.append(arrow.encode(x=alt.value(frame.width), y=_y("y", frame.height)))
    return behind, before


def _bars(plan: Plan, frame: Frame, palette: Palette) -> list[alt.Chart]:
    possible: list[Row] = []
    planned: list[Row] = []
    whiskers: list[Row] = []
    caps: list[Row] = []
    prototypes: list[Row] = []
    decisions: list[Row] = []
    for index, one in enumerate(plan.rewrites):
        y = _centre(index)
        last = next((day for day in reversed(one.finish) if day is not None), one.start)
        usual = one.finish[1] or last
        end = max(last, one.start_window[1] + (usual - one.start))
        bar = {"top": y - _BAR / 2, "bottom": y + _BAR / 2}
        possible.append({"from": milliseconds(one.start_window[0]), "to": min(milliseconds(end), frame.right), **bar})
        planned.append({"from": milliseconds(one.start), "to": min(milliseconds(usual), frame.right), **bar})
        if one.finish[0] is not None:
            ends = (milliseconds(one.finish[0]), min(milliseconds(last), frame.right))
            whiskers.append({"from": ends[0], "to": ends[1], "y": y})
            caps += [{"time": at, "top": y - 5, "bottom": y + 5} for at in ends]
        if one.prototype is not None:
            times = {"from": milliseconds(one.prototype.start), "to": milliseconds(one.prototype.finish)}
            prototypes.append({**times, "y": y, "calm": one.prototype.calm})
        if one.decide_by is not None and _is_open(one, plan):
            decisions.append({"time": milliseconds(one.decide_by), "y": y + 19})
    vertical = {"y": _y("top", frame.height), "y2": "bottom:Q"}
    row = {"y": _y("y", frame.height)}
    layers = [
        chart(possible)
        .mark_rect(color=palette.users, opacity=0.16, cornerRadius=3, clip=True)
        .encode(x=_x("from", frame), x2="to:T", **vertical),
        chart(planned)
        .mark_rect(color=palette.users, cornerRadius=3, clip=True)
        .encode(x=_x("from", frame), x2="to:T", **vertical),
        chart(whiskers)
        .mark_rule(color=palette.ink, strokeWidth=1.6, clip=True)
        .encode(x=_x("from", frame), x2="to:T", **row),
        chart(caps).mark_rule(color=palette.ink, strokeWidth=1.6, clip=True).encode(x=_x("time", frame), **vertical),
    ]
    for calm in (True, False):
        own = [one for one in prototypes if one["calm"] is calm]
        if own:
            sign = chart(own).mark_point(
                shape="diamond", size=90, filled=calm, color=palette.ramp, strokeWidth=2, opacity=1
            )
            layers.append(sign.encode(x=_x("from", frame), **row))
    if decisions:
        mark = chart(decisions).mark_point(shape="triangle-up", size=70, filled=True, color=palette.act, opacity=1)
        layers.append(mark.encode(x=_x("time", frame), **row))
    return layers


def _signs(plan: Plan, off: Sequence[TimeOff]) -> set[Sign]:
    """What the picture holds beside bars and walls, for the legend."""
    signs: set[Sign] = {one.kind for one in off}
    signs |= {"calm" if one.prototype.calm else "restless" for one in plan.rewrites if one.prototype is not None}
    return signs | ({"decide"} if any(_is_open(one, plan) for one in plan.rewrites) else set())


def _is_open(one: PlannedRewrite, plan: Plan) -> bool:
    """Whether the day to decide by is still to come."""
    return one.decide_by is not None and one.candidate.decided is None and one.decide_by >= plan.made_on


def _today(made_on: date, frame: Frame, palette: Palette) -> list[alt.Chart]:
    line = chart([{"time": milliseconds(made_on)}]).mark_rule(color=palette.quiet_ink, strokeWidth=1.2)
    x = frame.x(milliseconds(made_on))
    return [
        line.encode(x=_x("time", frame), y=alt.value(0), y2=alt.value(frame.height + 6)),
        *words("today", x, frame.height + 16, palette.quiet_ink, palette, align="center"),
    ]


def _labels(said: PlanWords, frame: Frame, palette: Palette) -> list[alt.Chart]:
    """What and who on the left, the chance on the right."""
    columns: list[tuple[str, float, Align, str, Literal["normal", "bold"], float]] = [
        ("name", -14, "right", palette.ink, "bold", -9),
        ("who", -14, "right", palette.quiet_ink, "normal", 9),
        ("chance", frame.width + 14, "left", palette.ink, "bold", -9),
        ("needed", frame.width + 14, "left", palette.quiet_ink, "normal", 9),
    ]
    layers = []
    for field, x, align, color, weight, down in columns:
        rows: list[Row] = [
            {"y": _centre(index) + down, "words": shortened(getattr(row, field), _LABEL_CHARACTERS)}
            for index, row in enumerate(said.rows)
        ]
        text = chart(rows).mark_text(align=align, baseline="middle", color=color, fontWeight=weight, fontSize=12)
        layers.append(text.encode(x=alt.value(x), y=_y("y", frame.height), text="words:N"))
    return layers

"""The picture of what a plan costs: the monthly bill over time, and over users; what nobody knows is hatched."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import altair as alt

from outgrow.charts.marks import (
    Frame,
    Row,
    chart,
    hatching,
    milliseconds,
    month_ticks,
    nothing,
    panel,
    shortened,
    words,
)
from outgrow.charts.plan import rehearsal_text
from outgrow.charts.style import DARK, LIGHT, Palette, config
from outgrow.quantities import significant
from outgrow.schedule.records import CostPoint, Plan

WIDTH, HEIGHT = 500, 300
LINE_CHARACTERS = 150
_CHARACTER = 6.2


@dataclass(frozen=True, slots=True)
class CostWords:
    """What stands around the picture; ``names`` gives each option in place (point/option) a name to show."""

    title: str
    asked: str
    facts: tuple[str, ...]
    currency: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Points of the path with the same options in place: positions on the axis, and the bill where it is known.

    ``bills`` are (position, money a month); empty where the bill is unknown. ``end`` is where the next one begins.
    """

    start: float
    end: float
    bills: tuple[tuple[float, float], ...]
    option: str

    @property
    def known(self) -> bool:
        """Whether there is a bill to draw."""
        return bool(self.bills)


def cost_picture(plan: Plan, said: CostWords, *, dark: bool = False) -> alt.HConcatChart:
    """The bill along a plan as a picture of about 1,200 × 480 pixels.

    Steps where an option comes into place; stretches of which nobody knows the bill are hatched and say so. With a
    part that grows with users unknown, the known part is drawn and the subtitle says so.
    """
    palette = DARK if dark else LIGHT
    lines = subtitle(plan, said)
    title = alt.TitleParams(
        shortened(said.title, 90),
        subtitle=lines,
        fontSize=20,
        fontWeight="bold",
        subtitleFontSize=13,
        subtitleLineHeight=18,
        offset=18,
        subtitlePadding=8,
    )
    return alt.HConcatChart(
        hconcat=[_over_time(plan, said, palette), _over_users(plan, said, palette)],
        spacing=70,
        title=title,
        description=" ".join([f"{said.title}.", *lines, *_sentences(plan.cost.path, said)]),
        config=alt.Config(**config(palette)),
    )


def subtitle(plan: Plan, said: CostWords) -> list[str]:
    """What it rests on, and what is not in it."""
    lines = [f"{said.asked} · made {plan.made_on.day} {plan.made_on:%b %Y}", rehearsal_text(plan), *said.facts]
    if any(not point.growing_known and point.monthly is not None for point in plan.cost.path):
        lines.append("The part of the bill that grows with users is not declared: only the known part is drawn.")
    return [part for line in lines for part in textwrap.wrap(line, LINE_CHARACTERS)]


def stretches(path: Sequence[CostPoint], positions: Sequence[float]) -> list[Stretch]:
    """The path cut where options change or knowledge does; ``positions`` place its points on an axis."""
    found: list[Stretch] = []
    first = 0
    for index in range(1, len(path) + 1):
        if index < len(path) and _same(path[first], path[index]):
            continue
        bills = tuple(
            (place, point.monthly)
            for place, point in zip(positions[first:index], path[first:index], strict=True)
            if point.monthly is not None
        )
        option = path[first].with_options[-1] if path[first].with_options else ""
        end = positions[index] if index < len(path) else positions[-1]
        found.append(Stretch(positions[first], end, bills, option))
        first = index
    return found


def _same(one: CostPoint, other: CostPoint) -> bool:
    return one.with_options == other.with_options and (one.monthly is None) == (other.monthly is None)


def _over_time(plan: Plan, said: CostWords, palette: Palette) -> alt.LayerChart:
    path = plan.cost.path
    title = _heading(f"{said.currency} a month, over time", palette)
    if len(path) < 2 or all(point.monthly is None for point in path):
        return nothing(f"the bill is not declared: {_why(plan)}", WIDTH, HEIGHT, title, palette)
    positions = [milliseconds(point.at) for point in path]
    frame = Frame(positions[0], positions[-1], 0.0, _top(path), WIDTH, HEIGHT)
    ticks = [milliseconds(day) for day in month_ticks(path[0].at, path[-1].at, 6)]
    axis = alt.Axis(values=ticks, format="%b %Y", labelFlush=False)
    scale = alt.Scale(type="utc", domain=[frame.left, frame.right], nice=False)
    x = alt.X("at:T", title=None, scale=scale, axis=axis)
    return _panel(stretches(path, positions), x, "T", frame, said, palette, title)


def _over_users(plan: Plan, said: CostWords, palette: Palette) -> alt.LayerChart:
    title = _heading(f"{said.currency} a month, over users", palette)
    path = [point for index, point in enumerate(plan.cost.path) if _rises(plan.cost.path, index)]
    if len(path) < 2 or all(point.monthly is None for point in path):
        return nothing("users do not grow, or the bill is not declared", WIDTH, HEIGHT, title, palette)
    positions = [math.log10(point.users.mid) for point in path]
    frame = Frame(positions[0], positions[-1], 0.0, _top(path), WIDTH, HEIGHT)
    values = [math.log10(users) for users in users_ticks(path[0].users.mid, path[-1].users.mid)]
    axis = alt.Axis(values=values, labelExpr="format(round(pow(10, datum.value)), ',')")
    x = alt.X("at:Q", title="users", scale=alt.Scale(domain=[frame.left, frame.right], nice=False), axis=axis)
    return _panel(stretches(path, positions), x, "Q", frame, said, palette, title)


def users_ticks(low: float, high: float) -> list[float]:
    """Round numbers of users between two, few enough to be read on a logarithmic axis."""
    for factors in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10)), tuple(step / 4 for step in range(4, 40))):
        marks = [factor * 10.0**power for power in range(15) for factor in factors]
        found = [mark for mark in marks if low <= mark <= high]
        if len(found) >= 4:
            return found
    return [low, high]


def _heading(text: str, palette: Palette) -> list[alt.Chart]:
    return words(text, 0, -22, palette.ink, palette, size=13, weight="bold")


def _rises(path: Sequence[CostPoint], index: int) -> bool:
    """Whether the middle path has more users here than anywhere before: each number of users has one bill."""
    users = path[index].users.mid
    return users > 0 and math.isfinite(users) and all(users > earlier.users.mid for earlier in path[:index])


def _top(path: Sequence[CostPoint]) -> float:
    return 1.22 * max(max((point.monthly or 0.0 for point in path), default=0.0), 1.0)


def _panel(
    parts: Sequence[Stretch],
    x: alt.X,
    kind: str,
    frame: Frame,
    said: CostWords,
    palette: Palette,
    title: list[alt.Chart],
) -> alt.LayerChart:
    y = alt.Y(
        "money:Q",
        title=None,
        scale=alt.Scale(domain=[0, frame.top], nice=False),
        axis=alt.Axis(format=",~d" if frame.top < 1e6 else "~s", tickCount=5),
    )
    ground = chart([{"at": frame.left, "money": 0}]).mark_point(opacity=0).encode(x=x, y=y)
    layers: list[alt.Chart] = [ground, *title]
    for part in _joined(parts):
        layers += _hatched(part, frame, said, palette, kind)
    layers += _steps(parts, kind, palette)
    layers += _step_labels(parts, frame, said, palette)
    return panel(layers, frame.width, frame.height)


def _joined(parts: Sequence[Stretch]) -> list[tuple[Stretch, ...]]:
    """Neighbouring unknown stretches as one."""
    groups: list[tuple[Stretch, ...]] = []
    for index, part in enumerate(parts):
        if part.known:
            continue
        if index and not parts[index - 1].known:
            groups[-1] = (*groups[-1], part)
        else:
            groups.append((part,))
    return groups


def _hatched(group: tuple[Stretch, ...], frame: Frame, said: CostWords, palette: Palette, kind: str) -> list[alt.Chart]:
    left, right = frame.x(group[0].start), frame.x(group[-1].end)
    diagonals = chart(hatching(group[0].start, group[-1].end, frame))
    hatch = diagonals.mark_rule(color=palette.quiet_ink, opacity=0.28, strokeWidth=1)
    layers = [hatch.encode(x=f"x:{kind}", x2=f"x2:{kind}", y=alt.Y("y:Q"), y2="y2:Q")]
    names = [said.names.get(part.option, part.option) or "what is there now" for part in group]
    room = max(6, int((right - left - 10) / _CHARACTER))
    lines = ["unknown", *(shortened(name, room) for name in dict.fromkeys(names))] if right - left > 50 else ["?"]
    middle = (left + right) / 2
    return [*layers, *words(lines, middle, frame.height / 2, palette.quiet_ink, palette, align="center")]


def _steps(parts: Sequence[Stretch], kind: str, palette: Palette) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    for part in parts:
        if not part.known:
            continue
        bills = [*part.bills, (part.end, part.bills[-1][1])] if part.end > part.bills[-1][0] else list(part.bills)
        rows: list[Row] = [{"at": at, "money": money} for at, money in bills]
        area = chart(rows).mark_area(color=palette.users, opacity=0.16, interpolate="linear")
        line = chart(rows).mark_line(color=palette.users, strokeWidth=2.6, interpolate="linear")
        encoding: dict[str, Any] = {"x": f"at:{kind}", "y": alt.Y("money:Q")}
        layers += [area.encode(**encoding), line.encode(**encoding)]
    for before, after in pairwise(parts):
        if before.known and after.known:
            ends = {"at": after.start, "low": before.bills[-1][1], "high": after.bills[0][1]}
            rise = chart([ends]).mark_rule(color=palette.users, strokeWidth=2.6)
            layers.append(rise.encode(x=f"at:{kind}", y=alt.Y("low:Q"), y2="high:Q"))
    return layers


def _step_labels(parts: Sequence[Stretch], frame: Frame, said: CostWords, palette: Palette) -> list[alt.Chart]:
    """The bill and its option above the beginning of each known stretch."""
    layers: list[alt.Chart] = []
    for part in parts:
        if not part.known:
            continue
        at, money = part.bills[0]
        room = max(26, int((frame.x(part.end) - frame.x(at) - 8) / _CHARACTER))
        name = shortened(said.names.get(part.option, part.option) or "as it is now", room)
        figure = f"{significant(money)} {said.currency}"
        wide = _CHARACTER * max(len(name), len(figure))
        start, end = frame.x(at), frame.x(part.end)
        left = start + 4 if wide + 8 <= end - start or end >= frame.width else max(end - wide - 8, 4.0)
        left = min(left, frame.width - wide)
        y = max(frame.y(money) - 24, 10)
        layers += words([name, figure], left, y, palette.ink, palette)
    return layers


def _sentences(path: Sequence[CostPoint], said: CostWords) -> list[str]:
    """Each stretch in words, for those who do not see the picture."""
    told = []
    for part in stretches(path, [milliseconds(point.at) for point in path]) if path else []:
        name = said.names.get(part.option, part.option) or "as it is now"
        bill = f"{significant(part.bills[0][1])} {said.currency} a month" if part.known else "unknown"
        told.append(f"From {_day(path, part.start)} ({name}): {bill}.")
    return told


def _day(path: Sequence[CostPoint], position: float) -> str:
    day: date = next(point.at for point in path if milliseconds(point.at) == position)
    return f"{day.day} {day:%b %Y}"


def _why(plan: Plan) -> str:
    return shortened(" ".join(plan.cost.unknown[0].split()), 60) if plan.cost.unknown else "costs"

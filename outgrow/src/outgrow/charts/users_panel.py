"""The large panel: users so far, the fan of what may come, the limit they run into and when."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import altair as alt
import numpy as np

from outgrow.charts.marks import (
    Align,
    Frame,
    Row,
    chart,
    edge_labels,
    heading,
    nothing,
    panel,
    rows_of,
    rule_across,
    words,
)
from outgrow.charts.style import Palette, round_users
from outgrow.outlook.records import Crossing, Forecast
from outgrow.outlook.sentences import day, span, users_text
from outgrow.quantities import DAY, MONTH, WEEK, YEAR, at_date

WIDTH, HEIGHT = 620, 440
FAR_OFF = 6.0  # a limit this many times above everything else is named at the edge, not drawn to scale
MILLISECONDS = 1000.0
CHARACTER = 6.4  # mean width of a character of a label, pixels


def users_panel(forecast: Forecast, palette: Palette, declared_users: float | None) -> alt.LayerChart:
    """Users over time.

    Args:
        forecast: what to draw; every part of it may be missing.
        palette: the colours.
        declared_users: the limit the team declared, in users; None where none is.
    """
    simulated = " (simulated history)" if "simulated" in forecast.origins else ""
    to_come = "" if forecast.fan is None else ", and 10 · 50 · 90 % of what may come"
    title = heading(f"Users{simulated}{to_come}", palette)
    if forecast.history is None and forecast.fan is None:
        return nothing("no user numbers yet", WIDTH, HEIGHT, title, palette)
    frame = _frame(forecast, declared_users)
    limit = forecast.breaks.users_at_limit
    layers: list[alt.Chart] = []
    if limit is not None and limit.low < frame.top:
        layers += _limit_band(forecast.breaks, frame, palette)
    layers += _users(forecast, palette)
    if declared_users is not None and declared_users <= frame.top:
        layers.append(rule_across(declared_users, "declared_users", palette.ink, dash=(6, 4)))
    warn = _separate_warning(forecast)
    if warn is not None and warn <= frame.top:
        layers.append(rule_across(warn, "warn_users", palette.warn, dash=(2, 3)))
    layers += _dates(forecast, frame, palette)
    layers += edge_labels(_limit_labels(forecast, declared_users, frame, palette), frame, palette)
    return _with_axes([*title, *layers], frame)


def _frame(forecast: Forecast, declared_users: float | None) -> Frame:
    """What part of time and of users is worth showing."""
    now, history, fan = forecast.made_at, forecast.history, forecast.fan
    crossing = forecast.breaks.crossing
    horizon = float(fan.times[-1]) if fan is not None and fan.times.size else now + YEAR / 2
    length = now - float(history.times[0]) if history is not None and len(history) else YEAR / 2
    ahead = max(0.5 * length, 26 * WEEK)
    if crossing is not None and math.isfinite(crossing.high):
        latest = crossing.high
    elif crossing is not None and math.isfinite(crossing.low):
        last = crossing.mid if math.isfinite(crossing.mid) else crossing.low
        latest = max(min(last + 0.6 * (last - now), horizon), last, now + ahead)
    else:
        latest = now + ahead
    right = max(latest + 0.08 * (latest - now), now + 0.25 * length)
    left = max(now - length, now - max(2.5 * (right - now), YEAR))
    if forecast.start_by is not None and left - 0.4 * (right - left) < forecast.start_by < left:
        left = forecast.start_by - 0.02 * (right - left)
    heights = [10.0]
    if history is not None and len(history):
        heights.append(float(history.values[history.times >= left].max(initial=0.0)))
    if fan is not None and fan.times.size:
        heights.append(float(fan.p50[fan.times <= right].max(initial=0.0)))
    limit = forecast.breaks.users_at_limit
    for value in (declared_users, None if limit is None else limit.low):
        if value is not None and value <= FAR_OFF * max(heights[:3]):
            heights.append(value * 1.1)
    if limit is not None and limit.low <= max(heights):
        heights.append(min(1.06 * limit.high, (1.7 if math.isinf(limit.mid) else 2.5) * limit.low))
    return Frame(left, right, 0.0, 1.06 * max(heights), WIDTH, HEIGHT)


def _separate_warning(forecast: Forecast) -> float | None:
    """Users at which the early threshold is reached, where that is told apart from the break."""
    warn = forecast.warn.users_at_limit
    if warn is None or forecast.warn.limit == forecast.breaks.limit or not math.isfinite(warn.mid):
        return None
    return warn.mid


def _limit_band(crossing: Crossing, frame: Frame, palette: Palette) -> list[alt.Chart]:
    """The users at the limit as a band over the whole width; open upwards where only its lower edge is known."""
    limit = crossing.users_at_limit
    if limit is None:
        return []
    band = chart([{"limit_low": limit.low, "limit_high": min(limit.high, frame.top)}])
    known = math.isfinite(limit.mid)
    fading = alt.LinearGradient(
        gradient="linear",
        x1=1,
        x2=1,
        y1=1,
        y2=0,
        stops=[alt.GradientStop(color=palette.breaks, offset=0), alt.GradientStop(color=palette.paper, offset=1)],
    )
    fill = band.mark_rect(color=palette.breaks if known else fading, opacity=0.13 if known else 0.22).encode(
        x=alt.value(0), x2=alt.value(frame.width), y=alt.Y("limit_low:Q"), y2="limit_high:Q"
    )
    return [fill, rule_across(limit.mid if known else limit.low, "limit_users", palette.breaks, width=1.8)]


def _users(forecast: Forecast, palette: Palette) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    fan, history = forecast.fan, forecast.history
    if fan is not None and fan.times.size:
        rows = rows_of(time=fan.times * MILLISECONDS, p10=fan.p10, p50=fan.p50, p90=fan.p90)
        spread_area = chart(rows).mark_area(color=palette.users, opacity=0.2, clip=True)
        layers.append(spread_area.encode(x="time:T", y=alt.Y("p10:Q"), y2="p90:Q"))
        middle = chart(rows).mark_line(color=palette.users, strokeWidth=2, strokeDash=[5, 3], clip=True)
        layers.append(middle.encode(x="time:T", y=alt.Y("p50:Q")))
    if history is not None and len(history):
        rows = rows_of(time=history.times * MILLISECONDS, users=history.values)
        line = chart(rows).mark_line(color=palette.users, strokeWidth=2.4, clip=True)
        layers.append(line.encode(x="time:T", y=alt.Y("users:Q")))
    return layers


def _dates(forecast: Forecast, frame: Frame, palette: Palette) -> list[alt.Chart]:
    """Today, the latest start, and the span on the axis in which the limit is crossed."""
    layers = _upright(forecast.made_at, "today", palette.quiet_ink, frame, palette, row=0, width=1.0)
    start = forecast.start_by
    if start is not None:
        late = ", already past" if start < forecast.made_at else ""
        text = f"start by {day(start)}{late}"
        if start < frame.left:
            layers += words(f"◂ {text}", 0, -30, palette.act, palette, weight="bold")
        else:
            layers += _upright(start, text, palette.act, frame, palette, row=1, width=2.0)
    crossing = forecast.breaks.crossing
    if crossing is not None and math.isfinite(crossing.low):
        layers += _crossing_span(forecast.breaks, frame, palette)
    return layers


def _upright(
    time: float, text: str, color: str, frame: Frame, palette: Palette, *, row: int, width: float
) -> list[alt.Chart]:
    x = frame.x(time)
    above = -12.0 - 18.0 * row
    line = chart([{"time": time * MILLISECONDS}]).mark_rule(color=color, strokeWidth=width)
    align: Align = "right" if x > frame.width - CHARACTER * len(text) else "left"
    label = words(
        text,
        x + (-5 if align == "right" else 5),
        above,
        color,
        palette,
        align=align,
        weight="bold" if row else "normal",
    )
    return [line.encode(x="time:T", y=alt.value(above - 8), y2=alt.value(frame.height)), *label]


def _crossing_span(breaks: Crossing, frame: Frame, palette: Palette) -> list[alt.Chart]:
    crossing = breaks.crossing
    if crossing is None:
        return []
    floor = frame.height - 7.0
    end = crossing.high if math.isfinite(crossing.high) else frame.right
    row: Row = {"crossing_low": crossing.low * MILLISECONDS, "crossing_high": end * MILLISECONDS}
    bar = chart([row]).mark_rule(color=palette.breaks, strokeWidth=9, strokeCap="round", opacity=0.45)
    layers = [bar.encode(x="crossing_low:T", x2="crossing_high:T", y=alt.value(floor))]
    if not math.isfinite(crossing.high):
        arrow = chart([{}]).mark_point(filled=True, shape="triangle-right", size=110, color=palette.breaks, opacity=0.8)
        layers.append(arrow.encode(x=alt.value(frame.width), y=alt.value(floor)))
    text = span(crossing.low, crossing.high)
    one_date = breaks.verdict == "dated" and math.isfinite(crossing.mid)
    centre = frame.x(crossing.mid if math.isfinite(crossing.mid) else crossing.low)
    if one_date:
        middle = chart([{"crossing": crossing.mid * MILLISECONDS}])
        dot = middle.mark_point(filled=True, size=90, color=palette.breaks, opacity=1)
        layers.append(dot.encode(x="crossing:T", y=alt.value(floor)))
        if breaks.users_at_limit is not None and math.isfinite(breaks.users_at_limit.mid):
            drop = middle.mark_rule(color=palette.breaks, strokeDash=[1, 3], strokeWidth=1.2)
            height = frame.y(breaks.users_at_limit.mid)
            layers.append(drop.encode(x="crossing:T", y=alt.value(height), y2=alt.value(floor)))
        text = f"crossed about {day(crossing.mid)}"
    half = CHARACTER * len(text) / 2
    place = min(max(centre, frame.x(crossing.low) + half), frame.width - half)
    return [*layers, *words(text, place, floor - 18, palette.breaks, palette, align="center", weight="bold")]


def _limit_labels(
    forecast: Forecast, declared_users: float | None, frame: Frame, palette: Palette
) -> list[tuple[float, list[str], str]]:
    labels: list[tuple[float, list[str], str]] = []
    limit = forecast.breaks.users_at_limit
    if limit is not None:
        open_top = not math.isfinite(limit.mid)
        up = "↑ " if limit.low >= frame.top else ""
        lines = (
            [f"{up}limit not before", f"{round_users(limit.low)} users"]
            if open_top
            else [f"{up}measured {round_users(limit.mid)}", users_text(limit).partition(" ")[2]]
        )
        labels.append((frame.y(limit.low if open_top else limit.mid), [line for line in lines if line], palette.breaks))
    warn = _separate_warning(forecast)
    if warn is not None:
        labels.append((frame.y(warn), [f"warns at {round_users(warn)}"], palette.warn))
    if declared_users is not None:
        up = "↑ " if declared_users > frame.top else ""
        labels.append((frame.y(declared_users), [f"{up}{round_users(declared_users)} declared"], palette.ink))
    return labels


def _with_axes(layers: list[alt.Chart], frame: Frame) -> alt.LayerChart:
    span = frame.right - frame.left
    months = _month_starts(frame.left, frame.right)
    ticks: dict[str, Any] = {"format": "%b %Y", "values": months} if len(months) > 3 else {"tickCount": 6}
    if not months:
        ticks["format"] = "%H:%M" if span < 3 * DAY else "%-d %b"
    x = alt.X(
        "time:T",
        title=None,
        scale=alt.Scale(type="utc", domain=[frame.left * MILLISECONDS, frame.right * MILLISECONDS], nice=False),
        axis=alt.Axis(**ticks),
    )
    y = alt.Y(
        "users:Q",
        title=None,
        scale=alt.Scale(domain=[0, frame.top], nice=False),
        axis=alt.Axis(format=",~d" if frame.top < 1e6 else "~s", tickCount=6),
    )
    ground = chart([{"time": frame.left * MILLISECONDS, "users": 0}]).mark_point(opacity=0).encode(x=x, y=y)
    return panel([ground, *layers], frame.width, frame.height)


def _month_starts(left: float, right: float) -> list[float]:
    """At most eight first days of months (milliseconds, UTC), evenly stepped; empty for spans under four months."""
    if right - left < 4 * MONTH:
        return []
    step = next((n for n in (1, 2, 3, 6, 12, 24, 60) if (right - left) / MONTH / n <= 7.5), 120)
    first, last = at_date(left), at_date(right)
    count = range(12 * first.year // step * step, 12 * last.year + last.month, step)
    starts = [datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC).timestamp() for n in count]
    return [start * MILLISECONDS for start in starts if left <= start <= right]


def history_span_text(forecast: Forecast) -> str:
    """How much history the picture rests on: ``52 weeks of users``; empty without any."""
    history = forecast.history
    if history is None or len(history) < 2:
        return ""
    return f"{round(float(np.ptp(history.times)) / WEEK)} weeks of users"

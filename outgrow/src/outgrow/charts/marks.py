"""Small pieces that panels are laid of: a frame in data and pixels, words with a halo, series thinned for drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import altair as alt
import numpy as np

from outgrow.charts.style import LABEL_SIZE, LINE_HEIGHT, Palette, spread
from outgrow.signals.series import FloatArray

Row = dict[str, Any]
Align = Literal["left", "center", "right"]
MOST_POINTS = 300
HEADING_AT = -58.0  # pixels above every panel, so that headings of neighbours stand on one line


@dataclass(frozen=True, slots=True)
class Frame:
    """The drawn part of the plane: data limits of both axes and the size in pixels."""

    left: float
    right: float
    bottom: float
    top: float
    width: int
    height: int

    def x(self, value: float) -> float:
        """Pixels from the left edge, kept inside the frame."""
        return min(max((value - self.left) / (self.right - self.left), 0.0), 1.0) * self.width

    def y(self, value: float) -> float:
        """Pixels from the upper edge, kept inside the frame."""
        return (1 - min(max((value - self.bottom) / (self.top - self.bottom), 0.0), 1.0)) * self.height


def chart(rows: Sequence[Row]) -> alt.Chart:
    """A chart over rows that travel inside the picture."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def rows_of(**columns: FloatArray) -> list[Row]:
    """Columns of equal length as rows, thinned evenly to at most ``MOST_POINTS`` (the last is always kept)."""
    size = len(next(iter(columns.values())))
    keep = np.unique(np.linspace(0, size - 1, min(size, MOST_POINTS)).round().astype(int)).tolist() if size else []
    return [{name: float(values[i]) for name, values in columns.items()} for i in keep]


def words(
    text: str | list[str],
    x: float,
    y: float,
    color: str,
    palette: Palette,
    *,
    align: Align = "left",
    size: int = LABEL_SIZE,
    weight: Literal["normal", "bold"] = "normal",
    halo: bool = True,
) -> list[alt.Chart]:
    """Text at a pixel, with a halo in the colour of the paper so that it stays readable on lines."""
    lines = [text] if isinstance(text, str) else text
    first = y - (len(lines) - 1) * LINE_HEIGHT / 2
    layers = []
    for behind in (True, False) if halo else (False,):
        look: dict[str, Any] = {"color": color}
        if behind:
            look = {"color": palette.paper, "stroke": palette.paper, "strokeWidth": 4, "strokeJoin": "round"}
        mark = chart([{}]).mark_text(
            text=lines if len(lines) > 1 else lines[0],
            align=align,
            baseline="middle",
            fontSize=size,
            fontWeight=weight,
            lineHeight=LINE_HEIGHT,
            aria=not behind,
            **look,
        )
        layers.append(mark.encode(x=alt.value(x), y=alt.value(first)))
    return layers


def edge_labels(
    labels: Sequence[tuple[float, list[str], str]], frame: Frame, palette: Palette, *, gap: float = 10
) -> list[alt.Chart]:
    """Labels beside the right edge, each as near its height (pixels) as the others allow."""
    wanted = [(y, len(lines) * LINE_HEIGHT + 6) for y, lines, _ in labels]
    centres = spread(wanted, -8.0, frame.height + 8.0)
    layers: list[alt.Chart] = []
    for centre, (_, lines, color) in zip(centres, labels, strict=True):
        layers += words(lines, frame.width + gap, centre, color, palette)
    return layers


def rule_across(value: float, field: str, color: str, *, dash: Sequence[float] = (), width: float = 1.4) -> alt.Chart:
    """A horizontal line at ``value``."""
    line = chart([{field: value}]).mark_rule(color=color, strokeDash=list(dash), strokeWidth=width)
    encoded: alt.Chart = line.encode(y=alt.Y(f"{field}:Q"))
    return encoded


def heading(text: str, palette: Palette) -> list[alt.Chart]:
    """What a panel shows, above it."""
    return words(text, 0, HEADING_AT, palette.ink, palette, size=13, weight="bold")


def nothing(text: str, width: int, height: int, title: list[alt.Chart], palette: Palette) -> alt.LayerChart:
    """A panel that has nothing to show, and says so."""
    ground = chart([{}]).mark_rect(color=palette.grid, opacity=0.5)
    placed = ground.encode(x=alt.value(0), x2=alt.value(width), y=alt.value(0), y2=alt.value(height))
    note = words(text, width / 2, height / 2, palette.quiet_ink, palette, align="center", halo=False)
    return panel([placed, *title, *note], width, height)


def panel(layers: Sequence[alt.Chart], width: int, height: int) -> alt.LayerChart:
    """Layers on one frame, the first at the bottom."""
    return alt.LayerChart(layer=list(layers), width=width, height=height)


def month_ticks(first: date, last: date, most: int) -> list[date]:
    """At most ``most`` first days of months between two days, evenly stepped and on round months."""
    months = 12 * (last.year - first.year) + last.month - first.month
    step = next((n for n in (1, 2, 3, 6, 12, 24, 60, 120) if months / n <= most), 600)
    count = range(-(-(12 * first.year + first.month) // step) * step, 12 * last.year + last.month, step)
    return [date(n // 12, n % 12 + 1, 1) for n in count]


def milliseconds(day: date) -> float:
    """A day's beginning (UTC) as Vega counts time."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000


def shortened(text: str, most: int) -> str:
    """The text, cut with an ellipsis beyond ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def hatching(left: float, right: float, frame: Frame, step: float = 9.0) -> list[Row]:
    """Diagonals that fill the frame between two values of x, as rows x, y, x2, y2 in data: what is not known."""
    start, end, rows = frame.x(left), frame.x(right), []
    for number in range(int((end - start + frame.height) / step) + 1):
        foot = start - frame.height + number * step  # where the diagonal meets the lower edge
        low, high = max(foot, start), min(foot + frame.height, end)
        if low < high:
            rise = (frame.top - frame.bottom) / frame.height
            rows.append(
                {
                    "x": frame.left + low / frame.width * (frame.right - frame.left),
                    "x2": frame.left + high / frame.width * (frame.right - frame.left),
                    "y": frame.bottom + (low - foot) * rise,
                    "y2": frame.bottom + (high - foot) * rise,
                }
            )
    return rows

"""How every picture looks: two palettes safe for colour-blind readers, one typeface, units on axes, dates in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.quantities import HOUR, significant

FONT = "Roboto, 'Helvetica Neue', Arial, sans-serif"
LABEL_SIZE = 12
LINE_HEIGHT = 15.0


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by their role, near Okabe and Ito's (jfly.uni-koeln.de/color), which colour-blind readers tell apart."""

    paper: str
    ink: str
    quiet_ink: str
    grid: str
    users: str
    curve: str
    ramp: str
    warn: str
    breaks: str
    act: str


LIGHT = Palette(
    paper="#ffffff",
    ink="#1f2933",
    quiet_ink="#66727f",
    grid="#e9edf1",
    users="#0072b2",
    curve="#5b6b7b",
    ramp="#8a4f7d",
    warn="#a87400",
    breaks="#c04f00",
    act="#00795a",
)
DARK = Palette(
    paper="#14191f",
    ink="#e6ebf0",
    quiet_ink="#94a1ae",
    grid="#262e37",
    users="#56b4e9",
    curve="#a9b6c3",
    ramp="#d79cc4",
    warn="#e6b84a",
    breaks="#ff9557",
    act="#3fcf9f",
)


@dataclass(frozen=True, slots=True)
class AxisUnit:
    """What an axis counts in: a value in the base unit divided by ``size`` is what the axis shows, named ``name``."""

    size: float
    name: str

    def of(self, value: float) -> float:
        """``value`` (base unit) in units of the axis."""
        return value / self.size


def axis_unit(unit: str, top: float) -> AxisUnit:
    """The unit in which a person reads an axis that reaches up to ``top`` (in the base ``unit``)."""
    ladders: dict[str, Sequence[tuple[float, str]]] = {
        "seconds": ((86400.0, "days"), (HOUR, "h"), (1.0, "s"), (0.001, "ms")),
        "bytes": ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
        "ratio": ((0.01, "%"),),
    }
    if unit in ladders:
        ladder = ladders[unit]
        # Seconds go on up to two hours: 300 s reads better than .08 h.
        fits = [step for step in ladder if abs(top) >= step[0] * (2.0 if step[0] >= HOUR else 1.0)]
        size, name = fits[0] if fits else ladder[-1]
        return AxisUnit(size, name)
    if unit.endswith("per_second"):
        return AxisUnit(1.0, "per second")
    return AxisUnit(1.0, unit.replace("_", " "))


def round_users(value: float) -> str:
    """Users to two significant digits, as somebody would say them: 5,380 → ``5,400``."""
    return significant(value, 2)


def spread(wanted: Sequence[tuple[float, float]], top: float, bottom: float) -> list[float]:
    """Centres for labels of given heights along one edge, so that none overlaps and all stay inside.

    Args:
        wanted: (centre, height) in pixels, any order.
        top: the smallest pixel that may be used. bottom: the largest.

    Returns:
        The centre of each label, in the order given.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i][0])
    centres = [0.0] * len(wanted)
    free = top
    for i in order:
        centre, height = wanted[i]
        centres[i] = max(centre, free + height / 2)
        free = centres[i] + height / 2
    free = bottom
    for i in reversed(order):
        height = wanted[i][1]
        centres[i] = min(centres[i], free - height / 2)
        free = centres[i] - height / 2
    return centres


def config(palette: Palette) -> dict[str, Any]:
    """The Vega-Lite configuration shared by all pictures."""
    return {
        "background": palette.paper,
        "font": FONT,
        "padding": {"left": 28, "right": 24, "top": 24, "bottom": 20},
        "view": {"stroke": None},
        "axis": {
            "domainColor": palette.quiet_ink,
            "tickColor": palette.quiet_ink,
            "gridColor": palette.grid,
            "labelColor": palette.quiet_ink,
            "titleColor": palette.quiet_ink,
            "labelFontSize": LABEL_SIZE,
            "titleFontSize": LABEL_SIZE,
            "titleFontWeight": "normal",
            "labelPadding": 6,
            "tickSize": 4,
        },
        "axisY": {"domain": False, "ticks": False},
        "axisX": {"grid": False},
        "text": {"font": FONT, "fontSize": LABEL_SIZE, "color": palette.ink},
        "title": {
            "anchor": "start",
            "frame": "group",
            "font": FONT,
            "color": palette.ink,
            "subtitleFont": FONT,
            "subtitleColor": palette.ink,
        },
        "legend": {
            "labelColor": palette.ink,
            "labelFontSize": LABEL_SIZE,
            "labelFont": FONT,
            "title": None,
            "symbolSize": 60,
        },
    }

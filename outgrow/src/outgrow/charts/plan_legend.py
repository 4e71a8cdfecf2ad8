"""What the signs of a plan's picture mean, in one line below it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Literal

import altair as alt

from outgrow.charts.marks import chart, words
from outgrow.charts.style import Palette

_SIGN, _GAP, _CHARACTER = 29.0, 20.0, 5.6

Sign = Literal["freeze", "absence", "calm", "restless", "decide"]
Drawn = Callable[[float, float], list[alt.Chart]]


def plan_legend(there: Collection[Sign], width: float, y: float, palette: Palette) -> list[alt.Chart]:
    """Signs with their meaning from a height (pixels) downwards, folded at ``width``.

    Of the signs that are not in every picture, those that are ``there``.
    """
    entries: list[tuple[str, Sign | None, Drawn]] = [
        ("planned, to the middle finish", None, partial(_box, palette.users, 1, 12)),
        ("finish, 10–90 %", None, partial(_whisker, palette.ink)),
        ("may be under way", None, partial(_box, palette.users, 0.16, 12)),
        ("wall, 10–50–90 %", None, partial(_wall, palette.breaks)),
        ("prototype", "calm", partial(_point, "diamond", True, palette.ramp)),
        ("prototype, not calm", "restless", partial(_point, "diamond", False, palette.ramp)),
        ("decide by", "decide", partial(_point, "triangle-up", True, palette.act)),
        ("freeze", "freeze", partial(_box, palette.quiet_ink, 0.30, 16)),
        ("somebody away", "absence", partial(_box, palette.quiet_ink, 0.14, 16)),
    ]
    layers: list[alt.Chart] = []
    x = 0.0
    for text, sign, drawn in entries:
        if sign is not None and sign not in there:
            continue
        if x + _SIGN + _CHARACTER * len(text) > width:
            x, y = 0.0, y + 24.0
        layers += [*drawn(x, y), *words(text, x + _SIGN, y, palette.quiet_ink, palette)]
        x += _SIGN + _CHARACTER * len(text) + _GAP
    return layers


def _box(color: str, opacity: float, height: float, x: float, y: float) -> list[alt.Chart]:
    mark = chart([{}]).mark_rect(color=color, opacity=opacity, cornerRadius=2)
    return [
        mark.encode(x=alt.value(x), x2=alt.value(x + 22), y=alt.value(y - height / 2), y2=alt.value(y + height / 2))
    ]


def _rule(color: str, width: float, x: float, y: float, x2: float, y2: float) -> alt.Chart:
    mark = chart([{}]).mark_rule(color=color, strokeWidth=width)
    encoded: alt.Chart = mark.encode(x=alt.value(x), x2=alt.value(x2), y=alt.value(y), y2=alt.value(y2))
    return encoded


def _whisker(color: str, x: float, y: float) -> list[alt.Chart]:
    caps = [_rule(color, 1.6, at, y - 5, at, y + 5) for at in (x + 2, x + 20)]
    return [_rule(color, 1.6, x + 2, y, x + 20, y), *caps]


def _wall(color: str, x: float, y: float) -> list[alt.Chart]:
    return [*_box(color, 0.17, 16, x, y), _rule(color, 2.6, x + 9, y - 8, x + 9, y + 8)]


def _point(shape: str, filled: bool, color: str, x: float, y: float) -> list[alt.Chart]:
    mark = chart([{}]).mark_point(shape=shape, size=80, filled=filled, color=color, strokeWidth=2, opacity=1)
    return [mark.encode(x=alt.value(x + 11), y=alt.value(y))]

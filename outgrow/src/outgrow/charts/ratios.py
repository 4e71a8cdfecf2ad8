"""The picture of measured ratios: an interval for each, on a logarithmic line, against the thresholds of the rule."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from outgrow.charts.marks import Frame, chart, panel, shortened, words
from outgrow.charts.style import DARK, LIGHT, Palette, config
from outgrow.evidence.summary import RuledRatio, ratio_words
from outgrow.points.declaration import RatioRule
from outgrow.quantities import Interval, significant

WIDTH, ROW = 620, 46
LINE_CHARACTERS = 125
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class RatioWords:
    """What stands around the picture."""

    title: str
    answer: str
    notes: tuple[str, ...] = ()


def ratio_picture(
    ratios: Sequence[RuledRatio], rule: RatioRule | None, said: RatioWords, *, dark: bool = False
) -> alt.HConcatChart:
    """Every ratio that could be told, those that are ruled on in full colour, the others pale.

    Raises:
        ValueError: none could be told.
    """
    palette = DARK if dark else LIGHT
    known = [(each, each.measured.ratio) for each in ratios if each.measured.ratio is not None]
    if not known:
        raise ValueError("there is no ratio to draw")
    frame = _frame([ratio for _, ratio in known], rule)
    lines = [part for line in (said.answer, *said.notes) for part in textwrap.wrap(line, LINE_CHARACTERS)]
    title = alt.TitleParams(
        shortened(said.title, 90),
        subtitle=lines,
        fontSize=20,
        fontWeight="bold",
        subtitleFontSize=13,
        subtitleLineHeight=18,
        offset=34,
        subtitlePadding=8,
    )
    layers = [_ground(frame), *_thresholds(rule, frame, palette)]
    for place, (each, ratio) in enumerate(known):
        layers += _row(each, ratio, (place + 0.5) * ROW, frame, palette)
    spoken = [f"{each.measured.option} over {each.measured.against}: {ratio_words(ratio)}." for each, ratio in known]
    return alt.HConcatChart(
        hconcat=[panel(layers, frame.width, frame.height)],
        title=title,
        description=" ".join([f"{said.title}.", *lines, *spoken]),
        config=alt.Config(**config(palette)),
    )


def ratio_ticks(low: float, high: float) -> list[float]:
    """Round ratios between two, few enough to be read."""
    for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        marks = [factor * 10.0**power for power in range(-6, 7) for factor in factors]
        found = [mark for mark in marks if low <= mark <= high]
        if len(found) >= 4:
            return found[:: math.ceil(len(found) / 10)]
    return [low, high]


def _frame(ratios: Sequence[Interval], rule: RatioRule | None) -> Frame:
    limits = [1.0, *((rule.migrate, rule.stay) if rule else ())]
    low = min(*limits, *(each.low for each in ratios)) / _MARGIN
    high = max(*limits, *(each.high for each in ratios)) * _MARGIN
    return Frame(math.log10(low), math.log10(high), 0.0, 1.0, WIDTH, ROW * len(ratios))


def _ground(frame: Frame) -> alt.Chart:
    ticks = [math.log10(each) for each in ratio_ticks(10**frame.left, 10**frame.right)]
    axis = alt.Axis(values=ticks, labelExpr="format(pow(10, datum.value), '.3~g') + '×'", grid=True)
    scale = alt.Scale(domain=[frame.left, frame.right], nice=False)
    x = alt.X("at:Q", title="times as fast (p95), logarithmic", scale=scale, axis=axis)
    ground: alt.Chart = chart([{"at": frame.left}]).mark_point(opacity=0).encode(x=x, y=alt.value(0))
    return ground


def _thresholds(rule: RatioRule | None, frame: Frame, palette: Palette) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    limits = [(1.0, palette.quiet_ink, "equal")]
    if rule is not None:
        limits += [
            (rule.migrate, palette.warn, f"migrate: all below {significant(rule.migrate)}×"),
            (rule.stay, palette.act, f"stay: all above {significant(rule.stay)}×"),
        ]
    for place, (value, color, text) in enumerate(limits):
        line = chart([{"at": math.log10(value)}]).mark_rule(color=color, strokeDash=[5, 4], strokeWidth=1.4)
        layers.append(line.encode(x=alt.X("at:Q"), y=alt.value(-4), y2=alt.value(frame.height)))
        align = "right" if place == 1 else "left"
        x = frame.x(math.log10(value)) + (-4 if align == "right" else 4)
        layers += words(text, x, -14 - 15 * (place == 0), color, palette, align="right" if place == 1 else "left")
    return layers


def _row(each: RuledRatio, ratio: Interval, y: float, frame: Frame, palette: Palette) -> list[alt.Chart]:
    color = palette.users if each.verdict is not None else palette.quiet_ink
    low, mid, high = (math.log10(value) for value in (ratio.low, ratio.mid, ratio.high))
    line = chart([{"low": low, "high": high}]).mark_rule(color=color, strokeWidth=4, strokeCap="round", opacity=0.75)
    point = chart([{"mid": mid}]).mark_point(color=color, filled=True, size=110, opacity=1)
    verdict = each.verdict or "shown, not ruled on"
    name = f"{each.measured.option} over {each.measured.against}"
    return [
        line.encode(x=alt.X("low:Q"), x2="high:Q", y=alt.value(y)),
        point.encode(x=alt.X("mid:Q"), y=alt.value(y)),
        *words(shortened(name, 30), -12, y, palette.ink, palette, align="right"),
        *words([ratio_words(ratio), verdict], frame.width + 12, y, color, palette),
    ]

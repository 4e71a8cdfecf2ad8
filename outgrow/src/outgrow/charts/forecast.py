"""The picture of one forecast, and how a picture becomes a file."""

from __future__ import annotations

import math
import re
import textwrap
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from outgrow.charts.curve_panel import curve_panel
from outgrow.charts.style import DARK, LIGHT, config
from outgrow.charts.users_panel import history_span_text, users_panel
from outgrow.errors import UsageError
from outgrow.outlook.records import Crossing, Forecast
from outgrow.outlook.sentences import day, span, users_text
from outgrow.quantities import format_quantity, significant

LINE_CHARACTERS = 150
PNG_SCALE = 2.0

# XML 1.0, production 2 (Char): the renderer ends the whole process over such a character.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def forecast_picture(
    forecast: Forecast,
    *,
    title: str,
    signal: str,
    unit: str,
    declared_users: float | None = None,
    load_label: str = "requests a second",
    dark: bool = False,
) -> alt.HConcatChart:
    """One forecast as a picture of about 1200 × 700 pixels.

    On the left users over time with the fan, the band of users at the limit, the span in which it is crossed and the
    latest start; on the right the signal over its driver. Without a date it shows what is known and says why.

    Args:
        forecast: the record; whatever is None in it is left out or said in words.
        title: the headline, a rewrite point's title.
        signal: what the trigger watches, as a reader would call it (``search p95``).
        unit: the signal's base unit.
        declared_users: the users at which the team declared the limit, None where it did not.
        load_label: what load counts, for the axis of the curve.
        dark: dark paper in place of white.
    """
    palette = DARK if dark else LIGHT
    panels = [
        users_panel(forecast, palette, declared_users),
        curve_panel(forecast, palette, signal=signal, unit=unit, load_label=load_label),
    ]
    lines = subtitle(forecast, signal=signal, unit=unit)
    heading = alt.TitleParams(
        title,
        subtitle=lines,
        fontSize=20,
        fontWeight="bold",
        subtitleFontSize=13,
        subtitleLineHeight=18,
        offset=18,
        subtitlePadding=8,
    )
    return alt.HConcatChart(
        hconcat=panels,
        spacing=36,
        title=heading,
        description=" ".join([f"{title}.", *lines]),
        config=alt.Config(**config(palette)),
    )


def subtitle(forecast: Forecast, *, signal: str, unit: str) -> list[str]:
    """What the picture says in words: the answer, why there is none where there is none, and what it rests on."""
    lines = [_answer(forecast.breaks, signal, unit)]
    if forecast.start_by is not None:
        late = " (already past)" if forecast.start_by < forecast.made_at else ""
        lines[0] += f" Start by {day(forecast.start_by)}{late}."
    refusal = forecast.breaks.refusal
    if refusal is not None:
        lines += textwrap.wrap(f"Why: {refusal.reason}", LINE_CHARACTERS)
        lines += textwrap.wrap(f"Next: {refusal.next_step}", LINE_CHARACTERS)
    return [*lines, " · ".join(_provenance(forecast))]


def _answer(breaks: Crossing, signal: str, unit: str) -> str:
    """When, at how many users; or the most that is known."""
    limit = f"{signal[:1].upper()}{signal[1:]} reaches {format_quantity(breaks.limit, unit)}"
    users, crossing = breaks.users_at_limit, breaks.crossing
    at_users = "" if users is None else f" at {users_text(users)} users"
    if breaks.verdict == "dated" and crossing is not None and math.isfinite(crossing.mid):
        return f"{limit}{at_users}, about {day(crossing.mid)} ({span(crossing.low, crossing.high)})."
    if breaks.verdict in ("dated", "range") and crossing is not None:
        within = span(crossing.low, crossing.high)
        when = span if math.isinf(crossing.high) else f"some time within {within}"
        return f"{limit}{at_users}, {when}: too wide for one date."
    if users is None:
        return f"{limit}: when cannot be said yet."
    if math.isinf(users.mid):
        earliest = ""
        if crossing is not None and math.isfinite(crossing.low):
            earliest = f", no earlier than {day(crossing.low)}"
        return f"{limit} at no fewer than {significant(users.low, 2)} users{earliest}: the rest is not knowable yet."
    return f"{limit}{at_users}; on which date cannot be said."


def _provenance(forecast: Forecast) -> list[str]:
    kinds = {"simulated": "simulated history", "imported": "imported data", "measured": "measured data"}
    parts = [kinds[origin] for origin in ("simulated", "imported", "measured") if origin in forecast.origins]
    if forecast.closed_loop_ramp:
        parts.append("closed-loop ramp, kept apart from production")
    if forecast.time_scale:
        parts.append(f"time scale {forecast.time_scale}")
    history = history_span_text(forecast)
    bands = ["bands hold 80 %"] if forecast.fan is not None or forecast.curve is not None else []
    return [*parts, *([history] if history else []), *bands, f"made {day(forecast.made_at)}"]


def _specification(chart: alt.TopLevelMixin) -> dict[str, Any]:
    specification: dict[str, Any] = _drawable(chart.to_dict(validate=False))
    return specification


def _drawable(value: Any) -> Any:
    """The same without characters that no XML document can hold."""
    if isinstance(value, str):
        return _NOT_IN_XML.sub("\ufffd", value)
    if isinstance(value, dict):
        return {key: _drawable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_drawable(item) for item in value]
    return value


def as_svg(chart: alt.TopLevelMixin) -> str:
    """The picture as SVG text, self-contained: no script, no link, no font to fetch."""
    return vl_convert.vegalite_to_svg(_specification(chart), allowed_base_urls=[])


def as_png(chart: alt.TopLevelMixin, scale: float = PNG_SCALE) -> bytes:
    """The picture as PNG bytes, ``scale`` pixels to each pixel of the design."""
    return vl_convert.vegalite_to_png(_specification(chart), scale=scale, allowed_base_urls=[])


def save(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write ``chart`` to a file ending in ``.svg`` or ``.png``; the file is either whole or as it was.

    Raises:
        UsageError: another ending, or the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in (".svg", ".png"):
        raise UsageError(f"{path}: a picture is written as .svg or .png", next_step=f"try {path.with_suffix('.svg')}")
    content = as_svg(chart).encode() if kind == ".svg" else as_png(chart)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written: {error.strerror}", next_step="choose another folder") from error

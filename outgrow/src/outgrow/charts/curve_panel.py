"""The small panel: the signal over what drives it, with what was measured and where it becomes too much."""

from __future__ import annotations

import altair as alt
import numpy as np

from outgrow.charts.marks import (
    HEADING_AT,
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
from outgrow.charts.style import AxisUnit, Palette, axis_unit
from outgrow.outlook.records import FittedCurve, Forecast
from outgrow.quantities import format_quantity

WIDTH, HEIGHT = 250, 440


def curve_panel(forecast: Forecast, palette: Palette, *, signal: str, unit: str, load_label: str) -> alt.LayerChart:
    """The fitted curve with its band, the bins it was fitted to, the ramp, and both limits as lines.

    Args:
        forecast: what to draw; without a curve the panel says so.
        palette: the colours.
        signal: what was measured, for the heading.
        unit: its base unit.
        load_label: what the driver counts when it is load, for the axis.
    """
    curve = forecast.curve
    title = heading(f"{signal} over {'users' if curve is not None and curve.driver == 'users' else 'load'}", palette)
    if curve is None or not curve.driver_values.size:
        return nothing("no curve yet", WIDTH, HEIGHT, title, palette)
    limits = _limits(forecast)
    axis = axis_unit(unit, max(value for value, _ in limits))
    frame = _frame(curve, [value for value, _ in limits], axis)
    layers = [*_fit(curve, axis, palette), *_measurements(curve, frame, axis, palette, forecast)]
    labels = []
    for value, name in limits:
        color = palette.warn if name == "warns" else palette.breaks
        layers.append(rule_across(axis.of(value), f"{name}_at", color, dash=(2, 3) if name == "warns" else ()))
        labels.append((frame.y(axis.of(value)), [f"{name} at", format_quantity(value, unit)], color))
    layers += edge_labels(labels, frame, palette, gap=8)
    driver = "users" if curve.driver == "users" else load_label
    return _with_axes([*title, *layers], frame, axis, driver)


def _limits(forecast: Forecast) -> list[tuple[float, str]]:
    warn, breaks = forecast.warn.limit, forecast.breaks.limit
    return [(warn, "limit")] if warn == breaks else [(warn, "warns"), (breaks, "breaks")]


def _frame(curve: FittedCurve, limits: list[float], axis: AxisUnit) -> Frame:
    """Both limits and what lies below them stay readable; what lies far above them leaves through the top."""
    measured = np.concatenate([curve.observed_value, curve.ramp_value, curve.p50[:1]])
    highest = max(max(limits), min(float(measured.max()), 1.6 * max(limits)))
    falling = curve.p50[-1] < curve.p50[0]
    lowest = min(*limits, float(measured.min()), float(curve.p10.min())) if falling else 0.0
    room = 0.12 * (highest - lowest)
    drivers = np.concatenate([curve.observed_driver, curve.ramp_driver, curve.driver_values[-1:]])
    bottom = axis.of(lowest - room) if falling and lowest > room else min(0.0, axis.of(lowest))
    return Frame(0.0, 1.03 * float(drivers.max()), bottom, axis.of(highest + room), WIDTH, HEIGHT)


def _fit(curve: FittedCurve, axis: AxisUnit, palette: Palette) -> list[alt.Chart]:
    rows = rows_of(
        driver=curve.driver_values, p10=curve.p10 / axis.size, p50=curve.p50 / axis.size, p90=curve.p90 / axis.size
    )
    band = chart(rows).mark_area(color=palette.curve, opacity=0.22, clip=True)
    line = chart(rows).mark_line(color=palette.curve, strokeWidth=2, clip=True)
    return [
        band.encode(x="driver:Q", y=alt.Y("p10:Q"), y2="p90:Q"),
        line.encode(x="driver:Q", y=alt.Y("p50:Q")),
    ]


def _measurements(
    curve: FittedCurve, frame: Frame, axis: AxisUnit, palette: Palette, forecast: Forecast
) -> list[alt.Chart]:
    """Bins of production as discs, ramp steps as diamonds, and those above the frame as arrowheads at its top."""
    ramp = "ramp (closed loop)" if forecast.closed_loop_ramp else "ramp"
    observed = "simulated history" if "simulated" in forecast.origins else "observed"
    rows: list[Row] = []
    over: list[Row] = []
    for kind, drivers, values in (
        (observed, curve.observed_driver, curve.observed_value),
        (ramp, curve.ramp_driver, curve.ramp_value),
    ):
        for driver, value in zip(drivers.tolist(), (values / axis.size).tolist(), strict=True):
            (rows if value <= frame.top else over).append({"driver": driver, "value": value, "kind": kind})
    shapes = {observed: ("circle", palette.users), ramp: ("diamond", palette.ramp)}
    layers: list[alt.Chart] = []
    for kind, (shape, color) in shapes.items():
        own = [row for row in rows if row["kind"] == kind]
        points = chart(own).mark_point(filled=True, shape=shape, color=color, size=46, opacity=0.85, clip=True)
        layers.append(points.encode(x="driver:Q", y=alt.Y("value:Q")))
    if over:
        heads = chart(over).mark_point(filled=True, size=60, shape="triangle-up", color=palette.ramp, opacity=1)
        layers.append(heads.encode(x="driver:Q", y=alt.value(4)))
    return [*layers, *_legend(shapes if curve.ramp_driver.size else {observed: shapes[observed]}, palette)]


def _legend(shapes: dict[str, tuple[str, str]], palette: Palette) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    x = 5.0
    for kind, (shape, color) in shapes.items():
        sign = chart([{}]).mark_point(filled=True, shape=shape, color=color, size=60, opacity=1)
        layers.append(sign.encode(x=alt.value(x), y=alt.value(HEADING_AT + 24)))
        layers += words(kind, x + 11, HEADING_AT + 24, palette.quiet_ink, palette)
        x += 40 + 6 * len(kind)
    return layers


def _with_axes(layers: list[alt.Chart], frame: Frame, axis: AxisUnit, driver: str) -> alt.LayerChart:
    x = alt.X(
        "driver:Q",
        title=driver,
        scale=alt.Scale(domain=[frame.left, frame.right], nice=False),
        axis=alt.Axis(
            labelExpr="format(datum.value, ',')" if frame.right < 1e6 else "format(datum.value, '~s')", tickCount=5
        ),
    )
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(domain=[frame.bottom, frame.top], nice=False),
        axis=alt.Axis(tickCount=6, labelExpr=f"format(datum.value, ',') + ' {axis.name}'"),
    )
    ground = chart([{"driver": 0, "value": frame.bottom}]).mark_point(opacity=0).encode(x=x, y=y)
    return panel([ground, *layers], frame.width, frame.height)

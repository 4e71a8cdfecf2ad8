"""The picture says what the record says, in every verdict, and becomes a file that needs nothing else."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pytest

from outgrow.charts.forecast import as_png, as_svg, forecast_picture, save, subtitle
from outgrow.charts.style import DARK, LIGHT
from outgrow.errors import UsageError
from outgrow.outlook.records import Crossing, Doubt, Fan, FittedCurve, Forecast, Refusal
from outgrow.quantities import DAY, WEEK, Interval, iso_date
from outgrow.signals.series import Origin, series_of

NOW = 1_775_000_000.0  # 2026-03-31


def curve(*, ramp: bool = True) -> FittedCurve:
    rng = np.random.default_rng(3)
    load = np.linspace(1, 58, 120)
    p50 = 0.35 + 0.9 * (load / 62) ** 2 / (1 - load / 62)
    observed = np.linspace(8, 34, 22)
    steps = np.array([6.0, 12, 18, 24, 30, 36, 42, 48, 54, 57, 60])
    truth = 0.35 + 0.9 * (np.minimum(steps, 61) / 62) ** 2 / (1 - np.minimum(steps, 61) / 62)
    return FittedCurve(
        driver="load",
        driver_values=load,
        p10=p50 * (1 - 0.1 * load / 58),
        p50=p50,
        p90=p50 * (1 + 0.3 * load / 58),
        observed_driver=observed,
        observed_value=np.interp(observed, load, p50) * np.exp(rng.normal(0, 0.08, observed.size)),
        ramp_driver=steps if ramp else np.array([]),
        ramp_value=truth * np.exp(rng.normal(0, 0.04, steps.size)) if ramp else np.array([]),
    )


def dated() -> Forecast:
    rng = np.random.default_rng(1)
    past = np.arange(NOW - 364 * DAY, NOW + 1, DAY)
    users = 300 * np.exp(np.log(4) * (past - past[0]) / (364 * DAY) + np.cumsum(rng.normal(0, 0.004, past.size)))
    future = NOW + np.arange(0, 157) * WEEK
    weeks = np.arange(0, 157)
    middle = users[-1] * np.exp(0.0245 * weeks * 0.995**weeks)
    width = 0.003 * weeks + 0.01 * np.sqrt(weeks)
    low, high = middle * np.exp(-width), middle * np.exp(1.2 * width)

    def crossing(users: Interval) -> Interval:
        found = [np.interp(u, path, future) for u, path in ((users.low, high), (users.mid, middle), (users.high, low))]
        return Interval(*(float(time) for time in found))

    warns, breaks = Interval(2900, 3300, 3900), Interval(3100, 3700, 4500)
    return Forecast(
        made_at=NOW,
        digest="0" * 64,
        users_now=float(users[-1]),
        growth_per_month=Interval(0.08, 0.11, 0.14),
        warn=Crossing(5.0, "dated", warns, crossing(warns)),
        breaks=Crossing(
            15.0,
            "dated",
            breaks,
            crossing(breaks),
            0.97,
            Doubt(0.6, 0.4),
        ),
        start_by=crossing(breaks).low - 4 * WEEK,
        fan=Fan(future, low, middle, high),
        curve=curve(),
        origins=("simulated", "measured"),
        history=series_of("registered_users", "users", past, users, "simulated"),
    )


def too_wide() -> Forecast:
    reason = Refusal(
        "wide",
        "The users at the limit lie between 2,100 and 4,900: the measured load ends at 41 % of where the curve bends.",
        "Run a ramp to the limit and import it: outgrow import ramp.csv",
    )
    breaks = Crossing(
        15.0,
        "range",
        Interval(2100, 3300, 4900),
        Interval(NOW + 120 * DAY, NOW + 300 * DAY, NOW + 640 * DAY),
        0.9,
        Doubt(0.2, 0.8),
        reason,
    )
    return replace(
        dated(), breaks=breaks, warn=replace(breaks, limit=5.0), start_by=NOW + 80 * DAY, curve=curve(ramp=False)
    )


def not_knowable() -> Forecast:
    reason = Refusal(
        "not-knowable-yet",
        "Nothing measured comes near the limit: it may lie at 1,900 users or at ten times as many.",
        "Run a ramp to the limit and import it: outgrow import ramp.csv",
    )
    breaks = Crossing(
        15.0,
        "unknown",
        Interval(1900, math.inf, math.inf),
        Interval(NOW + 100 * DAY, math.inf, math.inf),
        0.4,
        None,
        reason,
    )
    return replace(dated(), breaks=breaks, warn=replace(breaks, limit=5.0), start_by=None, curve=curve(ramp=False))


def users_only() -> Forecast:
    reason = Refusal(
        "no-growth-evidence",
        "In the last year, growth predicted the users of 13 weeks later no better than “no change” did.",
        "Wait for more weeks of history, or give a growth of your own to outgrow plan --growth",
    )
    breaks = Crossing(15.0, "users-only", Interval(3100, 3700, 4500), None, None, None, reason)
    return replace(dated(), breaks=breaks, warn=breaks, start_by=None, fan=None, origins=("measured",))


def nothing_known() -> Forecast:
    reason = Refusal("no-users", "No user numbers were recorded.", "Import them: outgrow import users.csv")
    breaks = Crossing(15.0, "unknown", None, None, None, None, reason)
    return replace(
        dated(),
        breaks=breaks,
        warn=replace(breaks, limit=5.0),
        start_by=None,
        fan=None,
        curve=None,
        history=None,
        origins=(),
        users_now=None,
        growth_per_month=None,
    )


def late() -> Forecast:
    """The latest start is past, the ramp was closed-loop, the clock was stretched."""
    first = dated()
    return replace(
        first,
        start_by=NOW - 20 * DAY,
        closed_loop_ramp=True,
        time_scale="1s=1d",
        origins=("measured", "imported"),
    )


def far_off() -> Forecast:
    """A memory limit driven by users, a long way off."""
    users = np.linspace(0, 40_000, 80)
    memory = 4e8 + 4e5 * users
    seen = np.linspace(300, 1000, 20)
    resource = FittedCurve(
        "users", users, memory * 0.8, memory, memory * 1.25, seen, 4e8 + 4e5 * seen, np.array([]), np.array([])
    )
    reason = Refusal(
        "no-crossing",
        "It is more likely than not that 8 GB is not reached within three years.",
        "Look again in a quarter",
    )
    far = Interval(13_000, 19_000, 30_000)
    breaks = Crossing(
        16e9, "users-only", far.scaled(2), Interval(NOW + 900 * DAY, math.inf, math.inf), 0.2, None, reason
    )
    return replace(
        dated(), warn=replace(breaks, limit=8e9, users_at_limit=far), breaks=breaks, start_by=None, curve=resource
    )


def falling() -> Forecast:
    """A success ratio that must stay above 95 %."""
    load = np.linspace(1, 60, 80)
    success = 0.999 - 0.09 * (load / 60) ** 4
    steps = np.linspace(5, 60, 10)
    ratio = FittedCurve(
        "load",
        load,
        success - 0.01 * load / 60,
        success,
        np.minimum(success + 0.008 * load / 60, 1.0),
        np.linspace(8, 34, 22),
        np.interp(np.linspace(8, 34, 22), load, success),
        steps,
        np.interp(steps, load, success),
    )
    first = dated()
    return replace(first, warn=replace(first.warn, limit=0.95), breaks=replace(first.breaks, limit=0.92), curve=ratio)


EVERY = [
    dated,
    too_wide,
    not_knowable,
    users_only,
    nothing_known,
    late,
    far_off,
    falling,
]


def picture(forecast: Forecast, *, unit: str = "seconds", dark: bool = False) -> alt.HConcatChart:
    return forecast_picture(
        forecast, title="Data architecture", signal="search p95", unit=unit, declared_users=2000, dark=dark
    )


@cache
def drawn(make: Callable[[], Forecast], unit: str = "seconds") -> alt.HConcatChart:
    """The picture of an example as it is, drawn once."""
    return picture(make(), unit=unit)


def marks(chart: alt.HConcatChart) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Every mark of every panel with its rows."""
    spec = chart.to_dict(validate=False)
    for panel in spec["hconcat"]:
        for layer in panel["layer"]:
            data = layer["data"]
            yield layer["mark"], spec["datasets"][data["name"]] if "name" in data else data["values"]


def texts(chart: alt.HConcatChart) -> list[str]:
    found = [mark["text"] for mark, _ in marks(chart) if "text" in mark and "stroke" not in mark]
    return [" ".join(text) if isinstance(text, list) else text for text in found]


def values(chart: alt.HConcatChart, field: str) -> list[float]:
    return [row[field] for _, rows in marks(chart) for row in rows if field in row]


def heading(chart: alt.HConcatChart) -> str:
    return " ".join(chart.to_dict(validate=False)["title"]["subtitle"])


def test_limits_are_drawn_where_they_are_and_named() -> None:
    chart = drawn(dated)
    assert values(chart, "limit_users") == [3700]
    assert (values(chart, "limit_low"), values(chart, "limit_high")) == ([3100], [4500])
    assert values(chart, "declared_users") == [2000]
    assert values(chart, "warn_users") == [3300]
    assert {"2,000 declared", "measured 3,700 (3,100–4,500)", "warns at 3,300", "today"} <= set(texts(chart))


def test_both_thresholds_stand_in_the_curve_in_units_for_people() -> None:
    latency = drawn(dated)
    assert (values(latency, "warns_at"), values(latency, "breaks_at")) == ([5], [15])
    memory = drawn(far_off, "bytes")
    assert (values(memory, "warns_at"), values(memory, "breaks_at")) == ([8], [16])
    assert {"warns at 8 GB", "breaks at 16 GB"} <= set(texts(memory))
    ratio = drawn(falling, "ratio")
    assert values(ratio, "warns_at") == [pytest.approx(95)]
    assert "breaks at 92 %" in texts(ratio)


def test_one_threshold_is_one_line() -> None:
    chart = drawn(users_only)
    assert values(chart, "limit_at") == [15]
    assert values(chart, "warns_at") == values(chart, "breaks_at") == []


def test_dates_are_on_the_axis_and_in_words() -> None:
    forecast = dated()
    crossing, start = forecast.breaks.crossing, forecast.start_by
    assert crossing is not None
    assert start is not None
    chart = drawn(dated)
    assert values(chart, "crossing_low") == [crossing.low * 1000]
    assert values(chart, "crossing_high") == [crossing.high * 1000]
    assert set(values(chart, "crossing")) == {crossing.mid * 1000}
    assert start * 1000 in values(chart, "time")
    assert iso_date(start) == "2027-01-03"
    assert "start by 3 Jan 2027" in texts(chart)
    assert "crossed about 15 Sep 2027" in texts(chart)


def test_a_start_that_is_past_says_so() -> None:
    chart = drawn(late)
    assert "start by 11 Mar 2026, already past" in texts(chart)
    assert "already past" in heading(chart)
    long_ago = replace(late(), start_by=NOW - 2000 * DAY)
    assert any(text.startswith("◂ start by") for text in texts(picture(long_ago)))


@pytest.mark.parametrize("make", EVERY)
def test_simulated_is_stamped_wherever_it_is_in(make: Callable[[], Forecast]) -> None:
    cases: list[tuple[Origin, ...]] = [("imported", "simulated"), ("measured",)]
    for origins in cases:
        chart = picture(replace(make(), origins=origins))
        assert ("simulated history" in heading(chart)) == ("simulated" in origins)
        assert any("(simulated history)" in text for text in texts(chart)) == ("simulated" in origins)


def test_time_scale_and_closed_loop_are_stamped() -> None:
    chart = drawn(late)
    assert "time scale 1s=1d" in heading(chart)
    assert "closed-loop ramp" in heading(chart)
    assert "ramp (closed loop)" in texts(chart)
    assert "time scale" not in heading(drawn(dated))


@pytest.mark.parametrize("make", [m for m in EVERY if m().breaks.refusal is not None])
def test_a_refusal_is_said_with_its_next_step(make: Callable[[], Forecast]) -> None:
    forecast = make()
    refusal = forecast.breaks.refusal
    assert refusal is not None
    chart = drawn(make)
    assert refusal.reason in heading(chart)
    assert refusal.next_step in heading(chart)
    assert not values(chart, "crossing"), "no single date is marked"


def test_not_knowable_shows_the_earliest_only() -> None:
    chart = drawn(not_knowable)
    assert "limit not before 1,900 users" in texts(chart)
    assert "not before 9 Jul 2026" in texts(chart)
    assert "no earlier than 9 Jul 2026" in heading(chart)
    assert values(chart, "limit_users") == [1900]


def test_ramp_steps_have_a_mark_of_their_own_and_none_is_lost() -> None:
    forecast = dated()
    assert forecast.curve is not None
    steps = [
        (mark["shape"], row["driver"])
        for mark, rows in marks(drawn(dated))
        for row in rows
        if mark.get("shape") in ("diamond", "triangle-up") and row.get("kind") == "ramp"
    ]
    assert sorted(driver for _, driver in steps) == forecast.curve.ramp_driver.tolist()
    assert [driver for shape, driver in steps if shape == "triangle-up"] == [60.0]


@pytest.mark.parametrize("make", EVERY)
def test_the_spec_is_whole(make: Callable[[], Forecast]) -> None:
    spec = json.dumps(drawn(make).to_dict(), allow_nan=False)
    assert "http" not in spec.replace("https://vega.github.io/schema", "")
    assert len(spec) < 200_000


def test_light_by_default_dark_on_demand() -> None:
    assert drawn(dated).to_dict()["config"]["background"] == LIGHT.paper
    assert picture(dated(), dark=True).to_dict()["config"]["background"] == DARK.paper


def test_svg_is_self_contained(tmp_path: Path) -> None:
    target = tmp_path / "forecast.svg"
    save(drawn(dated), target)
    svg = target.read_text()
    assert svg.startswith("<svg")
    assert not re.search(r"<script|<image|href=|url\((?!#|&quot;#|'#)|@import", svg)
    for text in ("2,000 declared", "start by 3 Jan 2027", "simulated history"):
        assert text in svg
    assert [path.name for path in tmp_path.iterdir()] == ["forecast.svg"]


def test_png_is_readable_at_its_design_size(tmp_path: Path) -> None:
    target = tmp_path / "forecast.png"
    save(drawn(dated), target)
    content = target.read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 1100 <= width / 2 <= 1260
    assert 600 <= height / 2 <= 760


def test_an_open_band_and_an_empty_forecast_can_be_drawn() -> None:
    assert as_png(drawn(not_knowable), scale=0.5).startswith(b"\x89PNG")
    assert "no user numbers yet" in as_svg(drawn(nothing_known))


def test_another_ending_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    chart = drawn(nothing_known)
    with pytest.raises(UsageError, match=r"written as \.svg or \.png"):
        save(chart, tmp_path / "forecast.gif")
    with pytest.raises(UsageError, match="cannot be written"):
        save(chart, tmp_path / "none" / "forecast.svg")
    assert list(tmp_path.iterdir()) == []


def test_subtitles_read_as_sentences() -> None:
    lines = {make.__name__: subtitle(make(), signal="search p95", unit="seconds")[0] for make in EVERY[:5]}
    assert lines == {
        "dated": "Search p95 reaches 15 s at 3,700 (3,100–4,500) users, about 15 Sep 2027 (31 Jan 2027 – 27 Mar 2029). "
        "Start by 3 Jan 2027.",
        "too_wide": "Search p95 reaches 15 s at 3,300 (2,100–4,900) users, some time within 29 Jul 2026 – 31 Dec 2027: "
        "too wide for one date. Start by 19 Jun 2026.",
        "not_knowable": "Search p95 reaches 15 s at no fewer than 1,900 users, no earlier than 9 Jul 2026: "
        "the rest is not knowable yet.",
        "users_only": "Search p95 reaches 15 s at 3,700 (3,100–4,500) users; on which date cannot be said.",
        "nothing_known": "Search p95 reaches 15 s: when cannot be said yet.",
    }


def test_an_endless_late_bound_is_an_arrow_not_a_date() -> None:
    first = dated()
    crossing = first.breaks.crossing
    assert crossing is not None
    chart = picture(replace(first, breaks=replace(first.breaks, crossing=replace(crossing, high=math.inf))))
    assert "triangle-right" in {mark.get("shape") for mark, _ in marks(chart)}
    json.dumps(chart.to_dict(), allow_nan=False)

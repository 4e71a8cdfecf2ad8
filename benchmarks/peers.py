"""What people use today, and what could at best be known, behind one shape: ``History → Prediction``.

None of the peers was made to name the day of a crossing with an interval. Each is given the textbook way to do so,
which its function states.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulator import HORIZON_WEEKS, History, RampKind
from outgrow.quantities import DAY, WEEK, Interval
from outgrow.signals.series import FloatArray, Series

Floats = NDArray[np.floating]
_NEVER = math.inf
_AHEAD = np.arange(1, HORIZON_WEEKS * 7 + 1) * DAY


@dataclass(frozen=True, slots=True)
class Prediction:
    """When the limit is crossed: 10/50/90 %, seconds since the epoch.

    Infinite = "not within three years"; None = nothing is said. ``verdict`` is our own wording, empty for peers.
    """

    low: float | None
    mid: float | None
    high: float | None
    verdict: str = ""


Peer = Callable[[History, RampKind], Prediction]


def weekly(series: Series, now: float, quantile: float) -> tuple[FloatArray, FloatArray]:
    """The quantile of each whole week counted back from ``now``: (mid-week times, values), weeks of ≥ 3 days only."""
    week = np.floor((now - series.times) / WEEK).astype(int)
    kept = [w for w in range(week.max(), -1, -1) if np.sum(week == w) >= 3]
    values = [float(np.quantile(series.values[week == w], quantile)) for w in kept]
    return now - (np.array(kept) + 0.5) * WEEK, np.array(values)


def _reached(times: Floats, bounds: Sequence[Floats], limit: float) -> Prediction:
    """When the upper bound, the estimate and the lower bound (in this order) first reach the limit."""
    places = [np.flatnonzero(np.asarray(bound) >= limit) for bound in bounds]
    low, mid, high = (float(times[where[0]]) if where.size else _NEVER for where in places)
    return Prediction(low, mid, high)


def _line_crossing(series: Series, now: float, window_days: int, limit: float, *, log: bool) -> Prediction:
    """Least squares as Prometheus has it: x relative to ``now``, slope = cov/var, raw samples of the window.

    The interval is where the 80 % confidence band of the fitted line crosses the limit.
    """
    recent = series.between(now - window_days * DAY, now)
    x, y = recent.times - now, np.log(recent.values) if log else recent.values
    level = math.log(limit) if log else limit
    if x.size < 3:
        return Prediction(None, None, None)
    spread = float(np.sum((x - x.mean()) ** 2))
    slope = float(np.sum((x - x.mean()) * (y - y.mean()))) / spread
    intercept = float(y.mean() - slope * x.mean())
    sigma = math.sqrt(float(np.sum((y - intercept - slope * x) ** 2)) / (x.size - 2))
    ahead = now + _AHEAD
    line = intercept + slope * _AHEAD
    band = 1.2816 * sigma * np.sqrt(1 / x.size + (_AHEAD - x.mean()) ** 2 / spread)
    return _reached(ahead, (line + band, line, line - band), level)


def predict_linear(history: History, ramp: RampKind) -> Prediction:
    """``predict_linear(signal[28d], …) > limit``: a line through the raw signal."""
    del ramp
    return _line_crossing(history.signal, history.now, 28, history.limit, log=False)


def exponential(history: History, ramp: RampKind) -> Prediction:
    """A line through the log of the raw signal of 90 days."""
    del ramp
    return _line_crossing(history.signal, history.now, 90, history.limit, log=True)


def two_stage(history: History, ramp: RampKind) -> Prediction:
    """Log-linear users (26 weeks) × least squares of a + b/(1 − x/C), 200 residual bootstraps of both.

    x is load (users for a resource); users become busy load by the median of weekly p95 load ÷ weekly median users. A
    ramp's points are pooled with the days.
    """
    rng = np.random.default_rng(history.seed)
    times, users = weekly(history.users, history.now, 0.5)
    x, y = (times[-26:] - history.now) / WEEK, np.log(users[-26:])
    per_user = 1.0
    driver = history.load or history.users
    if history.load is not None:
        busy_times, busy = weekly(history.load, history.now, 0.95)
        per_user = float(np.median((busy / np.interp(busy_times, times, users))[-12:]))
    driver_at = np.interp(history.signal.times, driver.times, driver.values)
    signal = history.signal.values
    if ramp != "none":
        used = history.ramp_to_limit if ramp == "limit" else history.ramp_two_thirds
        driver_at, signal = np.append(driver_at, used.levels), np.append(signal, used.values)

    design = np.column_stack([np.ones_like(x), x])
    slopes = _bootstrap(rng, design, y)  # (200, 2), the fit itself first
    at_limit = _hyperbola_at_limit(rng, driver_at, signal, history.limit) / per_user
    with np.errstate(divide="ignore", invalid="ignore"):
        weeks = (np.log(at_limit) - slopes[:, 0]) / slopes[:, 1]
    weeks = np.where((slopes[:, 1] <= 0) & (weeks <= 0), _NEVER, np.maximum(weeks, 0.0))
    weeks = np.where(np.isnan(weeks) | (weeks > HORIZON_WEEKS), _NEVER, weeks)
    low, high = np.quantile(weeks, [0.1, 0.9], method="inverted_cdf")
    bounds = (min(low, weeks[0]), weeks[0], max(high, weeks[0]))
    first, middle, last = (history.now + float(week) * WEEK for week in bounds)
    return Prediction(first, middle, last)


def _bootstrap(rng: np.random.Generator, design: FloatArray, y: FloatArray, draws: int = 199) -> FloatArray:
    solve = np.linalg.pinv(design)
    fit = solve @ y
    residuals = y - design @ fit
    drawn = design @ fit + rng.choice(residuals, (draws, y.size))
    return np.asarray(np.vstack([fit, drawn @ solve.T]))


def _hyperbola_at_limit(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, limit: float, draws: int = 199
) -> FloatArray:
    """Where a + b/(1 − x/C) reaches ``limit``: shape (1 + draws,), the fit first; infinite where it never does.

    Least squares over a grid of 60 C from just above the highest x to 50 times it, exact in a and b.
    """
    ceilings = float(x.max()) * (1 + np.geomspace(0.005, 50, 60))
    h = 1 / (1 - x[None, :] / ceilings[:, None])
    centred = h - h.mean(axis=1, keepdims=True)
    norm = np.sum(centred**2, axis=1)

    def fit(samples: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        mean = samples.mean(axis=1)
        b = (samples - mean[:, None]) @ centred.T / norm
        explained = b**2 * norm * (b > 0)
        best = np.argmax(explained, axis=1)
        chosen = b[np.arange(len(samples)), best]
        return mean - chosen * h.mean(axis=1)[best], chosen, best

    a, b, best = fit(y[None, :])
    fitted = a[0] + b[0] * h[best[0]]
    drawn = fitted + rng.choice(y - fitted, (draws, y.size))
    a_all, b_all, best_all = fit(np.vstack([y, drawn]))
    with np.errstate(divide="ignore", invalid="ignore"):
        at = ceilings[best_all] * (1 - b_all / (limit - a_all))
    at = np.where(b_all > 0, np.where(limit > a_all, at, 0.0), _NEVER)
    return np.asarray(np.maximum(at, 1e-9))


def auto_ets(history: History, ramp: RampKind) -> Prediction:
    """statsforecast's AutoETS on the daily signal with its weekly season, gaps bridged by straight lines.

    The date is where its mean, and its 80 % bounds, reach the limit.
    """
    del ramp
    return _ets(history, _daily(history.signal, history.now), 7, DAY, history.limit)


def auto_ets_log(history: History, ramp: RampKind) -> Prediction:
    """The same on the logarithm."""
    del ramp
    return _ets(history, np.log(_daily(history.signal, history.now)), 7, DAY, math.log(history.limit))


def auto_ets_weekly(history: History, ramp: RampKind) -> Prediction:
    """The same on the week's busy signal, without a season: a seventh of the data and of the models."""
    del ramp
    return _ets(history, weekly(history.signal, history.now, 0.95)[1], 1, WEEK, history.limit)


def _ets(history: History, values: FloatArray, season: int, step: float, limit: float) -> Prediction:
    from statsforecast.models import AutoETS

    steps = round(HORIZON_WEEKS * WEEK / step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = AutoETS(season_length=season).forecast(values, steps, level=[80])
    ahead = history.now + (np.arange(steps) + 0.5) * step
    return _reached(ahead, (told["hi-80"], told["mean"], told["lo-80"]), limit)


def _daily(series: Series, now: float) -> FloatArray:
    ago = np.floor((now - series.times) / DAY)
    return np.interp(-np.arange(ago[0], -1, -1), -ago, series.values)


def prophet(history: History, ramp: RampKind) -> Prediction:
    """Prophet on the week's busy signal, no seasons; the date is where its estimate, and its 80 % bounds, cross."""
    del ramp
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)
    import pandas as pd  # type: ignore[import-untyped]  # its stubs are a package of their own
    from prophet import Prophet

    logging.getLogger("cmdstanpy").disabled = True

    times, values = weekly(history.signal, history.now, 0.95)
    model = Prophet(
        interval_width=0.8,
        uncertainty_samples=200,
        yearly_seasonality=False,
        weekly_seasonality=False,
        daily_seasonality=False,
    )
    np.random.seed(history.seed % 2**32)  # Prophet draws from numpy's global generator
    model.fit(pd.DataFrame({"ds": pd.to_datetime(times, unit="s"), "y": values}), seed=1)
    ahead = history.now + (np.arange(HORIZON_WEEKS) + 0.5) * WEEK
    told = model.predict(pd.DataFrame({"ds": pd.to_datetime(ahead, unit="s")}))
    return _reached(ahead, [told[name].to_numpy() for name in ("yhat_upper", "yhat", "yhat_lower")], history.limit)


def ours(history: History, ramp: RampKind, *, utilisation: bool = False) -> tuple[Prediction, Prediction]:
    """``outgrow``'s forecast, as the tool makes it: what it shows, and what it had before the rules of refusal."""
    from outgrow.outlook.forecast import forecast

    told = forecast(history.inputs(ramp, utilisation=utilisation)).warn
    return _told(told.crossing, told.verdict), _told(told.estimate, told.verdict)


def _told(interval: Interval | None, verdict: str) -> Prediction:
    if interval is None:
        return Prediction(None, None, None, verdict)
    return Prediction(interval.low, interval.mid, interval.high, verdict)


def growth_alone(history: History, users_at_limit: float) -> Prediction:
    """Our growth stage with ``users_at_limit`` given: what is left when nothing of the curve is unknown."""
    from outgrow.outlook.crossing import first_passage, percentiles
    from outgrow.outlook.forecast import DRAWS, look_at_growth
    from outgrow.signals.weekly import week_of, week_start, weekly_quantile

    end = week_start(week_of(history.now))
    users = weekly_quantile(history.users, end)
    stale = max(0, round((end - week_start(int(users.weeks[-1]) + 1)) / WEEK))
    growth = look_at_growth(users, HORIZON_WEEKS + stale + 1, DRAWS)
    weeks = first_passage(growth.highest, np.full(DRAWS, math.log(users_at_limit)))
    return _told(percentiles(np.maximum(growth.middle + weeks * WEEK, history.now)), "")

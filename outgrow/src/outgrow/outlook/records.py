"""The records that leave this room: what a forecast says and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from outgrow.quantities import Interval
from outgrow.signals.series import FloatArray, Origin, Ramp, Series

Verdict = Literal["dated", "range", "users-only", "unknown"]
Driver = Literal["load", "users"]
Family = Literal["latency", "resource"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not said, and what would make it sayable.

    ``code`` is stable for programs: ``too-short``, ``recent-shift``, ``no-users``, ``no-load``, ``no-signal``,
    ``too-few-levels``, ``not-knowable-yet``, ``wide``, ``no-growth-evidence``, ``no-crossing``,
    ``curve-does-not-fit``.
    """

    code: str
    reason: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """How much of the spread of the crossing date is growth and how much the curve; the two shares sum to 1."""

    growth: float
    curve: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """When one limit is crossed.

    Attributes:
        limit: the value of the signal, in its base unit.
        verdict: ``dated`` (users and date), ``range`` (both, but wide: no single date is shown), ``users-only``
            (growth is not predictable or no crossing is likely within the horizon), ``unknown``.
        users_at_limit: users when the signal reaches the limit; ``low`` alone holds when not knowable yet.
        crossing: seconds since the epoch, 10/50/90 %; infinite = not within the horizon.
        probability: that the limit is crossed within the horizon.
        refusal: set unless ``dated``.
        estimate: the crossing before the rules of refusal, where one could be computed at all; seconds since the epoch.
            Kept so that every forecast can be scored later; never shown to a person as an answer.
    """

    limit: float
    verdict: Verdict
    users_at_limit: Interval | None = None
    crossing: Interval | None = None
    probability: float | None = None
    doubt: Doubt | None = None
    refusal: Refusal | None = None
    estimate: Interval | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """Users over time as the picture shows them; all shapes (n,), times in seconds since the epoch."""

    times: FloatArray
    p10: FloatArray
    p50: FloatArray
    p90: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FittedCurve:
    """The signal over its driver as the picture shows it: shape (n,) each; ``driver_values`` in driver units.

    ``observed_*`` are the binned measurements the curve was fitted to, ``ramp_*`` those of ramps (empty without).
    """

    driver: Driver
    driver_values: FloatArray
    p10: FloatArray
    p50: FloatArray
    p90: FloatArray
    observed_driver: FloatArray
    observed_value: FloatArray
    ramp_driver: FloatArray
    ramp_value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ForecastInputs:
    """Everything one forecast rests on; nothing else is read.

    Attributes:
        users: registered (or active) users over time, raw.
        load: load over time, raw; None when the signal is driven by users.
        signal: the watched signal over time, raw.
        driver: what the signal follows.
        family: ``latency`` (queue-shaped, hyperbolic near saturation) or ``resource`` (power law).
        direction: on which side of the limit trouble lies.
        threshold: the early trigger. breaks_at: the symptom, or None where none is declared.
        ramps: load tests of this signal.
        utilisation: busy share (0–1) over time of what saturates, if measured.
        lead_time_weeks: how long the cheapest way through takes, buffer included; None when no option is declared.
        normal_load_only: judge at typical load (median) rather than at busy load (95th percentile of a week).
        now: seconds since the epoch. horizon_weeks: how far ahead is looked.
    """

    users: Series
    load: Series | None
    signal: Series
    driver: Driver
    family: Family
    direction: Literal["above", "below"]
    threshold: float
    breaks_at: float | None
    now: float
    ramps: tuple[Ramp, ...] = ()
    utilisation: Series | None = None
    lead_time_weeks: Interval | None = None
    normal_load_only: bool = False
    horizon_weeks: int = 156


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What we know about when, for one trigger.

    ``warn`` is the crossing of the early threshold, ``breaks`` of the symptom (equal to ``warn`` where none is
    declared); plans are made against ``breaks``. ``start_by`` = early bound of ``breaks`` minus the lead time, seconds
    since the epoch, None without a date. ``steps`` is the arithmetic in sentences, for ``--explain``. ``origins`` names
    the kinds of data used, so that simulated data is labelled wherever this shows.
    """

    made_at: float
    digest: str
    users_now: float | None
    growth_per_month: Interval | None
    warn: Crossing
    breaks: Crossing
    start_by: float | None = None
    fan: Fan | None = None
    curve: FittedCurve | None = None
    steps: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    closed_loop_ramp: bool = False
    time_scale: str = ""
    history: Series | None = field(default=None)

"""From what the ledger holds to what is known now: forecasts for every trigger, a status for every point.

In: a declaration, a ledger, the time, and why sources gave no value just now. Out: forecasts and statuses; every new
forecast is kept in the ledger with the digest of its inputs. Speaks to the outside only through ``ports``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from outgrow.outlook.archive import archived, restored
from outgrow.outlook.assessment import JudgedTrigger, assess, soonest_first
from outgrow.outlook.forecast import GrowthOutlook, digest_of, forecast_many, look_at_growth, origins_of
from outgrow.outlook.ratios import forecast_spread, probability_outpaces
from outgrow.outlook.records import Family, Forecast, ForecastInputs, Refusal
from outgrow.outlook.refusal import LEAST_WEEKS, missing_series, too_short
from outgrow.outlook.scalability import probability_worse_though_scaled_out
from outgrow.outlook.status import PointStatus
from outgrow.outlook.triggers import (
    LOOK_BACK,
    Judgement,
    ago,
    is_stale,
    judge,
    judge_fact,
    judge_probability,
)
from outgrow.points.declaration import Declaration, Option, Point, Team, Trigger
from outgrow.ports import Ledger
from outgrow.quantities import HOUR, WEEK, Interval
from outgrow.signals.series import Origin, Series
from outgrow.signals.weekly import week_of, week_start, weekly_quantile

FORECAST_WEEKS = 156
"""How far forecasts look ahead, as ``ForecastInputs`` has it."""


@dataclass(slots=True)
class Lookout:
    """Reads the ledger once for each signal and looks ahead for each trigger.

    Attributes:
        declaration, ledger: what is watched, and where it is kept.
        now: seconds since the epoch; the end of what is read.
        noted_until: up to when notes count; None: up to ``now``.
        unknown: signal → why its source gave no value just now.
        keep: store new forecasts in the ledger.
        pictures: make every forecast anew, with its fan and curve, instead of reusing a stored one.
    """

    declaration: Declaration
    ledger: Ledger
    now: float
    unknown: Mapping[str, str] = field(default_factory=dict)
    keep: bool = True
    pictures: bool = False
    time_scale: str = ""
    noted_until: float | None = None
    _hourly: dict[tuple[str, str, str], Series] = field(default_factory=dict)

    def statuses(self, points: Sequence[Point] | None = None) -> tuple[PointStatus, ...]:
        """The status of these points (all unless told), soonest first."""
        chosen = self.declaration.points if points is None else points
        forecasts = self.forecasts(chosen)
        users_now = self.users_now()
        return soonest_first([self._assess(point, users_now, forecasts) for point in chosen])

    def forecasts(self, points: Sequence[Point]) -> dict[tuple[str, str], Forecast]:
        """What is known about when, by (point, trigger); triggers of which nothing can be forecast are left out."""
        known: dict[tuple[str, str], Forecast] = {}
        missing: list[tuple[Point, Trigger, ForecastInputs]] = []
        for point in points:
            for trigger in point.triggers:
                if trigger.kind == "spread":
                    made = self._spread_forecast(point, trigger)
                    if made is not None:
                        known[point.id, trigger.id] = self._kept(point, trigger, made)
                elif trigger.kind == "threshold" and trigger.signal and trigger.threshold is not None:
                    inputs = self.inputs(point, trigger)
                    stored = None if self.pictures else self._stored(point, trigger, inputs)
                    if stored is not None:
                        known[point.id, trigger.id] = stored
                    else:
                        missing.append((point, trigger, inputs))
        answers = forecast_many([inputs for _, _, inputs in missing])
        for (point, trigger, _), answer in zip(missing, answers, strict=True):
            known[point.id, trigger.id] = self._kept(point, trigger, answer)
        return known

    def users_now(self) -> float | None:
        """The latest number of users; None when it is old, its source fails, or it fell to nothing."""
        name = self.declaration.users.signal
        recent = self._recent(name)
        if name in self.unknown or is_stale(recent, self.now) or recent.values[-1] <= 0:
            return None
        return float(recent.values[-1])

    def growth(self) -> GrowthOutlook | Refusal:
        """The growth of users as every forecast reads it; a refusal where there are too few complete weeks.

        Whether it predicts better than no change is for the caller to look at: ``gate``.
        """
        name = self.declaration.users.signal
        series = self._read(name, "median")
        keep = series.values > 0
        positive = Series(series.name, series.unit, series.times[keep], series.values[keep], series.origin)
        end = week_start(week_of(self.now))
        weekly = weekly_quantile(positive, end)
        if weekly.known == 0:
            return missing_series("users", name)
        if weekly.known < LEAST_WEEKS:
            return too_short(name, weekly.known)
        stale = max(0, round((end - week_start(int(weekly.weeks[-1]) + 1)) / WEEK))
        return look_at_growth(weekly, FORECAST_WEEKS + stale + 1)

    @property
    def users_origin(self) -> Origin | None:
        """The kind of data users are known from; None where there is none."""
        series = self._read(self.declaration.users.signal, "median")
        return series.origin if len(series) else None

    def inputs(self, point: Point, trigger: Trigger) -> ForecastInputs:
        """Everything the forecast of a ``threshold`` trigger rests on."""
        if trigger.signal is None or trigger.threshold is None:
            raise ValueError(f"{trigger.id} has no signal with a threshold")
        declared = self.declaration.signals[trigger.signal]
        bad = trigger.threshold if trigger.direction == "above" else 1 - trigger.threshold
        bends = declared.unit == "seconds" or (declared.unit == "ratio" and bad < 0.5)  # failures follow the queue
        family: Family = "latency" if bends and declared.driver == "load" else "resource"
        load, utilisation = self.declaration.load, self.declaration.utilisation
        return ForecastInputs(
            users=self._read(self.declaration.users.signal, "median"),
            load=self._read(load.signal, "mean") if load else None,
            signal=self._read(trigger.signal, "median"),
            driver=declared.driver,
            family=family,
            direction=trigger.direction,
            threshold=trigger.threshold,
            breaks_at=trigger.breaks_at,
            now=self.now,
            ramps=tuple(ramp for ramp in self.ledger.ramps(trigger.signal) if ramp.made_at <= self._until),
            utilisation=self._read(utilisation.signal, "mean") if utilisation else None,
            lead_time_weeks=lead_time(point, self.declaration.team),
            normal_load_only=trigger.when == "normal-load",
        )

    def judge(self, point: Point, trigger: Trigger) -> Judgement:
        """What the samples say of a trigger now."""
        if trigger.kind == "fact":
            until = self._until
            counted = [
                note.at
                for note in self.ledger.notes(point.id, trigger.id)
                if note.withdrawn_at is None or note.withdrawn_at > until
            ]
            return judge_fact(trigger, counted, until)
        name = trigger.signal or ""
        if trigger.kind == "grows-faster-than-users":
            users = self._read(self.declaration.users.signal, "median")
            found = probability_outpaces(self._read(name, "median"), users, self.now)
            return self._judge_probability(trigger, found, f"{name} grows faster than users")
        if trigger.kind == "worse-though-scaled-out":
            return self._judge_scaling(trigger)
        if trigger.kind == "spread":
            return self._judge_spread(trigger)
        load = self.declaration.load
        measured_load = self._recent(load.signal) if load is not None and trigger.when == "normal-load" else None
        return judge(trigger, self._recent(name), measured_load, self.now, self.unknown.get(name, ""))

    @property
    def _until(self) -> float:
        """Up to when notes and ramps count: they are facts of their own, not samples that end with an import."""
        return self.now if self.noted_until is None else self.noted_until

    def _assess(
        self, point: Point, users_now: float | None, forecasts: Mapping[tuple[str, str], Forecast]
    ) -> PointStatus:
        judged = [
            JudgedTrigger(
                trigger,
                self._unit(trigger),
                self.judge(point, trigger),
                forecasts.get((point.id, trigger.id)),
                self._origins(trigger),
            )
            for trigger in point.triggers
        ]
        return assess(point, judged, users_now, self.declaration.milestones, self.now)

    def _unit(self, trigger: Trigger) -> str:
        if trigger.kind == "fact":
            return "notes"
        if trigger.kind in ("grows-faster-than-users", "worse-though-scaled-out"):
            return "ratio"
        if trigger.kind == "spread":
            return "regions"
        return self.declaration.signals[trigger.signal].unit if trigger.signal else ""

    def _origins(self, trigger: Trigger) -> tuple[Origin, ...]:
        names = [name for name in (trigger.signal, trigger.replicas) if name]
        series = [self._read(name, "median") for name in names]
        return tuple(dict.fromkeys(each.origin for each in series if len(each)))

    def _read(self, signal: str, value: str, member: str = "") -> Series:
        """The whole past by the hour; an hour that is not over at ``now`` is left out."""
        key = (signal, value, member)
        if key not in self._hourly:
            unit = self.declaration.signals[signal].unit
            self._hourly[key] = self.ledger.hourly(
                signal, unit, "median" if value == "median" else "mean", end=self.now - HOUR, member=member
            )
        return self._hourly[key]

    def _recent(self, signal: str) -> Series:
        """The raw samples of the last four weeks up to ``now``."""
        key = (signal, "raw", "")
        if key not in self._hourly:
            unit = self.declaration.signals[signal].unit
            self._hourly[key] = self.ledger.series(signal, unit, self.now - LOOK_BACK, self.now)
        return self._hourly[key]

    def _judge_probability(self, trigger: Trigger, found: float | Refusal, meaning: str) -> Judgement:
        watched = [name for name in (trigger.signal, trigger.replicas, self.declaration.users.signal) if name]
        down = next((self._gap(name) for name in watched if self._gap(name)), "")
        if down or isinstance(found, Refusal):
            reason = down or (found.reason if isinstance(found, Refusal) else "")
            return Judgement("unknown", None, self.now, None, reason)
        return judge_probability(trigger, found, self.now, meaning)

    def _gap(self, name: str) -> str:
        """Why a signal has no value that may stand for now, ``""`` where it has one."""
        recent = self._recent(name)
        if name in self.unknown:
            return self.unknown[name]
        if not len(recent):
            return (
                f"{name} has had no value in the last four weeks"
                if len(self._read(name, "median"))
                else (f"{name} has never had a value")
            )
        return (
            f"the last value of {name} is {ago(self.now - recent.times[-1])} old" if is_stale(recent, self.now) else ""
        )

    def _judge_scaling(self, trigger: Trigger) -> Judgement:
        load = self.declaration.load
        if load is None:
            return Judgement("unknown", None, self.now, None, "no load is declared")
        replicas, served = self._read(trigger.replicas or "", "median"), self._read(load.signal, "mean")
        latency = self._read(trigger.signal or "", "median")
        seed = np.random.default_rng([len(replicas), len(served), len(latency)])
        found = probability_worse_though_scaled_out(replicas, served, latency, seed)
        return self._judge_probability(trigger, found, "more replicas now serve less")

    def _judge_spread(self, trigger: Trigger) -> Judgement:
        name, regions = trigger.signal or "", self._regions(trigger)
        if not regions:
            reason = self.unknown.get(name) or self._gap(name) or f"{name} has no value by region now"
            return Judgement("unknown", None, self.now, None, reason)
        recent = {member: series.between(self.now - LOOK_BACK, self.now) for member, series in regions.items()}
        times = np.unique(np.concatenate([series.times for series in recent.values()]))
        users = np.zeros((len(recent), times.size))
        for row, series in zip(users, recent.values(), strict=True):
            row[np.searchsorted(times, series.times)] = series.values
        counts = (users >= trigger.share * users.sum(axis=0)).sum(axis=0).astype(np.float64)
        counted = Series(name, "regions", times, counts)
        return judge(trigger, counted, None, self.now, self.unknown.get(name, ""))

    def _spread_forecast(self, point: Point, trigger: Trigger) -> Forecast | None:
        regions = self._regions(trigger)
        if not regions or trigger.threshold is None:
            return None
        return forecast_spread(
            regions,
            threshold=trigger.threshold,
            breaks_at=trigger.breaks_at,
            share=trigger.share,
            lead_time_weeks=lead_time(point, self.declaration.team),
            now=self.now,
        )

    def _regions(self, trigger: Trigger) -> dict[str, Series]:
        """Users by region over time; a region that has no value any more is none."""
        name = trigger.signal or ""
        found = {member: self._read(name, "median", member) for member in self.ledger.members(name) if member}
        return {member: series for member, series in found.items() if not is_stale(series, self.now)}

    def _stored(self, point: Point, trigger: Trigger, inputs: ForecastInputs) -> Forecast | None:
        """The forecast made before from the same inputs, if it was labelled as they are now."""
        stored = self.ledger.forecast_by_digest(point.id, trigger.id, digest_of(inputs))
        if stored is None:
            return None
        try:
            forecast = restored(stored.body)
        except (KeyError, TypeError, ValueError):  # damaged, or of an older form: it is made anew
            return None
        same = set(forecast.origins) == set(origins_of(inputs)) and forecast.time_scale == self.time_scale
        return forecast if same else None

    def _kept(self, point: Point, trigger: Trigger, made: Forecast) -> Forecast:
        stamped = replace(made, time_scale=self.time_scale)
        body = archived(stamped)
        before = self.ledger.forecast_by_digest(point.id, trigger.id, made.digest)
        if self.keep and (before is None or before.body.get("origins") != body["origins"]):
            self.ledger.add_forecast(point.id, trigger.id, made.made_at, made.digest, body)
        return stamped


def lead_time(point: Point, team: Team) -> Interval | None:
    """Weeks from starting to done, for the cheapest way through other than *tune*; buffer added where it is new.

    None when no option is declared. The middle is the middle of the declared effort.
    """
    major = [option for option in point.options if option.id != "tune"] or list(point.options)
    if not major:
        return None
    return min((_effort(option, team) for option in major), key=lambda weeks: (weeks.high, weeks.low))


def _effort(option: Option, team: Team) -> Interval:
    factor = 1 + team.learning_buffer if option.new_to_team else 1.0
    low, high = option.effort_weeks
    return Interval(low * factor, (low + high) / 2 * factor, high * factor)

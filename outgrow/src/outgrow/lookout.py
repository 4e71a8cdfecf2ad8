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
from outgrow.outlook.forecast import digest_of, forecast_many
from outgrow.outlook.ratios import count_regions, forecast_spread, probability_outpaces
from outgrow.outlook.records import Family, Forecast, ForecastInputs, Refusal
from outgrow.outlook.scalability import probability_worse_though_scaled_out
from outgrow.outlook.status import PointStatus
from outgrow.outlook.triggers import LOOK_BACK, Judgement, judge, judge_fact, judge_probability, stale_after
from outgrow.points.declaration import Declaration, Option, Point, Team, Trigger
from outgrow.ports import Ledger
from outgrow.quantities import HOUR, Interval
from outgrow.signals.series import Series


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
        """The latest number of users, None when there is none in the last four weeks."""
        recent = self._read(self.declaration.users.signal, "median").between(self.now - LOOK_BACK, self.now)
        return float(recent.values[-1]) if len(recent) else None

    def inputs(self, point: Point, trigger: Trigger) -> ForecastInputs:
        """Everything the forecast of a ``threshold`` trigger rests on."""
        if trigger.signal is None or trigger.threshold is None:
            raise ValueError(f"{trigger.id} has no signal with a threshold")
        declared = self.declaration.signals[trigger.signal]
        family: Family = "latency" if declared.unit == "seconds" and declared.driver == "load" else "resource"
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
            ramps=self.ledger.ramps(trigger.signal),
            utilisation=self._read(utilisation.signal, "mean") if utilisation else None,
            lead_time_weeks=lead_time(point, self.declaration.team),
            normal_load_only=trigger.when == "normal-load",
        )

    def judge(self, point: Point, trigger: Trigger) -> Judgement:
        """What the samples say of a trigger now."""
        if trigger.kind == "fact":
            notes = self.ledger.notes(point.id, trigger.id)
            until = self.now if self.noted_until is None else self.noted_until
            return judge_fact(trigger, [note.at for note in notes if note.withdrawn_at is None], until)
        name = trigger.signal or ""
        if trigger.kind == "grows-faster-than-users":
            users = self._read(self.declaration.users.signal, "median")
            found = probability_outpaces(self._read(name, "median"), users, self.now)
            return self._judge_probability(trigger, found, f"{name} grows faster than users")
        if trigger.kind == "worse-though-scaled-out":
            return self._judge_scaling(trigger)
        if trigger.kind == "spread":
            return self._judge_spread(trigger)
        unit = self.declaration.signals[name].unit
        recent = self.ledger.series(name, unit, self.now - LOOK_BACK, self.now)
        load = self.declaration.load
        if not len(recent):
            recent = self._read(name, "median")
        return judge(trigger, recent, self._read(load.signal, "mean") if load else None, self.now,
                     self.unknown.get(name, ""))  # fmt: skip

    def _assess(
        self, point: Point, users_now: float | None, forecasts: Mapping[tuple[str, str], Forecast]
    ) -> PointStatus:
        judged = [
            JudgedTrigger(
                trigger, self._unit(trigger), self.judge(point, trigger), forecasts.get((point.id, trigger.id))
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

    def _read(self, signal: str, value: str, member: str = "") -> Series:
        key = (signal, value, member)
        if key not in self._hourly:
            unit = self.declaration.signals[signal].unit
            self._hourly[key] = self.ledger.hourly(
                signal, unit, "median" if value == "median" else "mean", end=self.now, member=member
            )
        return self._hourly[key]

    def _judge_probability(self, trigger: Trigger, found: float | Refusal, meaning: str) -> Judgement:
        watched = [name for name in (trigger.signal, trigger.replicas, self.declaration.users.signal) if name]
        down = next((self._gap(name) for name in watched if self._gap(name)), "")
        if down or isinstance(found, Refusal):
            reason = down or (found.reason if isinstance(found, Refusal) else "")
            return Judgement("unknown", None, self.now, None, reason)
        return judge_probability(trigger, found, self.now, meaning)

    def _gap(self, name: str) -> str:
        """Why a signal has no value now, ``""`` where it has one."""
        return self.unknown.get(name) or ("" if len(self._read(name, "median")) else f"{name} has never had a value")

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
        regions = self._regions(trigger)
        latest = [float(series.times[-1]) for series in regions.values() if len(series)]
        if not latest:
            reason = self.unknown.get(trigger.signal or "", "") or f"{trigger.signal} has never had a value by region"
            return Judgement("unknown", None, self.now, None, reason)
        if self.now - max(latest) > stale_after(HOUR):
            reason = self.unknown.get(trigger.signal or "", "") or f"the last value of {trigger.signal} is old"
            return Judgement("unknown", None, max(latest), None, reason)
        count = float(count_regions(regions, trigger.share))
        times = np.array([max(latest)])
        series = Series(trigger.signal or "", "regions", times, np.array([count]))
        return judge(trigger, series, None, self.now)

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
        name = trigger.signal or ""
        members = [member for member in self.ledger.members(name) if member]
        return {member: self._read(name, "median", member) for member in members}

    def _stored(self, point: Point, trigger: Trigger, inputs: ForecastInputs) -> Forecast | None:
        stored = self.ledger.forecast_by_digest(point.id, trigger.id, digest_of(inputs))
        return restored(stored.body) if stored is not None else None

    def _kept(self, point: Point, trigger: Trigger, made: Forecast) -> Forecast:
        stamped = replace(made, time_scale=self.time_scale)
        if self.keep and self.ledger.forecast_by_digest(point.id, trigger.id, made.digest) is None:
            self.ledger.add_forecast(point.id, trigger.id, made.made_at, made.digest, archived(stamped))
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

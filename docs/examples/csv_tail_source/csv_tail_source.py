"""A source for outgrow that reads samples which something else appends to a CSV file.

One line a sample: ``time,instance,metric,labels,value``, with labels written ``name=value;name=value``. The newest
samples of every instance are what it knows now; the rest of the file is its past.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from outgrow.points.declaration import Signal
from outgrow.ports import Clock, History, Observation, Sample
from outgrow.signals.evaluation import Held, evaluate, selects
from outgrow.signals.promql import ANSWERED_RATIO, selections_of
from outgrow.signals.series import Series, series_of


class Settings(BaseModel):
    """The keys of ``{kind: csv-tail, …}``. A wrong or unknown one is a finding of ``outgrow check``, with its line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "csv-tail"
    samples_file: Path = Field(description="Where the samples are appended; relative to the declared file.")


def open_source(config: Mapping[str, Any], clock: Clock) -> CsvTailSource:
    """What the entry point names. Nothing is read yet; the times of observations are asked for, not taken."""
    del clock
    return CsvTailSource(Settings.model_validate(dict(config)))


class CsvTailSource:
    """Whatever goes wrong here comes out as a reason in ``unknown``: never as an exception, never as a zero."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.name
        self._file = settings.samples_file

    def reachable(self) -> str | None:
        held = self._held()
        return held if isinstance(held, str) else None

    def observe(self, signals: Mapping[str, Signal], at: float) -> Observation:
        held = self._held()
        if isinstance(held, str):
            return Observation(unknown=dict.fromkeys(signals, held))
        samples: list[Sample] = []
        unknown: dict[str, str] = {}
        for name, signal in signals.items():
            found = _value(name, signal, held, at)
            if isinstance(found, str):
                unknown[name] = found
            else:
                samples += found
        return Observation(tuple(samples), unknown)

    def history(self, signals: Mapping[str, Signal], start: float, end: float, step_seconds: float) -> History:
        held = self._held()
        if isinstance(held, str):
            return History(unknown=dict.fromkeys(signals, held))
        series: dict[tuple[str, str], Series] = {}
        unknown: dict[str, str] = {}
        times = [start + step * step_seconds for step in range(int((end - start) / step_seconds) + 1)]
        for name, signal in signals.items():
            values = [_value(name, signal, held, at) for at in times]
            samples = [sample for value in values if not isinstance(value, str) for sample in value]
            for member in {sample.member for sample in samples}:
                own = [sample for sample in samples if sample.member == member]
                series[name, member] = series_of(
                    name, signal.unit, [one.time for one in own], [one.value for one in own]
                )
            if not samples:
                unknown[name] = str(values[-1]) if values else "the time asked for is empty"
        return History(series, unknown)

    def _held(self) -> list[Held] | str:
        """What the file holds, or why nothing can be read from it."""
        try:
            return _read(self._file) or f"{self._file} has no sample yet"
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            return f"{self._file} cannot be read: {wrong}"


def _read(file: Path) -> list[Held]:
    """Every series in the file; ``current`` while its instance still reports it."""
    times: dict[tuple[str, str, str], list[float]] = {}
    values: dict[tuple[str, str, str], list[float]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            key = (row["instance"], row["metric"], row["labels"])
            times.setdefault(key, []).append(float(row["time"]))
            values.setdefault(key, []).append(float(row["value"]))
    latest: dict[str, float] = {}
    for (instance, _, _), at in times.items():
        latest[instance] = max(latest.get(instance, 0.0), at[-1])
    return [
        Held(
            metric,
            {"instance": instance, **dict(pair.split("=", 1) for pair in labels.split(";") if pair)},
            at,
            values[instance, metric, labels],
            current=at[-1] == latest[instance],
        )
        for (instance, metric, labels), at in times.items()
    ]


def _value(name: str, signal: Signal, held: list[Held], at: float) -> list[Sample] | str:
    """The samples of a signal and of its members, or why there are none."""
    if reason := _missing(signal, held, at):
        return reason
    reading = evaluate(signal, held, at)
    if reading.value is None:
        return reading.reason
    members = [Sample(name, at, value, member) for member, value in reading.members.items()]
    return [Sample(name, at, reading.value), *members]


def _missing(signal: Signal, held: list[Held], at: float) -> str:
    """Why what is there must not pass for the whole: an instance that has part in the signal does not report."""
    try:
        concerned = {one.labels["instance"] for one in held for part in selections_of(signal) if selects(part, one)}
    except ValueError as wrong:
        return str(wrong)
    reported: dict[str, set[float]] = {}
    for one in held:
        reported.setdefault(one.labels["instance"], set()).update(time for time in one.times if time <= at)
    rounds = set().union(*reported.values())
    window = {time for time in rounds if time > at - signal.window}
    for name in sorted(concerned):
        times = reported[name]
        if max(times, default=0.0) < max(rounds, default=0.0):
            return f"{name} has stopped reporting; a sum of the others would pass for the whole"
        if not signal.value and len(times & window) < ANSWERED_RATIO * len(window):
            there = f"{len(times & window)} of {len(window)}"
            return f"{name} reported only {there} times within the window; wait until it is back"
    return ""

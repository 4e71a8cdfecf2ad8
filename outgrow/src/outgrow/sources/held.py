"""The recorder's memory: scraped samples for as long as a window needs them, and which targets answered when.

It can be turned into bytes and back, so that a recorder that runs once a minute from cron can compute rates.
"""

from __future__ import annotations

import json
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from outgrow.points.declaration import Selection, Signal
from outgrow.quantities import format_duration
from outgrow.signals.evaluation import LOOKBACK_SECONDS, Held, label_matches, selects
from outgrow.signals.promql import ANSWERED_RATIO, label_text, selections_of
from outgrow.sources.exposition import Exposed

_VERSION = 1
_MAX_BYTES = 256_000_000
_FUTURE_SECONDS = 600.0  # samples dated later are refused, as Prometheus does (scrape/target.go, maxAheadTime)

Identity = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Needed:
    """What the signals of one observation are read from: selections with the seconds that each looks back."""

    selections: Mapping[str, tuple[tuple[Selection, float], ...]]

    def seconds(self, one: Held) -> float:
        """For how long samples of a series are needed; 0 for not at all."""
        return max(
            (kept for selection, kept in self.selections.get(one.metric, ()) if selects(selection, one)), default=0.0
        )

    @property
    def longest_seconds(self) -> float:
        """The longest look back of all."""
        return max((kept for group in self.selections.values() for _, kept in group), default=LOOKBACK_SECONDS)


def needed_for(signals: Iterable[Signal]) -> Needed:
    """What to keep for these signals; those whose labels cannot be read, and PromQL, need nothing."""
    selections: dict[str, list[tuple[Selection, float]]] = {}
    for signal in signals:
        for selection in _readable(signal):
            seconds = LOOKBACK_SECONDS if signal.value else signal.window
            selections.setdefault(selection.metric, []).append((selection, seconds))
    return Needed({metric: tuple(group) for metric, group in selections.items()})


@dataclass(slots=True)
class _Track:
    target: str
    metric: str
    labels: dict[str, str]
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    current: bool = True

    def view(self) -> Held:
        return Held(self.metric, self.labels, self.times, self.values, self.current)


@dataclass(slots=True)
class _Target:
    labels: dict[str, str]
    answered: array[float] = field(default_factory=lambda: array("d"))
    failed: array[float] = field(default_factory=lambda: array("d"))
    exposes: frozenset[str] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Fault:
    one: Held
    reason: str


class HeldScrapes:
    """Tracks of samples by target. ``at`` never goes back: callers ask ``latest`` first."""

    def __init__(self) -> None:
        self.latest: float | None = None
        self._targets: dict[str, _Target] = {}
        self._tracks: dict[Identity, _Track] = {}
        self._faults: list[_Fault] = []
        self._touched: dict[Identity, str] = {}

    def begin(self, at: float, targets: Mapping[str, Mapping[str, str]]) -> None:
        """A new round of scrapes at ``at`` of these targets (name → labels); others, and old labels, are forgotten."""
        self.latest = at
        self._faults, self._touched = [], {}
        known = {name: state for name, state in self._targets.items() if targets.get(name) == state.labels}
        self._targets = {name: known.get(name) or _Target(dict(labels)) for name, labels in targets.items()}
        self._tracks = {key: track for key, track in self._tracks.items() if track.target in known}

    def answered(self, target: str, names: frozenset[str], samples: Iterable[Exposed], needed: Needed) -> None:
        """Keep what is needed of one target's answer to this round; ``names`` are all metrics it exposes."""
        for track in self._tracks.values():
            if track.target == target:
                track.current = False
        for sample in samples:
            self._keep(target, sample, needed)
        state = self._targets[target]
        state.exposes, state.reason = names, ""
        _append(state.answered, self._at)

    def missing(self, target: str, reason: str) -> None:
        """This round got nothing from the target."""
        state = self._targets[target]
        state.reason = reason
        _append(state.failed, self._at)

    def forget(self, needed: Needed) -> None:
        """Let go of what no window reaches any more."""
        at = self._at
        for key, track in list(self._tracks.items()):
            gone = bisect_right(track.times, at - needed.seconds(track.view()))
            if gone == len(track.times):
                del self._tracks[key]
            elif gone:
                del track.times[:gone], track.values[:gone]
        for state in self._targets.values():
            for log in (state.answered, state.failed):
                del log[: bisect_right(log, at - needed.longest_seconds)]

    def tracks(self) -> list[Held]:
        """Everything held."""
        return [track.view() for track in self._tracks.values()]

    def doubt(self, signal: Signal) -> str | None:
        """Why what is held must not be read as the whole signal: a target is missing, or said something impossible."""
        selections = _readable(signal)
        for fault in self._faults:
            if any(selects(selection, fault.one) for selection in selections):
                return fault.reason
        for name, state in self._targets.items():
            if state.exposes is None:
                concerned = any(_may_be_on(state, selection) for selection in selections)
            else:
                concerned = any(s.metric in state.exposes and _may_be_on(state, s) for s in selections)
            reason = self._absence(name, state, signal) if concerned else None
            if reason:
                return reason
        return None

    def to_bytes(self) -> bytes:
        """Everything held, compactly."""
        document = {
            "version": _VERSION,
            "latest": self.latest,
            "targets": [
                [name, state.labels, _rounded(state.answered), _rounded(state.failed), sorted(state.exposes or ()),
                 state.exposes is None]
                for name, state in self._targets.items()
            ],
            "tracks": [
                [track.target, track.metric, track.labels, _rounded(track.times), list(track.values), track.current]
                for track in self._tracks.values()
            ],
        }  # fmt: skip
        return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6)

    @classmethod
    def from_bytes(cls, content: bytes) -> HeldScrapes:
        """What ``to_bytes`` gave; empty where it cannot be read: losing a few samples costs one window of waiting."""
        held = cls()
        try:
            unpacked = zlib.decompressobj().decompress(content, _MAX_BYTES)
            document = json.loads(unpacked)
            if document["version"] != _VERSION:
                return cls()
            for name, labels, answered, failed, exposes, never in document["targets"]:
                held._targets[str(name)] = _Target(
                    dict(labels), array("d", answered), array("d", failed), None if never else frozenset(exposes)
                )
            for target, metric, labels, times, values, current in document["tracks"]:
                track = _Track(target, metric, dict(labels), array("d", times), array("d", values), bool(current))
                if len(track.times) == len(track.values):
                    held._tracks[_identity(metric, track.labels)] = track
            held.latest = None if document["latest"] is None else float(document["latest"])
        except (zlib.error, ValueError, KeyError, TypeError, RecursionError):
            return cls()
        return held

    @property
    def _at(self) -> float:
        if self.latest is None:
            raise ValueError("begin a round first")
        return self.latest

    def _keep(self, target: str, sample: Exposed, needed: Needed) -> None:
        labels = _with_target_labels(sample.labels, self._targets[target].labels)
        key = _identity(sample.metric, labels)
        track = self._tracks.get(key) or _Track(target, sample.metric, labels)
        if not needed.seconds(track.view()):
            return
        at, time = self._at, self._at if sample.time is None else sample.time
        reason = ""
        if key in self._touched:
            where = "it" if self._touched[key] == target else f"{self._touched[key]} and {target}"
            reason = f"two series have the same labels, {sample.metric}{label_text(labels)}: {where} exposed both"
        elif track.times and (time < track.times[-1] or (time == track.times[-1] and not _may_stand(sample, track))):
            reason = f"{target} went back in time: {sample.metric} is dated no later than what it said before"
        elif time > at + _FUTURE_SECONDS:
            reason = f"{target} dates {sample.metric} {format_duration(round(time - at))} into the future"
        self._touched[key] = target
        if reason:
            self._faults.append(_Fault(track.view(), reason))
            if track.times and track.times[-1] == time == at:  # the first of two is no better than the second
                track.times.pop(), track.values.pop()
            return
        track.current = True
        self._tracks[key] = track
        if not track.times or time > track.times[-1]:
            track.times.append(time)
            track.values.append(sample.value)
        else:
            track.values[-1] = sample.value

    def _absence(self, name: str, state: _Target, signal: Signal) -> str | None:
        if state.reason:
            first = "" if state.exposes is not None else "; it has never answered, so nobody knows what its part is"
            return f"{name}: {state.reason}{first}; a sum of the others would pass for the whole"
        if signal.value:
            return None
        start = self._at - signal.window
        failed = len(state.failed) - bisect_right(state.failed, start)
        answered = len(state.answered) - bisect_right(state.answered, start)
        if failed and answered < ANSWERED_RATIO * (answered + failed):
            times = f"{answered} of {answered + failed} times within {format_duration(signal.window)}"
            return f"{name} answered only {times}, too few for a rate of the whole; wait for more scrapes"
        return None


def _readable(signal: Signal) -> tuple[Selection, ...]:
    try:
        selections = selections_of(signal)
        for selection in selections:
            for expected in selection.labels.values():
                label_matches(expected, "")
    except ValueError:
        return ()
    return selections


def _may_be_on(state: _Target, selection: Selection) -> bool:
    return all(
        label_matches(expected, state.labels[name])
        for name, expected in selection.labels.items()
        if name in state.labels
    )


def _with_target_labels(labels: Mapping[str, str], of_target: Mapping[str, str]) -> dict[str, str]:
    """The target's labels win; its own of the same name become ``exported_…``, and empty ones are none."""
    merged = {f"exported_{name}" if name in of_target else name: value for name, value in labels.items() if value}
    return {**merged, **of_target}


def _may_stand(sample: Exposed, track: _Track) -> bool:
    """Whether a sample of the same time as the last one may stand: the round is repeated, or nothing has changed."""
    return sample.time is None or sample.value == track.values[-1]


def _identity(metric: str, labels: Mapping[str, str]) -> Identity:
    return metric, tuple(sorted(labels.items()))


def _append(log: array[float], at: float) -> None:
    if not log or log[-1] < at:
        log.append(at)


def _rounded(times: Sequence[float]) -> list[float]:
    return [round(time, 3) for time in times]

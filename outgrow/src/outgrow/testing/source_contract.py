"""What every source must hold. Subclass ``SourceContract`` and give the fixtures ``played`` and ``broken``.

``STORY`` is what two instances of one service expose, step by step: steady load, a restart of one (its counters begin
anew), one that vanishes and returns, a gauge that is NaN, and silence. An adapter shows each step to whatever it reads
from, and observes ``SIGNALS`` at the time of the step::

    class TestMine(SourceContract):
        @pytest.fixture(scope="class")
        @classmethod
        def played(cls):
            source = open_mine({...})
            return Played(source, tuple(observe(source, step) for step in STORY))

        @pytest.fixture
        def broken(self):
            return open_mine({"url": "http://127.0.0.1:1"})
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from outgrow.points.declaration import Signal
from outgrow.ports import Observation, Source

START = 1_772_323_200.0  # 2026-03-01T00:00:00Z
STEP_SECONDS = 15.0
WINDOW_SECONDS = 66.0  # holds five steps, with no step on its edge
JOB = "shop"
INSTANCES = ("a", "b")
BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0)

RESTART, VANISH, RETURN, WHOLE_AGAIN, NAN, IDLE, SILENT, END = 8, 14, 19, 23, 24, 26, 30, 34

REQUESTS_PER_STEP = {"a": 30, "b": 15}
ERRORS_PER_STEP = {"a": 3, "b": 0}
SLOW_PER_STEP = {"a": 3, "b": 0}
MEMORY_BYTES = {"a": 4e9, "b": 1e9}
USERS = {"a": {"eu": 70.0, "us": 20.0}, "b": {"eu": 5.0, "us": 0.0}}

_SIGNALS: Mapping[str, Mapping[str, Any]] = {
    "rate": {"unit": "per_second", "metric": "requests_total", "rate": True},
    "ratio": {"unit": "ratio", "metric": "errors_total", "ratio": {"metric": "requests_total"}},
    "p95": {"unit": "seconds", "metric": "request_seconds", "quantile": 0.95},
    "memory": {"unit": "bytes", "metric": "memory_bytes", "value": True},
    "memory_of_a": {"unit": "bytes", "metric": "memory_bytes", "labels": {"instance": "a"}, "value": True},
    "queue_peak": {"unit": "requests", "metric": "queue_length", "max": True, "across": "max"},
    "users": {"unit": "users", "metric": "active_users", "value": True, "by": "region"},
    "instances": {"unit": "processes", "metric": "queue_length", "value": True, "across": "count"},
    "kilobytes": {"unit": "kB", "metric": "memory_bytes", "value": True, "across": "avg", "scale": 0.001},
    "absent": {"unit": "users", "metric": "never_exported", "value": True},
}
SIGNALS: Mapping[str, Signal] = {
    name: Signal.model_validate({"window": WINDOW_SECONDS, **keys}) for name, keys in _SIGNALS.items()
}


@dataclass(frozen=True, slots=True)
class Step:
    """What each instance exposes at ``at`` (seconds since the epoch), in the text format; None: it does not answer."""

    at: float
    exposed: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Played:
    """A source to which the story was shown, and what it observed at each step."""

    source: Source
    observations: tuple[Observation, ...]


def _story() -> Iterator[Step]:
    meters = {instance: _Meters(instance) for instance in INSTANCES}
    for number in range(END):
        if number == RESTART:
            meters["a"] = _Meters("a")
        for one in meters.values():
            if number < IDLE:
                one.work()
            one.memory.set(math.nan if one.instance == "a" and NAN <= number < IDLE else MEMORY_BYTES[one.instance])
            one.queue.set(9 if number % 4 == 0 and one.instance == "a" else 2)
        gone = {"b"} if VANISH <= number < RETURN else set[str]()
        shown = {name: None if name in gone else one.text() for name, one in meters.items()}
        yield Step(START + number * STEP_SECONDS, shown)


class _Meters:
    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.registry = CollectorRegistry()
        self.requests = Counter("requests", "served", registry=self.registry)
        self.errors = Counter("errors", "failed", registry=self.registry)
        self.seconds = Histogram("request_seconds", "how long", buckets=BUCKETS, registry=self.registry)
        self.memory = Gauge("memory_bytes", "resident", registry=self.registry)
        self.queue = Gauge("queue_length", "waiting", registry=self.registry)
        users = Gauge("active_users", "now", ["region"], registry=self.registry)
        for region, count in USERS[instance].items():
            users.labels(region).set(count)

    def work(self) -> None:
        self.requests.inc(REQUESTS_PER_STEP[self.instance])
        self.errors.inc(ERRORS_PER_STEP[self.instance])
        slow = SLOW_PER_STEP[self.instance]
        for place in range(REQUESTS_PER_STEP[self.instance]):
            self.seconds.observe(2.0 if place < slow else 0.3)

    def text(self) -> str:
        return generate_latest(self.registry).decode()


STORY = tuple(_story())


class SourceContract:
    """The laws of ``outgrow.ports.Source``."""

    @pytest.fixture
    def played(self) -> Played:
        """The source after the whole story."""
        raise NotImplementedError("give a fixture `played`")

    @pytest.fixture
    def broken(self) -> Source:
        """A source of the same kind whose other end is not there."""
        raise NotImplementedError("give a fixture `broken`")

    def test_every_signal_has_a_value_or_a_reason_and_never_both(self, played: Played) -> None:
        assert len(played.observations) == len(STORY)
        for step, seen in zip(STORY, played.observations, strict=True):
            known = {sample.signal for sample in seen.samples}
            assert known | seen.unknown.keys() == SIGNALS.keys()
            assert not known & seen.unknown.keys()
            assert all(sample.time == step.at and math.isfinite(sample.value) for sample in seen.samples)
            assert all(len(reason) > 10 for reason in seen.unknown.values())
            assert len({(sample.signal, sample.member) for sample in seen.samples}) == len(seen.samples)

    def test_steady_load_is_read_as_it_is(self, played: Played) -> None:
        for number in range(5, RESTART):
            self._is_whole(played, number)

    def test_a_restart_is_no_fall(self, played: Played) -> None:
        for number in range(RESTART, VANISH):
            self._is_whole(played, number)

    def test_a_part_is_never_passed_for_the_whole(self, played: Played) -> None:
        for number in range(VANISH, RETURN):
            for name in ("rate", "ratio", "p95", "memory", "users", "instances", "queue_peak"):
                assert name in played.observations[number].unknown, (number, name)

    def test_what_has_no_part_in_it_is_not_lost(self, played: Played) -> None:
        for number in range(VANISH, RETURN):
            assert _value(played, number, "memory_of_a") == MEMORY_BYTES["a"]

    def test_a_target_that_returns_counts_once_it_has_been_there_for_most_of_the_window(self, played: Played) -> None:
        assert _value(played, RETURN, "memory") == sum(MEMORY_BYTES.values())
        assert {"rate", "ratio", "p95", "queue_peak"} <= played.observations[RETURN].unknown.keys()
        for number in range(RETURN, WHOLE_AGAIN):
            if "rate" not in played.observations[number].unknown:
                assert _value(played, number, "rate") == pytest.approx(3.0, rel=0.1)
        self._is_whole(played, WHOLE_AGAIN)

    def test_nan_is_unknown_and_costs_nothing_else(self, played: Played) -> None:
        for number in range(NAN, IDLE):
            assert {"memory", "memory_of_a", "kilobytes"} <= played.observations[number].unknown.keys()
            assert _value(played, number, "rate") == pytest.approx(3.0, rel=0.01)

    def test_silence_is_a_rate_of_zero_but_no_ratio_and_no_quantile(self, played: Played) -> None:
        for number in range(SILENT, END):
            assert _value(played, number, "rate") == 0
            assert {"ratio", "p95"} <= played.observations[number].unknown.keys()

    def test_a_metric_nobody_exports_is_unknown(self, played: Played) -> None:
        assert all("absent" in seen.unknown for seen in played.observations)

    def test_the_past_is_told_or_refused(self, played: Played) -> None:
        start, end = START + 6 * STEP_SECONDS, START + (VANISH - 1) * STEP_SECONDS
        past = played.source.history(SIGNALS, start, end, STEP_SECONDS)
        assert {name for name, _ in past.series} | past.unknown.keys() == SIGNALS.keys()
        for (name, _), series in past.series.items():
            assert series.name == name
            assert series.unit == SIGNALS[name].unit
            assert series.times[0] >= start
            assert series.times[-1] <= end
        if ("rate", "") in past.series:
            assert past.series["rate", ""].values == pytest.approx(3.0, rel=0.01)

    def test_one_bad_declaration_costs_nothing_else(self, played: Played) -> None:
        bad = Signal.model_validate({"metric": "requests_total", "labels": {"route": "~("}, "rate": True})
        both = {"bad": bad, "memory_of_a": SIGNALS["memory_of_a"]}
        seen = played.source.observe(both, START + (END - 1) * STEP_SECONDS)
        assert "bad" in seen.unknown
        assert "memory_of_a" not in seen.unknown

    def test_asking_for_nothing_gives_nothing(self, played: Played) -> None:
        assert played.source.observe({}, START + (END - 1) * STEP_SECONDS) == Observation()

    def test_asking_changes_nothing_that_was_asked_with(self, broken: Source) -> None:
        asked = dict(SIGNALS)
        before = copy.deepcopy(asked)
        broken.observe(asked, START)
        assert asked == before

    def test_a_source_that_is_not_there_is_a_reason(self, broken: Source) -> None:
        seen = broken.observe(SIGNALS, START)
        assert not seen.samples
        assert seen.unknown.keys() == SIGNALS.keys()
        assert len(broken.reachable() or "") > 10
        past = broken.history(SIGNALS, START, START + 60, STEP_SECONDS)
        assert not past.series
        assert past.unknown.keys() == SIGNALS.keys()

    def test_it_has_a_name(self, played: Played) -> None:
        assert played.source.name

    def _is_whole(self, played: Played, number: int) -> None:
        """All signals as the story means them: within 1 %, quantiles in their bucket."""
        assert _value(played, number, "rate") == pytest.approx(3.0, rel=0.01)
        assert _value(played, number, "ratio") == pytest.approx(3 / 45, rel=0.01)
        assert 1.0 < _value(played, number, "p95") <= 2.5
        assert _value(played, number, "memory") == pytest.approx(5e9, rel=0.01)
        assert _value(played, number, "kilobytes") == pytest.approx(2.5e6, rel=0.01)
        assert _value(played, number, "queue_peak") == 9
        assert _value(played, number, "instances") == 2
        assert _value(played, number, "users") == 95
        assert _value(played, number, "users", "eu") == 75
        assert _value(played, number, "users", "us") == 20


def _value(played: Played, number: int, signal: str, member: str = "") -> float:
    seen = played.observations[number]
    found = [sample.value for sample in seen.samples if (sample.signal, sample.member) == (signal, member)]
    assert found, f"step {number}: {signal} {member} is unknown: {seen.unknown.get(signal)}"
    return found[0]

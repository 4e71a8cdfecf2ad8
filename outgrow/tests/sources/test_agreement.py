"""The same declared signal through a real Prometheus server and through the recorder."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as Meter

from outgrow.points.declaration import Signal
from outgrow.ports import Observation
from outgrow.signals.evaluation import Held, evaluate
from outgrow.sources.prometheus import open_source as open_prometheus
from outgrow.sources.scrape import open_source as open_scrape
from outgrow.testing import FixedClock, MemoryLedger
from outgrow.testing.scripted_target import ScriptedTarget

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
EVERY_SECONDS = 0.5
ROUNDS_IN_WINDOW = 12
PATIENCE_ROUNDS = 40
WINDOW_SECONDS = 5.87  # 12 rounds, whichever of them a target's own phase (at most a quarter of a second) falls on


def signal(**keys: Any) -> Signal:
    return Signal.model_validate({"window": WINDOW_SECONDS, **keys})


LIVE: Mapping[str, Signal] = {
    "load": signal(metric="requests_total", rate=True),
    "load_of_busiest": signal(metric="requests_total", rate=True, across="max"),
    "load_by_route": signal(metric="requests_total", rate=True, by="route"),
    "failures": signal(metric="requests_total", labels={"code": "~5.."}, ratio={"metric": "requests_total"}),
    "median": signal(metric="latency_seconds", quantile=0.5),
    "p95": signal(metric="latency_seconds", quantile=0.95, scale=1000),
    "queue": signal(metric="queue_length", value=True),
    "queue_mean": signal(metric="queue_length", value=True, across="avg"),
    "queue_peak": signal(metric="queue_length", max=True, across="max"),
    "queue_of_a": signal(metric="queue_length", labels={"zone": "a"}, value=True),
    "instances": signal(metric="queue_length", value=True, across="count"),
    "absent": signal(metric="never_exported", value=True),
}
QUANTILES = {"median": 1.0, "p95": 1000.0}


@dataclass
class Service:
    """One instance whose meters move by a script."""

    zone: str
    target: ScriptedTarget
    random: random.Random
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Meter("requests", "served", ["route", "code"], registry=self.registry)
        self.latency = Histogram("latency_seconds", "how long", ["route"], buckets=BUCKETS, registry=self.registry)
        self.queue = Gauge("queue_length", "waiting", ["zone"], registry=self.registry)

    def step(self) -> None:
        for route, count in (("/search", 40), ("/home", 160)):
            for code, share in (("200", 0.9), ("500", 0.1)):
                self.requests.labels(route, code).inc(round(count * share) + self.random.randrange(3))
            for _ in range(count):
                self.latency.labels(route).observe(self.random.lognormvariate(-2, 1))
        self.queue.labels(self.zone).set(self.random.randrange(50))
        self.target.show(generate_latest(self.registry))


def by_name(seen: Observation) -> dict[tuple[str, str], float]:
    return {(sample.signal, sample.member): sample.value for sample in seen.samples}


def bucket(value: float, scale: float) -> int:
    return sum(value / scale > bound * (1 + 1e-9) for bound in BUCKETS)


def assert_agreement(prometheus: Observation, recorder: Observation, moment: str) -> None:
    theirs, ours = by_name(prometheus), by_name(recorder)
    shown = f"{moment}\nprometheus {theirs} {prometheus.unknown}\nrecorder {ours} {recorder.unknown}"
    assert prometheus.unknown.keys() == recorder.unknown.keys(), shown
    assert theirs.keys() == ours.keys(), shown
    for (name, member), value in theirs.items():
        assert ours[name, member] == pytest.approx(value, rel=0.01), f"{name} {member}: {shown}"
        if name in QUANTILES:
            assert bucket(value, QUANTILES[name]) == bucket(ours[name, member], QUANTILES[name]), f"{name}: {shown}"


@dataclass(frozen=True)
class Round:
    """A recorder's round, after Prometheus has scraped the same values.

    Attributes:
        clean: each target was scraped exactly once by Prometheus since the round before.
        lateness: by how much each target's scrape by Prometheus was earlier, in seconds.
    """

    phase: str
    at: float
    recorder: Observation
    clean: bool
    lateness: tuple[float, ...]


class Live:
    """Two instances that Prometheus scrapes at its own rhythm, and the recorder right after it.

    Each target has a phase of its own in Prometheus. The recorder follows the one after which the longer pause begins.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        targets = [service.target.url for service in services]
        self.services = services
        self.recorder = open_scrape({"targets": targets, "labels": {"job": "shop"}}, FixedClock(0), MemoryLedger())
        self.rounds: list[Round] = []
        for service in services:
            self._await(service, 3)
        one, other = (service.target.visits("Prometheus")[-1].at for service in services)
        self.leader = services[1] if (other - one) % EVERY_SECONDS <= EVERY_SECONDS / 2 else services[0]
        self._await(self.leader, len(self.leader.target.visits("Prometheus")) + 1)

    def play(self, phase: str, rounds: int) -> None:
        """At least so many rounds, and on until one of them can be compared in full."""
        for number in range(rounds + PATIENCE_ROUNDS):
            if number >= rounds and any(one.phase == phase for one in self.comparable()):
                return
            self._round(phase)

    def comparable(self) -> Iterator[Round]:
        """The rounds at which both roads had seen the same values within the window, over the same time to 0.8 %."""
        for last in range(ROUNDS_IN_WINDOW, len(self.rounds)):
            window = self.rounds[last - ROUNDS_IN_WINDOW + 1 : last + 1]
            drift = max(abs(a - b) for a, b in zip(window[0].lateness, window[-1].lateness, strict=True))
            missing = self.rounds[last - ROUNDS_IN_WINDOW]
            even = abs(window[-1].at - missing.at - ROUNDS_IN_WINDOW * EVERY_SECONDS) < 0.1
            if even and drift < 0.008 * WINDOW_SECONDS and all(one.clean for one in window):
                yield self.rounds[last]

    def _round(self, phase: str) -> None:
        before = [len(service.target.visits("Prometheus")) for service in self.services]
        for service in self.services:
            service.step()
        self._await(self.leader, len(self.leader.target.visits("Prometheus")) + 1)
        at, now = round(time.time(), 3), time.monotonic()
        recorder = self.recorder.observe(LIVE, at)
        pairs = zip(self.services, before, strict=True)
        visits = [service.target.visits("Prometheus")[count:] for service, count in pairs]
        lateness = tuple(now - one[-1].at if one else math.inf for one in visits)
        self.rounds.append(Round(phase, at, recorder, all(len(one) == 1 for one in visits), lateness))

    def _await(self, service: Service, visits: int) -> None:
        deadline = time.monotonic() + 20
        while len(service.target.visits("Prometheus")) < visits:
            assert time.monotonic() < deadline, "Prometheus stopped scraping"
            time.sleep(0.002)


def test_prometheus_and_the_recorder_agree(prometheus_tools: Any, tmp_path: Path) -> None:
    """Within 1 %, quantiles in the same bucket, the same signals unknown; through a restart and a vanished target.

    Two programs on a busy machine do not always keep the same rhythm: rounds where they did not are passed over, and
    more are played.
    """
    with ScriptedTarget() as one, ScriptedTarget() as other:
        chance = random.Random(7)
        services = [Service(zone, target, chance) for zone, target in (("a", one), ("b", other))]
        for service in services:
            service.step()
        scrape = (
            f"global: {{scrape_interval: {EVERY_SECONDS * 1000:.0f}ms, scrape_timeout: 400ms}}\n"
            "scrape_configs:\n- job_name: shop\n  static_configs:\n"
            f"  - targets: ['{one.address}', '{other.address}']\n"
        )
        with prometheus_tools.running(tmp_path, scrape) as server:
            live = Live(services)
            live.play("steady", ROUNDS_IN_WINDOW + 2)
            services[0].restart()
            live.play("restart", 3)
            other.vanish()
            live.play("vanished", 2)
            other.come_back()
            live.play("back", 3)
            time.sleep(EVERY_SECONDS)  # until Prometheus has stored its last scrapes
            source = open_prometheus({"url": server.url}, FixedClock(0))
            compared = Counter()
            for moment in live.comparable():
                assert_agreement(source.observe(LIVE, moment.at), moment.recorder, f"{moment.phase} {moment.at}")
                compared[moment.phase] += 1
    assert all(compared[phase] for phase in ("steady", "restart", "vanished", "back")), compared


SCENARIOS = 60
FUZZ_START = 1_772_323_200.0


def scenario(number: int) -> dict[str, list[tuple[float, float]]]:
    """Series that were scraped unevenly, with gaps and restarts; of one kind for counters, gauges and buckets."""
    chance = random.Random(number)
    every = chance.choice([5.0, 15.0, 30.0])
    times, moment = [], FUZZ_START + chance.uniform(0, every)
    while moment < FUZZ_START + 600:
        if chance.random() > 0.1:
            times.append(round(moment, 3))
        moment += every * chance.uniform(0.98, 1.02)
    series: dict[str, list[tuple[float, float]]] = {}
    for instance in "ab":
        labels = f'n="{number}",instance="{instance}"'
        series[f"gauge{{{labels}}}"] = [(at, round(chance.uniform(-100, 100), 3)) for at in times]
        for name in ("hits_total", "misses_total"):
            series[f"{name}{{{labels}}}"] = list(counted(chance, times))
        names = [f'latency_bucket{{{labels},le="{bound}"}}' for bound in (*BUCKETS, "+Inf")]
        counts = [0.0] * len(names)
        series |= {name: [] for name in names}
        for at in times:
            added = [chance.randrange(5) for _ in names]
            counts = [count + sum(added[: place + 1]) for place, count in enumerate(counts)]
            for name, count in zip(names, counts, strict=True):
                series[name].append((at, 1000 + count))
    return series


def counted(chance: random.Random, times: Sequence[float]) -> Iterator[tuple[float, float]]:
    """A counter that may restart. It never is near zero, where Prometheus 2 and 3 extrapolate differently."""
    value = 1e5
    for at in times:
        value = chance.uniform(1000, 2000) if chance.random() < 0.05 else value + chance.randrange(20)
        yield at, value


def parsed(name: str) -> tuple[str, dict[str, str]]:
    metric, _, labels = name.removesuffix("}").partition("{")
    return metric, {key: value.strip('"') for key, _, value in (label.partition("=") for label in labels.split(","))}


FUZZED: Sequence[Mapping[str, Any]] = (
    {"metric": "hits_total", "rate": True},
    {"metric": "hits_total", "rate": True, "across": "avg", "scale": 60},
    {"metric": "misses_total", "ratio": {"metric": "hits_total"}},
    {"metric": "gauge", "value": True},
    {"metric": "gauge", "value": True, "across": "min"},
    {"metric": "gauge", "max": True},
    {"metric": "gauge", "max": True, "across": "max", "by": "instance"},
    {"metric": "latency", "quantile": 0.5},
    {"metric": "latency", "quantile": 0.99},
)


def test_evaluation_is_what_prometheus_computes_from_the_same_samples(prometheus_tools: Any, tmp_path: Path) -> None:
    """Uneven scrapes, gaps and restarts, evaluated at odd moments: equal to the last digits."""
    scenarios = [scenario(number) for number in range(SCENARIOS)]
    lines = [f"{name} {value!r} {at:.3f}" for one in scenarios for name, points in one.items() for at, value in points]
    prometheus_tools.backfill("\n".join([*lines, "# EOF", ""]), tmp_path)
    chance, checked = random.Random(1), 0
    with prometheus_tools.running(tmp_path) as server:
        source = open_prometheus({"url": server.url, "missing_targets": "accept"}, FixedClock(0))
        for number, series in enumerate(scenarios):
            held = [
                Held(*parsed(name), [at for at, _ in points], [value for _, value in points])
                for name, points in series.items()
            ]
            window = round(chance.uniform(20, 200), 3)
            at = round(FUZZ_START + chance.uniform(100, 620), 3)
            signals = {}
            for place, keys in enumerate(FUZZED):
                declared = {"window": window, **keys, "labels": {"n": str(number)}}
                if "ratio" in keys:
                    declared["ratio"] = {**keys["ratio"], "labels": {"n": str(number)}}
                signals[str(place)] = Signal.model_validate(declared)
            theirs = source.observe(signals, at)
            for name, one in signals.items():
                reading = evaluate(one, held, at)
                assert (reading.value is None) == (name in theirs.unknown), (number, one, reading, theirs.unknown)
                if reading.value is not None:
                    ours = {(name, ""): reading.value, **{(name, m): value for m, value in reading.members.items()}}
                    expected = {key: value for key, value in by_name(theirs).items() if key[0] == name}
                    assert ours == pytest.approx(expected, rel=1e-9, abs=1e-12), (number, one)
                    checked += 1
    assert checked > SCENARIOS * len(FUZZED) * 0.8
    assert math.isfinite(checked)

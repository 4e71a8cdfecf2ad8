"""The recorder: which source a signal comes from, what is kept, and its rhythm."""

from __future__ import annotations

import math
import os
import signal as os_signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import LedgerError
from outgrow.points.declaration import Signal
from outgrow.ports import History, Observation, Sample
from outgrow.recording import RecordReport, observe_all, record_forever, record_once, stop_on_signals
from outgrow.testing import FixedClock, MemoryLedger

AT = 1_772_323_200.0


def signals(**sources: str | None) -> dict[str, Signal]:
    return {name: Signal(unit="x", metric="m", value=True, source=source) for name, source in sources.items()}


class Scripted:
    """A source with fixed values; a signal it has none for is unknown, or missing where it is in ``silent``."""

    def __init__(
        self, name: str, values: Mapping[str, float], silent: Sequence[str] = (), broken: bool = False
    ) -> None:
        self.name, self.values, self.silent, self.broken = name, values, silent, broken
        self.asked: list[set[str]] = []

    def observe(self, asked: Mapping[str, Signal], at: float) -> Observation:
        self.asked.append(set(asked))
        if self.broken:
            raise RuntimeError("not today")
        samples = tuple(Sample(name, at, self.values[name]) for name in asked if name in self.values)
        unknown = {name: "never heard of it" for name in asked if name not in (*self.values, *self.silent)}
        return Observation(samples, unknown)

    def history(self, asked: Mapping[str, Signal], start: float, end: float, step_seconds: float) -> History:
        return History()

    def reachable(self) -> str | None:
        return None


class TestObserving:
    def test_a_signal_comes_from_the_first_source_that_has_it(self) -> None:
        one, other = Scripted("one", {"a": 1.0}), Scripted("other", {"a": 2.0, "b": 3.0})
        report = observe_all([one, other], signals(a=None, b=None), AT)
        assert report.samples == {"one": (Sample("a", AT, 1.0),), "other": (Sample("b", AT, 3.0),)}
        assert not report.unknown
        assert report.known == 2
        assert other.asked == [{"b"}]

    def test_a_signal_comes_from_the_source_it_names(self) -> None:
        one, other = Scripted("one", {"a": 1.0}), Scripted("other", {"a": 2.0})
        assert observe_all([one, other], signals(a="other"), AT).samples == {"other": (Sample("a", AT, 2.0),)}
        assert not one.asked
        unknown = observe_all([one, other], signals(a="third"), AT).unknown
        assert unknown == {"a": "there is no source named 'third'; there is one, other"}
        assert observe_all([], signals(a=None), AT).unknown == {"a": "no source is declared"}

    def test_every_reason_is_told(self) -> None:
        report = observe_all([Scripted("one", {}), Scripted("other", {}, silent=["a"])], signals(a=None), AT)
        assert report.unknown == {"a": "one: never heard of it; other: it gave neither a value nor a reason"}

    def test_a_source_that_breaks_costs_nothing_else(self) -> None:
        broken, other = Scripted("one", {}, broken=True), Scripted("other", {"a": 1.0})
        report = observe_all([broken, other], signals(a=None, b="one"), AT)
        assert report.known == 1
        assert report.failed == {"one": "RuntimeError: not today"}
        assert report.unknown == {"b": "one: the source broke: RuntimeError: not today"}

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_what_is_no_number_is_no_sample(self, value: float) -> None:
        report = observe_all([Scripted("one", {"a": value})], signals(a=None), AT)
        assert report.unknown.keys() == {"a"}
        assert not report.samples

    def test_nobody_is_asked_for_what_was_not_declared(self) -> None:
        class Chatty(Scripted):
            def observe(self, asked: Mapping[str, Signal], at: float) -> Observation:
                return Observation((Sample("a", at, 1.0), Sample("other", at, 1.0)))

        assert observe_all([Chatty("one", {})], signals(a=None), AT).samples == {"one": (Sample("a", AT, 1.0),)}


class TestKeeping:
    def test_samples_and_members_are_in_the_ledger(self) -> None:
        class Regions(Scripted):
            def observe(self, asked: Mapping[str, Signal], at: float) -> Observation:
                return Observation((Sample("a", at, 3.0), Sample("a", at, 1.0, "eu"), Sample("a", at, 2.0, "us")))

        ledger = MemoryLedger()
        record_once([Regions("one", {})], ledger, signals(a=None), AT, origin="simulated")
        assert ledger.members("a") == ("", "eu", "us")
        assert ledger.series("a", "x", member="us").values.tolist() == [2.0]
        assert ledger.series("a", "x").origin == "simulated"

    def test_a_round_is_kept_whole_or_not_at_all(self) -> None:
        class Full(MemoryLedger):
            def add_samples(self, signal: str, *args: Any, **more: Any) -> int:
                if signal == "b":
                    raise LedgerError("the disk is full")
                return super().add_samples(signal, *args, **more)

        ledger = Full()
        with pytest.raises(LedgerError):
            record_once([Scripted("one", {"a": 1.0, "b": 2.0})], ledger, signals(a=None, b=None), AT)
        assert not ledger.signals()


def recorded(
    took: Callable[[int], float], every: float, rounds: int, ledger: MemoryLedger | None = None
) -> list[RecordReport]:
    """The reports of a recorder on a clock that only its own rounds and its sleep move."""
    clock, reports = FixedClock(AT), list[RecordReport]()

    class Working(Scripted):
        def observe(self, asked: Mapping[str, Signal], at: float) -> Observation:
            clock.advance(took(len(reports)))
            return super().observe(asked, at)

    record_forever(
        [Working("one", {"a": 1.0})],
        ledger or MemoryLedger(),
        signals(a=None),
        every_seconds=every,
        clock=clock,
        sleep=clock.advance,
        on_report=reports.append,
        stopped=lambda: len(reports) >= rounds,
    )
    return reports


class TestRhythm:
    @given(st.lists(st.floats(min_value=0, max_value=59.9), min_size=1, max_size=30))
    def test_lateness_never_adds_up(self, took: list[float]) -> None:
        reports = recorded(lambda number: took[number], 60, len(took))
        assert [report.at for report in reports] == pytest.approx([AT + 60 * n for n in range(len(took))], abs=1e-3)
        assert not any(report.skipped for report in reports)

    @given(st.lists(st.floats(min_value=0, max_value=500), min_size=2, max_size=30))
    def test_a_round_that_takes_too_long_costs_whole_rounds(self, took: list[float]) -> None:
        reports = recorded(lambda number: took[number], 60, len(took))
        for before, after in pairwise(reports):
            assert after.at - before.at == pytest.approx(60 * (1 + after.skipped), abs=1e-3)

    def test_a_clock_that_is_set_back_does_not_stop_it(self) -> None:
        reports = recorded(lambda number: -3600 if number == 1 else 0, 60, 4)
        assert [report.at - AT for report in reports] == [0, 60, -3480, -3420]

    def test_a_ledger_that_fails_for_a_while_costs_those_rounds_only(self) -> None:
        class Flaky(MemoryLedger):
            tries = 0

            @contextmanager
            def transaction(self) -> Iterator[None]:
                self.tries += 1
                if self.tries in (2, 3):
                    raise LedgerError("it is locked")
                with super().transaction():
                    yield

        ledger = Flaky()
        reports = recorded(lambda number: 0, 60, 5, ledger)
        assert [report.not_kept for report in reports] == ["", "it is locked", "it is locked", "", ""]
        assert all(report.known == 1 for report in reports)
        assert len(ledger.series("a", "x")) == 3

    @pytest.mark.parametrize("every", [0, -1, math.nan])
    def test_a_rhythm_is_positive(self, every: float) -> None:
        with pytest.raises(ValueError, match="positive"):
            recorded(lambda number: 0, every, 1)


PROGRAM = """
import sys
from outgrow.recording import record_forever, stop_on_signals
from outgrow.clock import SystemClock
from outgrow.testing import MemoryLedger

with stop_on_signals() as stop:
    record_forever(
        [], MemoryLedger(), {}, every_seconds=0.05, clock=SystemClock(), sleep=stop.wait, stopped=stop.is_set,
        on_report=lambda report: print("round", flush=True),
    )
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [os_signal.SIGINT, os_signal.SIGTERM])
def test_a_signal_ends_it_after_a_whole_round(number: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline() == "round\n"
    process.send_signal(number)
    rest = process.stdout.read().splitlines()
    assert process.wait() == 0
    assert rest[-1] == "stopped"


def test_a_second_signal_interrupts_and_handlers_come_back() -> None:
    before = os_signal.getsignal(os_signal.SIGTERM)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), os_signal.SIGTERM)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            _terminate_and_wait()
    assert os_signal.getsignal(os_signal.SIGTERM) is before


def _terminate_and_wait() -> None:
    os.kill(os.getpid(), os_signal.SIGTERM)
    threading.Event().wait(5)

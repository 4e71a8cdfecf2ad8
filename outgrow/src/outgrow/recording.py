"""The recorder: from sources to the ledger, once or at an even rhythm.

In: opened sources, a ledger, the declared signals, a clock. Out: samples in the ledger, and a report a round. It keeps
signals, not series: what a signal is read from stays with its source. A source that fails costs its own signals only.
"""

from __future__ import annotations

import math
import signal as os_signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType

from outgrow.errors import LedgerError
from outgrow.points.declaration import Signal
from outgrow.ports import Clock, Ledger, Observation, Sample, Source
from outgrow.signals.series import Origin


@dataclass(frozen=True, slots=True)
class RecordReport:
    """What one round brought.

    Attributes:
        at: its time, seconds since the epoch.
        samples: what was measured, by source.
        unknown: signal → why it has no value this time. idle: those of which a source knows that nothing happened.
        failed: source → how it broke, where it did not even answer as a source should.
        not_kept: why the ledger did not take the samples; ``""`` where it did.
        skipped: rounds left out before this one, because the one before took too long or the machine slept.
    """

    at: float
    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    not_kept: str = ""
    skipped: int = 0
    idle: frozenset[str] = frozenset()

    @property
    def known(self) -> int:
        """How many signals have a value."""
        return len({sample.signal for group in self.samples.values() for sample in group})


def observe_all(sources: Sequence[Source], signals: Mapping[str, Signal], at: float) -> RecordReport:
    """Ask the sources in their order; each signal comes from the first that has it, or from the one it names.

    Nothing is kept. A source that raises, or leaves a signal out, gives a reason like one that is down.
    """
    samples: dict[str, tuple[Sample, ...]] = {}
    reasons: dict[str, list[str]] = {name: [] for name in signals}
    failed: dict[str, str] = {}
    idle = set[str]()
    open_signals = dict(signals)
    for source in sources:
        asked = {name: one for name, one in open_signals.items() if one.source in (None, source.name)}
        if not asked:
            continue
        try:
            seen = source.observe(asked, at)
        except Exception as error:  # a plugin's mistake must not cost what the other sources know
            failed[source.name] = f"{type(error).__name__}: {error}"
            seen = Observation(unknown=dict.fromkeys(asked, f"the source broke: {failed[source.name]}"))
        usable = tuple(one for one in seen.samples if one.signal in asked and math.isfinite(one.value))
        if usable:
            samples[source.name] = (*samples.get(source.name, ()), *usable)
        idle |= seen.idle
        for name in {one.signal for one in usable}:
            del open_signals[name]
        for name in asked.keys() & open_signals.keys():
            reasons[name].append(f"{source.name}: {seen.unknown.get(name, 'it gave neither a value nor a reason')}")
    unknown = {name: "; ".join(reasons[name]) or _unasked(signals[name], sources) for name in open_signals}
    return RecordReport(at, samples, unknown, failed, idle=frozenset(idle & unknown.keys()))


def record_once(
    sources: Sequence[Source],
    ledger: Ledger,
    signals: Mapping[str, Signal],
    at: float,
    *,
    origin: Origin = "measured",
) -> RecordReport:
    """One round: observe at ``at`` and keep all samples in one transaction.

    Raises:
        LedgerError: the ledger did not take them; nothing of the round was kept.
    """
    report = observe_all(sources, signals, at)
    _keep(report, ledger, origin)
    return report


def record_forever(
    sources: Sequence[Source],
    ledger: Ledger,
    signals: Mapping[str, Signal],
    *,
    every_seconds: float,
    clock: Clock,
    sleep: Callable[[float], object],
    on_report: Callable[[RecordReport], None],
    stopped: Callable[[], bool] = lambda: False,
    origin: Origin = "measured",
) -> None:
    """Rounds at ``start + k × every_seconds`` of ``clock`` until ``stopped``: lateness of one does not shift the next.

    Rounds that cannot be made in time are left out, not caught up on. A ledger that fails for a while costs the rounds
    it fails in; they are reported with ``not_kept``.

    Args:
        sleep: waits for so many seconds of ``clock``; may return early when stopped.
        on_report: called after each round, e.g. to judge triggers and to show that the recorder is alive.

    Raises:
        ValueError: ``every_seconds`` is not positive.
    """
    if not every_seconds > 0:
        raise ValueError(f"a rhythm must be positive, got {every_seconds}")
    due, skipped = clock.now(), 0
    while not stopped():
        report = replace(observe_all(sources, signals, clock.now()), skipped=skipped)
        try:
            _keep(report, ledger, origin)
        except LedgerError as error:
            report = replace(report, not_kept=str(error))
        on_report(report)
        now = clock.now()
        rounds = max(1, math.ceil((now - due) / every_seconds))
        skipped = rounds - 1
        due += rounds * every_seconds
        if due - now > every_seconds:  # the clock was set back
            due = now + every_seconds
        if stopped():
            return
        sleep(due - now)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that a round ends whole; a second one interrupts as usual.

    ``event.wait`` and ``event.is_set`` are the ``sleep`` and ``stopped`` of ``record_forever``. Main thread only.
    """
    event = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        event.set()
        os_signal.signal(number, os_signal.default_int_handler)

    before = {number: os_signal.signal(number, stop) for number in (os_signal.SIGINT, os_signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            os_signal.signal(number, handler)


def _keep(report: RecordReport, ledger: Ledger, origin: Origin) -> None:
    with ledger.transaction():
        for source, group in report.samples.items():
            for one in group:
                ledger.add_samples(one.signal, [one.time], [one.value], origin=origin, source=source, member=one.member)


def _unasked(signal: Signal, sources: Sequence[Source]) -> str:
    if not sources:
        return "no source is declared"
    return f"there is no source named {signal.source!r}; there is {', '.join(one.name for one in sources)}"

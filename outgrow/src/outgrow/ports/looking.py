"""What is measured and who is told: clock, sources, notifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from outgrow.signals.series import Series

if TYPE_CHECKING:  # pydantic is not needed to speak of a signal
    from outgrow.points.declaration import Signal

Severity = Literal["warning", "critical", "resolved"]
Numbers = Sequence[float] | NDArray[np.floating[Any]]
HourlyValue = Literal["mean", "median", "min", "max"]


class Clock(Protocol):
    """Where the present comes from.

    ``scale`` is ``""`` for real time, or how time is stretched (``1s=1d``); it is stamped on all that is made with it.
    """

    @property
    def scale(self) -> str: ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one signal at one time; ``member`` is e.g. the region of ``by: region``, ``""`` for the whole."""

    signal: str
    time: float
    value: float
    member: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a source knows now. Every asked signal has a sample or a reason in ``unknown``; a gap is never a zero.

    ``idle``: those of ``unknown`` of which the source knows that nothing happened: a p95 of no request.
    """

    samples: tuple[Sample, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    idle: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a source knows of the past.

    Attributes:
        series: by (signal, member); ``member`` is ``""`` for the whole.
        unknown: signal → why there is no past of it here.
    """

    series: Mapping[tuple[str, str], Series] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where measurements come from."""

    @property
    def name(self) -> str: ...

    def observe(self, signals: Mapping[str, Signal], at: float) -> Observation:
        """The values now. Never raises because a signal, or the whole source, fails: the reason goes to ``unknown``."""
        ...

    def history(self, signals: Mapping[str, Signal], start: float, end: float, step_seconds: float) -> History:
        """The values between ``start`` and ``end``, one each ``step_seconds``, where the source keeps a past.

        A source without a past returns every signal in ``unknown`` with that reason.
        """
        ...

    def reachable(self) -> str | None:
        """None when the source answers, else the reason in words."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell people. The same ``key`` is told once; ``url`` leads to more, ``""`` where there is no more."""

    key: str
    title: str
    body: str
    severity: Severity
    url: str = ""


class Notifier(Protocol):
    """Where messages go."""

    @property
    def name(self) -> str: ...

    def deliver(self, message: Message) -> str | None:
        """None when delivered, else the reason in words; never raises for that. Trying again is up to the caller."""
        ...

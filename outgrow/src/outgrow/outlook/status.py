"""What ``status`` says: a state for every trigger, a sentence for every point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from outgrow.outlook.records import Forecast
from outgrow.quantities import Interval
from outgrow.signals.series import Origin

State = Literal["quiet", "approaching", "firing", "unknown"]

WORST_FIRST: tuple[State, ...] = ("firing", "unknown", "approaching", "quiet")
"""A point takes its worst trigger; not knowing is worse than seeing it come."""


@dataclass(frozen=True, slots=True, eq=False)
class TriggerStatus:
    """One trigger now; ``value``, ``threshold``, ``breaks_at`` in ``unit``, ``since`` in seconds since the epoch.

    ``origins`` names the kinds of data it rests on, so that simulated data is labelled.
    """

    point: str
    trigger: str
    title: str
    state: State
    value: float | None
    unit: str
    threshold: float | None
    breaks_at: float | None
    reason: str
    since: float
    broken: bool = False
    confirms: bool = False
    forecast: Forecast | None = None
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PointStatus:
    """One rewrite point now: the declared limit beside the measured one, and which governs.

    ``declared_users`` is ``complete_before``; from ``watched_from`` users on, a quiet value alone is not enough.
    ``crossing`` and ``start_by`` (seconds since the epoch) come from the soonest forecast of the point's triggers.
    """

    id: str
    title: str
    state: State
    sentence: str
    triggers: tuple[TriggerStatus, ...]
    declared_users: int
    measured_users: Interval | None
    governs: Literal["declared", "measured"]
    users_now: float | None
    watched_from: float
    soonest: str | None = None
    crossing: Interval | None = None
    start_by: float | None = None

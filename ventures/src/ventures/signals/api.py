"""What other rooms may use of signals."""

from collections.abc import Callable
from datetime import datetime

from ventures.database.pool import Database
from ventures.log.api import Authority, Loop
from ventures.settings import Settings
from ventures.signals.auditing import Auditor, audited, inconsistencies
from ventures.signals.complaining import area_of, complain, complaints
from ventures.signals.counting import Counter, counts
from ventures.signals.exposition import Measured, families
from ventures.signals.gathering import gathered, without_database
from ventures.signals.processes import Processes
from ventures.signals.records import (
    MEANINGS,
    About,
    Audited,
    Complaint,
    Count,
    Inconsistency,
    Kind,
    Place,
    ProcessUse,
    Round,
    Text,
)


def loops(database: Database, authority: Authority, settings: Settings, now: Callable[[], datetime]) -> list[Loop]:
    """Counting and auditing; in however many processes, one of them does it."""
    return [
        Loop("counting", Counter(database, now).turn),
        Loop("auditing", Auditor(database, authority, settings.region, now).turn),
    ]


__all__ = [
    "MEANINGS",
    "About",
    "Audited",
    "Auditor",
    "Complaint",
    "Count",
    "Counter",
    "Inconsistency",
    "Kind",
    "Measured",
    "Place",
    "ProcessUse",
    "Processes",
    "Round",
    "Text",
    "area_of",
    "audited",
    "complain",
    "complaints",
    "counts",
    "families",
    "gathered",
    "inconsistencies",
    "loops",
    "without_database",
]

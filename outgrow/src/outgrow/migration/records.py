"""The records of this room: a migration, a tenant's place in it, and what is written down of each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LAYOUT_VERSION = 1
"""Of what is kept in ``Migration`` and ``TenantMove``. A tool goes on with rows of its own version and older ones, and
leaves those of a newer one alone, saying so."""

State = Literal[
    "pending",
    "preparing",
    "copying",
    "catching_up",
    "verifying",
    "shadowing",
    "ready",
    "switching",
    "switched",
    "reversing",
    "completed",
    "cancelled",
]
"""Where a tenant is. ``switching`` goes from source to target, ``reversing`` back; all before is reversible by leaving
it, all from ``switched`` on until ``completed`` by reversing. Only ``completed`` and ``cancelled`` destroy a copy."""

Step = Literal["", "frozen", "drained", "compared", "way_back_ready"]
"""How far a ``switching`` or ``reversing`` tenant is. Each is durable before the next begins; the flip itself ends the
state, together with its journal row, in one transaction."""

Goal = Literal["none", "ready", "switched", "completed", "cancelled"]
"""What people want of a tenant. ``none``: nothing yet (pending). ``ready`` is also how a switched tenant is reversed.
"""

Baseline = Literal["try", "require", "none"]
"""Whether the service is measured before a wave is switched: where that fails it is only said, or nobody is switched.
"""

Kind = Literal["copying", "filling"]
"""``copying``: the tool copies items and follows registered writes. ``filling``: the target fills itself, from the
application's own database and log."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard a migration may press on the service; it waits, and says why, where one of these does not hold.

    Attributes:
        batch: items copied at once.
        most_lag_seconds: by which the target may be behind before a tenant is ready, and in between.
        freeze_seconds: the longest that writes of one tenant wait in a switch; then it falls back by itself.
        p95_limit_seconds: of the service's own p95, as ``p95_signal`` says; None: not looked at.
        p95_signal: the declared signal that tells it, "" for none.
        stop_file: while this file is there, nothing is copied; "" for none.
        command: run before each wave and now and then; nothing is copied while it ends with another code than 0.
        shadow_share: of reads that are asked of both stores while a tenant is shadowed, 0–1.
        least_shadowed: compared reads that a tenant needs before it is ready; 0: none.
        most_shadow_differing_ratio: of compared reads; where more differ, a tenant does not become ready. Not 0, as a
            read may meet a write that is being carried.
        late_seconds: for how long what a process sent to a store may still arrive after it lost the move without
            having given it back. It begins no put later than half of that after it last asked the ledger, so a request
            to a store may take the other half.
        baseline: measured before each wave, where the point declares a validation.
        first_wave, wave_factor: tenants of the first wave, and how many times larger each is than the one before.
    """

    batch: int = 500
    most_lag_seconds: float = 5.0
    freeze_seconds: float = 5.0
    p95_limit_seconds: float | None = None
    p95_signal: str = ""
    stop_file: str = ""
    command: str = ""
    shadow_share: float = 0.0
    least_shadowed: int = 0
    first_wave: int = 3
    wave_factor: float = 4.0
    most_shadow_differing_ratio: float = 0.01
    late_seconds: float = 60.0
    baseline: Baseline = "try"


@dataclass(frozen=True, slots=True)
class Migration:
    """One move of one rewrite point from a store to another.

    Attributes:
        id: of this move, new for each; the tool's ledger keeps it too.
        source, target: names of stores, as they stand in routes.
        layout_version: of what its rows hold (``LAYOUT_VERSION``).
        made_at: seconds since the epoch. ended_at: when all its tenants were completed or cancelled.
        paused: by people; "" or why.
        rehearsed_at: when a reverse was last carried out in it.
        epoch: counts the processes that took it on; only the last may write.
        holder: who holds it now, in words ("ana@host, process 4711"); "" for nobody.
        mover: which two stores these are, as ``migrating.identity`` tells them apart: a file that leads to others is
            refused. Empty: nobody said.
    """

    id: str
    point: str
    kind: Kind
    source: str
    target: str
    made_at: float
    pace: Pace = Pace()
    layout_version: int = LAYOUT_VERSION
    paused: str = ""
    ended_at: float | None = None
    rehearsed_at: float | None = None
    epoch: int = 0
    holder: str = ""
    mover: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class TenantMove:
    """One tenant's place in a migration: the row from which everything goes on.

    Attributes:
        wave: counted from 1. items: how many there were when it was looked at; None: not known yet.
        since: when ``state`` began; seconds since the epoch, by the clock of the database that keeps the row.
        placed: what tells when all writes from before its route was laid are over; "" before.
        copied_to: the copy has everything up to and with this key; "" nothing yet. copied: how many items.
        copied_all: the copy came to the end once; changes from then on come as changes.
        verified_at: when both stores were last found the same. differing: keys found different then.
        shadowed, shadow_differing: reads compared since ``shadowing`` began.
        tries, retry_at, error: of what failed last; an empty error is none. An error waits, it is no state.
        deadline: until when a switch must have flipped, or else it falls back to ``ready`` by itself.
        dropped: ``completed`` and ``cancelled`` are entered first, for good, and then the copy is dropped: this says
            that it was. A tenant's move is over only then.
        fallbacks: switches in a row that fell back.
        version: counts the writes of this row; who writes says which one it saw.
    """

    tenant: str
    wave: int
    state: State = "pending"
    step: Step = ""
    goal: Goal = "none"
    items: int | None = None
    since: float = 0.0
    placed: str = ""
    copied_to: str = ""
    copied: int = 0
    copied_all: bool = False
    verified_at: float | None = None
    differing: int = 0
    shadowed: int = 0
    shadow_differing: int = 0
    tries: int = 0
    retry_at: float | None = None
    error: str = ""
    deadline: float | None = None
    switched_at: float | None = None
    reversed_at: float | None = None
    version: int = 0
    dropped: bool = False
    fallbacks: int = 0


@dataclass(frozen=True, slots=True)
class JournalLine:
    """What happened, for good: the audit trail of ``outgrow migrate POINT log``. ``tenant`` is "" for the whole."""

    id: int
    at: float
    tenant: str
    what: str
    who: str
    facts: dict[str, str | int | float | bool | None] = field(default_factory=dict)


Difference = Literal["missing", "extra", "stale"]
"""In the copy: not there though it should be; there though it should not; there, but not the same."""


@dataclass(frozen=True, slots=True)
class Differing:
    """One key in which two stores differ."""

    tenant: str
    key: str
    how: Difference

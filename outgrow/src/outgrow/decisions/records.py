"""The records of this room: answers, rulings and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from outgrow.evidence.records import MeasuredRatio
from outgrow.quantities import Interval

Verdict = Literal["stay", "migrate", "between", "inconclusive"]
CRITERIA = (
    "operational_simplicity",
    "learning_curve",
    "community_support",
    "rollback_safety",
    "future_flexibility",
)
Status = Literal["proposed", "accepted", "rejected", "deprecated", "superseded", "done"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A fact of a rule, answered. ``at`` in seconds since the epoch, None where the declared file answers."""

    fact: str
    answer: bool
    source: str
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Whether *tune* keeps one trigger quiet at complete-before users: its upper bound is inside the threshold.

    ``users`` and ``value`` are None where that was not measured; ``why`` says it in words.
    """

    trigger: str
    held: bool
    why: str
    users: float | None = None
    value: Interval | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """How far the weight of one criterion must move before another option wins.

    ``weight`` is where it stands (share of 1 after normalising), ``flips_at`` where it would flip (share, the others
    kept in proportion); None: at no weight. ``to`` is the option that would win then.
    """

    criterion: str
    weight: float
    flips_at: float | None
    to: str | None


@dataclass(frozen=True, slots=True)
class Weighing:
    """The five criteria, weighed.

    Attributes:
        scores: (option, weighted mean of 1–5), best first; only options that have scores.
        eligible: the options that may win. best: the winner among them, None on a tie or without scores.
        flips: one for each criterion. missing: eligible options without scores.
        holds_in_ratio: share of all weightings (uniform over the simplex) under which ``best`` still wins.
    """

    scores: tuple[tuple[str, float], ...]
    eligible: tuple[str, ...]
    best: str | None
    flips: tuple[Flip, ...]
    missing: tuple[str, ...] = ()
    holds_in_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the declared rule says.

    Attributes:
        option: chosen; None where nothing is.
        reasons: sentences, the deciding one first. missing: what would have to be known; empty unless inconclusive.
        next_step: the command that would produce it.
        tune: option 0, a line a trigger. ratio: the one that was ruled on; shown: the others, never ruled on.
        weighing: the criteria; they decide only between the thresholds. answers: those the rule used.
        closed: (option, why) for options that earlier decisions closed.
    """

    point: str
    verdict: Verdict
    option: str | None
    reasons: tuple[str, ...]
    next_step: str = ""
    missing: tuple[str, ...] = ()
    tune: tuple[Held, ...] = ()
    ratio: MeasuredRatio | None = None
    shown: tuple[MeasuredRatio, ...] = ()
    weighing: Weighing | None = None
    answers: tuple[Answered, ...] = ()
    closed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReopenWhen:
    """One condition that reopens a decision: a trigger that begins to fire after it, or an answer that turns.

    Exactly one of ``trigger`` (an id of the point) and ``fact`` is set; ``becomes`` is the answer that reopens.
    """

    trigger: str | None = None
    fact: str | None = None
    becomes: bool | None = None


@dataclass(frozen=True, slots=True)
class DecisionHead:
    """What programs read of a decision record: its front matter.

    Attributes:
        number: of the file. file: its name. title: its heading.
        made_on: ISO date. status: as people keep it. superseded_by: a number, where it is.
        digest: of what was decided on. reopen_when: any of these reopens it.
        firing_then: triggers that fired already when it was made; None where the file does not say.
    """

    number: int
    file: str
    title: str
    point: str
    verdict: Verdict
    option: str | None
    made_on: str
    status: Status
    digest: str
    reopen_when: tuple[ReopenWhen, ...]
    superseded_by: int | None = None
    firing_then: tuple[str, ...] | None = None

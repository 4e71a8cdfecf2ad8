"""The records of this room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CheckId = Literal["load", "parity", "improvement", "readiness"]
CHECKS: tuple[CheckId, ...] = ("load", "parity", "improvement", "readiness")
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Check:
    """One of the four.

    Attributes:
        ok: True, False, or None where it cannot be told.
        sentence: what was found. remarks: what a reader must know beside it. next_step: what to do, "" for nothing.
        evidence: what it rests on, as JSON.
    """

    id: CheckId
    ok: bool | None
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody of the team says that they can run it. ``move``: the id of the migration it was given for, "" for none;
    ``at``: seconds since the epoch."""

    name: str
    at: float
    note: str
    move: str


def all_of(parts: Iterable[bool | None]) -> bool | None:
    """False where one part fails; else None where one cannot be told, or where there is none; else True."""
    found = tuple(parts)
    if False in found:
        return False
    return True if found and None not in found else None


def exit_code(checks: Iterable[Check]) -> int:
    """0: all are ok. 1: one is not. 3: one cannot be told, or none was made."""
    return {True: 0, False: 1, None: 3}[all_of(each.ok for each in checks)]


def check_body(check: Check) -> dict[str, Any]:
    """A check as JSON."""
    return {
        "id": check.id,
        "ok": check.ok,
        "sentence": check.sentence,
        "remarks": list(check.remarks),
        "next": check.next_step or None,
        "evidence": dict(check.evidence),
    }


def signature_body(signature: Signature) -> dict[str, Any]:
    """A signature as JSON for the ledger; ``signature_of`` reads it."""
    return {
        "what": "signature",
        "name": signature.name,
        "at": signature.at,
        "note": signature.note,
        "move": signature.move,
    }


def signature_of(body: Mapping[str, Any]) -> Signature | None:
    """The signature that ``signature_body`` wrote; None for what is none."""
    name, at, note, move = (body.get(key) for key in ("name", "at", "note", "move"))
    if body.get("what") != "signature" or not isinstance(name, str) or not isinstance(at, (int, float)):
        return None
    return Signature(name, float(at), str(note or ""), str(move or ""))

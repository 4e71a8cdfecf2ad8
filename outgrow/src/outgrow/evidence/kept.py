"""Complete rounds of a measurement under way, as they are remembered until it is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from outgrow.evidence.body import fit_of
from outgrow.evidence.records import ArmFacts, Fit, Round


@dataclass(frozen=True, slots=True)
class Begun:
    """A measurement under way. ``key`` stands for what is measured and how; ``at`` is when its rounds began."""

    key: str
    at: float
    rate_per_second: float | None
    fit: Fit | None


@dataclass(frozen=True, slots=True)
class KeptRound:
    """A complete round: what each arm measured, arm → trigger → value, and what was known of arms after it."""

    number: int
    rounds: tuple[Round, ...]
    measures: Mapping[str, Mapping[str, float]]
    facts: tuple[ArmFacts, ...] = ()


def begun_bytes(begun: Begun) -> bytes:
    """``begun_of`` reads it."""
    return json.dumps(asdict(begun)).encode()


def begun_of(content: bytes | None) -> Begun | None:
    """None where nothing is under way, or nothing that can be read."""
    body = _read(content)
    try:
        return Begun(body["key"], float(body["at"]), body["rate_per_second"], fit_of(body["fit"]))
    except (KeyError, TypeError, ValueError):
        return None


def round_bytes(begun: Begun, kept: KeptRound) -> bytes:
    """``round_of`` reads it."""
    return json.dumps({"key": begun.key, "at": begun.at, **asdict(kept)}).encode()


def round_of(content: bytes | None, begun: Begun) -> KeptRound | None:
    """A round of that very measurement; None where it is of another, or cannot be read."""
    body = _read(content)
    if (body.get("key"), body.get("at")) != (begun.key, begun.at):
        return None
    try:
        rounds = tuple(Round(**each) for each in body["rounds"])
        return KeptRound(body["number"], rounds, body["measures"], tuple(ArmFacts(**each) for each in body["facts"]))
    except (KeyError, TypeError):
        return None


def _read(content: bytes | None) -> dict[str, Any]:
    try:
        document = json.loads(content or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}

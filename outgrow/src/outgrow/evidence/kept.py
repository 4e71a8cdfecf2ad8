"""Complete rounds of a measurement under way, as they are remembered until it is finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from outgrow.evidence.body import fit_of
from outgrow.evidence.records import ArmFacts, Fit, Round

_DIGEST = "#"
_SAYS_MORE = 3


@dataclass(frozen=True, slots=True)
class Begun:
    """A measurement under way.

    Attributes:
        said: what is measured and how: name → value, or a digest of it where it is long.
        at: when its rounds began, seconds since the epoch.
        rate_per_second: what is sent. fit: the baseline against itself; None where that is not asked for.
        versions: of what is measured, as far as they are known.
    """

    said: Mapping[str, str]
    at: float
    rate_per_second: float | None
    fit: Fit | None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Stands for what is measured and how."""
        return hashlib.sha256(json.dumps(dict(self.said), sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class KeptRound:
    """A complete round: what each arm measured, arm → trigger → value, and what was known of arms after it."""

    number: int
    rounds: tuple[Round, ...]
    measures: Mapping[str, Mapping[str, float]]
    facts: tuple[ArmFacts, ...] = ()


def digested(value: Any) -> str:
    """A value of which only whether it changed is told."""
    text = json.dumps(value, sort_keys=True, default=str)
    return _DIGEST + hashlib.sha256(text.encode()).hexdigest()[:16]


def declared_otherwise(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """What is measured, or how, in another way than before; a phrase each, empty where all is the same."""
    return tuple(
        _changed(name, before.get(name, ""), now.get(name, ""))
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    )


def other_versions(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """What has another version than before, a phrase each. A name that only one of them knows says nothing: some
    versions are known only after the first round."""
    return tuple(
        _changed(name, before[name], now[name]) for name in sorted({*before} & {*now}) if before[name] != now[name]
    )


def phrase(changes: Sequence[str]) -> str:
    """At most three of them, and how many more."""
    more = f" and {len(changes) - _SAYS_MORE} more" if len(changes) > _SAYS_MORE else ""
    return ", ".join(changes[:_SAYS_MORE]) + more


def _changed(name: str, before: str, now: str) -> str:
    if before.startswith(_DIGEST) or now.startswith(_DIGEST):
        return f"{name} changed"
    return f"{name}: {before or 'nothing'} → {now or 'nothing'}"


def begun_bytes(begun: Sequence[Begun | None]) -> bytes:
    """Measurements under way, each at its place; ``begun_of`` reads it."""
    return json.dumps({"begun": [None if each is None else asdict(each) for each in begun]}).encode()


def begun_of(content: bytes | None) -> tuple[Begun | None, ...]:
    """None at the place of what cannot be read; empty where nothing can."""
    listed = _read(content).get("begun")
    return tuple(map(_one_begun, listed)) if isinstance(listed, list) else ()


def _one_begun(body: Any) -> Begun | None:
    try:
        rate = body["rate_per_second"]
        return Begun(dict(body["said"]), float(body["at"]), rate, fit_of(body["fit"]), dict(body["versions"]))
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

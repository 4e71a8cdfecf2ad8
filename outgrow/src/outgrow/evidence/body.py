"""Evidence as JSON, as it is kept in the ledger.

What is kept bears a ``seal``, a SHA-256 of all the rest of it: evidence that was edited where it is kept is told from
evidence as it was measured. It guards against hands and accidents, not against who makes the seal anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from outgrow.evidence.records import (
    EVIDENCE_SCHEMA,
    Arm,
    ArmFacts,
    Evidence,
    Fit,
    ReportedRatio,
    Round,
    TriggerMeasure,
)
from outgrow.quantities import Interval

PROVED = "outgrow prove"
"""The source of evidence whose digest was made of all it says, before there were seals."""


class EvidenceEdited(ValueError):
    """Evidence whose seal or digest belongs to something else."""


def evidence_body(evidence: Evidence) -> dict[str, Any]:
    """Evidence as JSON for the ledger, sealed; ``evidence_of`` reads it."""
    said = _said(evidence)
    return said | {"seal": _seal(said)}


def _said(evidence: Evidence) -> dict[str, Any]:
    return {
        "schema": EVIDENCE_SCHEMA,
        "point": evidence.point,
        "made_at": evidence.made_at,
        "source": evidence.source,
        "baseline": evidence.baseline,
        "baseline_tuned": evidence.baseline_tuned,
        "digest": evidence.digest,
        "arms": [
            {"id": arm.id, "option": arm.option, **_facts_body(evidence.facts_of(arm.id))} for arm in evidence.arms
        ],
        "rounds": [
            {name: value for name, value in asdict(each).items() if value is not None} for each in evidence.rounds
        ],
        "reported": [{"option": each.option, "ratio": asdict(each.ratio)} for each in evidence.reported],
        "measures": [asdict(each) for each in evidence.measures],
        "seed": evidence.seed,
        "versions": dict(evidence.versions),
        "machine": dict(evidence.machine),
        "simulated": evidence.simulated,
        "fit": asdict(evidence.fit) if evidence.fit else None,
        "rate_per_second": evidence.rate_per_second,
        "load_ratio": evidence.load_ratio,
        "interrupted": evidence.interrupted,
    }


def evidence_of(body: Mapping[str, Any]) -> Evidence:
    """The evidence that ``evidence_body`` wrote.

    Raises:
        EvidenceEdited: it is not what was written.
        KeyError, TypeError, ValueError: it is no evidence.
    """
    if body["schema"] != EVIDENCE_SCHEMA:
        raise ValueError(f"{body['schema']!r} is not {EVIDENCE_SCHEMA}")
    if "seal" in body and body["seal"] != _seal(body):
        raise EvidenceEdited("its seal does not belong to what it says")
    found = _evidence(body)
    if "seal" not in body and found.source == PROVED and with_digest(found).digest != found.digest:
        raise EvidenceEdited("its digest does not belong to what it says")
    return found


def can_be_checked(body: Mapping[str, Any]) -> bool:
    """Whether an edit of it would be seen: it is sealed, or was measured by ``outgrow prove``."""
    return "seal" in body or body.get("source") == PROVED


def _evidence(body: Mapping[str, Any]) -> Evidence:
    return Evidence(
        point=body["point"],
        made_at=body["made_at"],
        source=body["source"],
        baseline=body["baseline"],
        baseline_tuned=body["baseline_tuned"],
        digest=body["digest"],
        arms=tuple(Arm(each["id"], each["option"]) for each in body["arms"]),
        rounds=tuple(Round(**each) for each in body["rounds"]),
        reported=tuple(ReportedRatio(each["option"], Interval(**each["ratio"])) for each in body["reported"]),
        measures=tuple(
            TriggerMeasure(each["arm"], each["trigger"], each["users"], Interval(**each["value"]))
            for each in body["measures"]
        ),
        seed=body["seed"],
        versions=dict(body["versions"]),
        machine=dict(body["machine"]),
        simulated=body["simulated"],
        facts=facts_of_arms(body["arms"]),
        fit=fit_of(body.get("fit")),
        rate_per_second=body.get("rate_per_second"),
        load_ratio=body.get("load_ratio"),
        interrupted=body.get("interrupted", False),
    )


def facts_of_arms(arms: list[Mapping[str, Any]]) -> tuple[ArmFacts, ...]:
    """The facts that stand beside ids and options of arms; none for an arm without any."""
    found = []
    for each in arms:
        said = {key: value for key, value in each.items() if key not in ("id", "option") and value is not None}
        if said:
            found.append(ArmFacts(each["id"], **said))
    return tuple(found)


def with_digest(evidence: Evidence) -> Evidence:
    """The evidence with a digest of all it says."""
    said = {key: value for key, value in _said(evidence).items() if key != "digest"}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    return replace(evidence, digest=hashlib.sha256(canonical).hexdigest()[:32])


def _seal(body: Mapping[str, Any]) -> str:
    """The same before and after a database has written the JSON its own way: 1e22 and its digits are one number."""
    said = _plain({key: value for key, value in body.items() if key != "seal"})
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _facts_body(facts: ArmFacts) -> dict[str, Any]:
    return {key: value for key, value in asdict(facts).items() if key != "arm" and value not in (None, "")}


def fit_of(body: Mapping[str, Any] | None) -> Fit | None:
    """A ``Fit`` from its JSON, ``dataclasses.asdict`` of it."""
    if body is None:
        return None
    ratio = Interval(**body["ratio"]) if body["ratio"] else None
    return Fit(body["arm"], ratio, body["rounds"], body["why_not"])

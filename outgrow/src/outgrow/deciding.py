"""From evidence and answers to a decision that is written down, and from written decisions to where they stand now.

In: a declared point, the ledger, the folder of records, how the point stands. Out: a ruling, its record in the ledger
and the folder, and which decision is in force and what reopens it. Speaks to the outside only through ``ports`` and
``Folder``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from outgrow.decisions.decision_record import DecisionRecord, option_titles
from outgrow.decisions.record_text import file_name, record_text
from outgrow.decisions.records import Answered, DecisionHead, Ruling, Status
from outgrow.decisions.rules import rule_on
from outgrow.evidence.body import EvidenceEdited, can_be_checked, evidence_of
from outgrow.evidence.records import Evidence
from outgrow.outlook.status import PointStatus
from outgrow.points.declaration import Declaration, Point
from outgrow.ports import Ledger, StoredRecord
from outgrow.quantities import iso_date


class FolderContents(Protocol):
    """What a folder holds: heads by number, and a warning for each file that could not be read."""

    @property
    def heads(self) -> tuple[DecisionHead, ...]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


class Folder(Protocol):
    """Where records are kept; ``outgrow.decision_folder`` has one. ``write`` and ``numbers`` raise where it cannot be
    used."""

    def heads(self) -> FolderContents: ...
    def numbers(self) -> frozenset[int]: ...
    def write(self, name: str, text: str) -> Path: ...
    def mark_superseded(self, head: DecisionHead, by: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Written:
    """A decision in its file.

    ``how``: it was ``written`` now; ``kept``, because it was there and rests on the same; ``restored`` from the ledger,
    because its file was missing. ``superseded`` are the files it replaces. ``warnings`` say what was left to people.
    """

    file: str
    number: int
    status: Status
    how: Literal["written", "kept", "restored"]
    superseded: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Considered:
    """A point with all that its decision rests on, and the ruling.

    ``closed_elsewhere`` are the options that decisions about other points closed; ``outlook`` is how it stood at
    ``known_at``, the end of what was measured, seconds since the epoch.
    """

    declaration: Declaration
    point: Point
    outlook: PointStatus
    known_at: float
    evidence: tuple[Evidence, ...]
    answers: Mapping[str, Answered]
    closed_elsewhere: tuple[tuple[str, str], ...]
    ruling: Ruling


def consider(
    declaration: Declaration,
    point: Point,
    outlook: PointStatus,
    known_at: float,
    evidence: Sequence[Evidence],
    answers: Mapping[str, Answered],
    heads: Sequence[DecisionHead],
) -> Considered:
    """What the declared rule says on this evidence, these answers, and the decisions made before."""
    elsewhere, here = closed_options(declaration, point, heads)
    facts = {
        one.trigger: (one.state == "quiet", one.reason) for one in outlook.triggers if one.trigger in _facts(point)
    }
    ruling = rule_on(point, declaration.criteria, evidence, answers, facts=facts, closed=(*elsewhere, *here),
                     units=units_of(declaration))  # fmt: skip
    return Considered(declaration, point, outlook, known_at, tuple(evidence), dict(answers), elsewhere, ruling)


def evidence_in(records: Iterable[StoredRecord]) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """The evidence that may be ruled on, and a sentence for each record that is left out or cannot be checked."""
    found: list[Evidence] = []
    said: list[str] = []
    for record in records:
        where = f"record {record.id} of the ledger, evidence on {record.point} of {iso_date(record.made_at)}"
        try:
            evidence = evidence_of(record.body)
            if evidence.point != record.point:
                raise EvidenceEdited(f"it was measured for {evidence.point}")
        except EvidenceEdited as error:
            said.append(f"{where}, was changed after it was kept ({error}) and is left out; {_ANEW}")
        except (KeyError, TypeError, ValueError):
            said.append(f"{where}, cannot be read and is left out; {_ANEW}")
        else:
            found.append(evidence)
            if not can_be_checked(record.body):
                said.append(f"{where}, was kept before evidence was sealed: nobody can tell whether it was changed")
    return tuple(found), tuple(said)


_ANEW = "measure it again with outgrow prove, or import its file with another source in it"


def units_of(declaration: Declaration) -> dict[str, str]:
    """Signal → its base unit."""
    return {name: signal.unit for name, signal in declaration.signals.items()}


def keep_answer(ledger: Ledger, point: Point, given: Answered, *, confirm: bool) -> Answered:
    """Keep an answer in the ledger, and return the one that counts from now on.

    The same answer from the same source is no news and is not kept again, unless it is to ``confirm`` it: that is how a
    reopened decision is decided anew where nothing else was measured.
    """
    at = given.at or 0.0
    with ledger.transaction():
        records = [one for one in ledger.records("answer", point.id) if one.body.get("fact") == given.fact]
        last = records[-1] if records else None
        body = {"fact": given.fact, "answer": given.answer, "source": given.source}
        if last is not None and dict(last.body) == body and (not confirm or iso_date(last.made_at) == iso_date(at)):
            return replace(given, at=last.made_at)
        after = last.id if last is not None else 0
        ledger.add_record("answer", point.id, at, _digest({**body, "after": after}), body)
    return given


def closed_options(
    declaration: Declaration, point: Point, heads: Iterable[DecisionHead]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """(option, why) for the point's options that earlier decisions closed: about other points, and about this one.

    Decisions about other points close what their option closes once they are accepted; those about this point only once
    they are done, since until then they can be replaced.
    """
    elsewhere: list[tuple[str, str]] = []
    here: list[tuple[str, str]] = []
    for head in heads:
        own = head.point == point.id
        if head.superseded_by is not None or head.status not in (("done",) if own else ("accepted", "done")):
            continue
        decided = declaration.point(head.point)
        for option in decided.options if decided else ():
            if option.id != head.option:
                continue
            for name in option.closes:
                target, _, closed = name.rpartition("/")
                if (target or head.point) == point.id:
                    chosen = option.title or option.id
                    why = f"decision {head.number:04d} chose {chosen} for {head.point}, which closes it"
                    (here if own else elsewhere).append((closed, why))
    return tuple(elsewhere), tuple(here)


def digest_of(considered: Considered) -> str:
    """Stands for what a decision rests on: rule, options, weights, evidence, answers, and what was ruled on them.

    Titles and texts leave it alone, and so does what grows from day to day.
    """
    point = considered.point
    weighed = {"id", "effort_weeks", "new_to_team", "opens", "closes", "monthly_cost", "operating_hours", "scores"}
    judged = {"id", "kind", "signal", "threshold", "breaks_at", "direction", "confirms"}
    return _digest(
        {
            "point": point.id,
            "rule": point.rule.model_dump(mode="json", exclude={"cases": {"__all__": {"ask", "answer", "source"}}})
            if point.rule
            else None,
            "complete_before": point.complete_before,
            "options": [one.model_dump(mode="json", include={*weighed, "variants"}) for one in point.options],
            "triggers": [one.model_dump(mode="json", include=judged) for one in point.triggers],
            "criteria": considered.declaration.criteria.model_dump(mode="json"),
            "evidence": sorted(one.digest for one in considered.evidence),
            "answers": [
                (one.fact, one.answer, one.source, iso_date(one.at) if one.at is not None else None)
                for _, one in sorted(considered.answers.items())
            ],
            "closed": sorted(considered.closed_elsewhere),
            "verdict": considered.ruling.verdict,
            "option": considered.ruling.option,
        }
    )


def write_down(
    considered: Considered,
    ledger: Ledger,
    folder: Folder,
    *,
    status: Status,
    decision_makers: tuple[str, ...],
    now: float,
    time_scale: str = "",
) -> Written:
    """Write the decision to its file and to the ledger, unless it is there; what it replaces is marked superseded.

    Raises:
        ValueError: the ruling chose nothing.
        OutgrowError: the folder cannot be written; then the ledger is as it was.
    """
    digest = digest_of(considered)
    with ledger.transaction():  # one writer at a time: two runs at once take the same number and the same file
        contents = folder.heads()
        mine = [one for one in contents.heads if one.point == considered.point.id and one.superseded_by is None]
        same = next((one for one in reversed(mine) if one.digest == digest and one.status != "superseded"), None)
        if same is not None:
            made = Written(same.file, same.number, same.status, "kept")
        else:
            made = _restored(considered, digest, ledger, folder) or _new(
                considered, digest, ledger, folder, mine, status, decision_makers, now, time_scale
            )
    return _superseding(made, mine, folder) if made.status in ("accepted", "done") else made


def next_number(ledger: Ledger, folder: Folder) -> int:
    """One above every number there is in the folder, whoever wrote it, and every number that was ever given."""
    given = {int(one.body.get("number", 0)) for one in ledger.records("decision")}
    return 1 + max(folder.numbers() | given, default=0)


def draft(
    considered: Considered,
    number: int,
    replaced: Sequence[DecisionHead],
    *,
    status: Status,
    decision_makers: tuple[str, ...],
    now: float,
    time_scale: str = "",
) -> DecisionRecord:
    """The record as it would be written under this number."""
    declaration, point = considered.declaration, considered.point
    return DecisionRecord(
        number=number,
        made_on=iso_date(now) or "",
        digest=digest_of(considered),
        status=status,
        decision_makers=decision_makers,
        point=point,
        criteria=declaration.criteria,
        costs=declaration.costs,
        learning_buffer=declaration.team.learning_buffer,
        ruling=considered.ruling,
        outlook=considered.outlook,
        known_on=iso_date(considered.known_at) or "",
        units=units_of(declaration),
        titles=option_titles(declaration.points),
        evidence=considered.evidence,
        supersedes=tuple(one for one in replaced if one.status in ("accepted", "proposed")),
        time_scale=time_scale,
    )


def _new(
    considered: Considered,
    digest: str,
    ledger: Ledger,
    folder: Folder,
    mine: Sequence[DecisionHead],
    status: Status,
    decision_makers: tuple[str, ...],
    now: float,
    time_scale: str,
) -> Written:
    number = next_number(ledger, folder)
    record = draft(considered, number, mine, status=status, decision_makers=decision_makers, now=now,
                   time_scale=time_scale)  # fmt: skip
    name, text = file_name(record), record_text(record)
    body = {
        "number": number,
        "file": name,
        "digest": digest,
        "verdict": considered.ruling.verdict,
        "option": considered.ruling.option,
        "reasons": list(considered.ruling.reasons),
        "status": status,
        "made_on": record.made_on,
        "text": text,
    }
    ledger.add_record("decision", considered.point.id, now, f"{digest}-{number:04d}", body)
    folder.write(name, text)
    return Written(name, number, status, "written")


def _restored(considered: Considered, digest: str, ledger: Ledger, folder: Folder) -> Written | None:
    """The decision made last, written again as it was, where it rests on the same and only its file is missing."""
    stored = ledger.records("decision", considered.point.id)
    body = stored[-1].body if stored else {}
    if body.get("digest") != digest or body.get("number") in folder.numbers():
        return None
    folder.write(body["file"], body["text"])
    return Written(body["file"], body["number"], body["status"], "restored")


def _superseding(made: Written, mine: Sequence[DecisionHead], folder: Folder) -> Written:
    """Mark what an accepted decision replaces; also what a run that was broken off had left unmarked."""
    older = [one for one in mine if one.number < made.number and one.status in ("accepted", "proposed")]
    said = [(one.file, folder.mark_superseded(one, made.number)) for one in older]
    return replace(
        made,
        superseded=tuple(file for file, warning in said if not warning),
        warnings=tuple(warning for _, warning in said if warning),
    )


def _facts(point: Point) -> set[str]:
    return {one.id for one in point.triggers if one.kind == "fact"}


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]

"""Whether the team can run what it has moved to: a page, runbooks, a rehearsed way back, and everybody's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from outgrow.points.declaration import Point
from outgrow.quantities import DAY, MINUTE, iso_date, significant
from outgrow.validation.records import Check, Signature, all_of


@dataclass(frozen=True, slots=True)
class Page:
    """The handbook page. ``there``: None where it cannot be told, ``why`` not."""

    place: str
    there: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class MoveSeen:
    """What is known of the point's move.

    Attributes:
        id: of the migration; "" where there is none. why_not: why nothing is known of it.
        rehearsed_at, now: seconds since the epoch by the clock of the move's own database.
    """

    id: str = ""
    rehearsed_at: float | None = None
    now: float = 0.0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One of the things asked for."""

    id: str
    ok: bool | None
    sentence: str
    next_step: str = ""


def readiness_check(
    point: Point, page: Page, move: MoveSeen, within_seconds: float, names: Sequence[str], signed: Sequence[Signature]
) -> Check:
    """Ok where the page is there, every trigger has a runbook, the way back was rehearsed, and all have signed.

    Args:
        within_seconds: how old the last rehearsal may be.
        names: of the team. signed: all signatures there are; those given for another move do not count.
    """
    items = (
        _page(point, page),
        _runbooks(point),
        _way_back(point, move, within_seconds),
        _signatures(point, move, names, signed),
    )
    ok = all_of(each.ok for each in items)
    amiss = [each for each in items if each.ok is not True]
    told = "; ".join(each.sentence for each in (amiss or items))
    counted = [asdict(each) for each in signed if each.move == move.id]
    evidence: dict[str, Any] = {
        "items": [
            {"id": each.id, "ok": each.ok, "sentence": each.sentence, "next": each.next_step or None} for each in items
        ],
        "migration": move.id or None,
        "rehearsed_at": move.rehearsed_at,
        "signatures": counted,
    }
    step = next((each.next_step for each in amiss if each.next_step), "")
    return Check("readiness", ok, f"{'Cannot tell: ' if ok is None else ''}{told}.", evidence, next_step=step)


def _page(point: Point, page: Page) -> Item:
    if page.there:
        return Item("handbook", True, f"the handbook page is there ({page.place})")
    if page.there is None:
        return Item("handbook", None, f"the handbook page at {page.place} could not be read: {page.why}",
                    "look at it by hand, or mend that")  # fmt: skip
    why = f": {page.why}" if page.why else ""
    return Item("handbook", False, f"there is no handbook page at {page.place}{why}", f"outgrow handbook {point.id}")


def _runbooks(point: Point) -> Item:
    without = [trigger.id for trigger in point.triggers if not trigger.runbook.strip()]
    if without:
        return Item("runbooks", False, f"no runbook for {', '.join(without)}",
                    "write runbook: under each of them in the declared file")  # fmt: skip
    return Item("runbooks", True, "every trigger has a runbook")


def _way_back(point: Point, move: MoveSeen, within_seconds: float) -> Item:
    rehearse = f"outgrow migrate {point.id} switch --rehearse --tenant TENANT --yes"
    if not move.id:
        why = move.why_not or "no migration of it was created"
        step = f"outgrow migrate {point.id} create" if point.migration else "write migration: under the point"
        return Item("way-back", None, f"whether the way back was rehearsed is not known: {why}", step)
    if move.rehearsed_at is None:
        return Item("way-back", False, f"the way back was never rehearsed in {move.id}", rehearse)
    age = max(0.0, move.now - move.rehearsed_at)
    day = iso_date(move.rehearsed_at)
    if age > within_seconds:
        told = f"the way back was last rehearsed on {day}, more than {significant(within_seconds / DAY)} days ago"
        return Item("way-back", False, told, rehearse)
    ago = "just now" if age < MINUTE else f"on {day}"
    return Item("way-back", True, f"the way back was rehearsed {ago}")


def _signatures(point: Point, move: MoveSeen, names: Sequence[str], signed: Sequence[Signature]) -> Item:
    if not names:
        return Item("signatures", None, "who has to sign is not known: the team's names are not declared",
                    "write names: under team: in the declared file")  # fmt: skip
    if not move.id:
        why = move.why_not or "no migration of it was created"
        return Item("signatures", None, f"what signatures stand for is not known: {why}")
    last = {each.name: each for each in signed if each.move == move.id}
    missing = [name for name in names if name not in last]
    if not missing:
        told = ", ".join(f"{name} on {iso_date(last[name].at)}" for name in names)
        return Item("signatures", True, f"all have signed ({told})")
    before = {each.name for each in signed}
    told = ", ".join(f"{name} (only for an earlier move)" if name in before else name for name in missing)
    verb = "has" if len(missing) == 1 else "have"
    quoted = f"'{missing[0]}'" if " " in missing[0] else missing[0]
    return Item("signatures", False, f"{told} {verb} not signed", f"outgrow validate {point.id} --sign {quoted}")

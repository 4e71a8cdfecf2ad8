"""Readiness: each of the four things by itself, and that nothing unknown is green."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from outgrow.points.declaration import Point
from outgrow.quantities import DAY
from outgrow.validation.readiness import MoveSeen, Page, readiness_check
from outgrow.validation.records import Check, Signature, signature_body, signature_of

NOW = 1_772_323_200.0
PAGE = Page("docs/handbook/data.md", True)
MOVE = MoveSeen("data-1", NOW - DAY, NOW)
NAMES = ("ana", "bo")
SIGNED = tuple(Signature(name, NOW, "", "data-1") for name in NAMES)


def point(*runbooks: str) -> Point:
    triggers = [{"id": f"t{n}", "signal": "p95", "threshold": 5, "runbook": text} for n, text in enumerate(runbooks)]
    return Point.model_validate({"id": "data", "monitor_from": 1, "complete_before": 2, "triggers": triggers})


def check(**more: Any) -> Check:
    said: dict[str, Any] = {"point": point("restart it"), "page": PAGE, "move": MOVE, "within_seconds": 30 * DAY,
                            "names": NAMES, "signed": SIGNED}  # fmt: skip
    return readiness_check(**(said | more))


def test_all_there_is_ready() -> None:
    found = check()
    assert found.ok is True
    assert [each["ok"] for each in found.evidence["items"]] == [True] * 4


@pytest.mark.parametrize(
    ("more", "ok", "words", "step"),
    [
        ({"page": Page("p.md", False)}, False, "there is no handbook page at p.md", "outgrow handbook data"),
        ({"page": Page("https://x", None, "it answers 403")}, None, "could not be read: it answers 403", "by hand"),
        ({"point": point("a", " ")}, False, "no runbook for t1", "write runbook:"),
        ({"move": MoveSeen("data-1", None, NOW)}, False, "never rehearsed", "switch --rehearse"),
        ({"move": MoveSeen("data-1", NOW - 31 * DAY, NOW)}, False, "more than 30 days ago", "switch --rehearse"),
        (
            {"move": MoveSeen(why_not="data declares no migration")},
            None,
            "data declares no migration",
            "write migration:",
        ),
        ({"signed": SIGNED[:1]}, False, "bo has not signed", "--sign bo"),
        ({"names": ()}, None, "names are not declared", "names:"),
        ({"signed": (*SIGNED[:1], Signature("bo", NOW, "", "data-0"))}, False, "bo (only for an earlier move)", "bo"),
    ],
)
def test_each_lacking_thing_is_named(more: dict[str, Any], ok: bool | None, words: str, step: str) -> None:
    found = check(**more)
    assert found.ok is ok
    assert words in found.sentence
    assert step in found.next_step


def test_green_only_where_every_item_is() -> None:
    pages = (PAGE, Page("p", False), Page("p", None))
    moves = (MOVE, MoveSeen("data-1", None, NOW), MoveSeen())
    for page, move, signed in product(pages, moves, (SIGNED, ())):
        found = check(page=page, move=move, signed=signed)
        states = [each["ok"] for each in found.evidence["items"]]
        assert found.ok is (False if False in states else None if None in states else True)


def test_a_signature_comes_back_from_json() -> None:
    assert signature_of(signature_body(SIGNED[0])) == SIGNED[0]
    assert signature_of({"what": "checks", "name": "ana", "at": 1.0}) is None

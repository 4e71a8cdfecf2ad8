"""A store that does not keep the order of keys is found out before anything is switched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from outgrow.migrating.comparing import differing
from outgrow.migrating.copying import Copier
from outgrow.migration.commands import CopyPage
from outgrow.ports import Copying, Item, StoreFailed
from outgrow.testing.memory_store import MemoryStore
from outgrow.testing.move_ledger import MemoryMoveLedger


class Collated(MemoryStore):
    """Orders as a language does, a before B."""

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        items = super().page(tenant, after, 1000)
        return sorted(items, key=lambda item: item.key.lower())[:limit]


class Stuck(MemoryStore):
    """Begins anew with each page."""

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        return super().page(tenant, "", limit)


@pytest.mark.parametrize("kind", [Collated, Stuck])
def test_keys_out_of_order_are_said(kind: type[MemoryStore]) -> None:
    liar, other = kind("old"), MemoryStore("new")
    for key in ("a1", "B1", "a2", "B2"):
        liar.write("ana", key, b"x")
        other.write("ana", key, b"x")
    with pytest.raises(StoreFailed, match="their UTF-8 bytes"):
        list(differing("ana", liar, other, set))


class Twice(MemoryStore):
    """Says each key twice."""

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        return [one for item in super().page(tenant, after, limit) for one in (item, item)][:limit]


@pytest.mark.parametrize("kind", [Collated, Stuck, Twice])
def test_a_copy_of_a_source_that_keeps_no_order_ends_with_a_sentence(kind: type[MemoryStore], moving: Any) -> None:
    source = kind("old")
    move = moving(source=source, items=0)
    for key in ("a1", "B1", "a2", "B2"):
        source.write("ana", key, b"x")
    ledger = MemoryMoveLedger(move.truth)
    migration = ledger.take(move.make(), "ana")
    copier = Copier(Copying(source, move.target), ledger, lambda _: None)
    row = move.rows()["ana"]

    def copy() -> None:
        after = ""
        for _ in range(40):
            outcome = copier.carry_out(migration, row, CopyPage(after, 3))
            assert not outcome.ended
            after = outcome.last_key

    with pytest.raises(StoreFailed, match="once each, by their UTF-8 bytes"):
        copy()

"""Pages that go as blocks: how large they are, when they are not put, and that all arrives whatever the stores give."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from outgrow.migrating.blocks import BATCHES, MOST_BYTES
from outgrow.migrating.copying import Copier
from outgrow.migration.commands import CopyPage
from outgrow.migration.records import Migration, Pace, TenantMove
from outgrow.ports import Block, Item, StoreFailed
from outgrow.testing.memory_store import MemoryBlocks, MemoryStore


def at_work(move: Any) -> tuple[Copier, Migration, TenantMove]:
    engine = move.engine()
    row = next(one for one in engine.ledger.tenants(engine.migration) if one.tenant == "ana")
    return engine.carrier, engine.migration, row


def made(moving: Any, **more: Any) -> Any:
    stores = {"source": MemoryBlocks("old"), "target": MemoryBlocks("new")}
    move = moving(**{**stores, "tenants": ("ana",), "items": 100, "pace": Pace(batch=5), **more})
    move.make()
    return move


def copied(move: Any, batch: int = 5) -> list[int]:
    """Copies all; how many with each page."""
    copier, migration, row = at_work(move)
    counts, after, ended = list[int](), "", False
    while not ended:
        outcome = copier.carry_out(migration, row, CopyPage(after, batch))
        counts += [outcome.copied] if outcome.copied else []
        after, ended = outcome.last_key, outcome.ended
    assert move.held(move.target, "ana") == move.held(move.source, "ana")
    return counts


def test_a_block_is_one_batch_at_first_and_several_once_they_are_known_to_be_small(moving: Any) -> None:
    move = made(moving)
    assert copied(move) == [5, 5 * BATCHES, 5 * BATCHES, 100 - 5 - 10 * BATCHES]
    assert "put" not in move.target.calls


def test_blocks_of_large_items_are_one_batch(moving: Any) -> None:
    move = made(moving, items=0)
    for number in range(12):
        move.source.write("ana", f"k{number:03}", bytes(MOST_BYTES // 8))
    assert copied(move) == [5, 5, 2]


def test_a_page_where_something_is_held_goes_item_by_item_and_the_next_is_a_block_again(moving: Any) -> None:
    move = made(moving)
    move.target.put("ana", 0, [Item("k030", None)])
    counts = copied(move)
    assert sum(counts) == 100
    assert counts[0] == 5
    assert max(counts[counts.index(5, 1) :]) == 5 * BATCHES, "behind it, blocks grow again"
    assert 1 < move.target.calls.count("put") < 8, "one is the one above"


@pytest.mark.parametrize("blocks_of", ["source", "target", "neither form"])
def test_where_one_side_knows_no_blocks_or_other_ones_items_are_copied(moving: Any, blocks_of: str) -> None:
    stores: dict[str, MemoryStore] = {"source": MemoryStore("old"), "target": MemoryStore("new")}
    if blocks_of == "neither form":
        stores = {"source": MemoryBlocks("old"), "target": MemoryBlocks("new")}
        stores["target"].forms = ("another",)  # type: ignore[attr-defined]
    else:
        stores[blocks_of] = MemoryBlocks(stores[blocks_of].name)
    move = made(moving, **stores)
    assert copied(move) == [5] * 20
    assert "put_block" not in move.target.calls


def test_a_block_that_was_read_long_ago_is_not_put(moving: Any) -> None:
    move = made(moving)
    copier, migration, row = at_work(move)
    seconds = iter((0.0, Pace().late_seconds / 2 + 1, 100.0, 101.0))
    copier.monotonic = lambda: next(seconds)
    with pytest.raises(StoreFailed, match="5 items of ana, and they were not put: they may be out of date"):
        copier.carry_out(migration, row, CopyPage("", 5))
    assert not {"put", "put_block"} & set(move.target.calls)
    assert copier.carry_out(migration, row, CopyPage("", 5)).copied == 5


class Short(MemoryBlocks):
    """Gives fewer than it is asked for, though there are more."""

    def block(self, tenant: str, after: str, limit: int, forms: Collection[str]) -> Block | None:
        return super().block(tenant, after, min(limit, 3), forms)


def test_a_short_block_is_not_the_end(moving: Any) -> None:
    move = made(moving, source=Short("old"))
    assert sum(copied(move)) == 100


class Stuck(MemoryBlocks):
    """Begins anew with each block."""

    def block(self, tenant: str, after: str, limit: int, forms: Collection[str]) -> Block | None:
        return super().block(tenant, "", limit, forms)


class Elsewhere(MemoryBlocks):
    """Says that its block ends where the page before did."""

    def block(self, tenant: str, after: str, limit: int, forms: Collection[str]) -> Block | None:
        found = super().block(tenant, after, limit, forms)
        return replace(found, last="k000") if found else None


@pytest.mark.parametrize("kind", [Stuck, Elsewhere])
def test_a_block_that_does_not_go_on_is_said(moving: Any, kind: type[MemoryBlocks]) -> None:
    move = made(moving, source=kind("old"))
    copier, migration, row = at_work(move)
    with pytest.raises(StoreFailed, match="once each, by their UTF-8 bytes"):
        copier.carry_out(migration, row, CopyPage("k050", 5))
    assert "put_block" not in move.target.calls


def test_a_move_by_blocks_goes_there_and_back_under_writes(moving: Any, application: Any) -> None:
    move = made(moving, tenants=("ana", "bo"), items=60)
    with application(move) as writer:
        for goal in ("ready", "switched", "ready", "switched"):
            assert move.to(goal) == "reached"
    for tenant in move.tenants:
        assert move.routed(tenant) == writer.acknowledged[tenant]
    assert "put_block" in move.target.calls

"""The store in memory holds the contract of every store, in both forms, and fails when it is told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outgrow.ports import Item, Store, StoreFailed
from outgrow.testing.memory_store import MemoryBlocks, MemoryStore
from outgrow.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture(params=["points", "rows"])
    def store(self, request: pytest.FixtureRequest) -> Iterator[Store]:
        store = MemoryStore("memory", request.param)
        yield store
        store.close()

    def item(self, tenant: str, place: int, version: int) -> Item:
        return Item(f"{'äaZ~'[place % 4]}{place}", f"{tenant} {version}".encode())

    def reopened(self, store: Store) -> Store:
        assert isinstance(store, MemoryStore)
        return MemoryStore(store.name, store.form, store.contents)


class TestMemoryBlocks(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = MemoryBlocks()
        yield store
        store.close()

    def item(self, tenant: str, place: int, version: int) -> Item:
        return Item(f"{place:03}", f"{tenant} {version}".encode())

    def reopened(self, store: Store) -> Store:
        assert isinstance(store, MemoryBlocks)
        return MemoryBlocks(store.name, store.form, store.contents)


def test_what_the_application_writes_passes_every_gate() -> None:
    store = MemoryStore()
    store.put("ana", 9, [Item("k", b"moved"), Item("l", None)])
    store.write("ana", "k", b"written")
    store.write("ana", "l", b"written")
    assert store.items("ana", ["k", "l"]) == {"k": b"written", "l": b"written"}
    store.delete("ana", "k")
    assert store.put("ana", 8, [Item("k", b"late")]).refused == ("k",)
    assert store.items("ana", ["k"]) == {}


def test_it_fails_when_told_and_does_nothing_then() -> None:
    store = MemoryStore()
    store.failing = "the disk is full"
    with pytest.raises(StoreFailed, match="disk is full"):
        store.put("ana", 1, [Item("k", b"v")])
    store.failing = ""
    assert store.page("ana", "", 10) == []
    store.close()
    with pytest.raises(StoreFailed, match="closed"):
        store.page("ana", "", 10)

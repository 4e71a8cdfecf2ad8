"""What every store of a mover must hold. Subclass ``StoreContract``, give a fixture ``store`` that yields an empty one,
and ``item``, which makes items of its form::

    class TestMine(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            store = open_store({"folder": str(tmp_path)}, "mine")
            yield store
            store.close()

        def item(self, tenant, place, version):
            return Item(f"note-{place}", canonical({"text": f"{version}"}))

        def reopened(self, store):  # another handle on the same data, where there can be one
            return open_store({"folder": store.folder}, "mine")

The tests use at most 1,200 items a tenant.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from outgrow.ports import Item, Store, StoreFailed, digest_of

ANA, BEN = "ana", "ben"
AWKWARD = ("o'neil", 'say "hi"', "100 %s", "a;b--c", "Ünïcøde 漢字 🜁", "back\\slash", " spaced ", "a/b.c:d", "../up")
"""Names of tenants that a store must tell apart from anything else."""


class StoreContract:
    """The laws of ``outgrow.ports.Store``."""

    awkward: Sequence[str] = AWKWARD
    """Names of tenants that are tried; a store whose tenants have a form of their own says which."""

    at_once = True
    """Whether two handles on the same data can be used by two threads."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An empty store of the kind that is tested."""
        raise NotImplementedError("give a fixture `store` that yields an empty store")

    def item(self, tenant: str, place: int, version: int) -> Item:
        """The item at ``place`` (0, 1, 2, …: each a key of its own, the same for each version) with content that is
        another one for each ``version``; its body exactly as the store gives it back."""
        raise NotImplementedError("give `item`, which makes items of the store's form")

    def reopened(self, store: Store) -> Store | None:
        """Another handle on the same data; None where there cannot be one."""
        del store
        return None

    def test_it_says_its_name_and_form(self, store: Store) -> None:
        assert store.name
        assert store.form

    def test_an_empty_store_has_nothing(self, store: Store) -> None:
        assert list(store.tenants()) == []
        assert list(store.page(ANA, "", 10)) == []
        assert list(store.digests(ANA, "", 10)) == []
        assert store.items(ANA, [self.item(ANA, 0, 1).key]) == {}

    def test_what_was_put_comes_back_to_the_byte(self, store: Store) -> None:
        items = self._put(store, ANA, 1, range(5))
        assert list(store.page(ANA, "", 10)) == items
        assert store.items(ANA, [item.key for item in items]) == {item.key: item.body for item in items}
        assert [(copied.key, copied.digest) for copied in store.digests(ANA, "", 10)] == [
            (item.key, digest_of(item.body or b"")) for item in items
        ]
        (size,) = store.tenants()
        assert (size.tenant, size.items) in ((ANA, 5), (ANA, None))

    def test_items_are_those_asked_for_and_there(self, store: Store) -> None:
        first, second, third = (self.item(ANA, place, 1) for place in range(3))
        store.put(ANA, 1, [first, third])
        assert store.items(ANA, [third.key, second.key]) == {third.key: third.body}
        assert store.items(ANA, []) == {}

    def test_putting_nothing_changes_nothing(self, store: Store) -> None:
        assert store.put(ANA, 1, []).refused == ()
        assert list(store.tenants()) == []

    @pytest.mark.parametrize("limit", [1, 3, 7, 50])
    def test_pages_hold_everything_once_in_the_order_of_bytes(self, store: Store, limit: int) -> None:
        items = self._put(store, ANA, 1, range(20))
        seen, after = list[Item](), ""
        while page := store.page(ANA, after, limit):
            assert len(page) <= limit
            seen += page
            after = page[-1].key
        assert seen == items
        assert [copied.key for copied in store.digests(ANA, items[4].key, limit)] == [
            item.key for item in items[5 : 5 + limit]
        ]

    def test_a_page_begins_behind_a_key_that_is_not_there(self, store: Store) -> None:
        items = self._put(store, ANA, 1, range(6))
        store.put(ANA, 2, [Item(items[2].key, None)])
        assert list(store.page(ANA, items[2].key, 10)) == items[3:]

    def test_a_thousand_items_come_through(self, store: Store) -> None:
        items = sorted((self.item(ANA, place, 1) for place in range(1200)), key=_by_bytes)
        for start in range(0, len(items), 400):
            store.put(ANA, 1, items[start : start + 400])
        seen, after = list[Item](), ""
        while page := store.page(ANA, after, 500):
            seen += page
            after = page[-1].key
        assert seen == items

    def test_a_newer_generation_wins(self, store: Store) -> None:
        self._put(store, ANA, 1, range(2))
        new = self.item(ANA, 0, 2)
        assert store.put(ANA, 2, [new]).refused == ()
        assert store.items(ANA, [new.key]) == {new.key: new.body}

    def test_an_older_generation_changes_nothing_and_is_told(self, store: Store) -> None:
        (held,) = self._put(store, ANA, 5, range(1))
        late = self.item(ANA, 0, 2)
        assert tuple(store.put(ANA, 4, [late]).refused) == (held.key,)
        assert tuple(store.put(ANA, 4, [Item(held.key, None)]).refused) == (held.key,)
        assert list(store.page(ANA, "", 10)) == [held]

    def test_what_is_not_older_is_written_beside_what_is(self, store: Store) -> None:
        (held,) = self._put(store, ANA, 5, range(1))
        late, fresh = self.item(ANA, 0, 2), self.item(ANA, 1, 2)
        assert tuple(store.put(ANA, 4, [late, fresh]).refused) == (held.key,)
        assert list(store.page(ANA, "", 10)) == sorted([held, fresh], key=_by_bytes)

    def test_many_at_once_are_gated_as_few_are(self, store: Store) -> None:
        items = sorted((self.item(ANA, place, 1) for place in range(40)), key=_by_bytes)
        assert store.put(BEN, 5, [self.item(BEN, place, 1) for place in range(40)]).refused == ()
        assert len(store.put(BEN, 4, [self.item(BEN, place, 2) for place in range(40)]).refused) == 40
        gone, newer = items[7], self.item(ANA, 11, 2)
        store.put(ANA, 9, [Item(gone.key, None)])
        assert tuple(store.put(ANA, 5, items).refused) == (gone.key,)
        store.put(ANA, 9, [newer])
        assert sorted(store.put(ANA, 5, items).refused) == sorted([gone.key, newer.key])
        held = {item.key: item.body for item in (*items, newer) if item.key != gone.key}
        assert {item.key: item.body for item in store.page(ANA, "", 50)} == held
        late = [self.item(ANA, place, 3) for place in range(40)]
        assert set(store.put(ANA, 4, late).refused) == {item.key for item in items}
        assert {item.key: item.body for item in store.page(ANA, "", 50)} == held
        assert store.put(ANA, 10, items).refused == ()
        assert list(store.page(ANA, "", 50)) == items

    def test_a_repeated_put_changes_nothing(self, store: Store) -> None:
        items = self._put(store, ANA, 3, range(4))
        gone = Item(items[0].key, None)
        for _ in range(2):
            assert store.put(ANA, 4, [gone, *items[1:]]).refused == ()
            assert list(store.page(ANA, "", 10)) == items[1:]

    def test_a_tombstone_holds_against_what_comes_late(self, store: Store) -> None:
        (item,) = self._put(store, ANA, 1, range(1))
        assert store.put(ANA, 5, [Item(item.key, None)]).refused == ()
        assert tuple(store.put(ANA, 4, [self.item(ANA, 0, 2)]).refused) == (item.key,)
        self._is_empty(store, ANA, [item.key])

    def test_a_tombstone_is_laid_where_nothing_was(self, store: Store) -> None:
        item = self.item(ANA, 0, 1)
        assert store.put(ANA, 5, [Item(item.key, None)]).refused == ()
        assert tuple(store.put(ANA, 4, [item]).refused) == (item.key,)
        self._is_empty(store, ANA, [item.key])

    def test_a_tombstone_gives_way_to_what_is_newer(self, store: Store) -> None:
        item = self.item(ANA, 0, 1)
        store.put(ANA, 5, [Item(item.key, None)])
        assert store.put(ANA, 6, [item]).refused == ()
        assert list(store.page(ANA, "", 10)) == [item]

    def test_whatever_the_order_the_newest_stays(self, store: Store) -> None:
        for seed in range(3):
            dice, tenant = random.Random(seed), f"tenant-{seed}"  # noqa: S311
            puts: list[tuple[int, list[Item]]] = []
            for generation in range(1, 13):
                places = dice.sample(range(6), dice.randint(1, 4))
                items = [self.item(tenant, place, generation) for place in places]
                puts.append((generation, [Item(i.key, None) if dice.random() < 0.3 else i for i in items]))
            newest = {item.key: item for _, items in puts for item in items}
            late = puts + dice.sample(puts, 6)
            dice.shuffle(late)
            for generation, items in late:
                store.put(tenant, generation, items)
            there = [item for item in newest.values() if item.body is not None]
            assert list(store.page(tenant, "", 100)) == sorted(there, key=_by_bytes)

    def test_tenants_do_not_touch_each_other(self, store: Store) -> None:
        ours, theirs = self._put(store, ANA, 9, range(3)), self._put(store, BEN, 1, range(3))
        assert {size.tenant for size in store.tenants()} == {ANA, BEN}
        store.put(BEN, 2, [Item(theirs[0].key, None)])
        store.settle(BEN)
        assert list(store.page(ANA, "", 10)) == ours
        assert list(store.page(BEN, "", 10)) == theirs[1:]
        store.drop(BEN)
        assert list(store.page(ANA, "", 10)) == ours
        late = self.item(ANA, 0, 2)
        assert tuple(store.put(ANA, 8, [late]).refused) == (late.key,)

    def test_a_proof_changes_nothing(self, store: Store) -> None:
        first, gone, late = (self.item(ANA, place, 1) for place in range(3))
        store.put(ANA, 5, [first, Item(gone.key, None)])
        for tenant in (ANA, BEN):
            for _ in range(2):
                store.prove_writable(tenant)
        assert list(store.page(ANA, "", 10)) == [first]
        assert {size.tenant for size in store.tenants()} == {ANA}
        self._is_empty(store, BEN, [first.key])
        refused = store.put(ANA, 4, [self.item(ANA, 0, 2), gone, late]).refused
        assert sorted(refused) == sorted([first.key, gone.key])
        assert store.put(ANA, 1, [self.item(ANA, 3, 1)]).refused == ()
        store.settle(ANA)
        assert store.put(ANA, 1, [gone]).refused == ()

    def test_a_proof_is_in_nobodys_way_who_writes_meanwhile(self, store: Store) -> None:
        self._put(store, ANA, 1, range(3))
        third = self.item(ANA, 2, 1)
        writer, over = self.reopened(store), threading.Event()
        if writer is None or not self.at_once:
            pytest.skip("this store has one handle at a time")
        proofs = list[int]()

        def prove() -> None:
            while not over.is_set():
                store.prove_writable(ANA)
                proofs.append(1)

        thread = threading.Thread(target=prove)
        thread.start()
        try:
            generation = 1
            while generation < 20 or (len(proofs) < 3 and thread.is_alive()):
                generation += 1
                items = [self.item(ANA, place, generation) for place in range(2)]
                gone = Item(third.key, None) if generation % 2 else self.item(ANA, 2, generation)
                assert writer.put(ANA, generation, [*items, gone]).refused == ()
                seen = {item.key: item.body for item in writer.page(ANA, "", 10)}
                assert seen == {item.key: item.body for item in (*items, gone) if item.body is not None}
        finally:
            over.set()
            thread.join()
            writer.close()
        assert len(proofs) >= 3, "a proof failed"

    def test_settling_forgets_generations_and_keeps_items(self, store: Store) -> None:
        first, second, third = (self.item(ANA, place, 1) for place in range(3))
        store.put(ANA, 9, [first, second, third])
        store.put(ANA, 10, [Item(third.key, None)])
        store.settle(ANA)
        assert list(store.page(ANA, "", 10)) == sorted([first, second], key=_by_bytes)
        assert store.put(ANA, 1, [self.item(ANA, 0, 2)]).refused == ()
        assert store.put(ANA, 1, [third]).refused == ()
        store.settle(ANA)
        store.settle(BEN)
        assert len(store.page(ANA, "", 10)) == 3

    def test_dropping_forgets_all_of_the_tenant(self, store: Store) -> None:
        items = self._put(store, ANA, 9, range(3))
        store.put(ANA, 10, [Item(items[0].key, None)])
        for _ in range(2):
            store.drop(ANA)
            self._is_empty(store, ANA, [item.key for item in items])
        assert list(store.tenants()) == []
        assert store.put(ANA, 1, items).refused == ()
        assert list(store.page(ANA, "", 10)) == items

    def test_any_name_is_one_tenant(self, store: Store) -> None:
        for number, tenant in enumerate(self.awkward):
            store.put(tenant, 1, [self.item(tenant, 0, number)])
        assert {size.tenant for size in store.tenants()} == set(self.awkward)
        for number, tenant in enumerate(self.awkward):
            assert list(store.page(tenant, "", 10)) == [self.item(tenant, 0, number)]
        for tenant in self.awkward[1:]:
            store.drop(tenant)
        assert [size.tenant for size in store.tenants()] == [self.awkward[0]]

    def test_no_call_works_without_a_tenant(self, store: Store) -> None:
        items = self._put(store, ANA, 1, range(2))
        calls: list[Callable[[], object]] = [
            lambda: store.page("", "", 10),
            lambda: store.items("", [items[0].key]),
            lambda: store.put("", 2, [Item(items[0].key, None)]),
            lambda: store.digests("", "", 10),
            lambda: store.prove_writable(""),
            lambda: store.settle(""),
            lambda: store.drop(""),
        ]
        for call in calls:
            with pytest.raises(StoreFailed):
                call()
        assert list(store.page(ANA, "", 10)) == items

    def test_what_was_put_is_there_for_who_opens_it_next(self, store: Store) -> None:
        first, second = (self.item(ANA, place, 1) for place in range(2))
        store.put(ANA, 5, [first, second])
        store.put(ANA, 6, [Item(second.key, None)])
        again = self.reopened(store)
        if again is None:
            pytest.skip("this store has one handle at a time")
        try:
            assert list(again.page(ANA, "", 10)) == [first]
            refused = again.put(ANA, 4, [self.item(ANA, 0, 2), second]).refused
            assert sorted(refused) == sorted([first.key, second.key])
            new = self.item(ANA, 0, 3)
            assert again.put(ANA, 7, [new]).refused == ()
            assert list(store.page(ANA, "", 10)) == [new]
        finally:
            again.close()

    def _put(self, store: Store, tenant: str, generation: int, places: range) -> list[Item]:
        """Puts the items at these places in their first version, and gives them in the order of their keys."""
        items = [self.item(tenant, place, 1) for place in places]
        assert store.put(tenant, generation, items).refused == ()
        return sorted(items, key=_by_bytes)

    def _is_empty(self, store: Store, tenant: str, keys: Sequence[str]) -> None:
        assert list(store.page(tenant, "", 10)) == []
        assert list(store.digests(tenant, "", 10)) == []
        assert store.items(tenant, keys) == {}
        assert tenant not in {size.tenant for size in store.tenants()}


def _by_bytes(item: Item) -> bytes:
    return item.key.encode()

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

Stores that keep ``outgrow.ports.InBlocks`` besides are held to its laws, too. The tests use at most 1,200 items a
tenant.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from outgrow.ports import Block, InBlocks, Item, Store, StoreFailed, digest_of

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

    def test_blocks_hold_everything_once_and_come_back_to_the_byte(self, store: Store) -> None:
        blocks = self._in_blocks(store)
        items = self._put(store, ANA, 5, range(20))
        seen = self._blocks(store, 7)
        assert sum(block.count for block in seen) == len(items)
        assert [block.last for block in seen] == [items[n].key for n in (6, 13, 19)]
        assert all(block.tenant == ANA and block.form in blocks.block_forms() for block in seen)
        assert blocks.block(BEN, "", 7, blocks.block_forms()) is None
        assert blocks.block(ANA, "", 7, ()) is None
        store.drop(ANA)
        assert [blocks.put_block(generation, block) for generation, block in enumerate(seen, 6)] == [True] * 3
        assert list(store.page(ANA, "", 50)) == items

    def test_a_block_gates_every_key_of_its_range_and_none_besides(self, store: Store) -> None:
        items, absent, behind = self._one_block(store, 9)
        late = [self.item(ANA, place, 2) for place in range(11)]
        within = [one for one in late if one.key != behind.key]
        for generation in (8, 1):
            assert set(store.put(ANA, generation, within).refused) == {one.key for one in (*items, absent)}
        for one in (items[0], absent):
            assert store.put(ANA, 8, [Item(one.key, None)]).refused == (one.key,)
        assert list(store.page(ANA, "", 50)) == items
        assert store.put(BEN, 1, [self.item(BEN, place, 2) for place in range(11)]).refused == ()
        assert store.put(ANA, 1, [behind]).refused == (), "it is behind the range"

    def test_what_is_not_older_than_a_block_goes_over_it_and_is_gated_by_itself_then(self, store: Store) -> None:
        items, absent, _ = self._one_block(store, 9)
        version = {place: [self.item(ANA, place, n) for n in range(1, 4)] for place in range(11)}
        (_, first, again), (_, second, late), (gone, *_) = (
            versions for versions in version.values() if versions[0] in items[:3]
        )
        assert store.put(ANA, 9, [first]).refused == ()
        assert store.put(ANA, 11, [second, Item(absent.key, None), Item(gone.key, None)]).refused == ()
        assert set(store.put(ANA, 10, [late, absent, gone]).refused) == {second.key, absent.key, gone.key}
        assert store.put(ANA, 10, [again]).refused == ()
        held = {item.key: item.body for item in (*items, again, second) if item.key != gone.key}
        assert {item.key: item.body for item in store.page(ANA, "", 50)} == held

    @pytest.mark.parametrize("generation", [1, 8, 9])
    def test_a_block_that_is_late_or_comes_twice_changes_nothing(self, store: Store, generation: int) -> None:
        blocks = self._in_blocks(store)
        items, _, _ = self._one_block(store, 9)
        gone, *_ = items
        store.put(ANA, 9, [Item(gone.key, None), self.item(ANA, 3, 2)])
        held = list(store.page(ANA, "", 50))
        for block in self.seen:
            assert not blocks.put_block(generation, block)
        assert list(store.page(ANA, "", 50)) == held
        assert store.put(ANA, 8, [gone]).refused == (gone.key,)

    @pytest.mark.parametrize("place", [0, 3, 7])
    @pytest.mark.parametrize("gone", [True, False])
    def test_a_block_is_not_put_where_an_item_or_a_tombstone_is(self, store: Store, place: int, gone: bool) -> None:
        blocks = self._in_blocks(store)
        self._put(store, ANA, 1, range(8))
        (block,) = self._blocks(store, 50)
        store.drop(ANA)
        there = self.item(ANA, place, 7)
        for generation in (3, 7):
            store.put(ANA, generation, [Item(there.key, None) if gone else there])
            assert not blocks.put_block(5, block)
            assert list(store.page(ANA, "", 50)) == [there] * (not gone)
        assert store.put(ANA, 2, [self.item(ANA, (place + 1) % 8, 1)]).refused == (), "a range was laid"

    @pytest.mark.parametrize("gone", [True, False])
    def test_nor_where_one_is_that_the_block_lacks(self, store: Store, gone: bool) -> None:
        blocks = self._in_blocks(store)
        items, absent, _ = self._one_block(store, 9)
        store.drop(ANA)
        store.put(ANA, 2, [Item(absent.key, None) if gone else absent])
        for block in self.seen:
            assert not blocks.put_block(5, block)
        assert list(store.page(ANA, "", 50)) == [absent] * (not gone)
        assert store.put(ANA, 1, items[:1]).refused == (), "a range was laid"

    def test_blocks_that_meet_in_one_key_are_not_both_put(self, store: Store) -> None:
        blocks = self._in_blocks(store)
        items = self._put(store, ANA, 1, range(9))
        forms = blocks.block_forms()
        first, other = blocks.block(ANA, "", 5, forms), blocks.block(ANA, items[3].key, 5, forms)
        behind = blocks.block(ANA, items[4].key, 4, forms)
        assert first is not None
        assert other is not None
        assert behind is not None
        for one, two in ((first, other), (other, first)):
            store.drop(ANA)
            assert blocks.put_block(4, one)
            for generation in (3, 4, 5):
                assert not blocks.put_block(generation, two)
            assert len(store.page(ANA, "", 50)) == one.count
        store.drop(ANA)
        assert blocks.put_block(9, behind)
        assert store.put(ANA, 1, [items[4]]).refused == (), "the range begins behind it"
        store.drop(ANA)
        assert blocks.put_block(4, first)
        assert blocks.put_block(3, behind)
        assert list(store.page(ANA, "", 50)) == items

    def test_settling_and_dropping_forget_blocks_of_that_tenant(self, store: Store) -> None:
        blocks = self._in_blocks(store)
        items, absent, _ = self._one_block(store, 9)
        store.settle(BEN)
        store.drop(BEN)
        assert store.put(ANA, 8, [absent]).refused == (absent.key,)
        store.settle(ANA)
        assert list(store.page(ANA, "", 50)) == items
        assert store.put(ANA, 1, [absent, self.item(ANA, 0, 2)]).refused == ()
        store.drop(ANA)
        for block in self.seen:
            assert blocks.put_block(1, block)
        assert list(store.page(ANA, "", 50)) == items
        store.drop(ANA)
        assert store.put(ANA, 1, items).refused == ()

    def test_blocks_and_puts_in_any_order_leave_the_newest(self, store: Store) -> None:
        """As by a map: what is newest under each key, but that a block is put only where nothing was."""
        blocks = self._in_blocks(store)
        for seed in range(6):
            dice, tenant = random.Random(seed), f"tenant-{seed}"  # noqa: S311
            made = list[tuple[Block, list[Item]]]()
            for _ in range(4):
                items = sorted(
                    (self.item(tenant, place, 1) for place in dice.sample(range(30), dice.randint(1, 9))), key=_by_bytes
                )
                store.put(tenant, 1, items)
                block = blocks.block(tenant, "", 50, blocks.block_forms())
                assert block is not None
                made.append((block, items))
                store.drop(tenant)
            _Expected(self, tenant).check(store, blocks, made, dice)

    def test_of_blocks_and_puts_at_the_same_time_none_is_lost(self, store: Store) -> None:
        """A tombstone and a block of the same range, older and newer: whoever comes first, no older one stays."""
        blocks = self._in_blocks(store)
        other = self.reopened(store)
        if other is None or not self.at_once:
            pytest.skip("this store has one handle at a time")
        items = self._put(store, ANA, 1, range(20))
        (block,) = self._blocks(store, 50)
        started = threading.Barrier(2)

        def put_block() -> bool:
            started.wait()
            return blocks.put_block(5, block)

        try:
            with ThreadPoolExecutor(1) as pool:
                for turn in range(12):
                    store.drop(ANA)
                    older, gone = turn % 2 == 0, Item(items[turn].key, None)
                    putting = pool.submit(put_block)
                    started.wait()
                    refused = tuple(other.put(ANA, 4 if older else 6, [gone]).refused)
                    done = putting.result()
                    there = {item.key for item in store.page(ANA, "", 50)}
                    assert len(there) == (0 if not done else 20 if older else 19)
                    assert refused == ((gone.key,) if done and older else ())
                    assert (gone.key in there) == (done and older)
        finally:
            other.close()

    def _in_blocks(self, store: Store) -> InBlocks:
        if not isinstance(store, InBlocks):
            pytest.skip("this store knows no blocks")
        if not store.block_forms():
            pytest.skip("this store has no form of blocks")
        return store

    def _blocks(self, store: Store, limit: int) -> list[Block]:
        blocks, after, found = self._in_blocks(store), "", list[Block]()
        while (block := blocks.block(ANA, after, limit, blocks.block_forms())) is not None:
            assert 0 < block.count <= limit
            found.append(block)
            after = block.last
        return found

    def _one_block(self, store: Store, generation: int) -> tuple[list[Item], Item, Item]:
        """ANA's items at the places from 0 to 9, put as a block, but for one that is absent within its range; that one,
        and one whose key is behind it."""
        blocks = self._in_blocks(store)
        every = sorted((self.item(ANA, place, 1) for place in range(11)), key=_by_bytes)
        absent, behind = every.pop(5), every.pop()
        assert store.put(ANA, 1, every).refused == ()
        self.seen = self._blocks(store, 50)
        store.drop(ANA)
        assert [blocks.put_block(generation, block) for block in self.seen] == [True]
        return every, absent, behind

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


class _Expected:
    """What a store with blocks must hold, told without one."""

    def __init__(self, contract: StoreContract, tenant: str) -> None:
        self.contract, self.tenant = contract, tenant
        self.own: dict[str, int] = {}
        self.ranges: list[tuple[bytes, bytes, int]] = []
        self.bodies: dict[str, bytes | None] = {}

    def check(
        self, store: Store, blocks: InBlocks, made: Sequence[tuple[Block, list[Item]]], dice: random.Random
    ) -> None:
        """Puts in any order, blocks and items, each held against what is expected of it."""
        for _ in range(14):
            generation = dice.randint(1, 9)
            if dice.random() < 0.4:
                block, items = dice.choice(made)
                assert blocks.put_block(generation, block) == self.takes(generation, block, items)
            else:
                several = [self.contract.item(self.tenant, place, generation) for place in dice.sample(range(30), 3)]
                given = [Item(item.key, None) if dice.random() < 0.3 else item for item in several]
                assert sorted(store.put(self.tenant, generation, given).refused) == sorted(self.put(generation, given))
        held = {key: body for key, body in self.bodies.items() if body is not None}
        assert {item.key: item.body for item in store.page(self.tenant, "", 99)} == held

    def takes(self, generation: int, block: Block, items: Sequence[Item]) -> bool:
        """Whether the block is put; then it is."""
        after, last = block.after.encode(), block.last.encode()
        there = [key for key in (*self.own, *self.bodies) if after < key.encode() <= last]
        if there or any(begin < last and after < end for begin, end, _ in self.ranges):
            return False
        self.ranges.append((after, last, generation))
        self.bodies |= {item.key: item.body for item in items}
        return True

    def put(self, generation: int, items: Sequence[Item]) -> list[str]:
        """Which are refused; the others are put."""
        refused = []
        for item in items:
            key = item.key.encode()
            of_range = next((held for begin, end, held in self.ranges if begin < key <= end), 0)
            if generation < self.own.get(item.key, of_range):
                refused.append(item.key)
            else:
                self.own[item.key], self.bodies[item.key] = generation, item.body
        return refused

"""Carries commands out where the tool copies: pages of items, registered writes, comparisons, the way back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from outgrow.migrating.blocks import Blocks, blocks_of
from outgrow.migrating.carrying import name_of
from outgrow.migrating.comparing import differing, in_order, still_differing
from outgrow.migrating.reporting import said
from outgrow.migration.batches import MOST_COUNTED, Backlog, next_batch, outrun
from outgrow.migration.commands import (
    Carry,
    Command,
    CompareLast,
    CopyPage,
    Drop,
    Freeze,
    Observed,
    Outcome,
    Place,
    ProveWayBack,
    Side,
    Thaw,
    Verify,
)
from outgrow.migration.records import Differing, Migration, TenantMove
from outgrow.ports import (
    Change,
    Copied,
    Copying,
    InUse,
    Item,
    MoveLedger,
    Put,
    ShadowCount,
    Store,
    StoreFailed,
    TenantSize,
)
from outgrow.routing import ABANDONED_SECONDS

COMPARED_WHOLE = 2_000
"""Up to so many items are all compared within a switch; of more, those that were carried since all were compared."""
SEEN_CHANGES = 1_000
"""Registered writes that are read at once where all of them are to be."""
MOST_BACKLOGS, BACKLOG_SECONDS = 100, 0.5
"""Looks at a tenant's backlog that are remembered, and how far they are apart."""
REPAIRED_AT_ONCE = 200
LOOKED_AT_LAST = 200
"""Keys of a copy that are looked for in the other before it is deleted."""
FEW = 20
"""Of fewer keys than these, all may be new ones since."""
GONE_SECONDS = 3.0
"""How long what a process sent that runs no more may still be on its way: its connections are closed."""
MOST_ASKED = 100
"""So many tenants are looked for in the target one by one; for more, all of it is counted."""
HELD_AGAIN_SECONDS = 60.0
"""A tenant that the target had is looked for again after so long."""
MOST_CARRIES = 20
"""In one repair: what is written faster than that is carried later."""


@dataclass(slots=True)
class _Flow:
    """A tenant's registered writes while they are carried: how many at once, and how that went lately."""

    batch: int
    looks: deque[Backlog] = field(default_factory=lambda: deque(maxlen=MOST_BACKLOGS))
    carried: int = 0

    def after(
        self, declared: int, carried: int, took_seconds: float | None, left: int, behind_seconds: float, at: float
    ) -> None:
        """Takes up a batch that was carried; ``left`` wait, and are over, the oldest for ``behind_seconds``.

        ``took_seconds``: None where it was none of the flow's own size, which then stays as it is.
        """
        if took_seconds is not None:
            self.batch = next_batch(declared, max(self.batch, declared), took_seconds, left)
        self.carried += carried
        if not left:
            self.looks.clear()
        if len(self.looks) > 1 and at - self.looks[-2].at < BACKLOG_SECONDS:
            self.looks.pop()
        self.looks.append(Backlog(at, left, self.carried, behind_seconds))


@dataclass(slots=True)
class Copier:
    """A ``Carrier`` for ``Copying``. One thread uses it.

    Attributes:
        pause: waits so many seconds; between two looks at what seems to differ.
        monotonic: real seconds.
        is_gone: whether a process, as ``Migration.holder`` names it, is known to run no more.
    """

    mover: Copying
    ledger: MoveLedger
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    is_gone: Callable[[str], bool] = lambda _: False
    _overtaken: tuple[int, tuple[float, str] | None] = (-1, None)
    _carried: dict[str, set[str]] = field(default_factory=dict)
    _flows: dict[str, _Flow] = field(default_factory=dict)
    _there: dict[str, float] = field(default_factory=dict)
    _blocks: Blocks | None = field(init=False)

    def __post_init__(self) -> None:
        self._blocks = blocks_of(self.mover)

    def sizes(self) -> list[TenantSize]:
        return list(self.mover.source.tenants())

    def there(self) -> list[TenantSize]:
        return list(self.mover.target.tenants())

    def are_there(self, tenants: Collection[str]) -> set[str]:
        now = self.monotonic()
        self._there = {
            tenant: at for tenant, at in self._there.items() if tenant in tenants and now - at < HELD_AGAIN_SECONDS
        }
        asked = [tenant for tenant in tenants if tenant not in self._there]
        found: set[str] | None = None
        if len(asked) <= MOST_ASKED:
            with suppress(StoreFailed):  # there may be a tenant that it could not even name
                found = {tenant for tenant in asked if self.mover.target.digests(tenant, "", 1)}
        if found is None:
            found = {one.tenant for one in self.there()}.intersection(asked)
        self._there |= dict.fromkeys(found, now)
        return set(self._there)

    def close(self) -> None:
        self.mover.source.close()
        self.mover.target.close()

    def is_compared(self, tenant: str) -> bool:
        return tenant in self._carried

    def observe(self, migration: Migration, move: TenantMove) -> Observed:
        ledger, state = self.ledger, move.state
        seen = ledger.look(migration.point, move.tenant)
        route = seen.route.store if seen.route else None
        if state in ("pending", "completed", "cancelled"):
            ended = state != "pending"
            late = self._overtaken_seconds(migration, seen.now) if ended else None
            return Observed(seen.now, route=route, overtaken_seconds=late)
        shadow = ledger.shadow(migration, move.tenant) if state == "shadowing" else ShadowCount()
        flow = self._flows.get(move.tenant)
        faster = outrun(flow.looks) if flow else None
        return Observed(
            seen.now,
            settled=not move.placed or state != "preparing" or ledger.settled(move.placed),
            waiting=seen.waiting,
            open=seen.open,
            abandoned=seen.abandoned,
            lag_seconds=seen.behind_seconds,
            route=route,
            matched=shadow.matched,
            differed=shadow.differed,
            failed=shadow.failed,
            batch=flow.batch if flow else 0,
            outrun=faster.sentence(move.tenant) if faster else "",
        )

    def carry_out(self, migration: Migration, move: TenantMove, command: Command) -> Outcome:
        match command:
            case Place():
                return Outcome(self.ledger.now(), mark=self.ledger.place(migration, move.tenant))
            case CopyPage():
                return self._copy_page(migration, move.tenant, command)
            case Carry(truth, limit):
                return self._carry(migration, move.tenant, truth, limit)
            case Verify(truth, repair):
                return self._verify(migration, move.tenant, truth, repair)
            case Freeze() | Thaw():
                return self._hold(migration, move.tenant, command)
            case CompareLast(truth):
                return self._compare_last(migration, move, truth)
            case ProveWayBack(store):
                self._pair(store)[0].prove_writable(move.tenant)
            case Drop(store):
                self._drop(migration, move.tenant, store)
            case _:
                pass
        return Outcome(self.ledger.now())

    def differing(self, migration: Migration, tenant: str, truth: Side) -> Iterator[Differing]:
        return differing(tenant, *self._pair(truth), self._pending(migration, tenant), lambda: self.pause(0.05))

    def _pair(self, truth: Side) -> tuple[Store, Store]:
        source, target = self.mover.source, self.mover.target
        return (source, target) if truth == "source" else (target, source)

    def _pending(self, migration: Migration, tenant: str) -> Callable[[], set[str]]:
        def keys() -> set[str]:
            limit = SEEN_CHANGES
            while len(changes := self.ledger.changes(migration, tenant, limit)) == limit:
                limit *= 4
            return {one.key for one in changes}

        return keys

    def _overtaken_seconds(self, migration: Migration, now: float) -> float | None:
        """How long ago the move was last taken from a process that may not know; looked up once for each epoch."""
        if self._overtaken[0] != migration.epoch:
            self._overtaken = (migration.epoch, self.ledger.overtaken(migration))
        found = self._overtaken[1]
        if found is None:
            return None
        passed = max(0.0, now - found[0])
        return None if passed >= GONE_SECONDS and self.is_gone(found[1]) else passed

    def _hold(self, migration: Migration, tenant: str, command: Freeze | Thaw) -> Outcome:
        try:
            if isinstance(command, Freeze):
                self.ledger.freeze(migration, tenant, command.seconds)
            else:
                self.ledger.thaw(migration, tenant)
        except InUse as why:
            return Outcome(self.ledger.now(), failed=said(why))
        return Outcome(self.ledger.now())

    def _put_state(self, migration: Migration, tenant: str, truth: Side, read: Callable[[Store], list[Item]]) -> Put:
        """Reads from the store that has the truth, and puts that into the other: the generation is taken before.

        Raises ``Superseded`` where another process took the move on, ``StoreFailed`` where this one slept so long that
        its put might come after whatever the other one does.
        """
        store, other = self._pair(truth)
        began = self.monotonic()
        generation = self.ledger.generation(migration)
        items = read(store)
        self._refuse_late(migration, tenant, store, began, len(items))
        return other.put(tenant, generation, items) if items else Put()

    def _refuse_late(self, migration: Migration, tenant: str, store: Store, began: float, count: int) -> None:
        within = migration.pace.late_seconds / 2
        if self.monotonic() - began > within:
            raise StoreFailed(
                f"{store.name} took more than {within:g} s to give {count} items of {tenant}, and "
                "they were not put: they may be out of date",
                next_step="they are read anew; a smaller batch helps where the store is that slow",
            )

    def _copy_page(self, migration: Migration, tenant: str, command: CopyPage) -> Outcome:
        source = self.mover.source
        items: list[Item] = []

        def page(store: Store) -> list[Item]:
            items.extend(in_order(store, tenant, command.after, store.page(tenant, command.after, command.limit)))
            return items

        found = self._copy_block(migration, tenant, command)
        if found is None:
            self._put_state(migration, tenant, "source", page)  # refused keys hold a state that was read later
            found = len(items), items[-1].key if items else command.after
        count, last = found
        ended = count < command.limit and not list(in_order(source, tenant, last, source.page(tenant, last, 1)))
        return Outcome(self.ledger.now(), last_key=last, copied=count, ended=ended)

    def _copy_block(self, migration: Migration, tenant: str, command: CopyPage) -> tuple[int, str] | None:
        """How many went as a block, and the last key; None where nothing was written: a store knows no blocks, or the
        target holds something already. Then items are read anew, with a generation of their own."""
        if self._blocks is None or not (forms := self._blocks.forms()):
            return None
        source, began = self.mover.source, self.monotonic()
        generation = self.ledger.generation(migration)
        block = self._blocks.read(tenant, command.after, command.limit, forms)
        if block is None:
            return None
        list(in_order(source, tenant, command.after, [Copied(block.last, b"")]))
        self._refuse_late(migration, tenant, source, began, block.count)
        return (block.count, block.last) if self._blocks.put(generation, block) else None

    def _carry(
        self, migration: Migration, tenant: str, truth: Side, limit: int, *, of_the_flow: bool = True
    ) -> Outcome:
        began = self.monotonic()
        changes = self.ledger.changes(migration, tenant, limit)
        while len(changes) == limit and not any(map(_may_be_carried, changes)):
            limit *= 2
            changes = self.ledger.changes(migration, tenant, limit)
        chosen = [one for one in changes if _may_be_carried(one)]
        if not chosen:
            return Outcome(self.ledger.now(), left=len(changes))
        keys = sorted({one.key for one in chosen})
        if tenant in self._carried:
            self._carried[tenant].update(keys)
        refused = set(self._put_keys(migration, tenant, truth, keys).refused)
        put = [one for one in chosen if one.key not in refused]
        self.ledger.clear(migration, put)  # of those that are open it is told that they were carried; they stay
        done = [one for one in put if not one.open]
        took = self.monotonic() - began if of_the_flow else None
        seen = self.ledger.look(migration.point, tenant, MOST_COUNTED)
        flow = self._flows.setdefault(tenant, _Flow(migration.pace.batch))
        left = seen.waiting if seen.waiting >= MOST_COUNTED else seen.waiting - seen.open
        flow.after(migration.pace.batch, len(done), took, left, seen.behind_seconds, self.monotonic())
        return Outcome(seen.now, carried=len(done), left=seen.waiting)

    def _put_keys(self, migration: Migration, tenant: str, truth: Side, keys: list[str]) -> Put:
        def state(store: Store) -> list[Item]:
            bodies = store.items(tenant, keys)
            return [Item(key, bodies.get(key)) for key in keys]

        return self._put_state(migration, tenant, truth, state)

    def _verify(self, migration: Migration, tenant: str, truth: Side, repair: bool) -> Outcome:
        store, other = self._pair(truth)
        pending, count = self._pending(migration, tenant), 0
        self._carried[tenant] = set()

        def again() -> None:
            self.pause(0.05)

        def seen(_: str) -> None:
            nonlocal count
            count += 1

        found = 0
        batch: list[str] = []
        for one in differing(tenant, store, other, pending, again, seen=seen):
            batch.append(one.key)
            if len(batch) >= REPAIRED_AT_ONCE:
                found += self._left_of(migration, tenant, truth, batch, repair)
                batch = []
        found += self._left_of(migration, tenant, truth, batch, repair)
        if found:
            del self._carried[tenant]
        else:  # what was on its way while all was compared is compared when it has come
            self._carried[tenant] |= pending()
        return Outcome(self.ledger.now(), items=count, differing=found)

    def _left_of(self, migration: Migration, tenant: str, truth: Side, keys: list[str], repair: bool) -> int:
        """How many of these differing keys are left; with ``repair``, after each was registered as changed and carried.

        A put that is made of a key and not registered could come after another process's flip: nobody would have put
        the key with a newer generation.
        """
        if not keys or not repair:
            return len(keys)
        store, other = self._pair(truth)
        self.ledger.mark_changed(migration, tenant, keys)
        for _ in range(MOST_CARRIES):
            if not self._carry(migration, tenant, truth, SEEN_CHANGES, of_the_flow=False).carried:
                break
        left = still_differing(tenant, store, other, keys, self._pending(migration, tenant), lambda: self.pause(0.05))
        return sum(1 for _ in left)

    def _compare_last(self, migration: Migration, move: TenantMove, truth: Side) -> Outcome:
        tenant = move.tenant
        store, other = self._pair(truth)
        carried = self._carried.get(tenant)
        pending = self._pending(migration, tenant)
        if carried is None or (move.items is not None and move.items <= COMPARED_WHOLE):
            found = sum(1 for _ in differing(tenant, store, other, pending, looks=1))
        else:
            keys = sorted(carried)
            found = sum(
                1
                for begin in range(0, len(keys), REPAIRED_AT_ONCE)
                for _ in still_differing(tenant, store, other, keys[begin : begin + REPAIRED_AT_ONCE], pending, looks=1)
            )
        if found:
            self._carried.pop(tenant, None)
        return Outcome(self.ledger.now(), differing=found)

    def _drop(self, migration: Migration, tenant: str, side: Side) -> None:
        route = self.ledger.route(migration.point, tenant)
        if route is not None and route.store == name_of(migration, side):
            raise StoreFailed(
                f"{tenant} is routed to {route.store}: what is there was not deleted",
                next_step=f"outgrow migrate {migration.point} log --tenant {tenant}",
            )
        self.ledger.generation(migration)  # refused to a process that was superseded
        kept, dropped = self._pair("target" if side == "source" else "source")
        _refuse_the_only_copy(tenant, kept, dropped)
        dropped.drop(tenant)
        kept.settle(tenant)
        while closed := [one for one in self.ledger.changes(migration, tenant, SEEN_CHANGES) if not one.open]:
            self.ledger.clear(migration, closed)
        self._carried.pop(tenant, None)


def _refuse_the_only_copy(tenant: str, kept: Store, dropped: Store) -> None:
    """A last look before a copy is deleted: the store that stays has some of the same keys, if there are any.

    Not all of them, nor the same bodies: since the end was wanted nothing is carried, and the application writes on.
    """
    keys = [one.key for one in dropped.digests(tenant, "", LOOKED_AT_LAST)]
    if not keys or kept.items(tenant, keys):
        return
    if len(keys) < FEW and kept.page(tenant, "", 1):  # so few may all have been replaced
        return
    raise StoreFailed(
        f"{kept.name}, which is to keep {tenant}, has none of the first {len(keys):,} keys that would be deleted in "
        f"{dropped.name}: nothing was deleted",
        next_step=f"see that both are the stores of this move; if {tenant} deleted all it had, delete what is left of "
        f"it in {dropped.name} yourself: it goes on then",
    )


def _may_be_carried(change: Change) -> bool:
    """A write that is over, or abandoned: one that is under way may still be withdrawn."""
    return not change.open or change.age_seconds > ABANDONED_SECONDS

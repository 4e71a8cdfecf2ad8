"""Carries commands out where the tool copies: pages of items, registered writes, comparisons, the way back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from outgrow.migrating.carrying import name_of
from outgrow.migrating.comparing import differing, still_differing
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
from outgrow.ports import Copying, Item, MoveLedger, ShadowCount, Store, StoreFailed, TenantSize
from outgrow.routing import ABANDONED_SECONDS

COMPARED_WHOLE = 2_000
"""Up to so many items are all compared within a switch; of more, those that were carried since all were compared."""
SEEN_CHANGES = 1_000
"""Registered writes that are looked at to say how many wait: beyond, it is so many or more."""
REPAIRED_AT_ONCE = 200


@dataclass(slots=True)
class Copier:
    """A ``Carrier`` for ``Copying``. One thread uses it.

    Attributes:
        pause: waits so many seconds; between two looks at what seems to differ.
    """

    mover: Copying
    ledger: MoveLedger
    pause: Callable[[float], None] = time.sleep
    _carried: dict[str, set[str]] = field(default_factory=dict)

    def sizes(self) -> list[TenantSize]:
        return list(self.mover.source.tenants())

    def close(self) -> None:
        self.mover.source.close()
        self.mover.target.close()

    def is_compared(self, tenant: str) -> bool:
        return tenant in self._carried

    def observe(self, migration: Migration, move: TenantMove) -> Observed:
        ledger, state = self.ledger, move.state
        now = ledger.now()
        route = ledger.route(migration.point, move.tenant)
        if state in ("pending", "completed", "cancelled"):
            return Observed(now, route=route.store if route else None)
        changes = ledger.changes(migration, move.tenant, SEEN_CHANGES)
        under_way = [one for one in changes if one.open]
        shadow = ledger.shadow(migration, move.tenant) if state == "shadowing" else ShadowCount()
        return Observed(
            now,
            settled=not move.placed or state != "preparing" or ledger.settled(move.placed),
            waiting=len(changes),
            open=len(under_way),
            abandoned=sum(one.age_seconds > ABANDONED_SECONDS for one in under_way),
            lag_seconds=max((one.age_seconds for one in changes if not one.open), default=0.0),
            route=route.store if route else None,
            matched=shadow.matched,
            differed=shadow.differed,
            failed=shadow.failed,
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
            case Freeze(seconds):
                self.ledger.freeze(migration, move.tenant, seconds)
            case CompareLast(truth):
                return self._compare_last(migration, move, truth)
            case ProveWayBack(store):
                return self._prove_way_back(migration, move.tenant, store)
            case Thaw():
                self.ledger.thaw(migration, move.tenant)
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

    def _generation(self, migration: Migration) -> int:
        """The next generation, of a process that still has the move once it has it: whoever takes the move on later
        puts with higher ones. A process that slept, and knows of no flip since, would put old states with the newest
        generation otherwise. Raises ``Superseded``.
        """
        generation = self.ledger.generation()
        self.ledger.clear(migration, ())  # clears nothing, and is refused to a process that was superseded
        return generation

    def _copy_page(self, migration: Migration, tenant: str, command: CopyPage) -> Outcome:
        source, target = self._pair("source")
        generation = self._generation(migration)
        items = source.page(tenant, command.after, command.limit)
        if items:
            target.put(tenant, generation, items)  # refused keys hold a state that was read later than this page
        last = items[-1].key if items else command.after
        ended = len(items) < command.limit and not source.page(tenant, last, 1)
        return Outcome(self.ledger.now(), last_key=last, copied=len(items), ended=ended)

    def _carry(self, migration: Migration, tenant: str, truth: Side, limit: int) -> Outcome:
        changes = self.ledger.changes(migration, tenant, limit)
        while len(changes) == limit and all(one.open for one in changes):
            limit *= 2
            changes = self.ledger.changes(migration, tenant, limit)
        if not changes:
            return Outcome(self.ledger.now())
        generation = self._generation(migration)
        store, other = self._pair(truth)
        keys = sorted({one.key for one in changes})
        bodies = store.items(tenant, keys)
        if tenant in self._carried:
            self._carried[tenant].update(keys)
        refused = set(other.put(tenant, generation, [Item(key, bodies.get(key)) for key in keys]).refused)
        put = [one for one in changes if one.key not in refused]
        self.ledger.clear(migration, put)  # of those that are open it is told that they were carried; they stay
        done = [one for one in put if not one.open]
        left = len(self.ledger.changes(migration, tenant, SEEN_CHANGES))
        return Outcome(self.ledger.now(), carried=len(done), left=left)

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
        """How many of these differing keys are left; with ``repair``, after each was read anew and put."""
        if not keys or not repair:
            return len(keys)
        store, other = self._pair(truth)
        generation = self._generation(migration)
        bodies = store.items(tenant, keys)
        other.put(tenant, generation, [Item(key, bodies.get(key)) for key in keys])
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

    def _prove_way_back(self, migration: Migration, tenant: str, side: Side) -> Outcome:
        """Puts the store's first item there again: what the way back will do is known to be done."""
        store, _ = self._pair(side)
        generation = self._generation(migration)
        items = store.page(tenant, "", 1)
        if items:
            refused = store.put(tenant, generation, items).refused
            held = store.items(tenant, [items[0].key]).get(items[0].key)
            if refused or held != items[0].body:
                return Outcome(
                    self.ledger.now(), refused=f"{store.name} did not take {items[0].key!r} as it stands there already"
                )
        return Outcome(self.ledger.now())

    def _drop(self, migration: Migration, tenant: str, side: Side) -> None:
        route = self.ledger.route(migration.point, tenant)
        if route is not None and route.store == name_of(migration, side):
            raise StoreFailed(
                f"{tenant} is routed to {route.store}: what is there was not deleted",
                next_step=f"outgrow migrate {migration.point} log --tenant {tenant}",
            )
        self._generation(migration)
        kept, dropped = self._pair("target" if side == "source" else "source")
        dropped.drop(tenant)
        kept.settle(tenant)
        while closed := [one for one in self.ledger.changes(migration, tenant, SEEN_CHANGES) if not one.open]:
            self.ledger.clear(migration, closed)
        self._carried.pop(tenant, None)

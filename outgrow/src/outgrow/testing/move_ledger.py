"""A ``outgrow.ports.MoveLedger`` that forgets with the process, and the application's side of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import get_args

from outgrow.errors import LedgerError, UsageError
from outgrow.migration.records import LAYOUT_VERSION, Goal, JournalLine, Migration, TenantMove
from outgrow.ports import Clock
from outgrow.ports.moves import Busy, Change, Flipped, ShadowCount, Superseded, TenantLook
from outgrow.routing import ABANDONED_SECONDS, Route


@dataclass
class _Intent:
    point: str
    tenant: str
    key: str
    opened_at: float
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A write that may go on: registered as ``id``, to ``store``; ``generation`` is the route's as of the check."""

    id: int
    store: str
    generation: int
    intent: _Intent


@dataclass
class MemoryTruth:
    """What an application's database holds of its moves. Several ``MemoryMoveLedger`` on one truth are several
    processes; the methods here are the application's side of it.
    """

    clock: Clock | None = None
    migrations: dict[str, Migration] = field(default_factory=dict)
    moves: dict[str, dict[str, TenantMove]] = field(default_factory=dict)
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    frozen_until: dict[tuple[str, str], float] = field(default_factory=dict)
    intents: dict[int, _Intent] = field(default_factory=dict)
    lines: list[tuple[str, JournalLine]] = field(default_factory=list)
    shadows: dict[tuple[str, str], ShadowCount] = field(default_factory=dict)
    held_by: dict[str, object] = field(default_factory=dict)
    last_generation: int = 0
    last_intent: int = 0
    unsettled: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> float:
        """Seconds since the epoch, as the clock shows it."""
        return time.time() if self.clock is None else self.clock.now()

    def register(self, point: str, tenant: str, key: str, default: str) -> Written | None:
        """Registers a write, then reads the route; None: frozen, try again."""
        with self.lock:
            if self.frozen_until.get((point, tenant), 0.0) > self.now():
                return None
            self.last_intent += 1
            self.intents[self.last_intent] = _Intent(point, tenant, key, self.now())
            route = self.routes.get((point, tenant), Route(default))
            return Written(self.last_intent, route.store, route.generation, self.intents[self.last_intent])

    def close_write(self, written: Written) -> bool:
        """The write was carried out; False: the tenant moved on meanwhile, it is to be registered and written anew."""
        with self.lock:
            intent = written.intent
            on_the_way = self._on_the_way(intent.point, intent.tenant)
            if written.id in self.intents and not intent.closed:
                intent.closed = True
                if not on_the_way:
                    del self.intents[written.id]
            elif on_the_way:
                self.last_intent += 1
                self.intents[self.last_intent] = replace(intent, opened_at=self.now(), closed=True)
            route = self.routes.get((intent.point, intent.tenant), Route(written.store))
            return route.store == written.store and route.generation in (written.generation, written.generation or 1)

    def _on_the_way(self, point: str, tenant: str) -> bool:
        states = [
            self.moves[one.id][tenant].state
            for one in self.migrations.values()
            if one.point == point and one.kind == "copying" and tenant in self.moves[one.id]
        ]
        return any(state not in ("pending", "completed", "cancelled") for state in states)

    def withdraw(self, written: Written) -> None:
        """Nothing was written."""
        with self.lock:
            self.intents.pop(written.id, None)

    def count(self, migration: str, tenant: str, matched: int = 0, differed: int = 0, failed: int = 0) -> None:
        """Adds reads that were asked of both stores."""
        with self.lock:
            had = self.shadows.get((migration, tenant), ShadowCount())
            self.shadows[migration, tenant] = ShadowCount(
                had.matched + matched, had.differed + differed, had.failed + failed
            )


class MemoryMoveLedger:
    """A ``outgrow.ports.MoveLedger`` on a ``MemoryTruth``; without one, on its own."""

    def __init__(self, truth: MemoryTruth | None = None) -> None:
        self.truth = truth or MemoryTruth()
        self._goals: dict[tuple[str, str], Goal] = {}
        self._carried_open: dict[str, set[int]] = {}
        self._frozen_at: dict[str, float] = {}
        self._closed = False

    @contextmanager
    def _open(self) -> Iterator[MemoryTruth]:
        with self.truth.lock:
            if self._closed:
                raise LedgerError("the ledger of the move is already closed", next_step="open it again")
            yield self.truth

    @contextmanager
    def _held(self, migration: Migration) -> Iterator[MemoryTruth]:
        with self._open() as truth:
            if truth.migrations[migration.id].epoch != migration.epoch:
                raise Superseded(
                    f"another process has taken the migration {migration.id} on; this one stops",
                    next_step="outgrow migrate status says which",
                )
            yield truth

    def close(self) -> None:
        with self.truth.lock:
            self._closed = True
            for id_ in [id_ for id_, holder in self.truth.held_by.items() if holder is self]:
                del self.truth.held_by[id_]

    def now(self) -> float:
        with self._open() as truth:
            return truth.now()

    def create(self, migration: Migration, tenants: Sequence[TenantMove], who: str) -> Migration:
        with self._open() as truth:
            under_way = self.migration(migration.point)
            if under_way is not None and under_way.ended_at is None:
                raise UsageError(
                    f"{migration.point} has a migration that has not ended: {under_way.id}",
                    next_step=f"outgrow migrate {migration.point} status",
                )
            truth.migrations[migration.id] = replace(migration, epoch=0, holder="")
            truth.moves[migration.id] = {move.tenant: move for move in tenants}
            self._line(migration.id, "", "created", who, {"tenants": len(tenants)})
            return truth.migrations[migration.id]

    def migration(self, point: str) -> Migration | None:
        with self._open() as truth:
            found = [one for one in truth.migrations.values() if one.point == point]
            return next((one for one in found if one.ended_at is None), found[-1] if found else None)

    def take(self, migration: Migration, who: str) -> Migration:
        with self._open() as truth:
            known = truth.migrations[migration.id]
            if known.layout_version > LAYOUT_VERSION:
                raise LedgerError(
                    f"the migration {known.id} was written by a newer outgrow; it was left as it is",
                    next_step="upgrade outgrow",
                )
            holder = truth.held_by.get(known.id)
            if holder is not None and holder is not self:
                raise Busy(f"{known.holder or 'another process'} is at this move now", next_step="wait for it")
            truth.held_by[known.id] = self
            truth.migrations[known.id] = replace(known, epoch=known.epoch + 1, holder=who)
            overtaken = {"overtook": known.holder} if known.holder else {}
            self._line(known.id, "", "taken", who, {"epoch": known.epoch + 1, **overtaken})
            return truth.migrations[known.id]

    def release(self, migration: Migration) -> None:
        with self._open() as truth:
            if truth.held_by.get(migration.id) is self:
                del truth.held_by[migration.id]
                if truth.migrations[migration.id].epoch == migration.epoch:
                    truth.migrations[migration.id] = replace(truth.migrations[migration.id], holder="")

    def add_tenants(self, migration: Migration, tenants: Sequence[TenantMove]) -> None:
        with self._held(migration) as truth:
            for move in tenants:
                truth.moves[migration.id].setdefault(move.tenant, move)

    def tenants(self, migration: Migration) -> Sequence[TenantMove]:
        with self._open() as truth:
            rows = sorted(truth.moves[migration.id].values(), key=lambda move: (move.wave, move.tenant))
            self._goals.update({(migration.id, move.tenant): move.goal for move in rows})
            return rows

    def keep(
        self, migration: Migration, move: TenantMove, what: str = "", facts: Mapping[str, object] | None = None
    ) -> TenantMove:
        with self._held(migration) as truth:
            kept = self._write(migration, move)
            if what:
                self._line(migration.id, move.tenant, what, migration.holder, facts or {})
            if move.state in ("completed", "cancelled"):
                for id_, intent in self._intents(migration.point, move.tenant):
                    if intent.closed:
                        del truth.intents[id_]
            return kept

    def _write(self, migration: Migration, move: TenantMove) -> TenantMove:
        known = self.truth.moves[migration.id].get(move.tenant)
        if known is None or known.version != move.version:
            raise Superseded(f"the row of {move.tenant} was written in between; this process stops")
        seen = self._goals.get((migration.id, move.tenant), move.goal)
        goal = move.goal if known.goal == seen else known.goal
        if move.state == "shadowing" and known.state != "shadowing":
            self.truth.shadows.pop((migration.id, move.tenant), None)
        kept = replace(move, goal=goal, version=move.version + 1)
        self.truth.moves[migration.id][move.tenant] = kept
        self._goals[migration.id, move.tenant] = goal
        return kept

    def want(self, migration: Migration, tenants: Iterable[str] | None, goal: Goal, who: str) -> int:
        if goal not in get_args(Goal):
            raise UsageError(f"{goal!r} is no goal of a move")
        with self._open() as truth:
            chosen = None if tenants is None else set(tenants)
            rows = truth.moves[migration.id]
            count = 0
            for tenant, move in rows.items():
                if (chosen is None or tenant in chosen) and move.state not in ("completed", "cancelled"):
                    rows[tenant] = replace(move, goal=goal)
                    count += 1
                    if chosen is not None:
                        self._line(migration.id, tenant, "wanted", who, {"goal": goal})
            if chosen is None:
                self._line(migration.id, "", "wanted", who, {"goal": goal, "tenants": count})
            return count

    def set_paused(self, migration: Migration, why: str, who: str) -> Migration:
        with self._open() as truth:
            truth.migrations[migration.id] = replace(truth.migrations[migration.id], paused=why)
            self._line(migration.id, "", "paused" if why else "resumed", who, {"why": why} if why else {})
            return truth.migrations[migration.id]

    def set_mover(self, migration: Migration, mover: Mapping[str, str], who: str) -> Migration:
        with self._open() as truth:
            known = truth.migrations[migration.id]
            truth.migrations[migration.id] = replace(known, mover=dict(mover))
            self._line(migration.id, "", "mover accepted", who, dict(mover))
            return truth.migrations[migration.id]

    def set_shadow_share(self, migration: Migration, share: float, who: str) -> Migration:
        if not 0 <= share <= 1:
            raise UsageError(f"a share lies between 0 and 1, not at {share}")
        with self._open() as truth:
            known = truth.migrations[migration.id]
            truth.migrations[migration.id] = replace(known, pace=replace(known.pace, shadow_share=share))
            self._line(migration.id, "", "shadow share set", who, {"share": share})
            return truth.migrations[migration.id]

    def end(self, migration: Migration) -> Migration:
        with self._held(migration) as truth:
            if any(move.state not in ("completed", "cancelled") for move in truth.moves[migration.id].values()):
                raise UsageError(f"tenants of {migration.id} are neither completed nor cancelled")
            truth.migrations[migration.id] = replace(truth.migrations[migration.id], ended_at=truth.now())
            self._line(migration.id, "", "ended", migration.holder, {})
            return truth.migrations[migration.id]

    def place(self, migration: Migration, tenant: str) -> str:
        with self._held(migration) as truth:
            truth.routes.setdefault((migration.point, tenant), Route(migration.source, 1))
            return f"placed {tenant}"

    def settled(self, mark: str) -> bool:
        with self._open() as truth:
            return mark not in truth.unsettled

    def generation(self, migration: Migration) -> int:
        with self._held(migration) as truth:
            truth.last_generation += 1
            return truth.last_generation

    def changes(self, migration: Migration, tenant: str, limit: int) -> Sequence[Change]:
        with self._open():
            mine = self._intents(migration.point, tenant)
            now = self.truth.now()
            return [
                Change(id_, tenant, intent.key, not intent.closed, now - intent.opened_at)
                for id_, intent in mine[:limit]
            ]

    def _intents(self, point: str, tenant: str) -> list[tuple[int, _Intent]]:
        found = self.truth.intents.items()
        return sorted(
            (pair for pair in found if (pair[1].point, pair[1].tenant) == (point, tenant)), key=lambda p: p[0]
        )

    def mark_changed(self, migration: Migration, tenant: str, keys: Sequence[str]) -> None:
        with self._held(migration) as truth:
            for key in keys:
                truth.last_intent += 1
                truth.intents[truth.last_intent] = _Intent(migration.point, tenant, key, truth.now(), closed=True)

    def overtaken(self, migration: Migration) -> tuple[float, str] | None:
        with self._open() as truth:
            taken = [line for id_, line in truth.lines if id_ == migration.id and "overtook" in line.facts]
            return (taken[-1].at, str(taken[-1].facts["overtook"])) if taken else None

    def clear(self, migration: Migration, changes: Sequence[Change]) -> None:
        with self._held(migration) as truth:
            for change in changes:
                if change.open:
                    self._carried_open.setdefault(change.tenant, set()).add(change.id)
                elif change.id in truth.intents and truth.intents[change.id].closed:
                    del truth.intents[change.id]

    def freeze(self, migration: Migration, tenant: str, seconds: float) -> None:
        with self._held(migration) as truth:
            self._carried_open.pop(tenant, None)
            self._frozen_at[tenant] = truth.now()
            truth.frozen_until[migration.point, tenant] = truth.now() + seconds

    def thaw(self, migration: Migration, tenant: str) -> None:
        with self._held(migration) as truth:
            truth.frozen_until.pop((migration.point, tenant), None)

    def flip(self, migration: Migration, move: TenantMove, store: str, after: TenantMove, what: str) -> Flipped:
        with self._held(migration) as truth:
            place = (migration.point, move.tenant)
            route = truth.routes.get(place)
            if route is None:
                return Flipped(Route(migration.source), f"{move.tenant} has no route row")
            other = migration.source if store == migration.target else migration.target
            if route.store != other:
                return Flipped(route, f"the route of {move.tenant} leads to {route.store}, not to {other}")
            carried = self._carried_open.get(move.tenant, set())
            old = min(truth.now(), self._frozen_at.get(move.tenant, math.inf)) - ABANDONED_SECONDS
            against = [
                intent
                for id_, intent in self._intents(*place)
                if intent.closed or id_ not in carried or intent.opened_at > old
            ]
            if against:
                return Flipped(route, f"{len(against)} registered writes of {move.tenant} were not carried over yet")
            self._write(migration, replace(after, version=move.version))
            truth.routes[place] = Route(store, route.generation + 1)
            truth.frozen_until.pop(place, None)
            self._carried_open.pop(move.tenant, None)
            if store == migration.source:
                known = truth.migrations[migration.id]
                truth.migrations[migration.id] = replace(known, rehearsed_at=truth.now())
            facts = {"from": route.store, "to": store, "generation": route.generation + 1}
            self._line(migration.id, move.tenant, what, migration.holder, facts)
            return Flipped(truth.routes[place])

    def route(self, point: str, tenant: str) -> Route | None:
        with self._open() as truth:
            return truth.routes.get((point, tenant))

    def routes(self, point: str) -> Mapping[str, Route]:
        with self._open() as truth:
            return {tenant: route for (of, tenant), route in truth.routes.items() if of == point}

    def look(self, point: str, tenant: str, most: int = 100_000) -> TenantLook:
        with self._open() as truth:
            now, mine = truth.now(), [intent for _, intent in self._intents(point, tenant)][:most]
            under_way = [now - one.opened_at for one in mine if not one.closed]
            return TenantLook(
                now,
                truth.routes.get((point, tenant)),
                len(mine),
                len(under_way),
                sum(age > ABANDONED_SECONDS for age in under_way),
                max((now - one.opened_at for one in mine if one.closed), default=0.0),
            )

    def shadow(self, migration: Migration, tenant: str) -> ShadowCount:
        with self._open() as truth:
            return truth.shadows.get((migration.id, tenant), ShadowCount())

    def write_down(self, migration: Migration, tenant: str, what: str, facts: Mapping[str, object]) -> None:
        with self._held(migration):
            self._line(migration.id, tenant, what, migration.holder, facts)

    def journal(self, migration: Migration, tenant: str | None = None, after: int = 0) -> Sequence[JournalLine]:
        with self._open() as truth:
            return [
                line
                for id_, line in truth.lines
                if id_ == migration.id and line.id > after and tenant in (None, line.tenant)
            ]

    def _line(self, migration: str, tenant: str, what: str, who: str, facts: Mapping[str, object]) -> None:
        plain = {key: value for key, value in facts.items() if isinstance(value, str | int | float | bool | None)}
        line = JournalLine(len(self.truth.lines) + 1, self.truth.now(), tenant, what, who, plain)
        self.truth.lines.append((migration, line))

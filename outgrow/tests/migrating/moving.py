"""A move in memory with an application that goes on writing, for the tests of this folder."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any

from outgrow.migrating.copying import Copier
from outgrow.migrating.engine import Engine
from outgrow.migration.records import Goal, Migration, Pace, TenantMove
from outgrow.ports import Copying, MoveLedger
from outgrow.testing.memory_store import MemoryStore
from outgrow.testing.move_ledger import MemoryMoveLedger, MemoryTruth

POINT = "search"


@dataclass
class Moving:
    """Two stores, a ledger, some tenants; ``engine()`` is a new process."""

    truth: MemoryTruth = field(default_factory=MemoryTruth)
    source: MemoryStore = field(default_factory=lambda: MemoryStore("old"))
    target: MemoryStore = field(default_factory=lambda: MemoryStore("new"))
    pace: Pace = Pace(batch=7)
    tenants: tuple[str, ...] = ("ana", "bo", "cy")
    items: int = 25
    told: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, tenant in enumerate(self.tenants):
            for key in range(self.items):
                self.source.write(tenant, f"k{key:03}", f"{number}/{key}".encode())

    def make(self) -> Migration:
        rows = [TenantMove(tenant, 1 + number // 2, items=self.items) for number, tenant in enumerate(self.tenants)]
        return MemoryMoveLedger(self.truth).create(
            Migration("m1", POINT, "copying", "old", "new", 0.0, self.pace), rows, "ana@here"
        )

    def engine(self, ledger: MoveLedger | None = None, mover: Copying | None = None, **more: Any) -> Engine:
        ledger = ledger or MemoryMoveLedger(self.truth)
        found = ledger.migration(POINT)
        assert found is not None
        taken = ledger.take(found, "ana@here")
        carrier = Copier(mover or Copying(self.source, self.target), ledger, lambda _: None)
        return Engine(taken, ledger, carrier, "ana@here", tell=self.told.append, pause=more.pop("pause", lambda _: None), **more)

    def to(self, goal: Goal, tenants: list[str] | None = None, **more: Any) -> str:
        engine = self.engine(**more)
        engine.ledger.want(engine.migration, tenants, goal, "ana@here")
        try:
            return engine.run(tenants, goal)
        finally:
            engine.let_go()
            engine.ledger.close()

    def rows(self) -> dict[str, TenantMove]:
        return dict(self.truth.moves["m1"])

    def states(self) -> set[str]:
        return {row.state for row in self.rows().values()}

    def held(self, store: MemoryStore, tenant: str) -> dict[str, bytes]:
        held = store.contents.tenants.get(tenant)
        return dict(held.bodies) if held else {}

    def routed(self, tenant: str) -> dict[str, bytes]:
        route = self.truth.routes.get((POINT, tenant))
        return self.held(self.target if route is not None and route.store == "new" else self.source, tenant)


class Application(threading.Thread):
    """Registers, checks the route, writes, closes, acknowledges; all along, for all tenants."""

    def __init__(self, moving: Moving, seed: int = 1) -> None:
        super().__init__(daemon=True)
        self.moving, self.random = moving, random.Random(seed)
        self.acknowledged: dict[str, dict[str, bytes]] = {
            tenant: moving.held(moving.source, tenant) for tenant in moving.tenants
        }
        self.count = 0
        self._ended = threading.Event()

    def __enter__(self) -> Application:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(0.0005):
            self.write()

    def write(self) -> None:
        moving, tenant = self.moving, self.random.choice(self.moving.tenants)
        key = f"k{self.random.randrange(40):03}"
        body = None if self.random.random() < 0.3 else f"{tenant} {self.count}".encode()
        while not self._ended.is_set():
            written = moving.truth.register(POINT, tenant, key, "old")
            if written is None:
                continue
            store = moving.target if written.store == "new" else moving.source
            if body is None:
                store.delete(tenant, key)
            else:
                store.write(tenant, key, body)
            if not moving.truth.close_write(written):
                continue
            if body is None:
                self.acknowledged[tenant].pop(key, None)
            else:
                self.acknowledged[tenant][key] = body
            self.count += 1
            return

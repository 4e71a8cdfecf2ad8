"""A move in memory with an application that goes on writing."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from outgrow.migrating.copying import Copier
from outgrow.migrating.engine import Engine
from outgrow.migration.records import Goal, Migration, Pace, TenantMove
from outgrow.ports import Copying, MoveLedger
from outgrow.testing.memory_store import MemoryStore
from outgrow.testing.move_ledger import MemoryMoveLedger, MemoryTruth

POINT = "search"


@dataclass
class Ticking:
    """A clock that goes on by a millisecond whenever somebody looks, and by what is waited."""

    at: float = 1_000_000.0
    scale: str = ""

    def now(self) -> float:
        self.at += 0.001
        return self.at

    def pause(self, seconds: float) -> None:
        self.at += seconds


QUICK = Pace(batch=7)


@dataclass
class Moving:
    """Two stores, a ledger, some tenants; ``engine()`` is a new process."""

    clock: Ticking | None = None
    truth: MemoryTruth = field(default_factory=MemoryTruth)
    source: MemoryStore = field(default_factory=lambda: MemoryStore("old"))
    target: MemoryStore = field(default_factory=lambda: MemoryStore("new"))
    pace: Pace = QUICK
    tenants: tuple[str, ...] = ("ana", "bo", "cy")
    items: int = 25
    told: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.truth.clock = self.clock
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
        if self.clock is not None:
            more = {"pause": self.clock.pause, "monotonic": self.clock.now, **more}
            carrier.pause, carrier.monotonic = self.clock.pause, self.clock.now
        more.setdefault("pause", lambda _: None)
        return Engine(taken, ledger, carrier, "ana@here", tell=self.told.append, **more)

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


class Application:
    """Registers, checks the route, writes, closes, acknowledges: a step at a time, or all along in a thread.

    ``acknowledged`` is what readers must find, wherever the route says.
    """

    def __init__(self, moving: Moving, seed: int = 1) -> None:
        self.moving, self.random = moving, random.Random(seed)
        self.acknowledged: dict[str, dict[str, bytes]] = {
            tenant: moving.held(moving.source, tenant) for tenant in moving.tenants
        }
        self.count = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._steps = self._writes()

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.finish()

    def step(self) -> None:
        """Goes on by one step; a tenant that is frozen is asked again the next time."""
        self.count = next(self._steps)

    def finish(self) -> None:
        """Brings the write under way to its end."""
        before = self.count
        while self.count == before:
            self.step()

    def _run(self) -> None:
        while not self._ended.wait(0.0002):
            self.step()

    def _writes(self) -> Iterator[int]:
        moving = self.moving
        for count in itertools.count(1):
            tenant = self.random.choice(moving.tenants)
            key = f"k{self.random.randrange(2 * moving.items):03}"
            body = None if self.random.random() < 0.3 else f"{tenant} {count}".encode()
            while True:
                yield count - 1
                written = moving.truth.register(POINT, tenant, key, "old")
                if written is None:
                    continue
                yield count - 1
                store = moving.target if written.store == "new" else moving.source
                if body is None:
                    store.delete(tenant, key)
                else:
                    store.write(tenant, key, body)
                yield count - 1
                if moving.truth.close_write(written):
                    break
            if body is None:
                self.acknowledged[tenant].pop(key, None)
            else:
                self.acknowledged[tenant][key] = body


@pytest.fixture
def moving() -> type[Moving]:
    return Moving


@pytest.fixture
def ticking() -> type[Ticking]:
    return Ticking


@pytest.fixture
def application() -> type[Application]:
    return Application

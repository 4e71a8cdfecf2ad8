"""A store in memory, of whatever form: what a mover's store does, without a disk or a network."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from outgrow.ports import Block, Copied, Item, Put, StoreFailed, TenantSize, digest_of


@dataclass
class _Held:
    """A tenant's items, and the generation last put under each key that a move touched; a key with a generation and
    no body is a tombstone."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    ranges: list[tuple[bytes, bytes, int]] = field(default_factory=list)

    def generation(self, key: str) -> int:
        """Under which the key is gated: by itself, or by the range it is in; 0 where it is not."""
        found = next((held for after, last, held in self.ranges if after < key.encode() <= last), 0)
        return self.generations.get(key, found)


@dataclass
class MemoryContents:
    """What several ``MemoryStore`` share, as several connections share a server."""

    tenants: dict[str, _Held] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


class MemoryStore:
    """Keeps ``outgrow.ports.Store``. ``form`` is only a name here: bodies are bytes.

    ``write`` and ``delete`` are what an application does, past every gate. ``calls`` has the names of all calls so
    far. While ``failing`` says something, every call raises it as ``StoreFailed`` and does nothing.
    """

    def __init__(self, name: str = "memory", form: str = "points", contents: MemoryContents | None = None) -> None:
        self._name = name
        self._form = form
        self.contents = MemoryContents() if contents is None else contents
        self.calls: list[str] = []
        self.failing: str = ""
        self.closed = False

    @property
    def name(self) -> str:
        """As routes name it."""
        return self._name

    @property
    def form(self) -> str:
        """What bodies are said to hold."""
        return self._form

    def write(self, tenant: str, key: str, body: bytes) -> None:
        """As the application writes: no gate is asked and none is laid."""
        with self.contents.lock:
            self._held(tenant).bodies[key] = body

    def delete(self, tenant: str, key: str) -> None:
        """As the application deletes: no tombstone is left."""
        with self.contents.lock:
            self._held(tenant).bodies.pop(key, None)

    def tenants(self) -> Sequence[TenantSize]:
        """All that have items here."""
        with self.contents.lock:
            self._called("tenants")
            return [TenantSize(name, len(held.bodies)) for name, held in self.contents.tenants.items() if held.bodies]

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        """Items behind ``after``, by the bytes of their keys."""
        with self.contents.lock:
            self._called("page", tenant)
            bodies = self._held(tenant).bodies
            behind = sorted((key for key in bodies if key.encode() > after.encode()), key=str.encode)
            return [Item(key, bodies[key]) for key in behind[:limit]]

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those of them that are there."""
        with self.contents.lock:
            self._called("items", tenant)
            bodies = self._held(tenant).bodies
            return {key: bodies[key] for key in keys if key in bodies}

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        """Writes what is not older than what is held."""
        with self.contents.lock:
            self._called("put", tenant)
            held = self._held(tenant)
            refused = []
            for item in items:
                if held.generation(item.key) > generation:
                    refused.append(item.key)
                    continue
                held.generations[item.key] = generation
                if item.body is None:
                    held.bodies.pop(item.key, None)
                else:
                    held.bodies[item.key] = item.body
            return Put(tuple(refused))

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        """As ``page``, but only digests."""
        with self.contents.lock:
            self._called("digests", tenant)
            return [Copied(item.key, digest_of(item.body or b"")) for item in self.page(tenant, after, limit)]

    def prove_writable(self, tenant: str) -> None:
        """It is, unless it fails."""
        with self.contents.lock:
            self._called("prove_writable", tenant)

    def settle(self, tenant: str) -> None:
        """Forgets generations and tombstones."""
        with self.contents.lock:
            self._called("settle", tenant)
            self._held(tenant).generations.clear()
            self._held(tenant).ranges.clear()

    def drop(self, tenant: str) -> None:
        """Forgets the tenant."""
        with self.contents.lock:
            self._called("drop", tenant)
            self.contents.tenants.pop(tenant, None)

    def close(self) -> None:
        """No call is allowed afterwards."""
        self.closed = True

    def _held(self, tenant: str) -> _Held:
        return self.contents.tenants.setdefault(tenant, _Held())

    def _called(self, call: str, tenant: str = "-") -> None:
        self.calls.append(call)
        if self.closed:
            raise StoreFailed(f"the store {self._name} is closed")
        if not tenant:
            raise StoreFailed(f"{self._name}: {call} needs a tenant", next_step="name the tenant")
        if self.failing:
            raise StoreFailed(f"{self._name}: {self.failing}", next_step="try again")


class MemoryBlocks(MemoryStore):
    """Keeps ``outgrow.ports.InBlocks`` besides; ``forms``: of its blocks, if any."""

    forms: Collection[str] = ("memory",)

    def block_forms(self) -> Collection[str]:
        """Those in which it takes blocks."""
        return self.forms

    def block(self, tenant: str, after: str, limit: int, forms: Collection[str]) -> Block | None:
        """The tenant's next items, in the first of its forms that is among these."""
        form = next((form for form in self.forms if form in forms), None)
        with self.contents.lock:
            self._called("block", tenant)
            bodies = self._held(tenant).bodies
            behind = sorted((key for key in bodies if key.encode() > after.encode()), key=str.encode)[:limit]
            if form is None or not behind:
                return None
            data = json.dumps([[key, bodies[key].hex()] for key in behind]).encode()
            return Block(tenant, after, behind[-1], len(behind), form, data)

    def put_block(self, generation: int, block: Block) -> bool:
        """Where nothing is held in its range."""
        after, last = block.after.encode(), block.last.encode()
        with self.contents.lock:
            self._called("put_block", block.tenant)
            held = self._held(block.tenant)
            if block.form not in self.forms or any(begin < last and after < end for begin, end, _ in held.ranges):
                return False
            if any(after < key.encode() <= last for key in (*held.bodies, *held.generations)):
                return False
            held.ranges.append((after, last, generation))
            held.bodies |= {key: bytes.fromhex(body) for key, body in json.loads(block.data)}
            return True

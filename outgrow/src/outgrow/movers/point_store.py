"""A store of points on an engine of Qdrant's kind: where tenants lie, what gates a put, what readers see of it.

**Where tenants lie** (``Layout``): a collection each (``passages_{tenant}``), all in one, told apart by a payload
field, or the same in several, by a hash of the tenant (``bucket_{bucket}``). The tenant is no part of a body: the field
is left out when a point is read and set when it is put, so that all three are of one form.

**The gate.** A put leaves its generation in the payload (``_outgrow_generation``), and writes only over points of an
older one. Where others can write, or a request can arrive late, it takes two requests, each harmless if it comes later:
the first lays a mark where there is no point at all (*insert only*) and a 0 on points that have no generation yet; the
second writes *only over what is there and has an older generation*. So a late second one finds a newer generation, or
no point, or one that the application wrote since, which has no generation; it changes nothing.

**Tombstones are points of the same collection**, since a condition can only look at the point itself: a collection
beside would let a late put through. They have no vector and no field of the tenant, so that a search by vector finds
none of them, and nothing that filters by tenant sees one, without the application changing a query. Only what counts or
scrolls a tenant's own collection without a filter does, until ``settle``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import uuid4

from outgrow.movers.bodies import form_of, numbers_of, parts_of_body, point_bodies, read_payloads
from outgrow.movers.point_ids import PointId, id_of, id_or_none, ids_behind, key_of
from outgrow.movers.point_layout import Layout
from outgrow.ports import Copied, Item, Put, StoreFailed, TenantSize, digest_of

GENERATION = "_outgrow_generation"
DELETED = "_outgrow_deleted"
"""1, not true: Qdrant Edge 0.9 takes true in a condition for the number 1, and finds nothing."""
OWNER = "_outgrow_tenant"
_OURS = (GENERATION, DELETED, OWNER)


@dataclass(frozen=True, slots=True)
class Where:
    """Points of a collection: ``live`` ones, ``marks`` (tombstones), or those that a move ``touched``. ``field`` and
    ``tenant``: of one tenant alone; None: the collection has no other."""

    what: Literal["live", "marks", "touched"]
    field: str | None = None
    tenant: str | int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A point as it lies. ``vector``: numbers, in any sequence that has a length, or float32 as bytes where it was
    read; None where there is none, or where it was not asked for. ``payload`` is nobody else's."""

    id: PointId
    vector: Any
    payload: dict[str, Any]


class Driver(Protocol):
    """An engine. All calls may raise ``StoreFailed``; what they write is durable when they return."""

    @property
    def alone(self) -> bool:
        """Nobody else writes while this is open, and nothing arrives late."""
        ...

    def place(self) -> str:
        """Which server or folder it is, without secrets; the same however it is written."""
        ...

    def collections(self) -> Sequence[str]: ...

    def size(self, collection: str) -> int | None:
        """Dimensions; None where the collection is not there. Raises ``StoreFailed`` where it is of no use."""
        ...

    def create(self, collection: str, size: int) -> None:
        """Makes it. Another process may have made it meanwhile."""
        ...

    def index(self, collection: str, field: str) -> None:
        """An index on a payload field of texts or whole numbers, as ``whole_numbers`` says, if there is none."""
        ...

    def remove(self, collection: str) -> None:
        """Deletes it, if it is there."""
        ...

    def tenants(self, collection: str, field: str) -> Mapping[str | int, int]:
        """Values of the field, and how many points have each."""
        ...

    def count(self, collection: str, where: Where) -> int: ...

    def ids(self, collection: str, where: Where, first: PointId, limit: int) -> Sequence[PointId]: ...

    def read(self, collection: str, ids: Sequence[PointId], vectors: bool) -> Sequence[Held]:
        """Those that are there, in any order; without ``vectors``, only what is ours and the tenant's field."""
        ...

    def insert(self, collection: str, points: Sequence[Held]) -> None:
        """Only where there is no point."""
        ...

    def tag(self, collection: str, ids: Sequence[PointId]) -> None:
        """A generation of 0, where a point has none."""
        ...

    def update(self, collection: str, points: Sequence[Held], below: int) -> None:
        """Only over points of an older generation."""
        ...

    def upsert(self, collection: str, points: Sequence[Held]) -> None: ...

    def untag(self, collection: str, where: Where) -> None:
        """Takes the generations off."""
        ...

    def delete(self, collection: str, where: Where) -> None: ...

    def forget(self, collection: str, ids: Sequence[PointId]) -> None:
        """Deletes those of them that are tombstones."""
        ...

    def near(self, collection: str, where: Where, vector: Sequence[float], limit: int) -> Sequence[PointId]: ...

    def close(self) -> None: ...


class PointStore:
    """Keeps ``outgrow.ports.Store``, ``Searched`` and ``Identified`` on a ``Driver``. ``size``: of collections that it
    makes itself; None: it makes none."""

    def __init__(self, name: str, driver: Driver, layout: Layout, distance: str, size: int | None) -> None:
        self._name, self._driver, self._layout, self._distance, self._size = name, driver, layout, distance, size
        self._form = form_of(distance)
        self._kept = (*_OURS, *filter(None, [layout.tenant_field]))
        self._indexed: set[str] = set()

    @property
    def name(self) -> str:
        """As routes name it."""
        return self._name

    @property
    def form(self) -> str:
        """``points``, or ``points by dot`` and so on."""
        return self._form

    def identity(self) -> str:
        """Which collections, told apart by which field, of which server or folder."""
        return f"{self._layout.says()} in {self._driver.place()}"

    def tenants(self) -> Sequence[TenantSize]:
        """All that have points here."""
        return list(self._each_tenant())

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        """By the bytes of keys."""
        collection = self._layout.collection_of(tenant)
        if self._driver.size(collection) is None:
            return []
        where, items = self._where("live", tenant), list[Item]()
        while len(items) < limit:  # points that went away in between make no page end early
            wanted = limit - len(items)
            ids = ids_behind(after, wanted, lambda first, most: self._driver.ids(collection, where, first, most))
            bodies = self._bodies(tenant, collection, ids)
            items += [Item(key, bodies[key]) for key in map(key_of, ids) if key in bodies]
            if len(ids) < wanted:
                break
            after = key_of(ids[-1])
        return items

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those that are there."""
        collection = self._layout.collection_of(tenant)
        ids = [found for key in dict.fromkeys(keys) if (found := id_or_none(key)) is not None]
        if not ids or self._driver.size(collection) is None:
            return {}
        return self._bodies(tenant, collection, ids)

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        """Gated by what the points themselves hold."""
        collection = self._layout.collection_of(tenant)
        known = [item for item in items if item.body is not None or id_or_none(item.key) is not None]
        if not known:
            return Put()
        ids = {item.key: id_of(item.key) for item in known}
        points = self._to_put(tenant, generation, [(ids[item.key], item) for item in known])
        self._fit(collection, list(points.values()))
        before = self._held(tenant, collection, points)
        refused = {found for found, held in before.items() if held is not None and held > generation}
        left = [point for found, point in points.items() if found not in refused and before.get(found) != generation]
        if self._driver.alone:
            if left:
                self._driver.upsert(collection, left)
        elif left:
            refused |= self._put_past_others(tenant, collection, generation, left, before)
        return Put(tuple(key for key, found in ids.items() if found in refused))

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        """Made here: the engine knows no digest."""
        return [Copied(item.key, digest_of(item.body)) for item in self.page(tenant, after, limit) if item.body]

    def prove_writable(self, tenant: str) -> None:
        """Lays a tombstone under a new id, as a put does, and takes it away. Where that does not come about any more,
        ``settle`` deletes it. A collection that is not there yet is made with the first point."""
        collection = self._layout.collection_of(tenant)
        if self._driver.size(collection) is None and self._size is not None:
            return
        self._fit(collection, [])
        nowhere = uuid4()
        self._driver.insert(collection, [self._mark(tenant, 0, nowhere)])
        self._driver.update(collection, [self._mark(tenant, 1, nowhere)], 1)
        taken = self._held(tenant, collection, {nowhere: self._mark(tenant, 1, nowhere)})
        self._driver.forget(collection, [nowhere])
        if taken != {nowhere: 1}:
            raise StoreFailed(
                f"{self._name} said that it took a tombstone into {collection!r}, and does not hold it",
                next_step="See whether the collection is whole, and whether something else deletes from it.",
            )

    def settle(self, tenant: str) -> None:
        """Deletes tombstones, takes generations off."""
        collection = self._layout.collection_of(tenant)
        if self._driver.size(collection) is not None:
            self._driver.delete(collection, self._where("marks", tenant))
            self._driver.untag(collection, self._where("touched", tenant))

    def drop(self, tenant: str) -> None:
        """Deletes the tenant's collection, or what is the tenant's in a shared one."""
        collection = self._layout.collection_of(tenant)
        if self._driver.size(collection) is None:
            return
        if self._layout.one_each:
            self._driver.remove(collection)
        else:
            self._driver.delete(collection, self._where("marks", tenant))
            self._driver.delete(collection, self._where("live", tenant))

    def near(self, tenant: str, vector: Sequence[float], limit: int) -> Sequence[str]:
        """By the collection's own distance and index."""
        collection = self._layout.collection_of(tenant)
        if self._driver.size(collection) is None:
            return []
        return [key_of(found) for found in self._driver.near(collection, self._where("live", tenant), vector, limit)]

    def close(self) -> None:
        """Gives the engine back."""
        self._driver.close()

    def _each_tenant(self) -> Iterator[TenantSize]:
        if self._layout.one_each:
            for collection in self._driver.collections():
                tenant = self._layout.tenant_in(collection)
                if tenant is not None and (items := self._driver.count(collection, self._where("live", tenant))):
                    yield TenantSize(tenant, items)
            return
        for collection in self._layout.shared():
            if self._driver.size(collection) is not None:
                for value, items in self._driver.tenants(collection, self._layout.tenant_field or "").items():
                    yield TenantSize(str(value), items)

    def _where(self, what: Literal["live", "marks", "touched"], tenant: str) -> Where:
        if self._layout.one_each:
            return Where(what)
        field = OWNER if what == "marks" else self._layout.tenant_field
        return Where(what, field, self._layout.value_of(tenant))

    def _bodies(self, tenant: str, collection: str, ids: Sequence[PointId]) -> dict[str, bytes]:
        if not ids:
            return {}
        live = [held for held in self._driver.read(collection, ids, True) if self._is_live(tenant, held)]
        keys = [key_of(held.id) for held in live]
        for held in live:
            for name in self._kept:
                held.payload.pop(name, None)
        vectors, payloads = [held.vector for held in live], [held.payload for held in live]
        return dict(zip(keys, point_bodies(keys, vectors, payloads, self._distance), strict=True))

    def _is_live(self, tenant: str, held: Held) -> bool:
        if held.payload.get(DELETED):
            return False
        return self._layout.one_each or self._owner(held) == self._layout.value_of(tenant)

    def _owner(self, held: Held) -> object:
        return held.payload.get(OWNER if held.payload.get(DELETED) else self._layout.tenant_field or "")

    def _to_put(self, tenant: str, generation: int, items: Sequence[tuple[PointId, Item]]) -> dict[PointId, Held]:
        none: tuple[bytes | None, bytes] = (None, b"{}")
        parts = [none if item.body is None else parts_of_body(item.body) for _, item in items]
        payloads = read_payloads([text for _, text in parts])
        ours: dict[str, object] = {GENERATION: generation}
        if self._layout.tenant_field:
            ours[self._layout.tenant_field] = self._layout.value_of(tenant)
        points: dict[PointId, Held] = {}
        for (found, item), (vector, _), payload in zip(items, parts, payloads, strict=True):
            if vector is None:
                points[found] = self._mark(tenant, generation, found)
                continue
            if taken := [name for name in self._kept if name in payload]:
                raise StoreFailed(
                    f"the payload of point {item.key} has a field {taken[0]!r}, which this store keeps for itself",
                    next_step="Name another tenant_field, or rename the field in the source.",
                )
            payload.update(ours)
            points[found] = Held(found, numbers_of(vector), payload)
        return points

    def _mark(self, tenant: str, generation: int, found: PointId) -> Held:
        owner = {} if self._layout.one_each else {OWNER: self._layout.value_of(tenant)}
        return Held(found, None, {GENERATION: generation, DELETED: 1, **owner})

    def _fit(self, collection: str, points: Sequence[Held]) -> None:
        sizes = {len(point.vector) for point in points if point.vector is not None}
        there = self._driver.size(collection)
        if there is None:
            if self._size is None:
                raise StoreFailed(
                    f"{self._name} has no collection {collection!r}",
                    next_step="Create it, or write `size: …` (dimensions) in the store's settings to have it created.",
                )
            self._driver.create(collection, self._size)
            if not self._layout.one_each:
                self._driver.index(collection, self._layout.tenant_field or "")
            there = self._size
        if sizes - {there}:
            raise StoreFailed(
                f"collection {collection!r} of {self._name} holds vectors of {there} dimensions; "
                f"those to be put have {', '.join(map(str, sorted(sizes)))}",
                next_step="Both stores must hold vectors of the same model; nothing was written.",
            )
        if not self._layout.one_each and collection not in self._indexed:  # tombstones of a tenant are looked for by it
            self._driver.index(collection, OWNER)
            self._indexed.add(collection)

    def _held(self, tenant: str, collection: str, ids: Mapping[PointId, Held]) -> dict[PointId, int | None]:
        """Generations of those that are there; None for one without."""
        generations: dict[PointId, int | None] = {}
        for held in self._driver.read(collection, list(ids), False):
            if not self._layout.one_each and self._owner(held) != self._layout.value_of(tenant):
                raise StoreFailed(
                    f"point {key_of(held.id)} in {collection!r} of {self._name} is another tenant's "
                    f"({self._owner(held)!r}), so that {tenant!r} cannot have one of this id there",
                    next_step="Ids in a shared collection must differ between tenants; give each tenant a collection.",
                )
            found = held.payload.get(GENERATION)
            generations[held.id] = int(found) if isinstance(found, int | float) else None
        return generations

    def _put_past_others(
        self,
        tenant: str,
        collection: str,
        generation: int,
        points: Sequence[Held],
        before: Mapping[PointId, int | None],
    ) -> set[PointId]:
        """→ those that hold something else afterwards: they are to be read anew."""
        if absent := [self._mark(tenant, 0, point.id) for point in points if point.id not in before]:
            self._driver.insert(collection, absent)
        if bare := [point.id for point in points if before.get(point.id, 0) is None]:
            self._driver.tag(collection, bare)
        self._driver.update(collection, points, generation)
        after = self._held(tenant, collection, {point.id: point for point in points})
        return {point.id for point in points if after.get(point.id) != generation}

"""Qdrant Edge as a store of points: shards in a folder of this machine. Needs ``outgrow[edge]``.

A shard is a subfolder, one a tenant or one of several buckets. One process at a time has the folder: a lock file names
it, and the engine's own log keeps anybody else out of a shard that is open. So nothing arrives late, and a put is gated
by reading what is there first. It returns when all of it outlives a loss of power.

The engine holds the interpreter's lock in every call, and merges nothing by itself: call its ``optimize`` after a large
copy, before searches are measured.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from outgrow.errors import UsageError
from outgrow.movers.bodies import form_of
from outgrow.movers.point_ids import PointId
from outgrow.movers.point_layout import Layout, Planned
from outgrow.movers.point_store import DELETED, GENERATION, OWNER, Held, PointStore, Where
from outgrow.ports import StoreFailed

try:
    import qdrant_edge as engine
except ImportError as missing:
    raise StoreFailed(
        f"stores of kind qdrant-edge need a library that is not installed ({missing.name})",
        next_step="Run: pip install 'outgrow[edge]'",
    ) from None

LOCK = ".outgrow.lock"
_OPTIONS = "edge_config.json"
_UNFINISHED = (".making-", ".dropped-")
_MOST_TENANTS = 1_000_000


class EdgeSettings(BaseModel):
    """What stands beside ``kind: qdrant-edge``."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    folder: Path = Field(description="Where the shards are.")
    collection: str = Field("{tenant}", description="A shard's subfolder; with {tenant} or {bucket} in its name.")
    tenant_field: str | None = Field(None, description="The payload field that says whose a point is.")
    whole_numbers: bool = Field(False, description="Its values are whole numbers, not texts.")
    buckets: int | None = Field(None, ge=1, le=10_000)
    distance: Literal["cosine", "dot", "euclid", "manhattan"] | None = Field(
        None, description="Default: cosine. Say it where a shard compares unit vectors by dot."
    )
    size: int | None = Field(None, ge=1, le=65_536, description="Dimensions of shards that it is to create.")
    open_at_once: int = Field(32, ge=1, le=1000, description="Shards; each takes some 14 memory maps.")

    @model_validator(mode="after")
    def _fits(self) -> EdgeSettings:
        if self.collection.startswith(".") or "/" in self.collection:
            raise ValueError("collection is the name of a subfolder: no '/', and no '.' to begin with")
        self.layout()
        return self

    def layout(self) -> Layout:
        """Where tenants lie."""
        return Layout(self.collection, self.tenant_field, self.buckets, self.whole_numbers)

    def place(self) -> str:
        """The folder, links followed. Shards that were moved elsewhere are another's."""
        return f"folder {self.folder.expanduser().resolve()}"


def planned(settings: Mapping[str, Any]) -> Planned:
    """What a store of these settings is. Raises pydantic's ``ValidationError``."""
    read = EdgeSettings.model_validate(dict(settings))
    return Planned(form_of(read.distance or "cosine"), read.place(), read.layout())


def open_store(settings: Mapping[str, Any], name: str) -> PointStore:
    """The store of these settings (``EdgeSettings``). The folder is taken with the first call.

    Raises:
        UsageError: the settings are wrong.
    """
    try:
        read = EdgeSettings.model_validate(dict(settings))
    except ValidationError as wrong:
        found = wrong.errors()[0]
        path = ".".join(map(str, found["loc"]))
        raise UsageError(
            f"the settings of store {name} are wrong: {path + ': ' if path else ''}{found['msg']}",
            next_step="The keys are in docs/reference/movers.md.",
        ) from None
    return PointStore(name, EdgeDriver(read), read.layout(), read.distance or "cosine", read.size)


class EdgeDriver:
    """Keeps ``Driver``. Shards are opened when they are asked for; those not used for longest are closed."""

    alone = True

    def __init__(self, settings: EdgeSettings) -> None:
        self._settings = settings
        self._folder = settings.folder.expanduser()
        self._lock: int | None = None
        self._open: OrderedDict[str, engine.EdgeShard] = OrderedDict()
        self._sizes: dict[str, int] = {}

    def close(self) -> None:
        """Closes all shards and gives the folder back."""
        try:
            while self._open:
                self._let_go(next(iter(self._open)))
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def place(self) -> str:
        """As the settings say."""
        return self._settings.place()

    def collections(self) -> Sequence[str]:
        """Subfolders that hold a shard."""
        with self._files():
            self._take()
            return sorted(each.parent.name for each in self._folder.glob(f"[!.]*/{_OPTIONS}"))

    def size(self, collection: str) -> int | None:
        """From the shard's own file of options."""
        if collection not in self._sizes:
            with self._files():
                self._take()
                file = self._folder / collection / _OPTIONS
                if not file.exists():
                    return None
                try:
                    options = json.loads(file.read_bytes())
                except ValueError:
                    raise self._useless(collection, f"has a {_OPTIONS} that cannot be read", "Restore it.") from None
            self._sizes[collection] = self._fitting(collection, options)
        return self._sizes[collection]

    def create(self, collection: str, size: int) -> None:
        """Beside, then renamed: there is never half a shard under its name."""
        made = self._folder / f"{_UNFINISHED[0]}{uuid4().hex}"
        distance = getattr(engine.Distance, (self._settings.distance or "cosine").capitalize())
        config = engine.EdgeConfig(
            vectors=engine.EdgeVectorParams(size=size, distance=distance),
            hnsw_config=engine.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000, payload_m=0),
            max_search_threads=1,
            wal_enabled=True,
        )
        with self._files(), self._said("be created", collection):
            self._take()
            engine.EdgeShard.create(str(made), config).close()
            made.rename(self._folder / collection)

    def index(self, collection: str, field: str) -> None:
        """One for tenants."""
        kind = engine.PayloadSchemaType.Integer if self._settings.whole_numbers else engine.KeywordIndexParams()
        if not self._settings.whole_numbers and field != OWNER:
            kind = engine.KeywordIndexParams(is_tenant=True)
        with self._shard("make an index", collection) as shard:
            if field not in shard.info().payload_schema:
                shard.update(engine.UpdateOperation.create_field_index(field, kind))

    def remove(self, collection: str) -> None:
        """Renamed, then deleted."""
        with self._files():
            self._take()
            self._let_go(collection)
            gone = self._folder / f"{_UNFINISHED[1]}{uuid4().hex}"
            with suppress(FileNotFoundError):
                (self._folder / collection).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        self._sizes.pop(collection, None)

    def tenants(self, collection: str, field: str) -> Mapping[str | int, int]:
        """By a facet, which needs an index on the field; one is made where there is none."""
        self.index(collection, field)
        with self._shard("count tenants", collection) as shard:
            hits = list(shard.facet(engine.FacetRequest(field, limit=_MOST_TENANTS, exact=True)))
        return {hit.value: hit.count for hit in hits if hit.count}

    def count(self, collection: str, where: Where) -> int:
        """Exactly."""
        with self._shard("count", collection) as shard:
            return shard.count(engine.CountRequest(exact=True, filter=_filter(where)))

    def ids(self, collection: str, where: Where, first: PointId, limit: int) -> Sequence[PointId]:
        """A scroll without content."""
        asked = engine.ScrollRequest(
            offset=first, limit=limit, filter=_filter(where), with_payload=False, with_vector=False
        )
        with self._shard("read", collection) as shard:
            return [_point_id(each.id) for each in shard.scroll(asked)[0]]

    def read(self, collection: str, ids: Sequence[PointId], vectors: bool) -> Sequence[Held]:
        """By ids."""
        wanted: Any = True
        if not vectors:
            wanted = [GENERATION, DELETED, OWNER, *filter(None, [self._settings.tenant_field])]
        with self._shard("read", collection) as shard:
            found = shard.retrieve(list(ids), wanted, vectors)
            return [Held(_point_id(each.id), _packed(each.vector), each.payload or {}) for each in found]

    def insert(self, collection: str, points: Sequence[Held]) -> None:
        """*Insert only*."""
        self._update("take points", collection, _upsert(points, engine.UpdateMode.InsertOnly))

    def update(self, collection: str, points: Sequence[Held], below: int) -> None:
        """*Update only*, over what has an older generation."""
        older = engine.Filter(must=[engine.FieldCondition(GENERATION, range=engine.RangeFloat(lt=float(below)))])
        self._update("take points", collection, _upsert(points, engine.UpdateMode.UpdateOnly, older))

    def upsert(self, collection: str, points: Sequence[Held]) -> None:
        """Without a condition."""
        self._update("take points", collection, _upsert(points, engine.UpdateMode.Upsert))

    def tag(self, collection: str, ids: Sequence[PointId]) -> None:
        """Where the field is empty."""
        these = engine.Filter(must=[engine.HasIdCondition(set(ids)), engine.IsEmptyCondition(GENERATION)])
        self._update(
            "take generations", collection, engine.UpdateOperation.set_payload_by_filter(these, {GENERATION: 0})
        )

    def untag(self, collection: str, where: Where) -> None:
        """Takes the field off."""
        how = engine.UpdateOperation.delete_payload_by_filter(_filter(where), [GENERATION])
        self._update("forget generations", collection, how)

    def delete(self, collection: str, where: Where) -> None:
        """By filter."""
        how = engine.UpdateOperation.delete_points_by_filter(_filter(where))
        self._update("delete points", collection, how)

    def forget(self, collection: str, ids: Sequence[PointId]) -> None:
        """By ids, where they are tombstones."""
        deleted = engine.FieldCondition(DELETED, match=engine.MatchValue(1))
        these = engine.Filter(must=[engine.HasIdCondition(set(ids)), deleted])
        self._update("delete points", collection, engine.UpdateOperation.delete_points_by_filter(these))

    def near(self, collection: str, where: Where, vector: Sequence[float], limit: int) -> Sequence[PointId]:
        """A search as an application would ask it."""
        asked = engine.QueryRequest(limit=limit, query=engine.Query.Nearest(list(vector)), filter=_filter(where))
        with self._shard("search", collection) as shard:
            return [_point_id(each.id) for each in shard.query(asked)]

    def _update(self, doing: str, collection: str, operation: engine.UpdateOperation) -> None:
        with self._shard(doing, collection) as shard:
            shard.update(operation)
            shard.flush()

    @contextmanager
    def _shard(self, doing: str, collection: str) -> Iterator[engine.EdgeShard]:
        with self._files():
            self._take()
        if collection not in self._open:
            while len(self._open) >= self._settings.open_at_once:
                self._let_go(next(iter(self._open)))
            with self._said("be opened", collection):
                self._open[collection] = engine.EdgeShard.load(str(self._folder / collection))
        self._open.move_to_end(collection)
        with self._said(doing, collection):
            yield self._open[collection]

    def _let_go(self, collection: str) -> None:
        if (shard := self._open.pop(collection, None)) is not None:
            with self._said("be closed", collection):
                shard.flush()
                shard.close()

    def _take(self) -> None:
        """The folder is this process's until ``close``; what a killed one left unfinished goes."""
        if self._lock is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise StoreFailed(
                f"process {holder} has the shards in {self._folder}",
                next_step="One process at a time can; wait for that one, or stop it.",
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock
        for left in self._folder.iterdir():
            if left.name.startswith(_UNFINISHED):
                shutil.rmtree(left, ignore_errors=True)

    def _fitting(self, collection: str, options: Any) -> int:
        vectors = options.get("vectors") or {}
        if list(vectors) != [""] or vectors[""].get("multivector_config") or options.get("sparse_vectors"):
            raise self._useless(
                collection,
                "has named, sparse, several or no vectors",
                "Only shards with one unnamed vector can be moved so far.",
            )
        kept = vectors[""].get("datatype") or "float32"
        if str(kept).lower() != "float32":
            raise self._useless(collection, f"keeps vectors as {kept}, which rounds them", "Use one of float32.")
        if options.get("wal_enabled") is False:
            raise self._useless(
                collection, "has no log, so that other processes could open it", "Make it anew with its log."
            )
        found, said = str(vectors[""]["distance"]).lower(), self._settings.distance
        if found != (said or "cosine") and (found, said) != ("dot", "cosine"):
            raise self._useless(
                collection,
                f"compares by {found}, not by {said or 'cosine'}",
                f"Write `distance: {found}` in the settings of this store, and of the other, if that is so.",
            )
        return int(vectors[""]["size"])

    def _useless(self, collection: str, why: str, next_step: str) -> StoreFailed:
        return StoreFailed(f"shard {collection!r} in {self._folder} {why}", next_step=next_step)

    @contextmanager
    def _said(self, doing: str, collection: str) -> Iterator[None]:
        """The engine's errors are plain exceptions, its panics not even those: then the shard is opened anew."""
        try:
            yield
        except StoreFailed:
            raise
        except BaseException as error:
            panic = type(error).__name__ == "PanicException"
            if not isinstance(error, Exception) and not panic:
                raise
            if panic:
                self._open.pop(collection, None)
            text = str(error)
            if "WouldBlock" in text:
                why, next_step = "another process has it open", "Stop that one: one process at a time can."
            else:
                why, next_step = text.splitlines()[0][:300] if text else type(error).__name__, "It is tried again."
            raise StoreFailed(
                f"shard {collection!r} in {self._folder} could not {doing}: {why}", next_step=next_step
            ) from error

    @contextmanager
    def _files(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreFailed(
                f"the folder {self._folder} cannot be used: {error.strerror or error}",
                next_step="See that it is there, is yours, and has room.",
            ) from error


def _upsert(
    points: Sequence[Held], mode: engine.UpdateMode, condition: engine.Filter | None = None
) -> engine.UpdateOperation:
    made = [engine.Point(point.id, {} if point.vector is None else point.vector, point.payload) for point in points]
    return engine.UpdateOperation.upsert_points(made, condition, mode)


def _packed(vector: object) -> object:
    """Float32 as bytes, as soon as it is read: the numbers of a page, one by one, are slow to keep. Vectors of several
    numbers each stay as they are."""
    if not isinstance(vector, list):
        return vector or None
    try:
        return struct.pack(f"<{len(vector)}f", *vector)
    except struct.error:
        return vector


def _filter(where: Where) -> engine.Filter:
    must: list[Any] = []
    if where.field is not None and where.tenant is not None:
        must.append(engine.FieldCondition(where.field, match=engine.MatchValue(where.tenant)))
    if where.what == "touched":
        must.append(engine.FieldCondition(GENERATION, range=engine.RangeFloat(gte=0.0)))
    deleted = engine.FieldCondition(DELETED, match=engine.MatchValue(1))
    if where.what == "marks":
        return engine.Filter(must=[*must, deleted])
    return engine.Filter(must=must or None, must_not=[deleted])


def _point_id(found: object) -> PointId:
    return found if isinstance(found, int | UUID) else UUID(str(found))

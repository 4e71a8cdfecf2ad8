"""Qdrant as a store of points: a server by URL, or the client's local mode. Needs ``outgrow[qdrant]``.

Writes wait until they are applied, go through the permanent leader where there are replicas (``ordering: strong``), and
reads ask a majority of them. A server older than 1.17 has no *update only* and would overwrite without a condition, so
it is refused before anything is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from outgrow.errors import UsageError
from outgrow.movers.bodies import form_of
from outgrow.movers.point_ids import PointId
from outgrow.movers.point_layout import Layout, Planned
from outgrow.movers.point_store import DELETED, GENERATION, OWNER, Held, PointStore, Where
from outgrow.ports import StoreFailed

try:
    from qdrant_client import QdrantClient, models
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ApiException, UnexpectedResponse
except ImportError as missing:
    raise StoreFailed(
        f"stores of kind qdrant need a library that is not installed ({missing.name})",
        next_step="Run: pip install 'outgrow[qdrant]'",
    ) from None

OLDEST = (1, 17)
"""Qdrant's own documentation of points: conditions on an upsert since 1.16.0, its *update mode* since 1.17.0 (pull
request 7963 of qdrant/qdrant)."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_MOST_TENANTS = 1_000_000
_STRONG = models.WriteOrdering.STRONG
_MAJORITY = models.ReadConsistencyType.MAJORITY
_DONE = (models.UpdateStatus.COMPLETED,)


class QdrantSettings(BaseModel):
    """What stands beside ``kind: qdrant``."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    url: str | None = Field(None, description="http:// or https:// address of a server, without credentials.")
    path: str | None = Field(None, description="A folder for the client's local mode, for trying things out.")
    collection: str = Field(description="Its name; with {tenant} one each, with {bucket} one of buckets.")
    tenant_field: str | None = Field(None, description="The payload field that says whose a point is.")
    whole_numbers: bool = Field(False, description="Its values are whole numbers, not texts.")
    buckets: int | None = Field(None, ge=1, le=10_000)
    distance: Literal["cosine", "dot", "euclid", "manhattan"] | None = Field(
        None, description="Default: cosine. Say it where a collection compares unit vectors by dot."
    )
    size: int | None = Field(None, ge=1, le=65_536, description="Dimensions of collections that it is to create.")
    api_key_file: Path | None = Field(None, description="Holds the API key; must not be readable by everyone.")
    api_key_env: str | None = Field(None, description="The environment variable that holds the API key.")
    timeout: int = Field(30, ge=1, le=3600, description="Seconds that one request may take.")

    @model_validator(mode="after")
    def _fits(self) -> QdrantSettings:
        if (self.url is None) == (self.path is None):
            raise ValueError("write url (a server) or path (a folder), one of them")
        address = urlsplit(self.url or "http://localhost")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("url must begin with http:// or https:// and name a host")
        if address.username or address.password or address.query:
            raise ValueError("url must not hold credentials; use api_key_file or api_key_env")
        if self.api_key_file and self.api_key_env:
            raise ValueError("write api_key_file or api_key_env, one of them")
        self.layout()
        return self

    def layout(self) -> Layout:
        """Where tenants lie."""
        return Layout(self.collection, self.tenant_field, self.buckets, self.whole_numbers)

    def place(self) -> str:
        """A server does not say which one it is: its address as it is written, and all names of this machine alike."""
        if self.path is not None:
            return f"folder {Path(self.path).expanduser().resolve()}"
        address = urlsplit(self.url or "")
        host = "this machine" if address.hostname in _THIS_MACHINE else str(address.hostname).rstrip(".")
        return f"Qdrant at {host}:{address.port or 6333}{address.path.rstrip('/')}"

    def api_key(self) -> str | None:
        """Raises ``UsageError``."""
        if self.api_key_env:
            if not (value := os.environ.get(self.api_key_env, "").strip()):
                raise UsageError(f"the environment has no {self.api_key_env}", next_step="Export it, and try again.")
            return value
        return None if self.api_key_file is None else _secret(self.api_key_file.expanduser())


def planned(settings: Mapping[str, Any]) -> Planned:
    """What a store of these settings is; its key is not read. Raises pydantic's ``ValidationError``."""
    read = QdrantSettings.model_validate(dict(settings))
    return Planned(form_of(read.distance or "cosine"), read.place(), read.layout())


def open_store(settings: Mapping[str, Any], name: str) -> PointStore:
    """The store of these settings (``QdrantSettings``). Nothing is connected to yet. Raises ``UsageError``."""
    try:
        read = QdrantSettings.model_validate(dict(settings))
    except ValidationError as wrong:
        found = wrong.errors()[0]
        path = ".".join(map(str, found["loc"]))
        raise UsageError(
            f"the settings of store {name} are wrong: {path + ': ' if path else ''}{found['msg']}",
            next_step="The keys are in docs/reference/movers.md.",
        ) from None
    if read.path is not None:
        return local_store(QdrantClient(path=read.path, force_disable_check_same_thread=True), name, read)
    address = urlsplit(read.url or "")
    client = QdrantClient(
        url=read.url,
        port=address.port or 6333,
        api_key=read.api_key(),
        timeout=read.timeout,
        check_compatibility=False,
        trust_env=False,
    )
    driver = QdrantDriver(client, f"{address.hostname}:{address.port or ''}".rstrip(":"), read)
    return PointStore(name, driver, read.layout(), read.distance or "cosine", read.size)


def local_store(client: QdrantClient, name: str, settings: QdrantSettings) -> PointStore:
    """The store on a client of local mode, ``QdrantClient(":memory:")`` for one."""
    driver = QdrantDriver(client, settings.path or "memory", settings, local=True)
    return PointStore(name, driver, settings.layout(), settings.distance or "cosine", settings.size)


class QdrantDriver:
    """Keeps ``Driver``. ``where``: the server or folder, for people. Collections are looked at once each."""

    alone = False

    def __init__(self, client: QdrantClient, where: str, settings: QdrantSettings, *, local: bool = False) -> None:
        self._client, self._where, self._settings, self._local = client, where, settings, local
        self._sizes: dict[str, int] = {}
        self._new_enough = local

    def close(self) -> None:
        """Closes connections."""
        self._client.close()

    def place(self) -> str:
        """As the settings say."""
        return self._settings.place() if self._settings.path or self._settings.url else self._where

    def collections(self) -> Sequence[str]:
        """All there are."""
        with self._said("listing collections"):
            return [each.name for each in self._client.get_collections().collections]

    def size(self, collection: str) -> int | None:
        """Looks at how it is made, the first time."""
        if collection in self._sizes:
            return self._sizes[collection]
        self._be_new_enough()
        with self._said("looking at", collection):
            if not self._client.collection_exists(collection):
                return None
            vectors = self._client.get_collection(collection).config.params.vectors
        self._sizes[collection] = self._fitting(collection, vectors)
        return self._sizes[collection]

    def create(self, collection: str, size: int) -> None:
        """With the distance of the settings, and otherwise the server's defaults."""
        distance = models.Distance((self._settings.distance or "cosine").capitalize())
        with self._said("creating", collection):
            try:
                self._client.create_collection(
                    collection, vectors_config=models.VectorParams(size=size, distance=distance)
                )
            except (UnexpectedResponse, ValueError):
                if not self._client.collection_exists(collection):  # another process may just have made it
                    raise

    def index(self, collection: str, field: str) -> None:
        """One for tenants, so that the server can lay a tenant's points together."""
        if self._local:
            return  # local mode has none
        kind = (
            models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER)
            if self._settings.whole_numbers
            else models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=field != OWNER)
        )
        with self._said("making an index in", collection):
            if field not in self._client.get_collection(collection).payload_schema:
                self._client.create_payload_index(collection, field, kind, wait=True)

    def remove(self, collection: str) -> None:
        """With all in it."""
        with self._said("deleting", collection):
            self._client.delete_collection(collection)
        self._sizes.pop(collection, None)

    def tenants(self, collection: str, field: str) -> Mapping[str | int, int]:
        """By a facet; the server needs an index on the field for it."""
        with self._said("counting tenants in", collection):
            hits = self._client.facet(collection, field, limit=_MOST_TENANTS, exact=True).hits
        return {hit.value: hit.count for hit in hits if not isinstance(hit.value, bool) and hit.count}

    def count(self, collection: str, where: Where) -> int:
        """Exactly."""
        with self._said("counting", collection):
            return self._client.count(collection, count_filter=_filter(where), exact=True).count

    def ids(self, collection: str, where: Where, first: PointId, limit: int) -> Sequence[PointId]:
        """A scroll without content."""
        with self._said("reading", collection):
            found, _ = self._client.scroll(
                collection,
                scroll_filter=_filter(where),
                limit=limit,
                offset=_wire(first),
                with_payload=False,
                with_vectors=False,
                consistency=_MAJORITY,
            )
        return [_point_id(each.id) for each in found]

    def read(self, collection: str, ids: Sequence[PointId], vectors: bool) -> Sequence[Held]:
        """By ids."""
        ours = [GENERATION, DELETED, OWNER, *filter(None, [self._settings.tenant_field])]
        with self._said("reading", collection):
            found = self._client.retrieve(
                collection,
                [_wire(each) for each in ids],
                with_payload=True if vectors else ours,
                with_vectors=vectors,
                consistency=_MAJORITY,
            )
        return [Held(_point_id(each.id), each.vector, dict(each.payload or {})) for each in found]

    def insert(self, collection: str, points: Sequence[Held]) -> None:
        """*Insert only*."""
        self._upsert(collection, points, update_mode=models.UpdateMode.INSERT_ONLY)

    def update(self, collection: str, points: Sequence[Held], below: int) -> None:
        """*Update only*, over what has an older generation."""
        older = models.Filter(must=[models.FieldCondition(key=GENERATION, range=models.Range(lt=below))])
        self._upsert(collection, points, update_mode=models.UpdateMode.UPDATE_ONLY, update_filter=older)

    def upsert(self, collection: str, points: Sequence[Held]) -> None:
        """Without a condition."""
        self._upsert(collection, points)

    def tag(self, collection: str, ids: Sequence[PointId]) -> None:
        """Where the field is empty."""
        none = models.IsEmptyCondition(is_empty=models.PayloadField(key=GENERATION))
        these = models.Filter(must=[models.HasIdCondition(has_id=[_wire(each) for each in ids]), none])
        with self._said("writing to", collection):
            result = self._client.set_payload(
                collection, {GENERATION: 0}, models.FilterSelector(filter=these), wait=True, ordering=_STRONG
            )
            self._applied(collection, result)

    def untag(self, collection: str, where: Where) -> None:
        """Takes the field off."""
        with self._said("writing to", collection):
            result = self._client.delete_payload(
                collection, [GENERATION], models.FilterSelector(filter=_filter(where)), wait=True, ordering=_STRONG
            )
            self._applied(collection, result)

    def delete(self, collection: str, where: Where) -> None:
        """By filter."""
        with self._said("deleting from", collection):
            result = self._client.delete(
                collection, models.FilterSelector(filter=_filter(where)), wait=True, ordering=_STRONG
            )
            self._applied(collection, result)

    def forget(self, collection: str, ids: Sequence[PointId]) -> None:
        """By ids, where they are tombstones."""
        deleted = models.FieldCondition(key=DELETED, match=models.MatchValue(value=1))
        these = models.Filter(must=[models.HasIdCondition(has_id=[_wire(each) for each in ids]), deleted])
        with self._said("deleting from", collection):
            result = self._client.delete(collection, models.FilterSelector(filter=these), wait=True, ordering=_STRONG)
            self._applied(collection, result)

    def near(self, collection: str, where: Where, vector: Sequence[float], limit: int) -> Sequence[PointId]:
        """A search as an application would ask it."""
        with self._said("searching", collection):
            found = self._client.query_points(
                collection, query=list(vector), query_filter=_filter(where), limit=limit, with_payload=False
            )
        return [_point_id(each.id) for each in found.points]

    def _upsert(self, collection: str, points: Sequence[Held], **how: Any) -> None:
        made = [
            models.PointStruct(
                id=_wire(point.id),
                vector={} if point.vector is None else list(point.vector),
                payload=point.payload,
            )
            for point in points
        ]
        with self._said("writing to", collection):
            self._applied(collection, self._client.upsert(collection, made, wait=True, ordering=_STRONG, **how))

    def _applied(self, collection: str, result: models.UpdateResult) -> None:
        if result.status not in _DONE:
            raise StoreFailed(
                f"Qdrant at {self._where} took a write to {collection!r} but did not finish it in time "
                f"({result.status.value})",
                next_step="It is written again; raise `timeout` if this goes on.",
            )

    def _fitting(self, collection: str, vectors: object) -> int:
        if not isinstance(vectors, models.VectorParams) or vectors.multivector_config is not None:
            raise StoreFailed(
                f"collection {collection!r} at {self._where} has named, sparse, several or no vectors",
                next_step="Only collections with one unnamed vector can be moved so far.",
            )
        if vectors.datatype not in (None, models.Datatype.FLOAT32):
            raise StoreFailed(
                f"collection {collection!r} at {self._where} keeps vectors as {vectors.datatype}, which rounds them",
                next_step="Use a collection of float32; quantization beside it does no harm.",
            )
        found, said = vectors.distance.value.lower(), self._settings.distance
        if found != (said or "cosine") and (found, said) != ("dot", "cosine"):
            raise StoreFailed(
                f"collection {collection!r} at {self._where} compares by {found}, not by {said or 'cosine'}",
                next_step=f"Write `distance: {found}` in the settings of this store, and of the other, if that is so.",
            )
        return vectors.size

    def _be_new_enough(self) -> None:
        if self._new_enough:
            return
        with self._said("asking for its version"):
            version = self._client.info().version
        parts = re.match(r"(\d+)\.(\d+)", version)
        if parts is None or (int(parts[1]), int(parts[2])) < OLDEST:
            raise StoreFailed(
                f"Qdrant at {self._where} is version {version}, which cannot write only over what is older",
                next_step=f"Update it to {OLDEST[0]}.{OLDEST[1]} or newer first; nothing was written.",
            )
        self._new_enough = True

    @contextmanager
    def _said(self, doing: str, collection: str = "") -> Iterator[None]:
        what = f"{doing} {collection!r}" if collection else doing
        try:
            yield
        except UnexpectedResponse as error:
            raise StoreFailed(
                f"Qdrant at {self._where} refused {what}: {error.status_code} {_reason(error.content)}",
                next_step=_next_step(error.status_code),
            ) from error
        except (ApiException, QdrantException, OSError) as error:
            cause = getattr(error, "source", None) or error
            raise StoreFailed(
                f"Qdrant at {self._where} did not answer when {what}: {str(cause) or type(cause).__name__}",
                next_step="See that it runs and can be reached; it is tried again.",
            ) from error
        except ValueError as error:
            raise StoreFailed(f"Qdrant at {self._where} could not go on {what}: {error}") from error


def _filter(where: Where) -> models.Filter:
    must: list[Any] = []
    if where.field is not None and where.tenant is not None:
        must.append(models.FieldCondition(key=where.field, match=models.MatchValue(value=where.tenant)))
    if where.what == "touched":
        must.append(models.FieldCondition(key=GENERATION, range=models.Range(gte=0)))
    deleted = models.FieldCondition(key=DELETED, match=models.MatchValue(value=1))
    if where.what == "marks":
        return models.Filter(must=[*must, deleted])
    return models.Filter(must=must or None, must_not=[deleted])


def _wire(found: PointId) -> int | str:
    return found if isinstance(found, int) else str(found)


def _point_id(found: object) -> PointId:
    return found if isinstance(found, int) else UUID(str(found))


def _reason(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    found = re.search(r'"error"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
    return (found[1] if found else text)[:300]


def _next_step(status: int | None) -> str:
    if status in (401, 403):
        return "Give a key that may read and write, by api_key_file or api_key_env."
    if status == 429 or (status or 0) >= 500:
        return "It is tried again; see the server's log if this goes on."
    return "Correct what it says, then go on."


def _secret(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o004:
            raise UsageError(f"everyone on this machine can read {path}", next_step=f"Run: chmod o-rwx {path}")
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as wrong:
        raise UsageError(f"the secret in {path} cannot be read: {wrong}") from None

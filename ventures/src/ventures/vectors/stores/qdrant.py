"""The layout qdrant: one collection on a server or cluster, ordered by venture, int8 with rescoring.

Points lie there as in `tuned`. A point of no venture keeps the birth: who finds it gone, or another, knows that the
collection is not the one that was filled. Writes are waited for, which the server answers when they are in its own log.
Needs the extra "qdrant" (qdrant-client).
"""

import logging
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import numpy as np

from ventures.errors import SettingsError, Unavailable
from ventures.vectors.records import ALL, Held, Kind, Match, Only, Point, Vector, digest
from ventures.vectors.stores.checking import checked_ids, checked_limit, checked_points, checked_search
from ventures.vectors.stores.keys import IDS, inside, key, outside, rounds, shift
from ventures.vectors.stores.manifest import FORMAT, new_birth
from ventures.vectors.stores.ties import TIES, ties_go_on

try:
    from qdrant_client import AsyncQdrantClient
    from qdrant_client import models as m
    from qdrant_client.http.exceptions import ApiException, UnexpectedResponse
except ImportError:
    raise SettingsError("The layout qdrant needs the package qdrant-client: pip install 'ventures[qdrant]'.") from None

BIRTH: Final = UUID(int=0)
"""The point that keeps the birth; no venture's point can have its id and payload."""
TIMEOUT_SECONDS: Final = 5
CHUNK: Final = 256
PARAMETERS: Final = m.SearchParams(hnsw_ef=256, quantization=m.QuantizationSearchParams(rescore=True, oversampling=3.0))
"""hnsw_ef: so that 99.5 % of the nearest ten are found in ventures large enough to have a graph."""
Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


async def opened(where: Path | str, *, dimension: int, model: str, api_key: str | None) -> "Qdrant":
    """The collection at a server's URL, in a local folder, or ":memory:"; made where there is none. Raises:
    Unavailable.
    """
    place = str(where)
    server = place.startswith(("http://", "https://"))
    if server:
        client = AsyncQdrantClient(url=place, api_key=api_key, timeout=TIMEOUT_SECONDS, check_compatibility=False)
    else:
        try:
            client = AsyncQdrantClient(location=place) if place == ":memory:" else AsyncQdrantClient(path=place)
        except RuntimeError as error:  # the lock of the local mode
            raise Unavailable(f"Another process has {place} open.") from error
    store = Qdrant(client, dimension=dimension, model=model, server=server)
    try:
        await store.begin()
    except BaseException:
        await client.close()
        raise
    return store


class Qdrant:
    """One collection with all ventures."""

    name = "qdrant"

    def __init__(self, client: AsyncQdrantClient, *, dimension: int, model: str, server: bool) -> None:
        self.dimension = dimension
        self._indexes = INDEXES if server else {}  # the local mode scans all
        self._params = PARAMETERS if server else None
        self._client, self._model = client, model
        self._collection = f"ventures-{FORMAT}-{dimension}"
        self._birth: str | None = None

    async def begin(self) -> None:
        """Finds the collection or makes it. One with points but without a birth is nobody's here, and left alone.
        Raises: Unavailable.
        """
        self._birth = None
        if not await self._asked(self._client.collection_exists(self._collection)):
            await self._make()
            return
        mark = await self._mark()
        if mark is not None and mark.get("model") == self._model:
            self._birth = str(mark["birth"])
            return
        if mark is None and (await self._asked(self._client.count(self._collection, exact=True))).count:
            raise Unavailable(
                f"Qdrant has a collection {self._collection} that holds points but no mark of ours. If nobody else's, "
                "delete it; it is filled anew."
            )
        log.warning("The vector index: %s is made anew, since it is of another model or was not finished", self.name)
        await self._asked(self._client.delete_collection(self._collection))
        await self._make()

    async def search(self, venture: UUID, kind: Kind, vector: Vector, *, limit: int, only: Only = ALL) -> list[Match]:
        wanted = checked_search(vector, self.dimension, limit, only)
        by = shift(venture, await self._born())
        count = limit + TIES
        while True:
            answer = await self._asked(
                self._client.query_points(
                    self._collection,
                    query=wanted.tolist(),
                    query_filter=_narrowed(venture, kind, only),
                    search_params=self._params,
                    limit=count,
                    with_payload=False,
                )
            )
            found = answer.points
            if not ties_go_on([each.score for each in found], limit, count):
                break
            count *= 4
        matches = [Match(outside(UUID(str(each.id)), by), min(1.0, max(-1.0, each.score))) for each in found]
        matches.sort(key=lambda match: (-match.score, match.id))
        return matches[:limit]

    async def put(self, venture: UUID, points: Sequence[Point]) -> None:
        rows = checked_points(points, self.dimension)
        by = shift(venture, await self._born())
        for begin in range(0, len(points), CHUNK):
            some = points[begin : begin + CHUNK]
            batch = m.Batch(
                ids=[str(inside(point.id, by)) for point in some],
                vectors=rows[begin : begin + CHUNK].tolist(),
                payloads=[
                    {"of": key(venture, point.kind), "source": str(point.source), "state": point.state}
                    for point in some
                ],
            )
            await self._asked(self._client.upsert(self._collection, points=batch, wait=True))

    async def delete(self, venture: UUID, ids: Sequence[UUID]) -> None:
        by = shift(venture, await self._born())
        if checked_ids(ids):
            which = m.PointIdsList(points=[str(inside(point, by)) for point in ids])
            await self._asked(self._client.delete(self._collection, points_selector=which, wait=True))

    async def drop(self, venture: UUID) -> None:
        await self._born()
        which = m.FilterSelector(filter=_all(venture))
        await self._asked(self._client.delete(self._collection, points_selector=which, wait=True))

    async def count(self, venture: UUID) -> int:
        await self._born()
        counted = self._client.count(self._collection, count_filter=_all(venture), exact=True)
        return int((await self._asked(counted)).count)

    async def held(self, venture: UUID, *, after: UUID | None = None, limit: int = 1_000) -> list[Held]:
        page = checked_limit(limit)
        by = shift(venture, await self._born())
        begin = 0 if after is None else after.int + 1
        found: list[Held] = []
        for start, end in rounds(begin, by) if begin < IDS else ():
            if start < end and len(found) < page:
                records = await self._scrolled(venture, start, page)
                found += [_held(record, by) for record in records if UUID(str(record.id)).int < end]
        return found[:page]

    async def flush(self) -> None:
        """Every write was waited for; this looks whether the collection is still the one they went to."""
        born = await self._born()
        mark = await self._mark()
        if mark is None or mark.get("birth") != born:
            self._birth = None
            raise Unavailable("The collection in Qdrant is another than before; it is being filled anew.")

    def part(self, venture: UUID) -> str:
        if self._birth is None:
            raise Unavailable("The collection in Qdrant is gone; it is made anew with the next call.")
        return f"{self.name}@{self._birth}"

    async def close(self) -> None:
        await self._client.close()

    async def _born(self) -> str:
        if self._birth is None:
            await self.begin()
        assert self._birth is not None
        return self._birth

    async def _make(self) -> None:
        await self._asked(
            self._client.create_collection(
                self._collection,
                # the vectors as they came, to the last bit: of length 1, so that their dot product is the cosine
                vectors_config=m.VectorParams(size=self.dimension, distance=m.Distance.DOT, on_disk=True),
                hnsw_config=m.HnswConfigDiff(m=0, payload_m=16),
                quantization_config=m.ScalarQuantization(
                    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, always_ram=True)
                ),
            )
        )
        for field, schema in self._indexes.items():
            await self._asked(
                self._client.create_payload_index(self._collection, field_name=field, field_schema=schema, wait=True)
            )
        birth = new_birth()
        vector = np.zeros(self.dimension, np.float32)
        vector[0] = 1.0
        mark = m.PointStruct(
            id=str(BIRTH), vector=vector.tolist(), payload={"of": "", "birth": birth, "model": self._model}
        )
        await self._asked(self._client.upsert(self._collection, points=[mark], wait=True))
        self._birth = birth

    async def _mark(self) -> dict[str, Any] | None:
        found = await self._asked(self._client.retrieve(self._collection, ids=[str(BIRTH)], with_payload=True))
        payload = found[0].payload if found else None
        return payload if payload and "birth" in payload else None

    async def _scrolled(self, venture: UUID, start: int, limit: int) -> list[m.Record]:
        records, _ = await self._asked(
            self._client.scroll(
                self._collection,
                scroll_filter=_all(venture),
                offset=str(UUID(int=start)),
                limit=limit,
                with_payload=True,
                with_vectors=True,
            )
        )
        return list(records)

    async def _asked(self, call: Awaitable[Answer]) -> Answer:
        try:
            return await call
        except UnexpectedResponse as error:
            if error.status_code == 404:
                self._birth = None
            raise Unavailable(f"Qdrant answered {error.status_code}: {str(error.content)[:200]}") from error
        except (ApiException, OSError, ValueError, RuntimeError) as error:
            if "not found" in str(error):  # the local mode
                self._birth = None
            raise Unavailable(f"Qdrant does not answer: {str(error)[:200] or type(error).__name__}") from error


INDEXES: Final[dict[str, Any]] = {
    "of": m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, is_tenant=True),
    "state": m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD),
    "source": m.UuidIndexParams(type=m.UuidIndexType.UUID),
}


def _narrowed(venture: UUID, kind: Kind, only: Only) -> m.Filter:
    must: list[m.Condition] = [m.FieldCondition(key="of", match=m.MatchValue(value=key(venture, kind)))]
    if only.states:
        must.append(m.FieldCondition(key="state", match=m.MatchAny(any=list(only.states))))
    if only.sources:
        must.append(m.FieldCondition(key="source", match=m.MatchAny(any=[str(each) for each in only.sources])))
    but: list[m.Condition] = []
    if only.but:
        but.append(m.FieldCondition(key="source", match=m.MatchAny(any=[str(each) for each in only.but])))
    return m.Filter(must=must, must_not=but)


def _all(venture: UUID) -> m.Filter:
    return m.Filter(must=[m.FieldCondition(key="of", match=m.MatchAny(any=[key(venture, kind) for kind in Kind]))])


def _held(record: m.Record, by: int) -> Held:
    payload = record.payload or {}
    kind = Kind(str(payload["of"]).partition("/")[2])
    vector = np.asarray(record.vector, dtype=np.float32)
    return Held(outside(UUID(str(record.id)), by), digest(kind, UUID(payload["source"]), payload["state"], vector))

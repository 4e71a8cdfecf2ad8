"""Points of one venture in a shard: put, found, listed, deleted; nothing here can be asked without the venture."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt
import qdrant_edge as engine

from ventures.vectors.records import Held, Kind, Match, Only, Point, Vector, digest
from ventures.vectors.stores.edge import Shard
from ventures.vectors.stores.keys import IDS, inside, key, outside, rounds, shift
from ventures.vectors.stores.ties import TIES, ties_go_on

CHUNK: Final = 256
"""Points in one operation: about 8 ms."""
OVERSAMPLING: Final = 3.0
"""How many times the limit is looked at by the vectors themselves, after int8 found them."""
RESCORED: Final = engine.SearchParams(
    quantization=engine.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
)


class Tenant(msgspec.Struct, frozen=True):
    """How one venture's points are told from others in a shard: payload field `field` holds `prefix` and the kind;
    `by` is added to their ids.
    """

    field: str
    prefix: str
    by: int

    def values(self) -> list[str]:
        """What the field holds, over all kinds."""
        return [self.prefix + kind for kind in Kind]


def one_of_many(venture: UUID, birth: str) -> Tenant:
    """In a shard with many ventures."""
    return Tenant("of", key(venture, ""), shift(venture, birth))


ALONE: Final = Tenant("kind", "", 0)
"""In a shard of its own."""


def search(shard: Shard, tenant: Tenant, kind: Kind, vector: Vector, limit: int, only: Only) -> list[Match]:
    """Best first, equal scores by id. Raises: Unavailable."""
    nearest, narrowed, wanted = engine.Query.Nearest(vector.tolist()), _narrowed(tenant, kind, only), limit + TIES
    params = RESCORED if shard.recipe.int8 else None
    while True:
        request = engine.SearchRequest(query=nearest, limit=wanted, filter=narrowed, params=params)
        with shard.used("search") as opened:
            found = opened.search(request)
        if not ties_go_on([each.score for each in found], limit, wanted):
            break
        wanted *= 4
    matches = [Match(outside(_uuid(each.id), tenant.by), min(1.0, max(-1.0, each.score))) for each in found]
    matches.sort(key=lambda match: (-match.score, match.id))
    return matches[:limit]


def put(shard: Shard, tenant: Tenant, points: Sequence[Point], rows: npt.NDArray[np.float32]) -> None:
    """Puts a chunk of points; their vectors are the rows. Raises: Unavailable."""
    made = [
        engine.Point(
            inside(point.id, tenant.by),
            row,
            {tenant.field: tenant.prefix + point.kind, "source": str(point.source), "state": point.state},
        )
        for point, row in zip(points, rows.tolist(), strict=True)
    ]
    with shard.used("take points") as opened:
        opened.update(engine.UpdateOperation.upsert_points(made))
        shard.touched(len(made))


def delete(shard: Shard, tenant: Tenant, ids: Sequence[UUID]) -> None:
    """Deletes points by id. Raises: Unavailable."""
    with shard.used("delete points") as opened:
        opened.update(engine.UpdateOperation.delete_points([inside(point, tenant.by) for point in ids]))
        shard.touched(len(ids))


def drop(shard: Shard, tenant: Tenant) -> None:
    """Deletes all of the venture. Raises: Unavailable."""
    gone = count(shard, tenant)
    with shard.used("delete points") as opened:
        opened.update(engine.UpdateOperation.delete_points_by_filter(_all(tenant)))
        shard.touched(gone)


def count(shard: Shard, tenant: Tenant) -> int:
    """How many there are. Raises: Unavailable."""
    with shard.used("count") as opened:
        return opened.count(engine.CountRequest(exact=True, filter=_all(tenant)))


def held(shard: Shard, tenant: Tenant, after: UUID | None, limit: int) -> list[Held]:
    """In the order of their ids as they were put. Raises: Unavailable."""
    begin = 0 if after is None else after.int + 1
    found: list[Held] = []
    for start, end in rounds(begin, tenant.by) if begin < IDS else ():
        if start < end and len(found) < limit:
            request = engine.ScrollRequest(
                offset=UUID(int=start), limit=limit, filter=_all(tenant), with_payload=True, with_vector=True
            )
            with shard.used("list points") as opened:
                records, _ = opened.scroll(request)
            found += [_held(record, tenant) for record in records if _uuid(record.id).int < end]
    return found[:limit]


def _held(record: engine.Record, tenant: Tenant) -> Held:
    payload = record.payload or {}
    kind = Kind(payload[tenant.field].removeprefix(tenant.prefix))
    vector = np.asarray(record.vector, dtype=np.float32)
    return Held(outside(_uuid(record.id), tenant.by), digest(kind, UUID(payload["source"]), payload["state"], vector))


def _narrowed(tenant: Tenant, kind: Kind, only: Only) -> engine.Filter:
    must: list[engine.ConditionType] = [
        engine.FieldCondition(key=tenant.field, match=engine.MatchValue(tenant.prefix + kind))
    ]
    if only.states:
        must.append(engine.FieldCondition(key="state", match=engine.MatchAny(list(only.states))))
    if only.sources:
        must.append(engine.FieldCondition(key="source", match=engine.MatchAny([str(each) for each in only.sources])))
    if not only.but:
        return engine.Filter(must=must)
    without = engine.FieldCondition(key="source", match=engine.MatchAny([str(each) for each in only.but]))
    return engine.Filter(must=must, must_not=[without])


def _all(tenant: Tenant) -> engine.Filter:
    return engine.Filter(must=[engine.FieldCondition(key=tenant.field, match=engine.MatchAny(tenant.values()))])


def _uuid(found: "engine.PointId") -> UUID:
    return found if isinstance(found, UUID) else UUID(str(found))

"""The engine behind the socket: a driver, and writes as an application makes them, without generations."""

from __future__ import annotations

from pathlib import Path

import qdrant_edge as engine

from outgrow.movers.point_layout import Layout
from outgrow.movers.point_store import Held
from outgrow.movers.qdrant_edge import EdgeDriver, EdgeSettings


class Engine(EdgeDriver):
    """``EdgeDriver`` with an application's writes."""

    def __init__(self, folder: Path, layout: Layout, size: int) -> None:
        settings = {"collection": layout.collection, "tenant_field": layout.tenant_field, "buckets": layout.buckets}
        super().__init__(EdgeSettings.model_validate({"folder": folder, "size": size, **settings}))
        self._layout, self._vector_size = layout, size

    def write(self, tenant: str, number: int, held: Held | None) -> None:
        """One point of the application, or its deletion."""
        collection = self._layout.collection_of(tenant)
        if self.size(collection) is None:
            self.create(collection, self._vector_size)
            self.index(collection, "tenant")
        if held is not None:
            self.upsert(collection, [held])
            return
        with self._shard("delete a point", collection) as shard:
            shard.update(engine.UpdateOperation.delete_points([number]))
            shard.flush()

    def fill(self, tenant: str, points: list[Held]) -> None:
        """Many points of the application."""
        if points:
            self.write(tenant, 0, points[0])
            self.upsert(self._layout.collection_of(tenant), points)

"""Stores of points, opened for an experiment: one for each client that asks at a time."""

from __future__ import annotations

import queue
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

from outgrow.experiments.sample import Vectors
from outgrow.ports import ExperimentFailed, Searched, Store, StoreFailed

FORM = "points"
_MAGIC, _SIZE = b"pt1\n", struct.Struct("<I")

OpenStore = Callable[[Mapping[str, Any], str], Store]


@runtime_checkable
class Weighed(Protocol):
    """What a store can besides where it knows what it takes; None where it does not."""

    def memory_bytes(self) -> float | None:
        """Memory of the whole store."""
        ...

    def disk_bytes(self) -> float | None:
        """Disk of the whole store."""
        ...


def opener() -> OpenStore:
    """``open_store`` beside the mover of kind ``points``: stores enter by the same door as movers do."""
    found = [entry for entry in entry_points(group="outgrow.movers") if entry.name == FORM]
    if not found:
        raise ValueError("no mover of kind points is installed, which opens stores")
    found[0].load()
    open_store: OpenStore = sys.modules[found[0].module].open_store
    return open_store


def vector_of(body: bytes) -> Vectors:
    """The vector in a body of the neutral form ``points``; shape (dimensions,). Raises ``ExperimentFailed``."""
    if body[: len(_MAGIC)] != _MAGIC or len(body) < len(_MAGIC) + _SIZE.size:
        raise ExperimentFailed("an item of the baseline's store is no point; its form is not known here")
    size = _SIZE.unpack_from(body, len(_MAGIC))[0]
    return np.frombuffer(body, "<f4", count=size, offset=len(_MAGIC) + _SIZE.size)


@dataclass(slots=True)
class Clients:
    """An arm's stores, one for each of its clients, and the threads that ask them. ``filled``: tenants that this
    experiment put there."""

    stores: tuple[Store, ...]
    idle: queue.SimpleQueue[Searched]
    threads: ThreadPoolExecutor
    filled: list[str] = field(default_factory=list)

    @property
    def first(self) -> Store:
        """For whatever is asked once."""
        return self.stores[0]

    def near(self, tenant: str, vector: Sequence[float], limit: int) -> tuple[tuple[str, ...], float]:
        """What is found, and when it was (``time.monotonic``)."""
        store = self.idle.get()
        try:
            return tuple(store.near(tenant, vector, limit)), time.monotonic()
        finally:
            self.idle.put(store)

    def close(self) -> None:
        """Deletes what was filled in, and gives stores back."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        for tenant in self.filled:
            with suppress(StoreFailed):
                self.first.drop(tenant)
        for store in self.stores:
            with suppress(StoreFailed):
                store.close()


def clients_of(arm: str, stores: Sequence[Store]) -> Clients:
    """Clients over these stores. Raises ``ExperimentFailed`` where one cannot be searched."""
    idle: queue.SimpleQueue[Searched] = queue.SimpleQueue()
    for store in stores:
        searched: object = store
        if store.form != FORM or not isinstance(searched, Searched):
            raise ExperimentFailed(
                f"{arm}: {store.name} holds {store.form}, and only stores of points can be searched",
                next_step="Name one of kind qdrant, qdrant-edge or pgvector, with vectors compared by cosine.",
            )
        idle.put(searched)
    return Clients(tuple(stores), idle, ThreadPoolExecutor(len(stores), thread_name_prefix=f"search-{arm}"))

"""Tenants that stand for all: their vectors, questions close to these, and the exact answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outgrow.ports import ExperimentFailed, Item, Store, TenantSize

PAGE = 1000
Vectors = NDArray[np.float32]
Weighing = Literal["size", "tenant"]


@dataclass(frozen=True, slots=True, eq=False)
class TenantVectors:
    """A tenant's items as they were when they were read: keys, and vectors of length 1, shape (items, dimensions)."""

    tenant: str
    keys: tuple[str, ...]
    vectors: Vectors


@dataclass(frozen=True, eq=False)
class Sample:
    """Some tenants of a store; ``there``: how many it has in all."""

    tenants: tuple[TenantVectors, ...]
    there: int

    @property
    def items(self) -> int:
        """Of all its tenants."""
        return sum(len(each.keys) for each in self.tenants)

    @cached_property
    def fingerprint(self) -> str:
        """Stands for whose items these are, their keys and their vectors, in the order in which they were read."""
        found = hashlib.blake2b(digest_size=8)
        for each in self.tenants:
            found.update(json.dumps([each.tenant, each.keys]).encode())
            found.update(np.ascontiguousarray(each.vectors).tobytes())
        return found.hexdigest()

    @property
    def dimensions(self) -> int:
        """Of every vector."""
        return int(self.tenants[0].vectors.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A search for what is nearest to ``vector``, of length 1; ``tenant`` is its place in the sample."""

    tenant: int
    vector: Vectors


def spread(sizes: Sequence[TenantSize], number: int | None) -> list[TenantSize]:
    """``number`` of the tenants, evenly over their order by size, so that the largest, the smallest and those between
    are there in proportion; None: all. The same for the same tenants."""
    ordered = sorted((each for each in sizes if each.items != 0), key=lambda each: (-(each.items or 0), each.tenant))
    if number is None or number >= len(ordered):
        return ordered
    places = np.unique(np.linspace(0, len(ordered) - 1, number).round().astype(int))
    return [ordered[place] for place in places]


def read_sample(store: Store, number: int | None, most_items: int, vector_of: Callable[[bytes], Vectors]) -> Sample:
    """Reads the vectors of a spread of a store's tenants.

    Raises:
        ExperimentFailed: there are none, they do not fit into ``most_items``, or vectors differ in size.
        StoreFailed: the store's.
    """
    sizes = store.tenants()
    read, items = list[TenantVectors](), 0
    for each in spread(sizes, number):
        keys, vectors = list[str](), list[Vectors]()
        for item in items_of(store, each.tenant):
            if item.body is not None:
                keys.append(item.key)
                vectors.append(vector_of(item.body))
            if items + len(keys) > most_items:
                raise ExperimentFailed(
                    f"the tenants that are asked about have more than {most_items:,} items in {store.name}",
                    next_step="Write a smaller tenants:, or a larger most_items: (about 4 bytes a dimension each).",
                )
        if not keys:
            continue
        if len({vector.shape for vector in [*vectors, *(other.vectors[0] for other in read[:1])]}) > 1:
            raise ExperimentFailed(f"vectors in {store.name} differ in size: those of {each.tenant} and others")
        items += len(keys)
        read.append(TenantVectors(each.tenant, tuple(keys), of_length_one(np.stack(vectors))))
    if not read:
        raise ExperimentFailed(
            f"{store.name} has no tenant with items, so there is nothing to ask about",
            next_step="See whether store: names what the service uses.",
        )
    return Sample(tuple(read), sum(each.items != 0 for each in sizes))


def items_of(store: Store, tenant: str) -> list[Item]:
    """All items of a tenant, by pages."""
    found: list[Item] = []
    while page := store.page(tenant, found[-1].key if found else "", PAGE):
        found += page
        if len(page) < PAGE:
            break
    return found


def of_length_one(vectors: Vectors) -> Vectors:
    """Rows divided by their lengths; rows of zeros stay."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def questions(sample: Sample, number: int, noise: float, weighing: Weighing, seed: Sequence[int]) -> list[Question]:
    """Questions beside stored vectors, as people's lie beside what they find; equal seeds give equal ones.

    Args:
        noise: length of what is added to a stored vector, relative to its own; a cosine of 1 ÷ √(1 + noise²).
        weighing: tenants are asked about as often as they have items, or all alike.
    """
    random = np.random.default_rng(list(seed))
    counts = np.array([len(each.keys) for each in sample.tenants], dtype=np.float64)
    share = counts / counts.sum() if weighing == "size" else None
    tenants = random.choice(len(counts), size=number, p=share)
    items = (random.random(number) * counts[tenants]).astype(int)
    beside = random.standard_normal((number, sample.dimensions)) * (noise / np.sqrt(sample.dimensions))
    stored = np.stack([sample.tenants[tenant].vectors[item] for tenant, item in zip(tenants, items, strict=True)])
    vectors = of_length_one(np.asarray(stored + beside, dtype=np.float32))
    return [Question(int(tenant), vector) for tenant, vector in zip(tenants, vectors, strict=True)]


def nearest(sample: Sample, question: Question, limit: int) -> tuple[str, ...]:
    """The keys of the nearest items by cosine, best first, by comparing with all of the tenant's; equal ones by key."""
    held = sample.tenants[question.tenant]
    likeness = held.vectors.astype(np.float64) @ question.vector.astype(np.float64)
    order = np.lexsort((np.arange(len(held.keys)), -likeness))
    return tuple(held.keys[place] for place in order[:limit])


def present(store: Store, sample: Sample) -> Mapping[str, int]:
    """Of the sample's tenants, those that a store holds → items, as far as it counts them (else 1)."""
    wanted = {each.tenant for each in sample.tenants}
    return {
        each.tenant: 1 if each.items is None else each.items
        for each in store.tenants()
        if each.tenant in wanted and each.items != 0
    }

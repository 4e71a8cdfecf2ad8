"""A sample of the platform's own ventures: the largest, the smallest, the median, and those between."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from ventures.database.pool import Database
from ventures.search.api import vectors_of
from ventures.vectors.api import Kind, Point, Vector

LARGEST_SHARE: Final = 0.5
"""The most of a sample that one venture is: a larger one is there with its first vectors."""
SEED: Final = 20261101
NOISE: Final = 0.5
"""Length of what a query differs from a stored vector: they have a cosine of about .9, as a question and its answer."""


class Taken(msgspec.Struct, frozen=True):
    """One venture's vectors. numbers: float32, little-endian, one vector after the other."""

    venture: UUID
    ids: list[UUID]
    kinds: list[str]
    sources: list[UUID]
    states: list[str]
    numbers: bytes

    def rows(self) -> npt.NDArray[np.float32]:
        """Shape (ids, dimension)."""
        found: npt.NDArray[np.float32] = np.frombuffer(self.numbers, "<f4").reshape(len(self.ids), -1)
        return found

    def points(self) -> list[Point]:
        """As a store takes them."""
        return [
            Point(id=id, kind=Kind(kind), source=source, state=state, vector=row)
            for id, kind, source, state, row in zip(
                self.ids, self.kinds, self.sources, self.states, self.rows(), strict=True
            )
        ]


class Query(msgspec.Struct, frozen=True):
    """What is asked of a venture: none of its vectors, but near to one."""

    venture: UUID
    kind: Kind
    vector: Vector


def chosen(counted: Sequence[tuple[UUID, int]], passages: int) -> list[tuple[UUID, int]]:
    """Of which ventures how many vectors are taken, until there are `passages`: by size the first, the last, the
    middle, and then what halves the widest gaps, so that the sample is as uneven as the whole.
    """
    by_size = sorted(((venture, count) for venture, count in counted if count), key=lambda one: (-one[1], one[0]))
    taken: list[tuple[UUID, int]] = []
    left = passages
    for place in _halving(len(by_size)):
        venture, count = by_size[place]
        most = min(count, left, max(1, int(passages * LARGEST_SHARE)))
        if most > 0:
            taken.append((venture, most))
            left -= most
    return taken


def _halving(count: int) -> Iterator[int]:
    """Each place once: 0, the last, the middle one, then the middles of what lies between."""
    known: set[int] = set()
    parts = 1
    while len(known) < count:
        for part in range(parts + 1):
            place = round((count - 1) * part / parts)
            if place not in known:
                known.add(place)
                yield place
        parts *= 2


def platform_of(counted: Sequence[tuple[UUID, int]]) -> dict[str, str]:
    """What tells this platform from another one, and from itself when it was half or twice as large.

    A live one is written to all the time, and which ventures a sample holds changes with it: rounds of yesterday and of
    today are of the same thing nevertheless. So ventures and passages are told by powers of two alone, and the
    platform by its eldest venture, whose id stands for it.
    """
    there = [(venture, count) for venture, count in counted if count]
    if not there:
        return {}
    eldest = min(venture for venture, _ in there)
    return {
        "platform": blake2b(eldest.bytes, digest_size=8).hexdigest(),
        "ventures with passages": _about(len(there)),
        "passages there": _about(sum(count for _, count in there)),
    }


def _about(count: int) -> str:
    least = 1 << (count.bit_length() - 1)
    return f"{least:,} to {2 * least - 1:,}"


async def taken(database: Database, model: str, wanted: Sequence[tuple[UUID, int]]) -> list[Taken]:
    """The first vectors of each venture. Raises: Unavailable."""
    found: list[Taken] = []
    for venture, most in wanted:
        points = await vectors_of(database, model, venture, most=most)
        if points:
            found.append(
                Taken(
                    venture,
                    [one.id for one in points],
                    [str(one.kind) for one in points],
                    [one.source for one in points],
                    [one.state for one in points],
                    np.stack([one.vector for one in points]).astype("<f4").tobytes(),
                )
            )
    return found


def written(sample: Sequence[Taken], file: Path) -> None:
    """For another process of ours alone."""
    file.touch(mode=0o600)
    file.write_bytes(msgspec.msgpack.encode(sample))


def read(file: Path) -> list[Taken]:
    """What `written` wrote."""
    return msgspec.msgpack.decode(file.read_bytes(), type=list[Taken])


def queries(sample: Sequence[Taken], count: int, seed: int) -> list[Query]:
    """Half of them of ventures by their size, half of all alike. Equal seeds: the same queries."""
    random = np.random.default_rng((SEED, seed))
    sizes = np.array([len(one.ids) for one in sample], float)
    by_size = random.choice(len(sample), count, p=sizes / sizes.sum())
    alike = random.integers(len(sample), size=count)
    asked: list[Query] = []
    for number in range(count):
        one = sample[int(by_size[number] if number % 2 else alike[number])]
        place = int(random.integers(len(one.ids)))
        stored = one.rows()[place]
        noise = random.standard_normal(len(stored)).astype(np.float32)
        near = stored + np.float32(NOISE) * noise / np.linalg.norm(noise)
        asked.append(Query(one.venture, Kind(one.kinds[place]), (near / np.linalg.norm(near)).astype(np.float32)))
    return asked


def nearest(one: Taken, query: Query, limit: int) -> tuple[str, ...]:
    """The ids of the nearest of the query's kind, by looking at every vector; equal scores by id."""
    of_kind = [place for place, kind in enumerate(one.kinds) if kind == query.kind]
    scores = one.rows()[of_kind] @ query.vector
    ranked = sorted(zip((-scores).tolist(), (one.ids[place] for place in of_kind), strict=True))
    return tuple(str(id) for _, id in ranked[:limit])

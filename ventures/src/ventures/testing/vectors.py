"""What every vector store must do, as a test class to inherit, and builders of vectors and points.

    class TestMine(StoreContract):
        @pytest.fixture
        async def opener(self, tmp_path: Path) -> Opener:
            return lambda: opened_store(tmp_path)

An `Opener` opens the same store again each time it is called: what one has put and closed, the next one finds.
"""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio

from ventures.errors import Invalid
from ventures.identifiers import new_id
from ventures.vectors.api import (
    ALL,
    LIMIT,
    MOST_AT_ONCE,
    SHARED,
    Held,
    Kind,
    Match,
    Only,
    Point,
    Vector,
    VectorStore,
    digest,
)

Opener = Callable[[], Awaitable[VectorStore]]
Vectors = npt.NDArray[np.float32]
MEMORY_BYTES = 1_000_000_000
RECALL_AT_10 = 0.995
"""What a layout that does not look at every vector must still find of the nearest ten."""
ROUNDING = 1e-5
"""How far a score may be from numpy's: float32 sums in another order."""


def unit(rows: npt.NDArray[np.floating]) -> Vectors:
    """The rows, each of length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), dtype=np.float32)


def random_vectors(count: int, dimension: int, seed: int = 1) -> Vectors:
    """Rows of length 1 in all directions."""
    return unit(np.random.default_rng(seed).normal(size=(count, dimension)))


def topical_vectors(count: int, dimension: int, *, topics: int = 40, spread: float = 0.7, seed: int = 1) -> Vectors:
    """Rows of length 1 around centres, as those of texts are: the noise is `spread` times as long as the centre, so
    that neighbours of one topic have a cosine of about 1 / (1 + spread²).
    """
    generator = np.random.default_rng(seed)
    centres = unit(generator.normal(size=(topics, dimension)))
    noise = unit(generator.normal(size=(count, dimension))) * spread
    return unit(centres[generator.integers(topics, size=count)] + noise)


def point(
    vector: Vector,
    *,
    id: UUID | None = None,
    kind: Kind = Kind.CONTENT,
    source: UUID | None = None,
    state: str = "published",
) -> Point:
    """A point; what is not given is new."""
    return Point(id=id or new_id(), kind=kind, source=source or new_id(), vector=vector, state=state)


def points_of(rows: Vectors, **given: Kind | str | UUID) -> list[Point]:
    """A new point for each row."""
    return [point(row, **given) for row in rows]  # type: ignore[arg-type] # passed on as they are


def nearest(points: Iterable[Point], kind: Kind, vector: Vector, *, limit: int, only: Only = ALL) -> list[Match]:
    """What a search of these points must find: every one looked at, by numpy."""
    asked = vector.astype(np.float64)
    found = [
        Match(each.id, float(each.vector.astype(np.float64) @ asked))
        for each in points
        if each.kind == kind
        and (not only.states or each.state in only.states)
        and (not only.sources or each.source in only.sources)
        and each.source not in only.but
    ]
    return sorted(found, key=lambda match: (-match.score, match.id))[:limit]


def holding(points: Iterable[Point]) -> list[Held]:
    """How a store lists these points."""
    return [
        Held(each.id, digest(each.kind, each.source, each.state, each.vector))
        for each in sorted(points, key=lambda each: each.id)
    ]


async def all_held(store: VectorStore, venture: UUID, page: int = LIMIT) -> list[Held]:
    """All that the store lists of a venture, read by pages."""
    found: list[Held] = []
    while len(several := await store.held(venture, after=found[-1].id if found else None, limit=page)) == page:
        found += several
    return found + several


def same(found: Sequence[Match], wanted: Sequence[Match]) -> None:
    """Asserts that two answers are the same, but for rounding of the scores and the order of what it makes equal."""
    assert len(found) == len(wanted)
    assert [one.score for one in found] == pytest.approx([one.score for one in wanted], abs=ROUNDING)
    assert list(found) == sorted(found, key=lambda match: (-match.score, match.id))
    beyond = wanted[-1].score + ROUNDING if wanted else 0.0
    clear = {one.id for one in wanted if one.score > beyond}
    assert clear <= {one.id for one in found}


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory, where there is some: stores often wait for the disk, and tests need not."""
    memory = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)
    quick = memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_BYTES else None
    with TemporaryDirectory(prefix="ventures-vectors-", dir=quick) as folder:
        yield Path(folder)


class StoreContract:
    """Runs against any store. exact: every vector is looked at. searches: of the test for leaks."""

    dimension: ClassVar[int] = 32
    exact: ClassVar[bool] = True
    searches: ClassVar[int] = 2_000

    @pytest.fixture
    def opener(self) -> Opener:
        """Opens the store under test."""
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def store(self, opener: Opener) -> AsyncIterator[VectorStore]:
        opened = await opener()
        yield opened
        await opened.close()

    @pytest.fixture
    def venture(self) -> UUID:
        return new_id()

    @pytest.fixture
    def rows(self) -> Vectors:
        return topical_vectors(200, self.dimension)

    async def test_finds_what_numpy_finds(self, store: VectorStore, venture: UUID) -> None:
        rows, queries = (topical_vectors(count, self.dimension, seed=seed) for count, seed in ((900, 1), (60, 2)))
        points = points_of(rows)
        for begin in range(0, len(points), 300):
            await store.put(venture, points[begin : begin + 300])
            await store.put(new_id(), points_of(rows[begin : begin + 300]))
        hits = 0
        for query in queries:
            found, wanted = (
                await store.search(venture, Kind.CONTENT, query, limit=10),
                nearest(points, Kind.CONTENT, query, limit=10),
            )
            if self.exact:
                same(found, wanted)
            hits += len({match.id for match in found} & {match.id for match in wanted})
        assert hits / (10 * len(queries)) >= RECALL_AT_10

    async def test_scores_are_cosines_best_first(self, store: VectorStore, venture: UUID) -> None:
        axes = np.eye(self.dimension, dtype=np.float32)
        points = points_of(np.stack([axes[0], axes[1], -axes[0], unit(axes[0] + axes[1])]))
        await store.put(venture, points)
        found = await store.search(venture, Kind.CONTENT, axes[0], limit=10)
        assert [match.id for match in found] == [points[n].id for n in (0, 3, 1, 2)]
        assert [match.score for match in found] == pytest.approx([1.0, 0.5**0.5, 0.0, -1.0], abs=ROUNDING)
        assert all(-1.0 <= match.score <= 1.0 for match in found)

    async def test_equal_scores_are_ordered_by_id_wherever_the_limit_falls(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        equal = points_of(np.repeat(rows[:1], 60, axis=0))
        await store.put(venture, equal[::-1])
        await store.put(venture, points_of(-rows[1:9]))
        for limit in (1, 7, 59):
            found = await store.search(venture, Kind.CONTENT, rows[0], limit=limit)
            assert [match.id for match in found] == sorted(each.id for each in equal)[:limit]

    async def test_a_venture_finds_its_own_alone_even_under_the_same_ids(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        other, points = new_id(), points_of(rows[:50])
        theirs = [point(-each.vector, id=each.id, source=each.source, state="draft") for each in points]
        await store.put(venture, points)
        await store.put(other, theirs)
        assert await all_held(store, venture) == holding(points)
        assert await all_held(store, other) == holding(theirs)
        same(
            await store.search(venture, Kind.CONTENT, rows[0], limit=5),
            nearest(points, Kind.CONTENT, rows[0], limit=5),
        )
        same(await store.search(other, Kind.CONTENT, rows[0], limit=5), nearest(theirs, Kind.CONTENT, rows[0], limit=5))
        await store.delete(other, [each.id for each in points[:20]])
        assert (await store.count(venture), await store.count(other)) == (50, 30)
        await store.drop(other)
        assert (await store.count(venture), await store.count(other)) == (50, 0)
        assert await all_held(store, venture) == holding(points)

    async def test_nothing_of_another_venture_in_many_searches(self, store: VectorStore) -> None:
        rows = topical_vectors(1_500, self.dimension, topics=10)
        ventures = [new_id() for _ in range(60)]
        own: dict[UUID, set[UUID]] = {}
        for number, venture in enumerate(ventures):
            points = points_of(rows[number * 25 : (number + 1) * 25])
            own[venture] = {each.id for each in points}
            await store.put(venture, points)
        leaked = found = 0
        for number in range(self.searches):
            venture = ventures[number % len(ventures)]
            matches = await store.search(venture, Kind.CONTENT, rows[(number * 7) % len(rows)], limit=10)
            found += len(matches)
            leaked += sum(match.id not in own[venture] for match in matches)
        assert (found, leaked) == (10 * self.searches, 0)

    async def test_what_nobody_put_is_not_found(self, store: VectorStore, venture: UUID, rows: Vectors) -> None:
        assert await store.search(venture, Kind.CONTENT, rows[0], limit=10) == []
        assert await store.count(venture) == 0
        assert await store.held(venture) == []
        await store.delete(venture, [new_id()])
        await store.delete(venture, [])
        await store.put(venture, [])
        await store.drop(venture)
        assert await store.count(venture) == 0

    async def test_a_kind_is_found_under_its_own_name_alone(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        points = [point(rows[0], kind=kind) for kind in Kind]
        await store.put(venture, points)
        for each in points:
            found = await store.search(venture, each.kind, rows[0], limit=10)
            assert [match.id for match in found] == [each.id]
        assert await store.count(venture) == len(Kind)

    async def test_what_belongs_to_nobody_is_kept_apart_too(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        pattern, own = point(rows[0], kind=Kind.PATTERN), point(rows[0], kind=Kind.PATTERN)
        await store.put(SHARED, [pattern])
        await store.put(venture, [own])
        for whose, wanted in ((SHARED, pattern), (venture, own)):
            found = await store.search(whose, Kind.PATTERN, rows[0], limit=10)
            assert [match.id for match in found] == [wanted.id]

    async def test_putting_again_replaces(self, store: VectorStore, venture: UUID, rows: Vectors) -> None:
        old = point(rows[0], state="draft")
        await store.put(venture, [old, *points_of(-rows[1:4])])
        new = point(rows[9], id=old.id, kind=Kind.CONTEXT, state="")
        await store.put(venture, [new])
        assert await store.count(venture) == 4
        assert old.id not in {match.id for match in await store.search(venture, Kind.CONTENT, rows[0], limit=10)}
        same(await store.search(venture, Kind.CONTEXT, rows[9], limit=10), [Match(new.id, 1.0)])
        for changed in (
            point(rows[9], id=old.id, kind=Kind.CONTENT, source=new.source, state="approved"),
            point(rows[9], id=old.id, kind=Kind.CONTENT, state="approved"),
            point(rows[8], id=old.id, kind=Kind.CONTENT, state="archived"),
        ):
            await store.put(venture, [changed])
            narrowed = Only(states=(changed.state,), sources=(changed.source,))
            same(
                await store.search(venture, Kind.CONTENT, changed.vector, limit=10, only=narrowed),
                [Match(old.id, 1.0)],
            )
            assert holding([changed])[0] in await all_held(store, venture)

    async def test_what_is_deleted_is_found_no_more(self, store: VectorStore, venture: UUID, rows: Vectors) -> None:
        points = points_of(rows)
        await store.put(venture, points)
        await store.delete(venture, [each.id for each in points[::2]])
        await store.delete(venture, [each.id for each in points[:10:2]])
        left = points[1::2]
        assert await all_held(store, venture) == holding(left)
        for row in rows[:6]:
            same(await store.search(venture, Kind.CONTENT, row, limit=10), nearest(left, Kind.CONTENT, row, limit=10))
        await store.put(venture, points[:1])
        assert await all_held(store, venture) == holding([*left, points[0]])

    async def test_a_search_is_narrowed_by_states_and_sources(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        sources, states = [new_id() for _ in range(12)], ("draft", "approved", "published")
        points = [point(row, source=sources[number % 12], state=states[number % 3]) for number, row in enumerate(rows)]
        await store.put(venture, points)
        for only in (
            Only(states=("draft",)),
            Only(states=("draft", "published")),
            Only(states=("no such state",)),
            Only(sources=(sources[0],)),
            Only(sources=tuple(sources[:5])),
            Only(but=(sources[3],)),
            Only(but=tuple(sources)),
            Only(states=("approved",), sources=tuple(sources[:8]), but=tuple(sources[4:6])),
            Only(sources=(sources[1],), but=(sources[1],)),
        ):
            for limit in (3, 100):
                same(
                    await store.search(venture, Kind.CONTENT, rows[7], limit=limit, only=only),
                    nearest(points, Kind.CONTENT, rows[7], limit=limit, only=only),
                )

    async def test_bad_vectors_are_refused_and_nothing_is_put(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        good, odd = point(rows[0]), rows[1].copy()
        odd[3] = np.nan
        infinite = rows[1].copy()
        infinite[0] = np.inf
        one = np.float32(1)
        for bad in (rows[1][:-1], np.append(rows[1], one), rows[:2], odd, infinite, rows[1] * 2, rows[1] * 0):
            with pytest.raises(Invalid):
                await store.put(venture, [good, point(bad)])
            with pytest.raises(Invalid):
                await store.search(venture, Kind.CONTENT, bad, limit=10)
        for wrong in (
            [good, good],
            [good, point(rows[1], id=UUID(int=0))],
            [good, point(rows[1], state="x" * 1_000)],
            [good, point(rows[1], state="a\0b")],
        ):
            with pytest.raises(Invalid):
                await store.put(venture, wrong)
        assert await store.count(venture) == 0

    async def test_what_is_too_much_or_too_little_is_refused(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        for limit in (0, -1, LIMIT + 1):
            with pytest.raises(Invalid):
                await store.search(venture, Kind.CONTENT, rows[0], limit=limit)
            with pytest.raises(Invalid):
                await store.held(venture, limit=limit)
        many = (new_id(),) * (MOST_AT_ONCE + 1)
        for narrowed in (Only(sources=many), Only(but=many), Only(states=("draft",) * (MOST_AT_ONCE + 1))):
            with pytest.raises(Invalid):
                await store.search(venture, Kind.CONTENT, rows[0], limit=10, only=narrowed)
        with pytest.raises(Invalid):
            await store.put(venture, [point(rows[0])] * (MOST_AT_ONCE + 1))
        with pytest.raises(Invalid):
            await store.delete(venture, many)

    async def test_held_names_every_point_and_the_same_in_every_store(
        self, store: VectorStore, venture: UUID, rows: Vectors
    ) -> None:
        points = [
            point(row, kind=list(Kind)[number % 4], state=("", "draft")[number % 2]) for number, row in enumerate(rows)
        ]
        edges = [point(rows[0], id=UUID(int=number)) for number in (1, 2**64, 2**127, 2**128 - 1)]
        await store.put(venture, points + edges)
        wanted = holding(points + edges)
        for page in (1_000, 77, len(wanted)):
            assert await all_held(store, venture, page) == wanted
        assert await store.held(venture, after=UUID(int=2**128 - 1)) == []
        assert await store.held(venture, after=wanted[9].id, limit=3) == wanted[10:13]

    async def test_closed_and_opened_again_it_holds_what_it_held(
        self, opener: Opener, venture: UUID, rows: Vectors
    ) -> None:
        points, first = points_of(rows), await opener()
        part = first.part(venture)
        await first.put(venture, points)
        await first.flush()
        await first.delete(venture, [points[0].id])
        await first.close()
        second = await opener()
        try:
            assert second.part(venture) == part
            assert await all_held(second, venture) == holding(points[1:])
            found = await second.search(venture, Kind.CONTENT, rows[5], limit=10)
            same(found, nearest(points[1:], Kind.CONTENT, rows[5], limit=10))
        finally:
            await second.close()

    async def test_a_part_keeps_its_name(self, store: VectorStore, venture: UUID, rows: Vectors) -> None:
        part = store.part(venture)
        await store.put(venture, points_of(rows[:3]))
        await store.flush()
        assert store.part(venture) == part
        assert part.startswith(store.name)
        assert store.dimension == self.dimension

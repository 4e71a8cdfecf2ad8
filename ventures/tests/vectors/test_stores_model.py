"""Whatever is done to a store, in whatever order, it answers as a dict of points would."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ventures.testing.vectors import all_held, holding, nearest, point, quick_folder, random_vectors, same
from ventures.vectors.api import Kept, Kind, Only, Point, VectorStore, opened

DIMENSION = 8
ROWS = random_vectors(12, DIMENSION)
VENTURES = [UUID(int=number) for number in (0, 1, 2**127 + 5)]
Answer = TypeVar("Answer")
ventures = st.sampled_from(VENTURES)
ids = st.lists(st.integers(1, 9).map(lambda number: UUID(int=number)), unique=True, max_size=5)
rows = st.integers(0, len(ROWS) - 1)
kinds = st.sampled_from([Kind.CONTENT, Kind.PREFERENCE])
states = st.sampled_from(["", "draft", "approved"])
sources = st.integers(0, 2).map(lambda number: UUID(int=number))
only = st.builds(
    Only,
    states=st.lists(states, max_size=2).map(tuple),
    sources=st.lists(sources, max_size=2).map(tuple),
    but=st.lists(sources, max_size=1).map(tuple),
)


class LikeADict(RuleBasedStateMachine):
    layout = ""

    @initialize()
    def begin(self) -> None:
        self.folder = ExitStack()
        folder = self.folder.enter_context(quick_folder())
        self.loop = asyncio.new_event_loop()
        self.model: dict[UUID, dict[UUID, Point]] = {venture: {} for venture in VENTURES}
        self.open = partial(opened, self.layout, folder, dimension=DIMENSION, model="m", buckets=2, most_open=2)
        self.store: VectorStore = self.do(self.open())

    def do(self, what: Coroutine[Any, Any, Answer]) -> Answer:
        return self.loop.run_until_complete(what)

    @rule(venture=ventures, ids=ids, row=rows, kind=kinds, state=states, source=sources)
    def put(self, venture: UUID, ids: list[UUID], row: int, kind: Kind, state: str, source: UUID) -> None:
        points = [
            point(ROWS[(row + number) % len(ROWS)], id=id, kind=kind, state=state, source=source)
            for number, id in enumerate(ids)
        ]
        self.do(self.store.put(venture, points))
        self.model[venture] |= {each.id: each for each in points}

    @rule(venture=ventures, ids=ids)
    def delete(self, venture: UUID, ids: list[UUID]) -> None:
        self.do(self.store.delete(venture, ids))
        for id in ids:
            self.model[venture].pop(id, None)

    @rule(venture=ventures)
    def drop(self, venture: UUID) -> None:
        self.do(self.store.drop(venture))
        self.model[venture] = {}

    @rule()
    def flush(self) -> None:
        self.do(self.store.flush())

    @rule(venture=ventures)
    def compact(self, venture: UUID) -> None:
        if isinstance(self.store, Kept):
            self.do(self.store.compact(self.store.part(venture)))

    @rule()
    def close_and_open(self) -> None:
        self.do(self.store.close())
        self.store = self.do(self.open())

    @rule(venture=ventures, row=rows, kind=kinds, limit=st.integers(1, 6), only=only)
    def search(self, venture: UUID, row: int, kind: Kind, limit: int, only: Only) -> None:
        found = self.do(self.store.search(venture, kind, ROWS[row], limit=limit, only=only))
        same(found, nearest(self.model[venture].values(), kind, ROWS[row], limit=limit, only=only))

    @invariant()
    def holds_what_it_should(self) -> None:
        if hasattr(self, "store"):
            for venture in VENTURES:
                assert self.do(self.store.count(venture)) == len(self.model[venture])
                assert self.do(all_held(self.store, venture, page=3)) == holding(self.model[venture].values())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.do(self.store.close())
            self.loop.close()
            self.folder.close()


@pytest.mark.parametrize("name", ["tuned", "buckets", "per-venture"])
def test_like_a_dict(name: str) -> None:
    machine = type("OfLayout", (LikeADict,), {"layout": name})
    machine.TestCase.settings = settings(
        max_examples=8, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine.TestCase("runTest").runTest()

"""Answers of both stores of a moved index, asked at one moment, beside the exact ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import psycopg

from outgrow.routing import Route
from ventures.database import embedded
from ventures.outgrow_plugin.reaching import Platform
from ventures.outgrow_plugin.sampling import Query, chosen, queries, taken
from ventures.search.api import sizes
from ventures.search.exact import exact_search
from ventures.search.ports import IndexUnavailable
from ventures.settings import read
from ventures.testing.serving import Serving

QUERIES = 400
SAMPLE = 20_000
SEED = 6
LIMIT = 10
TRIES = 20
AGAIN_SECONDS = 0.25
FOREIGN = "SELECT count(*) FROM regional.embedding WHERE id = ANY(%s::uuid[]) AND venture <> %s AND vector IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Answers:
    """Of so many queries: how many both stores answered alike (the same ids), each store's share of the exact ten, ids
    of other ventures among all, and how often a store did not answer in time and was asked again.
    """

    queries: int
    alike: int
    recall_source: float
    recall_target: float
    foreign: int
    again: int


def compared(platform: Serving, source: str, target: str) -> Answers:
    """Asks; nobody may write meanwhile."""
    outside = {name: value for name, value in platform.environment.items() if name.startswith("VENTURES_")}
    beside = Platform(read({**outside, "DATABASE_URL": embedded.addresses(platform.data).app}))
    try:
        counted = beside.do(sizes(beside.database, beside.model))  # opened here, from outside its event loop
        asked = beside.do(_asked(beside, counted))
        found = {store: beside.do(_by_index(beside, store, asked)) for store in (source, target)}
        exact = beside.do(_exactly(beside, asked))
    finally:
        beside.close()
    foreign = 0
    with psycopg.connect(embedded.addresses(platform.data).superuser) as connection:
        for number, query in enumerate(asked):
            ids = [id for store in (source, target) for id in found[store][0][number]]
            row = connection.execute(FOREIGN, [ids, query.venture]).fetchone()
            foreign += int(row[0]) if row else 0
    return Answers(
        queries=len(asked),
        alike=sum(set(one) == set(other) for one, other in zip(found[source][0], found[target][0], strict=True)),
        recall_source=_recall(found[source][0], exact),
        recall_target=_recall(found[target][0], exact),
        foreign=foreign,
        again=found[source][1] + found[target][1],
    )


async def _asked(beside: Platform, counted: list[tuple[UUID, int]]) -> list[Query]:
    sample = await taken(beside.database, beside.model, chosen(counted, SAMPLE))
    return queries(sample, QUERIES, SEED)


async def _by_index(beside: Platform, store: str, asked: list[Query]) -> tuple[list[list[UUID]], int]:
    found, again = [], 0
    for query in asked:
        for attempt in range(TRIES):
            try:
                answer = await beside.index.search(
                    Route(store, 1), query.venture, query.kind, query.vector, limit=LIMIT
                )
            except IndexUnavailable:
                again += 1
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                found.append([one.id for one in answer.matches])
                break
    return found, again


async def _exactly(beside: Platform, asked: list[Query]) -> list[list[UUID]]:
    found = []
    for query in asked:
        async with beside.database.reading(query.venture) as scope:
            matches = await exact_search(scope, beside.model, query.kind, query.vector, LIMIT)
        found.append([one.id for one in matches])
    return found


def _recall(found: list[list[UUID]], exact: list[list[UUID]]) -> float:
    right = sum(len(set(one) & set(wanted)) for one, wanted in zip(found, exact, strict=True))
    return right / max(1, sum(map(len, exact)))

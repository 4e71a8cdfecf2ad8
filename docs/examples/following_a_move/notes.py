"""An application whose tenants can be moved while it runs: its orders are rows of its PostgreSQL, its notes are kept in
stores of their own. What it takes along for that is `outgrow.routing`, which is standard library alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import psycopg

from outgrow.routing import HELD, ROUTE, Mirror, Moved, in_transaction, registered, routed

ORDERS = "orders"
NOTES = "notes"
DEFAULT = "first"


class NoteStore(Protocol):
    """A vector database, an object store, a search engine: what is not in the PostgreSQL of the routes."""

    def write(self, tenant: str, key: str, text: str) -> None: ...

    def read(self, tenant: str, key: str) -> str | None: ...


def add_order(connection: psycopg.Connection, tenant: str, order: str, text: str) -> None:
    """Orders are in the same database as the routes, a table a store: one transaction holds it all."""
    with in_transaction(connection, ORDERS, tenant, [order], DEFAULT) as route:
        table = psycopg.sql.Identifier(f"orders_{route.store}")
        connection.execute(
            psycopg.sql.SQL("INSERT INTO {} (tenant, id, text) VALUES (%s, %s, %s)").format(table),
            (tenant, order, text),
        )


def write_note(
    connection: psycopg.Connection, stores: Mapping[str, NoteStore], tenant: str, key: str, text: str
) -> None:
    """Notes are in another store: registered, written, closed, and only then acknowledged."""
    while True:
        try:
            with registered(connection, NOTES, tenant, [key], DEFAULT) as write:
                stores[write.route.store].write(tenant, key, text)
            return
        except Moved:
            continue  # it took minutes, and the tenant was switched meanwhile: write where it is now


def read_note(connection: psycopg.Connection, stores: Mapping[str, NoteStore], tenant: str, key: str) -> str | None:
    """Where the tenant's route leads, as of this read."""
    row = connection.execute(ROUTE, {"point": NOTES, "tenant": tenant}).fetchone()
    return stores[routed(row, DEFAULT).store].read(tenant, key)


def stores_to_fill(connection: psycopg.Connection, tenant: str) -> list[str]:
    """Which stores are to hold the tenant: for what fills its stores from a log, in place of registered writes."""
    rows = connection.execute(HELD, {"point": NOTES, "tenant": tenant, "default": DEFAULT})
    return [store for (store,) in rows]


def mirror_of(connect: Callable[[], Any]) -> Mirror:
    """``connect``: gives an ``AsyncConnection`` in autocommit, for a statement; a pool's does."""

    async def ask(statement: Any, parameters: Mapping[str, object]) -> tuple[Any, ...] | None:
        async with connect() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchone() if cursor.description else None

    return Mirror(NOTES, ask, most=4, timeout_seconds=2.0)


async def read_note_mirrored(
    connection: psycopg.AsyncConnection, stores: Mapping[str, NoteStore], mirror: Mirror, tenant: str, key: str
) -> str | None:
    """As ``read_note``; a share of the answers is compared with the other store's, behind the caller's back."""
    row = await (await connection.execute(ROUTE, {"point": NOTES, "tenant": tenant})).fetchone()
    answer = await asyncio.to_thread(stores[routed(row, DEFAULT).store].read, tenant, key)
    mirror.read(tenant, answer, lambda other: asyncio.to_thread(stores[other].read, tenant, key))
    return answer

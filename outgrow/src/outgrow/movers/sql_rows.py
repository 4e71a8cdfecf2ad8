"""How rows of one table are read as items, and the words that statements on it are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, LiteralString

from outgrow.movers.postgresql import SQL, Composable, Row, psycopg, quoted
from outgrow.movers.sql_shape import Column, Shape, key_expression, key_of, parts_of
from outgrow.ports import Item, StoreFailed

_PAGE: LiteralString = """
SELECT {key}, {body} FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {behind}
ORDER BY {order} LIMIT %(limit)s"""
_ITEMS: LiteralString = """
SELECT {key}, {body} FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {among}"""
_BODY: LiteralString = "(SELECT row_to_json(outgrow_body)::text FROM (SELECT {columns}) AS outgrow_body)"
_PLAIN = ("int2", "int4", "int8", "bool")


def page_of(connection: psycopg.Connection[Row], shape: Shape, tenant: str, after: str, limit: int) -> list[Item]:
    """The tenant's rows of this table behind ``after``, at most ``limit``."""
    values: dict[str, object] = {"tenant": tenant, "after": after, "limit": limit}
    parts = parts_of(shape, after) if after.startswith(shape.prefix) else ()
    by: Literal["key", "columns", "nothing"] = "columns" if parts else "nothing"
    if not shape.in_order or parts is None:
        by = "key"
    elif parts:
        values |= {f"part{number}": part for number, part in enumerate(parts)}
    rows = connection.execute(_page_statement(shape, by), values)
    return [Item(key, body.encode()) for key, body in rows]


@lru_cache(maxsize=256)
def _page_statement(shape: Shape, by: Literal["key", "columns", "nothing"]) -> bytes:
    """A page behind a key as text, behind one by its columns, or the first in the order of columns."""
    words = words_of(shape)
    key = SQL('{} COLLATE "C"').format(words["key"])
    behind: dict[str, Composable] = {
        "key": SQL("{} > %(after)s").format(key),
        "columns": SQL("({}) > ({})").format(columns_of(shape), bound(shape, "part")),
        "nothing": SQL("true"),
    }
    order = key if by == "key" else columns_of(shape)
    return SQL(_PAGE).format(**words, behind=behind[by], order=order).as_bytes(None)


def items_of(
    connection: psycopg.Connection[Row], shape: Shape, tenant: str, parts: Sequence[tuple[str, ...]]
) -> dict[str, bytes]:
    """Bodies by key of those of these keys that are there."""
    statement = statement_among(shape, _ITEMS)
    return {key: body.encode() for key, body in connection.execute(statement, {"tenant": tenant, **by_column(parts)})}


@lru_cache(maxsize=256)
def statement_among(shape: Shape, statement: LiteralString) -> bytes:
    """A statement in the words of ``words_of`` and of ``among``."""
    return SQL(statement).format(**words_of(shape), among=among(shape)).as_bytes(None)


def row_of(where: str, shape: Shape, tenant: str, key: str, body: bytes) -> Mapping[str, Any]:
    """The row that a body holds, which must be the tenant's, under its key, with the table's columns."""
    try:
        row = json.loads(body)
    except ValueError:
        row = None
    if not isinstance(row, dict) or row.keys() != {column.name for column in shape.written}:
        raise StoreFailed(
            f"{where}: the item {key} is no row of {shape.name}",
            next_step="Did its columns change since the move began? Both sides must have the same ones.",
        )
    try:
        same = text_of(row[shape.tenant]) == tenant and key_of(shape, row) == key
    except (TypeError, ValueError):
        same = False
    if not same:
        raise StoreFailed(f"{where}: the item {key} of {tenant} holds another row")
    return row


def words_of(shape: Shape) -> dict[str, Composable]:
    """Names, key and body for statements in which the table is called ``held``."""
    columns = [
        SQL("held.{0}" if column.base in _PLAIN else "held.{0}::text AS {0}").format(quoted(column.name))
        for column in sorted(shape.written, key=lambda column: column.name)
    ]
    return {
        "table": shape.relation,
        "tenant": quoted(shape.tenant),
        "tenant_type": typed(shape.tenant_column),
        "key": key_expression(shape, quoted("held")),
        "body": SQL(_BODY).format(columns=SQL(", ").join(columns)),
    }


def columns_of(shape: Shape) -> Composable:
    """The key columns of ``held``, in their order."""
    return SQL(", ").join(SQL("held.{}").format(quoted(name)) for name in shape.key)


def bound(shape: Shape, name: LiteralString) -> Composable:
    """One key, by a text a column: the values ``name0``, ``name1``, …"""
    return SQL(", ").join(
        SQL("%({}{})s::{}").format(SQL(name), number, typed(column)) for number, column in enumerate(shape.key_columns)
    )


def among(shape: Shape) -> Composable:
    """``(k1, k2) IN (…)`` by one array of texts a key column."""
    arrays = SQL(", ").join(
        SQL("unnest(%(part{})s::text[])::{}").format(number, typed(column))
        for number, column in enumerate(shape.key_columns)
    )
    return SQL("({}) IN (SELECT {})").format(columns_of(shape), arrays)


def by_column(parts: Sequence[tuple[str, ...]]) -> dict[str, list[str]]:
    """The values that ``among`` asks for."""
    return {f"part{number}": list(texts) for number, texts in enumerate(zip(*parts, strict=True))}


def typed(column: Column) -> Composable:
    """The type as PostgreSQL itself writes it (``format_type``), quoted where it needs to be."""
    return SQL(column.type.replace("%", "%%"))


def text_of(value: object) -> str | None:
    """A value of a body as PostgreSQL's text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def is_of(shape: Shape, key: str) -> bool:
    """Whether the key is one of this table."""
    return key.startswith(shape.prefix)

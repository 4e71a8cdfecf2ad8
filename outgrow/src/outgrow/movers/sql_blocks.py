"""Pages of rows as PostgreSQL's own binary COPY gives and takes them: nothing of a row is looked at on its way.

Only where that cannot change a value: each column is of one of the types below, of the same one on both sides and with
the same modifier, both databases keep UTF-8, and the order of the key columns is the order of keys. The form's name
says all of that (``form_of``), so two sides understand each other exactly where they name the same form. Of everything
else (enums, domains, arrays, ranges, extensions' types, keys by text) bodies are carried, item by item.

A block is of one table. PostgreSQL sends one message a row (protocol, "COPY Operations"), so the last key is read from
the last message; how many there are, COPY says itself.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import LiteralString
from uuid import UUID

from outgrow.movers.postgresql import SQL, Composable, Gates, Row, psycopg, quoted
from outgrow.movers.sql_rows import bound, columns_of, words_of
from outgrow.movers.sql_shape import Column, Shape, key_of, parts_of
from outgrow.ports import Block, StoreFailed

STABLE = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "text": "text",
    "varchar": "character varying",
    "bpchar": "bpchar",
    "uuid": "uuid",
    "numeric": "numeric",
    "float4": "real",
    "float8": "double precision",
    "bytea": "bytea",
    "date": "date",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "interval": "interval",
    "json": "json",
    "jsonb": "jsonb",
}
"""Types whose binary form is the same in every version since 9.4, and as ``format_type`` names those of the system
(another schema's type of that name has its schema before it)."""
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_READ: LiteralString = """
COPY (
    SELECT {columns} FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {behind}
    ORDER BY {order} LIMIT %(limit)s
) TO STDOUT (FORMAT BINARY)"""
_COUNT: LiteralString = """
SELECT count(*) FROM (
    SELECT FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {behind} AND {until}
    ORDER BY {order} LIMIT %(limit)s
) AS found"""
"""In their order, so that it is the key's index that is asked, of a table of which no statistics tell."""
_WRITE: LiteralString = "COPY {table} ({names}) FROM STDIN (FORMAT BINARY)"


def form_of(connection: psycopg.Connection[Row], shape: Shape) -> str:
    """Names what blocks of the table hold; "" where it has none."""
    info = connection.info
    utf8 = [info.parameter_status(name) for name in ("server_encoding", "client_encoding")] == ["UTF8", "UTF8"]
    if not utf8 or not shape.in_order or any(STABLE.get(column.base) != column.type for column in shape.written):
        return ""
    columns = (f"{column.name} {column.base} {column.length}" for column in _columns(shape))
    return f"postgresql binary copy of {shape.prefix} {shape.tenant} ({', '.join(shape.key)}): {', '.join(columns)}"


def block_of(
    connection: psycopg.Connection[Row], shape: Shape, form: str, tenant: str, after: str, limit: int
) -> Block | None:
    """The tenant's rows of this table behind ``after``, at most ``limit``; None where there are none."""
    after = after if after.startswith(shape.prefix) else shape.prefix
    parts = parts_of(shape, after)
    if parts is None and after != shape.prefix:
        return None
    values: dict[str, object] = {"tenant": tenant, "limit": limit, **_named("after", parts or ())}
    cursor, data, messages = connection.cursor(), bytearray(), 0
    row = message = memoryview(b"")
    with cursor.copy(_read_statement(shape, bool(parts)), values) as copy:
        for read in copy:  # none is kept: thousands of them would have the collector look through all there is
            row, message = message, memoryview(read)
            data += message
            messages += 1
    if (count := cursor.rowcount) < 1:
        return None
    if messages != count + 1 or not data.startswith(_SIGNATURE):
        raise StoreFailed(f"{shape.name}: COPY gave {count} rows in {messages} messages, in a form unknown here")
    start = len(_SIGNATURE) if count == 1 else 0
    return Block(tenant, after, key_of(shape, _key_values(shape, bytes(row[start:]))), count, form, bytes(data))


def put_block(
    connection: psycopg.Connection[Row], where: str, gates: Gates, shape: Shape, generation: int, block: Block
) -> bool:
    """Writes it in this transaction; → whether it did. Where not, the transaction is to be rolled back. Errors of
    PostgreSQL mean the same."""
    if not gates.laid(connection, block.tenant, generation, block.after, block.last):
        return False
    after, last = parts_of(shape, block.after), parts_of(shape, block.last)
    if last is None or (after is None and block.after != shape.prefix):
        return False
    values: dict[str, object] = {"tenant": block.tenant, **_named("after", after or ()), **_named("last", last)}
    counting = _count_statement(shape, bool(after))
    if connection.execute(counting, {**values, "limit": 1}).fetchone() != (0,):
        return False
    cursor = connection.cursor()
    with cursor.copy(_write_statement(shape)) as copy:
        copy.write(block.data)
    written = connection.execute(counting, {**values, "limit": block.count + 1}).fetchone()
    if cursor.rowcount != block.count or written != (block.count,):
        raise StoreFailed(f"{where}: a block of {block.tenant} in {shape.name} holds other rows than it says")
    return True


def _columns(shape: Shape) -> list[Column]:
    return sorted(shape.written, key=lambda column: column.name)


def _named(name: str, parts: tuple[str, ...]) -> dict[str, str]:
    return {f"{name}{number}": part for number, part in enumerate(parts)}


def _key_values(shape: Shape, row: bytes) -> dict[str, str]:
    """The texts of the key columns of one row in binary form."""
    found: dict[str, str] = {}
    place = 2
    for column in _columns(shape):
        (size,) = struct.unpack_from(">i", row, place)
        value = row[place + 4 : place + 4 + max(size, 0)]
        place += 4 + max(size, 0)
        if column.name in shape.key:
            whole = column.base != "uuid"
            found[column.name] = str(int.from_bytes(value, signed=True)) if whole else str(UUID(bytes=value))
    if place != len(row) or struct.unpack_from(">h", row) != (len(shape.written),):
        raise StoreFailed(f"{shape.name}: COPY gave a row of another form than its columns have")
    return found


@lru_cache(maxsize=256)
def _read_statement(shape: Shape, behind: bool) -> bytes:
    columns = SQL(", ").join(SQL("held.{}").format(quoted(column.name)) for column in _columns(shape))
    words = {**words_of(shape), "columns": columns, "order": columns_of(shape), "behind": _behind(shape, behind)}
    return SQL(_READ).format(**words).as_bytes(None)


@lru_cache(maxsize=256)
def _count_statement(shape: Shape, behind: bool) -> bytes:
    until = SQL("({}) <= ({})").format(columns_of(shape), bound(shape, "last"))
    words = {**words_of(shape), "behind": _behind(shape, behind), "until": until, "order": columns_of(shape)}
    return SQL(_COUNT).format(**words).as_bytes(None)


@lru_cache(maxsize=256)
def _write_statement(shape: Shape) -> bytes:
    names = SQL(", ").join(quoted(column.name) for column in _columns(shape))
    text = SQL(_WRITE).format(table=shape.relation, names=names).as_string(None)
    return text.replace("%%", "%").encode()


def _behind(shape: Shape, behind: bool) -> Composable:
    return SQL("({}) > ({})").format(columns_of(shape), bound(shape, "after")) if behind else SQL("true")

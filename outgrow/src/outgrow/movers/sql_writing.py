"""How rows are put: gates are taken, and what passed is written, in one transaction.

**Where nothing is held** (a first copy that cannot go in blocks, ``outgrow.movers.sql_blocks``), one statement reads
the page, looks that neither a gate nor a row is in the range of its keys, and inserts gates and rows plainly. Gates of
ranges are not laid meanwhile; what else somebody lays at the same time makes it fail by a unique index, of the gates or
of the table.

**Where something is held**, in a transaction of the caller's, gates are taken key by key, rows that passed are deleted
and inserted anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, LiteralString

from pydantic_core import from_json

from outgrow.movers.postgresql import RANGE_MEETS, RANGE_OF, SQL, Composable, Gates, Row, psycopg, quoted
from outgrow.movers.sql_rows import (
    among,
    bound,
    by_column,
    columns_of,
    is_of,
    row_of,
    statement_among,
    text_of,
    typed,
    words_of,
)
from outgrow.movers.sql_shape import Referred, Shape, parts_of
from outgrow.ports import Item, StoreFailed

PLAINLY_FROM = 16
"""Items of one table from which a put asks first whether nothing is held."""

_PLAINLY: LiteralString = """
WITH incoming AS MATERIALIZED (
    SELECT {cast}, outgrow_given FROM ROWS FROM (
        json_to_recordset(%(rows)s::json) AS ({read}), string_to_table(%(keys)s, %(between)s)
    ) AS read ({names}, outgrow_given)
), fitting AS (
    SELECT bool_and(coalesce({key} = outgrow_given AND held.{tenant}::text = %(tenant)s, false)) AS fits
    FROM incoming AS held
), looked AS (
    SELECT fits, fits AND NOT EXISTS (
        SELECT FROM outgrow.copied AS gate WHERE gate.relation = %(relation)s AND gate.tenant = %(tenant)s
        AND gate.key BETWEEN %(first)s AND %(last)s
    ) AND NOT {meets} AND NOT EXISTS (
        SELECT FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {within}
    ) AS free
    FROM fitting
), gated AS (
    INSERT INTO outgrow.copied (relation, tenant, key, generation, deleted)
    SELECT %(relation)s, %(tenant)s, outgrow_given, %(generation)s, false
    FROM incoming WHERE (SELECT free FROM looked)
), written AS (
    INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE
    SELECT {names} FROM incoming WHERE (SELECT free FROM looked)
)
SELECT fits, free FROM looked"""
_DELETE: LiteralString = """
DELETE FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {among}"""
_INSERT: LiteralString = """
INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE
SELECT {cast} FROM json_to_recordset(%(rows)s::json) AS incoming ({read})"""
_LACKING: LiteralString = """
SELECT {key}, {shown} FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {among} AND {there}
AND NOT EXISTS (SELECT FROM {other} AS other WHERE {equal}) LIMIT 1"""
_TAKEN: LiteralString = """
SELECT incoming.place, {key}, coalesce(coalesce(gate.generation, {range}) > %(generation)s, false)
FROM unnest({arrays}) WITH ORDINALITY AS incoming ({names}, place)
JOIN {table} AS held ON held.{tenant} = %(tenant)s::{tenant_type} AND {equal}
LEFT JOIN outgrow.copied AS gate
    ON gate.relation = %(relation)s AND gate.tenant = %(tenant)s AND gate.key = {key}"""
_DIRECT = (
    *("int2", "int4", "int8", "bool", "text", "varchar", "bpchar", "uuid", "numeric", "float4", "float8", "bytea"),
    *("date", "time", "timetz", "timestamp", "timestamptz", "interval"),
)
"""Types whose text a JSON reader takes as it is; others are read as text and cast."""
_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Writing:
    """One put of a tenant: into which tables, through which gates, of which generation. ``where``: the store, for
    people. ``asked``: by prefix, tables outside of the move that must have what rows refer to."""

    connection: psycopg.Connection[Row]
    where: str
    gates: Gates
    shapes: Sequence[Shape]
    tenant: str
    generation: int
    asked: Mapping[str, Sequence[Referred]] = field(default_factory=dict)

    def plainly(self, items: Sequence[Item]) -> bool:
        """Inserts them if nothing is held in their range; → whether it did. All are of one table and have bodies.

        Bodies must have the table's columns, no more and no fewer, which is looked for here; keys and tenant of each
        row are held against its item's by the statement. Raises ``UniqueViolation`` where something stands in the way:
        nothing is written then.
        """
        shape = next(shape for shape in self.shapes if is_of(shape, items[0].key))
        keys = [item.key for item in items]
        if not shape.in_order or any(_BETWEEN in key for key in keys):
            return False
        rows = _array([item.body or b"" for item in items])
        if not _are_whole(shape, rows, len(items)):
            self._check(shape, items)
        self.gates.share(self.connection, self.tenant)
        first, last = min(keys), max(keys)
        if not (ends := [parts for key in (first, last) if (parts := parts_of(shape, key))])[1:]:
            return False
        values: dict[str, object] = {
            "rows": rows,
            "keys": _BETWEEN.join(keys),
            "between": _BETWEEN,
            "tenant": self.tenant,
            "relation": self.gates.relation,
            "generation": self.generation,
            "first": first,
            "last": last,
        }
        for name, parts in (("least", ends[0]), ("most", ends[1])):
            values |= {f"{name}{number}": part for number, part in enumerate(parts)}
        try:
            found = self.connection.execute(_plain_statement(shape), values).fetchone()
        except (psycopg.DataError, psycopg.errors.NotNullViolation):
            self._check(shape, items)
            raise
        if found is None or not found[0]:
            self._check(shape, items)
            raise StoreFailed(
                f"{self.where}: items of {self.tenant} in {shape.name} hold other rows than their keys say"
            )
        return bool(found[1])

    def _check(self, shape: Shape, items: Sequence[Item]) -> None:
        for item in items:
            row_of(self.where, shape, self.tenant, item.key, item.body or b"")

    def over(self, items: Sequence[Item]) -> set[str]:
        """Puts them over whatever is held; → keys that passed."""
        keys = [item.key for item in items]
        bodies = {item.key: item.body for item in items if item.body is not None}
        by_shape = sorted_by_shape(self.where, self.shapes, keys)
        of = {key: shape for shape, _ in by_shape for key in keys if is_of(shape, key)}
        rows = {key: row_of(self.where, of[key], self.tenant, key, body) for key, body in bodies.items()}
        deleted = [key not in rows for key in keys]
        passed = self.gates.passed(self.connection, self.tenant, self.generation, keys, deleted)
        outdone, in_the_way = self._taken({key: rows[key] for key in rows if key in passed})
        passed -= outdone
        if len(passed) < len(keys) or in_the_way:
            by_shape = sorted_by_shape(self.where, self.shapes, [*passed, *in_the_way])
        for shape, parts in reversed(by_shape):
            self.connection.execute(statement_among(shape, _DELETE), {"tenant": self.tenant, **by_column(parts)})
        for shape in self.shapes:
            if texts := [bodies[key] for key in keys if key in passed and key in bodies and is_of(shape, key)]:
                self.connection.execute(_insert_statement(shape), {"rows": _array(texts)})
        self._ask(by_shape)
        return passed

    def _ask(self, by_shape: Sequence[tuple[Shape, Sequence[tuple[str, ...]]]]) -> None:
        """Foreign keys do not act on a put, so that rows may come before those they refer to. Of tables that are not
        moved nothing comes."""
        for shape, parts in by_shape:
            for other in self.asked.get(shape.prefix, ()):
                words = words_of(shape) | {
                    "among": among(shape),
                    "shown": SQL(" || ', ' || ").join(
                        SQL("held.{}::text").format(quoted(one)) for one in other.columns
                    ),
                    "other": quoted(other.schema, other.table),
                    "equal": SQL(" AND ").join(
                        SQL("other.{} = held.{}").format(quoted(theirs), quoted(ours))
                        for ours, theirs in zip(other.columns, other.theirs, strict=True)
                    ),
                    "there": SQL(" AND ").join(SQL("held.{} IS NOT NULL").format(quoted(one)) for one in other.columns),
                }
                lacking = self.connection.execute(
                    SQL(_LACKING).format(**words), {"tenant": self.tenant, **by_column(parts)}
                ).fetchone()
                if lacking is not None:
                    raise StoreFailed(
                        f"{self.where}: {lacking[0]} refers to ({lacking[1]}) in {other.name}, which is not there",
                        next_step=f"{other.name} is not moved: put the row there first; then it is tried again.",
                    )

    def _taken(self, rows: Mapping[str, Mapping[str, Any]]) -> tuple[set[str], set[str]]:
        """Rows that cannot be written because what is unique to them is held by a row that was put with a newer
        generation; and rows of older ones that hold it and are to go.

        The truth allowed the row when it was read. So a row that holds the place here has changed or gone there since
        it was read itself; that is registered, and it will be put again. Where the newer one holds it, the same is
        true of the row that came late.
        """
        outdone, in_the_way = set[str](), set[str]()
        for shape in self.shapes:
            keys = [key for key in rows if is_of(shape, key)]
            named = {column.name: column for column in shape.columns}
            for unique in shape.uniques if keys else ():
                if not unique or any(named[name].generated for name in unique):
                    continue
                for place, holder, newer in self._holders(shape, unique, [rows[key] for key in keys]):
                    if holder not in rows:
                        (outdone if newer else in_the_way).add(keys[place - 1] if newer else holder)
        return outdone, in_the_way

    def _holders(self, shape: Shape, unique: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Which of these rows' places (from 1) is held by which key, and whether that was put with a newer one."""
        named = {column.name: column for column in shape.columns}
        equal = [SQL("held.{0} = incoming.{0}::{1}").format(quoted(name), typed(named[name])) for name in unique]
        words = words_of(shape) | {
            "names": SQL(", ").join(map(quoted, unique)),
            "arrays": SQL(", ").join(SQL("%(unique{})s::text[]").format(number) for number in range(len(unique))),
            "equal": SQL(" AND ").join(equal),
        }
        words["range"] = SQL(RANGE_OF).format(key=words["key"])
        values: dict[str, object] = {
            f"unique{number}": [text_of(row[name]) for row in rows] for number, name in enumerate(unique)
        }
        values |= {"tenant": self.tenant, "generation": self.generation, "relation": self.gates.relation}
        return self.connection.execute(SQL(_TAKEN).format(**words), values).fetchall()


def sorted_by_shape(
    where: str, shapes: Sequence[Shape], keys: Sequence[str]
) -> list[tuple[Shape, list[tuple[str, ...]]]]:
    """Keys by table, in the order of tables, as texts of the key columns. Raises ``StoreFailed`` for what is none."""
    found = list[tuple[Shape, list[tuple[str, ...]]]]()
    left = len(keys)
    for shape in shapes:
        parts = [parts_of(shape, key) for key in keys if is_of(shape, key)]
        known = [part for part in parts if part is not None]
        left -= len(known)
        if known:
            found.append((shape, known))
    if left:
        wrong = next(k for k in keys if not any(is_of(s, k) and parts_of(s, k) for s in shapes))
        raise StoreFailed(
            f"{where}: {wrong!r} is no key of the moved tables",
            next_step="A key is NN.table/parts, as `outgrow.movers.sql_shape.key_of` writes it.",
        )
    return found


def _are_whole(shape: Shape, rows: str, count: int) -> bool:
    """Whether this is an array of so many objects with the table's columns, in the order in which rows are read; where
    not, it is to be looked at closely. (In C for the most part: a page is put in some 10 µs a row.)"""
    try:
        read = from_json(rows, cache_strings="keys")
        found = {*map(tuple, read)}
    except (TypeError, ValueError):
        return False
    return len(read) == count and found == {tuple(sorted(column.name for column in shape.written))}


@lru_cache(maxsize=256)
def _plain_statement(shape: Shape) -> bytes:
    columns = columns_of(shape)
    within = SQL("({0}) >= ({1}) AND ({0}) <= ({2})").format(columns, bound(shape, "least"), bound(shape, "most"))
    words = {**words_of(shape), **_incoming(shape, "read"), "within": within, "meets": SQL(RANGE_MEETS)}
    return SQL(_PLAINLY).format(**words).as_bytes(None)


@lru_cache(maxsize=256)
def _insert_statement(shape: Shape) -> bytes:
    return SQL(_INSERT).format(table=shape.relation, **_incoming(shape, "incoming")).as_bytes(None)


def _incoming(shape: Shape, source: LiteralString) -> dict[str, Composable]:
    """``read``: the columns as JSON gives them; ``cast``: as the table takes them; ``names``: theirs."""
    read, cast, names = list[Composable](), list[Composable](), list[Composable]()
    for column in shape.written:
        name = quoted(column.name)
        direct = column.base in _DIRECT
        names.append(name)
        read.append(SQL("{} {}").format(name, typed(column) if direct else SQL("text")))
        how: LiteralString = "{0}.{1}" if direct else "{0}.{1}::{2} AS {1}"
        cast.append(SQL(how).format(SQL(source), name, typed(column)))
    return {key: SQL(", ").join(parts) for key, parts in (("read", read), ("cast", cast), ("names", names))}


def _array(bodies: Sequence[bytes]) -> str:
    return (b"[" + b",".join(bodies) + b"]").decode()

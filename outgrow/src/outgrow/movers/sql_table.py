"""Rows of tables of PostgreSQL, of one server or two, tenant by tenant: the mover ``sql-table``.

A body is the row as JSON by column name, sorted, without generated columns: whole numbers and booleans as such, every
other value as PostgreSQL's text under fixed settings, so that it has the same bytes on every server and whatever the
order of the columns. Rows whose tenant is NULL are nobody's and stay where they are.

**Writing.** One put is one transaction: gates are taken, what passed is deleted and inserted anew. Foreign keys and
triggers do not act on it (``session_replication_role``): rows come in an order of their own while the application
writes, a child before its parent; what the source's constraints hold at the flip, the target holds, since both are the
same then. A role that may not set this is refused beforehand where there are any. What the application registers is in
``outgrow.movers.registering``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, LiteralString

from pydantic import BaseModel, ConfigDict, Field

from outgrow.movers.postgresql import (
    SQL,
    Composable,
    Gates,
    Row,
    Session,
    checked_keys,
    checked_tenant,
    psycopg,
    quoted,
    wait_shortly,
)
from outgrow.movers.registering import Triggers
from outgrow.movers.sql_shape import Column, Shape, key_expression, key_of, parts_of, read_shape, unfit
from outgrow.ports import Clock, Copied, Copying, Item, Put, StoreFailed, TenantSize, digest_of

_PAGE: LiteralString = """
SELECT {key}, {columns} FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {behind}
ORDER BY {order} LIMIT %(limit)s"""
_ITEMS: LiteralString = """
SELECT {key}, {columns} FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {among}"""
_DELETE: LiteralString = """
DELETE FROM {table} AS held WHERE held.{tenant} = %(tenant)s::{tenant_type} AND {among}"""
_INSERT: LiteralString = """
INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE
SELECT {cast} FROM json_to_recordset(%s::json) AS incoming ({texts})"""
_TAKEN: LiteralString = """
SELECT incoming.place, {key}, coalesce(gate.generation > %(generation)s, false)
FROM unnest({arrays}) WITH ORDINALITY AS incoming ({names}, place)
JOIN {table} AS held ON held.{tenant} = %(tenant)s::{tenant_type} AND {equal}
LEFT JOIN outgrow.copied AS gate
    ON gate.relation = %(relation)s AND gate.tenant = %(tenant)s AND gate.key = {key}"""
_PROVE_DELETE: LiteralString = "DELETE FROM {table} WHERE false"
_PROVE_INSERT: LiteralString = """
INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM {table} WHERE false"""
PROOF_LOCK_SECONDS = 1.0
"""How long a proof waits for a lock; writers of the tenant wait as long."""
_PLAIN = ("int2", "int4", "int8", "bool")


class Table(BaseModel):
    """One moved table. ``key``: columns that tell a tenant's rows apart, by default the primary key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str = Field(min_length=1)
    tenant: str = Field(min_length=1, description="The column that says whose a row is.")
    key: tuple[str, ...] = ()
    target_table: str | None = Field(None, min_length=1, description="Its name in the target, where it is another.")


class Side(BaseModel):
    """Where the tables of one side are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="postgresql:// URL; the password from PGPASSWORD or the password file.")
    schema_: str = Field("public", alias="schema", min_length=1)


class Settings(BaseModel):
    """The keys of ``mover: {kind: sql-table, …}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "sql-table"
    source: str = "source"
    target: str = "target"
    source_store: Side
    target_store: Side
    tables: Annotated[tuple[Table, ...], Field(min_length=1, max_length=99)]
    register_: Literal["triggers", "application"] = Field(
        "triggers",
        alias="register",
        description="Who registers the application's writes: triggers, or itself, by outgrow.routing.",
    )


def open_mover(settings: Mapping[str, Any], clock: Clock) -> Copying:
    """Both sides, looked at: tables that do not fit each other are refused here, all at once.

    Raises:
        StoreFailed: a server does not answer, or the sides do not fit; the sentences name tables and columns.
    """
    del clock
    declared = Settings.model_validate(dict(settings))
    source, target = open_stores(declared)
    try:
        said = list[str]()
        one_database = source.session.database() == target.session.database()
        if one_database and {shape.name for shape in source.shapes()} & {shape.name for shape in target.shapes()}:
            said.append("source and target are the same tables")
        for ours, theirs in zip(source.shapes(), target.shapes(), strict=True):
            said += unfit(ours, theirs, one_database=one_database)
        for store in (source, target):
            said += store.in_the_way()
        if said:
            raise StoreFailed(
                "the tables cannot be moved as they are: " + "; ".join(dict.fromkeys(said)),
                next_step="Correct these first; nothing was written.",
            )
    except BaseException:
        source.close()
        target.close()
        raise
    return Copying(source, target, registering_of(settings) if declared.register_ == "triggers" else None)


def registering_of(settings: Mapping[str, Any]) -> Triggers:
    """The triggers of a mover of these settings; nothing is asked of a server yet."""
    declared = Settings.model_validate(dict(settings))
    return Triggers(lambda: open_stores(declared))


def open_stores(settings: Settings) -> tuple[SqlTableStore, SqlTableStore]:
    """Source and target; nothing is asked of a server yet."""
    return (
        SqlTableStore(settings.source, settings.source_store, settings.tables),
        SqlTableStore(settings.target, settings.target_store, settings.tables, in_target=True),
    )


class SqlTableStore:
    """The tables of one side; keeps ``outgrow.ports.Store``."""

    form = "rows"

    def __init__(self, name: str, side: Side, tables: Sequence[Table], *, in_target: bool = False) -> None:
        self.name = name
        self._tables = [
            (f"{place:02d}.{table.table}/", ((in_target and table.target_table) or table.table), table)
            for place, table in enumerate(tables, start=1)
        ]
        self._schema = side.schema_
        self.session = Session(side.url, name)
        self._gates = Gates(self.session, "sql:" + ",".join([side.schema_, *(named for _, named, _ in self._tables)]))
        self._shapes: tuple[Shape, ...] = ()

    def shapes(self) -> tuple[Shape, ...]:
        """The tables as they stand, read once; in the order of their keys."""
        if not self._shapes:
            moved = [quoted(self._schema, named).as_string(None).replace("%%", "%") for _, named, _ in self._tables]
            with self.session.transaction() as connection:
                self._shapes = tuple(
                    read_shape(
                        connection,
                        self.session.where,
                        prefix,
                        (self._schema, named),
                        table.tenant,
                        table.key,
                        moved,
                    )
                    for prefix, named, table in self._tables
                )
        return self._shapes

    def identity(self) -> str:
        """The tables, of which database of which server."""
        tables = ", ".join(f"{self._schema}.{named}" for _, named, _ in self._tables)
        return f"{tables} in {self.session.identity()}"

    def in_the_way(self) -> list[str]:
        """Foreign keys and triggers that would act on what is put, where the role may not switch that off."""
        observed = [f"{name} of {shape.name}" for shape in self.shapes() for name in shape.observed]
        if not observed or self._may_replicate():
            return []
        return [
            f"{', '.join(observed)} would act on rows that come in an order of their own; as a superuser: GRANT SET ON "
            f"PARAMETER session_replication_role TO the role of {self.name} (or drop them until the move is complete)"
        ]

    def tenants(self) -> Sequence[TenantSize]:
        """All that have rows here; one scan of each table."""
        counts = dict[str, int]()
        statement: LiteralString = "SELECT {0}::text, count(*) FROM {1} WHERE {0} IS NOT NULL GROUP BY {0}"
        shapes = self.shapes()
        with self.session.transaction() as connection:
            for shape in shapes:
                for tenant, count in connection.execute(
                    SQL(statement).format(quoted(shape.tenant), shape.relation), ()
                ):
                    counts[tenant] = counts.get(tenant, 0) + count
        return [TenantSize(tenant, count) for tenant, count in counts.items()]

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        """As the contract says; one snapshot over all tables."""
        checked_tenant(self.name, tenant)
        (after,) = checked_keys(self.name, [after])
        shapes = [
            shape for shape in self.shapes() if after.startswith(shape.prefix) or _bytes(shape.prefix) > _bytes(after)
        ]
        found = list[Item]()
        with self.session.transaction() as connection:
            for shape in shapes:
                if len(found) < limit:
                    found += self._behind(connection, shape, tenant, after, limit - len(found))
        return found

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """As the contract says; one snapshot. Raises ``StoreFailed`` for what can be no key here."""
        checked_tenant(self.name, tenant)
        found = dict[str, bytes]()
        by_shape = self._sorted(checked_keys(self.name, list(dict.fromkeys(keys))))
        with self.session.transaction() as connection:
            for shape, parts in by_shape:
                words = self._words(shape) | {"among": _among(shape)}
                rows = connection.execute(SQL(_ITEMS).format(**words), {"tenant": tenant, **_parts(parts)})
                found |= {str(row[0]): _body(shape, row[1:]) for row in rows}
        return {key: body for key, body in found.items() if key in set(keys)}

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        """All of it or nothing."""
        checked_tenant(self.name, tenant)
        keys = checked_keys(self.name, [item.key for item in items])
        if not keys:
            return Put()
        by_shape = self._sorted(keys)
        bodies = {item.key: item.body for item in items if item.body is not None}
        rows = {key: self._row(tenant, key, body) for key, body in bodies.items()}
        self._gates.ensure()
        with self.session.transaction(writing=True) as connection:
            self._unobserved(connection)
            passed = self._gates.passed(connection, tenant, generation, keys, [key not in rows for key in keys])
            outdone, in_the_way = self._taken(connection, tenant, generation, {k: rows[k] for k in rows if k in passed})
            passed -= outdone
            if len(passed) < len(keys) or in_the_way:
                by_shape = self._sorted([*passed, *in_the_way])
            for shape, parts in reversed(by_shape):
                words = self._words(shape) | {"among": _among(shape)}
                connection.execute(SQL(_DELETE).format(**words), {"tenant": tenant, **_parts(parts)})
            for shape in self.shapes():
                self._insert(
                    connection, shape, [bodies[k] for k in keys if k in passed and k in bodies and _of(shape, k)]
                )
        return Put(tuple(key for key in keys if key not in passed))

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        """As ``page``, but only digests."""
        return [Copied(item.key, digest_of(item.body or b"")) for item in self.page(tenant, after, limit)]

    def prove_writable(self, tenant: str) -> None:
        """The statements of a put, of no row, and a gate that is removed again: rights, policies, locks, a commit."""
        checked_tenant(self.name, tenant)
        shapes = self.shapes()
        self._gates.ensure()
        with self.session.transaction(writing=True) as connection:
            wait_shortly(connection, PROOF_LOCK_SECONDS)
            self._unobserved(connection)
            self._gates.prove(connection, tenant)
            for shape in shapes:
                names = SQL(", ").join(quoted(column.name) for column in shape.written)
                for statement in (_PROVE_DELETE, _PROVE_INSERT):
                    connection.execute(SQL(statement).format(table=shape.relation, names=names), ())

    def settle(self, tenant: str) -> None:
        """Forgets tombstones and generations."""
        checked_tenant(self.name, tenant)
        with self.session.transaction(writing=True) as connection:
            self._gates.forget(connection, tenant)

    def drop(self, tenant: str) -> None:
        """Deletes all rows of the tenant."""
        checked_tenant(self.name, tenant)
        shapes = self.shapes()
        statement: LiteralString = "DELETE FROM {} WHERE {} = %s::{}"
        with self.session.transaction(writing=True) as connection:
            self._unobserved(connection)
            self._gates.forget(connection, tenant)
            for shape in reversed(shapes):
                words = (shape.relation, quoted(shape.tenant), _typed(shape.tenant_column))
                connection.execute(SQL(statement).format(*words), [tenant])

    def close(self) -> None:
        """Closes the connection."""
        self.session.close()

    def _behind(
        self, connection: psycopg.Connection[Row], shape: Shape, tenant: str, after: str, limit: int
    ) -> list[Item]:
        words = self._words(shape)
        values: dict[str, object] = {"tenant": tenant, "after": after, "limit": limit}
        parts = parts_of(shape, after) if after.startswith(shape.prefix) else ()
        columns = [SQL("held.{}").format(quoted(column.name)) for column in shape.key_columns]
        order: Composable = SQL(", ").join(columns)
        behind: Composable = SQL("true")
        if not shape.in_order or parts is None:
            order = SQL('{} COLLATE "C"').format(words["key"])
            behind = SQL('{} COLLATE "C" > %(after)s').format(words["key"])
        elif parts:
            given = [SQL("%(part{})s::{}").format(n, _typed(c)) for n, c in enumerate(shape.key_columns)]
            behind = SQL("({}) > ({})").format(order, SQL(", ").join(given))
            values |= {f"part{number}": part for number, part in enumerate(parts)}
        rows = connection.execute(SQL(_PAGE).format(**words, behind=behind, order=order), values)
        return [Item(str(row[0]), _body(shape, row[1:])) for row in rows]

    def _taken(
        self, connection: psycopg.Connection[Row], tenant: str, generation: int, rows: Mapping[str, Mapping[str, Any]]
    ) -> tuple[set[str], set[str]]:
        """Rows that cannot be written because what is unique to them is held by a row that was put with a newer
        generation; and rows of older ones that hold it and are to go.

        The truth allowed the row when it was read. So a row that holds the place here has changed or gone there since
        it was read itself; that is registered, and it will be put again. Where the newer one holds it, the same is
        true of the row that came late.
        """
        outdone, in_the_way = set[str](), set[str]()
        for shape in self.shapes():
            keys = [key for key in rows if _of(shape, key)]
            for unique in shape.uniques if keys else ():
                named = {column.name: column for column in shape.columns}
                if not unique or any(named[name].generated for name in unique):
                    continue
                equal = [SQL("held.{0} = incoming.{0}::{1}").format(quoted(n), _typed(named[n])) for n in unique]
                words = self._words(shape) | {
                    "names": SQL(", ").join(map(quoted, unique)),
                    "arrays": SQL(", ").join(SQL("%(unique{})s::text[]").format(n) for n in range(len(unique))),
                    "equal": SQL(" AND ").join(equal),
                }
                values: dict[str, object] = {
                    f"unique{n}": [_text(rows[key][name]) for key in keys] for n, name in enumerate(unique)
                }
                values |= {"tenant": tenant, "generation": generation, "relation": self._gates.relation}
                for place, holder, newer in connection.execute(SQL(_TAKEN).format(**words), values):
                    if holder not in rows:
                        (outdone if newer else in_the_way).add(keys[place - 1] if newer else holder)
        return outdone, in_the_way

    def _insert(self, connection: psycopg.Connection[Row], shape: Shape, rows: Sequence[bytes]) -> None:
        if not rows:
            return
        names = [column.name for column in shape.written]
        words = {
            "table": shape.relation,
            "names": SQL(", ").join(map(quoted, names)),
            "cast": SQL(", ").join(
                SQL("incoming.{}::{}").format(quoted(column.name), _typed(column)) for column in shape.written
            ),
            "texts": SQL(", ").join(SQL("{} text").format(quoted(name)) for name in names),
        }
        bodies = b"[" + b",".join(rows) + b"]"
        connection.execute(SQL(_INSERT).format(**words), [bodies.decode()])

    def _row(self, tenant: str, key: str, body: bytes) -> Mapping[str, Any]:
        """The row that a body holds, which must be the tenant's, under its key, with the table's columns."""
        shape = next(shape for shape in self.shapes() if _of(shape, key))
        try:
            row = json.loads(body)
        except ValueError:
            row = None
        if not isinstance(row, dict) or row.keys() != {column.name for column in shape.written}:
            raise StoreFailed(
                f"{self.session.where}: the item {key} is no row of {shape.name}",
                next_step="Did its columns change since the move began? Both sides must have the same ones.",
            )
        if _text(row[shape.tenant]) != tenant or key_of(shape, row) != key:
            raise StoreFailed(f"{self.session.where}: the item {key} of {tenant} holds another row")
        return row

    def _sorted(self, keys: Sequence[str]) -> list[tuple[Shape, list[tuple[str, ...]]]]:
        """Keys by table, in the order of tables, as texts of the key columns."""
        found = list[tuple[Shape, list[tuple[str, ...]]]]()
        left = len(keys)
        for shape in self.shapes():
            parts = [parts_of(shape, key) for key in keys if _of(shape, key)]
            known = [part for part in parts if part is not None]
            left -= len(known)
            if known:
                found.append((shape, known))
        if left:
            wrong = next(k for k in keys if not any(_of(s, k) and parts_of(s, k) for s in self.shapes()))
            raise StoreFailed(
                f"{self.session.where}: {wrong!r} is no key of the moved tables",
                next_step="A key is NN.table/parts, as `outgrow.movers.sql_shape.key_of` writes it.",
            )
        return found

    def _words(self, shape: Shape) -> dict[str, Composable]:
        return {
            "table": shape.relation,
            "tenant": quoted(shape.tenant),
            "tenant_type": _typed(shape.tenant_column),
            "key": key_expression(shape, quoted("held")),
            "columns": SQL(", ").join(
                SQL("held.{}" if column.base in _PLAIN else "held.{}::text").format(quoted(column.name))
                for column in shape.written
            ),
        }

    def _unobserved(self, connection: psycopg.Connection[Row]) -> None:
        if any(shape.observed for shape in self.shapes()):
            connection.execute("SET LOCAL session_replication_role = replica")

    def _may_replicate(self) -> bool:
        try:
            with self.session.transaction(writing=True) as connection:
                connection.execute("SET LOCAL session_replication_role = replica")
        except StoreFailed:
            return False
        return True


def _among(shape: Shape) -> Composable:
    """``(k1, k2) IN (…)`` by one array of texts a key column."""
    columns = SQL(", ").join(SQL("held.{}").format(quoted(name)) for name in shape.key)
    arrays = SQL(", ").join(
        SQL("unnest(%(part{})s::text[])::{}").format(number, _typed(column))
        for number, column in enumerate(shape.key_columns)
    )
    return SQL("({}) IN (SELECT {})").format(columns, arrays)


def _parts(parts: Sequence[tuple[str, ...]]) -> dict[str, list[str]]:
    return {f"part{number}": list(texts) for number, texts in enumerate(zip(*parts, strict=True))}


def _typed(column: Column) -> Composable:
    """The type as PostgreSQL itself writes it (``format_type``), quoted where it needs to be."""
    return SQL(column.type.replace("%", "%%"))


def _body(shape: Shape, values: Sequence[Any]) -> bytes:
    row = {column.name: value for column, value in zip(shape.written, values, strict=True)}
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _of(shape: Shape, key: str) -> bool:
    return key.startswith(shape.prefix)


def _bytes(text: str) -> bytes:
    return text.encode()

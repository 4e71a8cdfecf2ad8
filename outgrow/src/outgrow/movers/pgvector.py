"""Points in a table of PostgreSQL with the extension pgvector: tenant, id, vector, payload.

The table is made with the first point where there is none (the extension must be there: ``CREATE EXTENSION vector``,
once, by who may). An application reads and writes the same table; it sees no tombstone, for gates lie beside
(``outgrow.movers.postgresql``). Vectors of cosine are stored with length 1.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from outgrow.movers.bodies import Matrix, parts_of_body, point_bodies
from outgrow.movers.point_layout import Planned
from outgrow.movers.postgresql import (
    SQL,
    Composable,
    Gates,
    Row,
    Session,
    Url,
    checked_keys,
    checked_tenant,
    psycopg,
    quoted,
    relation_parts,
    wait_shortly,
    without_password,
)
from outgrow.ports import Copied, Item, Put, StoreFailed, TenantSize, digest_of

_SHAPE: LiteralString = """
SELECT a.attname, format_type(a.atttypid, NULL), a.atttypmod, t.typname = 'vector',
    coalesce(c.collname = 'C', false) OR t.typname = 'uuid'
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_collation AS c ON c.oid = a.attcollation
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped"""
_UNIQUE: LiteralString = """
SELECT bool_and(i.indimmediate) FROM pg_index AS i
WHERE i.indrelid = to_regclass(%(table)s) AND i.indisunique AND i.indisvalid
AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 2 AND ARRAY(
    SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= 2
) @> %(names)s::text[]"""
"""True where a put over older points can rest on it; ON CONFLICT takes none that is deferrable, nor one beside it."""
_EXTENSION: LiteralString = """
SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"""
_MAKE: LiteralString = """
CREATE TABLE IF NOT EXISTS {table} (
    {tenant} text COLLATE "C" NOT NULL,
    {id} text COLLATE "C" NOT NULL,
    {vector} {type}({size}) NOT NULL,
    {payload} jsonb NOT NULL DEFAULT '{{}}',
    PRIMARY KEY ({tenant}, {id})
)"""
_INCOMING: LiteralString = """
CREATE TEMPORARY TABLE IF NOT EXISTS outgrow_incoming (id text COLLATE "C", vector {type}, payload jsonb)
ON COMMIT DELETE ROWS"""
_COPY: LiteralString = "COPY pg_temp.outgrow_incoming FROM STDIN (FORMAT BINARY)"
_COPY_PLAINLY: LiteralString = """
COPY {table} ({tenant}, {id}, {vector}, {payload}) FROM STDIN (FORMAT BINARY)"""
_HELD: LiteralString = """
SELECT EXISTS (SELECT FROM {table} WHERE {tenant} = %(tenant)s AND {id} BETWEEN %(first)s AND %(last)s)"""
PLAINLY_FROM = 16
"""Points from which a put asks first whether nothing is held in the range of their keys."""
_WRITE: LiteralString = """
INSERT INTO {table} ({tenant}, {id}, {vector}, {payload})
SELECT %(tenant)s::{tenant_type}, id::{id_type}, vector, payload FROM pg_temp.outgrow_incoming ORDER BY id
ON CONFLICT ({tenant}, {id}) DO UPDATE SET {vector} = excluded.{vector}, {payload} = excluded.{payload}"""
_DELETE: LiteralString = """
DELETE FROM {table} WHERE {tenant} = %(tenant)s::{tenant_type} AND {id} = ANY (%(keys)s::text[]::{id_type}[])"""
_PROVE_DELETE: LiteralString = "DELETE FROM {table} WHERE false"
_PROVE_WRITE: LiteralString = """
INSERT INTO {table} ({tenant}, {id}, {vector}, {payload})
SELECT {tenant}, {id}, {vector}, {payload} FROM {table} WHERE false
ON CONFLICT ({tenant}, {id}) DO UPDATE SET {vector} = excluded.{vector}, {payload} = excluded.{payload}"""
PROOF_LOCK_SECONDS = 1.0
"""How long a proof waits for a lock; writers of the tenant wait as long."""
_READ: LiteralString = """
SELECT {id}::text, {send}({vector}), {payload} FROM {table} WHERE {tenant} = %(tenant)s::{tenant_type}"""
_AFTER: LiteralString = " AND {key} > %(after)s ORDER BY {key} LIMIT %(limit)s"
_AMONG: LiteralString = " AND {id} = ANY (%(keys)s::text[]::{id_type}[])"
_TENANTS: LiteralString = "SELECT {tenant}::text, count(*) FROM {table} GROUP BY {tenant}"
_NEAR: LiteralString = """
SELECT {id}::text FROM {table} WHERE {tenant} = %(tenant)s::{tenant_type}
ORDER BY {vector} OPERATOR({schema}.<=>) %(vector)s::{type}, {id} LIMIT %(limit)s"""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON: behind an even number of backslashes; behind an odd one, the text says so itself."""
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)


Points = Mapping[str, tuple[bytes, bytes]]
"""Vectors (float32, little-endian) and payloads (JSON) by key."""


class Columns(BaseModel):
    """Names of the table's columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str = "tenant"
    id: str = "id"
    vector: str = "vector"
    payload: str = "payload"


class Settings(BaseModel):
    """The keys of ``{kind: pgvector, …}``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: str = "pgvector"
    url: Url = Field(description="postgresql:// URL; the password from PGPASSWORD or the password file.")
    table: str = Field(default="points", min_length=1, description="table or schema.table; made where there is none.")
    columns: Columns = Columns()


def planned(settings: Mapping[str, Any]) -> Planned:
    """What a store of these settings is. Raises pydantic's ``ValidationError``."""
    read = Settings.model_validate(dict(settings))
    return Planned("points", f"{'.'.join(relation_parts(read.table))} of {without_password(read.url)}")


def open_store(settings: Mapping[str, Any], name: str) -> PgvectorStore:
    """The store; nothing is asked of the server yet. Raises pydantic's ``ValidationError`` for wrong settings."""
    return PgvectorStore(Settings.model_validate(dict(settings)), name)


class PgvectorStore:
    """Keeps ``outgrow.ports.Store`` and ``Searched``. Keys are ids as text; bodies as ``outgrow.movers.bodies`` says.

    The primary key of a table of your own must be (tenant, id), or a unique index must be on it; ids and tenants may be
    text, uuid or whole numbers.
    """

    form = "points"

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self._table = settings.table
        self._columns = settings.columns
        self._session = Session(settings.url, name)
        self._gates = Gates(self._session, f"pgvector:{'.'.join(relation_parts(settings.table))}")
        self._words: dict[str, Composable] = {}
        self._plain_types = False

    def identity(self) -> str:
        """The table, of which database of which server."""
        columns = ", ".join(self._columns.model_dump().values())
        return f"{'.'.join(relation_parts(self._table))} ({columns}) in {self._session.identity()}"

    def tenants(self) -> Sequence[TenantSize]:
        """All that have points here; one scan of the table's tenants."""
        with self._session.transaction() as connection:
            if not self._known(connection):
                return []
            return [TenantSize(str(tenant), count) for tenant, count in self._run(connection, _TENANTS)]

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        """As the contract says; one snapshot."""
        checked_tenant(self.name, tenant)
        return self._read(_READ + _AFTER, tenant=tenant, after=_without_nul(after), limit=limit)

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """As the contract says; one snapshot."""
        checked_tenant(self.name, tenant)
        found = self._read(_READ + _AMONG, tenant=tenant, keys=checked_keys(self.name, list(dict.fromkeys(keys))))
        return {item.key: item.body for item in found if item.body is not None}

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        """All of it or nothing."""
        checked_tenant(self.name, tenant)
        keys = checked_keys(self.name, [item.key for item in items])
        if not keys:
            return Put()
        points = {item.key: parts_of_body(item.body) for item in items if item.body is not None}
        self._gates.ensure()
        self._ensure(points)
        if self._plain_types and len(points) == len(keys) >= PLAINLY_FROM:
            try:
                if self._plainly(tenant, generation, points):
                    return Put()
            except StoreFailed as failed:
                if not isinstance(failed.__cause__, psycopg.errors.UniqueViolation):
                    raise
        with self._session.transaction(writing=True) as connection:
            passed = self._gates.passed(connection, tenant, generation, keys, [key not in points for key in keys])
            gone = [key for key in keys if key in passed and key not in points]
            if gone and self._words:
                self._run(connection, _DELETE, tenant=tenant, keys=gone)
            if written := {key: points[key] for key in keys if key in passed and key in points}:
                self._write(connection, tenant, written)
        return Put(tuple(key for key in keys if key not in passed))

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        """As ``page``, but only digests."""
        return [Copied(item.key, digest_of(item.body or b"")) for item in self.page(tenant, after, limit)]

    def prove_writable(self, tenant: str) -> None:
        """The statements of a put, of no point, and a gate that is removed again. A table that is not there yet is made
        with the first point."""
        checked_tenant(self.name, tenant)
        self._gates.ensure()
        with self._session.transaction(writing=True) as connection:
            wait_shortly(connection, PROOF_LOCK_SECONDS)
            self._gates.prove(connection, tenant)
            if self._known(connection):
                connection.execute(SQL(_INCOMING).format(**self._words), ())
                self._run(connection, _PROVE_DELETE)
                self._run(connection, _PROVE_WRITE)

    def settle(self, tenant: str) -> None:
        """Forgets tombstones and generations."""
        checked_tenant(self.name, tenant)
        with self._session.transaction(writing=True) as connection:
            self._gates.forget(connection, tenant)

    def drop(self, tenant: str) -> None:
        """Deletes all points of the tenant."""
        checked_tenant(self.name, tenant)
        with self._session.transaction(writing=True) as connection:
            self._gates.forget(connection, tenant)
            if self._known(connection):
                statement: LiteralString = "DELETE FROM {table} WHERE {tenant} = %(tenant)s::{tenant_type}"
                self._run(connection, statement, tenant=tenant)

    def near(self, tenant: str, vector: Sequence[float], limit: int) -> Sequence[str]:
        """The nearest by cosine, exactly: every vector of the tenant is compared, no index is asked."""
        checked_tenant(self.name, tenant)
        text = "[" + ",".join(map(repr, np.asarray(vector, dtype=np.float32).tolist())) + "]"
        with self._session.transaction() as connection:
            if not self._known(connection):
                return []
            connection.execute("SET LOCAL enable_seqscan = on")
            connection.execute("SET LOCAL enable_indexscan = off")
            return [str(row[0]) for row in self._run(connection, _NEAR, tenant=tenant, vector=text, limit=limit)]

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def _read(self, statement: LiteralString, **values: object) -> list[Item]:
        with self._session.statements() as connection:
            if not self._known(connection):
                return []
            rows = self._run(connection, statement, **values).fetchall()
        keys = [str(row[0]) for row in rows]
        vectors: Sequence[object] | Matrix = [np.frombuffer(row[1], dtype=">f4", offset=4) for row in rows]
        if len({len(row[1]) for row in rows}) == 1:
            vectors = (
                np.frombuffer(b"".join(row[1][4:] for row in rows), dtype=">f4")
                .reshape(len(rows), -1)
                .astype(np.float32)
            )
        bodies = point_bodies(keys, vectors, [row[2] for row in rows])
        return [Item(key, body) for key, body in zip(keys, bodies, strict=True)]

    def _plainly(self, tenant: str, generation: int, points: Points) -> bool:
        """A first copy: where neither a gate nor a point is in the range of the keys, gates are inserted and points
        copied. What comes in between makes one of both fail by its unique index."""
        with self._session.transaction(writing=True) as connection:
            held = self._run(connection, _HELD, tenant=tenant, first=min(points), last=max(points)).fetchone()
            if held[0] or not self._gates.inserted(connection, tenant, generation, list(points)):
                return False
            with connection.cursor().copy(SQL(_COPY_PLAINLY).format(**self._words)) as copy:
                copy.write(_rows(self.name, points, tenant))
        return True

    def _write(self, connection: psycopg.Connection[Row], tenant: str, points: Points) -> None:
        connection.execute(SQL(_INCOMING).format(**self._words), ())
        with connection.cursor().copy(_COPY) as copy:
            copy.write(_rows(self.name, points))
        self._run(connection, _WRITE, tenant=tenant)

    def _ensure(self, points: Points) -> None:
        """Makes the table where there is none, as wide as the first vector."""
        if self._words:
            return
        sizes = {len(vector) // 4 for vector, _ in points.values()}
        if len(sizes) > 1:
            raise StoreFailed(
                f"{self.name}: vectors of several sizes ({', '.join(map(str, sorted(sizes)))}) in one put"
            )
        with self._session.transaction(writing=True) as connection:
            if self._known(connection) or not sizes:
                return
            if (found := connection.execute(_EXTENSION).fetchone()) is None:
                raise StoreFailed(
                    f"{self._session.where}: the extension pgvector is not there",
                    next_step="CREATE EXTENSION vector; in that database, as one who may.",
                )
            words = self._named(str(found[0])) | {"size": SQL(str(sizes.pop()))}
            connection.execute(SQL(_MAKE).format(**words), ())
        with self._session.transaction() as connection:
            self._known(connection)

    def _known(self, connection: psycopg.Connection[Row]) -> bool:
        """Whether the table is there; learns its shape once. Raises ``StoreFailed`` where it is none of points."""
        if self._words:
            return True
        where = quoted(*relation_parts(self._table)).as_string(connection).replace("%%", "%")
        shape = {str(row[0]): row[1:] for row in connection.execute(_SHAPE, (where,))}
        if not shape:
            return False
        lacking = [name for name in self._columns.model_dump().values() if name not in shape]
        vector = shape.get(self._columns.vector)
        if lacking or vector is None or not vector[2]:
            said = f"lacks {', '.join(lacking)}" if lacking else f"has no vectors in {self._columns.vector}"
            raise StoreFailed(
                f"{self._session.where}: the table {self._table} {said}",
                next_step="Name its columns under `columns: {tenant, id, vector, payload}`.",
            )
        self._refuse_without_unique(connection, where)
        if (found := connection.execute(_EXTENSION).fetchone()) is None:
            return False
        ident, tenant = shape[self._columns.id], shape[self._columns.tenant]
        key = quoted(self._columns.id) if ident[3] and ident[0] == "text" else None
        self._plain_types = key is not None and tenant[0] == "text" and shape[self._columns.payload][0] == "jsonb"
        self._words = self._named(str(found[0])) | {
            "id_type": SQL(ident[0]),
            "tenant_type": SQL(tenant[0]),
            "key": key or SQL('{}::text COLLATE "C"').format(quoted(self._columns.id)),
        }
        return True

    def _refuse_without_unique(self, connection: psycopg.Connection[Row], table: str) -> None:
        """A first copy would pass, and the first put over it fail."""
        pair = (self._columns.tenant, self._columns.id)
        found = connection.execute(_UNIQUE, {"table": table, "names": list(pair)}).fetchone()
        if found == (True,):
            return
        names = ", ".join(quoted(name).as_string(connection).replace("%%", "%") for name in pair)
        raise StoreFailed(
            f"{self._session.where}: the table {self._table} has no unique index on exactly ({', '.join(pair)})"
            + (" but one of a constraint that is deferrable" if found == (False,) else "")
            + ", and no point could be put over an older one",
            next_step=("Drop that constraint, then: " if found == (False,) else "")
            + f"CREATE UNIQUE INDEX ON {table} ({names}); in that database, and try again.",
        )

    def _named(self, schema: str) -> dict[str, Composable]:
        columns = {name: quoted(column) for name, column in self._columns.model_dump().items()}
        return columns | {
            "table": quoted(*relation_parts(self._table)),
            "schema": quoted(schema),
            "type": quoted(schema, "vector"),
            "send": quoted(schema, "vector_send"),
        }

    def _run(self, connection: psycopg.Connection[Row], statement: LiteralString, **values: object) -> Any:
        return connection.execute(SQL(statement).format(**self._words), values, binary=True)


def _rows(name: str, points: Points, *before: str) -> bytes:
    """COPY's binary format of: what stands ``before``, id, vector (as pgvector receives it: size, 0, float32s), jsonb
    (version 1)."""
    begun = struct.pack(">h", 3 + len(before)) + b"".join(_field(text.encode()) for text in before)
    swapped = np.frombuffer(b"".join(vector for vector, _ in points.values()), dtype="<f4").astype(">f4").tobytes()
    written, start = [_SIGNATURE], 0
    for key, (vector, payload) in points.items():
        if b"\\u0000" in payload and _NUL.search(payload):
            raise StoreFailed(
                f"{name}: the payload of point {key} contains NUL, which PostgreSQL does not store",
                next_step="Correct this point in the source first.",
            )
        end = start + len(vector)
        head = struct.pack(">ihh", len(vector) + 4, len(vector) // 4, 0)
        jsonb = struct.pack(">ib", len(payload) + 1, 1)
        written += (begun, _field(key.encode()), head, swapped[start:end], jsonb, payload)
        start = end
    written.append(b"\xff\xff")
    return b"".join(written)


def _field(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def _without_nul(after: str) -> str:
    return after.partition("\0")[0]

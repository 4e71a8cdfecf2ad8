"""Rows of tables of PostgreSQL, of one server or two, tenant by tenant: the mover ``sql-table``.

A body is the row as JSON by column name, sorted, without generated columns: whole numbers and booleans as such, every
other value as PostgreSQL's text under fixed settings, so that it has the same bytes on every server and whatever the
order of the columns. Rows whose tenant is NULL are nobody's and stay where they are.

**Writing.** One put is one transaction (``outgrow.movers.sql_writing``). Foreign keys and
triggers do not act on it (``session_replication_role``): rows come in an order of their own while the application
writes, a child before its parent; what the source's constraints hold at the flip, the target holds, since both are the
same then. A role that may not set this is refused beforehand where there are any. What the application registers is in
``outgrow.movers.registering``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, LiteralString

from pydantic import BaseModel, ConfigDict, Field, model_validator

from outgrow.movers.postgresql import (
    SQL,
    Gates,
    Row,
    Session,
    Url,
    checked_keys,
    checked_tenant,
    psycopg,
    quoted,
    wait_shortly,
)
from outgrow.movers.registering import Triggers
from outgrow.movers.sql_blocks import block_of, form_of, put_block
from outgrow.movers.sql_rows import items_of, page_of, typed
from outgrow.movers.sql_shape import Referred, Shape, asked_of, read_shape, unfit
from outgrow.movers.sql_writing import PLAINLY_FROM, Writing, sorted_by_shape
from outgrow.ports import Block, Clock, Copied, Copying, Item, Put, StoreFailed, TenantSize, digest_of

_PROVE_DELETE: LiteralString = "DELETE FROM {table} WHERE false"
_PROVE_INSERT: LiteralString = """
INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM {table} WHERE false"""
PROOF_LOCK_SECONDS = 1.0
"""How long a proof waits for a lock; writers of the tenant wait as long."""


class Table(BaseModel):
    """One moved table. ``key``: columns that tell a tenant's rows apart, by default the primary key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str = Field(min_length=1)
    tenant: str = Field(min_length=1, description="The column that says whose a row is.")
    key: tuple[str, ...] = ()
    target_table: str | None = Field(None, min_length=1, description="Its name in the target, where it is another.")


class Side(BaseModel):
    """Where the tables of one side are."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Url = Field(description="postgresql:// URL; the password from PGPASSWORD or the password file.")
    schema_: str = Field("public", alias="schema", min_length=1)


class Settings(BaseModel):
    """The keys of ``mover: {kind: sql-table, …}``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: str = "sql-table"
    source: str = "source"
    target: str = "target"
    source_store: Side
    target_store: Side
    tables: Annotated[tuple[Table, ...], Field(min_length=1, max_length=99)]
    on_both_sides: tuple[str, ...] = Field(
        (), description="Tables outside of the move that moved rows refer to: you keep the same rows on both sides."
    )
    register_: Literal["triggers", "application"] = Field(
        "triggers",
        alias="register",
        description="Who registers the application's writes: triggers, or itself, by outgrow.routing.",
    )

    @model_validator(mode="after")
    def _once_each(self) -> Settings:
        seen = [(table.table, table.tenant) for table in self.tables]
        if twice := next((one for one in seen if seen.count(one) > 1), None):
            raise ValueError(f"tables: {twice[0]} is named twice")
        return self


def check_settings(settings: Mapping[str, Any]) -> None:
    """Finds what is wrong without asking a server.

    Raises:
        ValidationError: pydantic's, with the keys.
        ValueError: source and target are the same tables.
    """
    declared = Settings.model_validate(dict(settings))
    source, target = declared.source_store, declared.target_store
    both = {table.table for table in declared.tables} & {table.target_table or table.table for table in declared.tables}
    if both and (source.url, source.schema_) == (target.url, target.schema_):
        raise ValueError(f"source and target are the same tables: {', '.join(sorted(both))}")


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
            said += unfit(ours, theirs, one_database=one_database, on_both_sides=declared.on_both_sides)
            source.ask_of(ours, asked_of(ours, theirs, one_database=one_database))
            target.ask_of(theirs, asked_of(theirs, ours, one_database=one_database))
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
    """The tables of one side; keeps ``outgrow.ports.Store`` and ``InBlocks``."""

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
        self._asked: dict[str, tuple[Referred, ...]] = {}
        self._forms: dict[str, str] = {}

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

    def ask_of(self, shape: Shape, referred: Sequence[Referred]) -> None:
        """Has rows of this table refused which refer to rows that are not there."""
        self._asked[shape.prefix] = tuple(referred)

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
            connection.execute("SET LOCAL enable_seqscan = on")
            for shape in shapes:
                for tenant, count in connection.execute(
                    SQL(statement).format(quoted(shape.tenant), shape.relation), ()
                ):
                    counts[tenant] = counts.get(tenant, 0) + count
        return [TenantSize(tenant, count) for tenant, count in counts.items()]

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        """As the contract says; one snapshot a table."""
        checked_tenant(self.name, tenant)
        (after,) = checked_keys(self.name, [after])
        shapes = [
            shape for shape in self.shapes() if after.startswith(shape.prefix) or _bytes(shape.prefix) > _bytes(after)
        ]
        found = list[Item]()
        with self.session.statements() as connection:
            for shape in shapes:
                if len(found) < limit:
                    found += page_of(connection, shape, tenant, after, limit - len(found))
        return found

    def items(self, tenant: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """As the contract says; one snapshot a table. Raises ``StoreFailed`` for what can be no key here."""
        checked_tenant(self.name, tenant)
        found = dict[str, bytes]()
        wanted = checked_keys(self.name, list(dict.fromkeys(keys)))
        by_shape = sorted_by_shape(self.session.where, self.shapes(), wanted)
        with self.session.statements() as connection:
            for shape, parts in by_shape:
                found |= items_of(connection, shape, tenant, parts)
        return {key: body for key, body in found.items() if key in set(keys)}

    def put(self, tenant: str, generation: int, items: Sequence[Item]) -> Put:
        """All of it or nothing."""
        checked_tenant(self.name, tenant)
        keys = checked_keys(self.name, [item.key for item in items])
        if not keys:
            return Put()
        self._gates.ensure()
        self._unobserved()
        if self._may_be_plain(items):
            try:
                with self.session.transaction(writing=True) as connection:
                    if self._writing(connection, tenant, generation).plainly(items):
                        return Put()
            except StoreFailed as failed:
                if not isinstance(failed.__cause__, psycopg.errors.UniqueViolation):
                    raise
        with self.session.transaction(writing=True) as connection:
            passed = self._writing(connection, tenant, generation).over(items)
        return Put(tuple(key for key in keys if key not in passed))

    def block_forms(self) -> Collection[str]:
        """Of each table whose rows are the same in binary form everywhere, and refer to nothing that is not moved."""
        return {form for prefix, form in self._named_forms().items() if form and not self._asked.get(prefix)}

    def block(self, tenant: str, after: str, limit: int, forms: Collection[str]) -> Block | None:
        """As the contract says: rows of the first table that has some behind ``after``; one snapshot a table."""
        checked_tenant(self.name, tenant)
        (after,) = checked_keys(self.name, [after])
        named = self._named_forms()
        for shape in self.shapes():
            if not (after.startswith(shape.prefix) or _bytes(shape.prefix) > _bytes(after)):
                continue
            form = named[shape.prefix]
            if not form or form not in forms:
                return None
            with self.session.statements() as connection:
                if (block := block_of(connection, shape, form, tenant, after, limit)) is not None:
                    return block
        return None

    def put_block(self, generation: int, block: Block) -> bool:
        """All of it or nothing. What PostgreSQL does not take is not said here: an item by item put says it better."""
        checked_tenant(self.name, block.tenant)
        named = self._named_forms()
        shape = next((shape for shape in self.shapes() if named[shape.prefix] == block.form), None)
        if shape is None or block.form not in self.block_forms():
            return False
        self._gates.ensure()
        self._unobserved()
        try:
            with self.session.transaction(writing=True) as connection:
                if not put_block(connection, self.session.where, self._gates, shape, generation, block):
                    raise psycopg.Rollback
                return True
        except StoreFailed as failed:
            cause = failed.__cause__
            if not isinstance(cause, psycopg.Error) or isinstance(cause, psycopg.OperationalError):
                raise
        return False

    def digests(self, tenant: str, after: str, limit: int) -> Sequence[Copied]:
        """As ``page``, but only digests."""
        return [Copied(item.key, digest_of(item.body or b"")) for item in self.page(tenant, after, limit)]

    def prove_writable(self, tenant: str) -> None:
        """The statements of a put, of no row, and a gate that is removed again: rights, policies, locks, a commit."""
        checked_tenant(self.name, tenant)
        shapes = self.shapes()
        self._gates.ensure()
        self._unobserved()
        with self.session.transaction(writing=True) as connection:
            wait_shortly(connection, PROOF_LOCK_SECONDS)
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
        self._unobserved()
        with self.session.transaction(writing=True) as connection:
            self._gates.forget(connection, tenant)
            for shape in reversed(shapes):
                words = (shape.relation, quoted(shape.tenant), typed(shape.tenant_column))
                connection.execute(SQL(statement).format(*words), [tenant])

    def close(self) -> None:
        """Closes the connection."""
        self.session.close()

    def _named_forms(self) -> Mapping[str, str]:
        """Of blocks, by table."""
        if not self._forms:
            shapes = self.shapes()
            with self.session.statements() as connection:
                self._forms = {shape.prefix: form_of(connection, shape) for shape in shapes}
        return self._forms

    def _may_be_plain(self, items: Sequence[Item]) -> bool:
        prefix = items[0].key.partition("/")[0] + "/"
        return (
            len(items) >= PLAINLY_FROM
            and any(shape.prefix == prefix for shape in self.shapes())
            and all(item.body is not None and item.key.startswith(prefix) for item in items)
            and not self._asked.get(prefix)
        )

    def _writing(self, connection: psycopg.Connection[Row], tenant: str, generation: int) -> Writing:
        return Writing(connection, self.session.where, self._gates, self.shapes(), tenant, generation, self._asked)

    def _unobserved(self) -> None:
        """Has no foreign key and no trigger act on what this connection writes."""
        if any(shape.observed for shape in self.shapes()):
            self.session.always("SET session_replication_role = replica")

    def _may_replicate(self) -> bool:
        try:
            with self.session.transaction(writing=True) as connection:
                connection.execute("SET LOCAL session_replication_role = replica")
        except StoreFailed:
            return False
        return True


def _bytes(text: str) -> bytes:
    return text.encode()

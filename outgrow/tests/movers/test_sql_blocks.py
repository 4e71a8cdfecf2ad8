"""Pages of rows as PostgreSQL's binary COPY: to the byte, only where that is sure, and all of a page or nothing."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.migrating.copying import Copier
from outgrow.migration.commands import CopyPage
from outgrow.migration.records import Migration, Pace, TenantMove
from outgrow.movers.postgresql import SQL
from outgrow.movers.sql_blocks import _key_values
from outgrow.movers.sql_shape import Column, Shape, key_of, parts_of
from outgrow.movers.sql_table import SqlTableStore, open_mover
from outgrow.ports import Copying, InBlocks, Item, StoreFailed
from outgrow.testing import FixedClock, MemoryMoveLedger, MemoryTruth

CLOCK = FixedClock(0.0)
NOTES: LiteralString = "CREATE TABLE {}.notes (tenant text, no int, word text, PRIMARY KEY (tenant, no))"
NOTE = {"table": "notes", "tenant": "tenant"}


def run(url: str, *statements: LiteralString | str, schema: str = "") -> list[Any]:
    with psycopg.connect(url, autocommit=True) as session:
        for statement in statements:
            made = SQL(statement).format(psycopg.sql.Identifier(schema)) if schema else SQL(statement)  # type: ignore[arg-type]
            found = session.execute(made)
        return found.fetchall() if found.description else []


@contextmanager
def opened(url: str, *tables: dict[str, Any], target: str = "", **more: Any) -> Iterator[Copying]:
    sides = {"source_store": {"url": url}, "target_store": {"url": target or url, "schema": "there"}}
    mover = open_mover({"kind": "sql-table", **sides, "tables": list(tables), **more}, CLOCK)
    yield mover
    mover.source.close()
    mover.target.close()


@pytest.fixture
def notes(postgresql: str) -> Iterator[Copying]:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, NOTES, schema=schema)
    run(postgresql, "INSERT INTO notes SELECT 'ana', n, 'n' || n FROM generate_series(-20, 79) AS n")
    run(postgresql, "INSERT INTO notes SELECT 'ben', n, 'n' || n FROM generate_series(1, 3) AS n")
    with opened(postgresql, NOTE) as mover:
        yield mover


def copied(mover: Copying, tenant: str = "ana", batch: int = 10) -> int:
    """By what carries out a move's commands; → how many."""
    ledger, row = MemoryMoveLedger(MemoryTruth()), TenantMove(tenant, 1)
    made = ledger.create(Migration("m", "p", "copying", "old", "new", 0.0, Pace(batch)), [row], "ana")
    copier, migration = Copier(mover, ledger), ledger.take(made, "ana")
    outcome = copier.carry_out(migration, row, CopyPage("", batch))
    count = outcome.copied
    while not outcome.ended:
        outcome = copier.carry_out(migration, row, CopyPage(outcome.last_key, batch))
        count += outcome.copied
    return count


def gates(url: str) -> tuple[int, int]:
    """Of keys, and of ranges."""
    ((keys, ranges),) = run(
        url, "SELECT (SELECT count(*) FROM outgrow.copied), (SELECT count(*) FROM outgrow.copied_range)"
    )
    return int(keys), int(ranges)


def forms(store: object) -> int:
    assert isinstance(store, InBlocks)
    return len(store.block_forms())


def same(mover: Copying, tenant: str = "ana") -> bool:
    source, target = (list(store.digests(tenant, "", 9999)) for store in (mover.source, mover.target))
    return bool(source) and source == target


VALUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "small": ("smallint", ("-32768", "32767", "NULL")),
    "whole": ("int", ("-2147483648", "0", "2147483647")),
    "big": ("bigint", ("-9223372036854775808", "1", "9223372036854775807")),
    "yes": ("boolean", ("true", "false", "NULL")),
    "words": ("text", ("E'o''neil \"%s\" \\n\\t\\\\ 漢🜁'", "''", "repeat('long ', 9000)")),
    "short": ("varchar(9)", ("'ä'", "''", "NULL")),
    "padded": ("char(5)", ("'ab'", "''", "'abcde'")),
    "who": ("uuid", ("'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "gen_random_uuid()", "NULL")),
    "exact": ("numeric(12,3)", ("-1.5", "'NaN'", "999999999.999")),
    "free": ("numeric", ("1e-300", "-12345678901234567890.123", "'Infinity'")),
    "float": ("float8", ("0.1::float8 + 0.2", "'-Infinity'", "5e-324")),
    "odd": ("float4", ("'NaN'", "3.4e38", "-0.0")),
    "bytes": ("bytea", (r"'\x00ff'", "''", "NULL")),
    "day": ("date", ("'4713-01-01 BC'", "'infinity'", "'2026-03-01'")),
    "clock": ("time", ("'24:00'", "'00:00:00.000001'", "NULL")),
    "there": ("timetz", ("'12:00+02'", "'00:00-15:59'", "NULL")),
    "at": ("timestamp(3)", ("'2026-03-01 12:00:00.123'", "'-infinity'", "NULL")),
    "zone": ("timestamptz", ("'2026-03-01 12:00:00.5+02'", "'infinity'", "'0044-03-15 BC'")),
    "took": ("interval", ("'1 mon 2 days 03:00'", "'-178000000 years'", "NULL")),
    "raw": ("json", ('\'{"b":  1, "b": 2}\'', "'null'", "NULL")),
    "doc": ("jsonb", ('\'{"b": 1.0, "a": null}\'', "'[]'", "NULL")),
    'q"uo%te': ("text", ("'%'", "NULL", "'%s'")),
}


def test_every_type_that_goes_in_blocks_arrives_as_it_was(postgresql: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema, order in (("public", 1), ("there", -1)):
        columns = ", ".join(f'"{n}" {t}'.replace('q"uo', 'q""uo') for n, (t, _) in list(VALUES.items())[::order])
        more = "twice int GENERATED ALWAYS AS (whole / 2) STORED"
        head = "id bigint GENERATED ALWAYS AS IDENTITY (START {} INCREMENT 2), tenant uuid, part uuid"
        key = "PRIMARY KEY (tenant, part, id)"
        create = f"CREATE TABLE {{0}}.kinds ({head.format(2 + (order < 0))}, {columns}, {more}, {key})"
        run(postgresql, create, schema=schema)
    tenant = str(uuid.uuid4())
    names = ", ".join(f'"{name}"'.replace('q"uo', 'q""uo') for name in VALUES)
    for place in range(3):
        values = ", ".join(written[place] for _, written in VALUES.values())
        run(postgresql, f"INSERT INTO kinds (tenant, part, {names}) VALUES ('{tenant}', gen_random_uuid(), {values})")
    run(postgresql, f"ALTER DATABASE {urlsplit(postgresql).path[1:]} SET DateStyle = 'German'")
    with opened(postgresql, {"table": "kinds", "tenant": "tenant"}) as mover:
        assert forms(mover.source) == forms(mover.target) == 1
        assert copied(mover, tenant, batch=2) == 3
        assert gates(postgresql) == (0, 2)
        assert same(mover, tenant)
    named = f"id, tenant, part, twice, {names}".replace('"raw"', '"raw"::text')
    assert run(postgresql, f"SELECT {named} FROM there.kinds EXCEPT SELECT {named} FROM kinds") == []


@pytest.mark.parametrize(
    "column",
    [
        "mood {0}.mood",
        "age {0}.age",
        '"text" {0}."text"',
        "list text[]",
        "place inet",
        "price money",
        "span int4range",
        "bits bit(3)",
        "mark xml",
        '"char" "char"',
    ],
)
def test_whatever_else_goes_item_by_item(postgresql: str, column: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(
            postgresql,
            "CREATE TYPE {0}.mood AS ENUM ('so so')",
            "CREATE DOMAIN {0}.age AS int",
            """CREATE TYPE {0}."text" AS (one int)""",
            f"CREATE TABLE {{0}}.notes (tenant text, no int PRIMARY KEY, {column})",
            schema=schema,
        )
    run(postgresql, "INSERT INTO notes SELECT 'ana', n FROM generate_series(1, 30) AS n")
    with opened(postgresql, NOTE) as mover:
        assert (forms(mover.source), forms(mover.target)) == (0, 0)
        assert copied(mover) == 30
        assert gates(postgresql) == (30, 0)
        assert same(mover)


@pytest.mark.parametrize("key", ["word text", "word varchar(9)", "word numeric", "word date"])
def test_keys_in_an_order_that_no_index_has_go_item_by_item(postgresql: str, key: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, f"CREATE TABLE {{0}}.notes (tenant text, {key}, PRIMARY KEY (tenant, word))", schema=schema)
    with opened(postgresql, NOTE) as mover:
        assert (forms(mover.source), forms(mover.target)) == (0, 0)


def test_a_database_of_another_encoding_goes_item_by_item(postgresql: str) -> None:
    name = f"{urlsplit(postgresql).path[1:]}_latin"
    run(postgresql, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    latin = urlunsplit(urlsplit(postgresql)._replace(path=f"/{name}"))
    try:
        run(latin, "CREATE SCHEMA there")
        run(latin, NOTES, schema="there")
        run(postgresql, NOTES, schema="public")
        run(postgresql, "INSERT INTO notes SELECT 'ana', n, 'ä' FROM generate_series(1, 30) AS n")
        with opened(postgresql, NOTE, target=latin) as mover:
            assert (forms(mover.source), forms(mover.target)) == (1, 0)
            assert copied(mover) == 30
            assert gates(latin) == (30, 0)
            assert same(mover)
    finally:
        run(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_page_of_a_table_without_statistics_is_sorted_in_memory(postgresql: str) -> None:
    """A full disk at the source is no reason to stop."""
    name = urlsplit(postgresql).path[1:]
    run(postgresql, "CREATE SCHEMA there", f"ALTER DATABASE {name} SET temp_file_limit = 0")
    for schema in ("public", "there"):
        run(postgresql, NOTES, "ALTER TABLE {}.notes SET (autovacuum_enabled = off)", schema=schema)
    run(postgresql, "INSERT INTO notes SELECT 'ana', no, repeat('x', 220) FROM generate_series(1, 40000) AS no")
    with opened(postgresql, NOTE) as mover:
        source = mover.source
        assert isinstance(source, InBlocks)
        block = source.block("ana", "", 16_000, source.block_forms())
        assert block is not None
        assert block.count == 16_000


def test_pages_of_several_tables_go_one_table_at_a_time(postgresql: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(
            postgresql,
            *(
                f"CREATE TABLE {{}}.{name} (tenant text, no int, word text, PRIMARY KEY (tenant, no))"
                for name in "abcd"
            ),
            "ALTER TABLE {}.c ADD list int[]",
            schema=schema,
        )
    for name, count in (("a", 7), ("c", 9), ("d", 4)):
        run(
            postgresql, f"INSERT INTO {name} (tenant, no, word) SELECT 'ana', n, 'x' FROM generate_series(1, {count}) n"
        )
    with opened(postgresql, *({"table": name, "tenant": "tenant"} for name in "abcd")) as mover:
        assert forms(mover.target) == 3
        assert copied(mover, batch=3) == 20
        assert same(mover)
        keys, ranges = gates(postgresql)
        assert (keys > 8, ranges >= 2) == (True, True)
        new = Item("02.b/a1", b'{"no":1,"tenant":"ana","word":"new"}')
        assert mover.target.put("ana", 0, [new]).refused == (), "a block's range ends with its table"


def test_a_first_copy_leaves_a_gate_for_each_page(postgresql: str, notes: Copying) -> None:
    assert copied(notes, batch=10) == 100
    assert gates(postgresql) == (0, 3), "one batch, then eight of them, then what is left"
    assert same(notes)
    assert copied(notes, "ben") == 3
    assert run(postgresql, "SELECT tenant, min(after), max(last) FROM outgrow.copied_range GROUP BY 1 ORDER BY 1") == [
        ("ana", "01.notes/", "01.notes/b79"),
        ("ben", "01.notes/", "01.notes/a3"),
    ]


@pytest.mark.parametrize("there", ["row", "another row", "tombstone", "unique"])
def test_where_something_is_held_that_page_goes_item_by_item(postgresql: str, there: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, NOTES, "CREATE UNIQUE INDEX ON {}.notes (tenant, word)", schema=schema)
    run(postgresql, "INSERT INTO notes SELECT 'ana', n, 'n' || n FROM generate_series(-20, 79) AS n")
    with opened(postgresql, NOTE) as mover:
        if there == "row":
            run(postgresql, "INSERT INTO there.notes VALUES ('ana', 40, 'left')")
        elif there == "another row":
            run(postgresql, "INSERT INTO there.notes VALUES ('ana', 40, 'left')", "DELETE FROM notes WHERE no = 40")
        elif there == "tombstone":
            mover.target.put("ana", 1, [Item("01.notes/b40", None)])
        else:
            mover.target.put("ana", 1, [Item("01.notes/c999", b'{"no":999,"tenant":"ana","word":"n40"}')])
        assert copied(mover, batch=10) == 100 - (there == "another row")
        keys, ranges = gates(postgresql)
        assert keys >= 10
        assert ranges >= 1
        if there == "another row":  # as it is with items: to compare finds what is too much
            run(postgresql, "DELETE FROM there.notes WHERE no = 40")
        assert same(mover)


def test_a_late_block_brings_nothing_back_that_the_application_deleted_since(postgresql: str, notes: Copying) -> None:
    """After a switch it writes to the target, and asks for no gate: the range alone is left."""
    source, target = notes.source, notes.target
    assert isinstance(source, SqlTableStore)
    assert isinstance(target, SqlTableStore)
    late = [source.block("ana", after, 30, target.block_forms()) for after in ("", "01.notes/a5")]
    assert copied(notes) == 100
    run(postgresql, "DELETE FROM there.notes")
    for block in late:
        assert block is not None
        assert not target.put_block(1, block)
    assert run(postgresql, "TABLE there.notes") == []


def test_rows_that_refer_to_what_is_not_moved_go_item_by_item(postgresql: str) -> None:
    """It is asked whether what they refer to is there."""
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, "CREATE TABLE {}.words (word text PRIMARY KEY)", NOTES, schema=schema)
        run(postgresql, "ALTER TABLE {0}.notes ADD FOREIGN KEY (word) REFERENCES {0}.words", schema=schema)
    run(postgresql, "INSERT INTO words VALUES ('w')", "INSERT INTO notes VALUES ('ana', 1, 'w')")
    with opened(postgresql, NOTE, on_both_sides=["words"]) as mover:
        source, target = mover.source, mover.target
        assert isinstance(source, SqlTableStore)
        assert isinstance(target, SqlTableStore)
        assert (forms(source), forms(target)) == (0, 0)
        block = source.block("ana", "", 9, list(source._named_forms().values()))
        assert block is not None
        assert not target.put_block(1, block)
        with pytest.raises(StoreFailed, match="which is not there"):
            copied(mover)
    assert run(postgresql, "TABLE there.notes") == []


def test_a_block_waits_for_a_put_that_is_under_way_and_sees_it(postgresql: str, notes: Copying) -> None:
    """A mark of a deletion, not yet committed while the block comes: there is no row that would stand in its way."""
    source, target = notes.source, notes.target
    assert isinstance(source, SqlTableStore)
    assert isinstance(target, SqlTableStore)
    block = source.block("ana", "", 50, target.block_forms())
    assert block is not None
    with opened(postgresql, NOTE) as other, ThreadPoolExecutor(1) as pool:
        gone = Item("01.notes/a5", None)
        other.target.put("ana", 1, [Item("01.notes/c500", None)])
        assert isinstance(other.target, SqlTableStore)
        with other.target.session.transaction(writing=True) as session:
            passed = other.target._gates.passed(session, "ana", 7, [gone.key], [True])
            assert passed == {gone.key}
            putting = pool.submit(target.put_block, 5, block)
            while not run(postgresql, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                assert not putting.done(), "it did not wait"
        assert putting.result() is False
    assert run(postgresql, "TABLE there.notes") == []


LATE = [Item(f"01.notes/b{no}", f'{{"no":{no},"tenant":"ana","word":"late"}}'.encode()) for no in range(10, 40)]


@pytest.mark.parametrize("late", [LATE, LATE[:1], [Item("01.notes/b44", None)]], ids=["many", "one", "gone"])
def test_a_late_put_waits_for_a_block_and_is_refused(postgresql: str, notes: Copying, late: list[Item]) -> None:
    """Each kind of put waits for a range that is not committed yet."""
    notes.target.put("ben", 1, [Item("01.notes/a9", None)])
    with opened(postgresql, NOTE) as other, ThreadPoolExecutor(1) as pool:
        assert isinstance(other.target, SqlTableStore)
        with other.target.session.transaction(writing=True) as session:
            assert other.target._gates.laid(session, "ana", 5, "01.notes/", "01.notes/b50")
            putting = pool.submit(notes.target.put, "ana", 4, late)
            while not run(postgresql, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                assert not putting.done(), "it did not wait"
        assert set(putting.result().refused) == {item.key for item in late}
    assert run(postgresql, "TABLE there.notes") == []


def test_a_row_of_a_block_gives_way_as_its_range_says(postgresql: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, NOTES, "CREATE UNIQUE INDEX ON {}.notes (tenant, word)", schema=schema)
    run(postgresql, "INSERT INTO notes SELECT 'ana', n, 'n' || n FROM generate_series(1, 9) AS n")
    with opened(postgresql, NOTE) as mover:
        source, target = mover.source, mover.target
        assert isinstance(source, SqlTableStore)
        assert isinstance(target, SqlTableStore)
        block = source.block("ana", "", 50, target.block_forms())
        assert block is not None
        assert target.put_block(5, block)
        late, newer = (Item("01.notes/b50", f'{{"no":50,"tenant":"ana","word":"n{n}"}}'.encode()) for n in (3, 4))
        assert target.put("ana", 4, [late]).refused == (late.key,)
        assert len(target.page("ana", "", 50)) == 9
        assert target.put("ana", 6, [newer]).refused == ()
        assert [item.key[-2:] for item in target.page("ana", "", 50)] == [
            *(f"a{n}" for n in (1, 2, 3, 5, 6, 7, 8, 9)),
            "50",
        ]


def test_a_block_that_is_cut_writes_all_or_nothing_and_may_be_repeated(postgresql: str, notes: Copying) -> None:
    run(
        postgresql,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.no = 50 THEN "
        "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$",
        "CREATE TRIGGER cut BEFORE INSERT ON there.notes FOR EACH ROW EXECUTE FUNCTION cut()",
        "ALTER TABLE there.notes ENABLE ALWAYS TRIGGER cut",
    )
    with pytest.raises(StoreFailed, match="does not answer"):
        copied(notes, batch=200)
    assert run(postgresql, "TABLE there.notes") == []
    assert gates(postgresql) == (0, 0)
    run(postgresql, "DROP TRIGGER cut ON there.notes")
    assert copied(notes, batch=200) == 100
    assert gates(postgresql) == (0, 1)


def test_a_block_that_holds_other_rows_than_it_says_is_refused_and_nothing_is_written(
    postgresql: str, notes: Copying
) -> None:
    source, target = notes.source, notes.target
    assert isinstance(source, SqlTableStore)
    assert isinstance(target, SqlTableStore)
    block = source.block("ana", "", 50, target.block_forms())
    assert block is not None
    for wrong in (
        replace(block, tenant="cyd"),
        replace(block, count=49),
        replace(block, count=51),
        replace(block, last="01.notes/a9"),
        replace(block, after="01.notes/a1"),
    ):
        with pytest.raises(StoreFailed, match="holds other rows than it says"):
            target.put_block(5, wrong)
        assert run(postgresql, "TABLE there.notes") == []
        assert gates(postgresql) == (0, 0)
    for unfit in (
        replace(block, form="another"),
        replace(block, data=block.data[:-9]),
        replace(block, data=b"no block"),
        replace(block, after="02.other/"),
        replace(block, last="01.notes/x"),
    ):
        assert not target.put_block(5, unfit)
        assert run(postgresql, "TABLE there.notes") == []
        assert gates(postgresql) == (0, 0)
    assert target.put_block(5, block)


def test_a_role_without_rights_on_ranges_is_told(postgresql: str, notes: Copying) -> None:
    notes.target.put("ana", 1, [Item("01.notes/c999", None)])
    role = f"mover_{uuid.uuid4().hex}"
    run(postgresql, f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word'")
    run(postgresql, f"GRANT ALL ON SCHEMA public, there, outgrow TO {role}")
    run(postgresql, f"GRANT ALL ON ALL TABLES IN SCHEMA public, there TO {role}")
    run(postgresql, f"GRANT ALL ON outgrow.copied TO {role}")
    parts = urlsplit(postgresql)
    url = urlunsplit(parts._replace(netloc=f"{role}:secret-word@{parts.netloc.rpartition('@')[2]}"))
    try:
        with opened(url, NOTE) as mover:
            with pytest.raises(StoreFailed, match="permission denied for table copied_range") as failed:
                mover.target.prove_writable("ana")
            assert "on schema outgrow" in failed.value.next_step
            run(postgresql, f"GRANT ALL ON outgrow.copied_range TO {role}")
            mover.target.prove_writable("ana")
            assert copied(mover) == 100
            assert gates(postgresql)[1] > 0
    finally:
        run(postgresql, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_gates_from_before_there_were_ranges_go_on(postgresql: str, notes: Copying) -> None:
    notes.target.put("ana", 7, [Item("01.notes/a5", None)])
    run(postgresql, "DROP TABLE outgrow.copied_range")
    with opened(postgresql, NOTE) as mover:
        mover.target.settle("ben")
        assert mover.target.put("ana", 6, [Item("01.notes/a5", None)]).refused == ("01.notes/a5",)
        mover.target.drop("ana")
        assert copied(mover) == 100
        assert gates(postgresql)[0] == 0


@given(
    st.lists(st.one_of(st.none(), st.binary(max_size=9)), min_size=2, max_size=2),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**15), 2**15 - 1),
    st.uuids(),
)
def test_the_key_is_read_from_a_row_in_binary_form(
    others: list[bytes | None], big: int, small: int, who: uuid.UUID
) -> None:
    bases = {"b": "int8", "d": "int2", "f": "uuid"}
    columns = tuple(Column(name, "", bases.get(name, "text"), -1, False, True) for name in "fedcba")
    shape = Shape("01.t/", "public", "t", "a", ("f", "b", "d"), columns)
    values = [b"ana", big.to_bytes(8, signed=True), others[0], small.to_bytes(2, signed=True), others[1], who.bytes]
    fields = b"".join(struct.pack(">i", -1) if v is None else struct.pack(">i", len(v)) + v for v in values)
    found = _key_values(shape, struct.pack(">h", 6) + fields)
    assert found == {"b": str(big), "d": str(small), "f": str(who)}
    assert parts_of(shape, key_of(shape, found)) == (str(who), str(big), str(small))

"""Rows of PostgreSQL as items: the contract, bytes that hold on every server, foreign keys, and refusals in words."""

from __future__ import annotations

import json
import random
import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from outgrow.movers.postgresql import SQL
from outgrow.movers.sql_shape import Column, Shape, key_of, parts_of
from outgrow.movers.sql_table import open_mover
from outgrow.movers.sql_writing import Writing
from outgrow.ports import Copying, Item, Store, StoreFailed
from outgrow.testing import FixedClock
from outgrow.testing.store_contract import StoreContract

CLOCK = FixedClock(0.0)
SHOP: LiteralString = """
CREATE TABLE {0}.customers (shop text, id int, name text NOT NULL, UNIQUE (shop, name), PRIMARY KEY (shop, id));
CREATE TABLE {0}.orders (
    shop text, id bigint, customer int, parent bigint, net numeric(12, 2), paid bool, at timestamptz, note text,
    gross numeric GENERATED ALWAYS AS (net * 1.25) STORED,
    PRIMARY KEY (shop, id),
    FOREIGN KEY (shop, customer) REFERENCES {0}.customers ON DELETE CASCADE,
    FOREIGN KEY (shop, parent) REFERENCES {0}.orders
)"""
TABLES = [{"table": "orders", "tenant": "shop"}, {"table": "customers", "tenant": "shop"}]


def run(url: str, *statements: LiteralString | str, schema: str = "") -> list[Any]:
    with psycopg.connect(url, autocommit=True) as session:
        for statement in statements:
            found = session.execute(SQL(statement).format(psycopg.sql.Identifier(schema)) if schema else SQL(statement))  # type: ignore[arg-type]
        return found.fetchall() if found.description else []


def settings(url: str, *tables: dict[str, Any], target: str = "there") -> dict[str, Any]:
    sides = {"source_store": {"url": url, "schema": "public"}, "target_store": {"url": url, "schema": target}}
    return {"kind": "sql-table", **sides, "tables": list(tables)}


@pytest.fixture
def shop(postgresql: str) -> str:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, *SHOP.split(";"), schema=schema)
    return postgresql


@pytest.fixture
def mover(shop: str) -> Iterator[Copying]:
    mover = open_mover(settings(shop, *TABLES), CLOCK)
    yield mover
    mover.source.close()
    mover.target.close()


def customer(shop: str, number: int, name: str) -> Item:
    body = json.dumps({"id": number, "name": name, "shop": shop}, ensure_ascii=False, separators=(",", ":"))
    return Item(f"02.customers/{chr(96 + len(str(number)))}{number}", body.encode())


def carry(mover: Copying, tenant: str, limit: int = 3, generation: int = 1) -> int:
    after, count = "", 0
    while page := mover.source.page(tenant, after, limit):
        mover.target.put(tenant, generation, page)
        after, count = page[-1].key, count + len(page)
    return count


class TestRows(StoreContract):
    @pytest.fixture
    def store(self, mover: Copying) -> Store:
        return mover.target

    @pytest.fixture(autouse=True)
    def _url(self, shop: str) -> None:
        self.url = shop

    def item(self, tenant: str, place: int, version: int) -> Item:
        return customer(tenant, place * 7, f"{place} {version}")

    def reopened(self, store: Store) -> Store:
        mover = open_mover(settings(self.url, *TABLES), CLOCK)
        mover.source.close()
        return mover.target


class TestRowsByText(StoreContract):
    """Keys of several columns, in an order that no index has."""

    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[Store]:
        make = (
            "CREATE TABLE {}.words (tenant varchar(50), word text, no int, said text, PRIMARY KEY (no, word, tenant))"
        )
        run(postgresql, "CREATE SCHEMA there")
        run(postgresql, make, schema="public")
        run(postgresql, make, schema="there")
        mover = open_mover(settings(postgresql, {"table": "words", "tenant": "tenant"}), CLOCK)
        yield mover.source
        mover.source.close()
        mover.target.close()

    def item(self, tenant: str, place: int, version: int) -> Item:
        word = ("ä", "a,", "Z", "~\\", "a\\,")[place % 5] + str(place)
        row = {"no": place - 3, "said": str(version), "tenant": tenant, "word": word}
        no = f"-{place - 3 + 2**63:019d}" if place < 3 else f"{chr(96 + len(str(place - 3)))}{place - 3}"
        escaped = word.replace("\\", "\\\\").replace(",", "\\,")
        body = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        return Item(f"01.words/{no},{escaped}", body.encode())


VALUES: dict[str, tuple[str, str, object]] = {
    "small": ("smallint", "-7", -7),
    "big": ("bigint", "9223372036854775807", 9223372036854775807),
    "yes": ("boolean", "true", True),
    "words": ("text", "E'o''neil \"%s\" \\n 漢'", 'o\'neil "%s" \n 漢'),
    "padded": ("char(5)", "'ab'", "ab"),
    "exact": ("numeric(9,3)", "1.5", "1.500"),
    "float": ("float8", "0.1::float8 + 0.2::float8", "0.30000000000000004"),
    "odd": ("float4", "'NaN'", "NaN"),
    "at": ("timestamptz", "'2026-03-01 12:00:00.5+02'", "2026-03-01 10:00:00.5+00"),
    "day": ("date", "'2026-03-01'", "2026-03-01"),
    "took": ("interval", "'1 mon 2 days 03:00'", "1 mon 2 days 03:00:00"),
    "bytes": ("bytea", r"'\x00ff'", r"\x00ff"),
    "list": ("text[]", "ARRAY['a,b', NULL, '\"']", '{"a,b",NULL,"\\""}'),
    "doc": ("jsonb", '\'{"b": 1.0, "a": null}\'', '{"a": null, "b": 1.0}'),
    "raw": ("json", "'{\"b\":  1}'", '{"b":  1}'),
    "who": ("uuid", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    "mood": ("{0}.mood", "'so so'", "so so"),
    "bits": ("bit(3)", "B'101'", "101"),
    "none": ("text", "NULL", None),
    'q"uo%te': ("int4range", "'[1,5)'", "[1,5)"),
}


def test_every_type_has_one_text_and_comes_back_the_same(postgresql: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema, order in (("public", 1), ("there", -1)):
        columns = ", ".join(f'"{n}" {t}'.replace('q"uo', 'q""uo') for n, (t, _, _) in list(VALUES.items())[::order])
        run(postgresql, "CREATE TYPE {0}.mood AS ENUM ('so so')", schema=schema)
        run(postgresql, f"CREATE TABLE {{0}}.kinds (id int PRIMARY KEY, tenant uuid, {columns})", schema=schema)
    tenant = str(uuid.uuid4())
    names = ", ".join(f'"{name}"'.replace('q"uo', 'q""uo') for name in VALUES)
    values = ", ".join(written for _, written, _ in VALUES.values())
    run(postgresql, f"INSERT INTO kinds (id, tenant, {names}) VALUES (5, '{tenant}', {values})")
    run(postgresql, f"ALTER DATABASE {urlsplit(postgresql).path[1:]} SET DateStyle = 'German'")
    mover = open_mover(settings(postgresql, {"table": "kinds", "tenant": "tenant"}), CLOCK)
    try:
        assert carry(mover, tenant) == 1
        (item,) = mover.source.page(tenant, "", 5)
        expected: dict[str, object] = {name: value for name, (_, _, value) in VALUES.items()}
        assert json.loads(item.body or b"") == expected | {"id": 5, "tenant": tenant}
        assert list(mover.target.page(tenant, "", 5)) == [item]
    finally:
        mover.source.close()
        mover.target.close()


def test_children_may_come_before_parents_and_generated_columns_make_themselves(shop: str, mover: Copying) -> None:
    run(shop, "INSERT INTO customers SELECT 'ana', n, 'c' || n FROM generate_series(1, 40) n")
    run(
        shop,
        "INSERT INTO orders SELECT 'ana', n, n % 40 + 1, CASE WHEN n < 60 THEN n + 1 END, n / 4.0, n % 2 = 0, now() "
        "FROM generate_series(1, 60) n ORDER BY n DESC",
    )
    assert carry(mover, "ana", limit=7) == 100
    for table in ("orders", "customers"):
        assert run(shop, f"TABLE there.{table} EXCEPT TABLE public.{table}") == []
    assert list(mover.target.digests("ana", "", 500)) == list(mover.source.digests("ana", "", 500))
    assert [(size.tenant, size.items) for size in mover.target.tenants()] == [("ana", 100)]
    mover.target.drop("ana")
    assert run(shop, "SELECT count(*) FROM there.orders") == [(0,)]


def test_rows_that_swap_what_is_unique_come_through(shop: str, mover: Copying) -> None:
    run(shop, "INSERT INTO customers VALUES ('ana', 1, 'one'), ('ana', 2, 'two')")
    carry(mover, "ana")
    swapped = [customer("ana", 1, "two"), customer("ana", 2, "one")]
    assert mover.target.put("ana", 2, swapped).refused == ()
    assert list(mover.target.page("ana", "", 9)) == swapped


def test_a_row_gives_way_to_one_that_took_what_was_unique_to_it(shop: str, mover: Copying) -> None:
    mover.target.put("ana", 3, [customer("ana", 1, "one")])
    assert mover.target.put("ana", 5, [customer("ana", 2, "one")]).refused == ()
    assert list(mover.target.page("ana", "", 9)) == [customer("ana", 2, "one")]
    late = customer("ana", 3, "one")
    assert tuple(mover.target.put("ana", 4, [late, customer("ana", 4, "four")]).refused) == (late.key,)
    assert list(mover.target.page("ana", "", 9)) == [customer("ana", 2, "one"), customer("ana", 4, "four")]


def test_a_key_that_another_tenant_holds_is_said(postgresql: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, "CREATE TABLE {0}.notes (id int PRIMARY KEY, tenant text)", schema=schema)
    run(postgresql, "INSERT INTO notes VALUES (1, 'ana')", "INSERT INTO there.notes VALUES (1, 'ben')")
    mover = open_mover(settings(postgresql, {"table": "notes", "tenant": "tenant"}), CLOCK)
    try:
        with pytest.raises(StoreFailed, match=r"Key \(id\)=\(1\) already exists"):
            carry(mover, "ana")
        assert run(postgresql, "TABLE there.notes") == [(1, "ben")]
    finally:
        mover.source.close()
        mover.target.close()


def test_tables_that_do_not_fit_are_refused_with_all_that_differs(postgresql: str) -> None:
    run(
        postgresql,
        "CREATE SCHEMA there",
        "CREATE TABLE notes (id serial PRIMARY KEY, tenant text, a int, b varchar(10), c text)",
        "CREATE TABLE there.notes (id serial PRIMARY KEY, tenant text, b varchar(20), c text NOT NULL, d int)",
        "CREATE TABLE likes (note int REFERENCES notes)",
    )
    with pytest.raises(StoreFailed) as failed:
        open_mover(settings(postgresql, {"table": "notes", "tenant": "tenant"}), CLOCK)
    for said in (
        "there.notes lacks the column a",
        "public.notes lacks the column d",
        "the column b is varchar (modifier 14) in public.notes and varchar (modifier 24) in there.notes",
        "the column c is text in public.notes and text not null in there.notes",
        "likes refers to public.notes and is not moved",
        "both sides count public.notes.id up by a sequence of their own",
    ):
        assert said in failed.value.message
    with pytest.raises(StoreFailed, match=r"there is no table public\.nothing"):
        open_mover(settings(postgresql, {"table": "nothing", "tenant": "tenant"}), CLOCK)
    with pytest.raises(StoreFailed, match="has no column owner"):
        open_mover(settings(postgresql, {"table": "notes", "tenant": "owner"}), CLOCK)
    with pytest.raises(StoreFailed, match="cannot be told apart"):
        open_mover(settings(postgresql, {"table": "notes", "tenant": "tenant", "key": ["a"]}), CLOCK)
    with pytest.raises(StoreFailed, match="are the same tables"):
        open_mover(settings(postgresql, {"table": "notes", "tenant": "tenant"}, target="public"), CLOCK)
    with pytest.raises(ValidationError, match="tabels"):
        open_mover(settings(postgresql) | {"tabels": []}, CLOCK)


@pytest.mark.parametrize(
    ("one", "other", "fits"),
    [
        ("serial", "bigserial", None),
        ("int GENERATED ALWAYS AS IDENTITY", "int GENERATED ALWAYS AS IDENTITY (START 5000000)", True),
        ("int DEFAULT nextval('shared')", "int DEFAULT nextval('shared')", True),
        ("int GENERATED ALWAYS AS IDENTITY", "serial", False),
        (
            "int GENERATED BY DEFAULT AS IDENTITY (INCREMENT 2)",
            "int GENERATED BY DEFAULT AS IDENTITY (START 2 INCREMENT 2)",
            True,
        ),
    ],
)
def test_sequences_that_would_meet_are_refused(postgresql: str, one: str, other: str, fits: bool | None) -> None:
    run(postgresql, "CREATE SCHEMA there", "CREATE SEQUENCE shared")
    run(postgresql, f"CREATE TABLE notes (id {one} PRIMARY KEY, tenant text, no int)")
    run(postgresql, f"CREATE TABLE there.notes (id {other} PRIMARY KEY, tenant text, no int)")
    run(postgresql, "INSERT INTO notes (tenant, no) VALUES ('ana', 1), ('ana', 2)")
    if not fits:
        with pytest.raises(StoreFailed, match="column id is int4" if fits is None else "would give out the same"):
            open_mover(settings(postgresql, {"table": "notes", "tenant": "tenant"}), CLOCK)
        return
    mover = open_mover(settings(postgresql, {"table": "notes", "tenant": "tenant"}), CLOCK)
    try:
        for generation in (1, 2):
            assert carry(mover, "ana", generation=generation) == 2
        run(postgresql, "INSERT INTO there.notes (tenant, no) VALUES ('ana', 3)")
        assert run(postgresql, "SELECT count(*) FROM there.notes") == [(3,)]
    finally:
        mover.source.close()
        mover.target.close()


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize(
    "kind", ["serial", "bigserial", "int GENERATED ALWAYS AS IDENTITY", "int GENERATED BY DEFAULT AS IDENTITY"]
)
def test_the_advice_on_sequences_works_as_it_is_written(postgresql: str, kind: str, used: bool) -> None:
    run(postgresql, 'CREATE SCHEMA "th ere"')
    for schema in ("public", '"th ere"'):
        run(postgresql, f"CREATE TABLE {schema}.notes (id {kind} PRIMARY KEY, tenant text)")
    if used:
        run(postgresql, "INSERT INTO notes (tenant) VALUES ('ana'), ('ana')")
    declared = settings(postgresql, {"table": "notes", "tenant": "tenant"}, target="th ere")
    with pytest.raises(StoreFailed, match="would give out the same") as refused:
        open_mover(declared, CLOCK)
    advice = re.search(r'ALTER SEQUENCE "th ere"\."notes_id_seq" RESTART \d+', refused.value.message)
    assert advice is not None
    run(postgresql, advice[0])
    mover = open_mover(declared, CLOCK)
    mover.source.close()
    mover.target.close()
    run(postgresql, "INSERT INTO \"th ere\".notes (tenant) VALUES ('ana')")
    assert run(postgresql, 'SELECT id > 1000000 FROM "th ere".notes') == [(True,)]


def test_a_sequence_without_room_says_what_else_there_is(postgresql: str) -> None:
    run(postgresql, "CREATE SCHEMA there")
    for schema in ("public", "there"):
        run(postgresql, f"CREATE TABLE {schema}.notes (id smallserial PRIMARY KEY, tenant text)")
    with pytest.raises(StoreFailed, match="ends at 32767 and cannot be set far ahead"):
        open_mover(settings(postgresql, {"table": "notes", "tenant": "tenant"}), CLOCK)


def test_bodies_are_the_bytes_that_anybody_else_would_make(shop: str, mover: Copying) -> None:
    odd = "".join(map(chr, range(1, 0x100))) + '\u2028 \u202e 🜁 "\\/'
    with psycopg.connect(shop, autocommit=True) as session:
        session.execute("INSERT INTO customers VALUES ('ana', 1, %s)", (odd,))
    assert list(mover.source.page("ana", "", 9)) == [customer("ana", 1, odd)]
    assert mover.source.items("ana", ["02.customers/a1"]) == {"02.customers/a1": customer("ana", 1, odd).body}


class TestAFirstCopyIsPlain:
    """Many rows of one table, where nothing is held, are inserted in one statement; whatever is held, gates hold."""

    many = tuple(customer("ana", number, f"n{number}") for number in range(1, 41))

    @pytest.fixture
    def plain(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """Whether each page was inserted plainly."""
        seen = list[bool]()
        plainly = Writing.plainly

        def watched(writing: Writing, items: Sequence[Item]) -> bool:
            seen.append(False)
            seen[-1] = plainly(writing, items)
            return seen[-1]

        monkeypatch.setattr(Writing, "plainly", watched)
        return seen

    def test_it_leaves_a_gate_for_each_row(self, shop: str, mover: Copying, plain: list[bool]) -> None:
        assert mover.target.put("ana", 5, self.many).refused == ()
        assert plain == [True]
        assert run(shop, "SELECT count(*), min(generation), max(generation) FROM outgrow.copied") == [(40, 5, 5)]
        late = [customer("ana", number, f"late {number}") for number in range(1, 41)]
        assert set(mover.target.put("ana", 4, late).refused) == {item.key for item in late}
        assert sorted(mover.target.page("ana", "", 99), key=lambda item: item.key) == sorted(
            self.many, key=lambda item: item.key
        )
        assert mover.target.put("ana", 6, late).refused == ()
        assert plain == [True, False, False]

    def test_a_tombstone_among_them_holds(self, mover: Copying, plain: list[bool]) -> None:
        mover.target.put("ana", 9, [Item(self.many[7].key, None)])
        assert tuple(mover.target.put("ana", 5, self.many).refused) == (self.many[7].key,)
        assert len(mover.target.page("ana", "", 99)) == 39
        assert plain == [False]

    def test_a_row_that_the_application_left_is_replaced(self, shop: str, mover: Copying, plain: list[bool]) -> None:
        run(shop, "INSERT INTO there.customers VALUES ('ana', 8, 'left'), ('ben', 8, 'his')")
        assert mover.target.put("ana", 5, self.many).refused == ()
        assert plain == [False]
        assert set(mover.target.page("ana", "", 99)) == set(self.many)

    def test_what_is_unique_and_held_by_an_older_row_is_taken(self, mover: Copying, plain: list[bool]) -> None:
        mover.target.put("ana", 2, [customer("ana", 99, "n8")])
        assert mover.target.put("ana", 5, self.many).refused == ()
        assert plain == [False]
        assert set(mover.target.page("ana", "", 99)) == set(self.many)

    def test_one_that_comes_in_between_makes_it_begin_anew(self, shop: str, mover: Copying, plain: list[bool]) -> None:
        """A tombstone of a newer generation, not yet committed while the page is looked at."""
        mover.target.put("ben", 1, [customer("ben", 1, "gates are there")])
        with psycopg.connect(shop) as other, ThreadPoolExecutor(1) as pool:
            relation = other.execute("SELECT relation FROM outgrow.copied").fetchall()[0][0]
            other.execute("INSERT INTO outgrow.copied VALUES (%s, 'ana', %s, 9, true)", (relation, self.many[20].key))
            putting = pool.submit(mover.target.put, "ana", 5, self.many)
            while not run(shop, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                assert not putting.done(), "it did not wait"
            other.commit()
            assert tuple(putting.result().refused) == (self.many[20].key,)
        assert plain == [False]
        assert len(mover.target.page("ana", "", 99)) == 39

    def test_a_row_under_another_key_or_of_another_tenant_is_refused(self, shop: str, mover: Copying) -> None:
        wrong = [
            (Item(self.many[20].key, customer("ana", 77, "n77").body), "holds another row"),
            (customer("ben", 77, "n77"), "holds another row"),
            (Item("02.customers/b77", b"[]"), "is no row of"),
            (Item("02.customers/b77", b'{"id":77,"shop":"ana"}'), "is no row of"),
        ]
        for item, said in wrong:
            page = [*self.many[:20], item, *self.many[21:]]
            with pytest.raises(StoreFailed, match=said):
                mover.target.put("ana", 5, page)
            assert run(shop, "SELECT count(*) FROM there.customers") == [(0,)]
            assert run(shop, "SELECT count(*) FROM outgrow.copied") == [(0,)]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ('{"id":21,"name":"x","shop":null}', "holds another row"),
            ('{"id":21,"shop":"ana"}', "is no row of"),
            ('{"colour":"red","id":21,"name":"x","shop":"ana"}', "is no row of"),
            ('{"id":21,"name":"x","shop":"ana"},{"id":21,"name":"x","shop":"ana"}', "is no row of"),
            ('{"id":21,"name":"x","shop":"ana"', "is no row of"),
            ('{"id":null,"name":"x","shop":"ana"}', "is no row of|holds another row"),
        ],
    )
    def test_one_body_in_the_middle_that_is_no_whole_row_is_refused(
        self, postgresql: str, plain: list[bool], body: str, said: str
    ) -> None:
        """Where the table would take it: its columns may be NULL."""
        run(postgresql, "CREATE SCHEMA there")
        for schema in ("public", "there"):
            run(postgresql, "CREATE TABLE {}.customers (shop text, id int NOT NULL, name text)", schema=schema)
            run(postgresql, "CREATE UNIQUE INDEX ON {}.customers (shop, id)", schema=schema)
        mover = open_mover(settings(postgresql, {"table": "customers", "tenant": "shop", "key": ["id"]}), CLOCK)
        page = [Item(item.key.replace("02.", "01."), item.body) for item in self.many]
        wrong = [*page[:20], Item(page[20].key, body.encode()), *page[21:]]
        try:
            with pytest.raises(StoreFailed, match=said):
                mover.target.put("ana", 5, wrong)
            assert run(postgresql, "SELECT count(*) FROM there.customers") == [(0,)]
            assert mover.target.put("ana", 5, page).refused == ()
            assert plain == [False, True]
        finally:
            mover.source.close()
            mover.target.close()


CITIES: LiteralString = """
CREATE TABLE {0}.cities (id int PRIMARY KEY, name text);
CREATE TABLE {0}.shops (shop text, no int, city int REFERENCES {0}.cities, PRIMARY KEY (shop, no))"""


class TestReferringToWhatIsNotMoved:
    declared = ({"table": "shops", "tenant": "shop"},)

    @pytest.fixture
    def cities(self, postgresql: str) -> str:
        run(postgresql, "CREATE SCHEMA there")
        for schema in ("public", "there"):
            run(postgresql, *CITIES.split(";"), schema=schema)
        run(
            postgresql,
            "INSERT INTO cities VALUES (1, 'Aa'), (2, 'Bb')",
            "INSERT INTO there.cities VALUES (1, 'Aa')",
            "INSERT INTO shops VALUES ('ana', 1, 1), ('ana', 2, NULL), ('ana', 3, 2)",
        )
        return postgresql

    def test_it_is_refused_until_people_say_that_they_keep_both_sides_alike(self, cities: str) -> None:
        with pytest.raises(StoreFailed) as failed:
            open_mover(settings(cities, *self.declared), CLOCK)
        assert "there.shops refers to there.cities, which is not moved" in failed.value.message
        assert "on_both_sides" in failed.value.message

    def test_a_row_whose_other_is_not_there_is_said_and_not_put(self, cities: str) -> None:
        mover = open_mover(settings(cities, *self.declared) | {"on_both_sides": ["cities"]}, CLOCK)
        try:
            with pytest.raises(StoreFailed, match=r"01.shops/a3 refers to \(2\) in there.cities, which is not there"):
                carry(mover, "ana")
            assert run(cities, "TABLE there.shops") == []
            run(cities, "INSERT INTO there.cities VALUES (2, 'Bb')")
            assert carry(mover, "ana", generation=2) == 3
        finally:
            mover.source.close()
            mover.target.close()

    def test_both_sides_may_refer_to_one_table(self, cities: str) -> None:
        run(
            cities,
            "ALTER TABLE there.shops DROP CONSTRAINT shops_city_fkey",
            "ALTER TABLE there.shops ADD FOREIGN KEY (city) REFERENCES cities",
        )
        mover = open_mover(settings(cities, *self.declared), CLOCK)
        try:
            assert carry(mover, "ana", limit=1) == 3
        finally:
            mover.source.close()
            mover.target.close()


def test_of_puts_at_the_same_time_the_newest_stays(shop: str) -> None:
    movers = [open_mover(settings(shop, *TABLES), CLOCK) for _ in range(3)]
    dice = random.Random(5)
    puts = [
        (generation, [customer("ana", number, f"{number} at {generation}") for number in dice.sample(range(12), 6)])
        for generation in range(1, 61)
    ]
    newest = {item.key: item for _, items in puts for item in items}
    dice.shuffle(puts)

    def work(place: int) -> None:
        for generation, items in puts[place :: len(movers)]:
            movers[place].target.put("ana", generation, items)

    try:
        with ThreadPoolExecutor(len(movers)) as pool:
            list(pool.map(work, range(len(movers))))
        assert {item.key: item for item in movers[0].target.page("ana", "", 99)} == newest
    finally:
        for mover in movers:
            mover.source.close()
            mover.target.close()


def test_what_is_there_all_the_time_is_in_a_page_whatever_is_written_beside_it(shop: str, mover: Copying) -> None:
    run(shop, "INSERT INTO customers SELECT 'ana', n * 2, 'kept ' || n FROM generate_series(1, 300) n")
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(shop, autocommit=True) as session:
            while not stop.is_set():
                session.execute(
                    "INSERT INTO customers SELECT 'ana', n * 2 + 1, 'new ' || n FROM generate_series(1, 300) n"
                )
                session.execute("UPDATE customers SET name = name || '.' WHERE id % 2 = 0 AND id < 99")
                session.execute("DELETE FROM customers WHERE id % 2 = 1")

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for _ in range(10):
                seen, after = list[str](), ""
                while page := mover.source.page("ana", after, 40):
                    seen += [item.key for item in page]
                    after = page[-1].key
                numbers = [int(key.split("/")[1][1:]) for key in seen]
                assert numbers == sorted(numbers)
                assert [number for number in numbers if number % 2 == 0] == list(range(2, 601, 2))
        finally:
            stop.set()
        writing.result()


def test_a_put_that_is_cut_writes_all_or_nothing_and_may_be_repeated(shop: str, mover: Copying) -> None:
    run(
        shop,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 50 THEN "
        "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$",
        "CREATE TRIGGER cut BEFORE INSERT ON there.customers FOR EACH ROW EXECUTE FUNCTION cut()",
        "ALTER TABLE there.customers ENABLE ALWAYS TRIGGER cut",
    )
    items = [customer("ana", number, str(number)) for number in range(1, 100)]
    with pytest.raises(StoreFailed, match="does not answer"):
        mover.target.put("ana", 2, items)
    assert list(mover.target.page("ana", "", 200)) == []
    run(shop, "DROP TRIGGER cut ON there.customers")
    assert mover.target.put("ana", 2, items).refused == ()
    assert len(mover.target.page("ana", "", 200)) == 99


def test_what_is_no_row_of_the_tenant_is_refused_and_nothing_is_written(mover: Copying) -> None:
    good = customer("ana", 1, "one")
    wrong = [
        (customer("ben", 2, "two"), "holds another row"),
        (Item("02.customers/a3", customer("ana", 2, "two").body), "holds another row"),
        (Item("02.customers/a2", b'{"id":2}'), "is no row of there.customers"),
        (Item("02.customers/b2", None), "is no key of the moved tables"),
        (Item("03.people/a2", None), "is no key of the moved tables"),
        (Item("02.customers/a2\0", None), "contains NUL"),
    ]
    for item, said in wrong:
        with pytest.raises(StoreFailed, match=said):
            mover.target.put("ana", 1, [good, item])
    assert list(mover.target.tenants()) == []


def test_a_role_that_may_too_little_is_told_what_it_lacks(shop: str) -> None:
    role = f"mover_{uuid.uuid4().hex}"
    run(shop, f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word'", f"GRANT ALL ON SCHEMA public, there TO {role}")
    run(shop, f"GRANT ALL ON ALL TABLES IN SCHEMA public, there TO {role}")
    parts = urlsplit(shop)
    url = urlunsplit(parts._replace(netloc=f"{role}:secret-word@{parts.netloc.rpartition('@')[2]}"))
    try:
        with pytest.raises(StoreFailed, match="would act on rows that come in an order of their own") as failed:
            open_mover(settings(url, *TABLES), CLOCK)
        assert "GRANT SET ON PARAMETER session_replication_role" in failed.value.message
        run(shop, f"GRANT SET ON PARAMETER session_replication_role TO {role}")
        mover = open_mover(settings(url, *TABLES), CLOCK)
        with pytest.raises(StoreFailed, match="permission denied for database"):
            mover.target.put("ana", 1, [customer("ana", 1, "one")])
        run(shop, f"GRANT CREATE ON DATABASE {parts.path[1:]} TO {role}")
        assert mover.target.put("ana", 1, [customer("ana", 1, "one")]).refused == ()
        run(shop, "ALTER TABLE there.customers ENABLE ROW LEVEL SECURITY")
        with pytest.raises(StoreFailed, match="row-level security"):
            mover.target.page("ana", "", 1)
        mover.source.close()
        mover.target.close()
    finally:
        run(shop, f"DROP OWNED BY {role}", f"REVOKE SET ON PARAMETER session_replication_role FROM {role}")
        run(shop, f"DROP ROLE {role}")


def test_a_store_that_would_take_no_put_is_found_out(shop: str) -> None:
    role = f"mover_{uuid.uuid4().hex}"
    run(shop, f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word'", f"GRANT ALL ON SCHEMA public, there TO {role}")
    parts = urlsplit(shop)
    url = urlunsplit(parts._replace(netloc=f"{role}:secret-word@{parts.netloc.rpartition('@')[2]}"))
    every = "ON ALL TABLES IN SCHEMA public, there"
    run(shop, f"GRANT SET ON PARAMETER session_replication_role TO {role}", f"GRANT SELECT {every} TO {role}")
    run(shop, "INSERT INTO public.customers VALUES ('ana', 1, 'one')")
    mover = open_mover(settings(url, *TABLES), CLOCK)
    before = list(mover.source.page("ana", "", 5))
    try:
        with pytest.raises(StoreFailed, match="permission denied for database"):  # no gates, and no right to make them
            mover.source.prove_writable("ana")
        run(shop, f"GRANT CREATE ON DATABASE {parts.path[1:]} TO {role}")
        for right, lacking in (("DELETE", "orders"), ("INSERT", "orders")):
            with pytest.raises(StoreFailed, match=f"permission denied for table {lacking}") as failed:
                mover.source.prove_writable("ana")
            assert "Grant" in failed.value.next_step
            run(shop, f"GRANT {right} {every} TO {role}")
        mover.source.prove_writable("ana")
        run(shop, f"REVOKE INSERT ON public.customers FROM {role}")
        with pytest.raises(StoreFailed, match="permission denied for table customers"):
            mover.source.prove_writable("ana")
        run(shop, f"GRANT INSERT {every} TO {role}")
        with psycopg.connect(shop) as other:
            other.execute("LOCK TABLE public.customers IN SHARE MODE")
            with pytest.raises(StoreFailed, match="in use for too long"):
                mover.source.prove_writable("ana")
        mover.source.prove_writable("ana")
        assert list(mover.source.page("ana", "", 5)) == before
        assert run(shop, "SELECT * FROM outgrow.copied") == []
    finally:
        mover.source.close()
        mover.target.close()
        run(shop, f"DROP OWNED BY {role}", f"REVOKE SET ON PARAMETER session_replication_role FROM {role}")
        run(shop, f"DROP ROLE {role}")


def _shape(*bases: str) -> Shape:
    columns = tuple(Column(f"c{n}", base, base, -1, False, True) for n, base in enumerate(bases))
    tenant = Column("tenant", "text", "text", -1, False, True)
    return Shape("01.t/", "public", "t", "tenant", tuple(c.name for c in columns), (tenant, *columns))


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-50, 5000)), min_size=2, max_size=20))
def test_keys_of_numbers_are_in_the_order_of_numbers(rows: list[tuple[int, int]]) -> None:
    shape = _shape("int8", "int4")
    keys = {key_of(shape, {"c0": one, "c1": other}): (one, other) for one, other in rows}
    assert [keys[key] for key in sorted(keys, key=str.encode)] == sorted(set(rows))
    assert all(parts_of(shape, key) == (str(one), str(other)) for key, (one, other) in keys.items())


@given(st.text(alphabet=st.sampled_from("a,\\é\n'")), st.text(alphabet=st.sampled_from("a,\\")), st.integers(0, 9))
def test_a_key_says_which_row_it_means(one: str, other: str, number: int) -> None:
    shape = _shape("text", "int2", "text")
    key = key_of(shape, {"c0": one, "c1": number, "c2": other})
    assert parts_of(shape, key) == (one, str(number), other)


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    shape = _shape("int4", "text")
    parts = parts_of(shape, f"01.t/{text}")
    assert parts is None or key_of(shape, dict(zip(shape.key, parts, strict=True))) == f"01.t/{text}"

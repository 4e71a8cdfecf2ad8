"""Points in pgvector: the contract, exactness of searches, tables of one's own, and what goes wrong said plainly."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pydantic import ValidationError

from outgrow.movers.bodies import point_body, read_body
from outgrow.movers.pgvector import PgvectorStore, open_store
from outgrow.ports import Item, Searched, Store, StoreFailed, digest_of
from outgrow.testing.store_contract import StoreContract


@pytest.fixture
def database(postgresql: str) -> str:
    with psycopg.connect(postgresql, autocommit=True) as session:
        session.execute("CREATE EXTENSION vector")
    return postgresql


@pytest.fixture
def vectors(database: str) -> Iterator[PgvectorStore]:
    store = open_store({"kind": "pgvector", "url": database}, "vectors")
    yield store
    store.close()


def point(place: int, version: int = 1, size: int = 4) -> Item:
    spread = np.random.default_rng([place, version]).normal(size=size)
    payload = {"ä": "o'neil", "n": version, "x": 2.0, "small": 1.5e-07, "deep": {"list": [1, None, True, "%s"]}}
    return Item(f"{'äaZ~ '[place % 5]}{place}", point_body(spread, payload))


class TestPgvector(StoreContract):
    @pytest.fixture
    def store(self, vectors: PgvectorStore) -> Store:
        return vectors

    @pytest.fixture(autouse=True)
    def _url(self, database: str) -> None:
        self.url = database

    def item(self, tenant: str, place: int, version: int) -> Item:
        return point(place, version)

    def reopened(self, store: Store) -> Store:
        return open_store({"url": self.url}, store.name)


def test_texts_are_what_they_were_in_a_database_of_another_encoding(postgresql: str) -> None:
    parts = urlsplit(postgresql)
    name = f"{parts.path.removeprefix('/')}_latin1"
    url = urlunsplit(parts._replace(path=f"/{name}"))
    with psycopg.connect(postgresql, autocommit=True) as session:
        made = SQL("CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        session.execute(made.format(Identifier(name)))
        try:
            with psycopg.connect(url, autocommit=True) as there:
                there.execute("CREATE EXTENSION vector")
            store = open_store({"url": url}, "vectors")
            put = point(1)
            store.put("café", 1, [put])
            store.close()
            with psycopg.connect(url, client_encoding="utf8") as there:
                seen = there.execute("SELECT tenant, payload->>'ä' FROM points").fetchall()
            assert seen == [("café", "o'neil")]
            store = open_store({"url": url}, "vectors")
            assert [item.body for item in store.page("café", "", 10)] == [put.body]
            store.close()
        finally:
            session.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def test_near_is_exact_by_cosine_whatever_index_there_is(database: str, vectors: PgvectorStore) -> None:
    assert isinstance(vectors, Searched)
    assert vectors.near("ana", [1, 0, 0, 0], 3) == []
    items = [point(place) for place in range(300)]
    vectors.put("ana", 1, items)
    vectors.put("ben", 1, items[:5])
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("CREATE INDEX ON points USING hnsw (vector vector_cosine_ops)")
    asked = np.random.default_rng(7).normal(size=4)
    exact = sorted(items, key=lambda item: -float(read_body(item.body or b"").vector @ asked))
    assert list(vectors.near("ana", asked.tolist(), 50)) == [item.key for item in exact[:50]]
    assert set(vectors.near("ben", asked.tolist(), 50)) == {item.key for item in items[:5]}


def test_a_table_of_ones_own_is_taken_as_it_is(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(
            'CREATE TABLE "odd Table" (venture uuid, no bigint, v vector(4), "p\'" jsonb, made timestamptz DEFAULT '
            "now(), PRIMARY KEY (venture, no))"
        )
    columns = {"tenant": "venture", "id": "no", "vector": "v", "payload": "p'"}
    store = open_store({"url": database, "table": "odd Table", "columns": columns}, "own")
    tenant, items = str(uuid.uuid4()), [Item(str(no), point(no).body) for no in (9, 10, 100, 11)]
    try:
        store.put(tenant, 1, items)
        assert [item.key for item in store.page(tenant, "", 2)] == ["10", "100"]
        assert [item.key for item in store.page(tenant, "100", 9)] == ["11", "9"]
        assert store.items(tenant, ["9"]) == {"9": items[0].body}
        with pytest.raises(StoreFailed, match="bigint"):
            store.put(tenant, 1, [Item("nine", items[0].body)])
    finally:
        store.close()


@pytest.mark.parametrize(
    ("index", "is_one"),
    [
        ("", False),
        ("CREATE INDEX ON own (tenant, id)", False),
        ("CREATE UNIQUE INDEX ON own (id)", False),
        ("CREATE UNIQUE INDEX ON own (tenant, id, payload)", False),
        ("CREATE UNIQUE INDEX ON own (tenant, lower(id))", False),
        ("CREATE UNIQUE INDEX ON own (tenant, id) WHERE tenant <> 'ben'", False),
        ("ALTER TABLE own ADD UNIQUE (tenant, id) DEFERRABLE", False),
        ("CREATE UNIQUE INDEX ON own (id, tenant) INCLUDE (payload)", True),
        ("ALTER TABLE own ADD PRIMARY KEY (tenant, id)", True),
    ],
)
def test_a_table_of_ones_own_without_its_unique_index_is_refused_when_it_is_first_looked_at(
    database: str, index: LiteralString, is_one: bool
) -> None:
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(
            'CREATE TABLE own (tenant text COLLATE "C", id text COLLATE "C", vector vector(4), payload jsonb)'
        )
        if index:
            session.execute(index)
    store = open_store({"url": database, "table": "own"}, "own")
    items = [Item(f"{no:03}", point(no).body) for no in range(40)]
    try:
        if not is_one:
            for asked in (store.tenants, lambda: store.put("ana", 1, items), lambda: store.prove_writable("ana")):
                with pytest.raises(StoreFailed, match=r"own has no unique index on exactly \(tenant, id\)") as failed:
                    asked()
            assert failed.value.next_step is not None
            statement = failed.value.next_step.partition(";")[0].removeprefix("Drop that constraint, then: ")
            assert statement == 'CREATE UNIQUE INDEX ON "public"."own" ("tenant", "id")'
            with psycopg.connect(database, autocommit=True) as session:
                session.execute("ALTER TABLE own DROP CONSTRAINT IF EXISTS own_tenant_id_key")
                session.execute(statement)
        assert store.put("ana", 1, items).refused == ()
        assert store.put("ana", 2, items[:30]).refused == ()
        assert [one.tenant for one in store.tenants()] == ["ana"]
    finally:
        store.close()


@pytest.mark.parametrize("text", ["\\u0000", "\\\\\\u0000", "\\", 'quoted "\\u0000"'])
def test_a_payload_that_only_looks_as_if_it_had_nul_is_taken(vectors: PgvectorStore, text: str) -> None:
    item = Item("looks", point_body([1, 0, 0, 0], {"text": text, text: 1}))
    vectors.put("ana", 1, [item])
    assert vectors.items("ana", ["looks"]) == {"looks": item.body}


def test_a_put_judges_what_was_committed_whatever_the_database_has_for_others(database: str) -> None:
    name = urlsplit(database).path[1:]
    with psycopg.connect(database, autocommit=True) as session:
        for setting in ("default_transaction_isolation = 'repeatable read'", "default_transaction_read_only = on"):
            session.execute(f'ALTER DATABASE "{name}" SET {setting}')
    stores = [open_store({"url": database}, name) for name in ("one", "other")]
    try:
        stores[0].put("ana", 1, [point(1)])
        with (
            psycopg.connect(database) as session,
            psycopg.connect(database, autocommit=True) as other,
            ThreadPoolExecutor(1) as pool,
        ):
            session.read_only = False
            session.execute("UPDATE outgrow.copied SET generation = 9")
            late = pool.submit(stores[1].put, "ana", 2, [point(1, 2)])
            looking = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while not other.execute(looking).fetchall():
                assert not late.done(), late.exception()
            session.commit()
            assert late.result().refused == (point(1).key,)
    finally:
        for store in stores:
            store.close()


def test_the_application_sees_no_tombstone_and_needs_no_gate(database: str, vectors: PgvectorStore) -> None:
    one, two = point(1), point(2)
    vectors.put("ana", 5, [one, two])
    vectors.put("ana", 6, [Item(two.key, None)])
    with psycopg.connect(database, autocommit=True) as session:
        assert session.execute("SELECT id FROM points").fetchall() == [(one.key,)]
        session.execute("UPDATE points SET payload = '{\"n\": 2.50}'")
    assert read_body(vectors.items("ana", [one.key])[one.key]).payload == {"n": 2.5}


def test_a_put_that_is_cut_writes_all_or_nothing_and_may_be_repeated(database: str, vectors: PgvectorStore) -> None:
    vectors.put("ana", 1, [point(0)])
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        session.execute("CREATE TRIGGER cut BEFORE INSERT ON points FOR EACH ROW EXECUTE FUNCTION cut()")
        items = [point(place) for place in range(1, 200)]
        with pytest.raises(StoreFailed, match=r"vectors .*does not answer"):
            vectors.put("ana", 2, items)
        assert len(vectors.page("ana", "", 500)) == 1
        session.execute("DROP TRIGGER cut ON points")
    assert vectors.put("ana", 2, items).refused == ()
    assert len(vectors.page("ana", "", 500)) == 200


def test_wrong_points_are_refused_with_a_sentence_and_nothing_is_written(vectors: PgvectorStore) -> None:
    vectors.put("ana", 1, [point(1)])
    wrong = [
        (Item("nul", point_body([1, 0, 0, 0], {"text": "a\0b"})), "point nul contains NUL"),
        (Item("n\0l", point(2).body), "contains NUL"),
        (Item("wide", point(2, size=5).body), "expected 4 dimensions, not 5"),
        (Item("row", b"{}"), "no point"),
    ]
    for item, said in wrong:
        with pytest.raises(StoreFailed, match=said):
            vectors.put("ana", 2, [point(3), item])
    with pytest.raises(StoreFailed, match="twice"):
        vectors.put("ana", 2, [point(3), point(3)])
    with pytest.raises(StoreFailed, match="NUL"):
        vectors.page("a\0b", "", 1)
    assert [item.key for item in vectors.page("ana", "", 9)] == [point(1).key]


def test_what_lacks_is_said(postgresql: str) -> None:
    store = open_store({"url": postgresql}, "vectors")
    with pytest.raises(StoreFailed, match="pgvector is not there") as failed:
        store.put("ana", 1, [point(1)])
    assert "CREATE EXTENSION vector" in failed.value.next_step
    with psycopg.connect(postgresql, autocommit=True) as session:
        session.execute("CREATE EXTENSION vector")
        session.execute("CREATE TABLE points (tenant text, id text, vector text)")
    with pytest.raises(StoreFailed, match="lacks payload"):
        store.put("ana", 1, [point(1)])
    store.close()
    with pytest.raises(StoreFailed, match="closed"):
        store.page("ana", "", 1)


def test_missing_rights_and_a_server_that_is_not_there_are_sentences(database: str, vectors: PgvectorStore) -> None:
    vectors.put("ana", 1, [point(1)])
    role = f"reader_{uuid.uuid4().hex}"
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(SQL("CREATE ROLE {} LOGIN PASSWORD 'secret-word'").format(Identifier(role)))
    parts = urlsplit(database)
    address = parts.netloc.rpartition("@")[2]
    reader = open_store({"url": urlunsplit(parts._replace(netloc=f"{role}:secret-word@{address}"))}, "reader")
    try:
        with pytest.raises(StoreFailed, match="permission denied") as failed:
            reader.page("ana", "", 1)
        assert "secret" not in str(failed.value)
        assert "Grant" in failed.value.next_step
        with psycopg.connect(database, autocommit=True) as session:
            session.execute(SQL("GRANT SELECT ON points TO {}").format(Identifier(role)))
            session.execute(SQL("GRANT ALL ON SCHEMA outgrow TO {}").format(Identifier(role)))
            session.execute(SQL("GRANT ALL ON outgrow.copied, outgrow.copied_range TO {}").format(Identifier(role)))
        assert len(reader.page("ana", "", 5)) == 1
        with pytest.raises(StoreFailed, match="permission denied for table points"):
            reader.prove_writable("ana")
        vectors.prove_writable("ana")
    finally:
        with psycopg.connect(database, autocommit=True) as session:
            session.execute(SQL("DROP OWNED BY {}").format(Identifier(role)))
        reader.close()
        with psycopg.connect(database, autocommit=True) as session:
            session.execute(SQL("DROP ROLE {}").format(Identifier(role)))
    nobody = open_store({"url": "postgresql://ana:secret-word@127.0.0.1:1/nothing"}, "nobody")
    with pytest.raises(StoreFailed, match=r"nobody \(127.0.0.1:1/nothing\) does not answer") as gone:
        nobody.tenants()
    assert "secret" not in str(gone.value)


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="tabel"):
        open_store({"url": "postgresql:///x", "tabel": "points"}, "vectors")


def test_digests_stand_for_bodies(vectors: PgvectorStore) -> None:
    vectors.put("ana", 1, [point(place) for place in range(9)])
    pages = vectors.page("ana", "", 9)
    assert [copied.digest for copied in vectors.digests("ana", "", 9)] == [digest_of(i.body or b"") for i in pages]

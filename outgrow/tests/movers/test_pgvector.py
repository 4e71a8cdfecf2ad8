"""Points in pgvector: the contract, exactness of searches, tables of one's own, and what goes wrong said plainly."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
import pytest
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
        session.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word'")  # type: ignore[arg-type]
    parts = urlsplit(database)
    address = parts.netloc.rpartition("@")[2]
    reader = open_store({"url": urlunsplit(parts._replace(netloc=f"{role}:secret-word@{address}"))}, "reader")
    try:
        with pytest.raises(StoreFailed, match="permission denied") as failed:
            reader.page("ana", "", 1)
        assert "secret" not in str(failed.value)
        assert "Grant" in failed.value.next_step
        with psycopg.connect(database, autocommit=True) as session:
            session.execute(f"GRANT SELECT ON points TO {role}")  # type: ignore[arg-type]
            session.execute(f"GRANT ALL ON SCHEMA outgrow TO {role}")  # type: ignore[arg-type]
            session.execute(f"GRANT ALL ON outgrow.copied TO {role}")  # type: ignore[arg-type]
        assert len(reader.page("ana", "", 5)) == 1
        with pytest.raises(StoreFailed, match="permission denied for table points"):
            reader.prove_writable("ana")
        vectors.prove_writable("ana")
    finally:
        with psycopg.connect(database, autocommit=True) as session:
            session.execute(f"DROP OWNED BY {role}")  # type: ignore[arg-type]
        reader.close()
        with psycopg.connect(database, autocommit=True) as session:
            session.execute(f"DROP ROLE {role}")  # type: ignore[arg-type]
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

"""Triggers that register writes: what they write down, whom they turn away, and that no isolation slips past them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, LiteralString

import psycopg
import pytest

from outgrow.movers.sql_table import open_mover, registering_of
from outgrow.ports import Copying, Item, StoreFailed
from outgrow.routing import SCHEMA
from outgrow.testing import FixedClock

POINT = "data 50%"
TABLE: LiteralString = (
    "CREATE TABLE {0}.notes (tenant text, no int, word text, body text, PRIMARY KEY (tenant, no, word))"
)
MIGRATION: LiteralString = """
INSERT INTO outgrow.migration (id, point, kind, source, target, layout_version, made_at, pace)
VALUES ('m', %s, 'copying', 'o''ld 5%%', 'new', 1, now(), '{}')"""
STATE: LiteralString = """
INSERT INTO outgrow.tenant_state (migration, point, tenant, wave, state, goal, source, target, version, rest)
VALUES ('m', %s, %s, 1, 'copying', 'ready', 'o''ld 5%%', 'new', 1, '{}')"""
ROUTE: LiteralString = "INSERT INTO outgrow.route (point, tenant, store, generation) VALUES (%s, %s, %s, 1)"


def settings(url: str) -> dict[str, Any]:
    sides = {"source_store": {"url": url}, "target_store": {"url": url, "schema": "there"}}
    return {"source": "o'ld 5%", "target": "new", **sides, "tables": [{"table": "notes", "tenant": "tenant"}]}


@pytest.fixture
def session(postgresql: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgresql, autocommit=True) as session:
        for statement in SCHEMA:
            session.execute(statement)
        session.execute("CREATE SCHEMA there")
        for schema in ("public", "there"):
            session.execute(psycopg.sql.SQL(TABLE).format(psycopg.sql.Identifier(schema)))
        session.execute(MIGRATION, [POINT])
        for _ in range(2):
            said = registering_of(settings(postgresql)).install(POINT, postgresql)
        assert [sentence.endswith("register themselves") for sentence in said] == [True, True]
        yield session


@pytest.fixture
def mover(session: psycopg.Connection, postgresql: str) -> Iterator[Copying]:
    mover = open_mover(settings(postgresql), FixedClock(0.0))
    yield mover
    mover.source.close()
    mover.target.close()


def on_the_way(session: psycopg.Connection, *tenants: str, store: str = "o'ld 5%") -> None:
    for tenant in tenants:
        session.execute(ROUTE, [POINT, tenant, store])
        session.execute(STATE, [POINT, tenant])


def registered(session: psycopg.Connection) -> list[tuple[str, str]]:
    rows = session.execute("DELETE FROM outgrow.intent RETURNING tenant, key, point, closed_at IS NULL").fetchall()
    assert all(row[2:] == (POINT, False) for row in rows)
    return sorted(row[:2] for row in rows)


def test_each_write_is_registered_under_the_key_that_the_mover_uses(
    session: psycopg.Connection, mover: Copying
) -> None:
    on_the_way(session, "ana", "ben")
    session.execute("INSERT INTO notes VALUES ('ana', 5, 'a,b\\c', 'x'), ('ana', -5, 'ü', 'x'), ('carl', 1, 'w', 'x')")
    keys = [item.key for item in mover.source.page("ana", "", 9)]
    assert registered(session) == [("ana", key) for key in keys]
    session.execute("UPDATE notes SET body = 'y' WHERE no = 5")
    assert registered(session) == [("ana", keys[1])]
    session.execute("UPDATE notes SET tenant = 'ben', no = 12 WHERE no = 5")
    assert registered(session) == [("ana", keys[1]), ("ben", "01.notes/b12,a\\,b\\\\c")]
    session.execute("DELETE FROM notes WHERE tenant = 'ben'")
    assert registered(session) == [("ben", "01.notes/b12,a\\,b\\\\c")]
    session.execute("UPDATE outgrow.tenant_state SET state = 'completed'")
    session.execute("DELETE FROM notes")
    assert registered(session) == []


def test_the_mover_registers_nothing(session: psycopg.Connection, mover: Copying) -> None:
    on_the_way(session, "ana")
    session.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    assert len(registered(session)) == 1
    (item,) = mover.source.page("ana", "", 9)
    mover.target.put("ana", 1, [item])
    mover.source.put("ana", 2, [Item(item.key, None)])
    mover.target.drop("ana")
    assert registered(session) == []


def test_who_writes_to_the_wrong_store_is_turned_away(session: psycopg.Connection) -> None:
    on_the_way(session, "ana", store="new")
    with pytest.raises(psycopg.errors.SerializationFailure, match="is in the store new, not in o'ld 5% any more"):
        session.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    session.execute("INSERT INTO there.notes VALUES ('ana', 1, 'w', 'x')")
    assert session.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    assert registered(session) == [("ana", "01.notes/a1,w")]


def test_writers_of_a_frozen_tenant_are_turned_away_until_it_ends(session: psycopg.Connection) -> None:
    on_the_way(session, "ana")
    session.execute("UPDATE outgrow.route SET frozen_until = now() + interval '1 hour'")
    with pytest.raises(psycopg.errors.SerializationFailure, match="writes of ana wait"):
        session.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    session.execute("UPDATE outgrow.route SET frozen_until = now() - interval '1 second'")
    session.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    assert registered(session) == [("ana", "01.notes/a1,w")]


def test_a_flip_waits_for_a_writer_and_finds_what_it_wrote(session: psycopg.Connection, postgresql: str) -> None:
    on_the_way(session, "ana")
    with psycopg.connect(postgresql) as writer:
        writer.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            session.execute("SELECT FROM outgrow.route FOR UPDATE NOWAIT")
        assert session.execute("SELECT FROM outgrow.intent").fetchall() == []
        writer.commit()
        session.execute("SELECT FROM outgrow.route FOR UPDATE NOWAIT")
        assert registered(session) == [("ana", "01.notes/a1,w")]


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_old_snapshot_does_not_slip_past_a_route_that_was_laid_since(
    session: psycopg.Connection, postgresql: str, level: LiteralString
) -> None:
    with psycopg.connect(postgresql) as writer:
        writer.execute("SET TRANSACTION ISOLATION LEVEL " + level)
        writer.execute("SELECT count(*) FROM notes")
        on_the_way(session, "ana")
        with pytest.raises(psycopg.errors.SerializationFailure):
            writer.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
        writer.rollback()
        writer.execute("SET TRANSACTION ISOLATION LEVEL " + level)
        writer.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x'), ('nobody', 1, 'w', 'x')")
        writer.commit()
    assert registered(session) == [("ana", "01.notes/a1,w")]
    assert session.execute("SELECT tenant FROM outgrow.route").fetchall() == [("ana",)]


def test_an_old_snapshot_does_not_slip_past_a_second_move(session: psycopg.Connection, postgresql: str) -> None:
    session.execute(ROUTE, [POINT, "ana", "o'ld 5%"])
    with psycopg.connect(postgresql) as writer:
        writer.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        writer.execute("SELECT count(*) FROM notes")
        session.execute(STATE, [POINT, "ana"])
        writer.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    assert registered(session) == [("ana", "01.notes/a1,w")]


def test_truncate_is_refused_and_uninstalling_leaves_nothing(session: psycopg.Connection, postgresql: str) -> None:
    on_the_way(session, "ana")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=r"TRUNCATE of notes cannot be followed .* data 50%"):
        session.execute("TRUNCATE notes")
    for _ in range(2):
        registering_of(settings(postgresql)).uninstall(POINT)
    session.execute("TRUNCATE notes")
    session.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    assert registered(session) == []
    left = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'outgrow'::regnamespace"
    assert session.execute(left).fetchone() == (0,)


def test_who_uninstalls_late_takes_nothing_from_a_move_that_began_since(
    session: psycopg.Connection, postgresql: str
) -> None:
    """What is asked is asked behind the lock of the tables, so that no other process lays them in between."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    registering, laying = registering_of(settings(postgresql)), list[Future[Any]]()

    def another_has_begun() -> bool:
        if not laying:
            laying.append(pool.submit(registering_of(settings(postgresql)).install, POINT, postgresql))
            while session.execute(waiting).fetchone() == (0,):
                assert not laying[0].done(), "it was laid in between"
        return False

    with ThreadPoolExecutor(1) as pool:
        registering.uninstall(POINT, another_has_begun)
        laying[0].result()
        registering.uninstall(POINT, lambda: False)
    on_the_way(session, "ana")
    session.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    assert registered(session) == [("ana", "01.notes/a1,w")]


def test_an_application_without_rights_on_the_moves_tables_is_followed_too(
    session: psycopg.Connection, postgresql: str
) -> None:
    on_the_way(session, "ana")
    role = f"app_{session.info.backend_pid}"
    try:
        session.execute(f"CREATE ROLE {role}")  # type: ignore[arg-type]
        session.execute(f"GRANT ALL ON notes TO {role}")  # type: ignore[arg-type]
        session.execute(f"SET ROLE {role}")  # type: ignore[arg-type]
        session.execute("INSERT INTO notes VALUES ('ana', 1, 'w', 'x')")
    finally:
        session.execute("RESET ROLE")
        session.execute(f"DROP OWNED BY {role}")  # type: ignore[arg-type]
        session.execute(f"DROP ROLE {role}")  # type: ignore[arg-type]
    assert registered(session) == [("ana", "01.notes/a1,w")]


def test_where_it_cannot_be_installed_it_is_said(postgresql: str, postgresql_server: str) -> None:
    with psycopg.connect(postgresql, autocommit=True) as session:
        session.execute("CREATE SCHEMA there")
        for schema in ("public", "there"):
            session.execute(psycopg.sql.SQL(TABLE).format(psycopg.sql.Identifier(schema)))
    with pytest.raises(StoreFailed, match="has no tables of a move"):
        registering_of(settings(postgresql)).install(POINT, postgresql)

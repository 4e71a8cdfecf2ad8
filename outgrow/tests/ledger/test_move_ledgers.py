"""Every ledger of a move keeps the one contract."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from outgrow.errors import LedgerError
from outgrow.ledger import open_ledger
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.ports.moves import Flipped, MoveLedger
from outgrow.routing import Route, statements
from outgrow.testing.move_ledger import MemoryMoveLedger, MemoryTruth
from outgrow.testing.move_ledger_contract import (
    POINT,
    SOURCE,
    MoveLedgerContract,
    MoveWorld,
    a_migration,
    flipped,
    rows_of,
)


class Opened:
    def __init__(self) -> None:
        self.ledgers: list[MoveLedger] = []

    def added(self, ledger: MoveLedger) -> MoveLedger:
        self.ledgers.append(ledger)
        return ledger

    def close(self) -> None:
        for ledger in self.ledgers:
            ledger.close()


class MemoryWorld(Opened):
    def __init__(self) -> None:
        super().__init__()
        self.truth = MemoryTruth()

    def open(self) -> MoveLedger:
        return self.added(MemoryMoveLedger(self.truth))

    def register(self, tenant: str, key: str) -> Any:
        return self.truth.register(POINT, tenant, key, SOURCE)

    def close_write(self, written: Any) -> bool:
        return self.truth.close_write(written)

    def grow_old(self, seconds: float) -> None:
        for intent in self.truth.intents.values():
            intent.opened_at -= seconds

    def count(self, migration: str, tenant: str, matched: int, differed: int, failed: int) -> None:
        self.truth.count(migration, tenant, matched, differed, failed)


class PostgresqlWorld(Opened):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.application = psycopg.connect(url, autocommit=True)

    def open(self) -> MoveLedger:
        return self.added(open_move_ledger(self.url))

    def register(self, tenant: str, key: str) -> Any:
        named = {"point": POINT, "tenant": tenant, "keys": [key]}
        row = self.application.execute(statements.REGISTER, named).fetchone()
        assert row is not None
        ids, store, generation, frozen_seconds, isolation = row
        assert isolation == "read committed"
        if frozen_seconds > 0:
            self.application.execute(statements.WITHDRAW, {"ids": ids})
            return None
        return {**named, "ids": ids, "store": store or SOURCE, "generation": generation or 0}

    def close_write(self, written: Any) -> bool:
        row = self.application.execute(statements.CLOSE, written).fetchone()
        assert row is not None
        return bool(row[0])

    def grow_old(self, seconds: float) -> None:
        self.application.execute(
            "UPDATE outgrow.intent SET opened_at = opened_at - make_interval(secs => %s)", (seconds,)
        )

    def count(self, migration: str, tenant: str, matched: int, differed: int, failed: int) -> None:
        named = {"migration": migration, "tenant": tenant, "matched": matched, "differed": differed, "failed": failed}
        self.application.execute(statements.COUNT, named)

    def close(self) -> None:
        super().close()
        self.application.close()


class SqliteWorld(Opened):
    """No application shares the file: what one would do is done on it by hand."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def open(self) -> MoveLedger:
        return self.added(open_move_ledger(self.path))

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def _route(self, tenant: str) -> tuple[str, int]:
        rows = self._rows("SELECT store, generation FROM route WHERE tenant = ?", tenant)
        return rows[0] if rows else (SOURCE, 0)

    def _on_the_way(self, tenant: str) -> bool:
        over = "('pending', 'completed', 'cancelled')"
        return bool(self._rows(f"SELECT 1 FROM tenant_state WHERE tenant = ? AND state NOT IN {over}", tenant))

    def register(self, tenant: str, key: str) -> Any:
        now = "(julianday('now') - 2440587.5) * 86400"
        if self._rows(f"SELECT 1 FROM route WHERE tenant = ? AND frozen_until > {now}", tenant):
            return None
        (id_,) = self._rows(
            f"INSERT INTO intent (point, tenant, key, opened_at) VALUES (?, ?, ?, {now}) RETURNING id",
            POINT,
            tenant,
            key,
        )[0]
        return id_, tenant, key, self._route(tenant)

    def close_write(self, written: Any) -> bool:
        id_, tenant, key, (store, generation) = written
        if not self._on_the_way(tenant):
            self._rows("DELETE FROM intent WHERE id = ?", id_)
        elif not self._rows("UPDATE intent SET closed_at = 1 WHERE id = ? AND closed_at IS NULL RETURNING id", id_):
            insert = "INSERT INTO intent (point, tenant, key, opened_at, closed_at) VALUES (?, ?, ?, 1, 1)"
            self._rows(insert, POINT, tenant, key)
        return self._route(tenant) in ((store, generation), (store, max(generation, 1)))

    def grow_old(self, seconds: float) -> None:
        self._rows("UPDATE intent SET opened_at = opened_at - ?", seconds)

    def count(self, migration: str, tenant: str, matched: int, differed: int, failed: int) -> None:
        self._rows(
            """INSERT INTO shadow VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET matched = matched + excluded.matched,
            differed = differed + excluded.differed, failed = failed + excluded.failed""",
            migration,
            tenant,
            matched,
            differed,
            failed,
        )


class TestMemory(MoveLedgerContract):
    @pytest.fixture
    def world(self) -> Iterator[MoveWorld]:
        with closing(MemoryWorld()) as world:
            yield world


class TestSqlite(MoveLedgerContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[MoveWorld]:
        with closing(SqliteWorld(tmp_path / "moves.sqlite")) as world:
            yield world


class TestPostgresql(MoveLedgerContract):
    @pytest.fixture
    def world(self, postgresql: str) -> Iterator[MoveWorld]:
        with closing(PostgresqlWorld(postgresql)) as world:
            yield world


def test_fields_of_a_newer_tool_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "moves.sqlite"
    ledger = open_move_ledger(path)
    migration = ledger.take(ledger.create(a_migration(), rows_of("a"), "ana"), "ana")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tenant_state SET rest = json_set(rest, '$.of_tomorrow', 7)")
        connection.execute("UPDATE migration SET pace = json_set(pace, '$.of_tomorrow', 7)")
    assert ledger.migration(POINT) == migration
    ledger.keep(migration, ledger.tenants(migration)[0])
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT json_extract(rest, '$.of_tomorrow') FROM tenant_state").fetchone() == (7,)
        assert connection.execute("SELECT json_extract(pace, '$.of_tomorrow') FROM migration").fetchone() == (7,)


def test_files_of_others_and_of_tomorrow_are_left_as_they_are(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    open_ledger(ledger).close()
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE mine (a)")
    newer = tmp_path / "newer.sqlite"
    open_move_ledger(newer).close()
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, but long enough to look like a header of one" * 20)
    for path in (ledger, foreign, newer, text):
        before = path.read_bytes()
        with pytest.raises(LedgerError):
            open_move_ledger(path)
        assert path.read_bytes() == before


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "moves.sqlite"
    ledger = open_move_ledger(path)
    ledger.take(ledger.create(a_migration(), [], "ana"), "ana")
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}
    ledger.close()


KILLED = """
import os, signal, sys
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.testing.move_ledger_contract import begun, flipped

ledger = open_move_ledger(sys.argv[1])
migration = begun(ledger, "a")
run = ledger._session.run

def killed(name, /, **parameters):
    came = run(name, **parameters)
    if name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    return came

ledger._session.run = killed
flipped(ledger, migration, "a")
"""


@pytest.mark.parametrize("at", ["write_tenant", "lead", "add_line"])
def test_a_process_killed_in_mid_flip_leaves_nothing_of_it_and_no_lock(tmp_path: Path, at: str) -> None:
    path = tmp_path / "moves.sqlite"
    child = subprocess.run([sys.executable, "-c", KILLED, str(path), at], capture_output=True, text=True, check=False)
    with closing(open_move_ledger(path)) as ledger:
        created = ledger.migration(POINT)
        assert child.returncode == -signal.SIGKILL, child.stderr
        assert created is not None
        migration = ledger.take(created, "ben")
        assert ledger.route(POINT, "a") == Route(SOURCE, 1)
        assert [line.what for line in ledger.journal(migration)] == ["created", "taken", "taken"]
        assert flipped(ledger, migration, "a") == Flipped(Route("new", 2))

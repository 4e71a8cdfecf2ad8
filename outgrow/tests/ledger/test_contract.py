"""Every ledger keeps the one contract."""

import os
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow.ledger import open_ledger
from outgrow.ports import Ledger
from outgrow.testing import LedgerContract, MemoryLedger

SERVER = os.environ.get("OUTGROW_TEST_POSTGRES", "")


@pytest.fixture(scope="module")
def server() -> str:
    if not SERVER:
        warnings.warn("the ledger was NOT tested on PostgreSQL: set OUTGROW_TEST_POSTGRES to its URL", stacklevel=1)
        pytest.skip("OUTGROW_TEST_POSTGRES is not set: nothing is known about the ledger on PostgreSQL")
    return SERVER


class TestSqlite(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        ledger = open_ledger(tmp_path / "ledger.sqlite")
        yield ledger
        ledger.close()


class TestMemory(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger()


class TestPostgresql(LedgerContract):
    @pytest.fixture
    def ledger(self, server: str) -> Iterator[Ledger]:
        import psycopg

        name = f"outgrow_test_{uuid.uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}".encode())
            try:
                ledger = open_ledger(_url(name))
                yield ledger
                ledger.close()
            finally:
                server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _url(database: str) -> str:
    from urllib.parse import urlsplit, urlunsplit

    return urlunsplit(urlsplit(SERVER)._replace(path=f"/{database}"))

"""Every ledger keeps the one contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow.ledger import open_ledger
from outgrow.ports import Ledger
from outgrow.testing import LedgerContract, MemoryLedger


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
    def ledger(self, postgresql: str) -> Iterator[Ledger]:
        ledger = open_ledger(postgresql)
        yield ledger
        ledger.close()

"""Contract suites and fakes for whoever writes an adapter or tests with the ports. No production code imports this.

In: an adapter of yours, by a fixture. Out: whether it keeps the port's contract, as pytest tells it.

A ledger of your own is proved by ``class TestMine(LedgerContract)`` with a fixture ``ledger`` that yields a fresh one.
"""

from outgrow.testing.fakes import FixedClock, MemoryLedger
from outgrow.testing.ledger_contract import LedgerContract

__all__ = ["FixedClock", "LedgerContract", "MemoryLedger"]

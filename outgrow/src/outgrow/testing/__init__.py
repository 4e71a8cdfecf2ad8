"""Contract suites and fakes for whoever writes an adapter or tests with the ports. No production code imports this.

In: an adapter of yours, by a fixture. Out: whether it keeps the port's contract, as pytest tells it.

A ledger of your own is proved by ``class TestMine(LedgerContract)`` with a fixture ``ledger`` that yields a fresh one;
a store of a move by ``StoreContract``, the truth of a move by ``MoveLedgerContract``, an experiment by
``ExperimentContract``. Fakes keep the same contracts without a disk, a server or a clock.
"""

from outgrow.testing.experiment_contract import ExperimentContract
from outgrow.testing.fakes import FixedClock, MemoryLedger
from outgrow.testing.ledger_contract import LedgerContract
from outgrow.testing.memory_store import MemoryBlocks, MemoryContents, MemoryStore
from outgrow.testing.move_ledger import MemoryMoveLedger, MemoryTruth
from outgrow.testing.move_ledger_contract import MoveLedgerContract
from outgrow.testing.scripted_experiment import ScriptedArm, ScriptedExperiment
from outgrow.testing.store_contract import StoreContract

__all__ = [
    "ExperimentContract",
    "FixedClock",
    "LedgerContract",
    "MemoryBlocks",
    "MemoryContents",
    "MemoryLedger",
    "MemoryMoveLedger",
    "MemoryStore",
    "MemoryTruth",
    "MoveLedgerContract",
    "ScriptedArm",
    "ScriptedExperiment",
    "StoreContract",
]

"""The record of all that was seen, said and sent: samples, ramps, notes, forecasts, records, outbox.

In: frozen series and records. Out: the same, later, from any process. A file (SQLite in WAL mode) by default, or
PostgreSQL by URL; both keep the one contract of ``outgrow.ports.Ledger`` (``outgrow.testing.LedgerContract``). Knows
``ports`` and the rooms before it. SQL lives in ``queries.sql``; SQLAlchemy and Alembic are only imported to create or
upgrade a ledger.

What holds when things go wrong: a write that returned survives the death of the process (kill -9) at any moment, and
two processes may write at once. When the power fails, PostgreSQL keeps every write that returned; the SQLite file stays
whole but may lose the writes since the last checkpoint, as its log is not flushed at every commit
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from outgrow.ledger.location import default_location
from outgrow.ledger.opening import open_ledger

__all__ = ["default_location", "open_ledger"]

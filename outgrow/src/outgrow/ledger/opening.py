"""From a path or a URL to an open ledger."""

from __future__ import annotations

from pathlib import Path

from outgrow.ledger.location import is_url
from outgrow.ledger.sqlite import open_sqlite
from outgrow.ledger.store import SqlLedger


def open_ledger(location: str | Path) -> SqlLedger:
    """Open the ledger at a path or at a ``postgresql://`` URL; a missing one is created.

    Raises:
        LedgerError: it cannot be used; it was left as it was.
    """
    if is_url(location):
        from outgrow.ledger.postgresql import open_postgresql  # psycopg is an optional extra

        return SqlLedger(open_postgresql(str(location)))
    return SqlLedger(open_sqlite(Path(location).expanduser()))

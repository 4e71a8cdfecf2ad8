"""From a path or a URL to the truth of a move."""

from __future__ import annotations

from pathlib import Path

from outgrow.ledger.location import is_url
from outgrow.ledger.moves import SqlMoveLedger


def open_move_ledger(location: str | Path) -> SqlMoveLedger:
    """Opens the moves kept at a ``postgresql://`` URL, the application's own database, or in a file of their own; what
    is missing is made. Times are the database's own.

    Raises:
        LedgerError: it cannot be used; it was left as it was.
    """
    if is_url(location):
        from outgrow.ledger.moves_postgresql import open_postgresql_moves  # psycopg is an optional extra

        return open_postgresql_moves(str(location))
    from outgrow.ledger.moves_sqlite import open_sqlite_moves  # one of both is enough

    return open_sqlite_moves(Path(location).expanduser())

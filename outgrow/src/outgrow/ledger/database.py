"""What the ledger asks of a database, and its named SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from outgrow.errors import LedgerError
from outgrow.ledger.hours import Hours
from outgrow.signals.series import FloatArray

REVISIONS = ("0001", "0002")
"""The schemas this version knows, oldest first, a file each in ``migrations/versions``; the last is in use."""

REVISION = REVISIONS[-1]

_NAME = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)


@cache
def queries(dialect: str) -> Mapping[str, str]:
    """The statements of ``queries.sql`` by name, those marked ``@dialect`` in place of the common ones."""
    text = files("outgrow.ledger").joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    statements = {name: sql.strip().rstrip(";") for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
    own = {name.partition("@")[0]: sql for name, sql in statements.items() if name.endswith(f"@{dialect}")}
    return {name: sql for name, sql in statements.items() if "@" not in name} | own


def refuse_newer(stored: str | None, name: str) -> None:
    """Raise ``LedgerError`` for a revision unknown here; None and "" stand for a ledger yet to be made."""
    if stored and stored not in REVISIONS:
        raise LedgerError(
            f"the ledger {name} was written by a newer outgrow (schema {stored}); it was left as it is",
            next_step="upgrade outgrow, or choose another ledger with OUTGROW_LEDGER",
        )


class Database(Protocol):
    """A connection to one ledger. Every failure is a ``LedgerError``; parameters go by name."""

    def rows(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a named query."""
        ...

    def run(self, name: str, /, **parameters: Any) -> int:
        """Run a named statement; returns how many rows it changed."""
        ...

    def pairs(self, name: str, /, **parameters: Any) -> FloatArray:
        """The rows of a named query of two numbers, shape (n, 2)."""
        ...

    def write_samples(self, series_id: int, provenance_id: int, times: FloatArray, values: FloatArray) -> None:
        """Insert or replace samples, shape (n,) each, times strictly increasing."""
        ...

    def write_hours(self, series_id: int, hours: Hours) -> None:
        """Insert or replace the hours of a series."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """One write transaction; an inner block joins the outer one. Other threads wait."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...

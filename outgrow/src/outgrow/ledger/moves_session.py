"""A connection to the tables of moves, and the statements that are run on it, whichever database it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from outgrow.errors import LedgerError

_NAME = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)


class Locked(LedgerError):
    """Somebody else's transaction has held a row for too long; nothing was written."""


class MoveSession(Protocol):
    """A connection to the tables of moves. Every failure is a ``LedgerError``; parameters go by name, lists as arrays.
    Threads wait for each other."""

    @property
    def name(self) -> str: ...

    def rows(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a named statement, durable when it returns where no transaction is open."""
        ...

    def run(self, name: str, /, **parameters: Any) -> int:
        """Runs a named statement; → how many rows it changed."""
        ...

    def many(self, name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Runs a named statement for each of these."""
        ...

    def transaction(self, lock_seconds: float | None = None) -> AbstractContextManager[None]:
        """One write transaction, in which every statement sees what others committed before it. ``Locked`` where a
        row is held by another one for longer than ``lock_seconds``."""
        ...

    def lock(self, migration: str) -> bool:
        """Takes the lock of a migration, which ends with this process or its connection; False: it is taken."""
        ...

    def unlock(self, migration: str) -> None:
        """Gives it back."""
        ...

    def mark(self) -> str:
        """What tells, by ``settled``, when all present transactions are over."""
        ...

    def settled(self, mark: str) -> bool:
        """Whether they are."""
        ...

    def close(self) -> None: ...


@cache
def named(dialect: str) -> Mapping[str, str]:
    """The statements of ``moves.sql`` by name, those marked ``@dialect`` for this one."""
    text = files("outgrow.ledger").joinpath("moves.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    found: dict[str, str] = {}
    for full, sql in zip(parts[1::2], parts[2::2], strict=True):
        name, _, own = full.partition("@")
        if own in ("", dialect):
            found[name] = sql.strip().rstrip(";")
    return found

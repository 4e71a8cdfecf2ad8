"""One tree of errors. A message says what happened, where, and what to do next.

OutgrowError                       exit code
├── UsageError                     2   the command cannot mean this
├── DeclarationError               2   outgrow.yaml is wrong: every finding, with file:line:column
├── ImportRefused                  2   a file to import is broken: its line, and nothing of it was kept
├── LedgerError                    3   the ledger cannot be used; it was left untouched
└── SourceError                    3   a source did not answer as it should

A refusal to forecast is no error: it is a value (``outgrow.outlook.refusal``).
"""

from __future__ import annotations

from dataclasses import dataclass


class OutgrowError(Exception):
    """Base of all expected failures; ``exit_code`` is what the command ends with."""

    exit_code = 3

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class UsageError(OutgrowError):
    """The command or its arguments cannot mean what they say."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a declared file; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


class DeclarationError(OutgrowError):
    """The declared file is wrong. Carries every finding at once."""

    exit_code = 2

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class ImportRefused(OutgrowError):
    """A file to import is broken; nothing of it was imported."""

    exit_code = 2

    def __init__(self, file: str, line: int, message: str, *, next_step: str = "") -> None:
        super().__init__(f"{file}:{line}: {message}; nothing of this file was imported", next_step=next_step)
        self.file = file
        self.line = line


class LedgerError(OutgrowError):
    """The ledger cannot be opened or written; it was left as it was."""


class SourceError(OutgrowError):
    """A source did not answer, or answered with something that cannot be read."""

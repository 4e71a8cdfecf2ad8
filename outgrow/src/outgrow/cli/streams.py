"""Stdout and stderr that never break a command: a reader that went away is no failure, a full disk is one line."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO, cast

from outgrow.errors import OutgrowError


class OutputLost(OutgrowError):
    """What the command says cannot be written anywhere."""


class _Stream:
    """A text stream. Once its reader is gone, what is written goes nowhere and the command ends as it would have.

    Raises:
        OutputLost: from ``write`` and ``flush`` where ``must_arrive`` and the text cannot be written.
    """

    def __init__(self, inner: TextIO, *, must_arrive: bool) -> None:
        self._inner = inner
        self._must_arrive = must_arrive
        self._lost: OutputLost | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, text: str) -> int:
        try:
            self._inner.write(text)
        except OSError as failed:
            self._give_up(failed)
        self._complain()
        return len(text)

    def flush(self) -> None:
        try:
            self._inner.flush()
        except OSError as failed:
            self._give_up(failed)
        self._complain()

    def _give_up(self, failed: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._inner.fileno())  # what is still buffered must not fail once more at the end
        os.close(nowhere)
        if self._must_arrive and not isinstance(failed, BrokenPipeError):
            self._lost = OutputLost(f"the output cannot be written: {failed.strerror}")

    def _complain(self) -> None:
        if self._lost is not None:  # each time: typer tries its streams out and swallows what they raise
            raise self._lost


def guard_streams() -> bool:
    """Guard stdout and stderr; characters that an encoding lacks become ``?``. False where there is no stdout."""
    if sys.stderr is None:  # closed by whoever started the command
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (stays open until the process ends)
    if sys.stdout is None:
        return False
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    sys.stdout = cast(TextIO, _Stream(sys.stdout, must_arrive=True))
    sys.stderr = cast(TextIO, _Stream(sys.stderr, must_arrive=False))
    return True

"""The team's own end-to-end tests, run against an arm."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from outgrow.quantities import format_duration
from outgrow.validation.parity import SuiteRun

SUITE_SECONDS = 1800.0
"""A suite that takes longer is ended."""

MOST_BYTES = 32_000_000
LAST_LINES = 10
_LAST_CHARACTERS = 300
_COLUMNS = "76"
"""Its last lines are shown indented."""

_LOOK_SECONDS = 0.05
_GRACE_SECONDS = 3.0


def run_suite(argv: Sequence[str], arm: str, base_url: str, folder: Path, seconds: float = SUITE_SECONDS) -> SuiteRun:
    """Runs it without a shell, in ``folder``, with OUTGROW_ARM and OUTGROW_BASE_URL ("" where the arm has no URL).

    It is ended, with all that it started, after ``seconds``, when it prints more than 32 MB, and by Ctrl-C.
    """
    with TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OUTGROW_ARM": arm, "OUTGROW_BASE_URL": base_url, "COLUMNS": _COLUMNS},
                start_new_session=True,
            )
        except (OSError, ValueError) as failed:
            why = failed.strerror if isinstance(failed, OSError) and failed.strerror else str(failed)
            return SuiteRun(arm, base_url, None, why_not=f"{argv[0]} cannot be started: {why}")
        try:
            why_not = _watched(process, said, seconds)
        finally:
            _end(process)
        code = process.returncode
        if not why_not and code < 0:
            why_not = f"it was ended by signal {-code}"
        return SuiteRun(arm, base_url, None if why_not else code, _last_lines(said), why_not)


def _watched(process: subprocess.Popen[bytes], said: IO[bytes], seconds: float) -> str:
    """Waits until it has ended; why it must be ended, or ""."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_SECONDS)
            return ""
        if os.fstat(said.fileno()).st_size > MOST_BYTES:
            return f"it printed more than {MOST_BYTES // 1_000_000} MB and was ended"
        if time.monotonic() >= deadline:
            return f"it had not ended after {format_duration(seconds)} and was ended"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends it and all that is left of its session: politely, and after three seconds firmly."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)


def _last_lines(said: IO[bytes]) -> tuple[str, ...]:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - 8 * LAST_LINES * _LAST_CHARACTERS))
    lines = [line.rstrip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return tuple(_printable(line)[:_LAST_CHARACTERS] for line in lines[-LAST_LINES:])


def _printable(text: str) -> str:
    """Without characters that a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)

"""The team's own end-to-end tests, run against an arm."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from outgrow.experiments.programs import MOST_BYTES, end, printable
from outgrow.quantities import format_duration
from outgrow.validation.parity import SuiteRun

SUITE_SECONDS = 1800.0
"""A suite that takes longer is ended."""

LAST_LINES = 10
_LAST_CHARACTERS = 300
_LOOK_SECONDS = 0.05


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
                env={**os.environ, "OUTGROW_ARM": arm, "OUTGROW_BASE_URL": base_url},
                start_new_session=True,
            )
        except (OSError, ValueError) as failed:
            why = failed.strerror if isinstance(failed, OSError) and failed.strerror else str(failed)
            return SuiteRun(arm, base_url, None, why_not=f"{argv[0]} cannot be started: {why}")
        try:
            why_not = _watched(process, said, seconds)
        finally:
            end(process)
        code = process.returncode if not why_not else None
        if code is not None and code < 0:
            code, why_not = None, f"it was ended by signal {-code}"
        return SuiteRun(arm, base_url, code, _last_lines(said), why_not)


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


def _last_lines(said: IO[bytes]) -> tuple[str, ...]:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - 8 * LAST_LINES * _LAST_CHARACTERS))
    lines = [line.rstrip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return tuple(printable(line)[:_LAST_CHARACTERS] for line in lines[-LAST_LINES:])

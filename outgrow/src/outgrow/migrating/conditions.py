"""What is looked at to tell whether the service bears the move just now."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outgrow.migration.records import Migration, Pace
from outgrow.migration.throttling import Pressure, throttled

LOOK_SECONDS = 5.0
"""How often the p95 is asked for."""
COMMAND_SECONDS = 15.0
"""How often the command is run."""
COMMAND_LIMIT_SECONDS = 30.0
"""A command that takes longer counts as one that says no."""
NOT_RUN = 127


@dataclass(slots=True)
class Conditions:
    """Why nothing may be copied, asked as often as one likes: what is costly is looked at now and then.

    Attributes:
        folder: what the stop file's path is relative to, and where the command runs.
        p95: by a signal's name the service's own p95 in seconds; None where it is not known, why, and whether that is
            because nobody asked anything.
    """

    folder: Path
    p95: Callable[[str], tuple[float | None, str, bool]] = lambda _: (None, "", False)
    monotonic: Callable[[], float] = time.monotonic
    _looked: float | None = None
    _p95: tuple[float | None, str, bool] = (None, "", False)
    _ran: float | None = None
    _exit: tuple[int | None, str] = field(default=(None, ""))

    def why_not(self, migration: Migration, lags: Mapping[str, float]) -> str:
        """Why nothing may be copied now; "" where it may. ``lags``: seconds by tenant."""
        pace, now = migration.pace, self.monotonic()
        if pace.p95_limit_seconds is not None and (self._looked is None or now - self._looked >= LOOK_SECONDS):
            self._p95, self._looked = self.p95(pace.p95_signal), now
        if pace.command and (self._ran is None or now - self._ran >= COMMAND_SECONDS):
            self._exit, self._ran = self._run(pace), now
        lagging = max(lags, key=lambda tenant: lags[tenant], default="")
        return throttled(
            pace,
            Pressure(
                lags.get(lagging, 0.0),
                lagging,
                *self._p95,
                bool(pace.stop_file) and (self.folder / pace.stop_file).exists(),
                *self._exit,
            ),
        )

    def _run(self, pace: Pace) -> tuple[int, str]:
        try:
            ran = subprocess.run(
                shlex.split(pace.command),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return NOT_RUN, f"it took longer than {COMMAND_LIMIT_SECONDS:g} s"
        except (OSError, ValueError) as error:
            return NOT_RUN, str(error)
        lines = ran.stdout.decode(errors="replace").strip().splitlines()
        return ran.returncode, lines[-1][:200] if lines else ""

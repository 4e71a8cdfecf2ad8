"""A PostgreSQL that runs, but neither serves nor recovers, and never will.

PostgreSQL 18.4 stays so where, while it recovers from the end of one of its processes, the process that recovers is
killed, or a fast shutdown is asked for. Nothing is lost: what was committed is recovered by the next start.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

LOOK_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 10.0
"""Between starting, recovering and serving it is so for a moment."""
AT_WORK: Final = ("startup", "walwriter")
"""One of these is there as long as the server recovers, the other as long as it serves."""


class HaltedServer:
    """Looks at one server again and again, and ends it once it was seen halted for a while. `clock`: monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._look_at = 0.0
        self._since: float | None = None

    def ended(self, postmaster: int) -> bool:
        """Whether it had to be ended now, by an immediate shutdown. Cheap: it looks every two seconds."""
        now = self._clock()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        if not _halted(postmaster):
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        if now - self._since < PATIENCE_SECONDS:
            return False
        self._since = None
        with suppress(ProcessLookupError):
            os.kill(postmaster, signal.SIGQUIT)
        return True


def _halted(postmaster: int) -> bool:
    try:
        titles = [" ".join(child.cmdline()) for child in psutil.Process(postmaster).children()]
    except psutil.Error:  # it is changing, or not ours to look at
        return False
    return not any(f" {name}" in title for title in titles for name in AT_WORK)

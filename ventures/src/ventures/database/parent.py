"""Processes that end when the one that started them does."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def dies_with_parent(how: int) -> Callable[[], None] | None:
    """What `subprocess.Popen(preexec_fn=…)` takes so that the child gets this signal when the starting thread ends.

    None where the system has no such thing; then the child has to watch its parent itself.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    us = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, how, 0, 0, 0)
        if os.getppid() != us:  # it ended before we asked
            os._exit(1)

    return ask


def ends_with_parent(patience_seconds: float) -> None:
    """Watches from a thread whether our parent is still there; without it we get SIGTERM, and later end at once.

    This is what holds where `dies_with_parent` gives nothing, and where SIGTERM is not enough.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()

"""An experiment in a process of its own, so that what draws progress here delays nothing that is timed there.

Threads of one interpreter take turns of milliseconds, which is more than a fast store takes to answer.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from outgrow.errors import OutgrowError
from outgrow.evidence.records import Arm
from outgrow.ports import Answers, Experiment, ExperimentFailed, Footprint, Load, Measured, Request

_GRACE_SECONDS = 20.0

Open = Callable[[Mapping[str, Any]], Experiment]


class Apart:
    """Keeps ``outgrow.ports.Experiment`` by asking another process, which is started when it is first needed.

    Ctrl-C ends the call that is under way there, too. When this process dies, that one closes what it opened and ends.

    Args:
        open_here: opens the experiment, there; a function of a module. settings: for it; can be pickled.
        arms, baseline: the experiment's.
    """

    def __init__(self, open_here: Open, settings: Mapping[str, Any], arms: Sequence[Arm], baseline: str) -> None:
        self._open_here = open_here
        self._settings = dict(settings)
        self.arms = tuple(arms)
        self.baseline = baseline
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        """As the experiment does it."""
        self._call("prepare", arm, said=said)

    def capacity(self, arm: str) -> float | None:
        """As the experiment finds it."""
        capacity: float | None = self._call("capacity", arm)
        return capacity

    def run(self, arm: str, load: Load) -> Measured:
        """As the experiment measures it."""
        measured: Measured = self._call("run", arm, load)
        return measured

    def requests(self, seed: int) -> Sequence[Request]:
        """Those of the experiment."""
        requests: Sequence[Request] = self._call("requests", seed)
        return requests

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        """As the experiment gets them."""
        answers: Answers = self._call("answers", arm, requests)
        return answers

    def right(self, requests: Sequence[Request]) -> Answers | None:
        """As the experiment knows them."""
        right: Answers | None = self._call("right", requests)
        return right

    def footprint(self, arm: str) -> Footprint:
        """As the experiment finds it."""
        footprint: Footprint = self._call("footprint", arm)
        return footprint

    def versions(self) -> Mapping[str, str]:
        """Those of the experiment."""
        versions: Mapping[str, str] = self._call("versions")
        return versions

    def close(self) -> None:
        """Closes the experiment, and ends the process."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is None or connection is None:
            return
        connection.close()
        process.join(_GRACE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()

    def _started(self) -> tuple[SpawnProcess, Connection]:
        if self._process is None or self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._open_here, self._settings), name="outgrow experiment"
            )
            self._process.start()
            theirs.close()
        return self._process, self._connection

    def _call(self, name: str, *given: Any, said: Callable[[str], None] | None = None) -> Any:
        process, connection = self._started()
        try:
            connection.send((name, given))
            while True:
                kind, value = connection.recv()
                if kind != "said":
                    break
                if said is not None:
                    said(value)
        except KeyboardInterrupt:
            _interrupt(process, connection)
            raise
        except (EOFError, OSError):
            process.join(_GRACE_SECONDS)
            code = process.exitcode
            self.close()
            raise ExperimentFailed(
                f"the process that asks the arms ended by itself, with code {code}",
                next_step="See whether this machine ran out of memory; then run it again.",
            ) from None
        if kind == "failed":
            message, next_step = value
            raise ExperimentFailed(message, next_step=next_step)
        if kind == "broke":
            raise RuntimeError(f"an experiment broke, in a process of its own:\n{value}")
        return value


def _interrupt(process: SpawnProcess, connection: Connection) -> None:
    """Ends the call under way, and takes its last word, so that the next call has its own."""
    if process.pid is None:
        return
    with suppress(EOFError, OSError):
        os.kill(process.pid, signal.SIGINT)
        while connection.poll(_GRACE_SECONDS) and connection.recv()[0] == "said":
            pass


def _serve(connection: Connection, open_here: Open, settings: Mapping[str, Any]) -> None:
    """The other process: does one call after the other, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's; only during calls it means something
    os.setsid()
    experiment: Experiment | None = None
    try:
        while True:
            name, given = connection.recv()
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                experiment = experiment or open_here(settings)
                more = (lambda text: connection.send(("said", text)),) if name == "prepare" else ()
                answer = ("done", getattr(experiment, name)(*given, *more))
            except OutgrowError as failed:
                answer = ("failed", (failed.message, failed.next_step))
            except KeyboardInterrupt:
                answer = ("interrupted", None)
            except Exception:
                answer = ("broke", traceback.format_exc())
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            connection.send(answer)
    except (EOFError, OSError):
        pass
    finally:
        if experiment is not None:
            experiment.close()

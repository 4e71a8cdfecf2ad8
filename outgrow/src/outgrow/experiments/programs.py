"""Programs of somebody else: started without a shell, bounded in time and output, ended with their children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

from outgrow.quantities import format_quantity

MOST_BYTES = 32_000_000
_GRACE_SECONDS = 3.0
_LOOK_SECONDS = 0.02
_LAST_LINES = 4
_LAST_CHARACTERS = 200


class ProgramFailed(Exception):
    """A program did not do what it was started for: which, what happened, and its last lines."""


@dataclass(slots=True)
class Programs:
    """What was started and may still run. Each program has a session of its own, apart from the terminal's.

    What leaves that session on purpose (a daemon) is not followed.
    """

    kept: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        seconds: float,
        *,
        keep: bool = False,
        most_bytes: int = MOST_BYTES,
    ) -> bytes:
        """What the program printed, once it has ended with 0.

        Args:
            environment: added to that of this process. seconds: it is ended after so long.
            keep: what it left running goes on until ``close``; else that is ended as well.
            most_bytes: of each of its outputs; it is ended when it prints more.

        Raises:
            ProgramFailed: it cannot be started, took too long, printed too much, or ended with another code.
        """
        with TemporaryFile() as out, TemporaryFile() as err:
            process = _started(argv, environment, out, err)
            try:
                _watch(process, (out, err), seconds, most_bytes)
            except ProgramFailed as failed:
                end(process)
                raise ProgramFailed(f"{argv[0]} {failed}{_last_lines(err)}") from None
            except BaseException:
                end(process)
                raise
            if keep:
                self.kept.append(process)
            else:
                end(process)
            out.seek(0)
            return out.read(most_bytes)

    def close(self) -> None:
        """Ends what is still running."""
        while self.kept:
            end(self.kept.pop())


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends the program and all that is left of its session: politely, and after three seconds firmly."""
    if _signal(process.pid, signal.SIGTERM):
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline and _lives(process):
            time.sleep(_LOOK_SECONDS)
        _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(session: int, number: int) -> bool:
    """Whether anybody was there to get it."""
    try:
        os.killpg(session, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _lives(process: subprocess.Popen[bytes]) -> bool:
    """Whether anything of its session still runs. What has ended, and waits for its parent to notice, does not: in a
    container that may be for ever."""
    process.poll()
    try:
        stats = [_fields(entry) for entry in os.listdir("/proc") if entry.isdecimal()]
    except OSError:
        return _signal(process.pid, 0)
    return any(fields[2:3] == [str(process.pid)] and fields[0] != "Z" for fields in stats)


def _fields(pid: str) -> list[str]:
    """State, parent, process group and so on, from behind the name; nothing where it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _started(
    argv: Sequence[str], environment: Mapping[str, str], out: IO[bytes], err: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except OSError as failed:
        raise ProgramFailed(f"{argv[0]} cannot be started: {failed.strerror or failed}") from None


def _watch(process: subprocess.Popen[bytes], outputs: Sequence[IO[bytes]], seconds: float, most_bytes: int) -> None:
    """Waits until it has ended well."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_SECONDS)
        if any(os.fstat(output.fileno()).st_size > most_bytes for output in outputs):
            raise ProgramFailed(f"printed more than {format_quantity(most_bytes, 'bytes')} and was ended")
        code = process.returncode
        if code is not None and code < 0:
            raise ProgramFailed(f"was ended by {_signal_name(-code)}")
        if code:
            raise ProgramFailed(f"ended with code {code}")
        if code == 0:
            return
        if time.monotonic() >= deadline:
            raise ProgramFailed(f"had not ended after {format_quantity(seconds, 'seconds')} and was ended")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_lines(err: IO[bytes]) -> str:
    """The end of what it said on stderr, as one line without control characters."""
    size = err.seek(0, os.SEEK_END)
    err.seek(max(0, size - 4 * _LAST_LINES * _LAST_CHARACTERS))
    lines = [line.strip() for line in err.read().decode("utf-8", "replace").splitlines() if line.strip()]
    shown = [printable(line)[:_LAST_CHARACTERS] for line in lines[-_LAST_LINES:]]
    return f"; its last lines: {' ⏎ '.join(shown)}" if shown else "; it said nothing on stderr"


def printable(text: str) -> str:
    """The text without characters that a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)

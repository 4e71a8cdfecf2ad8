"""What is seen: chapters, plain sentences, the commands as they are typed, and what they said."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

WIDTH = 98
"""Columns at most; a narrower terminal has its own."""
CONTINUED = " \\\n    "
SAID_EVERY_SECONDS, SAID_AGAIN_SECONDS = 5.0, 30.0
"""How often a line says what goes on, where there is no terminal to show it, and one that says the same as the last."""
MODULES = {"ventures": "ventures.cli", "outgrow": "outgrow"}
NEXT = "next:"
"""How a command says what might be typed after it, which is no progress."""
GENTLY = ("nice", "-n", "19")
END_SECONDS = 15.0


class Failed(Exception):
    """The story cannot go on, or must not: the message says why."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    said: str
    seconds: float


class Teller:
    """Tells, and runs the commands it tells of. environment: of all of them; folder: in which they are typed."""

    def __init__(self, environment: Mapping[str, str], folder: Path, *, plain: bool) -> None:
        live = sys.stdout.isatty() and not plain
        self.console = Console(
            highlight=False,
            width=min(WIDTH, Console().width) if live else WIDTH,
            no_color=plain or None,
            soft_wrap=False,
            markup=False,
        )
        self.environment = {**environment, "COLUMNS": str(self.console.width - len("  │ "))}
        self._folder = folder
        self._live = live
        self._began = time.monotonic()
        self._running: list[subprocess.Popen[str]] = []
        self.took: list[tuple[float, float, str]] = []
        """Of every command: when it began, how long it took (seconds), and what it was."""

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def chapter(self, number: int, title: str) -> None:
        """A new chapter, with the time that has passed."""
        self.console.print()
        head = Text(f" {number}  {title} ", style="bold reverse")
        clock = f"{int(self.seconds) // 60}:{int(self.seconds) % 60:02}"
        self.console.print(head, Text(clock, style="dim"))

    def say(self, sentence: str, style: str = "") -> None:
        """A sentence of the teller's own; what begins with spaces stays under itself."""
        for line in indented(sentence, self.console.width):
            self.console.print(Text(line, style=style), soft_wrap=True)

    def lines(self, text: str, *, most: int = 40) -> None:
        """What a command printed, set off."""
        kept = [line.rstrip() for line in text.strip("\n").splitlines()]
        for line in kept[:most]:
            self.console.print(Text(f"  │ {line}", style="cyan" if line else ""), soft_wrap=True)
        if len(kept) > most:
            self.console.print(Text(f"  │ … {len(kept) - most} lines more", style="dim"))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> None:
        """Figures side by side; the first columns are words, and stand at the left."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for number, column in enumerate(("", *columns)):
            table.add_column(Text(column, style="bold"), justify="left" if number <= words else "right")
        for row in rows:
            table.add_row("", *(Text(cell) for cell in row))
        self.console.print(table)

    @contextmanager
    def doing(self, what: str) -> Iterator[Callable[[str], None]]:
        """Shows that something goes on, and how far it is, as long as the block runs."""
        if self._live:
            with self.console.status(Text(f"  {what}", style="dim"), spinner="dots") as status:
                yield _Living(status, what, self.console.width)
        else:
            yield _Lines(self.console)

    def run(
        self,
        command: str,
        *words: str,
        fine: Sequence[int] = (0,),
        show: int = 0,
        said: Sequence[str] = (),
        into: str = "",
        shown: bool = True,
        gently: bool = False,
    ) -> Done:
        """Runs `ventures …` or `outgrow …` to its end. fine: codes it may end with. show: the most lines shown of its
        data, or of its messages where it has none; said: how those of its messages begin that are shown; into: the file
        it is told to go to; shown: whether people are told that it runs; gently: at the lowest priority.

        Raises: Failed where it ends otherwise.
        """
        if shown:
            self.told(command, *words, *((">", into) if into else ()))
        began = time.monotonic()
        process = self.started(command, *words, gently=gently)
        with self.doing(f"{command} {words[0]}") as going:
            out, messages = _followed(process, going)
        done = Done(process.returncode, out, messages, time.monotonic() - began)
        self.timed(began, " ".join((command, *words)))
        self._running.remove(process)
        if done.code not in fine:
            self.lines(out + messages, most=30)
            raise Failed(f"`{command} {' '.join(words)}` ended with {done.code}")
        if show:
            self.lines(out.strip() or messages, most=show)
        if said:
            self.lines("\n".join(line for line in messages.splitlines() if line.startswith(tuple(said))))
        return done

    def timed(self, began: float, what: str) -> None:
        """Notes how long something took. began: `time.monotonic`."""
        self.took.append((began - self._began, time.monotonic() - began, what))

    def told(self, command: str, *words: str) -> None:
        """Shows a command as it is typed, with a backslash where a line is full."""
        line = Text("$ ", style="dim")
        self.console.print(line.append(folded((command, *words), self.console.width), style="bold"), soft_wrap=True)

    def started(self, command: str, *words: str, silent: bool = False, gently: bool = False) -> subprocess.Popen[str]:
        """A command that goes on beside the story. Whoever starts it waits for it, or `end` ends it.

        silent: nobody reads what it says, which may be much. gently: at the lowest priority.
        """
        heard = subprocess.DEVNULL if silent else subprocess.PIPE
        process = subprocess.Popen(
            [*(GENTLY if gently else ()), sys.executable, "-m", MODULES[command], *words],
            env=self.environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=heard,
            stderr=heard,
            text=True,
            errors="replace",
            start_new_session=True,  # the terminal's Ctrl-C is for the story alone, which ends them in order
        )
        self._running.append(process)
        return process

    def ended(self, process: subprocess.Popen[str], number: int | None) -> Done:
        """Reads what a command that was started said until its end. number: the signal that it is sent before; None:
        it ends by itself.
        """
        began = time.monotonic()
        if number is not None and process.poll() is None:
            process.send_signal(number)
        try:
            out, messages = process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, messages = process.communicate()
        if process in self._running:
            self._running.remove(process)
        return Done(process.returncode, out or "", messages or "", time.monotonic() - began)

    def end(self) -> None:
        """Ends what still runs, politely and then firmly."""
        for process in self._running:
            if process.poll() is None:
                process.terminate()
        for process in self._running:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def folded(words: Sequence[str], width: int) -> str:
    """Words on as few lines as hold them, each but the last with a backslash at its end, so that they can be typed.
    An option stays with its value.
    """
    kept: list[str] = []
    for word in words:
        if kept and kept[-1].startswith("--") and " " not in kept[-1] and not word.startswith("-"):
            kept[-1] += f" {word}"
        else:
            kept.append(word)
    lines = [""]
    room = width - len("$ ") - len(CONTINUED)
    for word in kept:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return CONTINUED.join(lines)


def indented(sentence: str, width: int) -> list[str]:
    """A sentence on lines that fit, each as far from the left as the first."""
    indent = sentence[: len(sentence) - len(sentence.lstrip(" "))]
    return textwrap.wrap(sentence, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False) or [
        ""
    ]


def milliseconds(seconds: float | None) -> str:
    """As people read it; a dash where there is none."""
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.0095 else f"{seconds * 1000:.1f} ms"


def cropped(line: str, width: int) -> str:
    """A line that has room, with dots where it goes on."""
    return line if len(line) <= width else f"{line[: width - 1]}…"


class _Living:
    """On a terminal: one line that changes."""

    def __init__(self, status: Status, what: str, width: int) -> None:
        self._status, self._what, self._began, self._width = status, what, time.monotonic(), width

    def __call__(self, line: str) -> None:
        text = f"  {self._what}  {time.monotonic() - self._began:.0f} s  {line}"
        self._status.update(Text(cropped(text, self._width - 4), style="dim"))


class _Lines:
    """Elsewhere: a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console, self._last, self._said = console, time.monotonic(), ""

    def __call__(self, line: str) -> None:
        pause = SAID_AGAIN_SECONDS if line == self._said else SAID_EVERY_SECONDS
        if line and time.monotonic() - self._last >= pause:
            self._last, self._said = time.monotonic(), line
            self._console.print(Text(cropped(f"  … {line}", self._console.width), style="dim"), soft_wrap=True)


def _followed(process: subprocess.Popen[str], going: Callable[[str], None]) -> tuple[str, str]:
    """What it printed and what it said, the last line of which is shown while it runs."""
    last: deque[str] = deque([""], maxlen=1)
    told: list[str] = []
    data: list[str] = []

    def messages() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            told.append(line)
            if line.strip() and not line.startswith(NEXT):
                last.append(line.strip())

    def out() -> None:
        assert process.stdout is not None
        data.extend(process.stdout)

    readers = [threading.Thread(target=one, daemon=True) for one in (messages, out)]
    for reader in readers:
        reader.start()
    while process.poll() is None:
        going(last[0])
        time.sleep(0.1)
    for reader in readers:
        reader.join()
    return "".join(data), "".join(told)

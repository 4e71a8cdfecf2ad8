"""How far a measurement is, on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from outgrow.cli.output import err
from outgrow.proving import Step
from outgrow.quantities import format_duration

_WORDS = {
    "prepare": "setting arms up",
    "capacity": "how much each arm can answer",
    "fitness": "the baseline against itself",
    "parity": "whether the answers are right",
    "rounds": "rounds",
}
_LINES, _FITNESS_LINES = 20, 4
"""At most so many plain lines of rounds, and of the baseline against itself."""


@contextmanager
def progress() -> Iterator[Callable[[Step], None]]:
    """What to tell of every step."""
    console = err()
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1, left="")

        def tell(step: Step) -> None:
            if step.said:
                console.print(Text(f"  {step.said}", style="dim"))
            words = " · ".join(each for each in (phase_words(step), step.arm) if each)
            bar.update(task, description=words, completed=step.done, total=step.total or 1, left=left_words(step))

        yield tell


def phase_words(step: Step) -> str:
    """``round 3 of 12``, ``setting arms up``."""
    if step.phase == "rounds" and step.total:
        return f"round {min(step.done + 1, step.total)} of {step.total}"
    return _WORDS[step.phase]


def left_words(step: Step) -> str:
    """``about 4m30s left``; empty where nothing is."""
    if step.seconds_left < 1:
        return ""
    seconds = step.seconds_left
    rounded = round(seconds / 10) * 10 if seconds >= 60 else round(seconds)
    return f"about {format_duration(max(1, rounded))} left"


def _plain(console: Console) -> Callable[[Step], None]:
    """A line a phase, a line a round (of many rounds, one in so many), some while the baseline is measured against
    itself, and what is said."""
    seen: set[tuple[str, int]] = set()

    def tell(step: Step) -> None:
        if step.said:
            console.print(step.said, markup=False)
        most = {"rounds": _LINES, "fitness": _FITNESS_LINES}.get(step.phase, 1)
        key = (step.phase, step.done * most // step.total if step.total > most else step.done)
        if step.total and step.done < step.total and key not in seen:
            seen.add(key)
            left = left_words(step)
            console.print(f"{phase_words(step)}{f', {left}' if left else ''}", markup=False)

    return tell

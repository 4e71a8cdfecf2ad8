"""How far checks and baselines are, on stderr."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from outgrow.cli.output import err
from outgrow.quantities import format_duration
from outgrow.validating import Told

_LINES = 20
"""At most so many lines of rounds."""


def telling() -> Callable[[Told], None]:
    """What to tell of every step: a line each, of many rounds one in so many."""
    console = err()
    seen: set[tuple[str, int]] = set()

    def tell(told: Told) -> None:
        if told.total:
            part = told.done * _LINES // told.total if told.total > _LINES else told.done
            if (told.what, part) in seen:
                return
            seen.add((told.what, part))
        console.print(Text(f"{told.what}: {told.said}{_left(told.seconds_left)}", style="dim"), soft_wrap=True)

    return tell


def _left(seconds: float) -> str:
    if seconds < 1:
        return ""
    rounded = round(seconds / 10) * 10 if seconds >= 60 else round(seconds)
    return f", about {format_duration(max(1, rounded))} left"

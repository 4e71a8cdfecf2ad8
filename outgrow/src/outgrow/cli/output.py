"""Data to stdout, messages to stderr, one look for all commands."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from outgrow.errors import DeclarationError, OutgrowError

if TYPE_CHECKING:  # numpy comes with it, and pace, init and every error message do without
    from outgrow.outlook.status import State

SCHEMA = "outgrow/v1"

STATE_STYLES: dict[State, str] = {
    "firing": "bold red",
    "unknown": "bold magenta",
    "approaching": "yellow",
    "quiet": "green",
}
"""Not knowing never looks like being fine."""


_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSAID_IN_JSON = re.compile("[\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text without what would steer a terminal; tabs and line ends stay. Others' words are shown, never obeyed."""
    return _CONTROLS.sub("\ufffd", text)


class _Screen(Console):
    """A console on which only styles steer the terminal, never the words."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def out(plain: bool = False) -> Console:
    """Where data goes. Honours NO_COLOR; ``plain`` has no colour and never folds a line."""
    if plain:
        return _Screen(file=sys.stdout, color_system=None, width=10_000, highlight=False, soft_wrap=True)
    return _Screen(
        file=sys.stdout, highlight=False, width=_width(sys.stdout.isatty()), soft_wrap=not sys.stdout.isatty()
    )


def err() -> Console:
    """Where messages go."""
    return _Screen(
        file=sys.stderr, highlight=False, width=_width(sys.stderr.isatty()), soft_wrap=not sys.stderr.isatty()
    )


def _width(is_terminal: bool) -> int | None:
    """The terminal's width; where there is none, 100 for tables, and lines are not folded."""
    return None if is_terminal or "COLUMNS" in os.environ else 100


def emit_line(text: str) -> None:
    """One fact on a line of stdout, with its tabs as they are."""
    sys.stdout.write(printable(text) + "\n")
    sys.stdout.flush()


def emit_json(fields: Mapping[str, Any]) -> None:
    """One JSON document on stdout, with its schema; infinite and NaN numbers become null."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps({"schema": SCHEMA, **_finite(fields)}, ensure_ascii=not unicode, indent=2)
    sys.stdout.write(_UNSAID_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def hint(text: str) -> None:
    """The next sensible command, on stderr so that it never mixes with data."""
    if text:
        err().print(Text("next: ", style="dim") + Text(text, style="bold"))


def report_error(error: OutgrowError, *, as_json: bool) -> int:
    """Show an expected failure; returns the exit code."""
    if as_json:
        findings = error.findings if isinstance(error, DeclarationError) else ()
        errors = [
            {"file": f.file, "line": f.line, "column": f.column, "path": f.path, "message": f.message} for f in findings
        ] or [{"file": None, "line": None, "column": None, "path": None, "message": error.message}]
        emit_json({"ok": False, "errors": errors, "next": error.next_step or None})
    console = err()
    if isinstance(error, DeclarationError):
        for finding in error.findings:
            console.print(str(finding), style="red", markup=False, soft_wrap=True)
        count = len(error.findings)
        console.print(f"{count} finding{'s' if count != 1 else ''}; nothing was done", markup=False)
    else:
        console.print(Text("error: ", style="bold red") + Text(error.message), soft_wrap=True)
    hint(error.next_step)
    return error.exit_code

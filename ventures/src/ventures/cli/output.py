"""Data to stdout, messages to stderr, one look for all commands."""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

SCHEMA: Final = "ventures/v1"

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
PlainOption = Annotated[bool, typer.Option("--plain", help="Lines with tabs, no colour, nothing folded.")]

_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text on one line, without what would steer a terminal; tabs stay."""
    return _CONTROLS.sub(" ", text)


def emit_json(fields: Mapping[str, Any]) -> None:
    """One JSON document with its schema."""
    sys.stdout.write(json.dumps({"schema": SCHEMA, **fields}, indent=2) + "\n")
    sys.stdout.flush()


def emit_lines(rows: Iterable[Sequence[str]]) -> None:
    """One row a line, tabs between its parts."""
    for row in rows:
        sys.stdout.write("\t".join(printable(part) for part in row) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A message for people."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def log_to_stderr(level: str) -> None:
    """What the processes log, a line each."""
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
    )
    for handler in logging.getLogger().handlers:  # psycopg gives its own logger a level
        handler.setLevel(level.upper())
    if level != "debug":
        for chatty in ("uvicorn.error", "alembic", "httpx", "httpx2", "asyncio"):
            logging.getLogger(chatty).setLevel(logging.WARNING)

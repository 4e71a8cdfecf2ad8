"""The reference of commands, generated from ``--help``; ``python -m checks.reference`` writes it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer

from outgrow.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path("docs") / "reference" / "commands.md"

HEAD = """# Commands

Generated from `--help` by `make docs`. Shared by all: `--config FILE` (default `outgrow.yaml`), `--json` (stable, see
[JSON](json.md)), `--plain` (one fact a line, no colour), `--no-input`. Data goes to stdout, messages to stderr.

Exit codes: 0 fine · 1 a finding (a trigger fires, something cannot be carried) · 2 usage or configuration · 3 cannot
evaluate (a source is down, data too short).
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for command, (module, attribute) in COMMANDS.items():
        found = getattr(import_module(module), attribute)
        inner = [each.name or "" for each in found.registered_commands] if isinstance(found, typer.Typer) else []
        parts += [f"## outgrow {command}\n\n```text\n{_help(command)}\n```\n"]
        parts += [f"### outgrow {command} {name}\n\n```text\n{_help(command, name)}\n```\n" for name in inner]
    return "\n".join(parts)


def outdated(root: Path) -> Iterator[str]:
    """A finding where the page is not what ``--help`` says now."""
    path = root / TARGET
    if not path.exists() or path.read_text(encoding="utf-8") != reference():
        yield f"{TARGET}:1: the reference of commands is not current; run make docs"


def _help(*command: str) -> str:
    environment = {
        **os.environ,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "_TYPER_FORCE_DISABLE_TERMINAL": "1",
    }
    words = [sys.executable, "-m", "outgrow", *command, "--help"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    said = done.stdout.replace("python -m outgrow", "outgrow")
    return "\n".join(line.rstrip() for line in said.strip("\n").splitlines())


if __name__ == "__main__":
    (ROOT / TARGET).write_text(reference(), encoding="utf-8")

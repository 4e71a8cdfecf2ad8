"""Every command is documented, and no text names a machine's path or a package index."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from outgrow.cli import COMMANDS

PRIVATE = re.compile(
    r"(^|[^A-Za-z0-9_.])/(work|farm|root|home/[a-z]+)/|files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs"
)
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".in", ".lock", ".html", ".j2", ".sql", ""}


def undocumented(root: Path) -> Iterator[str]:
    """Commands without a heading in the reference, and private paths or index hosts in tracked text."""
    reference = root / "docs" / "reference" / "commands.md"
    text = reference.read_text(encoding="utf-8") if reference.exists() else ""
    for command in COMMANDS:
        if f"## outgrow {command}\n" not in text:
            yield f"docs/reference/commands.md:1: outgrow {command} is not documented; run make docs"
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in tracked:
        path = root / name
        if path.suffix not in TEXT_SUFFIXES or not path.is_file() or path.name == "documented.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if PRIVATE.search(line):
                yield f"{name}:{number}: names a path of one machine, or a package index"

"""The project speaks of itself alone: no tracked text names one machine's path or a package index's host."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

PRIVATE = re.compile(
    r"(^|[^A-Za-z0-9_.])/(work|farm|root|home/[a-z]+)/|files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs"
)
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".in", ".lock", ".html", ".j2", ".sql", ".csv", ""}


def private_words(root: Path) -> Iterator[str]:
    """Findings in the files git tracks below ``root``."""
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = root / name
        if path.suffix not in TEXT_SUFFIXES or not path.is_file() or name == "checks/privacy.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if PRIVATE.search(line):
                yield f"{name}:{number}: names a path of one machine, or a package index"

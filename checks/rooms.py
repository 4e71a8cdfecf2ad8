"""Every room says at its door what comes in and what goes out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def rooms_without_a_door(root: Path) -> Iterator[str]:
    """Packages of ``outgrow`` whose ``__init__`` docstring is missing or says nothing of what comes in and out."""
    package = root / "outgrow" / "src" / "outgrow"
    for folder in sorted(path.parent for path in package.glob("*/__init__.py")):
        door = folder / "__init__.py"
        text = ast.get_docstring(ast.parse(door.read_text(encoding="utf-8"))) or ""
        if "In:" not in text or "Out:" not in text:
            yield f"{door.relative_to(root)}:1: the room's docstring must say what comes in (In:) and goes out (Out:)"
    for folder in sorted(path for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"):
        if any(folder.glob("*.py")) and not (folder / "__init__.py").exists():
            yield f"{folder.relative_to(root)}:1: a room without __init__.py"

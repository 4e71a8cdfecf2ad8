"""Rooms of ``ventures`` reach each other only through ``api``, and every room says what comes in and what goes out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("ventures") / "src" / "ventures"
LOW = {"database", "settings", "identifiers", "errors"}
"""Imported by module: they are below every room."""
FREE = {"testing", "wiring"}
"""May import any public module: the composition root, and what only tests use."""
ENTRY = {"http", "workers", "cli", "wiring"}
"""Nobody asks them for anything but each other."""
ALONE = {"client"}
"""Imports nothing of ours, so that it can be taken along by itself."""
DOOR = "api"


def rooms_without_a_door(root: Path) -> Iterator[str]:
    """Findings over the whole package."""
    package = root / PACKAGE
    rooms = {path.name for path in package.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    for path in sorted(package.rglob("*.py")):
        yield from crossings(path.read_text(encoding="utf-8"), path.relative_to(root), rooms)
    for room in sorted(rooms - FREE):
        place = package / room / "__init__.py"
        if not place.exists():
            yield f"{place.parent.relative_to(root)}:1: a room without __init__.py"
            continue
        text = ast.get_docstring(ast.parse(place.read_text(encoding="utf-8"))) or ""
        if "In:" not in text or "Out:" not in text:
            yield f"{place.relative_to(root)}:1: the room's docstring must say what comes in (In:) and goes out (Out:)"
        door = package / room / f"{DOOR}.py"
        if door.exists() and room not in ENTRY:  # a command may be called api
            yield from unlisted(door.read_text(encoding="utf-8"), str(door.relative_to(root)))


def crossings(source: str, path: Path, rooms: set[str]) -> Iterator[str]:
    """Imports of one module that enter another room beside its door."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    own = parts[0]
    for node, name in _imported(ast.parse(source)):
        room, *inner = name.split(".")[1:] or [""]
        where = f"{path}:{node.lineno}:"
        if own in ALONE and room != own:
            yield f"{where} {own} imports {name}; it stands alone, write here what it needs"
        elif room in ("", own):
            continue
        elif room == "testing":
            if own != "testing":
                yield f"{where} imports {name}; production never imports testing"
        elif any(part.startswith("_") for part in inner):
            yield f"{where} imports {name}, which is private to {room}"
        elif own in FREE or room in LOW or room not in rooms or (room in ENTRY and own in ENTRY):
            continue
        elif inner[:1] != [DOOR]:
            yield f"{where} imports {name}; ask the room at its door, ventures.{room}.{DOOR}"


def unlisted(source: str, file: str) -> Iterator[str]:
    """A door without ``__all__``."""
    names = [
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]
    if "__all__" not in names:
        yield f"{file}:1: the door must list in __all__ what other rooms may use"


def _imported(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Modules of ``ventures`` that are imported: ``from ventures.log import sql`` is ``ventures.log.sql``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "ventures":
                    yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ventures":
            module = node.module or ""
            if module.count(".") >= 2:  # already a module of a room; what is taken out of it is a name
                yield node, module
                continue
            for alias in node.names:
                yield node, f"{module}.{alias.name}"

"""No clock, network or randomness of its own in the core: time, generators and data arrive as arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CORE = (
    "quantities.py",
    "errors.py",
    "ports",
    "points",
    "signals",
    "outlook",
    "evidence",
    "decisions",
    "schedule",
    "migration",
    "validation",
)

FORBIDDEN_MODULES = {"time", "random", "secrets", "socket", "ssl", "urllib", "http", "subprocess", "asyncio", "os"}
FORBIDDEN_CALLS = {
    "datetime.now": "take the time as an argument",
    "datetime.utcnow": "take the time as an argument",
    "datetime.today": "take the time as an argument",
    "date.today": "take the time as an argument",
    "np.random.seed": "take a numpy Generator as an argument",
    "np.random.rand": "take a numpy Generator as an argument",
    "np.random.randn": "take a numpy Generator as an argument",
    "np.random.normal": "take a numpy Generator as an argument",
    "np.random.choice": "take a numpy Generator as an argument",
    "open": "read files at the rim",
    "print": "return a value; the command line prints",
}
SEEDED = "np.random.default_rng"


def impurities(root: Path) -> Iterator[str]:
    """Findings in the core rooms of ``outgrow``."""
    package = root / "outgrow" / "src" / "outgrow"
    for name in CORE:
        place = package / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            yield from impurities_in(file.read_text(encoding="utf-8"), str(file.relative_to(root)))


def impurities_in(source: str, file: str) -> Iterator[str]:
    """Findings in one module's text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in FORBIDDEN_MODULES:
                    yield f"{file}:{node.lineno}: the core imports {alias.name}; hand in what it gives as an argument"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            yield f"{file}:{node.lineno}: the core imports {node.module}; hand in what it gives as an argument"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in FORBIDDEN_CALLS:
                yield f"{file}:{node.lineno}: the core calls {called}; {FORBIDDEN_CALLS[called]}"
            elif called == SEEDED and not node.args:
                yield f"{file}:{node.lineno}: an unseeded generator; seed it from the inputs"

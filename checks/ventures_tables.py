"""What the migrations of ``ventures`` declare of each table, read from their text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

VERSIONS = Path("ventures") / "src" / "ventures" / "database" / "migrations" / "versions"


@dataclass
class Tables:
    """Regional tables with their kind (``log``, ``state``, ``derived``, ``work``), those the workers' role may scan,
    and the findings: declarations whose table this cannot read."""

    kinds: dict[str, str] = field(default_factory=dict)
    scanned: set[str] = field(default_factory=set)
    global_: set[str] = field(default_factory=set)
    findings: list[str] = field(default_factory=list)


def declared(root: Path) -> Tables:
    """The declarations of all steps together."""
    tables = Tables()
    for file in sorted((root / VERSIONS).glob("*.py")):
        declared_in(file.read_text(encoding="utf-8"), str(file.relative_to(root)), tables)
    return tables


def declared_in(source: str, file: str, tables: Tables) -> None:
    """Adds the declarations of one step: ``regional("t", "state")``, ``global_("t")``, ``scanned("t")``,
    ``routed("t")``, by themselves or in a loop over a tuple of names, written there or as a constant of the file."""
    loops: dict[str, list[str]] = {}
    tree = ast.parse(source)
    constants = {
        target.id: list(_texts(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            names = constants.get(node.iter.id, []) if isinstance(node.iter, ast.Name) else list(_texts(node.iter))
            loops.setdefault(node.target.id, []).extend(names)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        if node.func.id not in ("regional", "global_", "scanned", "routed"):
            continue
        first = node.args[0]
        names = loops.get(first.id, []) if isinstance(first, ast.Name) else list(_texts(first))
        kind = list(_texts(node.args[1])) if len(node.args) > 1 else []
        if not names or (node.func.id == "regional" and not kind):
            tables.findings.append(
                f"{file}:{node.lineno}: {node.func.id}() must name its table (and kind) in quotes, or the table by a "
                "loop over a tuple of quoted names"
            )
        for name in names:
            if node.func.id == "scanned":
                tables.scanned.add(name)
            elif node.func.id == "routed":
                tables.scanned.add(f"outgrow.{name}")
            elif node.func.id == "global_":
                tables.global_.add(name)
            elif kind:
                tables.kinds[name] = kind[0]


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Tuple | ast.List):
        for element in node.elts:
            yield from _texts(element)

"""No query of ``ventures`` goes around the one place that scopes it.

PostgreSQL's drivers are imported only below ``database/``. A statement is a constant in capitals in its room's
``sql.py`` and nothing else; what a scope is asked to run is such a constant. In every statement each regional table is
held to the scope's venture (``checks.ventures_statements`` says how), but in those named ``SCAN_…``: they read, as the
workers' role, tables declared ``scanned``. Tables of kind ``state`` are written only by ``events.py`` of a room, those
of kind ``log`` only by the room ``log``; what writes state has no clock and no chance in it, so that a replay gives
the same rows. ``testing`` is free: production never imports it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.core_purity import impurities_in
from checks.ventures_statements import Judgement, judged, looks_like_sql
from checks.ventures_tables import Tables, declared

PACKAGE = Path("ventures") / "src" / "ventures"
DRIVERS = {"psycopg", "psycopg_pool", "psycopg_binary", "sqlalchemy", "alembic", "asyncpg", "pgvector"}
ASKING = {"one", "all", "run", "run_many", "changed", "queued"}
RAW = {"execute", "executemany", "copy", "cursor", "stream"}
INSIDE = {"_connection", "_sent", "_bound", "_pool", "_transaction"}
"""What a scope and a pool keep to themselves."""
FREE_ROOMS = ("testing",)
CHANCE = re.compile(
    r"\b(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|random|random_normal|gen_random_uuid"
    r"|uuidv4|uuidv7|nextval|pg_current_xact_id)\s*\(|\b(?:current_timestamp|current_date|current_time|localtimestamp"
    r"|localtime)\b",
    re.IGNORECASE,
)
DOOR = "database"
SCAN = "SCAN_"


@dataclass(frozen=True)
class Module:
    """One file: `room` is its folder below the package ("" for files beside the rooms)."""

    file: str
    room: str
    name: str
    text: str
    tree: ast.Module


@dataclass(frozen=True)
class Statement:
    """One constant of a room's ``sql.py``."""

    file: str
    line: int
    name: str
    text: str
    judgement: Judgement


def unscoped(root: Path) -> Iterator[str]:
    """Findings over the whole package."""
    tables = declared(root)
    modules = [module(path.read_text(encoding="utf-8"), path.relative_to(root)) for path in files(root)]
    yield from tables.findings
    yield from unscoped_in(modules, tables)


def files(root: Path) -> list[Path]:
    """The package's modules, but for those of free rooms."""
    package = root / PACKAGE
    found = sorted(package.rglob("*.py"))
    return [path for path in found if path.relative_to(package).parts[0] not in FREE_ROOMS]


def module(source: str, path: Path) -> Module:
    """The module of a path below the repository's root."""
    parts = path.relative_to(PACKAGE).parts
    return Module(
        str(path), parts[0] if len(parts) > 1 else "", "/".join(parts[1:]) or parts[0], source, ast.parse(source)
    )


def unscoped_in(modules: list[Module], tables: Tables) -> Iterator[str]:
    """Findings in these modules, under these declarations."""
    catalogue = {f"ventures.{each.room}.sql": statements(each, tables) for each in modules if _is_sql(each)}
    for each in modules:
        if each.room == DOOR:
            yield from _around_in_the_door(each, tables)
            continue
        yield from _drivers(each)
        if _is_sql(each):
            yield from _not_a_statement(each)
            for statement in catalogue[f"ventures.{each.room}.sql"].values():
                for fault in [*statement.judgement.faults, *_by_chance(statement, tables)]:
                    yield f"{statement.file}:{statement.line}: {statement.name} {fault}"
        else:
            yield from _sql_elsewhere(each)
            yield from _asked(each, catalogue)
            yield from _written(each, catalogue, tables)
        if each.name == "events.py" and each.room:
            yield from _applied_by_chance(each)


def statements(source: Module, tables: Tables) -> dict[str, Statement]:
    """The constants of a ``sql.py`` by name, each judged."""
    found = {}
    for node in source.tree.body:
        name, value = _assigned(node)
        if name and isinstance(value, ast.Constant) and isinstance(value.value, str):
            scanned = tables.scanned if name.startswith(SCAN) else None
            found[name] = Statement(source.file, node.lineno, name, value.value, judged(value.value, scanned))
    return found


def _is_sql(source: Module) -> bool:
    return source.name == "sql.py" and bool(source.room)


def _assigned(node: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    return None, None


def _drivers(source: Module) -> Iterator[str]:
    for node in ast.walk(source.tree):
        named = []
        line = getattr(node, "lineno", 1)
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            named = [node.module or ""]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RAW:
            yield (
                f"{source.file}:{node.lineno}: calls .{node.func.attr}() on what may be a connection; ask a Scope "
                "(one, all, run, changed, queued)"
            )
        for name in named:
            if name.split(".")[0] in DRIVERS:
                yield f"{source.file}:{line}: imports {name}; only ventures.database may, ask a Scope"


def _not_a_statement(source: Module) -> Iterator[str]:
    for number, node in enumerate(source.tree.body):
        name, value = _assigned(node)
        if number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "__future__"):
            continue
        if name and name.isupper() and isinstance(value, ast.Constant) and isinstance(value.value, str):
            continue
        yield (
            f"{source.file}:{node.lineno}: is no statement; sql.py holds NAME: LiteralString = one "
            "plain text, nothing put together"
        )


def _sql_elsewhere(source: Module) -> Iterator[str]:
    for line, text in _texts(source.tree):
        if looks_like_sql(text):
            where = f"{source.room or 'a room'}/sql.py"
            yield f"{source.file}:{line}: reads as SQL ({_short(text)}); make it a constant of {where}"


def _around_in_the_door(source: Module, tables: Tables) -> Iterator[str]:
    """``database`` speaks to the catalogue; a room's table it names nowhere but in a migration."""
    if source.name.startswith("migrations/"):
        return
    for line, text in _texts(source.tree):
        if not looks_like_sql(text):
            continue
        words = {word.strip('"') for word in text.replace(".", " ").replace(",", " ").split()}
        for table in sorted(words & tables.kinds.keys()):
            yield f"{source.file}:{line}: asks {table} outside of a scope; make it a constant of its room's sql.py"


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Texts with their lines, put together as far as they can be seen to be; docstrings left out."""
    silent: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))
    for node in ast.walk(tree):
        if id(node) in silent:
            continue
        text = _text(node)
        if text is not None:
            silent.update(id(inner) for inner in ast.walk(node))
            yield getattr(node, "lineno", 1), text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "x" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        left, right = _text(node.left), _text(node.right)
        if left is not None or right is not None:
            return (left or "x") + (right or "x") if isinstance(node.op, ast.Add) else left
    return None


def _asked(source: Module, catalogue: dict[str, dict[str, Statement]]) -> Iterator[str]:
    """What a scope is asked is a constant of ``sql.py``. A receiver not called one counts where it is given one."""
    imported = {alias.asname or alias.name.split(".")[0] for alias in _aliases(source.tree)}
    called = {id(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)}
    constants = _constants(source.tree, catalogue)
    chosen = _chosen(source.tree, constants)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in INSIDE and ast.unparse(node.value) != "self":
            yield f"{source.file}:{node.lineno}: reaches for {ast.unparse(node)}, the scope's own; ask the scope"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "vars") and _is_scope(node.args[0]):
            yield f"{source.file}:{node.lineno}: looks inside a scope; call one of its methods by name"
        if isinstance(node, ast.Attribute) and node.attr in ASKING and id(node) not in called and _is_scope(node.value):
            yield f"{source.file}:{node.lineno}: hands on scope.{node.attr}; call it here, with a constant of sql.py"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in ASKING:
            continue
        receiver = node.func.value
        if isinstance(receiver, ast.Name) and receiver.id in imported:
            continue
        if not _is_scope(receiver) and (not node.args or not _may_be_statement(node.args[0], constants)):
            continue
        if not node.args or not (_is_constant(node.args[0], constants) or id(node.args[0]) in chosen):
            yield (
                f"{source.file}:{node.lineno}: asks {ast.unparse(node.func)} something other than a constant of "
                "sql.py; name the statement there and here"
            )


def _is_scope(receiver: ast.expr) -> bool:
    words = ast.unparse(receiver).rsplit(".", 1)[-1].lower()
    return words.endswith("scope")


def _may_be_statement(node: ast.expr, constants: dict[str, Statement]) -> bool:
    """Whether something not called a scope is given a statement all the same: a name of sql.py, or a text."""
    return any(ast.unparse(inner) in constants for inner in ast.walk(node) if isinstance(inner, ast.expr)) or any(
        isinstance(inner, ast.Name) and inner.id in ("statement", "query", "sql") for inner in ast.walk(node)
    )


def _is_constant(node: ast.expr, constants: dict[str, Statement]) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_constant(node.body, constants) and _is_constant(node.orelse, constants)
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in constants


def _chosen(tree: ast.Module, constants: dict[str, Statement]) -> set[int]:
    """Uses of local names that are only assigned constants of ``sql.py``: ``statement = sql.A if … else sql.B``."""
    uses: set[int] = set()
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        values: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function):
            name, value = _assigned(node) if isinstance(node, ast.stmt) else (None, None)
            if name and value is not None:
                values.setdefault(name, []).append(value)
        for name, given in values.items():
            named = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name]
            bound = sum(isinstance(node.ctx, ast.Store) for node in named)
            arguments = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
            if name not in arguments and bound == len(given) and all(_is_constant(each, constants) for each in given):
                uses.update(id(node) for node in named)
    return uses


def _aliases(tree: ast.Module) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from node.names


def _constants(tree: ast.Module, catalogue: dict[str, dict[str, Statement]]) -> dict[str, Statement]:
    """The statements this module can name, as it writes them: ``APPEND``, ``sql.APPEND``."""
    found: dict[str, Statement] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                called = alias.asname or alias.name
                if (whole := catalogue.get(f"{node.module}.{alias.name}")) is not None:
                    found |= {f"{called}.{name}": statement for name, statement in whole.items()}
                elif alias.name in catalogue.get(node.module or "", {}):
                    found[called] = catalogue[node.module or ""][alias.name]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                for name, statement in catalogue.get(alias.name, {}).items():
                    found[f"{alias.asname or alias.name}.{name}"] = statement
    return found


def _written(source: Module, catalogue: dict[str, dict[str, Statement]], tables: Tables) -> Iterator[str]:
    constants = _constants(source.tree, catalogue)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        statement = constants.get(ast.unparse(node))
        if statement is None or source.room == "log":
            continue
        for table in sorted(statement.judgement.written):
            kind = tables.kinds.get(table)
            if kind == "log":
                yield f"{source.file}:{node.lineno}: {statement.name} writes {table}, the log's; append a command"
            elif kind == "state" and source.name != "events.py":
                yield (
                    f"{source.file}:{node.lineno}: {statement.name} writes {table}, which is state; only apply "
                    f"functions in {source.room}/events.py do, so that replaying the log gives the same rows"
                )


def _by_chance(statement: Statement, tables: Tables) -> Iterator[str]:
    if any(tables.kinds.get(table) == "state" for table in statement.judgement.written):
        for call in CHANCE.finditer(statement.text):
            yield (
                f"writes state with {call.group().rstrip('( ')}, which a replay gives another value; "
                "take times and ids from the event"
            )


def _applied_by_chance(source: Module) -> Iterator[str]:
    for finding in impurities_in(source.text, source.file):
        yield finding.replace("the core", "an apply function's module")
    for node in ast.walk(source.tree):
        taken = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        if isinstance(node, ast.ImportFrom) and (
            node.module == "ventures.identifiers" or (node.module == "uuid" and any("uuid" in name for name in taken))
        ):
            yield f"{source.file}:{node.lineno}: makes ids where events are applied; take them from the event"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"

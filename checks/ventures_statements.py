"""Is every regional table of a statement held to one venture? Judged from the statement's text, by its syntax tree.

A table is held when `venture = %(venture)s` stands for it among the conditions that must all be true, or when it is
joined on `venture` with a table that is. What an outer join does not bind counts for nothing, and neither does a
condition below OR or NOT. A table in a place this does not understand is a fault: it must be written more plainly.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

VENTURE = "venture"
PARAMETER = re.compile(r"%\((\w+)\)[sbt]")
QUERY = (exp.Select, exp.SetOperation, exp.Subquery, exp.Insert, exp.Update, exp.Delete, exp.Values)
ROUTING = "outgrow"
SYSTEM_SCHEMAS = ("pg_catalog", "information_schema")
SQL_WORDS = re.compile(
    r"\b(?:SELECT\s.+?\sFROM\s|SELECT\s+\w+\(|INSERT\s+INTO\s|UPDATE\s+[\w.\"{}%]+\s.*?\bSET\s|DELETE\s+FROM\s|MERGE\s+INTO\s"
    r"|WITH\s+\w+\s+AS\s+\(|(?:CREATE|ALTER|DROP|TRUNCATE)\s+(?:TABLE|INDEX|SCHEMA|ROLE|POLICY|DATABASE|EXTENSION)\s"
    r"|TRUNCATE\s+[\w.\"]+|SET\s+(?:LOCAL\s+)?ROLE\s|(?:UN)?LISTEN\s+[\w\"]|COPY\s+[\w.\"(]+.*\s(?:FROM|TO)\s"
    r"|(?:FROM|INTO|JOIN)\s+[\w.\"{}%]+\s+(?:WHERE|JOIN|VALUES|SET)\s)",
    re.DOTALL,
)
SQL_SHAPES = re.compile(
    r"(?-i:\Aselect)\s.+\sfrom\s+[\w.\"{}%]+\s*;?\Z"
    r"|\bselect\s.+?\sfrom\s+[\w.\"{}%]+\s+(?:where\b|join\b|(?:order|group)\s+by\b|limit\b|for\s+update\b)"
    r"|\binsert\s+into\s+[\w.\"{}%]+\s*(?:\(|values\b|select\b)|\bupdate\s+[\w.\"{}%]+\s+set\s+\w+\s*="
    r"|\bdelete\s+from\s+[\w.\"{}%]+\s*(?:$|;|where\b|using\b|returning\b)",
    re.DOTALL | re.IGNORECASE,
)

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def looks_like_sql(text: str) -> bool:
    """Whether the text reads as a statement or a piece of one: words in capitals, or the shape in any case."""
    return bool(SQL_WORDS.search(text) or SQL_SHAPES.search(text.strip()))


@dataclass
class Judgement:
    """What a statement names and does. `faults` say what is wrong and what to do."""

    regional: set[str] = field(default_factory=set)
    global_: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


@dataclass
class _Source:
    """One name in FROM. `needs`: the regional table that must be held. `held`: all its rows are the venture's."""

    needs: str | None = None
    held: bool = False
    function: bool = False


Columns = list[tuple[str, bool]]
"""A query's output: (name, whether it is the scope's venture)."""


def judged(text: str, scanned: Iterable[str] | None = None) -> Judgement:
    """The judgement of one statement with psycopg's named parameters.

    `scanned`: for a statement of the workers' role, the tables it may read of all ventures; it only reads.
    """
    plain = PARAMETER.sub(r" :\1 ", text).replace("%%", "%")
    found = Judgement()
    try:
        trees = [tree for tree in sqlglot.parse(plain, dialect="postgres") if tree is not None]
    except (ParseError, TokenError) as error:
        found.faults.append(f"cannot be read as PostgreSQL ({str(error).splitlines()[0]}); write it more plainly")
        return found
    if len(trees) != 1:
        found.faults.append("holds several statements; make one constant of each")
        return found
    tree = trees[0]
    if not isinstance(tree, (exp.Select, exp.SetOperation, exp.Subquery, exp.Insert, exp.Update, exp.Delete)):
        found.faults.append("is none of SELECT, INSERT, UPDATE, DELETE; rooms have no other statements")
        return found
    _Judge(found, None if scanned is None else set(scanned)).whole(tree)
    return found


class _Judge:
    def __init__(self, found: Judgement, scanned: set[str] | None) -> None:
        self.found = found
        self.scanned = scanned
        self.understood: set[int] = set()

    def whole(self, tree: exp.Expression) -> None:
        self.query(tree, {}, {})
        locked = {id(table) for lock in tree.find_all(exp.Lock) for table in lock.find_all(exp.Table)}
        for table in tree.find_all(exp.Table):
            if id(table) not in self.understood and id(table) not in locked:
                self.fault(f"names {table.name} in a place this check does not understand; write it more plainly")
        for call in tree.find_all(exp.Anonymous):
            if call.name.lower() == "set_config":
                self.fault("calls set_config; only ventures.database sets the venture of a transaction")
        if any(
            isinstance(text.this, str) and text.is_string and looks_like_sql(text.this)
            for text in tree.find_all(exp.Literal)
        ):
            self.fault("holds a statement in a text; write it out")
        if self.found.regional and self.found.global_:
            self.fault(
                f"names regional ({_listed(self.found.regional)}) and global ({_listed(self.found.global_)}) tables; "
                "ask each side by itself, by opaque id"
            )
        if self.scanned is not None:
            if self.found.written or any(tree.find_all(exp.Lock)):
                self.fault("is a scan over all ventures and so may only read, without locks")
            if beyond := self.found.regional - self.scanned:
                self.fault(f"scans {_listed(beyond)}, which no migration declares scanned(); ids, numbers, times only")

    def fault(self, text: str) -> None:
        if text not in self.found.faults:
            self.found.faults.append(text)

    # env: names of the queries around, and whether they are held. ctes: names of WITH, and their columns.
    def query(self, node: exp.Expression, env: Mapping[str, bool], ctes: Mapping[str, Columns]) -> Columns:
        ctes = self.with_(node, env, ctes)
        if isinstance(node, exp.Subquery):
            return self.query(node.this, env, ctes)
        if isinstance(node, exp.SetOperation):
            left, right = self.query(node.this, env, ctes), self.query(node.expression, env, ctes)
            if len(left) != len(right):
                return [(name, False) for name, _ in left]
            return [(name, held and other) for (name, held), (_, other) in zip(left, right, strict=True)]
        if isinstance(node, exp.Values):
            return self.values(node, env, ctes)
        if isinstance(node, exp.Insert):
            return self.insert(node, env, ctes)
        if isinstance(node, exp.Select | exp.Update | exp.Delete):
            return self.rows(node, env, ctes)
        self.fault(f"uses {node.key.upper()} where this check expects a query; write it more plainly")
        return []

    def with_(
        self, node: exp.Expression, env: Mapping[str, bool], ctes: Mapping[str, Columns]
    ) -> Mapping[str, Columns]:
        clause = node.args.get("with_")
        if clause is None:
            return ctes
        known = dict(ctes)
        for cte in clause.expressions:
            if clause.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                # The first arm does not know the name; what it yields is what the other arm may take for granted.
                known[cte.alias] = _renamed(self.query(cte.this.this, env, known), cte.args.get("alias"))
            columns = _renamed(self.query(cte.this, env, known), cte.args.get("alias"))
            if cte.alias in known and columns != known[cte.alias] and clause.args.get("recursive"):
                known[cte.alias] = columns
                self.query(cte.this, env, known)
            known[cte.alias] = columns
        return known

    def rows(
        self, node: exp.Select | exp.Update | exp.Delete, env: Mapping[str, bool], ctes: Mapping[str, Columns]
    ) -> Columns:
        gathered = _Gathered(self, env, ctes)
        if isinstance(node, exp.Update | exp.Delete):
            if not isinstance(node.this, exp.Table):
                self.fault("changes something that is not a table by name")
                return []
            gathered.add(node.this)
            self.writes(node.this)
        first = node.args.get("from_")
        for source in [*([first.this] if first is not None else []), *(node.args.get("using") or [])]:
            gathered.add(source)
        for join in node.args.get("joins") or []:
            gathered.join(join)
        if (where := node.args.get("where")) is not None:
            gathered.conditions(where.this, None)
        gathered.settle()
        inner = {**env, **{name: source.held for name, source in gathered.sources.items()}}
        taken = gathered.taken
        for each in _nested(node):
            if id(each) not in taken:
                self.query(each, inner, ctes)
        if isinstance(node, exp.Update):
            self.sets(node.expressions, node.this)
        returning = node.args.get("returning")
        shown = node.expressions if isinstance(node, exp.Select) else returning.expressions if returning else []
        return [(each.alias_or_name, gathered.is_venture(each.unalias())) for each in shown]

    def values(self, node: exp.Values, env: Mapping[str, bool], ctes: Mapping[str, Columns]) -> Columns:
        for each in _nested(node):
            self.query(each, env, ctes)
        rows = [row.expressions for row in node.expressions]
        held = [all(_is_parameter(row[place]) for row in rows) for place in range(len(rows[0]) if rows else 0)]
        return [(f"column{place + 1}", each) for place, each in enumerate(held)]

    def insert(self, node: exp.Insert, env: Mapping[str, bool], ctes: Mapping[str, Columns]) -> Columns:
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        if not isinstance(target, exp.Table):
            self.fault("inserts into something that is not a table by name")
            return []
        regional = self.table(target)
        self.writes(target)
        supplied = self.query(node.expression, env, ctes) if node.expression is not None else []
        held = True
        if regional is not None:
            names = [each.name for each in node.this.expressions] if isinstance(node.this, exp.Schema) else []
            place = names.index(VENTURE) if VENTURE in names else None
            held = place is not None and place < len(supplied) and supplied[place][1]
            if not held:
                self.fault(
                    f"inserts into {regional} without venture = %(venture)s; name the column and give it that value"
                )
        if (conflict := node.args.get("conflict")) is not None:
            self.conflict(conflict, target, regional, {**env, target.alias_or_name: held, "excluded": held}, ctes)
        returning = node.args.get("returning")
        own = (VENTURE, held and regional is not None)
        return (
            [own if each.alias_or_name == VENTURE else (each.alias_or_name, False) for each in returning.expressions]
            if returning
            else []
        )

    def conflict(
        self,
        node: exp.OnConflict,
        target: exp.Table,
        regional: str | None,
        env: Mapping[str, bool],
        ctes: Mapping[str, Columns],
    ) -> None:
        for each in _nested(node):
            self.query(each, env, ctes)
        if regional is None or not node.expressions:
            return
        keys = {column.name for key in node.args.get("conflict_keys") or [] for column in key.find_all(exp.Column)}
        if VENTURE not in keys and node.args.get("constraint") is None:
            self.fault(
                f"updates a row of {regional} on a conflict that is not within the venture; ON CONFLICT (venture, …)"
            )
        self.sets(node.expressions, target)

    def sets(self, assignments: Iterable[exp.Expression], target: exp.Table) -> None:
        if _schema(target) == "global":
            return
        for each in assignments:
            left = each.this if isinstance(each, exp.EQ) else each
            if any(column.name == VENTURE for column in left.find_all(exp.Column, exp.Identifier)):
                self.fault(f"moves rows of {target.name} to another venture; never SET venture")

    def table(self, node: exp.Table) -> str | None:
        """Notes the table; its name where it is a regional one."""
        self.understood.add(id(node))
        schema = _schema(node)
        if schema == "global":
            self.found.global_.add(node.name)
        elif schema in SYSTEM_SCHEMAS or (not schema and node.name.startswith("pg_")):
            pass
        elif schema == ROUTING:  # its venture is called tenant: FROM outgrow.route AS r (point, venture, …)
            self.found.regional.add(f"{ROUTING}.{node.name}")
            return f"{ROUTING}.{node.name}"
        elif schema in ("", "regional"):
            self.found.regional.add(node.name)
            if schema:
                self.fault(f"writes regional.{node.name}; the search path is set, write {node.name}")
            return node.name
        else:
            self.fault(f"names {schema}.{node.name}; tables are regional (no schema written) or global.…")
        return None

    def writes(self, node: exp.Table) -> None:
        self.found.written.add(f"global.{node.name}" if _schema(node) == "global" else node.name)


class _Gathered:
    """The sources of one query, and what its conditions say of their venture."""

    def __init__(self, judge: _Judge, env: Mapping[str, bool], ctes: Mapping[str, Columns]) -> None:
        self.judge, self.env, self.ctes = judge, env, ctes
        self.sources: dict[str, _Source] = {}
        self.edges: list[tuple[str, str]] = []  # (held, then held too)
        self.merged: str | None = None  # the leftmost table whose venture an unqualified one means, after USING
        self.joined: list[str] = []  # the tables joined so far since FROM, or since its last comma
        self.taken: set[int] = set()
        self.lateral: list[tuple[str, exp.Expression]] = []

    def add(self, node: exp.Expression, joined: bool = False) -> str:
        name = node.alias_or_name
        self.joined = [*self.joined, name] if joined else [name]
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Func):
            columns = self.ctes.get(node.name) if not _schema(node) else None
            if columns is not None:
                self.judge.understood.add(id(node))
                self.sources[name] = _Source(held=_holds(columns))
            else:
                regional = self.judge.table(node)
                self.renames(node)
                self.sources[name] = _Source(needs=regional)
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
            self.taken.add(id(node))
            columns = _renamed(self.judge.query(node, self.env, self.ctes), node.args.get("alias"))
            self.sources[name] = _Source(held=_holds(columns))
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            self.taken.add(id(node.this))
            self.sources[name] = _Source()
            self.lateral.append((name, node.this))
        else:
            if isinstance(node, exp.Table):
                self.judge.understood.add(id(node))
            self.sources[name] = _Source(function=True)
        for join in node.args.get("joins") or []:
            self.join(join)
        return name

    def join(self, node: exp.Join) -> None:
        left = self.joined
        comma = not (node.kind or node.side or node.method or node.args.get("on") or node.args.get("using"))
        name = self.add(node.this, joined=not comma)
        side = (node.side or "").upper()
        if side in ("RIGHT", "FULL"):
            return
        only = name if side == "LEFT" else None
        if any(column.name == VENTURE for column in node.args.get("using") or []):
            carrying = [each for each in left if not self.sources[each].function]
            self.merged = self.merged or (carrying[0] if carrying else None)
            for each in carrying:
                self.edges.append((each, name))
                if only is None:
                    self.edges.append((name, each))
        if (on := node.args.get("on")) is not None:
            self.conditions(on, only)

    def conditions(self, node: exp.Expression, only: str | None) -> None:
        """Takes in what must be true; `only`: the one table it holds for (the right side of LEFT JOIN)."""
        if isinstance(node, exp.Paren):
            self.conditions(node.this, only)
        elif isinstance(node, exp.And):
            self.conditions(node.this, only)
            self.conditions(node.expression, only)
        elif isinstance(node, exp.EQ):
            for one, other in ((node.this, node.expression), (node.expression, node.this)):
                name = self.named(one)
                if name is None or name not in self.sources or only not in (None, name):
                    continue
                if _is_parameter(other):
                    self.sources[name].held = True
                elif (toward := self.named(other)) is not None:
                    if toward in self.sources:
                        self.edges.append((toward, name))
                    elif self.env.get(toward):
                        self.sources[name].held = True

    def renames(self, node: exp.Table) -> None:
        """A table's columns keep their names, so that `venture` is what it says; only a route's tenant is called so."""
        alias = node.args.get("alias")
        columns = [column.name for column in alias.args.get("columns") or []] if alias is not None else []
        if _schema(node) == ROUTING and columns[:2] != ["point", VENTURE]:
            self.judge.fault(f"reads {ROUTING}.{node.name} without FROM {ROUTING}.{node.name} AS r (point, {VENTURE})")
        elif _schema(node) != ROUTING and columns:
            self.judge.fault(f"renames columns of {node.name}; a venture could be anything then")

    def named(self, node: exp.Expression) -> str | None:
        """Whose `venture` the column is."""
        if not isinstance(node, exp.Column) or node.name != VENTURE:
            return None
        if node.table:
            return node.table
        carrying = [name for name, source in self.sources.items() if not source.function]
        return self.merged or (carrying[0] if len(carrying) == 1 else None)

    def settle(self) -> None:
        self._spread()
        for name, query in self.lateral:
            env = {**self.env, **{each: source.held for each, source in self.sources.items()}}
            self.sources[name].held = _holds(self.judge.query(query, env, self.ctes)) or self.sources[name].held
        self._spread()
        if self.judge.scanned is not None:
            return
        for source in self.sources.values():
            if source.needs is not None and not source.held:
                self.judge.fault(
                    f"does not hold {source.needs} to the venture; add venture = %(venture)s, with the table's name "
                    "before it where there are several, or join it on venture with a table that has it"
                )

    def _spread(self) -> None:
        changed = True
        while changed:
            changed = False
            for held, then in self.edges:
                if self.sources[held].held and not self.sources[then].held:
                    self.sources[then].held = changed = True

    def is_venture(self, node: exp.Expression) -> bool:
        name = self.named(node)
        if name is None:
            return _is_parameter(node)
        return self.sources[name].held if name in self.sources else self.env.get(name, False)


def _is_parameter(node: exp.Expression) -> bool:
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    return isinstance(node, exp.Placeholder) and node.name == VENTURE


def _nested(node: exp.Expression) -> Iterator[exp.Expression]:
    """The outermost queries inside, but for WITH and what INSERT takes its rows from."""
    skipped = {id(node.args.get("with_")), id(node.args.get("expression")) if isinstance(node, exp.Insert) else None}
    for each in node.walk(prune=lambda inner: inner is not node and (isinstance(inner, QUERY) or id(inner) in skipped)):
        if each is not node and isinstance(each, QUERY) and id(each) not in skipped:
            yield each


def _holds(columns: Columns) -> bool:
    return any(name == VENTURE and held for name, held in columns)


def _renamed(columns: Columns, alias: exp.Expression | None) -> Columns:
    names = [column.name for column in alias.args.get("columns") or []] if alias is not None else []
    return [(name, held) for name, (_, held) in zip(names, columns, strict=False)] if names else columns


def _schema(table: exp.Table) -> str:
    return str(table.db)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

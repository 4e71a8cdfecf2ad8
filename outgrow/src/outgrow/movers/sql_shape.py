"""What a moved table looks like on one side, what keys its rows have, and why two sides do not fit each other.

**Keys** are ``NN.table/part,part``: the table's place in the declared list, its name, and its key columns without the
tenant's. A whole number is a letter for its number of digits and the digits (``c412``), a negative one ``-`` and 19
digits of its distance from the least: so the order of bytes is the order of numbers, and a page can follow the index.
Texts have ``\\`` before ``\\`` and ``,``. Application and mover say the same in SQL (``key_expression``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from outgrow.movers.postgresql import SQL, Composable, Row, psycopg, quoted, written
from outgrow.ports import StoreFailed

_COLUMNS: LiteralString = """
SELECT a.attname, format_type(a.atttypid, -1), t.typname, a.atttypmod, a.attgenerated <> '', a.attnotnull
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_PRIMARY: LiteralString = """
SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = to_regclass(%(table)s) AND i.indisprimary ORDER BY array_position(i.indkey::smallint[], a.attnum)"""
_UNIQUE: LiteralString = """
SELECT array(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))
FROM pg_index AS i WHERE i.indrelid = to_regclass(%(table)s) AND i.indisunique AND i.indpred IS NULL
AND i.indexprs IS NULL AND i.indisvalid"""
_OUTSIDE: LiteralString = """
SELECT c.conrelid::regclass::text, c.confrelid::regclass::text FROM pg_constraint AS c
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid = to_regclass(%(table)s)
AND c.conrelid <> ALL (SELECT to_regclass(name) FROM unnest(%(moved)s::text[]) AS name)"""
_REFERRED: LiteralString = """
SELECT n.nspname, t.relname, t.oid::text,
    array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (no, place)
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.no ORDER BY k.place),
    array(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (no, place)
        JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.no ORDER BY k.place)
FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.confrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = to_regclass(%(table)s)
AND c.confrelid <> ALL (SELECT to_regclass(name) FROM unnest(%(moved)s::text[]) AS name)
ORDER BY 1, 2, c.conname"""
_OBSERVED: LiteralString = """
SELECT coalesce(c.conname, t.tgname) FROM pg_trigger AS t LEFT JOIN pg_constraint AS c ON c.oid = t.tgconstraint
WHERE t.tgrelid = to_regclass(%(table)s) AND t.tgenabled <> 'D' AND t.tgname NOT LIKE 'outgrow\\_%%'
AND (c.contype IS NULL OR c.contype = 'f') GROUP BY 1 ORDER BY 1"""
_SEQUENCES: LiteralString = """
SELECT a.attname, s.seqrelid::text, s.seqincrement, s.seqmax, n.nspname, c.relname,
    has_sequence_privilege(s.seqrelid, 'SELECT')
FROM pg_attribute AS a
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
JOIN pg_depend AS p ON (p.objid = d.oid AND p.classid = 'pg_attrdef'::regclass AND p.refclassid = 'pg_class'::regclass)
    OR (p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i' AND p.classid = 'pg_class'::regclass)
JOIN pg_sequence AS s ON s.seqrelid = CASE WHEN p.classid = 'pg_class'::regclass THEN p.objid ELSE p.refobjid END
JOIN pg_class AS c ON c.oid = s.seqrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attrelid = to_regclass(%(table)s) AND a.attname = ANY (%(key)s)"""
_WHOLE = ("int2", "int4", "int8")
_STEADY = (*_WHOLE, "uuid", "text", "varchar", "bpchar", "bool", "numeric")
_NUMBER = re.compile(r"([a-s])([1-9]\d*|0)|-(\d{19})")
_PART = re.compile(r"((?:[^\\,]|\\.)*)(?:,|$)", re.DOTALL)
_LEAST = 2**63
ROOM = 1_000_000
"""How far apart two sequences must be that give out keys on both sides, unless they take turns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``type``: to cast a text to; ``base``: the type's own name; ``length``: its modifier, -1 for none."""

    name: str
    type: str
    base: str
    length: int
    generated: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Sequenced:
    """The sequence that fills a key column: which, as a statement names it, and by how much it counts.

    ``last`` is the number before the next it gives out; ``most`` the largest it can.
    """

    column: str
    id: str
    name: str
    step: int
    last: int
    most: int


@dataclass(frozen=True, slots=True)
class Referred:
    """A table outside of the move that rows refer to: by these columns, to those of its own. ``id``: within its
    database."""

    schema: str
    table: str
    id: str
    columns: tuple[str, ...]
    theirs: tuple[str, ...]

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A table on one side.

    Attributes:
        prefix: of its keys. table: its name there. tenant, key: columns. columns: all, in order.
        observed: foreign keys and triggers that would act on what the mover writes.
        outside: tables that refer to it and are not moved. referred: those that it refers to and are not moved.
        uniques: column sets that are unique besides the key.
    """

    prefix: str
    schema: str
    table: str
    tenant: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    observed: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    sequences: tuple[Sequenced, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    referred: tuple[Referred, ...] = ()

    @property
    def written(self) -> tuple[Column, ...]:
        """The columns that are carried: all but generated ones."""
        return tuple(column for column in self.columns if not column.generated)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """Those of the key, in its order."""
        named = {column.name: column for column in self.columns}
        return tuple(named[name] for name in self.key)

    @property
    def tenant_column(self) -> Column:
        """The tenant's."""
        return next(column for column in self.columns if column.name == self.tenant)

    @property
    def in_order(self) -> bool:
        """Whether the order of the key columns is the order of the keys' bytes."""
        return all(column.base in (*_WHOLE, "uuid") for column in self.key_columns)

    @property
    def steady(self) -> bool:
        """Whether the texts of its key columns are the same whatever a session has set."""
        return all(column.base in _STEADY for column in (*self.key_columns, self.tenant_column))

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.schema}.{self.table}"

    @property
    def relation(self) -> Composable:
        """The table, for a statement."""
        return quoted(self.schema, self.table)


def read_shape(
    connection: psycopg.Connection[Row],
    where: str,
    prefix: str,
    relation: tuple[str, str],
    tenant: str,
    key: Sequence[str],
    moved: Sequence[str],
) -> Shape:
    """The table as it stands. ``key``: declared key columns, empty for the primary key's. Raises ``StoreFailed``."""
    exact = quoted(*relation).as_string(connection).replace("%%", "%")
    values: Mapping[str, object] = {"table": exact, "moved": list(moved)}
    columns = tuple(Column(*row) for row in connection.execute(_COLUMNS, values))
    name = ".".join(relation)
    if not columns:
        raise StoreFailed(f"{where}: there is no table {name}", next_step="Make it, or correct the declared `tables`.")
    named = {column.name: column for column in columns}
    keys = tuple(key) or tuple(str(row[0]) for row in connection.execute(_PRIMARY, values))
    keys = tuple(part for part in keys if part != tenant)
    if lacking := [part for part in (tenant, *keys) if part not in named]:
        raise StoreFailed(f"{where}: {name} has no column {', '.join(lacking)}", next_step="Correct `tables`.")
    uniques = [tuple(map(str, row[0])) for row in connection.execute(_UNIQUE, values)]
    if (
        not keys
        or not any({*unique} - {tenant} == {*keys} for unique in uniques)
        or not all(named[part].required for part in keys)
    ):
        raise StoreFailed(
            f"{where}: rows of {name} cannot be told apart by ({', '.join(keys)})",
            next_step="Give the table a primary key, or name `key` columns that are unique and not null.",
        )
    return Shape(
        prefix,
        *relation,
        tenant,
        keys,
        columns,
        observed=tuple(str(row[0]) for row in connection.execute(_OBSERVED, values)),
        outside=tuple(str(row[0]) for row in connection.execute(_OUTSIDE, values)),
        sequences=tuple(_sequences(connection, where, {**values, "key": list(keys)})),
        uniques=tuple(unique for unique in uniques if {*unique} - {tenant} != {*keys}),
        referred=tuple(
            Referred(str(row[0]), str(row[1]), str(row[2]), tuple(row[3]), tuple(row[4]))
            for row in connection.execute(_REFERRED, values)
        ),
    )


def _sequences(connection: psycopg.Connection[Row], where: str, values: Mapping[str, object]) -> Iterator[Sequenced]:
    """Read from the sequences themselves: the catalogue does not know where one stands before its first use."""
    for column, oid, step, most, schema, sequence, readable in connection.execute(_SEQUENCES, values).fetchall():
        relation = quoted(schema, sequence)
        name = relation.as_string(connection).replace("%%", "%")
        if not readable:
            raise StoreFailed(
                f"{where}: the sequence {name} cannot be read, so nobody knows which numbers it gives out",
                next_step=f"GRANT SELECT ON SEQUENCE {name} TO {connection.info.user}",
            )
        (row,) = connection.execute(SQL("SELECT last_value, is_called FROM {}").format(relation), values).fetchall()
        value, called = int(row[0]), bool(row[1])
        yield Sequenced(str(column), str(oid), name, int(step), value if called else value - int(step), int(most))


def unfit(source: Shape, target: Shape, *, one_database: bool, on_both_sides: Collection[str] = ()) -> list[str]:
    """Sentences that say why rows of one side cannot be rows of the other; empty where they can. ``on_both_sides``:
    tables outside of the move that people keep alike."""
    said = []
    ours, theirs = ({column.name: column for column in shape.columns} for shape in (source, target))
    for here, there, shape in ((ours, theirs, target), (theirs, ours, source)):
        if lacking := sorted(here.keys() - there.keys()):
            said.append(f"{shape.name} lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}")
    said += [
        f"the column {name} is {_said(ours[name])} in {source.name} and {_said(theirs[name])} in {target.name}"
        for name in sorted(ours.keys() & theirs.keys())
        if _said(ours[name]) != _said(theirs[name])
    ]
    if source.key != target.key:
        said.append(
            f"the key is ({', '.join(source.key)}) in {source.name}, ({', '.join(target.key)}) in {target.name}"
        )
    for shape in (source, target):
        said += [f"{other} refers to {shape.name} and is not moved; list it in `tables`" for other in shape.outside]
    said += [
        f"{shape.name} refers to {other.name}, which is not moved, so that rows could come without what they refer "
        "to; list it in `tables`, or, if both sides keep the same rows of it, in `on_both_sides`"
        for shape, opposite in ((target, source), (source, target))
        for other in asked_of(shape, opposite, one_database=one_database)
        if other.table not in on_both_sides
    ]
    for one_sequence in source.sequences:
        for other_sequence in target.sequences:
            if one_sequence.column == other_sequence.column and _meet(one_sequence, other_sequence, one_database):
                said.append(
                    f"both sides count {source.name}.{one_sequence.column} up by a sequence of their own (at "
                    f"{one_sequence.last} and {other_sequence.last}) and would give out the same numbers; "
                    + _apart(one_sequence, other_sequence)
                )
    return said


def asked_of(shape: Shape, opposite: Shape, *, one_database: bool) -> list[Referred]:
    """What this side's rows refer to and the opposite side's constraints do not already vouch for."""
    vouched = {(other.id, other.columns, other.theirs) for other in opposite.referred} if one_database else set()
    return [other for other in shape.referred if (other.id, other.columns, other.theirs) not in vouched]


def _apart(one: Sequenced, other: Sequenced) -> str:
    """What keeps two sequences from each other."""
    for ahead in (100 * ROOM, 2 * ROOM):
        if one.last + ahead <= other.most - ROOM:
            return f"set the target's far ahead: ALTER SEQUENCE {other.name} RESTART {one.last + ahead}"
    return (
        f"{other.name} ends at {other.most} and cannot be set far ahead: let the two take turns, the one with even, "
        "the other with odd numbers (ALTER SEQUENCE … INCREMENT 2 RESTART …), or make the column bigint"
    )


def _meet(one: Sequenced, other: Sequenced, one_database: bool) -> bool:
    if one_database and one.id == other.id:
        return False
    if one.step == other.step and abs(one.step) > 1:
        return (one.last - other.last) % one.step == 0
    return other.last - one.last < ROOM


def _said(column: Column) -> str:
    base = column.base if column.length < 0 else f"{column.base} (modifier {column.length})"
    return base + " generated" * column.generated + " not null" * column.required


def key_expression(shape: Shape, row: Composable) -> Composable:
    """SQL that makes the key of ``row`` (an alias, OLD or NEW); NULL where a part is."""
    parts = []
    for column in shape.key_columns:
        value = SQL("{}.{}").format(row, quoted(column.name))
        if column.base in _WHOLE:
            parts.append(
                SQL(
                    "CASE WHEN {0} < 0 THEN '-' || lpad(({0}::numeric + 9223372036854775808)::text, 19, '0') "
                    "ELSE chr(96 + length({0}::text)) || {0}::text END"
                ).format(value)
            )
        elif column.base == "uuid":
            parts.append(SQL("{}::text").format(value))
        else:
            parts.append(SQL(r"replace(replace({}::text, '\', '\\'), ',', '\,')").format(value))
    return SQL("({} || {})").format(written(shape.prefix), SQL(" || ',' || ").join(parts))


def key_of(shape: Shape, values: Mapping[str, object]) -> str:
    """The key of a row by the texts (or numbers) of its columns."""
    parts = []
    for column in shape.key_columns:
        value = values[column.name]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if column.base in _WHOLE:
            number = int(text)
            text = f"-{number + _LEAST:019d}" if number < 0 else f"{chr(96 + len(text))}{text}"
        elif column.base != "uuid":
            text = text.replace("\\", "\\\\").replace(",", "\\,")
        parts.append(text)
    return shape.prefix + ",".join(parts)


def parts_of(shape: Shape, key: str) -> tuple[str, ...] | None:
    """The texts of a key's columns; None where it is no key of that table."""
    rest = key.removeprefix(shape.prefix)
    found, place = list[str](), 0
    while match := _PART.match(rest, place):
        found.append(match[1])
        if match.end() == len(rest) and not match[0].endswith(",", len(match[1])):
            break
        place = match.end()
    if rest == key or len(found) != len(shape.key) or not match:
        return None
    parts = []
    for column, text in zip(shape.key_columns, found, strict=True):
        if column.base in _WHOLE:
            number = _NUMBER.fullmatch(text)
            if number is None or (number[2] and ord(number[1]) - 96 != len(number[2])):
                return None
            parts.append(number[2] or str(int(number[3]) - _LEAST))
        else:
            parts.append(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL))
    return tuple(parts)

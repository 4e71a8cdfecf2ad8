"""Rows of the tables of moves, as the records of ``outgrow.migration`` and back.

Fields that a newer tool of the same layout wrote are kept as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from outgrow.migration.records import Migration, Pace, TenantMove

_COLUMNS = ("tenant", "wave", "state", "goal", "version")
_REST = tuple(field.name for field in fields(TenantMove) if field.name not in _COLUMNS)
_PACE = frozenset(field.name for field in fields(Pace))
MOVER = "mover"
"""Beside the pace, in its column: a tool that does not know it leaves it there."""


def migration_of(row: Sequence[Any]) -> Migration:
    """Of the columns of ``migration`` in moves.sql, in their order."""
    kept = as_object(row[6])
    pace = Pace(**{key: value for key, value in kept.items() if key in _PACE})
    return Migration(
        id=row[0],
        point=row[1],
        kind=row[2],
        source=row[3],
        target=row[4],
        made_at=float(row[5]),
        pace=replace(pace, shadow_share=float(row[13])),
        layout_version=int(row[7]),
        paused=row[8],
        ended_at=_time(row[9]),
        rehearsed_at=_time(row[10]),
        epoch=int(row[11]),
        holder=row[12],
        mover={str(key): str(value) for key, value in as_object(kept.get(MOVER) or {}).items()},
    )


def move_of(row: Sequence[Any]) -> TenantMove:
    """Of the columns of ``tenants`` in moves.sql, in their order."""
    known = {key: value for key, value in as_object(row[5]).items() if key in _REST}
    return TenantMove(tenant=row[0], wave=int(row[1]), state=row[2], goal=row[3], version=int(row[4]), **known)


def columns_of(move: TenantMove, *, without_version: bool = False) -> dict[str, object]:
    """What has columns of its own."""
    names = [name for name in _COLUMNS if not (without_version and name == "version")]
    return {name: getattr(move, name) for name in names}


def rest_of(move: TenantMove, had: Mapping[str, Any]) -> str:
    """All other fields, over what the row had, as JSON."""
    return as_json({**had, **{name: getattr(move, name) for name in _REST}})


def as_json(value: Mapping[str, object]) -> str:
    """JSON in ASCII, without what JSON has not."""
    return json.dumps(dict(value), allow_nan=False, default=str, ensure_ascii=True)


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object from whichever form the database gives it in; empty for any other JSON."""
    found = value if isinstance(value, dict) else json.loads(value)
    return found if isinstance(found, dict) else {}


def _time(value: Any) -> float | None:
    return None if value is None else float(value)

"""What a store takes, as far as anybody can tell from outside. What nobody can tell stays unknown.

Memory is told by a store that says it itself (``Weighed``), and by no shipped one: PostgreSQL's shared buffers and the
page cache serve whatever is asked for next, a shard of Qdrant Edge is mapped into the process that measures, and a
Qdrant server tells of all its collections together. Disk is the whole store's, also where few tenants are asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from outgrow.experiments.stores import Weighed
from outgrow.ports import Footprint, Store, StoreFailed

_BLOCK_BYTES = 512
_PATIENCE = "5s"
_RELATION = """
WITH named AS (SELECT to_regclass(format('%%I.%%I', %s::text, %s::text)) AS id)
SELECT CASE WHEN EXISTS (SELECT FROM pg_partition_tree((SELECT id FROM named)) WHERE isleaf)
  THEN (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree((SELECT id FROM named)))
  ELSE pg_total_relation_size((SELECT id FROM named)) END"""


def footprint_of(store: Store, settings: Mapping[str, Any]) -> Footprint:
    """What a store takes, itself or by its settings, those with ``kind``; None where that is not known."""
    if isinstance(store, Weighed):
        try:
            return Footprint(store.memory_bytes(), store.disk_bytes())
        except StoreFailed:
            return Footprint()
    if settings["kind"] == "pgvector":
        return Footprint(disk_bytes=_of_table(settings["url"], settings.get("table", "points")))
    folder = {"qdrant-edge": settings.get("folder"), "qdrant": settings.get("path")}.get(settings["kind"])
    return Footprint(disk_bytes=_of_folder(Path(folder)) if folder else None)


def _of_table(url: str, table: str) -> float | None:
    """The table with its indexes and what is kept beside it. The schema is ``public`` where none is named."""
    import psycopg  # an extra: whoever has such a store has it

    schema, dot, name = table.partition(".")
    try:
        with psycopg.connect(url, connect_timeout=5, application_name="outgrow", autocommit=True) as connection:
            connection.execute(f"SET statement_timeout = '{_PATIENCE}'")
            found = connection.execute(_RELATION, (schema, name) if dot else ("public", schema)).fetchone()
    except psycopg.Error:
        return None
    return float(found[0]) if found and found[0] is not None else None


def _of_folder(folder: Path) -> float | None:
    """What its files take on disk, which is less than they claim where they have holes."""
    try:
        sizes = list(_sizes(folder.expanduser().rglob("*")))
    except OSError:
        return None
    return float(sum(sizes)) if sizes else None


def _sizes(paths: Iterable[Path]) -> Iterable[int]:
    for path in paths:
        try:
            found = path.lstat()
        except FileNotFoundError:  # merged away meanwhile
            continue
        yield found.st_blocks * _BLOCK_BYTES

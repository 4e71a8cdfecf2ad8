"""What stores take on disk, of those that do not tell it themselves."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from outgrow.experiments.weighing import footprint_of
from outgrow.ports import Footprint
from outgrow.testing.memory_store import MemoryContents, MemoryStore

STORE = MemoryStore("a store", "points", MemoryContents())
UNKNOWN = Footprint()


def fill(url: str, statement: SQL, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(statement.format(*(Identifier(name) for name in names)))


@pytest.mark.parametrize("table", ["points", "public.points"])
def test_a_table_weighs_with_its_indexes_and_what_is_kept_beside_it(postgresql: str, table: str) -> None:
    fill(postgresql, SQL("CREATE TABLE points (id int PRIMARY KEY, payload text)"))
    fill(postgresql, SQL("INSERT INTO points SELECT n, repeat('x', 100) FROM generate_series(1, 5000) n"))
    found = footprint_of(STORE, {"kind": "pgvector", "url": postgresql, "table": table})
    assert found.memory_bytes is None
    assert found.disk_bytes is not None
    assert 5000 * 128 < found.disk_bytes < 5000 * 400


def test_a_table_in_parts_weighs_as_all_of_them_and_names_stand_as_they_are(postgresql: str) -> None:
    fill(postgresql, SQL("CREATE SCHEMA {}"), 'My "place"')
    parent, part = ('My "place"', "Points"), ('My "place"', "part of 1")
    fill(postgresql, SQL("CREATE TABLE {}.{} (id int, payload text) PARTITION BY LIST (id)"), *parent)
    fill(postgresql, SQL("CREATE TABLE {}.{} PARTITION OF {}.{} FOR VALUES IN (1)"), *part, *parent)
    fill(postgresql, SQL("INSERT INTO {}.{} SELECT 1, repeat('x', 100) FROM generate_series(1, 5000)"), *parent)
    found = footprint_of(STORE, {"kind": "pgvector", "url": postgresql, "table": 'My "place".Points'})
    assert found.disk_bytes is not None
    assert found.disk_bytes > 5000 * 128


def test_what_cannot_be_told_is_not_known(postgresql: str, tmp_path: Path) -> None:
    nobody = "postgresql://nobody@127.0.0.1:1/none"
    for settings in (
        {"kind": "pgvector", "url": postgresql},  # no such table yet
        {"kind": "pgvector", "url": nobody, "table": "points"},
        {"kind": "qdrant", "url": "http://127.0.0.1:1", "collection": "points"},
        {"kind": "qdrant-edge", "folder": str(tmp_path / "none")},
        {"kind": "of-somebody-else"},
    ):
        assert footprint_of(STORE, settings) == UNKNOWN, settings


@pytest.mark.parametrize(("kind", "key"), [("qdrant-edge", "folder"), ("qdrant", "path")])
def test_a_folder_weighs_what_its_files_take_and_holes_nothing(kind: str, key: str, tmp_path: Path) -> None:
    shard = tmp_path / "t1" / "segment"
    shard.mkdir(parents=True)
    (shard / "vectors").write_bytes(b"x" * 1_000_000)
    with (shard / "log").open("wb") as sparse:
        sparse.truncate(1_000_000_000)
    found = footprint_of(STORE, {"kind": kind, key: str(tmp_path)})
    assert found.memory_bytes is None
    assert found.disk_bytes is not None
    assert 1_000_000 <= found.disk_bytes < 2_000_000

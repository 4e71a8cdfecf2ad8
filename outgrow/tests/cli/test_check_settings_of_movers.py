"""``outgrow check`` reads the settings of the movers that come with it; no server is asked, and no folder is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outgrow.errors import DeclarationError
from outgrow.points.reading import read_declaration
from outgrow.wiring import check_movers

NOWHERE = "postgresql://mover@127.0.0.1:1/shop"
QDRANT = {"kind": "qdrant", "url": "http://127.0.0.1:1", "collection": "all", "tenant_field": "shop"}
PGVECTOR = {"kind": "pgvector", "url": NOWHERE}
NOTES = {"table": "notes", "tenant": "shop"}
ROWS: Mapping[str, Any] = {
    "kind": "sql-table",
    "source_store": {"url": NOWHERE},
    "target_store": {"url": NOWHERE, "schema": "there"},
    "tables": [NOTES],
}


def points(source: Mapping[str, Any], target: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "points", "source_store": dict(source), "target_store": dict(target), **more}


def found(folder: Path, mover: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong, by where below ``mover``."""
    file = folder / "outgrow.yaml"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "outgrow/v1",
                "users": {"signal": "users"},
                "signals": {"users": {"unit": "users", "imported": True}},
                "points": [
                    {
                        "id": "search",
                        "monitor_from": 1000,
                        "complete_before": 2000,
                        "triggers": [{"id": "t", "signal": "users", "threshold": 1500}],
                        "migration": {"mover": dict(mover), "source": "old", "target": "new"},
                    }
                ],
            }
        )
    )
    try:
        check_movers(file, read_declaration(file))
    except DeclarationError as wrong:
        return {one.path.removeprefix("points[0].migration.mover").lstrip("."): one.message for one in wrong.findings}
    return {}


@pytest.mark.parametrize(
    "mover",
    [
        ROWS,
        points(QDRANT, PGVECTOR),
        points(QDRANT, {**QDRANT, "collection": "of_{tenant}", "api_key_env": "NOT_HERE", "size": 8}),
        points(PGVECTOR, {**PGVECTOR, "table": "there.points"}),
        points({"kind": "qdrant-edge", "folder": "not-there"}, PGVECTOR),
    ],
)
def test_right_settings_are_right_though_nobody_answers(mover: Mapping[str, Any], tmp_path: Path) -> None:
    assert found(tmp_path, mover) == {}
    assert [one.name for one in tmp_path.iterdir()] == ["outgrow.yaml"]


def test_all_that_is_wrong_in_both_stores_is_said_at_its_place(tmp_path: Path) -> None:
    wrong = points({**QDRANT, "colour": 1, "timeout": 0}, {"kind": "pgvector", "tabel": "points"}, fast=True)
    said = found(tmp_path, wrong)
    assert said == {
        "source_store.colour": "is not a known key",
        "source_store.timeout": "should be greater than or equal to 1",
        "target_store.url": "is missing",
        "target_store.tabel": "is not a known key",
        "fast": "is not a known key",
    }


@pytest.mark.parametrize(
    ("mover", "place", "words"),
    [
        (points({"kind": "milvus"}, PGVECTOR), "source_store", "'milvus' is no kind of store of points"),
        (points({}, PGVECTOR), "source_store", "None is no kind of store of points"),
        ({"kind": "points", "source_store": QDRANT}, "target_store", "is missing"),
        (points({**QDRANT, "distance": "dot"}, PGVECTOR), "", "old holds points by dot, new points"),
        (points(QDRANT, {**QDRANT, "url": "http://localhost:1"}), "", "old and new can be the same points"),
        (points(PGVECTOR, {**PGVECTOR, "table": "public.points"}), "", "old and new can be the same points"),
        (points({**QDRANT, "tenant_field": None}, PGVECTOR), "source_store", "needed where tenants share a collection"),
        (points({**QDRANT, "url": "http://a:secret@b"}, PGVECTOR), "source_store", "must not hold credentials"),
        ({**ROWS, "tables": []}, "tables", "at least 1 item"),
        ({**ROWS, "tables": [{"table": "notes"}]}, "tables[0].tenant", "is missing"),
        ({**ROWS, "tables": [NOTES, NOTES]}, "", "notes is named twice"),
        ({**ROWS, "target_store": {"url": NOWHERE}}, "", "source and target are the same tables: notes"),
        ({**ROWS, "source_store": {"url": "secret nonsense"}}, "source_store.url", "is no address of a database"),
        ({**ROWS, "register": "nobody"}, "register", "should be 'triggers' or 'application'"),
    ],
)
def test_what_is_wrong_is_said(mover: Mapping[str, Any], place: str, words: str, tmp_path: Path) -> None:
    said = found(tmp_path, mover)
    assert list(said) == [place]
    assert words in said[place]
    assert "secret" not in said[place]

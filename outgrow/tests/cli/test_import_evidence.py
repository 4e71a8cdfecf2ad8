"""``outgrow import evidence``: kept once, about what is declared, and never from tomorrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

REPORTED: dict[str, Any] = {
    "schema": "outgrow/evidence/v1",
    "point": "data-architecture",
    "option": "A",
    "baseline": "tune",
    "ratio": {"low": 6.1, "mid": 9.2, "high": 13.8, "confidence": 0.95},
    "source": "a colleague's bench",
    "date": "2026-03-01",
}


@pytest.fixture
def folder(outgrow: Any, tmp_path: Path) -> Path:
    outgrow("init", "--template", "venture-platform", cwd=tmp_path)
    return tmp_path


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "evidence.json"
    path.write_text(json.dumps(REPORTED | changes))
    return path


def test_evidence_is_kept_once_and_rules(outgrow: Any, folder: Path) -> None:
    written(folder)
    first = outgrow("import", "evidence", "evidence.json", "--json", cwd=folder)
    again = outgrow("import", "evidence.json", "--json", cwd=folder)
    assert (first.code, again.code) == (0, 0)
    assert json.loads(first.out)["imported"] == json.loads(again.out)["imported"]
    ruled = outgrow("decide", "data-architecture", "--json", cwd=folder)
    assert (ruled.code, json.loads(ruled.out)["verdict"], json.loads(ruled.out)["option"]) == (0, "stay", "A")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"option": "Z"}, "has no option 'Z'; it has tune, A, B"),
        ({"point": "elsewhere"}, "there is no point 'elsewhere'"),
        ({"date": "2099-01-01"}, "2099-01-01 is yet to come"),
        ({"ratio": {"low": 9, "mid": 6, "high": 13, "confidence": 0.95}}, "evidence.json:1"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(
    outgrow: Any, folder: Path, changes: dict[str, Any], said: str
) -> None:
    written(folder, **changes)
    ran = outgrow("import", "evidence", "evidence.json", cwd=folder)
    assert ran.code == 2
    assert said in ran.err
    assert outgrow("decide", "data-architecture", "--no-input", cwd=folder).code == 3


def test_an_untuned_baseline_is_shown_and_never_ruled_on(outgrow: Any, folder: Path) -> None:
    written(folder, baseline="current")
    outgrow("import", "evidence", "evidence.json", cwd=folder)
    ruled = outgrow("decide", "data-architecture", "--json", cwd=folder)
    told = json.loads(ruled.out)
    assert (ruled.code, told["verdict"], told["ratio"]) == (3, "inconclusive", None)
    assert [each["against"] for each in told["shown"]] == ["current"]

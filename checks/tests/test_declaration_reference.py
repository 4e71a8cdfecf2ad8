"""The reference of ``outgrow.yaml`` names every key, and notices when it is no longer current."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks import declaration_reference
from checks.declaration_reference import SECTIONS, TARGET, outdated, reference


def test_every_key_of_every_model_stands_there() -> None:
    page = reference()
    for model, _, place, _ in SECTIONS:
        assert f"## {place}\n" in page
        for key in model.model_json_schema(by_alias=True)["properties"]:
            assert f"| `{key}` |" in page, (model, key)


def test_every_model_the_file_is_made_of_has_a_section() -> None:
    declared = declaration_reference.models.Declaration
    made_of = {declared.__name__, *declared.model_json_schema()["$defs"]}
    assert made_of <= {model.__name__ for model, _, _, _ in SECTIONS}


def test_a_page_that_is_not_current_is_found(tmp_path: Path) -> None:
    page = tmp_path / TARGET
    assert len(list(outdated(tmp_path))) == 1
    page.parent.mkdir(parents=True)
    page.write_text(reference(), encoding="utf-8")
    assert not list(outdated(tmp_path))
    page.write_text(reference().replace("`duration`", "`time`").replace("duration", "time"), encoding="utf-8")
    assert len(list(outdated(tmp_path))) == 1


def test_a_key_without_a_meaning_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meanings = dict(declaration_reference.MEANINGS)
    del meanings["Point.risk"]
    monkeypatch.setattr(declaration_reference, "MEANINGS", meanings)
    with pytest.raises(ValueError, match=r"Point\.risk has no meaning"):
        reference()
    assert len(list(outdated(tmp_path))) == 1


def test_a_meaning_without_its_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    meanings = {**declaration_reference.MEANINGS, "Point.colour": "Of the point."}
    monkeypatch.setattr(declaration_reference, "MEANINGS", meanings)
    with pytest.raises(ValueError, match=r"Point\.colour"):
        reference()

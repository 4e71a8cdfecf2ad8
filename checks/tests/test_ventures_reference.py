"""The generated pages say all there is, and an old one is found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
import pytest

from checks import ventures_reference
from checks.ventures_reference import PAGES, events, outdated, permissions, problems, settings
from ventures.log.api import Fact, Room
from ventures.settings import SETTINGS
from ventures.tenancy.api import FEATURES, ROLES
from ventures.wiring import ROOMS


class Part(msgspec.Struct, frozen=True):
    label: Annotated[str, msgspec.Meta(max_length=9)]


class Noted(Fact, frozen=True, kw_only=True):
    """entity: the note."""

    type: ClassVar[str] = "notes.noted"
    schema_version: ClassVar[int] = 3
    kind: Literal["a", "b"]
    parts: tuple[Part, ...] = ()
    item: UUID | None = None


class Silent(Fact, frozen=True, kw_only=True):
    type: ClassVar[str] = "notes.silent"


def test_every_setting_role_feature_event_and_problem_has_its_place() -> None:
    assert all(f"`{setting.name}`" in settings() for setting in SETTINGS)
    assert all(f"| `{feature}` |" in permissions() for feature in FEATURES)
    assert all(role in permissions() for role in ROLES)
    assert all(f"### {fact.type}\n" in events() for room in ROOMS for fact in room.apply)
    assert "| `stale` | 412 |" in problems()


def test_an_event_shows_its_fields_types_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ventures_reference, "ROOMS", (Room("notes", {}, {Noted: None}),))
    page = events()
    assert "## notes\n\n### notes.noted\n\nentity: the note. Schema version 3.\n" in page
    assert "| `kind` | `a`, `b` | required |" in page
    assert "| `parts` | list of (`label`: text) | empty |" in page
    assert "| `item` | id or null | null |" in page


def test_an_event_without_a_word_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ventures_reference, "ROOMS", (Room("notes", {}, {Silent: None}),))
    assert any("Silent has no docstring" in finding for finding in outdated(tmp_path))


def test_a_problem_without_a_meaning_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ventures_reference, "PROBLEMS", {"stale": "x"})
    with pytest.raises(ValueError, match="not-found"):
        problems()


def test_an_old_page_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "reference"
    folder.mkdir(parents=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
    assert list(outdated(tmp_path)) == []
    (folder / "ventures-settings.md").write_text("old", encoding="utf-8")
    (folder / "ventures-problems.md").unlink()
    assert [finding.split(":")[0] for finding in outdated(tmp_path)] == [
        "docs/reference/ventures-settings.md",
        "docs/reference/ventures-problems.md",
    ]

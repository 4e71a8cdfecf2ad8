"""The example mover of docs/examples: it holds the contract of every store, and the recipe shows it as it is."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from outgrow.ports import Copying, Item, Store, StoreFailed
from outgrow.testing import FixedClock
from outgrow.testing.store_contract import StoreContract

DOCS = Path(__file__).parents[3] / "docs"
PACKAGE = DOCS / "examples" / "json_store"
PAGE = DOCS / "howto" / "write-a-mover.md"
SHOWN = re.compile(r"<!-- from: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.fixture(autouse=True, scope="module")
def importable() -> Iterator[None]:
    """As if the package were installed: its module can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PACKAGE))
        yield


def opened(folder: Path) -> Copying:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["outgrow.movers"].items()
    settings: dict[str, Any] = {"source": "old", "target": "new", "source_folder": str(folder / "old")}
    factory = EntryPoint(name, value, "outgrow.movers").load()
    mover = factory(settings | {"target_folder": str(folder / "new")}, FixedClock(0.0))
    assert isinstance(mover, Copying)
    return mover


def note(place: int, version: int) -> Item:
    from json_store import body_of

    return Item(f"{'äaZ~/'[place % 5]}{place}", body_of({"text": f"o'neil {version}", "tags": [None, 1.5, "ü"]}))


class TestContract(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return opened(tmp_path).target

    def item(self, tenant: str, place: int, version: int) -> Item:
        return note(place, version)

    def reopened(self, store: Store) -> Store:
        return opened(self.folder).target


def test_a_put_that_is_cut_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path).target
    store.put("ana", 1, [note(1, 1)])

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFailed, match="No space left"):
        store.put("ana", 2, [note(1, 2), note(2, 2)])
    monkeypatch.undo()
    assert list(store.page("ana", "", 9)) == [note(1, 1)]


def test_a_broken_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "ana.json").write_text("{")
    with pytest.raises(StoreFailed, match=r"ana\.json cannot be read"):
        opened(tmp_path).target.page("ana", "", 9)


def test_the_recipe_shows_the_example_as_it_is() -> None:
    shown = SHOWN.findall(PAGE.read_text(encoding="utf-8"))
    assert len(shown) >= 3
    for file, block in shown:
        folder = Path(__file__).parent if file.startswith("test_") else PACKAGE
        assert block in (folder / file).read_text(encoding="utf-8"), block

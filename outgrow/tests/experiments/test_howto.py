"""What the how-to declares can be opened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from outgrow.experiments.http import open_here as open_http
from outgrow.experiments.vectors import open_here as open_vectors

PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "prove-options.md"


@pytest.mark.parametrize(("kind", "open_here"), [("http", open_http), ("vectors", open_vectors)])
def test_what_is_shown_can_be_declared(kind: str, open_here: object) -> None:
    if kind == "vectors":
        pytest.importorskip("qdrant_client")
    shown = re.findall(r"```yaml\n(experiment:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    declared = [yaml.safe_load(each)["experiment"] for each in shown]
    settings = next(each for each in declared if each.pop("kind") == kind)
    experiment = open_here(settings)  # type: ignore[operator]
    assert next(arm.option for arm in experiment.arms) is None
    experiment.close()

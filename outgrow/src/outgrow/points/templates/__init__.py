"""The files ``outgrow init`` writes. They are data: read as text, so that their comments reach the reader."""

from __future__ import annotations

from importlib.resources import files

NAMES = ("venture-platform", "blank")


def template_text(name: str) -> str:
    """The commented YAML of a template; ``name`` is one of ``NAMES``."""
    return files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")

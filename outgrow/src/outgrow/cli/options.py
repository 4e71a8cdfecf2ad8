"""The options that every command shares, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("outgrow.yaml")

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="OUTGROW_CONFIG", help="The declared file.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Stable JSON on stdout, with its schema.")]
PlainOption = Annotated[bool, typer.Option("--plain", help="No colour, no boxes, one fact a line.")]
NoInputOption = Annotated[
    bool, typer.Option("--no-input", help="Never ask; take defaults or fail with what is missing.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Look from the end of that day instead of now, e.g. 2026-03-01; asks no source."),
]

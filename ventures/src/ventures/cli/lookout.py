"""`ventures lookout`: what outgrow is to watch of this installation."""

import os
import sys
from importlib.resources import files
from typing import Annotated, Final

import typer

from ventures.cli.output import say
from ventures.settings import Settings, read

PLACE: Final = "http://127.0.0.1:8400/metrics"
"""The address that the packaged declaration has."""


def lookout(
    metrics: Annotated[str | None, typer.Option(help="Where /metrics is; this installation's own address.")] = None,
) -> None:
    """Print outgrow.yaml for this installation: rewrite points, their signals, and where to read them."""
    url = metrics or f"{_local_url(read(os.environ))}/metrics"
    sys.stdout.write((files("ventures") / "outgrow.yaml").read_text(encoding="utf-8").replace(PLACE, url))
    say("next: keep it as outgrow.yaml, then outgrow check, outgrow record --every 60s, outgrow status")


def _local_url(settings: Settings) -> str:
    """Where it answers; where it was given a free port, what the running `serve` says."""
    from ventures.workers.supervisor import alive, state

    told = state(settings.data)
    return str(told["url"]) if alive(told) is not None and told.get("url") else settings.local_url

"""`ventures lookout`: what outgrow is to watch of this installation."""

import os
import sys
from importlib.resources import files
from typing import Annotated, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import typer

from ventures.cli.output import say
from ventures.database import embedded
from ventures.errors import VenturesError
from ventures.settings import Settings, read

PLACE: Final = "http://127.0.0.1:8400/metrics"
"""The address that the packaged declaration has."""
TRUTH: Final = "postgresql://ventures_owner@/ventures?host=%2Fvar%2Flib%2Fventures%2Fsocket"
"""Where routes are, there."""
LAYOUTS: Final = "source: shared ", "target: buckets\n"
"""From where to where it moves the index."""


def lookout(
    metrics: Annotated[str | None, typer.Option(help="Where /metrics is; this installation's own address.")] = None,
) -> None:
    """Print outgrow.yaml for this installation: rewrite points, their signals, and where to read them."""
    settings = read(os.environ)
    text = (files("ventures") / "outgrow.yaml").read_text(encoding="utf-8")
    text = text.replace(PLACE, metrics or f"{_local_url(settings)}/metrics").replace(TRUTH, _truth(settings))
    source, target = LAYOUTS
    text = text.replace(source, f"source: {settings.index_layout} ")
    if settings.index_layout == "buckets":
        text = text.replace(target, "target: pgvector\n")
    sys.stdout.write(text)
    say("next: keep it as outgrow.yaml, then outgrow check, outgrow record --every 60s, outgrow status")


def _truth(settings: Settings) -> str:
    """Where the owner signs in: without the password, by the password file where the server is our own. The packaged
    address where none is known."""
    if settings.owner_url is not None:
        return _without_password(settings.owner_url)
    try:
        owner = _without_password(embedded.addresses(settings.data).owner)
    except VenturesError:
        return TRUTH
    return f"{owner}&{urlencode({'passfile': str(embedded.password_file(settings.data))})}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    name, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{name.partition(':')[0]}@{host}"))


def _local_url(settings: Settings) -> str:
    """Where it answers; where it was given a free port, what the running `serve` says."""
    from ventures.workers.supervisor import alive, state

    told = state(settings.data)
    return str(told["url"]) if alive(told) is not None and told.get("url") else settings.local_url

"""What stands beside a shard: of which version and shape it is, and when it was made."""

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

FORMAT: Final = 1
"""Raised when what is kept in a shard, or how, changes."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What must be the same for a shard to be of use. parameters: of the layout, as text."""

    format: int = FORMAT
    engine: str
    layout: str
    dimension: int
    model: str
    parameters: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """birth: names this very shard; whatever is made anew has another. begun: there is a shard, not just a place."""

    shape: Shape
    birth: str
    begun: bool


def new_birth() -> str:
    """Such as "20260314T150926-1f3a9c": the second for people, the rest so that no two are the same."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def read(file: Path) -> Manifest | None:
    """None where there is none that can be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write(file: Path, manifest: Manifest, *, durable: bool) -> None:
    """Writes it as `replace` does."""
    replace(file, msgspec.json.format(msgspec.json.encode(manifest)), durable=durable)


def replace(file: Path, content: bytes, *, durable: bool) -> None:
    """Writes a small file in place of another: all of it or nothing, should the process end meanwhile. durable: it
    outlives a loss of power when this returns.
    """
    unfinished = file.with_suffix(".new")
    with unfinished.open("wb") as made:
        made.write(content)
        made.flush()
        if durable:
            os.fsync(made.fileno())
    unfinished.rename(file)
    if not durable:
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

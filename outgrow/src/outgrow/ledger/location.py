"""Where the ledger lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit


def default_location(config_path: Path, environ: Mapping[str, str], declared: str | None = None) -> str:
    """The path or URL of the ledger that belongs to a declared file.

    ``OUTGROW_LEDGER`` comes first, then what the file declares (a path is relative to the file), then
    ``.outgrow/ledger.sqlite`` beside it; where that folder cannot be written, one in the user's data folder
    (``$XDG_DATA_HOME/outgrow``) that bears the name of the file's folder and a digest of its path.
    """
    if chosen := environ.get("OUTGROW_LEDGER", "").strip():
        return chosen
    folder = config_path.absolute().parent
    if declared:
        return declared if is_url(declared) else str(folder / Path(declared).expanduser())
    beside = folder / ".outgrow" / "ledger.sqlite"
    if _writable(beside):
        return str(beside)
    from platformdirs import user_data_path  # only where the folder of the file is read-only

    digest = hashlib.sha256(str(config_path.resolve()).encode()).hexdigest()[:12]
    return str(user_data_path("outgrow", appauthor=False) / f"{folder.name}-{digest}" / "ledger.sqlite")


def is_url(location: str | Path) -> bool:
    """Whether a location is a PostgreSQL URL rather than a path."""
    return str(location).startswith(("postgresql://", "postgres://"))


def without_password(url: str) -> str:
    """A PostgreSQL URL as it may be shown."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return f"postgresql://{user.partition(':')[0]}{at}{host}{parts.path}"


def _writable(path: Path) -> bool:
    existing = next(candidate for candidate in (path, *path.parents) if candidate.exists())
    return os.access(existing, os.W_OK)

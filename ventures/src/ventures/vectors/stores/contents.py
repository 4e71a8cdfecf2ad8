"""Whether the files of a shard are still those it had: the engine maps them into memory and believes what it reads.

A file that was cut off would end the process (SIGBUS), one with other bytes would give other points.
"""

import zlib
from pathlib import Path
from typing import Final

import msgspec

from ventures.vectors.stores.manifest import replace

SEALED: Final = ("matrix.dat", "quantized.data")
"""Vectors, and vectors in int8, of a compacted segment: never written again, so their bytes are summed."""
GROWING: Final = ("chunk_", "page_", "tracker.")
"""Beginnings of the names of vectors and payloads of the others: they never shrink."""
BLOCK_BYTES: Final = 1 << 22


class File(msgspec.Struct, frozen=True):
    """size: bytes at least. sum: CRC-32 where the file is sealed."""

    size: int
    sum: int | None


def record(segments: Path, file: Path) -> None:
    """Writes down what there is now. What is known of sealed files is kept, so that this reads none of them twice."""
    before = _read(file) or {}
    found: dict[str, File] = {}
    for path in segments.rglob("*"):
        sealed = path.name in SEALED
        if not sealed and not path.name.startswith(GROWING):
            continue
        name, size = str(path.relative_to(segments)), path.stat().st_size
        known = before.get(name)
        if known is None or known.size != size:
            known = File(size, _sum(path) if sealed else None)
        found[name] = known
    if found != before:
        replace(file, msgspec.json.encode(found), durable=False)


def fault(segments: Path, file: Path) -> str | None:
    """What is wrong with the files, as part of a sentence; None where nothing is, or nothing was written down."""
    if not file.exists():
        return None
    recorded = _read(file)
    if recorded is None:
        return f"{file.name} cannot be read"
    for name, known in recorded.items():
        path = segments / name
        try:
            size = path.stat().st_size
        except OSError:
            return f"{name} is gone"
        if size < known.size:
            return f"{name} was cut off"
        if known.sum is not None and _sum(path) != known.sum:
            return f"{name} has other bytes than it had"
    return None


def _read(file: Path) -> dict[str, File] | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, File])
    except (OSError, msgspec.DecodeError):
        return None


def _sum(path: Path) -> int:
    total = 0
    with path.open("rb") as content:
        while block := content.read(BLOCK_BYTES):
            total = zlib.crc32(block, total)
    return total

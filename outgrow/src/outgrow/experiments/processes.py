"""How much memory a process takes, with those that it started; where the system tells (Linux)."""

from __future__ import annotations

import re
from pathlib import Path

_PROC = Path("/proc")
_SHARE = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


def memory_bytes(pid_file: Path) -> float | None:
    """Memory of the process whose number is in the file and of all below it; None where it cannot be told.

    Shared pages count by share (PSS); where that may not be read, they count for each process that has them (RSS).
    """
    try:
        first = int(pid_file.expanduser().read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    found = [_of(pid) for pid in _below(first)]
    if not found or found[0] is None:
        return None
    return float(sum(each or 0 for each in found))


def _below(first: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found = [first]
    for pid in found:
        found += children.get(pid, ())
    return found


def _of(pid: int) -> int | None:
    for name, pattern in (("smaps_rollup", _SHARE), ("status", _RESIDENT)):
        try:
            match = pattern.search((_PROC / str(pid) / name).read_text())
        except OSError:
            continue
        if match:
            return int(match[1]) * 1024
    return None

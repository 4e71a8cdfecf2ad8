"""What writers noted, and what a store must hold then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Value = str | None
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A key whose store does not hold what it must. ``acknowledged``: what was, last; None: that it was deleted."""

    tenant: str
    number: int
    how: Literal["lost", "came back", "stale", "from nowhere"]
    acknowledged: Value
    held: Value


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One acknowledged write. ``at``: when, seconds since the epoch; ``seconds``: how long it took, all tries."""

    tenant: str
    at: float
    seconds: float


@dataclass(slots=True)
class Noted:
    """All notes of a folder. One writer alone writes a key, so its notes tell the order.

    A try that was not acknowledged may have been done or not; the last acknowledged one was.
    """

    folder: Path
    last: dict[Key, Value] = field(default_factory=dict)
    tried: dict[Key, list[Value]] = field(default_factory=dict)
    writes: list[Acknowledged] = field(default_factory=list)
    _read: dict[Path, int] = field(default_factory=dict)

    def look(self) -> None:
        """Takes up what was noted since."""
        for file in sorted(self.folder.glob("*.notes")):
            begin = self._read.get(file, 0)
            with file.open("rb") as opened:
                opened.seek(begin)
                text = opened.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[file] = begin + len(whole)
            for line in whole.splitlines():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            kind, tenant, number, value, at, seconds = json.loads(line)
        except ValueError:  # a writer was killed in mid-line
            return
        key = (tenant, number)
        if kind == "try":
            self.tried.setdefault(key, []).append(value)
            return
        self.last[key] = value
        self.tried.pop(key, None)
        if at:  # what was there at first, nobody wrote
            self.writes.append(Acknowledged(tenant, at, seconds))

    def judged(self, tenant: str, held: Mapping[int, str]) -> list[Wrong]:
        """What is wrong with a tenant whose routed store holds this, by number."""
        wrong = list[Wrong]()
        known = {number for name, number in {*self.last, *self.tried} if name == tenant}
        for number in sorted(known | held.keys()):
            key = (tenant, number)
            found, acknowledged = held.get(number), self.last.get(key)
            if found == acknowledged or found in self.tried.get(key, ()):
                continue
            if found is None:
                how: Literal["lost", "came back", "stale", "from nowhere"] = "lost"
            elif key not in self.last:
                how = "from nowhere"
            else:
                how = "came back" if acknowledged is None else "stale"
            wrong.append(Wrong(tenant, number, how, acknowledged, found))
        return wrong

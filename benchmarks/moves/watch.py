"""What is looked at every second while an index is moved: who answers searches, memory, processor time, states."""

from __future__ import annotations

import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import psycopg

from benchmarks.platform.running import WORKING, processor_seconds
from ventures.database import embedded
from ventures.testing.serving import Serving

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 10.0
FLIPS = """
SELECT extract(epoch FROM min(at))::float8, extract(epoch FROM max(at))::float8, count(*) FROM outgrow.journal
WHERE what LIKE 'switched to %'"""


@dataclass(slots=True)
class Look:
    """At one time. answered: searches since the platform began, by store and by whom; cpu: seconds by kind."""

    at: float
    answered: dict[tuple[str, str], float]
    index_bytes: float
    cpu: dict[str, float]


@dataclass
class Watch:
    """Looks from `with` on; `begin` and `end` say when the move did."""

    platform: Serving
    point: str
    _looks: list[Look] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _began: float = 0.0
    _ended: float = 0.0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watching, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(ANSWER_SECONDS + LOOK_SECONDS)

    def begin(self) -> None:
        """The move begins."""
        self._began = time.time()

    def end(self) -> None:
        """It is done; two more looks are taken."""
        self._ended = time.time()
        time.sleep(3 * LOOK_SECONDS)

    def found(self, target: str) -> dict[str, Any]:
        """Figures of the move, in seconds and bytes.

        first_by_target: from the first switch to the first search that the target answered, to a second. Counts of the
        source go on after the last switch: an API process asks where it last knew a venture, and believes it only where
        the venture is there still.
        """
        looks = [one for one in self._looks if one.at >= self._began]
        if len(looks) < 2:
            return {}
        first, last, flips = self._flips()
        by_target = first_rise(looks, target)
        whole = looks[-1].at - looks[0].at
        begin, end = looks[0], looks[-1]
        return {
            "flips": flips,
            "switching_seconds": None if first is None or last is None else last - first,
            "first_by_target_seconds": None if first is None or by_target is None else max(0.0, by_target - first),
            "most_index_bytes": max(one.index_bytes for one in looks),
            "cores": {kind: max(0.0, end.cpu[kind] - begin.cpu[kind]) / whole for kind in WORKING},
            "answered": {
                f"{store} by {by}": count - begin.answered.get((store, by), 0.0)
                for (store, by), count in end.answered.items()
            },
        }

    def _flips(self) -> tuple[float | None, float | None, int]:
        with psycopg.connect(embedded.addresses(self.platform.data).superuser) as connection:
            row = connection.execute(FLIPS).fetchone()
        return (None, None, 0) if row is None else (row[0], row[1], int(row[2]))

    def _watching(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with suppress(OSError, psutil.Error):
                self._looks.append(self._look())

    def _look(self) -> Look:
        with urllib.request.urlopen(f"{self.platform.url}/metrics", timeout=ANSWER_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        answered: dict[tuple[str, str], float] = {}
        for line in lines:
            if line.startswith("ventures_vector_query_seconds_count{"):
                labels = dict(part.split("=", 1) for part in line[line.index("{") + 1 : line.index("}")].split(","))
                key = labels["store"].strip('"'), labels["answered_by"].strip('"')
                answered[key] = answered.get(key, 0.0) + float(line.split()[-1])
        memory = sum(process.memory_info().rss for process in self.platform.processes("index"))
        return Look(
            time.time(), answered, float(memory), {kind: processor_seconds(self.platform, kind) for kind in WORKING}
        )


def first_rise(looks: list[Look], store: str) -> float | None:
    """When the store's index was first seen to have answered more than at the beginning."""
    before = looks[0].answered.get((store, "index"), 0.0)
    return next((one.at for one in looks if one.answered.get((store, "index"), 0.0) > before), None)

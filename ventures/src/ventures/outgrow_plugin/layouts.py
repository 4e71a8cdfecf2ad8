"""The experiment `ventures-layouts`: every layout of the index asked with a sample of the platform's own ventures."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from outgrow.evidence.records import Arm
from outgrow.experiments.open_loop import NotAnswered, closed_loop, departures, measured, open_loop, runner
from outgrow.ports import Answers, ExperimentFailed, Footprint, Load, Measured, Request
from ventures.database.pool import opened as opened_database
from ventures.errors import VenturesError
from ventures.outgrow_plugin.layout_process import PGVECTOR, SAMPLE, Ready
from ventures.outgrow_plugin.reaching import Platform, settings_of
from ventures.outgrow_plugin.sampling import Query, Taken, chosen, nearest, platform_of, queries, taken, written
from ventures.search.api import PgvectorStore, sizes
from ventures.settings import Layout
from ventures.vectors.api import Remote

PASSAGES: Final = 20_000
LEAST_PASSAGES: Final = 100
MOST_PASSAGES: Final = 1_000_000
LIMIT: Final = 10
COMPARED: Final = 60
"""Requests whose answers are compared."""
DRAWN: Final = 4_096
"""Queries of a round; asked again from the first where more are sent."""
WARM: Final = 20
PATIENCE_SECONDS: Final = 10.0
CONNECTIONS: Final = 8
OFFERED: Final = (("tuned", "tune"), ("buckets", "A"), (PGVECTOR, "B"))
"""Layouts beside the one that the platform has, with the options they stand for."""

Ask = Callable[[Query], Awaitable[list[str]]]


class DeclaredArm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An arm as it is declared. layout: where it is another word than the id."""

    id: str
    option: str | None = None
    layout: str | None = None


@dataclass
class Held:
    """An arm that can be asked."""

    process: "subprocess.Popen[str]"
    folder: Path
    ready: Ready


class LayoutExperiment:
    """`outgrow.ports.Experiment`. Each layout lies in a temporary folder, held by a process of its own, which answers
    over a Unix socket as index processes do; of PostgreSQL only reads are asked, for the sample.
    """

    def __init__(
        self, platform: Platform, arms: Sequence[DeclaredArm], passages: int, *, find_capacity: bool = True
    ) -> None:
        self._platform = platform
        self._find_capacity = find_capacity
        self._layouts = {arm.id: arm.layout or arm.id for arm in arms}
        self._arms = tuple(Arm(arm.id, arm.option) for arm in arms)
        self._passages = passages
        self._folder: Path | None = None
        self._sample: list[Taken] = []
        self._asked_about: dict[str, str] = {}
        self._held: dict[str, Held] = {}

    @classmethod
    def opened(cls, settings: Mapping[str, Any]) -> "LayoutExperiment":
        """Raises: ValueError where the settings, or the platform's, are wrong."""
        of_platform = settings_of(
            {key: value for key, value in settings.items() if key != "arms"}, {"passages", "capacity"}
        )
        passages = settings.get("passages", PASSAGES)
        if not isinstance(passages, int) or not LEAST_PASSAGES <= passages <= MOST_PASSAGES:
            raise ValueError(f"passages is to be a whole number from {LEAST_PASSAGES:,} to {MOST_PASSAGES:,}")
        find_capacity = settings.get("capacity", True)
        if not isinstance(find_capacity, bool):
            raise ValueError("capacity is to be true, or false where a rate is declared and none is to be found")
        try:
            arms = msgspec.convert(list(settings.get("arms", ())), list[DeclaredArm])
        except msgspec.ValidationError as error:
            raise ValueError(f"arms: {error}") from None
        arms = arms or offered(of_platform.index_layout)
        embedded = [layout for layout in get_args(Layout) if layout != "qdrant"]
        for arm in arms:
            if (arm.layout or arm.id) not in embedded:
                raise ValueError(
                    f"{arm.layout or arm.id!r} is no layout that can be measured here; there are {', '.join(embedded)}"
                )
        return cls(Platform(of_platform), arms, passages, find_capacity=find_capacity)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """As declared; otherwise the platform's layout, and beside it those that stand for an option."""
        return self._arms

    @property
    def baseline(self) -> str:
        """The arm that stands for no option."""
        return next((arm.id for arm in self._arms if arm.option is None), self._arms[0].id)

    def prepare(self, arm: str, said: Callable[[str], None]) -> None:
        """Fills the arm's layout and warms it."""
        if arm in self._held and self._held[arm].process.poll() is None:
            return
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="ventures-layouts-")).resolve()
            self._folder.chmod(0o711)  # a PostgreSQL that root starts runs as another account
        if not self._sample:
            said(f"reading {self._passages:,} passages of the platform's ventures")
            self._sample = self._taken()
            written(self._sample, self._folder / SAMPLE)
        count = sum(len(one.ids) for one in self._sample)
        said(f"filling {self._layouts[arm]} with {count:,} passages of {len(self._sample):,} ventures")
        self._held[arm] = self._started(arm, self._folder / arm)
        asked = queries(self._sample, WARM, 0)
        with runner() as running:
            running.run(self._answered(arm, asked))

    def capacity(self, arm: str) -> float | None:
        """By a closed loop; None where `capacity: false` is declared, which is for a declared `rate:`."""
        if not self._find_capacity:
            return None

        async def found() -> float:
            drawn = queries(self._sample, DRAWN, 0)
            async with self._asking(arm) as ask:
                return (await closed_loop(arm, _sending(ask, drawn))).per_second

        with runner() as running:
            return running.run(found())

    def run(self, arm: str, load: Load) -> Measured:
        """In an open loop."""
        if load.rate_per_second is None:
            raise ExperimentFailed("the layouts have no rate of their own", next_step="Declare `rate:` or `load:`.")
        due = departures(load.rate_per_second, load.seconds, load.seed)

        async def found() -> Measured:
            drawn = queries(self._sample, min(DRAWN, len(due)), load.seed)
            async with self._asking(arm) as ask:
                await ask(drawn[0])  # connected, before anything is timed
                return measured(arm, await open_loop(_sending(ask, drawn), due, load.seconds))

        with runner() as running:
            told = running.run(found())
        return replace(told, measures={"slow-search": told.p95_seconds})

    def requests(self, seed: int) -> Sequence[Request]:
        """Searches for the nearest ten."""
        asked = queries(self._sample, COMPARED, seed)
        return [
            Request(f"{seed}-{number}", f"the {LIMIT} nearest of kind {one.kind} in venture {one.venture}")
            for number, one in enumerate(asked)
        ]

    def answers(self, arm: str, requests: Sequence[Request]) -> Answers:
        """The ids that the arm finds, best first."""
        with runner() as running:
            found = running.run(self._answered(arm, [self._query(each) for each in requests]))
        return Answers({each.id: tuple(ids) for each, ids in zip(requests, found, strict=True)})

    def right(self, requests: Sequence[Request]) -> Answers | None:
        """By looking at every vector of the venture."""
        by_venture = {one.venture: one for one in self._sample}
        asked = {each.id: self._query(each) for each in requests}
        return Answers({id: nearest(by_venture[query.venture], query, LIMIT) for id, query in asked.items()})

    def footprint(self, arm: str) -> Footprint:
        """Memory of the arm's process with its children: what they have for themselves, and their share of the rest."""
        held = self._there(arm)
        try:
            process = psutil.Process(held.process.pid)
            memory = sum(_memory(one) for one in (process, *process.children(recursive=True)))
        except psutil.Error:
            return Footprint(disk_bytes=held.ready.disk_bytes)
        return Footprint(memory_bytes=memory, disk_bytes=held.ready.disk_bytes)

    def versions(self) -> Mapping[str, str]:
        """Of the engine and this package; once the sample is read, of the vectors and the platform as well."""
        return {"ventures": version("ventures"), "qdrant-edge-py": version("qdrant-edge-py"), **self._asked_about}

    def close(self) -> None:
        """Ends the processes and removes their folders."""
        for held in self._held.values():
            _ended(held.process)
        self._held.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        self._platform.close()

    def _taken(self) -> list[Taken]:
        platform = self._platform
        try:
            database = platform.database
            counted = platform.do(sizes(database, platform.model))
            sample = platform.do(taken(database, platform.model, chosen(counted, self._passages)))
        except VenturesError as error:
            raise ExperimentFailed(str(error), next_step="Start the platform: ventures serve") from error
        if not sample:
            raise ExperimentFailed(
                "no venture has passages yet, so that there is nothing to search",
                next_step="Let people write, or make a rehearsal's data: ventures populate",
            )
        embedding = {"embedding model": platform.model, "dimensions": str(platform.dimension)}
        self._asked_about = {**embedding, **platform_of(counted)}
        return sample

    def _started(self, arm: str, folder: Path) -> Held:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        said = folder.with_suffix(".out")
        with said.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "ventures.outgrow_plugin.layout_process", self._layouts[arm], str(folder),
                 self._platform.model, str(self._platform.dimension)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd="/", env=_environment(),
            )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            return Held(process, folder, msgspec.json.decode(line, type=Ready))
        except msgspec.MsgspecError:
            _ended(process)
            last = said.read_text(errors="replace").strip().splitlines()[-3:]
            raise ExperimentFailed(
                f"{arm} could not be set up: {' / '.join(last) or 'it ended without a word'}",
                next_step="Is there room in the folder for temporary files (TMPDIR), and memory?",
            ) from None
        except BaseException:
            _ended(process)
            raise

    def _there(self, arm: str) -> Held:
        held = self._held.get(arm)
        if held is None or held.process.poll() is not None:
            raise ExperimentFailed(f"the process that holds {arm} is not there", next_step="Start again.")
        return held

    @asynccontextmanager
    async def _asking(self, arm: str) -> AsyncIterator[Ask]:
        held, layout, platform = self._there(arm), self._layouts[arm], self._platform
        if held.ready.address is not None:
            async with opened_database(held.ready.address, connections=CONNECTIONS) as database:
                store = PgvectorStore(database, platform.model, platform.dimension)

                async def ask_table(query: Query) -> list[str]:
                    found = await store.search(query.venture, query.kind, query.vector, limit=LIMIT)
                    return [str(match.id) for match in found]

                yield ask_table
            return
        remote = Remote(held.folder, 1, deadline_seconds=PATIENCE_SECONDS)

        async def ask(query: Query) -> list[str]:
            found = await remote.search(layout, query.venture, query.kind, query.vector, limit=LIMIT)
            return [str(match.id) for match in found.matches]

        try:
            yield ask
        finally:
            await remote.close()

    async def _answered(self, arm: str, asked: Sequence[Query]) -> list[list[str]]:
        async with self._asking(arm) as ask:
            try:
                return [await ask(each) for each in asked]
            except VenturesError as error:
                raise ExperimentFailed(f"{arm} did not answer: {error}", next_step="Start again.") from error

    def _query(self, request: Request) -> Query:
        seed, _, number = request.id.partition("-")
        return queries(self._sample, COMPARED, int(seed))[int(number)]


def offered(layout: str) -> list[DeclaredArm]:
    """The arms where none are declared: the layout that the platform has, and what stands for an option beside it."""
    return [DeclaredArm(layout), *(DeclaredArm(other, option) for other, option in OFFERED if other != layout)]


def _sending(ask: Ask, drawn: Sequence[Query]) -> Callable[[int], Awaitable[float | None]]:
    async def send(number: int) -> None:
        try:
            await ask(drawn[number % len(drawn)])
        except VenturesError as error:
            raise NotAnswered(str(error)) from None

    return send


def _environment() -> dict[str, str]:
    """Without what only the platform's own processes are to know."""
    without = ("VENTURES_", "DATABASE_URL", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _memory(process: psutil.Process) -> float:
    try:
        told = process.memory_full_info()
        return float(getattr(told, "pss", told.uss))
    except psutil.Error:
        return 0.0


def _ended(process: "subprocess.Popen[str]") -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()

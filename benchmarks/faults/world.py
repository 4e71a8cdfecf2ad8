"""A service under a move: its database, its store of points, writers, and the tool; each can be killed on its own."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from benchmarks.faults.edge import LAYOUT, Remote, edge_store, held_of
from benchmarks.faults.notes import Noted, Wrong
from benchmarks.faults.tool import LATE_SECONDS, Call, request
from benchmarks.faults.writer import LATER, POINT, SCHEMAS, Spec, vector_of
from outgrow.movers.bodies import read_body
from outgrow.movers.point_store import Where
from outgrow.ports import StoreFailed
from outgrow.routing import SCHEMA

AWAY_SECONDS = 20.0
"""For so long a server that was killed is waited for."""
LATE_SHARE = 0.01
"""Of the move's requests to the store of points that are taken up as much as a second late."""
LIMIT_SECONDS = 60.0
"""A call of the tool that takes longer is killed, and counts as stuck."""
DONE: Mapping[str, tuple[str, ...]] = {
    "create": (), "start": ("ready",), "switch": ("switched",), "reverse": ("ready",),
    "complete": ("completed",), "cancel": ("cancelled",), "verify": (),
}  # fmt: skip
WORDS: Mapping[str, tuple[str, ...]] = {
    "switch": ("--all", "--yes"), "complete": ("--yes",), "cancel": ("--yes",),
}  # fmt: skip
DECLARATION = """
apiVersion: outgrow/v1
users: {{signal: users}}
signals: {{users: {{unit: users, metric: users_total, value: true}}}}
points:
- id: {point}
  monitor_from: 1000
  complete_before: 2000
  rollback: low
  triggers: [{{id: t, signal: users, threshold: 1500}}]
  migration: {migration}
"""


class Stuck(Exception):
    """What should go on does not; says what was seen."""


@dataclass
class Database:
    """A server of our own in ``folder`` (made there), or the one at ``given``, which is not killed."""

    folder: Path | None = None
    given: str = ""
    count: int = 0

    def start(self) -> str:
        """The superuser's URL; a server that was killed is started again."""
        if self.folder is None:
            return self.given
        from ventures.database import embedded  # its own server is wanted

        settings = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "60", "max_wal_size": "256MB"}
        return embedded.start(self.folder, settings=settings, trust=True).superuser

    def restart(self, most_bytes: int | None) -> None:
        """Stopped in order and started again, with files that cannot grow beyond so many bytes (None: killed with -9
        and started again, without such a limit)."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if most_bytes is None:
            os.kill(self.pid(), signal.SIGKILL)
            self.start()
            return
        self.stop()
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
            self.start()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def pid(self) -> int:
        """Of the server."""
        from ventures.database import embedded  # its own server is wanted

        found = None if self.folder is None else embedded.running(self.folder)
        if found is None:
            raise Stuck("there is no server of our own")
        return found

    def fresh(self) -> str:
        """A new database's URL."""
        url = self.start()
        self.count += 1
        name = f"faults_{os.getpid()}_{self.count}"
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(f'CREATE DATABASE "{name}"'.encode())
        return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

    def stop(self) -> None:
        """Ends a server of our own."""
        if self.folder is not None:
            from ventures.database import embedded  # its own server is wanted

            embedded.stop(self.folder)


class Tool:
    """The process that forks the tool's."""

    def __init__(self, plugins: Path, modules: Sequence[str] = (), **more: str) -> None:
        """``modules``: what calls need, imported once; ``more``: of their environment."""
        info = plugins / "faults-0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faults\nVersion: 0\n", encoding="utf-8")
        entry = "[outgrow.movers]\nfaults-points = benchmarks.faults.edge:open_mover\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        self.environment = {**environment(plugins), **more}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.faults.tool", *modules],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment,
        )  # fmt: skip

    def start(self, call: Call) -> int:
        """→ the process's id."""
        return int(self._ask(request(call)))

    def ended(self, pid: int, wait: bool = False) -> int | None:
        """The exit code, negative for a signal; None: it runs."""
        answer = self._ask(json.dumps({"do": "ended", "pid": pid, "wait": wait}))
        return None if answer is None else int(answer)

    def close(self) -> None:
        """With all that it started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Stuck("the process that forks the tool is gone")
        return json.loads(answer)


def without_password(url: str) -> str:
    """As a declared file takes it; the harness's server asks for none."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@")))


def environment(plugins: Path) -> dict[str, str]:
    """Ours, with the harness's own mover."""
    here = str(Path(__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTGROW")}
    paths = [str(plugins), here, *filter(None, sys.path)]
    return {**kept, "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}


@dataclass(frozen=True, slots=True)
class Ran:
    """One call of the tool: ``code`` −9 where it was killed. ``boundaries``: (at, what, tenant)."""

    words: tuple[str, ...]
    began: float
    ended: float
    code: int
    out: str
    err: str
    boundaries: tuple[tuple[float, str, str], ...]

    @property
    def first_progress_seconds(self) -> float | None:
        """From its start until it first wrote down where a tenant is."""
        return next((at - self.began for at, what, _ in self.boundaries if what in ("after keep", "after flip")), None)


@dataclass
class World:
    """A folder with all of it. ``kind``: ``rows`` or ``points``; ``tenants``: how many items each has at first.
    ``tool_share``: of random kills, those that are the tool's."""

    folder: Path
    kind: str
    database: Database
    tool: Tool
    tenants: dict[str, int]
    writers: int = 2
    pause_seconds: float = 0.002
    pace: dict[str, Any] = field(default_factory=lambda: {"batch": 20, "freeze": "2s", "first_wave": 1000})
    forward: bool = True
    filler: int = 60
    tool_share: float = 0.8
    late_seconds: float = LATE_SECONDS
    limit_seconds: float = LIMIT_SECONDS
    point: str = POINT
    url: str = ""
    number: int = 0
    _writing: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _edge: subprocess.Popen[bytes] | None = None
    _session: psycopg.Connection[Any] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url = self.database.fresh()
        self.noted = Noted(self.folder)
        self.stores = ("old", "new") if self.kind == "rows" else ("edge", "pg")
        self.places = {tenant: place for place, tenant in enumerate(self.tenants)}
        if self.kind == "points":
            self.start_edge()
        self._fill()
        self.declare()

    # The service

    def _fill(self) -> None:
        for statement in SCHEMA:
            self.ask(statement)
        notes = []
        for tenant, count in self.tenants.items():
            values = [f"seed {tenant} {number} " + "x" * self.filler for number in range(count)]
            notes += [json.dumps(["ack", tenant, number, value, 0.0, 0.0]) for number, value in enumerate(values)]
            if self.kind == "points":
                points = [
                    held_of(tenant, self.id_of(tenant, number), vector_of(value), value)
                    for number, value in enumerate(values)
                ]
                for begin in range(0, max(1, len(points)), 2000):
                    Remote(self.socket, "outgrow harness").fill(tenant, points[begin : begin + 2000])
        if self.kind == "rows":
            self.ask("CREATE SCHEMA there")
            for schema in SCHEMAS.values():
                self.ask(f'CREATE TABLE "{schema}".items (tenant text, no int, v text, PRIMARY KEY (tenant, no))')
            for tenant, count in self.tenants.items():
                self.ask(
                    "INSERT INTO public.items SELECT %s, no, 'seed ' || %s::text || ' ' || no || ' ' "
                    "|| repeat('x', %s) FROM generate_series(0, %s) AS no", tenant, tenant, self.filler, count - 1,
                )  # fmt: skip
        else:
            self.ask("CREATE EXTENSION IF NOT EXISTS vector")
        (self.folder / "seed.notes").write_text("\n".join(notes) + "\n", encoding="utf-8")

    @property
    def socket(self) -> str:
        """Of the store of points."""
        return str(self.folder / "edge.sock")

    def id_of(self, tenant: str, number: int) -> int:
        """A point's id."""
        return LATER * (self.places[tenant] + 1) + number

    def declare(self) -> None:
        """The declared file, for a move forward or back."""
        source, target = self.stores if self.forward else (self.stores[1], self.stores[0])
        if self.kind == "rows":
            sides = {name: {"url": self.url, "schema": SCHEMAS[name]} for name in self.stores}
            mover: dict[str, Any] = {
                "kind": "sql-table", "source_store": sides[source], "target_store": sides[target],
                "tables": [{"table": "items", "tenant": "tenant"}],
            }  # fmt: skip
        else:
            mover = {"kind": "faults-points", "socket_path": self.socket, "url": self.url}
        self._declare(mover, (source, target), without_password(self.url))

    def _declare(self, mover: dict[str, Any], sides: tuple[str, str], truth: str) -> None:
        source, target = sides
        migration = {"source": source, "target": target, "mover": mover, "truth": truth, "pace": self.pace}
        said = DECLARATION.format(point=self.point, migration=json.dumps(migration))
        (self.folder / "outgrow.yaml").write_text(said, encoding="utf-8")

    def start_edge(self, limit: Callable[[], None] | None = None) -> None:
        """Starts the store of points, also again."""
        self._edge = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.faults.edge", str(self.folder / "edge"), self.socket],
            env=self.tool.environment, stderr=(self.folder / "edge.err").open("ab"), preexec_fn=limit,
        )  # fmt: skip
        until(self._edge_answers, 20.0, "the store of points does not answer")

    def _edge_answers(self) -> bool:
        with suppress(StoreFailed):
            Remote(self.socket, "outgrow harness").ask("collections")
            return True
        return False

    def kill_edge(self) -> None:
        """With -9."""
        assert self._edge is not None
        self._edge.kill()
        self._edge.wait()

    def disturb_edge(self, delay_seconds: float, late_share: float) -> None:
        """How it answers from now on."""
        Remote(self.socket, "outgrow harness").disturb(delay_seconds, late_share)

    def turned(self) -> None:
        """The next migration goes back to where this one came from."""
        self.forward = not self.forward
        self.declare()

    def unsettle(self) -> None:
        """What is to be endured beside kills: some of the move's requests to the store come late."""
        if self.kind == "points":
            self.disturb_edge(0.0, LATE_SHARE)

    def others(self) -> tuple[str, ...]:
        """Who can be killed besides the tool."""
        own = ("postgresql",) if self.database.folder is not None else ()
        return ("writer", *own, *(("store",) if self.kind == "points" else ()))

    def kill(self, who: str, dice: random.Random) -> None:
        """One of ``others``, with -9; it is started again."""
        if who == "writer":
            self.kill_writer(dice.randrange(self.writers))
        elif who == "postgresql":
            os.kill(self.database.pid(), signal.SIGKILL)
            self.database.start()
        else:
            self.kill_edge()
            self.start_edge()
            self.unsettle()

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a statement; asked again while the server is away."""
        end = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                if self._session is None or self._session.closed:
                    self._session = psycopg.connect(self.url, autocommit=True, application_name="harness")
                cursor = self._session.execute(statement.encode(), values or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                self._session = None
                time.sleep(0.1)

    # Writers

    def start_writers(self, numbers: Sequence[int] | None = None) -> None:
        """All, or these."""
        self._start_writers(numbers, "benchmarks.faults.writer", self.url, self.stores[0])

    def _start_writers(self, numbers: Sequence[int] | None, module: str, url: str, default: str) -> None:
        for number in range(self.writers) if numbers is None else numbers:
            spec = Spec(
                self.kind, url, self.socket, str(self.folder), number, self.writers, self.tenants,
                self.pause_seconds, default,
            )  # fmt: skip
            file = self.folder / f"writer-{number}.json"
            file.write_text(json.dumps(asdict(spec)), encoding="utf-8")
            self._writing[number] = subprocess.Popen(
                [sys.executable, "-m", module, str(file)],
                env=self.tool.environment, stderr=(self.folder / f"writer-{number}.err").open("ab"),
            )  # fmt: skip

    def kill_writer(self, number: int) -> None:
        """With -9, and starts it again."""
        self._writing[number].kill()
        self._writing[number].wait()
        self.start_writers([number])

    def stop_writers(self) -> None:
        """Each ends between two writes, or before its first one, where it had not begun."""
        for one in self._writing.values():
            one.terminate()
        for number, one in self._writing.items():
            if one.wait(30) not in (0, -signal.SIGTERM):
                raise Stuck(f"writer {number} ended with {one.returncode}: {self._writer_said(number)}")
        self._writing = {}

    @contextmanager
    def still(self) -> Iterator[None]:
        """No writer is in a write."""
        hold, who = self.folder / "hold", uuid4().hex
        beside = hold.with_suffix(".part")
        beside.write_text(who, encoding="utf-8")
        beside.rename(hold)
        try:
            try:
                until(lambda: not self._moving(who), 40.0, "a writer does not come to the end of its write")
            except Stuck as stuck:
                raise Stuck(f"{stuck}: {self._where_they_are(who)}") from None
            yield
        finally:
            hold.unlink()

    def _moving(self, who: str) -> list[int]:
        """Writers that do not stand still for this one."""
        for number, one in self._writing.items():
            if one.poll() is not None:
                raise Stuck(f"writer {number} is gone: {self._writer_said(number)}")
        return [number for number in self._writing if _text(str(self.folder / f"held-{number}")) != who]

    def _where_they_are(self, who: str) -> str:
        """What writers and their sessions are at."""
        moving = self._moving(who)
        for number in moving:
            self._writing[number].send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        sessions = self.ask(
            "SELECT application_name, state, wait_event, left(query, 120) FROM pg_stat_activity "
            "WHERE datname = current_database()"
        )
        said = [f"writer {number}: {self._writer_said(number)}" for number in moving]
        return f"{' | '.join(said)} | sessions: {sessions}"

    def _writer_said(self, number: int) -> str:
        return (self.folder / f"writer-{number}.err").read_text(encoding="utf-8", errors="replace")[-600:]

    # The tool

    def begin(self, verb: str, *words: str, die_at: int = 0, jumping: float = 0.0) -> tuple[int, Call, float]:
        """Starts the tool; → its process, its call, when."""
        self.number += 1
        base = self.folder / f"run-{self.number}"
        typed = (self.point, verb, *WORDS.get(verb, ()), *words)
        call = Call(typed, str(self.folder), str(base), f"{base}.steps", die_at, jumping, self.late_seconds)
        began = time.time()
        return self.tool.start(call), call, began

    def end(self, started: tuple[int, Call, float], *, kill_after: float | None = None) -> Ran:
        """Waits until it ends; kills it after so many seconds."""
        pid, call, began = started
        limit = time.monotonic() + (self.limit_seconds if kill_after is None else kill_after)
        while (code := self.tool.ended(pid)) is None:
            if time.monotonic() >= limit:
                os.kill(pid, signal.SIGKILL)
                code = self.tool.ended(pid, wait=True)
                break
            time.sleep(min(0.01, max(0.0, limit - time.monotonic())))
        assert code is not None
        ended = time.time()
        if kill_after is None and code == -signal.SIGKILL and not call.die_at:
            raise Stuck(
                f"{' '.join(call.words)} took longer than {self.limit_seconds:.0f} s: {_text(call.out + '.err')[-800:]}"
            )
        steps = [line.split("\t") for line in _text(call.boundaries).splitlines()]
        crossed = tuple((float(one[1]), one[2], one[3] if len(one) > 3 else "") for one in steps if len(one) > 2)
        return Ran(call.words, began, ended, code, _text(call.out), _text(call.out + ".err"), crossed)

    def run(self, verb: str, *words: str, die_at: int = 0, jumping: float = 0.0) -> Ran:
        """One call from its begin to its end."""
        return self.end(self.begin(verb, *words, die_at=die_at, jumping=jumping))

    def finish(self, verb: str) -> list[Ran]:
        """Has the verb carried out in whole, in a few calls at most; raises ``Stuck`` with what was said."""
        ran = list[Ran]()
        for _ in range(5):
            ran.append(self.run(verb))
            if self.is_done(verb):
                return ran
        said = " | ".join(f"[{one.code}] {' '.join(one.err.split())[-400:]}" for one in ran[-2:])
        raise Stuck(f"{verb} does not come to its end: {self.states()} {said}")

    def is_done(self, verb: str) -> bool:
        """Whether all tenants are where the verb brings them."""
        found = self.states()
        if verb == "create":
            return bool(found) and self.migration()[1] is None
        if verb in ("complete", "cancel") and self.migration()[1] is None:
            return False
        return bool(found) and set(found) == {*DONE[verb]}

    def migration(self) -> tuple[str, Any]:
        """The last one's id, and when it ended."""
        rows = self.ask("SELECT id, ended_at FROM outgrow.migration ORDER BY made_at DESC, id DESC LIMIT 1")
        return (str(rows[0][0]), rows[0][1]) if rows else ("", 0)

    def states(self) -> dict[str, int]:
        """How many tenants of the last migration are in each state."""
        rows = self.ask(
            "SELECT state, count(*) FROM outgrow.tenant_state WHERE migration = %s GROUP BY state", self.migration()[0]
        )
        return dict(rows)

    # What must hold

    def store_of(self, tenant: str) -> str:
        """Where its route leads."""
        rows = self.ask("SELECT to_regclass('outgrow.route')")
        if rows[0][0] is not None:
            rows = self.ask("SELECT store FROM outgrow.route WHERE point = %s AND tenant = %s", self.point, tenant)
            if rows:
                return str(rows[0][0])
        return self.stores[0]

    def held(self, store: str, tenant: str) -> dict[int, str]:
        """What a store holds of a tenant, by number; a vector that is not the value's is said with the value."""
        if self.kind == "rows":
            rows = self.ask(f'SELECT no, v FROM "{SCHEMAS[store]}".items WHERE tenant = %s', tenant)
            return dict(rows)
        if store == "pg":
            if self.ask("SELECT to_regclass('public.points')") == [(None,)]:
                return {}
            rows = self.ask("SELECT id, payload ->> 'v', vector::text FROM points WHERE tenant = %s", tenant)
            return {int(one) % LATER: _checked(value, json.loads(vector)) for one, value, vector in rows}
        read, after = edge_store(self.socket, "outgrow harness"), ""
        found = dict[int, str]()
        while page := read.page(tenant, after, 2000):
            after = page[-1].key
            for item in page:
                point = read_body(item.body or b"")
                found[int(item.key) % LATER] = _checked(str(point.payload["v"]), [float(one) for one in point.vector])
        live = Where("live", "tenant", tenant)
        counted = Remote(self.socket, "outgrow harness").count(LAYOUT.collection_of(tenant), live) if found else 0
        if counted != len(found):
            raise Stuck(f"edge holds {counted} points of {tenant} under {len(found)} ids: something is there twice")
        return found

    def wrong(self, store: str | None = None) -> list[Wrong]:
        """All that is wrong in the routed stores, or in this one; writers stand still meanwhile."""
        with self.still():
            self.noted.look()
            found = list[Wrong]()
            for tenant in self.tenants:
                found += self.noted.judged(tenant, self.held(store or self.store_of(tenant), tenant))
            return found

    def left_over(self) -> None:
        """Raises ``Stuck`` where a store holds something of a tenant that is not routed there, after a move's end."""
        for tenant in self.tenants:
            other = next(store for store in self.stores if store != self.store_of(tenant))
            if held := self.held(other, tenant):
                raise Stuck(f"{other} still holds {len(held)} items of {tenant}, which is not there any more")

    def close(self) -> None:
        """Ends what runs."""
        for one in [*self._writing.values(), *filter(None, [self._edge])]:
            one.kill()
            one.wait()
        if self._session is not None:
            self._session.close()
        url = urlunsplit(urlsplit(self.url)._replace(path="/postgres"))
        with suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as session:
            session.execute(f'DROP DATABASE IF EXISTS "{urlsplit(self.url).path[1:]}" WITH (FORCE)'.encode())


def until(true: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Waits until it is; raises ``Stuck``."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise Stuck(otherwise)
        time.sleep(0.005)


def _checked(value: str, vector: Sequence[float]) -> str:
    return value if list(vector) == vector_of(value) else f"{value} with the vector {list(vector)}"


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""

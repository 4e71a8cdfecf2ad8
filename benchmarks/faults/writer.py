"""An application's writer, a process of its own: follows the route, registers, writes, and notes what it acknowledged.

    python -m benchmarks.faults.writer SPEC

Each number of a tenant is one writer's alone. While the file ``hold`` is there it stands still between two
writes, and copies it.
"""

from __future__ import annotations

import faulthandler
import itertools
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from benchmarks.faults.edge import Remote, held_of
from benchmarks.faults.notes import Value
from outgrow.ports import StoreFailed
from outgrow.routing import Frozen, Moved, in_transaction, registered
from outgrow.routing.statements import ABANDONED, CLOSE_ABANDONED

POINT = "data"
DELETED_SHARE = 0.25
SCHEMAS = {"old": "public", "new": "there"}
LATER = 10**6
"""Of points, numbers are ids: those of each tenant begin so far behind the one before."""

_PUT: LiteralString = (
    'INSERT INTO "{}".items (tenant, no, v) VALUES (%s, %s, %s) ON CONFLICT (tenant, no) DO UPDATE SET v = excluded.v'
)
_TAKE: LiteralString = 'DELETE FROM "{}".items WHERE tenant = %s AND no = %s'
_PUT_POINT: LiteralString = (
    "INSERT INTO public.points (tenant, id, vector, payload) VALUES (%s, %s, %s::vector, %s) "
    "ON CONFLICT (tenant, id) DO UPDATE SET vector = excluded.vector, payload = excluded.payload"
)
_TAKE_POINT: LiteralString = "DELETE FROM public.points WHERE tenant = %s AND id = %s"
_MINE: LiteralString = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Spec:
    """What a writer does. ``number`` of ``writers``; ``tenants``: their names and how many numbers each has."""

    kind: str
    url: str
    socket: str
    folder: str
    number: int
    writers: int
    tenants: dict[str, int]
    pause_seconds: float
    default: str


def key_of_row(number: int) -> str:
    """The key of a row of ``items``, as the mover writes it."""
    return f"01.items/{chr(96 + len(str(number)))}{number}"


def vector_of(value: str) -> list[float]:
    """Of length 1, so that every store keeps it as it is."""
    place = sum(value.encode()) % 4
    return [1.0 if at == place else 0.0 for at in range(4)]


def sql_of(text: LiteralString, schema: str) -> bytes:
    """A statement for the schema."""
    return text.format(schema).encode()


class Writer:
    """One connection, one write at a time."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.name = f"writer-{spec.number}"
        self.dice = random.Random(time.time_ns())
        self.notes = os.open(Path(spec.folder) / f"{self.name}.notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self.notes, b"\n")
        self.edge = Remote(spec.socket, self.name)
        self.session: psycopg.Connection[Any] | None = None
        self.ended = False
        self.places = {tenant: place for place, tenant in enumerate(spec.tenants)}

    def run(self) -> None:
        """Until it is told to end, between two writes."""
        for count in itertools.count(1):
            self._stand_still()
            if self.ended:
                return
            tenant = self.dice.choice(list(self.spec.tenants))
            of = self.spec.tenants[tenant]
            number = self.dice.randrange(self.spec.number, max(of, self.spec.number + 1), self.spec.writers)
            value = None if self.dice.random() < DELETED_SHARE else f"{self.name} {count} {time.time_ns()}"
            self.write(tenant, number, value)
            if self.spec.pause_seconds:
                time.sleep(self.spec.pause_seconds)

    def _stand_still(self) -> None:
        """While it is told to; says to whom it listens, as the next one may tell it at once."""
        folder = Path(self.spec.folder)
        while not self.ended:
            try:
                who = (folder / "hold").read_text(encoding="utf-8")
            except FileNotFoundError:
                return
            (folder / f"held-{self.spec.number}").write_text(who, encoding="utf-8")
            time.sleep(0.005)

    def write(self, tenant: str, number: int, value: Value) -> None:
        """Notes, writes until it is done, notes."""
        began = time.time()
        self._note("try", tenant, number, value, began, 0.0)
        while True:
            try:
                if self.session is None:
                    self.session = self._connected()
                if self.spec.kind == "rows":
                    self._row(self.session, tenant, number, value)
                else:
                    self._point(self.session, tenant, number, value)
                break
            except (Moved, Frozen, psycopg.errors.SerializationFailure):
                continue
            except (psycopg.Error, StoreFailed) as error:
                print(f"{time.time():.3f} {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                self._let_go()
                if self.ended:
                    return
                time.sleep(0.05)
        now = time.time()
        self._note("ack", tenant, number, value, now, now - began)
        os.fsync(self.notes)

    def _row(self, session: psycopg.Connection[Any], tenant: str, number: int, value: Value) -> None:
        with in_transaction(session, POINT, tenant, [key_of_row(number)], self.spec.default) as route:
            schema = SCHEMAS[route.store]
            if value is None:
                session.execute(sql_of(_TAKE, schema), [tenant, number])
            else:
                session.execute(sql_of(_PUT, schema), [tenant, number, value])

    def _point(self, session: psycopg.Connection[Any], tenant: str, number: int, value: Value) -> None:
        found = LATER * (self.places[tenant] + 1) + number
        with registered(session, POINT, tenant, [str(found)], self.spec.default) as write:
            if write.route.store == "edge":
                held = None if value is None else held_of(tenant, found, vector_of(value), value)
                self.edge.write(tenant, found, held)
            elif value is None:
                session.execute(_TAKE_POINT, [tenant, str(found)])
            else:
                said = json.dumps({"v": value})
                session.execute(_PUT_POINT, [tenant, str(found), str(vector_of(value)), said])

    def _connected(self) -> psycopg.Connection[Any]:
        """A session, once nothing of an older one is under way any more: what that left open is closed."""
        session = psycopg.connect(self.spec.url, autocommit=True, application_name=self.name, connect_timeout=5)
        while (row := session.execute(_MINE, [self.name]).fetchone()) and row[0]:
            time.sleep(0.01)
        if self.spec.kind == "points":
            self.edge.close()
            self.edge.ask("size", "bucket_0")
            open_ = session.execute(ABANDONED, {"point": POINT, "seconds": 0.0}).fetchall()
            mine = [one[0] for one in open_ if int(one[2]) % LATER % self.spec.writers == self.spec.number]
            session.execute(CLOSE_ABANDONED, {"ids": mine})
        return session

    def _let_go(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None

    def _note(self, *words: object) -> None:
        os.write(self.notes, json.dumps(words).encode() + b"\n")


def main(arguments: list[str], kind: type[Writer] = Writer) -> None:
    """Runs the writer of a spec until SIGTERM."""
    writer = kind(Spec(**json.loads(Path(arguments[0]).read_text(encoding="utf-8"))))

    def end(*_: object) -> None:
        writer.ended = True

    signal.signal(signal.SIGTERM, end)
    faulthandler.register(signal.SIGUSR1)
    writer.run()


if __name__ == "__main__":
    main(sys.argv[1:])

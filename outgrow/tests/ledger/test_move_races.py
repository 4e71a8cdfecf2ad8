"""What two processes, or a process and the application, can do to each other on a real PostgreSQL: nothing."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from outgrow.errors import LedgerError
from outgrow.ledger import moves
from outgrow.ledger.moves import SqlMoveLedger
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migration.records import Migration
from outgrow.ports.moves import Busy, Flipped, InUse, Superseded
from outgrow.routing import SCHEMA, Frozen, Moved, Route, in_transaction, registered
from outgrow.testing.move_ledger_contract import (
    POINT,
    SOURCE,
    TARGET,
    a_migration,
    begun,
    carried,
    flipped,
    row,
    rows_of,
)


@pytest.fixture
def ledger(postgresql: str) -> Iterator[SqlMoveLedger]:
    with closing(open_move_ledger(postgresql)) as ledger:
        yield ledger


@pytest.fixture
def application(postgresql: str, ledger: SqlMoveLedger) -> Iterator[psycopg.Connection]:
    """A connection of the application's, made when the tables are there."""
    with psycopg.connect(postgresql, autocommit=True) as connection:
        yield connection


class Stopping:
    """A session that does something before, or after, the statement of a number, or of a name."""

    def __init__(self, session: Any, act: Callable[[], None], at: int | str, *, after: bool = False) -> None:
        self.session, self.act, self.at, self.after = session, act, at, after
        self.count = 0

    def _ran(self, kind: str, name: str, parameters: dict[str, Any]) -> Any:
        mine = self.at in (self.count, name)
        self.count += 1
        if mine and not self.after:
            self.act()
        came = getattr(self.session, kind)(name, **parameters)
        if mine and self.after:
            self.act()
        return came

    def rows(self, name: str, /, **parameters: Any) -> Any:
        return self._ran("rows", name, parameters)

    def run(self, name: str, /, **parameters: Any) -> Any:
        return self._ran("run", name, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


def stopping(ledger: SqlMoveLedger, act: Callable[[], None], at: int | str, *, after: bool = False) -> Stopping:
    hooked = Stopping(ledger._session, act, at, after=after)
    ledger._session = hooked
    return hooked


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    came: list[Any] = []
    thread = threading.Thread(target=lambda: came.append(work()), daemon=True)
    thread.start()
    return thread, came


def wait_until_blocked(connection: psycopg.Connection, count: int = 1) -> None:
    """Until so many sessions of this database wait for a lock."""
    blocked = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    for _ in range(500):
        found = connection.execute(blocked).fetchone()
        if found and found[0] >= count:
            return
        time.sleep(0.01)
    pytest.fail("nobody waits")


def backend_of(ledger: SqlMoveLedger) -> int:
    return int(ledger._session._connection.info.backend_pid)


def terminate(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        for _ in range(500):
            if other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() is None:
                return
            time.sleep(0.01)


def test_of_many_takers_one_has_it(postgresql: str, ledger: SqlMoveLedger) -> None:
    made = ledger.create(a_migration(), [], "ana")
    ledgers = [open_move_ledger(postgresql) for _ in range(4)]
    start = threading.Barrier(4)

    def taker(one: SqlMoveLedger) -> Callable[[], str]:
        def take() -> str:
            start.wait()
            try:
                return f"took {one.take(made, 'somebody').epoch}"
            except Busy:
                return "busy"

        return take

    threads = [in_thread(taker(one)) for one in ledgers]
    for thread, _ in threads:
        thread.join()
    assert sorted(came[0] for _, came in threads) == ["busy"] * 3 + ["took 1"]
    for one in ledgers:
        one.close()


def test_of_two_that_create_at_once_one_does(postgresql: str, ledger: SqlMoveLedger) -> None:
    ledgers = [open_move_ledger(postgresql) for _ in range(2)]
    start = threading.Barrier(2)

    def creator(one: SqlMoveLedger, id_: str) -> Callable[[], Any]:
        def create() -> Any:
            start.wait()
            try:
                return one.create(a_migration(id_), rows_of("a"), "ana").id
            except Exception as error:
                return type(error).__name__

        return create

    threads = [in_thread(creator(one, f"m{place}")) for place, one in enumerate(ledgers)]
    for thread, _ in threads:
        thread.join()
    known = ledger.migration(POINT)
    assert known is not None
    assert sorted(str(came[0]) for _, came in threads) == ["UsageError", known.id]
    for one in ledgers:
        one.close()


def test_tables_are_made_once_however_many_come_at_once(postgresql: str) -> None:
    threads = [in_thread(lambda: open_move_ledger(postgresql)) for _ in range(4)]
    for thread, came in threads:
        thread.join()
        assert came, "it raised"
        came[0].close()


def test_tables_of_the_application_are_used_by_a_role_that_may_make_none(postgresql: str) -> None:
    with psycopg.connect(postgresql, autocommit=True) as owner:
        for statement in SCHEMA:
            owner.execute(statement)
        with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            owner.execute("CREATE ROLE mover_of_tests LOGIN")
        owner.execute("GRANT USAGE ON SCHEMA outgrow TO mover_of_tests")
        owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA outgrow TO mover_of_tests")
        owner.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA outgrow TO mover_of_tests")
    join = "&" if "?" in postgresql else "?"
    with closing(open_move_ledger(f"{postgresql}{join}options=-c%20role%3Dmover_of_tests")) as ledger:
        migration = begun(ledger, "a")
        with psycopg.connect(postgresql) as old:
            old.execute("SELECT 1")
            assert not ledger.settled(ledger.place(migration, "a")), "it sees other roles' transactions, too"
        assert flipped(ledger, migration, "a").why_not == ""


def test_a_role_that_may_not_make_tables_is_told(postgresql: str) -> None:
    known = suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)
    with psycopg.connect(postgresql, autocommit=True) as owner, known:
        owner.execute("CREATE ROLE nobody_of_tests LOGIN")
    join = "&" if "?" in postgresql else "?"
    with pytest.raises(LedgerError, match="does not let this role"):
        open_move_ledger(f"{postgresql}{join}options=-c%20role%3Dnobody_of_tests")


def test_a_process_whose_connection_died_writes_nothing_more(postgresql: str, ledger: SqlMoveLedger) -> None:
    old = begun(ledger, "a")
    move = row(ledger, old, "a")
    terminate(postgresql, backend_of(ledger))
    with closing(open_move_ledger(postgresql)) as other:
        new = other.take(old, "ben")
        with pytest.raises(LedgerError):
            ledger.keep(old, replace(move, state="copying"))
        for _ in range(2):
            with pytest.raises(Superseded):
                ledger.keep(old, replace(move, state="copying"))
            with pytest.raises(Superseded):
                ledger.flip(old, move, TARGET, move, "switched")
        assert row(other, new, "a") == move


def test_a_process_whose_connection_died_goes_on_where_nobody_came_in_between(
    postgresql: str, ledger: SqlMoveLedger
) -> None:
    migration = begun(ledger, "a")
    terminate(postgresql, backend_of(ledger))
    with pytest.raises(LedgerError):
        ledger.now()
    assert flipped(ledger, migration, "a").why_not == ""
    with closing(open_move_ledger(postgresql)) as other, pytest.raises(Busy):
        other.take(migration, "ben")
    assert ledger.take(migration, "ana").epoch == migration.epoch + 1
    ledger.close()
    with pytest.raises(LedgerError):
        ledger.now()


def test_nobody_takes_a_move_on_in_the_midst_of_a_write_even_where_the_lock_was_lost(
    postgresql: str, ledger: SqlMoveLedger, application: psycopg.Connection
) -> None:
    migration = begun(ledger, "a")
    other = open_move_ledger(postgresql)
    threads = []

    def meanwhile() -> None:
        ledger._session.unlock(migration.id)
        threads.append(in_thread(lambda: (other.take(migration, "ben"), other.route(POINT, "a"))))
        wait_until_blocked(application)

    stopping(ledger, meanwhile, "lead")
    assert flipped(ledger, migration, "a").why_not == ""
    thread, came = threads[0]
    thread.join()
    assert came[0][0].epoch == migration.epoch + 1
    assert came[0][1] == Route(TARGET, 2)
    other.close()


def test_a_writer_in_mid_transaction_holds_a_flip_up_and_is_then_seen(
    ledger: SqlMoveLedger, application: psycopg.Connection
) -> None:
    migration = begun(ledger, "a")
    with in_transaction(application, POINT, "a", ["k"], SOURCE) as route:
        assert route == Route(SOURCE, 1)
        refused = flipped(ledger, migration, "a")
        assert "for too long" in refused.why_not
        assert refused.route == Route(SOURCE, 1)
    assert "1 registered write" in flipped(ledger, migration, "a").why_not
    assert carried(ledger, migration, "a") == ["k"]
    assert flipped(ledger, migration, "a").why_not == ""


def test_a_flip_that_waited_for_a_writer_sees_its_write(
    postgresql: str, ledger: SqlMoveLedger, application: psycopg.Connection
) -> None:
    migration = begun(ledger, "a")
    with in_transaction(application, POINT, "a", ["k"], SOURCE):
        thread, came = in_thread(lambda: flipped(ledger, migration, "a"))
        with psycopg.connect(postgresql, autocommit=True) as watcher:
            wait_until_blocked(watcher)
    thread.join()
    assert "1 registered write" in came[0].why_not


@pytest.mark.parametrize("kind", ["in_transaction", "registered"])
def test_a_writer_that_comes_in_mid_flip_goes_to_the_new_store(
    postgresql: str, ledger: SqlMoveLedger, application: psycopg.Connection, kind: str
) -> None:
    migration = begun(ledger, "a")
    routes: list[Route] = []

    def write() -> None:
        with psycopg.connect(postgresql, autocommit=True) as mine:
            if kind == "in_transaction":
                with in_transaction(mine, POINT, "a", ["k"], SOURCE) as route:
                    routes.append(route)
            else:
                with registered(mine, POINT, "a", ["k"], SOURCE) as written:
                    routes.append(written.route)

    threads = []

    def meanwhile() -> None:
        threads.append(in_thread(write)[0])
        wait_until_blocked(application)

    stopping(ledger, meanwhile, "against", after=True)
    assert flipped(ledger, migration, "a").why_not == ""
    threads[0].join()
    assert routes == [Route(TARGET, 2)]
    assert [one.open for one in ledger.changes(migration, "a", 10)] == [False]


def test_a_freeze_that_waits_for_a_writer_says_what_it_waits_for(postgresql: str, ledger: SqlMoveLedger) -> None:
    migration = begun(ledger, "a")
    with psycopg.connect(postgresql, autocommit=True) as mine:
        with in_transaction(mine, POINT, "a", ["k"], SOURCE):
            with pytest.raises(InUse, match="held the route of a for more than 1 s") as waiting:
                ledger.freeze(migration, "a", 5)
            assert "pg_stat_activity" in waiting.value.next_step
        ledger.freeze(migration, "a", 5)
        with pytest.raises(Frozen), in_transaction(mine, POINT, "a", ["k"], SOURCE, 0.0):
            pass


def test_no_freeze_is_needed_for_a_flip_to_be_right(ledger: SqlMoveLedger, application: psycopg.Connection) -> None:
    """A clock that is wrong ends a freeze too early, or never: what decides is the lock and the registered write."""
    migration = begun(ledger, "a")
    for frozen_until in ("-infinity", "infinity"):
        with registered(application, POINT, "a", ["k"], SOURCE) as written:
            application.execute("UPDATE outgrow.route SET frozen_until = %s", (frozen_until,))
            assert flipped(ledger, migration, "a").why_not
        assert written.route.store == SOURCE
        carried(ledger, migration, "a")
        application.execute("UPDATE outgrow.route SET frozen_until = NULL")
    assert flipped(ledger, migration, "a").why_not == ""


@pytest.mark.parametrize("did", ["nothing", "read", "wrote"])
def test_a_mark_is_settled_when_transactions_from_before_are_over(
    postgresql: str, ledger: SqlMoveLedger, did: str
) -> None:
    migration = ledger.take(ledger.create(a_migration(), rows_of("a"), "ana"), "ana")
    ledger.keep(migration, replace(row(ledger, migration, "a"), state="preparing"))
    with psycopg.connect(postgresql) as old, psycopg.connect(postgresql) as young:
        old.execute("SELECT 1")
        if did == "read":
            assert old.execute("SELECT 1 FROM outgrow.route FOR SHARE").fetchone() is None
        if did == "wrote":
            old.execute("INSERT INTO outgrow.intent (point, tenant, key) VALUES ('another', 'b', 'k')")
        mark = ledger.place(migration, "a")
        young.execute("SELECT 1")
        assert not ledger.settled(mark)
        with closing(open_move_ledger(postgresql)) as another:
            assert not another.settled(mark), "the mark is for whoever goes on"
            old.commit()
            assert another.settled(mark), "what began later is not waited for"
        assert ledger.settled(mark)


def test_a_writer_that_saw_no_row_is_waited_for_though_it_had_written_nothing_yet(
    postgresql: str, ledger: SqlMoveLedger, application: psycopg.Connection
) -> None:
    application.execute("CREATE TABLE item (key text)")
    migration = ledger.take(ledger.create(a_migration(), rows_of("a"), "ana"), "ana")
    with psycopg.connect(postgresql) as writer:
        with in_transaction(writer, POINT, "a", ["k"], SOURCE) as route:
            assert route == Route(SOURCE)
            ledger.keep(migration, replace(row(ledger, migration, "a"), state="preparing"))
            mark = ledger.place(migration, "a")
            writer.execute("INSERT INTO item VALUES ('k')")
            assert not ledger.settled(mark)
            assert application.execute("SELECT key FROM item").fetchall() == []
        assert ledger.settled(mark)
        assert application.execute("SELECT key FROM item").fetchall() == [("k",)], "the copy, from now on, sees it"
    assert ledger.changes(migration, "a", 10) == [], "and it was not registered"


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_killed_at_any_statement_of_a_flip_leaves_all_or_nothing(postgresql: str, after: bool) -> None:
    with closing(open_move_ledger(postgresql)) as counting:
        migration = begun(counting, "counted")
        move = row(counting, migration, "counted")
        hooked = stopping(counting, lambda: None, -1)
        counting.flip(migration, move, TARGET, replace(move, state="switched"), "switched")
        statements = hooked.count
        counting._session = hooked.session
        counting.add_tenants(migration, rows_of(*(f"t{number}" for number in range(statements))))
    assert statements >= 6
    for number in range(statements):
        tenant = f"t{number}"
        ledger = open_move_ledger(postgresql)
        taken = ledger.take(migration, "ana")
        ledger.keep(taken, replace(row(ledger, taken, tenant), state="switching"))
        ledger.place(taken, tenant)
        move = row(ledger, taken, tenant)
        pid = backend_of(ledger)
        stopping(ledger, lambda pid=pid: terminate(postgresql, pid), number, after=after)
        with pytest.raises(LedgerError):
            ledger.flip(taken, move, TARGET, replace(move, state="switched"), "switched")
        ledger.close()
        with closing(open_move_ledger(postgresql)) as other:
            new = other.take(migration, "ben")
            assert other.route(POINT, tenant) == Route(SOURCE, 1)
            assert row(other, new, tenant) == move
            assert other.journal(new, tenant) == []
            assert flipped(other, new, tenant) == Flipped(Route(TARGET, 2)), "and who comes after goes on"


class Tables:
    """A store in the database of the routes: `old` and `new` are tables; the application writes in its transaction."""

    tenant = "in-tables"

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        for store in (SOURCE, TARGET):
            self.connection.execute(
                f"CREATE TABLE {store}_item (key text PRIMARY KEY, value int NOT NULL, generation bigint NOT NULL)"
            )

    def read(self, store: str, keys: list[str]) -> dict[str, int]:
        sql = f"SELECT key, value FROM {store}_item WHERE key = ANY(%s)"
        return dict(self.connection.execute(sql, (keys,)).fetchall())

    def put(self, store: str, generation: int, items: dict[str, int]) -> None:
        sql = f"""INSERT INTO {store}_item AS item VALUES (%s, %s, %s) ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, generation = excluded.generation WHERE item.generation < excluded.generation"""
        for key, value in items.items():
            self.connection.execute(sql, (key, value, generation))

    @staticmethod
    def write(connection: psycopg.Connection, tenant: str, key: str, value: int, chance: random.Random) -> None:
        with in_transaction(connection, POINT, tenant, [key], SOURCE, 30) as route:
            connection.execute(
                f"INSERT INTO {route.store}_item VALUES (%s, %s, 0) ON CONFLICT (key) DO UPDATE SET value = %s",
                (key, value, value),
            )
            time.sleep(chance.random() * 0.005)


class Dicts:
    """A store of its own, of which nobody but its writers and the move knows."""

    tenant = "in-dicts"

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.moved = 0
        self.items: dict[str, dict[str, tuple[int, int]]] = {SOURCE: {}, TARGET: {}}

    def read(self, store: str, keys: list[str]) -> dict[str, int]:
        with self.lock:
            return {key: self.items[store][key][0] for key in keys if key in self.items[store]}

    def put(self, store: str, generation: int, items: dict[str, int]) -> None:
        with self.lock:
            for key, value in items.items():
                if self.items[store].get(key, (0, 0))[1] < generation:
                    self.items[store][key] = (value, generation)

    def write(self, connection: psycopg.Connection, tenant: str, key: str, value: int, chance: random.Random) -> None:
        while True:
            try:
                with registered(connection, POINT, tenant, [key], SOURCE, 30) as write:
                    time.sleep(chance.random() * 0.02)
                    with self.lock:
                        store = self.items[write.route.store]
                        store[key] = (value, store.get(key, (0, 0))[1])
                    if chance.random() < 0.1:
                        raise ConnectionError("the answer got lost: the write stays open, and is made again")
                return
            except ConnectionError:
                continue
            except Moved:
                self.moved += 1


def test_under_writers_of_both_kinds_no_acknowledged_write_is_lost(
    postgresql: str, ledger: SqlMoveLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers, and a tool that copies, carries and flips to and fro, now and then without a freeze, and giving up
    on writes so soon that many come back to a tenant that was switched."""
    monkeypatch.setattr(moves, "ABANDONED_SECONDS", 0.005)
    tables, dicts = Tables(postgresql), Dicts()
    stores: list[Tables | Dicts] = [tables, dicts]
    migration = begun(ledger, tables.tenant, dicts.tenant)
    acknowledged: dict[str, int] = {}
    over = threading.Event()
    keys = {
        store.tenant: [f"{store.tenant}-{writer}-{key}" for writer in range(2) for key in range(3)] for store in stores
    }

    def writer(store: Tables | Dicts, number: int) -> Callable[[], int]:
        def work() -> int:
            chance, count = random.Random(number), 0
            with psycopg.connect(postgresql, autocommit=True) as mine:
                while not over.is_set():
                    key = f"{store.tenant}-{number}-{chance.randrange(3)}"
                    value = acknowledged.get(key, 0) + 1
                    store.write(mine, store.tenant, key, value, chance)
                    acknowledged[key] = value
                    count += 1
            return count

        return work

    writers = [in_thread(writer(store, number)) for store in stores for number in range(2)]
    flips = {store.tenant: 0 for store in stores}
    chance = random.Random(7)
    end = time.monotonic() + 3.0
    while time.monotonic() < end or min(flips.values()) < 4:
        assert time.monotonic() < end + 30, flips
        for store in stores:
            flips[store.tenant] += moved_once(ledger, migration, store, keys[store.tenant], chance)
            route = ledger.route(POINT, store.tenant)
            assert route is not None
            before = {key: acknowledged.get(key, 0) for key in keys[store.tenant]}
            if ledger.route(POINT, store.tenant) == route:
                there = store.read(route.store, keys[store.tenant])
                assert {key: value for key, value in before.items() if there.get(key, 0) < value} == {}
    over.set()
    for thread, came in writers:
        thread.join(60)
        assert came, "a writer raised, or hangs"
        assert came[0] > 0
    for store in stores:
        route = ledger.route(POINT, store.tenant)
        assert route is not None
        there = store.read(route.store, keys[store.tenant])
        expected = {key: value for key, value in acknowledged.items() if key.startswith(store.tenant)}
        assert there == expected
    assert dicts.moved > 0, "nobody came back too late: this shows less than it should"
    tables.connection.close()


def moved_once(
    ledger: SqlMoveLedger, migration: Migration, store: Tables | Dicts, keys: list[str], chance: random.Random
) -> int:
    """Copies to the other side, and tries to flip there; → 1 where it came about."""
    route = ledger.route(POINT, store.tenant)
    assert route is not None
    here, there = route.store, TARGET if route.store == SOURCE else SOURCE

    def carry(chosen: list[str]) -> None:
        generation = ledger.generation(migration)
        store.put(there, generation, store.read(here, chosen))

    carry(keys)
    if chance.random() < 0.8:
        ledger.freeze(migration, store.tenant, 0.3)
    for _ in range(30):
        changes = ledger.changes(migration, store.tenant, 100)
        carry([change.key for change in changes])
        ledger.clear(migration, changes)
        if not flipped(ledger, migration, store.tenant, there).why_not:
            return 1
        time.sleep(0.003)
    ledger.thaw(migration, store.tenant)
    return 0

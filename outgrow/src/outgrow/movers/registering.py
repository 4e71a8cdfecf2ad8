"""Triggers that register an application's writes to moved tables, so that the application need not.

``Triggers.install`` lays them when a move of kind ``sql-table`` is created, ``uninstall`` takes them away when it has
ended.
They can be laid only where the tables and the routes (``outgrow.route``) are in one database; elsewhere the application
registers its writes itself (``outgrow.routing``).

**What a trigger does**, after each row that is written, in the writer's own transaction: it reads the tenant's route
FOR SHARE, and writes a closed intent under the row's key: an outbox. Where the route leads to another store it raises
40001: the writer read an old route; what it did is rolled back, and a repeated attempt reads the new one. While the
tenant is frozen it raises 40001 too; whoever holds the row's lock already is not touched by a freeze, which waits for
it. (Waiting in the trigger would hold locks for as long; frameworks repeat transactions that end in 40001.) Rows whose
tenant or key changes are registered under the old and the new one. TRUNCATE says no rows, so it is refused.

**Why nothing is lost, by isolation.**

READ COMMITTED: each statement of the trigger sees what was committed before it. A writer's FOR SHARE comes before a
flip's FOR UPDATE, which then waits and finds the intent; or after it, and then sees the new route. A writer that saw no
row wrote before it asked, so it has a transaction id that is older than the row's mark, and ``settled`` waits for it.

REPEATABLE READ and SERIALIZABLE: a row that changed since the snapshot makes FOR SHARE fail with 40001, which is
right. A row that was laid since is invisible, though, and such a writer's id may be younger than the mark; and what
says whether a tenant is on the way may be as old. So where none is seen the trigger tries to lay the row and takes it
back: if there is one, that fails with 40001; if not, the writer's id is older than any mark to come. Where one is
seen, it registers whatever ``tenant_state`` says.

CREATE TRIGGER waits for all who write to the table at the time, so that no writer without it is left when it returns.
Logical replication into a moved table and sessions in ``session_replication_role = replica`` fire no triggers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol

from outgrow.movers.postgresql import SQL, Composable, Session, psycopg, quoted, wait_shortly, written
from outgrow.movers.sql_shape import Shape, key_expression
from outgrow.ports import StoreFailed

LOCK_SECONDS = 5
"""How long laying a trigger waits for writers of a table; others queue behind it for as long."""

_BODY: LiteralString = """
DECLARE
    one record;
    place record;
BEGIN
    IF current_setting('outgrow.mover', true) = 'on' THEN
        RETURN NULL;
    END IF;
    FOR one IN
        SELECT DISTINCT tenant, key
        FROM (VALUES ({old_tenant}, {old_key}), ({new_tenant}, {new_key})) AS images (tenant, key)
        WHERE tenant IS NOT NULL AND key IS NOT NULL ORDER BY tenant, key
    LOOP
        SELECT store, frozen_until > clock_timestamp() AS frozen INTO place
        FROM outgrow.route WHERE point = {point} AND route.tenant = one.tenant FOR SHARE;
        IF NOT FOUND THEN
            IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
                BEGIN
                    INSERT INTO outgrow.route (point, tenant, store, generation)
                    VALUES ({point}, one.tenant, {store}, 1) ON CONFLICT (point, tenant) DO NOTHING;
                    RAISE SQLSTATE 'OG001';
                EXCEPTION WHEN SQLSTATE 'OG001' THEN
                    NULL;
                END;
            END IF;
            CONTINUE;
        END IF;
        IF place.store <> {store} THEN
            RAISE EXCEPTION 'the data of % is in the store %, not in {plain_store} any more', one.tenant, place.store
            USING ERRCODE = '40001', HINT = 'Read the route and repeat the transaction there.';
        END IF;
        IF place.frozen THEN
            RAISE EXCEPTION 'writes of % wait while its data is switched to another store', one.tenant
            USING ERRCODE = '40001', HINT = 'Repeat the transaction in a moment.';
        END IF;
        INSERT INTO outgrow.intent (point, tenant, key, closed_at)
        SELECT {point}, one.tenant, one.key, clock_timestamp()
        WHERE current_setting('transaction_isolation') IN ('repeatable read', 'serializable') OR EXISTS (
            SELECT FROM outgrow.tenant_state AS s JOIN outgrow.migration AS m ON m.id = s.migration
            WHERE s.point = {point} AND s.tenant = one.tenant AND s.state NOT IN ('pending', 'completed', 'cancelled')
        );
    END LOOP;
    RETURN NULL;
END"""
_REFUSAL: LiteralString = """
BEGIN
    RAISE EXCEPTION 'TRUNCATE of % cannot be followed by the move of {plain_point}', TG_TABLE_NAME
    USING ERRCODE = '0A000', HINT = 'DELETE the rows, or end the move first.';
END"""
_FUNCTION: LiteralString = """
CREATE OR REPLACE FUNCTION outgrow.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp {steady} AS {body}"""
_STEADY: LiteralString = """
SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET bytea_output = 'hex'
SET extra_float_digits = 1 SET lc_monetary = 'C'"""
_ROUTES: LiteralString = "SELECT to_regclass('outgrow.route') IS NOT NULL AND to_regclass('outgrow.intent') IS NOT NULL"


class Tables(Protocol):
    """The moved tables of one side."""

    @property
    def name(self) -> str: ...

    @property
    def session(self) -> Session: ...

    def shapes(self) -> tuple[Shape, ...]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Triggers:
    """Keeps ``outgrow.ports.Registering``. ``open_sides``: opens both sides anew."""

    open_sides: Callable[[], Sequence[Tables]]

    def install(self, point: str, truth: str) -> Sequence[str]:
        """Lays the triggers of ``point`` on each side that is in the database of the routes; a second time changes
        nothing.

        Args:
            truth: the URL of the database where the routes are.

        Returns:
            A sentence for each side: what was laid, or who has to register its writes instead.

        Raises:
            StoreFailed: a server does not answer, the routes' tables are not there, or a table was busy; then nothing
                was laid on that side.
        """
        routes = Session(truth, "routes")
        sides = self.open_sides()
        try:
            with routes.transaction() as connection:
                if connection.execute(_ROUTES).fetchone() != (True,):
                    raise StoreFailed(
                        f"{routes.where} has no tables of a move", next_step="Create the migration first, then install."
                    )
            home = routes.database()
            return [_laid(side, point) if side.session.database() == home else _elsewhere(side) for side in sides]
        finally:
            routes.close()
            for side in sides:
                side.close()

    def uninstall(self, point: str, is_over: Callable[[], bool] = lambda: True) -> None:
        """Takes them away on both sides, where they are. Raises ``StoreFailed``.

        ``is_over`` is asked while the tables are locked: an ``install`` is committed, and with it what it is for, or
        waits, and lays them anew.
        """
        sides = self.open_sides()
        try:
            for side in sides:
                shapes = side.shapes()
                with side.session.transaction(writing=True) as connection:
                    wait_shortly(connection, LOCK_SECONDS)
                    for shape in shapes:
                        for name in _names(side, shape, point):
                            _run(connection, "DROP TRIGGER IF EXISTS {0} ON {1}", quoted(name), shape.relation)
                            _run(connection, "DROP FUNCTION IF EXISTS outgrow.{0}()", quoted(name))
                    if not is_over():
                        raise psycopg.Rollback
        finally:
            for side in sides:
                side.close()


def _laid(store: Tables, point: str) -> str:
    shapes = store.shapes()
    with store.session.transaction(writing=True) as connection:
        wait_shortly(connection, LOCK_SECONDS)
        for shape in shapes:
            rows, whole = _names(store, shape, point)
            _function(connection, rows, _body(store, shape, point), steady=shape.steady)
            _function(connection, whole, _text(_REFUSAL, plain_point=SQL(_plain(point))))
            trigger: LiteralString = """
                CREATE OR REPLACE TRIGGER {0} AFTER INSERT OR UPDATE OR DELETE ON {1}
                FOR EACH ROW EXECUTE FUNCTION outgrow.{0}()"""
            _run(connection, trigger, quoted(rows), shape.relation)
            truncating: LiteralString = """
                CREATE OR REPLACE TRIGGER {0} BEFORE TRUNCATE ON {1}
                FOR EACH STATEMENT EXECUTE FUNCTION outgrow.{0}()"""
            _run(connection, truncating, quoted(whole), shape.relation)
    return f"writes to {', '.join(shape.name for shape in shapes)} in {store.session.where} register themselves"


def _elsewhere(store: Tables) -> str:
    return (
        f"{store.session.where} is not the database of the routes: the application registers its writes there itself, "
        "by outgrow.routing"
    )


def _body(store: Tables, shape: Shape, point: str) -> str:
    words: dict[str, Composable] = {"point": written(point), "store": written(store.name)}
    for when in ("old", "new"):
        row = SQL("OLD") if when == "old" else SQL("NEW")
        words[f"{when}_tenant"] = SQL("{}.{}::text").format(row, quoted(shape.tenant))
        words[f"{when}_key"] = key_expression(shape, row)
    return _text(_BODY, **words, plain_store=SQL(_plain(store.name)))


def _function(connection: psycopg.Connection[tuple[Any, ...]], name: str, body: str, *, steady: bool = True) -> None:
    words = {"name": quoted(name), "steady": SQL("" if steady else _STEADY), "body": written(body)}
    connection.execute(SQL(_FUNCTION).format(**words), ())


def _run(connection: psycopg.Connection[tuple[Any, ...]], statement: LiteralString, *names: Composable) -> None:
    connection.execute(SQL(statement).format(*names), ())


def _text(template: LiteralString, **words: Composable) -> str:
    return SQL(template).format(**words).as_string(None).replace("%%", "%")


def _plain(text: str) -> str:
    """Inside a message of RAISE, where a % stands for a value (and each is written twice once more, for psycopg)."""
    return text.replace("'", "''").replace("%", "%%%%")


def _names(store: Tables, shape: Shape, point: str) -> tuple[str, str]:
    """Of the function and trigger for rows, and for TRUNCATE."""
    mark = hashlib.blake2b(f"{point}\0{store.name}\0{shape.name}".encode(), digest_size=8).hexdigest()
    return f"outgrow_register_{mark}", f"outgrow_refuse_{mark}"

"""The example application of docs/examples: its tenants are moved there and back while it writes and reads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from outgrow.ledger.moves import SqlMoveLedger
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migration.records import Migration
from outgrow.ports.moves import ShadowCount
from outgrow.testing.move_ledger_contract import a_migration, row, rows_of

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "examples" / "following_a_move"


@pytest.fixture(autouse=True, scope="module")
def importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        yield


@dataclass
class Notes:
    texts: dict[tuple[str, str], str] = field(default_factory=dict)

    def write(self, tenant: str, key: str, text: str) -> None:
        self.texts[tenant, key] = text

    def read(self, tenant: str, key: str) -> str | None:
        return self.texts.get((tenant, key))


@pytest.fixture
def ledger(postgresql: str) -> Iterator[SqlMoveLedger]:
    with closing(open_move_ledger(postgresql)) as ledger:
        yield ledger


@pytest.fixture
def connection(postgresql: str, ledger: SqlMoveLedger) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgresql, autocommit=True) as connection:
        yield connection


def moving(ledger: SqlMoveLedger, point: str) -> Migration:
    made = ledger.create(a_migration(point, point=point, source="first", target="second"), rows_of("acme"), "ana")
    migration = ledger.take(made, "ana")
    ledger.keep(migration, replace(row(ledger, migration, "acme"), state="preparing"))
    ledger.place(migration, "acme")
    return migration


def switch(ledger: SqlMoveLedger, migration: Migration, store: str) -> str:
    move = row(ledger, migration, "acme")
    return ledger.flip(migration, move, store, replace(move, state="ready"), "flipped").why_not


def test_notes_are_where_the_tenant_is(ledger: SqlMoveLedger, connection: psycopg.Connection) -> None:
    import notes

    stores = {"first": Notes(), "second": Notes()}
    notes.write_note(connection, stores, "acme", "a", "before")
    migration = moving(ledger, notes.NOTES)
    assert notes.stores_to_fill(connection, "acme") == ["first", "second"]
    notes.write_note(connection, stores, "acme", "a", "during")
    assert switch(ledger, migration, "second"), "a registered write was not carried over"
    for change in ledger.changes(migration, "acme", 10):
        stores["second"].write("acme", change.key, stores["first"].texts["acme", change.key])
        ledger.clear(migration, [change])
    assert switch(ledger, migration, "second") == ""
    assert notes.read_note(connection, stores, "acme", "a") == "during"
    notes.write_note(connection, stores, "acme", "a", "after")
    assert notes.read_note(connection, stores, "acme", "a") == "after"
    assert stores["first"].read("acme", "a") == "during"
    assert [change.key for change in ledger.changes(migration, "acme", 10)] == ["a"], "for the way back"


def test_orders_are_where_the_tenant_is(ledger: SqlMoveLedger, connection: psycopg.Connection) -> None:
    import notes

    for store in ("first", "second"):
        connection.execute(f"CREATE TABLE orders_{store} (tenant text, id text, text text)")
    migration = moving(ledger, notes.ORDERS)
    notes.add_order(connection, "acme", "1", "a book")
    ledger.clear(migration, ledger.changes(migration, "acme", 10))
    assert switch(ledger, migration, "second") == ""
    notes.add_order(connection, "acme", "2", "another")
    assert connection.execute("SELECT id FROM orders_first").fetchall() == [("1",)]
    assert connection.execute("SELECT id FROM orders_second").fetchall() == [("2",)]


def test_reads_are_compared_behind_the_callers_back(
    postgresql: str, ledger: SqlMoveLedger, connection: psycopg.Connection
) -> None:
    import notes

    stores = {"first": Notes({("acme", "a"): "x"}), "second": Notes({("acme", "a"): "x"})}
    migration = moving(ledger, notes.NOTES)
    ledger.set_shadow_share(migration, 1.0, "ana")
    ledger.keep(migration, replace(row(ledger, migration, "acme"), state="shadowing"))

    async def story() -> None:
        @asynccontextmanager
        async def connect() -> Any:
            async with await psycopg.AsyncConnection.connect(postgresql, autocommit=True) as one:
                yield one

        mirror = notes.mirror_of(connect)
        async with connect() as mine:
            assert await notes.read_note_mirrored(mine, stores, mirror, "acme", "a") == "x"
            await asyncio.sleep(0.3)
        await mirror.close()

    asyncio.run(story())
    assert ledger.shadow(migration, "acme") == ShadowCount(matched=1)


def test_the_page_shows_parts_of_the_example() -> None:
    page = (DOCS / "howto" / "follow-a-move.md").read_text()
    source = (EXAMPLE / "notes.py").read_text()
    shown = re.findall(r"<!-- from: notes\.py -->\n+```\w+\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 5
    assert [part for part in shown if part not in source] == []


def test_the_reference_names_what_there_is() -> None:
    from outgrow import routing
    from outgrow.routing import statements

    page = (DOCS / "reference" / "routing.md").read_text()
    public = [*routing.__all__, *(name for name in vars(statements) if name.isupper() and not name.startswith("_"))]
    assert [name for name in public if f"`{name}" not in page and f"{name}(" not in page] == []


def test_the_rights_that_the_page_asks_for_are_enough(
    postgresql: str, ledger: SqlMoveLedger, connection: psycopg.Connection
) -> None:
    import notes

    page = (DOCS / "howto" / "follow-a-move.md").read_text()
    grants = re.search(r"```sql\n(.*?)```", page, re.DOTALL)
    assert grants
    role = f"app_{postgresql.rpartition('_')[2].partition('?')[0]}"
    connection.execute(f"CREATE ROLE {role} LOGIN")
    try:
        connection.execute(grants[1].replace(" TO app;", f" TO {role};"))
        migration = moving(ledger, notes.NOTES)
        stores = {"first": Notes(), "second": Notes()}
        with psycopg.connect(postgresql, autocommit=True) as mine:
            mine.execute(f"SET ROLE {role}")
            notes.write_note(mine, stores, "acme", "a", "x")
            assert notes.read_note(mine, stores, "acme", "a") == "x"
            assert notes.stores_to_fill(mine, "acme") == ["first", "second"]
            with routing_in_transaction(mine) as route:
                assert route.store == "first"
            from outgrow.routing import statements

            counts = {"migration": migration.id, "tenant": "acme", "matched": 1, "differed": 0, "failed": 0}
            mine.execute(statements.COUNT, counts)
            mine.execute(statements.ABANDONED, {"point": notes.NOTES, "seconds": 0})
            mine.execute(statements.CLOSE_ABANDONED, {"ids": [1]})
            mine.execute(statements.WITHDRAW, {"ids": [1]})
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                mine.execute("UPDATE outgrow.route SET store = 'elsewhere'")
        assert [change.key for change in ledger.changes(migration, "acme", 10)] == ["a", "b"]
    finally:
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


def routing_in_transaction(connection: psycopg.Connection) -> Any:
    import notes

    return notes.in_transaction(connection, notes.NOTES, "acme", ["b"], notes.DEFAULT)

"""The tables hold the laws by themselves, whoever writes."""

import psycopg
import pytest

from ventures.database.roles import Addresses
from ventures.log.api import Spine
from ventures.testing.content import brought_to, commented, founded

UNSOUND = (
    "UPDATE regional.item SET number = number + 1",
    "UPDATE regional.item SET approved_number = NULL, approved_by = NULL",
    "UPDATE regional.item SET state = 'draft'",
    "UPDATE regional.item SET approved_by = NULL",
    "UPDATE regional.item SET state = 'lost'",
    "UPDATE regional.item SET published_number = 2",
    "UPDATE regional.item SET state = 'published', deleted_at = updated_at",
    "UPDATE regional.item_version SET body = ''",
    "DELETE FROM regional.item_version",
    "UPDATE regional.comment SET number = 2",
    "INSERT INTO regional.item_version SELECT venture, item, 1, title, body, author, at FROM regional.item_version",
    "INSERT INTO regional.item_version SELECT venture, item, 2, title, repeat('é', 100001), author, at"
    " FROM regional.item_version",
)
FORBIDDEN = (
    "DELETE FROM regional.item",
    "UPDATE regional.item_version SET body = ''",
    "DELETE FROM regional.item_version",
    "UPDATE regional.approval SET note = ''",
    "DELETE FROM regional.approval",
    "DELETE FROM regional.comment",
    "TRUNCATE regional.item_version CASCADE",
)
COUNT = "SELECT count(*) FROM regional.item_version"


async def test_who_owns_the_tables_cannot_make_them_unsound(spine: Spine, database_addresses: Addresses) -> None:
    venture = await founded(spine)
    item = await brought_to(spine, venture, "approved")
    await commented(spine, venture, item)
    with psycopg.connect(database_addresses.superuser, autocommit=True) as connection:
        for statement in UNSOUND:
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(statement)
        assert connection.execute(COUNT).fetchone() == (1,)


async def test_the_application_may_not_rewrite_what_was_said(spine: Spine, database_addresses: Addresses) -> None:
    venture = await founded(spine)
    await brought_to(spine, venture, "approved")
    with psycopg.connect(database_addresses.app, autocommit=True) as connection:
        connection.execute("SELECT set_config('ventures.venture', %s, false)", [str(venture)])
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


async def test_versions_go_with_their_venture_only(spine: Spine, database_addresses: Addresses) -> None:
    gone, kept = await founded(spine), await founded(spine)
    for venture in (gone, kept):
        await commented(spine, venture, await brought_to(spine, venture, "published"))
    with psycopg.connect(database_addresses.superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM regional.log_head WHERE venture = %s", [gone])
        assert connection.execute("SELECT DISTINCT venture FROM regional.item_version").fetchall() == [(kept,)]
        assert connection.execute("SELECT DISTINCT venture FROM regional.comment").fetchall() == [(kept,)]


async def test_another_venture_sees_none_of_it(spine: Spine, database_addresses: Addresses) -> None:
    venture, other = await founded(spine), await founded(spine)
    await commented(spine, venture, await brought_to(spine, venture, "approved"))
    with psycopg.connect(database_addresses.app, autocommit=True) as connection:
        connection.execute("SELECT set_config('ventures.venture', %s, false)", [str(other)])
        for table in ("item", "item_version", "approval", "comment"):
            assert connection.execute(f"SELECT count(*) FROM regional.{table}").fetchone() == (0,), table

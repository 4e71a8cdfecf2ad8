"""Temporary copies of tables that stand in front of the real ones for one transaction, and how the two differ.

An unqualified name finds a temporary table before any other, so statements meant for the real table write to its
stand-in. For `Database.trial` only: it has no cached plan that remembers the real one, and rolls back.
"""

from psycopg.sql import SQL, Composed, Identifier

from ventures.database.scope import Scope

_STATE_TABLES = """
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = 'regional'::regnamespace AND c.relkind = 'r' AND obj_description(c.oid, 'pg_class') = 'state'
ORDER BY c.relname"""


async def state_tables(scope: Scope) -> list[str]:
    """Names of the tables declared as the fold of the log."""
    return [name for (name,) in await scope.all(_STATE_TABLES)]


async def stand_in_for(scope: Scope, table: str) -> None:
    """An empty copy with the same columns, keys and checks (foreign keys apart) in front of `regional.table`."""
    await _run(
        scope,
        SQL("CREATE TEMPORARY TABLE {0} (LIKE regional.{0} INCLUDING ALL) ON COMMIT DROP").format(Identifier(table)),
    )


async def rows_of(scope: Scope, table: str) -> int:
    """How many rows the venture has in the real table."""
    counted = await _run(
        scope, SQL("SELECT count(*) FROM regional.{0} WHERE venture = %(venture)s").format(Identifier(table))
    )
    (count,) = counted[0]
    return int(str(count))


async def differences(scope: Scope, table: str, most: int) -> list[tuple[str, str]]:
    """(side, row as text) of rows that only one side has, at most so many a side; side is "stand-in" or "real"."""
    found: list[tuple[str, str]] = []
    for side, one, other in (("stand-in", "pg_temp", "regional"), ("real", "regional", "pg_temp")):
        rows = await _run(
            scope,
            SQL(
                "SELECT t::text FROM (SELECT * FROM {one}.{table} WHERE venture = %(venture)s EXCEPT ALL "
                "SELECT * FROM {other}.{table} WHERE venture = %(venture)s) t ORDER BY 1 LIMIT %(most)s"
            ).format(one=Identifier(one), other=Identifier(other), table=Identifier(table)),
            most,
        )
        found += [(side, str(row)) for (row,) in rows]
    return found


async def _run(scope: Scope, statement: Composed, most: int | None = None) -> list[tuple[object, ...]]:
    cursor = await scope.connection.execute(statement, {"venture": scope.venture, "most": most})
    return await cursor.fetchall() if cursor.description else []

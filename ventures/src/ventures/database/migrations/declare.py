"""How a migration declares what a table is. Frozen: a later need gets a new function, so that old steps stay what
they were.

A regional table has the column `venture` first in its primary key. Its kind is kept as the table's comment: `log`
the log itself; `state` the fold of the log, written only when an event is applied; `derived` what a consumer makes
of the log; `work` what is under way (positions, deliveries) and may be lost without losing an acknowledged fact.
"""

from typing import Literal

from alembic import op

Grant = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]
ALL: tuple[Grant, ...] = ("SELECT", "INSERT", "UPDATE", "DELETE")


def regional(table: str, kind: Literal["log", "state", "derived", "work"], grants: tuple[Grant, ...] = ALL) -> None:
    """Guards `regional.table` by its venture, for its owner too, and lets the application's role do what is granted."""
    name = f'regional."{table}"'
    op.execute(f"COMMENT ON TABLE {name} IS '{kind}'")
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    own = "venture = nullif(current_setting('ventures.venture', true), '')::uuid"
    op.execute(f"CREATE POLICY own_venture ON {name} USING ({own}) WITH CHECK ({own})")
    op.execute(f"GRANT {', '.join(grants)} ON {name} TO ventures_app")


def global_(table: str, grants: tuple[Grant, ...] = ALL) -> None:
    """Lets the application's role use `global.table`."""
    op.execute(f'GRANT {", ".join(grants)} ON "global"."{table}" TO ventures_app')


def scanned(table: str, *columns: str) -> None:
    """Lets the workers' role see which venture has something to do: ids, numbers and times only, so name the
    columns where a table has others.
    """
    seen = f" ({', '.join(columns)})" if columns else ""
    op.execute(f'CREATE POLICY scan ON regional."{table}" FOR SELECT TO ventures_runner USING (true)')
    op.execute(f'GRANT SELECT{seen} ON regional."{table}" TO ventures_runner')


def routed(table: str) -> None:
    """Guards `outgrow.table`, whose column `tenant` is the venture: the application reads its venture's rows, the
    workers' role all. Only the owner writes: a route changes by a move.
    """
    name = f'outgrow."{table}"'
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    own = "tenant = current_setting('ventures.venture', true)"
    op.execute(f"CREATE POLICY own_venture ON {name} FOR SELECT TO ventures_app USING ({own})")
    op.execute(f"CREATE POLICY scan ON {name} FOR SELECT TO ventures_runner USING (true)")
    op.execute(f"GRANT SELECT ON {name} TO ventures_app, ventures_runner")


def closed(table: str) -> None:
    """Guards `outgrow.table`: neither the application nor its workers see it, only the owner, who moves ventures."""
    op.execute(f'ALTER TABLE outgrow."{table}" ENABLE ROW LEVEL SECURITY')

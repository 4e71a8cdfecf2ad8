"""Schema changes, carried out by Alembic as the owner of the tables.

All steps of one run are one transaction: they are all there or none. A lock lets one run at a time go on, so that
several processes may start at once.
"""

from contextlib import closing
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from ventures.database import migrations
from ventures.database.sessions import session
from ventures.errors import DatabaseUnfit

VERSION_TABLE: Final = "alembic_version"
LOCK: LiteralString = "SELECT pg_advisory_lock(hashtext('ventures migrations'))"
WHERE_VERSIONS_ARE: LiteralString = (
    "SELECT to_regclass('\"global\".alembic_version') IS NOT NULL, to_regclass('public.alembic_version') IS NOT NULL"
)
READ_VERSIONS: LiteralString = 'SELECT version_num FROM "global".alembic_version ORDER BY version_num'
GRANT_READ: LiteralString = 'GRANT SELECT ON "global".alembic_version TO ventures_app'


def migrate(owner_address: str) -> list[str]:
    """Brings the database to the newest schema; returns the steps that were needed, oldest first.

    Raises: DatabaseUnfit where the database was migrated by a newer version of this program;
        psycopg.OperationalError where it does not answer.
    """
    locked = psycopg.connect(owner_address, autocommit=True, application_name="ventures migrate")
    with closing(locked):
        locked.execute(LOCK)
        locked.autocommit = False
        engine = create_engine("postgresql+psycopg://", creator=lambda: locked, poolclass=NullPool)
        with engine.connect() as connection:
            return _upgraded(connection)


def missing(app_address: str) -> list[str]:
    """The steps a database still lacks, oldest first; read as any role.

    Raises: DatabaseUnfit as `migrate` does; Unavailable.
    """
    with session(app_address) as connection:
        row = connection.execute(WHERE_VERSIONS_ARE).fetchone()
        applied = [str(version) for (version,) in connection.execute(READ_VERSIONS)] if row and row[0] else []
    scripts = _scripts()
    known = _known(scripts, applied)
    return [script.revision for script in reversed(list(scripts.walk_revisions())) if script.revision not in known]


def _scripts() -> ScriptDirectory:
    folder = Path(migrations.__file__).parent
    return ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])


def _known(scripts: ScriptDirectory, applied: list[str]) -> set[str]:
    """The steps that those applied stand on, with themselves."""
    if strange := sorted(set(applied) - {script.revision for script in scripts.walk_revisions()}):
        raise DatabaseUnfit(
            f"The database is at schema version {', '.join(strange)}, which this program does not know: it was "
            "migrated by a newer version. Start that version, or restore a backup made before it."
        )
    return {script.revision for script in scripts.iterate_revisions(tuple(applied), "base")} if applied else set()


def _upgraded(connection: Connection) -> list[str]:
    scripts = _scripts()
    in_global, in_public = connection.exec_driver_sql(WHERE_VERSIONS_ARE).one()
    if in_global:
        _known(scripts, [str(version) for (version,) in connection.exec_driver_sql(READ_VERSIONS)])
    connection.rollback()
    applied: list[str] = []

    def steps(current: tuple[str, ...], _: MigrationContext) -> list[object]:
        return list(scripts._upgrade_revs("heads", current))  # type: ignore[arg-type]  # as alembic.command.upgrade

    with EnvironmentContext(Config(), scripts, fn=steps, destination_rev="heads") as environment:
        environment.configure(
            connection=connection,
            version_table=VERSION_TABLE,
            # The first step makes the schema "global": until the first run's end the table is in "public".
            version_table_schema="global" if in_global else "public",
            on_version_apply=lambda *, step, **_: applied.append(step.up_revision_id),
        )
        with environment.begin_transaction():
            environment.run_migrations()
            if not in_global and (applied or in_public):
                connection.exec_driver_sql('ALTER TABLE public.alembic_version SET SCHEMA "global"')
                connection.exec_driver_sql(GRANT_READ)
    return applied

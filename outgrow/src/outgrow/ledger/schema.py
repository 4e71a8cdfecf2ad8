"""Create the schema, or bring an older one to this version, by Alembic inside one transaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from outgrow.ledger.database import refuse_newer

if TYPE_CHECKING:
    import psycopg

_LOCK = 0x6F757467


def upgrade_sqlite(raw: sqlite3.Connection, path: Path, application_id: int) -> None:
    """Bring the file behind ``raw`` to this version's schema, or raise ``LedgerError`` and leave it as it is."""
    engine = sa.create_engine("sqlite://", creator=lambda: raw, poolclass=sa.StaticPool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection, connection.begin():
        _upgrade(connection, str(path))
        connection.exec_driver_sql(f"PRAGMA application_id = {application_id}")


def upgrade_postgresql(raw: psycopg.Connection, url: str) -> None:
    """The same for PostgreSQL; ``url`` (without password) names the ledger in messages."""
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=sa.StaticPool)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        _upgrade(connection, url)


def _upgrade(connection: sa.Connection, name: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    # Another process may have upgraded it between the look and the lock.
    refuse_newer(MigrationContext.configure(connection).get_current_revision(), name)
    command.upgrade(config, "head")

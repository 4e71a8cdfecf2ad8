"""Moves: the tables of `outgrow.routing` that a live move is kept in. `outgrow migrate` alone writes them, as the
database's owner; the application reads of each venture where it is and which stores are to hold it, and counts the
reads that it mirrored.
"""

from alembic import op

from ventures.database.migrations.declare import closed, routed

revision = "0016"
down_revision = "0015"

TABLES = ("shadow", "intent", "journal", "tenant_state", "migration")


def upgrade() -> None:
    op.execute("ALTER TABLE outgrow.route ADD COLUMN frozen_until timestamptz")
    op.execute("""
        CREATE TABLE outgrow.migration (
            id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 100),
            point text NOT NULL CHECK (length(point) BETWEEN 1 AND 100),
            kind text NOT NULL,
            source text NOT NULL CHECK (length(source) BETWEEN 1 AND 100),
            target text NOT NULL CHECK (length(target) BETWEEN 1 AND 100 AND target <> source),
            layout_version integer NOT NULL,
            made_at timestamptz NOT NULL,
            ended_at timestamptz,
            rehearsed_at timestamptz,
            paused text NOT NULL DEFAULT '',
            shadow_share double precision NOT NULL DEFAULT 0 CHECK (shadow_share BETWEEN 0 AND 1),
            epoch bigint NOT NULL DEFAULT 0,
            holder text NOT NULL DEFAULT '',
            pace jsonb NOT NULL
        )""")
    op.execute("CREATE UNIQUE INDEX migration_of_point ON outgrow.migration (point) WHERE ended_at IS NULL")
    op.execute("""
        CREATE TABLE outgrow.tenant_state (
            migration text NOT NULL REFERENCES outgrow.migration (id),
            point text NOT NULL,
            tenant text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 200),
            wave integer NOT NULL,
            state text NOT NULL,
            goal text NOT NULL,
            source text NOT NULL,
            target text NOT NULL,
            version bigint NOT NULL,
            rest jsonb NOT NULL,
            PRIMARY KEY (migration, tenant)
        )""")
    op.execute("CREATE INDEX tenant_state_of_tenant ON outgrow.tenant_state (point, tenant)")
    op.execute("""
        CREATE TABLE outgrow.journal (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            migration text NOT NULL REFERENCES outgrow.migration (id),
            tenant text NOT NULL,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            what text NOT NULL,
            who text NOT NULL,
            facts jsonb NOT NULL
        )""")
    op.execute("CREATE INDEX journal_of_migration ON outgrow.journal (migration, tenant, id)")
    op.execute("""
        CREATE TABLE outgrow.intent (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            point text NOT NULL,
            tenant text NOT NULL,
            key text NOT NULL,
            opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            closed_at timestamptz
        )""")
    op.execute("CREATE INDEX intent_of_tenant ON outgrow.intent (point, tenant, id)")
    op.execute("""
        CREATE TABLE outgrow.shadow (
            migration text NOT NULL REFERENCES outgrow.migration (id),
            tenant text NOT NULL,
            matched bigint NOT NULL DEFAULT 0,
            differed bigint NOT NULL DEFAULT 0,
            failed bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (migration, tenant)
        )""")
    op.execute("CREATE SEQUENCE outgrow.generation")
    routed("tenant_state")
    for table in ("migration", "journal", "intent", "shadow"):
        closed(table)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE outgrow.{table}")
    op.execute("DROP SEQUENCE outgrow.generation")
    op.execute("ALTER TABLE outgrow.route DROP COLUMN frozen_until")

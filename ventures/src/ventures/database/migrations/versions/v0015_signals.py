"""Signals: what the running audits found, what is counted for all of the platform, complaints."""

from alembic import op

from ventures.database.migrations.declare import global_, regional, scanned

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    _signals()
    _search_audit()


def downgrade() -> None:
    op.execute('DROP TABLE "global".search_check')
    op.execute("DROP TABLE regional.search_audit")
    _no_signals()


def _signals() -> None:
    op.execute("""
        CREATE TABLE regional.inconsistency (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            kind smallint NOT NULL CHECK (kind > 0),
            entity uuid NOT NULL,
            seen_at timestamptz NOT NULL,
            looked_at timestamptz NOT NULL,
            gone_at timestamptz,
            PRIMARY KEY (venture, kind, entity)
        )""")
    op.execute("CREATE INDEX inconsistency_open ON regional.inconsistency (kind) WHERE gone_at IS NULL")
    regional("inconsistency", "work")
    scanned("inconsistency")
    op.execute("""
        CREATE TABLE "global".audit_round (
            region text PRIMARY KEY,
            after uuid,
            began_at timestamptz NOT NULL,
            looked_at timestamptz NOT NULL,
            seen bigint NOT NULL,
            whole_at timestamptz,
            whole_seconds double precision,
            whole_ventures bigint
        )""")
    op.execute("""
        CREATE TABLE "global".activity (
            account uuid PRIMARY KEY REFERENCES "global".account (id) ON DELETE CASCADE,
            active_at timestamptz NOT NULL
        )""")
    op.execute('CREATE INDEX activity_at ON "global".activity (active_at)')
    op.execute("""
        CREATE TABLE "global".platform_count (
            signal text NOT NULL,
            labels text[] NOT NULL,
            count bigint NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (signal, labels)
        )""")
    op.execute("""
        CREATE TABLE "global".complaint (
            id uuid PRIMARY KEY,
            account uuid NOT NULL,
            about text NOT NULL CHECK (about IN ('slow', 'wrong', 'inconsistent', 'other')),
            text text NOT NULL CHECK (length(text) BETWEEN 1 AND 2000),
            place text NOT NULL CHECK (length(place) <= 200),
            area text NOT NULL CHECK (length(area) <= 20),
            region text NOT NULL CHECK (length(region) <= 32),
            at timestamptz NOT NULL
        )""")
    op.execute('CREATE INDEX complaint_at ON "global".complaint (at)')
    op.execute('CREATE INDEX complaint_account ON "global".complaint (account, at)')
    op.execute('CREATE INDEX directory_member_venture ON "global".directory_member (venture)')
    global_("audit_round", ("SELECT", "INSERT", "UPDATE"))
    global_("activity", ("SELECT", "INSERT", "UPDATE"))
    global_("platform_count")
    global_("complaint", ("SELECT", "INSERT"))


def _no_signals() -> None:
    op.execute('DROP INDEX "global".directory_member_venture')
    for table in ("complaint", "platform_count", "activity", "audit_round"):
        op.execute(f'DROP TABLE "global".{table}')
    op.execute("DROP TABLE regional.inconsistency")


def _search_audit() -> None:
    """Searches that are waiting to be repeated, without what was asked in words, and what came of those that were."""
    op.execute("""
        CREATE TABLE regional.search_audit (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            at timestamptz NOT NULL,
            head bigint NOT NULL,
            model text NOT NULL,
            kind text NOT NULL,
            position bigint NOT NULL,
            vector real[] NOT NULL,
            states text[] NOT NULL,
            sources uuid[] NOT NULL,
            but uuid[] NOT NULL,
            ids uuid[] NOT NULL,
            account uuid,
            PRIMARY KEY (venture, id)
        )""")
    regional("search_audit", "work")
    scanned("search_audit", "venture", "id", "at")
    op.execute("""
        CREATE TABLE "global".search_check (
            result text PRIMARY KEY CHECK (result IN ('right', 'wrong', 'foreign', 'not_comparable')),
            count bigint NOT NULL CHECK (count >= 0)
        )""")
    global_("search_check", ("SELECT", "INSERT", "UPDATE"))

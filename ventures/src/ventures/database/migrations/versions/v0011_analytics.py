"""Analytics: daily counts, durations, active members, and what they are folded from."""

from alembic import op

from ventures.database.migrations.declare import regional

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE regional.analytics_counted (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            seq bigint NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (venture, target, seq)
        )""")
    op.execute("""
        CREATE TABLE regional.analytics_zone (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            zone text NOT NULL,
            PRIMARY KEY (venture, target)
        )""")
    op.execute("""
        CREATE TABLE regional.analytics_item (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            item uuid NOT NULL,
            drafted_at timestamptz NOT NULL,
            PRIMARY KEY (venture, target, item)
        )""")
    op.execute("""
        CREATE TABLE regional.analytics_unknown_post (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            post uuid NOT NULL,
            kind text NOT NULL,
            PRIMARY KEY (venture, target, post)
        )""")
    op.execute("""
        CREATE TABLE regional.analytics_count (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            day date NOT NULL,
            metric text NOT NULL,
            dimension text NOT NULL,
            count bigint NOT NULL,
            PRIMARY KEY (venture, target, day, metric, dimension)
        )""")
    op.execute("""
        CREATE TABLE regional.analytics_duration (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            day date NOT NULL,
            metric text NOT NULL,
            bucket smallint NOT NULL,
            count bigint NOT NULL,
            seconds bigint NOT NULL,
            PRIMARY KEY (venture, target, day, metric, bucket)
        )""")
    op.execute("""
        CREATE TABLE regional.analytics_active (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            day date NOT NULL,
            account uuid NOT NULL,
            PRIMARY KEY (venture, target, day, account)
        )""")
    for table in TABLES:
        regional(table, "derived")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE regional.{table}")


TABLES = (
    "analytics_counted", "analytics_zone", "analytics_item", "analytics_unknown_post", "analytics_count",
    "analytics_duration", "analytics_active",
)  # fmt: skip

"""Billing: what a venture is subscribed to, checkouts, and counted usage. Ventures are opaque ids here."""

from alembic import op

from ventures.database.migrations.declare import global_

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE "global".subscription (
            venture uuid PRIMARY KEY,
            plan text NOT NULL,
            checkout uuid NOT NULL,
            since timestamptz NOT NULL,
            ends_at timestamptz,
            version integer NOT NULL DEFAULT 1
        )""")
    op.execute("""
        CREATE TABLE "global".checkout (
            id uuid PRIMARY KEY,
            venture uuid NOT NULL,
            plan text NOT NULL,
            account uuid NOT NULL,
            state text NOT NULL CHECK (state IN ('pending', 'paid', 'failed')),
            url text,
            opened_at timestamptz NOT NULL,
            settled_at timestamptz
        )""")
    op.execute('CREATE INDEX checkout_venture ON "global".checkout (venture, id)')
    op.execute("""
        CREATE TABLE "global".usage (
            venture uuid NOT NULL,
            metric text NOT NULL,
            period date NOT NULL,
            used bigint NOT NULL,
            PRIMARY KEY (venture, metric, period)
        )""")
    op.execute("""
        CREATE TABLE "global".usage_entry (
            venture uuid NOT NULL,
            metric text NOT NULL,
            source text NOT NULL,
            seq bigint NOT NULL,
            amount bigint NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (venture, metric, source, seq)
        )""")
    global_("subscription", ("SELECT", "INSERT", "UPDATE"))
    global_("checkout", ("SELECT", "INSERT", "UPDATE"))
    global_("usage", ("SELECT", "INSERT", "UPDATE"))
    global_("usage_entry", ("SELECT", "INSERT", "DELETE"))


def downgrade() -> None:
    for table in ("usage_entry", "usage", "checkout", "subscription"):
        op.execute(f'DROP TABLE "global".{table}')

"""Notifications: notices and what they are made from, webhooks, their deliveries."""

from alembic import op

from ventures.database.migrations.declare import regional, scanned

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    _notices()
    _webhooks()


def _notices() -> None:
    op.execute("""
        CREATE TABLE regional.notice_member (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            account uuid NOT NULL,
            role text,
            display_name text NOT NULL,
            seq bigint NOT NULL,
            PRIMARY KEY (venture, target, account)
        )""")
    op.execute("""
        CREATE TABLE regional.notice_item (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            item uuid NOT NULL,
            title text NOT NULL,
            author uuid,
            open boolean NOT NULL,
            seq bigint NOT NULL,
            PRIMARY KEY (venture, target, item)
        )""")
    op.execute("""
        CREATE TABLE regional.reminder (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            entry uuid NOT NULL,
            item uuid NOT NULL,
            deadline_at timestamptz NOT NULL,
            remind_at timestamptz NOT NULL,
            seq bigint NOT NULL,
            PRIMARY KEY (venture, target, entry)
        )""")
    op.execute("CREATE INDEX reminder_due ON regional.reminder (remind_at)")
    op.execute("""
        CREATE TABLE regional.notice (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            target text NOT NULL,
            account uuid NOT NULL,
            seq bigint NOT NULL,
            kind text NOT NULL,
            feature text NOT NULL,
            entity uuid NOT NULL,
            item uuid,
            title text NOT NULL,
            by uuid,
            by_name text NOT NULL,
            detail text NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (venture, target, account, seq)
        )""")
    op.execute("""
        CREATE TABLE regional.notice_read (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            account uuid NOT NULL,
            seq bigint NOT NULL,
            read_at timestamptz NOT NULL,
            PRIMARY KEY (venture, account, seq)
        )""")
    op.execute("""
        CREATE TABLE regional.notice_read_up_to (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            account uuid NOT NULL,
            seq bigint NOT NULL,
            read_at timestamptz NOT NULL,
            PRIMARY KEY (venture, account)
        )""")
    for table in ("notice_member", "notice_item", "reminder", "notice"):
        regional(table, "derived")
    scanned("reminder")
    regional("notice_read", "work")
    regional("notice_read_up_to", "work")


def _webhooks() -> None:
    op.execute("""
        CREATE TABLE regional.webhook (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            url text NOT NULL CHECK (length(url) <= 2000),
            label text NOT NULL CHECK (length(label) <= 200),
            types text[] NOT NULL CHECK (cardinality(types) BETWEEN 1 AND 100),
            enabled boolean NOT NULL,
            disabled_why text,
            secret_id uuid NOT NULL,
            previous_secret_id uuid,
            rotated_at timestamptz,
            created_by uuid,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            added_seq bigint NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id)
        )""")
    op.execute("""
        CREATE TABLE regional.webhook_delivery (
            venture uuid NOT NULL,
            id uuid NOT NULL,
            webhook uuid NOT NULL,
            seq bigint,
            type text NOT NULL,
            state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'cancelled')),
            made_at timestamptz NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            status integer,
            problem text,
            ended_at timestamptz,
            PRIMARY KEY (venture, id),
            FOREIGN KEY (venture, webhook) REFERENCES regional.webhook (venture, id) ON DELETE CASCADE
        )""")
    op.execute("CREATE INDEX webhook_delivery_of ON regional.webhook_delivery (venture, webhook, made_at, id)")
    op.execute("CREATE INDEX webhook_delivery_age ON regional.webhook_delivery (venture, made_at)")
    op.execute("""
        CREATE TABLE regional.webhook_due (
            venture uuid NOT NULL,
            delivery uuid NOT NULL,
            webhook uuid NOT NULL,
            due_at timestamptz NOT NULL,
            since timestamptz NOT NULL,
            attempt integer NOT NULL,
            attempts_before integer NOT NULL,
            PRIMARY KEY (venture, delivery),
            FOREIGN KEY (venture, delivery) REFERENCES regional.webhook_delivery (venture, id) ON DELETE CASCADE
        )""")
    op.execute("CREATE INDEX webhook_due_at ON regional.webhook_due (due_at)")
    op.execute("""
        CREATE TABLE regional.webhook_attempt (
            venture uuid NOT NULL,
            delivery uuid NOT NULL,
            number integer NOT NULL,
            at timestamptz NOT NULL,
            duration_ms integer NOT NULL,
            status integer,
            answer text NOT NULL,
            problem text,
            PRIMARY KEY (venture, delivery, number),
            FOREIGN KEY (venture, delivery) REFERENCES regional.webhook_delivery (venture, id) ON DELETE CASCADE
        )""")
    op.execute("""
        CREATE TABLE regional.webhook_health (
            venture uuid NOT NULL,
            webhook uuid NOT NULL,
            failures integer NOT NULL,
            failing_since timestamptz,
            hold_until timestamptz,
            PRIMARY KEY (venture, webhook),
            FOREIGN KEY (venture, webhook) REFERENCES regional.webhook (venture, id) ON DELETE CASCADE
        )""")
    regional("webhook", "state")
    for table in ("webhook_delivery", "webhook_due", "webhook_attempt", "webhook_health"):
        regional(table, "work")
    scanned("webhook_due")


def downgrade() -> None:
    for table in (
        "webhook_health", "webhook_attempt", "webhook_due", "webhook_delivery", "webhook",
        "notice_read_up_to", "notice_read", "notice", "reminder", "notice_item", "notice_member",
    ):  # fmt: skip
        op.execute(f"DROP TABLE regional.{table}")

"""Posts: channels, variants, the outbox."""

from alembic import op

from ventures.database.migrations.declare import regional, scanned

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE regional.channel (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            kind text NOT NULL CHECK (length(kind) BETWEEN 1 AND 40),
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
            settings jsonb NOT NULL,
            characters integer NOT NULL CHECK (characters > 0),
            link_characters integer CHECK (link_characters > 0),
            created_at timestamptz NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id)
        )""")
    op.execute("""
        CREATE TABLE regional.channel_credential (
            venture uuid NOT NULL,
            channel uuid NOT NULL,
            sealed bytea NOT NULL,
            kept_at timestamptz NOT NULL,
            PRIMARY KEY (venture, channel),
            FOREIGN KEY (venture, channel) REFERENCES regional.channel (venture, id) ON DELETE CASCADE
        )""")
    op.execute("""
        CREATE TABLE regional.post (
            venture uuid NOT NULL,
            id uuid NOT NULL,
            item uuid NOT NULL,
            channel uuid NOT NULL,
            text text NOT NULL CHECK (length(text) BETWEEN 1 AND 20000),
            state text NOT NULL
                CHECK (state IN ('draft', 'scheduled', 'publishing', 'published', 'failed', 'unknown')),
            number integer CHECK (number > 0),
            scheduled_seq bigint,
            attempt integer NOT NULL,
            first_attempt integer NOT NULL,
            first_tried_at timestamptz,
            tried_at timestamptz,
            external_id text CHECK (length(external_id) BETWEEN 1 AND 500),
            url text CHECK (length(url) BETWEEN 1 AND 2000),
            problem text CHECK (length(problem) <= 1000),
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id),
            FOREIGN KEY (venture, item) REFERENCES regional.item (venture, id) ON DELETE CASCADE,
            FOREIGN KEY (venture, channel) REFERENCES regional.channel (venture, id) ON DELETE CASCADE,
            CHECK (state = 'draft' OR (number IS NOT NULL AND scheduled_seq IS NOT NULL)),
            CHECK (state NOT IN ('publishing', 'unknown') OR (tried_at IS NOT NULL AND first_tried_at IS NOT NULL))
        )""")
    op.execute("CREATE INDEX post_item ON regional.post (venture, item)")
    op.execute("CREATE INDEX post_channel ON regional.post (venture, channel)")
    op.execute("CREATE INDEX post_state ON regional.post (venture, state, id)")
    op.execute("""
        CREATE TABLE regional.outbox (
            venture uuid NOT NULL,
            post uuid NOT NULL,
            seq bigint NOT NULL,
            due_at timestamptz NOT NULL,
            lease_until timestamptz,
            PRIMARY KEY (venture, post),
            FOREIGN KEY (venture, post) REFERENCES regional.post (venture, id) ON DELETE CASCADE
        )""")
    op.execute("CREATE INDEX outbox_due ON regional.outbox (due_at)")
    regional("channel", "state")
    regional("channel_credential", "work")
    regional("post", "state")
    regional("outbox", "work")
    scanned("outbox")


def downgrade() -> None:
    for table in ("outbox", "post", "channel_credential", "channel"):
        op.execute(f"DROP TABLE regional.{table}")

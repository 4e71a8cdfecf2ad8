"""The log: heads, events, consumers' positions, parked events."""

from alembic import op

from ventures.database.migrations.declare import regional, scanned

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE regional.log_head (
            venture uuid PRIMARY KEY,
            epoch integer NOT NULL DEFAULT 1,
            seq bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
            hash bytea NOT NULL,
            moved_at timestamptz NOT NULL
        )""")
    op.execute("CREATE INDEX log_head_moved ON regional.log_head (moved_at)")
    op.execute("""
        CREATE TABLE regional.event (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            seq bigint NOT NULL CHECK (seq > 0),
            epoch integer NOT NULL,
            type text NOT NULL,
            entity uuid NOT NULL,
            actor text NOT NULL,
            at timestamptz NOT NULL,
            batch bigint NOT NULL,
            cause bigint,
            idem text CHECK (length(idem) BETWEEN 1 AND 200),
            request bytea,
            schema_version integer NOT NULL,
            data json NOT NULL,
            hash bytea NOT NULL,
            PRIMARY KEY (venture, seq),
            UNIQUE (venture, idem)
        )""")
    op.execute("CREATE INDEX event_entity ON regional.event (venture, entity, seq)")
    op.execute("""
        CREATE TABLE regional.consumer_position (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            consumer text NOT NULL,
            target text NOT NULL DEFAULT '',
            seq bigint NOT NULL DEFAULT 0,
            failures integer NOT NULL DEFAULT 0,
            retry_at timestamptz,
            PRIMARY KEY (venture, consumer, target)
        )""")
    op.execute("""
        CREATE TABLE regional.parked_event (
            venture uuid NOT NULL,
            consumer text NOT NULL,
            target text NOT NULL DEFAULT '',
            seq bigint NOT NULL,
            entity uuid NOT NULL,
            reason text NOT NULL,
            parked_at timestamptz NOT NULL,
            PRIMARY KEY (venture, consumer, target, seq),
            FOREIGN KEY (venture, consumer, target)
                REFERENCES regional.consumer_position (venture, consumer, target) ON DELETE CASCADE
        )""")
    regional("log_head", "log", ("SELECT", "INSERT", "UPDATE"))
    regional("event", "log", ("SELECT", "INSERT"))
    regional("consumer_position", "work")
    regional("parked_event", "work")
    scanned("log_head", "venture", "epoch", "seq", "moved_at")
    scanned("consumer_position")
    scanned("parked_event", "venture", "consumer", "target", "seq", "entity", "parked_at")


def downgrade() -> None:
    for table in ("parked_event", "consumer_position", "event", "log_head"):
        op.execute(f"DROP TABLE regional.{table}")

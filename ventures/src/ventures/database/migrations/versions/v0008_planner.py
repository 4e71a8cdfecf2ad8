"""Planner: the calendar, its feeds. A deadline is a row here and nowhere else."""

from alembic import op

from ventures.database.migrations.declare import regional

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE regional.calendar_event (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            kind text NOT NULL CHECK (kind IN ('event', 'deadline', 'post')),
            title text CHECK (length(title) BETWEEN 1 AND 300),
            item uuid,
            subject uuid,
            starts_at timestamptz NOT NULL,
            ends_at timestamptz NOT NULL CHECK (ends_at >= starts_at),
            zone text NOT NULL,
            starts_on date,
            ends_on date CHECK (ends_on >= starts_on),
            note text NOT NULL CHECK (length(note) <= 10000),
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id),
            FOREIGN KEY (venture, item) REFERENCES regional.item (venture, id) ON DELETE CASCADE,
            CHECK ((kind = 'event') = (title IS NOT NULL)),
            CHECK (kind <> 'deadline' OR item IS NOT NULL),
            CHECK ((kind = 'post') = (subject IS NOT NULL)),
            CHECK ((starts_on IS NULL) = (ends_on IS NULL))
        )""")
    op.execute("CREATE INDEX calendar_event_start ON regional.calendar_event (venture, starts_at, id)")
    op.execute("""
        CREATE UNIQUE INDEX calendar_event_deadline ON regional.calendar_event (venture, item)
        WHERE kind = 'deadline' AND deleted_at IS NULL""")
    op.execute("""
        CREATE UNIQUE INDEX calendar_event_subject ON regional.calendar_event (venture, subject)
        WHERE subject IS NOT NULL AND deleted_at IS NULL""")
    op.execute("CREATE INDEX calendar_event_item ON regional.calendar_event (venture, item) WHERE item IS NOT NULL")
    op.execute("""
        CREATE TABLE regional.calendar_feed (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            label text NOT NULL CHECK (length(label) BETWEEN 1 AND 100),
            digest bytea NOT NULL CHECK (length(digest) = 32),
            created_by uuid NOT NULL,
            created_at timestamptz NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id),
            UNIQUE (venture, digest)
        )""")
    regional("calendar_event", "state")
    regional("calendar_feed", "state")


def downgrade() -> None:
    op.execute("DROP TABLE regional.calendar_feed")
    op.execute("DROP TABLE regional.calendar_event")

"""Generation: drafts with their citations, context notes, and how drafts ended, over all ventures."""

from alembic import op

from ventures.database.migrations.declare import global_, regional, scanned

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE regional.context_note (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            title text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
            text text NOT NULL CHECK (length(text) BETWEEN 1 AND 20000),
            author uuid NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (venture, id)
        )""")
    op.execute("""
        CREATE TABLE regional.draft (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            state text NOT NULL CHECK (state IN ('running', 'finished', 'failed', 'cancelled')),
            instruction text NOT NULL CHECK (length(instruction) BETWEEN 1 AND 4000),
            format text,
            item uuid,
            author uuid NOT NULL,
            text text NOT NULL CHECK (length(text) <= 40000),
            citations jsonb NOT NULL,
            unsupported integer NOT NULL CHECK (unsupported >= 0),
            model text,
            prompt text,
            pattern text,
            extractive boolean NOT NULL,
            remark text NOT NULL,
            prompt_tokens bigint,
            completion_tokens bigint,
            reason text,
            problem text,
            accepted_item uuid,
            asked_at timestamptz NOT NULL,
            due_at timestamptz,
            ended_at timestamptz,
            version integer NOT NULL,
            PRIMARY KEY (venture, id),
            FOREIGN KEY (venture, item) REFERENCES regional.item (venture, id),
            CHECK ((state = 'running') = (due_at IS NOT NULL)),
            CHECK ((state = 'running') = (ended_at IS NULL)),
            CHECK ((state = 'failed') = (reason IS NOT NULL)),
            CHECK ((state = 'failed') = (problem IS NOT NULL)),
            CHECK ((state = 'finished') = (model IS NOT NULL)),
            CHECK (accepted_item IS NULL OR state = 'finished')
        )""")
    op.execute("CREATE INDEX draft_asked ON regional.draft (venture, asked_at DESC, id DESC)")
    op.execute("CREATE INDEX draft_running ON regional.draft (venture) WHERE state = 'running'")
    op.execute("CREATE INDEX draft_due ON regional.draft (due_at) WHERE due_at IS NOT NULL")
    regional("context_note", "state", ("SELECT", "INSERT", "UPDATE"))
    regional("draft", "state", ("SELECT", "INSERT", "UPDATE"))
    scanned("draft", "venture", "id", "due_at")
    op.execute("""
        CREATE TABLE "global".generation_told (
            venture uuid NOT NULL,
            seq bigint NOT NULL,
            PRIMARY KEY (venture, seq)
        )""")
    op.execute("""
        CREATE TABLE "global".generation_outcome (
            day date NOT NULL,
            outcome text NOT NULL,
            count bigint NOT NULL,
            PRIMARY KEY (day, outcome)
        )""")
    op.execute("""
        CREATE TABLE "global".generation_seconds (
            bucket smallint PRIMARY KEY,
            count bigint NOT NULL,
            seconds double precision NOT NULL
        )""")
    global_("generation_told", ("SELECT", "INSERT"))
    global_("generation_outcome", ("SELECT", "INSERT", "UPDATE"))
    global_("generation_seconds", ("SELECT", "INSERT", "UPDATE"))


def downgrade() -> None:
    for table in ("generation_seconds", "generation_outcome", "generation_told"):
        op.execute(f'DROP TABLE "global".{table}')
    for table in ("draft", "context_note"):
        op.execute(f"DROP TABLE regional.{table}")

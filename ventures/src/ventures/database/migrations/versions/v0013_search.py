"""Search: passages, embeddings, preferences. All derived from the log, once for each embedding model."""

from typing import LiteralString

from alembic import op
from sqlalchemy.exc import ProgrammingError

from ventures.database.migrations.declare import regional
from ventures.errors import DatabaseUnfit

revision = "0013"
down_revision = "0012"

WHERE_VECTOR_IS: LiteralString = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"


def upgrade() -> None:
    _vector()
    _passages()
    _embeddings()
    regional("passage", "derived")
    regional("embedding", "derived")
    regional("preference", "derived")


def _vector() -> None:
    """pgvector in the schema `public`. Where it is not yet, a superuser makes it with the database (`roles`)."""
    found = op.get_bind().exec_driver_sql(WHERE_VECTOR_IS).scalar()
    if found is None:
        try:
            op.execute("CREATE EXTENSION vector SCHEMA public")
        except ProgrammingError as error:
            raise DatabaseUnfit(
                "The extension vector (pgvector) is missing, and only a superuser may make it. As one, in this "
                "database: CREATE EXTENSION vector SCHEMA public"
            ) from error
    elif found != "public":
        raise DatabaseUnfit(
            f"The extension vector is in the schema {found}. As its owner: ALTER EXTENSION vector SET SCHEMA public"
        )


def _passages() -> None:
    """`words` holds, beside the words, one that names venture, model and kind, so that one index narrows to all. A row
    stays whole in its page. What is not yet sorted into the index is read by every search: little of it (kB).
    """
    op.execute("""
        CREATE TABLE regional.passage (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            model text NOT NULL,
            id uuid NOT NULL,
            kind text NOT NULL CHECK (kind IN ('content', 'context')),
            source uuid NOT NULL,
            place integer NOT NULL CHECK (place >= 0),
            number integer NOT NULL,
            title text NOT NULL,
            text text NOT NULL,
            state text NOT NULL,
            seq bigint NOT NULL,
            updated_at timestamptz NOT NULL,
            words tsvector NOT NULL,
            PRIMARY KEY (venture, model, id),
            UNIQUE (venture, model, source, kind, place)
        ) WITH (toast_tuple_target = 8160)""")
    op.execute("CREATE INDEX passage_words ON regional.passage USING gin (words) WITH (gin_pending_list_limit = 512)")


def _embeddings() -> None:
    """A vector stays in its row up to about 2,000 numbers: an exact search reads rows, not pieces of them. A row
    needs no log, so that what all ventures share and what a mover brings can lie here too.
    """
    op.execute("""
        CREATE TABLE regional.embedding (
            venture uuid NOT NULL,
            model text NOT NULL,
            id uuid NOT NULL,
            kind text NOT NULL CHECK (kind IN ('content', 'preference', 'context', 'pattern')),
            source uuid NOT NULL,
            state text NOT NULL,
            seq bigint NOT NULL,
            vector public.vector,
            PRIMARY KEY (venture, model, id)
        ) WITH (toast_tuple_target = 8160)""")
    op.execute("CREATE INDEX embedding_changed ON regional.embedding (venture, model, seq)")
    op.execute("CREATE INDEX embedding_kind ON regional.embedding (venture, model, kind) WHERE vector IS NOT NULL")
    op.execute("""
        CREATE TABLE regional.preference (
            venture uuid NOT NULL REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            model text NOT NULL,
            account uuid NOT NULL,
            weight double precision NOT NULL CHECK (weight >= 0),
            at timestamptz NOT NULL,
            seq bigint NOT NULL,
            PRIMARY KEY (venture, model, account)
        )""")


def downgrade() -> None:
    for table in ("preference", "embedding", "passage"):
        op.execute(f"DROP TABLE regional.{table}")

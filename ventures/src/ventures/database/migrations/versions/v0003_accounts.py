"""Accounts: people, sessions, API keys, attempts to sign in, and what was done under an idempotency key."""

from alembic import op

from ventures.database.migrations.declare import global_

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE "global".account (
            id uuid PRIMARY KEY,
            email text NOT NULL UNIQUE CHECK (length(email) <= 254),
            name text NOT NULL,
            password text NOT NULL,
            version integer NOT NULL DEFAULT 1,
            created_at timestamptz NOT NULL,
            password_changed_at timestamptz NOT NULL
        )""")
    op.execute("""
        CREATE TABLE "global".session (
            account uuid NOT NULL REFERENCES "global".account (id) ON DELETE CASCADE,
            id uuid NOT NULL,
            digest bytea NOT NULL CHECK (length(digest) = 32),
            device text NOT NULL,
            lasts interval NOT NULL,
            created_at timestamptz NOT NULL,
            seen_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (account, id),
            UNIQUE (account, digest)
        )""")
    op.execute('CREATE INDEX session_expires ON "global".session (expires_at)')
    op.execute("""
        CREATE TABLE "global".api_key (
            account uuid NOT NULL REFERENCES "global".account (id) ON DELETE CASCADE,
            id uuid NOT NULL,
            digest bytea NOT NULL CHECK (length(digest) = 32),
            label text NOT NULL,
            venture uuid,
            scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL CHECK (expires_at <= created_at + interval '366 days'),
            used_at timestamptz,
            PRIMARY KEY (account, id),
            UNIQUE (account, digest)
        )""")
    op.execute('CREATE INDEX api_key_expires ON "global".api_key (expires_at)')
    op.execute("""
        CREATE TABLE "global".sign_in_attempt (
            subject bytea PRIMARY KEY,
            tried_at timestamptz[] NOT NULL,
            blocked boolean NOT NULL DEFAULT false
        )""")
    op.execute("""
        CREATE TABLE "global".idempotency (
            account uuid NOT NULL REFERENCES "global".account (id) ON DELETE CASCADE,
            key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
            digest bytea NOT NULL,
            at timestamptz NOT NULL,
            status integer,
            body json,
            PRIMARY KEY (account, key)
        )""")
    op.execute('CREATE INDEX idempotency_at ON "global".idempotency (at)')
    global_("account", ("SELECT", "INSERT", "UPDATE"))
    for table in ("session", "api_key", "sign_in_attempt", "idempotency"):
        global_(table)


def downgrade() -> None:
    for table in ("idempotency", "sign_in_attempt", "api_key", "session", "account"):
        op.execute(f'DROP TABLE "global".{table}')

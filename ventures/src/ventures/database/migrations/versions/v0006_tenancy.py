"""Tenancy: a venture's profile, its members, invitations to it."""

from alembic import op

from ventures.database.migrations.declare import regional

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE regional.profile (
            venture uuid PRIMARY KEY REFERENCES regional.log_head (venture) ON DELETE CASCADE,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            zone text NOT NULL,
            founded_by uuid NOT NULL,
            founded_at timestamptz NOT NULL,
            version integer NOT NULL,
            deleted_at timestamptz
        )""")
    op.execute("""
        CREATE TABLE regional.membership (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            account uuid NOT NULL,
            role text NOT NULL CHECK (role IN ('owner', 'manager', 'approver', 'author', 'viewer')),
            display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 200),
            joined_at timestamptz NOT NULL,
            left_at timestamptz,
            version integer NOT NULL,
            PRIMARY KEY (venture, account)
        )""")
    op.execute("""
        CREATE TABLE regional.invite (
            venture uuid NOT NULL REFERENCES regional.profile (venture) ON DELETE CASCADE,
            id uuid NOT NULL,
            digest bytea NOT NULL CHECK (length(digest) = 32),
            role text NOT NULL CHECK (role IN ('owner', 'manager', 'approver', 'author', 'viewer')),
            label text NOT NULL CHECK (length(label) <= 100),
            made_by uuid,
            made_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL CHECK (expires_at <= made_at + interval '30 days'),
            accepted_by uuid,
            accepted_at timestamptz,
            revoked_at timestamptz,
            version integer NOT NULL,
            PRIMARY KEY (venture, id),
            UNIQUE (venture, digest),
            CHECK (accepted_at IS NULL OR revoked_at IS NULL)
        )""")
    regional("profile", "state")
    regional("membership", "state")
    regional("invite", "state")


def downgrade() -> None:
    for table in ("invite", "membership", "profile"):
        op.execute(f"DROP TABLE regional.{table}")

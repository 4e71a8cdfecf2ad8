"""The directory: where each venture lives and who belongs to it, by opaque ids only."""

from alembic import op

from ventures.database.migrations.declare import global_

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE "global".venture_directory (
            venture uuid PRIMARY KEY,
            region text NOT NULL,
            created_by uuid NOT NULL,
            created_at timestamptz NOT NULL,
            deleted_at timestamptz
        )""")
    op.execute('CREATE INDEX venture_directory_created_by ON "global".venture_directory (created_by, venture)')
    op.execute("""
        CREATE TABLE "global".directory_member (
            account uuid NOT NULL,
            venture uuid NOT NULL,
            seq bigint NOT NULL,
            gone boolean NOT NULL DEFAULT false,
            PRIMARY KEY (account, venture)
        )""")
    global_("venture_directory", ("SELECT", "INSERT", "UPDATE"))
    global_("directory_member", ("SELECT", "INSERT", "UPDATE"))


def downgrade() -> None:
    for table in ("directory_member", "venture_directory"):
        op.execute(f'DROP TABLE "global".{table}')

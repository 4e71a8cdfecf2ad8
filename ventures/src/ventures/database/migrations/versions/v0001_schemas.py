"""The two schemas."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute('CREATE SCHEMA "global"')
    op.execute("CREATE SCHEMA regional")
    op.execute('GRANT USAGE ON SCHEMA "global", regional TO ventures_app, ventures_runner')


def downgrade() -> None:
    op.execute('DROP SCHEMA "global"')
    op.execute("DROP SCHEMA regional")

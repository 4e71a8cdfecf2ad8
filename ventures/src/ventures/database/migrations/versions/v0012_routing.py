"""Where a venture's index is: the tables of `outgrow.routing`, guarded as regional ones are."""

from alembic import op

from ventures.database.migrations.declare import routed

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("CREATE SCHEMA outgrow")
    op.execute("GRANT USAGE ON SCHEMA outgrow TO ventures_app, ventures_runner")
    op.execute("""
        CREATE TABLE outgrow.route (
            point text NOT NULL CHECK (length(point) BETWEEN 1 AND 100),
            tenant text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 200),
            store text NOT NULL CHECK (length(store) BETWEEN 1 AND 100),
            generation bigint NOT NULL CHECK (generation > 0),
            PRIMARY KEY (point, tenant)
        )""")
    routed("route")


def downgrade() -> None:
    op.execute("DROP SCHEMA outgrow CASCADE")

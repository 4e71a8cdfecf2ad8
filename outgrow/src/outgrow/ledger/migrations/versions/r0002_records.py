"""Records of the thread (evidence, answers, decisions, plans, announcements); trigger states are no longer kept."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "record",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "point", "digest"),
        sqlite_autoincrement=True,
    )
    op.drop_table("trigger_state")
    op.drop_index("forecast_latest", "forecast")

"""The first schema: samples with their hours, ramps, notes, forecasts, trigger states, outbox, source memory."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("signal", sa.Text, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.UniqueConstraint("signal", "member"),
    )
    op.create_table(
        "provenance",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.UniqueConstraint("origin", "source"),
    )
    op.create_table(
        "sample",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
        sa.Column("time", TIME, primary_key=True),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("provenance_id", sa.Integer, sa.ForeignKey("provenance.id"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hour",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
        sa.Column("start", TIME, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("mean", "median", "min", "max")),
        sa.Column("origins", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ramp",
        sa.Column("signal", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("made_at", TIME, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "note",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("point", "trigger", "text", "source")),
        sa.Column("at", TIME, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("withdrawn_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "forecast",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("forecast_latest", "forecast", ["point", "trigger", "made_at"])
    op.create_index("forecast_digest", "forecast", ["point", "trigger", "digest"])
    op.create_table(
        "trigger_state",
        sa.Column("point", sa.Text, primary_key=True),
        sa.Column("trigger", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("condition_since", TIME),
        sa.Column("value", sa.Double()),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due", TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("delivered_at", TIME),
    )
    op.create_table(
        "source_memory",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )

"""Alembic runs inside the connection and the transaction that ``outgrow.ledger.schema`` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()

"""Runs the ledger's migrations on the connection the ledger hands over."""

from __future__ import annotations

from alembic import context

from energy_platform.delivery.ledger.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations are run by the ledger itself: open it once")
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

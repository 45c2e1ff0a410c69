"""Alembic migrations of the delivery ledger."""

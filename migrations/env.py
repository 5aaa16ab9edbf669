"""Runs the migrations on the database that `triage.database.alembic_config` names."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from triage import models
from triage.database import engine_for

# One upgrade at a time on PostgreSQL, however many servers start at once; an arbitrary number of our own.
_UPGRADE_LOCK = 7_248_424

engine = engine_for(context.config.attributes["url"])
# A migration writes: on SQLite it takes the write lock at its start (triage.database), so that two starts queue up.
with engine.connect().execution_options(triage_write=True) as connection:
    context.configure(
        connection=connection,
        target_metadata=models.Model.metadata,
        transactional_ddl=True,  # all of an upgrade or nothing, on SQLite too: our engine begins its own transactions
        render_as_batch=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        context.run_migrations()
engine.dispose()

"""The migrations make exactly the tables of triage/models.py, and what may never change, the database refuses."""

from __future__ import annotations

from triage import models
from triage.database import alembic_config, engine_for
from triage.paths import folder


def test_the_migrations_give_exactly_the_models(database_url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = engine_for(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differences = compare_metadata(context, models.Model.metadata)
    engine.dispose()
    assert not differences, f"models.py and migrations/ disagree; write a migration for: {differences}"


def test_head_names_the_newest_migration():
    """Two migrations written at the same time then conflict in this file, in review and not on a ward."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config("sqlite://"))
    (head,) = scripts.get_heads()
    assert (folder("migrations") / "HEAD").read_text().strip() == head, f"write {head} into migrations/HEAD"
    numbers = sorted(script.revision for script in scripts.walk_revisions())
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)], "number migrations 0001, 0002, …"

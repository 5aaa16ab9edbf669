"""The migrations make exactly the tables of triage/models.py, and what may never change, the database refuses."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from triage import models
from triage.accounts import audit
from triage.database import alembic_config, engine_for, writing
from triage.paths import folder
from triage.rules.urgency import Urgency


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


@pytest.fixture
def record(make, anna):
    """A stored report with its assessment, alert and audit entries."""
    return make.alert(anna, Urgency.URGENT)


NEVER = [
    ("UPDATE audit_entry SET action = 'something else'", "never changed"),
    ("DELETE FROM audit_entry", "never deleted"),
    ("UPDATE report SET data = '{}'", "never changed"),
    ("UPDATE assessment SET urgency = 0", "never changed"),
    ("DELETE FROM alert", "never deleted"),
    ("UPDATE alert SET urgency = 1", "never lowered"),
]


@pytest.mark.parametrize(("statement", "says"), NEVER, ids=[statement.split(" SET ")[0] for statement, _ in NEVER])
def test_the_database_itself_refuses_to_change_the_record(statement, says, record, make, session):
    """Whoever changes it: a mistake in the program, or a hand on the database."""
    with writing(session):
        audit.record(session, "made_for_this_test", by=None, at=make.now())
    with pytest.raises(DBAPIError, match=says), writing(session):
        session.execute(text(statement))


def test_an_alert_may_be_raised(record, session):
    with writing(session):
        session.execute(text("UPDATE alert SET urgency = 3"))
    assert session.scalar(text("SELECT urgency FROM alert")) == 3

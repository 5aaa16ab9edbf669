"""All tests of a process share one PostgreSQL database (tests/conftest.py): nothing of one may reach the next."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

pytestmark = pytest.mark.database("postgresql")


SCHEMA = """
    SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'
    UNION SELECT tgrelid::regclass || '.' || tgname || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
    UNION SELECT tgrelid::regclass || '.' || pg_get_functiondef(tgfoid) FROM pg_trigger WHERE NOT tgisinternal
    UNION SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'
    ORDER BY 1
"""


@pytest.fixture
def run(database_url):
    """Runs a statement on a connection of its own and gives the first column."""
    engine = create_engine(database_url, poolclass=NullPool)

    def execute(statement):
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.scalars().all() if result.returns_rows else None

    return execute


def test_rows_numbers_settings_and_open_transactions_are_gone(make, anna, session, run, postgresql_database):
    make.report(anna, temperature_c=38.4)
    assert run("SELECT min(id) FROM audit_entry") == [1]
    run("ALTER DATABASE triage SET default_transaction_read_only = on")
    session.execute(text("SELECT * FROM report FOR UPDATE"))  # as by a test that failed in the middle
    postgresql_database.empty()

    assert run("SHOW default_transaction_read_only") == ["off"]
    tables = run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert len(tables) > 10
    assert [table for table in tables if run(f"SELECT 1 FROM {table}")] == ["alembic_version"]
    session.invalidate()  # its connection was ended by the server


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE left_behind ()",
        "ALTER TABLE patient ADD COLUMN more integer",
        "DROP TRIGGER report_no_update ON report",
        "ALTER TABLE report DISABLE TRIGGER report_no_update",
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    ],
)
def test_a_changed_schema_is_made_anew(change, run, postgresql_database):
    before = run(SCHEMA)
    run(change)
    assert run(SCHEMA) != before
    postgresql_database.empty()
    assert run(SCHEMA) == before

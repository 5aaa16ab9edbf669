"""The migrations make exactly the tables of triage/models.py, and what may never change, the database refuses."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import Boolean, LargeBinary, Uuid, bindparam, column, select, table, text
from sqlalchemy.exc import DBAPIError

from triage import encryption, models, paths
from triage.accounts import audit, trail
from triage.database import UtcDateTime, alembic_config, engine_for, upgrade, writing
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


@pytest.fixture(params=["sqlite", "postgresql"])
def older_url(request, tmp_path):
    """The URL of an empty database of either kind, without tables, for a program that has its keys."""
    encryption.use(paths.config_file()["only"]("DATA_KEYS", os.environ))
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'older.sqlite3'}"
        return
    import psycopg
    from sqlalchemy import make_url

    url = make_url(request.getfixturevalue("postgres_url"))
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE older")
        yield url.set(database="older").render_as_string(hide_password=False)
        connection.execute("DROP DATABASE older WITH (FORCE)")


OLDER = (
    "INSERT INTO care_team (id, name, time_zone, phone, emergency_number) VALUES (:id, 'A', 'Europe/London', '1', '9')",
    "INSERT INTO patient (id, name, phone, care_team_id, synthetic, enrolled_at)"
    " VALUES (:id, 'Anna', '', :id, :yes, :at)",
    "INSERT INTO person (id, name, sign_in_name, password_hash, role, active, session_key, phone, care_team_id)"
    " VALUES (:id, 'Alice', 'alice', '', 'nurse', :yes, 'key', '', :id)",
    "INSERT INTO alert (id, patient_id, care_team_id, urgency, status, opened_at, waiting_since, answer_by,"
    " acknowledged_at, acknowledged_by_id, note)"
    " VALUES (:id, :id, :id, 2, 'acknowledged', :at, :at, :at, :at, :id, '')",
)
"""A ward of migration 0002, on which a nurse has acknowledged an alert. All rows have the same id."""


def _fill(engine, id, at):
    typed = (bindparam("id", type_=Uuid()), bindparam("at", type_=UtcDateTime()), bindparam("yes", type_=Boolean()))
    with engine.begin() as connection:
        for statement in OLDER:
            named = [each for each in typed if f":{each.key}" in statement]
            values = {"id": id, "at": at, "yes": True}
            connection.execute(text(statement).bindparams(*named), {each.key: values[each.key] for each in named})


def test_an_alert_that_was_acknowledged_before_0003_is_taken_by_whoever_did_it(older_url):
    from sqlalchemy.orm import Session

    upgrade(older_url, "0002")
    engine = engine_for(older_url)
    id, at = UUID(int=7), datetime(2026, 3, 2, 8, tzinfo=UTC)
    _fill(engine, id, at)
    upgrade(older_url)
    with Session(engine) as session:
        alert = session.get_one(models.Alert, id)
        assert (alert.taken_by_id, alert.taken_at, alert.open_because) == (id, at, None)
        assert (alert.notes, alert.call_backs, alert.opinions) == ([], [], [])
    with pytest.raises(DBAPIError, match="never lowered"), engine.begin() as connection:
        connection.execute(text("UPDATE alert SET urgency = 1"))
    engine.dispose()


def test_a_ward_that_is_older_than_escalation_rota_and_reminders_gets_them_all(older_url):
    """From 0002 with an open alert: the rows stay, the alert gets its steps from the first sweep, a nurse can be put on
    the rota, and a patient whose day 0 is corrected keeps what stood there."""
    from sqlalchemy.orm import Session

    from triage.alerts import escalation, rota
    from triage.rules.loading import load

    id, at = UUID(int=7), datetime(2026, 3, 2, 8, tzinfo=UTC)
    upgrade(older_url, "0002")
    engine = engine_for(older_url)
    _fill(engine, id, at)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alert SET status = 'open', acknowledged_at = NULL, acknowledged_by_id = NULL"))
    upgrade(older_url)
    with Session(engine) as session:
        nurse, patient = session.get_one(models.Person, id), session.get_one(models.Patient, id)
        assert (nurse.mail, patient.died_on, patient.admissions, patient.courses) == ("", None, [], [])
        assert session.get_one(models.Alert, id).urgency is Urgency.URGENT
        assert escalation.adopt(session, load(folder("rules")), at) == 1
        with writing(session):
            values = {"care_team_id": id, "person_id": id, "entered_by_id": id}
            session.add(models.Duty(begins_at=at, ends_at=at.replace(hour=20), **values))
        assert rota.on_call(session, session.get_one(models.CareTeam, id), at) == [nurse]
    engine.dispose()


def test_what_was_typed_on_pages_that_0009_asks_in_other_words_is_asked_again(older_url):
    """A "no" to the old questions must not be read as a "no" to the new ones; the rest of a draft stays."""
    from sqlalchemy.orm import Session

    upgrade(older_url, "0008")
    engine = engine_for(older_url)
    id, at = UUID(int=7), datetime(2026, 3, 2, 8, tzinfo=UTC)
    typed = (bindparam("id", type_=Uuid()), bindparam("at", type_=UtcDateTime()))
    draft = (
        "INSERT INTO report_draft (person_id, token, answers, begun_at, updated_at) VALUES (:id, 't', "
        """'{"danger": {"signs": ["none"]}, "temperature": {"feverish": "yes"}, "symptoms": {"other": "no"}}', """
        ":at, :at)"
    ).replace('": ', '"\\: ')
    _fill(engine, id, at)
    with engine.begin() as connection:
        connection.execute(text(draft).bindparams(*typed), {"id": id, "at": at})
    upgrade(older_url)
    with Session(engine) as session:
        assert session.get_one(models.ReportDraft, id).answers == {"danger": {"signs": ["none"]}}
        assert session.get_one(models.Patient, id).town == ""
    engine.dispose()


def test_entries_from_before_0010_are_chained_in_their_order_without_gaps(older_url):
    from sqlalchemy.orm import Session

    upgrade(older_url, "0009")
    engine = engine_for(older_url)
    at = datetime(2026, 3, 2, 8, 0, 0, 7, tzinfo=UTC)
    entry = text("INSERT INTO audit_entry (id, at, action, subject) VALUES (:id, :at, :action, '')").bindparams(
        bindparam("at", type_=UtcDateTime())
    )
    with engine.begin() as connection:
        # As PostgreSQL leaves them where transactions were rolled back.
        connection.execute(entry, [{"id": id, "at": at, "action": f"action_{id}"} for id in (3, 4, 9, 70)])
    upgrade(older_url)
    with Session(engine) as session:
        found = session.scalars(select(models.AuditEntry).order_by(models.AuditEntry.id)).all()
        assert [(one.id, one.action) for one in found] == [
            (1, "action_3"),
            (2, "action_4"),
            (3, "action_9"),
            (4, "action_70"),
        ]
        assert found[0].at == at
        assert trail.verify(session).whole
        with writing(session):
            audit.record(session, "signed_in", by=None, at=at)
        verdict = trail.verify(session)
        assert (verdict.whole, verdict.number) == (True, 5)
    with pytest.raises(DBAPIError, match="never changed"), engine.begin() as connection:
        connection.execute(text("UPDATE audit_entry SET action = 'another'"))
    engine.dispose()


def test_what_stood_in_the_clear_before_0016_is_encrypted_and_none_of_it_is_left(older_url):
    """Names, notes, JSON, days, bytes and nothing at all keep their values; the file is written anew."""
    from sqlalchemy.orm import Session

    upgrade(older_url, "0015")
    engine = engine_for(older_url)
    id, at = UUID(int=7), datetime(2026, 3, 2, 8, tzinfo=UTC)
    typed = (
        bindparam("id", type_=Uuid()),
        bindparam("at", type_=UtcDateTime()),
        bindparam("body", type_=LargeBinary()),
    )
    _fill(engine, id, at)
    with engine.begin() as connection:
        connection.execute(text("UPDATE patient SET born_on = '1967-04-12', town = 'Sampletown'"))
        for statement in (
            "INSERT INTO ruleset_version (hash, document, first_used_at) VALUES ('sha256:a', '{}', :at)",
            "INSERT INTO report (id, patient_id, reporter_id, token, reported_at, data)"
            " VALUES (:id, :id, :id, 't', :at, 'Shivering since the morning')",
            "INSERT INTO assessment (id, report_id, ruleset_hash, urgency, body, history, made_at)"
            " VALUES (:id, :id, 'sha256:a', 2, :body, '[]', :at)",
            "INSERT INTO alert_note (id, alert_id, kind, text, written_at, written_by_id)"
            " VALUES (:id, :id, 'note', 'Zoë is worried', :at, :id)",
            "INSERT INTO report_draft (person_id, token, answers, begun_at, updated_at)"
            """ VALUES (:id, 'd', '{"note"\\: "Typed – not sent"}', :at, :at)""",
            "INSERT INTO handover (id, care_team_id, since, begun_at, begun_by_id, ended_at, ended_by_id, end_kind)"
            " VALUES (:id, :id, :at, :at, :id, :at, :id, 'taken_back')",
        ):
            named = [each for each in typed if f":{each.key}" in statement]
            values = {"id": id, "at": at, "body": b'{"urgency":"urgent"}'}
            connection.execute(text(statement).bindparams(*named), {each.key: values[each.key] for each in named})
    upgrade(older_url)
    with Session(engine) as session:
        patient, nurse = (
            session.get_one(models.Patient, id),
            session.scalar(select(models.Person).where(models.Person.called("Alice"))),
        )
        assert (patient.name, str(patient.born_on), patient.town, patient.phone) == (
            "Anna",
            "1967-04-12",
            "Sampletown",
            "",
        )
        assert (nurse.id, nurse.name, nurse.sign_in_name, nurse.mail) == (id, "Alice", "alice", "")
        report = session.get_one(models.ReportRecord, id)
        assert (report.data, report.assessment.body) == ("Shivering since the morning", b'{"urgency":"urgent"}')
        assert session.get_one(models.AlertNote, id).text == "Zoë is worried"
        assert session.get_one(models.ReportDraft, id).answers == {"note": "Typed – not sent"}
        assert session.get_one(models.Handover, id).page is None
        assert session.scalars(select(models.DataKey.name)).all() == [encryption.ring().newest.name]
    if older_url.startswith("sqlite"):
        file = file_of(older_url)
        stored = file.read_bytes() + file.with_name(f"{file.name}-wal").read_bytes()
        for word in ("Anna", "Alice", "alice", "1967-04-12", "Sampletown", "Shivering", "worried", "not sent"):
            assert word.encode() not in stored, word
    with pytest.raises(DBAPIError, match="never changed"), engine.begin() as connection:
        connection.execute(text("UPDATE report SET reported_at = enrolled_at FROM patient"))
    engine.dispose()


def file_of(url):
    from pathlib import Path

    from sqlalchemy import make_url

    return Path(make_url(url).database)


@pytest.fixture
def record(make, anna):
    """A stored report with its assessment, alert and audit entries."""
    return make.alert(anna, Urgency.URGENT)


NEVER = [
    ("UPDATE audit_entry SET action = 'something else'", "never changed"),
    ("DELETE FROM audit_entry", "never deleted"),
    ("UPDATE report SET data = NULL", "never changed"),
    ("UPDATE report SET data = substr(data, 1, 40)", "never changed"),
    ("UPDATE report SET reported_at = (SELECT max(at) FROM audit_entry)", "never changed"),
    ("UPDATE report SET data = data", "never changed"),
    ("UPDATE assessment SET urgency = 0", "never changed"),
    ("DELETE FROM alert", "never deleted"),
    ("UPDATE alert SET urgency = 1", "never lowered"),
]


@pytest.mark.parametrize(("statement", "says"), NEVER, ids=[statement.split("=")[0] for statement, _ in NEVER])
def test_the_database_itself_refuses_to_change_the_record(statement, says, record, make, session):
    """Whoever changes it: a mistake in the program, or a hand on the database."""
    with writing(session):
        audit.record(session, "made_for_this_test", by=None, at=make.now())
    with pytest.raises(DBAPIError, match=says), writing(session):
        session.execute(text(statement))


def test_a_report_may_be_encrypted_with_another_key_and_with_no_more_than_that(record, session):
    """The one change that a rotation of data keys needs (triage/data_keys.py)."""
    stored = table("report", column("data", LargeBinary()))
    seal = session.scalar(select(stored.c.data))
    same_key = encryption.ring().seal("report.data", encryption.ring().open("report.data", seal))
    other = encryption.Ring([b"another key of thirty-two bytes."])
    for refused in (same_key, other.seal("report.data", b"{}"), b"x" * len(seal)):
        with pytest.raises(DBAPIError, match="never changed"), writing(session):
            session.execute(stored.update().values(data=refused))
    with writing(session):
        anew = other.seal("report.data", encryption.ring().open("report.data", seal))
        session.execute(stored.update().values(data=anew))


def test_an_alert_may_be_raised(record, session):
    with writing(session):
        session.execute(text("UPDATE alert SET urgency = 3"))
    assert session.scalar(text("SELECT urgency FROM alert")) == 3

"""When something breaks: nothing is half saved, the page says so with the number to call, and the log says no names."""

from __future__ import annotations

import fcntl
import json
import logging
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from triage import database
from triage.accounts import services as accounts
from triage.database import db, writing
from triage.models import Alert, AlertStatus, AuditEntry, Patient, Person, ReportRecord
from triage.paths import folder
from triage.rules.urgency import Urgency
from triage.web import create_app


@pytest.fixture
def read_only(app, session):
    """Makes the application's database refuse every change, as a full disk or a standby server does."""

    def refuse_changes():
        with app.app_context():
            engine = db.engine
        if engine.dialect.name == "sqlite":
            event.listen(engine, "checkout", lambda connection, *_: connection.execute("PRAGMA query_only=on"))
        else:
            session.rollback()
            session.execute(text(f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on"))
            session.commit()
        engine.dispose()

    return refuse_changes


def logged(caplog):
    return [json.loads(record.message) for record in caplog.records if record.name == "triage"]


def counts(session):
    session.rollback()
    return [
        session.scalar(select(func.count()).select_from(table)) for table in (ReportRecord, Alert, AuditEntry, Patient)
    ]


def refused(visitor, patient, caplog):
    """A report that is told to be not saved, with the number to call and the incident that the log names."""
    page = visitor.post("reports.too_unwell")
    assert page.status == 503
    assert page.shows("not saved")
    assert page.shows(patient.care_team.phone)
    (event,) = [entry for entry in logged(caplog) if entry["event"] == "database_failed"]
    assert page.shows(event["incident"])


def test_a_report_that_cannot_be_saved_says_so_and_whom_to_call(make, anna, pages, session, read_only, caplog):
    visitor = pages(make.account(anna))
    before = counts(session)
    read_only()
    refused(visitor, anna, caplog)
    assert counts(session) == before


@pytest.mark.database("sqlite")
def test_a_folder_that_cannot_be_written_is_a_database_that_cannot_be_written(
    make, anna, pages, session, database_url, caplog
):
    """SQLite's writers take turns by a file beside the database: without it nothing can be saved either."""
    visitor = pages(make.account(anna))
    before = counts(session)
    lock = Path(database_url.removeprefix("sqlite:///") + ".lock")
    lock.unlink()
    lock.mkdir()  # a file that nobody may open, whoever runs the tests
    refused(visitor, anna, caplog)
    assert counts(session) == before


@pytest.mark.database("sqlite")
def test_a_program_that_hangs_while_it_writes_keeps_nobody_waiting_for_ever(
    make, anna, pages, session, database_url, monkeypatch
):
    visitor = pages(make.account(anna))
    before = counts(session)
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.2)
    with open(database_url.removeprefix("sqlite:///") + ".lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        page = visitor.post("reports.too_unwell")
        assert page.status == 503
        assert page.shows("not saved")
        assert counts(session) == before
    assert visitor.post("reports.too_unwell").status == 302


BUSY = """
import sys, time
from pathlib import Path
from sqlalchemy.orm import Session
from triage.database import engine_for, writing
with Session(engine_for(sys.argv[1])) as session:
    for number in range(2000):
        with writing(session):
            Path(sys.argv[2]).write_text(str(number))
            time.sleep(0.003)
"""


@pytest.mark.database("sqlite")
def test_a_program_that_writes_again_and_again_lets_others_in(session, database_url, tmp_path):
    """As the worker does after an outage: a report waited four seconds for it, now for one or two of its writes."""
    count = tmp_path / "count"
    busy = subprocess.Popen([sys.executable, "-c", BUSY, database_url, str(count)])
    try:
        while not count.exists() or not count.read_text():
            assert busy.poll() is None
            time.sleep(0.01)
        waited = []
        for _ in range(8):
            time.sleep(0.02)  # the other has it again
            before = int(count.read_text() or 0)
            with writing(session):
                waited.append(int(count.read_text() or 0) - before)
    finally:
        busy.kill()
        busy.wait()
    assert sorted(waited)[4] <= 3, waited


@pytest.mark.database("postgresql")
def test_a_session_that_hangs_while_it_writes_keeps_nobody_waiting_for_ever(
    make, anna, pages, session, app, monkeypatch
):
    """The same where rows are locked: the patient's row is, by somebody who does not go on."""
    visitor = pages(make.account(anna))
    before = counts(session)
    session.rollback()
    with app.app_context():
        db.engine.dispose()  # the next connections are new ones
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.2)
    with Session(session.get_bind()) as other:
        other.execute(select(Patient).where(Patient.id == anna.id).with_for_update())
        page = visitor.post("reports.too_unwell")
        assert page.status == 503
        assert page.shows("not saved")
    assert counts(session) == before


def test_a_nurse_is_told_that_an_acknowledgement_was_not_saved(make, anna, alice, pages, session, read_only):
    alert = make.alert(anna, Urgency.URGENT)
    visitor = pages(alice)
    read_only()
    page = visitor.post("care_team.acknowledge", alert_id=alert.id)
    assert page.status == 503
    assert page.shows("not saved")
    session.rollback()
    assert session.get(Alert, alert.id).status == AlertStatus.OPEN


def test_pages_that_change_nothing_can_still_be_read(make, anna, alice, pages, read_only):
    make.alert(anna, Urgency.URGENT)
    visitor = pages(alice)
    read_only()
    assert visitor.get("care_team.queue").shows("Anna")


def test_a_failing_program_tells_neither_page_nor_log_what_was_typed(
    make, anna, pages, session, monkeypatch, caplog, capfd
):
    def fail(*args, **kwargs):
        raise ValueError("Anna has chills and 38.4")

    monkeypatch.setattr("triage.reports.services.submit", fail)
    caplog.set_level(logging.DEBUG)
    page = pages(make.account(anna)).post("reports.too_unwell")
    assert page.status == 500
    assert page.shows("not saved")
    assert "38.4" not in page.html
    (event,) = [entry for entry in logged(caplog) if entry["event"] == "program_failed"]
    assert page.shows(event["incident"])
    assert event["error"] == "ValueError"
    assert any("reports/views.py" in place for place in event["at"])
    for said in (caplog.text, "".join(capfd.readouterr())):
        assert "chills" not in said
        assert "Anna" not in said


def test_an_error_after_saving_does_not_say_that_nothing_was_saved(make, anna, pages, session, monkeypatch):
    """Whoever reads "not saved" calls; whoever reads it wrongly calls for nothing, or sends twice."""
    monkeypatch.setattr("triage.reports.views.redirect", lambda *args, **kwargs: 1 / 0)
    page = pages(make.account(anna)).post("reports.too_unwell")
    assert page.status == 500
    session.rollback()
    assert session.scalar(select(func.count()).select_from(ReportRecord)) == 1
    assert not page.shows("not saved")


def test_an_sql_error_carries_no_values(app, session, make):
    """hide_parameters of the engine: a failed INSERT would else put answers and names into the log."""
    with app.app_context(), pytest.raises(Exception, match="hide_parameters") as caught:
        db.session.execute(text("SELECT * FROM no_such_table WHERE name = :name"), {"name": "Anna"})
    assert "Anna" not in str(caught.value)


@pytest.mark.database("sqlite")
def test_a_broken_rule_file_stops_the_start_and_says_where(tmp_path, database_url):
    rules = tmp_path / "rules"
    shutil.copytree(folder("rules"), rules)
    file = next(file for file in sorted(rules.glob("*.yaml")) if "at_least: mild" in file.read_text())
    lines = file.read_text().splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines) if "at_least: mild" in line)
    lines[number] = lines[number].replace("at_least: mild", "at_least: mildd")
    file.write_text("".join(lines))
    with pytest.raises(Exception, match=rf"{re.escape(file.name)}:{number + 1}:\d+: .*mildd"):
        create_app({"TESTING": True, "SECRET_KEY": "k", "DATABASE_URL": database_url, "RULES": str(rules)})


@pytest.mark.database("sqlite")
def test_a_running_server_keeps_the_rules_it_has(tmp_path, database_url):
    rules = tmp_path / "rules"
    shutil.copytree(folder("rules"), rules)
    app = create_app({"TESTING": True, "SECRET_KEY": "k", "DATABASE_URL": database_url, "RULES": str(rules)})
    kept = app.extensions["triage_ruleset"].ruleset.hash
    for file in rules.glob("*.yaml"):
        file.write_text("- broken: [")
    assert app.test_client().get("/sign-in").status_code == 200
    assert app.extensions["triage_ruleset"].ruleset.hash == kept


def test_enrolment_that_cannot_be_saved_leaves_nobody_behind(make, pages, session, read_only):
    """Patient, course, account and audit entry stand or fall together."""
    administrator = make.administrator()
    before = counts(session)
    read_only()
    zoe = accounts.Enrolment("Zoe", None, "", "car_t", "", None, None, "zoe")
    with make.app.app_context():
        own = db.session.get_one(Person, administrator.id)
        with pytest.raises(Exception, match=r"read.?only"):
            accounts.enrol(db.session, own.care_team, zoe, own, make.now())
    assert counts(session) == before

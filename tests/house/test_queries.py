"""The number of queries of a page does not grow with what it lists: a full ward is as quick as an empty one."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from triage.database import db
from triage.rules.urgency import Urgency

pytestmark = pytest.mark.database("sqlite")  # the statements are the same on PostgreSQL


@contextmanager
def counted(app):
    """The statements that a block sends to the application's database."""
    statements = []

    def count(connection, cursor, statement, *rest):
        statements.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)


def of_page(app, visitor, where, **values):
    with counted(app) as statements:
        assert visitor.get(where, **values).status == 200
    return len(statements)


def fill(make, number):
    for index in range(number):
        patient = make.patient(f"Patient {number}-{index}")
        make.report(patient, ago=timedelta(hours=30), chills="none")
        make.alert(patient, Urgency.URGENT, ago=timedelta(hours=1))
        make.caregiver(patient)


@pytest.mark.parametrize(
    ("where", "role", "most"), [("care_team.queue", "nurse", 20), ("accounts.people", "administrator", 11)]
)
def test_lists_need_the_same_number_of_queries_however_long(where, role, most, app, make, pages):
    visitor = pages(make.staff(role, "Somebody"))
    fill(make, 2)
    visitor.get(where)  # this look is written into the audit trail, the next ones soon after are not
    few = of_page(app, visitor, where)
    fill(make, 6)
    many = of_page(app, visitor, where)
    assert many == few, f"{where} asks once a row: load what it shows with the list"
    assert many <= most


def test_the_record_of_a_patient_with_many_reports_needs_no_more_queries(app, make, pages, alice, anna):
    make.report(anna, ago=timedelta(days=20), chills="moderate")
    few = of_page(app, pages(alice), "care_team.record", patient_id=anna.id)
    for day in range(8):
        make.report(anna, ago=timedelta(days=day, hours=1), chills="moderate")
    assert of_page(app, pages(alice), "care_team.record", patient_id=anna.id) == few


def test_sending_a_report_costs_the_same_late_in_a_long_record(app, make, pages, anna):
    visitor = pages(make.account(anna))

    def of_report():
        with counted(app) as statements:
            visitor.post("reports.too_unwell")
        return len(statements)

    for day in range(13, 26):
        make.report(anna, ago=timedelta(days=day), chills="none")
    of_report()
    few = of_report()
    for day in range(26, 40):
        make.report(anna, ago=timedelta(days=day), chills="none")
    assert of_report() == few


def test_a_request_begins_no_thread(make, pages, alice, monkeypatch):
    """A library did so for each, to close what was never open."""
    visitor, begun, start = pages(alice), [], threading.Thread.start

    def noted(thread):
        begun.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    visitor.get("care_team.queue")
    assert begun == []

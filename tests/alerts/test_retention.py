"""Who was told what is forgotten once it was kept long enough, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.alerts.test_heartbeat import Channel
from triage.alerts import retention, services, worker
from triage.database import writing
from triage.models import (
    Alert,
    AlertFinding,
    AlertNote,
    AssessmentRecord,
    AuditEntry,
    Delivery,
    Disposition,
    OwedStep,
    ReportRecord,
)
from triage.rules.urgency import Urgency

KEPT = timedelta(days=366)


@pytest.fixture
def told(app, make, session, alice):
    """An alert of that long ago, of which Alice was told; resolved or not, delivered or not."""
    with writing(session):
        alice.phone = "+44 1632 960 500"

    def run(name, ago, *, resolved=True, takes=True):
        at = make.now() - ago
        alert = make.alert(make.patient(name), Urgency.EMERGENCY, at=at)
        sms = Channel()
        sms.takes = takes
        with app.app_context():
            worker.sweep(session, make.ruleset, {"sms": sms}, lambda: at)
        if resolved:
            services.acknowledge(session, alert, alice, at)
            services.resolve(session, alert, alice, Disposition.ADMITTED, "Brought to the ward", at)
        return alert.id

    return run


def rows(session, table, alert_id):
    session.rollback()
    return session.scalar(select(func.count()).where(table.alert_id == alert_id))


def test_only_what_ended_long_ago_of_a_resolved_alert_is_forgotten(told, make, session):
    old = told("Old", timedelta(days=400))
    young = told("Young", timedelta(days=300))
    unresolved = told("Unresolved", timedelta(days=400), resolved=False)
    tables = (ReportRecord, AssessmentRecord, Alert, AlertFinding, AlertNote, AuditEntry)
    before = [session.scalar(select(func.count()).select_from(table)) for table in tables]
    kept = {one: [rows(session, table, one) for table in (Delivery, OwedStep)] for one in (young, unresolved)}
    assert retention.sweep(session, KEPT, make.now()) >= 2
    assert [rows(session, table, old) for table in (Delivery, OwedStep)] == [0, 0]
    assert {one: [rows(session, table, one) for table in (Delivery, OwedStep)] for one in kept} == kept
    assert all(count > 0 for counts in kept.values() for count in counts)
    assert [session.scalar(select(func.count()).select_from(table)) for table in tables] == before
    assert retention.sweep(session, KEPT, make.now()) == 0


def test_what_is_not_delivered_yet_stays_however_old(told, make, session):
    waiting = told("Waiting", timedelta(days=800), resolved=False, takes=False)
    retention.sweep(session, KEPT, make.now())
    assert rows(session, Delivery, waiting) == 1
    assert session.scalar(select(Delivery.delivered_at)) is None


def test_a_message_that_has_not_been_marked_yet_stays_with_its_step(told, make, session):
    """The alert was resolved while a worker was sending: until the message is marked nobody takes its row away."""
    sending = told("Sending", timedelta(days=400), takes=False)
    retention.sweep(session, KEPT, make.now())
    assert rows(session, Delivery, sending) == 1
    assert rows(session, OwedStep, sending) >= 1


def test_a_test_and_a_notice_are_forgotten_too(app, make, session, alice):
    from triage.alerts import escalation

    at = make.now() - timedelta(days=400)
    with app.app_context():
        escalation.owe_test(session, alice.care_team, ["webhook"], alice, at)
        worker.sweep(session, make.ruleset, {"webhook": Channel()}, lambda: at)
    assert retention.sweep(session, KEPT, make.now()) == 1


def test_no_more_than_a_few_hundred_at_once(told, make, session, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    told("One", timedelta(days=400))
    told("Two", timedelta(days=400))
    assert retention.sweep(session, KEPT, make.now()) <= 2


@pytest.mark.database("sqlite")
def test_the_worker_does_it(told, make, session, database_url, tmp_path):
    import os
    import subprocess
    import sys

    old = told("Old", timedelta(days=400))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    environment = clean | {"TRIAGE_DATABASE_URL": database_url, "TRIAGE_DATA": str(tmp_path)}
    environment["TRIAGE_DATA_KEYS"] = os.environ["TRIAGE_DATA_KEYS"]
    command = [sys.executable, "-m", "triage", "worker", "--once"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert rows(session, Delivery, old) == 0

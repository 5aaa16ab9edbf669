"""What may happen to an alert, and what never may."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from triage.accounts import services as accounts
from triage.alerts import services
from triage.database import db
from triage.models import Alert, AlertFinding, AlertStatus, AuditEntry, Disposition, Person
from triage.rules.urgency import Urgency

NOTE = "Telephoned, comes in today"


def only(session) -> Alert:
    session.rollback()
    (alert,) = session.scalars(select(Alert)).all()
    return alert


def test_an_alert_has_its_limit_from_the_response_file(make, anna):
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    assert (alert.answer_by - at, alert.status) == (timedelta(minutes=15), AlertStatus.OPEN)


def test_a_routine_report_opens_none(make, anna, session):
    make.report(anna, chills="none", temperature_c=36.6)
    assert session.scalars(select(Alert)).all() == []


def test_a_further_report_joins_and_raises_and_never_lowers(make, anna, session):
    at = make.now()
    make.alert(anna, Urgency.SOON, at=at - timedelta(hours=2))
    make.alert(anna, Urgency.EMERGENCY, at=at)
    assert only(session).urgency is Urgency.EMERGENCY
    assert only(session).answer_by == at + timedelta(minutes=5)
    make.alert(anna, Urgency.SOON, at=at + timedelta(hours=1))

    alert = only(session)
    assert (alert.urgency, len(alert.findings)) == (Urgency.EMERGENCY, 3)
    assert alert.answer_by == at + timedelta(minutes=5)


def test_a_new_urgent_finding_opens_an_acknowledged_alert_again(make, anna, alice, session):
    alert = make.alert(anna, Urgency.URGENT)
    services.acknowledge(session, alert, alice, make.now())
    make.alert(anna, Urgency.SOON)
    assert only(session).status == AlertStatus.ACKNOWLEDGED
    make.alert(anna, Urgency.URGENT)

    assert only(session).status == AlertStatus.OPEN
    assert only(session).acknowledged_by is None


def test_after_resolution_a_new_report_opens_a_new_alert(make, anna, alice, session):
    alert = make.alert(anna)
    services.acknowledge(session, alert, alice, make.now())
    services.resolve(session, alert, alice, Disposition.SEEN_TODAY, NOTE, make.now())
    make.alert(anna)

    assert [a.status for a in session.scalars(select(Alert).order_by(Alert.opened_at))] == [
        AlertStatus.RESOLVED,
        AlertStatus.OPEN,
    ]


def test_nothing_but_resolving_ends_an_alert(make, anna, session, alice):
    make.alert(anna, Urgency.URGENT)
    accounts.end_monitoring(session, anna.courses[0], make.now().date(), alice, make.now())
    make.report(anna, chills="none", temperature_c=36.6)

    assert only(session).status == AlertStatus.OPEN


def test_resolving_needs_an_acknowledgement_and_a_note(make, anna, alice, session):
    alert = make.alert(anna, Urgency.URGENT)
    with pytest.raises(services.NotAcknowledged):
        services.resolve(session, alert, alice, Disposition.SEEN_TODAY, NOTE, make.now())
    services.acknowledge(session, alert, alice, make.now())
    with pytest.raises(services.NoteMissing):
        services.resolve(session, alert, alice, Disposition.SEEN_TODAY, "  ok ", make.now())
    assert only(session).status == AlertStatus.ACKNOWLEDGED


def test_every_action_is_in_the_audit_trail(make, anna, alice, session):
    alert = make.alert(anna)
    services.acknowledge(session, alert, alice, make.now())
    services.resolve(session, alert, alice, Disposition.ADMITTED, NOTE, make.now())
    entries = session.execute(
        select(AuditEntry.action, AuditEntry.person_id)
        .where(AuditEntry.subject == str(alert.id))
        .order_by(AuditEntry.id)
    ).all()

    assert [tuple(entry) for entry in entries] == [
        ("alert_opened", None),
        ("alert_acknowledged", alice.id),
        ("alert_resolved", alice.id),
    ]


def test_no_audit_entry_no_action(make, anna, alice, session, monkeypatch):
    alert = make.alert(anna)
    monkeypatch.setattr("triage.alerts.services.audit.record", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        services.acknowledge(session, alert, alice, make.now())
    assert only(session).status == AlertStatus.OPEN


def test_of_two_nurses_at_once_one_wins_and_the_other_is_told(make, anna, alice, bob, app, session):
    alert = make.alert(anna)
    alert_id, nurses, told, start = alert.id, [alice.id, bob.id], [], threading.Barrier(2)
    session.rollback()
    with app.app_context():
        engine = db.engine

    def acknowledge(nurse):
        with Session(engine) as own:
            start.wait()
            try:
                services.acknowledge(own, own.get_one(Alert, alert_id), own.get_one(Person, nurse), make.now())
            except services.AlreadyDone as done:
                told.append(done)

    threads = [threading.Thread(target=acknowledge, args=(nurse,)) for nurse in nurses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (done,) = told
    assert done.by_name == only(session).acknowledged_by.name
    assert done.status == AlertStatus.ACKNOWLEDGED


def test_two_reports_at_once_make_one_alert(make, anna, app, session):
    from triage.reports import services as reports
    from triage.rules.report import from_data

    account_id, start, failed = make.account(anna).id, threading.Barrier(2), []
    session.rollback()

    def send(number):
        try:
            with app.app_context():
                report = from_data({"symptoms": {"seizure": "yes"}}, make.ruleset.catalogue)
                reporter = db.session.get_one(Person, account_id)
                start.wait()
                reports.submit(db.session, make.ruleset, report, reporter, f"token-{number}", make.now())
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert len(only(session).findings) == 2


def test_a_report_is_a_reason_only_once(make, anna, session):
    alert = make.alert(anna)
    finding = alert.findings[0]
    copy = AlertFinding(
        alert_id=alert.id,
        kind=finding.kind,
        urgency=finding.urgency,
        found_at=finding.found_at,
        report_id=finding.report_id,
        ruleset_hash=finding.ruleset_hash,
        body=finding.body,
    )
    session.add(copy)
    with pytest.raises(Exception, match=r"(?i)unique"):
        session.flush()
    session.rollback()

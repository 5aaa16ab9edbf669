"""What may happen to an alert, and what never may."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from triage.alerts import services
from triage.database import db
from triage.models import Alert, AlertFinding, AlertStatus, AuditEntry, Disposition, Person
from triage.reports import services as reports
from triage.rules.report import from_data
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


def test_opened_again_an_emergency_is_answered_within_the_limit_of_an_emergency(make, anna, alice, session):
    alert = make.alert(anna, Urgency.EMERGENCY)
    services.acknowledge(session, alert, alice, make.now())
    at = make.now()
    make.alert(anna, Urgency.URGENT, at=at)

    again = only(session)
    assert (again.urgency, again.waiting_since) == (Urgency.EMERGENCY, at)
    assert again.answer_by == at + timedelta(minutes=5)


def test_a_milder_finding_that_raises_an_acknowledged_alert_opens_it_again(make, anna, alice, session):
    alert = make.alert(anna, Urgency.SOON)
    services.acknowledge(session, alert, alice, make.now())
    make.alert(anna, Urgency.URGENT)

    assert (only(session).status, only(session).urgency) == (AlertStatus.OPEN, Urgency.URGENT)


def test_the_database_itself_refuses_a_second_unresolved_alert(make, anna, session):
    first = make.alert(anna)
    second = Alert(
        patient_id=anna.id,
        care_team_id=first.care_team_id,
        urgency=Urgency.SOON,
        opened_at=make.now(),
        waiting_since=make.now(),
        answer_by=make.now(),
    )
    session.add(second)
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


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
    make.end(anna, alice)
    make.report(anna, chills="none", temperature_c=36.6)

    assert only(session).status == AlertStatus.OPEN


def test_resolving_needs_an_acknowledgement_and_a_note(make, anna, alice, session):
    alert = make.alert(anna, Urgency.URGENT)
    with pytest.raises(services.NotAcknowledged):
        services.resolve(session, alert, alice, Disposition.NO_ACTION, "", make.now())
    with pytest.raises(services.NotAcknowledged):
        services.resolve(session, alert, alice, Disposition.SEEN_TODAY, NOTE, make.now())
    services.acknowledge(session, alert, alice, make.now())
    with pytest.raises(services.NoteMissing):
        services.resolve(session, alert, alice, Disposition.SEEN_TODAY, "  ok ", make.now())
    assert only(session).status == AlertStatus.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("urgency", "disposition", "note", "enough"),
    [
        (Urgency.SOON, Disposition.ADVICE_GIVEN, "", True),
        (Urgency.SOON, Disposition.NO_ACTION, "", False),
        (Urgency.SOON, Disposition.NO_ACTION, "Was a slip of the finger", True),
        (Urgency.URGENT, Disposition.ADMITTED, " " * 40, False),
        (Urgency.EMERGENCY, Disposition.SENT_TO_EMERGENCY, "123456789", False),
        (Urgency.EMERGENCY, Disposition.SENT_TO_EMERGENCY, "1234567890", True),
    ],
)
def test_when_a_note_is_needed(urgency, disposition, note, enough, make, anna, alice, session):
    alert = make.alert(anna, urgency)
    services.acknowledge(session, alert, alice, make.now())
    if enough:
        services.resolve(session, alert, alice, disposition, note, make.now())
    else:
        with pytest.raises(services.NoteMissing):
            services.resolve(session, alert, alice, disposition, note, make.now())
    assert only(session).is_resolved is enough


def test_who_resolves_a_resolved_alert_is_told_and_changes_nothing(make, anna, alice, bob, session):
    alert = make.alert(anna)
    services.acknowledge(session, alert, alice, make.now())
    at = make.now()
    services.resolve(session, alert, alice, Disposition.ADMITTED, NOTE, at)
    with pytest.raises(services.AlreadyDone) as told:
        services.resolve(session, alert, bob, Disposition.NO_ACTION, "", make.now())

    done = told.value
    assert (done.by_name, done.at, done.status) == ("Alice", at, AlertStatus.RESOLVED)
    assert (only(session).resolved_by.name, only(session).note) == ("Alice", NOTE)


def test_what_came_after_the_page_was_made_is_not_acknowledged_with_it(make, anna, alice, session):
    alert = make.alert(anna, Urgency.SOON)
    make.alert(anna, Urgency.EMERGENCY)
    with pytest.raises(services.NotSeen):
        services.acknowledge(session, alert, alice, make.now(), seen=1)
    assert only(session).status == AlertStatus.OPEN
    services.acknowledge(session, alert, alice, make.now(), seen=2)
    make.alert(anna, Urgency.SOON)
    with pytest.raises(services.NotSeen):
        services.resolve(session, alert, alice, Disposition.ADMITTED, NOTE, make.now(), seen=2)
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


def at_once(*actions):
    """Run the actions in threads that start together; what each raised, or None."""
    start, raised = threading.Barrier(len(actions)), [None] * len(actions)

    def run(place, action):
        start.wait()
        try:
            action()
        except Exception as error:
            raised[place] = error

    threads = [threading.Thread(target=run, args=(place, action)) for place, action in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.fixture
def engine(app, session):
    """The application's engine, for sessions of several people; the test's own holds no lock any more."""
    session.rollback()
    with app.app_context():
        return db.engine


def test_of_two_nurses_at_once_one_wins_and_the_other_is_told(make, anna, alice, bob, engine, session):
    alert_id, nurses = make.alert(anna).id, [alice.id, bob.id]
    session.rollback()

    def acknowledging(nurse):
        def act():
            with Session(engine) as own:
                services.acknowledge(own, own.get_one(Alert, alert_id), own.get_one(Person, nurse), make.now())

        return act

    (done,) = filter(None, at_once(*(acknowledging(nurse) for nurse in nurses)))
    assert isinstance(done, services.AlreadyDone), done
    alert = only(session)
    assert (done.by_name, done.at) == (alert.acknowledged_by.name, alert.acknowledged_at)
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action == "alert_acknowledged")).all()
    assert len(actions) == 1, "who lost leaves no trace of an action"


def test_of_two_nurses_who_resolve_at_once_one_wins_and_the_other_is_told(make, anna, alice, bob, engine, session):
    alert = make.alert(anna)
    services.acknowledge(session, alert, alice, make.now())
    alert_id, nurses = alert.id, [alice.id, bob.id]
    session.rollback()

    def resolving(nurse):
        def act():
            with Session(engine) as own:
                services.resolve(
                    own,
                    own.get_one(Alert, alert_id),
                    own.get_one(Person, nurse),
                    Disposition.ADMITTED,
                    NOTE,
                    make.now(),
                )

        return act

    (done,) = filter(None, at_once(*(resolving(nurse) for nurse in nurses)))
    assert isinstance(done, services.AlreadyDone), done
    assert (done.status, done.by_name) == (AlertStatus.RESOLVED, only(session).resolved_by.name)


def sending(make, app, account_id, token):
    def act():
        with app.app_context():
            report = from_data({"symptoms": {"seizure": "yes"}}, make.ruleset.catalogue)
            reporter = db.session.get_one(Person, account_id)
            reports.submit(db.session, make.ruleset, report, reporter, token, make.now())

    return act


def test_two_reports_at_once_make_one_alert_with_two_findings(make, anna, app, engine, session):
    account_id = make.account(anna).id
    session.rollback()

    assert at_once(*(sending(make, app, account_id, f"token-{number}") for number in range(2))) == [None, None]
    assert len(only(session).findings) == 2


def test_one_report_sent_twice_at_once_is_one_finding(make, anna, app, engine, session):
    account_id = make.account(anna).id
    session.rollback()

    assert at_once(*(sending(make, app, account_id, "the same token") for _ in range(2))) == [None, None]
    assert len(only(session).findings) == 1


def test_reports_and_nurses_that_meet_wait_for_each_other(make, anna, alice, app, engine, session):
    """Both lock the patient before the alert. In two orders PostgreSQL would end one of them, perhaps the report."""
    alert_id, account_id, nurse_id = make.alert(anna).id, make.account(anna).id, alice.id
    session.rollback()
    sent = threading.Event()

    def send():
        try:
            for number in range(15):
                sending(make, app, account_id, f"token-{number}")()
        finally:
            sent.set()

    def acknowledge():
        while not sent.is_set():
            with Session(engine) as own, suppress(services.AlreadyDone):
                services.acknowledge(own, own.get_one(Alert, alert_id), own.get_one(Person, nurse_id), make.now())

    assert at_once(send, acknowledge) == [None, None]
    assert len(only(session).findings) == 16


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
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()

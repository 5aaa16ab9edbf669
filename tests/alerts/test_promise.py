"""What a patient may be promised: only what stands behind it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.alerts.test_heartbeat import Channel
from triage import clock, heartbeat
from triage.alerts import promise, services, worker
from triage.database import writing
from triage.models import HEARTBEAT_CHANNEL, Alert, MessageKind, Role
from triage.rules.urgency import Urgency


def minutes(number):
    return timedelta(minutes=number)


@pytest.fixture
def sms():
    return Channel()


@pytest.fixture
def sweep(app, session, make, sms):
    """A worker's round at that moment, with a heartbeat."""

    def run(at, **channels):
        given = {HEARTBEAT_CHANNEL: Channel(), "sms": sms, **channels}
        with app.app_context():
            heartbeat.beat(session, make.ruleset, at)
            worker.sweep(session, make.ruleset, given, lambda: at)
            heartbeat.beat(session, make.ruleset, at)

    return run


@pytest.fixture
def nurse(alice, session, make):
    """Alice, who has a telephone and is on call for seven hours more."""
    with writing(session):
        alice.phone = "+44 1632 960 500"
    make.duty(alice)
    return alice


@pytest.fixture
def cover(app, session):
    def run(alert, at, since=None):
        with app.app_context():
            session.rollback()
            return promise.cover(session, session.get_one(Alert, alert.id), since or alert.opened_at, at)

    return run


def test_a_nurse_was_told_once_it_is_delivered_while_somebody_is_on_duty(make, anna, nurse, sweep, cover):
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    before = cover(alert, at)
    assert (before.told_at, before.holds) == (None, False)
    assert before.next_step_at == at
    sweep(at + timedelta(seconds=3))
    found = cover(alert, at + minutes(1))
    assert (found.told_at, found.told, found.holds) == (at + timedelta(seconds=3), promise.NURSE, True)
    assert found.on_duty == ("Alice",)
    assert timedelta(hours=6, minutes=58) < found.on_duty_until - at < timedelta(hours=7)
    assert found.next_step_at == at + minutes(15)


@pytest.mark.parametrize("missing", ["delivery", "duty", "heartbeat", "a message after the report"])
def test_without_any_of_the_four_nothing_is_promised(missing, make, anna, alice, session, sms, sweep, cover):
    at = make.now()
    with writing(session):
        alice.phone = "+44 1632 960 500"
    if missing != "duty":
        make.duty(alice)
    alert = make.alert(anna, Urgency.URGENT, at=at)
    sms.takes = missing != "delivery"
    sweep(at)
    when, since = at + minutes(1), at
    if missing == "heartbeat":
        when = at + minutes(6)
    if missing == "a message after the report":
        since = at + timedelta(seconds=30)
    found = cover(alert, when, since)
    assert not found.holds
    assert cover(alert, at + minutes(1), at).holds is (missing in ("heartbeat", "a message after the report"))


def test_a_room_and_an_administrator_are_no_nurse(make, anna, session, sweep, cover, bob):
    emil = make.administrator("Emil", phone="+44 1632 960 501")
    make.duty(bob)  # on call, and not reached
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    sweep(at, slack=Channel())
    found = cover(alert, at)
    assert (found.told, found.told_at) == (promise.STAFF, at)
    assert emil.role == Role.ADMINISTRATOR


def test_a_reminder_to_the_patient_tells_no_staff(make, anna, session, cover):
    from triage.models import Delivery, OwedStep

    account = make.account(anna, mail="anna@example.org")
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    step = session.query(OwedStep).filter_by(alert_id=alert.id).first()
    with writing(session):
        session.add(
            Delivery(
                key="k",
                kind=MessageKind.ALERT,
                alert_id=alert.id,
                step_id=step.id,
                care_team_id=anna.care_team_id,
                person_id=account.id,
                channel="mail",
                others=[],
                urgency=Urgency.URGENT,
                due_at=at,
                next_try_at=at,
                delivered_at=at,
            )
        )
    assert cover(alert, at).told_at is None


def test_who_takes_it_is_told_and_no_further_step_is_to_come(make, anna, nurse, session, sweep, cover):
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    sweep(at)
    services.acknowledge(session, alert, nurse, at + minutes(2))
    found = cover(alert, at + minutes(3))
    assert (found.taken_at, found.next_step_at) == (at + minutes(2), None)


def test_duties_that_follow_one_another_count_together(make, anna, alice, bob, cover):
    make.duty(alice, ends=timedelta(hours=2))
    make.duty(bob, begins=timedelta(hours=1, minutes=30), ends=timedelta(hours=9))
    make.duty(alice, begins=timedelta(hours=12), ends=timedelta(hours=14))
    at = make.now()
    found = cover(make.alert(anna, at=at), at)
    assert timedelta(hours=8, minutes=59) < found.on_duty_until - at <= timedelta(hours=9)
    assert found.on_duty == ("Alice",)


# On the patient's pages


def test_the_patient_reads_it_when_it_is_true_and_what_to_do_when_it_is_not(
    make, anna, nurse, sweep, pages, monkeypatch
):
    at = make.now()
    report = make.report(anna, at=at, temperature_c=39.4)
    visitor = pages(make.account(anna))
    page = visitor.get("reports.result", report_id=report.id)
    assert page.shows("We cannot say yet that anybody has read this. Do not wait for us to call you: call us.")
    assert not page.shows("told of this")
    sweep(make.now())
    page = visitor.get("reports.result", report_id=report.id)
    assert page.shows("A nurse was told of this today 1")
    assert page.shows("Call all the same.")
    assert visitor.get("reports.home").shows("A nurse was told of this today")
    later = make.now() + timedelta(minutes=10)
    monkeypatch.setattr(clock, "now", lambda: later)
    page = visitor.get("reports.result", report_id=report.id)
    assert not page.shows("told of this")
    assert page.shows("Do not wait for us to call you")


def test_the_patient_reads_that_a_nurse_took_it_up(make, anna, nurse, session, sweep, pages):
    report = make.report(anna, temperature_c=39.4)
    sweep(make.now())
    alert = session.query(Alert).filter_by(patient_id=anna.id).one()
    services.acknowledge(session, alert, nurse, make.now())
    page = pages(make.account(anna)).get("reports.result", report_id=report.id)
    assert page.shows("A nurse took this up today")


def test_a_routine_report_promises_nothing_and_asks_for_nothing(make, anna, pages):
    report = make.report(anna, temperature_c=36.6, chills="none")
    page = pages(make.account(anna)).get("reports.result", report_id=report.id)
    said = page.soup.select_one("main").get_text()  # what stands beside it, hidden, is about reports that were not sent
    assert "told of this" not in said
    assert "Do not wait" not in said

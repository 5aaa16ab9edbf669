"""Stays in hospital, the end of monitoring and a death: noted by a person, taken back where it was a slip."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.make import PASSWORD
from triage.accounts import services as accounts
from triage.alerts import silence
from triage.database import db
from triage.models import Admission, Alert, AlertStatus, AuditEntry, EndReason, MonitoringEnd, Patient, Person
from triage.monitoring import stays
from triage.rules.urgency import Urgency


def hours(number):
    return timedelta(hours=number)


@pytest.fixture
def sweep(app, session, make):
    def run(later=timedelta()):
        with app.app_context():
            return silence.sweep(session, make.ruleset, make.now() + later)

    return run


def actions(session, patient):
    session.rollback()
    query = select(AuditEntry.action, AuditEntry.person_id).where(AuditEntry.patient_id == patient.id)
    return session.execute(query.order_by(AuditEntry.id)).all()


def test_an_admission_is_noted_once_with_who_and_when(make, anna, session, alice, bob):
    stay = make.admission(anna, alice, ago=hours(3))
    assert anna.in_hospital == stay
    assert stay.noted_by_id == alice.id
    assert hours(2.9) < stay.noted_at - stay.since < hours(3.1)
    with pytest.raises(stays.NotSo):
        make.admission(anna, bob)
    assert ("admission_noted", alice.id) in actions(session, anna)


def test_two_nurses_at_once_note_one_admission(make, app, anna, session, alice, bob):
    start, refused = threading.Barrier(2), []

    def note(by_id):
        with app.app_context():
            patient, by = db.session.get_one(Patient, patient_id), db.session.get_one(Person, by_id)
            start.wait(5)
            try:
                stays.note_admission(db.session, patient, at, by, at)
            except stays.NotSo:
                refused.append(by_id)

    patient_id, at = anna.id, make.now()
    threads = [threading.Thread(target=note, args=(one.id,)) for one in (alice, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    session.rollback()
    assert len(session.scalars(select(Admission)).all()) == 1
    assert len(refused) == 1


def test_home_again_and_each_slip_taken_back(make, anna, session, alice, bob):
    stay = make.admission(anna, alice, ago=hours(30))
    stays.note_home(session, stay, make.now() - hours(2), alice, make.now())
    session.rollback()
    assert anna.in_hospital is None
    stays.take_back_home(session, stay, bob, make.now())
    session.rollback()
    assert anna.in_hospital == stay
    stays.take_back_admission(session, stay, bob, make.now())
    session.rollback()
    assert (anna.in_hospital, anna.admissions, stay.undone_by_id) == (None, [], bob.id)
    told = [action for action, _ in actions(session, anna)]
    assert told == ["admission_noted", "return_noted", "return_taken_back", "admission_taken_back"]


def test_pressed_twice_a_step_is_taken_back_once(make, anna, session, alice):
    """The second press must not take back the admission after the return."""
    stay = make.admission(anna, alice, ago=hours(30))
    stays.note_home(session, stay, make.now(), alice, make.now())
    stays.take_back_home(session, stay, alice, make.now())
    with pytest.raises(stays.NotSo):
        stays.take_back_home(session, stay, alice, make.now())
    session.rollback()
    assert anna.in_hospital == stay


def test_a_return_is_not_taken_back_once_another_stay_has_begun(make, anna, session, alice):
    first = make.admission(anna, alice, ago=hours(30))
    stays.note_home(session, first, make.now() - hours(20), alice, make.now())
    make.admission(anna, alice, ago=hours(1))
    with pytest.raises(stays.NotSo):
        stays.take_back_home(session, first, alice, make.now())


def test_a_report_in_hospital_is_judged_as_ever_and_alerts_stay(make, anna, session, alice):
    make.admission(anna, alice)
    make.report(anna, temperature_c=39.0)
    session.rollback()
    assert session.scalars(select(Alert.urgency)).one() >= Urgency.URGENT
    stays.end_monitoring(session, anna, EndReason.DIED, make.now().date(), alice, make.now())
    session.rollback()
    assert session.scalars(select(Alert.status)).one() == AlertStatus.OPEN


def test_an_admission_that_was_a_slip_does_not_forgive_the_silence(make, anna, session, alice, sweep):
    make.report(anna, ago=hours(27), temperature_c=36.6)
    stay = make.admission(anna, alice, ago=hours(20))
    assert sweep() == 0
    stays.take_back_admission(session, stay, alice, make.now())
    assert sweep() == 1


@pytest.mark.parametrize("reason", list(EndReason))
def test_the_end_of_monitoring_has_a_reason_and_is_taken_back(make, anna, session, alice, bob, sweep, reason):
    make.report(anna, ago=hours(30), temperature_c=36.6)
    end = make.end(anna, alice, reason.value)
    session.rollback()
    assert anna.open_course is None
    assert (end.reason, end.noted_by_id, anna.has_died) == (reason, alice.id, reason is EndReason.DIED)
    assert stays.latest_end(session, anna) == end
    assert sweep() == 0
    stays.take_back_end(session, end, bob, make.now())
    session.rollback()
    assert anna.open_course is not None
    assert (anna.has_died, stays.latest_end(session, anna), end.undone_by_id) == (False, None, bob.id)
    assert sweep() == 1
    assert ("end_taken_back", bob.id) in actions(session, anna)
    with pytest.raises(stays.NotSo):
        stays.take_back_end(session, end, bob, make.now())


def test_a_death_can_be_noted_after_the_end_and_only_once(make, anna, session, alice):
    make.end(anna, alice)
    with pytest.raises(stays.NotSo):
        make.end(anna, alice, "withdrew")
    make.end(anna, alice, "died")
    with pytest.raises(stays.NotSo):
        make.end(anna, alice, "died")
    assert [end.reason for end in session.scalars(select(MonitoringEnd).order_by(MonitoringEnd.noted_at))] == [
        "completed",
        "died",
    ]


def test_a_death_closes_the_patients_account_and_taking_it_back_opens_it(app, make, anna, session, alice):
    account, caregiver = make.account(anna), make.caregiver(anna)
    names = (account.sign_in_name, caregiver.sign_in_name)
    end = make.end(anna, alice, "died")
    with app.app_context():
        with pytest.raises(accounts.SignInRefused):
            accounts.sign_in(db.session, names[0], PASSWORD, make.now())
        assert accounts.sign_in(db.session, names[1], PASSWORD, make.now()).name == "Cora"
    stays.take_back_end(session, end, alice, make.now())
    with app.app_context():
        assert accounts.sign_in(db.session, names[0], PASSWORD, make.now()).name == "Anna"


def test_whoever_is_signed_in_as_the_patient_is_signed_out_by_the_death(make, anna, pages, alice):
    visitor = pages(make.account(anna))
    assert visitor.get("reports.home").status == 200
    make.end(anna, alice, "died")
    assert visitor.get("reports.home").status == 302


def test_an_ended_course_keeps_the_last_day_with_a_report(make, anna, alice, session, sweep):
    """On the last day a report is still expected; a death ends that at once."""
    make.report(anna, ago=hours(30), temperature_c=36.6)
    today = make._today(anna)
    end = make.end(anna, alice, "completed", on=today)
    assert sweep() == 1
    stays.take_back_end(session, end, alice, make.now())
    other = make.patient("Berta", day=5)
    make.report(other, ago=hours(30), temperature_c=36.6)
    make.end(other, alice, "died", on=today)
    assert sweep() == 0

"""A corrected day 0 or a new dose judges the reports of those days again; it lists what changes and closes nothing."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.rules.strategies import histories, rulesets
from tests.rules.strategies import reports as reports_of_rules
from triage.alerts import services
from triage.database import db
from triage.models import (
    Alert,
    AlertFinding,
    AlertKind,
    AlertStatus,
    AuditEntry,
    CourseChange,
    Disposition,
    DoseKind,
    Rejudgment,
    ReportRecord,
)
from triage.monitoring import courses, tales
from triage.reports import rejudging
from triage.reports import services as reports
from triage.rules.engine import assess
from triage.rules.report import from_data
from triage.rules.urgency import Urgency

NOTE = "Spoken with the patient and agreed"


@pytest.fixture
def emil(make):
    return make.administrator()


@pytest.fixture
def correct(app, make, session, emil):
    """Correct the patient's only dose to so many days ago."""

    def run(patient, day, **more):
        dose = patient.courses[0].dose_events[0]
        given_on = make._today(patient) - timedelta(days=day)
        with app.app_context():
            return courses.correct_dose(
                session, make.ruleset, dose, given_on, DoseKind.INFUSION, "typed wrongly", emil, make.now(), **more
            )

    return run


def alert_of(session):
    session.rollback()
    return session.scalars(select(Alert)).one_or_none()


def again(session):
    session.rollback()
    return session.scalars(select(Rejudgment).order_by(Rejudgment.turn, Rejudgment.number)).all()


def test_a_report_that_is_more_urgent_now_opens_an_alert_and_stays_as_it_was(make, session, correct, app):
    """Mild chills on day 40 are nothing urgent; on day 10 they are."""
    patient = make.patient(day=40)
    record = make.report(patient, chills="mild", temperature_c=36.6, ago=timedelta(hours=1))
    was, body = record.data, record.assessment.body
    before = record.assessment.urgency
    assert before < Urgency.URGENT
    change = correct(patient, 10)

    (one,) = again(session)
    assert (one.before_day, one.day, one.before_urgency, one.urgency) == (40, 10, before, Urgency.URGENT)
    assert (one.change_id, one.report_id, one.before_body) == (change.id, record.id, body)
    alert = alert_of(session)
    assert (alert.status, alert.urgency) == (AlertStatus.OPEN, Urgency.URGENT)
    (finding,) = [each for each in alert.findings if each.kind == AlertKind.REJUDGMENT]
    assert (finding.rejudgment_id, finding.report_id, finding.urgency) == (one.id, None, Urgency.URGENT)
    session.refresh(record)
    assert (record.data, record.assessment.body, record.assessment.urgency) == (was, body, before)
    with app.app_context():
        assert reports.reassess(session, record.id).same
        assert rejudging.repeat(session, one) == one.body


def test_the_change_keeps_what_stood_there_and_who_corrected_it(make, session, correct, emil):
    patient = make.patient(day=40)
    change = correct(patient, 10)
    today = make._today(patient)
    assert (change.before_on, change.after_on) == (today - timedelta(days=40), today - timedelta(days=10))
    assert (change.changed_by_id, change.why) == (emil.id, "typed wrongly")
    assert patient.courses[0].started_on == today - timedelta(days=10)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "dose_corrected")).one()
    assert (entry.person_id, entry.patient_id, entry.subject) == (emil.id, patient.id, str(change.id))


def test_a_report_that_is_less_urgent_now_lowers_and_closes_nothing(make, session, correct, alice):
    patient = make.patient(day=10)
    make.report(patient, chills="mild", temperature_c=36.6)
    alert = alert_of(session)
    services.acknowledge(session, alert, alice, make.now())
    correct(patient, 200)
    (one,) = again(session)
    assert one.urgency < one.before_urgency == Urgency.URGENT
    alert = alert_of(session)
    assert (alert.status, alert.urgency, len(alert.findings)) == (AlertStatus.ACKNOWLEDGED, Urgency.URGENT, 1)


def test_an_acknowledged_alert_is_open_again_when_the_new_day_makes_a_report_urgent(make, session, correct, alice):
    patient = make.patient(day=40)
    make.report(patient, chills="mild", cough="moderate", temperature_c=36.6)
    alert = make.alert(patient, Urgency.SOON)
    services.acknowledge(session, alert, alice, make.now())
    correct(patient, 10)
    alert = alert_of(session)
    assert (alert.status, alert.urgency) == (AlertStatus.OPEN, Urgency.URGENT)


def test_after_the_alert_was_resolved_a_correction_that_raises_opens_a_new_one(make, session, correct, alice):
    patient = make.patient(day=40)
    make.report(patient, chills="mild", temperature_c=36.6)
    alert = make.alert(patient, Urgency.SOON)
    services.acknowledge(session, alert, alice, make.now())
    services.resolve(session, alert, alice, Disposition.ADVICE_GIVEN, NOTE, make.now())
    correct(patient, 10)
    session.rollback()
    assert sorted(each.status for each in session.scalars(select(Alert))) == ["open", "resolved"]


def test_only_reports_whose_day_changes_are_judged_again(make, session, app, emil):
    """A dose given three days ago changes the days of reports since then, not of those before."""
    patient = make.patient(day=20)
    early = make.report(patient, ago=timedelta(days=5), temperature_c=36.6)
    late = [make.report(patient, ago=timedelta(days=day), temperature_c=36.6) for day in (2, 1)]
    with app.app_context():
        given_on = make._today(patient) - timedelta(days=3)
        courses.add_dose(session, make.ruleset, patient.courses[0], given_on, DoseKind.DOSE_STEP, emil, make.now())
    assert [(one.report_id, one.day) for one in again(session)] == [(late[0].id, 1), (late[1].id, 2)]
    assert early.id not in {one.report_id for one in again(session)}


def test_what_the_patient_said_of_the_day_counts_until_a_date_is_on_file(make, session, app, emil):
    patient = make.patient(day=None)
    data = make.data(patient, make.now(), make.account(patient), {"chills": "mild", "temperature_c": 36.6})
    said = from_data(data | {"days_since_therapy": 90}, make.ruleset.catalogue)
    with app.app_context():
        reports.submit(session, make.ruleset, said, make.account(patient), "a token", make.now())
    with app.app_context():
        given_on = make._today(patient) - timedelta(days=5)
        courses.add_dose(session, make.ruleset, patient.courses[0], given_on, DoseKind.INFUSION, emil, make.now())
    (one,) = again(session)
    assert (one.before_day, one.day, one.urgency) == (90, 5, Urgency.URGENT)
    assert patient.courses[0].started_on == given_on


def test_a_dose_that_was_not_given_is_taken_out_and_an_unknown_day_is_inside_every_window(make, session, app, emil):
    patient = make.patient(day=200)
    make.report(patient, chills="mild", temperature_c=36.6)
    dose = patient.courses[0].dose_events[0]
    with app.app_context():
        change = courses.remove_dose(session, make.ruleset, dose, "another patient's", emil, make.now())
    assert (change.before_on, change.after_on) == (make._today(patient) - timedelta(days=200), None)
    assert (patient.courses[0].dose_events, patient.courses[0].started_on) == ([], None)
    (one,) = again(session)
    assert (one.before_day, one.day, one.urgency) == (200, None, Urgency.URGENT)


def test_judged_again_and_again_each_stands_beside_the_one_before(make, session, correct, app):
    patient = make.patient(day=40)
    make.report(patient, chills="mild", temperature_c=36.6)
    for day in (10, 200, 12):
        correct(patient, day)
    found = again(session)
    assert [(one.turn, one.before_day, one.day) for one in found] == [(1, 40, 10), (2, 10, 200), (3, 200, 12)]
    assert [one.before_body for one in found[1:]] == [one.body for one in found[:-1]]
    with app.app_context():
        assert [rejudging.repeat(session, one) for one in found] == [one.body for one in found]


def test_a_report_that_cannot_be_judged_again_is_shown_to_a_person(make, session, correct, monkeypatch, capsys):
    patient = make.patient(day=40)
    make.report(patient, chills="none", temperature_c=36.6)
    monkeypatch.setattr(rejudging, "assess", lambda *what: 1 / 0)
    correct(patient, 10)
    (one,) = again(session)
    assert one.urgency is Urgency.URGENT
    assert alert_of(session).urgency is Urgency.URGENT
    assert "report_not_judged_again" in capsys.readouterr().err


def test_all_of_it_or_nothing(make, session, correct, monkeypatch):
    patient = make.patient(day=40)
    make.report(patient, chills="mild", temperature_c=36.6)

    def fail(*what, **more):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(rejudging.alerts, "add_finding", fail)
    with pytest.raises(RuntimeError):
        correct(patient, 10)
    session.rollback()
    assert patient.courses[0].dose_events[0].given_on == make._today(patient) - timedelta(days=40)
    assert (session.scalars(select(CourseChange)).all(), again(session)) == ([], [])


def test_somebody_who_saw_another_day_corrects_nothing(make, session, correct):
    patient = make.patient(day=40)
    with pytest.raises(courses.ChangedMeanwhile):
        correct(patient, 10, was=make._today(patient))
    assert session.scalars(select(CourseChange)).all() == []


def test_a_report_that_comes_while_a_dose_is_corrected_is_judged_with_the_new_day_too(make, app, session, emil):
    """The two wait for each other at the patient's row: in either order the report ends up judged with the new day."""
    patient = make.patient(day=40)
    dose_id, now, today = patient.courses[0].dose_events[0].id, make.now(), make._today(patient)
    account = make.account(patient)
    data = make.data(patient, now, account, {"chills": "mild", "temperature_c": 36.6})
    report = from_data(data, make.ruleset.catalogue)
    patient_account, emil_id = account.id, emil.id
    start = threading.Barrier(2)

    def send():
        with app.app_context():
            from triage.models import Person

            start.wait(5)
            person = db.session.get_one(Person, patient_account)
            reports.submit(db.session, make.ruleset, report, person, "a token", now)

    def fix():
        with app.app_context():
            from triage.models import DoseEvent, Person

            dose, by = db.session.get_one(DoseEvent, dose_id), db.session.get_one(Person, emil_id)
            start.wait(5)
            day = today - timedelta(days=10)
            courses.correct_dose(db.session, make.ruleset, dose, day, DoseKind.INFUSION, "", by, now)

    threads = [threading.Thread(target=do) for do in (send, fix)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    session.rollback()
    assert len(session.scalars(select(ReportRecord)).all()) == 1
    assert patient.courses[0].started_on == today - timedelta(days=10)
    assert len(session.scalars(select(CourseChange)).all()) == 1


def test_steroids_entered_later_judge_the_reports_of_those_days_again(make, session, app, emil):
    patient = make.patient(day=5)
    record = make.report(patient, weakness="mild", temperature_c=36.6, on_steroids=False)
    before = record.assessment.urgency
    with app.app_context():
        today = make._today(patient)
        courses.set_steroids(session, make.ruleset, patient.courses[0], today, None, emil, make.now())
    (one,) = again(session)
    assert one.before_urgency == before < one.urgency == Urgency.URGENT


def test_a_further_course_counts_from_its_own_day_0(make, session, app, emil):
    patient = make.patient(day=90)
    make.report(patient, chills="mild", temperature_c=36.6)
    with app.app_context():
        day = make._today(patient) - timedelta(days=3)
        courses.begin_course(session, make.ruleset, patient, "bite", "", day, emil, make.now())
    (one,) = again(session)
    assert (one.before_day, one.day, one.urgency) == (90, 3, Urgency.URGENT)
    assert len(patient.courses) == 2


def test_the_list_names_what_changed_first(make, session, correct):
    patient = make.patient(day=40)
    make.report(patient, ago=timedelta(hours=5), nausea="none", temperature_c=36.6)
    make.report(patient, ago=timedelta(hours=1), chills="mild", temperature_c=36.6)
    found = tales.judged_again(session, correct(patient, 10))
    assert [one.changed for one in found] == [True, False]
    assert found[0].after is Urgency.URGENT
    assert any("hill" in title for title in found[0].rules_after)


@pytest.mark.database("sqlite")
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(days=st.lists(st.integers(0, 120), min_size=1, max_size=4), chills=st.sampled_from(["none", "mild", "severe"]))
def test_whatever_is_corrected_no_alert_is_lowered_or_closed(make, session, correct, days, chills):
    patient = make.patient(day=30)
    make.report(patient, chills=chills, temperature_c=36.6)
    for day in days:
        mine = select(Alert).where(Alert.patient_id == patient.id)
        session.rollback()
        before = {alert.id: (alert.urgency, alert.status) for alert in session.scalars(mine)}
        correct(patient, day)
        session.rollback()
        after = {alert.id: (alert.urgency, alert.status) for alert in session.scalars(mine)}
        for alert_id, (urgency, status) in before.items():
            assert after[alert_id][0] >= urgency
            assert after[alert_id][1] == status
        found = session.scalars(select(Rejudgment).where(Rejudgment.report.has(patient_id=patient.id))).all()
        raised = [one for one in found if one.urgency > one.before_urgency]
        findings = session.scalars(select(AlertFinding).where(AlertFinding.rejudgment_id.is_not(None))).all()
        assert {one.id for one in raised} <= {finding.rejudgment_id for finding in findings}


@pytest.mark.database("sqlite")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=rulesets(), report=reports_of_rules(), past=histories(), day=st.none() | st.integers(0, 200))
def test_no_rule_of_the_language_reads_the_days_of_earlier_reports(some, report, past, day):
    """So that a corrected day changes the judgment of the reports of those days only, not of later ones."""
    moved = [replace(one, therapy=None, days_since_therapy=day, on_steroids=None) for one in past]
    assert assess(some, report, moved).to_bytes() == assess(some, report, past).to_bytes()

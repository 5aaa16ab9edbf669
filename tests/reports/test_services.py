"""Storing and repeating: once, together, never changed, with the same bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from triage.models import Alert, AssessmentRecord, ReportRecord, RulesetVersion
from triage.reports import history, services
from triage.rules.catalogue import Severity
from triage.rules.report import Report


def test_an_old_report_judged_again_gives_the_same_bytes(make, anna, session, app):
    for hours in (72, 48, 24):
        make.report(anna, ago=timedelta(hours=hours), nausea="moderate", temperature_c=37.0)
    record = make.report(anna, nausea="severe", temperature_c=38.1, dizziness="unknown")
    make.report(anna, nausea="none")

    with app.app_context():
        result = services.reassess(session, record.id)
    assert result.same
    assert b"crs-fever" in result.again
    assert len(record.assessment.history) == 3


def test_only_the_twelve_reports_before_are_looked_at(make, anna):
    for hours in range(20, 0, -1):
        make.report(anna, ago=timedelta(hours=hours), nausea="mild")

    assert len(make.report(anna, nausea="mild").assessment.history) == 12


def test_a_report_from_the_future_is_refused(make, anna, session, app):
    now = make.now()
    with app.app_context(), pytest.raises(services.FromTheFuture):
        services.submit(session, make.ruleset, Report(), make.account(anna), "t", now + timedelta(hours=1), now=now)


def test_staff_do_not_report_here(make, alice, session, app):
    with app.app_context(), pytest.raises(LookupError):
        services.submit(session, make.ruleset, Report(), alice, "t", make.now())


@pytest.mark.parametrize("table", [ReportRecord, AssessmentRecord])
def test_the_database_itself_refuses_to_change_a_report(table, make, anna, session):
    make.report(anna, chills="severe")
    column = "data" if table is ReportRecord else "urgency"
    with pytest.raises(DatabaseError):
        session.execute(text(f"UPDATE {table.__tablename__} SET {column} = {column}"))
    session.rollback()


def test_the_ruleset_is_stored_once_by_its_hash(make, anna, session):
    make.report(anna)
    make.report(anna)

    (version,) = session.query(RulesetVersion).all()
    assert version.hash == make.ruleset.hash
    from triage.rules.loading import from_document

    assert from_document(version.document).hash == version.hash


def test_days_count_from_the_latest_dose_in_the_teams_time_zone(make, session):
    team = make.team("Far east", time_zone="Pacific/Auckland", phone="+64 1")
    patient = make.patient("Kiri", team=team, day=9)
    make.dose(patient.courses[0], day=2, kind="dose_step")
    today = history.local_date(team, make.now())

    session.expire_all()
    course = history.current_course(patient, today)
    assert history.days_since_therapy(course, today) == 2
    assert history.days_since_therapy(course, today - timedelta(days=3)) == 6
    assert history.days_since_therapy(None, today) is None


def test_an_alert_keeps_its_urgency_whatever_is_reported_later(make, anna, session):
    make.report(anna, seizure="yes")
    make.report(anna, chills="none", temperature_c=36.6)
    make.report(anna, nausea="moderate", temperature_c=36.6)

    (alert,) = session.query(Alert).all()
    assert alert.urgency.code == "emergency"


def test_answers_that_a_newer_catalogue_does_not_know_keep_no_report_out(make, anna, session, app):
    old = make.report(anna, ago=timedelta(hours=5), nausea="severe", chills="mild")
    catalogue = make.ruleset.catalogue
    symptoms = {code: symptom for code, symptom in catalogue.symptoms.items() if code != "chills"}
    therapies = {code: therapy for code, therapy in catalogue.therapies.items() if code != "car_t"}
    newer = replace(catalogue, symptoms=symptoms, therapies=therapies)

    report = history.read(old, newer)
    assert (report.therapy, dict(report.symptoms)) == (None, {"nausea": Severity.SEVERE})
    assert history.read(old, catalogue).therapy == "car_t"

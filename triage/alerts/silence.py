"""Looks for reports that did not come. Silence in the riskiest days is itself a warning sign.

1. Every patient with a course that is not ended and expects daily reports today is looked at; an unknown therapy or
   day counts as expecting one.
2. Silent since: the last report, or, without one, enrolment or day 0, whichever is later. The grace of response.yaml is
   taken off first, so that a report a little later than yesterday's alarms nobody.
3. The rules that ask for silence judge it. The same silence is told once: a later sweep adds a finding only when a more
   urgent rule fires than before.
4. A patient whose check fails gets an urgent finding: the others are still looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage import clock
from triage.alerts.services import add_finding
from triage.database import db, writing
from triage.models import Alert, AlertFinding, AlertKind, Course, Patient, ReportRecord
from triage.reports import history
from triage.rules.assessment import Assessment, FiredRule
from triage.rules.engine import assess_silence
from triage.rules.report import Report
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions

log = structlog.get_logger(__name__)


def main(every: int | None) -> None:
    """One sweep, or one every `every` seconds for ever. A sweep that fails is logged and the next one tried."""
    from triage import create_app

    app = create_app()
    while True:
        with app.app_context():
            try:
                sweep(db.session, versions.active(), clock.now())
            except Exception as error:
                log.error("silence_sweep_failed", error=type(error).__name__)
                if every is None:
                    raise
        if every is None:
            return
        time.sleep(every)


def sweep(session: Session, ruleset: Ruleset, at: datetime) -> int:
    """Open or raise alerts for missing reports at that moment (UTC); how many findings were added."""
    session.rollback()
    patients = list(session.scalars(_with_open_course()))
    last = _last_reports(session, [patient.id for patient in patients])
    return sum(_look_at(session, ruleset, patient, last.get(patient.id), at) for patient in patients)


def _with_open_course() -> Select[Patient]:
    return (
        select(Patient)
        .where(Patient.courses.any(Course.ended_on.is_(None)))
        .options(joinedload(Patient.care_team), selectinload(Patient.courses).selectinload(Course.dose_events))
        .order_by(Patient.id)
    )


def _last_reports(session: Session, patients: Iterable[UUID]) -> dict[UUID, ReportRecord]:
    """The latest report of each patient, in one query."""
    numbered = (
        select(
            ReportRecord.id,
            func.row_number()
            .over(partition_by=ReportRecord.patient_id, order_by=ReportRecord.reported_at.desc())
            .label("place"),
        )
        .where(ReportRecord.patient_id.in_(list(patients)))
        .subquery()
    )
    latest = select(ReportRecord).join(numbered, numbered.c.id == ReportRecord.id).where(numbered.c.place == 1)
    return {record.patient_id: record for record in session.scalars(latest)}


def _look_at(session: Session, ruleset: Ruleset, patient: Patient, last: ReportRecord | None, at: datetime) -> int:
    try:
        assessment = judge(ruleset, patient, last, at)
    except Exception as error:
        log.error("silence_check_failed", patient=str(patient.id), error=type(error).__name__)
        assessment = _failed(ruleset, patient)
    if assessment is None or assessment.urgency is Urgency.ROUTINE:
        return 0
    since = last.reported_at if last else None
    if _said_before(session, patient, since) >= assessment.urgency:
        return 0
    patient_id = patient.id
    with writing(session):
        fresh = session.get_one(Patient, patient_id, with_for_update=True)
        newest = session.scalar(select(func.max(ReportRecord.reported_at)).where(ReportRecord.patient_id == patient_id))
        if newest != since or _said_before(session, fresh, since) >= assessment.urgency:
            return 0  # a report came, or another sweep was here, while this one looked
        add_finding(session, ruleset, fresh, assessment, AlertKind.SILENCE, None, at)
    return 1


def judge(ruleset: Ruleset, patient: Patient, last: ReportRecord | None, at: datetime) -> Assessment | None:
    """What the silence rules say at that moment; None while no report is expected."""
    today = at.astimezone(ZoneInfo(patient.care_team.time_zone)).date()
    course = history.current_course(patient, today)
    if course is None:
        return None
    day = history.days_since_therapy(course, today)
    therapy = ruleset.catalogue.therapies.get(course.therapy or "")
    if therapy and day is not None and not (therapy.daily_report and therapy.daily_report.contains(day)):
        return None
    silent = at - _since(patient, course, last) - ruleset.response.silence_grace
    report = history.read(last, ruleset.catalogue) if last else Report(patient=str(patient.id))
    today_report = replace(report, therapy=therapy.code if therapy else None, days_since_therapy=day)
    return assess_silence(ruleset, today_report, max(silent, timedelta()))


def _since(patient: Patient, course: Course, last: ReportRecord | None) -> datetime:
    if last:
        return last.reported_at
    if course.started_on is None:
        return patient.enrolled_at
    zone = ZoneInfo(patient.care_team.time_zone)
    day_zero = datetime.combine(course.started_on, datetime.min.time(), zone)
    return max(patient.enrolled_at, day_zero)


def _said_before(session: Session, patient: Patient, since: datetime | None) -> Urgency:
    """The most urgent silence finding since the last report; ROUTINE for none. A resolved one counts as well: the
    same silence is not new because somebody has dealt with it, but a more urgent rule is."""
    query = (
        select(func.max(AlertFinding.urgency))
        .join(Alert, Alert.id == AlertFinding.alert_id)
        .where(Alert.patient_id == patient.id, AlertFinding.kind == AlertKind.SILENCE)
    )
    if since is not None:
        query = query.where(AlertFinding.found_at > since)
    found = session.scalar(query)
    return Urgency.ROUTINE if found is None else Urgency(found)


def _failed(ruleset: Ruleset, patient: Patient) -> Assessment:
    finding = FiredRule(
        rule="silence-check-failed",
        urgency=Urgency.URGENT,
        title="It could not be checked whether this patient's reports are missing",
        facts=(),
        because=("the check for missing reports failed for this patient, so a person has to look",),
        source="judgment",
        failed=True,
    )
    return Assessment(str(patient.id), None, Urgency.URGENT, ruleset.hash, (finding,))

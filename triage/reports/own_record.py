"""What a patient is shown, and takes away, of their own record.

A caregiver sees the reports and the drawings, since they report too and go along to the clinic, and can print them. The
whole record as a file is the patient's alone. The points and the answers of the thinking check are in neither: a score
frightens, and who knows the right answers of last time is not tested the next time. The care team explains them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from triage import languages
from triage.accounts import audit
from triage.alerts import promise
from triage.database import writing
from triage.languages import later
from triage.models import Alert, AlertFinding, AssessmentRecord, Course, Patient, Person, ReportRecord
from triage.reports import charts, history, results
from triage.rules.report import Report, ThinkingCheck
from triage.ruleset_editor import spoken, versions

FORM = "triage-own-record"
VERSION = 1
WITHHELD = later(
    "The points and the answers of the thinking check are not in this file. Ask your care team if you want to go "
    "through them."
)
_CHECK = ("thinking_check", "thinking_check_baseline", "thinking_check_answers")


@dataclass(frozen=True)
class Summary:
    """The last three weeks for a clinic visit."""

    patient: Patient
    course: Course | None
    therapy: str
    """Its name; empty where it is not known."""
    day: int | None
    weeks: charts.OwnWeeks
    records: Sequence[ReportRecord]
    """Of these weeks, the latest first."""
    at: datetime


def summary(session: Session, patient: Patient, at: datetime) -> Summary:
    """The three weeks up to that moment."""
    zone = ZoneInfo(patient.care_team.time_zone)
    today = at.astimezone(zone).date()
    begins = datetime.combine(today - timedelta(days=charts.MOST_DAYS - 1), time.min, zone)
    records = _records(session, patient, begins)
    first = session.scalar(select(func.min(ReportRecord.reported_at)).where(ReportRecord.patient_id == patient.id))
    catalogue = spoken.active().catalogue
    course = history.current_course(patient, today)
    therapy = catalogue.therapies.get(course.therapy or "") if course else None

    def day_number(on: date) -> int | None:
        return history.days_since_therapy(history.current_course(patient, on), on)

    return Summary(
        patient=patient,
        course=course,
        therapy=therapy.label if therapy else "",
        day=history.days_since_therapy(course, today),
        weeks=charts.own_weeks(
            [_sent(session, record) for record in records],
            catalogue,
            since=min(patient.enrolled_at, first or patient.enrolled_at),
            now=at,
            zone=patient.care_team.time_zone,
            day_number=day_number,
        ),
        records=records,
        at=at,
    )


def download(session: Session, patient: Patient, by: Person, at: datetime) -> dict[str, Any]:
    """The whole record in the form of docs/own-record.md. The audit trail tells that it was taken; commits once."""
    _note_download(session, patient, by, "json", at)
    return data(session, patient, at)


def download_sheet(session: Session, patient: Patient, by: Person, at: datetime) -> Summary:
    """What the sheet of paper tells. Writes into the audit trail that it was taken; commits once."""
    _note_download(session, patient, by, "pdf", at)
    return summary(session, patient, at)


def _note_download(session: Session, patient: Patient, by: Person, kind: str, at: datetime) -> None:
    with writing(session):
        audit.record(session, "own_record_downloaded", by=by, patient=patient, subject=kind, at=at)


def data(session: Session, patient: Patient, at: datetime) -> dict[str, Any]:
    """Everything the patient may take away, as JSON has it; times in UTC. Its sentences are in the language of the
    page; all are English where a report was judged by rules whose texts have no translation."""
    hashes = select(AssessmentRecord.ruleset_hash).join(AssessmentRecord.report)
    used = session.scalars(hashes.where(ReportRecord.patient_id == patient.id).distinct()).all()
    for each in used:
        spoken.by_hash(session, each)  # one without a translation turns the page to English
    return {
        "form": FORM,
        "version": VERSION,
        "made_at": at.isoformat(),
        "withheld": str(WITHHELD),
        "patient": {
            "id": str(patient.id),
            "name": patient.name,
            "born_on": _day(patient.born_on),
            "phone": patient.phone,
            "town": patient.town,
            "hospital": patient.hospital,
            "enrolled_at": patient.enrolled_at.isoformat(),
        },
        "care_team": {"name": patient.care_team.name, "phone": patient.care_team.phone},
        "accounts": [{"name": one.name, "role": str(one.role)} for one in patient.people if one.active],
        "treatments": [_treatment(course) for course in patient.courses],
        "stays_in_hospital": [
            {"since": stay.since.isoformat(), "home_at": stay.home_at.isoformat() if stay.home_at else None}
            for stay in patient.admissions
        ],
        "reports": _reports(session, patient),
    }


def _reports(session: Session, patient: Patient) -> list[dict[str, Any]]:
    followed = {finding.report_id: (finding.alert, finding.found_at) for finding in _findings(session, patient)}
    return [_report(session, record, followed.get(record.id)) for record in reversed(_records(session, patient))]


def _report(session: Session, record: ReportRecord, followed: tuple[Alert, datetime] | None) -> dict[str, Any]:
    team = record.patient.care_team
    ruleset = spoken.in_language(versions.by_hash(session, record.assessment.ruleset_hash))
    result = results.of(
        record.assessment.body, ruleset, team.emergency_number, team.phone, team.time_zone, for_patient=True
    )
    stored = json.loads(record.data)
    check = history.read(record, ruleset.catalogue).thinking_check
    return {
        "id": str(record.id),
        "reported_at": record.reported_at.isoformat(),
        "received_at": record.assessment.made_at.isoformat(),
        "reported_by": {"name": record.reporter.name, "role": str(record.reporter.role)},
        "data": {key: value for key, value in stored.items() if key not in _CHECK},
        "thinking_check": None
        if check is None
        else "declined"
        if check.declined
        else "done"
        if check.finished
        else "not finished",
        "result": {
            "urgency": result.urgency.code,
            "reasons": [{"title": reason.title, "because": list(reason.because)} for reason in result.reasons],
            "advice": list(result.advice),
            "next_report": result.next_report,
            "rules": record.assessment.ruleset_hash,
        },
        "what_was_done": [
            {"what": one.what, "at": one.at.isoformat()} for one in (promise.done_about(*followed) if followed else ())
        ],
    }


def _check_word(check: ThinkingCheck | None) -> str | None:
    if check is None or check.declined:
        return None if check is None else "declined"
    return "done" if check.finished else "not finished"


def _treatment(course: Course) -> dict[str, Any]:
    return {
        "therapy": course.therapy,
        "product": course.product,
        "started_on": _day(course.started_on),
        "ended_on": _day(course.ended_on),
        "doses": [{"given_on": _day(dose.given_on), "kind": str(dose.kind)} for dose in course.dose_events],
        "steroids": {"since": _day(course.on_steroids_since), "until": _day(course.on_steroids_until)},
    }


def _day(on: date | None) -> str | None:
    return on.isoformat() if on else None


def _records(session: Session, patient: Patient, since: datetime | None = None) -> Sequence[ReportRecord]:
    """The reports from `since` on, the latest first."""
    query = (
        select(ReportRecord)
        .where(ReportRecord.patient_id == patient.id)
        .order_by(ReportRecord.reported_at.desc(), ReportRecord.id)
        .options(joinedload(ReportRecord.assessment), joinedload(ReportRecord.reporter))
    )
    if since is not None:
        query = query.where(ReportRecord.reported_at >= since)
    return session.scalars(query).all()


def _findings(session: Session, patient: Patient) -> Sequence[AlertFinding]:
    alert = joinedload(AlertFinding.alert)
    query = (
        select(AlertFinding)
        .join(AlertFinding.alert)
        .where(Alert.patient_id == patient.id, AlertFinding.report_id.is_not(None))
        .options(alert.selectinload(Alert.notes), alert.selectinload(Alert.call_backs))
    )
    return session.scalars(query).all()


def _sent(session: Session, record: ReportRecord) -> charts.Sent:
    ruleset = versions.by_hash(session, record.assessment.ruleset_hash)
    report: Report = history.read(record, ruleset.catalogue)
    who = f"{record.reporter.name} ({languages.code_words(record.reporter.role)})"
    return charts.Sent(record.reported_at, who, record.reporter.role, record.assessment.urgency, report)

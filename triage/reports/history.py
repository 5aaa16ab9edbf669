"""What is known before a report: the course, the day, the earlier reports."""

from __future__ import annotations

import json
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from triage.models import CareTeam, Course, Patient, ReportRecord
from triage.rules.catalogue import Catalogue
from triage.rules.engine import HISTORY_LENGTH
from triage.rules.report import Report, from_old_data


def local_date(team: CareTeam, at: datetime) -> date:
    """The day of that moment in the care team's time zone."""
    return at.astimezone(ZoneInfo(team.time_zone)).date()


def current_course(patient: Patient, on: date) -> Course | None:
    """The course that counts on that day: not ended before it, and with the latest dose event up to it."""
    running = [course for course in patient.courses if course.ended_on is None or course.ended_on >= on]

    def latest(course: Course) -> tuple[bool, date, str]:
        dose = last_dose(course, on)
        return (dose is not None, dose or date.min, str(course.id))

    return max(running, key=latest, default=None)


def last_dose(course: Course, on: date) -> date | None:
    """The latest dose event up to that day; None when no date is on file."""
    doses = [dose.given_on for dose in course.dose_events if dose.given_on <= on]
    if course.started_on is not None and course.started_on <= on:
        doses.append(course.started_on)
    return max(doses, default=None)


def days_since_therapy(course: Course | None, on: date) -> int | None:
    """Whole days from the latest dose event to that day; None when no date is on file."""
    dose = last_dose(course, on) if course else None
    return None if dose is None else (on - dose).days


def on_steroids(course: Course | None, on: date) -> bool:
    """Whether steroids (or tocilizumab) are on file for that day."""
    if course is None or course.on_steroids_since is None:
        return False
    return course.on_steroids_since <= on and (course.on_steroids_until is None or on <= course.on_steroids_until)


def before(session: Session, patient_id: UUID, at: datetime, catalogue: Catalogue) -> list[tuple[UUID, Report]]:
    """The patient's latest reports up to that moment, at most twelve, latest first."""
    records = session.scalars(
        select(ReportRecord)
        .where(ReportRecord.patient_id == patient_id, ReportRecord.reported_at <= at)
        .order_by(ReportRecord.reported_at.desc(), ReportRecord.id)
        .limit(HISTORY_LENGTH)
    )
    return [(record.id, read(record, catalogue)) for record in records]


def read(record: ReportRecord, catalogue: Catalogue) -> Report:
    """A stored report as a value, as far as this catalogue knows its answers."""
    return from_old_data(json.loads(record.data), catalogue)

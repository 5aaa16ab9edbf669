"""Doses, courses and steroids entered or corrected after enrolment.

A slip is corrected, and what stood there before is kept (`CourseChange`). Each change is one transaction: the new day,
what it was, every report that is judged again because of it, what that adds to alerts, and the audit entry.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError

from triage.accounts import audit
from triage.database import writing
from triage.models import Course, CourseChange, CourseChangeKind, DoseEvent, DoseKind, Patient, Person
from triage.reports import rejudging
from triage.rules.ruleset import Ruleset


class ChangedMeanwhile(Exception):
    """Somebody corrected it since the page was made. Nothing was saved."""


class EndedMeanwhile(Exception):
    """Monitoring of the course has ended. Nothing was saved."""


def add_dose(
    session: Session, ruleset: Ruleset, course: Course, given_on: date, kind: DoseKind, by: Person, at: datetime
) -> CourseChange:
    """A further dose event; days since therapy count from the latest. The first one makes day 0 known. Raises
    EndedMeanwhile."""

    def add(patient: Patient) -> CourseChange:
        if course.ended_on is not None:
            raise EndedMeanwhile
        course.dose_events.append(DoseEvent(given_on=given_on, kind=kind))
        course.started_on = min(given_on, course.started_on or given_on)
        return _change(course, CourseChangeKind.DOSE_ADDED, after_on=given_on, after_kind=kind)

    return _carry_out(session, ruleset, course.patient_id, add, "dose_added", by, at)


def correct_dose(
    session: Session,
    ruleset: Ruleset,
    dose: DoseEvent,
    given_on: date,
    kind: DoseKind,
    why: str,
    by: Person,
    at: datetime,
    *,
    was: date | None = None,
) -> CourseChange:
    """It was given on another day, or was something else. `was` is the day that whoever corrects it was shown. Raises
    ChangedMeanwhile."""

    def correct(patient: Patient) -> CourseChange:
        course, day_zero = dose.course, _day_zero_of_doses(dose.course)
        before_on, before_kind = dose.given_on, DoseKind(dose.kind)
        if was is not None and before_on != was:
            raise ChangedMeanwhile
        dose.given_on, dose.kind = given_on, kind
        _move_day_zero(course, day_zero)
        return _change(
            course,
            CourseChangeKind.DOSE_CORRECTED,
            before_on=before_on,
            before_kind=before_kind,
            after_on=given_on,
            after_kind=kind,
            why=why,
        )

    return _carry_out(session, ruleset, dose.course.patient_id, correct, "dose_corrected", by, at)


def remove_dose(
    session: Session, ruleset: Ruleset, dose: DoseEvent, why: str, by: Person, at: datetime
) -> CourseChange:
    """It was not given. What stood there is kept in the change. Without any dose the day is not known, and counts as
    inside every window."""

    def remove(patient: Patient) -> CourseChange:
        course, day_zero = dose.course, _day_zero_of_doses(dose.course)
        change = _change(
            course,
            CourseChangeKind.DOSE_REMOVED,
            before_on=dose.given_on,
            before_kind=DoseKind(dose.kind),
            why=why,
        )
        course.dose_events.remove(dose)
        session.delete(dose)
        _move_day_zero(course, day_zero)
        return change

    return _carry_out(session, ruleset, dose.course.patient_id, remove, "dose_removed", by, at)


def begin_course(
    session: Session,
    ruleset: Ruleset,
    patient: Patient,
    therapy: str | None,
    product: str,
    started_on: date | None,
    by: Person,
    at: datetime,
) -> CourseChange:
    """A further course of the patient. The course with the latest dose counts."""

    def begin(patient: Patient) -> CourseChange:
        if patient.has_died:
            raise EndedMeanwhile
        course = Course(patient=patient, therapy=therapy, product=product, started_on=started_on)
        if started_on is not None:
            course.dose_events.append(DoseEvent(given_on=started_on, kind=DoseKind.INFUSION))
        session.add(course)
        session.flush()
        return _change(course, CourseChangeKind.COURSE_BEGUN, after_on=started_on)

    return _carry_out(session, ruleset, patient.id, begin, "course_begun", by, at)


def set_steroids(
    session: Session, ruleset: Ruleset, course: Course, since: date | None, until: date | None, by: Person, at: datetime
) -> CourseChange:
    """From when until when there were steroids (or since when tocilizumab); None: none, or still."""

    def change(patient: Patient) -> CourseChange:
        made = _change(
            course,
            CourseChangeKind.STEROIDS,
            before_on=course.on_steroids_since,
            before_until=course.on_steroids_until,
            after_on=since,
            after_until=until,
        )
        course.on_steroids_since, course.on_steroids_until = since, until
        return made

    return _carry_out(session, ruleset, course.patient_id, change, "steroids_changed", by, at)


def _carry_out(
    session: Session,
    ruleset: Ruleset,
    patient_id: UUID,
    do: Callable[[Patient], CourseChange],
    action: str,
    by: Person,
    at: datetime,
) -> CourseChange:
    try:
        return _change_locked(session, ruleset, patient_id, do, action, by, at)
    except ObjectDeletedError as error:  # the dose was taken out meanwhile
        raise ChangedMeanwhile from error


def _change_locked(
    session: Session,
    ruleset: Ruleset,
    patient_id: UUID,
    do: Callable[[Patient], CourseChange],
    action: str,
    by: Person,
    at: datetime,
) -> CourseChange:
    with writing(session):
        # Locked first: a report that comes meanwhile is judged before the change, and again by it, or after it.
        patient = session.get_one(Patient, patient_id, with_for_update=True)
        before = rejudging.on_file(session, patient)
        change = do(patient)
        change.patient_id, change.changed_at, change.changed_by_id = patient.id, at, by.id
        session.add(change)
        session.flush()
        rejudging.judge_again(session, ruleset, patient, before, change, at)
        audit.record(session, action, by=by, patient=patient, subject=str(change.id), at=at)
    return change


def _change(course: Course, kind: CourseChangeKind, **days: object) -> CourseChange:
    return CourseChange(course_id=course.id, kind=kind, **days)


def _day_zero_of_doses(course: Course) -> date | None:
    return min((dose.given_on for dose in course.dose_events), default=None)


def _move_day_zero(course: Course, before: date | None) -> None:
    """Day 0 is the first dose. A day 0 that came from no dose on file stays."""
    first = _day_zero_of_doses(course)
    if course.started_on == before:
        course.started_on = first
    elif first is not None:
        course.started_on = min(first, course.started_on or first)

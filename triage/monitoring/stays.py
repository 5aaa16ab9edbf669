"""Stays in hospital, the end of monitoring, and a death: who noted it, when, and what is taken back.

Nothing here closes an alert, and nothing happens by itself: a person notes each of them. Each function is one
transaction with its audit entry, under the lock of the patient's row, as the silence check and whoever owes messages
take it.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from triage.accounts import audit
from triage.alerts import reminders
from triage.database import writing
from triage.models import Admission, Delivery, EndReason, MonitoringEnd, Patient, Person
from triage.reports import history


class NotSo(Exception):
    """Somebody was quicker, or it is so already. Nothing was saved."""


def note_admission(session: Session, patient: Patient, since: datetime, by: Person, at: datetime) -> Admission:
    """The patient is in hospital since that moment: no report is expected. Raises NotSo for one who is there already or
    has died."""
    with writing(session):
        patient = _lock(session, patient.id)
        if patient.in_hospital or patient.has_died:
            raise NotSo
        stay = Admission(patient_id=patient.id, since=since, noted_at=at, noted_by_id=by.id)
        session.add(stay)
        session.flush()
        reminders.stop(session, patient.id, at)
        audit.record(session, "admission_noted", by=by, patient=patient, subject=str(stay.id), at=at)
    return stay


def note_home(session: Session, stay: Admission, home_at: datetime, by: Person, at: datetime) -> None:
    """The patient is home again since that moment: silence counts from then. Raises NotSo."""
    with writing(session):
        patient = _lock(session, stay.patient_id)
        if stay.home_at is not None or stay.undone_at is not None:
            raise NotSo
        stay.home_at, stay.home_noted_at, stay.home_noted_by_id = home_at, at, by.id
        audit.record(session, "return_noted", by=by, patient=patient, subject=str(stay.id), at=at)


def take_back_admission(session: Session, stay: Admission, by: Person, at: datetime) -> None:
    """The patient was not admitted: it was noted by a slip. Raises NotSo."""
    with writing(session):
        patient = _lock(session, stay.patient_id)
        if stay.home_at is not None or stay.undone_at is not None:
            raise NotSo
        stay.undone_at, stay.undone_by_id = at, by.id
        audit.record(session, "admission_taken_back", by=by, patient=patient, subject=str(stay.id), at=at)


def take_back_home(session: Session, stay: Admission, by: Person, at: datetime) -> None:
    """The patient is still in hospital: the return was noted by a slip. Raises NotSo, also where another stay has begun
    since."""
    with writing(session):
        patient = _lock(session, stay.patient_id)
        if stay.home_at is None or stay.undone_at is not None or patient.admissions[-1:] != [stay] or patient.has_died:
            raise NotSo
        stay.home_at = stay.home_noted_at = stay.home_noted_by_id = None
        reminders.stop(session, patient.id, at)
        audit.record(session, "return_taken_back", by=by, patient=patient, subject=str(stay.id), at=at)


def end_monitoring(
    session: Session, patient: Patient, reason: EndReason, on: date, by: Person, at: datetime
) -> MonitoringEnd:
    """No report is expected after that day. Alerts stay as they are: only a person's decision closes one.

    After a death no report is expected at all, nothing is sent any more to the patient or to a caregiver, and the
    patient's account is closed. Raises NotSo where nothing is monitored, but for a death, and for a second death.
    """
    with writing(session):
        patient = _lock(session, patient.id)
        died = reason == EndReason.DIED
        running = [course for course in patient.courses if course.ended_on is None]
        if patient.has_died or not (running or died):
            raise NotSo
        end = MonitoringEnd(patient_id=patient.id, reason=reason, ended_on=on, noted_at=at, noted_by_id=by.id)
        session.add(end)
        session.flush()
        for course in running:
            course.ended_on, course.end_id = on, end.id
        if died:
            patient.died_on = on
            _cancel_messages(session, patient.id, at)
        if died or on < history.local_date(patient.care_team, at):
            reminders.stop(session, patient.id, at)
        audit.record(session, "monitoring_ended", by=by, patient=patient, subject=str(end.id), at=at)
    return end


def take_back_end(session: Session, end: MonitoringEnd, by: Person, at: datetime) -> None:
    """Monitoring goes on: the end, or the death, was noted by a slip. The patient's account is as it was. Raises
    NotSo."""
    with writing(session):
        patient = _lock(session, end.patient_id)
        if end.undone_at is not None:
            raise NotSo
        end.undone_at, end.undone_by_id = at, by.id
        for course in patient.courses:
            if course.end_id == end.id:
                course.ended_on = course.end_id = None
        if end.reason == EndReason.DIED:
            patient.died_on = None
        audit.record(session, "end_taken_back", by=by, patient=patient, subject=str(end.id), at=at)


def latest_end(session: Session, patient: Patient) -> MonitoringEnd | None:
    """The latest end of monitoring that stands; a death before anything else."""
    query = select(MonitoringEnd).where(MonitoringEnd.patient_id == patient.id, MonitoringEnd.undone_at.is_(None))
    standing = session.scalars(query.order_by(MonitoringEnd.noted_at)).all()
    if patient.open_course is not None and not patient.has_died:
        return None  # a further course has begun since
    return max(standing, key=lambda end: (end.reason == EndReason.DIED, end.noted_at), default=None)


def _lock(session: Session, patient_id: UUID) -> Patient:
    return session.get_one(Patient, patient_id, with_for_update=True)


def _cancel_messages(session: Session, patient_id: UUID, at: datetime) -> None:
    """What waits to be sent to the patient and the caregivers. Whatever is owed after that is not sent either:
    `escalation.sendable`."""
    people = select(Person.id).where(Person.patient_id == patient_id)
    session.execute(
        update(Delivery)
        .where(Delivery.person_id.in_(people), Delivery.delivered_at.is_(None), Delivery.cancelled_at.is_(None))
        .values(cancelled_at=at)
        .execution_options(synchronize_session=False)
    )

"""Each person's own first thinking check, and which of them a later check is held against.

1. Taken before the first dose: whoever answered wrongly when well is not told off for it later.
2. Taken later, or when nobody knows the day of the first dose: kept and shown, but the reference stays ten points:
   the person may not have been well. A nurse who has spoken with them may accept it.
3. Where none was taken, the first finished check of a report is kept as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from triage.accounts import audit
from triage.database import writing
from triage.models import Patient, Person, ReportRecord, ThinkingBaseline
from triage.reports import history, thinking
from triage.rules.catalogue import Catalogue

Typed = Mapping[str, Any]


def of_patient(session: Session, patient: Patient, language: str = "") -> ThinkingBaseline | None:
    """The patient's baseline in that language, also one that is begun and not finished. Without a language the one that
    was taken last, for the care team."""
    query = select(ThinkingBaseline).where(ThinkingBaseline.patient_id == patient.id)
    if language:
        return session.scalar(query.where(ThinkingBaseline.language == language))
    return session.scalar(
        query.order_by(ThinkingBaseline.taken_at.is_(None), ThinkingBaseline.taken_at.desc()).limit(1)
    )


def is_late(baseline: ThinkingBaseline, patient: Patient) -> bool:
    """Whether it was not surely taken before the first dose."""
    if baseline.taken_at is None:
        return True
    taken_on = history.local_date(patient.care_team, baseline.taken_at)
    begins = [course.started_on for course in patient.courses if course.started_on is not None]
    return not begins or taken_on >= max(begins)


def counts(baseline: ThinkingBaseline | None, patient: Patient) -> bool:
    """Whether later checks are held against it."""
    if baseline is None or baseline.taken_at is None:
        return False
    return baseline.accepted_at is not None or not is_late(baseline, patient)


def asked(
    session: Session, patient: Patient, catalogue: Catalogue, at: datetime, language: str = thinking.LANGUAGE
) -> thinking.Asked:
    """The thinking check of the patient at that moment, in that language: held against what they could do in it."""
    today = history.local_date(patient.care_team, at)
    course = history.current_course(patient, today)
    therapy = course.therapy if course and course.therapy in catalogue.therapies else None
    again_after = catalogue.thinking_check.again_after(therapy, history.days_since_therapy(course, today))
    due = again_after is not None and not _done_since(session, patient, at - again_after)
    baseline = of_patient(session, patient, language)
    able = frozenset(baseline.right_answers) if baseline is not None and counts(baseline, patient) else None
    return thinking.Asked(due=due, place=place_of(patient), at=at, language=language, able=able)


def _done_since(session: Session, patient: Patient, since: datetime) -> bool:
    """Whether a report since then has a thinking check."""
    query = select(ReportRecord.data).where(ReportRecord.patient_id == patient.id, ReportRecord.reported_at > since)
    return any('"thinking_check":' in data for data in session.scalars(query))


def place_of(patient: Patient) -> thinking.Place:
    """What is right for this patient."""
    return thinking.Place(
        thinking.names_in(patient.town), thinking.names_in(patient.hospital), patient.care_team.time_zone
    )


def save_step(session: Session, patient: Patient, person: Person, step: str, typed: Typed, at: datetime) -> None:
    """Keep what was typed of a baseline; with the last step it is taken. One that is taken stays as it is."""
    language = str(typed.get(thinking.SPOKEN) or thinking.LANGUAGE)
    with writing(session):
        # Locked: two devices may send at once, and a patient has one baseline in a language.
        session.get_one(Patient, patient.id, with_for_update=True)
        baseline = of_patient(session, patient, language)
        if baseline is None:
            baseline = _new(patient, person, language)
            session.add(baseline)
        if baseline.taken_at is not None:
            return
        baseline.steps = {**baseline.steps, step: {**typed, "_at": at.isoformat()}}
        baseline.taken_by_id = person.id
        found = thinking.scored(baseline.steps, place_of(patient), at)
        if found is not None and thinking.next_item(baseline.steps) is None and not found.check.without_points:
            _take(session, baseline, found, patient, person, at)


def add_first(session: Session, patient: Patient, person: Person, found: thinking.Scored | None, at: datetime) -> None:
    """Keep a report's check as the baseline where none was taken. Commits nothing: part of sending a report."""
    if found is None or not found.check.finished:
        return
    baseline = of_patient(session, patient, found.language)
    if baseline is None:
        baseline = _new(patient, person, found.language)
        session.add(baseline)
    if baseline.taken_at is None:
        baseline.taken_by_id = person.id
        _take(session, baseline, found, patient, person, at)


def accept(session: Session, patient: Patient, nurse: Person, at: datetime) -> bool:
    """A nurse says that a baseline which was taken late counts; whether there was one to accept."""
    with writing(session):
        baseline = of_patient(session, patient)
        if baseline is None or baseline.taken_at is None or counts(baseline, patient):
            return False
        baseline.accepted_at, baseline.accepted_by_id = at, nurse.id
        audit.record(session, "thinking_baseline_accepted", by=nurse, patient=patient, subject=str(baseline.id), at=at)
        return True


def _new(patient: Patient, person: Person, language: str) -> ThinkingBaseline:
    return ThinkingBaseline(
        patient_id=patient.id, language=language, steps={}, right_answers=[], answers={}, taken_by_id=person.id
    )


def _take(
    session: Session, baseline: ThinkingBaseline, found: thinking.Scored, patient: Patient, person: Person, at: datetime
) -> None:
    baseline.taken_at = at
    baseline.steps, baseline.right_answers, baseline.answers = {}, sorted(found.right), dict(found.answers)
    session.flush()
    audit.record(session, "thinking_baseline_taken", by=person, patient=patient, subject=str(baseline.id), at=at)


def is_missing(
    session: Session, patient: Patient, catalogue: Catalogue, at: datetime, language: str = thinking.LANGUAGE
) -> bool:
    """Whether the patient is still to take the first check in it. After which therapies one is asked, the catalogue
    says."""
    course = history.current_course(patient, history.local_date(patient.care_team, at))
    therapy = course.therapy if course and course.therapy in catalogue.therapies else None
    if catalogue.thinking_check.again_after(therapy, None) is None:
        return False
    baseline = of_patient(session, patient, language)
    return baseline is None or baseline.taken_at is None

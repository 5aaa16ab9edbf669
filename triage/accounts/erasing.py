"""Erasing one patient: afterwards nobody is told whose record it was, and nobody can sign in to it.

1. Only when monitoring has ended and no alert waits: nobody is lost sight of by it.
2. Overwritten: names, contacts, date of birth, town and hospital of the patient and of whoever cares for them; sign-in
   names, with passphrases and sign-ins; what the patient typed, in notes and in the thinking check; what staff wrote in
   notes, reasons and opinions; the patient's part of handovers.
3. Kept, under an id that leads to no name: what was ticked and measured, what the rules made of it, and when who acted.
   A report stays a report, and any decision can still be repeated: a rule reads neither notes nor sentences.
4. The audit trail is as it was: it holds ids only.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from triage.accounts import audit, invitations
from triage.accounts.whole_record import queries
from triage.database import Model, writing
from triage.models import (
    Alert,
    AlertNote,
    AlertOpinion,
    AlertStatus,
    CourseChange,
    Cover,
    DailyReminder,
    Handover,
    HandoverNote,
    Patient,
    Person,
    Rejudgment,
    ReportDraft,
    ReportRecord,
    RuleMute,
    ThinkingBaseline,
)

ERASED = "(erased)"
_TYPED = ("note", "thinking_check_answers")
"""What somebody typed, in the data form of a report."""
_WRITTEN: tuple[tuple[type[Model], str], ...] = (
    (Alert, "note"),
    (AlertNote, "text"),
    (AlertOpinion, "why"),
    (RuleMute, "reason"),
    (CourseChange, "why"),
)


class ErasureReason(StrEnum):
    """Why somebody is erased."""

    PATIENT_ASKED = "patient_asked"
    KEPT_LONG_ENOUGH = "kept_long_enough"
    BY_MISTAKE = "enrolled_by_mistake"


class StillNeeded(Exception):
    """Monitoring goes on, or an alert waits for somebody. Nothing was changed."""


def is_needed(session: Session, patient: Patient) -> bool:
    """Whether the patient is monitored, or an alert about them is not resolved."""
    waiting = select(Alert.id).where(Alert.patient_id == patient.id, Alert.status != AlertStatus.RESOLVED)
    return patient.open_course is not None or session.scalar(waiting.limit(1)) is not None


def erase(session: Session, patient: Patient, reason: ErasureReason, by: Person | None, at: datetime) -> None:
    """Erase the patient and whoever cares for them, in one transaction. `by` None: the command line. Raises
    StillNeeded."""
    with writing(session):
        patient = session.get_one(Patient, patient.id, with_for_update=True)
        if patient.erased_at is not None:
            return
        if is_needed(session, patient):
            raise StillNeeded
        name, patient.erasing_since = patient.name, at
        session.flush()  # from here to the end of the transaction the database lets it be rewritten
        for account in patient.accounts:
            _erase_account(session, account, at)
        _erase_said(session, patient)
        for table, column in _WRITTEN:
            for row in session.scalars(queries(patient.id)[table]).unique():
                if getattr(row, column):
                    setattr(row, column, ERASED)
        _erase_from_handovers(session, patient, name)
        patient.name, patient.born_on = ERASED, None
        patient.phone = patient.town = patient.hospital = ""
        session.flush()
        patient.erasing_since, patient.erased_at = None, at
        audit.record(session, "patient_erased", by=by, patient=patient, subject=reason, at=at)


def _erase_account(session: Session, account: Person, at: datetime) -> None:
    invitations.close(session, account, at)
    session.execute(delete(DailyReminder).where(DailyReminder.person_id == account.id))
    session.expire(account, ["daily_reminder"])
    account.active = False
    account.name, account.phone, account.mail = ERASED, "", ""
    account.sign_in_name = f"{ERASED} {account.id}"  # brackets and blanks: nobody can be given this name


def _erase_said(session: Session, patient: Patient) -> None:
    """What the patient, and whoever reported for them, typed."""
    reported: tuple[type[ReportRecord] | type[Rejudgment], ...] = (ReportRecord, Rejudgment)
    for table in reported:
        for row in session.scalars(queries(patient.id)[table]).unique():
            data = json.loads(row.data)
            if any(typed in data for typed in _TYPED):
                left = {key: value for key, value in data.items() if key not in _TYPED}
                session.execute(
                    update(table)
                    .where(table.id == row.id)
                    .values(data=json.dumps(left, ensure_ascii=False, sort_keys=True))
                    .execution_options(synchronize_session=False)
                )
                session.expire(row)
    session.execute(
        update(ThinkingBaseline)
        .where(ThinkingBaseline.patient_id == patient.id)
        .values(steps={}, answers={})
        .execution_options(synchronize_session=False)
    )
    drafts = queries(patient.id)[ReportDraft].with_only_columns(ReportDraft.person_id)
    session.execute(
        delete(ReportDraft).where(ReportDraft.person_id.in_(drafts)).execution_options(synchronize_session=False)
    )


def _erase_from_handovers(session: Session, patient: Patient, name: str) -> None:
    """The patient's part of what was handed over, and the whole name wherever somebody wrote it."""
    since = (Handover.ended_at.is_(None)) | (Handover.ended_at >= patient.enrolled_at)
    for handover in session.scalars(select(Handover).where(since)):
        if handover.page is not None:
            page = _without(handover.page, str(patient.id), name)
            if page != handover.page:
                handover.page = page
    for note in session.scalars(select(HandoverNote).where(HandoverNote.written_at >= patient.enrolled_at)):
        if name in note.text:
            note.text = note.text.replace(name, ERASED)
    for cover in session.scalars(select(Cover).where(Cover.begun_at >= patient.enrolled_at)):
        if name in cover.reason:
            cover.reason = cover.reason.replace(name, ERASED)


def _without(value: Any, patient_id: str, name: str, mine: bool = False) -> Any:
    """A part of a page without what tells of the patient: its lists stay, with nothing in them."""
    if isinstance(value, dict):
        mine = mine or value.get("patient_id") == patient_id
        return {
            key: part if key == "urgency" or key.endswith("_id") else _without(part, patient_id, name, mine)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [] if mine else [_without(part, patient_id, name) for part in value]
    if isinstance(value, str):
        return ERASED if mine and value else value.replace(name, ERASED)
    return value

"""All rows about one patient: what is exported, and what has to be looked at when somebody is erased."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from triage.accounts import audit
from triage.database import Model, writing
from triage.models import (
    Admission,
    Alert,
    AlertFinding,
    AlertNote,
    AlertOpinion,
    AssessmentRecord,
    AuditEntry,
    CallBack,
    Consent,
    Course,
    CourseChange,
    DailyReminder,
    Delivery,
    DoseEvent,
    Invitation,
    MonitoringEnd,
    OwedReminder,
    Passkey,
    Patient,
    Person,
    Rejudgment,
    ReportDraft,
    ReportRecord,
    RuleMute,
    SignIn,
    ThinkingBaseline,
)
from triage.rules.urgency import Urgency

FORM, VERSION = "triage-helper-patient", 1
SECRET = ("password_hash", "session_key", "sign_in_mark", "code_hash", "token", "key", "credential_id", "public_key")
"""Columns that let somebody in, or tell nobody anything."""


class ExportReason(StrEnum):
    """Why a whole record is written into a file."""

    PATIENT_ASKED = "patient_asked"
    OTHER_HOSPITAL = "other_hospital"
    AUTHORITY = "authority"
    BEFORE_ERASURE = "before_erasure"


def queries(patient_id: UUID) -> Mapping[type[Model], Select[Any]]:
    """What is asked for all rows about the patient, by table."""
    people = select(Person.id).where(Person.patient_id == patient_id)
    reports = select(ReportRecord.id).where(ReportRecord.patient_id == patient_id)
    alerts = select(Alert.id).where(Alert.patient_id == patient_id)
    courses = select(Course.id).where(Course.patient_id == patient_id)
    return {
        Patient: select(Patient).where(Patient.id == patient_id),
        Person: select(Person).where(Person.patient_id == patient_id),
        DailyReminder: select(DailyReminder).where(DailyReminder.person_id.in_(people)),
        Invitation: select(Invitation).where(Invitation.person_id.in_(people)),
        Passkey: select(Passkey).where(Passkey.person_id.in_(people)),
        SignIn: select(SignIn).where(SignIn.person_id.in_(people)),
        DoseEvent: select(DoseEvent).where(DoseEvent.course_id.in_(courses)),
        ReportDraft: select(ReportDraft).where(
            or_(ReportDraft.person_id.in_(people), ReportDraft.patient_id == patient_id)
        ),
        AssessmentRecord: select(AssessmentRecord).where(AssessmentRecord.report_id.in_(reports)),
        Rejudgment: select(Rejudgment).where(Rejudgment.report_id.in_(reports)),
        AlertFinding: select(AlertFinding).where(AlertFinding.alert_id.in_(alerts)),
        AlertNote: select(AlertNote).where(AlertNote.alert_id.in_(alerts)),
        AlertOpinion: select(AlertOpinion).where(AlertOpinion.alert_id.in_(alerts)),
        CallBack: select(CallBack).where(CallBack.alert_id.in_(alerts)),
        Delivery: select(Delivery).where(or_(Delivery.alert_id.in_(alerts), Delivery.person_id.in_(people))),
    } | {table: select(table).where(table.patient_id == patient_id) for table in _NAME_THEIR_PATIENT}


_NAME_THEIR_PATIENT: Sequence[Any] = (
    Consent,
    Course,
    Admission,
    MonitoringEnd,
    CourseChange,
    ThinkingBaseline,
    ReportRecord,
    Alert,
    RuleMute,
    OwedReminder,
    AuditEntry,
)


def export(session: Session, patient: Patient, reason: ExportReason, by: Person, at: datetime) -> dict[str, Any]:
    """All that is on file, as JSON has it; times in UTC. No entry in the audit trail, no file; commits once."""
    with writing(session):
        audit.record(session, "patient_exported", by=by, patient=patient, subject=reason, at=at)
    tables = {
        table.__tablename__: [_row(one) for one in session.scalars(query).unique()]
        for table, query in queries(patient.id).items()
    }
    return {"form": FORM, "version": VERSION, "made_at": at.isoformat(), "tables": tables}


def _row(row: Model) -> dict[str, Any]:
    return {
        column.key: _value(getattr(row, column.key))
        for column in type(row).__mapper__.column_attrs
        if column.key not in SECRET
    }


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return json.loads(value) if value else None
    if isinstance(value, Urgency):
        return value.code
    if isinstance(value, UUID | StrEnum):
        return str(value)
    return value.isoformat() if isinstance(value, datetime | date) else value

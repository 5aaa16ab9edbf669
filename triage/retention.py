"""What was kept long enough, by the settings of the site: counted, or erased and deleted.

Nothing of this happens by itself, but for messages (alerts/retention.py). A patient is erased (accounts/erasing.py)
only when nobody looks after them any more: monitoring has ended, nobody has reported since, no alert waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session

from triage.accounts import audit, erasing
from triage.alerts import retention as messages
from triage.database import writing
from triage.models import (
    HEARTBEAT_PATIENT,
    Alert,
    AlertStatus,
    Course,
    Invitation,
    Patient,
    ReportDraft,
    ReportRecord,
    SignIn,
)

DAYS_OF_A_YEAR = 365.25


@dataclass(frozen=True)
class Limits:
    """For how long something is kept."""

    records: timedelta
    drafts: timedelta
    sign_ins: timedelta
    messages: timedelta


def limits(settings: Mapping[str, Any]) -> Limits:
    """What the settings say."""
    return Limits(
        records=timedelta(days=settings["RECORD_YEARS"] * DAYS_OF_A_YEAR),
        drafts=timedelta(days=settings["DRAFT_DAYS"]),
        sign_ins=timedelta(days=settings["SIGN_IN_DAYS"]),
        messages=timedelta(days=settings["DELIVERY_DAYS"]),
    )


def due(session: Session, kept: Limits, at: datetime) -> dict[str, int]:
    """How many of each kind were kept long enough. Changes nothing."""
    session.rollback()
    found = {"patients": len(_patients(session, kept, at))}
    for kind, (table, where) in _rows(kept, at).items():
        found[kind] = session.scalar(select(func.count()).select_from(table).where(where)) or 0
    return found | {"messages": messages.due(session, kept.messages, at)}


def apply(session: Session, kept: Limits, at: datetime) -> dict[str, int]:
    """Erase and delete them; how many of each kind. Each patient is a transaction, with an audit entry of its own."""
    session.rollback()
    found = dict.fromkeys(due(session, kept, at), 0)
    for patient_id in _patients(session, kept, at):
        try:
            patient = session.get_one(Patient, patient_id)
            erasing.erase(session, patient, erasing.ErasureReason.KEPT_LONG_ENOUGH, None, at)
            found["patients"] += 1
        except erasing.StillNeeded:
            continue  # since a moment ago
    with writing(session):
        for kind, (table, where) in _rows(kept, at).items():
            gone = session.execute(delete(table).where(where).execution_options(synchronize_session=False))
            found[kind] = gone.rowcount  # type: ignore[attr-defined]  # a DELETE's result has it
        audit.record(session, "retention_applied", by=None, at=at)
    found["messages"] = messages.due(session, kept.messages, at)
    while messages.sweep(session, kept.messages, at):
        pass
    return found


def _patients(session: Session, kept: Limits, at: datetime) -> Sequence[UUID]:
    """Whom nobody has looked after for so long. The last day of monitoring counts, of the latest course."""
    before = at - kept.records
    since: ColumnElement[bool] = or_(Course.ended_on.is_(None), Course.ended_on >= before.date())
    query: Select[UUID] = select(Patient.id).where(
        Patient.id != HEARTBEAT_PATIENT,
        Patient.erased_at.is_(None),
        Patient.enrolled_at < before,
        ~Patient.courses.any(since),
        ~select(ReportRecord.id)
        .where(ReportRecord.patient_id == Patient.id, ReportRecord.reported_at >= before)
        .exists(),
        ~select(Alert.id).where(Alert.patient_id == Patient.id, Alert.status != AlertStatus.RESOLVED).exists(),
    )
    return session.scalars(query.order_by(Patient.enrolled_at, Patient.id)).all()


def _rows(kept: Limits, at: datetime) -> Mapping[str, tuple[type[Any], ColumnElement[bool]]]:
    """What is deleted, by kind."""
    before = at - kept.sign_ins
    return {
        "drafts": (ReportDraft, ReportDraft.updated_at < at - kept.drafts),
        "sign-ins": (SignIn, or_(SignIn.ended_at < before, SignIn.ends_at < before)),
        "invitations": (
            Invitation,
            or_(Invitation.used_at < before, Invitation.taken_back_at < before, Invitation.expires_at < before),
        ),
    }

"""The only way to write an audit entry. No audit entry, no action: it commits with what it tells of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from triage.models import HEARTBEAT_PATIENT, AuditEntry, Patient, Person


def record(
    session: Session,
    action: str,
    *,
    by: Person | None,
    patient: Patient | None = None,
    subject: str = "",
    at: datetime,
) -> None:
    """Add who did what, when. `action` is a constant name, `subject` the id of a row; neither holds health data.

    Adds, never commits: the caller's transaction carries it.
    """
    session.add(
        AuditEntry(
            at=at,
            action=action,
            person_id=by.id if by else None,
            patient_id=patient.id if patient else None,
            subject=subject,
        )
    )


def forget_the_heartbeat(session: Session, subjects: Sequence[str]) -> None:
    """Delete entries about these rows of the made-up patient, which are deleted too. The database refuses it for any
    other entry. Adds to the caller's transaction, never commits."""
    session.execute(
        delete(AuditEntry)
        .where(AuditEntry.patient_id == HEARTBEAT_PATIENT, AuditEntry.subject.in_(subjects))
        .execution_options(synchronize_session=False)
    )

"""The only way to write an audit entry. No audit entry, no action: it commits with what it tells of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from triage.models import AuditEntry, Patient, Person


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

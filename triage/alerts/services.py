"""What may happen to an alert. Nothing but `resolve` ends one; nothing lowers its urgency.

1. A finding (a report that is not routine, or silence) opens an alert: it is open and its clock runs.
2. Further findings of the patient join it while it is unresolved: there is never a second one.
3. A nurse acknowledges it: open → acknowledged. It stays in everybody's view.
4. A finding that is urgent, or more urgent than all before it, opens it again: acknowledged → open.
5. An acknowledgement after which nothing is written in time, or that is given back, ends: acknowledged → open, waiting
   as long as it has (`work`).
6. A nurse writes down what was done: acknowledged → resolved. Never without having seen every finding, and never
   while a call-back is promised. A slip is taken back: resolved → open (`work`).
7. A finding after that opens a new alert.

Each step locks the patient's row first and the alert's second, always in this order: a report and a nurse that meet
wait for each other, where two orders would be a deadlock, and PostgreSQL would throw the report away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from triage.accounts import audit
from triage.alerts import escalation, mutes, response
from triage.database import writing
from triage.models import (
    Alert,
    AlertFinding,
    AlertKind,
    AlertOpinion,
    AlertStatus,
    CallBack,
    Disposition,
    Patient,
    Person,
)
from triage.rules.assessment import Assessment
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions

LEAST_NOTE = 10
"""Characters of a note where one is asked for."""
MOST_NOTE = 4_000
"""Characters that a form takes."""


@dataclass
class AlreadyDone(Exception):
    """Somebody else was quicker. `status` is what the alert is now."""

    status: AlertStatus
    by_name: str
    at: datetime
    by_id: UUID | None = None


class NotSeen(Exception):
    """The alert has findings that came after the page was made on which somebody decided."""


class NotAcknowledged(Exception):
    """An alert is acknowledged before it is resolved, so that it is known who looked."""


class NoteMissing(ValueError):
    """What was done about an emergency or urgent alert, or why nothing was, has to be written down."""


class CallBackPromised(Exception):
    """An alert with a promised call-back is not resolved: the promise would leave the queue with it."""


def add_finding(
    session: Session,
    ruleset: Ruleset,
    patient: Patient,
    assessment: Assessment,
    kind: AlertKind,
    report_id: UUID | None,
    at: datetime,
    *,
    rejudgment_id: UUID | None = None,
) -> Alert | None:
    """Open an alert for the finding, or let it join the patient's unresolved one. None for a routine assessment, and
    for a report whose every reason is muted for the patient while no alert is open.

    1. The patient's row is locked, so that two reports at once meet the same alert.
    2. No unresolved alert: one is opened, to be answered within the limit of its urgency.
    3. An unresolved one: its urgency becomes the higher of both, its limit the earlier of both.
    4. An acknowledged one is open again when the finding is urgent or an emergency, or raises the urgency: what
       was acknowledged was something else.

    Adds, never commits: it stands or falls with the report.
    """
    if assessment.urgency is Urgency.ROUTINE:
        return None
    _lock_patient(session, patient.id)
    versions.keep(session, ruleset, at)
    limit = response.answer_by(ruleset, assessment.urgency, at)
    alert = unresolved(session, patient.id)
    if alert is None and kind == AlertKind.REPORT and mutes.hold_back(session, patient, assessment, at):
        audit.record(session, mutes.MUTED, by=None, patient=patient, subject=str(report_id), at=at)
        return None
    if alert is None:
        alert = Alert(
            patient_id=patient.id,
            care_team_id=patient.care_team_id,
            urgency=assessment.urgency,
            status=AlertStatus.OPEN,
            opened_at=at,
            waiting_since=at,
            answer_by=limit,
        )
        session.add(alert)
        session.flush()
        escalation.begin(session, ruleset, alert, at)
        audit.record(session, "alert_opened", by=None, patient=patient, subject=str(alert.id), at=at)
    else:
        join(session, ruleset, alert, assessment.urgency, patient, at)
    session.add(
        AlertFinding(
            alert_id=alert.id,
            kind=kind,
            urgency=assessment.urgency,
            found_at=at,
            report_id=report_id,
            rejudgment_id=rejudgment_id,
            ruleset_hash=assessment.ruleset,
            body=assessment.to_bytes(),
        )
    )
    return alert


def join(session: Session, ruleset: Ruleset, alert: Alert, urgency: Urgency, patient: Patient, at: datetime) -> None:
    """Let findings of that urgency join an unresolved alert: it may rise and open again. Adds, never commits."""
    raised, reopened = urgency > alert.urgency, alert.status == AlertStatus.ACKNOWLEDGED
    if reopened:
        if not raised and urgency < Urgency.URGENT:
            return
        alert.status = AlertStatus.OPEN
        alert.acknowledged_at = alert.acknowledged_by_id = alert.taken_at = alert.taken_by_id = None
        alert.open_because = None
        # An emergency stays one: a later urgent report is answered within the limit of the emergency.
        alert.waiting_since, alert.answer_by = at, response.answer_by(ruleset, max(urgency, alert.urgency), at)
        audit.record(session, "alert_reopened", by=None, patient=patient, subject=str(alert.id), at=at)
    else:
        alert.answer_by = min(alert.answer_by, response.answer_by(ruleset, urgency, at))
    if raised:
        alert.urgency = urgency
        audit.record(session, "alert_raised", by=None, patient=patient, subject=str(alert.id), at=at)
    if reopened:
        escalation.begin(session, ruleset, alert, at)
    elif raised:
        escalation.rise(session, ruleset, alert, at)


def unresolved(session: Session, patient_id: UUID) -> Alert | None:
    """The patient's alert that waits for somebody; there is at most one."""
    return session.scalar(
        select(Alert).where(Alert.patient_id == patient_id, Alert.status != AlertStatus.RESOLVED).with_for_update()
    )


def acknowledge(session: Session, alert: Alert, by: Person, at: datetime, *, seen: int | None = None) -> None:
    """Somebody takes it: open → acknowledged.

    `seen` is the number of findings that they were shown, None where nothing was shown. Raises AlreadyDone when it is
    not open any more, and NotSeen when a finding came meanwhile.
    """
    with writing(session):
        lock(session, alert)
        if alert.status == AlertStatus.OPEN:
            _require_seen(session, alert, seen)
        _move(
            session,
            alert,
            AlertStatus.OPEN,
            {
                "status": AlertStatus.ACKNOWLEDGED,
                "acknowledged_at": at,
                "acknowledged_by_id": by.id,
                "taken_at": at,
                "taken_by_id": by.id,
                "open_because": None,
            },
        )
        escalation.stop(session, alert, at)
        audit.record(session, "alert_acknowledged", by=by, patient=alert.patient, subject=str(alert.id), at=at)


def resolve(
    session: Session,
    alert: Alert,
    by: Person,
    disposition: Disposition,
    note: str,
    at: datetime,
    *,
    seen: int | None = None,
    useful: bool | None = None,
    why: str = "",
) -> None:
    """What was done is written down: acknowledged → resolved; also whether it was `useful`, where somebody says so.

    Raises AlreadyDone when it is resolved already, NotSeen when a finding came after the `seen` ones, NotAcknowledged
    for an open alert, CallBackPromised, and NoteMissing.
    """
    note = note.strip()
    with writing(session):
        lock(session, alert)
        refuse_resolved(alert)
        _require_seen(session, alert, seen)
        if alert.status == AlertStatus.OPEN:
            raise NotAcknowledged
        if _promises(session, alert):
            raise CallBackPromised
        if note_needed(alert, disposition) and len(note) < LEAST_NOTE:
            raise NoteMissing
        _move(
            session,
            alert,
            AlertStatus.ACKNOWLEDGED,
            {
                "status": AlertStatus.RESOLVED,
                "resolved_at": at,
                "resolved_by_id": by.id,
                "disposition": disposition,
                "note": note,
            },
        )
        escalation.stop(session, alert, at)
        audit.record(session, "alert_resolved", by=by, patient=alert.patient, subject=str(alert.id), at=at)
        if useful is not None:
            add_opinion(session, alert, by, useful, why, at)


def add_opinion(session: Session, alert: Alert, by: Person, useful: bool, why: str, at: datetime) -> None:
    """Somebody says whether the alert was useful; the latest who says so counts. Adds, never commits."""
    opinion = AlertOpinion(alert_id=alert.id, useful=useful, why=why.strip(), said_at=at, said_by_id=by.id)
    session.add(opinion)
    audit.record(session, "alert_usefulness_said", by=by, patient=alert.patient, subject=str(alert.id), at=at)


def refuse_resolved(alert: Alert) -> None:
    """Raises AlreadyDone when somebody has resolved it."""
    if alert.is_resolved:
        raise _already(alert)


def _lock_patient(session: Session, patient_id: UUID) -> None:
    session.execute(select(Patient.id).where(Patient.id == patient_id).with_for_update())


def lock(session: Session, alert: Alert) -> None:
    """Nobody else changes the alert or adds a finding until this transaction ends."""
    _lock_patient(session, alert.patient_id)
    session.refresh(alert, with_for_update=True)


def _require_seen(session: Session, alert: Alert, seen: int | None) -> None:
    found = session.scalar(select(func.count()).where(AlertFinding.alert_id == alert.id))
    if seen is not None and (found or 0) > seen:
        raise NotSeen


def _promises(session: Session, alert: Alert) -> int:
    """How many call-backs are still to be made."""
    query = select(func.count()).where(CallBack.alert_id == alert.id, CallBack.end_kind.is_(None))
    return session.scalar(query) or 0


def note_needed(alert: Alert, disposition: Disposition | None) -> bool:
    """Whether the disposition alone does not tell enough."""
    return alert.urgency >= Urgency.URGENT or disposition == Disposition.NO_ACTION


def _move(session: Session, alert: Alert, before: AlertStatus, values: dict[str, Any]) -> None:
    """Change the alert if it still is as it was: of two people exactly one changes a row."""
    changed = cast(
        "CursorResult[Any]",
        session.execute(
            update(Alert)
            .where(Alert.id == alert.id, Alert.status == before)
            .values(values)
            .execution_options(synchronize_session=False)
        ),
    )
    session.refresh(alert)
    if changed.rowcount != 1:
        raise _already(alert)


def _already(alert: Alert) -> AlreadyDone:
    if alert.is_resolved and alert.resolved_by and alert.resolved_at:
        return AlreadyDone(AlertStatus.RESOLVED, alert.resolved_by.name, alert.resolved_at, alert.resolved_by_id)
    if alert.acknowledged_by and alert.acknowledged_at:
        by_id = alert.acknowledged_by_id
        return AlreadyDone(AlertStatus.ACKNOWLEDGED, alert.acknowledged_by.name, alert.acknowledged_at, by_id)
    return AlreadyDone(AlertStatus(alert.status), "a new report", alert.waiting_since)

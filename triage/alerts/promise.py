"""What can truly be said of an alert: who was told of it, who is on duty, when the next step comes.

"A nurse has been told" is a promise, and the patient relies on it. So it is said only of a message about this alert
that a channel took, sent after what the patient reported, while somebody is on duty and messages go out. Everything
else is answered with a number to call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from triage.alerts import pulse, rota
from triage.models import (
    Alert,
    AlertFinding,
    AlertStatus,
    CallBackEnd,
    CallOutcome,
    CareTeam,
    Delivery,
    Duty,
    MessageKind,
    OwedStep,
    Person,
    Role,
)

NURSE, STAFF = "nurse", "staff"


@dataclass(frozen=True)
class Cover:
    """What stands behind an alert at one moment."""

    told_at: datetime | None
    """When a channel first took a message about it, to staff, after the report in question; None: none did."""
    told: str
    """NURSE or STAFF (a room or service of all staff, or somebody else of them): whom that message was for."""
    taken_at: datetime | None
    """When the nurse who looks after it took it; None while nobody does, and once it is resolved."""
    on_duty: tuple[str, ...]
    """Names of who is on call now."""
    on_duty_until: datetime | None
    """Until when somebody is, as the rota stands; None where nobody is."""
    next_step_at: datetime | None
    """When the next people are told, unless somebody acknowledges before; None when no step is owed."""
    since: datetime
    """When the report in question came."""
    answer_by: datetime
    """When somebody should have acknowledged the alert: its escalation clock."""
    resolved_at: datetime | None
    """When a person closed the alert; None while it is open."""
    late_since: datetime | None
    """Since when messages may not be going out; None while they do."""

    @property
    def holds(self) -> bool:
        """Whether "has been told" may be said."""
        return self.told_at is not None and bool(self.on_duty) and self.late_since is None

    @property
    def somebody_looks(self) -> bool:
        """Whether "somebody looks at it" may be said: a nurse has taken it and not yet resolved it."""
        return self.taken_at is not None

    @property
    def taken_before(self) -> bool:
        """Whether it was taken for an earlier report: nobody has said yet that they saw this one."""
        return self.taken_at is not None and self.taken_at < self.since

    @property
    def call_by(self) -> datetime:
        """Until when waiting for a call is covered: by the escalation clock, and by the rota while it names somebody.
        After it whoever waits has to ring."""
        return min(self.answer_by, self.on_duty_until) if self.on_duty_until else self.answer_by


@dataclass(frozen=True)
class Done:
    """One thing that a person did about an alert after the report: what (a constant name), and when."""

    what: str
    at: datetime


TAKEN, CALLED, NO_ANSWER, LEFT_MESSAGE = "taken", "called", "no_answer", "left_message"
PLANNED, PLANNED_CALL_MADE, CLOSED = "planned", "planned_call_made", "closed"
_CALLS = {
    CallOutcome.REACHED: CALLED,
    CallOutcome.NO_ANSWER: NO_ANSWER,
    CallOutcome.LEFT_MESSAGE: LEFT_MESSAGE,
}


def done(session: Session, report_id: object) -> tuple[Done, ...]:
    """What people did about a report, as they wrote it down, the earliest first. PLANNED stands at the time for which
    the call is planned."""
    found = _alert_of(session, report_id)
    return () if found is None else done_about(*found)


def done_about(alert: Alert, since: datetime) -> tuple[Done, ...]:
    """What people did about an alert from `since` on."""
    happened = [
        Done(_CALLS[CallOutcome(note.call_outcome)], note.written_at) for note in alert.notes if note.call_outcome
    ]
    if alert.taken_at is not None and alert.status != AlertStatus.OPEN:
        happened.append(Done(TAKEN, alert.taken_at))
    for call_back in alert.call_backs:
        if call_back.is_promised:
            happened.append(Done(PLANNED, call_back.due_at))
        elif call_back.end_kind == CallBackEnd.DONE and call_back.ended_at:
            happened.append(Done(PLANNED_CALL_MADE, call_back.ended_at))
    if alert.resolved_at is not None and alert.status == AlertStatus.RESOLVED:
        happened.append(Done(CLOSED, alert.resolved_at))
    return tuple(sorted((one for one in happened if one.at >= since), key=lambda one: one.at))


def _alert_of(session: Session, report_id: object) -> tuple[Alert, datetime] | None:
    """The alert that a report opened or joined, and when."""
    row = session.execute(
        select(Alert, AlertFinding.found_at)
        .join(AlertFinding, AlertFinding.alert_id == Alert.id)
        .where(AlertFinding.report_id == report_id)
    ).first()
    return None if row is None else (row[0], row[1])


def cover(session: Session, alert: Alert, since: datetime, at: datetime) -> Cover:
    """What stands behind the alert at that moment, for whoever reported at `since`."""
    team = session.get_one(CareTeam, alert.care_team_id)
    told_at, told = _told(session, alert, since)
    on_duty = rota.on_call(session, team, at)
    return Cover(
        told_at=told_at,
        told=told,
        taken_at=alert.taken_at if alert.status == AlertStatus.ACKNOWLEDGED else None,
        on_duty=tuple(person.name for person in on_duty),
        on_duty_until=_until(session, team, at) if on_duty else None,
        next_step_at=_next_step(session, alert),
        since=since,
        answer_by=alert.answer_by,
        resolved_at=alert.resolved_at if alert.status == AlertStatus.RESOLVED else None,
        late_since=pulse.late_since(session, at),
    )


def of_report(session: Session, report_id: object, at: datetime) -> Cover | None:
    """The cover of the alert that a report opened or joined; None where it did neither."""
    found = _alert_of(session, report_id)
    return None if found is None else cover(session, *found, at)


def _told(session: Session, alert: Alert, since: datetime) -> tuple[datetime | None, str]:
    """The first message that a channel took. A nurse by name is worth more than a room that may be empty."""
    query = (
        select(Delivery.delivered_at, Person.role)
        .outerjoin(Person, Person.id == Delivery.person_id)
        .where(
            Delivery.alert_id == alert.id,
            Delivery.kind == MessageKind.ALERT,
            Delivery.delivered_at >= since,
            or_(Delivery.person_id.is_(None), Person.role.not_in((Role.PATIENT, Role.CAREGIVER))),
        )
        .order_by(Delivery.delivered_at)
    )
    rows = session.execute(query).all()
    nurses = [moment for moment, role in rows if role == Role.NURSE]
    if nurses:
        return nurses[0], NURSE
    return (rows[0][0], STAFF) if rows else (None, "")


def _until(session: Session, team: CareTeam, at: datetime) -> datetime:
    """The end of the duties that follow one another from now on without a gap."""
    until = at
    duties = (
        select(Duty.begins_at, Duty.ends_at)
        .join(Duty.person)
        .where(Duty.care_team_id == team.id, Duty.removed_at.is_(None), Duty.ends_at > at, Person.active)
    )
    for begins, ends in session.execute(duties.order_by(Duty.begins_at)).all():
        if begins > until:
            break
        until = max(until, ends)
    return until


def _next_step(session: Session, alert: Alert) -> datetime | None:
    return session.scalar(
        select(func.min(OwedStep.due_at)).where(
            OwedStep.alert_id == alert.id, OwedStep.done_at.is_(None), OwedStep.cancelled_at.is_(None)
        )
    )

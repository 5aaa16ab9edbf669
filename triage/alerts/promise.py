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
        late_since=pulse.late_since(session, at),
    )


def of_report(session: Session, report_id: object, at: datetime) -> Cover | None:
    """The cover of the alert that a report opened or joined; None where it did neither."""
    found = session.execute(
        select(Alert, AlertFinding.found_at)
        .join(AlertFinding, AlertFinding.alert_id == Alert.id)
        .where(AlertFinding.report_id == report_id)
    ).first()
    return None if found is None else cover(session, found[0], found[1], at)


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

"""Who is on call: added, swapped, taken out, each with its audit entry. And where staff are reached."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from triage.accounts import audit
from triage.database import writing
from triage.models import CareTeam, Delivery, Duty, Person, Role, by_name

SHOWN_AHEAD = timedelta(days=60)
DELIVERIES_SHOWN = 20


def on_call(session: Session, team: CareTeam, at: datetime) -> Sequence[Person]:
    """Who is on call at that moment; one person once, however many duties overlap."""
    query = select(Person).where(
        Person.active,
        Person.care_team_id == team.id,
        Person.id.in_(
            select(Duty.person_id).where(
                Duty.care_team_id == team.id, Duty.removed_at.is_(None), Duty.begins_at <= at, Duty.ends_at > at
            )
        ),
    )
    return by_name(session.scalars(query))


def coming(session: Session, team: CareTeam, at: datetime) -> Sequence[Duty]:
    """The duties that run or are to come, in their order."""
    query = (
        select(Duty)
        .where(
            Duty.care_team_id == team.id,
            Duty.removed_at.is_(None),
            Duty.ends_at > at,
            Duty.begins_at < at + SHOWN_AHEAD,
        )
        .options(joinedload(Duty.person))
        .order_by(Duty.begins_at, Duty.id)
    )
    return session.scalars(query).all()


def nurses(session: Session, team: CareTeam) -> Sequence[Person]:
    """Who can be on call: those who can answer an alert."""
    return [person for person in staff(session, team) if person.role == Role.NURSE]


def staff(session: Session, team: CareTeam) -> Sequence[Person]:
    """All staff of the team who can be told of alerts."""
    query = select(Person).where(Person.care_team_id == team.id, Person.active, Person.role != Role.AUDITOR)
    return by_name(session.scalars(query))


def latest_deliveries(session: Session, team: CareTeam) -> Sequence[Delivery]:
    """The latest messages owed to the team, the newest first."""
    query = (
        select(Delivery)
        .where(Delivery.care_team_id == team.id)
        .options(joinedload(Delivery.person))
        .order_by(Delivery.due_at.desc(), Delivery.key)
        .limit(DELIVERIES_SHOWN)
    )
    return session.scalars(query).all()


def add(
    session: Session, team: CareTeam, person: Person, begins_at: datetime, ends_at: datetime, by: Person, at: datetime
) -> Duty:
    """Put somebody on the rota."""
    with writing(session):
        duty = _new(session, team.id, person, begins_at, ends_at, by)
        audit.record(session, "duty_added", by=by, subject=str(duty.id), at=at)
    return duty


def swap(session: Session, duty: Duty, person: Person, by: Person, at: datetime) -> Duty:
    """Somebody else takes over: the whole duty, or what is left of one that has begun."""
    with writing(session):
        session.refresh(duty, with_for_update={"of": Duty})
        new = _new(session, duty.care_team_id, person, max(duty.begins_at, at), duty.ends_at, by)
        _end(duty, at)
        audit.record(session, "duty_swapped", by=by, subject=str(new.id), at=at)
    return new


def remove(session: Session, duty: Duty, by: Person, at: datetime) -> None:
    """Take a duty off the rota; one that has begun ends now."""
    with writing(session):
        session.refresh(duty, with_for_update={"of": Duty})
        _end(duty, at)
        audit.record(session, "duty_removed", by=by, subject=str(duty.id), at=at)


def set_contact(session: Session, person: Person, mail: str, phone: str, by: Person, at: datetime) -> None:
    """Where somebody of the staff is reached; empty: not by this."""
    with writing(session):
        person.mail, person.phone = mail, phone
        audit.record(session, "contact_changed", by=by, subject=str(person.id), at=at)


def _new(session: Session, team_id: object, person: Person, begins_at: datetime, ends_at: datetime, by: Person) -> Duty:
    duty = Duty(care_team_id=team_id, person_id=person.id, begins_at=begins_at, ends_at=ends_at, entered_by_id=by.id)
    session.add(duty)
    session.flush()
    return duty


def _end(duty: Duty, at: datetime) -> None:
    if duty.begins_at < at < duty.ends_at:
        duty.ends_at = at  # what was, stays
    else:
        duty.removed_at = at

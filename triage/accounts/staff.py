"""Staff of a team, and what changes about people: names, team, leaving. Each function is one transaction."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from triage.accounts import audit, invitations
from triage.accounts.services import Account, NameTaken, add_person, new_person
from triage.database import writing
from triage.models import HEARTBEAT_TEAM, Alert, AlertStatus, CareTeam, Patient, Person, Role, by_name

STAFF = tuple(role for role in Role if role not in (Role.PATIENT, Role.CAREGIVER))


class LastAdministrator(Exception):
    """Nobody would be left who can invite people. Nothing was saved."""


class AlertWaits(Exception):
    """The patient has an alert that nobody has resolved. Nothing was saved."""


def of_team(session: Session, team: CareTeam) -> list[Person]:
    """Everybody who works in the team, also those who have left, by name."""
    query = select(Person).where(Person.care_team_id == team.id).options(selectinload(Person.invitations))
    return sorted(by_name(session.scalars(query)), key=lambda one: not one.active)


def invite(session: Session, team: CareTeam, account: Account, by: Person | None, at: datetime) -> invitations.Issued:
    """An account for somebody of the staff, with an invitation. Raises NameTaken."""
    person = new_person(account)
    person.care_team_id = team.id
    try:
        with writing(session):
            add_person(session, person)
            audit.record(session, "staff_invited", by=by, subject=str(person.id), at=at)
            issued = invitations.add(session, person, by, at)
    except IntegrityError as error:
        raise NameTaken from error
    return issued


def rename(session: Session, person: Person, name: str, by: Person, at: datetime) -> None:
    """Another name on pages and in the record; the name to sign in with stays."""
    with writing(session):
        person.name = name
        audit.record(session, "name_changed", by=by, patient=person.patient, subject=str(person.id), at=at)


def leave(session: Session, person: Person, by: Person, at: datetime) -> None:
    """Somebody of the staff has left: signed out everywhere, and no way back in. What they wrote stays under their
    name. Raises LastAdministrator."""
    with writing(session):
        session.get(CareTeam, person.care_team_id, with_for_update=True)  # two could else see each other off at once
        if person.role == Role.ADMINISTRATOR and _administrators(session, person) == 0:
            raise LastAdministrator
        person.active = False
        invitations.close(session, person, at)
        audit.record(session, "staff_left", by=by, subject=str(person.id), at=at)


def come_back(session: Session, person: Person, by: Person, at: datetime) -> invitations.Issued:
    """Somebody who had left is back, and begins with an invitation."""
    with writing(session):
        person.active = True
        audit.record(session, "staff_came_back", by=by, subject=str(person.id), at=at)
        issued = invitations.add(session, person, by, at)
    return issued


def change_patient(
    session: Session, patient: Patient, name: str, born_on: date | None, phone: str, by: Person, at: datetime
) -> None:
    """What is on file of a patient; the patient's account bears the same name."""
    with writing(session):
        patient.name, patient.born_on, patient.phone = name, born_on, phone
        for person in patient.people:
            if person.role == Role.PATIENT:
                person.name = name
        audit.record(session, "patient_changed", by=by, patient=patient, at=at)


def teams(session: Session, but: CareTeam) -> list[CareTeam]:
    """The other teams of the site that look after people, by name."""
    query = select(CareTeam).where(CareTeam.id.not_in((but.id, HEARTBEAT_TEAM))).order_by(CareTeam.name)
    return list(session.scalars(query))


def move_patient(session: Session, patient: Patient, team: CareTeam, by: Person, at: datetime) -> None:
    """Another team looks after the patient from now on. Raises AlertWaits: whoever has taken an alert would lose sight
    of it, so the team that has it answers it first."""
    with writing(session):
        session.get(Patient, patient.id, with_for_update=True)
        waits = select(Alert.id).where(Alert.patient_id == patient.id, Alert.status != AlertStatus.RESOLVED).limit(1)
        if session.scalar(waits):
            raise AlertWaits
        patient.care_team_id = team.id
        audit.record(session, "patient_moved", by=by, patient=patient, subject=str(team.id), at=at)


def _administrators(session: Session, but: Person) -> int:
    query = select(func.count()).where(
        Person.care_team_id == but.care_team_id,
        Person.role == Role.ADMINISTRATOR,
        Person.active,
        Person.id != but.id,
    )
    return session.scalar(query) or 0

"""Signing in, enrolling, giving access, dose events: each function is one transaction with its audit entry."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Final

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from triage.accounts import audit, passwords, sessions
from triage.database import writing
from triage.models import AuditEntry, CareTeam, ChannelState, Course, DoseEvent, DoseKind, Patient, Person, Role

DEMO_PASSWORD: Final = "synthetic-demo-only"  # noqa: S105 (published on purpose, refused outside a demonstration)
MOST_FAILURES = 10
FAILURES_COUNT_FOR = timedelta(minutes=15)


class Refused(Enum):
    """Why somebody was not signed in."""

    UNKNOWN = "unknown name or wrong passphrase"
    TOO_MANY = "too many failures"
    DEMO_PASSWORD = "the demo password on a real server"  # noqa: S105 (a reason, not a password)


class SignInRefused(Exception):
    """Nobody was signed in; `why` says the reason."""

    def __init__(self, why: Refused) -> None:
        super().__init__(why.value)
        self.why = why


class NameTaken(Exception):
    """Somebody has that sign-in name already. Nothing was saved."""


@dataclass(frozen=True)
class Enrolment:
    """What an administrator knows of a new patient. Dates are days in the care team's time zone; None is "not known",
    for `on_steroids_since` "not on steroids". An empty sign-in name: no account yet."""

    name: str
    born_on: date | None
    phone: str
    therapy: str | None
    product: str
    started_on: date | None
    on_steroids_since: date | None
    sign_in_name: str
    mail: str = ""
    mobile: str = ""
    """Where the account is reminded of a missing report."""
    town: str = ""
    hospital: str = ""
    """Right answers of the thinking check; several are divided by commas."""


@dataclass(frozen=True)
class Account:
    """Whom an account is for."""

    name: str
    sign_in_name: str
    role: Role
    phone: str = ""
    mail: str = ""


@dataclass(frozen=True)
class Access:
    """A new account with its passphrase, which is shown once and stored nowhere."""

    person: Person
    passphrase: str


def sign_in(session: Session, name: str, password: str, at: datetime) -> Person:
    """The person with that sign-in name and password. Raises SignInRefused.

    A known and an unknown name take the same time and get the same answer. Failures are counted by name, so that a
    password cannot be guessed by trying; they are forgotten after a quarter of an hour.
    """
    name = name.strip().lower()
    sought = mark(name)
    if _failures(session, sought, at) >= MOST_FAILURES:
        raise SignInRefused(Refused.TOO_MANY)
    if password == DEMO_PASSWORD and not current_app.config["LOCAL"]:
        with writing(session):
            audit.record(session, "sign_in_failed", by=None, subject=sought, at=at)
        raise SignInRefused(Refused.DEMO_PASSWORD)
    found = session.scalar(select(Person).where(Person.sign_in_name == name, sessions.not_closed()))
    right = passwords.matches(found.password_hash if found else None, password)
    if found is None or not right or not found.active:
        with writing(session):
            audit.record(session, "sign_in_failed", by=None, subject=sought, at=at)
        raise SignInRefused(Refused.UNKNOWN)
    with writing(session):
        audit.record(session, "signed_in", by=found, at=at)
    return found


def sign_out(session: Session, person: Person, at: datetime) -> None:
    """Note that the person signed out."""
    with writing(session):
        audit.record(session, "signed_out", by=person, at=at)


def enrol(
    session: Session, team: CareTeam, enrolment: Enrolment, by: Person, at: datetime
) -> tuple[Patient, Access | None]:
    """A new patient with a course and, if a sign-in name is given, an account. Raises NameTaken."""
    account = Account(enrolment.name, enrolment.sign_in_name, Role.PATIENT, enrolment.mobile, enrolment.mail)
    access = _new_access(account) if enrolment.sign_in_name else None
    try:
        with writing(session):
            patient = Patient(
                name=enrolment.name,
                born_on=enrolment.born_on,
                phone=enrolment.phone,
                town=enrolment.town,
                hospital=enrolment.hospital,
                care_team=team,
                enrolled_at=at,
            )
            course = Course(
                patient=patient,
                therapy=enrolment.therapy,
                product=enrolment.product,
                started_on=enrolment.started_on,
                on_steroids_since=enrolment.on_steroids_since,
            )
            if enrolment.started_on:
                course.dose_events.append(DoseEvent(given_on=enrolment.started_on, kind=DoseKind.INFUSION))
            session.add(patient)
            session.flush()
            audit.record(session, "patient_enrolled", by=by, patient=patient, subject=str(course.id), at=at)
            if access:
                _add_account(session, access, patient, by, at)
    except IntegrityError as error:
        raise NameTaken from error
    return patient, access


def give_access(session: Session, patient: Patient, account: Account, by: Person, at: datetime) -> Access:
    """An account for the patient or for somebody who cares for them. Raises NameTaken."""
    access = _new_access(account)
    try:
        with writing(session):
            _add_account(session, access, patient, by, at)
    except IntegrityError as error:
        raise NameTaken from error
    return access


def renew_access(session: Session, person: Person, by: Person, at: datetime) -> Access:
    """A new passphrase for an account; the old one stops working and every device is signed out."""
    access = Access(person, passwords.passphrase())
    password_hash = passwords.hash_password(access.passphrase)
    with writing(session):
        person.password_hash = password_hash
        person.session_key = _session_key()
        audit.record(session, "access_renewed", by=by, patient=person.patient, subject=str(person.id), at=at)
    return access


def set_reach(session: Session, account: Person, mail: str, phone: str, by: Person, at: datetime) -> None:
    """Where a patient or caregiver is reminded of a missing report; empty: not by this."""
    with writing(session):
        account.mail, account.phone = mail, phone
        audit.record(session, "contact_changed", by=by, patient=account.patient, subject=str(account.id), at=at)


def change_place(session: Session, patient: Patient, town: str, hospital: str, by: Person, at: datetime) -> None:
    """Where the patient stays and which hospital looks after them: what the thinking check asks for."""
    with writing(session):
        patient.town, patient.hospital = town, hospital
        audit.record(session, "place_changed", by=by, patient=patient, subject=str(patient.id), at=at)


def failing_channels(session: Session) -> list[str]:
    """The channels that do not deliver at present, by name."""
    failing = select(ChannelState.name).where(ChannelState.told_at.is_not(None)).order_by(ChannelState.name)
    return list(session.scalars(failing))


def _new_access(account: Account) -> Access:
    passphrase = passwords.passphrase()
    person = Person(
        name=account.name,
        sign_in_name=account.sign_in_name.strip().lower(),
        password_hash=passwords.hash_password(passphrase),
        role=account.role,
        session_key=_session_key(),
        phone=account.phone,
        mail=account.mail,
    )
    return Access(person, passphrase)


def _add_account(session: Session, access: Access, patient: Patient, by: Person, at: datetime) -> None:
    person = access.person
    if session.scalar(select(Person.id).where(Person.sign_in_name == person.sign_in_name)):
        raise NameTaken
    person.patient_id = patient.id
    session.add(person)
    session.flush()
    audit.record(session, "access_given", by=by, patient=patient, subject=str(person.id), at=at)


def _session_key() -> str:
    return secrets.token_urlsafe(32)


def _failures(session: Session, sought: str, at: datetime) -> int:
    query = select(func.count()).where(
        AuditEntry.subject == sought,
        AuditEntry.action == "sign_in_failed",
        AuditEntry.at > at - FAILURES_COUNT_FOR,
    )
    return session.scalar(query) or 0


def mark(name: str) -> str:
    """Stands for a sign-in name in the audit trail: what is typed there may be anything, a passphrase too."""
    key = str(current_app.secret_key).encode()
    return "name:" + hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:32]

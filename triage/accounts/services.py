"""Signing in, enrolling, giving access, dose events: each function is one transaction with its audit entry."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Final
from uuid import UUID

from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from triage.accounts import audit, invitations, passwords, second_factor, sessions, throttle
from triage.database import writing
from triage.models import (
    NO_HASH,
    CareTeam,
    ChannelState,
    ConsentWay,
    Course,
    DoseEvent,
    DoseKind,
    Patient,
    Person,
    Role,
    SignIn,
)

DEMO_PASSWORD: Final = "synthetic-demo-only"  # noqa: S105 (published on purpose, refused outside a demonstration)


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
    language: str = ""
    """In which the account is spoken to; empty: as the browser asks."""


@dataclass(frozen=True)
class Account:
    """Whom an account is for."""

    name: str
    sign_in_name: str
    role: Role
    phone: str = ""
    mail: str = ""
    language: str = ""


@dataclass(frozen=True)
class Agreed:
    """The patient's consent to a caregiver: how it was given, and on which day."""

    way: ConsentWay
    on: date


def sign_in(session: Session, name: str, password: str, at: datetime, *, address: str = "", device: str = "") -> Person:
    """The person with that sign-in name and password. Raises SignInRefused. `address` is where the try comes from,
    `device` the cookie by which a browser is known.

    A known and an unknown name take the same time, get the same answer and are held up alike (throttle.py). Somebody
    who needs a second factor is not signed in with this alone: `second_factor.is_needed` says so.
    """
    name = name.strip().lower()
    if password == DEMO_PASSWORD and not current_app.config["LOCAL"]:
        with writing(session):
            audit.record(session, "sign_in_failed", by=None, subject=mark(name), at=at)
        raise SignInRefused(Refused.DEMO_PASSWORD)
    found = session.scalar(select(Person).where(Person.called(name), sessions.not_closed()))
    action = "passphrase_right" if found and second_factor.is_needed(found) else "signed_in"
    with _right(session, name, found, password, at, address, device) as person:
        audit.record(session, action, by=person, at=at)
    return person


def unlock(
    session: Session, person: Person, password: str, at: datetime, *, address: str = "", device: str = ""
) -> None:
    """Somebody of the staff is back at a device that had locked. Raises SignInRefused."""
    with _right(session, person.sign_in_name, person, password, at, address, device):
        sessions.unlock(session, at)
        audit.record(session, "unlocked", by=person, at=at)


def confirm(
    session: Session, person: Person, password: str, at: datetime, *, address: str = "", device: str = ""
) -> None:
    """It is the person themselves, and not somebody who found the device. Raises SignInRefused."""
    with _right(session, person.sign_in_name, person, password, at, address, device):
        audit.record(session, "passphrase_confirmed", by=person, at=at)


def change_passphrase(
    session: Session, person: Person, password: str, new: str, at: datetime, *, address: str = "", device: str = ""
) -> None:
    """Another passphrase, for whoever knows the present one; signed out everywhere, here too. Raises SignInRefused."""
    password_hash = passwords.hash_password(new)  # takes long: outside the transaction
    with _right(session, person.sign_in_name, person, password, at, address, device):
        person.password_hash = password_hash
        person.session_key = _session_key()
        sessions.end_all(session, person, at)
        audit.record(session, "passphrase_changed", by=person, at=at)


def end_sign_in(session: Session, person: Person, sign_in: SignIn, at: datetime) -> None:
    """Sign the person out on one of their devices."""
    with writing(session):
        sign_in.ended_at = at
        audit.record(session, "sign_in_ended", by=person, subject=str(sign_in.id), at=at)


def end_other_sign_ins(session: Session, person: Person, but: UUID, at: datetime) -> None:
    """Sign the person out everywhere else."""
    with writing(session):
        sessions.end_all(session, person, at, but=but)
        audit.record(session, "sign_ins_ended", by=person, at=at)


@contextmanager
def _right(
    session: Session, name: str, found: Person | None, password: str, at: datetime, address: str, device: str
) -> Iterator[Person]:
    """One write transaction for whoever has the right passphrase. Raises SignInRefused."""
    counts = throttle.of_sign_in(name, address, device)
    try:
        throttle.begin(session, counts, at)
    except throttle.Held:
        raise SignInRefused(Refused.TOO_MANY) from None
    right = passwords.matches(found.password_hash if found else None, password)
    if found is None or not right or not found.active:
        with writing(session):
            audit.record(session, "sign_in_failed", by=None, subject=mark(name), at=at)
        raise SignInRefused(Refused.UNKNOWN)
    with writing(session):
        throttle.succeeded(session, counts)
        yield found


def sign_out(session: Session, person: Person, at: datetime) -> None:
    """Note that the person signed out."""
    with writing(session):
        audit.record(session, "signed_out", by=person, at=at)


def enrol(
    session: Session, team: CareTeam, enrolment: Enrolment, by: Person, at: datetime
) -> tuple[Patient, invitations.Issued | None]:
    """A new patient with a course and, if a sign-in name is given, an account with an invitation. Raises NameTaken."""
    account = Account(
        enrolment.name, enrolment.sign_in_name, Role.PATIENT, enrolment.mobile, enrolment.mail, enrolment.language
    )
    issued = None
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
            if account.sign_in_name:
                issued = _add_account(session, account, patient, None, by, at)
    except IntegrityError as error:
        raise NameTaken from error
    return patient, issued


def give_access(
    session: Session, patient: Patient, account: Account, agreed: Agreed | None, by: Person, at: datetime
) -> invitations.Issued:
    """An account, with an invitation, for the patient or, where the patient agreed, for somebody who cares for them.
    Raises NameTaken, invitations.NoConsent."""
    if account.role == Role.CAREGIVER and agreed is None:
        raise invitations.NoConsent
    try:
        with writing(session):
            return _add_account(session, account, patient, agreed, by, at)
    except IntegrityError as error:
        raise NameTaken from error


def set_reach(
    session: Session, account: Person, mail: str, phone: str, language: str, by: Person, at: datetime
) -> None:
    """Where, and in which language, a patient or caregiver is reminded of a missing report; empty: not by this, and as
    the browser asks."""
    with writing(session):
        account.mail, account.phone, account.language = mail, phone, language
        audit.record(session, "contact_changed", by=by, patient=account.patient, subject=str(account.id), at=at)


def choose_language(session: Session, person: Person, language: str, at: datetime) -> None:
    """In which language pages and messages speak to a patient or caregiver. Commits once."""
    with writing(session):
        person.language = language
        audit.record(session, "language_chosen", by=person, patient=person.patient, subject=str(person.id), at=at)


def change_place(session: Session, patient: Patient, town: str, hospital: str, by: Person, at: datetime) -> None:
    """Where the patient stays and which hospital looks after them: what the thinking check asks for."""
    with writing(session):
        patient.town, patient.hospital = town, hospital
        audit.record(session, "place_changed", by=by, patient=patient, subject=str(patient.id), at=at)


def failing_channels(session: Session) -> list[str]:
    """The channels that do not deliver at present, by name."""
    failing = select(ChannelState.name).where(ChannelState.told_at.is_not(None)).order_by(ChannelState.name)
    return list(session.scalars(failing))


def new_person(account: Account) -> Person:
    """The row of a new account, which nobody can sign in with before an invitation was used."""
    return Person(
        name=account.name,
        sign_in_name=account.sign_in_name.strip().lower(),
        password_hash=NO_HASH,
        role=account.role,
        session_key=_session_key(),
        phone=account.phone,
        mail=account.mail,
    )


def add_person(session: Session, person: Person) -> None:
    """Add the account, never commit. Raises NameTaken, also where the marks of both names are made with different data
    keys; IntegrityError where somebody takes the name at this very moment."""
    if session.scalar(select(Person.id).where(Person.called(person.sign_in_name))):
        raise NameTaken
    session.add(person)
    session.flush()


def mark(name: str) -> str:
    """Stands for a sign-in name in the audit trail: what is typed there may be anything, a passphrase too."""
    return throttle.keyed("name", name)


def _add_account(
    session: Session, account: Account, patient: Patient, agreed: Agreed | None, by: Person, at: datetime
) -> invitations.Issued:
    person = new_person(account)
    person.patient_id, person.language = patient.id, account.language
    add_person(session, person)
    audit.record(session, "access_given", by=by, patient=patient, subject=str(person.id), at=at)
    if agreed:
        invitations.add_consent(session, person, agreed.way, agreed.on, by, at)
    return invitations.add(session, person, by, at)


def _session_key() -> str:
    return secrets.token_urlsafe(32)

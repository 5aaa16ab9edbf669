"""Invitations, by whose code somebody sets a passphrase once, and the consent of patients to those who report for them.

The code has 89 bits and stands on a printed sheet, also as a QR code. Its link carries it behind a `#`, which browsers
keep to themselves: no server, proxy or log sees it, and no other site gets it. It says nothing of whom it is for.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from triage.accounts import audit, passwords, second_factor, sessions, throttle
from triage.database import writing
from triage.models import NO_HASH, Consent, ConsentWay, Invitation, Person, Role


class NotGood(Exception):
    """No such code, or it was used, taken back or has expired: which of these is told to nobody."""


class NoConsent(Exception):
    """A caregiver without the patient's consent gets no invitation."""


@dataclass(frozen=True)
class Issued:
    """A new invitation with its code, which is shown once and stored nowhere."""

    person: Person
    code: str
    expires_at: datetime


def invite(session: Session, person: Person, by: Person | None, at: datetime) -> Issued:
    """A new invitation. The one before, the passphrase and every sign-in end with it: that is also the way back in for
    somebody who has lost a phone or forgotten a passphrase. Raises NoConsent."""
    with writing(session):
        if person.role == Role.CAREGIVER and person.consent is None:
            raise NoConsent
        issued = add(session, person, by, at)
        audit.record(session, "access_renewed", by=by, patient=person.patient, subject=str(person.id), at=at)
    return issued


def add(session: Session, person: Person, by: Person | None, at: datetime) -> Issued:
    """Add an invitation for somebody who was just added, or is to begin anew. Adds, never commits."""
    close(session, person, at)
    code = passwords.code()
    expires_at = at + timedelta(days=current_app.config["INVITATION_DAYS"])
    session.add(
        Invitation(
            person_id=person.id,
            code_hash=_hash(code),
            made_at=at,
            made_by_id=by.id if by else None,
            expires_at=expires_at,
        )
    )
    session.flush()
    return Issued(person, code, expires_at)


def close(session: Session, person: Person, at: datetime) -> None:
    """End passphrase, second factor, sign-ins and invitation of a person. Adds, never commits."""
    second_factor.forget(session, person)
    person.password_hash = NO_HASH
    person.session_key = secrets.token_urlsafe(32)
    sessions.end_all(session, person, at)
    _end_waiting(session, person, at)
    session.flush()


def take_back(session: Session, person: Person, by: Person, at: datetime) -> None:
    """The invitation that waits is worth nothing from now on."""
    with writing(session):
        _end_waiting(session, person, at)
        audit.record(session, "invitation_taken_back", by=by, patient=person.patient, subject=str(person.id), at=at)


def find(session: Session, code: str, address: str, at: datetime) -> Person:
    """Whom a code is for. Raises NotGood, or throttle.Held after too many wrong ones from one address."""
    counts = throttle.of_code(address)
    throttle.begin(session, counts, at)
    person = _person_of(session, code, at)
    if person is None:
        raise NotGood
    with writing(session):
        throttle.succeeded(session, counts)
    return person


def use(session: Session, code: str, passphrase: str, address: str, at: datetime) -> Person:
    """Set the passphrase of whom the code is for; the code is then used up. Raises NotGood, throttle.Held."""
    person = find(session, code, address, at)
    password_hash = passwords.hash_password(passphrase)  # takes long: outside the transaction
    with writing(session):
        used = session.execute(
            update(Invitation)
            .where(
                Invitation.code_hash == _hash(code),
                Invitation.used_at.is_(None),
                Invitation.taken_back_at.is_(None),
                Invitation.expires_at > at,
            )
            .values(used_at=at)
            .execution_options(synchronize_session=False)
        )
        if used.rowcount != 1 or not person.active:  # type: ignore[attr-defined]  # an UPDATE's result has it
            raise NotGood
        person.password_hash = password_hash
        person.session_key = secrets.token_urlsafe(32)
        audit.record(session, "invitation_used", by=person, patient=person.patient, subject=str(person.id), at=at)
    return person


def give_consent(
    session: Session, caregiver: Person, way: ConsentWay, given_on: date, by: Person, at: datetime
) -> Issued:
    """The patient agreed that this caregiver reports for them: on file, and the caregiver gets an invitation."""
    with writing(session):
        add_consent(session, caregiver, way, given_on, by, at)
        issued = add(session, caregiver, by, at)
    return issued


def add_consent(session: Session, caregiver: Person, way: ConsentWay, given_on: date, by: Person, at: datetime) -> None:
    """Put a consent on file; one that stands already is withdrawn with it. Adds, never commits."""
    _withdraw(session, caregiver, by, at)
    caregiver.active = True
    consent = Consent(
        patient_id=caregiver.patient_id,
        caregiver_id=caregiver.id,
        way=way,
        given_on=given_on,
        noted_at=at,
        noted_by_id=by.id,
    )
    session.add(consent)
    session.flush()
    audit.record(session, "consent_given", by=by, patient=caregiver.patient, subject=str(consent.id), at=at)


def withdraw_consent(session: Session, caregiver: Person, by: Person, at: datetime) -> None:
    """The patient no longer agrees: the caregiver is signed out everywhere and cannot come back. Reports stay."""
    with writing(session):
        _withdraw(session, caregiver, by, at)
        caregiver.active = False
        close(session, caregiver, at)
        audit.record(session, "consent_withdrawn", by=by, patient=caregiver.patient, subject=str(caregiver.id), at=at)


def _withdraw(session: Session, caregiver: Person, by: Person, at: datetime) -> None:
    standing = (Consent.caregiver_id == caregiver.id, Consent.withdrawn_at.is_(None))
    session.execute(update(Consent).where(*standing).values(withdrawn_at=at, withdrawn_by_id=by.id))
    session.expire(caregiver, ["consents"])


def _end_waiting(session: Session, person: Person, at: datetime) -> None:
    waiting = (
        Invitation.person_id == person.id,
        Invitation.used_at.is_(None),
        Invitation.taken_back_at.is_(None),
    )
    session.execute(update(Invitation).where(*waiting).values(taken_back_at=at))
    session.expire(person, ["invitations"])


def _person_of(session: Session, code: str, at: datetime) -> Person | None:
    query = (
        select(Invitation)
        .join(Invitation.person)
        .where(Invitation.code_hash == _hash(code), sessions.not_closed())
        .options(joinedload(Invitation.person))
    )
    invitation = session.scalar(query)
    if invitation is None or not invitation.is_good(at) or not invitation.person.active:
        return None
    return invitation.person


def _hash(code: str) -> str:
    """Of a code however it was typed. It has 89 bits, so that a quick hash cannot be turned back."""
    return hashlib.sha256("".join(filter(str.isalnum, code)).lower().encode()).hexdigest()

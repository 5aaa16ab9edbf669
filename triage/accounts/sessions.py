"""Who is signed in on a device, and until when. The signed cookie there names a row, which can be ended elsewhere."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from flask import current_app, g, request, session
from flask_login import login_user, logout_user
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import ColumnElement, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, contains_eager, joinedload

from triage import clock, logs
from triage.accounts import devices
from triage.database import db, writing
from triage.models import Patient, Person, Role, SignIn

_SIGN_IN = "sign_in"
_HALF = "half"
HALF_FOR = timedelta(minutes=10)
NOTED_EVERY = timedelta(minutes=1)
NOTED_EVERY_PATIENT = timedelta(hours=1)
_TOKEN = "csrf_token"  # noqa: S105 (Flask-WTF's name for it, not a token)


def length(person: Person) -> timedelta:
    """How long a sign-in lasts: long on a patient's own phone, a shift for staff."""
    if person.is_staff:
        return timedelta(minutes=current_app.config["STAFF_SESSION_MINUTES"])
    return timedelta(days=current_app.config["PATIENT_SESSION_DAYS"])


def start(person: Person, at: datetime) -> None:
    """Sign the person in on this device. Nothing of an earlier session is kept."""
    ends = at + length(person)
    fields = opened(db.session, person, at, ends, devices.described(request.user_agent.string))
    _begin(person)
    session.permanent = True
    session.update(fields)
    login_user(person)


def opened(to: Session, person: Person, at: datetime, ends_at: datetime, device: str) -> dict[str, Any]:
    """A new sign-in, saved, as the fields of the cookie that stands for it."""
    row = SignIn(person_id=person.id, device=device, begun_at=at, seen_at=at, ends_at=ends_at)
    with writing(to):
        to.add(row)
    return {_SIGN_IN: str(row.id), "_user_id": person.session_key, "_fresh": True}  # the latter two are Flask-Login's


def start_half(person: Person, at: datetime) -> None:
    """The passphrase was right, and the second factor is still to come: nobody is signed in yet."""
    _begin(person)
    session[_HALF] = [person.session_key, (at + HALF_FOR).timestamp()]


def half() -> Person | None:
    """Whose passphrase was right on this device some minutes ago at most; None for anybody else."""
    key, until = session.get(_HALF) or ("", 0)
    if until <= clock.now().timestamp():
        return None
    return _person(str(key))


def _begin(person: Person) -> None:
    session.clear()
    g.pop("csrf_token", None)  # made for the session that is gone; a page of this very answer needs a new one
    # Flask-WTF signs this into the token of every form: a page then says for whom it was printed, also after the end
    # of the sign-in, when the next nurse sits at the same computer.
    session[_TOKEN] = f"{person.id}/{secrets.token_hex(20)}"


def printed_for(token: str) -> UUID | None:
    """The person for whom a form with that token was printed; None for a form that was printed for nobody."""
    try:
        return UUID(str(_tokens().loads(token)).partition("/")[0])
    except (BadData, ValueError):
        return None


def _tokens() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="wtf-csrf-token")  # as flask_wtf.csrf does


def end(at: datetime) -> None:
    """Sign out on this device."""
    if (row := current()) is not None:
        with writing(db.session):
            row.ended_at = at
    logout_user()
    session.clear()


def not_closed() -> ColumnElement[bool]:
    """Of persons: whose account was not closed by the patient's death."""
    return or_(Person.role != Role.PATIENT, ~Person.patient.has(Patient.died_on.is_not(None)))


def load(session_key: str) -> Person | None:
    """The person of a session cookie, with what every page needs, in one query; None when the time is over, the sign-in
    was ended elsewhere, or nobody of the staff has done anything here for some minutes (then `locked` says who)."""
    row = g.sign_in = _row(session_key)
    if row is None:
        return None
    g.locked = row.person.is_staff and clock.now() - row.seen_at >= idle_after()
    return None if g.locked else row.person


def current() -> SignIn | None:
    """The sign-in of this device, also one that is locked."""
    return cast("SignIn | None", g.get("sign_in"))


def locked() -> Person | None:
    """Who of the staff left this device alone for so long that it asks for the passphrase again."""
    row = current() if g.get("locked") else None
    return row.person if row else None


def idle_after() -> timedelta:
    """For how long a member of the staff may do nothing before the device locks."""
    return timedelta(minutes=current_app.config["STAFF_IDLE_MINUTES"])


def note_use(at: datetime) -> None:
    """Somebody did something on this device: keeps it from locking. Written once a minute at most, for a patient once
    an hour, by a session of its own: what a request saves, and what its error page says of it, stays apart."""
    row = current()
    if row is None or g.locked or at - row.seen_at < (NOTED_EVERY if row.person.is_staff else NOTED_EVERY_PATIENT):
        return
    try:
        with Session(db.engine) as own, writing(own):
            own.execute(update(SignIn).where(SignIn.id == row.id, SignIn.seen_at < at).values(seen_at=at))
    except SQLAlchemyError as error:
        logs.failure("use_not_noted", error)  # a page must not fail for it


def unlock(to: Session, at: datetime) -> None:
    """The passphrase was right: the device goes on where it was left. Adds, never commits."""
    row = current()
    if row is not None:
        to.execute(update(SignIn).where(SignIn.id == row.id).values(seen_at=at))
        g.locked = False


def of_person(to: Session, person: Person, at: datetime) -> list[SignIn]:
    """Where the person is signed in, the latest used first."""
    standing = (SignIn.person_id == person.id, SignIn.ended_at.is_(None), SignIn.ends_at > at)
    return list(to.scalars(select(SignIn).where(*standing).order_by(SignIn.seen_at.desc(), SignIn.id)))


def end_all(to: Session, person: Person, at: datetime, but: UUID | None = None) -> None:
    """End every sign-in of the person, but for one. Adds, never commits."""
    standing = [SignIn.person_id == person.id, SignIn.ended_at.is_(None)]
    if but:
        standing.append(SignIn.id != but)
    to.execute(update(SignIn).where(*standing).values(ended_at=at))


def _row(session_key: str) -> SignIn | None:
    try:
        id = UUID(str(session.get(_SIGN_IN)))
    except ValueError:
        return None
    return db.session.scalar(_STANDING, {"id": id, "session_key": session_key, "now": clock.now()})


def _person(session_key: str) -> Person | None:
    query = (
        select(Person)
        .where(Person.session_key == session_key, Person.active, not_closed())
        .options(joinedload(Person.care_team), joinedload(Person.patient).joinedload(Patient.care_team))
    )
    return db.session.scalar(query)


_STANDING = (
    select(SignIn)
    .join(SignIn.person)
    .where(
        SignIn.id == bindparam("id"),
        SignIn.ended_at.is_(None),
        SignIn.ends_at > bindparam("now"),
        Person.session_key == bindparam("session_key"),
        Person.active,
        not_closed(),
    )
    .options(
        contains_eager(SignIn.person).options(
            joinedload(Person.care_team), joinedload(Person.patient).joinedload(Patient.care_team)
        )
    )
)
"""A sign-in that holds, with its person. Each request asks it: written once, since writing costs more than asking."""

"""Who is signed in on a device, and until when: kept in the signed session cookie."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import current_app, g, session
from flask_login import login_user, logout_user
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import joinedload

from triage import clock
from triage.database import db
from triage.models import Patient, Person, Role

_UNTIL = "until"
_HALF = "half"
HALF_FOR = timedelta(minutes=10)
_TOKEN = "csrf_token"  # noqa: S105 (Flask-WTF's name for it, not a token)


def length(person: Person) -> timedelta:
    """How long a sign-in lasts: long on a patient's own phone, a shift for staff."""
    if person.is_staff:
        return timedelta(minutes=current_app.config["STAFF_SESSION_MINUTES"])
    return timedelta(days=current_app.config["PATIENT_SESSION_DAYS"])


def start(person: Person, at: datetime) -> None:
    """Sign the person in on this device. Nothing of an earlier session is kept."""
    _begin(person)
    session.permanent = True
    session[_UNTIL] = (at + length(person)).timestamp()
    login_user(person)


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


def end() -> None:
    """Sign out on this device."""
    logout_user()
    session.clear()


def not_closed() -> ColumnElement[bool]:
    """Of persons: whose account was not closed by the patient's death."""
    return or_(Person.role != Role.PATIENT, ~Person.patient.has(Patient.died_on.is_not(None)))


def load(session_key: str) -> Person | None:
    """The person of a session cookie, with what every page needs, in one query; None when the time is over."""
    until: Any = session.get(_UNTIL)
    if not isinstance(until, int | float) or until <= clock.now().timestamp():
        return None
    return _person(session_key)


def _person(session_key: str) -> Person | None:
    query = (
        select(Person)
        .where(Person.session_key == session_key, Person.active, not_closed())
        .options(joinedload(Person.care_team), joinedload(Person.patient).joinedload(Patient.care_team))
    )
    return db.session.scalar(query)

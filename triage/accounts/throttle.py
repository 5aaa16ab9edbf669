"""Guessing is made slow: failures are counted by name, by device and by address, in a table that all processes share.

1. Each try counts as a failure before anything is compared, so that many at once cannot slip through; a success takes
   that back and clears the name.
2. Some failures are free. Then each further one holds up the next try, for twice as long each time, fifteen minutes at
   most. A name that nobody has is counted like any other.
3. A device on which the person has signed in before has a count of its own, and neither the name's nor the address's:
   a stranger who guesses at a patient's name keeps the stranger out, never the patient's own phone.

Only signing in is held up. Whoever is signed in stays so, and the numbers to call stand on every page, that one too.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from triage.database import writing
from triage.models import SignInTry

FREE_BY_NAME = 5
FREE_BY_ADDRESS = 50
"""A whole ward may stand behind one address."""
FREE_CODES = 20
FIRST_HOLD = timedelta(seconds=30)
LONGEST_HOLD = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)
DEVICE_COOKIE = "triage-device"
DEVICE_DAYS = 400  # the longest that browsers keep a cookie
_PEOPLE_OF_A_DEVICE = 8


class Held(Exception):
    """There were too many failures: nothing was compared. `until` says when the next try is."""

    def __init__(self, until: datetime) -> None:
        super().__init__("too many failures")
        self.until = until


@dataclass(frozen=True)
class Count:
    """What failures are counted by, and how many are free."""

    key: str
    free: int
    cleared: bool
    """By a success. An address is not: somebody who guesses there has a name of their own, too."""


def keyed(kind: str, text: str) -> str:
    """Stands for a name or an address without telling it: a hash with the server's secret key."""
    key = str(current_app.secret_key).encode()
    return f"{kind}:{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]}"


def of_sign_in(name: str, address: str, device: str) -> tuple[Count, ...]:
    """What a try to sign in is counted by. `device` is the cookie of the browser, or empty."""
    mark = keyed("name", name)
    if nonce := _people_of(device).get(mark):
        return (Count(keyed("device", nonce), FREE_BY_NAME, cleared=True),)
    return Count(mark, FREE_BY_NAME, cleared=True), Count(keyed("address", address), FREE_BY_ADDRESS, cleared=False)


def of_code(address: str) -> tuple[Count, ...]:
    """What a try with the code of an invitation is counted by."""
    return (Count(keyed("codes", address), FREE_CODES, cleared=True),)


def of_second_factor(person_id: UUID) -> tuple[Count, ...]:
    """What a try with a code of an authenticator app is counted by: whoever tries it knows the passphrase."""
    return (Count(keyed("second", str(person_id)), FREE_BY_NAME, cleared=True),)


def of_passkey(address: str, device: str) -> tuple[Count, ...]:
    """What a try with a passkey is counted by: nobody types a name. A device on which somebody has signed in before has
    a count of its own."""
    if nonces := list(_people_of(device).values()):
        return (Count(keyed("passkey", nonces[-1]), FREE_BY_NAME, cleared=True),)
    return (Count(keyed("address", address), FREE_BY_ADDRESS, cleared=False),)


def begin(session: Session, counts: Sequence[Count], at: datetime) -> None:
    """Count one failure in a transaction of its own, before anything is compared. Raises Held, which counts nothing."""
    try:
        _count(session, counts, at)
    except IntegrityError:  # two began the same count at once
        _count(session, counts, at)


def succeeded(session: Session, counts: Sequence[Count]) -> None:
    """Take back what `begin` has counted. Adds, never commits."""
    for count in counts:
        row = session.get(SignInTry, count.key, with_for_update=True)
        if row is None:
            continue
        if count.cleared or row.failures <= 1:
            session.delete(row)
        else:
            row.failures -= 1
            row.held_until = None


def remember(device: str, name: str) -> str:
    """The cookie of a browser on which that name has just signed in; `device` is the one it had."""
    people = _people_of(device)
    people.pop(mark := keyed("name", name), None)
    people[mark] = secrets.token_urlsafe(16)
    return str(_serializer().dumps(list(people.items())[-_PEOPLE_OF_A_DEVICE:]))


def _count(session: Session, counts: Sequence[Count], at: datetime) -> None:
    with writing(session):
        session.execute(delete(SignInTry).where(SignInTry.last_at < at - FORGOTTEN_AFTER))
        rows = [session.get(SignInTry, count.key, with_for_update=True, populate_existing=True) for count in counts]
        if held := [row.held_until for row in rows if row and row.held_until and row.held_until > at]:
            raise Held(max(held))
        for count, row in zip(counts, rows, strict=True):
            if row is None:
                row = SignInTry(key=count.key, failures=0)
                session.add(row)
            row.failures += 1
            row.last_at = at
            row.held_until = at + hold if (hold := _hold(row.failures - count.free)) else None


def _hold(beyond: int) -> timedelta:
    """For how long the failure so many beyond the free ones holds up the next try. The last free one is 0."""
    if beyond < 0:
        return timedelta()
    return min(FIRST_HOLD * (1 << min(beyond, 20)), LONGEST_HOLD)


def _people_of(device: str) -> dict[str, str]:
    """Who has signed in on that device: keyed hash of the name → what their failures there are counted by."""
    try:
        return {str(mark): str(nonce) for mark, nonce in _serializer().loads(device)}
    except (BadData, ValueError, TypeError):
        return {}


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="device")

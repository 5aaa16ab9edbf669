"""The second factor of staff: codes of an authenticator app (TOTP, RFC 6238) or a passkey (passkeys.py), and recovery
codes for a day without it.

A code is good for its half minute and the one before and after, and never twice. Failures of both kinds are counted.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

import pyotp
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from triage.accounts import audit, passwords, throttle
from triage.database import writing
from triage.models import Authenticator, Passkey, Person, RecoveryCode

RECOVERY_CODES = 10
_STEP = 30
"""Seconds that an app shows a code."""


class Wrong(Exception):
    """That code lets nobody in."""


def is_needed(person: Person) -> bool:
    """Whether a passphrase alone does not let this person in."""
    return bool(person.is_staff and current_app.config["SECOND_FACTOR"])


def is_set_up(session: Session, person: Person) -> bool:
    """Whether the person has an app or a passkey: a passphrase alone then never sets up another one."""
    return has_app(session, person) or has_passkey(session, person)


def has_passkey(session: Session, person: Person) -> bool:
    """Whether a device of the person signs for them."""
    return session.scalar(select(Passkey.id).where(Passkey.person_id == person.id).limit(1)) is not None


def has_app(session: Session, person: Person) -> bool:
    """Whether the person has an app whose code was right once, and which this server can still read."""
    found = session.get(Authenticator, person.id)
    return found is not None and found.confirmed_at is not None and _opened(found.secret) is not None


def begin_set_up(session: Session, person: Person, at: datetime) -> str:
    """The secret for a new app, the same one until a code of it was right. Of somebody who has an app
    or a passkey it is refused."""
    if is_set_up(session, person):
        raise Wrong
    found = session.get(Authenticator, person.id)
    if found is not None and found.confirmed_at is None and (secret := _opened(found.secret)):
        return secret
    secret = pyotp.random_base32()
    with writing(session):
        session.merge(Authenticator(person_id=person.id, secret=_closed(secret), made_at=at, last_step=0))
    return secret


def address(person: Person, secret: str) -> str:
    """What the QR code for the app says: the sign-in name, and nothing else of the person."""
    return pyotp.TOTP(secret).provisioning_uri(name=person.sign_in_name, issuer_name="Triage helper")


def finish_set_up(session: Session, person: Person, code: str, at: datetime) -> list[str]:
    """The first code of the app was right: it counts from now on. Recovery codes, shown once. Raises Wrong, Held."""
    counts = throttle.of_second_factor(person.id)
    throttle.begin(session, counts, at)
    found = session.get(Authenticator, person.id)
    if found is None or found.confirmed_at is not None or (step := _step_of(found, code, at)) is None:
        raise Wrong
    with writing(session):
        if has_passkey(session, person):  # set up meanwhile: by now more than the passphrase is asked for
            raise Wrong
        first = (Authenticator.person_id == person.id, Authenticator.confirmed_at.is_(None))
        done = session.execute(update(Authenticator).where(*first).values(confirmed_at=at, last_step=step))
        if done.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has it
            raise Wrong
        throttle.succeeded(session, counts)
        codes = new_recovery_codes(session, person)
        audit.record(session, "second_factor_set_up", by=person, at=at)
        audit.record(session, "signed_in", by=person, at=at)
    return codes


def check(session: Session, person: Person, code: str, at: datetime) -> None:
    """Sign in with a code of the app, or with a recovery code. Raises Wrong, throttle.Held."""
    counts = throttle.of_second_factor(person.id)
    throttle.begin(session, counts, at)
    if not _is_right(session, person, code, counts, at):
        with writing(session):
            audit.record(session, "second_factor_failed", by=person, at=at)
        raise Wrong


def renew_recovery_codes(session: Session, person: Person, code: str, at: datetime) -> list[str]:
    """New recovery codes for whoever has the app at hand; the old ones are worth nothing. Raises Wrong, Held."""
    counts = throttle.of_second_factor(person.id)
    throttle.begin(session, counts, at)
    found = session.get(Authenticator, person.id)
    if found is None or found.confirmed_at is None or (step := _step_of(found, code, at)) is None:
        raise Wrong
    with writing(session):
        if not _take(session, person, step):
            raise Wrong
        throttle.succeeded(session, counts)
        codes = new_recovery_codes(session, person)
        audit.record(session, "recovery_codes_renewed", by=person, at=at)
    return codes


def recovery_codes_left(session: Session, person: Person) -> int:
    """How many were not used yet."""
    query = select(func.count()).where(RecoveryCode.person_id == person.id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def forget(session: Session, person: Person) -> None:
    """App, passkeys and recovery codes are worth nothing from now on. Adds, never commits."""
    session.execute(delete(Passkey).where(Passkey.person_id == person.id))
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    session.execute(delete(Authenticator).where(Authenticator.person_id == person.id))


def _is_right(session: Session, person: Person, code: str, counts: tuple[throttle.Count, ...], at: datetime) -> bool:
    found = session.get(Authenticator, person.id)
    if not is_set_up(session, person):
        return False
    step = _step_of(found, code, at) if found is not None and found.confirmed_at is not None else None
    with writing(session):
        right = _take(session, person, step) if step is not None else _use_recovery_code(session, person, code, at)
        if right:
            throttle.succeeded(session, counts)
            if step is None:
                audit.record(session, "recovery_code_used", by=person, at=at)
            audit.record(session, "signed_in", by=person, at=at)
    return right


def _step_of(found: Authenticator, code: str, at: datetime) -> int | None:
    """The half minute whose code this is, if it is a near one that was not taken yet."""
    secret, typed = _opened(found.secret), "".join(code.split())
    if secret is None or len(typed) != 6 or not typed.isascii() or not typed.isdigit():
        return None
    now, totp = int(at.timestamp()) // _STEP, pyotp.TOTP(secret)
    right = [step for step in (now - 1, now, now + 1) if secrets.compare_digest(totp.generate_otp(step), typed)]
    return next((step for step in right if step > found.last_step), None)


def _take(session: Session, person: Person, step: int) -> bool:
    """Whether the code of that half minute was not taken before, also not at this very moment by somebody else."""
    earlier = (Authenticator.person_id == person.id, Authenticator.last_step < step)
    done = session.execute(update(Authenticator).where(*earlier).values(last_step=step))
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]  # an UPDATE's result has it


def _use_recovery_code(session: Session, person: Person, code: str, at: datetime) -> bool:
    unused = (
        RecoveryCode.person_id == person.id,
        RecoveryCode.code_hash == _hash(code),
        RecoveryCode.used_at.is_(None),
    )
    done = session.execute(update(RecoveryCode).where(*unused).values(used_at=at))
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]  # an UPDATE's result has it


def new_recovery_codes(session: Session, person: Person) -> list[str]:
    """Codes that take the place of all earlier ones. Adds, never commits."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    codes = [passwords.code(groups=3) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(person_id=person.id, code_hash=_hash(code)) for code in codes)
    session.flush()
    return codes


def _hash(code: str) -> str:
    return throttle.keyed("recovery", "".join(filter(str.isalnum, code)).lower())


def _closed(secret: str) -> str:
    return _box().encrypt(secret.encode()).decode()


def _opened(closed: str) -> str | None:
    """None where the server has another secret key than when it was stored: the person then begins anew."""
    try:
        return _box().decrypt(closed.encode()).decode()
    except InvalidToken:
        return None


def _box() -> Fernet:
    key = HKDF(SHA256(), length=32, salt=None, info=b"authenticator").derive(str(current_app.secret_key).encode())
    return Fernet(base64.urlsafe_b64encode(key))

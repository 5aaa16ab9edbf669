"""Passkeys (WebAuthn): a device signs a challenge of ours after its owner has unlocked it, and for the address of this
site only. Nothing is typed that could be told to a false page. For staff it is both factors in one.

1. A challenge stands in the signed session cookie, for one purpose and some minutes, and is taken out before its answer
   is looked at. Whoever kept a copy of the cookie has nothing of it: a passkey takes no challenge that is as old as the
   one it answered last, or older, and nobody adds a passkey that is there already.
2. Which passkey answers, and so who signs in, is said by the answer alone: there is no name that could be tried out.
3. Devices count their signatures. A count that does not rise comes from a copy: refused, and written down.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import NoReturn
from urllib.parse import urlsplit
from uuid import UUID

from flask import current_app, request, url_for
from flask import session as cookie
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from triage.accounts import audit, second_factor, services, sessions, throttle
from triage.accounts.services import Refused, SignInRefused
from triage.database import writing
from triage.models import Passkey, Person

ANSWER_WITHIN = timedelta(minutes=5)
MOST = 10
"""Passkeys of one person."""
_COOKIE = "passkey"
_SIGNING_IN = "sign in"
_SITE_NAME = "Triage helper"
_CHALLENGE_BYTES = 32
_BAD_ANSWER = (ValueError, TypeError, KeyError, RecursionError)
"""What reading an answer raises that no device has made, beside the library's own errors."""


class Wrong(Exception):
    """That answer adds no passkey."""


class LastOne(Exception):
    """Without that passkey a passphrase alone would let somebody of the staff in."""


@dataclass(frozen=True)
class Place:
    """Where passkeys are made and used: devices sign for this domain, browsers tell this origin."""

    domain: str
    origin: str


@dataclass(frozen=True)
class Challenge:
    """What a device is to sign, and when it was made."""

    secret: bytes
    made_at: datetime


def place() -> Place | None:
    """The public address of the site, in a demonstration that which the browser asks. None where browsers offer no
    passkeys: the address is a number, or lacks HTTPS."""
    url = request.host_url if current_app.config["LOCAL"] else current_app.config["PUBLIC_URL"]
    parts = urlsplit(url)
    domain, scheme = (parts.hostname or "").lower(), parts.scheme
    if not domain or _is_number(domain) or (scheme != "https" and domain != "localhost"):
        return None
    port = "" if parts.port in (None, 443 if scheme == "https" else 80) else f":{parts.port}"
    return Place(domain, f"{scheme}://{domain}{port}")


def can_add(mine: Sequence[Passkey]) -> str:
    """Whether somebody with these passkeys may add one here: "yes", "full", "by name" (the address is a number, and
    the name of this machine would do), or "no"."""
    if place() is None:
        return "by name" if current_app.config["LOCAL"] else "no"
    return "full" if len(mine) >= MOST else "yes"


def by_name() -> str:
    """Where a demonstration that was asked by number is reached by name."""
    port = urlsplit(request.host_url).port
    return f"http://localhost{f':{port}' if port else ''}{url_for('account.home')}"


def of_person(session: Session, person: Person) -> list[Passkey]:
    """The person's passkeys, the first made first."""
    return list(session.scalars(select(Passkey).where(Passkey.person_id == person.id).order_by(Passkey.made_at)))


def asked_to_make(session: Session, person: Person, here: Place, at: datetime) -> str:
    """What the browser is asked for a new passkey of the person, as JSON. The device shows and keeps the sign-in name,
    and nothing else of them."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=here.domain,
        rp_name=_SITE_NAME,
        user_id=person.id.bytes,
        user_name=person.sign_in_name,
        user_display_name=person.sign_in_name,
        challenge=_new_challenge(_adding(person), at),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential_id))
            for one in of_person(session, person)
        ],
    )
    return options_to_json(options)


def asked_to_sign_in(here: Place, at: datetime) -> str:
    """What the browser is asked for somebody to sign in, as JSON: it names no passkey and nobody."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=here.domain,
        challenge=_new_challenge(_SIGNING_IN, at),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def add(session: Session, person: Person, name: str, answer: str, at: datetime) -> None:
    """Keep the passkey that a device of the person has made. Raises Wrong."""
    challenge = _taken_challenge(_adding(person), at)
    try:
        with writing(session):
            _add(session, person, name, answer, challenge, at)
    except IntegrityError:  # somebody has that passkey already
        raise Wrong from None


def set_up(session: Session, person: Person, name: str, answer: str, at: datetime) -> list[str]:
    """The first passkey as the second factor of somebody whose passphrase was just right: they are signed in. Recovery
    codes, shown once. Raises Wrong."""
    challenge = _taken_challenge(_adding(person), at)
    try:
        with writing(session):
            if second_factor.is_set_up(session, person):
                raise Wrong
            _add(session, person, name, answer, challenge, at)
            codes = second_factor.new_recovery_codes(session, person)
            audit.record(session, "second_factor_set_up", by=person, at=at)
            audit.record(session, "signed_in", by=person, at=at)
    except IntegrityError:
        raise Wrong from None
    return codes


def remove(session: Session, person: Person, passkey_id: UUID, at: datetime) -> None:
    """One of the person's own lets nobody in any more. Raises LastOne."""
    with writing(session):
        session.get(Person, person.id, with_for_update=True)  # two could else take away the last two at once
        mine = {one.id for one in of_person(session, person)}
        if mine == {passkey_id} and second_factor.is_needed(person) and not second_factor.has_app(session, person):
            raise LastOne
        if passkey_id in mine:
            session.execute(delete(Passkey).where(Passkey.id == passkey_id))
            audit.record(session, "passkey_removed", by=person, subject=str(passkey_id), at=at)


def sign_in(session: Session, answer: str, at: datetime, *, address: str, device: str) -> Person:
    """Whose passkey answered: to be signed in, or back at their locked device. Raises SignInRefused, which says no more
    than whether there were too many tries.

    `address` is where the try comes from, `device` the cookie by which a browser is known.
    """
    counts = throttle.of_passkey(address, device)
    challenge = _taken_challenge(_SIGNING_IN, at)
    try:
        throttle.begin(session, counts, at)
    except throttle.Held:
        raise SignInRefused(Refused.TOO_MANY) from None
    passkey = _named_by(session, answer)
    count = _proven(passkey, answer, challenge) if passkey and challenge else None
    if passkey is None or challenge is None or count is None:
        _refuse(session, passkey.person if passkey else None, at)
    id, person = passkey.id, passkey.person
    with writing(session):
        good = _take(session, id, count, challenge, at)
        if good:
            throttle.succeeded(session, counts)
            if _locked_here(person):
                sessions.unlock(session, at)
                audit.record(session, "unlocked", by=person, subject=str(id), at=at)
            else:
                audit.record(session, "signed_in", by=person, subject=str(id), at=at)
    if not good:
        _refuse(session, person, at)
    return person


def _take(session: Session, id: UUID, count: int, challenge: Challenge, at: datetime) -> bool:
    """Whether that proven answer lets somebody in: the first one to its challenge, from the device itself."""
    mine = select(Passkey).join(Passkey.person).where(Passkey.id == id, Person.active, sessions.not_closed())
    passkey = session.scalar(mine.with_for_update(of=Passkey))
    if passkey is None or passkey.challenge_at >= challenge.made_at:
        return False
    if _is_copied(passkey, count):
        audit.record(session, "passkey_copy_refused", by=None, subject=str(id), at=at)
        return False
    passkey.challenge_at, passkey.used_at, passkey.sign_count = challenge.made_at, at, count
    return True


def _add(session: Session, person: Person, name: str, answer: str, challenge: Challenge | None, at: datetime) -> None:
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    here = place()
    if challenge is None or here is None or len(of_person(session, person)) >= MOST:
        raise Wrong
    try:
        made = verify_registration_response(
            credential=answer,
            expected_challenge=challenge.secret,
            expected_rp_id=here.domain,
            expected_origin=here.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, *_BAD_ANSWER):
        raise Wrong from None
    passkey = Passkey(
        person_id=person.id,
        credential_id=bytes_to_base64url(made.credential_id),
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=name,
        made_at=at,
        challenge_at=challenge.made_at,
    )
    session.add(passkey)
    session.flush()
    audit.record(session, "passkey_added", by=person, subject=str(passkey.id), at=at)


def _named_by(session: Session, answer: str) -> Passkey | None:
    """The passkey that an answer says it comes from, while it says the same of its person."""
    from webauthn.helpers import base64url_to_bytes

    try:
        read = json.loads(answer)
        id, whose = str(read["id"]), UUID(bytes=base64url_to_bytes(read["response"]["userHandle"]))
    except _BAD_ANSWER:
        return None
    query = select(Passkey).where(Passkey.credential_id == id, Passkey.person_id == whose)
    return session.scalar(query.options(joinedload(Passkey.person)))


def _proven(passkey: Passkey, answer: str, challenge: Challenge) -> int | None:
    """How often the device has signed, by its own count, where it has signed this challenge for this site after its
    owner unlocked it; else None."""
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    here = place()
    if here is None:
        return None
    try:
        proven = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge.secret,
            expected_rp_id=here.domain,
            expected_origin=here.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # `_is_copied` compares: the library would not say that this was wrong
            require_user_verification=True,
        )
    except (WebAuthnException, *_BAD_ANSWER):
        return None
    return proven.new_sign_count


def _is_copied(passkey: Passkey, count: int) -> bool:
    """Whether the count did not rise. Some devices never count, since several share a passkey: they say 0 each time."""
    return bool(count or passkey.sign_count) and count <= passkey.sign_count


def _locked_here(person: Person) -> bool:
    """Whether it is this person whose device has locked."""
    locked = sessions.locked()
    return locked is not None and locked.id == person.id


def _refuse(session: Session, person: Person | None, at: datetime) -> NoReturn:
    with writing(session):
        subject = services.mark(person.sign_in_name) if person else ""
        audit.record(session, "sign_in_failed", by=None, subject=subject, at=at)
    raise SignInRefused(Refused.UNKNOWN)


def _new_challenge(purpose: str, at: datetime) -> bytes:
    """Another challenge takes the place of one that was made before."""
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    cookie[_COOKIE] = [purpose, challenge.hex(), at.isoformat()]
    return challenge


def _taken_challenge(purpose: str, at: datetime) -> Challenge | None:
    """The challenge of this browser for that purpose, which it has no more from now on; None where it is too old."""
    kept, secret, made = cookie.pop(_COOKIE, None) or ("", "", "")
    if kept != purpose or not at - ANSWER_WITHIN < (made_at := datetime.fromisoformat(made)) <= at:
        return None
    return Challenge(bytes.fromhex(secret), made_at)


def _adding(person: Person) -> str:
    return f"add {person.id}"


def _is_number(domain: str) -> bool:
    try:
        ip_address(domain)
    except ValueError:
        return False
    return True

"""Passkeys: a device signs in whoever unlocks it, and nothing else does. The device is made of software here; a real
browser with its own is in tests/journeys/test_passkey.py."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import select
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from tests.make import PASSWORD
from triage.accounts import passkeys, second_factor, throttle
from triage.models import AuditEntry, Passkey

ORIGIN = "http://localhost"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@dataclass
class Device:
    """Makes and uses one passkey as an authenticator does, or not quite."""

    id: bytes = b"a passkey of sixteen"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    count: int = 0
    counts: bool = True
    whose: str = ""

    def make(self, options, origin=ORIGIN, unlocked=True):
        self.whose = options["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        key = bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(cose)
        attested = {"fmt": "none", "attStmt": {}, "authData": self._data(options["rp"]["id"], unlocked, key)}
        client = self._client("webauthn.create", options, origin)
        return self._answer(clientDataJSON=client, attestationObject=cbor2.dumps(attested))

    def sign(self, options, origin=ORIGIN, unlocked=True, domain="", whose=""):
        data = self._data(domain or options["rpId"], unlocked)
        client = self._client("webauthn.get", options, origin)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        handle = base64url_to_bytes(whose or self.whose)
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=handle)

    def _data(self, domain, unlocked, key=b""):
        self.count += self.counts
        flags = 1 | (4 if unlocked else 0) | (0x40 if key else 0)
        return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + self.count.to_bytes(4) + key

    def _client(self, kind, options, origin):
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": origin}).encode()

    def _answer(self, **parts):
        id = bytes_to_base64url(self.id)
        response = {name: bytes_to_base64url(value) for name, value in parts.items()}
        return json.dumps({"id": id, "rawId": id, "type": "public-key", "response": response})


@pytest.fixture
def clock(monkeypatch):
    """Puts the clock so far behind its start; each answer comes a second after the one before."""
    now = [START]

    def later(span=timedelta()):
        now[0] += span
        return now[0]

    def tick():
        return later(timedelta(milliseconds=1))

    monkeypatch.setattr("triage.clock.now", tick)
    return later


@pytest.fixture(autouse=True)
def ticking(clock):
    pass


def options_of(page):
    (form,) = page.soup.select("[data-passkey-makes]")
    return json.loads(form["data-passkey-makes"])


def add(visitor, device=None, passphrase=PASSWORD, **how):
    """Adds a passkey through the pages; the device and the last page."""
    device = device or Device()
    page = visitor.get("passkeys.add").press("Continue", name="My phone", passphrase=passphrase)
    if page.status != 200:
        return device, page
    return device, page.press("Make the passkey", answer=device.make(options_of(page), **how))


def challenge(visitor):
    response = visitor.post("passkeys.challenge")
    return json.loads(response.html)


def sign_in(visitor, device, **how):
    return visitor.post("passkeys.sign_in", {"answer": device.sign(challenge(visitor), **how)}).follow()


def audited(session):
    session.rollback()
    done = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
    return [action for action in done if not action.endswith("_seen")]


def is_out(visitor):
    return visitor.get("account.home").location.startswith("/sign-in")


def test_whoever_is_signed_in_adds_a_passkey_and_signs_in_with_it(make, anna, pages, session):
    for person in (make.account(anna), make.caregiver(anna), make.nurse("Nora"), make.administrator()):
        visitor = pages(person)
        device, page = add(visitor, Device(id=person.id.bytes))
        assert page.heading == "Your account", person.role
        assert page.shows("My phone")
        assert page.shows("Not used yet")
        elsewhere = pages(None)
        assert sign_in(elsewhere, device).status == 200
        page = elsewhere.get("account.home")
        assert page.shows(person.sign_in_name)
        assert page.shows("Last used Monday 2 March 2026")
    assert audited(session)[:3] == ["passphrase_confirmed", "passkey_added", "signed_in"]


def test_a_passkey_is_both_factors_and_no_code_is_asked_for(app, alice, pages, session):
    app.config["SECOND_FACTOR"] = True
    device, _ = add(pages(alice))
    assert sign_in(pages(None), device).path == "/queue"
    assert audited(session)[-1] == "signed_in"


@pytest.mark.parametrize("passphrase", ["not this one", ""])
def test_nobody_adds_or_removes_one_without_the_passphrase(passphrase, alice, pages, session):
    visitor = pages(alice)
    device, page = add(visitor, passphrase=passphrase)
    assert (page.status, len(page.errors)) == (422, 1)
    assert visitor.post("passkeys.save", {"answer": device.sign({"rpId": "localhost", "challenge": "AA"}, whose="AA")})
    device, _ = add(visitor)
    page = visitor.get("account.home").click("Remove My phone").press("Remove", passphrase=passphrase)
    assert (page.status, len(page.errors)) == (422, 1)
    assert session.scalar(select(Passkey)) is not None


def test_a_removed_passkey_lets_nobody_in(alice, pages, session):
    visitor = pages(alice)
    device, page = add(visitor)
    page = page.click("Remove My phone").press("Remove", passphrase=PASSWORD)
    assert page.shows("The passkey is removed")
    elsewhere = pages(None)
    assert sign_in(elsewhere, device).status == 403
    assert is_out(elsewhere)
    assert audited(session)[-2:] == ["passkey_removed", "sign_in_failed"]


def test_somebody_elses_passkey_cannot_be_removed(make, alice, pages, session):
    device, _ = add(pages(alice))
    theirs = session.scalar(select(Passkey.id))
    nora = pages(make.nurse("Nora"))
    assert nora.get("passkeys.remove", passkey=theirs).status == 404
    assert nora.post("passkeys.remove", {"passkey": str(theirs), "passphrase": PASSWORD}).status == 404
    assert sign_in(pages(None), device).status == 200


WRONG_MAKING = {
    "another origin": {"origin": "https://localhost.example.org"},
    "a device that nobody unlocked": {"unlocked": False},
}


@pytest.mark.parametrize("how", WRONG_MAKING.values(), ids=WRONG_MAKING)
def test_what_does_not_become_a_passkey(how, alice, pages, session):
    _, page = add(pages(alice), **how)
    assert (page.status, page.heading) == (422, "No passkey was added")
    assert session.scalar(select(Passkey)) is None


def test_an_answer_adds_one_passkey_once_and_in_time(make, alice, pages, session, clock):
    visitor = pages(alice)
    page = visitor.get("passkeys.add").press("Continue", name="My phone", passphrase=PASSWORD)
    answer = Device().make(options_of(page))
    nora = pages(make.nurse("Nora"))
    nora.get("passkeys.add").press("Continue", name="Mine", passphrase=PASSWORD)
    assert nora.post("passkeys.save", {"answer": answer, "name": "x"}).status == 422, "a challenge of somebody else"
    cookies = dict(visitor.client._cookies)
    assert page.press("Make the passkey", answer=answer).status == 200
    assert visitor.post("passkeys.save", {"answer": answer, "name": "x"}).status == 422, "the challenge is gone"
    visitor.client._cookies.update(cookies)
    assert page.press("Make the passkey", answer=answer).status == 422, "with a copy of the cookie"
    assert len(session.scalars(select(Passkey)).all()) == 1
    page = visitor.get("passkeys.add").press("Continue", name="Late", passphrase=PASSWORD)
    clock(passkeys.ANSWER_WITHIN)
    assert page.press("Make the passkey", answer=Device(id=b"late").make(options_of(page))).status == 422


REFUSED = {
    "another challenge": lambda device, asked: device.sign(asked | {"challenge": "AAAA"}),
    "another origin": lambda device, asked: device.sign(asked, origin="https://localhost.example.org"),
    "another port": lambda device, asked: device.sign(asked, origin="http://localhost:81"),
    "another domain": lambda device, asked: device.sign(asked, domain="example.org"),
    "a device that nobody unlocked": lambda device, asked: device.sign(asked, unlocked=False),
    "another key": lambda device, asked: Device(id=device.id, whose=device.whose, count=9).sign(asked),
    "a passkey that nobody knows": lambda device, asked: Device(id=b"?", whose=device.whose).sign(asked),
    "in the name of somebody else": lambda device, asked: device.sign(asked, whose="A" * 22),
    "in nobody's name": lambda device, asked: device.sign(asked, whose="AAAA"),
    "a count that stays": lambda device, asked: Device(
        device.id, device.key, device.count - 1, whose=device.whose
    ).sign(asked),
    "a count that falls": lambda device, asked: Device(device.id, device.key, 0, False, device.whose).sign(asked),
    "nothing": lambda device, asked: "",
    "no JSON": lambda device, asked: "{",
    "no answer": lambda device, asked: '{"id": 1}',
    "depth": lambda device, asked: "[" * 50_000,
    "broken parts": lambda device, asked: device.sign(asked).replace("authenticatorData", "x"),
    "data of nothing": lambda device, asked: device.sign(asked)[:-3] + ', "authenticatorData": "AAAA"}}',
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_signs_nobody_in(why, make, alice, pages, session):
    device, _ = add(pages(alice))
    visitor = pages(None)
    page = visitor.post("passkeys.sign_in", {"answer": REFUSED[why](device, challenge(visitor))})
    assert (page.status, page.errors) == (
        403,
        ["This passkey lets nobody in here. Try again, or sign in with your passphrase."],
    )
    assert is_out(visitor)
    done = audited(session)
    assert done[-1] == "sign_in_failed"
    assert (done[-2] == "passkey_copy_refused") == ("count" in why)
    assert sign_in(visitor, device).status == 200, "the device itself goes on"


def test_an_answer_signs_in_once(alice, pages, session, clock):
    device, _ = add(pages(alice))
    visitor = pages(None)
    answer = device.sign(challenge(visitor))
    cookies = dict(visitor.client._cookies)
    assert visitor.post("passkeys.sign_in", {"answer": answer}).status == 302
    other = pages(None)
    challenge(other)
    assert other.post("passkeys.sign_in", {"answer": answer}).status == 403, "a challenge of another browser"
    other.client._cookies.update(cookies)
    token = other.csrf_token()
    assert other.post("passkeys.sign_in", {"answer": answer, "csrf_token": token}).status == 403, "a copied cookie"
    assert "passkey_copy_refused" not in audited(session), "which is no copied device"
    late = pages(None)
    answer = device.sign(challenge(late))
    clock(passkeys.ANSWER_WITHIN)
    assert late.post("passkeys.sign_in", {"answer": answer}).status == 403


def test_a_device_that_never_counts_signs_in_again_and_again(alice, pages):
    device, _ = add(pages(alice), Device(counts=False))
    for _ in range(2):
        assert sign_in(pages(None), device).status == 200


def test_nobody_who_left_or_begins_anew_comes_in_by_an_old_passkey(app, make, anna, alice, pages, session):
    from triage.accounts import invitations
    from triage.database import db

    device, _ = add(pages(alice))
    with app.app_context():
        invitations.invite(db.session, db.session.get(type(alice), alice.id), by=None, at=START)
    assert sign_in(pages(None), device).status == 403
    account = make.account(anna)
    device, _ = add(pages(account))
    session.rollback()
    anna.died_on = START.date()
    session.commit()
    assert sign_in(pages(None), device).status == 403


def test_tries_are_held_up_but_not_on_the_devices_of_others(alice, pages, clock, monkeypatch):
    monkeypatch.setattr(throttle, "FREE_BY_ADDRESS", 3)
    device, _ = add(pages(alice))
    known = pages(None)
    sign_in(known, device)
    known.press = known.post("accounts.sign_out")
    visitor = pages(None)
    for _ in range(3):
        assert sign_in(visitor, device, unlocked=False).status == 403
    page = sign_in(visitor, device)
    assert (page.status, page.errors[0][:33]) == (429, "Somebody tried to sign in too oft")
    assert sign_in(known, device).status == 200, "where she signed in before"
    clock(throttle.LONGEST_HOLD)
    assert sign_in(visitor, device).status == 200


def test_a_locked_device_opens_with_a_passkey_and_what_was_typed_is_there(
    app, alice, anna, make, pages, session, clock
):
    visitor = pages(None)
    device, _ = add(pages(alice))
    sign_in(visitor, device)
    make.alert(anna, at=START - timedelta(hours=1))
    form = visitor.get("care_team.queue")
    clock(timedelta(minutes=app.config["STAFF_IDLE_MINUTES"] + 1))
    page = form.press_only("Acknowledge the alert of Anna")
    assert page.heading == "Locked"
    kept = page.field("kept")[0]
    page = visitor.post("passkeys.sign_in", {"answer": device.sign(challenge(visitor)), "kept": kept})
    assert page.shows("You are signed in again. What you typed was kept.")
    assert "unlocked" in audited(session)


def half(pages, person):
    visitor = pages(None)
    page = visitor.get("accounts.sign_in")
    return visitor, page.press("Sign in", sign_in_name=person.sign_in_name, passphrase=PASSWORD)


def test_staff_set_up_a_passkey_instead_of_an_app(app, alice, pages, session):
    app.config["SECOND_FACTOR"] = True
    visitor, page = half(pages, alice)
    device, page = Device(), page.press("Use a passkey instead")
    page = page.press("Make the passkey", answer=device.make(options_of(page)))
    codes = [code.text for code in page.soup.select(".app-access")]
    assert len(codes) == second_factor.RECOVERY_CODES
    assert page.press("I have kept them").path == "/queue"
    assert audited(session) == ["passphrase_right", "passkey_added", "second_factor_set_up", "signed_in"]
    assert visitor.get("second_factor.renew").shows("You have 10 recovery codes left")

    other, page = half(pages, alice)
    assert page.heading == "Your code", "the passphrase alone sets up nothing any more"
    assert page.shows("Use your passkey, or enter a recovery code")
    assert other.post("passkeys.begin_set_up").location == "/sign-in"
    assert other.post("second_factor.set_up", {"code": "000000"}).location == "/sign-in"
    assert is_out(other)
    assert sign_in(other, device).path == "/queue"
    assert half(pages, alice)[1].press("Sign in", code=codes[0]).path == "/queue"

    page = visitor.get("account.home").links()["Remove " + visitor.get("account.home").soup.select("h3")[0].text]
    page = visitor.get(page).press("Remove", passphrase=PASSWORD)
    assert page.errors == ["You sign in with this passkey only. Add another one first. Nothing was removed."]


def test_a_challenge_to_set_up_adds_nothing_to_somebody_who_has_a_second_factor(app, alice, pages, session):
    app.config["SECOND_FACTOR"] = True
    _, first = half(pages, alice)
    _, second = half(pages, alice)
    one, other = first.press("Use a passkey instead"), second.press("Use a passkey instead")
    one.press("Make the passkey", answer=Device().make(options_of(one)))
    page = other.press("Make the passkey", answer=Device(id=b"a thief").make(options_of(other)))
    assert page.status == 422
    session.rollback()
    assert len(session.scalars(select(Passkey)).all()) == 1


ADDRESSES = [
    ({"LOCAL": False, "PUBLIC_URL": "https://triage.example.org/"}, "triage.example.org", "https://triage.example.org"),
    (
        {"LOCAL": False, "PUBLIC_URL": "https://TRIAGE.example.org:443/x"},
        "triage.example.org",
        "https://triage.example.org",
    ),
    ({"LOCAL": False, "PUBLIC_URL": "https://t.example.org:8443"}, "t.example.org", "https://t.example.org:8443"),
    ({"LOCAL": False, "PUBLIC_URL": "http://triage.example.org/"}, None, None),
    ({"LOCAL": False, "PUBLIC_URL": "https://192.0.2.1/"}, None, None),
    ({"LOCAL": False, "PUBLIC_URL": "https://[2001:db8::1]/"}, None, None),
    ({"LOCAL": False, "PUBLIC_URL": ""}, None, None),
    ({"LOCAL": True, "PUBLIC_URL": "http://127.0.0.1:8000/"}, "localhost", "http://localhost"),
]


@pytest.mark.parametrize(("config", "domain", "origin"), ADDRESSES)
def test_where_passkeys_are_for(config, domain, origin, app):
    app.config.update(config)
    with app.test_request_context(base_url="http://localhost"):
        here = passkeys.place()
    assert ((here.domain, here.origin) if here else (None, None)) == (domain, origin)


def test_where_the_address_is_a_number_the_page_says_why_there_are_none(app, alice, pages, monkeypatch):
    by_name = app.wsgi_app
    monkeypatch.setattr(
        app, "wsgi_app", lambda environ, start: by_name(environ | {"HTTP_HOST": "127.0.0.1:8000"}, start)
    )
    page = pages(alice).get("account.home")
    assert page.shows("Passkeys cannot be used at this address, because it is a number.")
    assert page.links()["http://localhost:8000/account"] == "http://localhost:8000/account"
    assert pages(alice).get("passkeys.add").location == "/account"
    assert not pages(None).get("accounts.sign_in").shows("Sign in with a passkey")
    assert pages(None).post("passkeys.challenge").status == 404
    assert pages(None).post("passkeys.sign_in", {"answer": "{}"}).status == 403


def test_the_browser_is_told_nothing_of_anybody(alice, pages):
    add(pages(alice))
    asked = challenge(pages(None))
    assert asked["allowCredentials"] == []
    assert asked["userVerification"] == "required"
    page = pages(alice).get("passkeys.add").press("Continue", name="My phone", passphrase=PASSWORD)
    options = options_of(page)
    assert {options["user"][name] for name in ("name", "displayName")} == {alice.sign_in_name}
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert len(options["excludeCredentials"]) == 1

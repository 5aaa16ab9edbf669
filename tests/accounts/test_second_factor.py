"""Staff sign in with a passphrase and a code of their app: compulsory on a real site, and no code is taken twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import select

from tests.make import PASSWORD
from triage.accounts import second_factor, throttle
from triage.models import AuditEntry, Authenticator, RecoveryCode
from triage.web import create_app

KEY = re.compile(r"\b[A-Z2-7]{32}\b")
INVITATION = re.compile(r"\b[a-z]{4}(?:-[a-z]{4}){4}\b")
RECOVERY = re.compile(r"\b[a-z]{4}(?:-[a-z]{4}){2}\b")
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch):
    """Puts the clock so far behind its start; returns the moment."""

    def later(span=timedelta()):
        monkeypatch.setattr("triage.clock.now", lambda: START + span)
        return START + span

    later()
    return later


@pytest.fixture(autouse=True)
def compulsory(app, clock):
    app.config["SECOND_FACTOR"] = True


def passphrase(visitor, person, passphrase=PASSWORD):
    return visitor.get("accounts.sign_in").press("Sign in", sign_in_name=person.sign_in_name, passphrase=passphrase)


def code(key, at):
    return pyotp.TOTP(key).at(at)


class Enrolled:
    """Alice with her app and recovery codes."""

    def __init__(self, pages, person, at):
        self.page = passphrase(pages(None), person)
        (self.key,) = KEY.findall(self.page.text)
        self.codes_page = self.page.press("Sign in", code=code(self.key, at))
        self.codes = RECOVERY.findall(self.codes_page.text)


@pytest.fixture
def enrolled(alice, pages, clock):
    return Enrolled(pages, alice, clock())


def audited(session):
    """What was done, without the looks."""
    session.rollback()
    done = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
    return [action for action in done if not action.endswith("_seen")]


def test_the_first_sign_in_sets_up_an_app_and_shows_recovery_codes(enrolled, session, alice):
    assert enrolled.page.heading == "Set up your authenticator app"
    assert enrolled.page.tag.select("svg[role=img] path")
    assert len(set(enrolled.codes)) == second_factor.RECOVERY_CODES
    assert enrolled.codes_page.press("I have kept them").path == "/queue"
    assert audited(session) == ["passphrase_right", "second_factor_set_up", "signed_in"]


def test_nobody_is_signed_in_with_the_passphrase_alone(enrolled, alice, pages, clock):
    visitor = pages(None)
    assert passphrase(visitor, alice).heading == "Your code"
    for where in ("care_team.queue", "second_factor.renew"):
        assert visitor.get(where).location.startswith("/sign-in")
    assert visitor.post("second_factor.go_on").status == 401
    fresh = pages(None)
    assert fresh.get("second_factor.code").location == "/sign-in"
    clock(timedelta(minutes=10))
    assert visitor.get("second_factor.code").location == "/sign-in", "half a sign-in lasts ten minutes"


def test_a_code_lets_in_once(enrolled, alice, pages, clock):
    at = clock(timedelta(minutes=1))
    assert passphrase(pages(None), alice).press("Sign in", code=code(enrolled.key, at)).path == "/queue"
    page = passphrase(pages(None), alice).press("Sign in", code=code(enrolled.key, at))
    assert (page.status, page.errors[0][:22]) == (403, "This code is not right")
    earlier = code(enrolled.key, at - timedelta(seconds=30))
    assert passphrase(pages(None), alice).press("Sign in", code=earlier).status == 403, "nor one before it"
    spaced = code(enrolled.key, at + timedelta(seconds=30))
    assert passphrase(pages(None), alice).press("Sign in", code=f" {spaced[:3]} {spaced[3:]} ").path == "/queue"


@pytest.mark.parametrize(("seconds", "good"), [(-90, False), (-30, True), (0, True), (30, True), (90, False)])
def test_a_clock_may_be_half_a_minute_off(seconds, good, enrolled, alice, pages, clock):
    at = clock(timedelta(minutes=5))
    page = passphrase(pages(None), alice).press("Sign in", code=code(enrolled.key, at + timedelta(seconds=seconds)))
    assert (page.path == "/queue") == good


def test_a_recovery_code_lets_in_once(enrolled, alice, pages, session, clock):
    clock(timedelta(minutes=1))
    recovery = enrolled.codes[3]
    assert passphrase(pages(None), alice).press("Sign in", code=recovery.upper()).path == "/queue"
    assert passphrase(pages(None), alice).press("Sign in", code=recovery).status == 403
    assert "recovery_code_used" in audited(session)
    assert second_factor.recovery_codes_left(session, alice) == second_factor.RECOVERY_CODES - 1


def test_new_recovery_codes_end_the_old_ones(enrolled, alice, pages, clock):
    at = clock(timedelta(minutes=1))
    visitor = pages(alice)
    page = visitor.get("second_factor.renew")
    assert page.shows("You have 10 recovery codes left")
    assert page.press("Make new recovery codes", code="000000").status == 403
    page = page.press("Make new recovery codes", code=code(enrolled.key, at))
    new = RECOVERY.findall(page.text)
    assert passphrase(pages(None), alice).press("Sign in", code=enrolled.codes[0]).status == 403
    assert passphrase(pages(None), alice).press("Sign in", code=new[0]).path == "/queue"


def test_codes_cannot_be_guessed_by_trying(enrolled, alice, pages, clock):
    at = clock(timedelta(minutes=1))
    page = passphrase(pages(None), alice)
    for _ in range(throttle.FREE_BY_NAME):
        page = page.press("Sign in", code="000000")
        assert page.status == 403
    assert page.press("Sign in", code=code(enrolled.key, at)).status == 429
    assert page.press("Sign in", code=enrolled.codes[0]).status == 429


def test_what_was_typed_before_a_sign_in_timed_out_comes_through_both_steps(enrolled, anna, alice, make, pages, clock):
    visitor = pages(alice)
    make.alert(anna, at=START - timedelta(hours=1))
    form = visitor.get("care_team.queue")
    visitor.time_out()
    page = form.press_only("Acknowledge the alert of Anna")
    assert page.shows("What you typed was kept")
    page = page.press("Sign in", sign_in_name=alice.sign_in_name, passphrase=PASSWORD)
    at = clock(timedelta(minutes=1))
    page = page.press("Sign in", code="000000").press("Sign in", code=code(enrolled.key, at))
    assert page.shows("You are signed in again. What you typed was kept.")


def test_a_new_invitation_ends_the_app(enrolled, alice, make, pages, session):
    visitor = pages(make.administrator())
    visitor.get("staff.everybody").press("Make a new invitation for Alice")
    session.rollback()
    assert session.scalars(select(Authenticator)).all() == []
    assert session.scalars(select(RecoveryCode)).all() == []


def test_an_invitation_leads_staff_to_the_app_before_anything_else(make, alice, pages):
    sheet = pages(make.administrator()).get("staff.everybody").press("Make a new invitation for Alice")
    (invitation,) = INVITATION.findall(sheet.text)
    visitor = pages(None)
    page = visitor.get("joining.code").press("Continue", code=invitation)
    page = page.press("Save and sign in", passphrase="four words of no sentence", again="four words of no sentence")
    assert page.heading == "Set up your authenticator app"
    assert visitor.get("care_team.queue").location.startswith("/sign-in")


def test_somebody_with_the_passphrase_alone_cannot_set_up_another_app(enrolled, alice, pages, clock):
    visitor = pages(None)
    passphrase(visitor, alice)
    assert visitor.post("second_factor.set_up", {"code": "000000"}).location == "/sign-in"


def test_patients_need_no_second_factor(make, anna, pages):
    assert passphrase(pages(None), make.account(anna)).path == "/report"


def test_neither_secret_nor_recovery_code_stands_in_the_database(enrolled, session):
    session.rollback()
    rows = [*session.scalars(select(Authenticator)), *session.scalars(select(RecoveryCode))]
    stored = " ".join(str(value) for row in rows for value in vars(row).values())
    assert len(rows) == 11
    assert not any(secret in stored for secret in (enrolled.key, *enrolled.codes))


def test_after_a_change_of_the_secret_key_staff_set_up_anew_and_nothing_breaks(enrolled, app, alice, pages):
    app.secret_key = "another key"
    assert passphrase(pages(None), alice).heading == "Set up your authenticator app"


def test_a_real_site_cannot_do_without(database_url):
    real = {
        "TESTING": True,
        "HOST": "0.0.0.0",
        "SECRET_KEY": "k" * 40,
        "EMERGENCY_NUMBER": "999",
        "CARE_TEAM_PHONE": "+44 1632 960 123",
        "CARE_TEAM_NAME": "Ward 7",
        "DATABASE_URL": database_url,
        "SECOND_FACTOR": False,
    }
    assert create_app(real).config["SECOND_FACTOR"] is True

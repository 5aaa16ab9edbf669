"""Guessing is slow, for all processes together, and never keeps a patient's own phone out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import request
from sqlalchemy import select

from tests.make import PASSWORD
from triage.accounts import services, throttle
from triage.accounts.access import public
from triage.database import db
from triage.models import SignInTry
from triage.web import create_app

HELD = "Somebody tried to sign in too often"
WRONG = "The sign-in name or the passphrase is not right"


def sign_in(visitor, name, passphrase=PASSWORD):
    return visitor.get("accounts.sign_in").press("Sign in", sign_in_name=name, passphrase=passphrase)


@pytest.fixture
def clock(monkeypatch):
    """Puts the clock to a time after the first look."""
    start = datetime(2026, 3, 2, 8, tzinfo=UTC)
    monkeypatch.setattr("triage.clock.now", lambda: start)
    return lambda span: monkeypatch.setattr("triage.clock.now", lambda: start + span)


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_each_failure_beyond_five_holds_a_name_up_twice_as_long_until_a_success(known, alice, pages, clock):
    """A name that nobody has gets the same answers at the same times."""
    name, at = alice.sign_in_name if known else "nobody", timedelta()
    for _ in range(throttle.FREE_BY_NAME):
        page = sign_in(pages(None), name, "guess")
        assert (page.status, page.shows(WRONG)) == (403, True)
    for minutes in (0.5, 1, 2, 4, 8, 15, 15):
        page = sign_in(pages(None), name, PASSWORD)
        assert (page.status, page.shows(HELD)) == (429, True), "not even the right one is looked at"
        assert page.shows("Emergency")
        at += timedelta(minutes=minutes)
        clock(at - timedelta(seconds=1))
        assert sign_in(pages(None), name, PASSWORD).status == 429
        clock(at)
        assert sign_in(pages(None), name, "guess").status == 403
    clock(at + timedelta(minutes=15))
    if known:
        assert sign_in(pages(None), name).path == "/queue"
        assert sign_in(pages(None), name, "guess").status == 403, "a success clears the name"
        assert sign_in(pages(None), name).path == "/queue"


def test_a_stranger_who_guesses_cannot_keep_a_patient_from_their_own_phone(make, anna, pages, clock):
    account, phone = make.account(anna), pages(None)
    assert sign_in(phone, account.sign_in_name).path == "/report"
    for _ in range(throttle.FREE_BY_NAME + 1):
        page = sign_in(pages(None), account.sign_in_name, "guess")
    assert page.status == 429
    assert phone.get("reports.danger").status == 200, "whoever is signed in stays so"
    phone.get("reports.home").press("Sign out")
    assert sign_in(phone, account.sign_in_name).path == "/report"
    phone.get("reports.home").press("Sign out")
    for _ in range(throttle.FREE_BY_NAME):
        sign_in(phone, account.sign_in_name, "guess")
    assert sign_in(phone, account.sign_in_name).status == 429, "whoever has found the phone guesses no faster"


def test_somebody_held_up_reads_whom_to_call_on_every_page_without_signing_in(pages, clock, app):
    visitor = pages(None)
    for _ in range(throttle.FREE_BY_NAME + 1):
        page = sign_in(visitor, "nobody", "guess")
    for shown in (page, page.click("I cannot sign in"), visitor.get("accounts.sign_in")):
        assert f"tel:{app.config['EMERGENCY_NUMBER']}" in shown.links().values()


def test_one_address_that_tries_many_names_is_held_up_and_no_other_address(app, alice, session, make, monkeypatch):
    monkeypatch.setattr(throttle, "FREE_BY_ADDRESS", 3)
    name, at = alice.sign_in_name, make.now()

    def sign_in(name, password, address):
        with app.app_context():
            try:
                return services.sign_in(session, name, password, at, address=address).id
            except services.SignInRefused as refused:
                return refused.why

    for number in range(3):
        assert sign_in(f"name-{number}", "guess", "192.0.2.7") is services.Refused.UNKNOWN
    assert sign_in(name, PASSWORD, "192.0.2.7") is services.Refused.TOO_MANY
    assert sign_in(name, PASSWORD, "192.0.2.8") == alice.id


def test_a_success_does_not_clear_what_others_failed_at_the_same_address(app, session, alice, pages, clock):
    for number in range(2):
        sign_in(pages(None), f"name-{number}", "guess")
    sign_in(pages(None), alice.sign_in_name)
    failures = {row.key.partition(":")[0]: row.failures for row in session.scalars(select(SignInTry))}
    assert failures["address"] == 2


def test_nothing_that_was_typed_and_no_address_is_kept(session, pages, clock):
    sign_in(pages(None), "my secret", "guess")
    keys = session.scalars(select(SignInTry.key)).all()
    assert len(keys) == 2
    assert not any("secret" in key or "127.0.0.1" in key for key in keys)


def test_failures_are_forgotten_after_a_day(session, pages, clock):
    for _ in range(throttle.FREE_BY_NAME):
        sign_in(pages(None), "nobody", "guess")
    clock(timedelta(days=1, seconds=1))
    assert sign_in(pages(None), "somebody", "guess").status == 403
    session.rollback()
    assert {row.failures for row in session.scalars(select(SignInTry))} == {1}


def test_many_tries_at_the_same_moment_get_no_more_guesses(app, make):
    """Each is counted before anything is compared, in the table that all processes share."""
    at = make.now()

    def one(_):
        with app.app_context():
            try:
                throttle.begin(db.session, throttle.of_sign_in("nobody", "192.0.2.7", ""), at)
            except throttle.Held:
                return 0
        return 1

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(16))) == throttle.FREE_BY_NAME


@pytest.mark.parametrize(("proxies", "seen"), [(1, "192.0.2.7"), (0, "198.51.100.1")])
def test_the_address_behind_a_proxy_is_the_one_that_the_proxy_says(proxies, seen, database_url):
    """What somebody wrote there before it is believed by nobody."""
    real = {
        "TESTING": True,
        "HOST": "0.0.0.0",
        "SECRET_KEY": "k" * 40,
        "EMERGENCY_NUMBER": "999",
        "CARE_TEAM_PHONE": "+44 1632 960 123",
        "CARE_TEAM_NAME": "Ward 7",
        "DATABASE_URL": database_url,
        "PROXIES": proxies,
    }
    app = create_app(real)
    app.add_url_rule("/from", "from", public(lambda: request.remote_addr))
    headers = {"X-Forwarded-For": "203.0.113.1, 192.0.2.7"}
    answer = app.test_client().get("/from", headers=headers, environ_base={"REMOTE_ADDR": "198.51.100.1"})
    assert answer.text == seen

"""Where somebody is signed in: listed, ended, locked after minutes of rest; and what was half written comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.make import PASSWORD
from triage.accounts import throttle
from triage.accounts.devices import described
from triage.models import AuditEntry, SignIn

NEW = "four words of no sentence"
ANDROID = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Puts the clock so far behind its start."""
    monkeypatch.setattr("triage.clock.now", lambda: START)
    return lambda span: monkeypatch.setattr("triage.clock.now", lambda: START + span)


@pytest.fixture
def signed_in(pages):
    """Somebody who signed in with the form, on a new device."""

    def sign_in(person, passphrase=PASSWORD, agent=ANDROID):
        visitor = pages(None)
        visitor.client.environ_base["HTTP_USER_AGENT"] = agent
        page = visitor.get("accounts.sign_in")
        page.press("Sign in", sign_in_name=person.sign_in_name, passphrase=passphrase)
        visitor._phone = None
        return visitor

    return sign_in


def at_work(visitor):
    return visitor.get("care_team.queue").status == 200


def audited(session):
    """What was done, without the looks."""
    session.rollback()
    done = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
    return [action for action in done if not action.endswith("_seen")]


def test_a_device_locks_after_fifteen_minutes_and_opens_with_the_same_passphrase(alice, signed_in, clock, session):
    visitor = signed_in(alice)
    clock(timedelta(minutes=14, seconds=59))
    assert at_work(visitor)
    clock(timedelta(minutes=29, seconds=58))
    assert at_work(visitor), "fifteen minutes count from the last thing that was done"
    clock(timedelta(minutes=44, seconds=58))
    page = visitor.get("care_team.queue", query={"urgency": "urgent"}).follow()
    assert page.heading == "Locked"
    assert page.shows("Signed in: Alice")
    assert page.press("Unlock", passphrase="guess").errors == ["This passphrase is not right. Try again."]
    page = page.press("Unlock", passphrase=PASSWORD)
    assert page.path == "/queue?urgency=urgent"
    assert audited(session)[-2:] == ["sign_in_failed", "unlocked"]


def test_a_half_written_note_comes_back(alice, anna, make, signed_in, clock, session):
    alert = make.alert(anna, at=START - timedelta(hours=1))
    visitor = signed_in(alice)
    visitor.post("care_team.acknowledge", alert_id=alert.id)
    form = visitor.get("care_team.resolve", alert_id=alert.id)
    clock(timedelta(minutes=15))
    page = form.press_only("Resolve", disposition="no_action", note="Half a sentence")
    assert (page.status, page.heading) == (401, "Locked")
    assert page.shows("What you typed was kept")
    assert not page.shows("Anna"), "nothing of a patient stands on a locked screen"
    page = page.press("Unlock", passphrase="guess").press("Unlock", passphrase=PASSWORD)
    assert page.shows("What you typed was kept")
    page.press("Send it now")
    session.rollback()
    assert (alert.status, alert.note) == ("resolved", "Half a sentence")


def test_a_locked_device_opens_for_nobody_else(alice, signed_in, clock):
    visitor = signed_in(alice)
    clock(timedelta(minutes=15))
    page = visitor.get("care_team.queue").follow()
    for _ in range(throttle.FREE_BY_NAME):
        page = page.press("Unlock", passphrase="guess")
    assert page.press("Unlock", passphrase=PASSWORD).errors[0].startswith("A wrong passphrase was tried too often")
    assert not at_work(visitor)
    assert page.click("I am somebody else").heading == "Sign in"


def test_a_queue_that_asks_by_itself_keeps_nothing_open(alice, signed_in, clock):
    visitor = signed_in(alice)
    for minute in range(0, 15, 5):
        clock(timedelta(minutes=minute))
        assert visitor.client.get("/queue/rows").status_code == 200
    clock(timedelta(minutes=15))
    assert visitor.client.get("/queue/rows").status_code == 302


def test_patients_do_not_lock(make, anna, signed_in, clock):
    phone = signed_in(make.account(anna))
    clock(timedelta(days=29))
    assert phone.get("reports.home").status == 200


def test_where_somebody_is_signed_in_is_listed_and_can_be_ended(make, anna, signed_in, clock, session):
    account = make.account(anna)
    old, phone = signed_in(account), signed_in(account, agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
    page = phone.get("account.home")
    assert page.shows("Firefox on Linux (this device)")
    assert page.shows("Chrome on Android")
    page = page.press("Sign out there on Chrome on Android")
    assert not page.shows("Chrome on Android")
    assert old.get("reports.home").location.startswith("/sign-in")
    assert phone.get("reports.home").status == 200
    assert audited(session)[-1] == "sign_in_ended"


def test_nobody_ends_what_is_not_theirs(alice, bob, signed_in, session):
    his, hers = signed_in(bob), signed_in(alice)
    session.rollback()
    row = session.scalars(select(SignIn).where(SignIn.person_id == bob.id)).one()
    assert hers.post("account.end", {"sign_in": str(row.id)}).status == 404
    assert at_work(his)


def test_signing_out_everywhere_else_keeps_this_device(alice, signed_in):
    others, here = [signed_in(alice), signed_in(alice)], signed_in(alice)
    here.get("account.home").press("Sign out everywhere else")
    assert not any(at_work(other) for other in others)
    assert at_work(here)


def test_a_cookie_is_worth_nothing_after_signing_out(alice, signed_in):
    """Also one that somebody has copied."""
    visitor = signed_in(alice)
    cookie = visitor.client.get_cookie("triage").value
    visitor.get("care_team.queue").press("Sign out")
    visitor.client.set_cookie("triage", cookie)
    assert not at_work(visitor)


def test_another_passphrase_needs_the_present_one_and_ends_every_other_sign_in(alice, signed_in, session):
    other, here = signed_in(alice), signed_in(alice)
    page = here.get("account.passphrase")
    refused = page.press("Save", present="guess", passphrase=NEW, again=NEW)
    assert refused.errors == ["This passphrase is not right. Try again."]
    assert page.press("Save", present=PASSWORD, passphrase="short", again="short").status == 422
    assert page.press("Save", present=PASSWORD, passphrase=NEW, again=NEW).path == "/account"
    assert not at_work(other)
    assert at_work(here)
    assert at_work(signed_in(alice, NEW))
    assert not at_work(signed_in(alice, PASSWORD))
    assert "passphrase_changed" in audited(session)


def test_a_passphrase_is_never_carried_along(alice, signed_in, clock):
    visitor = signed_in(alice)
    form = visitor.get("account.passphrase")
    clock(timedelta(minutes=15))
    page = form.press_only("Save", present=PASSWORD, passphrase=NEW, again=NEW)
    assert page.heading == "Locked"
    visitor.time_out()
    for answer in (page, form.press_only("Save", present=PASSWORD, passphrase=NEW, again=NEW)):
        assert answer.status == 401
        assert NEW not in answer.html
        assert not answer.shows("What you typed was kept")


def test_a_page_is_shown_also_when_its_use_cannot_be_noted(alice, signed_in, clock, monkeypatch):
    from triage.accounts import sessions
    from triage.database import NoWriteLock

    visitor = signed_in(alice)
    clock(timedelta(minutes=2))

    def no_lock(session):
        raise NoWriteLock("the disk is full")

    monkeypatch.setattr(sessions, "writing", no_lock)
    assert at_work(visitor)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (ANDROID, "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("<script>", "A browser"),
        ("", "A browser"),
    ],
)
def test_a_device_is_called_by_words_of_ours(agent, words):
    assert described(agent) == words

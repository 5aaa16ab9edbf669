"""Signing in and out: who gets in, for how long, and what is never told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.make import PASSWORD
from triage.accounts import invitations, services
from triage.models import AuditEntry, Role
from triage.web import create_app

REFUSED = "The sign-in name or the passphrase is not right"


def sign_in(visitor, name, passphrase=PASSWORD):
    return visitor.get("accounts.sign_in").press("Sign in", sign_in_name=name, passphrase=passphrase)


@pytest.fixture
def clock(monkeypatch):
    """Puts the clock to a time: `clock(timedelta(hours=1))` is an hour later than the first look."""
    start = datetime(2026, 3, 2, 8, tzinfo=UTC)
    monkeypatch.setattr("triage.clock.now", lambda: start)

    def later(span):
        monkeypatch.setattr("triage.clock.now", lambda: start + span)

    return later


@pytest.mark.parametrize(
    ("role", "path"),
    [("nurse", "/queue"), ("clinician", "/rules"), ("administrator", "/people")],
)
def test_staff_arrive_at_their_work(role, path, make, pages):
    person = make.staff(role, "Somebody")
    assert sign_in(pages(None), person.sign_in_name).path == path


def test_patient_and_caregiver_arrive_at_the_report(make, anna, pages):
    for person in (make.account(anna), make.caregiver(anna)):
        assert sign_in(pages(None), person.sign_in_name).path == "/report"


def test_a_name_is_found_however_it_is_typed(alice, pages):
    assert sign_in(pages(None), f"  {alice.sign_in_name.upper()} ").path == "/queue"


@pytest.mark.parametrize("name", ["known", "unknown"])
def test_a_known_and_an_unknown_name_get_the_same_answer(name, alice, pages):
    page = sign_in(pages(None), alice.sign_in_name if name == "known" else "nobody", "wrong")
    assert page.status == 403
    assert page.errors == [f"{REFUSED}. Check both and try again."]


@pytest.mark.parametrize("name", ["known", "unknown"])
def test_a_known_and_an_unknown_name_cost_the_same_work(name, alice, session, app, monkeypatch):
    """Else the time of the answer tells who is under care here."""
    verified = []
    monkeypatch.setattr(
        "triage.accounts.passwords._hasher.__class__.verify", lambda self, *args: verified.append(args) or True
    )
    with app.app_context():
        try:
            services.sign_in(session, alice.sign_in_name if name == "known" else "nobody", "x", datetime.now(UTC))
        except services.SignInRefused:
            assert name == "unknown"
    assert len(verified) == 1


def test_what_was_typed_is_kept_but_the_passphrase(alice, pages):
    page = sign_in(pages(None), alice.sign_in_name, "wrong horse")
    assert page.field("sign_in_name") == alice.sign_in_name
    assert "wrong horse" not in page.html


def test_a_character_that_no_database_knows_is_a_slip_like_any_other(pages):
    page = pages(None).get("accounts.sign_in").press("Sign in", sign_in_name="ali\x00ce", passphrase="x")
    assert page.status == 403


def test_empty_fields_are_named(pages):
    page = sign_in(pages(None), "", "")
    assert page.errors == ["Enter your sign-in name", "Enter your passphrase"]


def test_somebody_who_was_deactivated_cannot_sign_in(make, pages):
    gone = make.nurse("Gone", active=False)
    assert sign_in(pages(None), gone.sign_in_name).shows(REFUSED)


def test_deactivating_signs_out_at_once(alice, pages, session):
    visitor = pages(alice)
    alice.active = False
    session.commit()
    assert visitor.get("care_team.queue").location.startswith("/sign-in")


def test_the_demo_password_works_on_this_machine_only(database_url, make, pages, session):
    from triage.accounts import passwords

    nurse = make.nurse("Demo", password_hash=passwords.hash_password(services.DEMO_PASSWORD))
    assert sign_in(pages(None), nurse.sign_in_name, services.DEMO_PASSWORD).path == "/queue"
    real = create_app(
        {
            "TESTING": True,
            "HOST": "0.0.0.0",
            "SECRET_KEY": "k" * 40,
            "EMERGENCY_NUMBER": "999",
            "CARE_TEAM_PHONE": "+44 1632 960 123",
            "CARE_TEAM_NAME": "Ward 7",
            "DATABASE_URL": database_url,
        }
    )
    with real.app_context(), pytest.raises(services.SignInRefused) as refused:
        services.sign_in(session, nurse.sign_in_name, services.DEMO_PASSWORD, make.now())
    assert refused.value.why is services.Refused.DEMO_PASSWORD


@pytest.mark.parametrize(
    ("make_person", "stays"),
    [
        (lambda make: make.nurse(), timedelta(hours=12)),
        (lambda make: make.account(make.patient()), timedelta(days=30)),
        (lambda make: make.caregiver(make.patient()), timedelta(days=30)),
    ],
    ids=["nurse", "patient", "caregiver"],
)
def test_a_sign_in_lasts_a_shift_for_staff_and_long_for_patients(make_person, stays, app, make, pages, clock):
    app.config["STAFF_IDLE_MINUTES"] = 24 * 60  # how a device locks is tested in test_sessions.py
    person, visitor = make_person(make), pages(None)
    home = sign_in(visitor, person.sign_in_name).path
    clock(stays - timedelta(minutes=1))
    assert visitor.get(home).status == 200
    clock(stays)
    assert visitor.get(home).location.startswith("/sign-in")


def test_signing_out_ends_it(alice, pages):
    visitor = pages(alice)
    page = visitor.get("care_team.queue").press("Sign out")
    assert page.path == "/sign-in"
    assert visitor.get("care_team.queue").location.startswith("/sign-in")


def test_a_page_that_needs_a_sign_in_is_reached_after_it(make, anna, alice, pages):
    visitor = pages(None)
    page = visitor.get("care_team.record", patient_id=anna.id).follow()
    page = page.press("Sign in", sign_in_name=alice.sign_in_name, passphrase=PASSWORD)
    assert page.path == f"/patients/{anna.id}"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example", "queue"],
)
def test_a_sign_in_leads_to_no_other_site(elsewhere, alice, pages):
    visitor = pages(None)
    page = visitor.get("accounts.sign_in", query={"next": elsewhere})
    answer = page.press_only("Sign in", sign_in_name=alice.sign_in_name, passphrase=PASSWORD)
    assert answer.location == "/"


def test_signing_in_and_out_is_in_the_audit_trail(alice, pages, session):
    visitor = pages(None)
    sign_in(visitor, alice.sign_in_name, "wrong")
    sign_in(visitor, alice.sign_in_name).press("Sign out")
    session.rollback()
    entries = session.execute(select(AuditEntry.action, AuditEntry.person_id).order_by(AuditEntry.id)).all()
    seen = ("queue_seen", alice.id)
    assert entries == [("sign_in_failed", None), ("signed_in", alice.id), seen, ("signed_out", alice.id)]


def test_the_audit_trail_holds_no_typed_name(pages, session):
    """Somebody may type a passphrase into the field for the name."""
    sign_in(pages(None), "my secret passphrase", "")
    sign_in(pages(None), "my secret passphrase", "x")
    subjects = session.scalars(select(AuditEntry.subject)).all()
    assert subjects
    assert not any("secret" in subject for subject in subjects)


def test_an_old_session_cookie_is_worth_nothing_after_a_new_invitation(make, anna, pages, session, app):
    account = make.account(anna)
    visitor = pages(account)
    with app.app_context():
        invitations.invite(session, account, by=make.administrator(), at=make.now())
    assert visitor.get("reports.home").location.startswith("/sign-in")


def test_health_tells_no_more_than_that(client):
    answer = client.get("/health")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_every_role_has_a_home(app):
    from triage.accounts.views import _HOME

    assert set(_HOME) == set(Role)
    assert set(_HOME.values()) <= set(app.view_functions)

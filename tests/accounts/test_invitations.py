"""Invitations: one code, once, for some days; consent of patients; staff; what changes about people."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.make import OTHER_TEAM, PASSWORD
from triage.accounts import throttle
from triage.models import HEARTBEAT_TEAM, AuditEntry, CareTeam, Invitation, Person
from triage.rules.urgency import Urgency

CODE = re.compile(r"\b[a-z]{4}(?:-[a-z]{4}){4}\b")
NEW = "four words of no sentence"
NOT_GOOD = "This code is not right, was used already, or is too old"


@pytest.fixture
def clock(monkeypatch):
    """Puts the clock to a time after the first look."""
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    monkeypatch.setattr("triage.clock.now", lambda: start)
    return lambda span: monkeypatch.setattr("triage.clock.now", lambda: start + span)


@pytest.fixture
def emil(make, clock):
    return make.administrator("Emil")


@pytest.fixture
def visitor(pages, emil):
    return pages(emil)


@pytest.fixture
def account(make, anna):
    return make.account(anna)


@pytest.fixture
def code(visitor, anna, account):
    """Of a new invitation of Anna."""
    return code_of(visitor.get("accounts.patient", patient_id=anna.id).press("Make a new invitation for Anna"))


def code_of(sheet):
    (code,) = CODE.findall(sheet.text)
    return code


def enter(visitor, code):
    return visitor.get("joining.code").press("Continue", code=code)


def set_passphrase(page, passphrase=NEW, again=None):
    return page.press("Save and sign in", passphrase=passphrase, again=passphrase if again is None else again)


def audited(session):
    """What was done, without the looks."""
    session.rollback()
    done = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
    return [action for action in done if not action.endswith("_seen")]


def test_a_code_sets_a_passphrase_once(code, account, pages, session):
    page, elsewhere = enter(pages(None), code), enter(pages(None), code)
    assert page.shows(account.sign_in_name)
    assert set_passphrase(page).path == "/report"
    assert enter(pages(None), code).shows(NOT_GOOD)
    assert set_passphrase(elsewhere, "another one of theirs").shows(NOT_GOOD), "also on a page that was open before"
    again = pages(None).get("accounts.sign_in")
    assert again.press("Sign in", sign_in_name=account.sign_in_name, passphrase=NEW).path == "/report"
    assert audited(session)[-3:] == ["access_renewed", "invitation_used", "signed_in"]


AS_TYPED = (str.upper, lambda code: f" {code.replace('-', ' ')} ", lambda code: code.replace("-", ""))


@pytest.mark.parametrize("typed", AS_TYPED)
def test_a_code_is_found_however_it_is_typed(typed, code, pages):
    assert enter(pages(None), typed(code)).heading == "Choose a passphrase"


def test_wrong_used_old_and_revoked_codes_get_one_answer(code, visitor, anna, pages, clock):
    wrong = enter(pages(None), "aaaa-aaaa-aaaa-aaaa-aaaa")
    visitor.get("accounts.patient", patient_id=anna.id).press("Take the invitation back of Anna")
    revoked = enter(pages(None), code)
    second = code_of(visitor.get("accounts.patient", patient_id=anna.id).press("Make a new invitation for Anna"))
    clock(timedelta(days=7) - timedelta(seconds=1))
    assert enter(pages(None), second).status == 200
    clock(timedelta(days=7))
    old = enter(pages(None), second)
    for page in (wrong, revoked, old):
        assert (page.status, page.errors) == (403, wrong.errors)
    assert wrong.shows(NOT_GOOD)


def test_a_new_invitation_replaces_the_one_before(code, visitor, anna, pages):
    visitor.get("accounts.patient", patient_id=anna.id).press("Make a new invitation for Anna")
    assert enter(pages(None), code).shows(NOT_GOOD)


@pytest.mark.parametrize(
    ("passphrase", "says"),
    [
        ("short", "at least 12"),
        ("x" * 201, "at most 200"),
        ("aaaaaaaaaaaaaaaa", "harder to guess"),
        ("synthetic-demo-only", "harder to guess"),
        ("123456789012345", "harder to guess"),
        ("ANNA-1 my passphrase", "without your sign-in name"),
        ("", "Choose a passphrase"),
    ],
)
def test_a_passphrase_that_is_easily_guessed_is_refused_and_the_code_stays_good(passphrase, says, code, account, pages):
    page = set_passphrase(enter(pages(None), code), passphrase.replace("ANNA-1", account.sign_in_name.upper()))
    assert page.status == 422
    assert says in page.errors[0]
    assert set_passphrase(page).path == "/report"


def test_two_different_passphrases_are_a_slip(code, pages):
    page = set_passphrase(enter(pages(None), code), NEW, "another passphrase")
    assert page.errors == ["The two passphrases are not the same. Type both again"]
    assert NEW not in page.html


def test_somebody_who_tries_codes_is_held_up(code, pages):
    for _ in range(throttle.FREE_CODES):
        assert enter(pages(None), "aaaa-aaaa-aaaa-aaaa-aaaa").status == 403
    page = enter(pages(None), code)
    assert (page.status, page.errors) == (
        429,
        ["Too many wrong codes were tried. Wait up to 15 minutes, then try again."],
    )


def test_the_link_carries_no_name_and_its_code_reaches_no_server(code, visitor, anna, app, pages, caplog):
    page = visitor.get("accounts.patient", patient_id=anna.id).press("Make a new invitation for Anna")
    assert page.tag.select("svg[role=img] path"), "the QR code"
    with app.test_request_context():
        from flask import url_for

        assert url_for("joining.code") == "/invitation"
    fresh = pages(None)
    answer = set_passphrase(enter(fresh, code_of(page)))
    assert code_of(page) not in answer.path + caplog.text


def test_a_page_left_open_too_long_carries_no_code_along(code, pages, session):
    page = enter(pages(None), code)
    page.visitor.time_out()
    answer = page.press_only("Save and sign in", passphrase=NEW, again=NEW)
    assert (answer.status, answer.shows("not saved")) == (400, True)
    assert NEW not in answer.html
    assert code not in answer.html
    assert set_passphrase(enter(page.visitor, code)).path == "/report"


def test_an_account_without_a_passphrase_cannot_sign_in_with_an_empty_one(code, account, pages):
    for passphrase in ("", " ", PASSWORD):
        page = pages(None).get("accounts.sign_in")
        assert page.press("Sign in", sign_in_name=account.sign_in_name, passphrase=passphrase).status in (403, 422)


def test_a_patient_takes_the_consent_back(visitor, make, anna, pages, session, clock):
    cora = make.caregiver(anna, "Cora")
    on_her_phone = pages(cora)
    page = visitor.get("accounts.patient", patient_id=anna.id)
    assert page.shows("No consent of Anna is on file")
    page = visitor.post("accounts.renew_access", patient_id=anna.id, person_id=cora.id)
    assert page.location.endswith("/consent"), "no invitation without consent"
    day = {"given_on-day": "1", "given_on-month": "3", "given_on-year": "2026"}
    sheet = page.follow().press("Save and make an invitation", way="spoken", **day)
    assert on_her_phone.get("reports.home").location.startswith("/sign-in")
    page = set_passphrase(enter(on_her_phone, code_of(sheet)))
    assert page.path == "/report"
    page = visitor.get("accounts.patient", patient_id=anna.id)
    assert page.shows("Anna agreed on 2026-03-01: said to one of us. Written down by Emil")
    page = page.press("The patient no longer agrees to Cora")
    assert page.shows("Anna took the consent back")
    assert on_her_phone.get("reports.home").location.startswith("/sign-in")
    page = pages(None).get("accounts.sign_in").press("Sign in", sign_in_name=cora.sign_in_name, passphrase=NEW)
    assert page.status == 403
    assert audited(session).count("consent_given") == audited(session).count("consent_withdrawn") == 1
    sheet = visitor.get("accounts.consent", patient_id=anna.id, person_id=cora.id)
    sheet = sheet.press("Save and make an invitation", way="in_writing", **day)
    assert set_passphrase(enter(pages(None), code_of(sheet))).path == "/report", "a patient may agree again"


def test_the_patient_is_no_caregiver(visitor, anna, account):
    assert visitor.get("accounts.consent", patient_id=anna.id, person_id=account.id).status == 404
    assert visitor.post("accounts.withdraw_consent", patient_id=anna.id, person_id=account.id).status == 404


@pytest.mark.parametrize(("role", "home"), [("nurse", "/queue"), ("clinician", "/rules"), ("administrator", "/people")])
def test_staff_are_invited_by_an_administrator(role, home, visitor, emil, pages, session):
    page = visitor.get("staff.everybody").click("Invite somebody")
    sheet = page.press("Make an invitation", name="Frida", role=role, sign_in_name="Frida.F")
    assert set_passphrase(enter(pages(None), code_of(sheet))).path == home
    session.rollback()
    frida = session.scalar(select(Person).where(Person.called("frida.f")))
    assert (frida.role, frida.care_team_id, frida.patient_id) == (role, emil.care_team_id, None)
    assert audited(session)[0] == "staff_invited"


@pytest.mark.parametrize("role", ["patient", "caregiver", "root"])
def test_nobody_else_is_invited_as_staff(role, visitor):
    page = visitor.get("staff.invite").press("Make an invitation", name="Frida", role=role, sign_in_name="frida")
    assert page.errors == ["Choose what they do"]


def test_a_name_that_is_taken_is_said_before_anything_is_saved(visitor, alice, session):
    fields = {"name": "Frida", "role": "nurse", "sign_in_name": alice.sign_in_name}
    page = visitor.get("staff.invite").press("Make an invitation", **fields)
    assert page.errors == ["Somebody has this sign-in name already. Choose another one"]
    assert "Frida" not in [one.name for one in session.scalars(select(Person))]


def test_somebody_of_the_staff_leaves_and_comes_back(visitor, alice, pages, session):
    at_work = pages(alice)
    page = visitor.get("staff.everybody").press("Has left Alice")
    assert page.shows("Has left.")
    assert at_work.get("care_team.queue").location.startswith("/sign-in")
    sheet = page.press("Invite again for Alice")
    assert set_passphrase(enter(at_work, code_of(sheet))).path == "/queue"
    assert [action for action in audited(session) if action.startswith("staff")] == ["staff_left", "staff_came_back"]


def test_the_last_administrator_stays(visitor, emil):
    page = visitor.get("staff.everybody").press("Has left Emil")
    assert page.shows("nobody would be left who can invite people")
    assert visitor.get("accounts.people").status == 200


def test_names_change_and_the_name_to_sign_in_with_stays(visitor, anna, account, alice, session):
    name = alice.sign_in_name
    page = visitor.get("staff.rename", staff_id=alice.id).press("Save", name="Alice Newname")
    assert page.shows("Alice Newname (nurse)")
    page = visitor.get("staff.change_patient", patient_id=anna.id).press("Save", name="Anna Newname", phone="999 1")
    assert page.heading == "Anna Newname"
    session.rollback()
    assert (alice.sign_in_name, account.name, anna.phone) == (name, "Anna Newname", "999 1")
    assert audited(session)[-2:] == ["name_changed", "patient_changed"]


def test_another_team_takes_a_patient_over_when_no_alert_waits(visitor, make, anna, alice, charlie, pages, session):
    alert = make.alert(anna, Urgency.URGENT, at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    choose = visitor.get("staff.move_patient", patient_id=anna.id)
    page = choose.press("Change the care team", team=str(charlie.care_team_id))
    assert page.errors == ["This patient has an alert that is not resolved. The team that has it answers it first"]
    assert pages(alice).get("care_team.queue").shows("Anna"), "it waits where it waited"
    pages(alice).post("care_team.acknowledge", alert_id=alert.id)
    resolve = pages(alice).get("care_team.resolve", alert_id=alert.id)
    resolve.press("Resolve", disposition="no_action", note="Answered before the move")
    page = choose.press("Change the care team", team=str(charlie.care_team_id))
    assert page.path == "/people"
    assert visitor.get("accounts.patient", patient_id=anna.id).status == 404
    assert pages(charlie).get("care_team.record", patient_id=anna.id).status == 200
    assert OTHER_TEAM in make.session.get(type(anna.care_team), charlie.care_team_id).name


def test_a_team_that_looks_after_nobody_cannot_be_chosen(visitor, anna, charlie, emil, session):
    """Nor the team that is moved from: in the heartbeat's nobody would ever see the patient."""
    session.add(CareTeam(id=HEARTBEAT_TEAM, name="Heartbeat", time_zone="UTC", phone="1", emergency_number="1"))
    session.commit()
    page = visitor.get("staff.move_patient", patient_id=anna.id)
    for team in (emil.care_team_id, HEARTBEAT_TEAM):
        assert page.press("Change the care team", team=str(team)).errors == ["Choose the care team"]


def test_one_invitation_waits_at_most(code, visitor, anna, session, account):
    for _ in range(2):
        visitor.get("accounts.patient", patient_id=anna.id).press("Make a new invitation for Anna")
    session.rollback()
    waiting = [row for row in session.scalars(select(Invitation)) if row.used_at is None and row.taken_back_at is None]
    assert len(waiting) == 1


def test_each_change_has_a_way_and_a_page_that_says_how(visitor, pages):
    page = visitor.get("accounts.people").click("When something changes")
    for words in ("lost the phone", "forgot the passphrase", "name or telephone", "Another team", "ends", "has died"):
        assert page.shows(words)
    page = pages(None).get("accounts.sign_in").click("I cannot sign in")
    for words in ("forgotten my passphrase", "lost or stolen", "Call your care team"):
        assert page.shows(words)


def test_the_first_administrator_is_invited_at_the_command_line(database_url, app, pages, session, tmp_path):
    ours = {"DATABASE_URL": database_url, "DATA": str(tmp_path), "SECRET_KEY": "k" * 40}

    def invited(team, name):
        words = ["invite-administrator", "--team", team, "--name", "Emil", "--sign-in-name", name]
        command = [sys.executable, "-m", "triage", *words]
        environment = os.environ | {f"TRIAGE_{name}": value for name, value in ours.items()}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    (code,) = CODE.findall(invited("Ward 7", "Emil").stdout)
    assert set_passphrase(enter(pages(None), code)).path == "/people"
    (again,) = CODE.findall(invited("Ward 7", "emil").stdout)
    assert set_passphrase(enter(pages(None), again)).path == "/people", "the way back in for an only administrator"
    done = invited("Ward 8", "emil")
    assert (done.returncode, CODE.findall(done.stdout)) == (1, [])
    assert len(session.scalars(select(CareTeam)).all()) == 1

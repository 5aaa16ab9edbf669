"""What was typed survives a sign-in that timed out, for whoever typed it, and for nobody else's page."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.make import PASSWORD
from triage.models import DoseEvent

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")


@pytest.fixture
def emil(make):
    return make.administrator("Emil")


@pytest.fixture
def dose(make):
    """The fields of the form for a dose event, ten days after the one on file."""
    today = make.now().date()
    return {
        "given_on-day": str(today.day),
        "given_on-month": str(today.month),
        "given_on-year": str(today.year),
        "kind": "infusion",
    }


def doses(session):
    session.rollback()
    return len(session.scalars(select(DoseEvent)).all())


def sign_in_on(page, person):
    return page.press("Sign in", sign_in_name=person.sign_in_name, passphrase=PASSWORD)


def test_a_form_sent_after_the_sign_in_ended_is_sent_again_by_one_press(emil, anna, dose, pages, session):
    visitor = pages(emil)
    form = visitor.get("monitoring.add_dose", patient_id=anna.id)
    visitor.time_out()
    page = form.press_only("Add dose", **dose)
    assert page.status == 401
    assert page.shows("What you typed was kept")
    assert doses(session) == 1
    page = sign_in_on(page, emil)
    assert page.shows("You are signed in again. What you typed was kept.")
    assert doses(session) == 1, "nothing is sent before the press"
    page = page.press("Send it now")
    assert page.path == f"/people/{anna.id}"
    assert doses(session) == 2


def test_right_after_signing_in_the_number_is_that_of_the_own_team(make, pages):
    patient = make.patient("Zoe", team=make.team("Other ward", phone="+44 1632 960 777"))
    visitor = pages(make.account(patient))
    form = visitor.get("reports.danger")
    visitor.time_out()
    page = form.press_only("None of these")
    page = sign_in_on(page, make.account(patient))
    assert page.shows("not sent yet")
    assert page.shows("+44 1632 960 777")


def test_a_mistyped_passphrase_in_between_loses_nothing(emil, anna, dose, pages, session):
    visitor = pages(emil)
    form = visitor.get("monitoring.add_dose", patient_id=anna.id)
    visitor.time_out()
    page = form.press_only("Add dose", **dose).press("Sign in", sign_in_name=emil.sign_in_name, passphrase="wrong")
    sign_in_on(page, emil).press("Send it now")
    assert doses(session) == 2


def test_a_page_older_than_the_sign_in_asks_for_one_more_press(emil, anna, dose, pages, session):
    """Signing in again in another tab makes the form's token worthless, not what was typed."""
    visitor = pages(emil)
    form = visitor.get("monitoring.add_dose", patient_id=anna.id)
    visitor.time_out()
    sign_in_on(visitor.get("accounts.sign_in"), emil)
    page = form.press_only("Add dose", **dose)
    assert page.shows("What you typed was kept")
    page.press("Send it now")
    assert doses(session) == 2


def test_a_sign_in_page_that_lay_open_for_long_asks_again(emil, pages):
    visitor = pages(None)
    page = visitor.get("accounts.sign_in", query={"next": "/people"})
    visitor.time_out()
    page = page.press("Sign in", sign_in_name=emil.sign_in_name, passphrase=PASSWORD)
    assert page.status == 401
    assert page.field("sign_in_name") == emil.sign_in_name
    assert sign_in_on(page, emil).path == "/people"


def test_fields_of_another_site_are_not_kept(emil, anna, dose, app, pages, session):
    """Else a stranger's page could prepare a form that somebody sends without knowing."""
    visitor = pages(None)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = visitor.client.post(f"/people/{anna.id}/dose", data=dose, headers=headers)
        assert answer.status_code == 401
        assert "was kept" not in answer.text
    with_token = visitor.get("accounts.sign_in")
    page = with_token.press("Sign in", sign_in_name=emil.sign_in_name, passphrase=PASSWORD, kept="made up")
    assert page.path == "/people"
    assert doses(session) == 1


def test_a_signed_in_persons_form_from_another_site_is_refused(emil, anna, dose, pages, session):
    visitor = pages(emil)
    answer = visitor.client.post(f"/people/{anna.id}/dose", data=dose, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 400
    assert "was kept" not in answer.text
    assert doses(session) == 1


def resolve_form(make, anna, nurse, pages):
    """The page on which the nurse, who signed in by the form, writes down what was done; and her browser."""
    alert = make.alert(anna)
    visitor = pages(None)
    sign_in_on(visitor.get("accounts.sign_in"), nurse)
    visitor.client.post(f"/alerts/{alert.id}/acknowledge", data={"csrf_token": visitor.csrf_token()})
    return visitor, visitor.get("care_team.resolve", alert_id=alert.id), alert


DONE = {"disposition": "advice_given", "note": "Telephoned, spoke with her."}


def test_the_next_nurse_at_the_same_computer_does_not_send_what_the_last_one_typed(
    make, anna, alice, bob, pages, session
):
    """It would stand in the record under the name of somebody who has not seen it."""
    visitor, form, alert = resolve_form(make, anna, alice, pages)
    visitor.time_out()
    page = sign_in_on(form.press_only("Resolve", **DONE), bob)
    assert page.path == "/queue"
    assert page.shows("was not sent: the page was not printed for you")
    assert DONE["note"] not in page.html
    session.rollback()
    assert alert.status == "acknowledged"


def test_an_open_page_of_the_nurse_before_is_not_sent_by_the_one_who_is_signed_in_now(
    make, anna, alice, bob, pages, session
):
    visitor, form, alert = resolve_form(make, anna, alice, pages)
    visitor.time_out()
    sign_in_on(visitor.get("accounts.sign_in"), bob)
    assert form.press("Resolve", **DONE).shows("not printed for you")
    session.rollback()
    assert alert.status == "acknowledged"


def test_the_same_nurse_sends_what_she_typed(make, anna, alice, pages, session):
    visitor, form, alert = resolve_form(make, anna, alice, pages)
    visitor.time_out()
    sign_in_on(form.press_only("Resolve", **DONE), alice).press("Send it now")
    session.rollback()
    assert (alert.status, alert.resolved_by_id) == ("resolved", alice.id)


def test_answers_that_hold_markup_are_carried_as_text(emil, anna, dose, pages, session):
    visitor = pages(emil)
    form = visitor.get("monitoring.add_dose", patient_id=anna.id)
    visitor.time_out()
    page = sign_in_on(form.press_only("Add dose", **(dose | {"kind": '"><script>alert(1)</script>'})), emil)
    assert page.field("kind") == '"><script>alert(1)</script>'


def test_a_get_leads_to_the_page_that_was_asked_for(emil, pages):
    page = pages(None).get("accounts.enrol")
    assert page.location == "/sign-in?next=/people/enrol"

"""Work on an alert in a real browser, with axe on each page: two nurses, a phone and a desk."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from tests.browsing import follow
from tests.journeys.test_road import checked, go_on, say, sign_in
from triage.alerts import services
from triage.models import Disposition
from triage.rules.urgency import Urgency

PICTURES = os.environ.get("PICTURES", "")
"""A folder for pictures of each page, for whoever wants to look."""


def shoot(page, name, device):
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}-{device}.png", full_page=True, scale="css")


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_nurse_works_on_an_alert_and_a_colleague_takes_it_over(device, make, anna, alice, bob, session, browse):
    make.report(anna, ago=timedelta(hours=3), temperature_c=38.4, chills="moderate")
    overdue = make.alert(make.patient("Berta"), Urgency.URGENT, ago=timedelta(hours=2))
    services.acknowledge(session, overdue, bob, make.now())
    make.call_back(overdue, bob, due_in=-timedelta(minutes=25))
    closed = make.alert(make.patient("Clara"), Urgency.SOON, ago=timedelta(hours=2))
    services.acknowledge(session, closed, bob, make.now())
    services.resolve(session, closed, bob, Disposition.ADVICE_GIVEN, "", make.now())

    page = browse(device)
    sign_in(page, alice)
    follow(page.get_by_role("button", name="Acknowledge the alert of Anna"))
    shoot(checked(page), "queue", device)
    row = page.locator(".app-queue__row").filter(has_text="Anna")
    follow(row.get_by_role("link", name="Write down"))
    follow(checked(page).get_by_role("button", name="Save"))
    shoot(checked(page), "write-error", device)
    page.get_by_label("Call: no answer").check()
    page.get_by_label("Words").fill("Rang twice.\nThe daughter is on her way.")
    page.get_by_label("Promised to call back at").fill("23:59")
    follow(page.get_by_role("button", name="Save"))
    assert checked(page).get_by_text("Call: no answer").first.is_visible()
    shoot(page, "record", device)
    follow(page.get_by_role("link", name="Move the call-back"))
    shoot(checked(page), "move", device)
    page.go_back()
    follow(page.get_by_role("link", name="Mute a rule for this patient"))
    shoot(checked(page), "mute", device)

    colleague = browse(device)
    sign_in(colleague, bob)
    colleague.goto(f"/patients/{anna.id}")
    page.goto(f"/patients/{anna.id}")
    follow(page.get_by_role("button", name="Give back"))
    follow(checked(page).get_by_role("button", name="Acknowledge"))
    follow(colleague.get_by_role("button", name="Take over from Alice"))
    shoot(checked(colleague), "taken-over", device)
    follow(page.get_by_role("button", name="Give back"))
    assert checked(page).get_by_role("heading", name="Somebody else has the alert").is_visible()
    shoot(page, "taken", device)

    page.goto(f"/patients/{closed.patient_id}")
    shoot(checked(page), "record-resolved", device)
    follow(page.get_by_role("link", name="Take the resolution back"))
    page.get_by_label("Why?").fill("The wrong patient was resolved")
    shoot(checked(page), "reopen", device)
    follow(page.get_by_role("button", name="Take back"))
    page.get_by_text("The alert is open again.").wait_for()
    checked(page)
    page.goto(f"/alerts/{closed.id}/useful")
    shoot(checked(page), "useful", device)
    page.goto(f"/alerts/{overdue.id}/resolve")
    shoot(checked(page), "resolve", device)


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_nurse_enters_a_report_taken_by_telephone(device, make, anna, alice, browse):
    page = browse(device)
    sign_in(page, alice)
    page.goto(f"/patients/{anna.id}")
    follow(page.get_by_role("button", name="Enter a report taken by telephone"))
    shoot(checked(page), "telephone", device)
    follow(page.get_by_role("button", name="Start"))
    shoot(checked(page), "telephone-danger", device)
    say(page, "None of these").get_by_label("temperature now").fill("38.4")
    page.get_by_label("°C (Celsius)").check()
    go_on(page)
    say(page, "None of these")
    say(page, "None of all these")
    shoot(page, "telephone-check", device)
    follow(page.get_by_role("button", name="Send"))
    page.get_by_text("The report is saved.").wait_for()
    assert checked(page).get_by_text("Alice (nurse, by telephone)").first.is_visible()
    shoot(page, "telephone-record", device)

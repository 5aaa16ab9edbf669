"""The live queue in a real browser: two nurses and a patient at once, a lost connection, a sign-in that ends."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import follow
from tests.journeys.test_road import checked, report_fever, sign_in
from triage.accounts import covers
from triage.rules.urgency import Urgency

THREE_SECONDS = 3_000
NAMES = ".app-queue__name"


def test_a_report_reaches_every_open_dashboard_within_three_seconds(make, anna, alice, bob, browse):
    make.alert(make.patient("Berta"), Urgency.SOON)
    desks, phone = [browse("desktop"), browse("desktop")], browse("phone")
    for desk, nurse in zip(desks, (alice, bob), strict=True):
        sign_in(desk, nurse)
        expect(desk).to_have_title("Queue (1) – Triage helper")
    sign_in(phone, make.account(anna))
    report_fever(phone)
    for desk in desks:
        expect(desk.locator(NAMES)).to_have_text(["Anna", "Berta"], timeout=THREE_SECONDS)
        expect(desk).to_have_title("Queue (2) – Triage helper")
        expect(desk.locator("#queue-news")).to_have_text("New: Anna, urgent")
        expect(desk.locator("#queue-state")).to_contain_text("Live, as of")
    checked(desks[0])

    # What one nurse does, the other sees.
    follow(desks[0].get_by_role("button", name="Acknowledge the alert of Anna"))
    row = desks[1].locator(".app-queue__row", has_text="Anna")
    expect(row).to_contain_text("Acknowledged by Alice", timeout=THREE_SECONDS)


@pytest.mark.database("sqlite")
def test_scroll_focus_and_half_written_text_stay(make, alice, browse):
    patients = [make.patient(f"Patient {number}") for number in range(12)]
    for patient in patients:
        make.alert(patient, Urgency.SOON)
    desk = browse("desktop")
    sign_in(desk, alice)
    search = desk.get_by_label("Find a name")
    search.fill("pat")
    button = desk.get_by_role("button", name="Acknowledge the alert of Patient 9")
    button.focus()
    # Notes within a row are text that somebody is writing, too.
    desk.locator(".app-queue__row", has_text="Patient 9").evaluate(
        "row => { const area = document.createElement('textarea'); area.value = 'half writ'; row.append(area) }"
    )
    button.evaluate("e => { e.marked = true }")
    before = button.bounding_box()

    make.alert(make.patient("Newly urgent"), Urgency.URGENT)
    expect(desk.locator(NAMES).first).to_have_text("Newly urgent", timeout=THREE_SECONDS)
    assert button.evaluate("e => e === document.activeElement && e.marked"), "the same button has the focus"
    after = button.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 1, "what somebody is about to press does not move"
    expect(search).to_have_value("pat")


@pytest.mark.database("sqlite")
def test_a_row_that_changes_keeps_the_focus_and_is_not_acknowledged_unread(make, anna, alice, browse):
    make.alert(anna, Urgency.SOON)
    desk = browse("desktop")
    sign_in(desk, alice)
    button = desk.get_by_role("button", name="Acknowledge the alert of Anna")
    button.focus()
    make.alert(anna, Urgency.URGENT)
    expect(desk.locator(".app-queue__row")).to_contain_text("Urgent", timeout=THREE_SECONDS)
    assert button.evaluate("e => e === document.activeElement")
    with desk.expect_navigation():
        desk.keyboard.press("Enter")
    expect(desk.get_by_text("something new came while you were reading")).to_be_visible()


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_lost_connection_is_said_and_the_page_catches_up_by_itself(device, make, anna, alice, browse):
    desk = browse(device)
    sign_in(desk, alice)
    state = desk.locator("#queue-state")
    desk.context.set_offline(True)
    expect(state).to_contain_text(
        re.compile(r"Connection lost since \d\d:\d\d:\d\d\. What is shown is as of \d\d:\d\d")
    )
    expect(desk.locator("#queue-news")).to_have_text("Connection lost. The queue is not up to date.")
    checked(desk)
    make.alert(anna)
    desk.context.set_offline(False)
    expect(desk.locator(NAMES)).to_have_text(["Anna"])
    expect(state).to_contain_text("Live, as of")
    checked(desk)


@pytest.mark.database("sqlite")
def test_a_sign_in_that_ended_is_said(make, anna, alice, browse):
    make.alert(anna)
    desk = browse("desktop")
    sign_in(desk, alice)
    desk.context.clear_cookies()
    expect(desk.locator("#queue-state")).to_contain_text("You are signed out. What is shown is as of")
    checked(desk)
    follow(desk.get_by_role("link", name="Sign in again"))
    expect(desk.get_by_label("Your passphrase")).to_be_visible()


@pytest.mark.database("sqlite")
def test_a_cover_that_is_over_is_said_and_leads_back(make, session, anna, alice, charlie, browse):
    make.alert(anna)
    cover = make.cover(charlie, alice.care_team)
    desk = browse("desktop")
    sign_in(desk, charlie)
    follow(desk.get_by_role("link", name="Its queue"))
    expect(desk.locator(NAMES)).to_have_text(["Anna"])
    checked(desk)
    covers.end(session, cover, alice, make.now())
    expect(desk.locator("#queue-state")).to_contain_text("You do not cover this team any more.")
    follow(desk.get_by_role("link", name="Go to your own queue"))
    expect(desk.get_by_role("heading", name=f"Queue of {charlie.care_team.name}")).to_be_visible()
    assert "Anna" not in desk.content()


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_name_is_found_on_the_page_and_urgent_alerts_stay(device, make, alice, browse):
    for name, urgency in (("Anna", Urgency.URGENT), ("Berta", Urgency.SOON), ("Carla", Urgency.SOON)):
        make.alert(make.patient(name), urgency)
    page = browse(device)
    sign_in(page, alice)
    page.get_by_label("Find a name").fill("car")
    expect(page.locator(f"{NAMES}:visible")).to_have_text(["Anna", "Carla"])
    expect(page.locator("#queue-found")).to_have_text("1 name matches. 1 urgent alert does not, and stays listed.")
    assert "car" not in page.url.split("/", 3)[3]
    checked(page)
    page.get_by_text("Filter", exact=True).first.click()
    page.get_by_label("Acknowledged", exact=True).select_option("Taken by me")
    follow(page.get_by_role("button", name="Filter"))
    expect(page.locator(NAMES)).to_have_text(["Anna"])
    expect(page.get_by_text("1 urgent alert is outside this filter")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    checked(page)


@pytest.mark.database("sqlite")
def test_the_sound_is_off_until_it_is_wanted_and_is_remembered(make, anna, alice, browse):
    page = browse("desktop")
    sign_in(page, alice)
    sound = page.locator("#queue-sound")
    expect(sound).to_have_text("Sound: off")
    sound.click()
    expect(sound).to_have_text("Sound: on")
    page.reload()
    expect(sound).to_have_text("Sound: on after your next click on this page")
    page.get_by_role("heading", level=1).click()
    expect(sound).to_have_text("Sound: on")
    sound.click()
    page.reload()
    expect(sound).to_have_text("Sound: off")


@pytest.mark.database("sqlite")
def test_the_age_of_what_is_shown_is_always_in_sight(make, alice, browse):
    for number in range(12):
        make.alert(make.patient(f"Patient {number}"), Urgency.SOON)
    page = browse("phone")
    sign_in(page, alice)
    state = page.locator("#queue-state")
    expect(state).to_contain_text(re.compile("just now|seconds ago"))
    expect(state).to_be_in_viewport()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight / 2)")
    expect(state).to_be_in_viewport()

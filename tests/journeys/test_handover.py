"""A shift changes in a real browser: two nurses, axe on each page, and the page on paper. The keys of the queue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browsing import follow
from tests.journeys.test_road import checked, sign_in
from tests.journeys.test_work import PICTURES, shoot
from triage.alerts import services, work
from triage.models import Disposition
from triage.rules.urgency import Urgency


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_two_nurses_hand_a_shift_over(device, app, make, alice, bob, session, browse):
    at = make.now()
    anna = make.patient("Anna", day=5)
    make.report(anna, ago=timedelta(hours=3), temperature_c=38.4, chills="moderate")
    berta = make.alert(make.patient("Berta", therapy="bite", day=2), Urgency.EMERGENCY, ago=timedelta(minutes=50))
    done = make.alert(make.patient("Dana", day=29), Urgency.SOON, ago=timedelta(hours=4))
    make.alert(make.patient("Eva", day=0), Urgency.SOON, ago=timedelta(hours=1))
    make.patient("Fay", day=5, enrolled_at=at - timedelta(days=3))
    make.duty(bob)
    with app.app_context():
        services.acknowledge(session, berta, alice, at - timedelta(minutes=48))
        work.write_down(
            session, berta, alice, at - timedelta(minutes=40), text="The ambulance is on its way to her flat."
        )
        services.acknowledge(session, done, alice, at - timedelta(hours=3))
        services.resolve(session, done, alice, Disposition.ADVICE_GIVEN, "Drinks more", at - timedelta(hours=3))

    off, on = browse(device), browse(device)
    sign_in(off, alice)
    off.goto("/handover")
    shoot(checked(off), "handover-none", device)
    follow(off.get_by_role("button", name="Begin the handover"))
    follow(off.get_by_role("button", name="Begin"))
    expect(checked(off).get_by_text("Choose who hands over").first).to_be_visible()
    off.get_by_label("I do: my shift ends").check()
    off.get_by_label("For the next shift").fill("Berta's daughter waits at the emergency department.")
    shoot(off, "handover-begin", device)
    follow(off.get_by_role("button", name="Begin"))
    expect(checked(off).get_by_role("button", name="I come on")).to_have_count(0)

    sign_in(on, bob)
    on.goto("/handover")
    shoot(checked(on), "handover", device)
    if PICTURES:
        on.emulate_media(media="print")
        shoot(on, "handover-print", device)
        on.emulate_media(media="null")
    follow(on.get_by_role("button", name="I come on: close the handover"))
    expect(on.get_by_text("Not closed: not every urgent alert is accepted")).to_be_visible()
    follow(on.get_by_role("button", name="Accept the alert of Berta"))
    follow(on.get_by_role("button", name="Accept the alert of Anna"))
    expect(on.locator(".app-handover__row", has_text="Berta")).to_contain_text("Accepted by Bob")
    make.alert(anna, Urgency.EMERGENCY)
    follow(on.get_by_role("button", name="I come on: close the handover"))
    expect(on.get_by_text("Not closed: not every urgent alert is accepted")).to_be_visible()
    shoot(checked(on), "handover-changed", device)
    follow(on.get_by_role("button", name="Accept the alert of Anna"))
    follow(on.get_by_role("button", name="I come on: close the handover"))
    expect(on.get_by_text("Bob came on and closed it")).to_be_visible()
    shoot(checked(on), "handover-kept", device)
    pages = on.pdf(format="A4").count(b"/Type /Page\n")
    assert pages <= 2, "few sheets of paper"
    follow(on.get_by_role("link", name="Earlier handovers"))
    shoot(checked(on), "handover-earlier", device)
    off.goto("/queue")
    expect(off.locator(".app-queue__row", has_text="Berta")).to_contain_text("Taken over by Bob")
    off.goto("/numbers")
    shoot(checked(off), "numbers", device)


@pytest.mark.database("sqlite")
def test_the_queue_is_worked_with_keys_that_can_be_turned_off(make, alice, browse):
    for name in ("Anna", "Berta", "Carla"):
        make.alert(make.patient(name), Urgency.SOON, ago=timedelta(minutes={"Anna": 3, "Berta": 2, "Carla": 1}[name]))
    desk = browse("desktop")
    sign_in(desk, alice)
    rows = desk.locator(".app-queue__row")
    desk.keyboard.press("j")
    desk.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    desk.keyboard.press("ArrowDown")
    expect(rows.nth(2)).to_be_focused()
    desk.keyboard.press("j")
    expect(rows.nth(2)).to_be_focused()
    desk.keyboard.press("k")
    expect(rows.nth(1)).to_be_focused()
    shoot(checked(desk), "queue-marked", "desktop")

    desk.keyboard.press("/")
    search = desk.get_by_label("Find a name")
    expect(search).to_be_focused()
    desk.keyboard.type("jk/")
    expect(search).to_have_value("jk/")
    search.fill("")
    desk.keyboard.press("Tab")
    desk.get_by_text("Keys", exact=True).click()
    shoot(checked(desk), "queue-keys", "desktop")
    desk.get_by_role("button", name="Keys: on").click()  # stays on the page
    desk.get_by_text("Keys", exact=True).focus()
    desk.keyboard.press("j")
    expect(rows.first).not_to_be_focused()
    desk.reload()
    desk.keyboard.press("j")
    desk.keyboard.press("k")
    assert desk.evaluate("document.activeElement === document.body")
    desk.get_by_text("Keys", exact=True).click()
    desk.get_by_role("button", name="Keys: off").click()  # stays on the page
    desk.keyboard.press("j")
    expect(rows.first).to_be_focused()
    with desk.expect_navigation():
        desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Anna")

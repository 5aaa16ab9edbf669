"""The main road in a real browser: a patient reports on a phone, a nurse at a desk acknowledges and resolves."""

from __future__ import annotations

import pytest

from tests.browsing import accessibility_problems, follow
from tests.make import PASSWORD


def checked(page):
    """The page, on which axe finds nothing wrong."""
    assert accessibility_problems(page) == []
    return page


def sign_in(page, person):
    page.goto("/")
    checked(page)
    page.get_by_label("Your sign-in name").fill(person.sign_in_name)
    page.get_by_label("Your passphrase").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))
    return checked(page)


def go_on(page):
    follow(page.get_by_role("button", name="Continue"))
    return checked(page)


def say(page, button):
    """Press a button that is an answer."""
    follow(page.get_by_role("button", name=button, exact=True))
    return checked(page)


def report_fever(page, temperature="38.4"):
    say(page, "None of these")
    page.get_by_label("Your temperature now").fill(temperature)
    page.get_by_label("°C (Celsius)").check()
    go_on(page)
    say(page, "None of these")
    page.get_by_label("I have chills or shake with cold").check()
    go_on(page).get_by_label("Moderate").check()
    go_on(page)
    say(page, "I do not want to do it")
    say(page, "Send")
    return page


def test_a_fever_on_day_5_reaches_the_nurse(make, anna, alice, browse):
    phone, desk = browse("phone"), browse("desktop")
    sign_in(phone, make.account(anna))
    report_fever(phone)
    assert phone.get_by_role("heading", name="Call your care team now").is_visible()
    assert (
        phone.get_by_role("link", name="Call +44 1632 960 300", exact=True).get_attribute("href") == "tel:+441632960300"
    )

    make.alert(make.patient("Berta"))
    sign_in(desk, alice)
    first = desk.locator(".app-queue__row").first
    assert first.get_by_role("heading", name="Anna").is_visible()
    assert first.get_by_text("temperature 38.4 °C is at least 38.0 °C").is_visible()
    follow(first.get_by_role("link", name="Open record"))
    checked(desk).get_by_text("Rules and their sources").first.click()
    checked(desk)
    assert desk.get_by_text("TECARTUS: managing side effects").first.is_visible()
    follow(desk.get_by_role("button", name="Acknowledge"))
    follow(checked(desk).get_by_role("button", name="Resolve"))
    follow(checked(desk).get_by_role("button", name="Resolve"))
    assert checked(desk).get_by_role("alert").get_by_role("link", name="Choose what was done").is_visible()
    desk.get_by_label("Sent to emergency").check()
    desk.get_by_label("Note").fill("Telephoned. Comes in by ambulance.")
    follow(desk.get_by_role("button", name="Resolve"))
    checked(desk)
    assert desk.get_by_text("The alert is resolved").is_visible()
    assert [heading.inner_text() for heading in desk.locator(".app-queue__name").all()] == ["Berta"]


@pytest.mark.database("sqlite")
def test_a_danger_sign_shows_the_emergency_card_before_the_rest_is_asked(make, anna, browse):
    phone = browse("phone")
    sign_in(phone, make.account(anna))
    phone.get_by_label("I had a seizure").check()
    go_on(phone)
    assert phone.get_by_role("heading", name="Call 999 now").is_visible()
    link = phone.locator(".nhsuk-card--care").get_by_role("link", name="Call 999")
    box = link.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    colours = link.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
    assert colours[0] != colours[1], "the number on the card can be read"
    number = phone.locator(".nhsuk-card--care").get_by_text("+44 1632 960 300", exact=True)
    lines = number.evaluate("e => e.getClientRects().length")
    assert lines == 1, "a number that breaks in two is misread"


@pytest.mark.database("sqlite")
def test_one_button_is_seen_at_a_time_and_errors_take_the_focus(make, anna, browse):
    phone = browse("phone")
    sign_in(phone, make.account(anna))
    none, go = (phone.get_by_role("button", name=name, exact=True) for name in ("None of these", "Continue"))
    assert (none.is_visible(), go.is_visible()) == (True, False)
    phone.get_by_label("I had a seizure").check()
    assert (none.is_visible(), go.is_visible()) == (False, True)
    phone.get_by_label("I had a seizure").uncheck()
    say(phone, "None of these")
    phone.get_by_label("Your temperature now").fill("98.6")
    phone.get_by_label("°C (Celsius)").check()
    go_on(phone)
    assert phone.evaluate("document.activeElement.className") == "nhsuk-error-summary"
    phone.get_by_role("link", name="Is 98.6 a reading in °F").click()  # stays on the page
    assert phone.evaluate("document.activeElement.name") == "temperature"
    assert phone.get_by_label("Your temperature now").input_value() == "98.6"


@pytest.mark.database("sqlite")
def test_every_page_works_without_scripts(make, anna, browse):
    phone = browse("phone", java_script_enabled=False)
    phone.goto("/")
    phone.get_by_label("Your sign-in name").fill(make.account(anna).sign_in_name)
    phone.get_by_label("Your passphrase").fill(PASSWORD)
    follow(phone.get_by_role("button", name="Sign in"))
    follow(phone.get_by_role("button", name="I am too unwell to answer"))
    assert phone.get_by_role("heading", name="Call your care team now").is_visible()


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_pages_of_staff_and_caregivers_are_accessible_and_fit_the_screen(device, make, anna, browse):
    make.alert(anna)
    pages = {
        make.administrator(): ("/people", "/people/enrol", f"/people/{anna.id}", f"/people/{anna.id}/access"),
        make.clinician(): ("/rules", "/rules/crs-fever"),
        make.nurse(): ("/queue", f"/patients/{anna.id}"),
        make.caregiver(anna): ("/report", "/report/danger", "/reports"),
    }
    for person, addresses in pages.items():
        page = browse(device)
        sign_in(page, person)
        for address in addresses:
            assert page.goto(address).status == 200
            checked(page)
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{address} is {overflow} pixels wider than the screen"

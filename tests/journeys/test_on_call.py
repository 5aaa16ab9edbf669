"""The on-call page in a real browser: a nurse fills the rota, at a desk and on a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.browsing import follow
from tests.journeys.test_road import checked, sign_in


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_nurse_puts_somebody_on_call_and_sends_a_test(device, make, alice, browse):
    make.duty(make.nurse("Bob"), begins=timedelta(hours=20), ends=timedelta(hours=30))
    page = browse(device)
    sign_in(page, alice)
    follow(page.get_by_role("link", name="On call"))
    follow(checked(page).get_by_role("button", name="Add a duty"))
    follow(checked(page).get_by_role("button", name="Add duty"))
    assert checked(page).get_by_role("alert").get_by_text("Choose who is on call").is_visible()
    today = make.now()
    page.get_by_label("Who is on call").select_option("Alice")
    for group, day in (("First day", today - timedelta(days=1)), ("Last day", today + timedelta(days=1))):
        for part, value in (("Day", day.day), ("Month", day.month), ("Year", day.year)):
            page.get_by_role("group", name=group).get_by_label(part).fill(str(value))
    page.get_by_label("From").fill("08:00")
    page.get_by_label("Until").fill("20:00")
    follow(page.get_by_role("button", name="Add duty"))
    assert checked(page).get_by_text("Now: Alice").is_visible()
    follow(page.get_by_role("button", name="Send a test to whoever is on call"))
    assert checked(page).get_by_text("Nobody can be reached").is_visible()
    follow(page.get_by_role("link", name="Change where Alice is reached"))
    checked(page)

"""In hospital and home again, a death taken back, a corrected day 0: in a real browser, at a desk and on a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.browsing import follow
from tests.journeys.test_road import checked, sign_in


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_what_a_nurse_notes_and_takes_back(device, make, anna, alice, browse):
    page = browse(device)
    sign_in(page, alice)
    page.goto(f"/patients/{anna.id}")
    follow(page.get_by_role("button", name="In hospital"))
    follow(checked(page).get_by_role("button", name="Note the admission"))
    assert checked(page).get_by_text("Noted by Alice").first.is_visible()
    follow(page.get_by_role("button", name="Home again"))
    follow(checked(page).get_by_role("button", name="Note the return home"))
    follow(checked(page).get_by_role("button", name="End monitoring"))
    today = make._today(anna)
    checked(page).get_by_label("The patient has died").check()
    for part, value in (("Day", today.day), ("Month", today.month), ("Year", today.year)):
        page.get_by_label(part).fill(str(value))
    follow(page.get_by_role("button", name="End monitoring"))
    assert checked(page).get_by_text("Anna has died").is_visible()
    follow(page.get_by_role("button", name="Noted by a slip: take it back"))
    assert checked(page).get_by_text("The death was noted by a slip").is_visible()


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_an_administrator_corrects_day_0_and_reads_what_changed(device, make, browse):
    berta = make.patient("Berta", day=40)
    make.report(berta, chills="mild", temperature_c=36.6, ago=timedelta(minutes=5))
    page = browse(device)
    sign_in(page, make.administrator())
    page.goto(f"/people/{berta.id}")
    follow(checked(page).get_by_role("link", name="Correct the dose"))
    day = make._today(berta) - timedelta(days=10)
    for part, value in (("Day", day.day), ("Month", day.month), ("Year", day.year)):
        checked(page).get_by_label(part, exact=True).fill(str(value))
    follow(page.get_by_role("button", name="Correct the dose"))
    assert checked(page).get_by_text("40 → 10").is_visible()

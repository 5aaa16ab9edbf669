"""The audit trail in a real browser: an auditor looks for what a nurse did; a patient sees who looked."""

from __future__ import annotations

import pytest

from tests.browsing import follow
from tests.journeys.test_road import checked, sign_in


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_an_auditor_finds_what_a_nurse_did_and_the_patient_sees_it_too(device, make, anna, alice, pages, browse):
    make.alert(anna)
    pages(alice).get("care_team.record", patient_id=anna.id)
    page = browse(device)
    sign_in(page, make.auditor())
    checked(page).get_by_text("Find a person or a patient").click()
    page.get_by_label("Name of a person or a patient").fill("ali")
    follow(page.get_by_role("button", name="Find"))
    follow(checked(page).get_by_role("link", name="What Alice did"))
    page.get_by_label("Action").select_option("Patient seen")
    follow(page.get_by_role("button", name="Search"))
    assert checked(page).get_by_role("link", name="Anna").is_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Write all of these into a CSV file").click()  # stays on the page
    assert waiting.value.suggested_filename == "audit-trail.csv"

    phone = browse(device)
    sign_in(phone, make.account(anna))
    follow(phone.get_by_role("link", name="Who looked at your record"))
    assert checked(phone).get_by_text("Alice (nurse)").is_visible()

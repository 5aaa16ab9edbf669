"""From the sheet to the first report: an administrator prints an invitation, and a phone opens its link."""

from __future__ import annotations

import pytest

from tests.browsing import accessibility_problems, follow
from tests.make import PASSWORD

NEW = "four words of no sentence"


@pytest.mark.database("sqlite")
def test_a_phone_opens_the_link_of_the_sheet_and_no_server_sees_the_code(make, anna, browse):
    account = make.account(anna)
    desk = browse("desktop")
    desk.goto("/sign-in")
    desk.get_by_label("Your sign-in name").fill(make.administrator().sign_in_name)
    desk.get_by_label("Your passphrase", exact=True).fill(PASSWORD)
    follow(desk.get_by_role("button", name="Sign in"))
    desk.goto(f"/people/{anna.id}")
    sheet = follow(desk.get_by_role("button", name="Make a new invitation for Anna"))
    assert accessibility_problems(sheet) == []
    code = sheet.locator(".app-access").inner_text()
    box = sheet.get_by_role("img", name="QR code").bounding_box()
    assert box["width"] == box["height"] >= 200

    phone, seen = browse("phone"), []
    phone.on("request", lambda request: seen.append((request.url, dict(request.headers).get("referer", ""))))
    phone.goto(f"/invitation#{code}")
    assert phone.get_by_label("The code on your sheet").input_value() == code
    assert "#" not in phone.url, "the code stays in no history"
    assert accessibility_problems(phone) == []
    follow(phone.get_by_role("button", name="Continue"))
    assert accessibility_problems(phone) == []
    assert account.sign_in_name in phone.inner_text("main")
    phone.get_by_label("Choose a passphrase").fill(NEW)
    phone.get_by_label("The same passphrase again").fill(NEW)
    follow(phone.get_by_role("button", name="Save and sign in"))
    assert phone.url.endswith("/report")
    assert seen
    assert not [entry for entry in seen if code in "".join(entry)], "in an address or a referrer"

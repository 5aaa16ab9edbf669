"""After a report, on a phone: what was done appears by itself, the emergency page is a tap away, the sheet is one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browsing import follow
from tests.journeys.test_road import checked, sign_in
from triage.alerts import services
from triage.models import Alert

pytestmark = pytest.mark.database("sqlite")


def test_what_was_done_appears_without_a_reload(session, make, anna, alice, browse):
    make.report(anna, temperature_c=38.6, chills="moderate")
    phone = browse("phone")
    sign_in(phone, make.account(anna))
    follow(phone.locator("main p a[href^='/reports/']").first)
    expect(phone.locator("#standing")).to_contain_text("Do not wait for us to call you")
    expect(phone.locator("main")).to_contain_text("“I had CAR T cells, the last dose on")
    assert phone.locator("main a[href^='tel:']").first.bounding_box()["y"] < 844  # seen without scrolling
    checked(phone)
    alert = session.query(Alert).filter_by(patient_id=anna.id).one()
    services.acknowledge(session, alert, alice, make.now())
    phone.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # what half a minute does, too
    expect(phone.locator("#done")).to_contain_text("A nurse took this up")
    expect(phone.locator("#standing")).not_to_contain_text("Do not wait")
    checked(phone)


@pytest.mark.parametrize(
    ("answers", "heading"),
    [
        ({"seizure": "yes"}, "Call 999 now"),
        ({"temperature_c": 38.6}, "Call your care team now"),
        ({"temperature_c": 36.6, "nausea": "moderate"}, "Your care team is asked to look at this today"),
        ({"temperature_c": 36.6, "nausea": "none"}, "Nothing in this report asks for a call today"),
    ],
)
def test_each_result_can_be_read_on_a_phone(answers, heading, make, browse):
    patient = make.patient("Berta", day=40)
    report = make.report(patient, **answers)
    phone = browse("phone")
    sign_in(phone, make.account(patient))
    phone.goto(f"/reports/{report.id}")
    expect(phone.locator(".nhsuk-card__heading").first).to_contain_text(heading)
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    checked(phone)


def test_the_emergency_page_is_one_tap_from_everywhere(make, anna, browse):
    phone = browse("phone")
    phone.goto("/sign-in")
    follow(phone.get_by_role("link", name="Emergency signs"))
    checked(phone)
    assert phone.locator("main a[href^='tel:']").first.bounding_box()["y"] < 844
    phone.goto("/no-such-page")
    follow(phone.get_by_role("link", name="Emergency signs"))
    sign_in(phone, make.caregiver(anna))
    follow(phone.get_by_role("link", name="Emergency signs"))
    expect(phone.locator(".nhsuk-card--care--emergency")).to_contain_text("They cannot be woken")
    checked(phone)


def test_the_record_on_a_phone_and_its_sheet_on_one_sheet(make, browse):
    patient = make.patient("Anna", day=21, enrolled_at=make.now() - timedelta(days=21))
    for day in range(21, -1, -1):
        make.report(
            patient, ago=timedelta(days=day, hours=1), temperature_c=38.2, chills="mild", nausea="mild", headache="mild"
        )
    phone, desk = browse("phone"), browse("desktop")
    sign_in(phone, make.account(patient))
    follow(phone.get_by_role("link", name="My record"))
    checked(phone)
    follow(phone.get_by_role("link", name="Remind me to report"))
    checked(phone)
    sign_in(desk, make.account(patient))
    desk.goto("/my-record/sheet")
    checked(desk)
    assert len(re.findall(rb"/Type\s*/Page\b", desk.pdf(format="A4"))) == 1

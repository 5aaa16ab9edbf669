"""The patient record in a real browser: read on a phone, at a desk and on paper."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.journeys.test_road import checked, sign_in

pytestmark = pytest.mark.database("sqlite")

ILL = {
    "chills": "moderate",
    "headache": "mild",
    "nausea": "mild",
    "tiredness": "severe",
    "dizziness": "mild",
    "tremor": "mild",
    "muscle_pain": "moderate",
    "skin_rash": "mild",
    "not_themselves": "yes",
    "confusion": "unknown",
}


@pytest.fixture
def three_weeks(make):
    """A patient who has had everything, reported twice a day by two people."""
    anna = make.patient("Anna", day=21, enrolled_at=make.now() - timedelta(days=21))
    cora = make.caregiver(anna, "Cora", phone="+44 1632 960 500")
    for day in range(21, -1, -1):
        check = {"orientation": 4, "naming": 3 - day % 2, "command": 1, "writing": 1, "attention": 1}
        make.report(
            anna,
            ago=timedelta(days=day, hours=1),
            temperature_c="unknown" if day == 9 else round(36.5 + (day % 7) / 3, 1),
            fever_reducer_taken=day % 3 == 0,
            thinking_check=check,
            **(ILL if day % 4 == 0 else {"chills": "none"}),
        )
        if day % 5 == 0:
            make.report(anna, ago=timedelta(days=day, minutes=30), by=cora, headache="moderate")
    return anna


def test_three_weeks_of_reports_print_on_one_sheet(three_weeks, alice, browse):
    page = browse("desktop")
    sign_in(page, alice)
    page.goto(f"/patients/{three_weeks.id}")
    sheet = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
    page.emulate_media(media="print")
    assert page.locator("#temperature-title").count() == 1
    for words in ("Anna (patient)", "Cora (caregiver)", "+44 1632 960 500", "Symptoms by day"):
        assert page.get_by_text(words).first.is_visible(), words
    assert not page.get_by_text("Reports and alerts, the latest first").is_visible()


@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_the_drawings_fit_the_screen_and_open_where_today_is(device, three_weeks, alice, browse):
    page = browse(device)
    sign_in(page, alice)
    page.goto(f"/patients/{three_weeks.id}")
    page.get_by_text("Every temperature in numbers").first.click()
    checked(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    today = page.locator(".app-grid__day").last.bounding_box()
    assert today is not None
    assert today["x"] + today["width"] <= page.viewport_size["width"], "today is in sight without moving anything"

"""The record reads what it shows: three weeks of drawings, one page of the list, the unresolved alert as a whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from triage.alerts import services
from triage.care_team.record import PAGE
from triage.models import AssessmentRecord, Disposition, ReportRecord
from triage.rules.urgency import Urgency


@pytest.fixture
def read(app):
    """How many stored reports and assessments were read since `read.clear()`."""
    found = []

    def loaded(target, context):
        found.append(target)

    for model in (ReportRecord, AssessmentRecord):
        event.listen(model, "load", loaded)
    yield found
    for model in (ReportRecord, AssessmentRecord):
        event.remove(model, "load", loaded)


def entries(page):
    return [" ".join(tag.get_text(" ", strip=True).split()) for tag in page.soup.select(".app-report")]


def test_the_list_has_pages_that_together_tell_everything_once(make, pages, alice, bob, session):
    anna = make.patient("Anna", enrolled_at=make.now() - timedelta(days=80))
    for day in range(2 * PAGE + 5):
        make.report(anna, ago=timedelta(days=day, minutes=30), chills="none", temperature_c=36.6)
    old = make.alert(anna, Urgency.URGENT, ago=timedelta(days=40))
    with make.app.app_context():
        services.acknowledge(session, old, alice, old.opened_at)
        services.resolve(session, old, alice, Disposition.ADVICE_GIVEN, "Rang, all told", old.opened_at)

    page = pages(alice).get("care_team.record", patient_id=anna.id)
    assert not page.shows("Rang, all told")
    told, shown = [], [page]
    while "Older reports and alerts" in shown[-1].links():
        shown.append(shown[-1].click("Older reports and alerts"))
    told = [entry for page in shown for entry in entries(page)]
    assert len(shown) == 3
    assert len(told) == len(set(told)) == 2 * PAGE + 5 + 1 + 3
    assert shown[1].shows("Rang, all told")
    assert "No unresolved alert." in shown[2].text
    assert shown[2].click("Back to the latest").links()["Older reports and alerts"]


def test_years_of_reports_are_not_read(make, pages, alice, read):
    anna = make.patient("Anna", enrolled_at=make.now() - timedelta(days=400))
    for day in range(PAGE, PAGE + 3):
        make.report(anna, ago=timedelta(days=day), chills="moderate", temperature_c=36.6)
    read.clear()
    visitor = pages(alice)
    visitor.get("care_team.record", patient_id=anna.id)
    few = len(read)
    for day in range(40, 70):
        make.report(anna, ago=timedelta(days=day), chills="none", temperature_c=36.6)
    read.clear()
    visitor.get("care_team.record", patient_id=anna.id)
    many = len(read)
    for day in range(70, 170):
        make.report(anna, ago=timedelta(days=day), chills="none", temperature_c=36.6)
    read.clear()
    visitor.get("care_team.record", patient_id=anna.id)
    assert few < many == len(read)


def test_no_reason_of_an_unresolved_alert_is_on_another_page(make, pages, alice):
    anna = make.patient("Anna", enrolled_at=make.now() - timedelta(days=90))
    make.report(anna, ago=timedelta(days=60), temperature_c=39.4)
    for day in range(PAGE + 5):
        make.report(anna, ago=timedelta(days=day, minutes=30), chills="none", temperature_c=36.6)
    page = pages(alice).get("care_team.record", patient_id=anna.id)
    current = page.soup.select_one(".app-queue__row").get_text(" ", strip=True)
    assert "39.4" in current
    older = page.click("Older reports and alerts")
    assert "39.4" in older.soup.select_one(".app-queue__row").get_text(" ", strip=True)


def test_a_silence_that_began_before_the_drawings_is_drawn_from_its_start(make, app, session, pages, alice):
    from triage.alerts import silence

    anna = make.patient("Anna", day=26, enrolled_at=make.now() - timedelta(days=60))
    make.report(anna, ago=timedelta(days=25), chills="none", temperature_c=36.6)
    with app.app_context():
        silence.sweep(session, make.ruleset, make.now())
    page = pages(alice).get("care_team.record", patient_id=anna.id)
    bars = [tag.get_text() for tag in page.soup.select(".app-chart__bar--silence title")]
    start = make.now() - timedelta(days=25)
    assert len(bars) == 1
    assert f"{start.day} {start:%b}" in bars[0]


@pytest.mark.parametrize("before", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", ""])
def test_a_moment_that_is_none_means_the_latest(before, make, anna, pages, alice):
    make.report(anna, chills="none", temperature_c=36.6)
    page = pages(alice).get("care_team.record", patient_id=anna.id, query={"before": before})
    assert not page.shows("Back to the latest")
    assert entries(page)

"""The pages on which nurses and administrators note a stay, an end, a death, and correct a dose."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from triage.alerts import services
from triage.models import Alert, AlertStatus, CourseChange
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

NOTE = "Spoken with the ward, admitted for observation"


def parts(name, day):
    return {f"{name}-day": str(day.day), f"{name}-month": str(day.month), f"{name}-year": str(day.year)}


@pytest.fixture
def emil(make):
    return make.administrator()


@pytest.fixture
def today(make, anna):
    return make._today(anna)


def record(pages, somebody, patient):
    return pages(somebody).get("care_team.record", patient_id=patient.id)


def test_admitted_and_home_again_by_a_nurse(make, anna, alice, pages, session):
    page = record(pages, alice, anna).click("In hospital").press("Note the admission")
    assert page.shows("In hospital since")
    assert page.shows("Noted by Alice")
    page = page.click("Home again").press("Note the return home")
    assert page.shows("Home again since")
    assert page.shows("In hospital since")  # the timeline tells of both
    page = page.press("Still in hospital: take the return back")
    assert page.shows("No report is expected until the return home is noted")
    page = page.press("Noted by a slip: take it back")
    assert page.shows("Admission taken back: noted by a slip")
    session.rollback()
    assert anna.in_hospital is None


def test_the_disposition_admitted_leads_there_with_one_click_and_never_by_itself(make, anna, alice, pages, session):
    alert = make.alert(anna, Urgency.URGENT)
    services.acknowledge(session, alert, alice, make.now())
    page = pages(alice).get("care_team.resolve", alert_id=alert.id).press("Resolve", disposition="admitted", note=NOTE)
    assert page.shows("Anna is in hospital")
    session.rollback()
    assert anna.in_hospital is None
    page.press("Note the admission")
    session.rollback()
    assert anna.in_hospital is not None


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"clock": "25:00"}, "Enter a time of day, for example 14:30"),
        ({"clock": ""}, "Enter a time of day, for example 14:30"),
        ({"ahead": 1}, "That has not come yet: it cannot be in the future"),
        ({"ahead": -800}, "That is more than 2 years ago. Check the year"),
    ],
)
def test_a_moment_that_cannot_be_is_said_and_what_was_typed_stays(make, anna, alice, pages, today, typed, error):
    fields = {"clock": typed.get("clock", "12:00"), **parts("day", today + timedelta(days=typed.get("ahead", -1)))}
    page = pages(alice).get("monitoring.admitted", patient_id=anna.id).press("Note the admission", **fields)
    assert (page.status, page.errors) == (422, [error])


def test_home_cannot_be_before_the_admission(make, anna, alice, pages, today):
    stay = make.admission(anna, alice, ago=timedelta(hours=3))
    page = pages(alice).get("monitoring.home", admission_id=stay.id)
    page = page.press("Note the return home", clock="12:00", **parts("day", today - timedelta(days=3)))
    assert page.errors[0].startswith("It cannot be before")


def test_a_death_is_shown_plainly_alerts_stay_and_a_slip_is_taken_back(make, anna, alice, bob, pages, session, today):
    make.alert(anna, Urgency.URGENT)
    cora = make.caregiver(anna)
    page = pages(alice).get("monitoring.end", patient_id=anna.id)
    page = page.press("End monitoring", reason="died", **parts("ended_on", today))
    assert page.shows("Anna has died")
    assert page.shows("Noted by Alice")
    queue = pages(bob).get("care_team.queue")
    assert queue.row("Anna").shows("Has died")
    home = pages(cora).get("reports.home")
    assert home.shows("No report is asked for any more")
    assert not home.shows("None of these")
    page = record(pages, bob, anna).press("Noted by a slip: take it back")
    assert page.shows("The death was noted by a slip and is taken back")
    assert not page.shows("Nothing is sent any more")
    assert pages(cora).get("reports.home").shows("None of these")
    session.rollback()
    assert session.scalars(select(Alert.status)).one() == AlertStatus.OPEN


def test_a_report_that_comes_after_a_death_was_noted_is_never_lost(make, anna, alice, pages, session):
    """It may be a slip: the caregiver's report is stored, judged and shown."""
    cora = make.caregiver(anna)
    make.end(anna, alice, "died")
    make.report(anna, by=cora, temperature_c=39.0)
    assert pages(alice).get("care_team.queue").row("Anna").shows("39.0")


def test_whoever_ends_monitoring_says_why(make, anna, emil, pages, today):
    page = pages(emil).get("monitoring.end", patient_id=anna.id).press("End monitoring", **parts("ended_on", today))
    assert page.errors == ["Choose why it ends"]


def test_a_corrected_day_0_lists_what_changes_to_the_administrator_and_in_the_record(
    make, emil, alice, pages, session, today
):
    berta = make.patient("Berta", day=40)
    make.report(berta, chills="mild", temperature_c=36.6, ago=timedelta(minutes=5))
    page = pages(emil).get("accounts.patient", patient_id=berta.id)
    page = page.click(f"Correct the dose of {(today - timedelta(days=40)).isoformat()}")
    page = page.press(
        "Correct the dose", why="Day and month were mixed up", **parts("given_on", today - timedelta(days=10))
    )
    for words in ("1 report was judged again", "40 → 10", "Day and month were mixed up", "Urgent", "hills"):
        assert page.shows(words), words
    page = record(pages, alice, berta)
    assert page.shows("Dose corrected")
    assert page.shows("day 40 → 10")
    assert page.shows("No alert was lowered or closed")
    row = pages(alice).get("care_team.queue").row("Berta")
    assert row.shows("judged again, other days of the therapy are known now")
    session.rollback()
    change = session.scalars(select(CourseChange)).one()
    assert pages(alice).get("monitoring.change", change_id=change.id).shows("40 → 10")


def test_a_dose_that_was_not_given_is_taken_out_by_two_pages(make, anna, emil, pages, session):
    page = pages(emil).get("accounts.patient", patient_id=anna.id)
    page = page.click(f"Correct the dose of {anna.courses[0].started_on.isoformat()}")
    page = page.click("It was not given: take it out").press("Take it out")
    assert page.shows("none on file")
    session.rollback()
    assert anna.courses[0].started_on is None


def test_steroids_and_a_further_course_are_entered_through_the_pages(make, anna, emil, pages, session, today):
    visitor = pages(emil)
    page = visitor.get("monitoring.steroids", course_id=anna.courses[0].id)
    since, until = today - timedelta(days=4), today - timedelta(days=1)
    page = page.press("Save", **parts("since", since), **parts("until", until))
    assert page.shows(f"{since.isoformat()}, until {until.isoformat()}")
    page = visitor.get("monitoring.begin_course", patient_id=anna.id)
    page.press("Begin the course", therapy="bite", **parts("started_on", today))
    session.rollback()
    assert [course.therapy for course in anna.courses] == ["car_t", "bite"]


def test_a_report_answers_the_silence_and_the_alert_stays(app, make, anna, alice, pages, session):
    from triage.alerts import silence

    make.report(anna, ago=timedelta(hours=27), temperature_c=36.6)
    with app.app_context():
        silence.sweep(session, make.ruleset, make.now() - timedelta(minutes=5))
    assert not pages(alice).get("care_team.queue").row("Anna").shows("A report came")
    make.report(anna, temperature_c=36.6)
    for page in (pages(alice).get("care_team.queue").row("Anna"), record(pages, alice, anna)):
        assert page.shows("A report came today")
    session.rollback()
    assert session.scalars(select(Alert.status)).one() == AlertStatus.OPEN


def test_where_somebody_is_reminded_is_changed_by_an_administrator(make, anna, emil, pages, session):
    account = make.account(anna)
    page = pages(emil).get("accounts.reach", patient_id=anna.id, person_id=account.id)
    assert page.press("Save", mail="anna at home", phone="").errors == [
        "Enter one mail address, for example name@example.org"
    ]
    page = page.press("Save", mail="anna@example.org", phone="+44 1632 960 402")
    assert page.shows("anna@example.org")
    session.rollback()
    assert (account.mail, account.phone) == ("anna@example.org", "+44 1632 960 402")

"""What a nurse sees and does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from triage.care_team.queue import queue
from triage.models import Alert, AlertStatus, Course
from triage.rules.urgency import Urgency

NOTE = "Telephoned, comes in today"


def names(page):
    return [heading.get_text() for heading in page.soup.select(".app-queue__name")]


def test_most_urgent_first_then_longest_waiting(make, pages, alice):
    for name, urgency, minutes in (
        ("Soon", Urgency.SOON, 600),
        ("Fresh", Urgency.URGENT, 1),
        ("Old", Urgency.URGENT, 40),
        ("Emergency", Urgency.EMERGENCY, 0),
    ):
        make.alert(make.patient(name), urgency, ago=timedelta(minutes=minutes))
    page = pages(alice).get("care_team.queue")

    assert names(page) == ["Emergency", "Old", "Fresh", "Soon"]
    assert page.row("Old").shows("25 minutes over its limit")
    assert page.row("Fresh").shows("Waiting 1 minute")


def test_a_row_says_who_reported_what(make, anna, pages, alice):
    make.report(anna, by=make.caregiver(anna, "Cora"), temperature_c=38.4, chills="moderate")
    row = pages(alice).get("care_team.queue").row("Anna")

    for words in ("Urgent", "CAR T cells, day 5", "Cora (caregiver)", "temperature 38.4 °C is at least 38.0 °C"):
        assert row.shows(words)


@pytest.mark.database("sqlite")
def test_the_emergency_that_came_last_of_500_patients_is_first(make, session, app, alice):
    from triage.database import writing
    from triage.models import Patient

    at = make.now()
    team = alice.care_team
    with writing(session):
        for number in range(499):
            patient = Patient(name=f"P{number}", care_team_id=team.id, enrolled_at=at, phone="")
            session.add(patient)
            session.flush()
            session.add(
                Alert(
                    patient_id=patient.id,
                    care_team_id=team.id,
                    urgency=Urgency.SOON,
                    opened_at=at,
                    waiting_since=at,
                    answer_by=at + timedelta(seconds=number),
                )
            )
    make.alert(make.patient("Last"), Urgency.EMERGENCY)
    with app.app_context():
        rows = queue(session, team, make.now())

    assert (rows[0].patient.name, len(rows)) == ("Last", 500)


def test_a_milder_report_does_not_lower_an_open_alert(make, anna, pages, alice):
    make.alert(anna, Urgency.URGENT)
    make.report(anna, chills="none", temperature_c=36.6)

    assert pages(alice).get("care_team.queue").row("Anna").shows("Urgent")


def test_a_patient_without_a_course_or_with_an_unknown_therapy_stays_in_the_queue(make, pages, alice):
    make.alert(make.patient("Courseless", course=False))
    make.alert(make.patient("Unknown", therapy=None, day=None))

    assert set(names(pages(alice).get("care_team.queue"))) == {"Courseless", "Unknown"}


def test_an_alert_stays_when_monitoring_ends(make, anna, pages, alice, session):
    from triage.accounts import services

    make.alert(anna)
    services.end_monitoring(session, session.query(Course).one(), make.now().date(), alice, make.now())
    assert names(pages(alice).get("care_team.queue")) == ["Anna"]


def test_silent_patients_stand_in_the_same_queue(make, pages, alice, session, app):
    from triage.alerts import silence

    make.patient("Silas", day=5)
    make.alert(make.patient("Rita"), Urgency.EMERGENCY)
    with app.app_context():
        silence.sweep(session, make.ruleset, make.now())
    page = pages(alice).get("care_team.queue")

    assert names(page) == ["Rita", "Silas"]
    assert page.row("Silas").shows("Silent")
    assert page.row("Silas").shows("No report came")


def test_acknowledge_then_resolve(make, anna, pages, alice, session):
    alert = make.alert(anna)
    visitor = pages(alice)
    page = visitor.get("care_team.queue").press("Acknowledge of Anna")
    assert page.row("Anna").shows("Acknowledged")
    page = page.click("Resolve the alert of Anna")
    page = page.press("Resolve", disposition="seen_today", note=NOTE)

    assert page.shows("The alert of Anna is resolved")
    assert names(page) == []
    session.rollback()
    session.refresh(alert)
    assert (alert.status, alert.note, alert.resolved_by_id) == (AlertStatus.RESOLVED, NOTE, alice.id)


def test_an_acknowledged_alert_stays_in_view(make, anna, pages, alice, bob):
    make.alert(anna)
    pages(alice).get("care_team.queue").press("Acknowledge of Anna")

    assert pages(bob).get("care_team.queue").row("Anna").shows("acknowledged by Alice")


def test_the_slower_nurse_is_told_who_and_when(make, anna, pages, alice, bob):
    make.alert(anna)
    late = pages(bob).get("care_team.queue")
    pages(alice).get("care_team.queue").press("Acknowledge of Anna")
    page = late.press("Acknowledge of Anna")

    assert page.status == 409
    assert page.shows("was acknowledged by Alice on")
    assert page.shows("not saved")


def test_the_note_of_the_slower_nurse_is_not_lost(make, anna, pages, alice, bob):
    alert = make.alert(anna)
    pages(alice).get("care_team.queue").press("Acknowledge of Anna")
    late = pages(bob).get("care_team.resolve", alert_id=alert.id)
    pages(alice).get("care_team.resolve", alert_id=alert.id).press("Resolve", disposition="admitted", note=NOTE)
    page = late.press("Resolve", disposition="seen_today", note="What Bob had found out")

    assert page.shows("was resolved by Alice")
    assert page.shows("What Bob had found out")


def test_resolving_asks_for_what_was_done_and_keeps_what_was_typed(make, anna, pages, alice):
    alert = make.alert(anna)
    pages(alice).get("care_team.queue").press("Acknowledge of Anna")
    page = pages(alice).get("care_team.resolve", alert_id=alert.id)

    assert page.press("Resolve", note=NOTE).errors == ["Choose what was done"]
    page = page.press("Resolve", disposition="no_action", note="ok")
    assert page.errors == ["Write in a few words what was found and agreed"]
    assert page.field("disposition") == "no_action"


def test_an_open_alert_cannot_be_resolved(make, anna, pages, alice):
    alert = make.alert(anna)
    page = pages(alice).get("care_team.resolve", alert_id=alert.id).press("Resolve", disposition="admitted", note=NOTE)

    assert "Acknowledge" in page.errors[0] or "acknowledge" in page.errors[0]


def test_the_record_quotes_the_passage_of_each_fired_rule(make, anna, pages, alice):
    make.report(anna, temperature_c=38.4, chills="unknown", note="felt cold")
    page = pages(alice).get("care_team.record", patient_id=anna.id)

    for words in (
        "temperature 38.4 °C is at least 38.0 °C",
        "TECARTUS: managing side effects",
        "read on 2026-11-01",
        "felt cold",
        "Undecided: Chills",
        "I don’t know",
    ):
        assert page.shows(words), words
    assert page.links()["+44 1632 960 400"] == "tel:+441632960400"


def test_another_team_sees_nothing(make, anna, pages, charlie):
    alert = make.alert(anna)
    visitor = pages(charlie)

    assert names(visitor.get("care_team.queue")) == []
    assert visitor.get("care_team.record", patient_id=anna.id).status == 404
    assert visitor.post("care_team.acknowledge", alert_id=alert.id).status == 404
    assert visitor.get("care_team.resolve", alert_id=alert.id).status == 404


def test_a_new_report_after_the_acknowledgement_is_marked(make, anna, pages, alice):
    make.alert(anna, Urgency.URGENT, ago=timedelta(minutes=5))
    pages(alice).get("care_team.queue").press("Acknowledge of Anna")
    make.alert(anna, Urgency.SOON, at=make.now() + timedelta(seconds=1))

    assert pages(alice).get("care_team.queue").row("Anna").shows("new since it was acknowledged")

"""What a nurse sees and does."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from triage.care_team.queue import span_words
from triage.database import writing
from triage.languages import clock_words
from triage.models import Alert, AlertFinding, AlertStatus, AuditEntry, Patient
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

NOTE = "Telephoned, comes in today"
ACKNOWLEDGE = "Acknowledge the alert of Anna"


def only(session) -> Alert:
    session.rollback()
    (alert,) = session.scalars(select(Alert)).all()
    return alert


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


def test_the_emergency_that_came_last_of_500_patients_is_first(make, session, alice, pages):
    at, team = make.now(), alice.care_team
    with writing(session):
        for number in range(499):
            patient = Patient(name=f"P{number}", care_team_id=team.id, enrolled_at=at, phone="")
            session.add(patient)
            session.flush()
            alert = Alert(
                patient_id=patient.id,
                care_team_id=team.id,
                urgency=Urgency.SOON if number % 2 else Urgency.URGENT,
                opened_at=at,
                waiting_since=at,
                answer_by=at - timedelta(seconds=number),
            )
            session.add(alert)
    make.alert(make.patient("Last"), Urgency.EMERGENCY)
    page = pages(alice).get("care_team.queue")

    assert (names(page)[0], len(names(page))) == ("Last", 500)
    assert names(page)[1] == "P498", "of the urgent ones the longest over its limit"
    assert names(page)[-1] == "P1", "nothing is cut off"


def test_a_milder_report_does_not_lower_an_open_alert(make, anna, pages, alice):
    make.alert(anna, Urgency.URGENT)
    make.report(anna, chills="none", temperature_c=36.6)

    assert pages(alice).get("care_team.queue").row("Anna").shows("Urgent")


def test_a_patient_without_a_course_or_with_an_unknown_therapy_stays_in_the_queue(make, pages, alice):
    make.alert(make.patient("Courseless", course=False))
    make.alert(make.patient("Unknown", therapy=None, day=None))

    assert set(names(pages(alice).get("care_team.queue"))) == {"Courseless", "Unknown"}


def test_an_alert_stays_when_monitoring_ends(make, anna, pages, alice, session):
    make.alert(anna)
    make.end(anna, alice)
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
    page = visitor.get("care_team.queue").press(ACKNOWLEDGE)
    assert page.row("Anna").shows("Acknowledged")
    page = page.click("Resolve the alert of Anna")
    page = page.press("Resolve", disposition="seen_today", note=NOTE)

    assert page.shows("The alert is resolved")
    assert names(page) == []
    session.rollback()
    session.refresh(alert)
    assert (alert.status, alert.note, alert.resolved_by_id) == (AlertStatus.RESOLVED, NOTE, alice.id)


def test_an_acknowledged_alert_stays_in_view(make, anna, pages, alice, bob):
    make.alert(anna)
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)

    assert pages(bob).get("care_team.queue").row("Anna").shows("Acknowledged by Alice")


def test_the_slower_nurse_is_told_who_and_when(make, anna, pages, alice, bob):
    make.alert(anna)
    late = pages(bob).get("care_team.queue")
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    page = late.press(ACKNOWLEDGE)

    assert page.status == 409
    assert page.shows("was acknowledged by Alice on")
    assert page.shows("not saved")


def test_the_note_of_the_slower_nurse_is_not_lost(make, anna, pages, alice, bob):
    alert = make.alert(anna)
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    late = pages(bob).get("care_team.resolve", alert_id=alert.id)
    pages(alice).get("care_team.resolve", alert_id=alert.id).press("Resolve", disposition="admitted", note=NOTE)
    page = late.press("Resolve", disposition="seen_today", note="What Bob had found out")

    assert page.shows("was resolved by Alice")
    assert page.shows("What Bob had found out")


def test_resolving_asks_for_what_was_done_and_keeps_what_was_typed(make, anna, pages, alice):
    alert = make.alert(anna)
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    page = pages(alice).get("care_team.resolve", alert_id=alert.id)

    assert page.press("Resolve", note=NOTE).errors == ["Choose what was done"]
    page = page.press("Resolve", disposition="no_action", note="ok")
    assert page.errors == ["Write in a few words what was found and agreed"]
    assert page.field("disposition") == "no_action"


def test_an_open_alert_is_acknowledged_before_it_is_resolved_and_nothing_typed_is_lost(
    make, anna, pages, alice, session
):
    alert = make.alert(anna)
    visitor = pages(alice)
    fields = {"seen": "1", "disposition": "admitted", "note": NOTE}
    page = visitor.post("care_team.resolve", fields, alert_id=alert.id)

    assert page.errors == ["Not saved: nobody looks after this alert yet. Acknowledge it first"]
    assert only(session).status == AlertStatus.OPEN
    page = page.press("Acknowledge")
    assert (page.field("disposition"), page.field("note")) == ("admitted", NOTE), "what was typed stays"
    page.press("Resolve")
    assert (only(session).status, only(session).note) == (AlertStatus.RESOLVED, NOTE)


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
    assert page.links()["Call Anna: +44 1632 960 400"] == "tel:+441632960400"


def test_another_team_sees_nothing(make, anna, pages, charlie):
    alert = make.alert(anna)
    visitor = pages(charlie)

    assert names(visitor.get("care_team.queue")) == []
    assert visitor.get("care_team.record", patient_id=anna.id).status == 404
    assert visitor.post("care_team.acknowledge", alert_id=alert.id).status == 404
    assert visitor.get("care_team.resolve", alert_id=alert.id).status == 404


def test_a_new_report_after_the_acknowledgement_is_marked(make, anna, pages, alice):
    make.alert(anna, Urgency.URGENT, ago=timedelta(minutes=5))
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    make.alert(anna, Urgency.SOON, at=make.now() + timedelta(seconds=1))
    row = pages(alice).get("care_team.queue").row("Anna")

    assert row.shows("new since it was acknowledged")
    assert row.shows("Acknowledged by Alice")


def test_an_alert_that_was_opened_again_says_so_and_who_had_looked(make, anna, pages, alice):
    make.alert(anna, Urgency.URGENT, ago=timedelta(minutes=5))
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    make.alert(anna, Urgency.URGENT, at=make.now() + timedelta(seconds=1))
    row = pages(alice).get("care_team.queue").row("Anna")

    for words in ("Opened again", "It was acknowledged by Alice", "then something new came", "new since it was"):
        assert row.shows(words), words
    assert row.shows("Waiting less than a minute")


def test_within_one_urgency_those_that_nobody_looks_after_come_first(make, anna, pages, alice):
    make.alert(anna, Urgency.URGENT, ago=timedelta(hours=2))
    make.alert(make.patient("Berta"), Urgency.URGENT)
    make.alert(make.patient("Carla"), Urgency.SOON, ago=timedelta(hours=30))
    page = pages(alice).get("care_team.queue").press(ACKNOWLEDGE)

    assert names(page) == ["Berta", "Anna", "Carla"]


def test_nobody_acknowledges_what_came_after_the_page_was_made(make, anna, pages, alice, session):
    make.alert(anna, Urgency.SOON)
    old = pages(alice).get("care_team.queue")
    make.alert(anna, Urgency.EMERGENCY)
    page = old.press(ACKNOWLEDGE)

    assert page.shows("something new came while you were reading")
    assert only(session).status == AlertStatus.OPEN
    page.press(ACKNOWLEDGE)
    assert only(session).status == AlertStatus.ACKNOWLEDGED


def test_nobody_resolves_what_came_after_the_page_was_made(make, anna, pages, alice, session):
    alert = make.alert(anna, Urgency.URGENT)
    visitor = pages(alice)
    visitor.get("care_team.queue").press(ACKNOWLEDGE)
    old = visitor.get("care_team.resolve", alert_id=alert.id)
    make.alert(anna, Urgency.SOON, by=make.caregiver(anna, "Cora"))
    page = old.press("Resolve", disposition="seen_today", note=NOTE)

    assert page.errors == ["Not saved: something new came while you were writing. Read it here, then go on"]
    assert page.shows("Cora (caregiver)")
    assert page.field("note") == NOTE
    assert only(session).status == AlertStatus.ACKNOWLEDGED
    page.press("Resolve")
    assert only(session).status == AlertStatus.RESOLVED


def test_pressing_twice_is_no_quarrel(make, anna, pages, alice, session):
    make.alert(anna)
    visitor = pages(alice)
    page = visitor.get("care_team.queue")
    page.press(ACKNOWLEDGE)
    assert page.press(ACKNOWLEDGE).heading == "Queue of Ward A"

    page = visitor.get("care_team.queue").click("Resolve the alert of Anna")
    page.press("Resolve", disposition="admitted", note=NOTE)
    assert page.press("Resolve", disposition="admitted", note=NOTE).heading == "Queue of Ward A"
    page = page.press("Resolve", disposition="no_action", note="Something quite different")
    assert page.shows("was resolved by you")
    assert page.shows("Something quite different")
    assert only(session).note == NOTE


def test_a_resolved_alert_is_not_asked_about_again(make, anna, pages, alice, bob):
    alert = make.alert(anna)
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    pages(alice).get("care_team.resolve", alert_id=alert.id).press("Resolve", disposition="admitted", note=NOTE)
    page = pages(bob).get("care_team.resolve", alert_id=alert.id)

    assert (page.status, page.heading) == (409, "Somebody was quicker")
    assert page.shows("was resolved by Alice")
    assert not page.shows("not saved"), "Bob has only looked"


def test_messages_in_the_cookie_name_nobody(make, anna, pages, alice):
    make.alert(anna)
    visitor = pages(alice)
    answer = visitor.get("care_team.queue").press_only(ACKNOWLEDGE)
    with visitor.client.session_transaction() as cookie:
        assert "_flashes" in cookie
        assert "Anna" not in str(dict(cookie))
    assert "Anna" not in answer.location


def test_a_note_with_a_character_that_no_database_stores_is_kept(make, anna, pages, alice, session):
    alert = make.alert(anna)
    pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    page = pages(alice).get("care_team.resolve", alert_id=alert.id)
    page.press("Resolve", disposition="admitted", note=f"{NOTE}\x00\r\nBy ambulance")

    assert only(session).note.splitlines() == [NOTE, "By ambulance"]


def test_a_finding_that_cannot_be_read_does_not_hide_the_queue_or_the_record(make, anna, pages, alice, session):
    make.alert(make.patient("Berta"), Urgency.SOON)
    make.alert(anna, Urgency.URGENT)
    with writing(session):
        for finding in session.scalars(select(AlertFinding).where(AlertFinding.urgency == Urgency.URGENT)):
            finding.body = b"no JSON at all"
    visitor = pages(alice)

    assert names(visitor.get("care_team.queue")) == ["Anna", "Berta"]
    assert visitor.get("care_team.queue").row("Anna").shows("the reasons could not be read")
    assert visitor.get("care_team.record", patient_id=anna.id).status == 200


def test_a_ruleset_that_cannot_be_read_any_more_leaves_the_stored_sentences(make, anna, pages, alice, monkeypatch):
    make.report(anna, temperature_c=38.4)
    monkeypatch.setattr("triage.ruleset_editor.versions.by_hash", lambda session, hash: 1 / 0)
    visitor = pages(alice)

    sentence = "temperature 38.4 °C is at least 38.0 °C"
    assert visitor.get("care_team.queue").row("Anna").shows(sentence)
    assert visitor.get("care_team.record", patient_id=anna.id).shows(sentence)


def test_silent_until_a_report_comes(make, pages, alice, session, app):
    from triage.alerts import silence

    silas = make.patient("Silas", day=5)
    make.caregiver(silas, "Cora", phone="+44 1632 960 500")
    make.report(silas, ago=timedelta(hours=40), temperature_c=36.6)
    with app.app_context():
        silence.sweep(session, make.ruleset, make.now())
    row = pages(alice).get("care_team.queue").row("Silas")
    assert row.shows("no report for 40 hours, at least 24 hours")
    assert row.shows("Last report:")
    assert row.links()["Call Cora: +44 1632 960 500"] == "tel:+441632960500"

    make.report(silas, temperature_c=36.6)
    row = pages(alice).get("care_team.queue").row("Silas")
    assert not row.tag.select(".nhsuk-tag--grey"), "not silent any more"
    assert row.shows("Urgent"), "and still waiting for a person"


def test_the_record_tells_what_became_of_each_alert(make, anna, pages, alice, bob, session):
    make.report(anna, ago=timedelta(minutes=30), temperature_c=38.4)
    alert = only(session)
    pages(alice).get("care_team.record", patient_id=anna.id).press("Acknowledge")
    pages(bob).get("care_team.resolve", alert_id=alert.id).press("Resolve", disposition="sent_to_emergency", note=NOTE)
    page = pages(alice).get("care_team.record", patient_id=anna.id)
    entries = [section.get_text(" ", strip=True) for section in page.soup.select(".app-report")]

    assert page.shows("No unresolved alert")
    for entry, words in zip(
        entries, ("Alert resolved: Sent to emergency", "Alert acknowledged", "Alert opened", "day 5"), strict=True
    ):
        assert words in entry
    assert ("by Bob" in entries[0], NOTE in entries[0], "by Alice" in entries[1]) == (True, True, True)


def test_the_record_keeps_no_and_unknown_and_not_asked_apart(make, anna, pages, alice):
    make.report(anna, chills="none", headache="unknown", temperature_c=36.6)
    page = pages(alice).get("care_team.record", patient_id=anna.id)
    answers = {row.dt.get_text(): row.dd.get_text() for row in page.soup.select("section .nhsuk-summary-list__row")}

    assert "chills" in answers["Answered “no”"]
    assert answers["Headache"] == "I don’t know"
    not_asked = answers["Not asked"].split(", ")
    assert {"seizure", "fever reducer", "pulse"} <= set(not_asked)
    assert not {"chills", "headache", "temperature"} & set(not_asked)


def test_the_record_shows_therapy_day_and_windows(make, anna, pages, alice):
    page = pages(alice).get("care_team.record", patient_id=anna.id)
    for words in ("5 since the latest dose", "Daily reports: days 0 to 28", "inside the early window (days 0 to 28)"):
        assert page.shows(words), words
    page = pages(alice).get("care_team.record", patient_id=make.patient("Nobody", course=False).id)
    assert page.shows("no course on file")


def test_looking_changes_nothing_but_the_audit_trail(make, anna, pages, alice, session):
    alert = make.alert(anna)
    visitor = pages(alice)
    before = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    visitor.get("care_team.queue")
    visitor.get("care_team.record", patient_id=anna.id)
    visitor.get("care_team.resolve", alert_id=alert.id)

    assert only(session).status == AlertStatus.OPEN
    after = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert after == [*before, "queue_seen", "patient_seen", "patient_seen"]


def test_an_alert_follows_its_patient_to_another_team(make, anna, pages, alice, charlie, session):
    make.alert(anna)
    with writing(session):
        anna.care_team_id = charlie.care_team_id

    assert names(pages(charlie).get("care_team.queue")) == ["Anna"]
    assert names(pages(alice).get("care_team.queue")) == []


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=59), "59 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=3, minutes=10), "3 hours 10 minutes"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=2, hours=4, minutes=5), "2 days 4 hours"),
    ],
)
def test_a_wait_in_words(span, words):
    assert span_words(span) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-03-30T05:05", "today 06:05"),
        ("2026-03-29T23:30", "today 00:30"),
        ("2026-03-28T23:30", "Saturday 28 March, 23:30"),
        ("2026-03-29T22:30", "yesterday 23:30"),
        ("2025-12-31T08:00", "Wednesday 31 December 2025, 08:00"),
    ],
)
def test_a_moment_in_words_of_the_teams_own_day(moment, words):
    at = datetime.fromisoformat("2026-03-30T08:00+00:00")  # the clocks went forward on the 29th
    assert clock_words(datetime.fromisoformat(moment + "+00:00"), at, "Europe/London") == words


def test_the_record_begins_with_whom_to_call_and_why(make, anna, pages, alice):
    make.caregiver(anna, "Cora", phone="+44 1632 960 500")
    make.report(anna, temperature_c=38.4, chills="moderate")
    page = pages(alice).get("care_team.record", patient_id=anna.id)
    glance = page.soup.select_one(".app-glance").get_text(" ", strip=True)

    for words in ("5 since the latest dose, inside the early window (days 0 to 28)", "CAR T cells", "+44 1632 960 500"):
        assert words in glance.replace("\n", " "), glance
    assert page.links()["Call Cora: +44 1632 960 500"] == "tel:+441632960500"
    assert page.text.index("Contacts") < page.text.index("Current alert") < page.text.index("Temperature")


def test_an_unknown_day_counts_as_inside_the_windows_and_the_record_says_so(make, pages, alice):
    unknown = make.patient("Unknown", therapy=None, day=None)
    assert pages(alice).get("care_team.record", patient_id=unknown.id).shows("it counts as inside every window")


def test_the_drawings_of_a_record_have_their_numbers_in_tables(make, anna, pages, alice):
    make.report(anna, ago=timedelta(days=1), temperature_c="unknown", chills="none")
    make.report(anna, temperature_c=38.4, fever_reducer_taken=True, chills="moderate")
    page = pages(alice).get("care_team.record", patient_id=anna.id)

    drawing = page.soup.select_one("svg[role=img]")
    assert {drawing.title.get_text(), "Temperature"} == {"Temperature"}
    assert "The latest was 38.4 °C (101.1 °F)" in drawing.desc.get_text()
    tables = {table.caption.get_text(): table.get_text(" ", strip=True) for table in page.soup.select("table")}
    assert "38.4 °C (101.1 °F)" in tables["Every temperature in numbers"]
    assert "not measured" in tables["Every temperature in numbers"]
    assert "fever reducer taken" in tables["Every temperature in numbers"]
    assert "moderate" in tables["Symptoms by day: the worst answer of each day"]
    assert "Report, urgent" in tables["Reports, silence and alerts in words"]


def test_a_silence_is_drawn_until_the_report_that_ended_it(make, session, app, pages, alice):
    from triage.alerts import silence

    silas = make.patient("Silas", day=5)
    make.report(silas, ago=timedelta(hours=40), chills="none")
    with app.app_context():
        silence.sweep(session, make.ruleset, make.now())
    visitor = pages(alice)
    assert visitor.get("care_team.record", patient_id=silas.id).shows("no report since")
    make.report(silas, chills="none")
    page = visitor.get("care_team.record", patient_id=silas.id)
    assert not page.shows("no report since")
    assert page.shows("Silence (urgent), until")

"""What a nurse does with an alert, through the pages she uses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.care_team.test_pages import ACKNOWLEDGE, NOTE, only
from tests.pages import Part
from triage.alerts import services, work
from triage.care_team.work_forms import next_time, read_clock
from triage.database import writing
from triage.models import Alert, AlertNote, AlertStatus, CallBack, CallOutcome, Disposition, OpenBecause, RuleMute
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

REASON = "Known since the infusion, told to the clinic"


@pytest.fixture
def taken(make, anna, alice, session):
    """Anna's urgent alert, acknowledged by Alice."""
    alert = make.alert(anna, Urgency.URGENT)
    services.acknowledge(session, alert, alice, make.now())
    return alert


@pytest.fixture
def resolved(make, taken, alice, session):
    services.resolve(session, taken, alice, Disposition.SEEN_TODAY, NOTE, make.now())
    return taken


def record(pages, nurse, patient):
    return pages(nurse).get("care_team.record", patient_id=patient.id)


def entry(page, words):
    """The latest entry of the record that shows these words."""
    found = [Part(tag) for tag in page.soup.select(".app-report") if Part(tag).shows(words)]
    assert found, f"no entry shows {words!r} in: {page.text}"
    return found[0]


def test_whoever_acknowledged_by_a_slip_gives_it_back(make, anna, pages, alice, bob, session):
    alert = make.alert(anna)
    limit = alert.answer_by
    page = pages(alice).get("care_team.queue").press(ACKNOWLEDGE)
    assert "Give back the alert of Anna" not in pages(bob).get("care_team.queue").text
    page = page.press("Give back the alert of Anna")

    assert page.shows("The alert is open again, and waits for somebody.")
    row = page.row("Anna")
    assert row.shows("Opened again")
    assert row.shows("It was acknowledged by Alice, today")
    assert row.shows("then it was given back")
    assert (only(session).status, only(session).answer_by) == (AlertStatus.OPEN, limit)


def test_a_colleague_takes_it_over_and_everybody_sees_who_has_it(anna, taken, pages, alice, bob, session):
    page = record(pages, bob, anna).press("Take over from Alice")

    assert page.shows("You have the alert now.")
    for nurse in (alice, bob):
        assert record(pages, nurse, anna).shows("Taken over by Bob, today")
        assert pages(nurse).get("care_team.queue").row("Anna").shows("Taken over by Bob, today")
    assert only(session).taken_by_id == bob.id


def test_who_takes_it_over_too_late_is_told_by_whom_and_when(make, anna, taken, pages, alice, bob, session):
    carla = make.nurse("Carla")
    printed = record(pages, carla, anna)
    record(pages, bob, anna).press("Take over from Alice")
    page = printed.press_only("Take over from Alice")

    assert page.status == 409
    assert page.shows("Bob has the alert of Anna, since")
    assert page.shows("not saved")
    assert only(session).taken_by_id == bob.id


def test_who_gives_back_what_somebody_took_over_is_told(anna, taken, pages, alice, bob, session):
    printed = record(pages, alice, anna)
    record(pages, bob, anna).press("Take over from Alice")
    page = printed.press_only("Give back")

    assert (page.status, only(session).status) == (409, AlertStatus.ACKNOWLEDGED)
    assert page.shows("Bob has the alert of Anna")


def test_taking_over_what_is_open_or_resolved_changes_nothing(make, anna, taken, pages, alice, bob, session):
    printed = record(pages, bob, anna)
    work.give_back(session, make.ruleset, taken, alice, make.now())
    assert printed.press("Take over from Alice").shows("Not taken over: the alert is open")
    services.acknowledge(session, taken, alice, make.now())
    services.resolve(session, taken, alice, Disposition.ADMITTED, NOTE, make.now())
    assert printed.press("Take over from Alice").shows("Not taken over: the alert is resolved")
    assert pages(alice).post("alert_work.give_back", alert_id=taken.id).follow().shows("Not given back")


def test_a_call_and_a_note_stand_in_the_record_with_who_and_when(anna, taken, pages, alice, bob):
    page = record(pages, alice, anna).click("Write down a note, a call or a call-back")
    page = page.press("Save", what="no_answer")
    assert page.shows("Saved.")
    page = page.click("Write down a note, a call or a call-back").press("Save", what="note", text="Two\nlines")

    row = page.soup.select_one(".app-queue__row").get_text(" ", strip=True)
    assert row.index("Call: no answer , Alice, today") < row.index("Note , Alice, today"), "the latest last"
    assert page.shows("Two lines")
    assert entry(record(pages, bob, anna), "Call: no answer").shows("by Alice")


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({}, "Choose what you write down"),
        ({"what": "note"}, "Write the note"),
        ({"what": "note", "text": "x" * 4001}, "Shorten it to 4000 characters; it has 4001"),
        ({"what": "reached", "call_back": "25:00"}, "Enter the time on the 24-hour clock, for example 14:30"),
        ({"what": "reached", "call_back": "soon"}, "Enter the time on the 24-hour clock, for example 14:30"),
    ],
)
def test_what_cannot_be_written_down_is_said_and_kept(typed, error, taken, pages, alice, session):
    page = pages(alice).get("alert_work.write", alert_id=taken.id).press("Save", **typed)

    assert (page.status, page.errors) == (422, [error])
    assert page.field("text") == typed.get("text", "")
    assert session.scalars(select(AlertNote)).all() == []


def test_writing_on_an_open_alert_says_that_it_stays_open(make, anna, pages, alice, session):
    alert = make.alert(anna)
    page = pages(alice).get("alert_work.write", alert_id=alert.id)
    assert page.shows("writing something down does not acknowledge it")
    page.press("Save", what="left_message")
    assert only(session).status == AlertStatus.OPEN


def test_a_promised_call_back_stands_in_the_queue_until_it_is_made(make, anna, taken, pages, alice, bob, session):
    later = (make.now() + timedelta(minutes=90)).astimezone().strftime("%H:%M")
    pages(alice).get("alert_work.write", alert_id=taken.id).press("Save", what="left_message", call_back=later)
    row = pages(bob).get("care_team.queue").row("Anna")
    assert row.shows("Call back")
    assert row.shows("promised by Alice")
    assert "overdue" not in row.text

    page = pages(alice).get("care_team.resolve", alert_id=taken.id)
    page = page.press("Resolve", disposition="seen_today", note=NOTE)
    assert page.errors == ["Not saved: a call-back is promised. Say in the record that it was made, or is not needed"]
    assert page.field("note") == NOTE
    (button,) = [
        " ".join(button.get_text(" ", strip=True).split())
        for button in record(pages, bob, anna).soup.select("button")
        if button.get_text().startswith("Made")
    ]
    page = record(pages, bob, anna).press(button)
    assert entry(page, "Promised call-back made").shows("by Bob")
    assert "Call back" not in pages(bob).get("care_team.queue").row("Anna").text
    page = pages(alice).get("care_team.resolve", alert_id=taken.id)
    assert page.press("Resolve", disposition="seen_today", note=NOTE).shows("The alert is resolved")


def test_an_overdue_call_back_says_so(make, taken, pages, alice):
    make.call_back(taken, alice, due_in=-timedelta(minutes=25))
    assert pages(alice).get("care_team.queue").row("Anna").shows("25 minutes overdue")


def test_a_call_back_is_moved_or_not_needed_any_more(make, anna, taken, pages, alice, session):
    first = make.call_back(taken, alice, due_in=-timedelta(minutes=25))
    visitor = pages(alice)
    page = visitor.get("alert_work.move_call_back", call_back_id=first.id)
    assert page.press("Move", call_back="").errors == ["Enter the new time, for example 14:30"]
    later = (make.now() + timedelta(minutes=90)).astimezone().strftime("%H:%M")
    page = page.press("Move", call_back=later)

    assert page.shows("The call-back is moved.")
    assert entry(page, "Promised call-back moved").shows("by Alice")
    assert visitor.get("alert_work.move_call_back", call_back_id=first.id).follow().shows("was moved already")
    session.rollback()
    second = session.scalars(select(CallBack).where(CallBack.end_kind.is_(None))).one()
    page = visitor.post(visitor.path("alert_work.end_call_back", call_back_id=second.id, how="not_needed")).follow()
    assert entry(page, "Promised call-back not needed any more").shows("by Alice")
    assert visitor.post(visitor.path("alert_work.end_call_back", call_back_id=second.id, how="eaten")).status == 400


def test_an_acknowledgement_that_expired_says_who_and_when(make, anna, alice, pages, app, session):
    at = make.now() - timedelta(hours=2)
    alert = make.alert(anna, Urgency.URGENT, at=at)
    services.acknowledge(session, alert, alice, at)
    with app.app_context():
        work.expire_acknowledgements(session, make.now())
    row = pages(alice).get("care_team.queue").row("Anna")

    assert row.shows("It was acknowledged by Alice")
    assert row.shows("nothing written since")
    assert row.shows("1 hour 45 minutes over its limit"), "it has waited since it was opened"
    page = record(pages, alice, anna)
    assert page.shows("nothing written since")
    assert page.shows("Alert open again: nothing was written after it was acknowledged")


def test_a_resolution_by_a_slip_is_taken_back_with_a_reason(anna, resolved, pages, bob, session):
    page = record(pages, bob, anna)
    (link,) = [text for text in page.links() if text.startswith("Take the resolution back")]
    page = page.click(link)
    assert page.shows("Resolved by Alice, today")
    assert page.press("Take back", reason="oops").errors == ["Write in a few words why"]
    page = page.press("Take back", reason="The wrong patient was resolved")

    assert page.shows("The alert is open again.")
    assert only(session).open_because == OpenBecause.REOPENED
    assert entry(page, "Alert resolved: Seen today").shows(NOTE), "what was written stays"
    assert entry(page, "Why a resolution was taken back").shows("The wrong patient was resolved")
    assert pages(bob).get("care_team.queue").row("Anna").shows("then its resolution was taken back")
    services.acknowledge(session, only(session), bob, resolved.opened_at + timedelta(hours=1))
    services.resolve(
        session,
        only(session),
        bob,
        Disposition.ADMITTED,
        "Brought to the ward",
        resolved.opened_at + timedelta(hours=2),
    )
    page = record(pages, bob, anna)
    assert entry(page, "Alert resolved: Seen today").shows(NOTE)
    assert entry(page, "Alert resolved: Admitted").shows("Brought to the ward")


def test_beside_another_alert_the_person_is_told_where_the_findings_are(make, anna, resolved, pages, bob, session):
    make.alert(anna, Urgency.SOON)
    page = pages(bob).get("alert_work.reopen", alert_id=resolved.id)
    page = page.press("Take back", reason="The wrong patient was resolved")

    assert page.shows("Another alert of the patient is unresolved: what was found is shown there now.")
    row = pages(bob).get("care_team.queue").row("Anna")
    assert row.tag.get_text().count("is at least 38.0") == 2
    assert row.shows("Urgent")


def test_what_was_resolved_long_ago_is_not_taken_back(make, anna, resolved, pages, bob, session):
    with writing(session):
        resolved.resolved_at -= timedelta(hours=25)
    page = pages(bob).get("alert_work.reopen", alert_id=resolved.id).follow()
    assert page.shows("resolved more than a day ago")
    assert not any(text.startswith("Take the resolution back") for text in page.links())


def test_whether_it_was_useful_is_asked_when_resolving_and_later(make, anna, taken, pages, alice, bob, session):
    page = pages(alice).get("care_team.resolve", alert_id=taken.id)
    typed = {"disposition": "seen_today", "note": NOTE}
    assert page.press("Resolve", **typed, why="Because").errors == [
        "Say whether the alert was useful, or leave the reason empty"
    ]
    page.press("Resolve", **typed, useful="yes", why="Came in time")
    page = record(pages, bob, anna)
    assert entry(page, "Said that the alert was useful").shows("Came in time")
    (link,) = [text for text in page.links() if text.startswith("Was it useful?")]
    page = page.click(link)
    assert page.shows("Alice said yes")
    assert page.press("Save").errors == ["Choose yes or no"]
    page = page.press("Save", useful="no", why="Known since Monday")
    assert entry(page, "Said that the alert was not useful").shows("by Bob")


def test_nobody_has_to_say_whether_it_was_useful(taken, pages, alice, session):
    page = pages(alice).get("care_team.resolve", alert_id=taken.id)
    page.press("Resolve", disposition="seen_today", note=NOTE)
    assert only(session).is_resolved
    assert only(session).opinions == []


def mute(page, make, patient, *, days=3, rule="bleeding-small-bruises", reason=REASON):
    day = make.now().date() + timedelta(days=days)
    parts = {"ends_on-day": str(day.day), "ends_on-month": str(day.month), "ends_on-year": str(day.year)}
    return page.press("Mute", rule=rule, reason=reason, **parts)


def test_a_muted_rule_opens_no_alert_and_the_record_says_so(make, anna, pages, alice, session):
    page = mute(record(pages, alice, anna).click("Mute a rule for this patient"), make, anna)
    assert page.shows("The rule is muted for this patient")
    report = make.report(anna, bruising="mild", temperature_c=36.6)

    assert session.scalars(select(Alert)).all() == []
    page = record(pages, alice, anna)
    assert entry(page, "reported by").shows("It opened no alert: what it tells was muted for this patient.")
    assert page.shows(REASON)
    # The patient is not promised what nobody will do.
    told = pages(make.account(anna)).get("reports.result", report_id=report.id)
    assert "list" not in told.text
    assert told.shows("Call us if it gets worse or you are worried")
    (rule,) = session.scalars(select(RuleMute.title))
    page = page.press(f"Lift {rule}")
    assert page.shows("The rule opens alerts again.")
    assert page.shows("lifted by Alice")
    make.report(anna, bruising="mild", temperature_c=36.6)
    assert pages(alice).get("care_team.queue").row("Anna").shows("Soon")


def test_only_rules_that_can_be_muted_are_offered_and_mistakes_are_said(make, anna, pages, alice, bob, session):
    page = pages(alice).get("alert_work.mute", patient_id=anna.id)
    offered = {option["value"] for option in page.soup.select("#rule option")} - {""}
    for rule in make.ruleset.rules:
        assert (rule.id in offered) is (rule.urgency is Urgency.SOON and not rule.asks_for_silence)
    assert page.press("Mute").errors == [
        "Choose the rule",
        "Write in a few words why",
        "Enter the date as day, month and year, for example 17 11 2026",
    ]
    assert mute(page, make, anna, days=60).errors == ["Choose a day from today on, at most 30 days from now"]
    assert mute(page, make, anna, rule="crs-fever").status == 422
    mute(page, make, anna)
    said = mute(pages(bob).get("alert_work.mute", patient_id=anna.id), make, anna)
    assert said.errors[0].startswith("Not saved: Alice has muted it until")


@pytest.mark.parametrize(
    ("typed", "read"),
    [("14:30", "14:30"), ("9.05", "09:05"), ("0905", "09:05"), (" 00:00 ", "00:00"), ("24:00", None), ("9", None)],
)
def test_a_time_of_day_is_read_as_people_type_it(typed, read):
    found = read_clock(typed)
    assert (found.strftime("%H:%M") if found else None) == read


def test_a_time_that_is_over_today_is_meant_for_tomorrow(make):
    from datetime import UTC, datetime

    at = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)  # 22:30 in London
    for typed, hours in (("22:45", 0.25), ("22:30", 24), ("07:30", 9)):
        assert next_time(read_clock(typed), at, "Europe/London") - at == timedelta(hours=hours)


def test_call_outcomes_have_words():
    from triage.care_team.work_words import CALLS

    assert set(CALLS) == set(CallOutcome)

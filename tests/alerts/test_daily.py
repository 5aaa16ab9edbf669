"""A reminder at the time that somebody chose: once a day, in the team's time zone, and only while it is of use."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select

from tests.alerts.test_heartbeat import Channel
from triage.alerts import daily, worker
from triage.alerts.channels.message import Undelivered
from triage.alerts.daily import Wish
from triage.models import AuditEntry, Delivery, Person
from triage.rules.ruleset import QuietHours

NIGHT = QuietHours(time(22), time(7))


def utc(day, hour, minute=0, month=6):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def mail():
    return Channel()


@pytest.fixture
def person(make):
    """Anna, five days after CAR T cells on 10 June 2026 in London (UTC+1), enrolled that day, reached by mail."""
    patient = make.patient("Anna", course=False, enrolled_at=utc(1, 8))
    course = make.course(patient, day=None)
    with daily.writing(make.session):
        course.started_on = date(2026, 6, 5)
    return make.account(patient, mail="anna@example.org")


@pytest.fixture
def sweep(app, session, make, mail):
    """A worker's round at that moment: how many messages went out by mail."""

    def run(at, channel=None):
        before = len(mail.messages)
        with app.app_context():
            session.expire_all()
            worker.sweep(session, make.ruleset, {"mail": channel or mail}, lambda: at)
        return len(mail.messages) - before

    return run


def choose(session, person, at, of_day=time(8), quiet=NIGHT):
    daily.wish(session, session.get_one(Person, person.id), Wish(of_day, "mail", quiet), at)


def test_once_a_day_at_that_time_of_the_team(session, person, sweep, mail):
    choose(session, person, utc(9, 12))
    assert sweep(utc(10, 6, 59)) == 0
    assert sweep(utc(10, 7)) == 1  # 08:00 in London
    assert sweep(utc(10, 7, 1)) == 0
    assert sweep(utc(10, 23)) == 0
    assert sweep(utc(11, 7, 2)) == 1
    message = mail.messages[0]
    assert "Sign in" in message.body
    assert "Anna" not in message.body + message.subject


def test_two_workers_and_a_lost_mark_owe_one(session, person, sweep):
    choose(session, person, utc(9, 12))
    assert sweep(utc(10, 7)) == 1
    row = session.get_one(daily.DailyReminder, person.id)
    with daily.writing(session):
        row.looked_at_until = date(2026, 6, 9)
    assert sweep(utc(10, 7, 5)) == 0
    assert len(session.scalars(select(Delivery).where(Delivery.person_id == person.id)).all()) == 1


@pytest.mark.parametrize(
    ("month", "day", "of_day", "hour", "minute"),
    [
        (3, 29, time(1, 30), 1, 30),  # skipped in London: due as the clock shows 02:30
        (3, 29, time(8), 7, 0),  # the first morning of summer time
        (10, 25, time(1, 30), 0, 30),  # comes twice: the first one
        (10, 25, time(8), 8, 0),
    ],
)
def test_the_days_on_which_clocks_change_have_one_each(month, day, of_day, hour, minute, session, person, make, sweep):
    with daily.writing(session):
        person.patient.courses[0].started_on = date(2026, month, day - 5)
    due = utc(day, hour, minute, month)
    choose(session, person, due - timedelta(hours=20), of_day, None)
    assert sweep(due - timedelta(minutes=1)) == 0
    assert sweep(due) == 1
    assert sweep(due + timedelta(hours=1)) == 0


def test_none_after_a_report_of_anybody_that_day(session, person, make, sweep):
    choose(session, person, utc(9, 12))
    make.report(person.patient, at=utc(9, 22, 59), nausea="none")  # yesterday, one minute before midnight
    assert sweep(utc(10, 7)) == 1
    make.report(person.patient, at=utc(10, 23, 1), by=make.caregiver(person.patient), nausea="none")
    assert sweep(utc(11, 7)) == 0
    assert len(session.scalars(select(Delivery).where(Delivery.person_id == person.id)).all()) == 1  # none is even owed
    assert sweep(utc(12, 7)) == 1


def test_a_report_that_comes_before_it_is_sent_stops_it(session, person, make, sweep, mail):
    class Down(Channel):
        def send(self, message, address):
            raise Undelivered("down")

    choose(session, person, utc(9, 12))
    sweep(utc(10, 7), Down())
    make.report(person.patient, at=utc(10, 7, 1), nausea="none")
    assert sweep(utc(10, 7, 30)) == 0


def test_what_could_not_be_sent_in_time_is_not_sent_in_the_night(session, person, sweep):
    class Down(Channel):
        def send(self, message, address):
            raise Undelivered("down")

    choose(session, person, utc(9, 12), time(21, 30))
    sweep(utc(10, 20, 30), Down())
    assert sweep(utc(10, 21, 0)) == 0  # 22:00 in London: quiet hours
    assert sweep(utc(11, 6)) == 0
    assert sweep(utc(11, 20, 30)) == 1


def test_a_worker_that_was_away_the_whole_morning_sends_nothing_late(session, person, sweep):
    choose(session, person, utc(9, 12))
    assert sweep(utc(10, 10, 0)) == 0
    assert sweep(utc(11, 9, 59)) == 1


def test_choosing_a_time_that_has_passed_begins_tomorrow(session, person, sweep):
    choose(session, person, utc(10, 8))
    assert sweep(utc(10, 8, 1)) == 0
    assert sweep(utc(11, 7)) == 1


@pytest.mark.parametrize("why", ["in hospital", "ended", "died", "off", "no address", "past the days"])
def test_none_where_no_report_is_expected_or_wanted(why, session, person, make, alice, sweep):
    from triage.models import EndReason
    from triage.monitoring import stays

    choose(session, person, utc(9, 12))
    patient, at = person.patient, utc(9, 13)
    if why == "in hospital":
        stays.note_admission(session, patient, at, alice, at)
    elif why == "ended":
        stays.end_monitoring(session, patient, EndReason.COMPLETED, date(2026, 6, 9), alice, at)
    elif why == "died":
        stays.end_monitoring(session, patient, EndReason.DIED, date(2026, 6, 9), alice, at)
    elif why == "off":
        daily.drop(session, session.get_one(Person, person.id), at)
    else:
        with daily.writing(session):
            if why == "no address":
                person.mail = ""
            else:
                patient.courses[0].started_on = date(2024, 6, 5)
    assert sweep(utc(10, 7)) == 0


def test_an_admission_stops_what_is_owed(session, person, make, alice, sweep):
    from triage.monitoring import stays

    class Down(Channel):
        def send(self, message, address):
            raise Undelivered("down")

    choose(session, person, utc(9, 12))
    sweep(utc(10, 7), Down())
    stays.note_admission(session, person.patient, utc(10, 7, 5), alice, utc(10, 7, 5))
    assert sweep(utc(10, 7, 30)) == 0


def test_patient_and_caregiver_choose_on_their_page(make, anna, app, pages, session):
    account = make.account(anna, mail="anna@example.org")
    cora = make.caregiver(anna, "Cora", mail="cora@example.org", phone="+44 1632 960 700")
    app.config["CHANNEL_MAIL"] = "json://localhost/{to}"
    for somebody in (account, cora):
        page = pages(somebody).get("own_record.page").click("Remind me to report")
        assert page.shows("You are not reminded each day")
        assert not page.shows("SMS")
        wrong = page.press("Save", at="23:30", channel="mail", quiet_from="22:00", quiet_until="7")
        assert wrong.status == 422
        assert wrong.errors == ["This time lies in your quiet hours: choose another one, or change them"]
        assert wrong.field("at") == "23:30"
        saved = wrong.press("Save", at="8.30", channel="mail", quiet_from="22:00", quiet_until="7")
        assert saved.shows("each day at 08:30 by Mail. Never from 22:00 to 07:00.")
    off = saved.press("Do not remind me each day")
    assert off.shows("You are not reminded each day")
    session.rollback()
    assert session.get(daily.DailyReminder, account.id) is not None
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.person_id == cora.id)).all()
    assert [action for action in actions if "reminder" in action] == ["daily_reminder_chosen", "daily_reminder_dropped"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"at": "", "quiet_from": "", "quiet_until": ""}, "Enter when you want to be reminded as a time of day"),
        ({"at": "25:00", "quiet_from": "", "quiet_until": ""}, "Enter when you want to be reminded as a time of day"),
        ({"at": "8", "quiet_from": "22", "quiet_until": ""}, "Enter both quiet hours"),
        ({"at": "8", "quiet_from": "22", "quiet_until": "22:00"}, "Quiet hours end at another time"),
        ({"at": "8", "channel": None, "quiet_from": "", "quiet_until": ""}, "Choose how you want to be reminded"),
    ],
)
def test_what_cannot_be_is_said_and_kept(typed, said, make, anna, app, pages):
    app.config["CHANNEL_MAIL"] = "json://localhost/{to}"
    account = make.account(anna, mail="anna@example.org")
    page = pages(account).get("reminding.choose").press("Save", **({"channel": "mail"} | typed))
    assert page.status == 422
    assert any(error.startswith(said) for error in page.errors), page.errors


def test_whoever_cannot_be_reached_is_told_so(make, anna, pages):
    page = pages(make.account(anna)).get("reminding.choose")
    assert page.shows("Ask your care team to enter one")

"""A missing report is asked for before its silence becomes an alert: the patient, then the caregivers."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tests.alerts.sinks import smtp_sink
from triage import clock
from triage.alerts import silence, worker
from triage.alerts.channels import setup
from triage.alerts.channels.message import Undelivered
from triage.database import db, writing
from triage.models import Alert, AuditEntry, Delivery, EndReason, MessageKind, OwedReminder
from triage.monitoring import stays
from triage.rules.loading import from_document
from triage.rules.urgency import Urgency

PATIENT, CAREGIVERS = "anna@example.org", "cora@example.org"


def hours(number):
    return timedelta(hours=number)


def minutes(number):
    return timedelta(minutes=number)


class Recorder:
    """A channel that keeps to whom and when it was used, or fails."""

    def __init__(self):
        self.got, self.fails, self.at = [], False, None

    def send(self, message, address):
        if self.fails:
            raise Undelivered
        self.got.append((self.at, address, message.kind))


@pytest.fixture
def family(make):
    """A patient on day 7 and her caregiver, who both have a mail address."""

    def build(day=7, **columns):
        patient = make.patient("Anna", day=day, **columns)
        make.account(patient, mail=PATIENT)
        make.caregiver(patient, mail=CAREGIVERS)
        return patient

    return build


@pytest.fixture
def look(app, session, make):
    """What the worker does at that moment: look for silence, then send what is owed by these channels."""

    def run(at, channels=None, ruleset=None):
        ruleset = ruleset or make.ruleset
        for channel in (channels or {}).values():
            channel.at = at
        with app.app_context():
            silence.sweep(session, ruleset, at)
            worker.sweep(session, ruleset, channels or {}, lambda: at)

    return run


def reminders(session):
    session.rollback()
    return session.scalars(select(OwedReminder).order_by(OwedReminder.number)).all()


def alerts(session):
    session.rollback()
    return session.scalars(select(Alert)).all()


@pytest.mark.parametrize(
    ("answers", "after", "urgency"),
    [({"chills": "none"}, hours(26), Urgency.URGENT), ({"tremor": "mild"}, hours(14), Urgency.URGENT)],
    ids=["a quiet report", "a worrying report"],
)
def test_the_chain_is_patient_caregiver_alert_and_shorter_after_a_worrying_report(
    answers, after, urgency, make, session, family, look
):
    patient, at, mail = family(), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6, **answers)
    opened = None
    for minute in range(int((after - hours(3)) / minutes(1)), int((after + hours(1)) / minutes(1)), 15):
        look(at + minutes(minute), {"mail": mail})
        silent = [alert for alert in alerts(session) if any(one.kind == "silence" for one in alert.findings)]
        opened = opened or (minute if silent else None)

    told = [((when - at) // minutes(1), address) for when, address, kind in mail.got if kind == "reminder"]
    alert = int(after / minutes(1))
    assert told == [(alert - 90, PATIENT), (alert - 45, CAREGIVERS)]
    assert opened == alert
    assert session.scalars(select(Alert.urgency)).one() >= urgency


def test_a_reminder_is_owed_once_and_written_into_the_audit_trail(make, session, family, look):
    patient = family()
    at = make.now()
    make.report(patient, at=at, temperature_c=36.6)
    for minute in (30, 31, 40):
        look(at + hours(24) + minutes(minute))
    (owed,) = reminders(session)
    assert (owed.tell, owed.silent_since, owed.owed_at) == ("patient", at, at + hours(24) + minutes(30))
    written = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "reminder_owed")).all()
    assert written == [str(owed.id)]


def test_two_checks_at_once_owe_one_reminder(make, app, session, family):
    patient, at = family(), make.now()
    make.report(patient, at=at, temperature_c=36.6)
    start = threading.Barrier(2)

    def check():
        with app.app_context():
            start.wait(5)
            silence.sweep(db.session, make.ruleset, at + hours(25))

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [one.tell for one in reminders(session)] == ["patient"]


def test_two_workers_at_once_send_one_message(make, app, session, family):
    patient, at, mail = family(), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    with app.app_context():
        silence.sweep(session, make.ruleset, at + hours(25))
    start = threading.Barrier(2)

    def work():
        with app.app_context():
            start.wait(5)
            worker.sweep(db.session, make.ruleset, {"mail": mail}, lambda: at + hours(25))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [address for _, address, _ in mail.got] == [PATIENT]


def test_it_arrives_by_mail_with_a_link_and_says_nothing_about_health(app, make, session, family):
    patient, at = family(), make.now()
    make.report(patient, at=at, temperature_c=36.6, chills="none")
    with smtp_sink() as sink:
        app.config.update(CHANNEL_MAIL=sink.url, PUBLIC_URL="https://triage.example.org/")
        with app.app_context():
            silence.sweep(session, make.ruleset, at + hours(25))
            assert worker.sweep(session, make.ruleset, setup.channels(app.config), lambda: at + hours(25)) == 1
        ((to, mail),) = sink.got
    text = f"{mail['Subject']} {mail.get_body(('plain', 'html')).get_content()}".lower()
    assert to == PATIENT
    assert "https://triage.example.org/" in text
    for word in ("anna", "chill", "fever", "temperature", "car", "silent", "missing", "alert"):
        assert word not in text.replace("your care team", ""), word
    (delivery,) = session.scalars(select(Delivery)).all()
    assert (delivery.kind, delivery.delivered_at) == (MessageKind.REMINDER, at + hours(25))


def test_no_reminder_leaves_once_a_report_came(make, session, family, look):
    patient, at, mail = family(), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    mail.fails = True
    look(at + hours(25), {"mail": mail})
    make.report(patient, at=at + hours(25) + minutes(1), temperature_c=36.6)
    mail.fails = False
    for minute in range(2, 120, 10):
        look(at + hours(25) + minutes(minute), {"mail": mail})
    assert mail.got == []
    assert [one.number for one in reminders(session)] == [0]
    assert alerts(session) == []
    (waiting,) = session.scalars(select(Delivery)).all()
    assert waiting.cancelled_at is not None


def test_where_a_channel_fails_the_next_one_reminds(make, session, family, look):
    patient, at, mail, sms = family(), make.now(), Recorder(), Recorder()
    with writing(session):
        make.account(patient).phone = "+44 1632 960 401"
    make.report(patient, at=at, temperature_c=36.6)
    sms.fails = True
    for minute in range(5):
        look(at + hours(24) + minutes(30 + minute), {"mail": mail, "sms": sms})
    assert [(address, kind) for _, address, kind in mail.got] == [(PATIENT, "reminder")]


def test_whoever_has_no_address_is_passed_over_and_the_alert_opens_all_the_same(make, session, look, caplog):
    patient, at, mail = make.patient(day=7), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    for minute in (30, 75, 121):
        look(at + hours(24) + minutes(minute), {"mail": mail})
    assert mail.got == []
    assert all(one.done_at for one in reminders(session))
    assert len(alerts(session)) == 1


def test_rules_without_reminders_remind_nobody(make, session, family, look):
    import json

    document = json.loads(make.ruleset.document)
    del document["response"]["reminders"]
    older = from_document(json.dumps(document))
    patient, at = family(), make.now()
    make.report(patient, at=at, temperature_c=36.6)
    look(at + hours(25), ruleset=older)
    assert reminders(session) == []


def test_in_hospital_nobody_is_reminded_and_silence_counts_from_the_return_home(make, session, family, look, alice):
    patient, at, mail = family(), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    stay = stays.note_admission(session, patient, at + hours(20), alice, at + hours(20))
    for hour in (25, 27, 60):
        look(at + hours(hour), {"mail": mail})
    assert (reminders(session), alerts(session)) == ([], [])
    stays.note_home(session, stay, at + hours(60), alice, at + hours(61))
    look(at + hours(84), {"mail": mail})
    assert (mail.got, alerts(session)) == ([], [])
    look(at + hours(84) + minutes(30), {"mail": mail})
    assert [address for _, address, _ in mail.got] == [PATIENT]
    look(at + hours(86), {"mail": mail})
    assert len(alerts(session)) == 1


def test_an_admission_stops_the_reminder_that_waits(make, session, family, look, alice):
    patient, at, mail = family(), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    mail.fails = True
    look(at + hours(25), {"mail": mail})
    stays.note_admission(session, patient, at + hours(25), alice, at + hours(25))
    mail.fails = False
    look(at + hours(25) + minutes(10), {"mail": mail})
    assert mail.got == []


def test_after_a_death_nothing_is_ever_sent_to_patient_or_caregiver(make, session, family, look, alice):
    """Neither what waits, nor what an alert's steps would tell them, nor a new reminder."""
    patient, at, mail = family(), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    mail.fails = True
    look(at + hours(25), {"mail": mail})
    stays.end_monitoring(session, patient, EndReason.DIED, (at + hours(25)).date(), alice, at + hours(25))
    mail.fails = False
    with writing(session):  # as if a worker had gone on by the next channel at the same moment
        for row in (*session.scalars(select(Delivery)), *session.scalars(select(OwedReminder))):
            row.cancelled_at = None
    for hour in range(25, 100, 5):
        look(at + hours(hour) + minutes(7), {"mail": mail})
    assert mail.got == []


def test_a_death_that_was_a_slip_is_taken_back_and_the_silence_is_looked_at_again(make, session, family, look, alice):
    patient, at = family(), make.now()
    make.report(patient, at=at, temperature_c=36.6)
    end = stays.end_monitoring(session, patient, EndReason.DIED, at.date(), alice, at + hours(20))
    look(at + hours(27))
    assert alerts(session) == []
    stays.take_back_end(session, end, alice, at + hours(28))
    look(at + hours(28))
    assert len(alerts(session)) == 1


def test_after_an_outage_both_are_reminded_and_the_alert_opens_at_once(make, session, family, look):
    patient, at, mail = family(), make.now(), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    look(at + hours(40), {"mail": mail})
    assert {address for _, address, _ in mail.got} == {PATIENT, CAREGIVERS}
    assert len(alerts(session)) == 1


ZONES = [
    ("Europe/London", "2026-10-24T23:30", "clocks go back"),
    ("Europe/London", "2026-03-28T23:30", "clocks go forward"),
    ("America/New_York", "2026-11-01T00:30", "clocks go back"),
    ("America/New_York", "2026-03-07T23:30", "clocks go forward"),
    ("Australia/Lord_Howe", "2026-04-04T23:00", "half an hour back"),
    ("Asia/Kolkata", "2026-06-01T22:15", "no change, half an hour off"),
    ("Pacific/Kiritimati", "2026-06-01T03:00", "the other side of the day"),
]


@pytest.mark.parametrize(("zone", "reported", "why"), ZONES, ids=[f"{zone} {why}" for zone, _, why in ZONES])
@pytest.mark.parametrize(("day", "mild"), [(20, True), (7, False)], ids=["soon", "urgent"])
@pytest.mark.database("sqlite")
def test_hours_are_real_hours_and_quiet_hours_those_of_the_team(
    zone, reported, why, day, mild, make, session, family, look, monkeypatch
):
    """Whatever the clocks do: the alert opens 26 hours after the report, the reminder comes 90 minutes before it, or,
    where the alert would be no more than soon, when the team's quiet hours end."""
    at = datetime.fromisoformat(reported).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    monkeypatch.setattr(clock, "now", lambda: at)
    patient = family(day, team=make.team("Far away", time_zone=zone), enrolled_at=at - timedelta(days=day))
    make.report(patient, at=at, temperature_c=36.6)
    opens = at + hours(26)
    look(opens - minutes(91))
    assert reminders(session) == []
    look(opens - minutes(90))
    (owed,) = reminders(session)
    local = owed.due_at.astimezone(ZoneInfo(zone))
    now = owed.owed_at.astimezone(ZoneInfo(zone))
    quiet = now.hour >= 22 or now.hour < 7
    if mild and quiet:
        assert (local.hour, local.minute) == (7, 0)
        assert timedelta() < owed.due_at - owed.owed_at <= hours(10)
    else:
        assert owed.due_at == owed.owed_at == opens - minutes(90)
    look(opens - minutes(1))
    assert alerts(session) == []
    look(opens)
    assert [alert.urgency for alert in alerts(session)] == [Urgency.SOON if mild else Urgency.URGENT]


def test_on_the_last_expected_day_nobody_is_reminded_of_the_day_after(make, session, family, look, monkeypatch):
    """Day 28 is the last: a report of that evening is followed by none."""
    at = datetime(2026, 6, 10, 20, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: at)
    patient = family(28)
    assert patient.courses[0].started_on == date(2026, 5, 13)
    make.report(patient, at=at, temperature_c=36.6)
    for hour in range(1, 60):
        look(at + hours(hour))
    assert (reminders(session), alerts(session)) == ([], [])


def test_a_reminder_that_waits_for_a_morning_without_reports_is_not_sent(make, session, family, look, monkeypatch):
    """The alert opens late on day 28, the last one; the reminder would leave at seven on day 29."""
    at = datetime(2026, 6, 10, 20, 30, tzinfo=UTC)  # half past nine in London
    monkeypatch.setattr(clock, "now", lambda: at)
    patient, mail = family(27), Recorder()
    make.report(patient, at=at, temperature_c=36.6)
    for step in range(48):
        look(at + hours(24) + minutes(15 * step), {"mail": mail})
    assert [owed.done_at for owed in reminders(session)] == [None, None]
    assert [owed.due_at for owed in reminders(session)] == [datetime(2026, 6, 12, 6, tzinfo=UTC)] * 2
    assert len(alerts(session)) == 1
    assert [kind for _, _, kind in mail.got] == []

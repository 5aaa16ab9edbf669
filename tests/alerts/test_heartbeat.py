"""The heartbeat comes through the whole chain, and where any part of it fails, pages and machines are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from tests.alerts.sinks import http_sink, smtp_sink
from triage import clock, heartbeat
from triage.alerts import pulse, worker
from triage.alerts.channels import setup
from triage.alerts.channels.message import Undelivered
from triage.alerts.channels.webhook import signature
from triage.care_team import queue
from triage.database import db, writing
from triage.models import (
    HEARTBEAT_CHANNEL,
    Alert,
    AlertStatus,
    AuditEntry,
    ChannelState,
    Delivery,
    ReportRecord,
)
from triage.rules.urgency import Urgency

LATE = timedelta(minutes=5)


class Channel:
    def __init__(self):
        self.takes, self.messages = True, []

    def send(self, message, address):
        if not self.takes:
            raise Undelivered
        self.messages.append(message)


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def beat(app, session, make):
    """One round of a worker at that moment; `channels` as they are set up, or those given."""

    def run(at, channels=None, ruleset=None):
        with app.app_context():
            ruleset = ruleset or make.ruleset
            for _ in range(2):  # the next round, three seconds later, closes it
                worker.sweep(session, ruleset, channels or setup.channels(app.config), lambda: at)
                heartbeat.beat(session, ruleset, at)
            worker.sweep(session, ruleset, channels or setup.channels(app.config), lambda: at)
            heartbeat.beat(session, ruleset, at)
            session.rollback()
            return pulse.pulse(session, at)

    return run


@pytest.fixture
def at(make):
    """A moment just after a span of two minutes began."""
    now = int(make.now().timestamp())
    return datetime.fromtimestamp(now - now % 120 + 1, UTC)


def test_a_report_becomes_an_alert_a_message_and_an_end(beat, channel, session, at):
    found = beat(at, {HEARTBEAT_CHANNEL: channel})
    assert (found.age, found.late_since) == (timedelta(), None)
    alert = session.scalars(select(Alert)).one()
    assert (alert.urgency, alert.status, alert.note) == (Urgency.EMERGENCY, AlertStatus.RESOLVED, heartbeat.NOTE)
    (message,) = channel.messages
    assert message.subject == "Heartbeat of the triage helper: nothing to do"
    assert session.scalars(select(AuditEntry.action)).all() == [], "the trail is about people"


def test_one_in_each_span_however_often_a_worker_looks(beat, channel, session, at):
    for second in range(0, 100, 20):
        beat(at + timedelta(seconds=second), {HEARTBEAT_CHANNEL: channel})
    assert session.scalar(select(func.count()).select_from(ReportRecord)) == 1
    beat(at + timedelta(minutes=2), {HEARTBEAT_CHANNEL: channel})
    assert session.scalar(select(func.count()).select_from(ReportRecord)) == 2


def test_it_wakes_nobody(make, alice, beat, channel, session, at):
    """Neither who is on call, nor the room of all staff, nor the administrators of any team."""
    with writing(session):
        alice.phone, alice.mail = "+44 1632 960 500", "alice@example.org"
    make.administrator("Emil", mail="emil@example.org")
    make.duty(alice)
    others = {name: Channel() for name in ("sms", "mail", "pagerduty", "teams", "slack", "webhook")}
    channel.takes = False
    for minute in range(0, 30, 2):
        beat(at + timedelta(minutes=minute), {HEARTBEAT_CHANNEL: channel, **others})
    assert all(other.messages == [] for other in others.values())
    assert session.scalar(select(func.count()).where(Delivery.channel != HEARTBEAT_CHANNEL)) == 0


@pytest.mark.parametrize("broken", ["channel", "queue", "rules", "worker"], ids="without a {}".format)
def test_whatever_part_of_the_chain_fails_it_is_late(broken, beat, channel, make, session, at, monkeypatch, app):
    beat(at, {HEARTBEAT_CHANNEL: channel})
    ruleset = make.ruleset
    if broken == "channel":
        channel.takes = False
    elif broken == "queue":
        monkeypatch.setattr(queue, "queue", lambda *args: [])
    elif broken == "rules":
        from dataclasses import replace

        ruleset = replace(ruleset, rules=())
    for minute in range(2, 12, 2):
        if broken != "worker":
            beat(at + timedelta(minutes=minute), {HEARTBEAT_CHANNEL: channel}, ruleset)
    with app.app_context():
        assert pulse.late_since(session, at + timedelta(minutes=5)) is None
        assert pulse.late_since(session, at + timedelta(minutes=5, seconds=1)) == at
    monkeypatch.undo()
    channel.takes = True
    beat(at + timedelta(minutes=12), {HEARTBEAT_CHANNEL: channel})
    assert beat(at + timedelta(minutes=14), {HEARTBEAT_CHANNEL: channel}).late_since is None, "it recovers by itself"


def test_a_chain_that_takes_too_long_is_late_as_well(beat, channel, at):
    channel.takes = False
    beat(at, {HEARTBEAT_CHANNEL: channel})
    channel.takes = True
    found = beat(at + timedelta(minutes=10), {HEARTBEAT_CHANNEL: channel})
    assert found.age == timedelta() or found.late_since == at


def test_a_clock_that_is_set_back_does_not_stop_it(beat, channel, at):
    beat(at + timedelta(hours=1), {HEARTBEAT_CHANNEL: channel})
    found = beat(at, {HEARTBEAT_CHANNEL: channel})
    assert (found.came_through_at, found.late_since) == (at, None)


@pytest.mark.database("postgresql")
def test_two_workers_at_once_make_one(app, make, session, channel, at):
    import threading

    ruleset, problems, start = make.ruleset, [], threading.Barrier(2)

    def work():
        with app.app_context():
            start.wait()
            try:
                for _ in range(4):
                    worker.sweep(db.session, ruleset, {HEARTBEAT_CHANNEL: channel}, lambda: at)
                    heartbeat.beat(db.session, ruleset, at)
            except Exception as error:
                problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert session.scalar(select(func.count()).select_from(ReportRecord)) == 1
    assert session.scalar(select(Alert.status)) == AlertStatus.RESOLVED
    assert len(channel.messages) == 1


# The channel


def test_by_default_this_server_takes_it_signed_and_about_its_own_rows(live_server, app, beat, session, at):
    app.config["HEARTBEAT_CHANNEL"] = f"{live_server.url}/heartbeat"
    assert beat(at).age == timedelta()
    assert session.scalars(select(Delivery.delivered_at)).all() == [at] * 2


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("wrong", ["signature", "keys", "nonsense", "none"])
def test_the_receiver_takes_nothing_else(wrong, app, client, session, beat, channel, at):
    beat(at, {HEARTBEAT_CHANNEL: channel})
    keys = session.scalars(select(Delivery.key)).all()
    body = {
        "keys": json.dumps({"keys": ["another", *keys]}),
        "nonsense": "[",
        "none": json.dumps({"keys": []}),
    }.get(wrong, json.dumps({"keys": keys}))
    secret = "another secret" if wrong == "signature" else setup.heartbeat_secret(app.config)
    headers = {"Triage-Signature": signature(secret, body.encode()), "Content-Type": "application/json"}
    assert client.post("/heartbeat", data=body, headers=headers).status_code == (403 if wrong == "signature" else 404)
    right = json.dumps({"keys": keys})
    headers["Triage-Signature"] = signature(setup.heartbeat_secret(app.config), right.encode())
    assert client.post("/heartbeat", data=right, headers=headers).status_code == 204


@pytest.mark.database("sqlite")
def test_it_can_go_by_apprise_to_a_mailbox_or_to_another_address(app, beat, session, at):
    with smtp_sink() as mails:
        app.config["HEARTBEAT_CHANNEL"] = mails.url.replace("{to}", "heartbeat@example.org")
        assert beat(at).age == timedelta()
    ((to, mail),) = mails.got
    assert (to, mail["Subject"]) == ("heartbeat@example.org", "Heartbeat of the triage helper: nothing to do")
    with http_sink() as hook:
        app.config["HEARTBEAT_CHANNEL"] = hook.url
        assert beat(at + timedelta(minutes=2)).age == timedelta()
    assert [said["kind"] for said in hook.said] == ["heartbeat"]


@pytest.mark.database("sqlite")
def test_a_channel_that_is_none_stops_the_start(app):
    app.config["HEARTBEAT_CHANNEL"] = "nonsense://hunter2"
    with pytest.raises(setup.BadChannel, match="TRIAGE_HEARTBEAT_CHANNEL") as refused:
        setup.channels(app.config)
    assert "hunter2" not in str(refused.value)


def test_its_failures_are_no_failing_channel_of_people(make, pages, beat, channel, session, at):
    channel.takes = False
    for minute in range(0, 10, 2):
        beat(at + timedelta(minutes=minute), {HEARTBEAT_CHANNEL: channel})
    assert session.get_one(ChannelState, HEARTBEAT_CHANNEL).failures >= 3
    assert not pages(make.administrator("Emil")).get("accounts.people").shows("nobody is reached")


# What is told


@pytest.fixture
def late(beat, channel, make, session, monkeypatch):
    """It came through, and then not any more: it is ten minutes later."""
    moment = make.now()
    beat(moment, {HEARTBEAT_CHANNEL: channel})
    monkeypatch.setattr(clock, "now", lambda: moment + timedelta(minutes=10))
    return moment


def test_machines_are_told_its_age_and_nothing_else(client, beat, channel, make, monkeypatch):
    answer = client.get("/health/heartbeat")
    assert (answer.status_code, answer.json["beat"], answer.json["late"]) == (503, None, True)
    moment = make.now()
    beat(moment, {HEARTBEAT_CHANNEL: channel})
    monkeypatch.setattr(clock, "now", lambda: moment + timedelta(seconds=42))
    answer = client.get("/health/heartbeat")
    assert answer.status_code == 200
    assert answer.json == {
        "late": False,
        "beat": moment.isoformat(),
        "age_seconds": 42,
        "late_after_seconds": 300,
        "now": (moment + timedelta(seconds=42)).isoformat(),
    }
    assert answer.headers["Cache-Control"] == "no-store"
    monkeypatch.setattr(clock, "now", lambda: moment + timedelta(minutes=6))
    assert client.get("/health/heartbeat").status_code == 503


OUT = "Messages may not be going out since today"


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    ("role", "where"),
    [
        ("nurse", "care_team.queue"),
        ("nurse", "alerts.rota"),
        ("clinician", "ruleset_editor.rules"),
        ("administrator", "accounts.people"),
    ],
)
def test_every_page_of_staff_says_in_red_since_when(role, where, make, pages, late):
    page = pages(make.staff(role, "Somebody")).get(where)
    assert page.shows(f"{OUT} {late.astimezone(ZoneInfo('Europe/London')):%H:%M}")
    assert len(page.soup.select(".app-out")) == 1, "once"


def test_an_open_queue_is_told_with_its_next_question(make, pages, alice, beat, channel, monkeypatch):
    """Within the minute in which it becomes late, too: the minute is part of the tag in any case."""
    moment = make.now().replace(second=20, microsecond=0)
    beat(moment, {HEARTBEAT_CHANNEL: channel})
    visitor = pages(alice)
    monkeypatch.setattr(clock, "now", lambda: moment + LATE - timedelta(seconds=5))
    tag = visitor.get("care_team.queue").soup.select_one("#queue-rows")["data-version"]
    ask = {"If-None-Match": f'"{tag}"'}
    assert visitor.client.get("/queue/rows", headers=ask).status_code == 304
    monkeypatch.setattr(clock, "now", lambda: moment + LATE + timedelta(seconds=5))
    answer = visitor.client.get("/queue/rows", headers=ask)
    assert answer.status_code == 200
    assert OUT in answer.text


def test_the_patients_pages_ask_for_a_telephone_call_and_promise_nothing(make, pages, anna, late):
    """No red, no alarm: what to do, and the number."""
    soon = make.alert(anna, Urgency.SOON, at=late).findings[0].report_id
    routine = make.report(anna, at=late - timedelta(hours=1), temperature_c=36.6)
    visitor = pages(make.account(anna))
    result = visitor.get("reports.result", report_id=soon)
    assert result.shows("Telephone your care team today")
    assert result.shows("Telephone us about this report today, so that we know of it.")
    for words in ("marked to be answered within the day", "asked to look at this today", "told of this"):
        assert not result.shows(words)
    for page in (visitor.get("reports.home"), visitor.get("reports.result", report_id=routine.id)):
        assert page.shows("If you need us today, telephone us: the line is open day and night.")
        assert "tel:+441632960300" in page.html
        assert not page.soup.select(".app-out")


def test_without_a_failure_nobody_is_asked_to_telephone_for_it(make, pages, anna, alice, beat, channel):
    beat(make.now(), {HEARTBEAT_CHANNEL: channel})
    soon = make.alert(anna, Urgency.SOON).findings[0].report_id
    visitor = pages(make.account(anna))
    assert visitor.get("reports.result", report_id=soon).shows("marked to be answered within the day")
    for page in (visitor.get("reports.home"), visitor.get("reports.result", report_id=soon)):
        assert not page.shows("If you need us today, telephone us")
        assert not page.shows("Telephone your care team today")
    assert not pages(alice).get("care_team.queue").shows("Messages may not be going out")


@pytest.mark.database("sqlite")
def test_administrators_are_told_where_no_worker_was_ever_begun(make, pages, beat, channel):
    visitor = pages(make.administrator("Emil"))
    assert visitor.get("accounts.people").shows("No worker has run beside this server yet")
    beat(make.now(), {HEARTBEAT_CHANNEL: channel})
    assert not visitor.get("accounts.people").shows("No worker has run")

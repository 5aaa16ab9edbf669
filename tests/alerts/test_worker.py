"""What is owed arrives: at real servers on this machine, through crashes, outages and second workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from tests.alerts.sinks import free_port, http_sink, smtp_sink
from triage.alerts import services, worker
from triage.alerts.channels import setup
from triage.alerts.channels.message import Undelivered
from triage.alerts.channels.webhook import signature
from triage.database import db, writing
from triage.models import HEARTBEAT_CHANNEL, Alert, AlertStatus, ChannelState, Delivery, MessageKind, Person
from triage.rules.urgency import Urgency

SECRET = "a secret that the tests and the sink share"
LINK = "https://triage.example.org/"
HEALTH = ("anna", "berthold", "ward a", "car_t", "car t", "chills", "fever", "temperature", "a made-up")
NUMBERS = ("39.4", "1632", "102.9")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.fixture
def mails():
    with smtp_sink() as sink:
        yield sink


@pytest.fixture
def hook():
    with http_sink() as sink:
        yield sink


class Recorder:
    """A channel that keeps what it was given, (minute, address, subject), or fails."""

    def __init__(self):
        self.got, self.messages, self.fails, self.at = [], [], False, None

    def send(self, message, address):
        if self.fails:
            raise Undelivered
        self.messages.append(message)
        self.got.append((self.at, address, message.subject))


@pytest.fixture
def sweep(app, session, make):
    """Sweeps with these channels at that moment."""

    def run(channels, at, ruleset=None):
        for channel in channels.values():
            if isinstance(channel, Recorder):
                channel.at = at
        with app.app_context():
            return worker.sweep(session, ruleset or make.ruleset, channels, lambda: at)

    return run


@pytest.fixture
def reachable(alice, session):
    """Alice has a mail address and a telephone."""
    with writing(session):
        alice.mail, alice.phone = "alice@example.org", "+44 1632 960 500"
    return alice


def deliveries(session):
    session.rollback()
    query = select(Delivery).where(Delivery.channel != HEARTBEAT_CHANNEL)
    return session.scalars(query.order_by(Delivery.due_at, Delivery.key)).all()


def test_mail_and_webhook_arrive_and_say_nothing_about_health(
    app, make, session, reachable, sweep, mails, hook, caplog
):
    anna = make.patient("Anna Berthold", day=5)
    at = make.now()
    make.report(anna, at=at, temperature_c=39.4, chills="severe", note="A note in her own words")
    app.config.update(CHANNEL_MAIL=mails.url, CHANNEL_WEBHOOK=hook.url, CHANNEL_WEBHOOK_SECRET=SECRET, PUBLIC_URL=LINK)
    assert sweep(setup.channels(app.config), at) == 2

    ((to, mail),) = mails.got
    assert to == "alice@example.org"
    text = mail.get_body(("plain", "html")).get_content()
    assert LINK in text
    assert "alert is waiting" in mail["Subject"]
    ((headers, body),) = hook.got
    assert headers["triage-signature"] == signature(SECRET, body)
    keys = {delivery.key for delivery in deliveries(session)}
    assert headers["idempotency-key"] in keys
    assert mail["X-Triage-Key"] in keys
    assert hook.said[0]["alerts"] == 1
    messages = f"{mail['Subject']} {text} {body.decode()}"
    for key in keys:
        messages = messages.replace(key, "")
    for word in (*HEALTH, "note", SECRET):
        assert word not in (messages + caplog.text).lower(), word
    for number in NUMBERS:  # not looked for in the log, whose times hold any number
        assert number not in messages, number
    assert all(delivery.delivered_at == at for delivery in deliveries(session))
    assert sweep(setup.channels(app.config), at + minutes(1)) == 0


def test_every_step_of_the_response_file_comes_at_its_minute(make, anna, session, reachable, sweep):
    """A simulated clock, minute by minute for an hour, against the file."""
    at = make.now()
    make.alert(anna, Urgency.URGENT, at=at)
    sms = Recorder()
    for minute in range(61):
        sweep({"sms": sms}, at + minutes(minute))
    expected = []
    for step in make.ruleset.response.escalation[Urgency.URGENT]:
        first = int(step.after.total_seconds()) // 60
        every = int(step.repeat_every.total_seconds()) // 60 if step.repeat_every else 999
        expected += list(range(first, 61, every)) if "sms" in step.by else []
    assert [(when - at) // minutes(1) for when, _, _ in sms.got] == expected == [0, 15, 30, 40, 50, 60]
    assert {subject for _, _, subject in sms.got} == {"An urgent alert is waiting"}


def test_once_acknowledged_nothing_more_is_sent_and_open_again_everything(make, anna, session, reachable, sweep):
    at, sms = make.now(), Recorder()
    alert = make.alert(anna, Urgency.EMERGENCY, at=at)
    sweep({"sms": sms}, at)
    services.acknowledge(session, alert, reachable, at + minutes(2))
    for minute in range(3, 40):
        sweep({"sms": sms}, at + minutes(minute))
    assert len(sms.got) == 1
    make.alert(anna, Urgency.URGENT, at=at + minutes(40))
    sweep({"sms": sms}, at + minutes(40))
    assert sms.got[-1][2] == "An emergency alert is waiting"


def test_a_message_that_waits_is_not_sent_after_somebody_acknowledged(make, anna, session, reachable, sweep):
    at, sms = make.now(), Recorder()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    sms.fails = True
    sweep({"sms": sms}, at)
    services.acknowledge(session, alert, reachable, at + minutes(1))
    sms.fails = False
    assert sweep({"sms": sms}, at + minutes(5)) == 0
    (delivery,) = deliveries(session)
    assert delivery.delivered_at is None
    assert delivery.cancelled_at == at + minutes(5)


def test_after_an_outage_one_message_a_person_and_the_most_urgent_first(make, session, reachable, sweep):
    at, sms, mail = make.now(), Recorder(), Recorder()
    bob = make.nurse("Bob", phone="+44 1632 960 501", team=make.team("Ward B"))
    for name, urgency in (("Cleo", Urgency.URGENT), ("Anna", Urgency.EMERGENCY), ("Dan", Urgency.URGENT)):
        make.alert(make.patient(name), urgency, at=at)
    make.alert(make.patient("Emma", team=make.team("Ward B")), Urgency.URGENT, at=at - minutes(30))
    sweep({"sms": sms, "mail": mail}, at + timedelta(hours=6))
    assert [(address, subject) for _, address, subject in sms.got] == [
        (reachable.phone, "3 alerts are waiting"),
        (bob.phone, "An urgent alert is waiting"),
    ]
    assert len(mail.got) == 1
    assert "The first of them is an emergency." in mail.messages[0].body


def test_after_a_long_outage_fifty_alerts_are_one_message_for_each_person_and_room_in_order(make, session, sweep):
    """Nothing was sent for two days: no storm, the worst first, every alert among the keys, and then the usual pace."""
    now = make.now()
    wards = {name: make.team(name) for name in ("Ward A", "Ward B")}
    nurses = {
        (ward, number): make.nurse(f"{ward} {number}", team=team, phone=f"+44 1632 960 {ward[-1] == 'B':d}{number:02}")
        for ward, team in wards.items()
        for number in range(3)
    }
    for number in range(50):
        ward, urgency = ("Ward A", Urgency.URGENT) if number < 35 else ("Ward B", Urgency.URGENT)
        if number == 49:  # the last to come is the one that matters most
            urgency = Urgency.EMERGENCY
        at = now - timedelta(hours=48) + minutes(57 * number)
        make.alert(make.patient(f"Patient {number}", team=wards[ward]), urgency, at=at)
    sms, room = Recorder(), Recorder()
    assert sweep({"sms": sms, "slack": room}, now) == 7
    phones = {ward: sorted(nurse.phone for (of, _), nurse in nurses.items() if of == ward) for ward in wards}
    assert sorted(address for _, address, _ in sms.got[:3]) == phones["Ward B"], "those with the emergency come first"
    assert sorted(address for _, address, _ in sms.got[3:]) == phones["Ward A"]
    assert {subject for _, _, subject in sms.got[:3]} == {"15 alerts are waiting"}
    assert {subject for _, _, subject in sms.got[3:]} == {"35 alerts are waiting"}
    assert all("The first of them is an emergency." in message.body for message in sms.messages[:3])
    assert [subject for _, _, subject in room.got] == ["50 alerts are waiting"]
    told = {delivery.alert_id for delivery in deliveries(session) if delivery.delivered_at == now}
    assert len(told) == 50
    for minute in range(1, 31):
        sweep({"sms": sms, "slack": room}, now + minutes(minute))
    by_person = Counter(address for _, address, _ in sms.got)
    # Steps go on by their own minutes, each alert's from its own opening: never more than a message a minute, and
    # never one an alert.
    assert all(count <= 31 for count in by_person.values())
    assert all(at1 != at2 or one != other for (at1, one, _), (at2, other, _) in zip(sms.got, sms.got[1:], strict=False))


def test_a_channel_that_fails_is_tried_again_and_then_the_next_takes_over(make, anna, session, reachable, sweep):
    emil = make.administrator("Emil", mail="emil@example.org")
    at, sms, mail = make.now(), Recorder(), Recorder()
    sms.fails = True
    make.alert(anna, Urgency.EMERGENCY, at=at)
    seconds = [0, 5, 10, 20, 29, 30, 31]
    for second in seconds:
        sweep({"sms": sms, "mail": mail}, at + timedelta(seconds=second))
    gone = [((when - at).seconds, address) for when, address, subject in mail.got if "alert is" in subject]
    assert (30, "alice@example.org") in gone or (31, "alice@example.org") in gone
    told = [address for _, address, subject in mail.got if subject == "A way of telling people does not work"]
    assert told == [emil.mail]
    failed = [delivery for delivery in deliveries(session) if delivery.channel == "sms"]
    assert [delivery.attempts for delivery in failed if delivery.person_id == reachable.id] == [3]
    assert all(delivery.given_up_at for delivery in failed)


def test_administrators_see_a_failing_channel_until_it_delivers_again(make, anna, session, reachable, sweep, pages):
    emil = make.administrator("Emil")
    at, sms = make.now(), Recorder()
    sms.fails = True
    alert = make.alert(anna, Urgency.URGENT, at=at)
    for minute in range(4):
        sweep({"sms": sms}, at + minutes(minute))
    assert pages(emil).get("accounts.people").shows("By sms nobody is reached at present")
    sms.fails = False
    sweep({"sms": sms}, at + minutes(10))
    assert session.get_one(ChannelState, "sms").failures == 0
    assert not pages(emil).get("accounts.people").shows("nobody is reached")
    assert alert.id


def test_without_any_channel_administrators_are_told_that_nobody_is(make, pages):
    page = pages(make.administrator("Emil")).get("accounts.people")
    assert page.shows("Nobody is told of alerts outside these pages")


def test_an_address_that_is_gone_is_no_fault_of_the_channel(make, anna, session, reachable, sweep):
    at, sms, mail = make.now(), Recorder(), Recorder()
    sms.fails = True
    make.alert(anna, Urgency.URGENT, at=at)
    sweep({"sms": sms, "mail": mail}, at)
    sms.fails = False
    with writing(session):
        reachable.phone = ""
    sweep({"sms": sms, "mail": mail}, at + minutes(1))
    sweep({"sms": sms, "mail": mail}, at + minutes(2))
    assert sms.got == []
    assert [address for _, address, _ in mail.got][-1] == "alice@example.org"
    session.rollback()
    assert session.get_one(ChannelState, "sms").failures == 1


def test_the_last_channel_is_tried_for_as_long_as_the_alert_is_open(make, anna, session, reachable, sweep):
    at, sms = make.now(), Recorder()
    sms.fails = True
    make.alert(anna, Urgency.URGENT, at=at)
    for minute in range(0, 120, 3):
        sweep({"sms": sms}, at + minutes(minute))
    assert all(delivery.given_up_at is None for delivery in deliveries(session))
    assert len(deliveries(session)) == 3, "a step does not owe anew what has not left yet"
    sms.fails = False
    sweep({"sms": sms}, at + minutes(126))
    assert sms.got[-1][2] == "An urgent alert is waiting"


@pytest.mark.database("sqlite")
def test_a_mail_server_that_is_down_and_a_webhook_that_answers_nonsense_are_failures(app, hook):
    app.config.update(
        CHANNEL_MAIL=f"mailto://127.0.0.1:{free_port()}?from=a@example.org&smtp=127.0.0.1&to={{to}}",
        CHANNEL_WEBHOOK=hook.url,
        CHANNEL_WEBHOOK_SECRET=SECRET,
    )
    channels = setup.channels(app.config)
    with app.app_context():
        from triage.alerts.messages import compose

        message = compose("alert", ["key"], [uuid4()], Urgency.URGENT)
    with pytest.raises(Undelivered):
        channels["mail"].send(message, "alice@example.org")
    for hook.status in (500, 302, None):
        with pytest.raises(Undelivered):
            channels["webhook"].send(message, "")


@pytest.mark.database("sqlite")
def test_an_apprise_url_that_is_none_is_refused_without_repeating_it(app):
    app.config["CHANNEL_SLACK"] = "nonsense://hunter2"
    with pytest.raises(setup.BadChannel, match="TRIAGE_CHANNEL_SLACK is no URL") as refused:
        setup.channels(app.config)
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(setup.Room("slack://hunter2"))


def test_a_patient_is_reminded_and_hears_nothing_of_alerts(make, anna, session, sweep):
    from dataclasses import replace
    from types import MappingProxyType

    from triage.alerts import escalation
    from triage.rules.ruleset import Step

    account = make.account(anna, mail="anna@example.org")
    step = Step(timedelta(), "patient", ("mail",))
    response = replace(make.ruleset.response, escalation=MappingProxyType({Urgency.SOON: (step,)}))
    ruleset = replace(make.ruleset, response=response)
    alert = make.alert(anna, Urgency.SOON)
    with writing(session):
        escalation.stop(session, alert, make.now())
    mail = Recorder()
    sweep({"mail": mail}, make.now(), ruleset)
    assert [(address, subject) for _, address, subject in mail.got] == [
        (account.mail, "Your care team asks you to sign in")
    ]


def of_a_worker(database_url, tmp_path, hook):
    """The environment of a worker that tells a webhook."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")},
        "TRIAGE_DATABASE_URL": database_url,
        "TRIAGE_DATA": str(tmp_path),
        "TRIAGE_DATA_KEYS": os.environ["TRIAGE_DATA_KEYS"],
        "TRIAGE_CHANNEL_WEBHOOK": hook.url,
        "TRIAGE_CHANNEL_WEBHOOK_SECRET": SECRET,
    }


def test_an_acknowledgement_after_which_nothing_is_written_ends_and_people_are_told_again(
    make, anna, alice, session, database_url, tmp_path, hook
):
    at = datetime.now(UTC) - minutes(70)
    alert = make.alert(anna, Urgency.URGENT, at=at)
    services.acknowledge(session, alert, alice, at)
    for _ in range(2):  # the worker tells before it looks
        subprocess.run(
            [sys.executable, "-m", "triage", "worker", "--once"],
            env=of_a_worker(database_url, tmp_path, hook),
            check=True,
            capture_output=True,
        )
    session.rollback()
    assert session.get_one(Alert, alert.id).status == AlertStatus.OPEN
    assert len(hook.got) == 1


KILLED = """
import os, signal, sys
from triage.alerts import worker

def killed(*args, **named):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(worker, sys.argv[1], killed)
worker.main(once=True)
"""


@pytest.mark.parametrize(("step", "arrives"), [("_send", 1), ("_delivered", 2)])
def test_a_worker_killed_between_lease_sending_and_mark_loses_nothing(
    step, arrives, make, anna, session, database_url, tmp_path, hook
):
    """SIGKILL, as a machine that loses its power; the next worker sends once the lease has run out."""
    at = datetime.now(UTC)  # a worker has a process and a clock of its own
    make.alert(anna, Urgency.URGENT, at=at)
    environment = of_a_worker(database_url, tmp_path, hook)
    died = subprocess.run([sys.executable, "-c", KILLED, step], env=environment, cwd=Path(__file__).parents[2])
    assert died.returncode == -signal.SIGKILL
    (delivery,) = deliveries(session)
    assert delivery.delivered_at is None
    assert delivery.lease_until is not None
    with writing(session):  # the lease runs out
        session.execute(Delivery.__table__.update().values(lease_until=at - minutes(1)))
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-m", "triage", "worker", "--once"], env=environment, check=True, capture_output=True
        )
    assert len(hook.got) == arrives
    assert len({headers["idempotency-key"] for headers, _ in hook.got}) == 1
    (delivery,) = deliveries(session)
    assert delivery.delivered_at is not None


@pytest.mark.database("sqlite")
def test_messages_do_not_wait_until_everybody_who_is_silent_was_written_down(make, app, session, monkeypatch):
    """Hundreds may fall silent in one minute: what is owed goes out between two stretches of the look."""

    class Rests(Exception):
        pass

    for index in range(3):
        make.report(make.patient(f"P{index}", day=7), ago=timedelta(hours=30), temperature_c=36.6)
    seen = []

    def sent(session, *what):
        session.rollback()
        seen.append(len(session.scalars(select(Alert)).all()))

    def rests(seconds):
        raise Rests

    monkeypatch.setattr("triage.create_app", lambda: app)
    monkeypatch.setattr(worker, "LOOK_SECONDS", -1)
    monkeypatch.setattr(worker, "sweep", sent)
    monkeypatch.setattr(worker.time, "sleep", rests)
    with pytest.raises(Rests):
        worker.main(once=False)
    assert seen == [0, 1, 2, 3, 3, 3]  # alerts first, then the reminders of each, and the round is over
    assert len(session.scalars(select(Alert)).all()) == 3


@pytest.mark.database("postgresql")
def test_two_workers_at_once_lose_nothing_and_double_nothing(make, app, session):
    at = make.now()
    for number in range(12):
        team = make.team(f"Ward {number}")
        make.nurse(f"Nurse {number}", team=team, phone=f"+44 1632 960 {number:03}")
        make.alert(make.patient(f"Patient {number}", team=team), Urgency.URGENT, at=at)
    session.rollback()
    sms, start, problems = Recorder(), threading.Barrier(3), []

    def work():
        with app.app_context():
            start.wait()
            try:
                for _ in range(3):
                    worker.sweep(db.session, make_ruleset, {"sms": sms}, lambda: at)
            except Exception as error:  # told below, in the thread that asserts
                problems.append(error)

    make_ruleset = make.ruleset
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sorted(Counter(address for _, address, _ in sms.got).values()) == [1] * 12
    assert all(delivery.delivered_at for delivery in deliveries(session))


@pytest.mark.database("postgresql")
def test_nurses_who_acknowledge_while_workers_send_are_never_thrown_out(make, app, session):
    """Both lock in one order: an acknowledgement that PostgreSQL ended for a deadlock would be lost."""
    at, sms = make.now(), Recorder()
    nurse = make.nurse("Nurse", phone="+44 1632 960 500")
    ids = [make.alert(make.patient(f"P{number}"), Urgency.URGENT, at=at).id for number in range(10)]
    nurse_id, ruleset = nurse.id, make.ruleset
    session.rollback()
    problems = []

    def guarded(work):
        with app.app_context():
            try:
                work()
            except Exception as error:
                problems.append(error)

    def acknowledge():
        for alert_id in ids:
            alert, person = db.session.get_one(Alert, alert_id), db.session.get_one(Person, nurse_id)
            services.acknowledge(db.session, alert, person, at)

    def send():
        for minute in range(0, 40, 5):
            worker.sweep(db.session, ruleset, {"sms": sms}, lambda m=minute: at + minutes(m))

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (acknowledge, send, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    session.rollback()
    assert {session.get_one(Alert, alert_id).status for alert_id in ids} == {"acknowledged"}
    waiting = [d for d in deliveries(session) if not (d.delivered_at or d.cancelled_at or d.given_up_at)]
    assert all(delivery.kind == MessageKind.ALERT for delivery in waiting)

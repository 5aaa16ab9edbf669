"""What a day leaves outside the database: addresses, titles, caches, referrers, logs, mails and messages. No name, no
symptom, nothing that was typed."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tests.alerts.sinks import http_sink, smtp_sink
from tests.browsing import follow
from tests.journeys.test_road import checked, report_fever, say, sign_in
from triage import demo
from triage.alerts import worker
from triage.alerts.channels import setup

PEOPLE = [story.name for story in demo._STORIES] + [story.caregiver for story in demo._STORIES if story.caregiver]
NAMES = [word for name in PEOPLE for word in name.split()[:1]]
SYMPTOMS = ("fever", "chill", "38.4", "temperature 3", "headache", "confus", "urgent-care", "car_t", "tecartus")
TYPED = ("Shivering since the early morning", "Told to come in", "Sent home again")
TRACES = (*NAMES, *SYMPTOMS, *TYPED)


@pytest.fixture
def visited(browse):
    """What browsers keep and send on, over the whole test: each address, referrer and title; and what may be cached."""
    kept, cached = [], []

    def watch(page):
        context = page.context
        context.on("request", lambda request: kept.extend([request.url, request.headers.get("referer", "")]))
        context.on("response", lambda answer: _is_cached(answer) and cached.append(answer.url))
        page.on("load", lambda loaded: kept.append(loaded.title()))
        return page

    return lambda device: watch(browse(device)), kept, cached


def _is_cached(answer):
    path = urlsplit(answer.url).path
    return not path.startswith("/static/") and "no-store" not in answer.headers.get("cache-control", "")


def traces_in(*texts):
    said = "\n".join(texts)
    return [word for word in TRACES if re.search(re.escape(word), said, re.IGNORECASE)]


@pytest.mark.database("sqlite")
def test_a_day_of_the_demo_people_leaves_no_trace_outside_the_database(app, make, session, visited, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    open_on, kept, cached = visited
    with smtp_sink() as mails, http_sink() as hook:
        app.config |= {"CHANNEL_MAIL": mails.url, "CHANNEL_WEBHOOK": hook.url, "CHANNEL_WEBHOOK_SECRET": "s" * 40}
        app.config["PUBLIC_URL"] = "https://triage.example.org/"
        quentin = make.patient("Quentin Example", therapy="car_t", day=5)
        carol = make.caregiver(quentin, "Carol Example", mail="carol@example.org")
        nurse = make.nurse("Nora", mail="nurse@example.org")
        make.duty(nurse)

        phone, tablet, desk = open_on("phone"), open_on("phone"), open_on("desktop")
        report_fever(sign_in(phone, make.account(quentin, mail="patient@example.org")))
        follow(phone.get_by_role("link", name="My record"))
        say(sign_in(tablet, carol), "None of these")
        follow(tablet.get_by_role("link", name="Record", exact=True))
        with app.app_context():
            channels = setup.channels(app.config)
            worker.sweep(session, make.ruleset, channels, lambda: make.now() + timedelta(minutes=1))
        sign_in(desk, nurse)
        follow(desk.get_by_role("link", name="Open record").first)
        follow(desk.get_by_role("button", name="Acknowledge"))
        follow(checked(desk).get_by_role("button", name="Resolve"))
        follow(desk.get_by_role("link", name="Handover"))
        follow(desk.get_by_role("link", name="Numbers"))
        desk.goto(f"/patients/{quentin.care_team_id}")  # an error page
    messages = [f"{to} {message}" for to, message in mails.got] + [f"{head} {body}" for head, body in hook.got]
    assert messages, "somebody was told"
    assert traces_in(*messages) == []
    assert len(kept) > 50
    assert traces_in(*kept) == []
    assert cached == []
    logged = [
        record.getMessage() for record in caplog.records if record.name != "mail.log"
    ]  # of this test's mail server
    assert any("webhook" in line for line in logged)
    assert traces_in(*logged, *capfd.readouterr()) == []

"""The heartbeat stays away while a nurse has the queue open and a patient reports, and comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.journeys.test_road import checked, sign_in
from triage import clock, heartbeat
from triage.alerts import worker
from triage.models import HEARTBEAT_CHANNEL
from triage.rules.urgency import Urgency

FIVE_SECONDS = 5_000


class Takes:
    def send(self, message, address):
        pass


@pytest.mark.database("sqlite")
def test_an_open_queue_turns_red_by_itself_and_so_it_ends(app, session, make, anna, alice, browse, monkeypatch):
    start = clock.now()
    ahead = timedelta()
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + ahead)

    def beat():
        with app.app_context():
            for _ in range(2):
                heartbeat.beat(session, make.ruleset, clock.now())
                worker.sweep(session, make.ruleset, {HEARTBEAT_CHANNEL: Takes()}, clock.now)
            heartbeat.beat(session, make.ruleset, clock.now())

    beat()
    make.alert(anna, Urgency.SOON)
    desk, phone = browse("desktop"), browse("phone")
    sign_in(desk, alice)
    search = desk.get_by_label("Find a name")
    search.fill("An")
    expect(desk.locator(".app-out")).to_have_count(0)

    ahead = timedelta(minutes=6)  # and no heartbeat since
    expect(desk.locator(".app-out")).to_contain_text("Messages may not be going out since today", timeout=FIVE_SECONDS)
    expect(desk.locator(".app-out")).to_contain_text("look at the queue yourself")
    expect(desk.locator("#queue-news")).to_have_text("Messages may not be going out")
    expect(search).to_be_focused()
    expect(search).to_have_value("An")
    checked(desk)
    sign_in(phone, make.account(anna))
    expect(phone.locator("main")).to_contain_text("telephone us: the line is open day and night")
    told = phone.locator("main a[href^='tel:']")  # the care team, before the emergency number of the danger signs
    assert told.count() == 2
    checked(phone)

    beat()
    expect(desk.locator(".app-out")).to_have_count(0, timeout=FIVE_SECONDS)
    phone.reload()
    expect(phone.locator("main")).not_to_contain_text("telephone us")
    assert clock.now() - start >= ahead

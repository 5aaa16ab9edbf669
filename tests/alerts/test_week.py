"""A week of fifty patients, minute by minute, against the response file (`demanded.py`, `week.py`).

Nothing may be missing, extra or late by a minute. What is allowed: the seconds between two sweeps of a worker; that a
worker which stands still tells when it works again; and that a channel which fails hands on to the next.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from tests.alerts.week import DAY, HOUR, Week, first_difference

WEDNESDAY = datetime(2026, 3, 4, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 8, tzinfo=UTC)
"""New York's clocks go forward at two in the morning, London's do not."""


@pytest.fixture
def week(app, session, make):
    """Let so many days pass on the wards. The disk is not waited for: what is durable is tested elsewhere."""

    def run(start, days):
        with app.app_context():
            made = Week(app, session, make.ruleset, start)
            made.run(
                days,
                stands_still=lambda minute: 10 * HOUR + 7 <= minute % (4 * DAY) < 13 * HOUR + 7,
                sms_down=lambda minute: 17 * HOUR <= minute % (3 * DAY) < 19 * HOUR,
            )
        return made

    engine = session.get_bind()
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _without_waiting_for_the_disk(connection, record):
            connection.execute("PRAGMA synchronous=off")

        engine.dispose()
    return run


def check(week):
    assert (difference := first_difference(week.log, week.demands.log)) == "", difference
    given = Counter(key for channel in week.outside.values() for _, _, _, keys in channel.got for key in keys)
    assert given == Counter(week.sent.keys())  # once each, and written down as sent
    for name, channel in week.outside.items():
        messages = Counter((minute, address, kind) for minute, address, kind, _ in channel.got)
        together = [group for group, times in messages.items() if times > 1 and not week.outside["sms"].down(group[0])]
        assert together == [], f"{name}: not put together"


@pytest.mark.skipif(not os.environ.get("WEEK_TESTS"), reason="takes minutes: make test-week; the days below run always")
@pytest.mark.database("sqlite")
def test_a_week_goes_as_the_response_file_says(week):
    made = week(WEDNESDAY, days=7)
    check(made)
    seen = {entry.what.split(":")[0] for entry in made.log}
    steps = {
        f"{urgency} step {number}"
        for urgency, steps in made.demands.response["escalation"].items()
        for number in range(len(steps))
    }
    asked = {f"reminder {number}{owed}" for number in range(2) for owed in ("", " owed")}
    told = {"soon silence", "urgent silence", "acknowledgement expired", "rota empty", "channel failing"}
    assert seen == steps | asked | told, "this week does not show everything that the files can ask for"


@pytest.mark.database("sqlite")
def test_half_a_day_goes_so_too(week):
    check(week(WEDNESDAY, days=0.5))


@pytest.mark.database("postgresql")
def test_so_does_a_morning_on_postgresql_when_clocks_go_forward(week):
    check(week(SUNDAY, days=0.35))

"""Urgency sorts and compares alike on every database. (An enum stored by its name would put emergencies last on
SQLite, the default, while PostgreSQL hides the fault.)"""

from __future__ import annotations

from sqlalchemy import select, text

from triage.models import Alert
from triage.rules.urgency import Urgency


def test_the_most_urgent_comes_first_and_at_least_urgent_means_it(make, session):
    for urgency in (Urgency.SOON, Urgency.EMERGENCY, Urgency.URGENT):
        make.alert(make.patient(urgency.code), urgency)
    order = session.scalars(select(Alert.urgency).order_by(Alert.urgency.desc())).all()
    assert order == [Urgency.EMERGENCY, Urgency.URGENT, Urgency.SOON]
    at_least = session.scalars(select(Alert.urgency).where(Alert.urgency >= Urgency.URGENT)).all()
    assert sorted(at_least) == [Urgency.URGENT, Urgency.EMERGENCY]
    assert sorted(session.scalars(text("SELECT urgency FROM alert"))) == [1, 2, 3]

"""What an alert owes is written with it, stops when somebody acknowledges it, and begins anew when it is open again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from triage.alerts import escalation, services
from triage.database import writing
from triage.models import Alert, Delivery, Disposition, OwedStep
from triage.rules.loading import from_document
from triage.rules.ruleset import CHANNELS
from triage.rules.urgency import Urgency

NOTE = "Telephoned, comes in today"
ALL = frozenset(CHANNELS)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def steps(session, alert):
    session.rollback()
    query = select(OwedStep).where(OwedStep.alert_id == alert.id).order_by(OwedStep.run, OwedStep.due_at)
    return session.scalars(query.order_by(OwedStep.number)).all()


def running(session, alert):
    return [step for step in steps(session, alert) if step.cancelled_at is None]


def told(session):
    session.rollback()
    return session.scalars(select(Delivery).order_by(Delivery.due_at)).all()


def test_an_alert_owes_the_steps_of_the_response_file_from_the_moment_it_opens(make, anna, session):
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    wanted = make.ruleset.response.escalation[Urgency.URGENT]
    owed = [(step.due_at - at, step.tell, tuple(step.channels)) for step in steps(session, alert)]
    assert owed == [(step.after, step.tell, step.by) for step in wanted]
    assert steps(session, alert)[-1].repeat_minutes == 10


def test_a_report_that_is_not_saved_owes_nothing(make, anna, session, monkeypatch):
    def disk_full(*args, **named):
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr("triage.reports.services.audit.record", disk_full)
    with pytest.raises(OperationalError):
        make.report(anna, temperature_c=39.5)
    session.rollback()
    assert session.scalars(select(OwedStep)).all() == session.scalars(select(Alert)).all() == []


def test_a_routine_report_owes_nothing(make, anna, session):
    make.report(anna, temperature_c=36.6, chills="none")
    assert session.scalars(select(OwedStep)).all() == []


def test_acknowledging_stops_it_and_an_urgent_finding_begins_it_anew(make, anna, alice, session):
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    services.acknowledge(session, alert, alice, at + minutes(1))
    assert running(session, alert) == []
    make.alert(anna, Urgency.SOON, at=at + minutes(2))
    assert running(session, alert) == []
    make.alert(anna, Urgency.URGENT, at=at + minutes(3))
    assert [(step.run, step.due_at - at) for step in running(session, alert)][:2] == [(2, minutes(3)), (2, minutes(3))]


def test_resolving_stops_it(make, anna, alice, session):
    alert = make.alert(anna, Urgency.EMERGENCY)
    services.acknowledge(session, alert, alice, make.now())
    services.resolve(session, alert, alice, Disposition.ADMITTED, NOTE, make.now())
    assert running(session, alert) == []


def test_a_raised_urgency_owes_the_steps_of_the_higher_one_at_once(make, anna, session):
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    make.alert(anna, Urgency.EMERGENCY, at=at + minutes(20))
    higher = [step.due_at - at for step in running(session, alert) if step.urgency is Urgency.EMERGENCY]
    assert higher == [minutes(20) + step.after for step in make.ruleset.response.escalation[Urgency.EMERGENCY]]
    assert len(running(session, alert)) == len(higher) + len(make.ruleset.response.escalation[Urgency.URGENT])
    make.alert(anna, Urgency.URGENT, at=at + minutes(21))
    assert len(running(session, alert)) == len(higher) + len(make.ruleset.response.escalation[Urgency.URGENT])


def test_an_expired_acknowledgement_resumes_it_once(make, anna, alice, session):
    alert = make.alert(anna, Urgency.URGENT)
    services.acknowledge(session, alert, alice, make.now())
    for _ in range(2):
        with writing(session):
            escalation.resume(session, make.ruleset, alert, make.now())
    assert {step.run for step in running(session, alert)} == {2}


def test_rules_without_steps_tell_all_staff_at_once_and_again(make, anna, session):
    import json

    document = json.loads(make.ruleset.document)
    del document["response"]["escalation"]
    old = from_document(json.dumps(document))
    alert = make.alert(anna, Urgency.URGENT)
    with writing(session):
        escalation.stop(session, alert, make.now())
    assert escalation.adopt(session, old, make.now()) == 1
    (step,) = running(session, alert)
    assert (step.tell, step.channels, step.repeat_minutes) == ("everybody", list(CHANNELS), 10)
    assert escalation.adopt(session, old, make.now()) == 0


def test_a_step_is_carried_out_when_its_time_has_come_and_not_before(make, anna, alice, session):
    with writing(session):
        alice.phone, alice.mail = "+44 1632 960 500", "alice@example.org"
    at = make.now()
    make.alert(anna, Urgency.URGENT, at=at)
    assert escalation.carry_out(session, ALL, at) == 2
    first = [(delivery.person_id, delivery.channel, delivery.others) for delivery in told(session)]
    assert (alice.id, "sms", ["mail", "pagerduty"]) in first
    assert (None, "teams", ["slack", "webhook", "mail"]) in first
    assert escalation.carry_out(session, ALL, at + minutes(14)) == 0
    assert escalation.carry_out(session, ALL, at + minutes(15)) == 1
    assert len(told(session)) == 3


def test_channels_that_are_not_set_up_are_passed_over(make, anna, alice, session):
    with writing(session):
        alice.mail = "alice@example.org"
    make.nurse("Bob")  # no address at all
    make.alert(anna, Urgency.URGENT)
    escalation.carry_out(session, {"mail"}, make.now())
    assert {(delivery.person_id, delivery.channel) for delivery in told(session)} == {(alice.id, "mail")}


def test_nobody_of_another_team_and_nobody_who_left_is_told(make, anna, alice, charlie, session):
    gone = make.nurse("Gone", mail="gone@example.org", active=False)
    with writing(session):
        alice.mail, charlie.mail = "alice@example.org", "charlie@example.org"
    make.alert(anna, Urgency.URGENT)
    escalation.carry_out(session, {"mail"}, make.now())
    assert {delivery.person_id for delivery in told(session)} == {alice.id}
    assert gone.id


def test_the_last_resort_repeats_and_an_outage_makes_no_storm(make, anna, alice, session):
    with writing(session):
        alice.mail = "alice@example.org"
    at = make.now()
    alert = make.alert(anna, Urgency.URGENT, at=at)
    assert escalation.carry_out(session, {"mail"}, at + timedelta(hours=8)) == 4
    assert len(told(session)) == 4
    last = running(session, alert)[-1]
    assert (last.times, last.due_at) == (1, at + timedelta(hours=8, minutes=10))
    escalation.carry_out(session, {"mail"}, at + timedelta(hours=9))
    assert len(told(session)) == 4, "what has not left yet is not owed a second time"


@pytest.mark.parametrize(("urgency", "waits"), [(Urgency.SOON, True), (Urgency.URGENT, False)])
def test_quiet_hours_hold_for_what_is_soon_only(urgency, waits, make, anna, alice, session):
    with writing(session):
        alice.mail = "alice@example.org"
    at = make.now().replace(month=1, day=12, hour=9, minute=0)  # Europe/London has no summer time then
    alert = make.alert(anna, urgency, at=at)
    escalation.carry_out(session, {"mail"}, at + timedelta(hours=13))  # 22:00
    assert bool(told(session)) is not waits
    if waits:
        assert running(session, alert)[0].due_at == (at + timedelta(days=1)).replace(hour=7, second=0, microsecond=0)
        escalation.carry_out(session, {"mail"}, at + timedelta(hours=22))
        assert told(session)

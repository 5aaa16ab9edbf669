"""A rule that is not urgent opens no alert for one patient for a while; everything else is as ever."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from triage.alerts import mutes, work
from triage.alerts.services import NoteMissing
from triage.database import writing
from triage.models import Alert, AssessmentRecord, AuditEntry, RuleMute
from triage.reports import history
from triage.reports import services as reports
from triage.rules.urgency import Urgency

RULE, MILD = "bleeding-small-bruises", {"bruising": "mild", "temperature_c": 36.6}
"""A rule of urgency soon, and a report on which it is the only one that fires."""
REASON = "Known since the infusion, told to the clinic"


@pytest.fixture
def muted(make, anna, alice, session):
    """RULE, muted for Anna by Alice until tomorrow."""
    at = make.now()
    mute(make, session, anna, alice, at=at, days=1)
    return session.scalars(select(RuleMute)).one()


def mute(make, session, patient, by, *, rule=RULE, reason=REASON, days=1, at=None):
    at = at or make.now()
    ends_on = history.local_date(patient.care_team, at) + timedelta(days=days)
    work.mute(session, make.ruleset, patient, rule, reason, ends_on, by, at)


def alerts(session):
    session.rollback()
    return list(session.scalars(select(Alert).order_by(Alert.opened_at)))


def stored(session, report):
    return session.scalars(select(AssessmentRecord).where(AssessmentRecord.report_id == report.id)).one()


def test_a_report_whose_every_reason_is_muted_opens_no_alert_and_is_stored_as_ever(make, anna, muted, session):
    report = make.report(anna, **MILD)

    assert alerts(session) == []
    assessment = stored(session, report)
    assert assessment.urgency is Urgency.SOON, "the assessment is what the rules say"
    assert [fired["rule"] for fired in json.loads(assessment.body)["fired"]] == [RULE]
    assert reports.reassess(session, report.id).same
    assert mutes.held_back(session, [report.id]) == {report.id}
    said = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == mutes.MUTED)).all()
    assert said == [str(report.id)]


@pytest.mark.parametrize(
    ("more", "urgency"),
    [
        ({"nausea": "moderate"}, Urgency.URGENT),
        ({"temperature_c": 38.4}, Urgency.URGENT),
        ({"seizure": "yes"}, Urgency.EMERGENCY),
        ({"confusion": "unknown"}, Urgency.SOON),
    ],
    ids=[
        "a second sign, which makes two together",
        "an urgent rule",
        "an emergency",
        "an urgent rule that could not be decided",
    ],
)
def test_whatever_else_the_report_says_opens_one(more, urgency, make, anna, muted, session):
    make.report(anna, **(MILD | more))
    assert [alert.urgency for alert in alerts(session)] == [urgency]


def test_it_is_muted_for_that_patient_only(make, muted, session):
    make.report(make.patient("Berta"), **MILD)
    assert len(alerts(session)) == 1


def test_an_alert_that_is_there_anyway_shows_it_too(make, anna, muted, session):
    make.alert(anna, Urgency.SOON)
    make.report(anna, **MILD)

    (alert,) = alerts(session)
    assert len(alert.findings) == 2


def test_a_mute_ends_with_its_last_day_in_the_time_zone_of_the_team(make, anna, muted, session):
    def holds(at):
        return mutes.is_active(muted, anna, at)

    local_midnight = make.now().replace(hour=12)
    for hours in range(72):
        at = local_midnight + timedelta(hours=hours)
        assert holds(at) is (history.local_date(anna.care_team, at) <= muted.ends_on)
    make.report(anna, at=make.now() + timedelta(days=2), **MILD)
    assert len(alerts(session)) == 1


def test_a_lifted_mute_counts_no_more_and_stays_readable(make, anna, alice, bob, muted, session):
    at = make.now()
    work.lift(session, muted, anna, bob, at)
    work.lift(session, muted, anna, alice, make.now())
    make.report(anna, **MILD)

    assert len(alerts(session)) == 1
    assert (muted.lifted_by_id, muted.lifted_at, muted.reason) == (bob.id, at, REASON)
    assert mutes.of_patient(session, anna) == [muted]
    done = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == str(muted.id)).order_by(AuditEntry.id))
    assert list(done) == ["rule_muted", "rule_mute_lifted"]


def test_urgent_and_emergency_rules_and_silence_cannot_be_muted(make, anna, alice, session):
    for rule in make.ruleset.rules:
        if rule.urgency is Urgency.SOON and not rule.asks_for_silence:
            continue
        with pytest.raises(work.CannotBeMuted):
            mute(make, session, anna, alice, rule=rule.id)
    with pytest.raises(work.CannotBeMuted):
        mute(make, session, anna, alice, rule="no-such-rule")
    assert session.scalars(select(RuleMute)).all() == []


@pytest.mark.parametrize("urgency", [Urgency.ROUTINE, Urgency.URGENT, Urgency.EMERGENCY])
def test_the_database_itself_refuses_to_mute_what_is_not_soon(urgency, make, anna, alice, session):
    at = make.now()
    row = {"patient_id": anna.id, "rule": "crs-fever", "title": "Fever", "reason": REASON, "muted_by_id": alice.id}
    with pytest.raises(IntegrityError), writing(session):
        session.add(RuleMute(**row, urgency=urgency, ends_on=at.date(), muted_at=at))


def test_a_rule_that_became_urgent_since_is_not_muted(make, anna, muted, session):
    raised = [replace(rule, urgency=Urgency.URGENT) if rule.id == RULE else rule for rule in make.ruleset.rules]
    ruleset = replace(make.ruleset, rules=tuple(raised))
    data = make.data(anna, make.now(), make.account(anna), MILD)
    from triage.rules.report import from_data

    report = from_data(data, ruleset.catalogue)
    with make.app.app_context():
        reports.submit(session, ruleset, report, make.account(anna), "token", make.now())

    assert [alert.urgency for alert in alerts(session)] == [Urgency.URGENT]


@pytest.mark.parametrize("days", [-1, work.LONGEST_MUTE + 1])
def test_it_ends_today_at_the_earliest_and_in_thirty_days_at_the_latest(days, make, anna, alice, session):
    with pytest.raises(work.BadEnd):
        mute(make, session, anna, alice, days=days)
    for allowed in (0, work.LONGEST_MUTE):
        with writing(session):
            session.execute(text("UPDATE rule_mute SET lifted_at = muted_at"))
        mute(make, session, anna, alice, days=allowed)


def test_it_needs_a_reason_and_is_not_made_twice(make, anna, alice, bob, muted, session):
    with pytest.raises(NoteMissing):
        mute(make, session, anna, alice, rule="common-severe", reason="so")
    with pytest.raises(work.AlreadyMuted) as told:
        mute(make, session, anna, bob)
    assert (told.value.by_name, told.value.until) == ("Alice", muted.ends_on)


def test_the_database_keeps_what_was_muted(muted, session):
    with pytest.raises(DBAPIError, match="never deleted"), writing(session):
        session.execute(text("DELETE FROM rule_mute"))

"""The made-up patient of the heartbeat is nowhere: no page of anybody shows it, and nothing that looks across teams
counts it. Every page is walked, so that a new one is looked at without anybody having to remember."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from tests.house.test_access import ROLES, TABLE, Ward, methods, routes, send
from triage import heartbeat, models
from triage.alerts import worker
from triage.alerts.channels.message import Undelivered
from triage.database import db, writing
from triage.models import (
    HEARTBEAT_CHANNEL,
    HEARTBEAT_NURSE,
    HEARTBEAT_PATIENT,
    HEARTBEAT_REPORTER,
    HEARTBEAT_TEAM,
    Alert,
    AlertStatus,
    AuditEntry,
    ReportRecord,
)
from triage.rules.urgency import Urgency

IDS = (HEARTBEAT_TEAM, HEARTBEAT_PATIENT, HEARTBEAT_REPORTER, HEARTBEAT_NURSE)


class Takes:
    """A channel that takes everything, or nothing."""

    def __init__(self, takes=True):
        self.takes = takes

    def send(self, message, address):
        if not self.takes:
            raise Undelivered


@pytest.fixture
def beats(app, session, make):
    """One that came through, and one that is stuck on its way, so that both stand in the tables."""
    with app.app_context():
        for at, takes in ((make.now() - timedelta(minutes=20), True), (make.now() - timedelta(minutes=1), False)):
            heartbeat.beat(session, make.ruleset, at)
            worker.sweep(session, make.ruleset, {HEARTBEAT_CHANNEL: Takes(takes)}, lambda at=at: at)
            heartbeat.beat(session, make.ruleset, at)
    alerts = session.scalars(select(Alert).where(Alert.patient_id == HEARTBEAT_PATIENT)).all()
    assert sorted(alert.status for alert in alerts) == ["open", "resolved"]
    return alerts


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("role", [role for role in ROLES if role], ids=str)
def test_no_page_of_anybody_shows_it(role, app, make, pages, beats):
    ward = Ward(make, "Anna")
    visitor = pages(ward.people[role])
    words = [heartbeat.NAME, "made up", *map(str, IDS), *(id.hex for id in IDS), *(str(alert.id) for alert in beats)]
    walked = 0
    for rule in routes(app):
        row = TABLE[rule.endpoint]
        if "GET" not in methods(rule) or row.public or role not in row.roles:
            continue
        answer = send(visitor, "GET", rule.endpoint, {name: ward.values[name] for name in rule.arguments})
        walked += 1
        for word in words:
            assert word not in answer.text, f"{rule.rule} shows the heartbeat to the {role}: {word}"
    assert walked >= (1 if role == "auditor" else 5)


@pytest.mark.database("sqlite")
def test_nobody_can_open_its_rows(make, pages, beats, alice):
    visitor = pages(alice)
    for alert in beats:
        assert visitor.post("care_team.acknowledge", alert_id=alert.id).status == 404
        assert visitor.get("care_team.record", patient_id=alert.patient_id).status == 404


@pytest.mark.database("sqlite")
def test_its_people_cannot_sign_in(make, pages, session, beats):
    for person_id in (HEARTBEAT_REPORTER, HEARTBEAT_NURSE):
        person = session.get_one(models.Person, person_id)
        page = (
            pages(None).get("accounts.sign_in").press_only("Sign in", sign_in_name=person.sign_in_name, passphrase="!")
        )
        assert page.status == 403


@pytest.mark.database("sqlite")
def test_replays_and_exports_leave_it_out(app, make, session, anna, beats):
    from triage.ruleset_editor import services

    make.report(anna, chills="none")
    with app.app_context():
        patients = {past.patient for past in services.stored(db.session, make.ruleset, make.ruleset)}
    assert patients == {str(anna.id)}


@pytest.mark.database("sqlite")
def test_a_database_with_a_heartbeat_and_nobody_else_is_still_empty_for_the_demo(app, beats, monkeypatch):
    """`make run` after a server was started on an empty database."""
    from triage import demo

    filled = []
    monkeypatch.setattr(demo, "create_app", lambda: app)
    monkeypatch.setattr(demo, "fill", lambda *args: filled.append(args))
    demo.main(if_empty=True)
    assert filled


def test_the_database_refuses_its_nurse_on_the_alert_of_a_person(make, anna, session):
    """Whatever a mistake of the program would do: no alert of a person is closed without one."""
    with make.app.app_context():
        heartbeat.plant(session, make.now())
    alert = make.alert(anna, Urgency.EMERGENCY)
    for column in ("acknowledged_by_id", "taken_by_id", "resolved_by_id"):
        with pytest.raises(DBAPIError, match="only a person closes"), writing(session):
            session.execute(update(Alert).where(Alert.id == alert.id).values({column: HEARTBEAT_NURSE}))


def test_the_database_refuses_to_pass_an_alert_off_as_the_heartbeats(make, anna, session):
    with make.app.app_context():
        heartbeat.plant(session, make.now())
    alert = make.alert(anna)
    with pytest.raises(DBAPIError, match="never changes its patient"), writing(session):
        session.execute(update(Alert).where(Alert.id == alert.id).values(patient_id=HEARTBEAT_PATIENT))


@pytest.mark.parametrize("table", [Alert, ReportRecord, AuditEntry])
def test_the_database_refuses_to_delete_rows_of_anybody_else(table, make, anna, session, beats):
    make.alert(anna)
    with pytest.raises(DBAPIError, match="never deleted"), writing(session):
        session.execute(delete(table).where(table.patient_id == anna.id))


def state_of(session, patient_id: UUID):
    """Everything about a patient's alerts, reports and audit, as text."""
    session.rollback()
    found = []
    for table in ("alert", "report", "audit_entry"):
        key = patient_id.hex if session.get_bind().dialect.name == "sqlite" else str(patient_id)
        rows = session.execute(text(f"SELECT * FROM {table} WHERE patient_id = :id"), {"id": key}).all()
        found.append(sorted(map(repr, rows)))
    counts = [session.scalar(select(func.count()).select_from(one)) for one in (models.OwedStep, models.Delivery)]
    return found, counts


def test_a_night_of_heartbeats_leaves_every_alert_of_a_person_as_it_was_and_the_tables_small(make, alice, session, app):
    """Alerts of people in every state, and a clock that runs on: only the heartbeat is closed and forgotten."""
    from triage.alerts import services

    start = make.now() - timedelta(hours=30)
    made = {name: make.alert(make.patient(name), Urgency.EMERGENCY, at=start) for name in ("open", "taken", "done")}
    services.acknowledge(session, made["taken"], alice, start)
    services.acknowledge(session, made["done"], alice, start)
    services.resolve(session, made["done"], alice, models.Disposition.ADMITTED, "Brought to the ward", start)
    patients = [alert.patient_id for alert in made.values()]
    before = [state_of(session, patient)[0] for patient in patients]
    with app.app_context():
        for minute in range(0, 8 * 60, 15):
            at = start + timedelta(minutes=minute)
            heartbeat.beat(session, make.ruleset, at)
            # Without any other channel: the steps of people's alerts reach nobody.
            worker.sweep(session, make.ruleset, {HEARTBEAT_CHANNEL: Takes()}, lambda at=at: at)
            heartbeat.beat(session, make.ruleset, at)
    assert [state_of(session, patient)[0] for patient in patients] == before
    own = session.scalar(select(func.count()).where(Alert.patient_id == HEARTBEAT_PATIENT))
    assert 12 <= own <= 14, "three hours of them are kept"
    reports = session.scalar(select(func.count()).where(ReportRecord.patient_id == HEARTBEAT_PATIENT))
    audit = session.scalar(select(func.count()).where(AuditEntry.patient_id == HEARTBEAT_PATIENT))
    assert reports == own
    assert audit == 0, "the trail is about people"
    assert session.scalar(select(func.count()).where(Alert.status != AlertStatus.RESOLVED)) == 2

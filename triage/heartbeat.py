"""The heartbeat: a made-up patient who reports every few minutes through the whole chain.

1. `beat`, called by the worker each round, sends a report as anybody's: `reports.services.submit` judges it by the
   active rules, opens an alert and writes what is owed, in one transaction.
2. The worker's sweep makes a delivery of it, leases it, sends it by the heartbeat's channel, marks it delivered. That
   channel wakes nobody: by default it is a signed webhook to this server itself (`answers`).
3. `beat` looks again: the alert stands in the queue of its team, as a nurse would see it, and its message is delivered.
   Then it is acknowledged and resolved, by the services that nurses use, in the name of a nurse who does not exist.
4. `triage.alerts.pulse` tells how old the latest one is that came so far.

What keeps it apart: its team, patient and people have ids that are constants. Nobody of that team can sign in, so that
no page shows it; what looks across teams leaves out HEARTBEAT_PATIENT (tests/house/test_heartbeat.py walks all pages).
The database refuses the name of its nurse on any other alert, and the deletion of any other row (migration 0008).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from triage import logs
from triage.alerts import services as alerts
from triage.alerts.pulse import CLOCKS_MAY_DIFFER
from triage.care_team import queue
from triage.database import writing
from triage.models import (
    HEARTBEAT_CHANNEL,
    HEARTBEAT_NURSE,
    HEARTBEAT_PATIENT,
    HEARTBEAT_REPORTER,
    HEARTBEAT_TEAM,
    Alert,
    AlertFinding,
    AlertNote,
    AlertStatus,
    AssessmentRecord,
    CareTeam,
    Delivery,
    Disposition,
    OwedStep,
    Patient,
    Person,
    ReportRecord,
    Role,
)
from triage.reports import services as reports
from triage.rules.catalogue import Asked, Catalogue
from triage.rules.report import Report
from triage.rules.ruleset import Ruleset

NAME = "Heartbeat (made up)"
KEPT = timedelta(hours=3)
"""How long the rows of one that came through are kept; those of the latest always."""
NOTE = "Seen in the queue and delivered: closed by the program."
_NOBODY = "!"  # no password has this hash


def plant(session: Session, at: datetime) -> None:
    """Make the made-up patient, unless it is there. Its people cannot sign in, and it has no course, so that nobody
    waits for its reports. Commits once."""
    session.rollback()
    if session.get(Patient, HEARTBEAT_PATIENT) is not None:
        return
    phone = current_app.config["CARE_TEAM_PHONE"]
    people = (
        (HEARTBEAT_REPORTER, Role.PATIENT, {"patient_id": HEARTBEAT_PATIENT}),
        (HEARTBEAT_NURSE, Role.NURSE, {"care_team_id": HEARTBEAT_TEAM}),
    )
    try:
        with writing(session):
            emergency_number, time_zone = current_app.config["EMERGENCY_NUMBER"], current_app.config["TIME_ZONE"]
            session.add(
                CareTeam(
                    id=HEARTBEAT_TEAM, name=NAME, time_zone=time_zone, phone=phone, emergency_number=emergency_number
                )
            )
            session.flush()
            session.add(
                Patient(id=HEARTBEAT_PATIENT, name=NAME, care_team_id=HEARTBEAT_TEAM, synthetic=True, enrolled_at=at)
            )
            session.flush()
            for person_id, role, belongs in people:
                sign_in_name = f"{NAME} {role}"  # brackets and blanks: nobody can be given this name
                session.add(
                    Person(
                        id=person_id,
                        name=NAME,
                        sign_in_name=sign_in_name.lower(),
                        password_hash=_NOBODY,
                        session_key=str(person_id),
                        role=role,
                        active=False,
                        **belongs,
                    )
                )
    except IntegrityError:
        logs.event("heartbeat_planted_elsewhere")  # by another worker, at the same moment


def beat(session: Session, ruleset: Ruleset, at: datetime) -> None:
    """Close what came through, send the next report when its time has come, and forget what is old. Asking again at
    once, or by a second worker, changes nothing."""
    plant(session, at)
    alert = _unresolved(session)
    if alert is not None:
        if not _came_through(session, alert, at):
            return  # a chain that is stuck gets no more work, and the age of the latest one tells
        _close(session, alert, at)
    _report(session, ruleset, at)
    _forget(session, at)


def worst_report(catalogue: Catalogue) -> Report:
    """The report that the heartbeat sends: every danger sign of the first screen. Rules that open no alert for it are
    a reason for an alarm themselves."""
    signs = catalogue.asked_when(Asked.DANGER) or tuple(catalogue.symptoms.values())
    return Report(therapy=None, days_since_therapy=None, symptoms={sign.code: sign.worst for sign in signs})


def _unresolved(session: Session) -> Alert | None:
    """The heartbeat's alert that is under way. Found by the heartbeat's patient alone: no other is ever looked at."""
    session.rollback()
    return session.scalar(
        select(Alert).where(Alert.patient_id == HEARTBEAT_PATIENT, Alert.status != AlertStatus.RESOLVED)
    )


def _came_through(session: Session, alert: Alert, at: datetime) -> bool:
    """Whether it is delivered, and stands in the queue as nurses would see it."""
    delivered = exists().where(
        Delivery.alert_id == alert.id, Delivery.channel == HEARTBEAT_CHANNEL, Delivery.delivered_at.is_not(None)
    )
    if not session.scalar(select(delivered)):
        return False
    team = session.get_one(CareTeam, HEARTBEAT_TEAM)
    return any(row.alert.id == alert.id and row.lines for row in queue.queue(session, team, at))


def _close(session: Session, alert: Alert, at: datetime) -> None:
    """By the services that nurses use. Another worker may be doing the same."""
    nurse = session.get_one(Person, HEARTBEAT_NURSE)
    try:
        if alert.status == AlertStatus.OPEN:
            alerts.acknowledge(session, alert, nurse, at)
        alerts.resolve(session, alert, nurse, Disposition.NO_ACTION, NOTE, at)
    except (alerts.AlreadyDone, alerts.NotAcknowledged):
        return
    logs.event("heartbeat_came_through")


def _report(session: Session, ruleset: Ruleset, at: datetime) -> None:
    """One in each span of HEARTBEAT_MINUTES: its token is the number of the span, so that two workers send one."""
    span = int(at.timestamp()) // (60 * current_app.config["HEARTBEAT_MINUTES"])
    token = f"heartbeat/{span}"
    if session.scalar(select(ReportRecord.id).where(ReportRecord.token == token)) is None:
        reporter = session.get_one(Person, HEARTBEAT_REPORTER)
        reports.submit(session, ruleset, worst_report(ruleset.catalogue), reporter, token, at)


def _forget(session: Session, at: datetime) -> None:
    """Delete the rows of heartbeats that came through and are old, or that a clock which was set back has left in the
    future. Of this one patient, who is nobody; the database refuses it for everybody else's."""

    def is_old(moment: Any) -> ColumnElement[bool]:
        return or_(moment < at - KEPT, moment > at + CLOCKS_MAY_DIFFER)

    own_alerts = select(Alert.id).where(Alert.patient_id == HEARTBEAT_PATIENT)
    resolved = own_alerts.where(Alert.status == AlertStatus.RESOLVED)
    latest = resolved.where(Alert.opened_at <= at + CLOCKS_MAY_DIFFER).order_by(Alert.opened_at.desc()).limit(1)
    gone = session.scalars(
        resolved.where(is_old(Alert.opened_at), Alert.id.not_in(list(session.scalars(latest))))
    ).all()
    needed = select(AlertFinding.report_id).where(
        AlertFinding.alert_id.in_(own_alerts), AlertFinding.alert_id.not_in(gone), AlertFinding.report_id.is_not(None)
    )
    own_reports = select(ReportRecord.id).where(ReportRecord.patient_id == HEARTBEAT_PATIENT)
    old_reports = own_reports.where(is_old(ReportRecord.reported_at), ReportRecord.id.not_in(needed))
    reports_gone = session.scalars(old_reports).all()
    if not gone and not reports_gone:
        return
    with writing(session):
        for table, condition in (
            (Delivery, Delivery.alert_id.in_(gone)),
            (OwedStep, OwedStep.alert_id.in_(gone)),
            (AlertFinding, AlertFinding.alert_id.in_(gone)),
            (AlertNote, AlertNote.alert_id.in_(gone)),
            (Alert, Alert.id.in_(gone)),
            (AssessmentRecord, AssessmentRecord.report_id.in_(reports_gone)),
            (ReportRecord, ReportRecord.id.in_(reports_gone)),
        ):
            session.execute(delete(table).where(condition).execution_options(synchronize_session=False))

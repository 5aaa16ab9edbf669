"""The dashboard's one query: who needs the care team, most urgent first, then longest waiting against its limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage.models import Alert, AlertFinding, AlertKind, AlertStatus, CareTeam, Course, Patient, ReportRecord
from triage.reports import history, results
from triage.ruleset_editor import versions


@dataclass(frozen=True)
class Line:
    """One reason in a row: who reported (or silence), when, and the facts that fired."""

    who: str
    found_at: datetime
    facts: tuple[str, ...]
    after_acknowledgement: bool


@dataclass(frozen=True)
class QueueRow:
    """One patient who needs somebody. A patient has one unresolved alert, so a row is a patient and an alert."""

    alert: Alert
    therapy: str
    day: int | None
    lines: tuple[Line, ...]
    waiting: timedelta
    over: timedelta
    """How long past its limit; zero while there is time, or when somebody has acknowledged it."""

    @property
    def patient(self) -> Patient:
        return self.alert.patient

    @property
    def silent(self) -> bool:
        """Whether the latest reason is a report that did not come."""
        return bool(self.lines) and self.lines[0].who == SILENCE


SILENCE = "No report came"


def queue(session: Session, team: CareTeam, at: datetime) -> list[QueueRow]:
    """Every unresolved alert of the team. Nothing is cut off: an emergency that came last is still shown first.

    No inner join: a patient without a course, an alert without a report, a reporter whose account is gone all stay.
    """
    query = (
        select(Alert)
        .where(Alert.care_team_id == team.id, Alert.status != AlertStatus.RESOLVED)
        .order_by(Alert.urgency.desc(), Alert.answer_by, Alert.id)
        .options(
            joinedload(Alert.patient).selectinload(Patient.courses).selectinload(Course.dose_events),
            joinedload(Alert.acknowledged_by),
            selectinload(Alert.findings).joinedload(AlertFinding.report).joinedload(ReportRecord.reporter),
        )
    )
    return [_row(session, alert, team, at) for alert in session.scalars(query)]


def _row(session: Session, alert: Alert, team: CareTeam, at: datetime) -> QueueRow:
    today = history.local_date(team, at)
    course = history.current_course(alert.patient, today)
    therapies = versions.active().catalogue.therapies
    known = therapies.get(course.therapy or "") if course else None
    waits = alert.status == AlertStatus.OPEN
    return QueueRow(
        alert=alert,
        therapy=known.label if known else "therapy not known",
        day=history.days_since_therapy(course, today),
        lines=lines(session, alert, team),
        waiting=at - alert.waiting_since,
        over=max(at - alert.answer_by, timedelta()) if waits else timedelta(),
    )


def lines(session: Session, alert: Alert, team: CareTeam) -> tuple[Line, ...]:
    """The reasons of an alert: the most urgent first, then the latest."""
    ordered = sorted(alert.findings, key=lambda finding: (finding.urgency, finding.found_at), reverse=True)
    return tuple(_line(session, finding, alert, team) for finding in ordered)


def _line(session: Session, finding: AlertFinding, alert: Alert, team: CareTeam) -> Line:
    ruleset = versions.by_hash(session, finding.ruleset_hash)
    found = results.of(finding.body, ruleset, team.emergency_number, team.phone, team.time_zone)
    who = SILENCE
    if finding.kind == AlertKind.REPORT and finding.report is not None:
        reporter = finding.report.reporter
        who = f"{reporter.name} ({reporter.role})"
    since = alert.acknowledged_at
    return Line(who, finding.found_at, found.telling, since is not None and finding.found_at > since)


def span_words(span: timedelta) -> str:
    """A wait for people: "4 minutes", "3 hours 10 minutes", "2 days 4 hours"."""
    minutes = int(span.total_seconds()) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{_count(days, 'day')} {_count(hours, 'hour')}"
    if minutes >= 60:
        return f"{_count(hours, 'hour')} {_count(minutes % 60, 'minute')}"
    return "less than a minute" if minutes == 0 else _count(minutes, "minute")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"

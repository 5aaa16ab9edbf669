"""The dashboard's one query: who needs the care team, most urgent first, then longest waiting against its limit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from triage import logs
from triage.languages import clock_words
from triage.models import (
    CAME_LATE,
    Alert,
    AlertFinding,
    AlertKind,
    AlertStatus,
    AuditEntry,
    CallBack,
    CareTeam,
    Course,
    Patient,
    Person,
    Rejudgment,
    ReportRecord,
    Role,
)
from triage.reports import contradictions, history, results
from triage.reports.contradictions import Contradiction, Said
from triage.rules.ruleset import Ruleset
from triage.ruleset_editor import versions

SILENCE = "No report came"
KEPT = "kept by the phone until it had a connection"
REJUDGED = "judged again, other days of the therapy are known now"
UNREADABLE = "the reasons could not be read: open the record and look at the report itself"


FINDING_LOADED: tuple[Any, ...] = (
    joinedload(AlertFinding.report).joinedload(ReportRecord.reporter),
    joinedload(AlertFinding.rejudgment).joinedload(Rejudgment.report).joinedload(ReportRecord.reporter),
)
"""What the words of a finding need, loaded with it."""


@dataclass(frozen=True)
class Line:
    """One reason in a row: who reported (or silence), when, and the facts that fired."""

    who: str
    found_at: datetime
    facts: tuple[str, ...]
    after_acknowledgement: bool
    answered_at: datetime | None = None
    """Of silence: when the latest report came that was sent after it was found."""


@dataclass(frozen=True)
class Acknowledgement:
    """Who looked at an alert, and when."""

    by_name: str
    at: datetime


@dataclass(frozen=True)
class QueueRow:
    """One patient who needs somebody. A patient has one unresolved alert, so a row is a patient and an alert."""

    alert: Alert
    therapy: str
    therapy_code: str | None
    day: int | None
    in_early: bool | None
    """Whether today is inside the therapy's early window; None where therapy or day is not known."""
    lines: tuple[Line, ...]
    waiting: timedelta
    over: timedelta
    """How long past its limit; zero while there is time, or when somebody has acknowledged it."""
    call_back_over: timedelta
    """How long the earliest promised call-back is overdue; zero while there is time, or where none is promised."""
    acknowledged: Acknowledgement | None
    """The latest one. An open alert that has one was opened again."""
    last_report_at: datetime | None
    contradictions: tuple[Contradiction, ...] = ()
    """Where two reporters said different things within a day."""

    @property
    def patient(self) -> Patient:
        return self.alert.patient

    @property
    def caregivers(self) -> list[Person]:
        """Who can be telephoned as well."""
        return [person for person in self.patient.people if person.role == Role.CAREGIVER and person.phone]

    @property
    def open(self) -> bool:
        """Whether nobody looks after it yet."""
        return self.alert.status == AlertStatus.OPEN

    @property
    def silent(self) -> bool:
        """Whether a report was missing and none has come since."""
        missed = [finding.found_at for finding in self.alert.findings if finding.kind == AlertKind.SILENCE]
        return bool(missed) and (self.last_report_at is None or self.last_report_at < max(missed))

    @property
    def news(self) -> bool:
        """Whether something came after somebody acknowledged it."""
        return any(line.after_acknowledgement for line in self.lines)


def queue(session: Session, team: CareTeam, at: datetime, only: Collection[UUID] | None = None) -> list[QueueRow]:
    """Every unresolved alert of the team's patients, or `only` those of these ids.

    Within one urgency those come first that wait for somebody: nobody looks after them, or a promised call-back is
    overdue; of these, whichever should have been answered first.

    Nothing is cut off: an emergency that came last is still shown first. No inner join but to the patient, which every
    alert has: a patient without a course, an alert without a report, a reporter whose account is gone all stay.
    """
    query = (
        select(Alert)
        .join(Alert.patient)
        .where(Patient.care_team_id == team.id, Alert.status != AlertStatus.RESOLVED)
        .options(
            contains_eager(Alert.patient).options(
                selectinload(Patient.courses).selectinload(Course.dose_events),
                selectinload(Patient.accounts),
                selectinload(Patient.admissions),
            ),
            selectinload(Alert.findings).options(*FINDING_LOADED),
            selectinload(Alert.call_backs).joinedload(CallBack.promised_by),
            joinedload(Alert.taken_by),
        )
    )
    if only is not None:
        query = query.where(Alert.id.in_(only))
    alerts = sorted(session.scalars(query), key=lambda alert: place(alert, at))
    acknowledged = _acknowledged(session, alerts)
    patients = [alert.patient_id for alert in alerts]
    heard = last_reports(session, patients)
    differing = _contradictions(session, patients, at)
    return [
        _row(session, alert, team, at, acknowledged.get(str(alert.id)), heard.get(alert.patient_id), differing)
        for alert in alerts
    ]


def place(alert: Alert, at: datetime) -> tuple[int, bool, datetime, str]:
    """Where an alert stands: urgency, whether it waits for somebody, and since or until when.

    A call-back that is overdue counts as an alert that should have been answered when it was due: a patient sits by
    the telephone. It moves its alert up within its urgency, and none into another.
    """
    limits = [alert.answer_by] if alert.status == AlertStatus.OPEN else []
    limits += [call_back.due_at for call_back in alert.promised[:1] if call_back.due_at <= at]
    return -alert.urgency, not limits, min(limits, default=alert.answer_by), str(alert.id)


def _acknowledged(session: Session, alerts: Iterable[Alert]) -> dict[str, Acknowledgement]:
    """The latest acknowledgement of each alert, also of those that were opened again since."""
    query = (
        select(AuditEntry.subject, Person.name, AuditEntry.at)
        .outerjoin(Person, Person.id == AuditEntry.person_id)
        .where(AuditEntry.action == "alert_acknowledged", AuditEntry.subject.in_([str(alert.id) for alert in alerts]))
        .order_by(AuditEntry.at, AuditEntry.id)
    )
    return {subject: Acknowledgement(name or "somebody", at) for subject, name, at in session.execute(query)}


def last_reports(session: Session, patients: Sequence[UUID]) -> dict[UUID, datetime]:
    """When somebody last reported about each of the patients."""
    query = (
        select(ReportRecord.patient_id, func.max(ReportRecord.reported_at))
        .where(ReportRecord.patient_id.in_(patients))
        .group_by(ReportRecord.patient_id)
    )
    return dict(session.execute(query).all())


def _contradictions(session: Session, patients: Sequence[UUID], at: datetime) -> dict[UUID, list[Contradiction]]:
    """What reporters of the last day disagree about, by patient."""
    query = (
        select(ReportRecord)
        .where(ReportRecord.patient_id.in_(patients), ReportRecord.reported_at > at - contradictions.WITHIN)
        .order_by(ReportRecord.reported_at)
        .options(joinedload(ReportRecord.reporter))
    )
    by_patient: dict[UUID, list[ReportRecord]] = {}
    for record in session.scalars(query):
        by_patient.setdefault(record.patient_id, []).append(record)
    return {patient: contradictions_of(records) for patient, records in by_patient.items()}


def contradictions_of(records: Iterable[ReportRecord]) -> list[Contradiction]:
    """What the reporters of these reports of one patient disagree about."""
    catalogue = versions.active().catalogue
    said: list[Said] = []
    for record in records:
        try:
            said.append(Said(reporter_words(record.reporter), record.reported_at, history.read(record, catalogue)))
        except Exception as error:  # a report that cannot be read must not keep the others from being shown
            logs.failure("report_unreadable", error, report=str(record.id))
    return contradictions.between(said, catalogue)


def _row(
    session: Session,
    alert: Alert,
    team: CareTeam,
    at: datetime,
    acknowledged: Acknowledgement | None,
    last_report_at: datetime | None,
    differing: Mapping[UUID, Sequence[Contradiction]],
) -> QueueRow:
    today = history.local_date(team, at)
    course = history.current_course(alert.patient, today)
    day = history.days_since_therapy(course, today)
    return QueueRow(
        alert=alert,
        therapy=therapy_name(course),
        therapy_code=course.therapy if course else None,
        day=day,
        in_early=in_early(course, day),
        lines=lines(session, alert, team, acknowledged, heard=last_report_at),
        waiting=at - alert.waiting_since,
        over=max(at - alert.answer_by, timedelta()) if alert.status == AlertStatus.OPEN else timedelta(),
        call_back_over=max(at - alert.promised[0].due_at, timedelta()) if alert.promised else timedelta(),
        acknowledged=acknowledged,
        last_report_at=last_report_at,
        contradictions=tuple(differing.get(alert.patient_id, ())),
    )


@dataclass(frozen=True)
class Version:
    """What `queue` would show at a moment: the same digest, the same rows."""

    digest: str
    minute: int = field(compare=False)
    """A count of minutes, each team's own."""
    states: Mapping[UUID, tuple[str, ...]] = field(compare=False)
    """What decides about the row of each alert."""


def version(session: Session, team: CareTeam, at: datetime) -> Version:
    """The version of a team's queue at that moment.

    Open dashboards ask every two seconds, so it is one query and reads no assessment. It is taken from the alerts
    themselves and not from a counter: of two transactions the one with the lower number may commit last, and would
    never be seen. What the query does not look at (a telephone number, a dose) is shown a minute later, since the
    minute is part of it. Each team has a minute of its own, which begins at another second: else every dashboard of a
    hospital would fetch its rows at the same moment.
    """
    states = {row[0]: tuple(map(str, row)) for row in session.execute(_STATE, {"team": team.id})}
    minute = (int(at.timestamp()) + team.id.int % 60) // 60
    return Version(tag(repr((list(states.values()), minute))), minute, states)


def _state() -> Select[Any]:
    """What the version is made of, of the care team `team`: written once, since it is asked all the time."""
    last_report = (
        select(func.max(ReportRecord.reported_at)).where(ReportRecord.patient_id == Alert.patient_id).scalar_subquery()
    )
    findings = select(func.count()).where(AlertFinding.alert_id == Alert.id).scalar_subquery()
    promised, ended = (
        select(func.count(column)).where(CallBack.alert_id == Alert.id).scalar_subquery()
        for column in (CallBack.id, CallBack.ended_at)
    )
    work = (Alert.acknowledged_at, Alert.taken_at, Alert.taken_by_id, Alert.open_because, promised, ended)
    return (
        select(Alert.id, Alert.urgency, Alert.status, Alert.answer_by, *work, findings, last_report)
        .where(Alert.care_team_id == bindparam("team"), Alert.status != AlertStatus.RESOLVED)
        .order_by(Alert.id)
    )


_STATE = _state()


def tag(*decides: str) -> str:
    """A digest of all that decides what is shown."""
    return hashlib.sha256(repr(decides).encode()).hexdigest()[:32]


def in_early(course: Course | None, day: int | None) -> bool | None:
    """Whether that day is inside the early window of the therapy; None where therapy or day is not known."""
    therapy = versions.active().catalogue.therapies.get(course.therapy or "") if course else None
    if therapy is None or day is None:
        return None
    return therapy.early is not None and therapy.early.contains(day)


def therapy_name(course: Course | None) -> str:
    """What was given, in words; a code that the present catalogue does not know is shown as it is."""
    if course is None:
        return "no course on file"
    if course.therapy is None:
        return "therapy not known"
    known = versions.active().catalogue.therapies.get(course.therapy)
    return known.label if known else course.therapy.replace("_", " ")


def lines(
    session: Session,
    alert: Alert,
    team: CareTeam,
    acknowledged: Acknowledgement | None = None,
    *,
    heard: datetime | None,
) -> tuple[Line, ...]:
    """The reasons of an alert: what came after the acknowledgement first, then the most urgent, then the latest.
    `heard` is when the last report of the patient came: it says whether a silence was answered."""
    since = alert.acknowledged_at or (acknowledged.at if acknowledged else None)

    def is_news(finding: AlertFinding) -> bool:
        return since is not None and finding.found_at > since

    def weight(finding: AlertFinding) -> tuple[bool, int, datetime]:
        return is_news(finding), finding.urgency, finding.found_at

    ordered = sorted(alert.findings, key=weight, reverse=True)
    return tuple(_line(session, finding, team, is_news(finding), heard) for finding in ordered)


def last_heard(session: Session, patient: Patient) -> datetime | None:
    """When the patient, or somebody for them, last reported."""
    return last_reports(session, [patient.id]).get(patient.id)


def _line(session: Session, finding: AlertFinding, team: CareTeam, news: bool, heard: datetime | None) -> Line:
    who, answered_at = SILENCE, None
    if finding.kind == AlertKind.REPORT and finding.report is not None:
        who = reporter_words(finding.report.reporter)
        if finding.found_at - finding.report.reported_at >= CAME_LATE:
            answered = clock_words(finding.report.reported_at, finding.found_at, team.time_zone)
            who = f"{who}, answered {answered}, {KEPT}"
    elif finding.kind == AlertKind.REJUDGMENT and finding.rejudgment is not None:
        report = finding.rejudgment.report
        sent = clock_words(report.reported_at, finding.found_at, team.time_zone)
        who = f"Report of {reporter_words(report.reporter)}, {sent}, {REJUDGED}"
    elif heard is not None and heard > finding.found_at:
        answered_at = heard
    return Line(who, finding.found_at, _facts(session, finding, team), news, answered_at)


def reporter_words(reporter: Person) -> str:
    """Who reported: "Cora (caregiver)", "Alice (nurse, by telephone)"."""
    return f"{reporter.name} ({reporter.role}{', by telephone' if reporter.role == Role.NURSE else ''})"


def _facts(session: Session, finding: AlertFinding, team: CareTeam) -> tuple[str, ...]:
    """What fired, in sentences. A finding that cannot be read any more must not keep the others from being shown: then
    the sentences stored with it stand in, or a line that says so."""
    try:
        ruleset = versions.by_hash(session, finding.ruleset_hash)
        return told(finding.body, ruleset, team).telling
    except Exception as error:
        logs.failure("finding_unreadable", error, finding=str(finding.id))
        return stored_sentences(finding.body) or (UNREADABLE,)


def told(body: bytes, ruleset: Ruleset, team: CareTeam) -> results.Result:
    """An assessment in words, with the team's numbers and times."""
    return results.of(body, ruleset, team.emergency_number, team.phone, team.time_zone)


def stored_sentences(body: bytes) -> tuple[str, ...]:
    """The sentences that an assessment was stored with; none when it cannot be read."""
    try:
        data = json.loads(body)
        reasons = [*data["fired"], *data.get("undecided", [])]
        return tuple(dict.fromkeys(str(text) for reason in reasons for text in reason["because"]))
    except (ValueError, KeyError, TypeError):
        return ()


def span_words(span: timedelta) -> str:
    """A wait for people: "4 minutes", "3 hours 10 minutes", "2 days 4 hours"."""
    minutes = int(span.total_seconds()) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if minutes < 1:
        return "less than a minute"
    if days:
        return _counted((days, "day"), (hours, "hour"))
    return _counted((hours, "hour"), (minutes % 60, "minute"))


def _counted(*parts: tuple[int, str]) -> str:
    return " ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in parts if number)

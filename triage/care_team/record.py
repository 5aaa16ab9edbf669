"""Everything about one patient that a nurse reads before calling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage import logs
from triage.alerts import mutes
from triage.care_team import charts, work_words
from triage.care_team.forms import DISPOSITIONS
from triage.care_team.queue import (
    SILENCE,
    UNREADABLE,
    Acknowledgement,
    Line,
    lines,
    reporter_words,
    stored_sentences,
    therapy_name,
    told,
)
from triage.models import (
    Alert,
    AlertFinding,
    AlertKind,
    AssessmentRecord,
    AuditEntry,
    Course,
    Patient,
    Person,
    ReportRecord,
    RuleMute,
)
from triage.reports import history, results
from triage.rules.catalogue import MEASURED, Catalogue, Window
from triage.rules.report import Report
from triage.rules.ruleset import Passage, Ruleset, Source
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions


@dataclass(frozen=True)
class CitedPassage:
    """What a fired rule stands on."""

    source: Source
    passage: Passage


@dataclass(frozen=True)
class Judged:
    """A result with the passages of each of its rules, by rule id; a judgment has its reasoning instead."""

    result: results.Result
    passages: dict[str, list[CitedPassage]]
    reasoning: dict[str, str]


class _Words(TypedDict):
    judged: Judged | None
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One thing that happened: a report, silence, or what became of an alert. `by` is empty for the system itself."""

    at: datetime
    what: str
    by: str = ""
    urgency: Urgency | None = None
    facts: tuple[str, ...] = ()
    judged: Judged | None = None
    note: str = ""
    report_id: UUID | None = None
    day: int | None = None
    answers: tuple[tuple[str, str], ...] = ()
    not_asked: tuple[str, ...] = ()
    sent: charts.Sent | None = None
    """The report behind it, as the drawings need it."""
    held_back: bool = False
    """Whether the report opened no alert because what it tells was muted."""
    resolved: Alert | None = None
    """The alert that was resolved here, and is so still."""


@dataclass(frozen=True)
class PatientRecord:
    """A patient with course, current alert and all that happened, the latest first."""

    patient: Patient
    course: Course | None
    therapy: str
    day: int | None
    early: str
    in_early: bool
    """Whether today counts as inside it: an unknown therapy or day does."""
    expected: str
    alert: Alert | None
    """The one that waits for somebody."""
    lines: tuple[Line, ...]
    acknowledged: Acknowledgement | None
    """The latest one of the current alert; an open alert that has one was opened again."""
    entries: list[Entry]
    weeks: charts.Weeks
    mutes: list[RuleMute]
    """All that were ever muted for the patient, the latest first."""


def patient_record(session: Session, patient: Patient, at: datetime) -> PatientRecord:
    """The record at that moment."""
    today = history.local_date(patient.care_team, at)
    course = history.current_course(patient, today)
    therapy = versions.active().catalogue.therapies.get(course.therapy or "") if course else None
    alerts = _alerts(session, patient.id)
    steps = _steps(session, alerts)
    current = next((alert for alert in alerts if not alert.is_resolved), None)
    acknowledged = _acknowledged(steps, current)
    reports = _reports(session, patient.id)
    held_back = mutes.held_back(session, [report.id for report in reports])
    entries = [
        *(_report(session, record, patient, record.id in held_back) for record in reports),
        *_of_alerts(session, alerts, steps, patient),
    ]
    day = history.days_since_therapy(course, today)
    return PatientRecord(
        patient=patient,
        course=course,
        therapy=therapy_name(course),
        day=day,
        early=_days(therapy.early if therapy else None),
        in_early=therapy is None or (therapy.early is not None and (day is None or therapy.early.contains(day))),
        expected=_days(therapy.daily_report if therapy else None),
        alert=current,
        lines=lines(session, current, patient.care_team, acknowledged) if current else (),
        acknowledged=acknowledged,
        # What follows from a report stands above it, as everything later does: the order of the list decides.
        entries=[
            entry for _, entry in sorted(enumerate(entries), key=lambda pair: (pair[1].at, pair[0]), reverse=True)
        ],
        weeks=_weeks(entries, alerts, patient, at),
        mutes=mutes.of_patient(session, patient),
    )


def _weeks(entries: list[Entry], alerts: list[Alert], patient: Patient, at: datetime) -> charts.Weeks:
    """The drawings, from what was read for the list."""
    sent = [entry.sent for entry in entries if entry.sent is not None]

    def day_number(on: date) -> int | None:
        return history.days_since_therapy(history.current_course(patient, on), on)

    return charts.weeks(
        sent,
        silences=_silences(alerts, [each.at for each in sent], patient.enrolled_at),
        alerts=[charts.Span(alert.opened_at, alert.resolved_at, alert.urgency) for alert in alerts],
        catalogue=versions.active().catalogue,
        since=patient.enrolled_at,
        now=at,
        zone=patient.care_team.time_zone,
        day_number=day_number,
    )


def _silences(alerts: list[Alert], heard: list[datetime], enrolled_at: datetime) -> list[charts.Span]:
    """Each silence that was found, from the report before it to the one after it. One that was found again and again
    is one silence, as urgent as it became."""
    found: dict[datetime, charts.Span] = {}
    for finding in (finding for alert in alerts for finding in alert.findings if finding.kind == AlertKind.SILENCE):
        start = max((at for at in heard if at <= finding.found_at), default=min(enrolled_at, finding.found_at))
        end = min((at for at in heard if at > finding.found_at), default=None)
        before = found.get(start)
        urgency = max(finding.urgency, before.urgency) if before else finding.urgency
        found[start] = charts.Span(start, end, urgency)
    return list(found.values())


@dataclass(frozen=True)
class _Step:
    """What became of an alert, from the audit trail."""

    alert: str
    action: str
    by: str
    at: datetime


def _alerts(session: Session, patient_id: UUID) -> list[Alert]:
    query = (
        select(Alert)
        .where(Alert.patient_id == patient_id)
        .order_by(Alert.opened_at, Alert.id)
        .options(
            selectinload(Alert.findings).joinedload(AlertFinding.report).joinedload(ReportRecord.reporter),
            *work_words.LOADED,
        )
    )
    return list(session.scalars(query))


def _steps(session: Session, alerts: list[Alert]) -> list[_Step]:
    query = (
        select(AuditEntry.subject, AuditEntry.action, Person.name, AuditEntry.at)
        .outerjoin(Person, Person.id == AuditEntry.person_id)
        .where(AuditEntry.subject.in_([str(alert.id) for alert in alerts]), AuditEntry.action.in_(_STEPS))
        .order_by(AuditEntry.at, AuditEntry.id)
    )
    return [_Step(subject, action, name or "", at) for subject, action, name, at in session.execute(query)]


_STEPS = {
    "alert_opened": "Alert opened",
    "alert_raised": "Alert raised",
    "alert_reopened": "Alert opened again",
    "alert_acknowledged": "Alert acknowledged",
    "alert_resolved": "Alert resolved",
    **work_words.STEPS,
}


def _acknowledged(steps: list[_Step], alert: Alert | None) -> Acknowledgement | None:
    found = [
        Acknowledgement(step.by or "somebody", step.at)
        for step in steps
        if alert and step.alert == str(alert.id) and step.action == "alert_acknowledged"
    ]
    return found[-1] if found else None


def _reports(session: Session, patient_id: UUID) -> list[ReportRecord]:
    query = (
        select(ReportRecord)
        .where(ReportRecord.patient_id == patient_id)
        .order_by(ReportRecord.reported_at, ReportRecord.id)
        .options(joinedload(ReportRecord.assessment), joinedload(ReportRecord.reporter))
    )
    return list(session.scalars(query))


def _of_alerts(session: Session, alerts: list[Alert], steps: list[_Step], patient: Patient) -> Iterator[Entry]:
    for alert in alerts:
        for finding in alert.findings:
            if finding.kind == AlertKind.SILENCE:
                yield Entry(
                    at=finding.found_at,
                    what=SILENCE,
                    urgency=finding.urgency,
                    **_told(session, finding.body, finding.ruleset_hash, patient),
                )
    by_id = {str(alert.id): alert for alert in alerts}
    opened_again = {(step.alert, step.at) for step in steps if step.action == "alert_reopened"}
    for step in steps:
        if step.action == "alert_raised" and (step.alert, step.at) in opened_again:
            continue  # "opened again" with its urgency says it
        alert = by_id[step.alert]
        told = work_words.resolution(alert, step.at) if step.action == "alert_resolved" else None
        done = DISPOSITIONS[told.disposition] if told and told.disposition else ""
        yield Entry(
            at=step.at,
            what=f"{_STEPS[step.action]}{': ' if done else ''}{done}",
            by=step.by,
            urgency=max((each.urgency for each in alert.findings if each.found_at <= step.at), default=alert.urgency),
            note=told.note if told else "",
            resolved=alert if told and told.stands else None,
        )
    for alert in alerts:
        for tale in work_words.tales(alert, patient.care_team.time_zone):
            yield Entry(at=tale.at, what=tale.what, by=tale.by, urgency=alert.urgency, note=tale.note)


def _report(session: Session, record: ReportRecord, patient: Patient, held_back: bool) -> Entry:
    assessment: AssessmentRecord | None = record.assessment
    catalogue = versions.active().catalogue
    say: _Words = {"judged": None, "facts": ("this report has no assessment: look at its answers",)}
    if assessment is not None:
        say = _told(session, assessment.body, assessment.ruleset_hash, patient)
        catalogue = _catalogue(session, assessment.ruleset_hash)
    readable = True
    try:
        report = history.read(record, catalogue)
    except Exception as error:
        logs.failure("report_unreadable", error, report=str(record.id))
        report, answers, readable = Report(), [("As it was stored", record.data)], False
    else:
        answers = results.answers(report, catalogue)
    by = reporter_words(record.reporter)
    urgency = assessment.urgency if assessment else None
    return Entry(
        at=record.reported_at,
        what="Report",
        by=by,
        urgency=urgency,
        note=report.note,
        report_id=record.id,
        day=report.days_since_therapy,
        answers=tuple(answers),
        not_asked=not_asked(report, catalogue),
        sent=charts.Sent(record.reported_at, by, record.reporter.role, urgency, report if readable else None),
        held_back=held_back,
        **say,
    )


def not_asked(report: Report, catalogue: Catalogue) -> tuple[str, ...]:
    """What a report says nothing about. It is neither "no" nor "I don't know"."""
    single = {
        "temperature": report.temperature_c,
        "fever reducer": report.fever_reducer_taken,
        "steroids": report.on_steroids,
        "thinking check": report.thinking_check,
    }
    return (
        *(name for name, answer in single.items() if answer is None),
        *(label for quantity, (label, _) in MEASURED.items() if quantity not in report.measured),
        *(symptom.label for code, symptom in catalogue.symptoms.items() if code not in report.symptoms),
    )


def _catalogue(session: Session, ruleset_hash: str) -> Catalogue:
    try:
        return versions.by_hash(session, ruleset_hash).catalogue
    except Exception:  # logged where the assessment is put into words
        return versions.active().catalogue


def _told(session: Session, body: bytes, ruleset_hash: str, patient: Patient) -> _Words:
    """An assessment in words. One that cannot be read any more must not keep the record from being shown: then the
    sentences stored with it stand in, without sources."""
    try:
        judged = _judged(body, versions.by_hash(session, ruleset_hash), patient)
    except Exception as error:
        logs.failure("assessment_unreadable", error, patient=str(patient.id))
        return {"judged": None, "facts": stored_sentences(body) or (UNREADABLE,)}
    return {"judged": judged, "facts": judged.result.telling}


def _days(window: Window | None) -> str:
    if window is None:
        return ""
    return f"from day {window.first}" if window.last is None else f"days {window.first} to {window.last}"


def _judged(body: bytes, ruleset: Ruleset, patient: Patient) -> Judged:
    result = told(body, ruleset, patient.care_team)
    passages: dict[str, list[CitedPassage]] = {}
    reasoning: dict[str, str] = {}
    for reason in result.reasons:
        rule = ruleset.by_id.get(reason.rule)
        if rule is None:
            continue
        reasoning[rule.id] = rule.reasoning
        passages[rule.id] = [
            CitedPassage(ruleset.sources[citation.source], passage)
            for citation in rule.citations
            if (passage := ruleset.passage(citation)) is not None
        ]
    return Judged(result, passages, reasoning)

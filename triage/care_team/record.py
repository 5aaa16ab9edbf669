"""Everything about one patient that a nurse reads before calling."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage.care_team.queue import Line, lines
from triage.models import Alert, AlertFinding, AlertKind, Course, Patient, ReportRecord
from triage.reports import history, results
from triage.rules.report import Report
from triage.rules.ruleset import Passage, Ruleset, Source
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


@dataclass(frozen=True)
class ReportEntry:
    """One report as the record shows it."""

    record: ReportRecord
    report: Report
    answers: list[tuple[str, str]]
    judged: Judged


@dataclass(frozen=True)
class AlertEntry:
    """One alert with its reasons."""

    alert: Alert
    lines: tuple[Line, ...]
    silences: list[tuple[datetime, Judged]] = field(default_factory=list)


@dataclass(frozen=True)
class PatientRecord:
    """A patient with course, alerts and reports, the latest first. `alert` is the one that waits for somebody."""

    patient: Patient
    course: Course | None
    therapy: str
    day: int | None
    alert: AlertEntry | None
    past: list[AlertEntry]
    reports: list[ReportEntry]


def patient_record(session: Session, patient: Patient, at: datetime) -> PatientRecord:
    """The record at that moment."""
    today = history.local_date(patient.care_team, at)
    course = history.current_course(patient, today)
    known = versions.active().catalogue.therapies.get(course.therapy or "") if course else None
    alerts = [_alert(session, alert, patient) for alert in _alerts(session, patient.id)]
    return PatientRecord(
        patient=patient,
        course=course,
        therapy=known.label if known else "therapy not known",
        day=history.days_since_therapy(course, today),
        alert=next((entry for entry in alerts if not entry.alert.is_resolved), None),
        past=[entry for entry in alerts if entry.alert.is_resolved],
        reports=[_report(session, record, patient) for record in _reports(session, patient.id)],
    )


def _alerts(session: Session, patient_id: UUID) -> list[Alert]:
    query = (
        select(Alert)
        .where(Alert.patient_id == patient_id)
        .order_by(Alert.opened_at.desc(), Alert.id)
        .options(
            joinedload(Alert.acknowledged_by),
            joinedload(Alert.resolved_by),
            selectinload(Alert.findings).joinedload(AlertFinding.report).joinedload(ReportRecord.reporter),
        )
    )
    return list(session.scalars(query))


def _reports(session: Session, patient_id: UUID) -> list[ReportRecord]:
    query = (
        select(ReportRecord)
        .where(ReportRecord.patient_id == patient_id)
        .order_by(ReportRecord.reported_at.desc(), ReportRecord.id)
        .options(joinedload(ReportRecord.assessment), joinedload(ReportRecord.reporter))
    )
    return list(session.scalars(query))


def _alert(session: Session, alert: Alert, patient: Patient) -> AlertEntry:
    silences = [
        (finding.found_at, _judged(finding.body, versions.by_hash(session, finding.ruleset_hash), patient))
        for finding in alert.findings
        if finding.kind == AlertKind.SILENCE
    ]
    return AlertEntry(alert, lines(session, alert, patient.care_team), silences)


def _report(session: Session, record: ReportRecord, patient: Patient) -> ReportEntry:
    ruleset = versions.by_hash(session, record.assessment.ruleset_hash)
    report = history.read(record, ruleset.catalogue)
    answers = results.answers(report, ruleset.catalogue)
    return ReportEntry(record, report, answers, _judged(record.assessment.body, ruleset, patient))


def _judged(body: bytes, ruleset: Ruleset, patient: Patient) -> Judged:
    team = patient.care_team
    result = results.of(body, ruleset, team.emergency_number, team.phone, team.time_zone)
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

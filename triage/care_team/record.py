"""Everything about one patient that a nurse reads before calling."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage import logs
from triage.alerts import mutes
from triage.care_team import work_words
from triage.care_team.forms import DISPOSITIONS
from triage.care_team.queue import (
    FINDING_LOADED,
    REJUDGED,
    SILENCE,
    UNREADABLE,
    Acknowledgement,
    Line,
    contradictions_of,
    last_heard,
    lines,
    reporter_words,
    stored_sentences,
    therapy_name,
    told,
)
from triage.models import (
    Alert,
    AlertKind,
    AlertNote,
    AlertOpinion,
    AlertStatus,
    AssessmentRecord,
    AuditEntry,
    Course,
    Patient,
    Person,
    ReportRecord,
    RuleMute,
    ThinkingBaseline,
)
from triage.monitoring import tales
from triage.reports import baselines, charts, history, results
from triage.reports.contradictions import Contradiction
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
    kept_until: datetime | None = None
    """When the report came, where the phone had to keep it."""
    answers: tuple[tuple[str, str], ...] = ()
    not_asked: tuple[str, ...] = ()
    held_back: bool = False
    """Whether the report opened no alert because what it tells was muted."""
    resolved: Alert | None = None
    """The alert that was resolved here, and is so still."""
    contradictions: tuple[Contradiction, ...] = ()
    """What this report and another within a day disagree about."""


@dataclass(frozen=True)
class PatientRecord:
    """A patient with course, current alert, the last three weeks, and a page of all that happened, the latest first."""

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
    """Every reason of it, however old and on whatever page of the list."""
    acknowledged: Acknowledgement | None
    """The latest one of the current alert; an open alert that has one was opened again."""
    entries: list[Entry]
    older: datetime | None
    """Where the next page begins: what happened before that moment. None on the last page."""
    weeks: charts.Weeks
    first_check: FirstCheck | None
    """The patient's own first thinking check; None where none was taken."""
    sentences: tuple[tuple[str, str], ...]
    """The first sentence and the latest: when, and what was written."""
    mutes: list[RuleMute]
    """All that were ever muted for the patient, the latest first."""


@dataclass(frozen=True)
class FirstCheck:
    """A first thinking check, and whether later ones are held against it."""

    taken_at: datetime
    taken_by: str
    language: str
    points: int
    late: bool
    counts: bool
    accepted_by: str


def patient_record(session: Session, patient: Patient, at: datetime, before: datetime | None = None) -> PatientRecord:
    """The record at that moment. Of the list, the page of what happened before `before`; the latest one without it.

    It reads what it shows: the reports of three weeks, one page of the list, and the unresolved alert with every
    finding. So it is as quick in the third year as on the third day.
    """
    team = patient.care_team
    today = history.local_date(team, at)
    course = history.current_course(patient, today)
    therapy = versions.active().catalogue.therapies.get(course.therapy or "") if course else None
    current = _current_alert(session, patient.id)
    acknowledged = _acknowledged(steps(session, [current]), current) if current else None
    reports, older = page_of_reports(session, patient.id, before)
    day = history.days_since_therapy(course, today)
    baseline = baselines.of_patient(session, patient)
    return PatientRecord(
        patient=patient,
        course=course,
        therapy=therapy_name(course),
        day=day,
        early=days_words(therapy.early if therapy else None),
        in_early=therapy is None or (therapy.early is not None and (day is None or therapy.early.contains(day))),
        expected=days_words(therapy.daily_report if therapy else None),
        alert=current,
        lines=lines(session, current, team, acknowledged, heard=last_heard(session, patient)) if current else (),
        acknowledged=acknowledged,
        entries=_entries(session, patient, reports, older, before),
        older=older,
        weeks=_weeks(session, patient, at),
        first_check=_first_check(baseline, patient),
        sentences=_sentences(session, baseline, patient),
        mutes=mutes.of_patient(session, patient),
    )


PAGE = 30
"""Reports on one page of the list."""


def page_of_reports(
    session: Session, patient_id: UUID, before: datetime | None = None
) -> tuple[list[ReportRecord], datetime | None]:
    """The latest reports before that moment, the earliest first, and where the page after it begins, if there is one.
    Reports of one moment are never parted."""
    of_patient = select(ReportRecord.reported_at).where(ReportRecord.patient_id == patient_id)
    if before is not None:
        of_patient = of_patient.where(ReportRecord.reported_at < before)
    times = session.scalars(of_patient.order_by(ReportRecord.reported_at.desc()).limit(PAGE + 1)).all()
    since = times[PAGE - 1] if len(times) > PAGE else None
    if since is not None and not session.scalar(of_patient.where(ReportRecord.reported_at < since).limit(1)):
        since = None
    return reports_between(session, patient_id, since, before), since


def reports_between(
    session: Session, patient_id: UUID, since: datetime | None, before: datetime | None = None
) -> list[ReportRecord]:
    """The reports from `since` on and before `before`, the earliest first; no limit where one is None."""
    query = (
        select(ReportRecord)
        .where(ReportRecord.patient_id == patient_id)
        .order_by(ReportRecord.reported_at, ReportRecord.id)
        .options(joinedload(ReportRecord.assessment), joinedload(ReportRecord.reporter))
    )
    if since is not None:
        query = query.where(ReportRecord.reported_at >= since)
    if before is not None:
        query = query.where(ReportRecord.reported_at < before)
    return list(session.scalars(query))


def alerts_between(
    session: Session, patient_id: UUID, since: datetime | None, before: datetime | None = None
) -> list[Alert]:
    """The alerts about which something may have happened from `since` on and before `before`, the earliest first."""
    query = (
        select(Alert)
        .where(Alert.patient_id == patient_id)
        .order_by(Alert.opened_at, Alert.id)
        .options(
            selectinload(Alert.findings).options(*FINDING_LOADED),
            *work_words.LOADED,
        )
    )
    if before is not None:
        query = query.where(Alert.opened_at < before)
    if since is not None:
        # A resolved alert takes notes and opinions for as long as anybody likes.
        query = query.where(
            or_(
                Alert.resolved_at.is_(None),
                Alert.resolved_at >= since,
                Alert.notes.any(AlertNote.written_at >= since),
                Alert.opinions.any(AlertOpinion.said_at >= since),
            )
        )
    return list(session.scalars(query))


def _current_alert(session: Session, patient_id: UUID) -> Alert | None:
    query = (
        select(Alert)
        .where(Alert.patient_id == patient_id, Alert.status != AlertStatus.RESOLVED)
        .options(
            selectinload(Alert.findings).options(*FINDING_LOADED),
            *work_words.LOADED,
        )
    )
    return session.scalars(query).one_or_none()


def _entries(
    session: Session,
    patient: Patient,
    reports: list[ReportRecord],
    since: datetime | None,
    before: datetime | None,
) -> list[Entry]:
    """All that happened from `since` on and before `before`, the latest first."""
    alerts = alerts_between(session, patient.id, since, before)
    held_back = mutes.held_back(session, [report.id for report in reports])
    happened = _of_alerts(session, alerts, steps(session, alerts), patient)
    differing = contradictions_of(reports)
    found = [
        *(
            replace(
                _report(session, record, patient, record.id in held_back),
                contradictions=tuple(one for one in differing if one.saw.at == record.reported_at),
            )
            for record in reports
        ),
        *(
            entry
            for entry in (*happened, *_of_monitoring(session, patient))
            if (since is None or entry.at >= since) and (before is None or entry.at < before)
        ),
    ]
    # What follows from a report stands above it, as everything later does: the order of the list decides.
    placed = sorted(enumerate(found), key=lambda pair: (pair[1].at, pair[0]), reverse=True)
    return [entry for _, entry in placed]


def _of_monitoring(session: Session, patient: Patient) -> Iterator[Entry]:
    for tale in tales.tales(session, patient):
        yield Entry(at=tale.at, what=tale.what, by=tale.by, note=tale.note)


def _weeks(session: Session, patient: Patient, at: datetime) -> charts.Weeks:
    """The drawings of the last three weeks."""
    zone = ZoneInfo(patient.care_team.time_zone)
    first = at.astimezone(zone).date() - timedelta(days=charts.MOST_DAYS - 1)
    since = datetime.combine(first, time.min, zone)
    sent = [_sent(session, record) for record in reports_between(session, patient.id, since)]
    alerts = alerts_between(session, patient.id, since)
    earlier = session.scalar(
        select(func.max(ReportRecord.reported_at)).where(
            ReportRecord.patient_id == patient.id, ReportRecord.reported_at < since
        )
    )

    def day_number(on: date) -> int | None:
        return history.days_since_therapy(history.current_course(patient, on), on)

    heard = [each for each in (earlier, *(each.at for each in sent)) if each is not None]
    return charts.weeks(
        sent,
        silences=_silences(alerts, heard, patient.enrolled_at),
        alerts=[charts.Span(alert.opened_at, alert.resolved_at, alert.urgency) for alert in alerts],
        catalogue=versions.active().catalogue,
        since=min([patient.enrolled_at, *heard]),
        now=at,
        zone=patient.care_team.time_zone,
        day_number=day_number,
    )


def _first_check(baseline: ThinkingBaseline | None, patient: Patient) -> FirstCheck | None:
    if baseline is None or baseline.taken_at is None:
        return None
    return FirstCheck(
        taken_at=baseline.taken_at,
        taken_by=reporter_words(baseline.taken_by),
        language=baseline.language,
        points=len(baseline.right_answers),
        late=baselines.is_late(baseline, patient),
        counts=baselines.counts(baseline, patient),
        accepted_by=baseline.accepted_by.name if baseline.accepted_by else "",
    )


def _sentences(session: Session, baseline: ThinkingBaseline | None, patient: Patient) -> tuple[tuple[str, str], ...]:
    """The same sentence as it was written first and last: letters and words that repeat are an early sign."""
    query = (
        select(ReportRecord.data)
        .where(ReportRecord.patient_id == patient.id)
        .order_by(ReportRecord.reported_at.desc(), ReportRecord.id)
    )
    stored = session.scalars(query)
    latest = next((data for data in stored if '"sentence":' in data), None)  # the database cannot look into it
    stored.close()
    first = baseline.answers.get("sentence", "") if baseline is not None and baseline.taken_at is not None else ""
    found = [("First", first), ("Latest", json.loads(latest)["thinking_check_answers"]["sentence"] if latest else "")]
    return tuple((which, text) for which, text in found if text)


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
class Step:
    """What became of an alert, from the audit trail. `by` is empty for the system itself."""

    alert: str
    action: str
    by: str
    at: datetime


def steps(session: Session, alerts: Sequence[Alert]) -> list[Step]:
    """What became of the alerts, the earliest first."""
    query = (
        select(AuditEntry.subject, AuditEntry.action, Person.name, AuditEntry.at)
        .outerjoin(Person, Person.id == AuditEntry.person_id)
        .where(AuditEntry.subject.in_([str(alert.id) for alert in alerts]), AuditEntry.action.in_(work_words.STEPS))
        .order_by(AuditEntry.at, AuditEntry.id)
    )
    return [Step(subject, action, name or "", at) for subject, action, name, at in session.execute(query)]


def _acknowledged(steps: list[Step], alert: Alert) -> Acknowledgement | None:
    found = [
        Acknowledgement(step.by or "somebody", step.at)
        for step in steps
        if step.alert == str(alert.id) and step.action == "alert_acknowledged"
    ]
    return found[-1] if found else None


def _of_alerts(session: Session, alerts: list[Alert], steps: list[Step], patient: Patient) -> Iterator[Entry]:
    for alert in alerts:
        for finding in alert.findings:
            if finding.kind != AlertKind.REPORT:
                yield Entry(
                    at=finding.found_at,
                    what=SILENCE if finding.kind == AlertKind.SILENCE else f"Report {REJUDGED}",
                    urgency=finding.urgency,
                    **_told(session, finding.body, finding.ruleset_hash, patient),
                )
    for step, alert in told_steps(alerts, steps):
        told = work_words.resolution(alert, step.at) if step.action == "alert_resolved" else None
        done = DISPOSITIONS[told.disposition] if told and told.disposition else ""
        yield Entry(
            at=step.at,
            what=f"{work_words.STEPS[step.action]}{': ' if done else ''}{done}",
            by=step.by,
            urgency=urgency_at(alert, step.at),
            note=told.note if told else "",
            resolved=alert if told and told.stands else None,
        )
    for alert in alerts:
        for tale in work_words.tales(alert, patient.care_team.time_zone):
            yield Entry(at=tale.at, what=tale.what, by=tale.by, urgency=alert.urgency, note=tale.note)


def told_steps(alerts: Sequence[Alert], steps: Sequence[Step]) -> Iterator[tuple[Step, Alert]]:
    """The steps that are told, each with its alert."""
    by_id = {str(alert.id): alert for alert in alerts}
    opened_again = {(step.alert, step.at) for step in steps if step.action == "alert_reopened"}
    for step in steps:
        if step.action == "alert_raised" and (step.alert, step.at) in opened_again:
            continue  # "opened again" with its urgency says it
        yield step, by_id[step.alert]


def urgency_at(alert: Alert, at: datetime) -> Urgency:
    """How urgent the alert was at that moment."""
    return max((finding.urgency for finding in alert.findings if finding.found_at <= at), default=alert.urgency)


def _report(session: Session, record: ReportRecord, patient: Patient, held_back: bool) -> Entry:
    assessment: AssessmentRecord | None = record.assessment
    say: _Words = {"judged": None, "facts": ("this report has no assessment: look at its answers",)}
    if assessment is not None:
        say = _told(session, assessment.body, assessment.ruleset_hash, patient)
    report, catalogue = _read(session, record)
    answers = [("As it was stored", record.data)] if report is None else results.answers(report, catalogue)
    told = report or Report()
    return Entry(
        at=record.reported_at,
        what="Report",
        by=reporter_words(record.reporter),
        urgency=assessment.urgency if assessment else None,
        note=told.note,
        report_id=record.id,
        kept_until=record.was_kept_until,
        day=told.days_since_therapy,
        answers=tuple(answers),
        not_asked=not_asked(told, catalogue),
        held_back=held_back,
        **say,
    )


def _sent(session: Session, record: ReportRecord) -> charts.Sent:
    """The report as the drawings need it."""
    assessment: AssessmentRecord | None = record.assessment
    report, _ = _read(session, record)
    urgency = assessment.urgency if assessment else None
    return charts.Sent(record.reported_at, reporter_words(record.reporter), record.reporter.role, urgency, report)


def _read(session: Session, record: ReportRecord) -> tuple[Report | None, Catalogue]:
    """The report, None where it cannot be read any more, and the catalogue it was judged with."""
    assessment: AssessmentRecord | None = record.assessment
    catalogue = _catalogue(session, assessment.ruleset_hash) if assessment else versions.active().catalogue
    try:
        return history.read(record, catalogue), catalogue
    except Exception as error:
        logs.failure("report_unreadable", error, report=str(record.id))
        return None, catalogue


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


def days_words(window: Window | None) -> str:
    """A window of days: "days 0 to 28"; empty for none."""
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

"""The team's numbers, each measured from events: reports, alerts, the audit trail. None is a constant or an estimate.

The period is whole days in the care team's time zone, up to and including yesterday: today is not over. No figure names
a patient. How long somebody waited is told by the audit trail (`waits`):

1. Waiting begins when an alert opens, when a finding opens it again, and when its resolution is taken back.
2. Where an alert is raised while it waits, it counts from then on, in the higher urgency: the limit does, too.
3. It ends with the acknowledgement that held. One that expired or was given back ended nothing: the wait goes on from
   where it began.
4. A wait that has not ended is counted as unanswered, never left out: a median of the answered alone would flatter.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, selectinload

from triage import logs
from triage.models import (
    Alert,
    AlertFinding,
    AlertOpinion,
    AuditEntry,
    CareTeam,
    Course,
    Disposition,
    Patient,
    Person,
    ReportRecord,
    Role,
)
from triage.reports import history
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency

PERIODS = (7, 28, 90)
"""Days to choose from."""
FEW = 10
"""Of fewer, a 90th percentile says nothing: it would be the longest."""
RANKED = tuple(urgency for urgency in sorted(Urgency, reverse=True) if urgency > Urgency.ROUTINE)


@dataclass(frozen=True)
class Period:
    """Whole days of the care team's time zone. `begins` is inside, `ends` is not."""

    days: int
    first: date
    last: date
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Reports:
    """How many reports came of those that were expected."""

    patients: int
    """With a running course on any day of the period."""
    patient_days: int
    expected: int
    """Days of patients on which a report was expected."""
    kept: int
    """Of these, days on which at least one came."""
    received: int
    """All reports, also unexpected ones and several on one day."""
    by_role: Mapping[Role, int]

    @property
    def patient_weeks(self) -> float:
        return self.patient_days / 7


@dataclass(frozen=True)
class Spans:
    """How long something took. `ninetieth` is None where there are fewer than FEW."""

    number: int
    median: timedelta | None
    ninetieth: timedelta | None
    longest: timedelta | None
    unfinished: int
    """Those that have not ended, and are in none of the three."""
    within: int | None = None
    """Those that took no longer than the present limit; None where there is none."""
    limit: timedelta | None = None


@dataclass(frozen=True)
class ByUrgency:
    """The alerts of one urgency."""

    urgency: Urgency
    opened: int
    per_patient_week: float | None
    """None where no patient was looked after."""
    acknowledging: Spans
    resolving: Spans


@dataclass(frozen=True)
class ByRule:
    """What became of the alerts in which one rule fired. An alert counts once for each rule that fired in it."""

    rule: str
    title: str
    urgency: Urgency
    alerts: int = 0
    undecided: int = 0
    """Alerts in which it fired nowhere and could not be decided."""
    resolved: int = 0
    no_action: int = 0
    judged: int = 0
    """Alerts of which somebody said whether they were useful."""
    not_useful: int = 0
    per_patient_week: float | None = None
    known: bool = False
    """Whether the rules of today have it."""


@dataclass(frozen=True)
class Numbers:
    """All figures of a period."""

    period: Period
    reports: Reports
    urgencies: tuple[ByUrgency, ...]
    rules: tuple[ByRule, ...]
    """The noisiest first: by alerts that came to no action or were called not useful."""

    @property
    def opened(self) -> int:
        return sum(each.opened for each in self.urgencies)


def numbers(session: Session, ruleset: Ruleset, team: CareTeam, days: int, at: datetime) -> Numbers:
    """The figures of the last `days` whole days."""
    period = period_of(team, days, at)
    reports = _reports(session, ruleset, team, period)
    alerts = _alerts(session, team, period)
    waited = _waits(session, team, period)
    weeks = reports.patient_weeks
    return Numbers(
        period=period,
        reports=reports,
        urgencies=tuple(_of_urgency(urgency, alerts, waited, ruleset, weeks) for urgency in RANKED),
        rules=tuple(_of_rules(session, ruleset, team, period, alerts, weeks)),
    )


def period_of(team: CareTeam, days: int, at: datetime) -> Period:
    """The last `days` whole days before the day of `at` in the team's time zone."""
    zone, today = ZoneInfo(team.time_zone), history.local_date(team, at)
    first = today - timedelta(days=days)
    begins, ends = (datetime.combine(day, time.min, zone) for day in (first, today))
    return Period(days, first, today - timedelta(days=1), begins, ends)


# --- Reports


def _reports(session: Session, ruleset: Ruleset, team: CareTeam, period: Period) -> Reports:
    patients = session.scalars(
        select(Patient)
        .where(
            Patient.care_team_id == team.id,
            Patient.courses.any(or_(Course.ended_on.is_(None), Course.ended_on >= period.first)),
        )
        .options(selectinload(Patient.courses).selectinload(Course.dose_events))
    ).all()
    zone = ZoneInfo(team.time_zone)
    in_period = (
        Patient.care_team_id == team.id,
        ReportRecord.reported_at >= period.begins,
        ReportRecord.reported_at < period.ends,
    )
    # Two columns of one period: the databases do not know days of time zones alike.
    sent = select(ReportRecord.patient_id, ReportRecord.reported_at).join(ReportRecord.patient).where(*in_period)
    came = {(patient, at.astimezone(zone).date()) for patient, at in session.execute(sent)}
    seen, patient_days, expected, kept = 0, 0, 0, 0
    for patient in patients:
        enrolled_on = patient.enrolled_at.astimezone(zone).date()
        in_care = 0
        for number in range(period.days):
            day = period.first + timedelta(days=number)
            course = history.current_course(patient, day) if day >= enrolled_on else None
            if course is None:
                continue
            in_care += 1
            therapy = ruleset.catalogue.therapies.get(course.therapy or "")
            since = history.days_since_therapy(course, day)
            window = therapy.daily_report if therapy else None
            waits = therapy is None or (window is not None and (since is None or window.contains(since)))
            if waits and day > enrolled_on:
                expected += 1
                kept += (patient.id, day) in came
        seen += bool(in_care)
        patient_days += in_care
    roles = (
        select(Person.role, func.count())
        .select_from(ReportRecord)
        .join(ReportRecord.patient)
        .join(ReportRecord.reporter)
        .where(*in_period)
        .group_by(Person.role)
    )
    by_role = {Role(role): number for role, number in session.execute(roles)}
    return Reports(seen, patient_days, expected, kept, sum(by_role.values()), by_role)


# --- How long alerts waited


@dataclass(frozen=True)
class Wait:
    """An alert waited for somebody. `ended_at` is None while it does."""

    began_at: datetime
    ended_at: datetime | None
    urgency: Urgency


_BEGINS = ("alert_opened", "alert_reopened", "resolution_taken_back")
_ENDED_NOTHING = ("alert_acknowledgement_expired", "alert_given_back")
_ENDS = "alert_acknowledged"
_RAISED = "alert_raised"


def waits(events: Iterable[tuple[str, datetime]], findings: Sequence[tuple[datetime, Urgency]]) -> Iterator[Wait]:
    """The waits of one alert, from its events (action, when) in order; see the head of this file for what counts."""

    def wait(began: datetime, end: datetime | None) -> Wait:
        known = [urgency for at, urgency in findings if end is None or at <= end]
        return Wait(began, end, max(known, default=Urgency.SOON))

    began: datetime | None = None
    ended: datetime | None = None
    for action, at in events:
        if action in _BEGINS:
            if began is not None and ended is not None:
                yield wait(began, ended)
            if began is None or ended is not None:
                began, ended = at, None
        elif action == _RAISED and began is not None and ended is None:
            began = at
        elif action == _ENDS:
            ended = at
        elif action in _ENDED_NOTHING:
            ended = None
    if began is not None:
        yield wait(began, ended)


def _waits(session: Session, team: CareTeam, period: Period) -> list[Wait]:
    """The waits that began in the period, also of alerts that were opened before it."""
    active = (
        Alert.care_team_id == team.id,
        Alert.opened_at < period.ends,
        or_(Alert.resolved_at.is_(None), Alert.resolved_at >= period.begins),
    )
    earliest = session.scalar(select(func.min(Alert.opened_at)).where(*active))
    if earliest is None:
        return []
    found = select(AlertFinding.alert_id, AlertFinding.found_at, AlertFinding.urgency).join(AlertFinding.alert)
    findings: dict[str, list[tuple[datetime, Urgency]]] = {}
    for alert_id, at, urgency in session.execute(found.where(*active)):
        findings.setdefault(str(alert_id), []).append((at, urgency))
    told = (
        select(AuditEntry.subject, AuditEntry.action, AuditEntry.at)
        .join(Patient, Patient.id == AuditEntry.patient_id)
        .where(
            Patient.care_team_id == team.id,
            AuditEntry.at >= earliest,
            AuditEntry.action.in_((*_BEGINS, *_ENDED_NOTHING, _ENDS, _RAISED)),
        )
        .order_by(AuditEntry.at, AuditEntry.id)
    )
    events: dict[str, list[tuple[str, datetime]]] = {}
    for subject, action, at in session.execute(told):
        if subject in findings:
            events.setdefault(subject, []).append((action, at))
    return [
        wait
        for alert, of_alert in events.items()
        for wait in waits(of_alert, findings[alert])
        if period.begins <= wait.began_at < period.ends
    ]


# --- Alerts


@dataclass(frozen=True)
class _Alert:
    """An alert that was opened in the period."""

    id: UUID
    urgency: Urgency
    opened_at: datetime
    resolved_at: datetime | None
    disposition: Disposition | None


def _alerts(session: Session, team: CareTeam, period: Period) -> list[_Alert]:
    query = select(Alert.id, Alert.urgency, Alert.opened_at, Alert.resolved_at, Alert.disposition).where(
        *_opened_in(team, period)
    )
    return [
        _Alert(id, urgency, opened_at, resolved_at, Disposition(disposition) if disposition else None)
        for id, urgency, opened_at, resolved_at, disposition in session.execute(query)
    ]


def _opened_in(team: CareTeam, period: Period) -> tuple[ColumnElement[bool], ...]:
    return Alert.care_team_id == team.id, Alert.opened_at >= period.begins, Alert.opened_at < period.ends


def _of_urgency(
    urgency: Urgency, alerts: Sequence[_Alert], waited: Sequence[Wait], ruleset: Ruleset, weeks: float
) -> ByUrgency:
    opened = [alert for alert in alerts if alert.urgency is urgency]
    took = [alert.resolved_at - alert.opened_at for alert in opened if alert.resolved_at is not None]
    answers = [wait for wait in waited if wait.urgency is urgency]
    limit = ruleset.response.acknowledge_within.get(urgency)
    return ByUrgency(
        urgency=urgency,
        opened=len(opened),
        per_patient_week=len(opened) / weeks if weeks else None,
        acknowledging=spans(
            [wait.ended_at - wait.began_at for wait in answers if wait.ended_at is not None],
            unfinished=sum(wait.ended_at is None for wait in answers),
            limit=limit,
        ),
        resolving=spans(took, unfinished=len(opened) - len(took)),
    )


def spans(took: Iterable[timedelta], unfinished: int, limit: timedelta | None = None) -> Spans:
    """Median and 90th percentile (the nearest rank: a span that was really measured)."""
    ordered = sorted(took)
    if not ordered:
        return Spans(0, None, None, None, unfinished, None if limit is None else 0, limit)
    return Spans(
        number=len(ordered),
        median=(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2,
        ninetieth=ordered[math.ceil(len(ordered) * 0.9) - 1] if len(ordered) >= FEW else None,
        longest=ordered[-1],
        unfinished=unfinished,
        within=None if limit is None else sum(span <= limit for span in ordered),
        limit=limit,
    )


# --- Rules


def _of_rules(
    session: Session, ruleset: Ruleset, team: CareTeam, period: Period, alerts: Sequence[_Alert], weeks: float
) -> list[ByRule]:
    by_id = {alert.id: alert for alert in alerts}
    opinions = _opinions(session, team, period)
    fired: dict[str, set[UUID]] = {}
    undecided: dict[str, set[UUID]] = {}
    told: dict[str, tuple[str, Urgency]] = {}
    found = (
        select(AlertFinding.alert_id, AlertFinding.body)
        .join(AlertFinding.alert)
        .where(*_opened_in(team, period))
        .order_by(AlertFinding.found_at)
    )
    for alert_id, body in session.execute(found):
        for kind, rule, title, urgency in _rules_in(body):
            told[rule] = (title, urgency)
            (fired if kind == "fired" else undecided).setdefault(rule, set()).add(alert_id)
    rows = []
    for rule, (title, urgency) in told.items():
        of_rule = [by_id[each] for each in fired.get(rule, ()) if each in by_id]
        resolved = [alert for alert in of_rule if alert.resolved_at is not None]
        judged = [opinions[alert.id] for alert in of_rule if alert.id in opinions]
        now = ruleset.by_id.get(rule)
        rows.append(
            ByRule(
                rule=rule,
                title=now.title if now else title,
                urgency=now.urgency if now else urgency,
                alerts=len(of_rule),
                undecided=len(undecided.get(rule, set()) - fired.get(rule, set())),
                resolved=len(resolved),
                no_action=sum(alert.disposition == Disposition.NO_ACTION for alert in resolved),
                judged=len(judged),
                not_useful=judged.count(False),
                per_patient_week=len(of_rule) / weeks if weeks else None,
                known=now is not None,
            )
        )
    return sorted(rows, key=lambda row: (-(row.no_action + row.not_useful), -row.alerts, -row.urgency, row.rule))


def _rules_in(body: bytes) -> list[tuple[str, str, str, Urgency]]:
    """What fired and asks for somebody, and what could not be decided and would: kind, id, title, urgency."""
    try:
        data = json.loads(body)
        return [
            (kind, str(each["rule"]), str(each["title"]), Urgency[str(each["urgency"]).upper()])
            for kind in ("fired", "undecided")
            for each in data.get(kind, ())
            if each["urgency"] != Urgency.ROUTINE.code
        ]
    except (ValueError, KeyError, TypeError) as error:
        logs.failure("finding_not_counted", error)
        return []


def _opinions(session: Session, team: CareTeam, period: Period) -> dict[UUID, bool]:
    """Whether each alert was useful: what was said last counts."""
    query = (
        select(AlertOpinion.alert_id, AlertOpinion.useful)
        .join(AlertOpinion.alert)
        .where(*_opened_in(team, period))
        .order_by(AlertOpinion.said_at, AlertOpinion.id)
    )
    return dict(session.execute(query).all())


# --- As a file

HEADS = ("figure", "urgency", "rule", "title", "value", "unit", "of")


def table(found: Numbers) -> Iterator[tuple[str, ...]]:
    """Every figure as a line of a file, HEADS first. It names no patient and nobody of the staff."""
    yield HEADS
    reports = found.reports
    for name, value, of in (
        ("patients looked after", reports.patients, ""),
        ("patient-days", reports.patient_days, ""),
        ("reports received", reports.received, ""),
        ("expected days", reports.expected, ""),
        ("expected days with a report", reports.kept, reports.expected),
    ):
        yield name, "", "", "", str(value), "number", str(of)
    for role, number in reports.by_role.items():
        yield f"reports by {role}", "", "", "", str(number), "number", str(reports.received)
    for each in found.urgencies:
        code = each.urgency.code
        yield "alerts opened", code, "", "", str(each.opened), "number", str(found.opened)
        yield "alerts per patient-week", code, "", "", _rate(each.per_patient_week), "per patient-week", ""
        for name, span in (("time to acknowledge", each.acknowledging), ("time to resolve", each.resolving)):
            yield f"{name}, median", code, "", "", _minutes(span.median), "minutes", str(span.number)
            yield f"{name}, 90th percentile", code, "", "", _minutes(span.ninetieth), "minutes", str(span.number)
            yield f"{name}, not yet", code, "", "", str(span.unfinished), "number", str(span.number + span.unfinished)
            if span.within is not None:
                of = str(span.number + span.unfinished)
                yield f"{name}, within {_minutes(span.limit)} minutes", code, "", "", str(span.within), "number", of
    for rule in found.rules:
        named = (rule.urgency.code, _harmless(rule.rule), _harmless(rule.title))
        yield "alerts in which the rule fired", *named, str(rule.alerts), "number", str(found.opened)
        yield "alerts of the rule per patient-week", *named, _rate(rule.per_patient_week), "per patient-week", ""
        yield "alerts in which it could not be decided", *named, str(rule.undecided), "number", str(found.opened)
        yield "resolved as no action", *named, str(rule.no_action), "number", str(rule.resolved)
        yield "called not useful", *named, str(rule.not_useful), "number", str(rule.judged)


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _minutes(span: timedelta | None) -> str:
    return "" if span is None else f"{span.total_seconds() / 60:.1f}"


def _harmless(text: str) -> str:
    """Text that a spreadsheet does not take for a formula: rule files are written by people."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text

"""What stands on a handover: texts and numbers only, so that a closed one is kept as it was read.

Nothing is cut off and nothing depends on a filter: every unresolved alert of the team stands on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage import logs
from triage.alerts import rota, silence
from triage.care_team import queue, record, work_words
from triage.care_team.forms import DISPOSITIONS
from triage.models import (
    ActivationKind,
    Admission,
    Alert,
    AuditEntry,
    CareTeam,
    Course,
    Handover,
    HandoverAcceptance,
    Patient,
    Person,
    ReportRecord,
    Role,
    RuleMute,
    RulesetActivation,
    by_name,
)
from triage.reports import history
from triage.rules.difference import difference
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions

FACTS = 4
"""Facts of an alert on the page; the record has them all."""
NOTES = 2
"""The latest notes and calls about an alert."""


@dataclass(frozen=True)
class Waiting:
    """An alert that waits for somebody, as the next shift gets it."""

    alert_id: str
    patient_id: str
    patient: str
    phone: str
    about: str
    urgency: str
    red: bool
    """Whether it is an emergency or urgent: it has to be accepted by name."""
    state: str
    facts: list[str]
    more_facts: int
    call_backs: list[str]
    notes: list[dict[str, str]]
    findings: int
    accepted_by: str = ""
    accepted_at: str = ""
    acceptance_id: str = ""
    accepted_by_id: str = ""
    changed: bool = False
    """Whether something came after somebody had accepted it: it is to be accepted again."""


@dataclass(frozen=True)
class Done:
    """What was done about one patient in the shift, in order."""

    patient: str
    patient_id: str
    lines: list[dict[str, str]]


@dataclass(frozen=True)
class Silent:
    """A patient from whom no report comes, though rules expect one."""

    patient: str
    patient_id: str
    about: str
    phone: str
    says: list[str]
    alert: bool
    """Whether an unresolved alert waits for somebody."""


@dataclass(frozen=True)
class InHospital:
    """A patient of whom nobody misses a report, because somebody noted a stay in hospital."""

    patient: str
    patient_id: str
    about: str
    phone: str
    says: str
    reported: str
    """When a report came all the same, so that the patient may be home again; empty where none did."""


@dataclass(frozen=True)
class Move:
    """A patient who comes into the early window of their therapy, or leaves it."""

    patient: str
    patient_id: str
    enters: bool
    says: str


@dataclass(frozen=True)
class RuleChange:
    """A version of the rules that became active."""

    number: int
    kind: str
    by: str
    at: str
    reason: str
    rules: list[str]


@dataclass(frozen=True)
class Contents:
    """The whole page."""

    since: str
    made_at: str
    counts: dict[str, int]
    on_call: list[str]
    waiting: list[Waiting]
    unaccepted: int
    silent: list[Silent]
    in_hospital: list[InHospital]
    moves: list[Move]
    unknown_day: list[str]
    done: list[Done]
    rules: list[RuleChange]
    notes: list[dict[str, str]] = field(default_factory=list)
    """What people wrote for the next shift."""


def contents(
    session: Session, ruleset: Ruleset, team: CareTeam, handover: Handover | None, since: datetime, at: datetime
) -> dict[str, Any]:
    """All that stands on the page at that moment; what was done, from `since` on. Data that JSON can hold."""
    words = _Words(team.time_zone)
    rows = queue.queue(session, team, at)
    patients = _patients(session, team, since, at)
    touched = _touched(session, team, since, at)
    alerts = _with_work(session, [row.alert.id for row in rows] + touched)
    last = _last(session, [patient.id for patient in patients])
    waiting = [_waiting(row, handover, words, at) for row in rows]
    page = Contents(
        since=words.moment(since),
        made_at=words.whole(at),
        counts=_counts(session, team, since, at) | {"waiting": len(rows)},
        on_call=[person.name for person in rota.on_call(session, team, at)],
        waiting=waiting,
        unaccepted=sum(each.red and (not each.accepted_by or each.changed) for each in waiting),
        silent=list(_silent(ruleset, patients, last, rows, at)),
        in_hospital=list(_in_hospital(patients, last, words, at)),
        moves=list(_moves(patients, team, since, at)),
        unknown_day=[patient.name for patient in patients if _early(patient, history.local_date(team, at)) is None],
        done=_done(session, team, [alerts[id] for id in touched if id in alerts], since, at, words),
        rules=list(_rules(session, team, since, at, words)),
        notes=[
            {"text": note.text, "by": note.written_by.name, "at": words.moment(note.written_at)}
            for note in (handover.notes if handover else ())
        ],
    )
    return asdict(page)


def accepted(handover: Handover) -> dict[UUID, HandoverAcceptance]:
    """The acceptance that counts of each alert: the latest that was not taken back."""
    return {each.alert_id: each for each in handover.acceptances if each.taken_back_at is None}


def holds(acceptance: HandoverAcceptance, urgency: Urgency, findings: int) -> bool:
    """Whether the alert still is what was accepted."""
    return acceptance.findings >= findings and acceptance.urgency >= urgency


class _Words:
    """Moments and days in the care team's time zone, as they read well a year later: the year stands at the top of
    the page, and "today" nowhere."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)

    def moment(self, moment: datetime) -> str:
        local = moment.astimezone(self.zone)
        return f"{self.day(local.date())}, {local:%H:%M}"

    def whole(self, moment: datetime) -> str:
        local = moment.astimezone(self.zone)
        return f"{local:%A} {local.day} {local:%B %Y, %H:%M}"

    @staticmethod
    def day(day: date) -> str:
        return f"{day:%a} {day.day} {day:%b}"


# --- The alerts that wait


def _waiting(row: queue.QueueRow, handover: Handover | None, words: _Words, at: datetime) -> Waiting:
    alert = row.alert
    facts = list(dict.fromkeys(fact for line in row.lines for fact in line.facts))
    there = accepted(handover).get(alert.id) if handover else None
    written = [note for note in alert.notes if note.text or note.call_outcome]
    return Waiting(
        alert_id=str(alert.id),
        patient_id=str(alert.patient_id),
        patient=row.patient.name,
        phone=row.patient.phone,
        about=about(row.therapy, row.day),
        urgency=alert.urgency.code,
        red=alert.urgency >= Urgency.URGENT,
        state=_state(row, words),
        facts=facts[:FACTS],
        more_facts=max(len(facts) - FACTS, 0),
        call_backs=[
            f"Call back {words.moment(each.due_at)}, promised by {each.promised_by.name}"
            + (": overdue" if each.due_at <= at else "")
            for each in alert.promised
        ],
        notes=[
            {
                "what": work_words.note_words(note),
                "by": note.written_by.name,
                "at": words.moment(note.written_at),
                "text": note.text,
            }
            for note in written[-NOTES:]
        ],
        findings=len(alert.findings),
        **_acceptance(there, alert, words),
    )


def _acceptance(there: HandoverAcceptance | None, alert: Alert, words: _Words) -> dict[str, Any]:
    if there is None:
        return {}
    return {
        "accepted_by": there.accepted_by.name,
        "accepted_by_id": str(there.accepted_by_id),
        "accepted_at": words.moment(there.accepted_at),
        "acceptance_id": str(there.id),
        "changed": not holds(there, alert.urgency, len(alert.findings)),
    }


def _state(row: queue.QueueRow, words: _Words) -> str:
    if not row.open:
        who = row.alert.taken_by.name if row.alert.taken_by else "somebody"
        since = f", acknowledged {words.moment(row.acknowledged.at)}" if row.acknowledged else ""
        return f"{who} has it{since}"
    waits = f"{queue.span_words(row.over)} over its limit" if row.over else f"waiting {queue.span_words(row.waiting)}"
    return f"Nobody has it: {waits}"


def about(therapy: str, day: int | None) -> str:
    """The therapy and the day of it, in words."""
    return f"{therapy}, {f'day {day}' if day is not None else 'day not known'}"


# --- Silence and windows


def _patients(session: Session, team: CareTeam, since: datetime, at: datetime) -> Sequence[Patient]:
    """The patients of the team with a course that runs, or ended in the shift."""
    first = history.local_date(team, since) - timedelta(days=1)
    query = (
        select(Patient)
        .where(
            Patient.care_team_id == team.id,
            Patient.courses.any(or_(Course.ended_on.is_(None), Course.ended_on >= first)),
        )
        .options(
            joinedload(Patient.care_team),
            selectinload(Patient.courses).selectinload(Course.dose_events),
            selectinload(Patient.admissions).joinedload(Admission.noted_by),
        )
    )
    return by_name(session.scalars(query))


def _silent(
    ruleset: Ruleset,
    patients: Sequence[Patient],
    last: Mapping[UUID, ReportRecord],
    rows: Iterable[queue.QueueRow],
    at: datetime,
) -> Iterator[Silent]:
    """Whoever is silent by the rules now, whether or not somebody has resolved the alert about it; and whoever's alert
    about silence still waits, though it would not be opened today."""
    by_patient = {row.patient.id: row for row in rows}
    told: set[UUID] = set()
    for patient in patients:
        row = by_patient.get(patient.id)
        says = _silence_of(ruleset, patient, last.get(patient.id), at)
        if says or (row is not None and row.silent):
            told.add(patient.id)
            yield _silent_one(patient, says, row, at)
    for row in by_patient.values():  # whose course has ended meanwhile
        if row.silent and row.patient.id not in told:
            yield _silent_one(row.patient, [], row, at)


def _silence_of(ruleset: Ruleset, patient: Patient, last: ReportRecord | None, at: datetime) -> list[str]:
    try:
        judged = silence.judge(ruleset, patient, last, at)
    except Exception as error:
        logs.failure("handover_silence_unknown", error, patient=str(patient.id))
        return ["it could not be checked whether reports are missing"]
    if judged is None or judged.urgency is Urgency.ROUTINE:
        return []
    return list(dict.fromkeys(sentence for fired in judged.fired for sentence in fired.because))


def _in_hospital(
    patients: Sequence[Patient], last: Mapping[UUID, ReportRecord], words: _Words, at: datetime
) -> Iterator[InHospital]:
    """Whoever is noted as in hospital. Each shift reads them: a return that nobody noted would hide a silence."""
    for patient in patients:
        stay, report = patient.in_hospital, last.get(patient.id)
        if stay is None or patient.has_died:
            continue
        yield InHospital(
            patient=patient.name,
            patient_id=str(patient.id),
            about=_about_now(patient, at),
            phone=patient.phone,
            says=f"since {words.moment(stay.since)}, noted by {stay.noted_by.name}",
            reported=words.moment(report.reported_at) if report and report.reported_at > stay.since else "",
        )


def _about_now(patient: Patient, at: datetime) -> str:
    today = history.local_date(patient.care_team, at)
    course = history.current_course(patient, today)
    return about(queue.therapy_name(course), history.days_since_therapy(course, today))


def _silent_one(patient: Patient, says: list[str], row: queue.QueueRow | None, at: datetime) -> Silent:
    if not says and row is not None:
        says = [fact for line in row.lines if line.who == queue.SILENCE for fact in line.facts][:1]
    return Silent(
        patient=patient.name,
        patient_id=str(patient.id),
        about=_about_now(patient, at),
        phone=patient.phone,
        says=says,
        alert=row is not None,
    )


def _last(session: Session, patients: Sequence[UUID]) -> dict[UUID, ReportRecord]:
    latest = (
        select(ReportRecord.patient_id, func.max(ReportRecord.reported_at).label("at"))
        .where(ReportRecord.patient_id.in_(patients))
        .group_by(ReportRecord.patient_id)
        .subquery()
    )
    query = select(ReportRecord).join(
        latest, (latest.c.patient_id == ReportRecord.patient_id) & (latest.c.at == ReportRecord.reported_at)
    )
    return {report.patient_id: report for report in session.scalars(query)}


def _early(patient: Patient, day: date) -> bool | None:
    """Whether that day is inside the early window; None where therapy or day is not known. A day before the first dose
    is outside."""
    course = history.current_course(patient, day)
    since = history.days_since_therapy(course, day)
    if course is None or (since is None and (course.started_on or course.dose_events)):
        return False
    return queue.in_early(course, since)


def _moves(patients: Iterable[Patient], team: CareTeam, since: datetime, at: datetime) -> Iterator[Move]:
    """Who comes into or leaves the early window from the first day of the shift to tomorrow."""
    first, last = history.local_date(team, since), history.local_date(team, at) + timedelta(days=1)
    for patient in patients:
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            before, now = (_early(patient, each) for each in (day - timedelta(days=1), day))
            if before is not now and before is not None and now is not None:
                yield Move(patient.name, str(patient.id), now, _move_words(patient, day, now))


def _move_words(patient: Patient, day: date, enters: bool) -> str:
    course = history.current_course(patient, day)
    if course is None:
        return f"{_Words.day(day)}: monitoring has ended"
    number = history.days_since_therapy(course, day)
    therapy = versions.active().catalogue.therapies.get(course.therapy or "")
    window = f" ({record.days_words(therapy.early)})" if therapy and therapy.early else ""
    does = "comes into" if enters else "is out of"
    return f"{_Words.day(day)}, day {number} of {queue.therapy_name(course)}: {does} the early window{window}"


# --- What was done


def _touched(session: Session, team: CareTeam, since: datetime, at: datetime) -> list[UUID]:
    """The alerts about which the audit trail tells something of the shift."""
    query = (
        select(AuditEntry.subject)
        .join(Patient, Patient.id == AuditEntry.patient_id)
        .where(
            Patient.care_team_id == team.id,
            AuditEntry.at > since,
            AuditEntry.at <= at,
            AuditEntry.action.in_(work_words.WORK),
        )
        .distinct()
    )
    return [UUID(subject) for subject in session.scalars(query)]


def _with_work(session: Session, ids: Iterable[UUID]) -> Mapping[UUID, Alert]:
    query = (
        select(Alert)
        .where(Alert.id.in_(set(ids)))
        .options(selectinload(Alert.findings), joinedload(Alert.patient), *work_words.LOADED)
    )
    return {alert.id: alert for alert in session.scalars(query)}


def _done(
    session: Session, team: CareTeam, alerts: Sequence[Alert], since: datetime, at: datetime, words: _Words
) -> list[Done]:
    """What was done, patient by patient."""
    told: dict[UUID, list[tuple[datetime, str, str, str]]] = {}
    names = {alert.patient_id: alert.patient.name for alert in alerts}
    for step, alert in record.told_steps(alerts, record.steps(session, alerts)):
        resolved = work_words.resolution(alert, step.at) if step.action == "alert_resolved" else None
        done = f": {DISPOSITIONS[resolved.disposition].lower()}" if resolved and resolved.disposition else ""
        urgency = record.urgency_at(alert, step.at).code
        what = f"{work_words.STEPS[step.action]} ({urgency}){done}"
        line = (step.at, what, step.by, resolved.note if resolved else "")
        told.setdefault(alert.patient_id, []).append(line)
    for alert in alerts:
        for tale in work_words.tales(alert, team.time_zone):
            told.setdefault(alert.patient_id, []).append((tale.at, tale.what, tale.by, tale.note))
    for patient, line in _other_work(session, team, since, at):
        names[patient.id] = patient.name
        told.setdefault(patient.id, []).append(line)
    in_shift = {
        patient: [line for line in sorted(lines, key=lambda line: line[0]) if since < line[0] <= at]
        for patient, lines in told.items()
    }
    return [
        Done(
            names[patient],
            str(patient),
            [{"at": words.moment(when), "what": what, "by": by, "note": note} for when, what, by, note in lines],
        )
        for patient, lines in sorted(in_shift.items(), key=lambda item: (names[item[0]], str(item[0])))
        if lines
    ]


def _other_work(
    session: Session, team: CareTeam, since: datetime, at: datetime
) -> Iterator[tuple[Patient, tuple[datetime, str, str, str]]]:
    """Reports taken by telephone, and rules muted or no longer."""
    by_telephone = (
        select(ReportRecord)
        .join(ReportRecord.reporter)
        .where(
            Person.care_team_id == team.id,
            Person.role == Role.NURSE,
            ReportRecord.reported_at > since,
            ReportRecord.reported_at <= at,
        )
        .options(joinedload(ReportRecord.reporter), joinedload(ReportRecord.patient))
    )
    for report in session.scalars(by_telephone):
        yield report.patient, (report.reported_at, "Report taken by telephone", report.reporter.name, "")
    muted = (
        select(RuleMute, Patient)
        .join(Patient, Patient.id == RuleMute.patient_id)
        .where(Patient.care_team_id == team.id, or_(RuleMute.muted_at > since, RuleMute.lifted_at > since))
        .options(joinedload(RuleMute.muted_by), joinedload(RuleMute.lifted_by))
    )
    for mute, patient in session.execute(muted):
        until = _Words.day(mute.ends_on)
        yield patient, (mute.muted_at, f"Rule muted until {until}: {mute.title}", mute.muted_by.name, mute.reason)
        if mute.lifted_at and mute.lifted_by:
            yield patient, (mute.lifted_at, f"Rule no longer muted: {mute.title}", mute.lifted_by.name, "")


def _counts(session: Session, team: CareTeam, since: datetime, at: datetime) -> dict[str, int]:
    def of_alerts(moment: Any) -> int:
        query = select(func.count()).where(Alert.care_team_id == team.id, moment > since, moment <= at)
        return session.scalar(query) or 0

    reports = (
        select(func.count())
        .select_from(ReportRecord)
        .join(ReportRecord.patient)
        .where(Patient.care_team_id == team.id, ReportRecord.reported_at > since, ReportRecord.reported_at <= at)
    )
    return {
        "reports": session.scalar(reports) or 0,
        "opened": of_alerts(Alert.opened_at),
        "resolved": of_alerts(Alert.resolved_at),
    }


# --- Rules

_KINDS = {ActivationKind.APPROVAL: "became active", ActivationKind.ROLL_BACK: "rolled back"}


def _rules(session: Session, team: CareTeam, since: datetime, at: datetime, words: _Words) -> Iterator[RuleChange]:
    """The versions that became active today or in the shift, the latest first."""
    midnight = datetime.combine(history.local_date(team, at), time.min, words.zone)
    query = (
        select(RulesetActivation)
        .where(
            RulesetActivation.activated_at >= min(since, midnight),
            RulesetActivation.activated_at <= at,
            RulesetActivation.kind != ActivationKind.SEED,
        )
        .order_by(RulesetActivation.number.desc())
        .options(joinedload(RulesetActivation.activated_by))
    )
    for activation in session.scalars(query):
        yield RuleChange(
            number=activation.number,
            kind=_KINDS[ActivationKind(activation.kind)],
            by=activation.activated_by.name if activation.activated_by else "the system",
            at=words.moment(activation.activated_at),
            reason=activation.reason,
            rules=_changed(session, activation),
        )


def _changed(session: Session, activation: RulesetActivation) -> list[str]:
    """The rules that differ from the version before, by title."""
    before = session.scalar(
        select(RulesetActivation.ruleset_hash).where(RulesetActivation.number == activation.number - 1)
    )
    try:
        old, new = (versions.by_hash(session, each) for each in (before or "", activation.ruleset_hash))
        differs = difference(old, new, {}, {})
    except Exception as error:  # what has changed can be read in the rules; that something did must be told
        logs.failure("rule_change_unreadable", error, version=activation.number)
        return []
    return [*(f"{each.title} ({each.kind})" for each in differs.rules), *differs.others]

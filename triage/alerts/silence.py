"""Looks for reports that did not come. Silence in the riskiest days is itself a warning sign.

1. Every patient with a running course whose therapy expects daily reports today is looked at, days counted from the
   latest dose; an unknown therapy or day counts as expecting one.
   Nobody is waited for while the patient is in hospital, nor after a death.
2. Silent since: the last report or the day on which reports began to be expected (day 0; the next dose, where there
   was a pause before it; enrolment, where that came later) or the return from hospital, whichever is the latest.
3. The rules that ask for silence judge it after the grace of response.yaml is taken off: a rule of 24 hours and a grace
   of 2 hours open an alert 26 hours after the last report, so that a report a little later than yesterday's alarms
   nobody.
4. The same silence is told once, and again only when a more urgent rule fires, or when it goes on as long once more
   after somebody resolved the alert: "will report this evening" must not be the last that anybody hears.
5. A patient whose check fails gets an urgent finding that says so; the others are still looked at.
6. Before the alert come the reminders of response.yaml: each so long before the moment at which the alert would open.
   That moment is found by asking what these rules would say then, so that a reminder comes earlier wherever they are
   stricter. Each is owed once for a silence (`triage.alerts.reminders`).

Looking takes a fixed number of queries and no lock, and writes nothing while there is nothing new. Most minutes it is
one query: who reported so lately that no rule could ask for them yet, whatever their therapy and day, is not read at
all (`_silent_for_long`). What is found is decided again, patient by patient, under the lock of the patient's row: a
report that comes meanwhile wins, and two checks at once make one finding and one reminder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload

from triage import clock, logs
from triage.accounts import audit
from triage.alerts import escalation, work
from triage.alerts.services import add_finding
from triage.database import db, writing
from triage.models import Alert, AlertFinding, AlertKind, Course, OwedReminder, Patient, ReportRecord
from triage.reports import history
from triage.rules.assessment import Assessment, Fact, FiredRule
from triage.rules.catalogue import Therapy
from triage.rules.conditions import SilentFor, walk
from triage.rules.engine import assess_silence
from triage.rules.report import Report
from triage.rules.ruleset import Reminder, Ruleset
from triage.rules.urgency import Urgency
from triage.rules.wording import fact_sentence, hours
from triage.ruleset_editor import versions

CHECK_FAILED = "silence-check-failed"
"""Stands for a rule in the finding of a patient whose check failed."""
FAILED_AGAIN_AFTER = timedelta(hours=24)
"""A check that still fails so long after somebody resolved its alert is told again."""


def main(every: int | None) -> None:
    """One look, or one every `every` seconds for ever: for missing reports, and for acknowledgements after which
    nothing was written. What fails is logged, and tried again with the next look."""
    from triage import create_app

    app = create_app()
    while True:
        with app.app_context():
            failed = _look()
        if failed is not None and every is None:
            raise failed
        if every is None:
            return
        time.sleep(every)


def _look() -> Exception | None:
    """Each part is tried whatever became of the other; the failure of one of them, if any."""
    failed: Exception | None = None
    try:
        work.expire_acknowledgements(db.session, clock.now())
    except Exception as error:
        logs.failure("acknowledgement_check_failed", error)
        failed = error
    try:
        sweep(db.session, versions.active(), clock.now())
    except Exception as error:
        logs.failure("silence_sweep_failed", error)
        failed = error
    return failed


def sweep(session: Session, ruleset: Ruleset, at: datetime) -> int:
    """Owe the reminders of missing reports, and open or raise alerts for them, at that moment (UTC); how many findings
    were added."""
    return look(session, ruleset, at, enough=lambda: False).found


@dataclass(frozen=True)
class Look:
    """What became of one look for missing reports."""

    found: int
    """Findings that were added."""
    finished: bool
    """Nothing was left for another look."""


def look(session: Session, ruleset: Ruleset, at: datetime, enough: Callable[[], bool]) -> Look:
    """As `sweep`, as long as it is not `enough`. Alerts come first; another look finds what is left over."""
    session.rollback()
    ids = _silent_for_long(session, ruleset, at)
    if not ids:
        return Look(0, finished=True)
    patients = session.scalars(_with_what_counts(), {"ids": ids}).unique().all()
    last, found, reminded = _last_reports(session, ids), _found(session, ids), _reminded(session, ids)
    to_tell, to_remind = [], []
    for patient in patients:
        heard = last.get(patient.id)
        if _nothing_soon(ruleset, patient, heard, at):
            continue
        if _due(ruleset, patient, heard, reminded.get(patient.id, frozenset()), at):
            to_remind.append(patient.id)
        if _news(ruleset, patient, heard, found.get(patient.id, ()), at):
            to_tell.append(patient.id)
    added = done = 0
    for tell in (True, False):
        for patient_id in to_tell if tell else to_remind:
            if done and enough():  # one that fails, and takes long to, keeps nobody after it waiting
                return Look(added, finished=False)
            if tell:
                told = _tell(session, ruleset, patient_id, at)
                added, done = added + told, done + told
            else:
                done += _remind(session, ruleset, patient_id, at)
    return Look(added, finished=True)


def _silent_for_long(session: Session, ruleset: Ruleset, at: datetime) -> list[UUID]:
    """The patients with a running course whose last report lets a rule open an alert by now, or soon enough for a
    reminder, whatever their therapy and day: mostly nobody, so that mostly nothing else has to be read.

    A few too many at the end of a course: the care team's time zone decides, in `judge`.
    """
    heard = session.execute(_heard(), {"yesterday": (at - timedelta(days=1)).date()}).all()
    patience = _patience(session, ruleset, [report_id for _, report_id, _ in heard])
    until = at + max((reminder.before for reminder in ruleset.response.reminders), default=timedelta())
    return [patient_id for patient_id, report_id, since in heard if since + patience[report_id] <= until]


@cache
def _heard() -> Select[UUID, UUID | None, datetime]:
    """Patients with a running course, their latest report, and when it came or, without one, they were enrolled."""
    latest = (
        select(ReportRecord.id)
        .where(ReportRecord.patient_id == Patient.id)
        .order_by(ReportRecord.reported_at.desc(), ReportRecord.id)
        .limit(1)
        .correlate(Patient)
        .scalar_subquery()
    )
    return (
        select(Patient.id, ReportRecord.id, func.coalesce(ReportRecord.reported_at, Patient.enrolled_at))
        .outerjoin(ReportRecord, ReportRecord.id == latest)
        .where(
            Patient.died_on.is_(None),
            Patient.courses.any(or_(Course.ended_on.is_(None), Course.ended_on >= bindparam("yesterday"))),
        )
        .order_by(Patient.id)
    )


_patience_after: dict[tuple[str, UUID | None], timedelta] = {}
"""By the ruleset's hash and the report: neither ever changes."""
_MOST_REMEMBERED = 50_000
_FOR_EVER = timedelta(days=36_500)


def _patience(session: Session, ruleset: Ruleset, reports: Iterable[UUID | None]) -> dict[UUID | None, timedelta]:
    """The shortest silence after each of these reports, None for none at all, that may open an alert, the grace
    included."""
    wanted = set(reports)
    known = {each: _patience_after[ruleset.hash, each] for each in wanted if (ruleset.hash, each) in _patience_after}
    new = wanted - set(known)
    if len(_patience_after) + len(new) > _MOST_REMEMBERED:
        _patience_after.clear()
    if None in new:
        known[None] = _shortest(ruleset, None)
    unread = [each for each in new if each is not None]
    for place in range(0, len(unread), 1_000):  # databases limit the length of a list
        some = unread[place : place + 1_000]
        for record in session.scalars(select(ReportRecord).where(ReportRecord.id.in_(some))):
            known[record.id] = _shortest(ruleset, record)
    _patience_after.update({(ruleset.hash, each): known[each] for each in new})
    return known


def _shortest(ruleset: Ruleset, last: ReportRecord | None) -> timedelta:
    """Therapy and day are left unknown, so that every rule counts; no time at all where it cannot be told."""
    spans = {part.span for rule in ruleset.rules for part in walk(rule.when) if isinstance(part, SilentFor)}
    try:
        report = history.read(last, ruleset.catalogue) if last else Report(patient="")
        asked = replace(report, therapy=None, days_since_therapy=None)
        for span in sorted({timedelta(), *spans}):
            if assess_silence(ruleset, asked, span).urgency > Urgency.ROUTINE:
                return span + ruleset.response.silence_grace
    except Exception:  # told as an alert: the same check fails there
        return timedelta()
    return _FOR_EVER


@cache
def _with_what_counts() -> Select[Patient]:
    return (
        select(Patient)
        .where(Patient.id.in_(bindparam("ids", expanding=True)))
        .options(
            joinedload(Patient.care_team),
            joinedload(Patient.courses).joinedload(Course.dose_events),
            joinedload(Patient.admissions),
        )
        .order_by(Patient.id)
    )


def _nothing_soon(ruleset: Ruleset, patient: Patient, last: ReportRecord | None, at: datetime) -> bool:
    """Whether nothing is to be told before the earliest reminder of anything, as for nearly everybody nearly always.

    Silence only grows, and a longer one never asks for less, as long as the day and the whereabouts are the same: so
    one question for the latest moment answers all before it.
    """
    try:
        then = at + max((reminder.before for reminder in ruleset.response.reminders), default=timedelta())
        if any(stay.since > at or (stay.home_at is not None and stay.home_at > at) for stay in patient.admissions):
            return False
        if history.local_date(patient.care_team, at) != history.local_date(patient.care_team, then):
            return False
        coming = judge(ruleset, patient, last, then)
    except Exception:  # told as an alert: the same check fails there
        return False
    return coming is None or coming.urgency is Urgency.ROUTINE


def _last_reports(session: Session, patients: Iterable[UUID]) -> dict[UUID, ReportRecord]:
    """The latest report of each patient, in one query."""
    return {record.patient_id: record for record in session.scalars(_latest(), {"ids": list(patients)})}


@cache
def _latest() -> Select[ReportRecord]:
    numbered = (
        select(
            ReportRecord.id,
            func.row_number()
            .over(partition_by=ReportRecord.patient_id, order_by=(ReportRecord.reported_at.desc(), ReportRecord.id))
            .label("place"),
        )
        .where(ReportRecord.patient_id.in_(bindparam("ids", expanding=True)))
        .subquery()
    )
    return select(ReportRecord).join(numbered, numbered.c.id == ReportRecord.id).where(numbered.c.place == 1)


_Findings = Sequence[tuple[AlertFinding, datetime | None]]
"""What was told of a patient's silences, each with the time when its alert was resolved."""
_Reminded = frozenset[tuple[datetime, int]]
"""Since when the patient was silent, and the number of the reminder: what was owed already."""


def _found(session: Session, patients: Iterable[UUID]) -> dict[UUID, _Findings]:
    """What was told since the last report of each patient."""
    found: dict[UUID, list[tuple[AlertFinding, datetime | None]]] = {}
    for patient_id, finding, resolved_at in session.execute(_of_silence(), {"ids": list(patients)}):
        found.setdefault(patient_id, []).append((finding, resolved_at))
    return {**found}


@cache
def _of_silence() -> Select[UUID, AlertFinding, datetime | None]:
    answered = exists().where(
        ReportRecord.patient_id == Alert.patient_id, ReportRecord.reported_at >= AlertFinding.found_at
    )
    of_patients = Alert.patient_id.in_(bindparam("ids", expanding=True))
    return (
        select(Alert.patient_id, AlertFinding, Alert.resolved_at)
        .join(Alert, Alert.id == AlertFinding.alert_id)
        .where(of_patients, AlertFinding.kind == AlertKind.SILENCE, ~answered)
    )


def _reminded(session: Session, patients: Iterable[UUID]) -> dict[UUID, _Reminded]:
    found: dict[UUID, set[tuple[datetime, int]]] = {}
    for patient_id, since, number in session.execute(_of_reminders(), {"ids": list(patients)}):
        found.setdefault(patient_id, set()).add((since, number))
    return {patient_id: frozenset(reminders) for patient_id, reminders in found.items()}


@cache
def _of_reminders() -> Select[UUID, datetime, int]:
    of_patients = OwedReminder.patient_id.in_(bindparam("ids", expanding=True))
    return select(OwedReminder.patient_id, OwedReminder.silent_since, OwedReminder.number).where(of_patients)


def _news(ruleset: Ruleset, patient: Patient, last: ReportRecord | None, found: _Findings, at: datetime) -> bool:
    try:
        return _to_tell(ruleset, patient, last, found, at) is not None
    except Exception:
        return _failure_to_tell(ruleset, patient, last, found, at) is not None


def _due(
    ruleset: Ruleset, patient: Patient, last: ReportRecord | None, reminded: _Reminded, at: datetime
) -> list[tuple[int, Reminder, Urgency]]:
    """The reminders whose time has come, with their number and the urgency of the alert that would follow."""
    try:
        return list(_reminders(ruleset, patient, last, reminded, at))
    except Exception:  # told as an alert: the same check fails there
        return []


def _reminders(
    ruleset: Ruleset, patient: Patient, last: ReportRecord | None, reminded: _Reminded, at: datetime
) -> Iterator[tuple[int, Reminder, Urgency]]:
    since = silent_since(ruleset, patient, last, at)
    for number, reminder in enumerate(ruleset.response.reminders):
        if (since, number) in reminded:
            continue
        coming = judge(ruleset, patient, last, at + reminder.before)
        if coming is not None and coming.urgency > Urgency.ROUTINE:
            yield number, reminder, coming.urgency


def _remind(session: Session, ruleset: Ruleset, patient_id: UUID, at: datetime) -> int:
    """Owe the reminders that are due, unless a report or another check came first; 0 where that failed."""
    try:
        with writing(session):
            patient = session.get_one(Patient, patient_id, with_for_update=True)
            last = _last_reports(session, [patient_id]).get(patient_id)
            reminded = _reminded(session, [patient_id]).get(patient_id, frozenset())
            for number, reminder, urgency in _due(ruleset, patient, last, reminded, at):
                waits = None
                if reminder.quiet_hours and urgency < Urgency.URGENT:
                    waits = escalation.quiet_until(reminder.quiet_hours, patient.care_team.time_zone, at)
                owed = OwedReminder(
                    patient_id=patient.id,
                    silent_since=silent_since(ruleset, patient, last, at),
                    number=number,
                    tell=reminder.tell,
                    channels=list(reminder.by),
                    owed_at=at,
                    due_at=waits or at,
                )
                session.add(owed)
                session.flush()
                audit.record(session, "reminder_owed", by=None, patient=patient, subject=str(owed.id), at=at)
    except Exception as error:  # the next sweep tries again; the patients after this one must not wait for it
        logs.failure("reminder_not_owed", error, patient=str(patient_id))
        return 0
    return 1


def _tell(session: Session, ruleset: Ruleset, patient_id: UUID, at: datetime) -> int:
    """Add the finding, unless a report or another check came first; how many were added."""
    try:
        with writing(session):
            patient = session.get_one(Patient, patient_id, with_for_update=True)
            last = _last_reports(session, [patient_id]).get(patient_id)
            found = _found(session, [patient_id]).get(patient_id, ())
            try:
                assessment = _to_tell(ruleset, patient, last, found, at)
            except Exception as error:
                logs.failure("silence_check_failed", error, patient=str(patient.id))
                assessment = _failure_to_tell(ruleset, patient, last, found, at)
            if assessment is None:
                return 0
            add_finding(session, ruleset, patient, assessment, AlertKind.SILENCE, None, at)
            audit.record(session, "silence_found", by=None, patient=patient, at=at)
    except Exception as error:  # the next sweep tries again; the patients after this one must not wait for it
        logs.failure("silence_finding_failed", error, patient=str(patient_id))
        return 0
    return 1


@dataclass(frozen=True)
class _Told:
    """What was said of the present silence: how urgently, and since when nobody waits for an answer to it any more."""

    urgency: Urgency = Urgency.ROUTINE
    handled_at: datetime | None = None
    waiting: bool = False


def _to_tell(
    ruleset: Ruleset, patient: Patient, last: ReportRecord | None, found: _Findings, at: datetime
) -> Assessment | None:
    """What has to be said of the patient's silence now; None when there is nothing new to say."""
    assessment = judge(ruleset, patient, last, at)
    if assessment is None or assessment.urgency is Urgency.ROUTINE:
        return None
    told = _told(found, silent_since(ruleset, patient, last, at), failed=False)
    if assessment.urgency > told.urgency:
        return assessment
    again = None if told.waiting else judge(ruleset, patient, last, at, not_before=told.handled_at)
    return assessment if again is not None and again.urgency > Urgency.ROUTINE else None


def _failure_to_tell(
    ruleset: Ruleset, patient: Patient, last: ReportRecord | None, found: _Findings, at: datetime
) -> Assessment | None:
    """That the check failed; None where that was said already."""
    told = _told(found, last.reported_at if last else None, failed=True)
    if told.waiting or (told.handled_at is not None and at - told.handled_at < FAILED_AGAIN_AFTER):
        return None
    return _failed(ruleset, patient)


def _told(findings: _Findings, since: datetime | None, *, failed: bool) -> _Told:
    """The findings about this silence: those of the rules, or those of checks that failed."""
    found = [
        (finding, resolved_at)
        for finding, resolved_at in findings
        if (since is None or finding.found_at > since) and (CHECK_FAILED.encode() in finding.body) is failed
    ]
    return _Told(
        urgency=max((finding.urgency for finding, _ in found), default=Urgency.ROUTINE),
        handled_at=max((resolved_at for _, resolved_at in found if resolved_at is not None), default=None),
        waiting=any(resolved_at is None for _, resolved_at in found),
    )


def judge(
    ruleset: Ruleset, patient: Patient, last: ReportRecord | None, at: datetime, not_before: datetime | None = None
) -> Assessment | None:
    """What the silence rules say at that moment; None while no report is expected. `not_before`: silence before it
    does not count."""
    today = _today(ruleset, patient, at)
    if today is None:
        return None
    therapy, day = today
    since = silent_since(ruleset, patient, last, at)
    silent = at - (max(since, not_before) if not_before else since)
    report = history.read(last, ruleset.catalogue) if last else Report(patient=str(patient.id))
    asked = replace(report, therapy=therapy.code if therapy else None, days_since_therapy=day)
    assessment = assess_silence(ruleset, asked, max(silent - ruleset.response.silence_grace, timedelta()))
    return _with_true_hours(assessment, silent, ruleset)


def expected(ruleset: Ruleset, patient: Patient, at: datetime) -> bool:
    """Whether a report of the patient is expected on that day."""
    return _today(ruleset, patient, at) is not None


def _today(ruleset: Ruleset, patient: Patient, at: datetime) -> tuple[Therapy | None, int | None] | None:
    """The therapy and its day, as far as they are known; None while no report is expected."""
    if patient.has_died or _in_hospital(patient, at):
        return None
    today = history.local_date(patient.care_team, at)
    course = history.current_course(patient, today)
    if course is None:
        return None
    day = history.days_since_therapy(course, today)
    therapy = ruleset.catalogue.therapies.get(course.therapy or "")
    return (therapy, day) if _expected(therapy, day) else None


def silent_since(ruleset: Ruleset, patient: Patient, last: ReportRecord | None, at: datetime) -> datetime:
    """The latest of: the last report, else enrolment; the return from hospital; the day on which reports began to be
    expected."""
    heard = last.reported_at if last else patient.enrolled_at
    heard = max(heard, *(stay.home_at for stay in patient.admissions if stay.home_at and stay.home_at <= at), heard)
    today = history.local_date(patient.care_team, at)
    course = history.current_course(patient, today)
    began = _expected_from(course, ruleset.catalogue.therapies.get(course.therapy or ""), today) if course else None
    if began is None:
        return heard
    return max(heard, datetime.combine(began, datetime.min.time(), ZoneInfo(patient.care_team.time_zone)))


def _in_hospital(patient: Patient, at: datetime) -> bool:
    return any(stay.since <= at and (stay.home_at is None or stay.home_at > at) for stay in patient.admissions)


def _expected(therapy: Therapy | None, day: int | None) -> bool:
    """Whether a report is expected on that day. What is not known counts as expected."""
    if therapy is None:
        return True
    window = therapy.daily_report
    return window is not None and (day is None or window.contains(day))


def _expected_from(course: Course, therapy: Therapy | None, today: date) -> date | None:
    """The first day of the present run of expected reports: the latest dose, or an earlier one where reports were
    expected without a pause. A dose that falls into the run does not forgive silence. None without any date."""
    doses = {dose.given_on for dose in course.dose_events} | ({course.started_on} if course.started_on else set())
    past = sorted((given_on for given_on in doses if given_on <= today), reverse=True)
    if not past:
        return course.started_on
    first = past[0]
    for earlier in past[1:]:
        if not _expected(therapy, (first - earlier).days - 1):
            break
        first = earlier
    return first


def _with_true_hours(assessment: Assessment, silent: timedelta, ruleset: Ruleset) -> Assessment:
    """The same judgment, telling how long it really has been silent, the grace included."""

    def true(fact: Fact) -> Fact:
        return replace(fact, value=hours(silent)) if fact.test == "silent_for" else fact

    def retold(fired: FiredRule) -> FiredRule:
        facts = tuple(true(fact) for fact in fired.facts)
        because = tuple(fact_sentence(fact, ruleset.catalogue) for fact in facts)
        return replace(fired, facts=facts, because=because or fired.because)

    return replace(assessment, fired=tuple(retold(fired) for fired in assessment.fired))


def _failed(ruleset: Ruleset, patient: Patient) -> Assessment:
    finding = FiredRule(
        rule=CHECK_FAILED,
        urgency=Urgency.URGENT,
        title="It could not be checked whether this patient's reports are missing",
        facts=(),
        because=("the check for missing reports failed for this patient, so a person has to look",),
        source="judgment",
        failed=True,
    )
    return Assessment(str(patient.id), None, Urgency.URGENT, ruleset.hash, (finding,))

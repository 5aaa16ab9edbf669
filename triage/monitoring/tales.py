"""What was noted of a patient's monitoring, in the words of the patient record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage.models import (
    Admission,
    CourseChange,
    CourseChangeKind,
    EndReason,
    MonitoringEnd,
    Patient,
    Rejudgment,
    ReportRecord,
)
from triage.rules.urgency import Urgency

_ENDS = {
    EndReason.COMPLETED: "Monitoring ended, completed as planned",
    EndReason.TRANSFERRED: "Monitoring ended: another team looks after the patient",
    EndReason.WITHDREW: "Monitoring ended: the patient did not want to go on",
    EndReason.DIED: "The patient has died",
}
_KINDS = {"infusion": "infusion", "cycle_start": "start of a cycle", "dose_step": "dose step or restart"}


@dataclass(frozen=True)
class Tale:
    """One thing that somebody noted."""

    at: datetime
    what: str
    by: str
    note: str = ""


@dataclass(frozen=True)
class Judged:
    """What was made of one report before a change and after it."""

    reported_at: datetime
    reporter: str
    before_day: int | None
    day: int | None
    before: Urgency
    after: Urgency
    rules_before: tuple[str, ...]
    rules_after: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return (self.before, self.rules_before) != (self.after, self.rules_after)


def judged_again(session: Session, change: CourseChange) -> list[Judged]:
    """Every report that the change concerns: those whose judgment changed first, each part in order of time."""
    query = (
        select(Rejudgment)
        .where(Rejudgment.change_id == change.id)
        .order_by(Rejudgment.number)
        .options(joinedload(Rejudgment.report).joinedload(ReportRecord.reporter))
    )
    found = [_judged(again) for again in session.scalars(query)]
    return sorted(found, key=lambda one: not one.changed)


def _judged(again: Rejudgment) -> Judged:
    return Judged(
        reported_at=again.report.reported_at,
        reporter=again.report.reporter.name,
        before_day=again.before_day,
        day=again.day,
        before=again.before_urgency,
        after=again.urgency,
        rules_before=_rules(again.before_body),
        rules_after=_rules(again.body),
    )


def _rules(body: bytes) -> tuple[str, ...]:
    """The titles of the rules that fired, and of those that could not be decided."""
    try:
        data = json.loads(body)
        undecided = (f"{rule['title']} (undecided)" for rule in data.get("undecided", []))
        return (*(str(rule["title"]) for rule in data["fired"]), *undecided)
    except (ValueError, KeyError, TypeError):
        return ()


def tales(session: Session, patient: Patient) -> Iterator[Tale]:
    """All that was noted of the patient, taken back or not, in a fixed number of queries."""
    yield from _stays(session, patient)
    yield from _ends(session, patient)
    yield from _changes(session, patient)


def _stays(session: Session, patient: Patient) -> Iterator[Tale]:
    query = (
        select(Admission)
        .where(Admission.patient_id == patient.id)
        .options(joinedload(Admission.noted_by), joinedload(Admission.home_noted_by), joinedload(Admission.undone_by))
    )
    zone = patient.care_team.time_zone
    for stay in session.scalars(query):
        yield Tale(stay.noted_at, f"In hospital since {_moment(stay.since, zone)}", stay.noted_by.name)
        if stay.home_at and stay.home_noted_at and stay.home_noted_by:
            yield Tale(stay.home_noted_at, f"Home again since {_moment(stay.home_at, zone)}", stay.home_noted_by.name)
        if stay.undone_at and stay.undone_by:
            yield Tale(stay.undone_at, "Admission taken back: noted by a slip", stay.undone_by.name)


def _ends(session: Session, patient: Patient) -> Iterator[Tale]:
    query = (
        select(MonitoringEnd)
        .where(MonitoringEnd.patient_id == patient.id)
        .options(joinedload(MonitoringEnd.noted_by), joinedload(MonitoringEnd.undone_by))
    )
    for end in session.scalars(query):
        yield Tale(end.noted_at, f"{end_words(end)} ({day_words(end.ended_on)})", end.noted_by.name)
        if end.undone_at and end.undone_by:
            died = end.reason == EndReason.DIED
            what = "The death was noted by a slip and is taken back" if died else "End of monitoring taken back"
            yield Tale(end.undone_at, what, end.undone_by.name)


def _changes(session: Session, patient: Patient) -> Iterator[Tale]:
    query = (
        select(CourseChange)
        .where(CourseChange.patient_id == patient.id)
        .options(
            joinedload(CourseChange.changed_by),
            selectinload(CourseChange.rejudgments).joinedload(Rejudgment.report).joinedload(ReportRecord.reporter),
        )
    )
    zone = patient.care_team.time_zone
    for change in session.scalars(query):
        found = [_judged(again) for again in change.rejudgments]
        lines = [change.why] if change.why else []
        if found:
            lines.append(_counted(found))
        lines += [_line(one, zone) for one in found if one.changed]
        yield Tale(change.changed_at, change_words(change), change.changed_by.name, "\n".join(lines))


def end_words(end: MonitoringEnd) -> str:
    """Why monitoring ended, in words."""
    return _ENDS[EndReason(end.reason)]


def change_words(change: CourseChange) -> str:
    """What was changed: "Dose corrected: infusion, 3 March 2026; before: infusion, 1 March 2026"."""
    before, after = _dose(change.before_on, change.before_kind), _dose(change.after_on, change.after_kind)
    match CourseChangeKind(change.kind):
        case CourseChangeKind.DOSE_ADDED:
            return f"Dose added: {after}"
        case CourseChangeKind.DOSE_CORRECTED:
            return f"Dose corrected: {after}; before: {before}"
        case CourseChangeKind.DOSE_REMOVED:
            return f"Dose taken out, it was not given: {before}"
        case CourseChangeKind.COURSE_BEGUN:
            return f"Further course, day 0: {day_words(change.after_on) if change.after_on else 'not known'}"
        case CourseChangeKind.STEROIDS:
            now = _span(change.after_on, change.after_until)
            return f"Steroids or tocilizumab: {now}; before: {_span(change.before_on, change.before_until)}"


def _counted(found: list[Judged]) -> str:
    changed = sum(one.changed for one in found)
    reports = "1 report was judged again" if len(found) == 1 else f"{len(found)} reports were judged again"
    return f"{reports}; the judgment of {changed or 'none'} changed. No alert was lowered or closed."


def _line(one: Judged, zone: str) -> str:
    rules = "; ".join(one.rules_after) or "no rule fires"
    days = f"day {_day(one.before_day)} → {_day(one.day)}"
    was = f"{one.before.code} → {one.after.code}" if one.before != one.after else one.after.code
    return f"Report of {_moment(one.reported_at, zone)}, {days}: {was} ({rules})"


def _day(day: int | None) -> str:
    return "not known" if day is None else str(day)


def _dose(on: date | None, kind: str | None) -> str:
    return f"{_KINDS[kind or 'infusion']}, {day_words(on)}" if on else "none"


def _span(since: date | None, until: date | None) -> str:
    if since is None:
        return "none"
    return f"since {day_words(since)}" + (f" until {day_words(until)}" if until else "")


def day_words(day: date) -> str:
    """A day in words: "2 March 2026"."""
    return f"{day.day} {day:%B %Y}"


def _moment(moment: datetime, zone: str) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    return f"{day_words(local.date())}, {local:%H:%M}"

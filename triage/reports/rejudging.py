"""Judging reports again when it becomes known that a dose was given on another day.

1. What the file says of each report's day is looked up before the change and after it (`on_file`). A report is affected
   when the two differ: in its days since therapy, its therapy, or whether there were steroids.
2. It is judged again with what the file says now, by the ruleset that judged it when it came and beside the same
   earlier reports: whatever differs, differs because of the days. Of earlier reports the rules read answers and times,
   never their days, so that no other report can change its judgment.
3. The outcome is a row of its own (`Rejudgment`). Report and assessment stay as they are.
4. Where it is more urgent than before, and not routine, it joins or opens the alert like any finding. Where it is less
   urgent, nothing is lowered and nothing closed.
5. A report that cannot be judged again gets an urgent finding that says so.

Nothing here commits: it stands or falls with the change (`triage.monitoring.courses`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from triage import logs
from triage.alerts import services as alerts
from triage.models import AlertKind, AssessmentRecord, CourseChange, Patient, Rejudgment, ReportRecord
from triage.reports import history
from triage.rules.assessment import Assessment, FiredRule
from triage.rules.catalogue import Presence
from triage.rules.engine import assess
from triage.rules.report import UNKNOWN, Report, from_old_data, to_data
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions

NOT_JUDGED = "judging-again-failed"
"""Stands for a rule in the finding of a report that could not be judged again."""


@dataclass(frozen=True)
class OnFile:
    """What the file says of a patient on a day."""

    therapy: str | None
    day: int | None
    """Days since therapy."""
    on_steroids: bool


def on_file(session: Session, patient: Patient) -> dict[UUID, OnFile]:
    """What it says now of the day of each report of the patient."""
    query = select(ReportRecord.id, ReportRecord.reported_at).where(ReportRecord.patient_id == patient.id)
    return {
        report_id: _of_day(patient, history.local_date(patient.care_team, at))
        for report_id, at in session.execute(query)
    }


def _of_day(patient: Patient, on: date) -> OnFile:
    course = history.current_course(patient, on)
    day = history.days_since_therapy(course, on)
    return OnFile(course.therapy if course else None, day, history.on_steroids(course, on))


def judge_again(
    session: Session,
    ruleset: Ruleset,
    patient: Patient,
    before: Mapping[UUID, OnFile],
    change: CourseChange,
    at: datetime,
) -> None:
    """Judge the reports that the change concerns, the earliest first. `before` is what `on_file` said before it;
    `ruleset` is the active one, which decides who is told. Adds, never commits."""
    after = on_file(session, patient)
    affected = [report_id for report_id, said in after.items() if said != before.get(report_id, said)]
    records = session.scalars(
        select(ReportRecord)
        .where(ReportRecord.id.in_(affected))
        .order_by(ReportRecord.reported_at, ReportRecord.id)
        .options(joinedload(ReportRecord.assessment))
    ).all()
    latest, read = _latest(session, affected), _Reader(session)
    for number, record in enumerate(records):
        judged_by = _ruleset_of(session, record, ruleset)
        assessed: AssessmentRecord | None = record.assessment
        earlier = assessed.history if assessed else []
        was = latest.get(record.id) or _first(record)
        day = after[record.id].day
        try:
            report = _with(history.read(record, judged_by.catalogue), before[record.id], after[record.id], judged_by)
            data = json.dumps(to_data(report), ensure_ascii=False, sort_keys=True)
            assessment = assess(judged_by, report, read.all(earlier, judged_by))
        except Exception as error:
            logs.failure("report_not_judged_again", error, report=str(record.id))
            data, assessment = record.data, _failed(judged_by, record)
        versions.keep(session, judged_by, at)
        again = Rejudgment(
            change_id=change.id,
            number=number,
            report_id=record.id,
            turn=was.turn + 1,
            ruleset_hash=judged_by.hash,
            data=data,
            history=list(earlier),
            before_day=was.day,
            day=day,
            before_urgency=was.urgency,
            before_body=was.body,
            urgency=assessment.urgency,
            body=assessment.to_bytes(),
            made_at=at,
        )
        session.add(again)
        session.flush()
        if assessment.urgency > was.urgency:
            kind = AlertKind.REJUDGMENT
            alerts.add_finding(session, ruleset, patient, assessment, kind, None, at, rejudgment_id=again.id)


def repeat(session: Session, again: Rejudgment) -> bytes:
    """Judge it once more from what is stored with it: the same bytes as `body`, or the program has changed."""
    ruleset = versions.by_hash(session, again.ruleset_hash)
    report = from_old_data(json.loads(again.data), ruleset.catalogue)
    return assess(ruleset, report, _Reader(session).all(again.history, ruleset)).to_bytes()


def _with(report: Report, before: OnFile, after: OnFile, ruleset: Ruleset) -> Report:
    """The report with what the file says now. What it said of steroids before and takes back is not known: the person
    was not asked."""
    if after.on_steroids:
        steroids = replace(report, on_steroids=Presence.YES)
    else:
        steroids = replace(report, on_steroids=UNKNOWN) if before.on_steroids else report
    therapy = after.therapy if after.therapy in ruleset.catalogue.therapies else None
    return replace(steroids, therapy=therapy, days_since_therapy=after.day)


@dataclass(frozen=True)
class _Judged:
    """What was made of a report last, and how often it had been judged again by then."""

    turn: int
    day: int | None
    urgency: Urgency
    body: bytes


def _latest(session: Session, reports: list[UUID]) -> dict[UUID, _Judged]:
    """The latest rejudgment of each report that has one."""
    query = (
        select(Rejudgment.report_id, Rejudgment.turn, Rejudgment.day, Rejudgment.urgency, Rejudgment.body)
        .where(Rejudgment.report_id.in_(reports))
        .order_by(Rejudgment.turn)
    )
    found = session.execute(query)
    return {report_id: _Judged(turn, day, urgency, body) for report_id, turn, day, urgency, body in found}


def _first(record: ReportRecord) -> _Judged:
    """What was made of the report when it came; one without an assessment was made nothing of."""
    day = json.loads(record.data).get("days_since_therapy")
    assessed: AssessmentRecord | None = record.assessment
    return _Judged(0, day, assessed.urgency, assessed.body) if assessed else _Judged(0, day, Urgency.ROUTINE, b"")


def _ruleset_of(session: Session, record: ReportRecord, active: Ruleset) -> Ruleset:
    """The ruleset that judged it; the active one where that cannot be read any more."""
    try:
        return versions.by_hash(session, record.assessment.ruleset_hash)
    except Exception as error:
        logs.failure("ruleset_unreadable", error, report=str(record.id))
        return active


class _Reader:
    """Reads each earlier report once: those of a patient look back on one another."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[tuple[str, str], Report] = {}

    def all(self, ids: list[str], ruleset: Ruleset) -> list[Report]:
        return [self._one(id, ruleset) for id in ids]

    def _one(self, id: str, ruleset: Ruleset) -> Report:
        if (id, ruleset.hash) not in self._read:
            record = self._session.get_one(ReportRecord, UUID(id))
            self._read[id, ruleset.hash] = history.read(record, ruleset.catalogue)
        return self._read[id, ruleset.hash]


def _failed(ruleset: Ruleset, record: ReportRecord) -> Assessment:
    finding = FiredRule(
        rule=NOT_JUDGED,
        urgency=Urgency.URGENT,
        title="This report could not be judged again",
        facts=(),
        because=("a dose was corrected and this report could not be judged again, so a person has to look",),
        source="judgment",
        failed=True,
    )
    return Assessment(str(record.patient_id), record.reported_at, Urgency.URGENT, ruleset.hash, (finding,))

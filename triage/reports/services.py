"""Taking in a report, and judging an old one again."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from triage.accounts import audit, covers
from triage.alerts import services as alerts
from triage.database import writing
from triage.models import AlertKind, AssessmentRecord, Patient, Person, ReportDraft, ReportRecord, Role
from triage.reports import baselines, history, thinking
from triage.rules.engine import assess
from triage.rules.report import Report, to_data
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions

FUTURE_ALLOWED = timedelta(minutes=5)
"""Two machines' clocks may differ a little."""

LONGEST_WAIT = timedelta(hours=72)
"""For how long a phone without a connection keeps what it could not send; assets/kept.mjs has the same."""


class FromTheFuture(ValueError):
    """A report cannot tell of a time that has not come."""


@dataclass(frozen=True)
class Reassessment:
    """The stored assessment beside the one made now by the same ruleset from the same reports."""

    stored: bytes
    again: bytes

    @property
    def same(self) -> bool:
        return self.stored == self.again


def submit(
    session: Session,
    ruleset: Ruleset,
    report: Report,
    reporter: Person,
    token: str,
    at: datetime,
    *,
    now: datetime | None = None,
    about: UUID | None = None,
    check: thinking.Scored | None = None,
) -> ReportRecord:
    """Store a report of `reporter` about their patient, made at `at` (UTC), with all that follows from it. It came at
    `now`, which is later where a phone had to keep it: alerts begin then, since nobody could have known before. A nurse
    who writes what she is told on the telephone says `about` whom: a patient of her own team. `check` is the thinking
    check of the report: the first finished one is kept as the patient's own baseline.

    Report, assessment, alert and audit entry commit together or not at all. `token` came with the form: a report sent
    twice is stored once, and the first one is returned; one with other answers is a report of its own. Raises
    FromTheFuture, and LookupError for a reporter without a patient, or a nurse of another team.
    """
    came = now or at
    if at > came + FUTURE_ALLOWED:
        raise FromTheFuture
    patient_id = about if reporter.role == Role.NURSE else reporter.patient_id
    if patient_id is None:
        raise LookupError("only a patient or a caregiver reports here, or a nurse who says about whom")
    with writing(session):
        # Locked first: two reports of one patient at once are judged one after the other, each knowing the other.
        patient = session.get_one(Patient, patient_id, with_for_update=True)
        if reporter.role == Role.NURSE and not covers.reaches(session, reporter, patient, now or at):
            raise LookupError("a nurse reports about patients of her own team, or of one that she covers")
        known = replace(report, patient=str(patient.id), reporter=str(reporter.role), reported_at=at)
        sent_before = session.scalar(select(ReportRecord).where(ReportRecord.token == token))
        if sent_before is not None:
            if _says_the_same(sent_before, known):
                return sent_before
            token = secrets.token_urlsafe(32)  # an old page, answered anew: another report, and never a lost one
        record = ReportRecord(
            patient_id=patient.id,
            reporter_id=reporter.id,
            token=token,
            reported_at=at,
            data=json.dumps(to_data(known), ensure_ascii=False, sort_keys=True),
        )
        earlier = history.before(session, patient.id, at, ruleset.catalogue)
        session.add(record)
        session.flush()
        assessment = assess(ruleset, known, [past for _, past in earlier])
        versions.keep(session, ruleset, came)
        session.add(
            AssessmentRecord(
                report_id=record.id,
                ruleset_hash=ruleset.hash,
                urgency=assessment.urgency,
                body=assessment.to_bytes(),
                history=[str(report_id) for report_id, _ in earlier],
                made_at=came,
            )
        )
        baselines.add_first(session, patient, reporter, check, at)
        alerts.add_finding(session, ruleset, patient, assessment, AlertKind.REPORT, record.id, came)
        session.execute(delete(ReportDraft).where(ReportDraft.person_id == reporter.id))
        audit.record(session, "report_submitted", by=reporter, patient=patient, subject=str(record.id), at=came)
    return record


def preview(
    session: Session, ruleset: Ruleset, report: Report, patient: Patient, reporter: Person, at: datetime
) -> Urgency:
    """What the report would ask for, were it sent now: a phone that cannot send it has to say whom to call."""
    known = replace(report, patient=str(patient.id), reporter=str(reporter.role), reported_at=at)
    earlier = history.before(session, patient.id, at, ruleset.catalogue)
    return assess(ruleset, known, [past for _, past in earlier]).urgency


def _says_the_same(record: ReportRecord, report: Report) -> bool:
    """Whether that stored report holds these answers, whenever they were given."""
    stored, now = json.loads(record.data), to_data(report)
    return {**stored, "reported_at": None} == {**now, "reported_at": None}


def reassess(session: Session, report_id: UUID) -> Reassessment:
    """Judge a stored report again by the ruleset of its day and the reports it looked at. Raises LookupError."""
    record = session.get(ReportRecord, report_id)
    if record is None:
        raise LookupError(str(report_id))
    ruleset = versions.by_hash(session, record.assessment.ruleset_hash)
    earlier = [session.get_one(ReportRecord, UUID(past)) for past in record.assessment.history]
    again = assess(
        ruleset, history.read(record, ruleset.catalogue), [history.read(past, ruleset.catalogue) for past in earlier]
    )
    return Reassessment(record.assessment.body, again.to_bytes())

"""Rules that open no alert for one patient, as somebody decided with a reason and an end.

Only rules of urgency *soon* that judge reports can be muted: never what is urgent, never silence, and never a doubt
(a rule that failed, or an urgent one that could not be decided). What a report says is judged and stored as ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from triage.models import AuditEntry, Patient, RuleMute
from triage.reports import history
from triage.rules.assessment import Assessment
from triage.rules.ruleset import Rule
from triage.rules.urgency import Urgency

MUTED = "finding_muted"
"""Audit action: a report opened no alert because every rule of it that asks for one was muted."""


def can_be_muted(rule: Rule) -> bool:
    """Whether a nurse may mute it for one patient."""
    return rule.urgency is Urgency.SOON and not rule.asks_for_silence


def of_patient(session: Session, patient: Patient) -> list[RuleMute]:
    """All that were ever muted for the patient, the latest first."""
    query = (
        select(RuleMute)
        .where(RuleMute.patient_id == patient.id)
        .order_by(RuleMute.muted_at.desc(), RuleMute.id)
        .options(joinedload(RuleMute.muted_by), joinedload(RuleMute.lifted_by))
    )
    return list(session.scalars(query))


def is_active(mute: RuleMute, patient: Patient, at: datetime) -> bool:
    """Whether it counts at that moment: not lifted, and its last day is not over in the care team's time zone."""
    return mute.lifted_at is None and history.local_date(patient.care_team, at) <= mute.ends_on


def active(session: Session, patient: Patient, at: datetime) -> list[RuleMute]:
    """Those that count at that moment."""
    return [mute for mute in of_patient(session, patient) if is_active(mute, patient, at)]


def hold_back(session: Session, patient: Patient, assessment: Assessment, at: datetime) -> bool:
    """Whether every rule by which the assessment would reach a nurse is muted.

    The urgency that counts is that of the rule when it fired: a rule that has become urgent since is not muted.
    """
    asking = [fired for fired in assessment.fired if fired.urgency > Urgency.ROUTINE]
    doubts = [rule for rule in assessment.undecided if rule.urgency >= Urgency.URGENT]
    if not asking or doubts or any(fired.urgency is not Urgency.SOON or fired.failed for fired in asking):
        return False
    return {fired.rule for fired in asking} <= {mute.rule for mute in active(session, patient, at)}


def held_back(session: Session, reports: Iterable[UUID]) -> set[UUID]:
    """Those of the reports that opened no alert because their rules were muted."""
    query = select(AuditEntry.subject).where(
        AuditEntry.action == MUTED, AuditEntry.subject.in_([str(report_id) for report_id in reports])
    )
    return {UUID(subject) for subject in session.scalars(query)}

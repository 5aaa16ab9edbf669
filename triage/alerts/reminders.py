"""Asking a patient or caregiver for a report that is missing, before its silence becomes an alert.

1. The silence check owes a reminder as a row, once for each silence and step of the rules (`triage.alerts.silence`).
2. When its time has come the worker turns it into messages, one for each person it reaches (`carry_out`).
3. They go out by the same channels as everything else, and only while no report has come: `escalation.sendable` asks
   for that each time.
4. Noting that the patient is in hospital, that monitoring ended or a death cancels what is left (`stop`).

A message is the link to sign in, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, select, update
from sqlalchemy.orm import Session

from triage import logs
from triage.alerts import daily, escalation, silence
from triage.database import writing
from triage.models import CareTeam, Delivery, OwedReminder, Patient
from triage.rules.ruleset import Ruleset


def carry_out(session: Session, ruleset: Ruleset, channels: Collection[str], at: datetime) -> int:
    """Owe the messages of all reminders whose time has come; how many reminders.

    `channels` are the names of those that are set up. Each is a transaction of its own, under the lock of the patient's
    row, so that a report, an admission and two workers come one after the other.
    """
    session.rollback()
    carried_out = 0
    for reminder_id, patient_id in session.execute(_due(), {"at": at}).all():
        try:
            with writing(session):
                patient = session.get_one(Patient, patient_id, with_for_update=True)
                reminder = session.scalar(select(OwedReminder).where(OwedReminder.id == reminder_id, *_waiting()))
                if reminder is not None:
                    _carry_out(session, ruleset, reminder, patient, channels, at)
                    carried_out += 1
        except Exception as error:  # the next sweep tries again
            logs.failure("reminder_failed", error, reminder=str(reminder_id))
    return carried_out


@cache
def _due() -> Select[UUID, UUID]:
    return (
        select(OwedReminder.id, OwedReminder.patient_id)
        .where(*_waiting(), OwedReminder.due_at <= bindparam("at"))
        .order_by(OwedReminder.due_at, OwedReminder.number)
    )


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return (OwedReminder.done_at.is_(None), OwedReminder.cancelled_at.is_(None))


def _carry_out(
    session: Session,
    ruleset: Ruleset,
    reminder: OwedReminder,
    patient: Patient,
    channels: Collection[str],
    at: datetime,
) -> None:
    answered = session.scalar(select(escalation.answered()).where(OwedReminder.id == reminder.id))
    # One that waited for the morning may meet a day on which no report is expected any more.
    if answered or not silence.expected(ruleset, patient, at):
        reminder.cancelled_at = at
        return
    usable = [name for name in reminder.channels if name in channels]
    team = session.get_one(CareTeam, patient.care_team_id)
    reached = [
        person
        for person in escalation.recipients(session, team, reminder.tell, patient.id, at)
        if escalation.owe_reminder(session, reminder, team.id, person, usable, at)
    ]
    reminder.done_at = at
    if not reached:
        logs.event("nobody_reminded", reminder=str(reminder.id))


def stop(session: Session, patient_id: UUID, at: datetime) -> None:
    """No report is expected now: whoever has not been reminded is not. Adds, never commits; the caller has locked the
    patient's row."""
    of_patient = select(OwedReminder.id).where(OwedReminder.patient_id == patient_id)
    session.execute(
        update(OwedReminder)
        .where(OwedReminder.patient_id == patient_id, OwedReminder.cancelled_at.is_(None))
        .values(cancelled_at=at)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Delivery)
        .where(Delivery.reminder_id.in_(of_patient), Delivery.delivered_at.is_(None), Delivery.cancelled_at.is_(None))
        .values(cancelled_at=at)
        .execution_options(synchronize_session=False)
    )
    daily.stop(session, patient_id, at)

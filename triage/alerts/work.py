"""What is done about an alert between acknowledging and resolving it, and what takes a slip back.

1. Acknowledging takes an alert. Another person takes it over from whoever has it: of two at once, one does.
2. Whoever has it gives it back: acknowledged → open. It waits since when it waited before, so nothing is gained by it.
3. Notes, calls and promised call-backs are written down; nothing is changed or deleted, a further note corrects.
4. A promised call-back stays until a person has made it, moved it or taken it back.
5. An acknowledgement after which nothing was written in time expires: acknowledged → open, as in 2.
6. A resolution is taken back with a reason, within a day: resolved → open.

The patient's row is locked first and the alert's second, as in `services`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, exists, or_, select, update
from sqlalchemy.orm import Session

from triage import logs
from triage.accounts import audit
from triage.alerts import escalation, mutes, response, services
from triage.alerts.services import LEAST_NOTE, NoteMissing
from triage.database import writing
from triage.models import (
    Alert,
    AlertFinding,
    AlertNote,
    AlertStatus,
    CallBack,
    CallBackEnd,
    CallOutcome,
    NoteKind,
    OpenBecause,
    Patient,
    Person,
    RuleMute,
)
from triage.reports import history
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions

REOPEN_WITHIN = timedelta(hours=24)
"""So long a resolution can be taken back as a slip; later, what is new about the patient is a new alert."""
SENT_TWICE = timedelta(minutes=1)
"""The same words by the same person within it are one note, sent twice."""
LONGEST_MUTE = 30
"""Days: a mute that outlives its reason hides what is new."""


@dataclass
class Taken(Exception):
    """Somebody else has the alert."""

    by_name: str
    at: datetime


class NotAcknowledged(Exception):
    """It is open: nobody has it, so it is acknowledged instead."""


class NotResolved(Exception):
    """There is no resolution that could be taken back."""


class TooLate(Exception):
    """It was resolved more than REOPEN_WITHIN ago."""


class NotToCome(ValueError):
    """A call-back is promised for a time to come."""


class CannotBeMuted(ValueError):
    """The rule is unknown, or more than soon, or asks for silence."""


class BadEnd(ValueError):
    """A mute ends today at the earliest and after LONGEST_MUTE days at the latest."""


@dataclass
class AlreadyMuted(Exception):
    """The rule is muted for this patient."""

    by_name: str
    until: date


def take_over(session: Session, alert: Alert, by: Person, at: datetime, *, instead_of: UUID | None) -> None:
    """`by` has the alert from now on, instead of the person who had it on the page that `by` was looking at.

    The acknowledgement stays what it was: taking over writes nothing down. Raises AlreadyDone for a resolved alert,
    NotAcknowledged for an open one, and Taken when meanwhile somebody else has it.
    """
    with writing(session):
        services.lock(session, alert)
        services.refuse_resolved(alert)
        if alert.status == AlertStatus.OPEN:
            raise NotAcknowledged
        if alert.taken_by_id == by.id:
            return  # pressing twice is no quarrel
        if alert.taken_by_id != instead_of:
            raise _taken(alert)
        take(session, alert, by, at)


def take(session: Session, alert: Alert, by: Person, at: datetime) -> None:
    """`by` has the acknowledged alert, whoever had it before. Adds, never commits; the caller holds its lock."""
    if alert.taken_by_id != by.id:
        alert.taken_by_id, alert.taken_at = by.id, at
        audit.record(session, "alert_taken_over", by=by, patient=alert.patient, subject=str(alert.id), at=at)


def give_back(session: Session, ruleset: Ruleset, alert: Alert, by: Person, at: datetime) -> None:
    """Nobody has it any more: acknowledged → open, with the limit it had. Also how a slip is undone.

    Raises AlreadyDone for a resolved alert, and Taken when somebody else has it.
    """
    with writing(session):
        services.lock(session, alert)
        services.refuse_resolved(alert)
        if alert.status == AlertStatus.OPEN:
            return
        if alert.taken_by_id != by.id:
            raise _taken(alert)
        _open_again(session, ruleset, alert, OpenBecause.GIVEN_BACK, at)
        audit.record(session, "alert_given_back", by=by, patient=alert.patient, subject=str(alert.id), at=at)


def _taken(alert: Alert) -> Taken:
    if alert.taken_by is None or alert.taken_at is None:
        return Taken("nobody", alert.waiting_since)
    return Taken(alert.taken_by.name, alert.taken_at)


def _open_again(session: Session, ruleset: Ruleset, alert: Alert, because: OpenBecause, at: datetime) -> None:
    """`waiting_since` and `answer_by` stay: as regards its limit it has waited all the time. People are told anew."""
    alert.status, alert.open_because = AlertStatus.OPEN, because
    alert.acknowledged_at = alert.acknowledged_by_id = alert.taken_at = alert.taken_by_id = None
    escalation.resume(session, ruleset, alert, at)


def write_down(
    session: Session,
    alert: Alert,
    by: Person,
    at: datetime,
    *,
    text: str = "",
    call: CallOutcome | None = None,
    call_back: datetime | None = None,
) -> None:
    """A note, a call with what came of it, a call-back promised for a time (UTC), or several of these together.

    A resolved alert takes notes and calls too, as corrections. Raises NoteMissing when there is nothing to write,
    NotToCome for a call-back in the past, and AlreadyDone for one on a resolved alert, which nobody would see.
    """
    text = text.strip()
    if not text and call is None and call_back is None:
        raise NoteMissing
    with writing(session):
        services.lock(session, alert)
        if call_back is not None:
            services.refuse_resolved(alert)
            _promise(session, alert, by, call_back, at)
        if text or call is not None:
            _note(session, alert, by, text, call, at)


def _note(session: Session, alert: Alert, by: Person, text: str, call: CallOutcome | None, at: datetime) -> None:
    for note in alert.notes:
        if (note.written_by_id, note.text, note.call_outcome) == (by.id, text, call) and (
            note.kind in (NoteKind.NOTE, NoteKind.CALL) and at - note.written_at < SENT_TWICE
        ):
            return
    kind = NoteKind.NOTE if call is None else NoteKind.CALL
    session.add(
        AlertNote(alert_id=alert.id, kind=kind, call_outcome=call, text=text, written_at=at, written_by_id=by.id)
    )
    action = "alert_note_written" if call is None else "alert_call_noted"
    audit.record(session, action, by=by, patient=alert.patient, subject=str(alert.id), at=at)


def _promise(session: Session, alert: Alert, by: Person, due_at: datetime, at: datetime) -> None:
    if due_at <= at:
        raise NotToCome
    if any(promised.due_at == due_at for promised in alert.promised):
        return  # sent twice, or promised by two: one call
    session.add(CallBack(alert_id=alert.id, due_at=due_at, promised_at=at, promised_by_id=by.id))
    audit.record(session, "call_back_promised", by=by, patient=alert.patient, subject=str(alert.id), at=at)


def end_call_back(session: Session, call_back: CallBack, by: Person, end: CallBackEnd, at: datetime) -> None:
    """It was made, or is not needed any more. One that has ended stays as it is."""
    with writing(session):
        services.lock(session, call_back.alert)
        session.refresh(call_back)
        if call_back.is_promised:
            _end(session, call_back, by, end, at)


def move_call_back(session: Session, call_back: CallBack, by: Person, due_at: datetime, at: datetime) -> None:
    """It is promised for another time (UTC) instead. Raises NotToCome, and AlreadyDone for a resolved alert."""
    with writing(session):
        alert = call_back.alert
        services.lock(session, alert)
        services.refuse_resolved(alert)
        session.refresh(call_back)
        if not call_back.is_promised or call_back.due_at == due_at:
            return
        _end(session, call_back, by, CallBackEnd.MOVED, at)
        session.flush()
        _promise(session, alert, by, due_at, at)


def _end(session: Session, call_back: CallBack, by: Person, end: CallBackEnd, at: datetime) -> None:
    call_back.ended_at, call_back.ended_by_id, call_back.end_kind = at, by.id, end
    alert = call_back.alert
    audit.record(session, f"call_back_{end}", by=by, patient=alert.patient, subject=str(alert.id), at=at)


def reopen(session: Session, ruleset: Ruleset, alert: Alert, by: Person, reason: str, at: datetime) -> Alert:
    """Take a resolution back: resolved → open, to be answered within its limit from now. Returns the alert that holds
    the findings now.

    Where another alert of the patient is unresolved already, the findings join that one, which may rise and open again
    by them; a patient never has two. Raises NotResolved, TooLate and NoteMissing.
    """
    reason = reason.strip()
    with writing(session):
        services.lock(session, alert)
        if not alert.is_resolved or alert.resolved_at is None or not alert.findings:
            raise NotResolved
        if at - alert.resolved_at > REOPEN_WITHIN:
            raise TooLate
        if len(reason) < LEAST_NOTE:
            raise NoteMissing
        patient, holder = alert.patient, services.unresolved(session, alert.patient_id)
        if holder is None:
            holder = alert
            _take_resolution_back(session, ruleset, alert, at)
        else:
            _join_findings(session, ruleset, alert, holder, at)
        session.add(
            AlertNote(alert_id=holder.id, kind=NoteKind.REOPENING, text=reason, written_at=at, written_by_id=by.id)
        )
        audit.record(session, "resolution_taken_back", by=by, patient=patient, subject=str(alert.id), at=at)
    return holder


def can_reopen(alert: Alert, at: datetime) -> bool:
    """Whether its resolution can still be taken back."""
    return alert.resolved_at is not None and bool(alert.findings) and at - alert.resolved_at <= REOPEN_WITHIN


def _take_resolution_back(session: Session, ruleset: Ruleset, alert: Alert, at: datetime) -> None:
    session.add(
        AlertNote(
            alert_id=alert.id,
            kind=NoteKind.RESOLUTION,
            disposition=alert.disposition,
            text=alert.note,
            written_at=alert.resolved_at,
            written_by_id=alert.resolved_by_id,
        )
    )
    # The patient may have been moved meanwhile: the alert is of the team that sees them now, and whom it tells.
    alert.care_team_id = alert.patient.care_team_id
    _open_again(session, ruleset, alert, OpenBecause.REOPENED, at)
    alert.waiting_since, alert.answer_by = at, response.answer_by(ruleset, alert.urgency, at)
    alert.resolved_at = alert.resolved_by_id = alert.disposition = None
    alert.note = ""


def _join_findings(session: Session, ruleset: Ruleset, alert: Alert, holder: Alert, at: datetime) -> None:
    before = holder.status
    services.join(session, ruleset, holder, alert.urgency, alert.patient, at)
    if holder.status != before:
        holder.open_because = OpenBecause.REOPENED
    session.execute(update(AlertFinding).where(AlertFinding.alert_id == alert.id).values(alert_id=holder.id))
    session.expire_all()
    audit.record(session, "findings_joined", by=None, patient=alert.patient, subject=str(holder.id), at=at)


def expire_acknowledgements(session: Session, at: datetime) -> int:
    """Open the alerts again that somebody acknowledged and about which nothing was written in time; how many.

    The times are those of `outcome_within` in response.yaml. Written means: a note, a call or a call-back, by whomever,
    since the acknowledgement. Running it again changes nothing. Whatever was found is decided anew under the lock: a
    nurse who writes meanwhile wins.
    """
    within = versions.active().response.outcome_within
    session.rollback()
    limits = {_until(urgency): at - within[urgency] if urgency in within else NEVER for urgency in Urgency}
    over = session.scalars(_nothing_written(), limits).all()
    return sum(_expire(session, alert_id, at) for alert_id in over)


NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def _until(urgency: Urgency) -> str:
    return f"until_{urgency.code}"


@cache
def _nothing_written() -> Select[UUID]:
    """As `_is_over` says it, asked of the database: mostly none."""
    since = Alert.acknowledged_at
    limit_is_over = or_(*(and_(Alert.urgency == each, since <= bindparam(_until(each))) for each in Urgency))
    noted = exists().where(
        AlertNote.alert_id == Alert.id,
        AlertNote.kind.in_((NoteKind.NOTE, NoteKind.CALL)),
        AlertNote.written_at >= since,
    )
    called = exists().where(
        CallBack.alert_id == Alert.id, or_(CallBack.promised_at >= since, CallBack.ended_at >= since)
    )
    return (
        select(Alert.id)
        .where(escalation.UNRESOLVED, Alert.status == AlertStatus.ACKNOWLEDGED, limit_is_over, ~noted, ~called)
        .order_by(Alert.id)
    )


def _expire(session: Session, alert_id: UUID, at: datetime) -> int:
    ruleset = versions.active()
    try:
        with writing(session):
            alert = session.get_one(Alert, alert_id)
            services.lock(session, alert)
            limit = ruleset.response.outcome_within.get(alert.urgency)
            if limit is None or not _is_over(alert, limit, at):
                return 0
            _open_again(session, ruleset, alert, OpenBecause.EXPIRED, at)
            subject = str(alert.id)
            audit.record(
                session, "alert_acknowledgement_expired", by=None, patient=alert.patient, subject=subject, at=at
            )
    except Exception as error:  # the next check tries again; the alerts after this one must not wait for it
        logs.failure("acknowledgement_not_expired", error, alert=str(alert_id))
        return 0
    return 1


def _is_over(alert: Alert, limit: timedelta, at: datetime) -> bool:
    since = alert.acknowledged_at
    if alert.status != AlertStatus.ACKNOWLEDGED or since is None or at - since < limit:
        return False
    notes = (note.written_at for note in alert.notes if note.kind in (NoteKind.NOTE, NoteKind.CALL))
    calls = (moment for each in alert.call_backs for moment in (each.promised_at, each.ended_at) if moment is not None)
    return not any(moment >= since for moment in (*notes, *calls))


def say_useful(session: Session, alert: Alert, by: Person, useful: bool, why: str, at: datetime) -> None:
    """Whether the alert was useful, said after it was resolved or before."""
    with writing(session):
        services.lock(session, alert)
        last = alert.opinions[-1] if alert.opinions else None
        if last is None or (last.useful, last.why, last.said_by_id) != (useful, why.strip(), by.id):
            services.add_opinion(session, alert, by, useful, why, at)


def mute(
    session: Session,
    ruleset: Ruleset,
    patient: Patient,
    rule_id: str,
    reason: str,
    ends_on: date,
    by: Person,
    at: datetime,
) -> None:
    """The rule opens no alert for the patient up to and including that day in the care team's time zone.

    Raises CannotBeMuted, NoteMissing, BadEnd and AlreadyMuted.
    """
    rule, reason = ruleset.by_id.get(rule_id), reason.strip()
    if rule is None or not mutes.can_be_muted(rule):
        raise CannotBeMuted
    if len(reason) < LEAST_NOTE:
        raise NoteMissing
    with writing(session):
        session.refresh(patient, with_for_update=True)
        today = history.local_date(patient.care_team, at)
        if not today <= ends_on <= today + timedelta(days=LONGEST_MUTE):
            raise BadEnd
        for other in mutes.active(session, patient, at):
            if other.rule == rule.id:
                raise AlreadyMuted(other.muted_by.name, other.ends_on)
        row = RuleMute(
            patient_id=patient.id,
            rule=rule.id,
            title=rule.title,
            urgency=rule.urgency,
            reason=reason,
            ends_on=ends_on,
            muted_at=at,
            muted_by_id=by.id,
        )
        session.add(row)
        session.flush()
        audit.record(session, "rule_muted", by=by, patient=patient, subject=str(row.id), at=at)


def lift(session: Session, muted: RuleMute, patient: Patient, by: Person, at: datetime) -> None:
    """The rule opens alerts again from now on. One that was lifted stays as it is."""
    with writing(session):
        session.refresh(patient, with_for_update=True)
        session.refresh(muted)
        if muted.lifted_at is None:
            muted.lifted_at, muted.lifted_by_id = at, by.id
            audit.record(session, "rule_mute_lifted", by=by, patient=patient, subject=str(muted.id), at=at)

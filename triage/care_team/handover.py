"""Handing a shift over to the next one.

1. A nurse begins it: whoever goes off, or whoever comes on where the shift before has gone. A team has one at a time.
2. The page is made anew each time it is opened: alerts that come or get worse while people talk stand on it.
3. Each unresolved emergency or urgent alert is accepted by name by somebody who comes on; never by whoever hands over.
   Somebody who accepts an acknowledged alert has it from then on. An alert with a new finding is accepted again.
4. Somebody who comes on closes it, when nothing is left to accept. What stood on the page is kept, word by word, and
   never changed. A shift lasts from one close to the next: there are no times to set up.
5. One begun by a slip is taken back by whoever began it. One that nobody closed keeps nobody from beginning the next,
   which tells what was done since the last that was closed.

A handover moves no alert's clock and ends no escalation: what nobody has acknowledged goes on telling people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from triage.accounts import audit
from triage.alerts import services, work
from triage.care_team import handover_page
from triage.database import writing
from triage.models import (
    Alert,
    AlertFinding,
    AlertStatus,
    CareTeam,
    Handover,
    HandoverAcceptance,
    HandoverEnd,
    HandoverNote,
    Patient,
    Person,
)
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency

FIRST_LOOKS_BACK = timedelta(hours=12)
"""A team's first handover tells of so much."""
LONGEST = timedelta(days=3)
"""A handover tells of no more, however long nobody closed one: what is older stands in the records."""
OVERDUE = timedelta(hours=16)
"""So long after the last one was closed, a shift went by without a handover."""
STALE = timedelta(hours=4)
"""One that is not closed so long after it was begun is taken for left, and another can be begun."""
LISTED = 100
"""Earlier handovers on their page."""


@dataclass
class AlreadyBegun(Exception):
    """Somebody was quicker: the handover that goes on."""

    handover: Handover


@dataclass
class Ended(Exception):
    """It was closed, taken back or left meanwhile."""

    handover: Handover


class OwnShift(Exception):
    """Whoever hands over cannot accept and not close: somebody else has to be there."""


@dataclass
class NotAccepted(Exception):
    """So many emergency or urgent alerts are accepted by nobody, or have changed since."""

    number: int


class NotYours(Exception):
    """Only whoever did it takes it back."""


def running(session: Session, team: CareTeam) -> Handover | None:
    """The handover of the team that has been begun and not ended."""
    query = select(Handover).where(Handover.care_team_id == team.id, Handover.ended_at.is_(None))
    return session.scalar(query.options(*_SHOWN))


_SHOWN = (
    joinedload(Handover.begun_by),
    joinedload(Handover.handed_over_by),
    joinedload(Handover.ended_by),
    selectinload(Handover.notes).joinedload(HandoverNote.written_by),
    selectinload(Handover.acceptances).joinedload(HandoverAcceptance.accepted_by),
)


def last_closed(session: Session, team: CareTeam) -> Handover | None:
    """The latest that was closed."""
    query = (
        select(Handover)
        .where(Handover.care_team_id == team.id, Handover.end_kind == HandoverEnd.CLOSED)
        .order_by(Handover.ended_at.desc())
        .limit(1)
    )
    return session.scalar(query.options(joinedload(Handover.ended_by)))


def earlier(session: Session, team: CareTeam) -> Sequence[Handover]:
    """The handovers that have ended, the latest first, without those taken back; at most LISTED."""
    query = (
        select(Handover)
        .where(
            Handover.care_team_id == team.id,
            Handover.ended_at.is_not(None),
            Handover.end_kind != HandoverEnd.TAKEN_BACK,
        )
        .order_by(Handover.begun_at.desc())
        .limit(LISTED)
        .options(joinedload(Handover.begun_by), joinedload(Handover.handed_over_by), joinedload(Handover.ended_by))
    )
    return session.scalars(query).all()


def since(session: Session, team: CareTeam, at: datetime) -> datetime:
    """From when on a handover that is begun at that moment tells what was done."""
    last = last_closed(session, team)
    began = last.ended_at if last and last.ended_at else at - FIRST_LOOKS_BACK
    return max(began, at - LONGEST)


def is_overdue(last: Handover | None, at: datetime) -> bool:
    """Whether a shift went by since the last one was closed."""
    return last is None or last.ended_at is None or at - last.ended_at > OVERDUE


def is_stale(handover: Handover, at: datetime) -> bool:
    """Whether it was begun so long ago that another may be begun in its place."""
    return at - handover.begun_at >= STALE


def begin(session: Session, team: CareTeam, by: Person, at: datetime, *, going_off: bool, note: str = "") -> Handover:
    """`by` hands over, or comes on where the shift before has gone. Raises AlreadyBegun."""
    with writing(session):
        session.execute(select(CareTeam.id).where(CareTeam.id == team.id).with_for_update(key_share=True))
        other = running(session, team)
        if other is not None and not is_stale(other, at):
            raise AlreadyBegun(other)
        if other is not None:
            _end(session, other, HandoverEnd.LEFT, by, at)
            session.flush()
        handover = Handover(
            care_team_id=team.id,
            since=since(session, team, at),
            begun_at=at,
            begun_by_id=by.id,
            handed_over_by_id=by.id if going_off else None,
        )
        session.add(handover)
        session.flush()
        audit.record(session, "handover_begun", by=by, subject=str(handover.id), at=at)
        if note.strip():
            _note(session, handover, by, note, at)
    return handover


def write(session: Session, handover: Handover, by: Person, note: str, at: datetime) -> None:
    """Tell the next shift something. Raises Ended."""
    with writing(session):
        _lock(session, handover)
        sent_twice = any(each.text == note.strip() and each.written_by_id == by.id for each in handover.notes)
        if note.strip() and not sent_twice:
            _note(session, handover, by, note, at)


def accept(session: Session, handover: Handover, alert: Alert, by: Person, at: datetime, *, seen: int | None) -> None:
    """`by` answers for the alert from now on; one that somebody has acknowledged is theirs then.

    `seen` is the number of findings that they were shown. Raises Ended, OwnShift, AlreadyDone for an alert that was
    resolved, and NotSeen when a finding came meanwhile.
    """
    with writing(session):
        services.lock(session, alert)
        _lock(session, handover)
        _refuse_own(handover, by)
        services.refuse_resolved(alert)
        findings = session.scalar(select(func.count()).where(AlertFinding.alert_id == alert.id)) or 0
        if seen is not None and findings > seen:
            raise services.NotSeen
        there = handover_page.accepted(handover).get(alert.id)
        if there is not None and there.accepted_by_id == by.id and handover_page.holds(there, alert.urgency, findings):
            return  # pressing twice is no quarrel
        row = HandoverAcceptance(
            handover_id=handover.id,
            alert_id=alert.id,
            urgency=alert.urgency,
            findings=findings,
            accepted_at=at,
            accepted_by_id=by.id,
        )
        session.add(row)
        if alert.status == AlertStatus.ACKNOWLEDGED:
            work.take(session, alert, by, at)
        audit.record(session, "handover_accepted", by=by, patient=alert.patient, subject=str(alert.id), at=at)


def take_acceptance_back(session: Session, acceptance: HandoverAcceptance, by: Person, at: datetime) -> None:
    """It was a slip: the alert is accepted by nobody. Who has the alert stays as it is. Raises Ended and NotYours."""
    with writing(session):
        _lock(session, acceptance.handover)
        session.refresh(acceptance)
        if acceptance.accepted_by_id != by.id:
            raise NotYours
        if acceptance.taken_back_at is None:
            acceptance.taken_back_at = at
            alert = session.get_one(Alert, acceptance.alert_id)
            audit.record(
                session, "handover_acceptance_taken_back", by=by, patient=alert.patient, subject=str(alert.id), at=at
            )


def close(session: Session, ruleset: Ruleset, handover: Handover, by: Person, at: datetime) -> None:
    """`by` comes on and takes the shift over. What stands on the page is kept.

    Raises Ended, OwnShift, and NotAccepted while an emergency or urgent alert is accepted by nobody. The page is made
    inside the transaction: what is kept is what was decided on.
    """
    with writing(session):
        _lock(session, handover)
        _refuse_own(handover, by)
        missing = unaccepted(session, handover)
        if missing:
            raise NotAccepted(missing)
        team = session.get_one(CareTeam, handover.care_team_id)
        handover.page = handover_page.contents(session, ruleset, team, handover, handover.since, at)
        _end(session, handover, HandoverEnd.CLOSED, by, at)


def take_back(session: Session, handover: Handover, by: Person, at: datetime) -> None:
    """It was begun by a slip. Raises Ended and NotYours."""
    with writing(session):
        _lock(session, handover)
        if handover.begun_by_id != by.id:
            raise NotYours
        _end(session, handover, HandoverEnd.TAKEN_BACK, by, at)


def unaccepted(session: Session, handover: Handover) -> int:
    """How many unresolved emergency or urgent alerts of the team nobody has accepted as they are now."""
    findings = select(func.count()).where(AlertFinding.alert_id == Alert.id).scalar_subquery()
    reds = (
        select(Alert.id, Alert.urgency, findings)
        .join(Alert.patient)
        .where(
            Patient.care_team_id == handover.care_team_id,
            Alert.status != AlertStatus.RESOLVED,
            Alert.urgency >= Urgency.URGENT,
        )
    )
    there = handover_page.accepted(handover)
    return sum(
        alert_id not in there or not handover_page.holds(there[alert_id], urgency, number)
        for alert_id, urgency, number in session.execute(reds)
    )


def _lock(session: Session, handover: Handover) -> None:
    """Nobody else changes the handover until this transaction ends. Raises Ended."""
    session.refresh(handover, with_for_update={"of": Handover})
    session.expire(handover, ["acceptances", "notes"])
    if not handover.is_running:
        raise Ended(handover)


def _refuse_own(handover: Handover, by: Person) -> None:
    if handover.handed_over_by_id == by.id:
        raise OwnShift


def _note(session: Session, handover: Handover, by: Person, text: str, at: datetime) -> None:
    session.add(HandoverNote(handover_id=handover.id, text=text.strip(), written_at=at, written_by_id=by.id))
    audit.record(session, "handover_note_written", by=by, subject=str(handover.id), at=at)


def _end(session: Session, handover: Handover, kind: HandoverEnd, by: Person, at: datetime) -> None:
    handover.ended_at, handover.ended_by_id, handover.end_kind = at, by.id, kind
    audit.record(session, f"handover_{kind}", by=by, subject=str(handover.id), at=at)

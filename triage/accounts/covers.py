"""A nurse looks after another care team for a while: with a reason, until a time, and seen by that team.

What is usually called breaking the glass. While it stands, the patients of that team are within the nurse's reach
(`access.patients_of`), her own team's still are, and each look is in the audit trail as ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session, joinedload

from triage.accounts import audit
from triage.database import writing
from triage.models import HEARTBEAT_TEAM, CareTeam, Cover, Patient, Person, Role

HOURS = (1, 2, 4, 8, 12)
"""For how long somebody may choose to cover. Whoever needs longer says again why."""
LISTED = timedelta(days=90)
"""How far back a team sees who covered it."""


class NotPossible(Exception):
    """It is the nurse's own team, or one that she covers already, or none."""


def begin(session: Session, nurse: Person, team_id: UUID, reason: str, hours: int, at: datetime) -> Cover:
    """Cover that team from now (UTC) on. Commits once, with its audit entry. Raises NotPossible, and ValueError for a
    length that cannot be chosen or without a reason."""
    if hours not in HOURS or not reason.strip():
        raise ValueError("a cover has a reason and an end")
    with writing(session):
        # Locked, so that a second press of the button finds the first one's row.
        nurse = session.get_one(Person, nurse.id, with_for_update=True)
        team = session.get(CareTeam, team_id)
        if team is None or nurse.role != Role.NURSE or team not in offered(session, nurse, at):
            raise NotPossible
        cover = Cover(
            person=nurse, care_team=team, reason=reason.strip(), begun_at=at, ends_at=at + timedelta(hours=hours)
        )
        session.add(cover)
        session.flush()
        audit.record(session, "cover_begun", by=nurse, subject=str(team.id), at=at)
    return cover


def end(session: Session, cover: Cover, by: Person, at: datetime) -> None:
    """End it before its time. One that is over stays as it is. Commits once, with its audit entry."""
    with writing(session):
        cover = session.get_one(Cover, cover.id, with_for_update=True)
        if cover.over_at <= at:
            return
        cover.ended_at, cover.ended_by = at, by
        audit.record(session, "cover_ended", by=by, subject=str(cover.care_team_id), at=at)


def offered(session: Session, nurse: Person, at: datetime) -> list[CareTeam]:
    """The teams that the nurse could cover, by name."""
    query = (
        select(CareTeam)
        .where(CareTeam.id.not_in((nurse.care_team_id, HEARTBEAT_TEAM)), CareTeam.id.not_in(teams(nurse.id, at)))
        .order_by(CareTeam.name, CareTeam.id)
    )
    return list(session.scalars(query))


def teams(person_id: UUID, at: datetime) -> Select[UUID]:
    """The ids of the teams that the person covers at that moment, to be asked within another query."""
    return select(Cover.care_team_id).where(Cover.person_id == person_id, _stands(at))


def reaches(session: Session, nurse: Person, patient: Patient, at: datetime) -> bool:
    """Whether the patient is in the nurse's own team, or in one that she covers at that moment."""
    own = patient.care_team_id == nurse.care_team_id
    return own or patient.care_team_id in session.scalars(teams(nurse.id, at)).all()


def of_nurse(session: Session, nurse: Person, at: datetime) -> list[Cover]:
    """What the nurse covers at that moment, what ends first before the others."""
    query = select(Cover).where(Cover.person_id == nurse.id, _stands(at)).order_by(Cover.ends_at, Cover.id)
    return list(session.scalars(query.options(joinedload(Cover.care_team))))


def covered_before(session: Session, nurse: Person, team_id: UUID) -> bool:
    """Whether the nurse ever covered that team."""
    query = select(Cover.id).where(Cover.person_id == nurse.id, Cover.care_team_id == team_id).limit(1)
    return session.scalar(query) is not None


def of_team(session: Session, team: CareTeam, at: datetime) -> list[Cover]:
    """Who covers that team at that moment."""
    query = select(Cover).where(Cover.care_team_id == team.id, _stands(at)).order_by(Cover.ends_at, Cover.id)
    return list(session.scalars(query.options(joinedload(Cover.person).joinedload(Person.care_team))))


def earlier(session: Session, team: CareTeam, at: datetime) -> list[Cover]:
    """Covers of the team that have ended in the last 90 days, and those by its own nurses; the latest first."""
    nurses = select(Person.id).where(Person.care_team_id == team.id)
    query = (
        select(Cover)
        .where(
            or_(Cover.care_team_id == team.id, Cover.person_id.in_(nurses)), Cover.begun_at > at - LISTED, ~_stands(at)
        )
        .order_by(Cover.begun_at.desc(), Cover.id)
        .options(joinedload(Cover.person).joinedload(Person.care_team), joinedload(Cover.care_team))
    )
    return list(session.scalars(query))


def _stands(at: datetime) -> ColumnElement[bool]:
    return and_(Cover.ended_at.is_(None), Cover.begun_at <= at, Cover.ends_at > at)

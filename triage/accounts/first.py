"""The first administrator of a care team, invited at the command line: everybody else is invited by one."""

from __future__ import annotations

from flask import current_app
from sqlalchemy import select

from triage import clock
from triage.accounts import invitations, staff
from triage.accounts.services import Account
from triage.database import db, writing
from triage.models import CareTeam, Person, Role


class NotAnAdministrator(Exception):
    """That sign-in name belongs to somebody who is no administrator of that team. Nothing was changed."""


def invite(team_name: str, name: str, sign_in_name: str) -> str:
    """Make the team and the account where they are new, and an invitation. What to hand over, in lines of text.

    Raises NotAnAdministrator."""
    at = clock.now()
    found = db.session.scalar(select(Person).where(Person.called(sign_in_name)))
    team = db.session.scalar(select(CareTeam).where(CareTeam.name == team_name))
    if found is not None:
        if found.role != Role.ADMINISTRATOR or team is None or found.care_team_id != team.id or not found.active:
            raise NotAnAdministrator
        issued = invitations.invite(db.session, found, by=None, at=at)
    else:
        team = team or _new_team(team_name)
        account = Account(name, sign_in_name, Role.ADMINISTRATOR)
        issued = staff.invite(db.session, team, account, by=None, at=at)
    page = current_app.config["PUBLIC_URL"].rstrip("/") or "your address"
    return "\n".join(
        (
            f"Sign-in name: {issued.person.sign_in_name}",
            f"Open {page}/invitation and enter this code, good once, until {issued.expires_at:%Y-%m-%d %H:%M} UTC:",
            issued.code,
        )
    )


def _new_team(name: str) -> CareTeam:
    config = current_app.config
    team = CareTeam(
        name=name,
        time_zone=config["TIME_ZONE"],
        phone=config["CARE_TEAM_PHONE"],
        emergency_number=config["EMERGENCY_NUMBER"],
    )
    with writing(db.session):
        db.session.add(team)
    return team

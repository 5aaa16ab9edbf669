"""What an administrator fills in about staff, and what is changed about people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import Field
from wtforms.validators import DataRequired, Length

from triage.accounts.forms import TAKEN, Dates, name_for_signing_in
from triage.accounts.services import Account
from triage.accounts.staff import STAFF
from triage.fields import DateParts, Radios, Text
from triage.models import CareTeam, Role

_WHAT_THEY_DO = {
    Role.NURSE: "answers alerts and can be on call",
    Role.CLINICIAN: "owns the rules",
    Role.ADMINISTRATOR: "enrols patients and invites people",
}


def _name(label: str) -> Text:
    return Text(label, [DataRequired("Enter the name"), Length(max=200, message="Shorten the name")])


class InviteForm(FlaskForm):
    """Somebody new of the staff."""

    name = _name("Name")
    role = Radios(
        "What do they do?",
        choices=[
            (role.value, f"{role.value.capitalize()}{': ' + _WHAT_THEY_DO[role] if role in _WHAT_THEY_DO else ''}")
            for role in STAFF
        ],
        message="Choose what they do",
    )
    sign_in_name = Text(
        "Sign-in name",
        [
            DataRequired("Enter a sign-in name"),
            name_for_signing_in,
            Length(max=100, message="Shorten the sign-in name"),
        ],
        plain=True,
    )

    def name_taken(self) -> None:
        self.sign_in_name.errors = [TAKEN]

    def account(self) -> Account:
        """What was filled in."""
        return Account(
            name=(self.name.data or "").strip(),
            sign_in_name=(self.sign_in_name.data or "").strip(),
            role=Role(self.role.data),
        )


class NameForm(FlaskForm):
    """Another name of somebody."""

    name = _name("Name")


class PatientForm(Dates):
    """What is on file of a patient."""

    name = _name("Name")
    born_on = DateParts("Date of birth", required=False, description="Leave empty if it is not known")
    phone = Text(
        "Telephone",
        [Length(max=40, message="Shorten the telephone number")],
        inputmode="tel",
        description="Nurses call this number",
    )

    def validate_born_on(self, field: Field) -> None:
        self.not_later_than_today(field, "The date of birth")


class TeamForm(FlaskForm):
    """Which team looks after the patient from now on."""

    team = Radios("Which care team looks after the patient from now on?", message="Choose the care team")

    def offer(self, teams: Sequence[CareTeam]) -> None:
        """The other teams of the site."""
        self.team.choices = {str(team.id): team.name for team in teams}

    def team_id(self) -> UUID:
        """What was chosen; only after validation."""
        chosen: Any = self.team.data
        return UUID(chosen)

    def alert_waits(self) -> None:
        self.team.errors = ["This patient has an alert that is not resolved. The team that has it answers it first"]

"""What a nurse fills in who looks after another team for a while."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError

from triage.accounts.covers import HOURS
from triage.fields import Radios, TextArea
from triage.models import CareTeam

LEAST_REASON, MOST_REASON = 10, 500
"""Characters."""


class CoverForm(FlaskForm):
    """Which team, for how long, and why."""

    team = Radios("Which team do you look after?", choices=[], message="Choose the team")
    hours = Radios(
        "For how long?",
        choices=[(str(hours), f"{hours} hour{'s' * (hours != 1)}") for hours in HOURS],
        message="Choose for how long",
    )
    reason = TextArea("Why?", description="For example: no nurse of that team is on the ward tonight.")

    def offer(self, teams: Sequence[CareTeam]) -> None:
        self.team.choices = [(str(team.id), team.name) for team in teams]

    def validate_reason(self, field: Field) -> None:
        length = len((field.data or "").strip())
        if length < LEAST_REASON:
            raise ValidationError("Write in a few words why")
        if length > MOST_REASON:
            raise ValidationError(f"Shorten the reason to {MOST_REASON} characters")

    @property
    def team_id(self) -> UUID:
        """The team that was chosen; only after validation."""
        return UUID(self.team.data)

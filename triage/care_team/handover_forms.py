"""What a nurse writes when a shift is handed over."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError

from triage.care_team.forms import not_too_long
from triage.fields import Radios, TextArea

GOING_OFF = "off"
COMING_ON = "on"


class BeginForm(FlaskForm):
    """Who begins a handover."""

    who = Radios(
        "Who hands over?",
        choices=[(GOING_OFF, "I do: my shift ends"), (COMING_ON, "Nobody: I come on, and the shift before has gone")],
        message="Choose who hands over",
    )
    note = TextArea(
        "For the next shift",
        [not_too_long],
        description="What does not stand on the page anyway. You can leave it empty, and add to it later.",
    )

    @property
    def going_off(self) -> bool:
        return bool(self.who.data == GOING_OFF)


class NoteForm(FlaskForm):
    """One more thing for the next shift."""

    note = TextArea("For the next shift", [not_too_long])

    def validate_note(self, field: Field) -> None:
        if not (field.data or "").strip():
            raise ValidationError("Write what the next shift should know")

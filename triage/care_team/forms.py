"""What a nurse writes down."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError

from triage.alerts.services import LEAST_NOTE, MOST_NOTE
from triage.fields import Hidden, Radios, TextArea
from triage.models import Disposition

DISPOSITIONS = {
    Disposition.ADVICE_GIVEN: "Advice given",
    Disposition.SEEN_TODAY: "Seen today",
    Disposition.SENT_TO_EMERGENCY: "Sent to emergency",
    Disposition.ADMITTED: "Admitted",
    Disposition.NO_ACTION: "No action",
}


class ResolveForm(FlaskForm):
    """What was done about an alert. `note_needed` says whether that disposition needs words as well; `seen` is the
    number of findings that stood on the page."""

    seen = Hidden()

    disposition = Radios(
        "What was done?",
        choices=[(code.value, text) for code, text in DISPOSITIONS.items()],
        message="Choose what was done",
    )
    note = TextArea(
        "Note",
        description="What you found and agreed. For urgent alerts and “No action” it is needed.",
    )

    def __init__(self, note_needed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.note_needed = note_needed

    def validate_note(self, field: Field) -> None:
        note = (field.data or "").strip()
        chosen = Disposition(self.disposition.data) if self.disposition.data in set(Disposition) else None
        if self.note_needed(chosen) and len(note) < LEAST_NOTE:
            raise ValidationError("Write in a few words what was found and agreed")
        if len(note) > MOST_NOTE:
            raise ValidationError(f"Shorten the note to {MOST_NOTE} characters; it has {len(note)}")

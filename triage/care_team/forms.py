"""What a nurse writes down."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, Form, ValidationError
from wtforms.validators import Optional

from triage.alerts.services import LEAST_NOTE, MOST_NOTE
from triage.fields import Hidden, Radios, Text, TextArea
from triage.models import Disposition

DISPOSITIONS = {
    Disposition.ADVICE_GIVEN: "Advice given",
    Disposition.SEEN_TODAY: "Seen today",
    Disposition.SENT_TO_EMERGENCY: "Sent to emergency",
    Disposition.ADMITTED: "Admitted",
    Disposition.NO_ACTION: "No action",
}

USEFUL = (("yes", "Yes"), ("no", "No"))
AS_YOU_LIKE = "You need not answer. It helps the clinicians who own the rules."


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
    useful = Radios(
        "Was this alert useful?", [Optional()], choices=USEFUL, inline=True, size="s", description=AS_YOU_LIKE
    )
    why = Text("Why, or why not?", description="You can leave this empty.")

    def __init__(self, note_needed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.note_needed = note_needed

    def validate_note(self, field: Field) -> None:
        note = (field.data or "").strip()
        chosen = Disposition(self.disposition.data) if self.disposition.data in set(Disposition) else None
        if self.note_needed(chosen) and len(note) < LEAST_NOTE:
            raise ValidationError("Write in a few words what was found and agreed")
        not_too_long(self, field)

    def validate_why(self, field: Field) -> None:
        not_too_long(self, field)
        if (field.data or "").strip() and self.useful.data is None:
            raise ValidationError("Say whether the alert was useful, or leave the reason empty")

    @property
    def opinion(self) -> bool | None:
        """Whether it was useful; None where nobody said so."""
        return {"yes": True, "no": False}.get(self.useful.data or "")


def not_too_long(form: Form, field: Field) -> None:
    """What is written fits into MOST_NOTE characters."""
    length = len((field.data or "").strip())
    if length > MOST_NOTE:
        raise ValidationError(f"Shorten it to {MOST_NOTE} characters; it has {length}")

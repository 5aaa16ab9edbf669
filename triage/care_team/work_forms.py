"""What a nurse writes down while working on an alert."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import Field, Form, ValidationError

from triage.alerts.services import LEAST_NOTE
from triage.alerts.work import LONGEST_MUTE
from triage.care_team.forms import USEFUL, not_too_long
from triage.care_team.work_words import CALLS
from triage.fields import DateParts, Radios, Select, Text, TextArea
from triage.models import CallOutcome
from triage.rules.ruleset import Rule

NOTE = "note"
CLOCK = "On the 24-hour clock, for example 14:30. A time that is over today is meant for tomorrow."


def read_clock(text: str) -> time | None:
    """A time of day as people type it: 14:30, 9.05, 1430. None for anything else."""
    found = re.fullmatch(r"([01]?\d|2[0-3])[:. ]?([0-5]\d)", text.strip())
    return time(int(found[1]), int(found[2])) if found and text.strip().isascii() else None


def next_time(clock: time, at: datetime, zone: str) -> datetime:
    """When it is that time next after `at` in that time zone."""
    local = at.astimezone(ZoneInfo(zone))
    moment = datetime.combine(local.date(), clock, ZoneInfo(zone))
    return moment if moment > at else datetime.combine(local.date() + timedelta(days=1), clock, ZoneInfo(zone))


def _time_of_day(form: Form, field: Field) -> None:
    if (field.data or "").strip() and read_clock(field.data) is None:
        raise ValidationError("Enter the time on the 24-hour clock, for example 14:30")


def _reason(form: Form, field: Field) -> None:
    if len((field.data or "").strip()) < LEAST_NOTE:
        raise ValidationError("Write in a few words why")
    not_too_long(form, field)


class WriteForm(FlaskForm):
    """A note or a call, and a call-back that was promised."""

    what = Radios(
        "What do you write down?",
        choices=[(NOTE, "A note"), *((outcome.value, text) for outcome, text in CALLS.items())],
        message="Choose what you write down",
    )
    text = TextArea(
        "Words", [not_too_long], description="What you heard and agreed. After a call you can leave it empty."
    )
    call_back = Text(
        "Promised to call back at",
        [_time_of_day],
        description=f"Leave it empty if nothing was promised. {CLOCK}",
        width=5,
    )

    def validate_text(self, field: Field) -> None:
        """A note alone needs words."""
        promised = (self.call_back.data or "").strip()
        if self.what.data == NOTE and not promised and not (field.data or "").strip():
            raise ValidationError("Write the note")

    @property
    def call(self) -> CallOutcome | None:
        """What came of the call; None for a note."""
        return CallOutcome(self.what.data) if self.what.data in set(CallOutcome) else None


class MoveForm(FlaskForm):
    """Another time for a promised call-back."""

    call_back = Text("Call back at", [_time_of_day], description=CLOCK, width=5)

    def validate_call_back(self, field: Field) -> None:
        if not (field.data or "").strip():
            raise ValidationError("Enter the new time, for example 14:30")


class ReopenForm(FlaskForm):
    """Why a resolution is taken back."""

    reason = TextArea("Why?", [_reason], description="For example: the wrong patient was resolved.")


class UsefulForm(FlaskForm):
    """Whether an alert was useful."""

    useful = Radios("Was this alert useful?", choices=USEFUL, inline=True, message="Choose yes or no")
    why = Text("Why, or why not?", [not_too_long], description="You can leave this empty.")


class MuteForm(FlaskForm):
    """A rule that opens no alert for one patient, why, and until when."""

    rule = Select("Which rule?")
    reason = TextArea("Why?", [_reason], description="Whoever reads the record must understand it.")
    ends_on = DateParts(
        "Until which day?", description=f"The last day on which it is muted, at most {LONGEST_MUTE} days from now."
    )

    def __init__(self, rules: Iterable[Rule], today: date) -> None:
        super().__init__()
        self.rule.choices = [("", "Choose a rule"), *((rule.id, rule.title) for rule in rules)]
        self.today = today

    def validate_rule(self, field: Field) -> None:
        if not field.data:
            raise ValidationError("Choose the rule")

    def validate_ends_on(self, field: Field) -> None:
        last = self.today + timedelta(days=LONGEST_MUTE)
        if field.data is not None and not self.today <= field.data <= last:
            raise ValidationError(f"Choose a day from today on, at most {LONGEST_MUTE} days from now")

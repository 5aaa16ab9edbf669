"""When somebody wants to be reminded of the day's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError

from triage.alerts.daily import Wish
from triage.fields import Radios, Text, time_of_day
from triage.languages import _, later
from triage.rules.ruleset import QuietHours

CHANNELS = {"sms": later("SMS (text message)"), "mail": later("Mail")}


class ReminderForm(FlaskForm):
    """Times of day are in the care team's time zone. Both quiet hours left empty: none."""

    at = Text(later("At what time each day?"), description=later("For example 08:00"), width=5)
    channel = Radios(later("How?"), message=later("Choose how you want to be reminded"))
    quiet_from = Text(
        later("Never after this time in the evening"), description=later("Leave both empty for no quiet hours"), width=5
    )
    quiet_until = Text(later("and not before this time in the morning"), width=5)

    def offer(self, channels: Sequence[str]) -> None:
        """By which channels the person can be reached."""
        self.channel.choices = {name: str(CHANNELS[name]) for name in channels}

    def fill(self, wish: Wish) -> None:
        """What was chosen before."""
        self.at.data, self.channel.data = f"{wish.at:%H:%M}", wish.channel
        self.quiet_from.data = f"{wish.quiet.begins:%H:%M}" if wish.quiet else ""
        self.quiet_until.data = f"{wish.quiet.ends:%H:%M}" if wish.quiet else ""

    def validate_at(self, field: Field) -> None:
        at = time_of_day(field.data or "")
        if at is None:
            raise ValidationError(_("Enter when you want to be reminded as a time of day, for example 08:00"))
        quiet = self._quiet()
        if quiet is not None and quiet.contains(at):
            raise ValidationError(_("This time lies in your quiet hours: choose another one, or change them"))

    def validate_quiet_from(self, field: Field) -> None:
        self._one_of_two(field, self.quiet_until)

    def validate_quiet_until(self, field: Field) -> None:
        self._one_of_two(field, self.quiet_from)
        if self._quiet() is not None and time_of_day(field.data) == time_of_day(self.quiet_from.data or ""):
            raise ValidationError(_("Quiet hours end at another time than they begin"))

    def _one_of_two(self, field: Field, other: Field) -> None:
        if (field.data or other.data) and time_of_day(field.data or "") is None:
            raise ValidationError(_("Enter both quiet hours as a time of day, for example 08:00, or neither"))

    def _quiet(self) -> QuietHours | None:
        begins, ends = (time_of_day(str(field.data or "")) for field in (self.quiet_from, self.quiet_until))
        return None if begins is None or ends is None else QuietHours(begins, ends)

    def wish(self) -> Wish:
        """What was chosen; only after validation."""
        at: Any = time_of_day(self.at.data or "")
        return Wish(at, str(self.channel.data), self._quiet())

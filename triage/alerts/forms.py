"""The rota, and where staff are reached."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError
from wtforms.validators import Length

from triage.fields import DateParts, Select, Text, mail_address, mobile_number, time_of_day
from triage.models import Person

LONGEST_DUTY = timedelta(days=31)


class SwapForm(FlaskForm):
    """Who takes over."""

    person = Select("Who is on call", choices=[])

    def offer(self, people: Sequence[Person]) -> None:
        self.people = {str(person.id): person for person in people}
        self.person.choices = {"": "Choose a nurse"} | {key: one.name for key, one in self.people.items()}

    def validate_person(self, field: Field) -> None:
        if field.data not in self.people:
            raise ValidationError("Choose who is on call")

    def chosen(self) -> Person:
        """Who was chosen; only after validation."""
        return self.people[str(self.person.data)]


class DutyForm(SwapForm):
    """A duty, in the care team's time zone."""

    begins_on = DateParts("First day")
    begins_at = Text("From", description="A time of day, for example 08:00", width=5)
    ends_on = DateParts("Last day")
    ends_at = Text("Until", description="A time of day, for example 08:00", width=5)

    def __init__(self, zone: ZoneInfo, now: datetime, **kwargs: Any) -> None:
        self.zone, self.now = zone, now
        super().__init__(**kwargs)

    def validate_begins_at(self, field: Field) -> None:
        if time_of_day(field.data or "") is None:
            raise ValidationError("Enter when it begins as a time of day, for example 08:00")

    def validate_ends_at(self, field: Field) -> None:
        if time_of_day(field.data or "") is None:
            raise ValidationError("Enter when it ends as a time of day, for example 08:00")
        if not (self.begins_on.data and self.ends_on.data and time_of_day(self.begins_at.data or "")):
            return  # said there
        if self.ends() <= self.begins():
            raise ValidationError("The end must come after the beginning")
        if self.ends() <= self.now:
            raise ValidationError("The end must lie in the future")
        if self.ends() - self.begins() > LONGEST_DUTY:
            raise ValidationError(f"Nobody is on call for more than {LONGEST_DUTY.days} days on end: check the days")

    def begins(self) -> datetime:
        """When it begins; only after validation."""
        return self._moment(self.begins_on.data, self.begins_at.data)

    def ends(self) -> datetime:
        """When it ends; only after validation."""
        return self._moment(self.ends_on.data, self.ends_at.data)

    def _moment(self, day: date, text: str | None) -> datetime:
        return datetime.combine(day, time_of_day(text or "") or time(), self.zone)


class ContactForm(FlaskForm):
    """Where somebody of the staff is reached."""

    mail = Text(
        "Mail address",
        [mail_address, Length(max=254, message="Shorten the mail address")],
        plain=True,
        inputmode="email",
    )
    phone = Text(
        "Mobile telephone", [mobile_number, Length(max=40, message="Shorten the telephone number")], inputmode="tel"
    )

"""What is written down of doses, courses, stays in hospital and the end of monitoring. Out come values, not strings."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError
from wtforms.validators import Length

from triage.fields import DateParts, Hidden, Radios, Text
from triage.models import DoseKind, EndReason
from triage.rules.catalogue import Catalogue

NOT_KNOWN = "unknown"
LONGEST_AGO = timedelta(days=731)
"""Nobody is watched at home for longer after a dose: an earlier day is a slip in the year."""

DOSES = {
    DoseKind.INFUSION: "Infusion",
    DoseKind.CYCLE_START: "Start of a cycle",
    DoseKind.DOSE_STEP: "Dose step or restart",
}
REASONS = {
    EndReason.COMPLETED: "Completed as planned",
    EndReason.TRANSFERRED: "Looked after by another team now",
    EndReason.WITHDREW: "The patient does not want to go on",
    EndReason.DIED: "The patient has died",
}


class _Dates(FlaskForm):
    """A form that compares days with today in the care team's time zone."""

    def __init__(self, today: date, **kwargs: Any) -> None:
        self.today = today
        super().__init__(**kwargs)

    def in_the_last_years(self, field: Field, what: str) -> None:
        """Neither in the future nor too long ago: a slip in the year would put the patient outside every window."""
        if field.data is None:
            return
        if field.data > self.today:
            raise ValidationError(f"{what} cannot be in the future")
        if self.today - field.data > LONGEST_AGO:
            raise ValidationError(f"{what} is more than 2 years ago. Check the year")


class DoseForm(_Dates):
    """A further infusion, cycle start or dose step."""

    given_on = DateParts("Day it was given")
    kind = Radios(
        "What was it?",
        choices=[(kind.value, text) for kind, text in DOSES.items()],
        message="Choose what was given",
    )

    def validate_given_on(self, field: Field) -> None:
        self.in_the_last_years(field, "The dose")

    def day(self) -> date:
        """The day that was filled in; only after validation."""
        day: date = self.given_on.data
        return day

    def dose_kind(self) -> DoseKind:
        return DoseKind(self.kind.data)


class CorrectForm(DoseForm):
    """A dose as it really was. `was` is the day that stood on the page."""

    was = Hidden()
    why = Text("Why is it corrected?", [Length(max=500, message="Shorten it")], description="You can leave this empty")

    def shown(self) -> date | None:
        """The day that stood on the page."""
        try:
            return date.fromisoformat(self.was.data or "")
        except ValueError:
            return None


class RemoveForm(FlaskForm):
    """A dose that was not given."""

    why = Text("Why is it taken out?", [Length(max=500, message="Shorten it")], description="You can leave this empty")


class CourseForm(_Dates):
    """A further course."""

    therapy = Radios("Therapy", message="Choose the therapy, or “Not known”")
    product = Text(
        "Product", [Length(max=100, message="Shorten the product")], description="For example TECARTUS. May be empty"
    )
    started_on = DateParts(
        "Day 0: first infusion or dose",
        required=False,
        description="Leave empty if it is not known: reports then count as inside every window",
    )

    def offer(self, catalogue: Catalogue) -> None:
        """The therapies of the catalogue."""
        known = [(code, f"{therapy.label}: {therapy.about}") for code, therapy in catalogue.therapies.items()]
        self.therapy.choices = dict([*known, (NOT_KNOWN, "Not known")])

    def validate_started_on(self, field: Field) -> None:
        self.in_the_last_years(field, "Day 0")

    def code(self) -> str | None:
        """The therapy; None for one that is not known."""
        return None if self.therapy.data == NOT_KNOWN else self.therapy.data


class SteroidsForm(_Dates):
    """From when until when."""

    since = DateParts("On steroids, or given tocilizumab, since", required=False, description="Leave empty if neither")
    until = DateParts("Last day of steroids", required=False, description="Leave empty while they are taken")

    def validate_since(self, field: Field) -> None:
        self.in_the_last_years(field, "The first day")

    def validate_until(self, field: Field) -> None:
        self.in_the_last_years(field, "The last day")
        if field.data is None:
            return
        if self.since.data is None:
            raise ValidationError("Enter the first day as well")
        if field.data < self.since.data:
            raise ValidationError("The last day cannot be before the first")


class EndForm(_Dates):
    """Why monitoring ended, and the last day."""

    reason = Radios(
        "Why does it end?",
        choices=[(reason.value, text) for reason, text in REASONS.items()],
        message="Choose why it ends",
    )
    ended_on = DateParts(
        "Last day of monitoring, or day of death",
        description="A report is still expected on the last day: enter yesterday if none is expected today",
    )

    def __init__(self, today: date, began: date | None, **kwargs: Any) -> None:
        self.began = began
        super().__init__(today, **kwargs)

    def validate_ended_on(self, field: Field) -> None:
        self.in_the_last_years(field, "The last day")
        if field.data is not None and self.began is not None and field.data < self.began:
            raise ValidationError("The last day cannot be before day 0")

    def day(self) -> date:
        """The day that was filled in; only after validation."""
        day: date = self.ended_on.data
        return day

    def why(self) -> EndReason:
        return EndReason(self.reason.data)


class MomentForm(FlaskForm):
    """A moment that has passed, in the care team's time zone; now, unless something else is typed."""

    day = DateParts("Since which day?")
    clock = Text("Since what time?", description="A time of day, for example 14:30", width=5)

    def __init__(self, zone: ZoneInfo, now: datetime, not_before: datetime | None, **kwargs: Any) -> None:
        local = now.astimezone(zone)
        self.zone, self.now, self.not_before = zone, now, not_before
        super().__init__(data={"day": local.date(), "clock": f"{local:%H:%M}"}, **kwargs)

    def validate_clock(self, field: Field) -> None:
        if _time(field.data or "") is None:
            raise ValidationError("Enter a time of day, for example 14:30")
        if self.day.data is None:
            return  # said there
        if self.moment() > self.now:
            raise ValidationError("That has not come yet: it cannot be in the future")
        if self.now - self.moment() > LONGEST_AGO:
            raise ValidationError("That is more than 2 years ago. Check the year")
        if self.not_before is not None and self.moment() < self.not_before:
            raise ValidationError(f"It cannot be before {self.not_before.astimezone(self.zone):%d.%m.%Y %H:%M}")

    def moment(self) -> datetime:
        """In UTC; only after validation. The minute that is now is now, not up to a minute ago."""
        typed = datetime.combine(self.day.data, _time(self.clock.data or "") or time(), self.zone).astimezone(UTC)
        if self.not_before is not None and typed <= self.not_before < typed + timedelta(minutes=1):
            return self.not_before
        return typed


def _time(text: str) -> time | None:
    """ "8", "8:30" or "08.30" as a time of day; None when it is none."""
    hour, _, minute = text.strip().replace(".", ":").partition(":")
    if not all(part.isascii() and part.isdigit() for part in (hour, minute or "0")):
        return None
    try:
        return time(int(hour), int(minute or "0"))
    except ValueError:
        return None

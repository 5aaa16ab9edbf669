"""Signing in, and what an administrator fills in. Out come values, not strings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError
from wtforms.validators import DataRequired, Length, Optional

from triage.accounts.services import Account, Agreed, Enrolment, Refused
from triage.fields import DateParts, Hidden, Password, Radios, Text, mail_address, mobile_number
from triage.languages import LANGUAGES, _, later
from triage.models import ConsentWay, Role
from triage.rules.catalogue import Catalogue

NOT_KNOWN = "unknown"
TAKEN = "Somebody has this sign-in name already. Choose another one"


class SignInForm(FlaskForm):
    """Name and passphrase; `kept` carries a form that was sent when the sign-in had timed out."""

    sign_in_name = Text(
        later("Your sign-in name"),
        [DataRequired(later("Enter your sign-in name"))],
        plain=True,
        autocomplete="username",
    )
    passphrase = Password(
        later("Your passphrase"), [DataRequired(later("Enter your passphrase"))], autocomplete="current-password"
    )
    next = Hidden()
    kept = Hidden()

    def refuse(self, why: Refused) -> None:
        """Say why nobody was signed in, never whether the name exists."""
        self.sign_in_name.errors = [
            {
                Refused.UNKNOWN: _("The sign-in name or the passphrase is not right. Check both and try again."),
                Refused.TOO_MANY: _(
                    "Somebody tried to sign in too often, with this name or from where you are. Wait up to 15 minutes, "
                    "then try again. Call if you need help now."
                ),
                Refused.DEMO_PASSWORD: _("Demo accounts work only on the machine that runs the demonstration."),
            }[why]
        ]


def name_for_signing_in(form: Any, field: Field) -> None:
    name = (field.data or "").strip()
    if name and not all(letter.isalnum() or letter in ".-_@" for letter in name):
        raise ValidationError("A sign-in name has letters, digits, and . - _ @ only")


_SHORT_MAIL = Length(max=254, message="Shorten the mail address")
_SHORT_PHONE = Length(max=40, message="Shorten the telephone number")
_REMINDED = "A reminder is sent there when a report is missing. It says nothing about health. May be empty"
LONGEST_AGO = timedelta(days=731)
"""Nobody is watched at home for longer after a dose."""


class Spoken(FlaskForm):
    """A form that asks in which language somebody reads, where a site offers more than one."""

    language = Radios(
        "In which language do they read?",
        [Optional()],
        description="Of pages, messages and the printed invitation. They can change it themselves",
    )

    def offer_languages(self, offered: Collection[str]) -> None:
        """English, and the languages that a clinician has approved."""
        choices = {"": "As their browser asks", **{code: LANGUAGES[code] for code in LANGUAGES if code in offered}}
        if len(choices) > 2:
            self.language.choices = choices
        else:
            del self.language

    @property
    def chosen_language(self) -> str:
        return (self.language.data or "") if "language" in self else ""


class Dates(FlaskForm):
    """A form that compares days with today in the care team's time zone."""

    def __init__(self, today: date, **kwargs: Any) -> None:
        self.today = today
        super().__init__(**kwargs)

    def not_later_than_today(self, field: Field, what: str) -> None:
        if field.data is not None and field.data > self.today:
            raise ValidationError(f"{what} cannot be in the future")

    def not_too_long_ago(self, field: Field, what: str) -> None:
        """A slip in the year would put the patient outside every early window without a word."""
        if field.data is not None and self.today - field.data > LONGEST_AGO:
            raise ValidationError(f"{what} is more than 2 years ago. Check the year")


class EnrolForm(Dates, Spoken):
    """A new patient with a course and, if wanted, an account."""

    name = Text("Name", [DataRequired("Enter the patient’s name"), Length(max=200, message="Shorten the name")])
    born_on = DateParts("Date of birth", required=False, description="Leave empty if it is not known")
    phone = Text(
        "Telephone",
        [Length(max=40, message="Shorten the telephone number")],
        inputmode="tel",
        description="Nurses call this number",
    )
    town = Text(
        "Town where the patient stays",
        [Length(max=200, message="Shorten the town")],
        description="The thinking check asks for it. Several names for it: divide them with commas",
    )
    hospital = Text(
        "Hospital that looks after the patient",
        [Length(max=200, message="Shorten the hospital")],
        description="As people call it; the thinking check asks for it. Several names: divide them with commas",
    )
    therapy = Radios("Therapy", message="Choose the therapy, or “Not known”")
    product = Text(
        "Product", [Length(max=100, message="Shorten the product")], description="For example TECARTUS. May be empty"
    )
    started_on = DateParts(
        "Day 0: first infusion or dose",
        required=False,
        description="For example 17 11 2026. Leave empty if it is not known: reports then count as inside every window",
    )
    on_steroids_since = DateParts(
        "On steroids, or given tocilizumab, since", required=False, description="Leave empty if neither"
    )
    sign_in_name = Text(
        "Sign-in name of the patient",
        [name_for_signing_in, Length(max=100, message="Shorten the sign-in name")],
        plain=True,
        description="Leave empty if the patient gets no account now",
    )
    mail = Text("Mail address of the patient", [mail_address, _SHORT_MAIL], plain=True, description=_REMINDED)
    mobile = Text("Mobile telephone of the patient", [mobile_number, _SHORT_PHONE], description=_REMINDED)

    def offer(self, catalogue: Catalogue) -> None:
        """The therapies of the catalogue."""
        known = [(code, f"{therapy.label}: {therapy.about}") for code, therapy in catalogue.therapies.items()]
        self.therapy.choices = dict([*known, (NOT_KNOWN, "Not known")])

    def validate_born_on(self, field: Field) -> None:
        self.not_later_than_today(field, "The date of birth")

    def validate_started_on(self, field: Field) -> None:
        self.not_later_than_today(field, "Day 0")
        self.not_too_long_ago(field, "Day 0")

    def validate_on_steroids_since(self, field: Field) -> None:
        self.not_later_than_today(field, "This date")

    def name_taken(self) -> None:
        self.sign_in_name.errors = [TAKEN]

    def enrolment(self) -> Enrolment:
        """What was filled in."""
        return Enrolment(
            name=(self.name.data or "").strip(),
            born_on=self.born_on.data,
            phone=(self.phone.data or "").strip(),
            town=(self.town.data or "").strip(),
            hospital=(self.hospital.data or "").strip(),
            therapy=None if self.therapy.data == NOT_KNOWN else self.therapy.data,
            product=(self.product.data or "").strip(),
            started_on=self.started_on.data,
            on_steroids_since=self.on_steroids_since.data,
            sign_in_name=(self.sign_in_name.data or "").strip(),
            mail=(self.mail.data or "").strip(),
            mobile=(self.mobile.data or "").strip(),
            language=self.chosen_language,
        )


class ReachForm(Spoken):
    """Where a patient or caregiver is reminded of a missing report."""

    mail = Text("Mail address", [mail_address, _SHORT_MAIL], plain=True, description=_REMINDED)
    phone = Text("Mobile telephone", [mobile_number, _SHORT_PHONE], description=_REMINDED)


class PlaceForm(FlaskForm):
    """What the thinking check asks for: where the patient stays, and who looks after them."""

    town = Text(
        "Town where the patient stays",
        [Length(max=200, message="Shorten the town")],
        description="Several names for it: divide them with commas",
    )
    hospital = Text(
        "Hospital that looks after the patient",
        [Length(max=200, message="Shorten the hospital")],
        description="As people call it. Several names: divide them with commas",
    )


WAYS = {
    ConsentWay.IN_WRITING.value: "in writing",
    ConsentWay.SPOKEN.value: "said to one of us",
    ConsentWay.BY_TELEPHONE.value: "by telephone",
    ConsentWay.BY_REPRESENTATIVE.value: "by somebody who may decide for the patient",
}
_WAYS = [(way, words[0].upper() + words[1:]) for way, words in WAYS.items()]


class ConsentForm(Dates):
    """The patient agrees that a caregiver sees and sends reports."""

    way = Radios("How did the patient agree?", choices=_WAYS, message="Choose how the patient agreed")
    given_on = DateParts("When did the patient agree?")

    def validate_given_on(self, field: Field) -> None:
        self.not_later_than_today(field, "The day of the consent")

    def agreed(self) -> Agreed:
        """What was filled in; only after validation."""
        return Agreed(ConsentWay(self.way.data), self.given_on.data)


class AccessForm(Dates, Spoken):
    """An account for the patient or for a caregiver, to whom the patient agreed."""

    role = Radios(
        "Whose account is it?",
        choices=[(Role.PATIENT.value, "The patient"), (Role.CAREGIVER.value, "Somebody who cares for the patient")],
        message="Choose whose account it is",
    )
    name = Text("Name", [DataRequired("Enter the name"), Length(max=200, message="Shorten the name")])
    phone = Text(
        "Mobile telephone",
        [mobile_number, _SHORT_PHONE],
        inputmode="tel",
        description=f"Nurses call it, too. {_REMINDED}",
    )
    mail = Text("Mail address", [mail_address, _SHORT_MAIL], plain=True, description=_REMINDED)
    sign_in_name = Text(
        "Sign-in name",
        [
            DataRequired("Enter a sign-in name"),
            name_for_signing_in,
            Length(max=100, message="Shorten the sign-in name"),
        ],
        plain=True,
    )
    way = Radios(
        "Somebody who cares for the patient: how did the patient agree?",
        [Optional()],
        choices=_WAYS,
        message="Choose how the patient agreed",
    )
    given_on = DateParts("When did the patient agree?", required=False)

    def validate_given_on(self, field: Field) -> None:
        self.not_later_than_today(field, "The day of the consent")

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """A caregiver's account needs the patient's consent."""
        fine = super().validate(*args, **kwargs)
        if self.role.data != Role.CAREGIVER.value:
            return fine
        if not self.way.data:
            self.way.errors = [self.way.message]
        if self.given_on.data is None and not self.given_on.errors:
            self.given_on.errors = [self.given_on.message]
        return fine and not self.way.errors and not self.given_on.errors

    def name_taken(self) -> None:
        self.sign_in_name.errors = [TAKEN]

    def account(self) -> Account:
        """What was filled in."""
        return Account(
            name=(self.name.data or "").strip(),
            sign_in_name=(self.sign_in_name.data or "").strip(),
            role=Role(self.role.data),
            phone=(self.phone.data or "").strip(),
            mail=(self.mail.data or "").strip(),
            language=self.chosen_language,
        )

    def agreed(self) -> Agreed | None:
        """The patient's consent to a caregiver; only after validation."""
        if self.role.data != Role.CAREGIVER.value:
            return None
        return Agreed(ConsentWay(self.way.data), self.given_on.data)

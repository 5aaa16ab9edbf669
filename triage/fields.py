"""Form fields that print themselves, label, hint, error and all, with the macros of templates/components/fields.html.

    class Daily(FlaskForm):
        temperature = Text("Your temperature", inputmode="decimal", width=5)

and in the template `{{ form.temperature }}`. The words of every field:

    description    the hint under the label
    heading        the label is the page's one heading
    size           of the label: s, m, l or xl; left out, it is l for a heading, m for a group, s for one box

and of its own:

    Text           width, suffix, inputmode, autocomplete, plain      Password    autocomplete
    TextArea       rows, plain                                       Select      choices
    Radios         choices, inline, hints, message
    Checkboxes     choices, exclusive, apart, hints
    DateParts      required, message; `data` is a date or None       Hidden      printed by form_page()
    Pressed        the button that was pressed; not printed

What a field holds and whether that makes sense is the business of the forms; no rule stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any

from flask import current_app
from markupsafe import Markup
from wtforms import (
    Field,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)

from triage.languages import later

Choices = Iterable[tuple[str, str]]
"""(value, text) in the order shown."""


def _print(macro: str, *args: object) -> Markup:
    # Jinja keeps the module of a template without context, so this is one function call.
    module = current_app.jinja_env.get_template("components/fields.html").module
    return Markup(getattr(module, macro)(*args))  # noqa: S704 (our own autoescaped template)


def _by_value(choices: Choices) -> dict[str, str]:
    """In the form WTForms wants. Two choices with one value are a mistake: one of them could never be answered."""
    listed = list(choices)
    if len({value for value, _ in listed}) < len(listed):
        raise ValueError(f"two choices share a value: {[value for value, _ in listed]}")
    return dict(listed)


class _Typed(StringField):
    """What is typed comes without the one character that databases and HTML refuse and nobody types."""

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([text.replace("\x00", "") for text in valuelist])


class Text(_Typed):
    """One line. `width`: characters to show; `plain`: no capital letters or corrections (names to sign in with)."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        width: int = 0,
        suffix: str = "",
        inputmode: str = "",
        autocomplete: str = "",
        plain: bool = False,
        heading: bool = False,
        size: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.width, self.suffix, self.inputmode = width, suffix, inputmode
        self.autocomplete, self.plain = autocomplete, plain
        self.heading, self.size = heading, size

    def __call__(self, **kwargs: object) -> Markup:
        return _print("input", self, self.data or "")


class Password(PasswordField):
    """A passphrase; what was typed is never printed again."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        autocomplete: str = "",
        heading: bool = False,
        size: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.autocomplete = autocomplete
        self.heading, self.size = heading, size

    def __call__(self, **kwargs: object) -> Markup:
        return _print("password", self)


class TextArea(_Typed, TextAreaField):
    """Several lines. `plain`: no capital letters or corrections by the keyboard."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        rows: int = 4,
        plain: bool = False,
        heading: bool = False,
        size: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.rows, self.plain = rows, plain
        self.heading, self.size = heading, size

    def __call__(self, **kwargs: object) -> Markup:
        return _print("textarea", self, self.data or "")


class Select(SelectField):
    """One of many. A browser shows the first as chosen: let that one be ("", "Choose …") where nothing is known yet."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        choices: Choices = (),
        heading: bool = False,
        size: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, choices=_by_value(choices), **kwargs)
        self.heading, self.size = heading, size

    def __call__(self, **kwargs: object) -> Markup:
        return _print("select", self)


class Radios(RadioField):
    """One of a few. Nothing is chosen at first; `hints`: value → a line under the choice."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        choices: Choices = (),
        inline: bool = False,
        hints: Mapping[str, str] | None = None,
        message: str = later("Choose one of the answers"),
        heading: bool = False,
        size: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, choices=_by_value(choices), validate_choice=False, **kwargs)
        self.inline, self.hints, self.message = inline, hints or {}, message
        self.heading, self.size = heading, size

    def process_data(self, value: Any) -> None:
        self.data = None if value is None else str(value)

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = valuelist[0] if valuelist else None

    def pre_validate(self, form: Any) -> None:
        """An answer that is none of the choices is no answer."""
        if self.data not in {value for value, *_ in self.iter_choices()}:
            self.data = None
            if not self.flags.optional:
                raise ValidationError(self.message)

    def __call__(self, **kwargs: object) -> Markup:
        return _print("radios", self)


class Checkboxes(SelectMultipleField):
    """Any number of many. `exclusive` answers stand for the whole group ("none of these") and untick the others;
    `apart` are set off by "or"."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        choices: Choices = (),
        exclusive: Sequence[str] = (),
        apart: Sequence[str] = (),
        hints: Mapping[str, str] | None = None,
        heading: bool = False,
        size: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, choices=_by_value(choices), validate_choice=False, **kwargs)
        self.exclusive, self.hints = tuple(exclusive), hints or {}
        self.apart = tuple(apart) or self.exclusive
        self.heading, self.size = heading, size

    def pre_validate(self, form: Any) -> None:
        """What is none of the choices was not asked."""
        known = {value for value, *_ in self.iter_choices()}
        self.data = [value for value in self.data or [] if value in known]

    def __call__(self, **kwargs: object) -> Markup:
        return _print("checkboxes", self)


class DateParts(Field):
    """A day in three boxes; `data` is a date, or None. What was typed is shown again."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        required: bool = True,
        message: str = later("Enter the date as day, month and year, for example 17 11 2026"),
        heading: bool = False,
        size: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.required, self.message = required, message
        self.heading, self.size = heading, size
        self.typed: tuple[str, str, str] = ("", "", "")

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        self.process_errors = []
        self.data = data if isinstance(data, date) else self.default if isinstance(self.default, date) else None
        names = [f"{self.name}-{part}" for part in ("day", "month", "year")]
        if formdata is not None and any(name in formdata for name in names):
            day, month, year = (str(formdata.get(name, "")).strip() for name in names)
            self.typed = (day, month, year)
            self.raw_data = [part for part in self.typed if part]
            self.data = _date(day, month, year)
        elif self.data is not None:
            self.typed = (str(self.data.day), str(self.data.month), str(self.data.year))

    def pre_validate(self, form: Any) -> None:
        """Three numbers that are no day, or nothing where a day is needed."""
        if self.data is None and (self.required or any(self.typed)):
            raise ValidationError(self.message)

    def __call__(self, **kwargs: object) -> Markup:
        return _print("date_parts", self, self.typed)


def _date(day: str, month: str, year: str) -> date | None:
    """The day of three numbers. A year of two digits is a slip, not a year of antiquity."""
    if len(year) != 4 or not all(part.isascii() and part.isdigit() for part in (day, month, year)):
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


class Pressed(Field):
    """Which button sent the form: the value of the one named `press`. Templates print buttons; nothing stands here."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = valuelist[-1] if valuelist else ""

    def __call__(self, **kwargs: object) -> Markup:
        return Markup("")


class Hidden(_Typed, HiddenField):
    """A field that nobody sees; form_page() prints it."""


def time_of_day(text: str) -> time | None:
    """ "8", "8:30" or "08.30" as a time of day; None when it is none."""
    hour, _, minute = text.strip().replace(".", ":").partition(":")
    if not (hour.isascii() and hour.isdigit() and (minute or "0").isascii() and (minute or "0").isdigit()):
        return None
    try:
        return time(int(hour), int(minute or "0"))
    except ValueError:
        return None


def mail_address(form: Any, field: Field) -> None:
    """A validator: one mail address, or nothing."""
    mail = (field.data or "").strip()
    name, at, host = mail.rpartition("@")
    if mail and not (name and at and "." in host and mail.isprintable() and not set(mail) & set(" ,;<>\"'{}")):
        raise ValidationError("Enter one mail address, for example name@example.org")


def mobile_number(form: Any, field: Field) -> None:
    """A validator: one telephone number, or nothing."""
    phone = (field.data or "").strip()
    if phone and not (set(phone) <= set("+0123456789 ()-./") and 6 <= sum(map(str.isdigit, phone)) <= 15):
        raise ValidationError("Enter one telephone number, for example +44 1632 960 123")


__all__ = [
    "Checkboxes",
    "DateParts",
    "Hidden",
    "Password",
    "Pressed",
    "Radios",
    "Select",
    "Text",
    "TextArea",
    "mail_address",
    "mobile_number",
    "time_of_day",
]

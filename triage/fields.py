"""Form fields that print themselves, label, hint, error and all, with the macros of templates/components/fields.html.

    class Daily(FlaskForm):
        temperature = Text("What is your temperature?", inputmode="decimal", width=5)

and in the template `{{ form.temperature }}`. Hints are WTForms' `description`. `heading=True` makes the label the
page's one heading. No rule of the business stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
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
)

Choices = Sequence[tuple[str, str]]


def _macro(name: str, *args: Any, **kwargs: Any) -> Markup:
    module: Any = current_app.jinja_env.get_template("components/fields.html").module
    return Markup(getattr(module, name)(*args, **kwargs))  # noqa: S704 (our own autoescaped template)


class Text(StringField):
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
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.width, self.suffix, self.inputmode = width, suffix, inputmode
        self.autocomplete, self.plain, self.heading = autocomplete, plain, heading

    def __call__(self, **kwargs: object) -> Markup:
        return _macro("input", self, self.data or "")


class Password(PasswordField):
    """A passphrase; what was typed is never printed again."""

    width, suffix, inputmode, plain = 0, "", "", True

    def __init__(
        self, label: str = "", validators: Any = None, *, autocomplete: str = "", heading: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.autocomplete, self.heading = autocomplete, heading

    def __call__(self, **kwargs: object) -> Markup:
        return _macro("input", self, "", type="password")


class TextArea(TextAreaField):
    """Several lines."""

    def __init__(
        self, label: str = "", validators: Any = None, *, rows: int = 4, heading: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.rows, self.heading = rows, heading

    def __call__(self, **kwargs: object) -> Markup:
        return _macro("textarea", self, self.data or "")


class Select(SelectField):
    """One of many."""

    def __init__(self, label: str = "", validators: Any = None, *, heading: bool = False, **kwargs: Any) -> None:
        super().__init__(label, validators, **kwargs)
        self.heading = heading

    def __call__(self, **kwargs: object) -> Markup:
        return _macro("select", self)


class Radios(RadioField):
    """One of a few. Nothing is chosen at first; `hints`: value → a line under the choice."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        inline: bool = False,
        heading: bool = False,
        hints: Mapping[str, str] | None = None,
        message: str = "Choose one of the answers",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, validate_choice=False, **kwargs)
        self.inline, self.heading, self.hints, self.message = inline, heading, hints or {}, message

    def process_data(self, value: Any) -> None:
        self.data = None if value is None else str(value)

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = valuelist[0] if valuelist else None

    def pre_validate(self, form: Any) -> None:
        """An answer that is none of the choices is no answer."""
        if self.data not in {value for value, *_ in self.iter_choices()}:
            self.data = None
            if not self.flags.optional:
                raise ValueError(self.message)

    def __call__(self, **kwargs: object) -> Markup:
        return _macro("radios", self)


class Checkboxes(SelectMultipleField):
    """Any number of many. `exclusive` answers stand for the whole group ("none of these") and untick the others;
    `apart` are set off by "or"."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        exclusive: Sequence[str] = (),
        apart: Sequence[str] = (),
        heading: bool = False,
        hints: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, validate_choice=False, **kwargs)
        self.exclusive, self.heading, self.hints = tuple(exclusive), heading, hints or {}
        self.apart = tuple(apart) or self.exclusive

    def pre_validate(self, form: Any) -> None:
        """What is none of the choices was not asked."""
        known = {value for value, *_ in self.iter_choices()}
        self.data = [value for value in self.data or [] if value in known]

    def __iter__(self) -> Any:
        options = super().__iter__()
        chosen = set(self.data or ())
        for option in options:
            option.checked = option.data in chosen
            yield option

    def __call__(self, **kwargs: object) -> Markup:
        return _macro("checkboxes", self)


class DateParts(Field):
    """A day in three boxes; `data` is a date, or None. What was typed is shown again."""

    def __init__(
        self,
        label: str = "",
        validators: Any = None,
        *,
        heading: bool = False,
        required: bool = True,
        message: str = "Enter the date as day, month and year, for example 17 11 2026",
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.heading, self.required, self.message = heading, required, message
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
            raise ValueError(self.message)

    def __call__(self, **kwargs: object) -> Markup:
        return _macro("date_parts", self, self.typed)


def _date(day: str, month: str, year: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


class Hidden(HiddenField):
    """A hidden field that a template prints itself."""


__all__ = ["Checkboxes", "DateParts", "Hidden", "Password", "Radios", "Select", "Text", "TextArea"]

"""A code of an authenticator app, or a recovery code."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms.validators import DataRequired

from triage.fields import Hidden, Text


class _Code(FlaskForm):
    """`next` and `kept` are what the sign-in page carried."""

    next = Hidden()
    kept = Hidden()
    _status = 422
    _wrong = ""

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        return self._status if self.errors else 200

    def refuse(self, held: bool) -> None:
        """A code that lets nobody in, or too many of them."""
        too_many = "Too many wrong codes were tried. Wait up to 15 minutes, then try again."
        self["code"].errors = [too_many if held else self._wrong]
        self._status = 429 if held else 403


class CodeForm(_Code):
    """Of the app, or a recovery code."""

    code = Text(
        "Code of your authenticator app",
        [DataRequired("Enter the code that your authenticator app shows")],
        plain=True,
        autocomplete="one-time-code",
        description="Six digits. A recovery code works, too",
    )

    def without_app(self) -> None:
        """Of somebody with a passkey only."""
        self.code.label.text = "Recovery code"
        self.code.description = "Three groups of four letters"

    _wrong = "This code is not right, or was used already. Wait for the next one and try again."


class AppForm(_Code):
    """Of the app alone."""

    code = Text(
        "Code that the app shows now",
        [DataRequired("Enter the code that your authenticator app shows")],
        inputmode="numeric",
        width=10,
        autocomplete="one-time-code",
        description="Six digits",
    )
    _wrong = "This code is not right, or was used already. Check the clock of your phone, and enter the next code."

"""The code of an invitation, and a passphrase of one's own."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError
from wtforms.validators import DataRequired

from triage.accounts.services import DEMO_PASSWORD
from triage.fields import Hidden, Password, Text

SHORTEST = 12
LONGEST = 200


class CodeForm(FlaskForm):
    """The code on the printed sheet."""

    code = Text(
        "The code on your sheet",
        [DataRequired("Enter the code on your sheet")],
        plain=True,
        autocomplete="off",
        description="Five groups of four letters",
    )

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        return self._status if self.errors else 200

    _status = 422

    def not_good(self) -> None:
        """Never says whether the code was used, has expired or never was."""
        self.code.errors = [
            "This code is not right, was used already, or is too old. Check the letters, or ask your care team for a "
            "new sheet."
        ]
        self._status = 403

    def held(self) -> None:
        """Too many wrong codes came from one address."""
        self.code.errors = ["Too many wrong codes were tried. Wait up to 15 minutes, then try again."]
        self._status = 429


class NewPassphraseForm(FlaskForm):
    """A new passphrase, typed twice."""

    passphrase = Password(
        "Choose a passphrase",
        [DataRequired("Choose a passphrase")],
        autocomplete="new-password",
        description=f"At least {SHORTEST} letters or signs. Four or five words that belong to no sentence are good",
    )
    again = Password("The same passphrase again", autocomplete="new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sign_in_name = ""
        super().__init__(*args, **kwargs)

    def for_name(self, sign_in_name: str) -> None:
        """Whose passphrase it will be."""
        self._sign_in_name = sign_in_name

    def validate_passphrase(self, field: Field) -> None:
        """What programs that guess try first is refused."""
        text = field.data or ""
        if len(text) < SHORTEST:
            raise ValidationError(f"Choose a passphrase of at least {SHORTEST} letters or signs")
        if len(text) > LONGEST:
            raise ValidationError(f"Choose a passphrase of at most {LONGEST} letters or signs")
        if len(set(text.lower())) < 5 or text == DEMO_PASSWORD or text.isdigit():
            raise ValidationError("Choose a passphrase that is harder to guess")
        if self._sign_in_name and self._sign_in_name in text.lower():
            raise ValidationError("Choose a passphrase without your sign-in name in it")

    def validate_again(self, field: Field) -> None:
        if self.passphrase.data != field.data:
            raise ValidationError("The two passphrases are not the same. Type both again")


class PassphraseForm(NewPassphraseForm):
    """The first passphrase, with the code of the invitation."""

    code = Hidden()

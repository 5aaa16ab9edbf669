"""The code of an invitation, and a passphrase of one's own."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError
from wtforms.validators import DataRequired

from triage.accounts.services import DEMO_PASSWORD
from triage.fields import Hidden, Password, Text
from triage.languages import _, later

SHORTEST = 12
LONGEST = 200


class CodeForm(FlaskForm):
    """The code on the printed sheet."""

    code = Text(
        later("The code on your sheet"),
        [DataRequired(later("Enter the code on your sheet"))],
        plain=True,
        autocomplete="off",
        description=later("Five groups of four letters"),
    )

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        return self._status if self.errors else 200

    _status = 422

    def not_good(self) -> None:
        """Never says whether the code was used, has expired or never was."""
        self.code.errors = [
            _(
                "This code is not right, was used already, or is too old. Check the letters, or ask your care team "
                "for a new sheet."
            )
        ]
        self._status = 403

    def held(self) -> None:
        """Too many wrong codes came from one address."""
        self.code.errors = [_("Too many wrong codes were tried. Wait up to 15 minutes, then try again.")]
        self._status = 429


class NewPassphraseForm(FlaskForm):
    """A new passphrase, typed twice."""

    passphrase = Password(
        later("Choose a passphrase"),
        [DataRequired(later("Choose a passphrase"))],
        autocomplete="new-password",
        description=later(
            "At least %(least)s letters or signs. Four or five words that belong to no sentence are good",
            least=SHORTEST,
        ),
    )
    again = Password(later("The same passphrase again"), autocomplete="new-password")

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
            raise ValidationError(_("Choose a passphrase of at least %(least)s letters or signs", least=SHORTEST))
        if len(text) > LONGEST:
            raise ValidationError(_("Choose a passphrase of at most %(most)s letters or signs", most=LONGEST))
        if len(set(text.lower())) < 5 or text == DEMO_PASSWORD or text.isdigit():
            raise ValidationError(_("Choose a passphrase that is harder to guess"))
        if self._sign_in_name and self._sign_in_name in text.lower():
            raise ValidationError(_("Choose a passphrase without your sign-in name in it"))

    def validate_again(self, field: Field) -> None:
        if self.passphrase.data != field.data:
            raise ValidationError(_("The two passphrases are not the same. Type both again"))


class PassphraseForm(NewPassphraseForm):
    """The first passphrase, with the code of the invitation."""

    code = Hidden()

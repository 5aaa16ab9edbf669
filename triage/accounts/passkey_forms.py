"""What goes with a passkey: the name of a device, and what the device answers."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError
from wtforms.validators import DataRequired, Length

from triage.accounts.confirming import PassphraseForm
from triage.accounts.services import Refused
from triage.fields import Hidden, Text
from triage.languages import later

LONGEST_NAME = 60


class NameForm(FlaskForm):
    """What its owner calls the device."""

    name = Text(
        later("Name of this device"),
        [
            DataRequired(later("Enter a name for this device")),
            Length(max=LONGEST_NAME, message=later("Shorten the name")),
        ],
        description=later("So that you know it again in your list, for example: my phone"),
    )


class AddForm(NameForm, PassphraseForm):
    """The name, and the passphrase once more: whoever found an open phone adds no passkey of theirs."""


class RemoveForm(PassphraseForm):
    """The passphrase once more."""

    passkey = Hidden()


class AnswerForm(FlaskForm):
    """What the device has signed, filled in by assets/passkey.mjs; `next` and `kept` as the sign-in page has them."""

    answer = Hidden()
    next = Hidden()
    kept = Hidden()
    _status = 422

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        return self._status if self.errors else 200

    def refuse(self, why: Refused) -> None:
        """Nobody was signed in; never says why."""
        self.answer.errors = [SAYS[why]]
        self._status = 429 if why is Refused.TOO_MANY else 403


class NewForm(AnswerForm):
    """What a new passkey of a device says, and what its owner calls it."""

    name = Hidden(validators=[DataRequired(), Length(max=LONGEST_NAME)])

    def validate_answer(self, field: Field) -> None:
        if not field.data:
            raise ValidationError(NOT_ADDED)


NOT_ADDED = later("No passkey was added. Begin again. If that does not help, use another device or your passphrase.")
SAYS = {
    Refused.UNKNOWN: later("This passkey lets nobody in here. Try again, or sign in with your passphrase."),
    Refused.TOO_MANY: later(
        "Somebody tried to sign in too often from where you are. Wait up to 15 minutes, then try again. Call if you "
        "need help now."
    ),
}

"""A passphrase asked again: at a locked device, and before it is changed."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms.validators import DataRequired

from triage.accounts.joining_forms import NewPassphraseForm
from triage.accounts.services import Refused
from triage.fields import Hidden, Password
from triage.languages import later

SAYS = {
    Refused.UNKNOWN: later("This passphrase is not right. Try again."),
    Refused.TOO_MANY: later(
        "A wrong passphrase was tried too often. Wait up to 15 minutes. Call if you need help now."
    ),
    Refused.DEMO_PASSWORD: later("Demo accounts work only on the machine that runs the demonstration."),
}


class UnlockForm(FlaskForm):
    """The passphrase of whoever left the device; `kept` carries a form that was sent when it had locked."""

    passphrase = Password(
        later("Your passphrase"), [DataRequired(later("Enter your passphrase"))], autocomplete="current-password"
    )
    next = Hidden()
    kept = Hidden()

    def refuse(self, why: Refused) -> None:
        """Say why it stays locked."""
        self.passphrase.errors = [SAYS[why]]


class ChangePassphraseForm(NewPassphraseForm):
    """The present passphrase, and another one twice."""

    present = Password(
        later("Your present passphrase"),
        [DataRequired(later("Enter your present passphrase"))],
        autocomplete="current-password",
    )

    def refuse(self, why: Refused) -> None:
        """The present one was not right."""
        self.present.errors = [SAYS[why]]

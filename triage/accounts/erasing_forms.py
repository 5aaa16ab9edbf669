"""Forms of the pages on which an administrator takes all that is on file of a patient into a file, or erases it."""

from __future__ import annotations

from wtforms import Field
from wtforms.validators import DataRequired, ValidationError

from triage.accounts.confirming import PassphraseForm
from triage.accounts.erasing import ErasureReason
from triage.accounts.whole_record import ExportReason
from triage.fields import Password, Radios, Text

_EXPORTS = {
    ExportReason.PATIENT_ASKED: "The patient asked for it",
    ExportReason.OTHER_HOSPITAL: "Another hospital goes on with the treatment",
    ExportReason.AUTHORITY: "A court or authority demands it",
    ExportReason.BEFORE_ERASURE: "It is kept elsewhere before it is erased here",
}
_ERASURES = {
    ErasureReason.PATIENT_ASKED: "The patient asked for it",
    ErasureReason.KEPT_LONG_ENOUGH: "It was kept for as long as it has to be",
    ErasureReason.BY_MISTAKE: "The patient was enrolled by mistake",
}
CONFIRM = "erase"


def _passphrase() -> Password:
    """Asked for last, and so told of last when it is wrong."""
    return Password("Your passphrase", [DataRequired("Enter your passphrase")], autocomplete="current-password")


class ExportForm(PassphraseForm):
    """Why all that is on file is written into a file, and who does it."""

    reason = Radios(
        "Why?", choices=[(reason.value, text) for reason, text in _EXPORTS.items()], message="Choose why it is written"
    )
    passphrase = _passphrase()

    def why(self) -> ExportReason:
        """What was chosen; only after validation."""
        return ExportReason(self.reason.data)


class EraseForm(PassphraseForm):
    """Why somebody is erased, that it is meant, and who does it."""

    reason = Radios(
        "Why?", choices=[(reason.value, text) for reason, text in _ERASURES.items()], message="Choose why it is erased"
    )
    confirm = Text(f"Enter the word “{CONFIRM}”", description="It cannot be undone", width=10)
    passphrase = _passphrase()

    def validate_confirm(self, field: Field) -> None:
        if (field.data or "").strip().lower() != CONFIRM:
            raise ValidationError(f"Enter the word “{CONFIRM}” to erase this patient")

    def why(self) -> ErasureReason:
        """What was chosen; only after validation."""
        return ErasureReason(self.reason.data)

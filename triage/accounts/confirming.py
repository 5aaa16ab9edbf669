"""The passphrase asked once more, by a page that gives something away: whoever found an open phone does not know it."""

from __future__ import annotations

from datetime import datetime

from flask import request
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms.validators import DataRequired

from triage.accounts import arriving, services
from triage.accounts.account_forms import SAYS
from triage.fields import Password
from triage.languages import later
from triage.models import Person


class PassphraseForm(FlaskForm):
    """The passphrase of whoever is signed in."""

    passphrase = Password(
        later("Your passphrase"), [DataRequired(later("Enter your passphrase"))], autocomplete="current-password"
    )


def confirmed(session: Session, person: Person, form: PassphraseForm, at: datetime) -> bool:
    """Whether the sent form holds the person's passphrase; else it says what is wrong. Tries are counted and held up as
    those of signing in. Commits once."""
    if not form.validate_on_submit():
        return False
    typed, address = form.passphrase.data or "", request.remote_addr or ""
    try:
        services.confirm(session, person, typed, at, address=address, device=arriving.device())
    except services.SignInRefused as refused:
        form.passphrase.errors = [SAYS[refused.why]]
        return False
    return True

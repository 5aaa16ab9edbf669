"""What somebody with an invitation sees before they can sign in, and the page for those who cannot.

The code travels in the body of a form only; the address that the QR code opens has it behind a `#`, which
static/invitation.js puts into the form and takes out of the address.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import invitations, throttle
from triage.accounts.access import public
from triage.accounts.joining_forms import CodeForm, PassphraseForm
from triage.accounts.second_factor_views import let_in
from triage.database import db

bp = Blueprint("joining", __name__)


@bp.route("/invitation", methods=["GET", "POST"])
@public
def code() -> ResponseReturnValue:
    form = CodeForm()
    if form.validate_on_submit():
        try:
            somebody = invitations.find(db.session, form.code.data or "", request.remote_addr or "", clock.now())
        except invitations.NotGood:
            form.not_good()
        except throttle.Held:
            form.held()
        else:
            return _passphrase_page(PassphraseForm(formdata=None, code=form.code.data), somebody.sign_in_name, 200)
    return _code_page(form)


@bp.post("/invitation/passphrase")
@public
def passphrase() -> ResponseReturnValue:
    form = PassphraseForm()
    now, address = clock.now(), request.remote_addr or ""
    try:
        somebody = invitations.find(db.session, form.code.data or "", address, now)
        form.for_name(somebody.sign_in_name)
        if not form.validate_on_submit():
            return _passphrase_page(form, somebody.sign_in_name, 422)
        invitations.use(db.session, form.code.data or "", form.passphrase.data or "", address, now)
    except invitations.NotGood:
        again = CodeForm(formdata=None)
        again.not_good()
        return _code_page(again)
    except throttle.Held:
        again = CodeForm(formdata=None)
        again.held()
        return _code_page(again)
    return let_in(somebody)


@bp.get("/cannot-sign-in")
@public
def trouble() -> ResponseReturnValue:
    return render_template("accounts/trouble.html")


def _code_page(form: CodeForm) -> ResponseReturnValue:
    return render_template("accounts/code.html", form=form), form.status


def _passphrase_page(form: PassphraseForm, sign_in_name: str, status: int) -> ResponseReturnValue:
    return render_template("accounts/set_passphrase.html", form=form, sign_in_name=sign_in_name), status

"""After the passphrase, staff show their second factor; the first time they set one up.

Whoever is here is not signed in yet: `sessions.half` knows whose passphrase was right. What was typed before a sign-in
timed out is carried along to the end.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import passkeys, qr, second_factor, sessions, throttle
from triage.accounts.access import person, public, roles
from triage.accounts.arriving import after_sign_in, know_device
from triage.accounts.passkey_forms import AnswerForm
from triage.accounts.second_factor_forms import AppForm, CodeForm
from triage.accounts.staff import STAFF
from triage.database import db
from triage.models import Person

bp = Blueprint("second_factor", __name__)


@bp.route("/sign-in/code", methods=["GET", "POST"])
@public
def code() -> ResponseReturnValue:
    somebody = sessions.half()
    if somebody is None:
        return redirect(url_for("accounts.sign_in"))
    form = CodeForm()
    if request.method == "GET":
        return _ask(somebody, "", "")
    if form.validate_on_submit():
        try:
            second_factor.check(db.session, somebody, form.code.data or "", clock.now())
        except (second_factor.Wrong, throttle.Held) as refused:
            form.refuse(held=isinstance(refused, throttle.Held))
        else:
            return _signed_in(somebody, form)
    return _code_page(somebody, form)


@bp.post("/sign-in/set-up")
@public
def set_up() -> ResponseReturnValue:
    somebody = sessions.half()
    if somebody is None or second_factor.is_set_up(db.session, somebody):
        return redirect(url_for("accounts.sign_in"))
    form = AppForm()
    if form.validate_on_submit():
        try:
            codes = second_factor.finish_set_up(db.session, somebody, form.code.data or "", clock.now())
        except (second_factor.Wrong, throttle.Held) as refused:
            form.refuse(held=isinstance(refused, throttle.Held))
        else:
            _begin(somebody)
            onward = CodeForm(formdata=None, next=form.next.data, kept=form.kept.data)
            return render_template("accounts/recovery_codes.html", codes=codes, form=onward)
    return _set_up_page(somebody, form)


@bp.post("/sign-in/go-on")
@roles(*STAFF)
def go_on() -> ResponseReturnValue:
    """From the recovery codes to where somebody wanted to go, or to what they had typed."""
    form = CodeForm()
    return after_sign_in(person(), form.next.data or "", form.kept.data or "")


@bp.route("/recovery-codes", methods=["GET", "POST"])
@roles(*STAFF)
def renew() -> ResponseReturnValue:
    form = AppForm()
    if form.validate_on_submit():
        try:
            codes = second_factor.renew_recovery_codes(db.session, person(), form.code.data or "", clock.now())
        except (second_factor.Wrong, throttle.Held) as refused:
            form.refuse(held=isinstance(refused, throttle.Held))
        else:
            onward = CodeForm(formdata=None, next="", kept="")
            return render_template("accounts/recovery_codes.html", codes=codes, form=onward)
    left = second_factor.recovery_codes_left(db.session, person())
    page = render_template(
        "accounts/renew_codes.html",
        form=form,
        left=left,
        has_app=second_factor.has_app(db.session, person()),
        has_passkey=second_factor.has_passkey(db.session, person()),
    )
    return page, form.status


def let_in(somebody: Person, next_url: str = "", kept: str = "") -> ResponseReturnValue:
    """The answer to a right passphrase: somebody is signed in or, where needed, asked for the second factor."""
    if second_factor.is_needed(somebody):
        sessions.start_half(somebody, clock.now())
        return _ask(somebody, next_url, kept)
    _begin(somebody)
    return after_sign_in(somebody, next_url, kept)


def _ask(somebody: Person, next_url: str, kept: str) -> ResponseReturnValue:
    """The page after a right passphrase: for a code or, the first time, to set up an app."""
    if second_factor.is_set_up(db.session, somebody):
        return _code_page(somebody, CodeForm(formdata=None, next=next_url, kept=kept))
    return _set_up_page(somebody, AppForm(formdata=None, next=next_url, kept=kept))


def _signed_in(somebody: Person, form: CodeForm) -> ResponseReturnValue:
    _begin(somebody)
    return after_sign_in(somebody, form.next.data or "", form.kept.data or "")


def _begin(somebody: Person) -> None:
    sessions.start(somebody, clock.now())
    know_device(somebody)


def _code_page(somebody: Person, form: CodeForm) -> ResponseReturnValue:
    has_app = second_factor.has_app(db.session, somebody)
    if not has_app:
        form.without_app()
    page = render_template("accounts/second_factor.html", form=form, has_app=has_app, passkeys=passkeys.place())
    return page, form.status


def _set_up_page(somebody: Person, form: AppForm) -> ResponseReturnValue:
    secret = second_factor.begin_set_up(db.session, somebody, clock.now())
    drawing = qr.drawing(second_factor.address(somebody, secret))
    onward = AnswerForm(formdata=None, next=form.next.data, kept=form.kept.data)
    page = render_template(
        "accounts/set_up_app.html", form=form, qr=drawing, secret=secret, onward=onward, passkeys=passkeys.place()
    )
    return page, form.status

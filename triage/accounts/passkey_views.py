"""Passkeys: added and removed on everybody's own page, used to sign in and at a locked device, and set up by staff
instead of an authenticator app. What the browser does between two forms is in assets/passkey.mjs."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import arriving, devices, passkeys, second_factor, services, sessions
from triage.accounts.access import person, public, roles
from triage.accounts.confirming import confirmed
from triage.accounts.passkey_forms import NOT_ADDED, AddForm, AnswerForm, NameForm, NewForm, RemoveForm
from triage.database import db
from triage.languages import _
from triage.models import Person, Role

bp = Blueprint("passkeys", __name__)


@bp.post("/sign-in/passkey/challenge")
@public
def challenge() -> ResponseReturnValue:
    """What the browser is to ask the person's device, for the script of the page."""
    here = passkeys.place() or abort(404)
    return Response(passkeys.asked_to_sign_in(here, clock.now()), mimetype="application/json")


@bp.post("/sign-in/passkey")
@public
def sign_in() -> ResponseReturnValue:
    """The device has answered: somebody signs in, or is back at their locked device."""
    form, now = AnswerForm(), clock.now()
    here = sessions.locked()
    try:
        somebody = passkeys.sign_in(
            db.session, form.answer.data or "", now, address=request.remote_addr or "", device=arriving.device()
        )
    except services.SignInRefused as refused:
        form.refuse(refused.why)
        return render_template("accounts/passkey_refused.html", form=form, locked=here is not None), form.status
    if here is None or here.id != somebody.id:
        sessions.start(somebody, now)
    arriving.know_device(somebody)
    return arriving.after_sign_in(somebody, form.next.data or "", form.kept.data or "")


@bp.route("/account/passkeys/add", methods=["GET", "POST"])
@roles(*Role)
def add() -> ResponseReturnValue:
    somebody, now, here = person(), clock.now(), passkeys.place()
    form = AddForm(name=_described())
    if here is None:
        return redirect(url_for("account.home"))
    if form.is_submitted() and confirmed(db.session, somebody, form, now):
        return _create_page(passkeys.asked_to_make(db.session, somebody, here, now), form, "passkeys.save")
    return render_template("accounts/add_passkey.html", form=form), 422 if form.errors else 200


@bp.post("/account/passkeys/save")
@roles(*Role)
def save() -> ResponseReturnValue:
    form = NewForm()
    try:
        if not form.validate():
            raise passkeys.Wrong
        passkeys.add(db.session, person(), form.name.data or "", form.answer.data or "", clock.now())
    except passkeys.Wrong:
        form.answer.errors = [NOT_ADDED]
        return render_template("accounts/passkey_not_added.html", form=form, again=url_for("passkeys.add")), 422
    flash(_("The passkey is added. From now on you can sign in with it."), "success")
    return redirect(url_for("account.home"))


@bp.route("/account/passkeys/remove", methods=["GET", "POST"])
@roles(*Role)
def remove() -> ResponseReturnValue:
    """One of one's own passkeys; somebody else's does not exist."""
    somebody, form = person(), RemoveForm(passkey=request.args.get("passkey", ""))
    if not form.passkey.data:
        return redirect(url_for("account.home"))
    mine = passkeys.of_person(db.session, somebody)
    passkey = next((one for one in mine if str(one.id) == form.passkey.data), None) or abort(404)
    id, name = passkey.id, passkey.name
    if form.is_submitted() and confirmed(db.session, somebody, form, clock.now()):
        try:
            passkeys.remove(db.session, somebody, id, clock.now())
        except passkeys.LastOne:
            form.passphrase.errors = [
                _("You sign in with this passkey only. Add another one first. Nothing was removed.")
            ]
        else:
            flash(_("The passkey is removed. Delete it on the device, too."), "success")
            return redirect(url_for("account.home"))
    return render_template("accounts/remove_passkey.html", form=form, name=name), 422 if form.errors else 200


@bp.post("/sign-in/set-up-passkey")
@public
def begin_set_up() -> ResponseReturnValue:
    """Instead of an authenticator app, right after the passphrase."""
    somebody, here, now = sessions.half(), passkeys.place(), clock.now()
    if somebody is None or here is None or second_factor.is_set_up(db.session, somebody):
        return redirect(url_for("accounts.sign_in"))
    form = NameForm(formdata=None, name=_described())
    carried = AnswerForm()
    options = passkeys.asked_to_make(db.session, somebody, here, now)
    return _create_page(options, form, "passkeys.finish_set_up", carried.next.data or "", carried.kept.data or "")


@bp.post("/sign-in/passkey-made")
@public
def finish_set_up() -> ResponseReturnValue:
    somebody, form, now = sessions.half(), NewForm(), clock.now()
    if somebody is None:
        return redirect(url_for("accounts.sign_in"))
    try:
        if not form.validate():
            raise passkeys.Wrong
        codes = passkeys.set_up(db.session, somebody, form.name.data or "", form.answer.data or "", now)
    except passkeys.Wrong:
        form.answer.errors = [NOT_ADDED]
        again = url_for("second_factor.code")
        return render_template("accounts/passkey_not_added.html", form=form, again=again), 422
    _begin(somebody)
    onward = AnswerForm(formdata=None, next=form.next.data, kept=form.kept.data)
    return render_template("accounts/recovery_codes.html", codes=codes, form=onward)


def _begin(somebody: Person) -> None:
    sessions.start(somebody, clock.now())
    arriving.know_device(somebody)


def _create_page(options: str, named: NameForm, save: str, next_url: str = "", kept: str = "") -> ResponseReturnValue:
    """The page whose button has the device make a passkey."""
    form = NewForm(formdata=None, name=named.name.data, next=next_url, kept=kept)
    return render_template("accounts/create_passkey.html", form=form, options=options, save=url_for(save))


def _described() -> str:
    return devices.described(request.user_agent.string)

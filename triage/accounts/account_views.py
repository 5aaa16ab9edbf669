"""Everybody's own page: where they are signed in, another passphrase; and the page of a device that has locked."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock, languages
from triage.accounts import arriving, devices, language, passkeys, resume, second_factor, services, sessions
from triage.accounts.access import person, public, roles, signed_in
from triage.accounts.account_forms import ChangePassphraseForm, UnlockForm
from triage.database import db
from triage.languages import _
from triage.models import Person, Role
from triage.ruleset_editor import spoken

bp = Blueprint("account", __name__)


@bp.get("/account")
@roles(*Role)
def home() -> ResponseReturnValue:
    somebody, now = person(), clock.now()
    return render_template(
        "accounts/account.html",
        sign_ins=sessions.of_person(db.session, somebody, now),
        here=sessions.current(),
        second_factor=second_factor.is_needed(somebody),
        device_words=devices.words,
        passkeys=(mine := passkeys.of_person(db.session, somebody)),
        can_add=passkeys.can_add(mine),
        by_name=passkeys.by_name(),
    )


@bp.post("/language")
@public
def choose_language() -> ResponseReturnValue:
    """In which language somebody wants to read: remembered by the browser, and for their messages by the account."""
    chosen = request.form.get("language", "")
    if chosen in (languages.ENGLISH, *spoken.offered()):
        language.keep(chosen)
        somebody = signed_in()
        if somebody is not None and not somebody.is_staff:
            services.choose_language(db.session, somebody, chosen, clock.now())
    return redirect(arriving.after(request.form.get("next")))


@bp.post("/account/end")
@roles(*Role)
def end() -> ResponseReturnValue:
    """One of one's own sign-ins; somebody else's does not exist."""
    chosen = request.form.get("sign_in", type=UUID)
    if chosen is not None:
        mine = sessions.of_person(db.session, person(), clock.now())
        row = next((row for row in mine if row.id == chosen), None) or abort(404)
        services.end_sign_in(db.session, person(), row, clock.now())
    return redirect(url_for("account.home"))


@bp.post("/account/end-others")
@roles(*Role)
def end_others() -> ResponseReturnValue:
    here = sessions.current() or abort(404)
    services.end_other_sign_ins(db.session, person(), but=here.id, at=clock.now())
    flash(_("You are signed out everywhere else."), "success")
    return redirect(url_for("account.home"))


@bp.route("/account/passphrase", methods=["GET", "POST"])
@roles(*Role)
def passphrase() -> ResponseReturnValue:
    somebody, form, now = person(), ChangePassphraseForm(), clock.now()
    form.for_name(somebody.sign_in_name)
    if form.validate_on_submit():
        try:
            services.change_passphrase(
                db.session,
                somebody,
                form.present.data or "",
                form.passphrase.data or "",
                now,
                address=request.remote_addr or "",
                device=arriving.device(),
            )
        except services.SignInRefused as refused:
            form.refuse(refused.why)
        else:
            sessions.start(somebody, now)
            flash(_("Your passphrase is changed. You are signed out everywhere else."), "success")
            return redirect(url_for("account.home"))
    return render_template("accounts/change_passphrase.html", form=form), 422 if form.errors else 200


@bp.route("/unlock", methods=["GET", "POST"])
@public
def unlock() -> ResponseReturnValue:
    somebody = sessions.locked()
    form = UnlockForm(next=request.args.get("next", ""))
    if somebody is None:
        return redirect(arriving.after(form.next.data))
    if form.validate_on_submit():
        try:
            services.unlock(
                db.session,
                somebody,
                form.passphrase.data or "",
                clock.now(),
                address=request.remote_addr or "",
                device=arriving.device(),
            )
        except services.SignInRefused as refused:
            form.refuse(refused.why)
        else:
            return arriving.after_sign_in(somebody, form.next.data or "", form.kept.data or "")
    return _locked(somebody, form), 422 if form.errors else 200


def locked_page(somebody: Person, kept: str) -> str:
    """The page of a locked device, which carries a form along that was sent there."""
    return _locked(somebody, UnlockForm(formdata=None, next="", kept=kept))


def _locked(somebody: Person, form: UnlockForm) -> str:
    kept = resume.from_signed(form.kept.data or "") is not None
    return render_template("accounts/locked.html", form=form, somebody=somebody, kept=kept, passkeys=passkeys.place())

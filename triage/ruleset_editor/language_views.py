"""In which languages patients are spoken to: what is translated, what is missing, and a clinician's approval."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import person, roles
from triage.database import db
from triage.models import Role
from triage.rules import translation
from triage.ruleset_editor import spoken
from triage.ruleset_editor.forms import ApproveLanguageForm

bp = Blueprint("language", __name__)


@bp.get("/languages")
@roles(Role.CLINICIAN)
def languages() -> ResponseReturnValue:
    return render_template("rules/languages.html", states=spoken.states(db.session))


@bp.route("/languages/<code>", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def language(code: str) -> ResponseReturnValue:
    """Every text beside its English one; below, the approval of all of them."""
    state = spoken.state(db.session, code) or abort(404)
    form = ApproveLanguageForm()
    if form.validate_on_submit():
        try:
            spoken.approve(db.session, code, form.seal.data or "", person(), clock.now())
        except spoken.Incomplete:
            form.read.errors = ["Not approved: a text has no translation"]
        except spoken.Changed:
            form.read.errors = ["Not approved: the texts have changed since you opened this page. Read them again"]
        else:
            flash(f"Approved. Patients and caregivers can now choose {state.name}.", "success")
            return redirect(url_for("language.languages"))
    form.seal.data = state.seal
    page = render_template(
        "rules/language.html", state=state, form=form, texts=translation.texts_of(state.ruleset), code=code
    )
    return page, 422 if form.errors else 200


@bp.post("/languages/<code>/withdraw")
@roles(Role.CLINICIAN)
def withdraw(code: str) -> ResponseReturnValue:
    state = spoken.state(db.session, code) or abort(404)
    spoken.withdraw(db.session, code, person(), clock.now())
    flash(f"{state.name} is not offered any more. Pages are English from now on.", "success")
    return redirect(url_for("language.languages"))

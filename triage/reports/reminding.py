"""The page on which a patient or caregiver chooses when to be reminded."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import own_patient, person, roles
from triage.alerts import daily
from triage.database import db
from triage.languages import _
from triage.models import Role
from triage.reports.reminder_form import CHANNELS, ReminderForm

bp = Blueprint("reminding", __name__)
REPORTERS = (Role.PATIENT, Role.CAREGIVER)


@bp.route("/reminders", methods=["GET", "POST"])
@roles(*REPORTERS)
def choose() -> ResponseReturnValue:
    somebody = person()
    offered, chosen = daily.offered(somebody), daily.wish_of(somebody)
    form = ReminderForm()
    form.offer(offered)
    if form.validate_on_submit():
        daily.wish(db.session, somebody, form.wish(), clock.now())
        flash(_("Saved. This is when you are reminded from now on."), "success")
        return redirect(url_for("reminding.choose"))
    if chosen is not None and not form.is_submitted():
        form.fill(chosen)
    page = render_template(
        "reports/reminders.html",
        form=form,
        offered=offered,
        chosen=chosen,
        channels=CHANNELS,
        team=own_patient(somebody).care_team,
    )
    return page, 422 if form.errors else 200


@bp.post("/reminders/off")
@roles(*REPORTERS)
def turn_off() -> ResponseReturnValue:
    daily.drop(db.session, person(), clock.now())
    flash(_("Saved. You are not reminded each day any more."), "success")
    return redirect(url_for("reminding.choose"))

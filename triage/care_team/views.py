"""The nurses' pages: the queue, a patient's record, acknowledging and resolving."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import alert_for, patient_for, person, roles, team_of
from triage.alerts import services
from triage.care_team import queue as waiting
from triage.care_team.forms import DISPOSITIONS, ResolveForm
from triage.care_team.record import patient_record
from triage.database import db
from triage.models import AlertStatus, Disposition, Role

bp = Blueprint("care_team", __name__)
bp.add_app_template_filter(waiting.span_words, "span_words")

_DONE = {
    AlertStatus.OPEN: "was opened again by",
    AlertStatus.ACKNOWLEDGED: "was acknowledged by",
    AlertStatus.RESOLVED: "was resolved by",
}


@bp.get("/queue")
@roles(Role.NURSE)
def queue() -> ResponseReturnValue:
    at = clock.now()
    return render_template("care_team/queue.html", rows=waiting.queue(db.session, team_of(person()), at), at=at)


@bp.get("/patients/<uuid:patient_id>")
@roles(Role.NURSE)
def record(patient_id: UUID) -> ResponseReturnValue:
    at = clock.now()
    patient = patient_for(person(), patient_id)
    return render_template(
        "care_team/record.html", record=patient_record(db.session, patient, at), at=at, dispositions=DISPOSITIONS
    )


@bp.post("/alerts/<uuid:alert_id>/acknowledge")
@roles(Role.NURSE)
def acknowledge(alert_id: UUID) -> ResponseReturnValue:
    alert = alert_for(person(), alert_id)
    try:
        services.acknowledge(db.session, alert, person(), clock.now())
    except services.AlreadyDone as done:
        return render_template("care_team/already.html", alert=alert, done=done, what=_DONE[done.status], note=""), 409
    flash(f"You have acknowledged the alert of {alert.patient.name}. Resolve it when something was done.", "success")
    if request.args.get("back") == "record":
        return redirect(url_for("care_team.record", patient_id=alert.patient_id))
    return redirect(url_for("care_team.queue"))


@bp.route("/alerts/<uuid:alert_id>/resolve", methods=["GET", "POST"])
@roles(Role.NURSE)
def resolve(alert_id: UUID) -> ResponseReturnValue:
    alert = alert_for(person(), alert_id)
    form = ResolveForm(note_needed=partial(services.note_needed, alert))
    if form.validate_on_submit():
        note = form.note.data or ""
        try:
            services.resolve(db.session, alert, person(), Disposition(form.disposition.data), note, clock.now())
        except services.AlreadyDone as done:
            page = render_template("care_team/already.html", alert=alert, done=done, what=_DONE[done.status], note=note)
            return page, 409
        except services.NotAcknowledged:
            form.disposition.errors = [
                "The alert is not acknowledged, or a new report opened it again: acknowledge it first"
            ]
        else:
            flash(f"The alert of {alert.patient.name} is resolved.", "success")
            return redirect(url_for("care_team.queue"))
    team = team_of(person())
    page = render_template(
        "care_team/resolve.html", form=form, alert=alert, lines=waiting.lines(db.session, alert, team)
    )
    return page, 422 if form.errors else 200

"""Pages on which an administrator takes all that is on file of a patient into a file, or erases the patient."""

from __future__ import annotations

import json
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import erasing, whole_record
from triage.accounts.access import patient_for, person, roles
from triage.accounts.confirming import confirmed
from triage.accounts.erasing_forms import EraseForm, ExportForm
from triage.database import db
from triage.models import Role

bp = Blueprint("erasing", __name__)


@bp.route("/people/<uuid:patient_id>/export", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def export(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    form, now = ExportForm(), clock.now()
    if confirmed(db.session, person(), form, now):
        found = whole_record.export(db.session, patient, form.why(), by=person(), at=now)
        answer = Response(json.dumps(found, ensure_ascii=False, indent=1).encode(), mimetype="application/json")
        answer.headers["Content-Disposition"] = 'attachment; filename="patient.json"'
        return answer
    return render_template("accounts/export.html", form=form, patient=patient), 422 if form.errors else 200


@bp.route("/people/<uuid:patient_id>/erase", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def erase(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    form, now = EraseForm(), clock.now()
    if confirmed(db.session, person(), form, now):
        try:
            erasing.erase(db.session, patient, form.why(), by=person(), at=now)
        except erasing.StillNeeded:
            flash("Nothing was erased: monitoring goes on, or an alert is not resolved.")
        else:
            flash("Erased.", "success")
            return redirect(url_for("accounts.people"))
    needed = erasing.is_needed(db.session, patient)
    page = render_template("accounts/erase.html", form=form, patient=patient, needed=needed)
    return page, 422 if form.errors else 200

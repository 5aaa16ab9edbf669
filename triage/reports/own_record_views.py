"""*My record*: what a patient and their caregivers see of it, print, and what the patient takes away."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import looks
from triage.accounts.access import own_patient, person, roles
from triage.accounts.confirming import PassphraseForm, confirmed
from triage.database import db
from triage.models import Role
from triage.reports import own_record, sheet_pdf

bp = Blueprint("own_record", __name__)
REPORTERS = (Role.PATIENT, Role.CAREGIVER)


@bp.get("/my-record")
@roles(*REPORTERS)
def page() -> ResponseReturnValue:
    return _page(PassphraseForm())


def _page(form: PassphraseForm) -> ResponseReturnValue:
    somebody = person()
    patient = own_patient(somebody)
    looks.at_patient(somebody, patient.id)
    page = render_template(
        "reports/my_record.html",
        summary=own_record.summary(db.session, patient, clock.now()),
        own=somebody.role == Role.PATIENT,
        form=form,
    )
    return page, 422 if form.errors else 200


@bp.get("/my-record/sheet")
@roles(*REPORTERS)
def sheet() -> ResponseReturnValue:
    """One sheet of paper for a visit."""
    patient = own_patient(person())
    looks.at_patient(person(), patient.id)
    return render_template("reports/sheet.html", summary=own_record.summary(db.session, patient, clock.now()))


@bp.post("/my-record/file")
@roles(Role.PATIENT)
def take() -> ResponseReturnValue:
    """All own data, or the sheet for a visit, for whoever knows the passphrase. Sent by POST: it writes into the audit
    trail, and no browser fetches it ahead."""
    somebody, form, now = person(), PassphraseForm(), clock.now()
    if not confirmed(db.session, somebody, form, now):
        return _page(form)
    patient = own_patient(somebody)
    if request.form.get("press") == "pdf":
        sheet = own_record.download_sheet(db.session, patient, somebody, now)
        return _file(sheet_pdf.of(sheet), "application/pdf", "sheet.pdf")
    found = own_record.download(db.session, patient, somebody, now)
    return _file(json.dumps(found, ensure_ascii=False, indent=1).encode(), "application/json", "record.json")


def _file(content: bytes, kind: str, name: str) -> Response:
    """To be saved, under a name that tells nothing of anybody."""
    answer = Response(content, mimetype=kind)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer

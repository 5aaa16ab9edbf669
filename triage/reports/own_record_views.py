"""*My record*: what a patient and their caregivers see of it, print, and what the patient takes away."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import own_patient, person, roles
from triage.database import db
from triage.models import Role
from triage.reports import own_record, sheet_pdf

bp = Blueprint("own_record", __name__)
REPORTERS = (Role.PATIENT, Role.CAREGIVER)


@bp.get("/my-record")
@roles(*REPORTERS)
def page() -> ResponseReturnValue:
    patient = own_patient(person())
    return render_template(
        "reports/my_record.html",
        summary=own_record.summary(db.session, patient, clock.now()),
        own=person().role == Role.PATIENT,
    )


@bp.get("/my-record/sheet")
@roles(*REPORTERS)
def sheet() -> ResponseReturnValue:
    """One sheet of paper for a visit."""
    patient = own_patient(person())
    return render_template("reports/sheet.html", summary=own_record.summary(db.session, patient, clock.now()))


@bp.post("/my-record/json")
@roles(Role.PATIENT)
def as_json() -> ResponseReturnValue:
    """All own data. Sent by POST: it writes into the audit trail, and no browser fetches it ahead."""
    somebody = person()
    found = own_record.download(db.session, own_patient(somebody), somebody, clock.now())
    return _file(json.dumps(found, ensure_ascii=False, indent=1).encode(), "application/json", "record.json")


@bp.post("/my-record/pdf")
@roles(Role.PATIENT)
def as_pdf() -> ResponseReturnValue:
    """The sheet for a visit."""
    somebody = person()
    found = own_record.download_sheet(db.session, own_patient(somebody), somebody, clock.now())
    return _file(sheet_pdf.of(found), "application/pdf", "sheet.pdf")


def _file(content: bytes, kind: str, name: str) -> Response:
    """To be saved, under a name that tells nothing of anybody."""
    answer = Response(content, mimetype=kind)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer

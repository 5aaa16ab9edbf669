"""The auditor's pages: the audit trail, and nothing else. And the patient's: who looked at their record."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import audit, looks, services, trail
from triage.accounts.access import own_patient, person, roles, team_of
from triage.accounts.trail_forms import FindForm
from triage.database import db, writing
from triage.languages import _
from triage.models import Patient, Person, Role

bp = Blueprint("trail", __name__)


@bp.app_template_filter()
def action_words(action: str) -> str:
    """An action in words: "alert_acknowledged" is "Alert acknowledged"."""
    return action.replace("_", " ").capitalize()


@bp.app_template_filter()
def what_was_done(action: str) -> str:
    """The same for the patient: seen, written out, or worked on."""
    if action.endswith("_seen"):
        return _("Looked at it")
    if action == "out_of_reach":
        return _("Tried to look at it, and was refused")
    if action.endswith("_exported"):
        return _("Wrote entries about you into a file")
    return _("Worked on it")


@bp.get("/audit")
@roles(Role.AUDITOR)
def search() -> ResponseReturnValue:
    question = _question(request.args)
    looks.at_list(person(), "trail_seen", question.patient_id)
    return _search_page(FindForm(formdata=None), question)


@bp.post("/audit/find")
@roles(Role.AUDITOR)
def find() -> ResponseReturnValue:
    """People and patients by name. A form that is sent, since a name in an address would stand in logs."""
    form = FindForm()
    if not form.validate_on_submit():
        return _search_page(form, trail.Question(zone=team_of(person()).time_zone)), 422
    words = (form.name.data or "").strip()
    looks.at_list(person(), "trail_seen")
    return render_template(
        "accounts/trail_found.html",
        people=trail.people_called(db.session, words),
        patients=trail.patients_called(db.session, words),
        most=trail.MOST_FOUND,
    )


@bp.post("/audit/export")
@roles(Role.AUDITOR)
def export() -> ResponseReturnValue:
    """What the page shows, all of it, as CSV. That it was written out is an entry itself, before the first line."""
    question, auditor = _question(request.form), person()
    with writing(db.session):
        about = db.session.get(Patient, question.patient_id) if question.patient_id else None
        audit.record(db.session, "trail_exported", by=auditor, patient=about, at=clock.now())
    headers = {"Content-Disposition": "attachment; filename=audit-trail.csv"}
    return Response(trail.csv_lines(db.engine, question), mimetype="text/csv", headers=headers)


@bp.get("/who-looked")
@roles(Role.PATIENT)
def who_looked() -> ResponseReturnValue:
    """The patient's page: who of the staff looked at their record, when, and what they did."""
    found = trail.looks_at(db.session, own_patient(person()), _before())
    return render_template("accounts/who_looked.html", page=found, first=_before() is None)


def _search_page(form: FindForm, question: trail.Question) -> str:
    found = trail.page(db.session, question, _before())
    asked: dict[str, Any] = _as_fields(question)
    return render_template(
        "accounts/trail.html",
        form=form,
        question=question,
        asked=asked,
        page=found,
        older=url_for("trail.search", **asked, before=found.go_on_before) if found.go_on_before else "",
        first=_before() is None,
        actions=trail.actions(db.session),
        about_person=db.session.get(Person, question.person_id) if question.person_id else None,
        about_patient=db.session.get(Patient, question.patient_id) if question.patient_id else None,
    )


def _question(fields: Any) -> trail.Question:
    """What the address or the form asks for; a word that makes no sense there hides nothing."""
    person_id = fields.get("person", type=UUID)
    about = db.session.get(Person, person_id) if person_id else None
    return trail.Question(
        person_id=person_id,
        mark=services.mark(about.sign_in_name) if about else "",
        patient_id=fields.get("patient", type=UUID),
        action=fields.get("action", "")[:60],
        subject=fields.get("subject", "").strip()[:80],
        since=fields.get("since", type=date.fromisoformat),
        until=fields.get("until", type=date.fromisoformat),
        zone=team_of(person()).time_zone,
    )


def _as_fields(question: trail.Question) -> dict[str, str]:
    """The question as an address or hidden fields carry it."""
    values = {
        "person": question.person_id,
        "patient": question.patient_id,
        "action": question.action,
        "subject": question.subject,
        "since": question.since,
        "until": question.until,
    }
    return {name: str(value) for name, value in values.items() if value}


def _before() -> int | None:
    number = request.args.get("before", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 18 else None

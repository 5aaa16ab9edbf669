"""The first thinking check, before the treatment: its pages, and a nurse's word on one that was taken late."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock, languages
from triage.accounts.access import own_patient, patient_for, person, roles
from triage.database import db
from triage.languages import _
from triage.models import Role
from triage.reports import baselines, forms, thinking
from triage.ruleset_editor import versions

bp = Blueprint("thinking", __name__)


@bp.route("/thinking-check/<task>", methods=["GET", "POST"])
@roles(Role.PATIENT, Role.CAREGIVER)
def first(task: str) -> ResponseReturnValue:
    """One task of it: the same as in a report, and kept step by step."""
    if task not in forms.CHECK:
        abort(404)
    step = task
    reporter = person()
    patient = own_patient(reporter)
    language = languages.spoken()
    baseline = baselines.of_patient(db.session, patient, language)
    if baseline is not None and baseline.taken_at is not None:
        return redirect(url_for("reports.home"))
    typed = dict(baseline.steps) if baseline else {}
    if step != thinking.INTRO and step != thinking.next_item(typed):
        return redirect(_where(thinking.next_item(typed)))
    name = patient.name if reporter.role == Role.CAREGIVER else ""
    asked = baselines.asked(db.session, patient, versions.active().catalogue, clock.now(), language)
    questions = forms.Questions(versions.active().catalogue, caregiver_for=name, thinking=asked)
    form = forms.step_form(step, questions, {} if step == thinking.INTRO else typed)
    if request.method == "POST" and form.belongs_to(str(reporter.id)) and form.validate():
        return _keep(step, form)
    form.stamp(str(reporter.id))
    page = render_template(
        "reports/thinking.html",
        form=form,
        step=step,
        heading=_("First thinking check: %(task)s", task=forms.TASKS[step])
        if step in forms.TASKS
        else _("First thinking check"),
        progress=(forms.CHECK.index(step) + 1, len(forms.CHECK)),
        back=url_for("reports.home"),
        **forms.beside(form, questions),
    )
    return page, 422 if form.errors else 200


def _keep(step: str, form: forms.StepForm) -> ResponseReturnValue:
    reporter = person()
    patient = own_patient(reporter)
    if step == thinking.INTRO and form.press.data != thinking.START:
        flash(_("The first thinking check was not begun. You can do it later from this page."))
        return redirect(url_for("reports.home"))
    baselines.save_step(db.session, patient, reporter, step, form.typed(), clock.now())
    baseline = baselines.of_patient(db.session, patient, form.language)
    if baseline is not None and baseline.taken_at is not None:
        flash(_("The first thinking check is saved."), "success")
        return redirect(url_for("reports.home"))
    return redirect(_where(thinking.next_item(baseline.steps if baseline else {})))


def _where(step: str | None) -> str:
    return url_for("thinking.first", task=step or thinking.INTRO)


@bp.post("/patients/<uuid:patient_id>/thinking-baseline")
@roles(Role.NURSE)
def accept(patient_id: UUID) -> ResponseReturnValue:
    """A nurse has spoken with the patient: a first check that was taken late counts as their own."""
    patient = patient_for(person(), patient_id)
    if baselines.accept(db.session, patient, person(), clock.now()):
        flash("Later thinking checks are held against this patient\u2019s own first one.", "success")
    return redirect(url_for("care_team.record", patient_id=patient.id))

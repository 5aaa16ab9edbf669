"""The pages on which a nurse enters what a patient or caregiver tells on the telephone.

The same questions in the same order, through the same `services.submit`. The report is the nurse's, about a patient of
her own team. They are worded as for a caregiver: about somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import patient_for, person, roles
from triage.database import db
from triage.models import Patient, Person, ReportDraft, Role
from triage.reports import drafts, forms, results, services
from triage.rules.report import Report
from triage.ruleset_editor import versions

bp = Blueprint("telephone", __name__)


@dataclass(frozen=True)
class Asking:
    """Which nurse asks about whom, and what is typed so far about this patient."""

    nurse: Person
    patient: Patient
    questions: forms.Questions
    draft: ReportDraft | None
    other: ReportDraft | None
    """What the nurse began about another patient, and has not sent."""
    at: datetime

    @property
    def typed(self) -> forms.Answers:
        return self.draft.answers if self.draft else {}

    @property
    def answers(self) -> forms.Answers:
        """What counts as answered: how it is now is asked again after a while."""
        return drafts.still_true(self.typed, self.at)


def _asking(patient_id: UUID) -> Asking:
    nurse, at = person(), clock.now()
    patient = patient_for(nurse, patient_id)
    questions = forms.questions_for(patient, versions.active().catalogue, at, caregiver_for=patient.name)
    draft = drafts.current(db.session, nurse, at)
    mine = draft is not None and draft.patient_id == patient.id
    return Asking(nurse, patient, questions, draft if mine else None, None if mine else draft, at)


@bp.get("/patients/<uuid:patient_id>/telephone")
@roles(Role.NURSE)
def home(patient_id: UUID) -> ResponseReturnValue:
    asking = _asking(patient_id)
    step = forms.first_open(asking.questions, asking.answers) if asking.draft else "danger"
    other = patient_for(asking.nurse, asking.other.patient_id) if asking.other and asking.other.patient_id else None
    return render_template("reports/telephone.html", asking=asking, go_on=_where(asking, step), other=other)


@bp.route("/patients/<uuid:patient_id>/telephone/<step>", methods=["GET", "POST"])
@roles(Role.NURSE)
def ask(patient_id: UUID, step: str) -> ResponseReturnValue:
    """One step of the report."""
    if step not in forms.STEPS:
        abort(404)
    asking = _asking(patient_id)
    if request.method == "GET" and asking.draft is None and step != "danger":
        return redirect(url_for("telephone.home", patient_id=patient_id))
    if step != "note" and not forms.needed(step, asking.questions, asking.answers):
        return redirect(_where(asking, forms.first_open(asking.questions, asking.answers)))
    form = forms.step_form(step, asking.questions, {**asking.typed, **asking.answers})
    stamp = f"{asking.nurse.id} {patient_id}"
    if request.method == "POST":
        if not form.belongs_to(stamp):
            flash("That page was not printed for you, so nothing of it was kept. Please ask the questions again.")
            return redirect(url_for("telephone.home", patient_id=patient_id))
        if form.validate():
            return _keep(asking, step, form)
    form.stamp(stamp)
    if step == "danger":
        form["token"].data = form["token"].data or drafts.new_token()
    back = url_for("telephone.home", patient_id=patient_id)
    asked = forms.steps(asking.questions, asking.answers)
    page = render_template(
        "reports/step.html",
        form=form,
        step=step,
        heading=forms.HEADINGS[step],
        says_none=forms.none_text(step),
        progress=(asked.index(step) + 1 if step in asked else len(asked), len(asked) + 1),
        back=back,
    )
    return page, 422 if form.errors else 200


def _keep(asking: Asking, step: str, form: forms.StepForm) -> ResponseReturnValue:
    answers: dict[str, Any] = {**asking.answers, step: form.typed()}
    about = asking.patient.id
    if step == "danger" and forms.danger_ticked(answers):
        # Sent before the rest is asked, as a patient's own is: the call may break off here.
        typed = {**asking.typed, step: form.typed()}
        answer = _submit(asking, forms.to_report(asking.questions, typed), form["token"].data or drafts.new_token())
        drafts.keep(db.session, asking.nurse, typed, asking.at, about=about)
        drafts.save(db.session, asking.nurse, step, form.typed(), asking.at, about=about)
        return answer
    drafts.save(db.session, asking.nurse, step, form.typed(), asking.at, about=about)
    return redirect(_where(asking, forms.first_open(asking.questions, answers)))


@bp.get("/patients/<uuid:patient_id>/telephone/check")
@roles(Role.NURSE)
def check(patient_id: UUID) -> ResponseReturnValue:
    asking = _asking(patient_id)
    if asking.draft is None:
        return redirect(url_for("telephone.home", patient_id=patient_id))
    if missing := forms.first_open(asking.questions, asking.answers):
        return redirect(_where(asking, missing))
    report = forms.to_report(asking.questions, asking.answers)
    steps = forms.steps(asking.questions, asking.answers)
    return render_template(
        "reports/telephone_check.html",
        asking=asking,
        answers=results.answers(report, asking.questions.catalogue),
        report=report,
        headings=forms.HEADINGS,
        steps=steps,
    )


@bp.post("/patients/<uuid:patient_id>/telephone/send")
@roles(Role.NURSE)
def send(patient_id: UUID) -> ResponseReturnValue:
    asking = _asking(patient_id)
    if asking.draft is None:
        flash("There was no finished report to send, or it was sent already: the record shows it.")
        return redirect(url_for("care_team.record", patient_id=patient_id))
    if missing := forms.first_open(asking.questions, asking.answers):
        return redirect(_where(asking, missing))
    return _submit(asking, forms.to_report(asking.questions, asking.answers), asking.draft.token)


def _submit(asking: Asking, report: Report, token: str) -> ResponseReturnValue:
    about = asking.patient.id
    services.submit(db.session, versions.active(), report, asking.nurse, token[:64], clock.now(), about=about)
    flash("The report is saved. What it asks for stands below.", "success")
    return redirect(url_for("care_team.record", patient_id=about))


def _where(asking: Asking, step: str | None) -> str:
    if step is None:
        return url_for("telephone.check", patient_id=asking.patient.id)
    return url_for("telephone.ask", patient_id=asking.patient.id, step=step)

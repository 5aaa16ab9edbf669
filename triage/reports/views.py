"""The pages of patients and caregivers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from triage import clock
from triage.accounts.access import own_patient, patients_of, person, report_for, roles
from triage.alerts import mutes, promise, pulse
from triage.database import db
from triage.models import Patient, Person, ReportDraft, ReportRecord, Role
from triage.reports import drafts, forms, history, results, services
from triage.rules.catalogue import Asked
from triage.rules.report import Report
from triage.ruleset_editor import versions

bp = Blueprint("reports", __name__)
REPORTERS = (Role.PATIENT, Role.CAREGIVER)


@dataclass(frozen=True)
class Asking:
    """Who is asked about whom, and what is typed so far."""

    reporter: Person
    patient: Patient
    questions: forms.Questions
    draft: ReportDraft | None
    at: datetime

    @property
    def typed(self) -> forms.Answers:
        """Everything that was typed into the draft."""
        return self.draft.answers if self.draft else {}

    @property
    def answers(self) -> forms.Answers:
        """What counts as answered: how it is now is asked again after a while."""
        return drafts.still_true(self.typed, self.at)


def _asking() -> Asking:
    reporter, at = person(), clock.now()
    patient = own_patient(reporter)
    caregiver_for = patient.name if reporter.role == Role.CAREGIVER else ""
    questions = forms.questions_for(patient, versions.active().catalogue, at, caregiver_for=caregiver_for)
    return Asking(reporter, patient, questions, drafts.current(db.session, reporter, at), at)


@bp.get("/report")
@roles(*REPORTERS)
def home() -> ResponseReturnValue:
    asking = _asking()
    last = db.session.scalar(_reports_of(asking.reporter).limit(1))
    return render_template(
        "reports/home.html",
        asking=asking,
        step=_open_step(asking) if asking.draft else None,
        too_old=drafts.too_old(db.session, asking.reporter, clock.now()),
        last=last,
        cover=promise.of_report(db.session, last.id, asking.at) if last else None,
        out=pulse.late_since(db.session, asking.at) is not None,
        at=asking.at,
        start=asking.questions.catalogue.asked_when(Asked.START),
        token=drafts.new_token(),
    )


@bp.post("/report/too-unwell")
@roles(*REPORTERS)
def too_unwell() -> ResponseReturnValue:
    asking = _asking()
    return _submit(
        asking, forms.too_unwell(asking.questions, asking.typed), request.form.get("token") or drafts.new_token()
    )


@roles(*REPORTERS)
def ask() -> ResponseReturnValue:
    """One step of the report: the address names it."""
    step = request.path.rsplit("/", 1)[-1]
    asking = _asking()
    if request.method == "GET" and asking.draft is None and step != "danger":
        return redirect(url_for("reports.home"))  # as after sending, by the back button: there stands what was sent
    if not forms.needed(step, asking.questions, asking.answers):
        return redirect(_where(_open_step(asking)))
    form = forms.step_form(step, asking.questions, {**asking.typed, **asking.answers})
    if request.method == "POST":
        if not form.belongs_to(str(asking.reporter.id)):
            flash("That page was not printed for you, so nothing of it was kept. Please answer the questions yourself.")
            return redirect(url_for("reports.home"))
        if form.validate():
            return _keep(asking, step, form)
    form.stamp(str(asking.reporter.id))
    if step == "danger":
        form["token"].data = form["token"].data or drafts.new_token()
    page = render_template(
        "reports/step.html",
        form=form,
        asking=asking,
        step=step,
        heading=forms.HEADINGS[step],
        back=_before(asking, step),
    )
    return page, 422 if form.errors else 200


for _step in forms.STEPS:
    bp.add_url_rule(f"/report/{_step}", _step, ask, methods=["GET", "POST"])


def _keep(asking: Asking, step: str, form: forms.StepForm) -> ResponseReturnValue:
    at = clock.now()
    answers: dict[str, Any] = {**asking.answers, step: form.typed()}
    if step == "danger" and forms.danger_ticked(answers):
        # Sent before the rest is asked: whoever ticks one of these may never reach the last page. What was answered
        # before goes with it, and stays, so that the rest can be answered.
        typed = {**asking.typed, step: form.typed()}  # read now: sending it takes the draft away
        answer = _submit(asking, forms.to_report(asking.questions, typed), form["token"].data or drafts.new_token())
        drafts.keep(db.session, asking.reporter, typed, at)
        drafts.save(db.session, asking.reporter, step, form.typed(), at)
        return answer
    drafts.save(db.session, asking.reporter, step, form.typed(), at)
    return redirect(_where(forms.first_open(asking.questions, answers)))


@bp.get("/report/check")
@roles(*REPORTERS)
def check() -> ResponseReturnValue:
    asking = _asking()
    if asking.draft is None:
        return redirect(url_for("reports.home"))  # as after sending, by the back button: there stands what was sent
    if missing := forms.first_open(asking.questions, asking.answers):
        return redirect(_where(missing))
    report = forms.to_report(asking.questions, asking.answers)
    catalogue = asking.questions.catalogue
    return render_template(
        "reports/check.html",
        asking=asking,
        answers=results.answers(report, catalogue),
        report=report,
        therapy=catalogue.therapies[report.therapy].label if report.therapy else "not known",
        headings=forms.HEADINGS,
        steps=[one for one in forms.STEPS if forms.needed(one, asking.questions, asking.answers)],
    )


@bp.post("/report/send")
@roles(*REPORTERS)
def send() -> ResponseReturnValue:
    asking = _asking()
    token = request.form.get("token", "")
    sent = db.session.scalar(_reports_of(asking.reporter).where(ReportRecord.token == token))
    if sent is not None:
        return redirect(url_for("reports.result", report_id=sent.id))
    if asking.draft is None:
        flash("There was no finished report to send. Nothing was sent. Please answer the questions again.")
        return redirect(url_for("reports.home"))
    if missing := forms.first_open(asking.questions, asking.answers):
        return redirect(_where(missing))
    return _submit(asking, forms.to_report(asking.questions, asking.answers), asking.draft.token)


def _submit(asking: Asking, report: Report, token: str) -> ResponseReturnValue:
    record = services.submit(db.session, versions.active(), report, asking.reporter, token[:64], clock.now())
    return redirect(url_for("reports.result", report_id=record.id))


@bp.get("/reports")
@roles(*REPORTERS)
def earlier() -> ResponseReturnValue:
    query = _reports_of(person()).options(joinedload(ReportRecord.assessment), joinedload(ReportRecord.reporter))
    return render_template("reports/earlier.html", records=db.session.scalars(query).all())


@bp.get("/reports/<uuid:report_id>")
@roles(*REPORTERS)
def result(report_id: UUID) -> ResponseReturnValue:
    record = report_for(person(), report_id)
    team = record.patient.care_team
    ruleset = versions.by_hash(db.session, record.assessment.ruleset_hash)
    at = clock.now()
    draft = drafts.current(db.session, person(), at)
    return render_template(
        "reports/result.html",
        record=record,
        at=at,
        cover=promise.of_report(db.session, record.id, at),
        out=pulse.late_since(db.session, at) is not None,
        result=results.of(record.assessment.body, ruleset, team.emergency_number, team.phone, team.time_zone),
        answers=results.answers(history.read(record, ruleset.catalogue), ruleset.catalogue),
        report=history.read(record, ruleset.catalogue),
        caregiver=person().role == Role.CAREGIVER,
        held_back=bool(mutes.held_back(db.session, [record.id])),
        unfinished=draft is not None and "danger" in draft.answers and record.reporter_id == person().id,
    )


def _reports_of(reporter: Person) -> Any:
    """The reports about the reporter's patient, latest first."""
    reach = patients_of(reporter).with_only_columns(Patient.id)
    return (
        select(ReportRecord)
        .where(ReportRecord.patient_id.in_(reach))
        .order_by(ReportRecord.reported_at.desc(), ReportRecord.id)
    )


def _open_step(asking: Asking) -> str | None:
    return forms.first_open(asking.questions, asking.answers)


def _where(step: str | None) -> str:
    return url_for(f"reports.{step}") if step else url_for("reports.check")


def _before(asking: Asking, step: str) -> str:
    """The page before: the last step before this one that is asked."""
    earlier = [
        one for one in forms.STEPS[: forms.STEPS.index(step)] if forms.needed(one, asking.questions, asking.answers)
    ]
    return _where(earlier[-1]) if earlier else url_for("reports.home")

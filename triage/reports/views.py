"""The pages of patients and caregivers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from triage import clock, languages
from triage.accounts import looks
from triage.accounts.access import own_patient, patients_of, person, report_for, roles
from triage.alerts import mutes, promise, pulse
from triage.database import db
from triage.languages import _
from triage.models import Patient, Person, ReportDraft, ReportRecord, Role
from triage.reports import baselines, changes, drafts, forms, history, results, services, telling, thinking
from triage.rules.catalogue import Asked
from triage.rules.engine import assess
from triage.rules.report import Report
from triage.rules.urgency import Urgency
from triage.ruleset_editor import spoken, versions

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
    """When they answered: now, but for what their phone had to keep while it had no connection."""
    waited: timedelta | None = None
    """For how long a phone has kept it; None for what was sent at once."""

    @property
    def typed(self) -> forms.Answers:
        """Everything that was typed into the draft."""
        return self.draft.answers if self.draft else {}

    @property
    def answers(self) -> forms.Answers:
        """What counts as answered: how it is now is asked again after a while."""
        return drafts.still_true(self.typed, self.at)


def _asking() -> Asking:
    reporter, waited = person(), _waited()
    at = clock.now() - (waited or timedelta())
    patient = own_patient(reporter)
    catalogue = spoken.active().catalogue
    caregiver_for = patient.name if reporter.role == Role.CAREGIVER else ""
    questions = replace(
        forms.questions_for(patient, catalogue, at, caregiver_for=caregiver_for),
        unit=reporter.temperature_unit,
        thinking=baselines.asked(db.session, patient, catalogue, at, languages.spoken()),
    )
    return Asking(reporter, patient, questions, drafts.current(db.session, reporter, at), at, waited)


def _waited() -> timedelta | None:
    """For how long the fields were kept on the phone. Only the reporter's own: a phone has more than one user."""
    if "waited" not in request.form:
        return None
    if not forms.is_stamp_of(str(person().id), request.form.get("for_person", "")):
        abort(403)
    seconds = request.form.get("waited", 0, type=int)
    return min(max(timedelta(), timedelta(seconds=min(seconds, 10**9))), services.LONGEST_WAIT)


@bp.get("/report")
@roles(*REPORTERS)
def home() -> ResponseReturnValue:
    """The first question itself, so that a quiet day takes few taps; or the way back to what was begun."""
    asking = _asking()
    last = db.session.scalar(_reports_of(asking.reporter).limit(1))
    form = None if asking.draft else _printed(asking, "danger", forms.step_form("danger", asking.questions, {}))
    return render_template(
        "reports/home.html",
        asking=asking,
        form=form,
        says_none=forms.none_text("danger"),
        step=_open_step(asking) if asking.draft else None,
        progress=_progress(asking, "danger"),
        too_old=drafts.too_old(db.session, asking.reporter, asking.at),
        last=last,
        cover=promise.of_report(db.session, last.id, asking.at) if last else None,
        out=pulse.late_since(db.session, asking.at) is not None,
        at=asking.at,
        start=asking.questions.catalogue.asked_when(Asked.START),
        token=drafts.new_token(),
        stamp=forms.stamp_of(str(asking.reporter.id)),
        # By itself, as it is asked for on every visit; what was reported before could only make it more urgent.
        meanwhile=_meanwhile(assess(versions.active(), forms.too_unwell(asking.questions, {}), ()).urgency),
        first_check=baselines.is_missing(
            db.session, asking.patient, asking.questions.catalogue, asking.at, languages.spoken()
        ),
    )


@bp.post("/report/too-unwell")
@roles(*REPORTERS)
def too_unwell() -> ResponseReturnValue:
    asking = _asking()
    token = request.form.get("token") or drafts.new_token()
    if asking.waited is not None:
        # It may have come without the phone knowing. What was typed went with it then, so that it would say less now.
        this = (ReportRecord.token == token, ReportRecord.reported_at > asking.at - timedelta(minutes=1))
        if (sent := db.session.scalar(_reports_of(asking.reporter).where(*this))) is not None:
            return _result(sent)
    return _result(_submit(asking, forms.too_unwell(asking.questions, asking.typed), token))


@bp.after_request
def tell_the_worker(answer: Response) -> Response:
    """Where to go on, for the worker of a phone: it does not go there itself, where messages wait for the reporter."""
    return answer if "waited" not in request.form or answer.location is None else jsonify(next=answer.location)


@roles(*REPORTERS)
def ask() -> ResponseReturnValue:
    """One step of the report: the address names it."""
    step = request.path.rsplit("/", 1)[-1]
    asking = _asking()
    if request.method == "GET" and asking.draft is None and step != "danger":
        return redirect(url_for("reports.home"))  # as after sending, by the back button: there stands what was sent
    next_task = thinking.next_item(asking.answers)
    early = step in thinking.ITEMS and step not in asking.answers and step != next_task
    if early or (step != "note" and not forms.needed(step, asking.questions, asking.answers)):
        return redirect(_where(_open_step(asking)))
    form = forms.step_form(step, asking.questions, {**asking.typed, **asking.answers})
    if request.method == "POST":
        if not form.belongs_to(str(asking.reporter.id)):
            flash(
                _("That page was not printed for you, so nothing of it was kept. Please answer the questions yourself.")
            )
            return redirect(url_for("reports.home"))
        if form.validate():
            return _keep(asking, step, form)
    page = render_template(
        f"reports/{'thinking' if step in forms.CHECK else 'step'}.html",
        form=_printed(asking, step, form),
        asking=asking,
        step=step,
        heading=forms.HEADINGS[step],
        says_none=forms.none_text(step),
        progress=_progress(asking, step),
        back=_before(asking, step),
        **forms.beside(form, asking.questions),
    )
    return page, 422 if form.errors else 200


for _step in forms.STEPS:
    bp.add_url_rule(f"/report/{_step}", _step, ask, methods=["GET", "POST"])


def _printed(asking: Asking, step: str, form: forms.StepForm) -> forms.StepForm:
    """The form as it is printed for this reporter."""
    form.stamp(str(asking.reporter.id))
    if step == "danger":
        form["token"].data = form["token"].data or drafts.new_token()
    return form


def _keep(asking: Asking, step: str, form: forms.StepForm) -> ResponseReturnValue:
    at = asking.at
    answers: dict[str, Any] = {**asking.answers, step: form.typed()}
    if step == "danger" and forms.danger_ticked(answers):
        # The same signs again, as by the back button: they are sent already. Nothing is sent twice, and what stands
        # there is whom to call.
        if sent := drafts.sent_as(asking.answers, form["signs"].data):
            return redirect(url_for("reports.result", report_id=sent))
        # Sent before the rest is asked: whoever ticks one of these may never reach the last page. What was answered
        # before goes with it, and stays, so that the rest can be answered.
        # Read now: sending it takes the draft away.
        typed, begun_at = {**asking.typed, step: form.typed()}, asking.draft.begun_at if asking.draft else at
        record = _submit(asking, forms.to_report(asking.questions, typed), form["token"].data or drafts.new_token())
        drafts.keep(db.session, asking.reporter, typed, begun_at)
        drafts.save(db.session, asking.reporter, step, {**form.typed(), drafts.SENT: str(record.id)}, at)
        return _result(record)
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
    own = _reports_of(asking.reporter).where(ReportRecord.reporter_id == asking.reporter.id)
    before = db.session.scalar(own.limit(1))
    return render_template(
        "reports/check.html",
        asking=asking,
        answers=results.answers(report, catalogue, for_patient=True),
        before=before,
        changes=changes.since(history.read(before, catalogue), report, catalogue) if before else (),
        report=report,
        stamp=forms.stamp_of(str(asking.reporter.id)),
        meanwhile=_meanwhile(
            services.preview(db.session, versions.active(), report, asking.patient, asking.reporter, asking.at)
        ),
        therapy=catalogue.therapies[report.therapy].label if report.therapy else _("not known"),
        headings=forms.HEADINGS,
        progress=_progress(asking, None),
        back=_where(_asked(asking)[-1]),
        # What was answered in the thinking check is not answered a second time; who declined it may think again.
        steps=[
            step
            for step in _asked(asking)
            if step not in forms.CHECK or (step == thinking.INTRO and not set(thinking.ITEMS) & set(asking.answers))
        ],
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
        flash(_("There was no finished report to send. Nothing was sent. Please answer the questions again."))
        return redirect(url_for("reports.home"))
    # It was finished after the last of its pages came, whatever the phone's clock says.
    draft = asking.draft
    asking = replace(asking, at=max(asking.at, draft.updated_at))
    if missing := forms.first_open(asking.questions, asking.answers):
        return redirect(_where(missing))
    return _result(_submit(asking, forms.to_report(asking.questions, asking.answers), draft.token))


def _submit(asking: Asking, report: Report, token: str) -> ReportRecord:
    now = clock.now()
    return services.submit(
        db.session,
        versions.active(),
        report,
        asking.reporter,
        token[:64],
        now if asking.waited is None else asking.at,
        now=now,
        check=forms.check_of(asking.questions, asking.typed),
    )


def _result(record: ReportRecord) -> ResponseReturnValue:
    return redirect(url_for("reports.result", report_id=record.id))


@bp.get("/reports")
@roles(*REPORTERS)
def earlier() -> ResponseReturnValue:
    looks.at_patient(person(), own_patient(person()).id)
    query = _reports_of(person()).options(joinedload(ReportRecord.assessment), joinedload(ReportRecord.reporter))
    return render_template("reports/earlier.html", records=db.session.scalars(query).all())


@bp.get("/reports/<uuid:report_id>")
@roles(*REPORTERS)
def result(report_id: UUID) -> ResponseReturnValue:
    record = report_for(person(), report_id)
    team = record.patient.care_team
    ruleset = spoken.by_hash(db.session, record.assessment.ruleset_hash)
    at = clock.now()
    draft = drafts.current(db.session, person(), at)
    caregiver = person().role == Role.CAREGIVER
    report = history.read(record, ruleset.catalogue)
    judged = results.of(
        record.assessment.body, ruleset, team.emergency_number, team.phone, team.time_zone, for_patient=True
    )
    return render_template(
        "reports/result.html",
        record=record,
        at=at,
        cover=promise.of_report(db.session, record.id, at),
        out=pulse.late_since(db.session, at) is not None,
        done=promise.done(db.session, record.id),
        result=judged,
        to_say=telling.to_say(
            report,
            ruleset.catalogue,
            history.local_date(team, record.reported_at),
            [fact.subject for reason in judged.deciding for fact in reason.facts],
            about=record.patient.name if caregiver else "",
        ),
        answers=results.answers(report, ruleset.catalogue, for_patient=True),
        report=report,
        caregiver=caregiver,
        held_back=bool(mutes.held_back(db.session, [record.id])),
        unfinished=draft is not None and "danger" in draft.answers and record.reporter_id == person().id,
    )


def _meanwhile(urgency: Urgency) -> str:
    """The urgency of a report that asks for a call now, else nothing: a phone that cannot send it says whom to call."""
    return urgency.code if urgency >= Urgency.URGENT else ""


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


def _asked(asking: Asking) -> list[str]:
    """The steps of this report as far as the answers tell."""
    return forms.steps(asking.questions, asking.answers)


def _progress(asking: Asking, step: str | None) -> tuple[int, int]:
    """Which page this is, of how many; None is the last, on which the answers are checked."""
    asked = _asked(asking)
    return (asked.index(step) + 1 if step in asked else len(asked) + (step is None), len(asked) + 1)


def _before(asking: Asking, step: str) -> str:
    """The page before: the last step before this one that is asked."""
    if step == "note":
        return _where(_open_step(asking))
    earlier = [one for one in _asked(asking) if forms.STEPS.index(one) < forms.STEPS.index(step)]
    return _where(earlier[-1]) if earlier else url_for("reports.home")

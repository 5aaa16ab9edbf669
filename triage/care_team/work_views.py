"""The nurses' pages for work on an alert: who has it, notes, calls and call-backs, slips taken back, muted rules."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from triage import clock
from triage.accounts.access import alert_for, call_back_for, mute_for, patient_for, person, roles
from triage.alerts import mutes, services, work
from triage.care_team import filters
from triage.care_team.work_forms import MoveForm, MuteForm, ReopenForm, UsefulForm, WriteForm, next_time, read_clock
from triage.care_team.work_words import note_words
from triage.database import db
from triage.models import Alert, AlertStatus, CallBackEnd, Patient, Role, RuleMute
from triage.reports import history
from triage.ruleset_editor import versions

bp = Blueprint("alert_work", __name__)
bp.url_defaults(filters.keep)
bp.add_app_template_filter(note_words, "note_words")
bp.add_app_template_filter(work.can_reopen, "can_reopen")


@bp.app_template_filter()
def day_words(day: date) -> str:
    """A day in words: "2 March 2026"."""
    return f"{day.day} {day:%B %Y}"


@bp.app_template_filter()
def muted_now(all_mutes: list[RuleMute], patient: Patient, at: datetime) -> tuple[list[RuleMute], list[RuleMute]]:
    """Those that count at that moment, and those that are over."""
    counting = [mute for mute in all_mutes if mutes.is_active(mute, patient, at)]
    return counting, [mute for mute in all_mutes if mute not in counting]


@bp.post("/alerts/<uuid:alert_id>/take-over")
@roles(Role.NURSE)
def take_over(alert_id: UUID) -> ResponseReturnValue:
    alert = alert_for(person(), alert_id)
    try:
        instead_of = request.args.get("instead_of", type=UUID)
        work.take_over(db.session, alert, person(), clock.now(), instead_of=instead_of)
    except services.AlreadyDone:
        flash("Not taken over: the alert is resolved. The record says by whom.")
    except work.NotAcknowledged:
        flash("Not taken over: the alert is open. Acknowledge it, then you have it.")
    except work.Taken as taken:
        return _somebody_has_it(alert, taken)
    else:
        flash("You have the alert now.", "success")
    return _record(alert)


@bp.post("/alerts/<uuid:alert_id>/give-back")
@roles(Role.NURSE)
def give_back(alert_id: UUID) -> ResponseReturnValue:
    alert = alert_for(person(), alert_id)
    try:
        work.give_back(db.session, versions.active(), alert, person(), clock.now())
    except services.AlreadyDone:
        flash("Not given back: the alert is resolved. The record says by whom.")
    except work.Taken as taken:
        return _somebody_has_it(alert, taken)
    else:
        flash("The alert is open again, and waits for somebody.", "success")
    if request.args.get("back") == "record":
        return _record(alert)
    return redirect(url_for("care_team.queue", _anchor=f"alert-{alert.id}"))


def _somebody_has_it(alert: Alert, taken: work.Taken) -> ResponseReturnValue:
    return render_template("care_team/work/taken.html", alert=alert, taken=taken), 409


@bp.route("/alerts/<uuid:alert_id>/write", methods=["GET", "POST"])
@roles(Role.NURSE)
def write(alert_id: UUID) -> ResponseReturnValue:
    alert, form, at = alert_for(person(), alert_id), WriteForm(), clock.now()
    if form.validate_on_submit():
        promised = _moment(form.call_back.data, at, alert)
        try:
            text = form.text.data or ""
            work.write_down(db.session, alert, person(), at, text=text, call=form.call, call_back=promised)
        except services.AlreadyDone:
            form.form_errors = ["Not saved: the alert is resolved, so nobody would see the call-back in the queue"]
        else:
            flash("Saved.", "success")
            return _record(alert)
    return _page("care_team/work/write.html", form, alert)


@bp.post("/call-backs/<uuid:call_back_id>/end")
@roles(Role.NURSE)
def end_call_back(call_back_id: UUID) -> ResponseReturnValue:
    call_back = call_back_for(person(), call_back_id)
    how = {"done": CallBackEnd.DONE, "not_needed": CallBackEnd.NOT_NEEDED}.get(request.args.get("how", "done"))
    work.end_call_back(db.session, call_back, person(), how or abort(400), clock.now())
    flash("Saved. Write down what came of it.", "success")
    return _record(call_back.alert)


@bp.route("/call-backs/<uuid:call_back_id>/move", methods=["GET", "POST"])
@roles(Role.NURSE)
def move_call_back(call_back_id: UUID) -> ResponseReturnValue:
    call_back, form, at = call_back_for(person(), call_back_id), MoveForm(), clock.now()
    alert = call_back.alert
    if not call_back.is_promised:
        flash("That call-back has ended, or was moved already. The record says by whom.")
        return _record(alert)
    if form.validate_on_submit():
        moment = _moment(form.call_back.data, at, call_back.alert)
        work.move_call_back(db.session, call_back, person(), moment or abort(400), at)
        flash("The call-back is moved.", "success")
        return _record(alert)
    return _page("care_team/work/move.html", form, alert, call_back=call_back)


@bp.route("/alerts/<uuid:alert_id>/reopen", methods=["GET", "POST"])
@roles(Role.NURSE)
def reopen(alert_id: UUID) -> ResponseReturnValue:
    alert, form, at = alert_for(person(), alert_id), ReopenForm(), clock.now()
    if not work.can_reopen(alert, at):
        flash("That cannot be taken back: the alert is not resolved, or was resolved more than a day ago.")
        return _record(alert)
    if form.validate_on_submit():
        try:
            holder = work.reopen(db.session, versions.active(), alert, person(), form.reason.data or "", at)
        except (work.NotResolved, work.TooLate):
            flash("Not taken back: somebody was quicker. The record says what was done.")
        else:
            joined = "Another alert of the patient is unresolved: what was found is shown there now."
            flash(joined if holder.id != alert.id else "The alert is open again.", "success")
        return _record(alert)
    return _page("care_team/work/reopen.html", form, alert)


@bp.route("/alerts/<uuid:alert_id>/useful", methods=["GET", "POST"])
@roles(Role.NURSE)
def useful(alert_id: UUID) -> ResponseReturnValue:
    alert, form = alert_for(person(), alert_id), UsefulForm()
    if form.validate_on_submit():
        yes, why = form.useful.data == "yes", form.why.data or ""
        work.say_useful(db.session, alert, person(), yes, why, clock.now())
        flash("Saved.", "success")
        return _record(alert)
    return _page("care_team/work/useful.html", form, alert)


@bp.route("/patients/<uuid:patient_id>/mute", methods=["GET", "POST"])
@roles(Role.NURSE)
def mute(patient_id: UUID) -> ResponseReturnValue:
    patient, ruleset, at = patient_for(person(), patient_id), versions.active(), clock.now()
    rules = [rule for rule in ruleset.rules if mutes.can_be_muted(rule)]
    form = MuteForm(rules, history.local_date(patient.care_team, at))
    if form.validate_on_submit():
        chosen, reason, ends_on = form.rule.data, form.reason.data or "", form.ends_on.data
        try:
            work.mute(db.session, ruleset, patient, chosen, reason, ends_on, person(), at)
        except work.AlreadyMuted as muted:
            form.form_errors = [
                f"Not saved: {muted.by_name} has muted it until {day_words(muted.until)}. Lift that first"
            ]
        else:
            flash("The rule is muted for this patient. Everything else opens alerts as before.", "success")
            return redirect(url_for("care_team.record", patient_id=patient.id))
    page = render_template("care_team/work/mute.html", form=form, patient=patient)
    return page, 422 if form.errors else 200


@bp.post("/mutes/<uuid:mute_id>/lift")
@roles(Role.NURSE)
def lift(mute_id: UUID) -> ResponseReturnValue:
    muted = mute_for(person(), mute_id)
    patient = patient_for(person(), muted.patient_id)
    work.lift(db.session, muted, patient, person(), clock.now())
    flash("The rule opens alerts again.", "success")
    return redirect(url_for("care_team.record", patient_id=patient.id))


def _moment(typed: str | None, at: datetime, alert: Alert) -> datetime | None:
    """When it is that time of day next in the time zone of the patient's care team; None for nothing typed."""
    read = read_clock(typed or "")
    return next_time(read, at, alert.patient.care_team.time_zone) if read else None


def _record(alert: Alert) -> ResponseReturnValue:
    return redirect(url_for("care_team.record", patient_id=alert.patient_id))


def _page(template: str, form: FlaskForm, alert: Alert, **more: object) -> ResponseReturnValue:
    open_now = alert.status == AlertStatus.OPEN
    page = render_template(
        template,
        form=form,
        alert=alert,
        at=clock.now(),
        zone=alert.patient.care_team.time_zone,
        open_now=open_now,
        **more,
    )
    return page, 422 if form.errors else 200

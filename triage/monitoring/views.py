"""Pages on which a nurse or an administrator notes a stay in hospital or the end of monitoring, and an administrator
enters and corrects doses, courses and steroids.

No flash message says anything about health: it travels in a cookie.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from triage import clock
from triage.accounts.access import (
    admission_for,
    change_for,
    course_for,
    dose_for,
    end_for,
    patient_for,
    person,
    roles,
    team_of,
)
from triage.database import db
from triage.models import Course, CourseChange, Patient, Role
from triage.monitoring import courses, stays, tales
from triage.monitoring.forms import CorrectForm, CourseForm, DoseForm, EndForm, MomentForm, RemoveForm, SteroidsForm
from triage.reports import history
from triage.ruleset_editor import versions

bp = Blueprint("monitoring", __name__)
NOTE_IT = (Role.NURSE, Role.ADMINISTRATOR)
bp.add_app_template_filter(tales.change_words, "change_words")
bp.add_app_template_filter(tales.end_words, "end_words")
_TAKE_BACK = {"admission": stays.take_back_admission, "home": stays.take_back_home}


@bp.app_template_global()
def standing_end(patient: Patient) -> object:
    """The end of monitoring that stands, for whoever reads about the patient."""
    return stays.latest_end(db.session, patient)


@bp.route("/patients/<uuid:patient_id>/admitted", methods=["GET", "POST"])
@roles(*NOTE_IT)
def admitted(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    last = max((stay.home_at for stay in patient.admissions if stay.home_at), default=None)
    form = MomentForm(_zone(), clock.now(), not_before=last)
    if form.validate_on_submit():
        try:
            stays.note_admission(db.session, patient, form.moment(), person(), clock.now())
        except stays.NotSo:
            flash("Not saved: somebody was quicker. The record says what was noted.")
        else:
            flash("Noted.", "success")
        return _back(patient)
    return _page("monitoring/admitted.html", form, patient)


@bp.route("/admissions/<uuid:admission_id>/home", methods=["GET", "POST"])
@roles(*NOTE_IT)
def home(admission_id: UUID) -> ResponseReturnValue:
    stay = admission_for(person(), admission_id)
    patient = patient_for(person(), stay.patient_id)
    form = MomentForm(_zone(), clock.now(), not_before=stay.since)
    if form.validate_on_submit():
        try:
            stays.note_home(db.session, stay, form.moment(), person(), clock.now())
        except stays.NotSo:
            flash("Not saved: somebody was quicker. The record says what was noted.")
        else:
            flash("Noted.", "success")
        return _back(patient)
    return _page("monitoring/home.html", form, patient, stay=stay)


@bp.post("/admissions/<uuid:admission_id>/take-back")
@roles(*NOTE_IT)
def take_back_admission(admission_id: UUID) -> ResponseReturnValue:
    stay = admission_for(person(), admission_id)
    patient = patient_for(person(), stay.patient_id)
    take_back = _TAKE_BACK.get(request.args.get("what", "admission")) or abort(400)
    try:
        take_back(db.session, stay, person(), clock.now())
    except stays.NotSo:
        flash("Not taken back: somebody was quicker. The record says what was done.")
    else:
        flash("Taken back.", "success")
    return _back(patient)


@bp.route("/patients/<uuid:patient_id>/end", methods=["GET", "POST"])
@roles(*NOTE_IT)
def end(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    course = patient.open_course
    form = EndForm(today=_today(), began=course.started_on if course else None)
    if form.validate_on_submit():
        try:
            stays.end_monitoring(db.session, patient, form.why(), form.day(), person(), clock.now())
        except stays.NotSo:
            form.form_errors = ["Not saved: monitoring has ended already. Only a death can still be noted, once"]
        else:
            flash("Noted. Alerts that nobody has resolved stay in the queue.", "success")
            return _back(patient)
    return _page("monitoring/end.html", form, patient)


@bp.post("/ends/<uuid:end_id>/take-back")
@roles(*NOTE_IT)
def take_back_end(end_id: UUID) -> ResponseReturnValue:
    ended = end_for(person(), end_id)
    patient = patient_for(person(), ended.patient_id)
    try:
        stays.take_back_end(db.session, ended, person(), clock.now())
    except stays.NotSo:
        flash("Not taken back: somebody was quicker.")
    else:
        flash("Taken back. Monitoring goes on as before.", "success")
    return _back(patient)


@bp.route("/people/<uuid:patient_id>/dose", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def add_dose(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    course = patient.open_course or abort(404)
    form = DoseForm(today=_today())
    if form.validate_on_submit():
        try:
            made = courses.add_dose(
                db.session, versions.active(), course, form.day(), form.dose_kind(), person(), clock.now()
            )
        except courses.EndedMeanwhile:
            form.form_errors = ["Not saved: monitoring of this course has ended meanwhile"]
        else:
            return _after(made)
    return _page("monitoring/dose.html", form, patient)


@bp.route("/doses/<uuid:dose_id>/correct", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def correct_dose(dose_id: UUID) -> ResponseReturnValue:
    dose = dose_for(person(), dose_id)
    patient = patient_for(person(), dose.course.patient_id)
    form = CorrectForm(today=_today(), given_on=dose.given_on, kind=dose.kind, was=dose.given_on.isoformat())
    if form.validate_on_submit():
        why = (form.why.data or "").strip()
        try:
            made = courses.correct_dose(
                db.session,
                versions.active(),
                dose,
                form.day(),
                form.dose_kind(),
                why,
                person(),
                clock.now(),
                was=form.shown(),
            )
        except courses.ChangedMeanwhile:
            form.form_errors = ["Not saved: somebody corrected this dose meanwhile. Look at it again"]
        else:
            return _after(made)
    return _page("monitoring/correct.html", form, patient, dose=dose)


@bp.route("/doses/<uuid:dose_id>/remove", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def remove_dose(dose_id: UUID) -> ResponseReturnValue:
    dose = dose_for(person(), dose_id)
    patient = patient_for(person(), dose.course.patient_id)
    form = RemoveForm()
    if form.validate_on_submit():
        why = (form.why.data or "").strip()
        try:
            made = courses.remove_dose(db.session, versions.active(), dose, why, person(), clock.now())
        except courses.ChangedMeanwhile:
            flash("Not saved: somebody took that dose out meanwhile.")
            return _back(patient)
        return _after(made)
    return _page("monitoring/remove.html", form, patient, dose=dose)


@bp.route("/people/<uuid:patient_id>/course", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def begin_course(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    form = CourseForm(today=_today())
    form.offer(versions.active().catalogue)
    if form.validate_on_submit():
        product = (form.product.data or "").strip()
        try:
            made = courses.begin_course(
                db.session,
                versions.active(),
                patient,
                form.code(),
                product,
                form.started_on.data,
                person(),
                clock.now(),
            )
        except courses.EndedMeanwhile:
            form.form_errors = ["Not saved: the patient is noted as having died"]
        else:
            return _after(made)
    return _page("monitoring/course.html", form, patient)


@bp.route("/courses/<uuid:course_id>/steroids", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def steroids(course_id: UUID) -> ResponseReturnValue:
    course: Course = course_for(person(), course_id)
    patient = patient_for(person(), course.patient_id)
    form = SteroidsForm(today=_today(), since=course.on_steroids_since, until=course.on_steroids_until)
    if form.validate_on_submit():
        made = courses.set_steroids(
            db.session, versions.active(), course, form.since.data, form.until.data, person(), clock.now()
        )
        return _after(made)
    return _page("monitoring/steroids.html", form, patient)


@bp.get("/changes/<uuid:change_id>")
@roles(*NOTE_IT)
def change(change_id: UUID) -> ResponseReturnValue:
    made = change_for(person(), change_id)
    found = tales.judged_again(db.session, made)
    back = _record_of(made.patient)
    return render_template("monitoring/change.html", change=made, found=found, patient=made.patient, back=back)


def _after(made: CourseChange) -> ResponseReturnValue:
    """The list of what was judged again, to whoever caused it; without any report, the patient's page."""
    if made.rejudgments:
        return redirect(url_for("monitoring.change", change_id=made.id))
    return _back(patient_for(person(), made.patient_id))


def _record_of(patient: Patient) -> str:
    """Where somebody came from: a nurse from the record, an administrator from the patient's page."""
    nurse = person().role == Role.NURSE
    return url_for("care_team.record" if nurse else "accounts.patient", patient_id=patient.id)


def _back(patient: Patient) -> ResponseReturnValue:
    return redirect(_record_of(patient))


def _page(template: str, form: FlaskForm, patient: Patient, **more: object) -> ResponseReturnValue:
    page = render_template(template, form=form, patient=patient, back=_record_of(patient), **more)
    return page, 422 if form.errors else 200


def _zone() -> ZoneInfo:
    return ZoneInfo(team_of(person()).time_zone)


def _today() -> date:
    return history.local_date(team_of(person()), clock.now())

"""Signing in and out, and the administrator's pages: people, enrolment, access, dose events."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import selectinload

from triage import clock
from triage.accounts import looks, resume, services, sessions
from triage.accounts.access import patient_for, patients_of, person, public, roles, signed_in, team_of
from triage.accounts.forms import AccessForm, EnrolForm, PlaceForm, ReachForm, SignInForm
from triage.database import db
from triage.models import Course, Patient, Person, Role
from triage.rules.ruleset import CHANNELS
from triage.ruleset_editor import versions

bp = Blueprint("accounts", __name__)

_HOME = {
    Role.PATIENT: "reports.home",
    Role.CAREGIVER: "reports.home",
    Role.NURSE: "care_team.queue",
    Role.CLINICIAN: "ruleset_editor.rules",
    Role.ADMINISTRATOR: "accounts.people",
    Role.AUDITOR: "trail.search",
}


@bp.get("/")
@public
def home() -> ResponseReturnValue:
    somebody = signed_in()
    return redirect(url_for(_HOME[Role(somebody.role)] if somebody else "accounts.sign_in"))


@bp.get("/health")
@public
def health() -> ResponseReturnValue:
    """For machines: whether the database answers. No data."""
    try:
        db.session.execute(select(1))
    except SQLAlchemyError:
        return Response("the database does not answer\n", 503, mimetype="text/plain")
    return Response("ok\n", mimetype="text/plain")


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    form = SignInForm(next=request.args.get("next", ""))
    if request.method == "GET" and signed_in():
        return redirect(_after(form.next.data))
    if form.validate_on_submit():
        try:
            somebody = services.sign_in(
                db.session, form.sign_in_name.data or "", form.passphrase.data or "", clock.now()
            )
        except services.SignInRefused as refused:
            form.refuse(refused.why)
            return _sign_in_page(form, 403)
        sessions.start(somebody, clock.now())
        kept = resume.from_signed(form.kept.data or "")
        return _send_again(kept, somebody, signed_in_again=True) if kept else redirect(_after(form.next.data))
    return _sign_in_page(form, 422 if form.errors else 200)


@bp.post("/sign-out")
@roles(*Role)
def sign_out() -> ResponseReturnValue:
    services.sign_out(db.session, person(), clock.now())
    sessions.end()
    return redirect(url_for("accounts.sign_in"))


def sign_in_first() -> ResponseReturnValue | None:
    """The answer to a request that needs a sign-in, or whose page is older than the sign-in: nothing typed is lost.

    None where there is nothing to do but refuse: another site sent the form of somebody who is signed in.
    """
    kept = resume.posted()
    on_sign_in_page = request.endpoint == "accounts.sign_in"
    if (somebody := signed_in()) and not on_sign_in_page:
        return _send_again(kept, somebody, signed_in_again=False) if kept else None
    if request.method == "GET":
        return redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")))
    form = SignInForm(formdata=None)
    if on_sign_in_page:  # the sign-in page itself had lain open for long: it may carry a form already
        earlier = SignInForm()
        form.sign_in_name.data, form.next.data, form.kept.data = (
            (earlier.sign_in_name.data, earlier.next.data, earlier.kept.data) if kept else ("", "", "")
        )
    elif kept:
        form.kept.data = kept.sign()
    return _sign_in_page(form, 401, timed_out=True)


def _sign_in_page(form: SignInForm, status: int, timed_out: bool = False) -> ResponseReturnValue:
    kept = resume.from_signed(form.kept.data or "") is not None
    return render_template("accounts/sign_in.html", form=form, timed_out=timed_out, kept=kept), status


def _send_again(kept: resume.Kept, somebody: Person, signed_in_again: bool) -> ResponseReturnValue:
    if not kept.is_of(somebody):
        flash("What was typed on that page was not sent: the page was not printed for you. Begin anew if it is yours.")
        return redirect(url_for("accounts.home"))
    return render_template("accounts/send_again.html", kept=kept, signed_in_again=signed_in_again)


def _after(next_url: str | None) -> str:
    return resume.safe_next(next_url or "") or url_for("accounts.home")


@bp.get("/people")
@roles(Role.ADMINISTRATOR)
def people() -> ResponseReturnValue:
    query = (
        patients_of(person())
        .order_by(Patient.name, Patient.id)
        .options(selectinload(Patient.courses).selectinload(Course.dose_events), selectinload(Patient.people))
    )
    patients = db.session.scalars(query).all()
    looks.at_list(person(), "people_seen")
    return render_template(
        "accounts/people.html",
        patients=patients,
        failing=services.failing_channels(db.session),
        told_at_all=any(current_app.config[f"CHANNEL_{name.upper()}"] for name in CHANNELS),
        **_words(),
    )


@bp.route("/people/enrol", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def enrol() -> ResponseReturnValue:
    form = EnrolForm(today=_today())
    form.offer(versions.active().catalogue)
    if form.validate_on_submit():
        try:
            patient, access = services.enrol(
                db.session, team_of(person()), form.enrolment(), by=person(), at=clock.now()
            )
        except services.NameTaken:
            form.name_taken()
        else:
            if access:
                return _sheet(patient, access)
            return redirect(url_for("accounts.patient", patient_id=patient.id))
    return render_template("accounts/enrol.html", form=form), 422 if form.errors else 200


@bp.get("/people/<uuid:patient_id>")
@roles(Role.ADMINISTRATOR)
def patient(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    return render_template(
        "accounts/patient.html",
        patient=patient,
        course=patient.open_course,
        **_words(),
    )


@bp.route("/people/<uuid:patient_id>/access", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def give_access(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    form = AccessForm()
    if form.validate_on_submit():
        try:
            access = services.give_access(db.session, patient, form.account(), by=person(), at=clock.now())
        except services.NameTaken:
            form.name_taken()
        else:
            return _sheet(patient, access)
    return render_template("accounts/give_access.html", form=form, patient=patient), 422 if form.errors else 200


@bp.post("/people/<uuid:patient_id>/access/<uuid:person_id>/renew")
@roles(Role.ADMINISTRATOR)
def renew_access(patient_id: UUID, person_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    account = next((account for account in patient.people if account.id == person_id), None) or abort(404)
    return _sheet(patient, services.renew_access(db.session, account, by=person(), at=clock.now()))


@bp.route("/people/<uuid:patient_id>/access/<uuid:person_id>/reach", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def reach(patient_id: UUID, person_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    account = next((account for account in patient.people if account.id == person_id), None) or abort(404)
    form = ReachForm(mail=account.mail, phone=account.phone)
    if form.validate_on_submit():
        mail, phone = (form.mail.data or "").strip(), (form.phone.data or "").strip()
        services.set_reach(db.session, account, mail, phone, by=person(), at=clock.now())
        return redirect(url_for("accounts.patient", patient_id=patient.id))
    return render_template(
        "accounts/reach.html", form=form, patient=patient, account=account
    ), 422 if form.errors else 200


@bp.route("/people/<uuid:patient_id>/place", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def change_place(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    form = PlaceForm(town=patient.town, hospital=patient.hospital)
    if form.validate_on_submit():
        town, hospital = ((field.data or "").strip() for field in (form.town, form.hospital))
        services.change_place(db.session, patient, town, hospital, by=person(), at=clock.now())
        return redirect(url_for("accounts.patient", patient_id=patient.id))
    return render_template("accounts/place.html", form=form, patient=patient), 422 if form.errors else 200


def _sheet(patient: Patient, access: services.Access) -> str:
    """The passphrase, shown this once, on a page to print."""
    return render_template("accounts/access.html", patient=patient, access=access)


def _today() -> date:
    return clock.now().astimezone(ZoneInfo(team_of(person()).time_zone)).date()


def _words() -> dict[str, Any]:
    """Codes in plain words."""
    therapies = versions.active().catalogue.therapies
    return {"therapies": {code: therapy.label for code, therapy in therapies.items()}}

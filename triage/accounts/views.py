"""Signing in and out, and the administrator's pages: people, enrolment, access, dose events."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import selectinload

from triage import clock, languages
from triage.accounts import (
    account_views,
    arriving,
    invitations,
    looks,
    passkeys,
    qr,
    resume,
    second_factor_views,
    services,
    sessions,
)
from triage.accounts.access import patient_for, patients_of, person, public, refusal, roles, signed_in, team_of
from triage.accounts.forms import WAYS, AccessForm, ConsentForm, EnrolForm, PlaceForm, ReachForm, SignInForm
from triage.database import db
from triage.models import Course, Patient, Person, Role, by_name
from triage.rules.ruleset import CHANNELS
from triage.ruleset_editor import spoken, versions

bp = Blueprint("accounts", __name__)

_NEVER_CARRIED = {
    "joining.code",
    "joining.passphrase",
    "account.unlock",
    "account.passphrase",
    "passkeys.challenge",
    "passkeys.sign_in",
    "passkeys.add",
    "passkeys.save",
    "passkeys.remove",
    "passkeys.begin_set_up",
    "passkeys.finish_set_up",
    "second_factor.code",
    "second_factor.set_up",
    "second_factor.renew",
}
"""Forms with codes, passphrases and what a passkey has signed: these are typed again, never carried along in a page."""
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
        return redirect(arriving.after(form.next.data))
    if form.validate_on_submit():
        try:
            somebody = services.sign_in(
                db.session,
                form.sign_in_name.data or "",
                form.passphrase.data or "",
                clock.now(),
                address=request.remote_addr or "",
                device=arriving.device(),
            )
        except services.SignInRefused as refused:
            form.refuse(refused.why)
            return _sign_in_page(form, 429 if refused.why is services.Refused.TOO_MANY else 403)
        return second_factor_views.let_in(somebody, form.next.data or "", form.kept.data or "")
    return _sign_in_page(form, 422 if form.errors else 200)


@bp.post("/sign-out")
@roles(*Role)
def sign_out() -> ResponseReturnValue:
    somebody = person()
    services.sign_out(db.session, somebody, clock.now())
    sessions.end(clock.now())
    answer = current_app.make_response(redirect(url_for("accounts.sign_in")))
    if not somebody.is_staff:
        answer.headers["Clear-Site-Data"] = '"storage"'  # what the phone had kept, and the worker that keeps it
    return answer


def sign_in_first() -> ResponseReturnValue | None:
    """The answer to a request that needs a sign-in, or whose page is older than the sign-in: nothing typed is lost.

    None where there is nothing to do but refuse: another site sent the form of somebody who is signed in.
    """
    kept = None if request.endpoint in _NEVER_CARRIED else resume.posted()
    if request.endpoint in _NEVER_CARRIED and refusal() is None:
        return None  # the page is older than the session
    on_sign_in_page = request.endpoint == "accounts.sign_in"
    if (somebody := sessions.locked()) and not on_sign_in_page:
        next_url = request.full_path.rstrip("?") if request.method == "GET" else ""
        if request.method == "GET":
            return redirect(url_for("account.unlock", next=next_url))
        return account_views.locked_page(somebody, kept.sign() if kept and kept.is_of(somebody) else ""), 401
    if (somebody := signed_in()) and not on_sign_in_page:
        return arriving.send_again(kept, somebody, signed_in_again=False) if kept else None
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
    return render_template(
        "accounts/sign_in.html", form=form, timed_out=timed_out, kept=kept, passkeys=passkeys.place()
    ), status


@bp.get("/people")
@roles(Role.ADMINISTRATOR)
def people() -> ResponseReturnValue:
    query = patients_of(person()).options(
        selectinload(Patient.courses).selectinload(Course.dose_events), selectinload(Patient.accounts)
    )
    patients = by_name(db.session.scalars(query))
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
    form = EnrolForm(today=today())
    form.offer(versions.active().catalogue)
    form.offer_languages(_languages())
    if form.validate_on_submit():
        try:
            patient, issued = services.enrol(
                db.session, team_of(person()), form.enrolment(), by=person(), at=clock.now()
            )
        except services.NameTaken:
            form.name_taken()
        else:
            if issued:
                return sheet(issued, url_for("accounts.patient", patient_id=patient.id), patient.name)
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
        ways=WAYS,
        now=clock.now(),
        **_words(),
    )


@bp.route("/people/<uuid:patient_id>/access", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def give_access(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    form = AccessForm(today=today())
    form.offer_languages(_languages())
    if form.validate_on_submit():
        try:
            issued = services.give_access(
                db.session, patient, form.account(), form.agreed(), by=person(), at=clock.now()
            )
        except services.NameTaken:
            form.name_taken()
        else:
            return sheet(issued, url_for("accounts.patient", patient_id=patient.id), patient.name)
    return render_template("accounts/give_access.html", form=form, patient=patient), 422 if form.errors else 200


@bp.post("/people/<uuid:patient_id>/access/<uuid:person_id>/renew")
@roles(Role.ADMINISTRATOR)
def renew_access(patient_id: UUID, person_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    account = _account(patient, person_id)
    try:
        issued = invitations.invite(db.session, account, by=person(), at=clock.now())
    except invitations.NoConsent:
        flash("No invitation was made: write down first that the patient agrees.")
        return redirect(url_for("accounts.consent", patient_id=patient.id, person_id=account.id))
    return sheet(issued, url_for("accounts.patient", patient_id=patient.id), patient.name)


@bp.post("/people/<uuid:patient_id>/access/<uuid:person_id>/take-back")
@roles(Role.ADMINISTRATOR)
def take_invitation_back(patient_id: UUID, person_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    invitations.take_back(db.session, _account(patient, person_id), by=person(), at=clock.now())
    return redirect(url_for("accounts.patient", patient_id=patient.id))


@bp.route("/people/<uuid:patient_id>/access/<uuid:person_id>/consent", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def consent(patient_id: UUID, person_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    caregiver = _caregiver(patient, person_id)
    form = ConsentForm(today=today())
    if form.validate_on_submit():
        agreed = form.agreed()
        issued = invitations.give_consent(db.session, caregiver, agreed.way, agreed.on, by=person(), at=clock.now())
        return sheet(issued, url_for("accounts.patient", patient_id=patient.id), patient.name)
    page = render_template("accounts/consent.html", form=form, patient=patient, caregiver=caregiver)
    return page, 422 if form.errors else 200


@bp.post("/people/<uuid:patient_id>/access/<uuid:person_id>/withdraw")
@roles(Role.ADMINISTRATOR)
def withdraw_consent(patient_id: UUID, person_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    invitations.withdraw_consent(db.session, _caregiver(patient, person_id), by=person(), at=clock.now())
    flash("The caregiver is signed out everywhere and cannot sign in any more.", "success")
    return redirect(url_for("accounts.patient", patient_id=patient.id))


def _account(patient: Patient, person_id: UUID) -> Person:
    return next((account for account in patient.people if account.id == person_id), None) or abort(404)


def _caregiver(patient: Patient, person_id: UUID) -> Person:
    account = _account(patient, person_id)
    return account if account.role == Role.CAREGIVER else abort(404)


@bp.route("/people/<uuid:patient_id>/access/<uuid:person_id>/reach", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def reach(patient_id: UUID, person_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    account = _account(patient, person_id)
    form = ReachForm(mail=account.mail, phone=account.phone, language=account.language)
    form.offer_languages(_languages())
    if form.validate_on_submit():
        mail, phone = (form.mail.data or "").strip(), (form.phone.data or "").strip()
        language = form.chosen_language if "language" in form else account.language
        services.set_reach(db.session, account, mail, phone, language, by=person(), at=clock.now())
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


def sheet(issued: invitations.Issued, back: str, back_to: str) -> str:
    """An invitation, shown this once, on a page to print."""
    page = current_app.config["PUBLIC_URL"].rstrip("/") or request.host_url.rstrip("/")
    link = f"{page}{url_for('joining.code')}#{issued.code}"
    language = spoken.language_of(issued.person)
    with languages.speaking(language):
        until = current_app.jinja_env.filters["local_time"](issued.expires_at)
    return render_template(
        "accounts/sheet.html",
        issued=issued,
        link=link,
        qr=qr.drawing(link),
        back=back,
        back_to=back_to,
        say=languages.saying(language),
        read_in=language,
        until=until,
    )


def _languages() -> tuple[str, ...]:
    return (languages.ENGLISH, *spoken.offered())


def today() -> date:
    """The day in the time zone of the care team of whoever asks."""
    return clock.now().astimezone(ZoneInfo(team_of(person()).time_zone)).date()


def _words() -> dict[str, Any]:
    """Codes in plain words."""
    therapies = versions.active().catalogue.therapies
    return {"therapies": {code: therapy.label for code, therapy in therapies.items()}}

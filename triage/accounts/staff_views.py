"""The administrator's pages about staff, and about what changes: names, teams, leaving. One page says where each is."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import invitations, staff
from triage.accounts.access import colleague_for, patient_for, person, roles, team_of
from triage.accounts.services import NameTaken
from triage.accounts.staff_forms import InviteForm, NameForm, PatientForm, TeamForm
from triage.accounts.views import sheet, today
from triage.database import db
from triage.models import CareTeam, Role

bp = Blueprint("staff", __name__)


@bp.get("/staff")
@roles(Role.ADMINISTRATOR)
def everybody() -> ResponseReturnValue:
    people = staff.of_team(db.session, team_of(person()))
    return render_template("accounts/staff.html", people=people, now=clock.now())


@bp.route("/staff/invite", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def invite() -> ResponseReturnValue:
    form = InviteForm()
    if form.validate_on_submit():
        try:
            issued = staff.invite(db.session, team_of(person()), form.account(), by=person(), at=clock.now())
        except NameTaken:
            form.name_taken()
        else:
            return sheet(issued, url_for("staff.everybody"), "Staff")
    return render_template("accounts/invite_staff.html", form=form), 422 if form.errors else 200


@bp.post("/staff/<uuid:staff_id>/invite")
@roles(Role.ADMINISTRATOR)
def invite_again(staff_id: UUID) -> ResponseReturnValue:
    colleague = colleague_for(person(), staff_id)
    if not colleague.active:
        issued = staff.come_back(db.session, colleague, by=person(), at=clock.now())
    else:
        issued = invitations.invite(db.session, colleague, by=person(), at=clock.now())
    return sheet(issued, url_for("staff.everybody"), "Staff")


@bp.post("/staff/<uuid:staff_id>/take-back")
@roles(Role.ADMINISTRATOR)
def take_back(staff_id: UUID) -> ResponseReturnValue:
    invitations.take_back(db.session, colleague_for(person(), staff_id), by=person(), at=clock.now())
    return redirect(url_for("staff.everybody"))


@bp.route("/staff/<uuid:staff_id>/name", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def rename(staff_id: UUID) -> ResponseReturnValue:
    colleague = colleague_for(person(), staff_id)
    form = NameForm(name=colleague.name)
    if form.validate_on_submit():
        staff.rename(db.session, colleague, (form.name.data or "").strip(), by=person(), at=clock.now())
        return redirect(url_for("staff.everybody"))
    return render_template("accounts/rename.html", form=form, colleague=colleague), 422 if form.errors else 200


@bp.post("/staff/<uuid:staff_id>/leave")
@roles(Role.ADMINISTRATOR)
def leave(staff_id: UUID) -> ResponseReturnValue:
    colleague = colleague_for(person(), staff_id)
    try:
        staff.leave(db.session, colleague, by=person(), at=clock.now())
    except staff.LastAdministrator:
        flash("Nothing was changed: nobody would be left who can invite people.")
    return redirect(url_for("staff.everybody"))


@bp.route("/people/<uuid:patient_id>/change", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def change_patient(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    form = PatientForm(today=today(), name=patient.name, born_on=patient.born_on, phone=patient.phone)
    if form.validate_on_submit():
        name, phone = (form.name.data or "").strip(), (form.phone.data or "").strip()
        staff.change_patient(db.session, patient, name, form.born_on.data, phone, by=person(), at=clock.now())
        return redirect(url_for("accounts.patient", patient_id=patient.id))
    return render_template("accounts/change_patient.html", form=form, patient=patient), 422 if form.errors else 200


@bp.route("/people/<uuid:patient_id>/team", methods=["GET", "POST"])
@roles(Role.ADMINISTRATOR)
def move_patient(patient_id: UUID) -> ResponseReturnValue:
    patient = patient_for(person(), patient_id)
    others = staff.teams(db.session, but=patient.care_team)
    form = TeamForm()
    form.offer(others)
    if form.validate_on_submit():
        team = db.session.get_one(CareTeam, form.team_id())
        try:
            staff.move_patient(db.session, patient, team, by=person(), at=clock.now())
        except staff.AlertWaits:
            form.alert_waits()
        else:
            flash("The patient now belongs to another care team, whose administrators see them.", "success")
            return redirect(url_for("accounts.people"))
    page = render_template("accounts/move_patient.html", form=form, patient=patient, others=others)
    return page, 422 if form.errors else 200


@bp.get("/people/what-changes")
@roles(Role.ADMINISTRATOR)
def what_changes() -> ResponseReturnValue:
    return render_template("accounts/what_changes.html")

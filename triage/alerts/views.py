"""The on-call page of a team: who is on call, who is told by what, what was told. And where machines ask whether
messages go out."""

from __future__ import annotations

import hmac
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import duty_for, person, public, roles, staff_for, team_of
from triage.alerts import escalation, pulse
from triage.alerts import rota as on_call
from triage.alerts.channels import setup
from triage.alerts.channels.webhook import signature
from triage.alerts.forms import ContactForm, DutyForm, SwapForm
from triage.database import db
from triage.models import MessageKind, Role
from triage.rules.wording import escalation_sentences, reminder_sentences
from triage.ruleset_editor import versions

bp = Blueprint("alerts", __name__)

KINDS = {
    MessageKind.ALERT: "an alert is waiting",
    MessageKind.REMINDER: "a report is missing",
    MessageKind.CHANNEL_FAILING: "a channel fails",
    MessageKind.ROTA_EMPTY: "nobody is on call",
    MessageKind.TEST: "TEST",
}
LOOK_AFTER_IT = (Role.NURSE, Role.ADMINISTRATOR)


@bp.get("/on-call")
@roles(*LOOK_AFTER_IT)
def rota() -> ResponseReturnValue:
    team, now = team_of(person()), clock.now()
    return render_template(
        "alerts/rota.html",
        now=now,
        on_call=on_call.on_call(db.session, team, now),
        duties=on_call.coming(db.session, team, now),
        staff=on_call.staff(db.session, team),
        everybodys=person().role == Role.ADMINISTRATOR,
        kinds=KINDS,
        deliveries=on_call.latest_deliveries(db.session, team),
        channels=setup.names(current_app.config),
        steps=escalation_sentences(versions.active().response),
        reminders=reminder_sentences(versions.active().response),
    )


@bp.route("/on-call/add", methods=["GET", "POST"])
@roles(*LOOK_AFTER_IT)
def add_duty() -> ResponseReturnValue:
    team = team_of(person())
    form = DutyForm(ZoneInfo(team.time_zone), clock.now())
    form.offer(on_call.nurses(db.session, team))
    if form.validate_on_submit():
        on_call.add(db.session, team, form.chosen(), form.begins(), form.ends(), by=person(), at=clock.now())
        return redirect(url_for("alerts.rota"))
    return render_template("alerts/add_duty.html", form=form), 422 if form.errors else 200


@bp.route("/on-call/<uuid:duty_id>/swap", methods=["GET", "POST"])
@roles(*LOOK_AFTER_IT)
def swap_duty(duty_id: UUID) -> ResponseReturnValue:
    duty = duty_for(person(), duty_id)
    form = SwapForm()
    form.offer([one for one in on_call.nurses(db.session, team_of(person())) if one.id != duty.person_id])
    if form.validate_on_submit():
        on_call.swap(db.session, duty, form.chosen(), by=person(), at=clock.now())
        return redirect(url_for("alerts.rota"))
    return render_template("alerts/swap_duty.html", form=form, duty=duty), 422 if form.errors else 200


@bp.post("/on-call/<uuid:duty_id>/remove")
@roles(*LOOK_AFTER_IT)
def remove_duty(duty_id: UUID) -> ResponseReturnValue:
    on_call.remove(db.session, duty_for(person(), duty_id), by=person(), at=clock.now())
    return redirect(url_for("alerts.rota"))


@bp.route("/on-call/reach/<uuid:staff_id>", methods=["GET", "POST"])
@roles(*LOOK_AFTER_IT)
def contact(staff_id: UUID) -> ResponseReturnValue:
    """Everybody their own; an administrator everybody's of the team."""
    one = staff_for(person(), staff_id)
    form = ContactForm(mail=one.mail, phone=one.phone)
    if form.validate_on_submit():
        mail, phone = (form.mail.data or "").strip(), (form.phone.data or "").strip()
        on_call.set_contact(db.session, one, mail, phone, by=person(), at=clock.now())
        return redirect(url_for("alerts.rota"))
    return render_template("alerts/contact.html", form=form, one=one), 422 if form.errors else 200


@bp.post("/on-call/test")
@roles(*LOOK_AFTER_IT)
def test_alert() -> ResponseReturnValue:
    owed = escalation.owe_test(
        db.session, team_of(person()), setup.names(current_app.config), by=person(), at=clock.now()
    )
    flash(
        f"A test is on its way: {owed} message{'s' * (owed != 1)}. Below you see which of them were delivered."
        if owed
        else "Nobody can be reached: no channel is set up, or nobody has an address. Nothing was sent."
    )
    return redirect(url_for("alerts.rota"))


@bp.get("/health/heartbeat")
@public
def heartbeat() -> ResponseReturnValue:
    """How old the latest heartbeat is; 503 when it is late. Nothing about anybody."""
    found = pulse.pulse(db.session, clock.now())
    late = found.age is None or found.late_since is not None
    told = {
        "late": late,
        "beat": found.came_through_at.isoformat() if found.came_through_at else None,
        "age_seconds": None if found.age is None else round(found.age.total_seconds()),
        "late_after_seconds": round(found.late_after.total_seconds()),
        "now": found.at.isoformat(),
    }
    return told, 503 if late else 200


@bp.post("/heartbeat")
@public
def take_heartbeat() -> ResponseReturnValue:
    """Takes the messages of the heartbeat's own webhook: signed by a worker of this server, about its own rows. Nothing
    is stored: that it was taken is written down where it was sent."""
    signed = signature(setup.heartbeat_secret(current_app.config), request.get_data())
    if not hmac.compare_digest(signed, request.headers.get("Triage-Signature", "")):
        abort(403)
    told = request.get_json(force=True, silent=True)
    keys = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(keys, list) or not pulse.answers(db.session, [str(key) for key in keys]):
        abort(404)
    return Response(status=204)

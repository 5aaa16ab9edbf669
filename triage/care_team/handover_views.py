"""The nurses' pages for handing a shift over."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import looks
from triage.accounts.access import acceptance_for, alert_for, handover_for, person, roles, team_of
from triage.alerts import services
from triage.care_team import handover as shifts
from triage.care_team import handover_page
from triage.care_team.handover_forms import BeginForm, NoteForm
from triage.database import db
from triage.models import Handover, HandoverEnd, Role
from triage.ruleset_editor import versions

bp = Blueprint("handover", __name__)

ENDS = {
    HandoverEnd.CLOSED: "closed",
    HandoverEnd.LEFT: "not closed by anybody",
    HandoverEnd.TAKEN_BACK: "taken back",
}


@bp.get("/handover")
@roles(Role.NURSE)
def now() -> ResponseReturnValue:
    """The page as it stands, whether or not somebody has begun to hand over: it can be read and printed at any time."""
    team, at = team_of(person()), clock.now()
    running, last = shifts.running(db.session, team), shifts.last_closed(db.session, team)
    since = running.since if running else shifts.since(db.session, team, at)
    page = handover_page.contents(db.session, versions.active(), team, running, since, at)
    looks.at_list(person(), "handover_seen")
    return render_template(
        "care_team/handover/now.html",
        handover=running,
        page=page,
        last=last,
        overdue=shifts.is_overdue(last, at),
        stale=running is not None and shifts.is_stale(running, at),
        own=running is not None and running.handed_over_by_id == person().id,
        at=at,
        zone=team.time_zone,
    )


@bp.route("/handover/begin", methods=["GET", "POST"])
@roles(Role.NURSE)
def begin() -> ResponseReturnValue:
    team, at, form = team_of(person()), clock.now(), BeginForm()
    if form.validate_on_submit():
        note = form.note.data or ""
        try:
            shifts.begin(db.session, team, person(), at, going_off=form.going_off, note=note)
        except shifts.AlreadyBegun as begun:
            if begun.handover.begun_by_id != person().id:
                form.form_errors = [
                    f"Not begun: {begun.handover.begun_by.name} has begun one already. "
                    "Copy your note, open Handover, and add it there"
                ]
                return render_template("care_team/handover/begin.html", form=form), 422
        else:
            flash("The handover is begun. Whoever comes on accepts each urgent alert by name.", "success")
        return _now()
    return render_template("care_team/handover/begin.html", form=form), 422 if form.errors else 200


@bp.post("/handover/<uuid:handover_id>/accept/<uuid:alert_id>")
@roles(Role.NURSE)
def accept(handover_id: UUID, alert_id: UUID) -> ResponseReturnValue:
    handover, alert = handover_for(person(), handover_id), alert_for(person(), alert_id)
    if alert.care_team_id != handover.care_team_id:  # of a team that she covers: it has a handover of its own
        abort(404)
    try:
        shifts.accept(db.session, handover, alert, person(), clock.now(), seen=request.args.get("seen", type=int))
    except shifts.Ended as ended:
        return _ended(ended)
    except shifts.OwnShift:
        flash("Not accepted: you hand this shift over. Somebody who comes on accepts.")
    except services.NotSeen:
        flash("Not accepted: something new came while you were reading. Read it, then accept.")
    except services.AlreadyDone:
        flash("There is nothing to accept any more: the alert is resolved. The record says by whom.")
    else:
        flash("You have accepted the alert.", "success")
    return _now(f"alert-{alert_id}" if not alert.is_resolved else "")


@bp.post("/handover/acceptances/<uuid:acceptance_id>/take-back")
@roles(Role.NURSE)
def take_acceptance_back(acceptance_id: UUID) -> ResponseReturnValue:
    acceptance = acceptance_for(person(), acceptance_id)
    try:
        shifts.take_acceptance_back(db.session, acceptance, person(), clock.now())
    except shifts.Ended as ended:
        return _ended(ended)
    except shifts.NotYours:
        flash("Not taken back: somebody else has accepted the alert.")
    else:
        flash("Your acceptance is taken back. If you have the alert in the queue, give it back there.", "success")
    return _now(f"alert-{acceptance.alert_id}")


@bp.route("/handover/<uuid:handover_id>/note", methods=["GET", "POST"])
@roles(Role.NURSE)
def write(handover_id: UUID) -> ResponseReturnValue:
    handover, form = handover_for(person(), handover_id), NoteForm()
    if form.validate_on_submit():
        try:
            shifts.write(db.session, handover, person(), form.note.data or "", clock.now())
        except shifts.Ended as ended:
            form.form_errors = [f"Not saved: the handover was {ENDS[_kind(ended.handover)]}. Copy your note"]
        else:
            flash("Saved.", "success")
            return _now()
    return render_template("care_team/handover/note.html", form=form), 422 if form.errors else 200


@bp.post("/handover/<uuid:handover_id>/close")
@roles(Role.NURSE)
def close(handover_id: UUID) -> ResponseReturnValue:
    handover = handover_for(person(), handover_id)
    try:
        shifts.close(db.session, versions.active(), handover, person(), clock.now())
    except shifts.Ended as ended:
        return _ended(ended)
    except shifts.OwnShift:
        flash("Not closed: you hand this shift over. Somebody who comes on closes it.")
    except shifts.NotAccepted:
        flash("Not closed: not every urgent alert is accepted. Accept each by name, then close.")
    else:
        flash("The shift is handed over. What stood on the page is kept.", "success")
        return redirect(url_for("handover.kept", handover_id=handover_id))
    return _now()


@bp.post("/handover/<uuid:handover_id>/take-back")
@roles(Role.NURSE)
def take_back(handover_id: UUID) -> ResponseReturnValue:
    handover = handover_for(person(), handover_id)
    try:
        shifts.take_back(db.session, handover, person(), clock.now())
    except shifts.Ended as ended:
        return _ended(ended)
    except shifts.NotYours:
        flash("Not taken back: somebody else has begun it.")
    else:
        flash("The handover is taken back. Nothing was handed over.", "success")
    return _now()


@bp.get("/handover/earlier")
@roles(Role.NURSE)
def earlier() -> ResponseReturnValue:
    team = team_of(person())
    return render_template(
        "care_team/handover/earlier.html", handovers=shifts.earlier(db.session, team), ends=ENDS, most=shifts.LISTED
    )


@bp.get("/handover/earlier/<uuid:handover_id>")
@roles(Role.NURSE)
def kept(handover_id: UUID) -> ResponseReturnValue:
    """A handover as it was read when it was closed."""
    handover = handover_for(person(), handover_id)
    if handover.is_running:
        return _now()
    if handover.page is None:
        abort(404)
    looks.at_list(person(), "handover_seen")
    return render_template("care_team/handover/kept.html", handover=handover, page=handover.page)


def _now(anchor: str = "") -> ResponseReturnValue:
    return redirect(url_for("handover.now", _anchor=anchor or None))


def _kind(handover: Handover) -> HandoverEnd:
    return HandoverEnd(handover.end_kind or HandoverEnd.LEFT)


def _ended(ended: shifts.Ended) -> ResponseReturnValue:
    """Somebody was quicker, or pressed twice. No name goes into the message: it travels in a cookie."""
    handover = ended.handover
    flash(f"Nothing was changed: the handover was {ENDS[_kind(handover)]} meanwhile.")
    if handover.page is not None:
        return redirect(url_for("handover.kept", handover_id=handover.id))
    return _now()

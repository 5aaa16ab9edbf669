"""Covering another team: a nurse begins and ends it; the team's nurses and administrators see it and can end it."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts import covers
from triage.accounts.access import cover_for, person, roles, team_of
from triage.accounts.cover_forms import CoverForm
from triage.database import db
from triage.models import Role

bp = Blueprint("covers", __name__)


@bp.get("/cover")
@roles(Role.NURSE, Role.ADMINISTRATOR)
def everybody() -> ResponseReturnValue:
    """What the nurse covers, and who covers her team."""
    at, team = clock.now(), team_of(person())
    return render_template(
        "accounts/covers.html",
        own=covers.of_nurse(db.session, person(), at),
        of_team=covers.of_team(db.session, team, at),
        earlier=covers.earlier(db.session, team, at),
    )


@bp.route("/cover/begin", methods=["GET", "POST"])
@roles(Role.NURSE)
def begin() -> ResponseReturnValue:
    form, at = CoverForm(), clock.now()
    teams = covers.offered(db.session, person(), at)
    form.offer(teams)
    if form.is_submitted() and not teams:  # begun in another window: nothing is left to choose
        return redirect(url_for("covers.everybody"))
    if form.validate_on_submit():
        chosen = form.team_id
        try:
            covers.begin(db.session, person(), chosen, form.reason.data or "", int(form.hours.data), at)
        except covers.NotPossible:  # pressed twice, or begun in another window
            return redirect(url_for("covers.everybody"))
        return redirect(url_for("care_team.queue", team=chosen))
    return render_template("accounts/begin_cover.html", form=form, teams=teams), 422 if form.errors else 200


@bp.post("/cover/<uuid:cover_id>/end")
@roles(Role.NURSE, Role.ADMINISTRATOR)
def end(cover_id: UUID) -> ResponseReturnValue:
    cover = cover_for(person(), cover_id)
    covers.end(db.session, cover, person(), clock.now())
    flash("The cover has ended. That team’s patients can no longer be seen through it.", "success")
    return redirect(url_for("covers.everybody"))

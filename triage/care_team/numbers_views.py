"""The team's numbers, as a page and as a file. For those who work off alerts and those who own the rules; no figure
names a patient."""

from __future__ import annotations

import csv
import io

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import person, roles, team_of
from triage.care_team.numbers import FEW, PERIODS, Numbers, numbers, table
from triage.database import db
from triage.models import Role
from triage.ruleset_editor import versions

bp = Blueprint("numbers", __name__)

USUAL = 28


@bp.get("/numbers")
@roles(Role.NURSE, Role.CLINICIAN)
def page() -> ResponseReturnValue:
    return render_template(
        "care_team/numbers.html", found=_numbers(), periods=PERIODS, few=FEW, edits=person().role == Role.CLINICIAN
    )


@bp.get("/numbers.csv")
@roles(Role.NURSE, Role.CLINICIAN)
def file() -> ResponseReturnValue:
    found = _numbers()
    text = io.StringIO()
    csv.writer(text).writerows(table(found))
    name = f"numbers-{found.period.first.isoformat()}-to-{found.period.last.isoformat()}.csv"
    return Response(
        text.getvalue(), mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _numbers() -> Numbers:
    chosen = request.args.get("period", USUAL, type=int)
    days = chosen if chosen in PERIODS else USUAL
    return numbers(db.session, versions.active(), team_of(person()), days, clock.now())

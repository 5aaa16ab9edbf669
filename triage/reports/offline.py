"""What a phone of a patient or caregiver needs while it has no connection (assets/worker.mjs, assets/reporter.mjs).

1. A page that it stores: the signs of an emergency by the active rules, and the numbers of the own team. Nothing in it
   tells whose phone it is.
2. A token to send what it had to keep: the page on which that was typed may be older than the sign-in.
3. A page that says what is kept on the phone, and for how long.
"""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from triage import clock
from triage.accounts.access import by_itself, person, roles
from triage.models import Role
from triage.reports import emergency, forms, services
from triage.ruleset_editor import spoken

bp = Blueprint("offline", __name__)
REPORTERS = (Role.PATIENT, Role.CAREGIVER)


@bp.get("/no-connection")
@roles(*REPORTERS)
@by_itself
def page() -> ResponseReturnValue:
    """The page to store. Fetched again on each visit."""
    caregiver = person().role == Role.CAREGIVER
    return render_template(
        "reports/offline.html", at=clock.now(), caregiver=caregiver, **emergency.signs(spoken.active())
    )


@bp.get("/report/token")
@roles(*REPORTERS)
@by_itself
def token() -> ResponseReturnValue:
    """What goes with a form that was kept, and whose forms may be sent now."""
    return jsonify(csrf_token=generate_csrf(), reporter=forms.stamp_of(str(person().id)))


@bp.get("/on-this-phone")
@roles(*REPORTERS)
def kept() -> ResponseReturnValue:
    return render_template("reports/on_this_phone.html", hours=int(services.LONGEST_WAIT.total_seconds()) // 3600)

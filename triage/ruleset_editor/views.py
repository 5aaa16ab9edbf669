"""The active rules in plain sentences, for the clinicians who own them and the nurses who work by them."""

from __future__ import annotations

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue

from triage.accounts.access import roles
from triage.models import Role
from triage.ruleset_editor import pages, versions

bp = Blueprint("ruleset_editor", __name__)


@bp.get("/rules")
@roles(Role.CLINICIAN, Role.NURSE)
def rules() -> ResponseReturnValue:
    ruleset = versions.active()
    return render_template("rules/rules.html", ruleset=ruleset, themes=pages.themes(ruleset))


@bp.get("/rules/<rule_id>")
@roles(Role.CLINICIAN, Role.NURSE)
def rule(rule_id: str) -> ResponseReturnValue:
    ruleset = versions.active()
    found = ruleset.by_id.get(rule_id) or abort(404)
    return render_template("rules/rule.html", ruleset=ruleset, rule=pages.read(found, ruleset))

"""The page for an emergency: what to look for, whom to call, what to say. One tap from every page, for everybody.

It has to work when nothing else does. It asks for no sign-in, is never throttled, and asks the records only for what
makes it better: the numbers of one's own team, the rules that are active. Where they do not answer, the numbers of the
settings stand there, and the rules with which the server was started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from triage.accounts.access import public, without_records
from triage.reports import forms
from triage.rules.conditions import (
    MeasuredAtLeast,
    MeasuredAtMost,
    ThinkingCheckAbandoned,
    ThinkingCheckAtMost,
    ThinkingCheckBelowBaseline,
    leaves,
)
from triage.rules.engine import assess
from triage.rules.report import Report
from triage.rules.ruleset import Rule, Ruleset
from triage.rules.urgency import Urgency
from triage.ruleset_editor import spoken, versions

bp = Blueprint("emergency", __name__)

_NOT_SEEN_AT_HOME = (
    MeasuredAtLeast,
    MeasuredAtMost,
    ThinkingCheckAbandoned,
    ThinkingCheckAtMost,
    ThinkingCheckBelowBaseline,
)
"""Signs that only a device or the thinking check shows."""


@bp.get("/emergency")
@public
@without_records
def page() -> ResponseReturnValue:
    return render_template("reports/emergency.html", **signs(spoken.in_language(_rules())))


def signs(ruleset: Ruleset) -> dict[str, list[str]]:
    """What to look for, as a patient and as an onlooker reads it, and what is an emergency only together."""
    own = forms.Questions(ruleset.catalogue)
    seen = replace(own, caregiver_for="them")
    return {
        "own": [text for _, text, _, _ in own.danger()],
        "seen": [text for _, text, _, _ in seen.danger()],
        "together": [rule.title for rule in together(ruleset)],
    }


def _rules() -> Ruleset:
    """The active rules; those of the start where the records do not answer."""
    if g.get("broken"):
        return versions.started().ruleset
    try:
        return versions.active()
    except SQLAlchemyError:
        g.broken = True  # nothing on this page asks again
        return versions.started().ruleset


def together(ruleset: Ruleset) -> Sequence[Rule]:
    """The emergency rules that no tick of the first screen meets by itself, as fever together with fainting; without
    those that only a device or the thinking check can tell."""
    questions = forms.Questions(ruleset.catalogue)
    ticked = {symptom.code: means for _, _, symptom, means in questions.danger()}
    met = {fired.rule for fired in assess(ruleset, Report(symptoms=ticked), ()).fired}
    return [
        rule
        for rule in ruleset.rules
        if rule.urgency is Urgency.EMERGENCY
        and rule.id not in met
        and not any(isinstance(leaf, _NOT_SEEN_AT_HOME) for leaf in leaves(rule.when))
    ]

"""The shipped rules with another fever threshold, its examples mended as a clinician would."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from triage.models import RulesetActivation, RulesetDraft
from triage.rules.boundaries import new_boundaries
from triage.rules.loading import RuleFileErrors, load_texts
from triage.ruleset_editor import versions
from triage.ruleset_editor.services import Change

RULE = "- id: crs-fever "


def fever_at(files: Mapping[str, str], threshold: str) -> dict[str, str]:
    """Rule files in which `crs-fever` begins at that temperature, °C."""
    text = files["crs.yaml"]
    start = text.index(RULE)
    end = text.index("\n- id: ", start)
    rule = text[start:end]
    head, cases = rule.split("  cases:\n")
    head = head.replace("at_least: 38.0 C", f"at_least: {threshold} C")
    limit = Decimal(threshold)
    below, above = limit - Decimal("0.1"), limit + Decimal("0.1")
    cases = "    fires:\n" + _case(limit) + _case(above) + "    stays_quiet:\n" + _case(below)
    return {**files, "crs.yaml": text[:start] + head + "  cases:\n" + cases + text[end:]}


def _case(temperature: Decimal) -> str:
    return f"      - {{days_since_therapy: 40, temperature_c: {temperature}}}\n"


def as_meant(session: Any, person: Any, reason: str, **more: Any) -> Change:
    """What a clinician says who has read every entry on the edge of a changed threshold."""
    session.rollback()
    draft = session.get(RulesetDraft, person.id)
    base = session.get(RulesetActivation, draft.base) if draft else None
    try:
        entries = new_boundaries(versions.read(base), load_texts(draft.files)) if draft and base else ()
    except RuleFileErrors:
        entries = ()
    return Change(reason, confirmed=[one.text for one in entries], **more)

"""What an urgency asks of the care team."""

from __future__ import annotations

from datetime import datetime

from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency


def answer_by(ruleset: Ruleset, urgency: Urgency, found_at: datetime) -> datetime:
    """When somebody should have acknowledged an alert of that urgency. Routine opens none and raises KeyError."""
    return found_at + ruleset.response.acknowledge_within[urgency]

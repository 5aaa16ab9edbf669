"""The texts of messages, from templates/mail/. They say that something waits and where to sign in, and nothing else:
no name, no symptom, no therapy, no team."""

from __future__ import annotations

from collections.abc import Sequence

from flask import current_app

from triage.alerts.channels.message import Message
from triage.rules.urgency import Urgency

REMINDER = "reminder"
"""What a patient or caregiver is sent in place of an alert."""


def compose(kind: str, keys: Sequence[str], alerts: int = 0, urgency: Urgency = Urgency.ROUTINE) -> Message:
    """The message of that kind about that many alerts, of which the most urgent is `urgency`."""
    link = current_app.config["PUBLIC_URL"]
    known = {"alerts": alerts, "urgency": urgency.code, "link": link}
    subject = _text(f"mail/{kind}/subject.txt", **known)
    body = _text(f"mail/{kind}/body.txt", subject=subject, **known)
    return Message(subject, body, link, kind, tuple(keys), alerts, urgency.code if alerts else "")


def _text(template: str, **known: object) -> str:
    # Not by render_template: that would ask who is signed in, and nobody is.
    return current_app.jinja_env.get_template(template).render(**known).strip()

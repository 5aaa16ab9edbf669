"""The texts of messages, from templates/mail/. They say that something waits and where to sign in, and nothing else:
no name, no symptom, no therapy, no team."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from flask import current_app

from triage import languages
from triage.alerts.channels.message import Message
from triage.rules.urgency import Urgency

REMINDER = "reminder"
"""What a patient or caregiver is sent in place of an alert."""
HEARTBEAT = "heartbeat"
"""What is sent about the made-up patient: it must not look like an alert."""
_INCIDENTS = UUID("0b1f3a52-5f0b-4a2c-9d7e-2a4f5f8e9c11")
"""The space of the keys of incidents; any constant would do."""


def compose(
    kind: str,
    keys: Sequence[str],
    about: Iterable[UUID] = (),
    urgency: Urgency = Urgency.ROUTINE,
    language: str = languages.ENGLISH,
) -> Message:
    """The message of that kind about those alerts (their ids), of which the most urgent is `urgency`, in that
    language."""
    link = current_app.config["PUBLIC_URL"]
    ids = sorted(map(str, set(about)))
    alerts = len(ids)
    known = {"alerts": alerts, "urgency": urgency.code, "link": link}
    with languages.speaking(language):
        subject = _text(f"mail/{kind}/subject.txt", **known)
        body = _text(f"mail/{kind}/body.txt", subject=subject, **known)
    # Alerts that are told of together are one incident: were it that of the first, an incident that somebody has
    # answered would swallow the others.
    incident = str(uuid5(_INCIDENTS, "/".join(ids))) if ids else ""
    return Message(subject, body, link, kind, tuple(keys), alerts, urgency.code if alerts else "", incident)


def _text(template: str, **known: object) -> str:
    # Not by render_template: that would ask who is signed in, and nobody is.
    return current_app.jinja_env.get_template(template).render(**known).strip()

"""PagerDuty, by the Apprise URL of a service of staff."""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.alerts.channels import by_apprise
from triage.alerts.channels.message import Message


@dataclass(frozen=True)
class PagerDuty:
    """Its incidents have a key, so that what is told again of an alert joins the incident that is open already."""

    url: str = field(repr=False)

    def send(self, message: Message, address: str) -> None:
        url = self.url
        if message.incident:
            url += ("&" if "?" in url else "?") + f"dedup={message.incident}"
        by_apprise.send(url, message.subject, message.body)

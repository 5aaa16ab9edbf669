"""A room or service that all staff read: Teams, Slack, PagerDuty."""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.alerts.channels import by_apprise
from triage.alerts.channels.message import Message


@dataclass(frozen=True)
class Room:
    """By an Apprise URL."""

    url: str = field(repr=False)

    def send(self, message: Message, address: str) -> None:
        by_apprise.send(self.url, message.subject, message.body)

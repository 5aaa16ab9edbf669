"""A short message to one person's telephone, by an SMS gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from triage.alerts.channels import by_apprise
from triage.alerts.channels.message import Message


@dataclass(frozen=True)
class Sms:
    """By the gateway of an Apprise URL. It has “{to}” where the number goes."""

    url: str = field(repr=False)

    def send(self, message: Message, address: str) -> None:
        number = ("+" if address.strip().startswith("+") else "") + "".join(filter(str.isdigit, address))
        by_apprise.send(
            self.url.replace("{to}", quote(number, safe="")), "", f"{message.subject}. Sign in: {message.link}"
        )

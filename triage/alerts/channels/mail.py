"""Mail to one person."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from triage.alerts.channels import by_apprise
from triage.alerts.channels.message import Message


@dataclass(frozen=True)
class Mail:
    """By SMTP. The URL has “{to}” where the address goes."""

    url: str = field(repr=False)

    def send(self, message: Message, address: str) -> None:
        url = self.url.replace("{to}", quote(address, safe=""))
        url += ("&" if "?" in url else "?") + f"+X-Triage-Key={message.key}"
        by_apprise.send(url, message.subject, message.body)

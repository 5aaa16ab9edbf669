"""What is sent, and what every channel is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Undelivered(Exception):
    """A channel did not take a message. Nothing of what its server answered is kept: it may quote an address."""


@dataclass(frozen=True)
class Message:
    """A message without anything about health: that something waits, how urgent it is, and where to sign in."""

    subject: str
    body: str
    link: str
    kind: str
    """alert, reminder, heartbeat, channel_failing, rota_empty or test."""
    keys: tuple[str, ...]
    """Of the deliveries that it stands for: the same at each try, so that whoever receives it can drop doubles."""
    alerts: int = 0
    """How many alerts wait."""
    urgency: str = ""
    """Of the most urgent one."""
    incident: str = ""
    """The same for each message about the same alert, or the same alerts together; empty where it is about none."""

    @property
    def key(self) -> str:
        """Of the message: that of its delivery, or of the first of several."""
        return self.keys[0]


class Channel(Protocol):
    """A way to reach people."""

    def send(self, message: Message, address: str) -> None:
        """Send it; `address` is empty for a room or service of all staff. Returns once it was taken, else raises
        Undelivered. It takes seconds at most."""

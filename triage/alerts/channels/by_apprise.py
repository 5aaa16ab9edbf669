"""Sending by an Apprise URL: what the channels beside our own webhook have in common."""

from __future__ import annotations

from typing import Any

from triage.alerts.channels.message import Undelivered


def usable(url: str) -> bool:
    """Whether Apprise can send by that URL."""
    return _notifier(url) is not None


def send(url: str, subject: str, body: str) -> None:
    """Send that text. Raises Undelivered."""
    notifier = _notifier(url)
    try:
        taken = notifier is not None and notifier.notify(title=subject, body=body)
    except Exception as error:
        raise Undelivered(type(error).__name__) from None  # what it says may hold the URL with its password
    if not taken:
        raise Undelivered


def _notifier(url: str) -> Any:
    from apprise import Apprise  # it loads some 170 services: the web server has no need of it

    return Apprise.instantiate(url, suppress_exceptions=True)

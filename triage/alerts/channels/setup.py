"""The channels that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.alerts.channels import by_apprise
from triage.alerts.channels.mail import Mail
from triage.alerts.channels.message import Channel
from triage.alerts.channels.room import Room
from triage.alerts.channels.sms import Sms
from triage.alerts.channels.webhook import Webhook
from triage.rules.ruleset import CHANNELS

_SAMPLE = {"mail": "somebody@example.org", "sms": "+441632960000"}


class BadChannel(ValueError):
    """A channel cannot be used as the settings have it. Says the variable, never what stands in it."""


def setting_of(name: str) -> str:
    """The name of the setting of a channel."""
    return f"CHANNEL_{name.upper()}"


def names(config: Mapping[str, Any]) -> list[str]:
    """The channels that are set up, in the order of CHANNELS."""
    return [name for name in CHANNELS if config[setting_of(name)]]


def channels(config: Mapping[str, Any]) -> dict[str, Channel]:
    """The channels that are set up, by name. Raises BadChannel for a URL that Apprise does not know."""
    found: dict[str, Channel] = {}
    for name in names(config):
        url = config[setting_of(name)]
        if name == "webhook":
            found[name] = Webhook(url, config["CHANNEL_WEBHOOK_SECRET"])
            continue
        if not by_apprise.usable(url.replace("{to}", _SAMPLE.get(name, ""))):
            raise BadChannel(f"TRIAGE_{setting_of(name)} is no URL by which Apprise can send")
        found[name] = Mail(url) if name == "mail" else Sms(url) if name == "sms" else Room(url)
    return found

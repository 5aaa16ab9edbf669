"""The channels that the settings name."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from triage.alerts.channels import by_apprise
from triage.alerts.channels.mail import Mail
from triage.alerts.channels.message import Channel
from triage.alerts.channels.pagerduty import PagerDuty
from triage.alerts.channels.room import Room
from triage.alerts.channels.sms import Sms
from triage.alerts.channels.webhook import Webhook
from triage.models import HEARTBEAT_CHANNEL
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
    """The channels that are set up, by name, and that of the heartbeat. Raises BadChannel for a URL that Apprise does
    not know."""
    found: dict[str, Channel] = {HEARTBEAT_CHANNEL: _of_the_heartbeat(config)}
    for name in names(config):
        url = config[setting_of(name)]
        if name == "webhook":
            found[name] = Webhook(url, config["CHANNEL_WEBHOOK_SECRET"])
            continue
        if not by_apprise.usable(url.replace("{to}", _SAMPLE.get(name, ""))):
            raise BadChannel(f"TRIAGE_{setting_of(name)} is no URL by which Apprise can send")
        kinds: dict[str, type[Mail | Sms | PagerDuty]] = {"mail": Mail, "sms": Sms, "pagerduty": PagerDuty}
        found[name] = kinds.get(name, Room)(url)
    return found


def heartbeat_secret(config: Mapping[str, Any]) -> str:
    """Signs what the heartbeat's webhook sends: this server and its workers have it in common."""
    return hmac.new(str(config["SECRET_KEY"]).encode(), b"heartbeat", "sha256").hexdigest()


def _of_the_heartbeat(config: Mapping[str, Any]) -> Channel:
    url = config["HEARTBEAT_CHANNEL"]
    if url.startswith(("http://", "https://")):
        return Webhook(url, heartbeat_secret(config))
    if not by_apprise.usable(url):
        raise BadChannel("TRIAGE_HEARTBEAT_CHANNEL is neither a web address nor a URL by which Apprise can send")
    return Room(url)

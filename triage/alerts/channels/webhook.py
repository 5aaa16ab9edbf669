"""A webhook of our own, signed, for services that Apprise does not know or that must know who calls.

The body is JSON. `Triage-Signature: sha256=…` is the HMAC of its bytes with the shared secret, in hex;
`Idempotency-Key` is the same at each try. Whoever receives it refuses what is not signed so, and does not act twice on
one of the `keys`. Any answer from 200 to 299 means that it was taken.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from triage.alerts.channels.message import Message, Undelivered

TIMEOUT_SECONDS = 10


class _NoRedirects(HTTPRedirectHandler):
    """What is signed for one address is not carried to another."""

    def redirect_request(self, *args: object, **named: object) -> None:
        return None


@dataclass(frozen=True)
class Webhook:
    """POST to an address of ours."""

    url: str = field(repr=False)
    secret: str = field(repr=False)

    def send(self, message: Message, address: str) -> None:
        body = json.dumps(
            {
                "kind": message.kind,
                "keys": message.keys,
                "alerts": message.alerts,
                "urgency": message.urgency,
                "text": message.subject,
                "link": message.link,
            }
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.key,
            "Triage-Signature": signature(self.secret, body),
        }
        # The settings take http and https only, so that no other scheme comes here.
        request = Request(self.url, body, headers, method="POST")  # noqa: S310
        try:
            with build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS) as answer:
                taken = 200 <= answer.status < 300
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise Undelivered(type(error).__name__) from None
        if not taken:
            raise Undelivered


def signature(secret: str, body: bytes) -> str:
    """What stands in the header for that body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

"""What was typed survives a sign-in that timed out.

1. Somebody sends a form and is not signed in any more (or their page is older than their sign-in). The sign-in page
   answers, carrying the posted fields along in one hidden input, signed, so that nobody else can put fields there.
2. They sign in. A page in between says that what they typed was kept; its button posts the same fields to the same
   address. A press of a button, and no redirect, because it works without JavaScript and shows what happens.
3. Somebody else signs in, as on the computer of a ward: nothing is sent, since it would be sent under their name.

Fields that come from another site are never carried: that would let a stranger's page prepare somebody's report.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from flask import current_app, request
from itsdangerous import BadData, URLSafeSerializer

from triage.accounts.sessions import printed_for
from triage.models import Person

FIELD = "kept"
_NOT_KEPT = {"csrf_token"}


@dataclass(frozen=True)
class Kept:
    """A form that was sent and not yet handled: where to, and its fields in order."""

    url: str
    fields: tuple[tuple[str, str], ...]
    typed_by: UUID | None
    """Who typed it; None for a page that was printed before anybody signed in."""

    def sign(self) -> str:
        """As text for a hidden input."""
        return _serializer().dumps([self.url, self.fields, str(self.typed_by or "")])

    def is_of(self, person: Person) -> bool:
        """Whether that person may send it."""
        return self.typed_by in (None, person.id)


def posted() -> Kept | None:
    """The form of the present request; None when another site sent it."""
    if request.method != "POST" or not _same_origin():
        return None
    fields = tuple((name, value) for name, value in request.form.items(multi=True) if name not in _NOT_KEPT)
    return Kept(request.full_path.rstrip("?"), fields, printed_for(request.form.get("csrf_token", "")))


def from_signed(text: str) -> Kept | None:
    """What `Kept.sign` made; None for anything else."""
    try:
        url, fields, typed_by = _serializer().loads(text)
        return Kept(url, tuple((name, value) for name, value in fields), UUID(typed_by) if typed_by else None)
    except (BadData, ValueError, TypeError):
        return None


def safe_next(url: str) -> str | None:
    """The address if it is a page of this site, else None."""
    parts = urlsplit(url)
    is_ours = url.startswith("/") and not url.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return url if is_ours and url.isprintable() and "\\" not in url else None


def _same_origin() -> bool:
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    return origin is None or urlsplit(origin).netloc == request.host


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="kept-form")

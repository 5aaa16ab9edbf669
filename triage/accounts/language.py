"""Which language a page speaks: what somebody chose, else what their browser asks for, among those the site offers."""

from __future__ import annotations

from flask import Response, after_this_request, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from triage import languages
from triage.accounts.access import signed_in
from triage.models import Person
from triage.ruleset_editor import spoken


def settle() -> None:
    """Before a request is answered. Staff read English; whoever asks for nothing else costs no query."""
    somebody = None if g.get("broken") else signed_in()
    if somebody is not None and somebody.is_staff:
        return
    everything = tuple(languages.LANGUAGES)
    wanted = _wanted(somebody, everything)
    if wanted != languages.ENGLISH and wanted not in spoken.offered():
        wanted = _wanted(somebody, (languages.ENGLISH, *spoken.offered()))
    languages.speak(wanted, languages.territory_of(request))


def _wanted(somebody: Person | None, among: tuple[str, ...]) -> str:
    if somebody is not None and somebody.language in among:
        return somebody.language
    return languages.asked_for(request, among)


def others(somebody: Person | None) -> list[tuple[str, str]]:
    """The languages to which a page offers to change, with their own names. Whoever is signed in finds them on the page
    of their account."""
    if somebody is not None and (somebody.is_staff or request.endpoint != "account.home"):
        return []
    if g.get("broken"):
        return []
    try:
        among = (languages.ENGLISH, *spoken.offered())
    except SQLAlchemyError:
        return []
    return [(code, languages.LANGUAGES[code]) for code in among if code != languages.spoken()]


def keep(language: str) -> None:
    """Let this browser remember the choice, for the pages before the sign-in."""
    secure = not current_app.config["LOCAL"]

    @after_this_request
    def remember(response: Response) -> Response:
        response.set_cookie(
            languages.COOKIE,
            language,
            max_age=languages.COOKIE_DAYS * 24 * 3600,
            secure=secure,
            httponly=True,
            samesite="Lax",
        )
        return response

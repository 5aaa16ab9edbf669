"""In which languages a site speaks to its patients, and the rules in the language of the page.

A language is offered while two things hold: every text of the active rules that patients read has a translation, and a
clinician of the site has approved exactly these texts. A changed rule whose text has no translation ends both at the
moment it becomes active, and pages are English until somebody has translated and approved it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import cast

from flask import current_app, g
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from triage import languages
from triage.accounts import audit
from triage.database import db, writing
from triage.models import LanguageApproval, Person
from triage.rules import translation
from triage.rules.ruleset import Ruleset, Translation
from triage.ruleset_editor import versions

_LAST = "triage_offered"
"""What was offered when the database last answered: an emergency page does not wait for it."""

Offered = Mapping[str, Translation]
"""By language, the texts that patients may read."""


class Incomplete(Exception):
    """A text has no translation: there is nothing whole to approve."""


class Changed(Exception):
    """The texts are other ones than those that the clinician was shown."""


@dataclass(frozen=True)
class State:
    """How far a site is with one language."""

    language: str
    name: str
    """Of the language, in English."""
    ruleset: Ruleset
    missing: tuple[translation.Text, ...]
    unused: tuple[translation.Text, ...]
    seal: str
    """Names the texts as they are; empty while one is missing."""
    approval: LanguageApproval | None
    """That stands for exactly these texts."""
    earlier: LanguageApproval | None
    """The latest approval of other texts of this language, or one that was withdrawn."""

    @property
    def translation(self) -> Translation:
        return self.ruleset.translations[self.language]

    @property
    def is_offered(self) -> bool:
        return self.approval is not None


# --- for pages


def offered() -> Offered:
    """The languages beside English that patients can choose now. Asked once a request; where the records do not answer,
    what they said last."""
    if "offered_languages" not in g:
        if g.get("broken"):
            return cast(Offered, current_app.extensions.get(_LAST, {}))
        g.offered_languages = current_app.extensions[_LAST] = _offered(db.session)
    return cast(Offered, g.offered_languages)


def language_of(person: Person | None) -> str:
    """In which language a message speaks to somebody: the one they chose, while the site offers it."""
    if person is None or person.is_staff or person.language in ("", languages.ENGLISH):
        return languages.ENGLISH
    g.pop("offered_languages", None)  # a worker lives longer than a request
    return person.language if person.language in offered() else languages.ENGLISH


def active() -> Ruleset:
    """The active ruleset in the language of the page: to be shown, never to judge by."""
    return in_language(versions.active())


def by_hash(session: Session, hash: str) -> Ruleset:
    """The stored ruleset of that hash in the language of the page. Raises UnknownRuleset."""
    return in_language(versions.by_hash(session, hash))


def in_language(ruleset: Ruleset) -> Ruleset:
    """The ruleset in the language of the page, by the texts that are approved now. An old one may say what nobody has
    translated: then the whole page is English from here on, since half a page helps nobody."""
    language = languages.spoken()
    if language == languages.ENGLISH:
        return ruleset
    texts = offered().get(language)
    found = _translated(ruleset, texts) if texts is not None else None
    if found is None:
        languages.speak(languages.ENGLISH, g.get("territory", ""))
        return ruleset
    return found


def _translated(ruleset: Ruleset, texts: Translation) -> Ruleset | None:
    """Kept with the ruleset, with the texts that it was made from."""
    made_from, made = ruleset.kept.get(f"in {texts.language}", (None, None))
    if made_from is not texts:
        made = translation.translated(ruleset, texts.texts)
        ruleset.kept[f"in {texts.language}"] = (texts, made)
    return cast("Ruleset | None", made)


def _offered(session: Session) -> Offered:
    ruleset = versions.active()
    seals = {language: seal for language in ruleset.translations if (seal := _seal(ruleset, language))}
    if not seals:
        return {}
    query = select(LanguageApproval.language, LanguageApproval.seal).where(
        LanguageApproval.seal.in_(seals.values()), LanguageApproval.withdrawn_at.is_(None)
    )
    approved = {(language, seal) for language, seal in session.execute(query).all()}
    return MappingProxyType(
        {
            language: ruleset.translations[language]
            for language, seal in seals.items()
            if (language, seal) in approved and language in languages.LANGUAGES
        }
    )


def _seal(ruleset: Ruleset, language: str) -> str:
    """Of a whole translation; empty for one with gaps."""
    name = f"seal of {language}"
    if name not in ruleset.kept:
        whole = translation.is_whole(ruleset, language)
        ruleset.kept[name] = translation.seal(ruleset, language) if whole else ""
    return cast(str, ruleset.kept[name])


# --- for clinicians


def states(session: Session) -> list[State]:
    """Each language in which the active rules have texts."""
    ruleset = versions.active()
    return [_state(session, ruleset, language) for language in sorted(ruleset.translations)]


def state(session: Session, language: str) -> State | None:
    """That language; None where the active rules have no texts in it."""
    ruleset = versions.active()
    return _state(session, ruleset, language) if language in ruleset.translations else None


def _state(session: Session, ruleset: Ruleset, language: str) -> State:
    query = (
        select(LanguageApproval)
        .where(LanguageApproval.language == language)
        .order_by(LanguageApproval.approved_at.desc(), LanguageApproval.id)
        .options(joinedload(LanguageApproval.approved_by), joinedload(LanguageApproval.withdrawn_by))
    )
    approvals = session.scalars(query).all()
    seal = _seal(ruleset, language)
    standing = (one for one in approvals if one.seal == seal and one.withdrawn_at is None)
    approval = next(standing, None) if seal else None
    return State(
        language=language,
        name=languages.name_in_english(language),
        ruleset=ruleset,
        missing=tuple(translation.missing(ruleset, language)),
        unused=tuple(translation.unused(ruleset, language)),
        seal=seal,
        approval=approval,
        earlier=next((one for one in approvals if one is not approval), None),
    )


def approve(session: Session, language: str, seal: str, by: Person, at: datetime) -> None:
    """From now on patients can choose the language. `seal` names the texts that the clinician was shown. Raises
    Incomplete, Changed, and LookupError for a language without texts."""
    with writing(session):
        versions.take_turn(session)
        versions.forget()
        found = state(session, language)
        if found is None:
            raise LookupError(language)
        if found.missing:
            raise Incomplete
        if found.seal != seal:
            raise Changed
        if found.approval is not None:
            return
        approval = LanguageApproval(language=language, seal=seal, approved_at=at, approved_by_id=by.id)
        session.add(approval)
        session.flush()
        audit.record(session, "language_approved", by=by, subject=str(approval.id), at=at)


def withdraw(session: Session, language: str, by: Person, at: datetime) -> None:
    """From now on nobody is spoken to in that language: pages are English with the next request."""
    with writing(session):
        query = select(LanguageApproval).where(
            LanguageApproval.language == language, LanguageApproval.withdrawn_at.is_(None)
        )
        for approval in session.scalars(query).all():
            approval.withdrawn_at, approval.withdrawn_by_id = at, by.id
            audit.record(session, "language_withdrawn", by=by, subject=str(approval.id), at=at)

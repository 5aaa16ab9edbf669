"""The ruleset that judges now, and every ruleset that ever judged a report, by its hash.

What judges is the activation with the highest number. Each request asks the database for it, so that all processes
change over with the same commit; only a version that a process has not met yet is read. Where nothing was ever
activated, the files with which the server was started judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from flask import current_app, g, has_app_context
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from triage import logs
from triage.database import db
from triage.models import ActivationKind, RulesetActivation, RulesetVersion
from triage.rules.loading import RuleFileErrors, from_document, load_texts
from triage.rules.ruleset import Ruleset

EXTENSION = "triage_ruleset"
"""The `Started` of a running server."""


class UnknownRuleset(LookupError):
    """No ruleset of that hash is stored."""


@dataclass(frozen=True)
class Started:
    """The rule files with which a server was started: the seed of a new site."""

    ruleset: Ruleset
    files: Mapping[str, str]
    """Text by file name."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """The stored texts of sources, by key: what quotes are compared with."""


def started() -> Started:
    """The files of the start: a running server keeps them, whatever happens to the folder."""
    return cast(Started, current_app.extensions[EXTENSION])


def active() -> Ruleset:
    """The ruleset that judges now. Asked once a request: within one, nothing changes."""
    if "active_ruleset" not in g:
        g.active_ruleset = _active(db.session)
    return cast(Ruleset, g.active_ruleset)


def forget() -> None:
    """Ask the database again: the active version was just changed."""
    g.pop("active_ruleset", None)


def latest(session: Session) -> RulesetActivation | None:
    """The activation that judges now; None where nothing was ever activated."""
    return session.scalar(select(RulesetActivation).order_by(RulesetActivation.number.desc()).limit(1))


def take_turn(session: Session) -> None:
    """Inside a write transaction: whoever changes versions or drafts next waits until it ends, and then sees what it
    changed. On SQLite writers take turns anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE ruleset_activation IN SHARE ROW EXCLUSIVE MODE"))


def plant(session: Session, at: datetime) -> RulesetActivation:
    """The active version, which is the files of the start where there is none yet. Adds, never commits.

    Two that come at once cannot both become the next version: the second takes its turn, and sees the first.
    """
    take_turn(session)
    found = latest(session)
    if found is None:
        seed = started()
        keep(session, seed.ruleset, at)
        found = RulesetActivation(
            number=1,
            kind=ActivationKind.SEED,
            ruleset_hash=seed.ruleset.hash,
            files=dict(seed.files),
            reason="The rule files with which this site was started",
            activated_at=at,
        )
        session.add(found)
        session.flush()
    return found


def read(activation: RulesetActivation) -> Ruleset:
    """The ruleset of that version, with the places of its files. Raises RuleFileErrors."""
    if activation.key not in _versions:
        if len(_versions) >= MOST_KEPT:
            _versions.clear()
        _versions[activation.key] = load_texts(activation.files)
    return _versions[activation.key]


_NEWEST = select(RulesetActivation.key).order_by(RulesetActivation.number.desc()).limit(1)
"""Each request asks it: written once."""


def _active(session: Session) -> Ruleset:
    key = session.scalar(_NEWEST)
    if key is None:
        return started().ruleset
    if key in _versions:
        return _versions[key]
    activation = session.scalars(select(RulesetActivation).where(RulesetActivation.key == key)).one()
    try:
        return read(activation)
    except RuleFileErrors as error:
        # A newer program that does not understand an older version must still judge: `triage serve` refuses to start
        # with it, so this is a server that was started in another way.
        logs.failure("active_rules_unreadable", error, version=activation.number, errors=len(error.errors))
        return started().ruleset


def keep(session: Session, ruleset: Ruleset, at: datetime) -> None:
    """Store the ruleset if its hash is new. Adds, never commits.

    Two servers may meet a new ruleset at the same moment. The one that comes second waits for the first (on SQLite
    for the write lock, on PostgreSQL at the primary key) and then stores nothing: `ON CONFLICT DO NOTHING` asks the
    database itself, where looking first and adding then would fail in between.
    """
    # The hash alone: each report asks it, inside the write lock, and a document is a hundred thousand characters.
    if session.scalar(select(RulesetVersion.hash).where(RulesetVersion.hash == ruleset.hash)) is not None:
        return
    values = {"hash": ruleset.hash, "document": ruleset.document, "first_used_at": at}
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        session.execute(postgresql.insert(RulesetVersion).values(values).on_conflict_do_nothing())
    else:
        from sqlalchemy.dialects import sqlite

        session.execute(sqlite.insert(RulesetVersion).values(values).on_conflict_do_nothing())


def by_hash(session: Session, hash: str) -> Ruleset:
    """The stored ruleset of that hash. Raises UnknownRuleset."""
    if has_app_context() and active().hash == hash:
        return active()
    if hash not in _read:
        document = session.scalar(select(RulesetVersion.document).where(RulesetVersion.hash == hash))
        if document is None:
            raise UnknownRuleset(hash)
        if len(_read) >= MOST_KEPT:
            _read.clear()
        _read[hash] = from_document(document)
    return _read[hash]


MOST_KEPT = 16
_read: dict[str, Ruleset] = {}
"""Rulesets by hash: a hash never means another one, so they need not be asked for or read again."""
_versions: dict[UUID, Ruleset] = {}
"""Rulesets by the key of their activation, which never changes."""

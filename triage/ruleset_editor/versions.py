"""The ruleset that judges now, and every ruleset that ever judged a report, by its hash."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from flask import current_app, has_app_context
from sqlalchemy import select
from sqlalchemy.orm import Session

from triage.models import RulesetVersion
from triage.rules.loading import from_document
from triage.rules.ruleset import Ruleset

EXTENSION = "triage_ruleset"


class UnknownRuleset(LookupError):
    """No ruleset of that hash is stored."""


def active() -> Ruleset:
    """The ruleset loaded at start: a running server keeps it, whatever happens to the files."""
    return cast(Ruleset, current_app.extensions[EXTENSION])


def keep(session: Session, ruleset: Ruleset, at: datetime) -> None:
    """Store the ruleset if its hash is new. Adds, never commits.

    Two servers may meet a new ruleset at the same moment. The one that comes second waits for the first (on SQLite
    for the write lock, on PostgreSQL at the primary key) and then stores nothing: `ON CONFLICT DO NOTHING` asks the
    database itself, where looking first and adding then would fail in between.
    """
    if session.get(RulesetVersion, ruleset.hash) is not None:
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

"""Every ruleset that judged a report is kept, once, so that the report can be judged by it again."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from triage.database import engine_for, writing
from triage.models import RulesetVersion
from triage.ruleset_editor import versions


def stored(session):
    session.rollback()
    return session.scalar(select(func.count()).select_from(RulesetVersion))


def test_a_ruleset_is_stored_once_and_read_back_the_same(make, session):
    for _ in range(2):
        with writing(session):
            versions.keep(session, make.ruleset, make.now())
    assert stored(session) == 1
    again = versions.by_hash(session, make.ruleset.hash)
    assert again.hash == make.ruleset.hash
    assert again.rules == make.ruleset.rules


def test_a_ruleset_that_differs_is_stored_beside_it(make, session):
    other = replace(make.ruleset, document=make.ruleset.document + " ")
    with writing(session):
        versions.keep(session, make.ruleset, make.now())
        versions.keep(session, other, make.now())
    assert stored(session) == 2


def test_two_servers_that_meet_a_new_ruleset_at_once_store_it_once(make, session, database_url):
    """The second must wait or find it there, never fail: a report hangs on it."""
    engine, start, failed = engine_for(database_url), threading.Barrier(6), []

    def serve():
        try:
            with Session(engine) as own:
                start.wait()
                with writing(own):
                    versions.keep(own, make.ruleset, make.now())
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=serve) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert not failed
    assert stored(session) == 1


def test_an_unknown_hash_is_told_as_such(session):
    with pytest.raises(versions.UnknownRuleset):
        versions.by_hash(session, "sha256:none")

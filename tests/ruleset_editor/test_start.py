"""Which rules a server begins with: mistakes in files that nobody approved stop it, those of a version do not."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

import pytest

from tests.ruleset_editor.changed import fever_at
from triage.database import db, writing
from triage.models import ActivationKind, RulesetActivation
from triage.paths import folder
from triage.rules.loading import load_texts, read_folder
from triage.ruleset_editor import services, versions

pytestmark = pytest.mark.database("sqlite")


@pytest.fixture
def serve(database_url, tmp_path):
    """`triage serve` with the rule files of that folder, on a port that is taken, so that it ends; what it said."""

    def run(rules):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = {
                "TRIAGE_DATABASE_URL": database_url,
                "TRIAGE_DATA": str(tmp_path),
                "TRIAGE_RULES": str(rules),
                "TRIAGE_PORT": str(taken.getsockname()[1]),
            }
            command = [sys.executable, "-m", "triage", "serve"]
            done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        return done.stderr

    return run


@pytest.fixture
def with_a_mistake(tmp_path):
    """A copy of the shipped rules in which an example comes out differently."""
    rules = tmp_path / "rules"
    shutil.copytree(folder("rules"), rules)
    text = (rules / "crs.yaml").read_text()
    (rules / "crs.yaml").write_text(text.replace("{at_least: 38.0 C}", "{at_least: 37.8 C}", 1))
    return rules


def versions_of(session):
    session.rollback()
    return [one.number for one in services.history(session)]


def test_files_with_a_mistake_do_not_become_the_first_version(serve, with_a_mistake, session):
    said = serve(with_a_mistake)
    assert "the rule files of this new site have mistakes" in said
    assert "crs-fever should stay quiet" in said
    assert "cannot listen" not in said
    assert versions_of(session) == []

    assert "cannot listen" in serve(folder("rules"))
    assert versions_of(session) == [1]
    # From now on the database says what judges: the files of the folder may hold anything.
    assert "cannot listen" in (said := serve(with_a_mistake))
    assert "mistakes" not in said


def test_an_approved_version_judges_on_and_what_newer_checks_find_is_told(serve, app, make, pages, session):
    """Approved by an older program: this one's checks find a mistake in it. Patients wait for answers all the same."""
    files = read_folder(folder("rules"))
    wrong = {**files, "crs.yaml": files["crs.yaml"].replace("{at_least: 38.0 C}", "{at_least: 37.8 C}", 1)}
    with app.app_context(), writing(db.session):
        versions.plant(db.session, make.now())
        for number, made in ((2, wrong), (3, fever_at(files, "37.9"))):
            ruleset = load_texts(made)
            versions.keep(db.session, ruleset, make.now())
            activation = RulesetActivation(
                number=number,
                kind=ActivationKind.APPROVAL,
                ruleset_hash=ruleset.hash,
                files=dict(made),
                reason="Approved by an older program",
                activated_at=make.now(),
            )
            db.session.add(activation)
    dora = make.clinician()
    page = pages(dora).get("ruleset_editor.version", number=2)
    assert page.shows("The checks of this program find mistakes in it")
    assert page.shows("crs-fever should stay quiet")
    assert not pages(dora).get("ruleset_editor.version", number=1).shows("find mistakes in it")
    page = page.press("Make version 2 active again", reason="The new one floods the night")
    assert page.heading.startswith("Version 4")
    assert not page.errors

    said = serve(folder("rules"))
    assert "Version 4 of the rules judges with mistakes" in said
    assert "crs-fever should stay quiet" in said
    assert "cannot listen" in said
    # Whoever changes the rules next has to mend it.
    assert pages(dora).get("ruleset_editor.draft").shows("crs-fever should stay quiet")

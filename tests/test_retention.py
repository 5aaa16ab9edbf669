"""What was kept long enough is counted, and goes; whoever is looked after stays."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import select

from triage import retention
from triage.accounts import trail
from triage.database import writing
from triage.models import AuditEntry, Patient, ReportDraft, ReportRecord, SignIn
from triage.paths import top

YEARS = timedelta(days=366 * 30)


@pytest.fixture
def limits(app):
    return retention.limits(app.config)


@pytest.fixture
def ward(make, session, alice):
    """Two whose monitoring ended 31 years ago, one of them with an alert; one who reports today; one not long ago."""
    now = make.now()
    old = {name: make.patient(name, day=365 * 32) for name in ("Long Ago", "Still Waiting", "Reports Again")}
    for patient in old.values():
        make.end(patient, alice, on=(now - YEARS).date())
    make.report(old["Long Ago"], at=now - YEARS - timedelta(days=3), note="Far from well")
    make.report(old["Reports Again"], at=now - timedelta(days=1))
    lately = {"Today": make.patient("Today"), "Lately": make.patient("Lately", day=60)}
    make.end(lately["Lately"], alice)
    own = {name: make.account(patient).id for name, patient in lately.items()}
    with writing(session):
        for patient in old.values():
            patient.enrolled_at = now - timedelta(days=365 * 32)
        for name, ago in (("Today", 31), ("Lately", 29)):
            at = now - timedelta(days=ago)
            session.add(ReportDraft(person_id=own[name], token=name, answers={}, begun_at=at, updated_at=at))
            ended = now - timedelta(days=400 if ago == 31 else 300)
            session.add(SignIn(person_id=own[name], device="Firefox", begun_at=ended, seen_at=ended, ends_at=ended))
    make.alert(old["Still Waiting"], at=now - YEARS)
    session.rollback()


def names(session):
    session.rollback()
    return sorted(one.name for one in session.scalars(select(Patient)))


def test_a_dry_run_counts_and_changes_nothing(ward, session, limits, make):
    before = names(session)
    assert retention.due(session, limits, make.now()) == {
        "patients": 1,
        "drafts": 1,
        "sign-ins": 1,
        "invitations": 0,
        "messages": 0,
    }
    assert names(session) == before
    assert len(session.scalars(select(ReportDraft)).all()) == 2


def test_what_was_kept_long_enough_goes_and_nobody_who_is_looked_after(ward, session, limits, make):
    reports = len(session.scalars(select(ReportRecord)).all())
    expected = retention.due(session, limits, make.now())
    assert retention.apply(session, limits, make.now()) == expected
    assert names(session) == ["(erased)", "Lately", "Reports Again", "Still Waiting", "Today"]
    assert [one.token for one in session.scalars(select(ReportDraft))] == ["Lately"]
    assert len(session.scalars(select(ReportRecord)).all()) == reports
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(2)).all()
    assert actions == ["retention_applied", "patient_erased"]
    assert set(retention.apply(session, limits, make.now()).values()) == {0}
    session.rollback()
    assert trail.verify(session).whole


@pytest.mark.database("sqlite")
def test_the_command_tells_first_and_does_it_then(ward, session, database_url, tmp_path):
    def run(*words):
        environment = os.environ | {"TRIAGE_DATABASE_URL": database_url, "TRIAGE_DATA": str(tmp_path)}
        command = [sys.executable, "-m", "triage", "retention", *words]
        return subprocess.run(command, env=environment, cwd=top(), check=True, capture_output=True, text=True).stdout

    assert "patients: 1 would go" in run("--dry-run")
    assert "Long Ago" in names(session)
    assert "patients: 1\n" in run()
    assert "Long Ago" not in names(session)

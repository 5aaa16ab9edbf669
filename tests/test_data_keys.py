"""Data keys: the wrong one is refused, a new one takes over while people report, and what was altered is found."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from sqlalchemy import LargeBinary, Uuid, column, select, table, update

from triage import data_keys, encryption
from triage.cli import cli
from triage.database import problem_of, writing
from triage.models import AuditEntry, DataKey, Person, ReportRecord
from triage.paths import top
from triage.reports import services
from triage.web import create_app

OLD, NEW = os.environ["TRIAGE_DATA_KEYS"], "bmV3OiBhIGtleSBvZiB0ZXN0cywgYWZ0ZXIgb25lLi4"


def secret(key):
    return base64.urlsafe_b64decode(key + "=")


@pytest.fixture
def use():
    """Set the keys of this process, as its start does; at the end those of all tests."""
    yield lambda *keys: encryption.use([secret(key) for key in keys])
    encryption.use([secret(OLD)])


def name_of(key):
    return encryption.Key(secret(key)).name


# A value


def test_a_seal_tells_nothing_and_is_another_each_time():
    ring = encryption.Ring([secret(OLD)])
    first, second = ring.seal("patient.name", b"Anna"), ring.seal("patient.name", b"Anna")
    assert first != second
    assert b"Anna" not in first
    assert ring.open("patient.name", first) == ring.open("patient.name", second) == b"Anna"


def test_a_value_is_read_in_its_own_column_only_and_unaltered():
    ring = encryption.Ring([secret(OLD)])
    seal = ring.seal("patient.name", b"Anna")
    for place, stored in (
        ("person.name", seal),
        ("patient.name", seal[:-1]),
        ("patient.name", seal[:-1] + bytes([seal[-1] ^ 1])),
        ("patient.name", seal[:8] + bytes([seal[8] ^ 1]) + seal[9:]),
        ("patient.name", seal[:10]),
        ("patient.name", b""),
        ("patient.name", b"Anna, as she was stored before there were keys"),
    ):
        with pytest.raises(encryption.Altered):
            ring.open(place, stored)


def test_the_newest_key_writes_and_all_can_read():
    before, both = encryption.Ring([secret(OLD)]), encryption.Ring([secret(NEW), secret(OLD)])
    assert both.open("patient.name", before.seal("patient.name", b"Anna")) == b"Anna"
    with pytest.raises(encryption.WrongKeys, match=name_of(NEW)):
        before.open("patient.name", both.seal("patient.name", b"Anna"))


def test_a_new_key_is_one_that_the_setting_takes(monkeypatch):
    key = CliRunner().invoke(cli, ["keys", "new"]).output.strip()
    assert create_app({"DATABASE_URL": "sqlite://"}).config["DATA_KEYS"] == (secret(OLD),)
    monkeypatch.setenv("TRIAGE_DATA_KEYS", key)
    assert create_app({"DATABASE_URL": "sqlite://"}).config["DATA_KEYS"] == (secret(key),)
    encryption.use([secret(OLD)])


# A database


def test_a_server_without_a_key_that_is_in_use_is_refused_and_shows_no_page(app, session, make, database_url, use):
    make.patient("Anna")
    data_keys.begin(session, make.now())
    session.rollback()
    other = create_app({"DATABASE_URL": database_url, "TESTING": True, "DATA_KEYS": (secret(NEW),)})
    page = other.test_client().get("/health")
    assert page.status_code == 503
    done = triage("serve", TRIAGE_DATABASE_URL=database_url, TRIAGE_DATA_KEYS=NEW)
    assert done.returncode == 1
    assert f"encrypted with the key {name_of(OLD)}, which TRIAGE_DATA_KEYS does not hold" in done.stderr
    assert "Set the keys that were set before" in done.stderr
    assert len(done.stderr.splitlines()) == 1, "one sentence, and nothing of the data"


def triage(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "triage", *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        cwd=top(),
    )


KILLED = """
import os, signal
from triage import clock, create_app, data_keys
from triage.database import db

def third(rows, seen=[]):
    seen.append(rows)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

data_keys.AT_ONCE = 4
with create_app().app_context():
    data_keys.rotate(db.session, clock.now(), third)
"""


def test_a_rotation_that_was_killed_goes_on_while_people_report(app, session, make, database_url, tmp_path, use):
    """SIGKILL, as a machine that loses its power; the rest beside reports that come in."""
    patients = [make.patient(f"Patient {number}") for number in range(6)]
    reports = [make.report(patient, chills="mild", note=f"A note about {patient.name}").id for patient in patients]
    nurse = make.nurse("Alice", sign_in_name="alice")
    data_keys.begin(session, make.now())
    use(NEW, OLD)
    environment = {"TRIAGE_DATABASE_URL": database_url, "TRIAGE_DATA_KEYS": f"{NEW} {OLD}"}
    died = subprocess.run([sys.executable, "-c", KILLED], env=os.environ | environment, cwd=top())
    assert died.returncode == -signal.SIGKILL
    half = data_keys.check(session)
    assert half.values[name_of(NEW)] > 0 < half.values[name_of(OLD)]
    assert (half.altered, half.missing) == ([], [])
    session.rollback()

    command = [sys.executable, "-m", "triage", "keys", "rotate"]
    rotating = subprocess.Popen(command, env=os.environ | environment, cwd=top(), stdout=subprocess.PIPE, text=True)
    longest = 0.0
    while rotating.poll() is None:
        began = time.monotonic()
        reports.append(make.report(patients[len(reports) % 6], chills="none").id)
        longest = max(longest, time.monotonic() - began)
    assert "all data are encrypted with the first key" in rotating.communicate()[0]
    assert rotating.returncode == 0
    assert len(reports) > 6
    assert longest < 5

    use(NEW)
    session.rollback()
    done = data_keys.check(session)
    assert (set(done.values), done.altered) == ({name_of(NEW)}, [])
    in_use = {one.name: one.retired_at is None for one in session.scalars(select(DataKey))}
    assert in_use == {name_of(OLD): False, name_of(NEW): True}
    assert session.scalar(select(AuditEntry.subject).where(AuditEntry.action == "data_keys_rotated")) == name_of(NEW)
    assert sorted(one.id for one in session.scalars(select(ReportRecord))) == sorted(reports)
    with app.app_context():
        assert all(services.reassess(session, report).same for report in reports)
    assert session.scalar(select(Person.id).where(Person.called("Alice"))) == nurse.id
    create_app({"DATABASE_URL": database_url, "DATA_KEYS": (secret(NEW),)}).test_client().get("/")  # needs no other key


def test_a_name_is_found_and_taken_while_only_half_is_encrypted_anew(make, session, use, pages, alice):
    use(NEW, OLD)
    assert session.scalar(select(Person.id).where(Person.called(alice.sign_in_name.upper()))) == alice.id
    emil = make.administrator()
    fields = {"name": "Frida", "role": "nurse", "sign_in_name": alice.sign_in_name}
    page = pages(emil).get("staff.invite").press("Make an invitation", **fields)
    assert page.errors == ["Somebody has this sign-in name already. Choose another one"]


def test_one_altered_name_does_not_hide_the_queue_and_is_told_by_the_check(
    make, session, pages, alice, database_url, caplog
):
    anna, berta = make.patient("Anna"), make.patient("Berta")
    make.alert(anna), make.alert(berta)
    stored = table("patient", column("id", Uuid()), column("name", LargeBinary()))
    with writing(session):
        seal = encryption.ring().seal("patient.name", b"Anna")
        session.execute(update(stored).where(stored.c.id == anna.id).values(name=seal[:-3]))
    page = pages(alice).get("care_team.queue")
    assert page.row("Berta")
    assert page.row("(cannot be read)")
    assert "value_altered" in caplog.text
    done = triage("keys", "check", TRIAGE_DATABASE_URL=database_url)
    assert done.returncode == 1
    assert f"altered, cannot be read: patient.name {anna.id}" in done.stdout


def test_a_value_that_cannot_be_read_is_told_in_a_sentence():
    assert "TRIAGE_DATA_KEYS does not hold" in problem_of(encryption.WrongKeys(["1a2b3c4d"]))
    assert "triage keys check" in problem_of(encryption.Altered("a value of patient.born_on was altered"))

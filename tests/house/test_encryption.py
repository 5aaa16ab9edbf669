"""Whoever gets hold of the database, and not of the keys, learns no name, number, text or answer."""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url, select

import triage
from triage import data_keys, demo, encryption, paths
from triage.alerts import work
from triage.care_team import handover as shifts
from triage.database import Encrypted, Model, writing
from triage.models import (
    Alert,
    CallOutcome,
    CareTeam,
    CourseChange,
    Cover,
    Passkey,
    Patient,
    Person,
    Rejudgment,
    ReportDraft,
    ReportRecord,
    Role,
    ThinkingBaseline,
)
from triage.paths import folder

COLUMNS = [column for table in Model.metadata.sorted_tables for column in table.columns]
ENCRYPTED = [column for column in COLUMNS if isinstance(column.type, Encrypted)]
SENTENCE = "The fence is lwo and green"
SAID = (
    "Synthetic note",
    "Told by telephone",
    "Watch her closely tonight",
    "Known, and told to the clinic",
    "Woken for nothing",
    "Typed and not sent",
    "Entered for the wrong day",
    "Reviewed with the liver team",
    "Nobody was there for her",
    "The phone of the fence",
    SENTENCE,
)
PEOPLE = ("Sample (synthetic)", "Example (synthetic)", "1632 960 200", "Sampletown", "Sample Hospital", "cora@example")
SIGN_IN_NAMES = ("patient-crs", "patient-neuro", "nurse-two")
ANSWERS = ("chills", "temperature", "tisagenlecleucel", "at_least", "handwriting", "car_t")
"""In clear words these stand in the rules, and nowhere else."""
RULES = ("ruleset_version", "ruleset_activation", "ruleset_proposal", "ruleset_draft")


@pytest.fixture
def week(app, make, session):
    """The demo people after three weeks, and something in every encrypted column."""
    with app.app_context():
        demo.fill(session, make.ruleset, make.now())
        at, team = make.now(), session.scalars(select(CareTeam).where(CareTeam.name == demo.TEAM_NAME)).one()
        nurse, other = session.scalars(
            select(Person).where(Person.care_team_id == team.id, Person.role == Role.NURSE)
        ).all()
        clinician = session.scalars(select(Person).where(Person.called("clinician"))).one()
        cora = next(one for one in session.scalars(select(Patient)) if one.name.startswith("Cora"))
        report = session.scalars(select(ReportRecord).where(ReportRecord.patient_id == cora.id)).first()
        with writing(session):
            cora.people[0].mail = "cora@example.org"
            typed = {"writing": {"sentence": SENTENCE}}
            who = {"patient_id": cora.id, "taken_by_id": nurse.id}
            session.add(
                ThinkingBaseline(**who, language="en", steps=typed, right_answers=[SENTENCE], answers=typed["writing"])
            )
            answers = {"note": {"note": "Typed and not sent"}}
            session.add(
                ReportDraft(person_id=cora.people[0].id, token="t", answers=answers, begun_at=at, updated_at=at)
            )
            change = CourseChange(
                patient_id=cora.id,
                course_id=cora.courses[0].id,
                kind="dose_corrected",
                why="Entered for the wrong day",
                changed_at=at,
                changed_by_id=nurse.id,
            )
            session.add(change)
            session.flush()
            key = {"credential_id": "k", "public_key": b"k", "sign_count": 0, "made_at": at, "challenge_at": at}
            session.add(Passkey(person_id=cora.people[0].id, name="The phone of the fence", **key))
            session.add(
                Rejudgment(
                    change_id=change.id,
                    number=0,
                    report_id=report.id,
                    turn=1,
                    ruleset_hash=report.assessment.ruleset_hash,
                    data=report.data,
                    history=[],
                    before_urgency=report.assessment.urgency,
                    before_body=report.assessment.body,
                    urgency=report.assessment.urgency,
                    body=report.assessment.body,
                    made_at=at,
                )
            )
            about = {"person_id": nurse.id, "care_team_id": team.id, "ends_at": at + timedelta(hours=1)}
            session.add(Cover(**about, begun_at=at, reason="Nobody was there for her"))
        make.mute(cora, nurse)
        handover = shifts.begin(session, team, nurse, at, going_off=True, note="Watch her closely tonight")
        for alert in session.scalars(select(Alert).where(Alert.status != "resolved")).all():
            work.write_down(session, alert, nurse, at, text="Told by telephone", call=CallOutcome.REACHED)
            work.say_useful(session, alert, nurse, False, "Woken for nothing", at)
            shifts.accept(session, handover, alert, other, at, seen=None)
        shifts.close(session, make.ruleset, handover, other, at)
    make.proposal(clinician)
    session.rollback()


def raw(database_url):
    """All that stands in each table, as somebody sees it who dumps the database."""
    url = make_url(database_url)
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url)
    found = {}
    with engine.connect() as connection:
        for table in sa.inspect(connection).get_table_names():
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            values = (value for row in rows for value in row)
            found[table] = b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in values)
    engine.dispose()
    return found


def test_a_stolen_database_tells_no_name_no_number_no_text_and_no_answer(week, session, database_url):
    for column in ENCRYPTED:
        assert session.scalar(select(column).where(column.is_not(None)).limit(1)) is not None, f"{column} is not tried"
    session.rollback()
    everything = raw(database_url)
    for table, found in everything.items():
        for word in (*SAID, *PEOPLE, *SIGN_IN_NAMES, "1967-04-12", *(() if table in RULES else ANSWERS)):
            assert word.encode() not in found, f"{table} tells {word!r}"
    assert b"Europe/London" in everything["care_team"], "what stands in the clear is found by this test"
    if database_url.startswith("sqlite"):
        file = Path(make_url(database_url).database)
        for part in (file, file.with_name(file.name + "-wal")):
            stored = part.read_bytes()
            for word in (*SAID, *PEOPLE, *SIGN_IN_NAMES):
                assert word.encode() not in stored, f"{part.name} tells {word!r}"


@pytest.mark.parametrize("column", ENCRYPTED, ids=str)
def test_a_seal_is_bound_to_its_column(column):
    assert column.type.place == str(column), f"write Encrypted({str(column)!r})"


def test_whatever_is_stored_in_the_clear_is_told_with_its_reason():
    """docs/security.md lists every column that could hold words, an answer or a day and is not encrypted."""
    could_tell = (sa.String, sa.JSON, sa.Date, sa.LargeBinary)
    told = {}
    for line in (folder("docs") / "security.md").read_text().splitlines():
        if row := re.fullmatch(r"\| `(\w+)` \| ([^|]*) \| [^|]{10,} \|", line):
            told[row[1]] = set(re.findall(r"`(\w+)`", row[2]))
    for table in Model.metadata.sorted_tables:
        clear = {one.name for one in table.columns if isinstance(one.type, could_tell) and one not in ENCRYPTED}
        listed = told.get(table.name, set())
        assert clear <= listed, f"encrypt {clear - listed} of {table.name}, or tell in docs/security.md why not"
        assert listed <= {one.name for one in table.columns} - {one.name for one in ENCRYPTED if one.table is table}


def test_the_database_is_never_asked_to_look_for_or_to_sort_by_what_is_encrypted():
    """It would find nothing, and sort by chance: on both databases, without an error."""
    for ask in (lambda: Patient.name == "Anna", lambda: Patient.born_on < date(1970, 1, 1), lambda: Person.name.desc()):
        with pytest.raises(TypeError, match="cannot be compared or sorted by"):
            ask()
    attributes = {f"{mapper.class_.__name__}.{one.key}" for mapper in Model.registry.mappers for one in sealed(mapper)}
    for file in Path(triage.__file__).parent.rglob("*.py"):
        for sorted_by in re.findall(r"(?:order_by|group_by|distinct)[(=]([^\n]*)", file.read_text()):
            used = set(re.findall(r"\w+\.\w+", sorted_by)) & attributes
            assert not used, f"{file.name}: sort by {used} in Python (`models.by_name`)"


def sealed(mapper):
    return [one for one in mapper.column_attrs if isinstance(one.columns[0].type, Encrypted)]


def test_a_rotation_gets_past_everything_that_is_never_changed(week, session, make):
    """Reports, assessments, notes, closed handovers, versions of the rules: with the same values as before."""
    old, secret = encryption.ring(), b"another key of thirty-two bytes."
    kept = paths.config_file()["only"]("DATA_KEYS", os.environ)
    before = sorted(opened(session, old))
    try:
        encryption.use([secret, *kept])
        assert data_keys.rotate(session, make.now()) > 100
        assert set(data_keys.check(session).values) == {encryption.ring().newest.name}
        encryption.use([secret])
        assert sorted(opened(session, encryption.ring())) == before
    finally:
        encryption.use(kept)


def opened(session, ring):
    """Every encrypted value with its place."""
    session.rollback()
    for one in data_keys.sealed_tables():
        for row in session.execute(select(*one.seals.values())):
            for name, seal in row._mapping.items():
                if seal is not None:
                    yield one.place(name), ring.open(one.place(name), bytes(seal))


def test_every_table_with_seals_is_encrypted_anew_by_a_rotation():
    found = {f"{one.table.name}.{name}" for one in data_keys.sealed_tables() for name in one.seals}
    assert found == {str(column) for column in ENCRYPTED}

"""The audit trail is whole, or says where it is not; whoever looks is written down; auditor and patient read it."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, delete, event, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from triage.accounts import audit, looks, trail
from triage.alerts import rota
from triage.cli import cli
from triage.database import writing
from triage.models import AuditEntry, Patient, Person
from triage.rules.urgency import Urgency


def entries(session, *actions):
    session.rollback()
    query = select(AuditEntry).order_by(AuditEntry.id)
    return list(session.scalars(query.where(AuditEntry.action.in_(actions)) if actions else query))


def write(session, make, action="made_for_this_test", **more):
    with writing(session):
        audit.record(session, action, by=None, at=make.now(), **more)


@contextmanager
def hand_on_the_database(session):
    """Somebody who may change the database itself: no trigger holds them."""
    session.rollback()
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    else:
        triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit%'")
        for name in connection.scalars(triggers).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
    yield connection
    session.commit()


# --- the chain --------------------------------------------------------------------------------------------------------


def test_each_entry_is_chained_to_the_one_before(make, anna, session):
    make.alert(anna, Urgency.URGENT)
    write(session, make, subject="x")
    found = entries(session)
    assert [entry.id for entry in found] == list(range(1, len(found) + 1))
    assert len(found) > 1
    before = audit.BEGINNING
    for entry in found:
        told = (entry.at, entry.action, entry.person_id, entry.patient_id, entry.subject)
        before, expected = entry.hash, audit.chained(before, entry.id, *told)
        assert before == expected
    assert audit.head(session) == (found[-1].id, found[-1].hash)


def test_the_bytes_under_the_hash_are_those_of_the_documentation():
    """Another program can check the chain: docs/security.md gives this very example."""
    at = datetime(2026, 3, 2, 8, 0, 0, 5, tzinfo=UTC)
    made = audit.chained(audit.BEGINNING, 1, at, "signed_in", UUID(int=1), None, "")
    assert made == audit.chained(
        audit.BEGINNING, 1, "2026-03-02 08:00:00.000005", "signed_in", UUID(int=1).hex, None, ""
    )
    assert made == "07f35a55ec52fcd396a49a9c575bf2577523b247c45dea2e76d823fb0211573a"


def test_what_was_not_committed_leaves_neither_entry_nor_gap(make, session):
    write(session, make)
    with suppress(ZeroDivisionError), writing(session):
        audit.record(session, "never_happened", by=None, at=make.now())
        raise ZeroDivisionError
    write(session, make)
    assert [(entry.id, entry.action) for entry in entries(session)] == [
        (1, "made_for_this_test"),
        (2, "made_for_this_test"),
    ]


def test_an_entry_that_cannot_be_written_takes_what_it_tells_of_with_it(make, session):
    nurse = make.nurse("Alice")
    with hand_on_the_database(session) as connection:
        connection.execute(text("ALTER TABLE audit_entry RENAME TO audit_entry_gone"))
    with pytest.raises(DBAPIError):
        rota.set_contact(session, nurse, "", "+44 1632 960 555", by=nurse, at=make.now())
    session.rollback()
    assert session.get(Person, nurse.id).phone == ""
    with hand_on_the_database(session) as connection:
        connection.execute(text("ALTER TABLE audit_entry_gone RENAME TO audit_entry"))


def test_many_writers_at_once_make_one_chain(make, session, app):
    """Reports, looks and plain entries of six people, in no order that anybody keeps."""
    patients = [make.patient(f"Patient {number}") for number in range(3)]
    for patient in patients:
        make.account(patient)
    ids = [patient.id for patient in patients]
    engine, failed = session.get_bind(), []
    session.rollback()

    def work(number):
        try:
            with Session(engine) as own:
                for turn in range(8):
                    with writing(own):
                        audit.record(own, "early", by=None, at=make.now(), subject=str(turn))
                        # One row each: who locks several in no order is no matter of the trail's.
                        whose = update(Patient).where(Patient.id == ids[(number + turn) % len(ids)])
                        own.execute(whose.values(phone=str(number)))
                        audit.record(own, "late", by=None, at=make.now(), subject=str(turn))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    verdict = trail.verify(session)
    assert (verdict.faults, verdict.count) == ([], 6 * 8 * 2)


@pytest.mark.database("postgresql")
def test_an_entry_that_is_noted_holds_nobody_up_before_the_commit(make, session):
    """The head is the last lock: a long report keeps no other writer waiting, and two orders make no deadlock."""
    with Session(session.get_bind()) as slow, writing(slow):
        audit.record(slow, "slow", by=None, at=make.now())
        slow.execute(select(Person).limit(1))
        slow.flush()
        write(session, make, "quick")
    assert [entry.action for entry in entries(session)] == ["quick", "slow"]


@pytest.mark.database("postgresql")
def test_a_program_that_was_stopped_with_the_head_in_its_hand_is_sent_away(make, session, monkeypatch):
    monkeypatch.setattr(audit, "FROZEN_MILLISECONDS", 300)
    engine = create_engine(session.get_bind().url, poolclass=NullPool)
    connection = engine.connect()
    audit._locked_head(Session(connection))
    began = time.monotonic()
    write(session, make)  # would wait fifteen seconds, and then give up
    assert time.monotonic() - began < 5
    connection.connection.driver_connection.close()
    connection.invalidate()
    connection.close()
    assert [entry.action for entry in entries(session)] == ["made_for_this_test"]


def test_a_lost_head_goes_on_from_the_last_entry(make, session):
    write(session, make)
    with hand_on_the_database(session) as connection:
        connection.execute(text("DELETE FROM audit_head"))
    write(session, make)
    assert trail.verify(session).whole


def test_erasing_a_person_leaves_the_chain_whole(make, session):
    nurse = make.nurse("Alice")
    with writing(session):
        audit.record(session, "signed_in", by=nurse, at=make.now())
    with writing(session):
        session.execute(delete(Person).where(Person.id == nurse.id))
    assert trail.verify(session).whole
    assert [line.person for line in trail.page(session, trail.Question()).lines] == [None]


NEVER = [
    ("UPDATE audit_entry SET subject = 'other'", "never changed"),
    ("DELETE FROM audit_entry", "never deleted"),
    ("DELETE FROM audit_head", "never deleted"),
    ("UPDATE audit_head SET number = number - 1", "never becomes shorter"),
    ("UPDATE audit_head SET hash = 'x'", "never becomes shorter"),
]


@pytest.mark.parametrize(("statement", "says"), NEVER)
def test_the_database_refuses_to_change_the_trail(statement, says, make, session):
    write(session, make)
    with pytest.raises(DBAPIError, match=says), writing(session):
        session.execute(text(statement))


@pytest.mark.database("postgresql")
@pytest.mark.parametrize("table", ["audit_entry", "audit_head"])
def test_the_database_refuses_to_empty_the_trail(table, make, session):
    write(session, make)
    with pytest.raises(DBAPIError, match="never deleted"), writing(session):
        session.execute(text(f"TRUNCATE {table}"))


# --- finding tampering ------------------------------------------------------------------------------------------------


@pytest.fixture
def seven(make, session, alice):
    """A trail of seven entries."""
    for number in range(1, 8):
        with writing(session):
            audit.record(session, f"action_{number}", by=alice, at=make.now() + timedelta(seconds=number), subject="s")
    return session


def faults(session):
    session.rollback()
    return trail.verify(session).faults


SWAP = """
    UPDATE audit_entry SET id = 100 WHERE id = 3;
    UPDATE audit_entry SET id = 3 WHERE id = 5;
    UPDATE audit_entry SET id = 5 WHERE id = 100
"""
INSERT = """
    UPDATE audit_entry SET id = 8 WHERE id = 7;
    UPDATE audit_entry SET id = 7 WHERE id = 6;
    INSERT INTO audit_entry SELECT 6, at, 'put_in', person_id, patient_id, subject, hash FROM audit_entry WHERE id = 5
"""
REMOVE_UNSEEN = """
    DELETE FROM audit_entry WHERE id = 4;
    UPDATE audit_entry SET id = 4 WHERE id = 5;
    UPDATE audit_entry SET id = 5 WHERE id = 6;
    UPDATE audit_entry SET id = 6 WHERE id = 7;
    UPDATE audit_head SET number = 6
"""
COPY = """
    INSERT INTO audit_entry
    SELECT {new}, at, action, person_id, patient_id, subject, hash FROM audit_entry WHERE id = {old}
"""
TAMPERING = {
    "nothing": ("", None, ""),
    "time": ("UPDATE audit_entry SET at = '2026-01-01 00:00:00.000000' WHERE id = 4", 4, "changed"),
    "action": ("UPDATE audit_entry SET action = 'another' WHERE id = 4", 4, "changed"),
    "person": ("UPDATE audit_entry SET person_id = NULL WHERE id = 4", 4, "changed"),
    "patient": ("UPDATE audit_entry SET patient_id = person_id WHERE id = 4", 4, "changed"),
    "subject": ("UPDATE audit_entry SET subject = '' WHERE id = 4", 4, "changed"),
    "hash": (f"UPDATE audit_entry SET hash = '{'a' * 64}' WHERE id = 4", 4, "changed"),
    "first": ("UPDATE audit_entry SET action = 'another' WHERE id = 1", 1, "changed"),
    "removed": ("DELETE FROM audit_entry WHERE id = 4", 5, "entry 4 was taken out"),
    "some removed": ("DELETE FROM audit_entry WHERE id IN (2, 3)", 4, "entries 2 to 3 were taken out"),
    "removed and renumbered": (REMOVE_UNSEEN, 4, "changed, put in or moved"),
    "put in": (INSERT, 6, "changed, put in or moved"),
    "put in before": (COPY.format(new=0, old=1), 0, "no entry has such a number"),
    "put in at the end": (COPY.format(new=8, old=7), 8, "changed, put in or moved"),
    "swapped": (SWAP, 3, "changed, put in or moved"),
    "end cut off": ("DELETE FROM audit_entry WHERE id > 5", 5, "entries at the end were taken out"),
    "head moved": ("UPDATE audit_head SET number = 9", 7, "entries at the end were taken out"),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_is_found_and_the_entry_named(how, seven):
    statements, number, says = TAMPERING[how]
    with hand_on_the_database(seven) as connection:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(text(statement))
    found = faults(seven)
    if number is None:
        assert found == []
        return
    assert found, "nothing was noticed"
    assert found[0].number == number
    assert says in str(found[0])
    if "end" not in how and "head" not in how:
        assert seven.scalar(select(AuditEntry.action).where(AuditEntry.id == number)) in str(found[0])
        assert "UTC" in str(found[0])


def test_every_place_is_named_not_only_the_first(seven):
    with hand_on_the_database(seven) as connection:
        connection.execute(text("UPDATE audit_entry SET subject = 'other' WHERE id IN (2, 5)"))
    assert [fault.number for fault in faults(seven)] == [2, 5]


def make_anew(session):
    """The whole chain, with an entry changed, by somebody who knows how hashes are made."""
    with hand_on_the_database(session) as connection:
        connection.execute(text("UPDATE audit_entry SET subject = 'other' WHERE id = 4"))
        before = audit.BEGINNING
        rows = connection.execute(select(AuditEntry.__table__).order_by(AuditEntry.id)).all()
        for row in rows:
            before = audit.chained(before, row.id, row.at, row.action, row.person_id, row.patient_id, row.subject)
            connection.execute(
                text("UPDATE audit_entry SET hash = :hash WHERE id = :id"), {"hash": before, "id": row.id}
            )
        connection.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": before})


def test_a_chain_made_anew_is_found_by_what_the_log_kept(seven, caplog):
    caplog.set_level(logging.INFO)
    audit.note_head(seven)
    heads = trail.read_heads(record.message for record in caplog.records)
    assert heads == {7: audit.head(seven)[1]}
    make_anew(seven)
    assert trail.verify(seven).whole, "the chain alone cannot know"
    (fault,) = trail.verify(seven, heads).faults
    assert fault.number == 7
    assert "made anew" in str(fault)


def test_an_end_that_was_cut_off_with_its_head_is_found_by_what_the_log_kept(seven):
    heads = trail.read_heads([f"{number} {link}\n" for number, link in [audit.head(seven)]])
    with hand_on_the_database(seven) as connection:
        connection.execute(text("DELETE FROM audit_entry WHERE id > 5"))
        connection.execute(text("UPDATE audit_head SET number = 5, hash = (SELECT hash FROM audit_entry WHERE id = 5)"))
    assert trail.verify(seven).whole
    (fault,) = trail.verify(seven, heads).faults
    assert (fault.number, "not in the trail" in str(fault)) == (7, True)


def test_lines_that_are_no_heads_are_passed_over():
    lines = [
        "",
        "nonsense",
        '{"event": "audit_head"}',
        "audit_head {",
        '{"event": "other", "number": 3}',
        f"0 {'0' * 64}",
    ]
    assert trail.read_heads(lines) == {}
    logged = json.dumps({"event": "audit_head", "number": 3, "hash": "b" * 64})
    assert trail.read_heads([f"Nov 24 host triage[7]: {logged}"]) == {3: "b" * 64}


@pytest.fixture
def command(app, monkeypatch):
    """Runs a command on the test's database."""
    monkeypatch.setattr("triage.create_app", lambda: app)
    return lambda *words: CliRunner().invoke(cli, list(words))


def test_the_command_says_that_the_trail_is_whole_or_where_it_is_not(seven, command, tmp_path):
    done = command("audit", "verify")
    assert (done.exit_code, "7 entries read" in done.output, "is whole" in done.output) == (0, True, True)
    head = command("audit", "head").output
    (tmp_path / "heads").write_text(head)
    assert head.startswith("7 ")
    with hand_on_the_database(seven) as connection:
        connection.execute(text("UPDATE audit_entry SET subject = 'other' WHERE id = 4"))
    done = command("audit", "verify")
    assert done.exit_code == 1
    assert done.output.startswith("entry 4 (20")
    assert "UTC, action_4)" in done.output
    assert "NOT" in done.output
    make_anew(seven)
    assert command("audit", "verify").exit_code == 0
    assert command("audit", "verify", "--heads", str(tmp_path / "heads")).exit_code == 1


# --- looks ------------------------------------------------------------------------------------------------------------


def test_a_look_at_a_record_is_written_down_with_who_whose_and_when(make, anna, alice, pages, session):
    pages(alice).get("care_team.record", patient_id=anna.id)
    (entry,) = entries(session, "patient_seen")
    assert (entry.person_id, entry.patient_id, entry.subject) == (alice.id, anna.id, "care_team.record")
    assert abs(entry.at - make.now()) < timedelta(minutes=1)


def test_an_open_queue_is_one_look_a_quarter_of_an_hour(make, anna, alice, bob, pages, session, monkeypatch):
    make.alert(anna)
    start = make.now()
    for minutes in (0, 1, 14, 16, 29, 32):
        monkeypatch.setattr("triage.clock.now", lambda minutes=minutes: start + timedelta(minutes=minutes))
        pages(alice).get("care_team.queue")
        pages(alice).client.get("/queue/rows")
    pages(bob).get("care_team.queue")
    seen = entries(session, "queue_seen")
    assert [(entry.person_id, round((entry.at - start).total_seconds() / 60)) for entry in seen] == [
        (alice.id, 0),
        (alice.id, 16),
        (alice.id, 32),
        (bob.id, 32),
    ]


def test_patients_leave_no_looks_at_their_own(make, anna, pages, session):
    report = make.report(anna, chills="none")
    pages(make.account(anna)).get("reports.result", report_id=report.id)
    assert entries(session, "patient_seen") == []


def test_whoever_is_refused_is_written_down(make, anna, alice, charlie, pages, session):
    pages(alice).get("accounts.people")
    pages(charlie).get("care_team.record", patient_id=anna.id)
    pages(charlie).get("/patients/00000000-0000-4000-8000-000000000000")
    refused, reached, guessed = entries(session, "refused", "out_of_reach")
    assert (refused.action, refused.person_id, refused.subject) == ("refused", alice.id, "accounts.people")
    assert (reached.action, reached.person_id, reached.patient_id) == ("out_of_reach", charlie.id, anna.id)
    assert (guessed.action, guessed.patient_id) == ("out_of_reach", None)
    assert entries(session, "patient_seen") == []


def test_where_nothing_can_be_written_the_queue_is_shown_and_the_log_has_the_look(
    make, anna, alice, pages, session, monkeypatch, caplog
):
    make.alert(anna)

    def full(session):
        raise DBAPIError("", {}, Exception("disk full"))

    monkeypatch.setattr(looks, "writing", full)
    caplog.set_level(logging.INFO)
    assert pages(alice).get("care_team.queue").shows("Anna")
    (told,) = [json.loads(one.message) for one in caplog.records if "look_not_written" in one.message]
    assert (told["action"], told["person"]) == ("queue_seen", str(alice.id))
    assert "Anna" not in caplog.text


# --- pages ------------------------------------------------------------------------------------------------------------


def shown(page, words):
    """Whether an entry on the page shows these words."""
    return any(words in row.get_text(" ", strip=True) for row in page.soup.select("tbody tr"))


@pytest.fixture
def auditor(make, pages):
    return pages(make.auditor())


def test_the_auditor_finds_what_somebody_did(make, anna, alice, bob, auditor, pages, session):
    make.alert(anna)
    pages(alice).get("care_team.record", patient_id=anna.id)
    pages(bob).get("care_team.queue")
    found = auditor.get("trail.search").press("Find", name="ali")
    page = found.click("What Alice did")
    assert page.row("Patient seen").shows("Alice (nurse)")
    assert page.row("Patient seen").shows("Anna")
    assert not shown(page, "Bob")
    page = auditor.get("trail.search").press("Find", name="ann").click("What was seen and done about Anna")
    assert page.row("Patient seen").shows("Alice")
    assert page.row("Alert opened").shows("the system")
    assert not shown(page, "Queue seen")


def test_a_name_is_sent_and_never_stands_in_an_address(auditor, anna):
    page = auditor.get("trail.search").press_only("Find", name="Anna")
    assert page.status == 200
    assert "Anna" not in page.path
    assert not any("Anna" in href for href in page.links().values())


def test_failed_sign_ins_by_a_name_are_found_with_its_person(alice, auditor, pages):
    pages(None).get("accounts.sign_in").press("Sign in", sign_in_name=alice.sign_in_name, passphrase="wrong")
    page = auditor.get("trail.search", query={"person": str(alice.id)})
    assert page.row("Sign in failed").shows("nobody signed in")


def test_the_trail_is_searched_by_action_and_day(make, auditor, session):
    for days, action in ((3, "old_one"), (0, "new_one"), (0, "other_one")):
        with writing(session):
            audit.record(session, action, by=None, at=make.now() - timedelta(days=days))
    today = make.now().date()
    page = auditor.get("trail.search", query={"since": str(today)})
    assert shown(page, "New one")
    assert not shown(page, "Old one")
    page = auditor.get("trail.search", query={"action": "old_one", "until": str(today - timedelta(days=1))})
    assert len(page.soup.select("tbody tr")) == 1
    assert auditor.get("trail.search", query={"since": "nonsense", "person": "x", "before": "-1"}).status == 200
    assert auditor.get("trail.search", query={"until": "9999-12-31", "since": "0001-01-01"}).status == 200


def test_pages_of_the_trail_follow_each_other_without_a_gap(make, auditor, session):
    """Also where entries have the same time, and where a later number has an earlier time."""
    at = make.now()
    for number in range(trail.PAGE * 2 + 7):
        with writing(session):
            audit.record(session, "counted", by=None, at=at - timedelta(seconds=number % 3), subject=str(number))
    page, seen = auditor.get("trail.search", query={"action": "counted"}), []
    while True:
        seen += [row.select("td")[-1].get_text(" ", strip=True).split()[-1] for row in page.soup.select("tbody tr")]
        if "Older entries" not in page.links():
            break
        page = page.click("Older entries")
    assert len(seen) == len(set(seen)) == trail.PAGE * 2 + 7


def test_the_export_holds_the_answer_and_is_an_entry_itself(make, anna, alice, auditor, pages, session):
    pages(alice).get("care_team.record", patient_id=anna.id)
    page = auditor.get("trail.search", query={"patient": str(anna.id)})
    answer = page.press_only("Write all of these into a CSV file")
    assert answer.response.mimetype == "text/csv"
    header, *lines = answer.html.splitlines()
    assert header.split(",") == list(trail.COLUMNS)
    assert any("patient_seen" in line and "Alice,nurse" in line and str(anna.id) in line for line in lines)
    assert "Anna" not in answer.html
    (entry,) = entries(session, "trail_exported")
    assert (entry.person_id, entry.patient_id) == (auditor.person.id, anna.id)


def test_a_long_export_holds_every_entry_once(make, auditor, session, monkeypatch):
    monkeypatch.setattr(trail, "_AT_ONCE", 4)
    for number in range(11):
        write(session, make, subject=str(number))
    answer = auditor.post("trail.export", {"action": "made_for_this_test"})
    subjects = [line.split(",")[-2] for line in answer.html.splitlines()[1:]]
    assert sorted(subjects, key=int) == [str(number) for number in range(11)]


def test_no_cell_of_the_export_is_a_formula(make, auditor, pages, anna, session):
    eve = make.nurse("=HYPERLINK(1)")
    pages(eve).get("care_team.record", patient_id=anna.id)
    assert ",'=HYPERLINK(1)," in auditor.post("trail.export").html


def test_looking_at_the_trail_is_a_look_too(auditor, anna, session):
    auditor.get("trail.search")
    auditor.get("trail.search", query={"patient": str(anna.id)})
    assert [entry.patient_id for entry in entries(session, "trail_seen")] == [None, anna.id]


def test_the_patient_sees_who_looked(make, anna, alice, charlie, pages, session):
    other = make.patient("Berthold")
    make.report(anna, chills="none")
    pages(alice).get("care_team.record", patient_id=anna.id)
    pages(charlie).get("care_team.record", patient_id=anna.id)
    pages(alice).get("care_team.record", patient_id=other.id)
    pages(make.administrator("Emil")).get("accounts.patient", patient_id=anna.id)
    visitor = pages(make.account(anna))
    page = visitor.get("reports.home").click("Who looked at your record")
    assert page.row("Alice (nurse)").shows("Looked at it")
    assert page.row("Emil (administrator)").shows("Looked at it")
    assert page.row("Charlie (nurse)").shows("was refused")
    assert len(page.soup.select("tbody tr")) == 3
    assert "Who looked at your record" in visitor.get("reports.earlier").links()


def test_the_patients_list_goes_on_page_after_page(make, anna, alice, pages, session):
    for _ in range(trail.PAGE + 3):
        with writing(session):
            audit.record(session, "patient_seen", by=alice, patient=anna, at=make.now())
    first = pages(make.account(anna)).get("trail.who_looked")
    assert len(first.soup.select("tbody tr")) == trail.PAGE
    assert len(first.click("Earlier").soup.select("tbody tr")) == 3


def test_the_number_of_an_entry_about_others_leads_nowhere(make, anna, alice, pages, session):
    other = make.patient("Berthold")
    with writing(session):
        audit.record(session, "patient_seen", by=alice, patient=other, at=make.now())
    (entry,) = entries(session, "patient_seen")
    page = pages(make.account(anna)).get("trail.who_looked", query={"before": entry.id})
    assert page.shows("There is nothing before that")


@pytest.mark.database("sqlite")  # PostgreSQL reads small tables as a whole, whatever indexes they have
def test_no_part_of_a_page_reads_the_whole_trail(make, session, app, alice, anna):
    """It has millions of entries after some years."""
    asked = []
    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda c, u, statement, values, *_: asked.append((statement, values)))
    questions = [
        trail.Question(),
        trail.Question(person_id=alice.id),
        trail.Question(patient_id=anna.id),
        trail.Question(action="x", subject="y"),
        trail.Question(since=make.now().date()),
    ]
    write(session, make)
    asked.clear()
    with app.app_context():
        for question in questions:
            trail.page(session, question, before=1)
    trail.actions(session)
    trail.looks_at(session, anna, before=1)
    audit.happened_since(session, "x", alice.id, None, make.now())
    plans = [
        (row[3], statement)
        for statement, values in list(asked)
        if "audit_entry" in statement
        for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    ]
    assert len(plans) > len(questions)
    for step, statement in plans:
        assert not (step.startswith("SCAN") and "audit_entry" in step and "INDEX" not in step), statement
        assert "TEMP B-TREE FOR ORDER BY" not in step, statement

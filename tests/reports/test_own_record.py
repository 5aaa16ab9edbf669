"""My record: what patient and caregiver see, print and take away."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from tests.house.test_queries import counted
from tests.make import PASSWORD
from triage.database import db, writing
from triage.models import AuditEntry, Patient
from triage.reports import own_record, sheet_pdf
from triage.rules.catalogue import Scale
from triage.rules.report import from_data

CHECK = {"orientation": 2, "naming": 3, "command": 1, "writing": 1, "attention": 0}


@pytest.fixture
def record(make, anna):
    """Reports by Anna and by Cora, with a fall in the thinking check."""
    make.report(anna, ago=timedelta(days=2), temperature_c=36.9, nausea="mild")
    make.report(anna, ago=timedelta(days=1), temperature_c=38.6, chills="moderate", thinking_check=CHECK)
    cora = make.caregiver(anna, "Cora", phone="+44 1632 960 777", mail="cora@example.org")
    make.report(anna, ago=timedelta(hours=2), by=cora, not_themselves="yes", note="Slept all day")
    return cora


def test_both_see_drawings_with_tables_and_no_score(record, make, anna, pages):
    for somebody, heading in ((make.account(anna), "My record"), (record, "Record of Anna")):
        page = pages(somebody).get("own_record.page")
        assert page.heading == heading
        assert page.shows("Every temperature in numbers")
        assert page.shows("38.6 °C (101.5 °F)")
        assert page.shows("Chills")
        for words in ("points", "of 10", "baseline"):
            assert words not in page.soup.select_one(".app-weeks").get_text(), words
        sheet = page.click("One sheet to print for a visit")
        assert sheet.shows("Anna")
        assert sheet.shows(": urgent, by Cora") or sheet.shows(": emergency, by Cora")
        assert "of 10" not in sheet.text
        assert page.click("All earlier reports").row("Cora")


def taken(pages, somebody):
    visitor = pages(somebody)
    return take(visitor)


def take(visitor, press="json", passphrase=PASSWORD):
    sent = {"csrf_token": visitor.csrf_token(), "passphrase": passphrase, "press": press}
    return visitor.client.post("/my-record/file", data=sent)


def test_the_patient_takes_everything_away_in_the_documented_form(record, make, anna, pages, session):
    answer = taken(pages, make.account(anna))
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="record.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    data = json.loads(answer.data)
    assert (data["form"], data["version"]) == ("triage-own-record", 1)
    first, second, third = data["reports"]
    assert [one["reported_by"]["name"] for one in data["reports"]] == ["Anna", "Anna", "Cora"]
    assert third["reported_by"]["role"] == "caregiver"
    assert third["data"]["note"] == "Slept all day"
    assert (first["thinking_check"], second["thinking_check"]) == (None, "done")
    assert second["result"]["urgency"] in ("urgent", "emergency")
    assert second["result"]["reasons"]
    assert first["what_was_done"] == []
    for one in data["reports"]:  # what `triage assess` reads
        again = from_data(one["data"], make.ruleset.catalogue)
        assert again.thinking_check is None
    assert b'"orientation"' not in answer.data
    assert b"of 10" not in answer.data
    assert b"cora@example.org" not in answer.data
    assert b"960 777" not in answer.data
    session.rollback()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "own_record_downloaded")).one()
    assert (entry.person_id, entry.patient_id, entry.subject) == (make.account(anna).id, anna.id, "json")


def test_no_audit_entry_no_file(record, make, anna, pages, monkeypatch):
    visitor = pages(make.account(anna))
    token = visitor.csrf_token()

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("triage.accounts.audit.record", fail)
    sent = {"csrf_token": token, "passphrase": PASSWORD, "press": "json"}
    answer = visitor.client.post("/my-record/file", data=sent)
    assert answer.status_code == 500
    assert b"triage-own-record" not in answer.data


def test_a_caregiver_can_take_no_file(record, pages, session):
    answer = taken(pages, record)
    assert answer.status_code == 403
    assert "Only Anna can download" in pages(record).get("own_record.page").text
    session.rollback()
    assert session.scalar(select(AuditEntry).where(AuditEntry.action == "own_record_downloaded")) is None


def test_a_record_without_reports_can_be_looked_at_and_taken(make, pages):
    patient = make.patient("Zoe", course=False)
    account = make.account(patient)
    assert pages(account).get("own_record.page").shows("My record")
    assert json.loads(taken(pages, account).data)["reports"] == []


@pytest.mark.database("sqlite")
def test_the_file_needs_no_more_queries_for_a_long_record(app, make, anna, session):

    def needed():
        with counted(app) as statements, app.app_context():
            own_record.data(db.session, db.session.get_one(Patient, anna.id), make.now())
        return len(statements)

    make.report(anna, ago=timedelta(days=20), chills="moderate")
    few = needed()
    for day in range(8):
        make.report(anna, ago=timedelta(days=day, hours=1), chills="moderate")
    assert needed() == few


def text_of(pdf):
    """What stands in a PDF of one page, read by a program that is not ours."""
    (page,) = PdfReader(BytesIO(pdf)).pages
    return " ".join(page.extract_text().split())


def test_the_sheet_comes_as_a_page_of_pdf(record, make, anna, pages, session):
    with writing(session):
        anna.name = "Ánna Łęcka-Ђорђевић"
    visitor = pages(make.account(anna))
    answer = take(visitor, "pdf")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sheet.pdf"'
    assert answer.mimetype == "application/pdf"
    said = text_of(answer.data)
    for words in ("Ánna Łęcka-Ђорђевић", "CAR T cells", "day 5", "38.6", "Chills", "by Cora", "+44 1632 960 300"):
        assert words in said, words
    assert "of 10" not in said
    assert "baseline" not in said
    session.rollback()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "own_record_downloaded")).one()
    assert entry.subject == "pdf"
    assert take(pages(record), "pdf").status_code == 403


@pytest.mark.database("sqlite")
def test_what_does_not_fit_on_the_sheet_is_counted(make, anna, app):
    everything = {
        code: "yes" if symptom.scale is Scale.PRESENCE else "mild"
        for code, symptom in make.ruleset.catalogue.symptoms.items()
    }
    for day in range(21, 0, -1):
        make.report(anna, ago=timedelta(days=day), temperature_c=38.2, **everything)
    with app.test_request_context():
        said = text_of(sheet_pdf.of(own_record.summary(db.session, db.session.get_one(Patient, anna.id), make.now())))
    assert re.search(r"… and \d+ symptoms more", said)
    assert "… and 13 more in these days" in said
    assert said.endswith("It never replaces calling your care team.")


@pytest.mark.database("sqlite")
def test_an_empty_sheet_can_be_made(make, app):
    patient = make.patient("Zoe", course=False)
    with app.test_request_context():
        found = own_record.summary(db.session, db.session.get_one(Patient, patient.id), make.now())
        assert "None in these days" in text_of(sheet_pdf.of(found))


def test_whoever_found_an_open_phone_takes_no_file(record, make, anna, pages, session):
    """The passphrase is asked again; wrong ones are counted as those of signing in."""
    visitor = pages(make.account(anna))
    for passphrase, says in (("", "Enter your passphrase"), *[("guessed wrongly", "This passphrase is not right")] * 5):
        page = visitor.get("own_record.page").press("Download everything (JSON)", passphrase=passphrase)
        assert page.status == 422
        assert page.errors[0].startswith(says)
    answer = take(visitor)
    assert answer.status_code == 422
    assert b"tried too often" in answer.data
    session.rollback()
    assert session.scalar(select(AuditEntry).where(AuditEntry.action == "own_record_downloaded")) is None


def test_the_patient_reads_when_a_caregiver_looked(record, make, anna, pages):
    caregiver = pages(record)
    for page in ("own_record.page", "own_record.sheet", "reports.earlier"):
        caregiver.get(page)
    listed = pages(make.account(anna)).get("trail.who_looked")
    assert listed.text.count("Cora (caregiver)") == 4  # three looks, and the report that she sent
    assert listed.text.count("Looked at it") == 3
    assert not listed.shows("Anna (patient)")

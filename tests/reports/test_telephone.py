"""A nurse enters what she is told on the telephone: the same questions, named as hers."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from triage.models import Alert, AuditEntry, ReportDraft, ReportRecord
from triage.reports import services
from triage.rules.report import from_data
from triage.rules.urgency import Urgency

FEVER = {"temperature": "38.4", "unit": "c"}


def start(pages, nurse, patient):
    page = pages(nurse).get("care_team.record", patient_id=patient.id)
    return page.click("Enter a report taken by telephone").click("Start")


def answer(page, *, temperature=FEVER):
    """From the danger signs to the page before sending."""
    page = page.press("None of these").press("Continue", **temperature)
    return page.press("None of these").press("None of all these")


def reports(session):
    session.rollback()
    return list(session.scalars(select(ReportRecord).order_by(ReportRecord.reported_at)))


def test_a_report_by_telephone_is_judged_as_ever_and_named_as_the_nurses(make, anna, pages, alice, bob, session):
    page = answer(start(pages, alice, anna))
    assert page.heading == "Check the answers about Anna"
    page = page.press("Send")

    assert page.shows("The report is saved.")
    assert page.shows("reported by Alice (nurse, by telephone)")
    row = pages(bob).get("care_team.queue").row("Anna")
    assert row.shows("Alice (nurse, by telephone)")
    assert row.shows("temperature 38.4 °C is at least 38.0 °C")
    (stored,) = reports(session)
    assert (stored.patient_id, stored.reporter_id) == (anna.id, alice.id)
    assert json.loads(stored.data)["reporter"] == "nurse"
    entry = session.scalars(select(AuditEntry).where(AuditEntry.subject == str(stored.id))).one()
    assert (entry.action, entry.person_id, entry.patient_id) == ("report_submitted", alice.id, anna.id)
    assert session.scalars(select(ReportDraft)).all() == []


def test_the_patient_sees_who_sent_it(make, anna, pages, alice, session):
    answer(start(pages, alice, anna)).press("Send")
    (stored,) = reports(session)
    assert pages(make.account(anna)).get("reports.result", report_id=stored.id).shows("sent by Alice")


def test_a_danger_sign_is_sent_at_once_and_the_rest_can_be_asked(make, anna, pages, alice, session):
    page = start(pages, alice, anna).press("Continue", signs=["seizure"])
    assert page.shows("The report is saved.")
    session.rollback()
    assert [alert.urgency for alert in session.scalars(select(Alert))] == [Urgency.EMERGENCY]
    page = page.click("Enter a report taken by telephone").click("Go on")
    assert page.heading == "Temperature"


def test_what_is_sent_twice_is_stored_once(make, anna, pages, alice, session):
    page = answer(start(pages, alice, anna))
    page.press("Send")
    assert page.press("Send").shows("or it was sent already: the record shows it")
    assert len(reports(session)) == 1


def test_what_was_begun_about_another_patient_is_never_sent_about_this_one(make, anna, pages, alice, session):
    berta = make.patient("Berta")
    answer(start(pages, alice, anna))
    page = pages(alice).get("telephone.home", patient_id=berta.id)
    assert page.shows("You began a report about Anna and have not sent it.")
    assert page.click("Go on with that one first").heading == "Report by telephone about Anna"
    assert pages(alice).post("telephone.send", patient_id=berta.id).follow().shows("There was no finished report")
    answer(page.click("Start")).press("Send")

    assert [report.patient_id for report in reports(session)] == [berta.id]


def test_a_page_printed_about_another_patient_is_not_taken(make, anna, pages, alice, session):
    berta = make.patient("Berta")
    printed = start(pages, alice, anna)
    form = {"for_person": printed.field("for_person"), "signs": ["seizure"], "token": printed.field("token")}
    page = pages(alice).post("telephone.ask", form, patient_id=berta.id, step="danger").follow()

    assert page.shows("not printed for you")
    assert reports(session) == []


def test_a_nurse_reports_about_her_own_team_only(make, anna, alice, charlie, session, app):
    report = from_data({"symptoms": {"seizure": "yes"}}, make.ruleset.catalogue)
    for nurse, about in ((charlie, anna.id), (alice, None)):
        with app.app_context(), pytest.raises(LookupError):
            services.submit(session, make.ruleset, report, nurse, "token", make.now(), about=about)
    assert reports(session) == []


def test_a_patient_cannot_report_about_somebody_else(make, anna, session, app):
    berta = make.patient("Berta")
    report = from_data({"symptoms": {"seizure": "yes"}}, make.ruleset.catalogue)
    with app.app_context():
        services.submit(session, make.ruleset, report, make.account(anna), "token", make.now(), about=berta.id)
    assert [stored.patient_id for stored in reports(session)] == [anna.id]


def test_mistakes_are_said_and_no_step_is_jumped_over(anna, pages, alice):
    page = start(pages, alice, anna)
    assert page.press("Continue").status == 422
    visitor = pages(alice)
    for step in ("temperature", "check"):
        where = f"/patients/{anna.id}/telephone/{step}"
        assert visitor.get(where).follow().heading == "Report by telephone about Anna"
    page.press("None of these")
    assert visitor.get("telephone.check", patient_id=anna.id).follow().heading == "Temperature"
    assert visitor.post("telephone.send", patient_id=anna.id).follow().heading == "Temperature"
    assert visitor.get("telephone.ask", patient_id=anna.id, step="severity").follow().heading == "Temperature"

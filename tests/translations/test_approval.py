"""A language is offered while its texts are whole and a clinician has approved them, and not a moment longer."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from triage import clock
from triage.alerts import messages
from triage.database import db, writing
from triage.models import ActivationKind, Alert, AuditEntry, LanguageApproval, RulesetActivation
from triage.rules.loading import load_texts
from triage.ruleset_editor import spoken, versions

SPANISH = "es"
OFFER = "Offer Spanish to patients"


@pytest.fixture
def anna(make):
    return make.patient("Anna")


def language(visitor, where="reports.home", **values):
    visitor.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"
    return visitor.get(where, **values).soup.html["lang"]


def activated(make, session, name, old, new):
    """A next version, in which a text of one file is another."""
    with make.app.app_context(), writing(session):
        before = versions.plant(session, make.now())
        files = {**before.files, name: before.files[name].replace(old, new)}
        assert files != before.files
        ruleset = load_texts(files)
        versions.keep(session, ruleset, make.now())
        session.add(
            RulesetActivation(
                number=before.number + 1,
                kind=ActivationKind.APPROVAL,
                ruleset_hash=ruleset.hash,
                files=files,
                reason="As the test wants it",
                activated_at=make.now(),
            )
        )


def actions(session):
    session.rollback()
    return [action for action in session.scalars(select(AuditEntry.action)) if action.startswith("language")]


def test_nobody_reads_spanish_before_a_clinician_has_approved_it(make, anna, pages, session):
    patient, nobody = pages(make.account(anna)), pages(None)
    assert language(patient) == "en"
    assert language(nobody, "accounts.sign_in") == "en"
    assert "Español" not in nobody.get("accounts.sign_in").text
    clinician = pages(make.clinician("Dora"))
    page = clinician.get("ruleset_editor.rules").click("Languages that patients can choose")
    assert page.shows("no clinician of this site has approved them yet")
    assert page.shows("awaiting clinical review")
    page = clinician.get("language.language", code="es")
    assert page.row("title of bleeding-alarm").shows("Heavy bleeding Spanish Sangrado fuerte")
    assert page.press(OFFER).errors == ["Compare the texts first, and say that you have"]
    page = page.press(OFFER, read=["yes"])
    assert page.shows("Approved by Dora")
    assert language(patient) == "es"
    assert language(nobody, "accounts.sign_in") == "es"
    page.press("Do not offer it any more Spanish")
    assert language(patient) == "en"
    assert clinician.get("language.languages").shows("An approval was withdrawn by Dora")
    assert actions(session) == ["language_approved", "language_withdrawn"]


@pytest.mark.database("sqlite")
def test_other_texts_than_those_that_were_read_are_not_approved(make, anna, pages, session):
    page = pages(make.clinician("Dora")).get("language.language", code="es")
    assert page.press(OFFER, read=["yes"], seal="sha256:other").errors == [
        "Not approved: the texts have changed since you opened this page. Read them again"
    ]
    assert session.scalars(select(LanguageApproval)).all() == []


@pytest.mark.database("sqlite")
def test_a_changed_rule_ends_spanish_for_the_whole_site_and_a_page_says_why(make, anna, pages, session, approved, app):
    """Never a page that is half in another language: with the activation everything is English again."""
    record = make.report(anna, temperature_c=38.4)
    patient = pages(make.account(anna))
    assert language(patient) == "es"
    activated(make, session, "crs.yaml", "title: Fever\n", "title: A fever\n")
    assert language(patient) == "en"
    assert language(patient, "reports.result", report_id=record.id) == "en"
    page = pages(make.clinician("Eve")).get("language.languages")
    assert page.shows("1 text of the active rules has no translation")
    assert page.shows("title of crs-fever, “A fever”")
    assert page.shows("Other texts were approved by Dora")
    assert pages(make.clinician("Eva")).get("language.language", code="es").shows("These texts cannot be approved")
    # The texts are made whole again: they are other ones, and have to be approved anew.
    activated(make, session, "texts-es.yaml", "en: Fever\n", "en: A fever\n")
    assert language(patient) == "en"
    with app.app_context():
        state = spoken.state(session, SPANISH)
        spoken.approve(session, SPANISH, state.seal, make.clinician("Eve"), clock.now())
    assert language(patient) == "es"
    # The report was judged when the rule had another title, which nobody translates any more: that page is English.
    page = patient.get("reports.result", report_id=record.id)
    assert page.soup.html["lang"] == "en"
    assert page.shows("Fever")
    assert page.shows("Call your care team now")


@pytest.mark.database("sqlite")
def test_an_emergency_is_read_in_spanish_while_the_records_do_not_answer(make, anna, pages, approved, app):
    nobody = pages(None)
    assert language(nobody, "emergency.page") == "es"
    with app.app_context():
        engine = db.engine

    def refuse(*rest):
        raise OperationalError("no answer", None, Exception())

    event.listen(engine, "before_cursor_execute", refuse)
    try:
        page = nobody.client.get("/emergency").get_data(as_text=True)
        assert '<html lang="es">' in page
        assert "Estoy sangrando y no ha parado después de 10 minutos" in page
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


@pytest.mark.database("sqlite")
def test_a_reminder_speaks_the_language_that_was_chosen(make, anna, app, session, approved):
    with app.app_context():
        app.config["PUBLIC_URL"] = "https://triage.example.org"
        for chosen, said in (("es", "Su equipo médico le pide que inicie sesión"), ("", "Your care team asks you")):
            somebody = make.caregiver(anna, f"Cora {chosen}", language=chosen)
            message = messages.compose(messages.REMINDER, ["key"], language=spoken.language_of(somebody))
            assert message.subject.startswith(said)
            assert "https://triage.example.org" in message.body
        spoken.withdraw(session, SPANISH, make.clinician("Eve"), clock.now())
        somebody = make.caregiver(anna, "Carl", language="es")
        db.session.rollback()  # a worker's message is a transaction of its own
        assert spoken.language_of(somebody) == "en"


@pytest.mark.database("sqlite")
def test_an_administrator_prints_the_invitation_in_the_language_of_who_gets_it(make, anna, pages, session, approved):
    emil = pages(make.administrator("Emil"))
    page = emil.get("accounts.give_access", patient_id=anna.id)
    sheet = page.press("Make an invitation", role="patient", name="Anna", sign_in_name="ana", language="es")
    assert sheet.soup.html["lang"] == "en"
    assert sheet.soup.h1["lang"] == "es"
    assert sheet.heading == "Invitación para Anna"
    assert sheet.shows("Apunte la cámara de su teléfono al cuadrado")
    session.rollback()
    (account,) = [one for one in anna.people if one.sign_in_name == "ana"]
    assert account.language == "es"
    page = emil.get("accounts.reach", patient_id=anna.id, person_id=account.id)
    assert page.field("language") == "es"
    page.press("Save", mail="ana@example.org", language="en")
    session.rollback()
    assert account.language == "en"


@pytest.mark.database("sqlite")
def test_where_only_english_is_offered_nobody_is_asked_for_a_language(make, anna, pages):
    page = pages(make.administrator("Emil")).get("accounts.give_access", patient_id=anna.id)
    assert page.field("language") in (None, [])


@pytest.mark.database("sqlite")
def test_what_is_stored_and_judged_is_the_same_in_every_language(make, anna, pages, session, approved):
    visitor = pages(make.account(anna))
    visitor.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"
    visitor.get("reports.home").press("Me siento demasiado mal para responder")
    with make.app.app_context():
        ruleset = versions.started().ruleset
    (record,) = [alert.findings[0].report for alert in session.scalars(select(Alert))]
    body = json.loads(record.assessment.body)
    assert body["ruleset"] == ruleset.hash
    assert body["fired"][0]["title"] == "Too unwell to answer"

"""Every page of patients and caregivers, in each of its states, is Spanish all through (tests/translations/conftest.py
holds each page against the English one)."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from tests.make import PASSWORD
from triage import clock, languages
from triage.accounts import invitations
from triage.database import writing
from triage.models import ReportRecord, ThinkingBaseline
from triage.reports import forms, thinking

pytestmark = pytest.mark.database("sqlite")  # the texts are the same on PostgreSQL

NEXT, NONE, NONE_OF_ALL = "Continuar", "Nada de esto", "Nada de todo esto"
ES = thinking.words("es")


@pytest.fixture
def anna(make):
    return make.patient("Anna", day=5, town="Leeds", hospital="Jimmy")


@pytest.fixture
def reader(make, anna, reading):
    return reading(make.account(anna))


def right(step, page):
    today = clock.now()
    asked = ES.sets[int(page.field("set")) if step in ("naming", "command") else 0]
    return {
        "orientation": {
            "year": str(today.year),
            "month": sorted(ES.months[today.month - 1], key=len)[-1],
            "town": "leeds",
            "hospital": "Jimmy",
        },
        "naming": {f"picture_{number}": one.names[0] for number, one in enumerate(asked.pictures, 1)},
        "command": {"shape": asked.shape},
        "writing": {"sentence": ES.sentence},
        "attention": {"counting": "100 90 80 70 60 50 40 30 20 10"},
    }[step]


def check(page, wrong=()):
    """The thinking check, each of its pages also as it comes back with an error."""
    page = page.press("Empezar la prueba de pensamiento")
    for step in thinking.ITEMS:
        answers = right(step, page)
        if step == "command":
            page = page.press(answers["shape"])
            continue
        assert page.press(NEXT, **dict.fromkeys(answers, "")).status == 422
        page = page.press(NEXT, **(dict.fromkeys(answers, "xyzzy") if step in wrong else answers))
    return page


def begin(reader):
    """The report up to the thinking check, with the errors of its pages."""
    home = reader.get("reports.home")
    assert home.press(NEXT).errors
    assert home.press(NONE, signs=["seizure"]).errors
    page = home.press(NONE)
    for wrong in (
        {},
        {"temperature": "abc", "unit": "c"},
        {"temperature": "98,6", "unit": "c"},
        {"temperature": "37", "unit": "f"},
        {"temperature": "3", "unit": "c"},
        {"temperature": "37", "unit": "none"},
        {"temperature": "37 C", "unit": "f"},
        {"temperature": "", "unit": "c"},
    ):
        assert page.press(NEXT, **wrong).errors, wrong
    page = page.press(NEXT, temperature="38,4", unit="c")
    assert page.press(NEXT).errors
    page = page.press(NEXT, taken=["fever_reducer"])
    assert page.press(NEXT).errors
    page = page.press(NEXT, group_fever=["chills"], group_stomach=["nausea", "unsure"], group_else=["other"])
    assert page.press(NEXT).errors
    page = page.press(NONE)
    assert page.press(NEXT).errors
    return page.press(NEXT, chills="severe", nausea="unknown")


def test_a_report_from_the_first_question_to_the_result(reader, make, anna, session):
    make.report(anna, ago=timedelta(days=1), temperature_c=37.1, chills="mild", nausea="none", cough="moderate")
    page = check(begin(reader), wrong=("writing",))
    note = reader.get("reports.note")
    assert note.press(NEXT, note="x" * 5000).errors
    note.press(NEXT, note="Un día muy largo")
    page = reader.get("reports.check")
    assert page.shows("Más: Temperatura, de 37,1 °C a 38,4 °C")
    assert page.shows("Más: Escalofríos, de leve a grave")
    for step in forms.STEPS:
        reader.get(f"reports.{step}").follow()
    page = page.press("Enviar")
    assert page.shows("Llame ahora a su equipo médico")
    assert page.shows("temperatura 38,4 °C: es al menos 38,0 °C")
    assert page.shows("Mi temperatura es 38,4 °C (101,1 °F).")
    record = session.scalars(select(ReportRecord).order_by(ReportRecord.reported_at.desc())).first()
    stored = json.loads(record.data)
    assert stored["temperature_c"] == 38.4
    assert stored["thinking_check"] == {"orientation": 4, "naming": 3, "command": 1, "writing": 0, "attention": 1}
    assert stored["thinking_check_answers"]["language"] == "es"
    body = record.assessment.body.decode()
    assert "Fever" in body
    assert "Fiebre" not in body, "what judges and what is kept stays English"


def test_each_urgency_and_what_was_done(reader, make, anna, session):
    cora = make.caregiver(anna)
    nurse = make.nurse()
    make.duty(nurse)
    for answers in (
        {"temperature_c": 36.6, "cough": "none"},
        {"temperature_c": 36.6, "cough": "moderate", "headache": "unknown", "fainting": "unknown"},
        {"temperature_c": 38.6, "chills": "moderate", "symptoms": {"seizure": "yes"}, "on_steroids": True},
        {"temperature_c": "unknown", "measured": {"pulse": 150, "systolic_mmhg": 80, "oxygen_percent": 85}},
        {"temperature_c": 38.6, "fever_reducer_taken": "unknown", "note": "Un día"},
    ):
        record = make.report(anna, **answers)
        reader.get("reports.result", report_id=record.id)
        reader.get("reports.home")
    record = make.report(anna, by=cora, not_themselves="yes", confusion="mild")
    reader.get("reports.result", report_id=record.id)
    for where in ("reports.earlier", "own_record.page", "own_record.sheet", "trail.who_looked", "emergency.page"):
        reader.get(where)
    for where in ("offline.page", "offline.kept"):
        reader.get(where)
    page = reader.get("own_record.page")
    assert page.press("Descargar todo (JSON)").errors
    assert page.press("Descargar todo (JSON)", passphrase="wrong").errors
    sent = {"csrf_token": reader.csrf_token(), "passphrase": PASSWORD, "press": "pdf"}
    pdf = reader.client.post(reader.path("own_record.take"), data=sent).data
    text = PdfReader(BytesIO(pdf)).pages[0].extract_text()
    assert "Informes de Anna para una visita" in text
    assert "38,6" in text
    taken = page.press("Descargar todo (JSON)", passphrase=PASSWORD).response.get_json()
    assert "Fiebre" in {reason["title"] for report in taken["reports"] for reason in report["result"]["reasons"]}


def test_the_pages_of_a_caregiver(reading, make, anna):
    reader = reading(make.caregiver(anna))
    page = begin(reader)
    page.press("Anna no está conmigo")
    reader.get("reports.check").press("Enviar")
    for where in ("reports.home", "reports.earlier", "own_record.page", "own_record.sheet", "account.home"):
        reader.get(where)
    assert reader.get("trail.who_looked").status == 403
    assert reader.get("/no-such-page").status == 404


def test_the_first_thinking_check_is_taken_in_the_own_language(reading, make, session):
    ben = make.patient("Anna", day=None, town="Leeds", hospital="Jimmy")
    reader = reading(make.account(ben))
    check(reader.get("reports.home").click("Hacer la primera prueba de pensamiento"))
    taken = session.scalars(select(ThinkingBaseline)).one()
    assert taken.language == "es"
    assert len(taken.right_answers) == 10
    reader.get("reports.home")
    reader.get("reports.about").follow()


def test_an_unknown_treatment_one_tap_and_an_end(reading, make):
    ben = make.patient("Anna", therapy=None, day=None)
    reader = reading(make.account(ben))
    page = reader.get("reports.home").press(NONE).press(NEXT, temperature="36,6", unit="c").press(NONE)
    page = page.press(NONE_OF_ALL).press("No quiero hacerla")
    assert page.press(NEXT, days="x").errors
    page.press(NEXT, therapy="unknown", days="")
    reader.get("reports.check").press("Enviar")
    reader.get("reports.home").press("Me siento demasiado mal para responder")
    make.end(ben, make.nurse(), "died")
    reader.get("reports.home").follow()


def test_reminders_and_the_own_account(reader, make, anna, session, app):
    app.config["CHANNEL_MAIL"] = "mailtos://example.org"
    with writing(session):
        make.account(anna).mail = "anna@example.org"
    page = reader.get("reminding.choose")
    assert page.press("Guardar", at="x", channel=None, quiet_from="22", quiet_until="").errors
    assert page.press("Guardar", at="23:00", channel="mail", quiet_from="22", quiet_until="7").errors
    page.press("Guardar", at="8", channel="mail", quiet_from="22", quiet_until="7")
    reader.get("reminding.choose").press("No recordarme cada día")
    reader.get("account.home")
    page = reader.get("account.passphrase")
    assert page.press("Guardar").errors
    assert page.press("Guardar", present="wrong", passphrase="aaaaaaaaaaaa", again="b").errors
    assert page.press("Guardar", present="wrong", passphrase="cuatro palabras sin frase", again="x").errors


def test_the_pages_before_the_sign_in(reading, make, anna, app, session):
    reader = reading(None)
    for where in ("accounts.sign_in", "emergency.page", "joining.code", "joining.trouble"):
        reader.get(where)
    page = reader.get("accounts.sign_in")
    assert page.press("Iniciar sesión").errors
    assert page.press("Iniciar sesión", sign_in_name="anna", passphrase="wrong").errors
    page = reader.get("joining.code")
    assert page.press(NEXT).errors
    assert page.press(NEXT, code="abcd").errors
    with app.app_context():
        issued = invitations.invite(session, make.account(anna), by=make.administrator(), at=clock.now())
    page = page.press(NEXT, code=issued.code)
    assert page.press("Guardar e iniciar sesión", passphrase="short", again="x").errors
    assert page.press("Guardar e iniciar sesión", passphrase="Cuatro palabras sin frase", again="x").errors
    page = page.press(
        "Guardar e iniciar sesión", passphrase="Cuatro palabras sin frase", again="Cuatro palabras sin frase"
    )
    assert page.heading in ("¿Cómo está usted hoy?", "¿Tiene algo de esto ahora?")


def test_what_was_typed_survives_a_sign_in_that_timed_out(reader, make, anna):
    page = reader.get("reports.home").press(NONE)
    reader.time_out()
    kept = page.press(NEXT, temperature="38,4", unit="c")
    assert kept.status == 401
    assert kept.shows("Lo que usted escribió se guardó.")


def test_every_person_reads_their_own_language(reading, make, anna, pages, approved):
    """What somebody chose counts more than the browser; staff read English; what is not offered is English."""
    cora = make.caregiver(anna, language="en")
    visitor = pages(cora)
    visitor.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"
    assert visitor.get("reports.home").soup.html["lang"] == "en"
    page = visitor.get("account.home").press("Español")
    assert page.soup.html["lang"] == "es"
    nurse = pages(make.nurse())
    nurse.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es"
    assert nurse.get("care_team.queue").soup.html["lang"] == "en"
    nobody = pages(None)
    nobody.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "fr-FR,ar"
    page = nobody.get("accounts.sign_in")
    assert page.soup.html["lang"] == "en"
    assert page.press("Español").soup.html["lang"] == "es"
    assert nobody.get("emergency.page").soup.html["lang"] == "es"


@pytest.mark.parametrize(
    ("accepts", "shown"),
    [
        ("es", "38,4 °C (101,1 °F)"),
        ("es-MX", "38.4 °C (101.1 °F)"),
        ("es-US", "101.1 °F (38.4 °C)"),
        ("en-US", "101.1 °F (38.4 °C)"),
        ("en-GB", "38.4 °C (101.1 °F)"),
        ("en", "38.4 °C (101.1 °F)"),
    ],
)
def test_temperatures_are_written_as_the_country_does(accepts, shown, make, anna, pages, approved):
    record = make.report(anna, temperature_c=38.4)
    visitor = pages(make.account(anna))
    visitor.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = accepts
    assert visitor.get("reports.result", report_id=record.id).shows(shown)
    units = visitor.get("reports.home").press("none").soup.select("[name=unit]")
    assert units[0]["value"] == ("f" if shown.startswith("101") else "c")


def test_a_right_to_left_language_turns_the_page(reader, monkeypatch):
    monkeypatch.setattr(languages, "LANGUAGES", {"en": "English", "es": "Español", "ar": "العربية"})
    monkeypatch.setattr("triage.accounts.language._wanted", lambda *about: "ar")
    monkeypatch.setattr("triage.ruleset_editor.spoken.offered", lambda: {"ar": None})
    monkeypatch.setattr("triage.ruleset_editor.spoken.in_language", lambda ruleset: ruleset)
    reader.in_language("ar")
    page = super(type(reader), reader).get("reports.home")
    assert (page.soup.html["lang"], page.soup.html["dir"]) == ("ar", "rtl")

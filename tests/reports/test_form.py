"""The daily report as patients and caregivers fill it in."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from triage.database import writing
from triage.models import Alert, AlertFinding, AssessmentRecord, AuditEntry, ReportDraft, ReportRecord
from triage.reports import forms
from triage.rules.engine import assess
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

TEMPERATURE = {"temperature": "36.8", "unit": "c"}


def danger(visitor, *signs):
    page = visitor.get("reports.danger")
    return page.press("Continue", signs=list(signs)) if signs else page.press("None of these")


def medicines(page, temperature=None, taken=()):
    """The page of the symptoms, from that of the temperature."""
    page = page.press("Continue", **(TEMPERATURE | (temperature or {})))
    return page.press("Continue", taken=list(taken)) if taken else page.press("None of these")


def symptoms(page, **ticked):
    """The page after the symptoms, of which these groups were ticked."""
    if not ticked:
        return page.press("None of all these")
    return page.press("Continue", **{f"group_{name}": codes for name, codes in ticked.items()})


def fill_in(visitor, temperature=None, severities=None, taken=(), **ticked):
    """Everything up to the page that shows the answers."""
    page = symptoms(medicines(danger(visitor), temperature, taken), **ticked)
    return page.press("Continue", **severities) if severities else page


@pytest.fixture
def anna(make):
    """On a day that asks for no thinking check (tests/reports/test_thinking.py has that)."""
    return make.patient("Anna", therapy="car_t", day=40)


def reports(session):
    session.rollback()
    return [json.loads(text) for text in session.scalars(select(ReportRecord.data).order_by(ReportRecord.reported_at))]


def alert_urgency(session):
    session.rollback()
    return session.scalar(select(Alert.urgency))


@pytest.fixture
def visitor(make, anna, pages):
    return pages(make.account(anna))


def test_38_4_after_car_t_says_call_your_care_team_now(visitor, session, anna):
    page = fill_in(visitor, {"temperature": "38.4"}).press("Send")

    assert page.shows("Call your care team now")
    assert page.links()["Call +44 1632 960 300"] == "tel:+441632960300"
    assert page.shows("temperature 38.4 °C is at least 38.0 °C")
    assert page.shows("Report again") or page.shows("report again")
    assert alert_urgency(session) is Urgency.URGENT


def test_a_quiet_day_reassures_nobody(visitor, session):
    page = fill_in(visitor).press("Send")

    assert page.shows("Nothing in this report asks for a call today")
    assert page.shows("Call us if you are worried")
    assert session.scalar(select(func.count()).select_from(Alert)) == 0


@pytest.mark.parametrize(
    ("typed", "unit", "stored"),
    [("38.4", "c", 38.4), ("38,4", "c", 38.4), ("101.1", "f", 38.39), ("100.4 F", "f", 38), (" 36.8 °C ", "c", 36.8)],
)
def test_comma_and_point_celsius_and_fahrenheit_are_read(typed, unit, stored, visitor, session):
    fill_in(visitor, {"temperature": typed, "unit": unit}).press("Send")

    assert reports(session)[0]["temperature_c"] == stored


@pytest.mark.parametrize(
    ("typed", "unit", "message"),
    [
        ("98.6", "c", "Is 98.6 a reading in °F (Fahrenheit)? Then choose °F"),
        ("38.4", "f", "Is 38.4 a reading in °C (Celsius)? Then choose °C"),
        ("3.84", "c", "A temperature is between 30 and 45 °C"),
        ("hot", "c", "Enter the temperature as a number, for example 38.4"),
        ("38.9 F", "c", "The unit you typed and the unit you chose differ"),
        ("", "c", "Enter the temperature, or choose “I could not measure it”"),
        ("38.4", "none", "You typed a temperature and chose “I could not measure it”"),
        ("1e400", "c", "Enter the temperature as a number"),
    ],
)
def test_a_reading_that_cannot_be_is_asked_about_and_not_stored(typed, unit, message, visitor, session):
    page = danger(visitor).press("Continue", **(TEMPERATURE | {"temperature": typed, "unit": unit}))

    assert page.status == 422
    assert any(error.startswith(message) for error in page.errors), page.errors
    assert page.field("temperature") == typed
    assert page.field("unit") == unit
    assert reports(session) == []


def test_not_measured_is_unknown_and_never_normal(visitor, session):
    page = fill_in(visitor, {"temperature": "", "unit": "none"}).press("Send")

    assert reports(session)[0]["temperature_c"] == "unknown"
    assert not page.shows("Nothing in this report asks for a call today")
    assert page.shows("could not say whether there is a fever")


def test_none_not_sure_and_not_asked_are_stored_as_three_things(visitor, session):
    fill_in(visitor, severities={"nausea": "mild"}, stomach=["nausea", "unsure"]).press("Send")

    symptoms = reports(session)[0]["symptoms"]
    assert symptoms["nausea"] == "mild"
    assert symptoms["vomiting"] == "unknown"
    assert symptoms["headache"] == "none"
    assert "constipation" not in symptoms


def test_one_button_says_no_to_every_box_of_the_page(visitor, session, make):
    fill_in(visitor).press("Send")

    told = reports(session)[0]["symptoms"]
    questions = forms.Questions(make.ruleset.catalogue, therapy="car_t")
    asked = {symptom.code for group in questions.daily().values() for symptom in group}
    assert {code for code in asked if told[code] not in ("none", "no")} == set()
    assert "constipation" not in told, "nothing was said about what was not asked"


def test_a_page_of_boxes_without_a_tick_is_asked_again(visitor):
    page = medicines(danger(visitor)).press("Continue")

    assert page.status == 422
    assert page.errors == ["Tick what is true, or press “None of all these”"]


def test_none_of_these_beside_a_tick_is_asked_about_and_the_tick_is_kept(visitor, session):
    page = visitor.get("reports.danger").press("None of these", signs=["seizure"])
    assert page.errors == ["A box is ticked, and you pressed “None of these”. Untick it, or press “Continue”"]
    assert page.field("signs") == "seizure"
    page = medicines(danger(visitor)).press("None of all these", group_fever=["chills"])
    assert page.status == 422
    assert page.field("group_fever") == "chills"
    assert reports(session) == []


def test_medicines_are_asked_every_day_and_stored_as_answered(visitor, session):
    fill_in(visitor, taken=["fever_reducer"]).press("Send")
    fill_in(visitor, taken=["unsure"]).press("Send")
    fill_in(visitor).press("Send")

    told = [(report["fever_reducer_taken"], report["on_steroids"]) for report in reports(session)]
    assert told == [(True, False), ("unknown", "unknown"), (False, False)]


def test_the_unit_of_last_time_is_chosen_and_never_the_value(visitor):
    fill_in(visitor, {"temperature": "98.2", "unit": "f"}).press("Send")
    page = danger(visitor)

    assert page.field("unit") == "f"
    assert page.field("temperature") == ""


def test_a_caregiver_is_not_asked_how_they_are_themselves(make, anna, pages):
    page = medicines(danger(pages(make.caregiver(anna))))

    assert not [legend.get_text() for legend in page.soup.select("legend") if "you are" in legend.get_text()]


def test_a_danger_sign_is_sent_before_the_rest_is_asked(visitor, session, anna):
    page = danger(visitor, "seizure")

    assert page.shows("Call 999 now")
    assert page.links()["Call 999"] == "tel:999"
    assert alert_urgency(session) is Urgency.EMERGENCY
    assert reports(session)[0]["symptoms"]["seizure"] == "yes"
    page = symptoms(medicines(page.click("Tell us more")))
    # A seizure is a neurological sign: the thinking check is asked on any day.
    page.press("I do not want to do it").press("Send")
    assert [report["symptoms"]["seizure"] for report in reports(session)] == ["yes", "yes"]
    assert session.scalar(select(func.count()).select_from(Alert)) == 1


def test_a_danger_question_about_a_degree_stores_the_degree(visitor, session):
    danger(visitor, "shortness_of_breath")

    symptoms = reports(session)[0]["symptoms"]
    assert symptoms["shortness_of_breath"] == "severe"
    assert "chest_pain" not in symptoms, "not strong says nothing about a mild pain"


def test_every_danger_sign_alone_asks_for_the_emergency_number(make):
    """What the first screen asks is what rules 1 to 10 call an emergency: a tick never shows a milder card."""
    questions = forms.Questions(make.ruleset.catalogue, therapy="car_t", day=5)
    for code, text, _, _ in questions.danger():
        report = forms.to_report(questions, {"danger": {"signs": [code]}})
        assert assess(make.ruleset, report).urgency is Urgency.EMERGENCY, text


def test_too_unwell_is_one_tap_and_urgent(visitor, session):
    page = visitor.get("reports.home").press("I am too unwell to answer")

    assert page.shows("Call your care team now")
    assert reports(session)[0]["symptoms"] == {"too_unwell_to_answer": "yes"}


def test_sending_twice_makes_one_report(visitor, session):
    page = fill_in(visitor, {"temperature": "38.4"})
    first = page.press("Send")
    second = page.press("Send")

    assert first.path == second.path
    assert len(reports(session)) == 1
    home = visitor.get("reports.home")
    home.press("I am too unwell to answer")
    home.press("I am too unwell to answer")
    assert len(reports(session)) == 2


def test_going_back_after_sending_shows_what_was_sent_and_no_empty_form(visitor, session):
    """An empty first page would look as if the report were lost."""
    fill_in(visitor, {"temperature": "38.4"}).press("Send")
    for step in ("check", "about", "temperature"):
        page = visitor.get(f"reports.{step}").follow()
        assert page.path == "/report"
        assert page.shows("Last report")
        assert page.shows("Urgent")


def test_going_back_shows_what_was_typed_and_another_device_goes_on(visitor, make, anna, pages):
    danger(visitor).press("Continue", **TEMPERATURE)
    other = pages(make.account(anna))

    assert visitor.get("reports.temperature").field("temperature") == "36.8"
    page = other.get("reports.home").click("Go on with today’s report")
    assert page.path == "/report/medicines"


def test_a_draft_of_yesterday_is_not_continued(visitor, session, make):
    danger(visitor).press("Continue", **TEMPERATURE)
    from triage.database import writing

    with writing(session):
        draft = session.scalars(select(ReportDraft)).one()
        draft.begun_at = make.now().replace(year=2020)

    page = visitor.get("reports.home")
    assert page.shows("is not continued")
    assert visitor.get("reports.danger").press("None of these").field("temperature") == ""


def test_what_was_typed_survives_a_sign_in_that_timed_out(visitor, make, anna, session):
    from tests.make import PASSWORD

    page = danger(visitor)
    visitor.time_out()
    page = page.press("Continue", **(TEMPERATURE | {"temperature": "38.4"}))
    assert page.status == 401
    page = page.press("Sign in", sign_in_name=make.account(anna).sign_in_name, passphrase=PASSWORD).press("Send it now")

    assert page.path == "/report/medicines"
    assert visitor.get("reports.temperature").field("temperature") == "38.4"


def test_what_somebody_else_typed_is_not_taken(visitor, make, anna, pages, session):
    from tests.make import PASSWORD

    page = danger(visitor)
    visitor.time_out()
    page = page.press("Continue", **(TEMPERATURE | {"temperature": "38.4"}))
    other = make.account(make.patient("Berta"))
    page = page.press("Sign in", sign_in_name=other.sign_in_name, passphrase=PASSWORD).press("Send it now")

    assert page.shows("not printed for you")
    session.rollback()
    drafts = {draft.person_id: draft.answers for draft in session.scalars(select(ReportDraft))}
    assert other.id not in drafts


def test_a_caregiver_is_asked_about_the_patient_and_what_only_an_onlooker_sees(make, anna, pages, session):
    visitor = pages(make.caregiver(anna))
    assert visitor.get("reports.home").shows("How is Anna today?")
    page = medicines(danger(visitor))
    assert page.shows("They are not themselves")
    page = symptoms(page, onlooker=["not_themselves"]).press("Anna is not with me").press("Send")

    assert page.shows("Report about Anna")
    assert page.shows("Call your care team now")
    assert (reports(session)[0]["reporter"], reports(session)[0]["symptoms"]["not_themselves"]) == ("caregiver", "yes")


def test_the_patient_is_not_asked_what_only_an_onlooker_sees(visitor):
    assert not medicines(danger(visitor)).soup.select("[value=not_themselves]")


def test_the_day_is_asked_when_no_date_is_on_file(make, pages, session):
    visitor = pages(make.account(make.patient("Nora", day=None, therapy=None)))
    page = symptoms(medicines(danger(visitor))).press("I do not want to do it")
    assert page.press("Continue", therapy="car_t", days="-3").errors == [
        "Enter the number of days as a whole number, 0 or more, for example 5"
    ]
    page.press("Continue", therapy="car_t", days="3").press("Send")

    assert (reports(session)[0]["therapy"], reports(session)[0]["days_since_therapy"]) == ("car_t", 3)


def test_an_unknown_day_counts_as_inside_every_window(make, pages, session):
    visitor = pages(make.account(make.patient("Nora", day=None, therapy=None)))
    page = symptoms(medicines(danger(visitor)), fever=["chills"]).press("Continue", chills="mild")
    page = page.press("I do not want to do it").press("Continue", therapy="unknown", days="").press("Send")

    assert page.shows("Call your care team now")


def test_something_else_asks_for_the_rest(visitor, session):
    page = symptoms(medicines(danger(visitor)), **{"else": ["other"]})
    page = page.press("Continue", signs=["constipation"]).press("Continue", constipation="unknown")
    page.press("Send")

    told = reports(session)[0]["symptoms"]
    assert (told["constipation"], told["numbness"]) == ("unknown", "none")


def test_the_note_is_kept_and_shown_as_text(visitor, session):
    page = fill_in(visitor).click("Add a note").press("Continue", note="<b>hello</b>").press("Send")

    assert reports(session)[0]["note"] == "<b>hello</b>"
    assert page.shows("<b>hello</b>")


def test_what_is_not_known_is_told_once_and_not_rule_by_rule(visitor):
    """One "not sure" leaves a dozen rules open: somebody with a fever reads three sentences, the rest on asking."""
    page = symptoms(medicines(danger(visitor), {"temperature": "", "unit": "none"}), thinking=["unsure"])
    page = page.press("I do not want to do it").press("Send")

    (why,) = [item.get_text() for item in page.soup.select("li") if "Not everything could be decided" in item.text]
    assert why.count("could not say whether") == 3
    hidden = page.soup.select_one("details")
    told = [item.get_text() for item in page.soup.select("li") if "could not say" in item.text]
    assert hidden is not None
    assert len(told) == len(set(told))
    assert len([text for text in told if text not in hidden.get_text()]) == 1


def test_a_character_that_no_database_stores_costs_no_report(visitor, session):
    page = fill_in(visitor).click("Add a note").press("Continue", note="It hurts\x00 here").press("Send")

    assert page.shows("Your report")
    assert reports(session)[0]["note"] == "It hurts here"


def test_a_note_that_is_too_long_is_refused_and_kept(visitor):
    page = fill_in(visitor).click("Add a note").press("Continue", note="x" * 4001)

    assert page.errors == ["Shorten the note to 4000 characters; it has 4001"]
    assert page.field("note") == "x" * 4001


def test_earlier_reports_are_listed_for_patient_and_caregiver(make, anna, pages, visitor):
    make.report(anna, chills="severe")
    for person in (None, make.caregiver(anna)):
        page = (pages(person) if person else visitor).get("reports.earlier")
        assert page.row("Anna").shows("Urgent")


def test_steps_cannot_be_skipped(visitor):
    assert visitor.get("reports.check").follow().path == "/report"
    assert visitor.get("reports.severity").follow().path == "/report"
    assert visitor.post("reports.send", {"token": "x"}).follow().path == "/report"
    danger(visitor)
    assert visitor.get("reports.check").follow().path == "/report/temperature"
    assert visitor.get("reports.severity").follow().path == "/report/temperature"


def test_codes_that_were_not_asked_are_not_taken(visitor, session):
    page = visitor.get("reports.danger")
    visitor.post("reports.danger", {"signs": ["nonsense"], "for_person": page.field("for_person"), "token": "t"})

    assert reports(session) == []


def test_report_assessment_alert_and_audit_stand_or_fall_together(visitor, session, monkeypatch):
    for target in ("triage.reports.services.alerts.add_finding", "triage.reports.services.audit.record"):
        with monkeypatch.context() as patch:
            patch.setattr(target, lambda *args, **kwargs: 1 / 0)
            page = visitor.get("reports.home").press("I am too unwell to answer")
        assert page.status == 500
        assert page.shows("not saved")
        session.rollback()
        for table in (ReportRecord, AssessmentRecord, Alert, AlertFinding):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        actions = set(session.scalars(select(AuditEntry.action)))
        assert "report_submitted" not in actions


def test_too_unwell_carries_what_was_typed_before_it(visitor, session):
    symptoms(medicines(danger(visitor), {"temperature": "40.1"}), breath=["fainting"])
    page = visitor.get("reports.home").press("I am too unwell to answer")

    assert reports(session)[0]["temperature_c"] == 40.1
    assert reports(session)[0]["symptoms"]["fainting"] == "yes"
    assert page.shows("999")
    assert alert_urgency(session) is Urgency.EMERGENCY


def test_a_danger_sign_ticked_later_is_sent_with_all_that_was_typed_and_nothing_is_lost(visitor, session):
    danger(visitor).press("Continue", **(TEMPERATURE | {"temperature": "39.4"}))
    danger(visitor, "seizure")

    assert reports(session)[0]["temperature_c"] == 39.4
    assert visitor.get("reports.temperature").field("temperature") == "39.4"
    assert session.scalar(select(ReportDraft)).answers["danger"]["signs"] == ["seizure"]


def test_how_it_is_now_is_asked_again_after_an_hour(visitor, session):
    danger(visitor).press("Continue", **TEMPERATURE)
    assert visitor.get("reports.home").click("Go on with today’s report").path.endswith("/report/medicines")

    session.rollback()
    draft = session.scalar(select(ReportDraft))
    aged = {
        step: {**typed, "_at": (datetime.fromisoformat(typed["_at"]) - timedelta(minutes=61)).isoformat()}
        for step, typed in draft.answers.items()
    }
    with writing(session):
        session.execute(update(ReportDraft).values(answers=aged))
    home = visitor.get("reports.home")
    assert home.shows("What you feel now is asked again")
    page = home.click("Go on with today’s report")
    assert page.path.endswith("/report/danger")
    page = page.press("None of these")
    assert page.path.endswith("/report/temperature")
    assert page.field("temperature") == "36.8"


def test_an_old_page_answered_anew_is_a_report_of_its_own(visitor, session):
    page = visitor.get("reports.danger")
    page.press("Continue", signs=["seizure"])
    page.press("Continue", signs=["seizure"])
    assert len(reports(session)) == 1
    page.press("Continue", signs=["coughing_or_vomiting_blood"])

    assert len(reports(session)) == 2
    assert reports(session)[1]["symptoms"]["coughing_or_vomiting_blood"] == "yes"


@pytest.mark.parametrize("days", ["9" * 5000, "1e3", "-1", "36526"])
def test_days_that_are_none_are_asked_about(days, make, pages, session):
    visitor = pages(make.account(make.patient("Otto", day=None)))
    page = symptoms(medicines(danger(visitor))).press("I do not want to do it").press("Continue", days=days)
    assert page.status == 422
    assert reports(session) == []


def test_tocilizumab_given_since_the_treatment_is_asked_for(visitor, session):
    page = danger(visitor).press("Continue", **TEMPERATURE)
    assert page.shows("I have had tocilizumab since my treatment")

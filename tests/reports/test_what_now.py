"""What a patient reads after sending: the promise and what stands behind it, what was done, what to say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup

from triage.alerts import services
from triage.alerts.promise import Cover, Done
from triage.database import writing
from triage.models import Alert, AlertNote, CallBack, CallBackEnd, CallOutcome, Disposition, NoteKind
from triage.reports import telling
from triage.rules.report import from_data

NOW = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
TEAM = SimpleNamespace(time_zone="Europe/London", phone="+44 1632 960 300", emergency_number="999")


def at(hour, minute=0):
    return NOW.replace(hour=hour, minute=minute)


def cover(**known):
    values = {
        "told_at": None,
        "told": "",
        "taken_at": None,
        "on_duty": (),
        "on_duty_until": None,
        "next_step_at": None,
        "since": at(14, 5),
        "answer_by": at(14, 20),
        "resolved_at": None,
        "late_since": None,
    }
    return Cover(**(values | known))


TOLD = {"told_at": at(14, 6), "told": "nurse"}
DUTY = {"on_duty": ("Alice",), "on_duty_until": at(20)}
CANNOT_SAY = "We cannot say yet that anybody has read this. Do not wait for us to call you: call us."
TOO_LATE = "Nobody took this up in time. Call +44 1632 960 300 now."
TOLD_BY = "A nurse was told of this today 14:06. Somebody is on duty until today 20:00."
ALL_THE_SAME = "Call all the same. If you cannot get through, and nobody has called you by today 14:20, call 999."
NOT_YET = "Nobody has said yet that they have read this."
DAY = {"answer_by": at(14, 5) + timedelta(days=1)}
TABLE = [
    # urgency, what stands behind it, what is said
    ("urgent", {}, CANNOT_SAY),
    ("urgent", TOLD, CANNOT_SAY),  # a delivery, and nobody on duty
    ("urgent", DUTY, CANNOT_SAY),  # somebody on duty, and no delivery
    ("urgent", TOLD | DUTY, f"{TOLD_BY} {ALL_THE_SAME}"),
    ("emergency", TOLD | DUTY, f"{TOLD_BY} {ALL_THE_SAME}"),
    ("urgent", TOLD | DUTY | {"late_since": at(13)}, CANNOT_SAY),
    ("urgent", TOLD | DUTY | {"answer_by": at(14, 9)}, f"{TOLD_BY} {TOO_LATE}"),
    ("soon", TOLD | DUTY | DAY, f"{TOLD_BY} If nobody has called you by today 20:00, call +44 1632 960 300."),
    ("soon", TOLD | DAY, f"{NOT_YET} If nobody has called you by tomorrow 14:05, call +44 1632 960 300."),
    ("soon", DUTY | DAY, f"{NOT_YET} If nobody has called you by today 20:00, call +44 1632 960 300."),
    ("soon", {"answer_by": at(14, 9)}, TOO_LATE),
    ("soon", TOLD | DUTY | {"late_since": at(13)}, ""),  # the card asks for a call
    ("soon", {"taken_at": at(14, 8)}, "A nurse took this up today 14:08. If nobody has called you, call us."),
    ("urgent", {"taken_at": at(14, 8), "late_since": at(13)}, CANNOT_SAY),
    (
        "soon",
        {"taken_at": at(12)},
        "A nurse has been looking after an earlier report since today 12:00. This one was put beside it. "
        "If nobody has spoken with you about it, call us.",
    ),
    (
        "urgent",
        TOLD | DUTY | {"resolved_at": at(14, 9)},
        "Your care team closed this today 14:09. If something is worse or new since then, send another report or call "
        "us.",
    ),
]


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(("code", "behind", "said"), TABLE)
def test_nothing_is_promised_that_nothing_stands_behind(code, behind, said, app):
    with app.app_context():
        macros = app.jinja_env.get_template("reports/cover.html").module
        text = BeautifulSoup(macros.cover_words(cover(**behind), code, NOW, TEAM), "html5lib").get_text(" ")
    assert " ".join(text.split()) == said


@pytest.mark.database("sqlite")
def test_everything_that_can_have_been_done_has_words(app):
    from triage.alerts import promise

    kinds = {value for name, value in vars(promise).items() if name.isupper() and isinstance(value, str)}
    kinds -= {promise.NURSE, promise.STAFF}
    with app.app_context():
        macros = app.jinja_env.get_template("reports/cover.html").module
        for kind in kinds:
            assert "14:08" in macros.done_words([Done(kind, at(14, 8))], NOW, TEAM.time_zone)


def test_the_patient_reads_what_was_done_as_it_was_written_down(make, anna, alice, session, pages, app):
    visitor = pages(make.account(anna))
    report = make.report(anna, ago=timedelta(minutes=30), temperature_c=38.6)
    where = {"report_id": report.id}
    assert visitor.get("reports.result", **where).shows("Nothing has been written down about this report yet")

    alert = session.query(Alert).filter_by(patient_id=anna.id).one()
    services.acknowledge(session, alert, alice, make.now() - timedelta(minutes=20))
    with writing(session):
        known = {"alert_id": alert.id, "written_by_id": alice.id, "text": "private words of the nurse"}
        written_at = make.now() - timedelta(minutes=10)
        session.add(AlertNote(kind=NoteKind.NOTE, written_at=written_at, **known))
        session.add(AlertNote(kind=NoteKind.CALL, call_outcome=CallOutcome.NO_ANSWER, written_at=written_at, **known))
        due_at = make.now() + timedelta(hours=1)
        session.add(CallBack(alert_id=alert.id, due_at=due_at, promised_at=written_at, promised_by_id=alice.id))
    page = visitor.get("reports.result", **where)
    assert page.shows("A nurse took this up")
    assert page.shows("A nurse rang, and nobody answered. Please call us")
    assert page.shows("A nurse plans to ring by this time")
    assert not page.shows("private words")
    assert not page.shows("Alice")

    with writing(session):
        planned = alert.call_backs[0]
        planned.ended_at, planned.end_kind, planned.ended_by_id = make.now(), CallBackEnd.DONE, alice.id
    services.resolve(session, alert, alice, Disposition.ADVICE_GIVEN, "Anna rests at home", make.now())
    page = visitor.get("reports.result", **where)
    assert page.shows("the planned call was made")
    assert page.shows("Your care team closed this today")
    assert not page.shows("rests at home")


def test_what_was_done_before_a_report_is_not_told_as_done_about_it(make, alice, session, pages):

    anna = make.patient("Anna", day=40)
    make.report(anna, ago=timedelta(hours=2), nausea="moderate")
    alert = session.query(Alert).filter_by(patient_id=anna.id).one()
    services.acknowledge(session, alert, alice, make.now() - timedelta(hours=1))
    later = make.report(anna, nausea="moderate")
    page = pages(make.account(anna)).get("reports.result", report_id=later.id)
    assert page.shows("looking after an earlier report"), page.text
    assert not page.shows("A nurse took this up")


@pytest.mark.database("sqlite")
def test_what_to_say_is_the_report_in_the_reporters_words(make):
    catalogue = make.ruleset.catalogue
    report = from_data(
        {
            "therapy": "car_t",
            "days_since_therapy": 5,
            "temperature_c": 38.6,
            "fever_reducer_taken": True,
            "symptoms": {"tiredness": "mild", "chills": "moderate", "headache": "none", "confusion": "severe"},
            "thinking_check": {"orientation": 1, "naming": 3, "command": 1, "writing": 1, "attention": 1},
        },
        catalogue,
    )
    day = datetime(2026, 11, 22, tzinfo=UTC).date()
    said = telling.to_say(report, catalogue, day, ["chills"])
    assert said[:4] == (
        "I had CAR T cells, the last dose on 17 November.",
        "My temperature is 38.6 °C (101.5 °F).",
        "I took a fever reducer in the 6 hours before.",
        "I have chills or shake with cold (moderate).",
    )
    assert "I am so confused that I cannot manage." in said
    assert not any("headache" in one.lower() for one in said)
    assert not any("thinking" in one.lower() for one in said)
    seen = telling.to_say(report, catalogue, day, about="Anna")
    assert seen[:3] == (
        "I am calling about Anna.",
        "They had CAR T cells, the last dose on 17 November.",
        "Their temperature is 38.6 °C (101.5 °F).",
    )
    assert not any(one.startswith("I ") for one in seen[1:])
    unknown = telling.to_say(from_data({"temperature_c": "unknown"}, catalogue), catalogue, day)
    assert unknown[0].startswith("I had an immune treatment for leukemia. I do not know the day")
    assert unknown[1] == "I could not measure the temperature."

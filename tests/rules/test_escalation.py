"""Who is told, step by step, as `response.yaml` says it: read, refused with its place, said in sentences."""
# ruff: noqa: E501 (tables of mistakes)

from __future__ import annotations

import json
from datetime import date, time, timedelta

import pytest

from tests.rules.test_loading import marked
from tests.rules.written_rules import FILES, mistakes
from triage.paths import folder
from triage.rules import checks, wording
from triage.rules.loading import from_document, load, load_texts
from triage.rules.ruleset import QuietHours, Reminder, Step
from triage.rules.urgency import Urgency

BEFORE_THE_SECTION = "sha256:7eae1a772f51ea7628ad34e82fd3ab08a8f4fe138656a64922dd8ee80708bfce"
"""Of the small files of these tests, told by the program before there was an `escalation`."""

ESCALATION = """\
escalation:
  emergency:
    - {after: at_once, tell: on_call, by: [sms, mail]}
    - {after: 10 min, tell: everybody, by: [sms, mail], repeat_every: 5 min}
  urgent:
    - {after: at_once, tell: nurses, by: [mail]}
    - {after: 30 min, tell: everybody, by: [sms], repeat_every: 10 min}
  soon:
    - {after: 12 h, tell: nurses, by: [mail], quiet_hours: 20:00-07:00}
"""
RESPONSE = FILES["rules/response.yaml"] + ESCALATION


def test_the_steps_are_part_of_the_ruleset_and_of_its_hash():
    ruleset = load_texts(FILES | {"rules/response.yaml": RESPONSE})
    assert ruleset.response.escalation[Urgency.EMERGENCY] == (
        Step(timedelta(), "on_call", ("sms", "mail")),
        Step(timedelta(minutes=10), "everybody", ("sms", "mail"), repeat_every=timedelta(minutes=5)),
    )
    (soon,) = ruleset.response.escalation[Urgency.SOON]
    assert soon.quiet_hours == QuietHours(time(20), time(7))
    again = from_document(ruleset.document)
    assert (again.hash, again.response) == (ruleset.hash, ruleset.response)
    later = load_texts(FILES | {"rules/response.yaml": RESPONSE.replace("10 min, tell", "11 min, tell")})
    assert later.hash != ruleset.hash


def test_a_ruleset_stored_before_there_were_steps_loads_with_the_hash_it_had():
    stored = load_texts(FILES).document
    assert "escalation" not in json.loads(stored)["response"]
    again = from_document(stored)
    assert again.hash == BEFORE_THE_SECTION
    assert again.response.escalation == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("tell: on_call", "tell: ‸on_cal", ['unknown word "on_cal" — did you mean "on_call"?; one of on_call, nurses, administrators, everybody, patient, caregivers']),
        ("by: [mail]}", "by: [‸mial]}", ['unknown word "mial" — did you mean "mail"?; one of sms, mail, teams, slack, pagerduty, webhook']),
        ("by: [mail]}", "by: [mail, ‸mail]}", ["“mail” stands twice"]),
        ("by: [mail]}", "‸by: []}", ["name at least one channel, for example [sms, mail]"]),
        ("{after: at_once, tell: on_call", "{‸aftr: at_once, tell: on_call", ["7:7: “after” is missing", 'unknown word “aftr” — did you mean "after"?']),
        ("after: 12 h", "after: ‸soon", ["“soon” is no span of time; write “at_once” or “5 min”"]),
        ("after: 30 min", "after: ‸9 min", ["must not be earlier than the last step of an emergency"]),
        ("repeat_every: 10 min", "repeat_every: ‸4 min", ["must not repeat more often than an emergency does"]),
        ("repeat_every: 10 min", "repeat_every: ‸often", ["“often” is no span of time; write for example “5 min”, “24 h” or “2 d”"]),
        ("{after: at_once, tell: nurses", "{after: ‸2 min, tell: nurses", ["the first step comes “at_once”"]),
        ("20:00-07:00", "‸20-7", ["“20-7” is no part of a day; write for example “22:00-07:00”"]),
        ("by: [sms], repeat", "by: [sms], ‸quiet_hours: 20:00-07:00, repeat", ["there are no quiet hours for what is urgent"]),
        (", repeat_every: 10 min", "", ["11:7: the last step needs “repeat_every: 10 min”: it goes on until somebody answers"]),
        ("tell: everybody, by: [sms],", "tell: ‸patient, by: [sms],", ["the first and the last step tell staff"]),
        ("tell: nurses, by: [mail], quiet", "tell: patient, by: [‸slack], quiet", ["“slack” does not reach one person: a room of staff reads it"]),
        ("  soon:\n", "  ‸son:\n", ['unknown word “son” — did you mean "soon"?']),
        ("  soon:\n", "    - {after: ‸20 min, tell: nurses, by: [mail], repeat_every: 10 min}\n  soon:\n", ["11:51: only the last step repeats: those after it would drown", "must not be earlier than the step before it"]),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_its_place_and_the_nearest_word(old, new, expected):
    assert old in RESPONSE
    text, wanted = marked("rules/response.yaml", RESPONSE.replace(old, new, 1), expected)
    assert mistakes(FILES | {"rules/response.yaml": text}) == wanted


def test_every_shipped_step_can_be_read_as_a_sentence():
    said = wording.escalation_sentences(load(folder("rules")).response)
    assert list(said) == [Urgency.EMERGENCY, Urgency.URGENT, Urgency.SOON]
    assert said[Urgency.URGENT][2] == "After 15 minutes: the nurses of the team, by SMS, else by mail"
    assert said[Urgency.URGENT][-1].endswith("again every 10 minutes until somebody acknowledges")


@pytest.mark.parametrize(("hour", "quiet"), [(19, False), (20, True), (23, True), (3, True), (7, False)])
def test_quiet_hours_pass_midnight(hour, quiet):
    assert QuietHours(time(20), time(7)).contains(time(hour)) is quiet


REMINDERS = """\
reminders:
  - {before: 90 min, tell: patient, by: [sms, mail], quiet_hours: 22:00-07:00}
  - {before: 45 min, tell: caregivers, by: [mail]}
"""
REMINDED = FILES["rules/response.yaml"] + REMINDERS


def test_reminders_are_part_of_the_ruleset_and_of_its_hash():
    ruleset = load_texts(FILES | {"rules/response.yaml": REMINDED})
    assert ruleset.response.reminders == (
        Reminder(timedelta(minutes=90), "patient", ("sms", "mail"), QuietHours(time(22), time(7))),
        Reminder(timedelta(minutes=45), "caregivers", ("mail",)),
    )
    again = from_document(ruleset.document)
    assert (again.hash, again.response) == (ruleset.hash, ruleset.response)
    assert load_texts(FILES | {"rules/response.yaml": REMINDED.replace("45 min", "44 min")}).hash != ruleset.hash
    older = from_document(load_texts(FILES).document)
    assert (older.hash, older.response.reminders) == (BEFORE_THE_SECTION, ())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("tell: patient", "tell: ‸nurses", ['unknown word "nurses"; one of patient, caregivers']),
        ("by: [mail]}", "by: [‸slack]}", ['unknown word "slack"; one of sms, mail']),
        ("by: [mail]}", "‸by: []}", ["name at least one channel, for example [sms, mail]"]),
        ("by: [mail]}", "by: [mail, ‸mail]}", ["“mail” stands twice"]),
        ("before: 90 min", "before: ‸soon", ["“soon” is no span of time; write for example “5 min”, “24 h” or “2 d”"]),
        ("before: 45 min", "before: ‸2 h", ["must not come before the reminder above it"]),
        ("22:00-07:00", "‸22-7", ["“22-7” is no part of a day; write for example “22:00-07:00”"]),
    ],
)  # fmt: skip
def test_a_slip_in_a_reminder_is_told_with_its_place(old, new, expected):
    assert old in REMINDED
    text, wanted = marked("rules/response.yaml", REMINDED.replace(old, new, 1), expected)
    assert mistakes(FILES | {"rules/response.yaml": text}) == wanted


def test_the_shipped_reminders_can_be_read_as_sentences():
    assert wording.reminder_sentences(load(folder("rules")).response) == [
        "90 minutes before a missed report becomes an alert: the patient, by SMS, else by mail; "
        "from 22:00 to 07:00 it waits where that alert would be soon",
        "45 minutes before a missed report becomes an alert: the caregivers, by SMS, else by mail; "
        "from 22:00 to 07:00 it waits where that alert would be soon",
    ]


def test_a_reminder_that_would_follow_each_report_at_once_is_refused():
    """Before the alert by longer than the silence itself lasts, the grace included."""
    silent = """\
- id: a-day
  title: No report for a day
  urgency: urgent
  when: {silent_for: 24h}
  why: They may be too ill.
  advice: Call.
  source: leaflet
  cases: {fires: [{silent_for: 24h}], stays_quiet: [{silent_for: 23h}]}
"""
    for before, refused in (("25 h", False), ("26 h", True)):
        text = REMINDED.replace("before: 90 min", f"before: {before}")
        ruleset = load_texts(FILES | {"rules/response.yaml": text, "rules/silence.yaml": silent})
        found = [one for one in checks.run(ruleset, date(2026, 11, 1)) if one.check == "reminds-too-soon"]
        assert bool(found) is refused
        assert all(one.error and str(one.place).startswith("rules/silence.yaml:1:") for one in found)

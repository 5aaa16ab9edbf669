"""Reading the data form: every mistake named, nothing guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.rules.strategies import CATALOGUE
from triage.rules.catalogue import Presence, Severity
from triage.rules.report import (
    UNKNOWN,
    BadReport,
    celsius_to_fahrenheit,
    fahrenheit_to_celsius,
    from_data,
    plain,
    read_number,
    to_data,
)


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ([], "report", "one JSON object"),
        ({"patient": 7}, "patient", "must be text"),
        ({"reporter": "nurs"}, "reporter", 'did you mean "nurse"?'),
        ({"therapy": "car-t"}, "therapy", 'did you mean "car_t"?'),
        ({"days_since_therapy": 1.5}, "days_since_therapy", "whole number"),
        ({"days_since_therapy": True}, "days_since_therapy", "whole number"),
        ({"days_since_therapy": -1}, "days_since_therapy", "from 0"),
        ({"thinking_check_baseline": 11}, "thinking_check_baseline", "from 0 to 10"),
        ({"reported_at": "yesterday"}, "reported_at", "with its zone"),
        ({"reported_at": "2026-03-02T08:00:00"}, "reported_at", "with its zone"),
        ({"reported_at": "0001-01-01T00:00:00+14:00"}, "reported_at", "with its zone"),
        ({"temperature_c": 98.6}, "temperature_c", "looks like °F"),
        ({"temperature_c": 12}, "temperature_c", "from 30 to 45"),
        ({"temperature_c": "38.4"}, "temperature_c", "must be a number"),
        ({"temperature_c": True}, "temperature_c", "must be a number"),
        ({"temperature_c": float("inf")}, "temperature_c", "must be a number"),
        ({"fever_reducer_taken": "perhaps"}, "fever_reducer_taken", "true, false"),
        ({"symptoms": ["chills"]}, "symptoms", "must be an object"),
        ({"symptoms": {"chils": "mild"}}, "symptoms.chils", 'did you mean "chills"?'),
        ({"symptoms": {"chills": "yes"}}, "symptoms.chills", "one of none, mild"),
        ({"symptoms": {"seizure": "mild"}}, "symptoms.seizure", "one of no, yes"),
        ({"thinking_check": 7}, "thinking_check", "the points of each item"),
        ({"thinking_check": {"namin": 3}}, "thinking_check.namin", 'did you mean "naming"?'),
        ({"thinking_check": {"naming": 4}}, "thinking_check.naming", "from 0 to 3"),
        ({"measured": 84}, "measured", "must be an object"),
        ({"measured": {"puls": 84}}, "measured.puls", 'did you mean "pulse"?'),
        ({"measured": {"oxygen_percent": 140}}, "measured.oxygen_percent", "from 30 to 100"),
        ({"note": "x" * 5000}, "note", "at most 4000"),
        ({"temprature_c": 38}, "temprature_c", 'did you mean "temperature_c"?'),
    ],
)
def test_mistakes_are_named(data, field, words):
    with pytest.raises(BadReport) as caught:
        from_data(data, CATALOGUE)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert words in str(caught.value)


def test_all_mistakes_come_at_once():
    with pytest.raises(BadReport) as caught:
        from_data({"therapy": "x", "days_since_therapy": -1, "symptoms": {"y": "z"}}, CATALOGUE)
    assert len(caught.value.problems) == 3


def test_null_is_not_asked_and_unknown_is_unknown():
    report = from_data(
        {"therapy": "unknown", "days_since_therapy": "unknown", "temperature_c": "unknown", "on_steroids": None,
         "symptoms": {"chills": "unknown", "seizure": True}, "measured": {"pulse": None, "systolic_mmhg": "unknown"},
         "thinking_check": {"naming": "unknown", "command": 1}},
        CATALOGUE,
    )  # fmt: skip
    assert (report.therapy, report.days_since_therapy, report.on_steroids) == (None, None, None)
    assert report.temperature_c is UNKNOWN
    assert dict(report.symptoms) == {"chills": UNKNOWN, "seizure": Presence.YES}
    assert dict(report.measured) == {"systolic_mmhg": UNKNOWN}
    assert dict(report.thinking_check.points) == {"command": 1}
    assert from_data(to_data(report), CATALOGUE) == report


def test_whole_readings_stay_whole_and_words_keep_their_scale():
    report = from_data({"temperature_c": 38, "symptoms": {"chills": "very_severe", "seizure": False}}, CATALOGUE)
    assert to_data(report)["temperature_c"] == 38
    assert dict(report.symptoms) == {"chills": Severity.VERY_SEVERE, "seizure": Presence.NO}


@pytest.mark.parametrize(
    ("typed", "number"),
    [("38.4", "38.4"), ("38,4", "38.4"), (" 38,4 °C ", "38.4"), ("101 F", "101"), ("+37", "37"),
     ("", None), ("hot", None), ("38.4.1", None), ("38 4", None), ("NaN", None), ("1e9", None)],
)  # fmt: skip
def test_numbers_as_people_type_them(typed, number):
    assert read_number(typed) == (None if number is None else Decimal(number))


def test_fahrenheit_and_celsius():
    assert fahrenheit_to_celsius(Decimal("100.4")) == Decimal("38.00")
    assert celsius_to_fahrenheit(Decimal("38.0")) == Decimal("100.4")
    assert [plain(Decimal(text)) for text in ("38.40", "38.00", "38")] == ["38.4", "38.0", "38"]

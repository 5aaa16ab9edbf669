"""The one data form of a report: what each field takes, what it refuses, and that nothing is lost on the way."""

# ruff: noqa: E501 (tables)
from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.strategies import CATALOGUE, reports
from triage.rules.catalogue import Presence, Severity
from triage.rules.report import (
    UNKNOWN,
    BadReport,
    Report,
    celsius_to_fahrenheit,
    fahrenheit_to_celsius,
    from_data,
    plain,
    read_number,
    to_data,
)


def problems(data: object) -> list[str]:
    with pytest.raises(BadReport) as bad:
        from_data(data, CATALOGUE)
    return [str(problem) for problem in bad.value.problems]


def test_what_is_missing_null_unknown_and_none_are_kept_apart() -> None:
    report = from_data({"symptoms": {"chills": "none", "nausea": "unknown"}, "temperature_c": None}, CATALOGUE)

    assert dict(report.symptoms) == {"chills": Severity.NONE, "nausea": UNKNOWN}
    assert report.temperature_c is None
    assert from_data({"temperature_c": "unknown"}, CATALOGUE).temperature_c is UNKNOWN
    assert from_data({}, CATALOGUE) == Report()


def test_null_means_not_asked_everywhere() -> None:
    data = {"symptoms": {"chills": None}, "measured": {"pulse": None}, "thinking_check": {"naming": 3, "writing": None}}

    report = from_data(data, CATALOGUE)

    assert (dict(report.symptoms), dict(report.measured)) == ({}, {})
    assert report.thinking_check
    assert dict(report.thinking_check.points) == {"naming": 3}


@pytest.mark.parametrize("word", [None, "unknown"])
def test_an_unknown_therapy_or_day_is_none_of_them(word: str | None) -> None:
    report = from_data({"therapy": word, "days_since_therapy": word}, CATALOGUE)

    assert (report.therapy, report.days_since_therapy) == (None, None)


@pytest.mark.parametrize(("word", "answer"), [(True, Presence.YES), (False, Presence.NO), ("yes", Presence.YES), ("no", Presence.NO), ("unknown", UNKNOWN)])  # fmt: skip
def test_yes_and_no_may_be_words_or_truth_values(word: object, answer: object) -> None:
    report = from_data({"on_steroids": word, "symptoms": {"fainting": word}}, CATALOGUE)

    assert (report.on_steroids, report.symptoms["fainting"]) == (answer, answer)


def test_whole_readings_stay_whole() -> None:
    assert to_data(from_data({"temperature_c": 38, "measured": {"pulse": 84}}, CATALOGUE)) == {
        "therapy": None,
        "days_since_therapy": None,
        "temperature_c": 38,
        "measured": {"pulse": 84},
    }


def test_times_are_kept_in_utc() -> None:
    report = from_data({"reported_at": "2026-03-02T08:00:00+02:00"}, CATALOGUE)

    assert report.reported_at == datetime(2026, 3, 2, 6, tzinfo=UTC)


def test_an_abandoned_check_and_one_without_any_answer_are_the_same() -> None:
    words = [
        from_data({"thinking_check": data}, CATALOGUE).thinking_check
        for data in ("abandoned", {}, {"naming": "unknown"})
    ]

    assert [check.abandoned for check in words if check] == [True, True, True]


REFUSED = [
    ([], 'report: must be one JSON object, for example {"therapy": "car_t", …}'),
    ({"patient": 7}, "patient: must be text"),
    ({"patient": "a\x00"}, "patient: holds a character that cannot be stored"),
    ({"note": "\ud800"}, "note: holds a character that cannot be stored"),
    ({"note": "x" * 4001}, "note: must be at most 4000 characters"),
    ({"therapy": 7}, 'therapy: unknown therapy "7"'),
    ({"therapy": "cart"}, 'therapy: unknown therapy "cart" — did you mean "car_t"?'),
    ({"days_since_therapy": -1}, "days_since_therapy: must be from 0 to 36525, not -1"),
    ({"days_since_therapy": 5.0}, "days_since_therapy: must be a whole number from 0 to 36525"),
    ({"days_since_therapy": True}, "days_since_therapy: must be a whole number from 0 to 36525"),
    ({"reporter": "nurs"}, 'reporter: unknown reporter "nurs" — did you mean "nurse"?; one of patient, caregiver, nurse'),
    ({"reported_at": "yesterday"}, "reported_at: must be a time with its zone, for example 2026-03-02T08:00:00+00:00"),
    ({"reported_at": 7}, "reported_at: must be a time with its zone, for example 2026-03-02T08:00:00+00:00"),
    ({"reported_at": "0001-01-01T00:00:00+23:00"}, "reported_at: must be a time with its zone, for example 2026-03-02T08:00:00+00:00"),
    ({"temperature_c": "38.4"}, 'temperature_c: must be a number from 30 to 45, or "unknown"'),
    ({"temperature_c": True}, 'temperature_c: must be a number from 30 to 45, or "unknown"'),
    ({"temperature_c": float("nan")}, 'temperature_c: must be a number from 30 to 45, or "unknown"'),
    ({"temperature_c": 29.9}, "temperature_c: must be from 30 to 45, not 29.9"),
    ({"temperature_c": 45.1}, "temperature_c: must be from 30 to 45, not 45.1"),
    ({"temperature_c": 98.6}, "temperature_c: 98.6 looks like °F; this field is in °C (it would be 37.0 °C)"),
    ({"temperature_c": 12}, "temperature_c: must be from 30 to 45, not 12"),
    ({"temperature_c": float("inf")}, 'temperature_c: must be a number from 30 to 45, or "unknown"'),
    ({"fever_reducer_taken": "perhaps"}, 'fever_reducer_taken: must be true, false or "unknown"'),
    ({"thinking_check": 7}, 'thinking_check: must be "abandoned", "declined" or the points of each item, for example {"orientation": 4, …}'),
    ({"on_steroids": "maybe"}, 'on_steroids: must be true, false or "unknown"'),
    ({"on_steroids": 1}, 'on_steroids: must be true, false or "unknown"'),
    ({"symptoms": ["chills"]}, 'symptoms: must be an object, for example {"chills": "mild"}'),
    ({"symptoms": {"chils": "mild"}}, 'symptoms.chils: unknown symptom "chils" — did you mean "chills"?'),
    ({"symptoms": {"chills": "Mild"}}, 'symptoms.chills: "Mild" is no answer to chills — did you mean "mild"?; one of none, mild, moderate, severe, very_severe, unknown'),
    ({"symptoms": {"fainting": "mild"}}, 'symptoms.fainting: "mild" is no answer to fainting; one of no, yes, unknown'),
    ({"thinking_check": "left"}, 'thinking_check: must be "abandoned", "declined" or the points of each item, for example {"orientation": 4, …}'),
    ({"thinking_check": {"naming": 4}}, "thinking_check.naming: must be from 0 to 3, not 4"),
    ({"thinking_check": {"name": 1}}, 'thinking_check.name: unknown item "name" — did you mean "naming"?'),
    ({"thinking_check_baseline": 11}, "thinking_check_baseline: must be from 0 to 10, not 11"),
    ({"measured": 84}, 'measured: must be an object, for example {"pulse": 84}'),
    ({"measured": {"puls": 84}}, 'measured.puls: unknown quantity "puls" — did you mean "pulse"?'),
    ({"measured": {"pulse": 0}}, "measured.pulse: must be from 20 to 300, not 0"),
    ({"measured": {"oxygen_percent": 101}}, "measured.oxygen_percent: must be from 30 to 100, not 101"),
    ({"temprature_c": 38}, 'temprature_c: unknown field "temprature_c" — did you mean "temperature_c"?'),
]  # fmt: skip


@pytest.mark.parametrize(("data", "problem"), REFUSED, ids=[f"{d[0]!a:.60}" for d in REFUSED])
def test_what_is_misspelt_or_out_of_range_is_no_report(data: object, problem: str) -> None:
    assert problems(data) == [problem]


def test_every_problem_is_named() -> None:
    assert len(problems({"therapy": "x", "symptoms": {"a": "mild", "chills": "b"}, "measured": {"pulse": 1}})) == 4


@given(reports())
def test_a_report_survives_its_data_form(report: Report) -> None:
    data = to_data(report)

    again = from_data(json.loads(json.dumps(data)), CATALOGUE)

    assert to_data(again) == data
    assert again == report


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["unknown", "chills"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.sampled_from(["chills", "pulse"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
FIELDS = ["patient", "therapy", "days_since_therapy", "reported_at", "reporter", "temperature_c", "on_steroids", "symptoms",
          "thinking_check", "thinking_check_baseline", "measured", "note", "other"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4) | anything)
def test_anything_is_a_report_or_named_problems(data: Any) -> None:
    try:
        report = from_data(data, CATALOGUE)
    except BadReport as bad:
        named = bad.problems
    else:
        to_data(report)
        return
    assert named


@pytest.mark.parametrize(
    ("fahrenheit", "celsius"), [("100.4", "38.00"), ("98.6", "37.00"), ("86", "30.00"), ("113", "45.00"), ("101.3", "38.50")]
)  # fmt: skip
def test_degrees_there_and_back(fahrenheit: str, celsius: str) -> None:
    assert fahrenheit_to_celsius(Decimal(fahrenheit)) == Decimal(celsius)
    assert celsius_to_fahrenheit(Decimal(celsius)) == Decimal(fahrenheit)


@pytest.mark.parametrize(
    ("typed", "number"),
    [("38.4", "38.4"), ("38,4", "38.4"), (" 38,4 °C ", "38.4"), ("101.1F", "101.1"), ("-1", "-1"), ("", None), ("38.4.1", None), ("101 F", "101"), ("+37", "37"), ("38 4", None), ("fever", None), ("1e3", None), ("nan", None)],
)  # fmt: skip
def test_numbers_as_people_type_them(typed: str, number: str | None) -> None:
    assert read_number(typed) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(("number", "shown"), [("38.40", "38.4"), ("38.00", "38.0"), ("38", "38"), ("1E+2", "100")])
def test_numbers_are_shown_without_needless_zeros(number: str, shown: str) -> None:
    assert plain(Decimal(number)) == shown


def test_a_check_that_was_declined_is_another_thing_than_one_that_was_given_up() -> None:
    declined, given_up = (from_data({"thinking_check": word}, CATALOGUE) for word in ("declined", "abandoned"))
    assert declined.thinking_check is not None
    assert (declined.thinking_check.declined, declined.thinking_check.finished) == (True, False)
    assert (to_data(declined)["thinking_check"], to_data(given_up)["thinking_check"]) == ("declined", "abandoned")


def test_what_was_answered_in_the_check_is_kept_as_text_and_left_out_where_nothing_was() -> None:
    data = {"thinking_check_answers": {"year": "2026", "town": "Leeds"}}
    assert to_data(from_data(data, CATALOGUE))["thinking_check_answers"] == data["thinking_check_answers"]
    assert "thinking_check_answers" not in to_data(from_data({}, CATALOGUE))
    for wrong in (["2026"], {"year": 2026}, {"year": "2" * 4001}):
        with pytest.raises(BadReport):
            from_data({"thinking_check_answers": wrong}, CATALOGUE)

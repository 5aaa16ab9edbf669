"""The drawings of a record: what they show is asked through their tables, where it stands through their marks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from triage.paths import folder
from triage.reports.charts import FEVER_LINE, MOST_DAYS, Sent, Span, weeks
from triage.rules.loading import load
from triage.rules.report import UNKNOWN, Report, ThinkingCheck, from_data
from triage.rules.urgency import Urgency

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY_ZERO = date(2026, 3, 1)
CATALOGUE = load(folder("rules")).catalogue
FULL = {"orientation": 4, "naming": 3, "command": 1, "writing": 1, "attention": 1}


def sent(day, *, hour=8, by="Anna (patient)", role="patient", urgency=Urgency.ROUTINE, **answers):
    """A report on that day of the course, at that hour UTC."""
    at = datetime(2026, 3, 1, hour, tzinfo=UTC) + timedelta(days=day)
    symptoms = answers.pop("symptoms", {})
    data = {"therapy": "car_t", "days_since_therapy": day, "symptoms": symptoms, **answers}
    return Sent(at, by, role, urgency, from_data(data, CATALOGUE))


def drawn(*reports, silences=(), alerts=(), since=datetime(2026, 3, 1, tzinfo=UTC), zone="Europe/London"):
    return weeks(
        reports,
        silences,
        alerts,
        CATALOGUE,
        since=since,
        now=NOW,
        zone=zone,
        day_number=lambda on: (on - DAY_ZERO).days if on >= DAY_ZERO else None,
    )


def kinds(curve):
    return [(mark.kind, mark.text) for mark in curve.marks]


def row(grid, label):
    return {each.label: [cell.sign for cell in each.cells] for each in grid.rows}[label]


def test_a_temperature_stands_in_both_units_and_fever_has_its_own_shape():
    curve = drawn(sent(17, temperature_c=37.9), sent(18, temperature_c=38.0), sent(19, temperature_c=38.6)).temperature

    assert [cells[2] for cells in curve.table.rows] == [
        "38.6 °C (101.5 °F)",
        "38.0 °C (100.4 °F)",
        "37.9 °C (100.2 °F)",
    ]
    assert kinds(curve) == [("in", ""), ("out", "38.0"), ("out", "38.6")]
    assert curve.limit.text == "38.0 °C (100.4 °F)"
    assert curve.marks[1].y == curve.limit.y, "a reading of exactly 38.0 °C stands on the line"
    assert curve.marks[0].y > curve.limit.y > curve.marks[2].y
    assert "3 of 3 reports give a temperature, 2 of 38.0 °C (100.4 °F) or more" in curve.summary


def test_what_was_not_measured_is_a_sign_of_its_own_and_no_line_is_drawn_across_it():
    curve = drawn(
        sent(15, temperature_c=36.6),
        sent(16, temperature_c="unknown"),
        sent(17, temperature_c=36.7),
        sent(18),
        sent(19, temperature_c=36.8),
    ).temperature

    assert kinds(curve) == [("in", ""), ("sign", "?"), ("in", ""), ("sign", "·"), ("in", "")]
    assert [cells[2] for cells in curve.table.rows][1::2] == ["not asked", "not measured"]
    assert len(curve.lines) == 3


def test_no_line_is_drawn_across_a_missed_day():
    assert len(drawn(sent(15, temperature_c=36.6), sent(16, temperature_c=36.6)).temperature.lines) == 1
    assert len(drawn(sent(15, temperature_c=36.6), sent(17, temperature_c=36.6)).temperature.lines) == 2


def test_a_report_that_cannot_be_read_is_drawn_as_such():
    broken = Sent(datetime(2026, 3, 19, 8, tzinfo=UTC), "Anna (patient)", "patient", None, None)
    found = drawn(broken)

    assert kinds(found.temperature) == kinds(found.thinking) == [("sign", "×")]
    assert found.temperature.table.rows[0][2:] == ("the report cannot be read", "cannot be read")
    assert row(found.symptoms, "Most urgent result")[-2] == "?"
    assert found.timeline.marks[0].text == "?"


@pytest.mark.parametrize(
    ("taken", "sign", "words"),
    [
        (True, [("reducer", "")], "fever reducer taken"),
        (False, [], "no fever reducer"),
        ("unknown", [("sign", "?")], "not known whether a fever reducer was taken"),
        (None, [], "fever reducer not asked"),
    ],
)
def test_fever_reducers_are_marked_and_not_known_is_not_no(taken, sign, words):
    curve = drawn(sent(19, temperature_c=37.0, fever_reducer_taken=taken)).temperature
    assert kinds(curve)[1:] == sign
    assert curve.table.rows[0][3] == words


def test_the_scale_grows_with_the_readings():
    curve = drawn(sent(18, temperature_c=41.3), sent(19, temperature_c=34.8)).temperature
    assert (curve.ticks[0].text, curve.ticks[-1].text) == ("34 °C / 93.2 °F", "42 °C / 107.6 °F")
    assert all(0 < mark.y < curve.bottom for mark in curve.marks)


def test_times_are_those_of_the_team():
    late = sent(18, hour=23, temperature_c=36.6)
    assert drawn(late, zone="Europe/London").temperature.table.rows[0][0] == "Thu 19 Mar, 23:00"
    assert drawn(late, zone="Europe/Berlin").temperature.table.rows[0][0] == "Fri 20 Mar, 00:00"
    assert row(drawn(late, zone="Europe/London").symptoms, "Most urgent result")[18:] == ["R", ""]
    assert row(drawn(late, zone="Europe/Berlin").symptoms, "Most urgent result")[18:] == ["–", "R"]


def test_symptoms_stand_by_day_with_a_sign_for_every_kind_of_answer():
    found = drawn(
        sent(14, symptoms={"chills": "none", "fainting": "no", "headache": "none"}),
        sent(15, symptoms={"chills": "moderate", "headache": "none"}),
        sent(16, symptoms={"chills": "unknown", "headache": "none"}),
        sent(17, symptoms={"fainting": "yes"}),
        sent(19, symptoms={"chills": "very_severe"}),
    ).symptoms

    assert row(found, "Chills")[14:] == ["0", "2", "?", "·", "–", "4"]
    assert row(found, "Fainting")[14:18] == ["N", "·", "·", "Y"]
    assert found.denied == ("headache",)


def test_the_worst_answer_of_a_day_counts_and_doubt_beside_it_stays_in_sight():
    def of_day(*answers):
        reports = [sent(19, hour=7 + index, symptoms={"chills": answer}) for index, answer in enumerate(answers)]
        return row(drawn(*reports, sent(18, symptoms={"chills": "mild"})).symptoms, "Chills")[19]

    assert of_day("severe", "mild") == "3"
    assert of_day("mild", "unknown") == "1?"
    assert of_day("none", "unknown") == "?", "unknown is never none"


def test_the_most_urgent_result_of_each_day_is_a_row():
    found = drawn(sent(19, urgency=Urgency.URGENT), sent(19, hour=10, urgency=Urgency.ROUTINE)).symptoms
    assert row(found, "Most urgent result")[18:] == ["–", "U"]


def test_a_thinking_check_is_held_against_the_persons_own_baseline():
    report = {"thinking_check_baseline": 9}
    curve = drawn(
        sent(16, thinking_check=FULL, **report),
        sent(17, thinking_check=FULL | {"naming": 2}, **report),
        sent(18, thinking_check=FULL | {"naming": 0, "writing": 0}, **report),
        sent(19, thinking_check="abandoned", **report),
    ).thinking

    assert kinds(curve) == [("in", ""), ("in", ""), ("out", "6"), ("sign", "!")]
    assert [cells[2] for cells in curve.table.rows] == [
        "begun and not finished",
        "6 of 10",
        "9 of 10",
        "10 of 10",
    ]
    assert curve.limit.text == "own baseline 9"
    assert curve.table.rows[0][3] == "9 of 10"


def test_without_a_baseline_on_file_a_thinking_check_is_held_against_full_points_and_it_is_said():
    curve = drawn(sent(19, thinking_check=FULL | {"naming": 2})).thinking
    assert kinds(curve) == [("out", "9")]
    assert curve.limit.text == "no own baseline"
    assert curve.table.rows[0][3] == "not on file"


def test_an_item_that_was_skipped_makes_a_check_unfinished_not_low():
    report = Report(thinking_check=ThinkingCheck({"orientation": 4}), temperature_c=UNKNOWN)
    skipped = Sent(datetime(2026, 3, 19, 8, tzinfo=UTC), "Anna (patient)", "patient", Urgency.SOON, report)
    assert kinds(drawn(skipped).thinking) == [("sign", "!")]


def test_reports_silence_and_alerts_stand_on_one_timeline():
    silent = Span(sent(15).at, sent(18).at, Urgency.URGENT)
    alert = Span(sent(17).at, None, Urgency.URGENT)
    line = drawn(
        sent(15),
        sent(18, by="Cora (caregiver)", role="caregiver", urgency=Urgency.EMERGENCY),
        silences=[silent],
        alerts=[alert],
    ).timeline

    assert [lane.text for lane in line.lanes] == ["Patient reported", "Caregiver reported", "Silence", "Alert"]
    assert [(mark.text, mark.kind) for mark in line.marks] == [("R", "routine"), ("E", "emergency")]
    assert [bar.kind for bar in line.bars] == ["silence", "urgent"]
    assert line.table.rows == (
        ("Thu 19 Mar, 08:00", "Report, emergency", "Cora (caregiver)"),
        ("Wed 18 Mar, 08:00", "Alert, urgent, not resolved", "the system"),
        ("Mon 16 Mar, 08:00", "Report, routine", "Anna (patient)"),
        ("Mon 16 Mar, 08:00", "Silence (urgent), until Thu 19 Mar, 08:00", "the system"),
    )


def test_the_most_urgent_mark_is_drawn_over_the_others():
    line = drawn(sent(19, urgency=Urgency.URGENT), sent(19, hour=9), sent(19, hour=10, urgency=Urgency.SOON)).timeline
    assert [mark.text for mark in line.marks] == ["R", "S", "U"]


def test_a_day_without_a_report_is_missed_only_when_one_was_awaited():
    days = drawn(sent(18), since=datetime(2026, 3, 17, tzinfo=UTC)).days
    assert [(day.date.day, day.missed, day.label) for day in days] == [
        (14, False, "13"),
        (15, False, "14"),
        (16, False, "15"),
        (17, True, "16"),
        (18, True, "17"),
        (19, False, "18"),
        (20, False, "19"),
    ], "nothing is missed before the enrolment, and today is not over"


def test_three_weeks_are_shown_and_never_more():
    long_ago = datetime(2025, 12, 1, tzinfo=UTC)
    found = drawn(Sent(long_ago, "Anna (patient)", "patient", Urgency.URGENT, Report()), sent(19, temperature_c=36.6))
    assert len(found.days) == MOST_DAYS
    assert len(found.temperature.table.rows) == 1


def test_a_patient_without_any_report_has_empty_drawings():
    found = drawn()
    assert not found.temperature.marks
    assert found.temperature.summary.startswith("0 of 0 reports")
    assert [each.label for each in found.symptoms.rows] == ["Most urgent result"]
    assert Decimal("38.0") == FEVER_LINE

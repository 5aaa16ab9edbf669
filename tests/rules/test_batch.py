"""Files of reports: every line answered or named, whatever is in it."""

from __future__ import annotations

import io
import json

import pytest

from triage.paths import folder
from triage.rules import batch
from triage.rules.loading import load

REPORT = {"therapy": "car_t", "days_since_therapy": 5, "temperature_c": 38.4}


@pytest.fixture(scope="module")
def ruleset():
    return load(folder("rules"))


def judged(ruleset, text):
    raw = text if isinstance(text, bytes) else text.encode()
    answers = list(batch.assess_lines(ruleset, io.BytesIO(raw)))
    return [json.loads(a)["urgency"] if isinstance(a, bytes) else str(a) for a in answers]


def lines(*reports):
    return "\n".join(json.dumps(report) for report in reports)


def test_one_line_one_answer(ruleset):
    assert judged(ruleset, lines(REPORT, REPORT)) == ["urgent", "urgent"]


@pytest.mark.parametrize("text", [json.dumps(REPORT, indent=1), json.dumps([REPORT]), json.dumps([REPORT], indent=2)])
def test_one_value_over_several_lines_or_a_list(text, ruleset):
    assert judged(ruleset, text) == ["urgent"]


def test_byte_order_marks_windows_lines_and_blank_lines(ruleset):
    text = b"\xef\xbb\xbf" + lines(REPORT).encode() + b"\r\n\r\n" + lines(REPORT).encode() + b"\r\n"
    assert judged(ruleset, text) == ["urgent", "urgent"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("nonsense", "is no JSON"),
        ('{"therapy": NaN}', "NaN"),
        ('{"therapy": "car_t", "therapy": "bite"}', "twice"),
        ("[" * 100_000, "is no JSON"),
        ("7", "must be one JSON object"),
        ('{"patients": "A"}', 'did you mean "patient"?'),
    ],
)
def test_a_bad_line_is_named_and_the_next_is_answered(bad, words, ruleset):
    answers = judged(ruleset, f"{lines(REPORT)}\n{bad}\n{lines(REPORT)}")

    assert (answers[0], answers[-1]) == ("urgent", "urgent")
    assert any(answer.startswith("line 2: ") and words in answer for answer in answers[1:-1]), answers


def test_bytes_that_are_no_text(ruleset):
    (answer,) = judged(ruleset, b"\xff\xfe\n")
    assert answer.startswith("line 1: ")


def test_earlier_lines_of_a_patient_are_its_history_and_others_are_not(ruleset):
    def report(patient, day, nausea):
        at = f"2026-03-{day:02}T08:00:00+00:00"
        return {**REPORT, "temperature_c": 36.6, "patient": patient, "reported_at": at, "symptoms": {"nausea": nausea}}

    raised = judged(ruleset, lines(report("A", 1, "none"), report("A", 2, "moderate")))
    other = list(
        batch.assess_lines(ruleset, io.BytesIO(lines(report("B", 1, "none"), report("A", 2, "moderate")).encode()))
    )
    assert raised[0] == "routine"
    assert b"worse-clear-step" not in other[1]


def test_the_catalogue_for_people_and_programs(ruleset):
    data = json.loads(batch.catalogue_json(ruleset.catalogue))

    assert {"symptoms", "measured", "therapies", "groups"} <= set(data)
    seizure = next(symptom for symptom in data["symptoms"] if symptom["code"] == "seizure")
    assert seizure["answers"] == ["no", "yes", "unknown"]
    assert seizure["snomed"] == {"code": "91175000", "display": "Seizure (finding)"}
    text = batch.catalogue_text(ruleset.catalogue)
    assert len(text.splitlines()) == len(data["symptoms"]) + len(data["measured"]) + len(data["therapies"])

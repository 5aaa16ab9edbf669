"""Which single other answer would have changed a result."""

from __future__ import annotations

from triage.paths import folder
from triage.rules.loading import load
from triage.rules.near import near
from triage.rules.report import from_data
from triage.rules.urgency import Urgency

RULESET = load(folder("rules"))
QUIET = {"therapy": "car_t", "days_since_therapy": 5, "temperature_c": 36.6, "symptoms": {"chills": "none"}}


def texts(**answers):
    found = near(from_data({**QUIET, **answers}, RULESET.catalogue), RULESET)
    return {one.text: one.urgency.code for one in found.changes}


def test_the_nearest_answers_that_would_have_changed_a_quiet_report():
    found = texts()
    assert found["chills: mild instead of none"] == "urgent"
    assert found["temperature: 37.5 °C instead of 36.6 °C"] == "soon"
    assert found["seizure: yes instead of not asked"] == "emergency"
    assert "chills: moderate instead of none" not in found


def test_the_nearest_answers_that_would_have_lowered_a_fever():
    found = texts(temperature_c=38.0)
    assert found["temperature: 37.9 °C instead of 38.0 °C"] == "soon"


def test_of_an_unknown_temperature_the_readings_are_tried():
    found = near(from_data({**QUIET, "temperature_c": "unknown"}, RULESET.catalogue), RULESET)
    assert found.urgency > Urgency.ROUTINE
    assert any(one.subject == "temperature" and "instead of not measured" in one.text for one in found.changes)
    assert found.to_data()["urgency"] == found.urgency.code


def test_readings_of_a_device_and_points_of_the_thinking_check_are_tried_too():
    found = texts(
        measured={"systolic_mmhg": 118},
        thinking_check=dict.fromkeys(("command", "writing", "attention"), 1) | {"orientation": 4, "naming": 3},
    )
    assert found["upper blood pressure: 89 mmHg instead of 118 mmHg"] == "urgent"
    assert found["pulse: 121 a minute instead of not measured"] == "urgent"
    assert found["oxygen saturation: 91 % instead of not measured"] == "urgent"
    assert found["thinking check: 9 points instead of 10 points"] == "urgent"
    assert found["thinking check: given up instead of 10 points"] == "urgent"
    low = texts(measured={"systolic_mmhg": 89})
    assert low["upper blood pressure: 90 mmHg instead of 89 mmHg"] == "routine"

"""Entries on the edge of each threshold, made for the clinician who changes it."""

from __future__ import annotations

import pytest

from triage.paths import folder
from triage.rules.boundaries import boundaries, new_boundaries
from triage.rules.conditions import Together
from triage.rules.loading import load_texts, read_folder

FILES = read_folder(folder("rules"))
RULESET = load_texts(FILES)
SINGLE = {rule.id: rule for rule in RULESET.rules if not isinstance(rule.when, Together)}


def texts(rule):
    return [one.text for one in boundaries(RULESET.by_id[rule], RULESET)]


def test_a_fever_below_at_and_above():
    assert texts("crs-fever") == [
        "day 40, 37.9 °C: soon by other rules",
        "day 40, 38.0 °C: urgent",
        "day 40, 38.1 °C: urgent",
    ]


def test_the_edges_of_days_and_of_a_span():
    assert "after CAR T cells, day 28; chills: mild: urgent" in texts("crs-chills-early")
    assert "after CAR T cells, day 29; chills: mild: not flagged" in texts("crs-chills-early")
    found = texts("silence-third-and-fourth-week-longer")
    assert "after CAR T cells, day 20; no report for 35h: soon by other rules" in found
    assert "after CAR T cells, day 20; no report for 36h: urgent" in found


def test_readings_of_a_device_have_their_unit_and_the_numbers_that_it_shows():
    assert [text for text in texts("crs-low-pressure-measured") if "; " in text] == [
        "day 40; upper blood pressure: 89 mmHg: urgent",
        "day 40; upper blood pressure: 89.99 mmHg: urgent",
        "day 40; upper blood pressure: 90 mmHg: soon by other rules",
        "day 40; oxygen saturation: 91 %: urgent",
        "day 40; oxygen saturation: 91.99 %: urgent",
        "day 40; oxygen saturation: 92 %: soon by other rules",
        "day 40; pulse: 120 a minute: soon by other rules",
        "day 40; pulse: 120.01 a minute: urgent",
        "day 40; pulse: 121 a minute: urgent",
    ]


def test_a_thinking_check_is_told_by_its_points():
    before = "after CAR T cells, day 40; thinking check: "
    assert texts("neuro-thinking-check") == [
        before + "10 of 10 points (orientation 4, naming 3, command 1, writing 1, attention 1): not flagged",
        before + "9 of 10 points (orientation 4, naming 3, command 1, writing 1, attention 0): urgent",
        before + "8 of 10 points (orientation 4, naming 3, command 1, writing 0, attention 0): urgent",
        before + "begun and not finished: urgent",
    ]


@pytest.mark.parametrize("rule", SINGLE)
def test_each_shipped_rule_has_an_entry_on_which_it_fires_and_one_on_which_it_does_not(rule):
    found = boundaries(SINGLE[rule], RULESET)
    assert any(one.fires for one in found)
    assert any(not one.fires for one in found)
    assert len({one.text for one in found}) == len(found)


def test_only_what_changed_is_to_be_read_again():
    assert new_boundaries(RULESET, RULESET) == ()
    text = FILES["crs.yaml"].replace("temperature: {at_least: 38.0 C}\n", "temperature: {at_least: 37.8 C}\n", 1)
    changed = load_texts({**FILES, "crs.yaml": text})
    assert [one.text for one in new_boundaries(RULESET, changed)] == [
        "day 40, 37.7 °C: soon by other rules",
        "day 40, 37.8 °C: urgent",
        "day 40, 37.9 °C: urgent",
    ]
    words = FILES["crs.yaml"].replace("Fever is the first sign", "Fever is often the first sign", 1)
    assert new_boundaries(RULESET, load_texts({**FILES, "crs.yaml": words})) == ()

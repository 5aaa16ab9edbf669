"""Plain sentences, made from the values that the engine reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.rules.strategies import CATALOGUE
from triage.paths import folder
from triage.rules import conditions as c
from triage.rules import wording
from triage.rules.assessment import Fact
from triage.rules.catalogue import Severity, Window
from triage.rules.loading import load
from triage.rules.ruleset import AppliesTo
from triage.rules.urgency import Urgency

MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
CHILLS = c.SymptomAtLeast("chills", Severity.MODERATE)


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (CHILLS, "chills is at least moderate"),
        (c.SymptomAtLeast("any", Severity.SEVERE), "any symptom is at least severe"),
        (c.SymptomPresent("seizure"), "seizure: yes"),
        (c.SymptomPresent("chills"), "chills is reported"),
        (c.TemperatureAtLeast(Decimal("38.0")), "the temperature is at least 38.0 °C (100.4 °F)"),
        (
            c.TemperatureAtLeast(Decimal("38.0"), within=timedelta(hours=48)),
            "the temperature is at least 38.0 °C (100.4 °F), now or in a report of the last 48 hours",
        ),
        (
            c.TemperatureAtLeast(Decimal("37.3"), risen_by=Decimal("1.0")),
            "the temperature is at least 37.3 °C (99.1 °F), and at least 1.0 °C above the previous reading",
        ),
        (c.TemperatureAtMost(Decimal("35.9")), "the temperature is at most 35.9 °C (96.6 °F)"),
        (c.ThinkingCheckAtMost(2), "the thinking check gives at most 2 of 10 points"),
        (
            c.ThinkingCheckBelowBaseline(1),
            "the thinking check is at least 1 below the person's own baseline (10 where none is on file)",
        ),
        (c.ThinkingCheckAbandoned(), "the thinking check was begun and not finished"),
        (c.MeasuredAtLeast("pulse", Decimal(121)), "pulse is at least 121 a minute"),
        (c.MeasuredAtMost("systolic_mmhg", Decimal(89)), "upper blood pressure is at most 89 mmHg"),
        (c.OnSteroids(), "the person takes steroids or was given tocilizumab"),
        (c.FeverReducerTaken(), "a fever reducer was taken in the last 6 hours"),
        (c.Worse("any", 2), "any symptom is at least 2 levels above the previous report"),
        (
            c.Worse("chills", 1, timedelta(hours=48)),
            "chills is at least 1 level above the lowest answer of the last 48 hours",
        ),
        (c.Persists("chills", Severity.MILD, reports=3), "chills is at least mild in 3 reports running"),
        (c.Persists("chills", Severity.MILD, span=timedelta(hours=1)), "chills is at least mild for at least 1 hour"),
        (c.New("seizure"), "seizure is new since the previous report"),
        (c.TemperatureNotMeasured(), "the temperature was not measured"),
        (c.SilentFor(timedelta(minutes=90)), "no report came for 90 minutes"),
        (c.Together(Urgency.SOON, 2), "rules of urgency “soon” fire on at least 2 different signs"),
        (
            c.All((CHILLS, c.FeverReducerTaken())),
            "chills is at least moderate and a fever reducer was taken in the last 6 hours",
        ),
        (
            c.Any((c.All((CHILLS, c.New("seizure"))), c.SymptomPresent("seizure"))),
            "(chills is at least moderate and seizure is new since the previous report) or seizure: yes",
        ),
        (c.AtLeast(1, (CHILLS,)), "at least 1 of these: chills is at least moderate"),
    ],
)
def test_conditions(condition, sentence):
    assert wording.sentence(condition, CATALOGUE) == sentence


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        (Fact("temperature", "38.4", "at_least", "38.0"), "temperature 38.4 °C is at least 38.0 °C"),
        (
            Fact("temperature", "38.4", "at_least", "38.0", MORNING),
            "temperature 38.4 °C is at least 38.0 °C (report of 2026-03-02 08:00 UTC)",
        ),
        (Fact("systolic_mmhg", "88", "at_most", "89"), "upper blood pressure 88 mmHg is at most 89 mmHg"),
        (Fact("chills", "moderate", "at_least", "mild"), "chills: moderate, at least mild"),
        (Fact("chills", "very_severe", "at_least", "very_severe"), "chills: very severe"),
        (Fact("seizure", "yes", "is", "yes"), "seizure: yes"),
        (Fact("on_steroids", "yes", "is", "yes"), "on steroids or after tocilizumab: yes"),
        (
            Fact("temperature", "37.5", "risen_by", "1.0", None, "36.4", MORNING),
            "temperature 37.5 °C is at least 1.0 °C above 36.4 °C in the report of 2026-03-02 08:00 UTC",
        ),
        (
            Fact("nausea", "severe", "worse_by", "2", None, "mild", None),
            "nausea rose from mild in an earlier report to severe, at least 2 levels",
        ),
        (Fact("seizure", "yes", "new"), "seizure yes is new"),
        (
            Fact("seizure", "yes", "new", "", None, "no", MORNING),
            "seizure yes is new (it was no in the report of 2026-03-02 08:00 UTC)",
        ),
        (
            Fact("thinking_check", "7", "below_baseline", "1", None, "9"),
            "thinking check 7 points is at least 1 below the person's own 9",
        ),
        (Fact("thinking_check", "abandoned", "abandoned"), "thinking check was begun and not finished"),
        (Fact("temperature", "not measured", "not_measured"), "temperature was not measured"),
        (Fact("silence", "26.5", "silent_for", "24"), "no report for 26.5 hours, at least 24 hours"),
    ],
)
def test_facts(fact, sentence):
    assert wording.fact_sentence(fact, CATALOGUE) == sentence


@pytest.mark.parametrize(
    ("applies_to", "sentence"),
    [
        (AppliesTo(), "everybody, on any day"),
        (AppliesTo(frozenset({"car_t"})), "people after CAR T cells, on any day"),
        (
            AppliesTo(frozenset({"car_t", "donor"}), days=Window(0, 56)),
            "people after CAR T cells or donor lymphocytes, days 0 to 56",
        ),
        (AppliesTo(days=Window(30, None)), "everybody, from day 30"),
        (
            AppliesTo(frozenset({"car_t"}), early=True),
            "people after CAR T cells, in the early window (days 0 to 28 after CAR T cells)",
        ),
    ],
)
def test_whom_a_rule_concerns(applies_to, sentence):
    assert wording.applies_sentence(applies_to, CATALOGUE) == sentence


def test_numbers_are_put_into_advice_and_generic_words_where_none_are_known():
    text = "Call {emergency_number}, then {care_team_phone}."
    assert wording.fill(text, "999", "123") == "Call 999, then 123."
    assert wording.fill(text) == "Call the emergency number, then the 24-hour line."


def test_every_shipped_rule_can_be_told_and_quotes_what_it_stands_on():
    ruleset = load(folder("rules"))
    for rule in ruleset.rules:
        told = "\n".join(wording.rule_sentences(rule, ruleset))
        assert rule.why in told
        assert "{" not in told, told
        assert "Source: " in told or "judgment" in told

"""Each condition, just below, at and above what it asks, and what unknown and not asked do to it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from tests.rules.strategies import CATALOGUE, NOW, rule, ruleset
from triage.rules import conditions as c
from triage.rules.assessment import Assessment
from triage.rules.catalogue import Severity, Window
from triage.rules.engine import assess, assess_silence
from triage.rules.report import UNKNOWN, Report, ThinkingCheck, from_data
from triage.rules.ruleset import AppliesTo, Rule
from triage.rules.urgency import Urgency

CHILLS = c.SymptomAtLeast("chills", Severity.MODERATE)
FEVER = c.TemperatureAtLeast(Decimal("38.0"))


def report(hours_before: float = 0, **data: Any) -> Report:
    at = NOW - timedelta(hours=hours_before)
    return from_data({"reported_at": at.isoformat(), "therapy": "car_t", "days_since_therapy": 5, **data}, CATALOGUE)


def judge(when: c.Condition | list[Rule], judged: Report, *history: Report, **concerns: Any) -> Assessment:
    rules = when if isinstance(when, list) else [rule(1, when, Urgency.URGENT, AppliesTo(**concerns))]
    return assess(ruleset(rules), judged, history)


def fires(when: c.Condition, judged: Report, *history: Report, **concerns: Any) -> bool:
    return bool(judge(when, judged, *history, **concerns).fired)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("none", False), ("mild", False), ("moderate", True), ("severe", True), ("very_severe", True), ("unknown", False)],
)
def test_a_symptom_fires_at_its_level_and_above(answer: str, expected: bool) -> None:
    assert fires(CHILLS, report(symptoms={"chills": answer})) is expected


def test_not_asked_unknown_and_none_are_three_things() -> None:
    assert judge(CHILLS, report()).undecided == ()
    assert judge(CHILLS, report(symptoms={"chills": "none"})).undecided == ()
    unknown = judge(CHILLS, report(symptoms={"chills": "unknown"}))
    assert unknown.undecided[0].unknown == ("chills",)
    assert unknown.urgency is Urgency.SOON


def test_doubt_about_a_rule_that_is_only_soon_raises_nothing() -> None:
    judged = judge([rule(1, CHILLS, Urgency.SOON)], report(symptoms={"chills": "unknown"}))

    assert judged.urgency is Urgency.ROUTINE
    assert judged.undecided[0].rule == "rule-1"


@pytest.mark.parametrize(("reading", "expected"), [(37.9, False), (38.0, True), (38.1, True), (None, False)])
def test_fever_starts_at_38_0(reading: float | None, expected: bool) -> None:
    assert fires(FEVER, report(temperature_c=reading)) is expected


def test_a_fact_puts_the_value_beside_the_threshold() -> None:
    assert judge(FEVER, report(temperature_c=38.4)).fired[0].because == ("temperature 38.4 °C is at least 38.0 °C",)
    assert judge(FEVER, report(temperature_c=38)).fired[0].because == ("temperature 38.0 °C is at least 38.0 °C",)


def test_an_unreadable_temperature_is_never_normal() -> None:
    judged = judge(FEVER, report(temperature_c="unknown"))

    assert judged.urgency is Urgency.SOON
    assert "temperature" in judged.undecided[0].unknown


@pytest.mark.parametrize(("hours", "expected"), [(47, True), (48, True), (49, False)])
def test_an_earlier_fever_counts_within_its_hours(hours: int, expected: bool) -> None:
    when = c.TemperatureAtLeast(Decimal("38.0"), within=timedelta(hours=48))

    assert fires(when, report(temperature_c=36.8), report(hours, temperature_c=38.2)) is expected


@pytest.mark.parametrize(("before", "expected"), [(36.4, True), (36.5, True), (36.6, False), (None, False)])
def test_a_rise_is_measured_against_the_previous_reading(before: float | None, expected: bool) -> None:
    when = c.TemperatureAtLeast(Decimal("37.3"), risen_by=Decimal("1.0"))
    history = [report(12, temperature_c=before), report(36, temperature_c=37.2)] if before else []

    assert fires(when, report(temperature_c=37.5), *history) is expected


def test_a_rise_below_the_limit_is_quiet_and_an_unknown_reading_leaves_it_open() -> None:
    when = c.TemperatureAtLeast(Decimal("37.3"), risen_by=Decimal("1.0"))

    assert not fires(when, report(temperature_c=37.2), report(12, temperature_c=36.0))
    assert judge(when, report(temperature_c="unknown"), report(12, temperature_c=36.0)).undecided


def test_no_reading_is_what_not_measured_asks() -> None:
    assert fires(c.TemperatureNotMeasured(), report())
    assert fires(c.TemperatureNotMeasured(), report(temperature_c="unknown"))
    assert not fires(c.TemperatureNotMeasured(), report(temperature_c=36.6))


POINTS = {"orientation": 4, "naming": 3, "command": 1, "writing": 1, "attention": 1}


def test_the_thinking_check_is_compared_with_the_persons_own_baseline() -> None:
    below = c.ThinkingCheckBelowBaseline(1)

    assert not fires(below, report(thinking_check=POINTS))
    assert fires(below, report(thinking_check={**POINTS, "writing": 0}))
    assert not fires(below, report(thinking_check={**POINTS, "writing": 0}, thinking_check_baseline=9))
    assert not fires(below, report())


def test_an_item_that_was_not_done_is_never_scored_as_right() -> None:
    skipped = {item: value for item, value in POINTS.items() if item != "writing"}

    assert fires(c.ThinkingCheckBelowBaseline(1), report(thinking_check=skipped))
    assert fires(c.ThinkingCheckAbandoned(), report(thinking_check=skipped))
    assert fires(c.ThinkingCheckAbandoned(), report(thinking_check="abandoned"))
    assert not fires(c.ThinkingCheckAbandoned(), report(thinking_check=POINTS))
    assert judge(c.ThinkingCheckAtMost(2), report(thinking_check="abandoned")).undecided


@pytest.mark.parametrize(("score", "expected"), [(1, True), (2, True), (3, False)])
def test_few_points_fire(score: int, expected: bool) -> None:
    check = {**dict.fromkeys(POINTS, 0), "naming": score}

    assert fires(c.ThinkingCheckAtMost(2), report(thinking_check=check)) is expected


def test_device_readings() -> None:
    low = c.MeasuredAtMost("systolic_mmhg", Decimal(89))
    high = c.MeasuredAtLeast("pulse", Decimal(121))

    assert [fires(low, report(measured={"systolic_mmhg": n})) for n in (88, 89, 90)] == [True, True, False]
    assert [fires(high, report(measured={"pulse": n})) for n in (120, 121, 122)] == [False, True, True]
    assert judge(low, report(measured={"systolic_mmhg": "unknown"})).undecided


def test_medicines() -> None:
    for condition, name in ((c.OnSteroids(), "on_steroids"), (c.FeverReducerTaken(), "fever_reducer_taken")):
        assert fires(condition, report(**{name: True}))
        assert not fires(condition, report(**{name: False}))
        assert not fires(condition, report())
        assert judge(condition, report(**{name: "unknown"})).undecided


def test_worse_looks_at_the_latest_report_that_answered_the_symptom() -> None:
    worse = c.Worse("nausea", 2)
    now = report(symptoms={"nausea": "moderate"})

    assert fires(worse, now, report(24, symptoms={"nausea": "none"}))
    assert not fires(worse, now, report(24, symptoms={"nausea": "mild"}))
    assert not fires(worse, now)
    # The nearer report did not ask, or nobody knew: the one before it is the previous one.
    assert fires(
        worse, now, report(12), report(18, symptoms={"nausea": "unknown"}), report(24, symptoms={"nausea": "none"})
    )
    assert judge(worse, report(symptoms={"nausea": "unknown"}), report(24, symptoms={"nausea": "none"})).undecided


def test_worse_than_the_lowest_of_some_hours() -> None:
    worse = c.Worse("nausea", 2, lowest_in=timedelta(hours=48))
    history = [report(12, symptoms={"nausea": "mild"}), report(36, symptoms={"nausea": "none"})]

    assert fires(worse, report(symptoms={"nausea": "moderate"}), *history)
    assert not fires(
        worse, report(symptoms={"nausea": "moderate"}), history[0], report(49, symptoms={"nausea": "none"})
    )


def test_persists_counts_reports_running() -> None:
    persists = c.Persists("nausea", Severity.MODERATE, reports=3)
    bad = [report(h, symptoms={"nausea": "moderate"}) for h in (0, 24, 48)]

    assert fires(persists, *bad)
    assert not fires(persists, *bad[:2])
    assert not fires(persists, bad[0], report(24, symptoms={"nausea": "mild"}), bad[2])
    assert fires(persists, bad[0], report(12), *bad[1:])
    assert len(judge(persists, *bad).fired[0].facts) == 3


def test_persists_over_a_span() -> None:
    persists = c.Persists("nausea", Severity.MODERATE, span=timedelta(hours=48))

    def run(*hours: float) -> bool:
        return fires(persists, *(report(h, symptoms={"nausea": "severe"}) for h in hours))

    assert run(0, 24, 48)
    assert not run(0, 24, 47)
    assert not run(0)


def test_new_means_absent_in_the_previous_answer() -> None:
    new = c.New("seizure")
    yes = report(symptoms={"seizure": "yes"})

    assert fires(new, yes)
    assert fires(new, yes, report(24, symptoms={"seizure": "no"}))
    assert not fires(new, yes, report(24, symptoms={"seizure": "yes"}))
    assert not fires(new, report(symptoms={"seizure": "no"}))


def test_any_symptom_of_the_catalogue() -> None:
    condition = c.SymptomAtLeast(c.ANY_SYMPTOM, Severity.MODERATE)

    assert fires(condition, report(symptoms={"headache": "moderate"}))
    assert fires(condition, report(symptoms={"fainting": "yes"}))
    assert not fires(condition, report(symptoms={"headache": "mild", "fainting": "no"}))


def test_present_is_anything_above_none() -> None:
    assert fires(c.SymptomPresent("chills"), report(symptoms={"chills": "mild"}))
    assert not fires(c.SymptomPresent("chills"), report(symptoms={"chills": "none"}))


def test_all_any_and_at_least() -> None:
    parts = (CHILLS, FEVER, c.SymptomPresent("seizure"))
    two = report(temperature_c=38.5, symptoms={"chills": "severe", "seizure": "no"})

    assert not fires(c.All(parts), two)
    assert fires(c.Any(parts), two)
    assert fires(c.AtLeast(2, parts), two)
    assert not fires(c.AtLeast(3, parts), two)
    assert len(judge(c.AtLeast(1, parts), two).fired[0].facts) == 2


def test_an_unknown_that_cannot_change_the_outcome_leaves_nothing_open() -> None:
    both = c.All((CHILLS, FEVER))

    assert not judge(both, report(temperature_c=36.5, symptoms={"chills": "unknown"})).undecided
    assert judge(both, report(temperature_c=38.5, symptoms={"chills": "unknown"})).undecided
    assert not judge(c.Any((CHILLS, FEVER)), report(temperature_c=38.5, symptoms={"chills": "unknown"})).undecided


@pytest.mark.parametrize(
    ("therapy", "day", "expected"),
    [("car_t", 28, True), ("car_t", 29, False), ("bite", 14, True), ("bite", 15, False), ("donor", 1, False)],
)
def test_the_early_window_is_the_therapys_own(therapy: str, day: int, expected: bool) -> None:
    judged = report(therapy=therapy, days_since_therapy=day, symptoms={"chills": "severe"})

    assert fires(CHILLS, judged, early=True) is expected


@pytest.mark.parametrize(("therapy", "day"), [(None, 5), ("car_t", None), (None, None), (None, 400)])
def test_an_unknown_therapy_or_day_counts_as_inside(therapy: str | None, day: int | None) -> None:
    judged = report(therapy=therapy, days_since_therapy=day, symptoms={"chills": "severe"})

    assert fires(CHILLS, judged, early=True, therapies=frozenset({"car_t"}))


def test_therapies_and_days_narrow_a_rule() -> None:
    judged = report(therapy="donor", days_since_therapy=30, symptoms={"chills": "severe"})

    assert not fires(CHILLS, judged, therapies=frozenset({"car_t"}))
    assert fires(CHILLS, judged, therapies=frozenset({"donor"}), days=Window(30, None))
    assert not fires(CHILLS, judged, days=Window(0, 29))


def test_signs_at_soon_make_an_urgent_together_only_if_they_differ() -> None:
    rules = [
        rule(1, c.SymptomAtLeast("nausea", Severity.MODERATE), Urgency.SOON),
        rule(2, c.Worse("nausea", 2), Urgency.SOON),
        rule(3, CHILLS, Urgency.SOON),
        rule(9, c.Together(Urgency.SOON, 2), Urgency.URGENT),
    ]
    before = report(24, symptoms={"nausea": "none"})

    same = judge(rules, report(symptoms={"nausea": "moderate"}), before)
    two = judge(rules, report(symptoms={"nausea": "moderate", "chills": "moderate"}), before)
    open_ = judge(rules, report(symptoms={"nausea": "moderate", "chills": "unknown"}), before)

    assert (same.urgency, len(same.fired)) == (Urgency.SOON, 2)
    assert two.urgency is Urgency.URGENT
    assert "rule-9" in [u.rule for u in open_.undecided]


def test_two_signs_of_one_rule_are_two_signs() -> None:
    rules = [
        rule(1, c.Any((CHILLS, c.SymptomAtLeast("nausea", Severity.MODERATE))), Urgency.SOON),
        rule(9, c.Together(Urgency.SOON, 2), Urgency.URGENT, AppliesTo(days=Window(0, 10))),
    ]
    both = {"nausea": "moderate", "chills": "moderate"}

    assert judge(rules, report(symptoms=both)).urgency is Urgency.URGENT
    assert judge(rules, report(symptoms=both, days_since_therapy=11)).urgency is Urgency.SOON


def test_a_rule_that_fails_becomes_an_urgent_finding_and_the_rest_are_judged() -> None:
    rules = [rule(1, c.FeverReducerTaken(), Urgency.SOON), rule(2, CHILLS, Urgency.SOON)]
    broken = patch("triage.rules.engine._yes", side_effect=RuntimeError("secret detail"))
    with broken:
        judged = judge(rules, report(symptoms={"chills": "severe"}, fever_reducer_taken=True))

    assert judged.urgency is Urgency.URGENT
    assert [(f.rule, f.failed) for f in judged.fired] == [("rule-1", True), ("rule-2", False)]
    assert b"secret" not in judged.to_bytes()
    assert judged.to_data()["fired"][0]["failed"] is True


def test_a_together_rule_that_fails_is_urgent_too() -> None:
    rules = [rule(9, c.Together(Urgency.SOON, 2), Urgency.URGENT), rule(2, CHILLS, Urgency.SOON)]
    with patch("triage.rules.engine._evaluate_together", side_effect=RuntimeError):
        assert judge(rules, report()).fired[0].failed


def test_a_nested_together_counts_as_a_rule_that_failed() -> None:
    assert judge(c.All((c.Together(Urgency.SOON, 2),)), report()).fired[0].failed


@pytest.mark.parametrize(("hours", "expected"), [(23.9, False), (24, True), (25, True)])
def test_silence_is_judged_only_by_the_rules_that_ask_for_it(hours: float, expected: bool) -> None:
    rules = ruleset(
        [
            rule(1, c.All((c.SilentFor(timedelta(hours=24)), CHILLS)), Urgency.URGENT),
            rule(2, CHILLS, Urgency.EMERGENCY),
        ]
    )
    last = report(symptoms={"chills": "severe"})

    judged = assess_silence(rules, last, timedelta(hours=hours))
    assert [f.rule for f in judged.fired] == (["rule-1"] if expected else [])
    assert [f.rule for f in assess(rules, last).fired] == ["rule-2"]


def test_reports_without_times_count_as_near() -> None:
    when = c.TemperatureAtLeast(Decimal("38.0"), within=timedelta(hours=1))
    undated = Report(temperature_c=Decimal("38.5"))

    assert fires(when, report(temperature_c=36.5), undated)
    spans = c.Persists("nausea", Severity.MILD, span=timedelta(hours=48))
    bad = from_data({"symptoms": {"nausea": "mild"}}, CATALOGUE)
    assert fires(spans, bad, bad)
    assert fires(c.Worse("nausea", 1), bad, from_data({"symptoms": {"nausea": "none"}}, CATALOGUE), bad) is False


def test_only_advice_of_fired_rules_is_given_and_each_text_once() -> None:
    first = rule(1, CHILLS, Urgency.SOON)
    rules = [first, rule(2, FEVER, Urgency.URGENT), Rule(**{**vars(first), "id": "rule-3"})]

    judged = judge(rules, report(temperature_c=38.5, symptoms={"chills": "severe"}))
    assert judged.advice == ("advice 2", "advice 1")


class TestTogetherInDoubt:
    """What could be a sign is counted where it could tip the sum, and nothing else."""

    two_soon = rule(90, c.Together(Urgency.SOON, 2), Urgency.URGENT)

    def undecided(self, when, **answers):
        rules = ruleset([rule(0, when, Urgency.SOON), self.two_soon])
        result = assess(rules, Report(reported_at=NOW, **answers))
        return {one.rule: one.unknown for one in result.undecided}

    def test_a_sign_that_is_there_in_a_rule_that_is_still_open_counts_with_the_open_ones(self):
        two = c.AtLeast(2, (c.New("any"), c.ThinkingCheckAtMost(7)))
        given_up = ThinkingCheck({}, abandoned=True)
        before = self.undecided(two, symptoms={"nausea": UNKNOWN}, thinking_check=given_up)
        worse = self.undecided(two, symptoms={"nausea": UNKNOWN, "chills": Severity.MILD}, thinking_check=given_up)
        assert before["rule-90"] == ("nausea", "thinking_check")
        assert "rule-90" in worse

    def test_a_rule_that_fires_may_have_more_signs_than_anybody_knows(self):
        anything = c.SymptomAtLeast("any", Severity.MILD)
        doubt = {"nausea": UNKNOWN, "headache": UNKNOWN}
        assert self.undecided(anything, symptoms=doubt | {"chills": Severity.MILD}) == {
            "rule-90": ("nausea", "headache")
        }

    def test_medicines_are_no_signs_in_doubt_either(self):
        both = c.Any((c.OnSteroids(), c.FeverReducerTaken()))
        assert self.undecided(both, on_steroids=UNKNOWN, fever_reducer_taken=UNKNOWN) == {
            "rule-0": ("on_steroids", "fever_reducer_taken")
        }

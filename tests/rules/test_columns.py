"""The conditions as columns against the live engine, which is the reference."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import narwhals as nw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rules.records import by_columns, by_reference, examples, past, records, table
from tests.rules.strategies import CATALOGUE, NOW, reports, rulesets
from triage.paths import folder
from triage.rules.catalogue import Presence, Scale, Severity
from triage.rules.loading import load
from triage.rules.replay import in_order, replay
from triage.rules.replay_columns import replay_columns
from triage.rules.report import Report
from triage.rules.table import report_of

FEWER = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@given(rulesets(), records())
@FEWER
def test_columns_say_what_the_engine_says(ruleset, some):
    assert by_columns(ruleset, table(some, CATALOGUE)) == by_reference(ruleset, some)


@given(rulesets(), records(), st.randoms(use_true_random=False))
@FEWER
def test_rows_in_any_order_say_the_same(ruleset, some, chance):
    """As a cluster holds them: no machine sees a patient's rows one after the other."""
    rows = table(some, CATALOGUE)
    mixed = rows[chance.sample(range(len(rows)), len(rows))].lazy()
    assert by_columns(ruleset, mixed) == by_reference(ruleset, some)


@given(rulesets(), rulesets(), records(), st.sampled_from([None, NOW - timedelta(hours=40)]))
@settings(FEWER, max_examples=15)
def test_a_replay_in_columns_is_the_same_replay(before, after, some, since):
    whole = nw.from_native(table(some, CATALOGUE), eager_only=True)
    assert replay_columns(before, after, [whole], since) == replay(before, after, past(some), since=since)


def test_two_catalogues_each_read_what_they_know():
    """A symptom that had degrees is asked with yes and no, another is gone, a therapy is new."""
    symptoms = {code: one for code, one in CATALOGUE.symptoms.items() if code != "nausea"}
    symptoms["chills"] = replace(symptoms["chills"], scale=Scale.PRESENCE)
    therapies = {**CATALOGUE.therapies, "new": replace(CATALOGUE.therapies["bite"], code="new")}
    changed = replace(CATALOGUE, symptoms=MappingProxyType(symptoms), therapies=MappingProxyType(therapies))
    some = [
        (
            "1",
            "a",
            Report(therapy="car_t", reported_at=NOW, symptoms={"chills": Severity.SEVERE, "nausea": Severity.MILD}),
        ),
        ("2", "a", Report(reported_at=NOW + timedelta(hours=1), symptoms={"seizure": Presence.YES})),
    ]
    rows = table(some, CATALOGUE).to_dicts()
    assert [report_of(row, CATALOGUE).symptoms for row in rows] == [report.symptoms for _, _, report in some]
    assert [report_of(row, changed).symptoms for row in rows] == [{}, {"seizure": Presence.YES}]
    new = [
        replace(one, before=replace(one.before, therapy=None), after=replace(one.after, therapy="new"))
        for one in past(some)
    ]
    (row, _) = table(new, CATALOGUE).to_dicts()
    assert (report_of(row, CATALOGUE).therapy, report_of(row, changed).therapy) == (None, "new")


@given(records())
def test_a_row_tells_the_report_again_as_far_as_conditions_read_it(some):
    ordered = sorted(some, key=lambda one: (one[1], in_order(one[2])))
    for row, (_, patient, report) in zip(table(some, CATALOGUE).to_dicts(), ordered, strict=True):
        again = report_of(row, CATALOGUE)
        check = report.thinking_check
        assert replace(again, thinking_check=None) == replace(report, patient=patient, thinking_check=None)
        assert (again.thinking_check is None) == (check is None)
        if check is not None:
            assert (again.thinking_check.score, again.thinking_check.finished, again.thinking_check.abandoned) == (
                check.score,
                check.finished,
                check.abandoned,
            )


@pytest.fixture(scope="module")
def shipped():
    return load(folder("rules"))


def test_the_shipped_rules_as_columns(shipped):
    """Every example of every rule, each a patient of its own with its history."""
    some = examples(shipped)
    told = by_columns(shipped, table(some, shipped.catalogue))
    assert told == by_reference(shipped, some)
    fired = {rule for _, fires, _ in told.values() for rule in fires}
    assert fired == {rule.id for rule in shipped.rules if not rule.asks_for_silence}


@given(reports())
def test_one_report_of_somebody_without_a_record(report):
    lone = [("1", "a", replace(report, reported_at=None))]
    assert report_of(table(lone, CATALOGUE).to_dicts()[0], CATALOGUE).reported_at is None

"""The checks of a whole ruleset, each seen to find what it is there for and to leave the rest alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.rules.written_rules import FILES, RULE, SOURCES, rules_with
from triage.paths import folder
from triage.rules import checks, loading
from triage.rules import conditions as c
from triage.rules.catalogue import Severity
from triage.rules.loading import load_texts

READ = date(2026, 11, 1)
NAUSEA = rules_with("{symptom: nausea, at_least: mild}")
FAINTING = rules_with("{symptom: fainting, is: yes}", id="fainting").replace("- id: example\n  title", "- title")
ALL = FILES | {"rules/nausea.yaml": NAUSEA, "rules/fainting.yaml": FAINTING}


def found(files: dict[str, str], today: date = READ) -> list[str]:
    return [str(finding) for finding in checks.run(load_texts(files), today)]


def test_a_ruleset_in_order_gives_no_finding() -> None:
    assert found(ALL) == []


def test_a_symptom_that_no_rule_asks_for_is_a_warning_at_its_place() -> None:
    files = {name: text for name, text in ALL.items() if "fainting" not in name}

    assert found(files) == ["rules/catalogue.yaml:7:12: warning: no rule asks for the symptom “fainting”"]


def test_a_sign_of_a_passage_that_no_rule_reaches_is_a_warning_and_for_the_seed_page_an_error() -> None:
    files = {name: text for name, text in ALL.items() if "nausea" not in name}
    other = [line for line in found(files) if "sources" in line]
    seed = SOURCES.replace("key: label", f"key: {checks.SEED}")
    of_seed = found(files | {"rules/sources.yaml": seed, "rules/crs.yaml": RULE.replace("label", checks.SEED)})

    assert other == ["rules/sources.yaml:8:12: warning: no rule asks for “nausea”, which label/other names"]
    assert of_seed[0] == f"rules/sources.yaml:8:12: no rule asks for “nausea”, which {checks.SEED}/other names"


@pytest.mark.parametrize(("days", "old"), [(365, False), (366, True)])
def test_a_source_is_due_for_another_reading_after_a_year(days: int, old: bool) -> None:
    lines = found(ALL, READ + timedelta(days=days))

    due = [
        "rules/sources.yaml:1:8: warning: label was read on 2026-11-01, more than a year ago: read it again",
        "rules/sources.yaml:9:9: warning: leaflet was read on 2026-11-01, more than a year ago: read it again",
    ]
    assert lines == (due if old else [])


@pytest.mark.parametrize(
    ("cases", "missing"),
    [
        ("{fires: [], stays_quiet: [{}]}", ["fires"]),
        ("{fires: [{}], stays_quiet: []}", ["stays quiet"]),
        ("{fires: [], stays_quiet: []}", ["fires", "stays quiet"]),
    ],
)
def test_a_rule_needs_an_example_on_both_sides(cases: str, missing: list[str]) -> None:
    files = ALL | {"rules/nausea.yaml": rules_with("{symptom: nausea, at_least: mild}", cases=cases)}

    assert found(files) == [f"rules/nausea.yaml:1:7: example has no example on which it {what}" for what in missing]


MILD = c.SymptomAtLeast("chills", Severity.MILD)


@pytest.mark.parametrize(
    ("when", "fires"),
    [
        (c.All(()), True),
        (c.Any((MILD, c.AtLeast(0, (MILD,)))), True),
        (c.Any((c.TemperatureNotMeasured(), c.All(()))), True),
        (MILD, False),
        (c.TemperatureNotMeasured(), False),
        (c.SilentFor(timedelta(hours=24)), False),
        (c.ThinkingCheckAbandoned(), False),
        (c.All((c.TemperatureNotMeasured(), MILD)), False),
    ],
)
def test_a_rule_that_fires_when_nothing_is_answered_is_an_error_but_for_absence(when: c.Condition, fires: bool) -> None:
    """The loader lets none of the former through; an engine with a fault might."""
    ruleset = load_texts(ALL)
    rule = replace(ruleset.by_id["chills-early"], when=when)
    wrong = [str(finding) for finding in checks.fires_on_nothing(replace(ruleset, rules=(rule,)))]

    assert wrong == (["rules/crs.yaml:1:7: chills-early fires when nothing is answered"] if fires else [])


def test_errors_come_before_warnings() -> None:
    files = ALL | {"rules/nausea.yaml": rules_with("{on_steroids: yes}", cases="{fires: [{}], stays_quiet: []}")}

    assert [finding.error for finding in checks.run(load_texts(files), READ)] == [True, False, False]


@pytest.mark.parametrize(
    ("when", "signs"),
    [
        ("{symptom: chills, at_least: mild}", {"chills"}),
        ("{worse: {symptom: chills, by: 1, than: previous}}", {"chills"}),
        ("{persists: {symptom: chills, at_least: mild, for: 24h}}", {"chills"}),
        ("{new: {symptom: chills}}", {"chills"}),
        ("{any: [{temperature: {at_least: 38 C}}, {on_steroids: yes}]}", {"temperature", "on_steroids"}),
        ("{temperature: {at_most: 36 C}}", {"temperature"}),
        ("{not_measured: temperature}", {"temperature"}),
        ("{thinking_check: {at_most: 7}}", {"thinking_check"}),
        ("{thinking_check: abandoned}", {"thinking_check"}),
        ("{measured: {pulse: {at_least: 120}}}", {"pulse"}),
        ("{fever_reducer_taken: yes}", {"fever_reducer_taken"}),
        ("{silent_for: 24h}", {"silence"}),
        ("{together: {of: soon, count: 2}}", set()),
    ],
)
def test_the_signs_that_a_rule_asks_for(when: str, signs: set[str]) -> None:
    ruleset = load_texts(FILES | {"rules/crs.yaml": rules_with(when)})

    assert checks.signs_used(ruleset) == signs
    assert {s.code for s in checks.symptoms_of(ruleset.rules[0], ruleset)} == signs & set(ruleset.catalogue.symptoms)


def test_the_shipped_rules_have_no_error() -> None:
    findings: list[Any] = checks.run(loading.load(folder("rules")), READ)

    assert [str(finding) for finding in findings if finding.error] == []

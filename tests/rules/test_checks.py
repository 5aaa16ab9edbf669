"""The checks of a whole ruleset, each seen to find what it is there for and to leave the rest alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.rules.written_rules import CATALOGUE, FILES, RULE, SOURCES, rules_with
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

    errors = [line for line in found(files) if "warning" not in line]
    assert errors == [f"rules/nausea.yaml:1:7: example has no example on which it {what}" for what in missing]


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


# --- what a ruleset says about itself


def of(check: str, *rules: str, **files: str) -> list[str]:
    """What that check finds in these rules."""
    written = {f"rules/r{number}.yaml": rule for number, rule in enumerate(rules)}
    ruleset = load_texts(FILES | {f"rules/{name}.yaml": text for name, text in files.items()} | written)
    return [one.message for one in checks.run(ruleset, READ) if one.check == check]


def rule(id: str, when: str, urgency: str = "urgent", applies_to: str = "") -> str:
    text = rules_with(when, urgency=urgency).replace("id: example", f"id: {id}")
    return text.replace("  when:", f"  applies_to: {applies_to}\n  when:", 1) if applies_to else text


FEVER_AND_CHILL = "{all: [{temperature: {at_least: %s}}, {temperature: {at_most: 35.9 C}}]}"


@pytest.mark.parametrize(
    ("when", "never"),
    [
        (FEVER_AND_CHILL % "36.0 C", True),
        (FEVER_AND_CHILL % "35.9 C", False),
        ("{all: [{temperature: {at_least: 38.0 C, within: 48h}}, {temperature: {at_most: 35.9 C}}]}", False),
        ("{all: [{not_measured: temperature}, {temperature: {at_most: 35.9 C}}]}", True),
        ("{any: [{not_measured: temperature}, {temperature: {at_most: 35.9 C}}]}", False),
        ("{all: [{measured: {pulse: {at_least: 120}}}, {measured: {pulse: {at_most: 119}}}]}", True),
        ("{all: [{measured: {pulse: {at_least: 120}}}, {measured: {oxygen_percent: {at_most: 92}}}]}", False),
        ("{any: [" + FEVER_AND_CHILL % "36.0 C" + ", {symptom: nausea, at_least: mild}]}", False),
        ("{at_least: 2, of: [" + FEVER_AND_CHILL % "36.0 C" + ", {symptom: nausea, at_least: mild}]}", True),
    ],
)
def test_a_rule_that_can_never_fire(when: str, never: bool) -> None:
    assert of("never-fires", rule("odd", when)) == ["odd can never fire: its parts exclude each other"] * never


PULSE = "{measured: {pulse: {at_least: 60}}}, {measured: {pulse: {at_most: 100}}}"


@pytest.mark.parametrize(
    ("when", "between"),
    [
        (FEVER_AND_CHILL % "35.0 C", True),
        (FEVER_AND_CHILL % "35.9 C", True),
        (FEVER_AND_CHILL % "36.0 C", False),  # never holds, which is another mistake
        (FEVER_AND_CHILL.replace("all", "any") % "35.0 C", False),
        (FEVER_AND_CHILL % "35.0 C, within: 48h", True),
        ("{all: [{temperature: {at_least: 38.0 C, within: 48h}}, {temperature: {at_most: 35.9 C}}]}", False),
        ("{all: [" + PULSE + "]}", True),
        ("{at_least: 2, of: [" + PULSE + ", {symptom: nausea, at_least: mild}]}", True),
        ("{at_least: 1, of: [" + PULSE + ", {symptom: nausea, at_least: mild}]}", False),
        ("{all: [{any: [" + PULSE + "]}, {symptom: nausea, at_least: mild}]}", False),
        ("{all: [{measured: {pulse: {at_least: 60}}}, {measured: {systolic_mmhg: {at_most: 100}}}]}", False),
    ],
)
def test_a_rule_that_asks_for_what_lies_between_two_readings(when: str, between: bool) -> None:
    messages = of("worse-is-less", rule("odd", when))
    assert len(messages) == between
    for message in messages:
        assert message.startswith("odd can ask at once that ")
        assert "a reading worse than those between would be less urgent" in message


def test_counting_signs_may_not_ask_for_what_lies_between_two_readings_either() -> None:
    some = [
        rule("a", "{all: [{temperature: {at_least: 35.0 C}}, {symptom: nausea, at_least: mild}]}", "soon"),
        rule("b", "{all: [{temperature: {at_most: 36.0 C}}, {symptom: fainting, is: yes}]}", "soon"),
        rule("many", "{together: {of: soon, count: 3}}"),
    ]
    assert len(of("worse-is-less", *some)) == 1
    apart = [text.replace("36.0 C", "34.9 C") for text in some]
    assert of("worse-is-less", *apart) == []


def test_counting_more_signs_than_rules_name_can_never_fire() -> None:
    together = "{together: {of: soon, count: 2}}"
    one = rule("one", "{symptom: nausea, at_least: mild}", "soon")
    two = rule("two", "{symptom: fainting, is: yes}", "soon")
    assert of("never-fires", one, rule("many", together)) == [
        "many can never fire: rules of urgency “soon” name 1 signs only"
    ]
    assert of("never-fires", one, two, rule("many", together)) == []


NAUSEA_MILD, NAUSEA_SEVERE = "{symptom: nausea, at_least: mild}", "{symptom: nausea, at_least: severe}"


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (rule("a", NAUSEA_SEVERE), rule("b", NAUSEA_MILD), True),
        (rule("a", NAUSEA_SEVERE), rule("b", NAUSEA_MILD, "emergency"), True),
        (rule("a", NAUSEA_SEVERE), rule("b", NAUSEA_MILD, "soon"), False),
        (rule("a", NAUSEA_MILD), rule("b", "{symptom: fainting, is: yes}"), False),
        (rule("a", NAUSEA_SEVERE), rule("b", NAUSEA_MILD, applies_to="{days: 0-28}"), False),
        (rule("a", NAUSEA_SEVERE, applies_to="{days: 3-5}"), rule("b", NAUSEA_MILD, applies_to="{days: 0-28}"), True),
        (
            rule("a", NAUSEA_SEVERE, applies_to="{therapies: [car_t], days: 3-5}"),
            rule("b", NAUSEA_MILD, applies_to="{therapies: [car_t], window: early}"),
            True,
        ),
        (
            rule("a", NAUSEA_SEVERE, applies_to="{therapies: [car_t, donor]}"),
            rule("b", NAUSEA_MILD, applies_to="{therapies: [car_t]}"),
            False,
        ),
        (rule("a", "{silent_for: 48h}"), rule("b", "{silent_for: 24h}"), True),
        (rule("a", "{temperature: {at_least: 38.5 C}}"), rule("b", "{temperature: {at_least: 38.0 C}}"), True),
        (
            rule("a", "{temperature: {at_least: 38.5 C, within: 48h}}"),
            rule("b", "{temperature: {at_least: 38.0 C}}"),
            False,
        ),
    ],
)
def test_a_rule_made_pointless_by_another(one: str, other: str, found: bool) -> None:
    messages = of("pointless", one, other)
    assert [message.startswith("a is pointless: whenever it fires, b fires too") for message in messages] == [
        True
    ] * found


def test_two_equal_rules_are_named_once() -> None:
    assert len(of("pointless", rule("a", NAUSEA_MILD), rule("b", NAUSEA_MILD))) == 1


@pytest.mark.parametrize(("days", "found"), [("28-40", True), ("29-40", False)])
def test_overlapping_windows_of_one_sign_at_two_urgencies(days: str, found: bool) -> None:
    one = rule("a", NAUSEA_MILD, "urgent", "{therapies: [car_t], days: 0-28}")
    other = rule("b", NAUSEA_MILD, "soon", "{therapies: [car_t], days: DAYS}".replace("DAYS", days))
    messages = of("overlapping-windows", one, other)
    assert len(messages) == found
    assert all("overlapping days after car_t, one soon, one urgent" in message for message in messages)


def test_a_rule_for_the_early_window_where_no_therapy_has_one_concerns_nobody() -> None:
    """Where the rule names its therapies, the loader refuses already that one of them has none."""
    with pytest.raises(loading.RuleFileErrors, match="has no early window"):
        of("empty-window", rule("a", NAUSEA_MILD, applies_to="{therapies: [car_t, donor], window: early}"))
    early = rule("a", NAUSEA_MILD, applies_to="{window: early}")
    assert of("empty-window", early) == []
    nowhere = CATALOGUE.replace("early: 0-28", "early: null")
    assert nowhere != CATALOGUE
    crs = RULE.replace("  applies_to: {therapies: [car_t], window: early}\n", "")
    assert crs != RULE
    assert of("empty-window", early, catalogue=nowhere, crs=crs) == [
        "a asks for the early window, and no therapy of the catalogue has one"
    ]


def test_a_documented_sign_that_the_form_does_not_ask_for() -> None:
    sources = SOURCES.replace("signs: [nausea]", "signs: [nausea, pulse, temperature]")
    assert of("sign-not-asked", sources=sources) == ["the form does not ask for “pulse”, which label/other names"]


def test_the_form_asks_for_what_the_checks_think() -> None:
    """Every field of a report that the patient's pages fill, beside symptoms; silence is what the form does not get."""
    import inspect

    from triage.reports import forms

    code = inspect.getsource(forms)
    assert {name for name in loading.OTHER_SIGNS if f"{name}=" in code or f"{name}_c=" in code} == {
        name for name in checks.FORM_ASKS if name != "silence"
    }


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ("… and then: Call\n for “fever”!", False),
        ("Call for a fever.", True),
    ],
)
def test_a_quote_must_stand_in_the_stored_text(stored: str, found: bool) -> None:
    ruleset = load_texts(FILES)
    messages = [str(one) for one in checks.run(ruleset, READ, {"label": stored}) if one.check == "quote-not-found"]
    assert [message.startswith("rules/sources.yaml:7:") for message in messages] == [True] * found


def test_the_shipped_quotes_stand_in_the_stored_text() -> None:
    texts = loading.read_texts(folder("rules"))
    assert checks.SEED in texts
    quoted = loading.load(folder("rules")).sources[checks.SEED].passages.values()
    assert [passage.form for passage in quoted] == ["quote"] * 3
    shipped = checks.run(loading.load(folder("rules")), READ, texts)
    assert {one.check for one in shipped} <= {"sign-not-asked"}


def test_a_part_that_no_example_decides_is_a_warning() -> None:
    when = "{all: [{symptom: nausea, at_least: mild}, {symptom: fainting, is: yes}]}"
    written = rules_with(when, cases="{fires: [], stays_quiet: [{symptoms: {nausea: none}}]}")
    assert "example: no example decides “fainting: yes”" in of("undecided-condition", written)
    decided = written.replace("fires: []", "fires: [{symptoms: {nausea: mild, fainting: yes}}]")
    assert of("undecided-condition", decided) == []

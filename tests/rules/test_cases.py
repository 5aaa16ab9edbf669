"""Example reports beside rules: which fail and what fired instead, and which conditions none of them decides."""

# ruff: noqa: E501 (rules on one line)
from __future__ import annotations

import pytest

from tests.rules.written_rules import FILES, RULE, load, rules_with
from triage.paths import folder
from triage.rules import cases, loading
from triage.rules.cases import CasesResult
from triage.rules.loading import load_texts


def run(when: str, fires: str, stays_quiet: str, *more: str, **keys: str) -> CasesResult:
    return cases.run(load(rules_with(when, cases=f"{{fires: [{fires}], stays_quiet: [{stays_quiet}]}}", **keys), *more))


def test_cases_that_come_out_as_they_say() -> None:
    result = cases.run(load_texts(FILES))

    assert (result.count, result.failed, result.undecided) == (3, (), ())


def test_a_failing_case_is_named_with_its_place_and_what_fired_instead() -> None:
    wrong = RULE.replace(
        "{days_since_therapy: 5, symptoms: {chills: none}}", "{days_since_therapy: 5, symptoms: {chills: severe}}"
    )
    wrong = wrong.replace(
        "fires:\n      - {days", "fires:\n      - {name: in the first week, symptoms: {nausea: mild}, days"
    )
    nausea = rules_with(
        "{symptom: nausea, at_least: mild}", cases="{fires: [{symptoms: {nausea: mild}}], stays_quiet: [{}]}"
    )
    wrong = wrong.replace(", symptoms: {chills: mild}}\n    stays", "}\n    stays")

    failed = cases.run(load(wrong, nausea)).failed

    assert [str(case) for case in failed] == [
        "rules/crs.yaml:14:9: chills-early should fire on this example (in the first week); these rules fired: example",
        "rules/crs.yaml:16:9: chills-early should stay quiet on this example; these rules fired: chills-early",
    ]


def test_a_case_on_which_nothing_fires_says_so() -> None:
    [failed] = run("{symptom: chills, at_least: mild}", "{symptoms: {chills: none}}", "{}").failed

    assert str(failed).endswith("example should fire on this example; no rule fired")


def test_an_undecided_rule_has_not_fired() -> None:
    [failed] = run("{symptom: chills, at_least: mild}", "{symptoms: {chills: unknown}}", "{}").failed

    assert failed.fired == ()


def test_history_and_silence_of_a_case_count() -> None:
    worse = run(
        "{worse: {symptom: chills, by: 1, than: {lowest_in: 24h}}}",
        "{symptoms: {chills: mild}, history: [{hours_before: 24, symptoms: {chills: none}}]}",
        "{symptoms: {chills: mild}, history: [{hours_before: 24.5, symptoms: {chills: none}}]}",
    )
    silent = run("{silent_for: 24h}", "{silent_for: 24h}, {silent_for: 2 d}", "{silent_for: 23h}, {}")

    assert (worse.failed, silent.failed) == ((), ())


def test_a_failing_case_of_silence_names_the_silence_rules_that_fired() -> None:
    other = "{fires: [{silent_for: 12h}], stays_quiet: [{}]}"
    result = run(
        "{silent_for: 24h}",
        "{silent_for: 12h}",
        "{}",
        rules_with("{silent_for: 12h}", cases=other).replace("id: example", "id: sooner"),
    )

    assert [case.fired for case in result.failed] == [("sooner",)]


SOONS = (
    rules_with("{symptom: chills, at_least: mild}", urgency="soon", cases="{fires: [{symptoms: {chills: mild}}], stays_quiet: [{}]}").replace("id: example", "id: one")
    + rules_with("{symptom: nausea, at_least: mild}", urgency="soon", cases="{fires: [{symptoms: {nausea: mild}}], stays_quiet: [{}]}").replace("id: example", "id: two")
)  # fmt: skip


def test_a_together_rule_is_judged_with_all_the_others() -> None:
    result = run(
        "{together: {of: soon, count: 2}}",
        "{symptoms: {chills: mild, nausea: mild}}",
        "{symptoms: {chills: mild}}, {symptoms: {chills: mild, nausea: none}}",
        SOONS,
    )

    assert (result.failed, result.undecided) == ((), ())


def test_a_together_rule_whose_example_has_one_sign_fails() -> None:
    [failed] = run("{together: {of: soon, count: 2}}", "{symptoms: {chills: mild}}", "{}", SOONS).failed

    assert failed.fired == ("one",)


ANY = "{any: [{symptom: chills, at_least: mild}, {all: [{symptom: nausea, at_least: severe}, {on_steroids: yes}]}]}"
CHILLS, BOTH = "{symptoms: {chills: mild}}", "{symptoms: {nausea: severe}, on_steroids: true}"
NAUSEA, STEROIDS = "{symptoms: {nausea: severe}}", "{on_steroids: true}"
NAUSEA_SAID = "nausea is at least severe"
STEROIDS_SAID = "the person takes steroids or was given tocilizumab"


@pytest.mark.parametrize(
    ("fires", "stays_quiet", "undecided"),
    [
        (f"{CHILLS}, {BOTH}", f"{NAUSEA}, {STEROIDS}", []),
        (CHILLS, "{}", [NAUSEA_SAID, STEROIDS_SAID]),
        (CHILLS, f"{NAUSEA}", [NAUSEA_SAID]),
        (f"{CHILLS}, {BOTH}", "", []),
    ],
)
def test_a_condition_that_no_case_decides_is_named_at_its_place(
    fires: str, stays_quiet: str, undecided: list[str]
) -> None:
    found = run(ANY, fires, stays_quiet).undecided

    assert [text.text for text in found] == undecided
    for one in found:
        line = rules_with(ANY).splitlines()[one.place.line - 1]
        assert line[one.place.column - 1 :].startswith(
            "{symptom: nausea" if one.text == NAUSEA_SAID else "{on_steroids"
        )
        assert str(one) == f"{one.place}: example: no example decides “{one.text}”"


def test_a_window_that_no_case_decides_is_named() -> None:
    inside = RULE.replace("      - {days_since_therapy: 29, symptoms: {chills: mild}}\n", "")

    [undecided] = cases.run(load(inside)).undecided

    assert str(undecided) == (
        "rules/crs.yaml:1:7: chills-early: no example decides “concerns people after CAR T cells, in the early window "
        "(days 0 to 28 after CAR T cells)”"
    )


def test_progress_is_told_each_rule() -> None:
    told: list[str] = []
    cases.run(load(RULE, rules_with("{on_steroids: yes}")), told.append)

    assert told == ["chills-early", "example"]


def test_the_shipped_cases_come_out_as_they_say_and_decide_every_condition() -> None:
    result = cases.run(loading.load(folder("rules")))

    assert [str(failed) for failed in result.failed] == []
    assert [str(undecided) for undecided in result.undecided] == []
    assert result.count >= 3 * 48

"""What must hold for every ruleset, report and history: random ones look for a counter-example."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.strategies import CATALOGUE, NOW, histories, reports, rule, ruleset, rulesets
from triage.rules import conditions as c
from triage.rules.assessment import Fact
from triage.rules.catalogue import THINKING_CHECK_POINTS, Presence, Scale, Severity
from triage.rules.engine import Verdict, assess, evaluate
from triage.rules.report import Report, ThinkingCheck, from_data, to_data
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency


def worse(report: Report, code: str) -> Iterable[Report]:
    """The same report with one known answer worse, or one that was not asked answered by a complaint."""
    answer = report.symptoms.get(code, Severity.NONE)
    if isinstance(answer, Severity | Presence):
        scale = Presence if CATALOGUE.symptoms[code].scale is Scale.PRESENCE else Severity
        for level in scale:
            if level > answer:
                yield replace(report, symptoms={**report.symptoms, code: level})


@given(rulesets(), reports(), histories(), st.sampled_from(list(CATALOGUE.symptoms)))
def test_a_worse_or_additional_symptom_never_lowers_the_urgency(
    rules: Ruleset, report: Report, history: list[Report], code: str
) -> None:
    before = assess(rules, report, history)

    for changed in worse(report, code):
        after = assess(rules, changed, history)
        assert after.urgency >= before.urgency
        assert {f.rule for f in before.fired} <= {f.rule for f in after.fired}


@given(rulesets(), reports(), histories(), st.randoms(use_true_random=False))
def test_the_order_of_rules_symptoms_and_history_never_matters(
    rules: Ruleset, report: Report, history: list[Report], random: object
) -> None:
    shuffle = random.shuffle  # type: ignore[attr-defined]
    mixed_rules, mixed_answers, mixed_history = list(rules.rules), list(report.symptoms.items()), list(history)
    for items in (mixed_rules, mixed_answers, mixed_history):
        shuffle(items)

    mixed = assess(
        replace(rules, rules=tuple(mixed_rules)), replace(report, symptoms=dict(mixed_answers)), mixed_history
    )

    plain = assess(rules, report, history)
    assert mixed.urgency == plain.urgency
    assert [(f.rule, set(f.facts)) for f in mixed.fired if f.rule != "rule-90"] == [
        (f.rule, set(f.facts)) for f in plain.fired if f.rule != "rule-90"
    ]


@given(rulesets(), reports(), histories())
def test_a_report_judged_twice_gives_the_same_bytes(rules: Ruleset, report: Report, history: list[Report]) -> None:
    assert assess(rules, report, history).to_bytes() == assess(rules, report, list(reversed(history))).to_bytes()


@given(rulesets(), reports(), histories())
def test_the_facts_of_a_fired_rule_alone_make_it_fire_again(
    rules: Ruleset, report: Report, history: list[Report]
) -> None:
    for fired in assess(rules, report, history).fired:
        found = rules.by_id[fired.rule]
        if isinstance(found.when, c.Together):
            continue
        bare, bare_history = from_facts(fired.facts, report)

        assert evaluate(found, bare, bare_history, CATALOGUE).verdict is Verdict.FIRES


@given(rulesets(), reports(), histories())
def test_no_rule_fails_on_a_valid_report(rules: Ruleset, report: Report, history: list[Report]) -> None:
    assert not [f.rule for f in assess(rules, report, history).fired if f.failed]


@given(rulesets(), reports(), histories())
def test_the_urgency_is_the_highest_that_fired_and_doubt_about_an_urgent_rule_is_at_least_soon(
    rules: Ruleset, report: Report, history: list[Report]
) -> None:
    result = assess(rules, report, history)

    doubt = any(u.urgency >= Urgency.URGENT for u in result.undecided)
    floor = Urgency.SOON if doubt else Urgency.ROUTINE
    assert result.urgency == max([floor, *(f.urgency for f in result.fired)])


@given(rulesets(), reports(), histories())
def test_looking_rules_up_by_what_was_answered_misses_none(
    rules: Ruleset, report: Report, history: list[Report]
) -> None:
    woken = {rules.single_rules[number].id for number in rules.triggers.woken(report)}

    for asked in rules.single_rules:
        if evaluate(asked, report, history, CATALOGUE).verdict is not Verdict.QUIET:
            assert asked.id in woken


@given(reports())
def test_the_data_form_of_a_report_reads_back_the_same(report: Report) -> None:
    assert from_data(to_data(report), CATALOGUE) == report


@given(rulesets(), reports(), st.lists(reports(), max_size=3))
def test_reports_beyond_the_twelve_latest_change_nothing(rules: Ruleset, report: Report, older: list[Report]) -> None:
    recent = [replace(report, reported_at=NOW - timedelta(hours=hour)) for hour in range(1, 13)]
    ancient = [replace(old, reported_at=NOW - timedelta(days=10 + day)) for day, old in enumerate(older)]

    assert assess(rules, report, recent).to_bytes() == assess(rules, report, recent + ancient).to_bytes()


def from_facts(facts: tuple[Fact, ...], judged: Report) -> tuple[Report, list[Report]]:
    """A report and a history in which nothing is said but these facts."""
    by_time: dict[datetime | None, dict[str, str]] = {None: {}}
    bare = Report(judged.therapy, judged.days_since_therapy, reported_at=NOW)
    for fact in facts:
        said = by_time.setdefault(fact.at, {})
        if fact.subject == "thinking_check":  # an unfinished one says both: that it was, and what was scored until then
            said[fact.subject] = " ".join(sorted({*said.get(fact.subject, "").split(), fact.value}))
        else:
            said[fact.subject] = fact.value
        if fact.earlier_at:
            by_time.setdefault(fact.earlier_at, {})[fact.subject] = fact.earlier
        elif fact.test == "below_baseline":
            bare = replace(bare, thinking_check_baseline=int(fact.earlier))
    history = [_say(Report(reported_at=at), said) for at, said in by_time.items() if at is not None]
    return _say(bare, by_time[None]), history


def _say(report: Report, said: dict[str, str]) -> Report:
    data = to_data(report)
    for subject, value in said.items():
        if subject in CATALOGUE.symptoms:
            data.setdefault("symptoms", {})[subject] = value
        elif subject == "thinking_check":
            data[subject] = value if value == "abandoned" else _points(int(value.split()[0]), "abandoned" not in value)
        elif subject == "temperature":
            data["temperature_c"] = None if value == "not measured" else float(Decimal(value))
        elif subject in ("on_steroids", "fever_reducer_taken"):
            data[subject] = True
        else:
            data.setdefault("measured", {})[subject] = float(Decimal(value))
    return from_data(data, CATALOGUE)


def _points(score: int, finished: bool = True) -> dict[str, int]:
    """Points that give this score; one item is missing where the check was not finished."""
    points: dict[str, int] = {}
    for item, most in THINKING_CHECK_POINTS.items():
        points[item] = min(most, score)
        score -= points[item]
    if not finished:
        points.popitem()
    return points


def test_the_facts_of_an_unfinished_check_say_that_it_was_and_what_was_scored_until_then() -> None:
    rules = ruleset([rule(1, c.All((c.ThinkingCheckAbandoned(), c.ThinkingCheckAtMost(4))), Urgency.URGENT)])
    report = Report(reported_at=NOW, thinking_check=ThinkingCheck({"orientation": 3}))

    (fired,) = assess(rules, report, []).fired
    bare, history = from_facts(fired.facts, report)

    assert assess(rules, bare, history).fired


def test_the_helpers_can_find_a_fault() -> None:
    """A rule that fires on less would be found: the comparison is not empty."""
    rules = ruleset([])
    assert assess(rules, Report(), []).urgency is Urgency.ROUTINE
    assert list(worse(Report(symptoms={"chills": Severity.SEVERE}), "chills"))
    assert ThinkingCheck(_points(7)).score == 7

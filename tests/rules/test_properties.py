"""What must hold for every ruleset, report and history: random ones look for a counter-example."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.rules.strategies import CATALOGUE, NOW, codes, degrees, histories, reports, rule, ruleset, rulesets, several
from tests.rules.strategies import readings as device_readings
from tests.rules.worsening import STEPS, side_by_side, worse
from triage.rules import conditions as c
from triage.rules.assessment import Fact
from triage.rules.catalogue import THINKING_CHECK_POINTS, Presence, Severity
from triage.rules.checks import turns_back
from triage.rules.engine import Verdict, assess, evaluate
from triage.rules.report import UNKNOWN, Report, ThinkingCheck, from_data, to_data
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency


@given(rulesets(), reports(), histories())
def test_a_worse_answer_never_lowers_the_urgency(rules: Ruleset, report: Report, history: list[Report]) -> None:
    """Of whatever kind; `tests/rules/worsening.py` says what is worse."""
    assume(not list(turns_back(rules)))
    before = assess(rules, report, history)

    for changed in worse(report, rules):
        after = assess(rules, changed, history)
        forms = side_by_side(report, changed, (before, after), history)
        assert after.urgency >= before.urgency, forms
        assert {f.rule for f in before.fired} <= {f.rule for f in after.fired}, forms


about_readings: st.SearchStrategy[c.Condition] = st.recursive(
    st.one_of(
        st.builds(c.TemperatureAtLeast, degrees),
        st.builds(c.TemperatureAtMost, degrees),
        st.builds(c.MeasuredAtLeast, st.just("pulse"), device_readings),
        st.builds(c.MeasuredAtMost, st.just("pulse"), device_readings),
        st.builds(c.SymptomAtLeast, codes, st.just(Severity.MILD)),
    ),
    several,
    max_leaves=4,
)
one_reading = st.one_of(
    st.tuples(st.just("temperature"), st.lists(degrees, min_size=3, max_size=3, unique=True)),
    st.tuples(st.just("pulse"), st.lists(device_readings, min_size=3, max_size=3, unique=True)),
)


@given(st.lists(about_readings, min_size=1, max_size=3), st.integers(2, 3), reports(), one_reading)
def test_a_reading_is_never_more_urgent_than_those_further_out_on_both_sides(
    whens: list[c.Condition], signs: int, report: Report, reading: tuple[str, list[Decimal]]
) -> None:
    """Rules may ask in both directions, and so call both a high and a low one urgent; never what lies in the middle."""
    singles = [rule(number, when, Urgency.SOON) for number, when in enumerate(whens)]
    rules = ruleset([*singles, rule(90, c.Together(Urgency.SOON, signs), Urgency.URGENT)])
    assume(not list(turns_back(rules)))
    quantity, values = reading
    filled = [with_reading(report, quantity, value) for value in sorted(values)]
    low, middle, high = [(one, assess(rules, one, [])) for one in filled]

    further_out = max(low, high, key=lambda pair: pair[1].urgency)
    forms = side_by_side(middle[0], further_out[0], (middle[1], further_out[1]), [])
    assert middle[1].urgency <= further_out[1].urgency, forms


def with_reading(report: Report, quantity: str, value: Decimal) -> Report:
    if quantity == "temperature":
        return replace(report, temperature_c=value)
    return replace(report, measured={**report.measured, quantity: value})


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


EVERYTHING = ruleset(
    [
        rule(1, c.Any((c.TemperatureAtLeast(Decimal(38)), c.TemperatureAtMost(Decimal(36)))), Urgency.SOON),
        rule(2, c.MeasuredAtMost("oxygen_percent", Decimal(92)), Urgency.SOON),
        rule(3, c.ThinkingCheckAtMost(7), Urgency.EMERGENCY),
    ]
)


def changes(report: Report, field: str) -> list[object]:
    """What `worse` makes of one answer."""
    found = [getattr(one, field) for one in worse(report, EVERYTHING)]
    return [value for value in found if value != getattr(report, field)]


def test_what_is_worse() -> None:
    full = ThinkingCheck(dict(THINKING_CHECK_POINTS))
    fell = ThinkingCheck({**THINKING_CHECK_POINTS, "orientation": 1})
    given_up = ThinkingCheck({}, abandoned=True)

    assert {"chills": Severity.SEVERE} not in changes(Report(symptoms={"chills": Severity.SEVERE}), "symptoms")
    assert {"chills": Severity.VERY_SEVERE} in changes(Report(symptoms={"chills": UNKNOWN}), "symptoms")
    assert {"fainting": Presence.YES} in changes(Report(), "symptoms")
    assert changes(Report(fever_reducer_taken=UNKNOWN), "fever_reducer_taken") == [Presence.YES]
    assert changes(Report(on_steroids=Presence.YES), "on_steroids") == []
    assert min(changes(Report(temperature_c=Decimal(38)), "temperature_c")) > 38  # type: ignore[type-var]
    assert max(changes(Report(temperature_c=Decimal(36)), "temperature_c")) < 36  # type: ignore[type-var]
    assert len(changes(Report(temperature_c=Decimal(37)), "temperature_c")) == 2 * len(STEPS)
    assert changes(Report(temperature_c=UNKNOWN), "temperature_c") == []
    oxygen = changes(Report(measured={"oxygen_percent": Decimal(96)}), "measured")
    assert {"oxygen_percent": Decimal(91)} in oxygen
    assert len(oxygen) == len(STEPS)
    assert changes(Report(), "measured") == [{"oxygen_percent": Decimal(92)}]
    assert given_up in changes(Report(), "thinking_check")
    assert given_up in changes(Report(thinking_check=full), "thinking_check")
    assert given_up not in changes(Report(thinking_check=fell), "thinking_check")
    assert ThinkingCheck({**fell.points, "orientation": 0}) in changes(Report(thinking_check=fell), "thinking_check")
    assert changes(Report(thinking_check=given_up), "thinking_check") == []


def test_a_failure_is_shown_as_two_filled_forms() -> None:
    rules = ruleset([rule(1, c.TemperatureAtLeast(Decimal(38)), Urgency.URGENT)])
    before = Report(temperature_c=Decimal("37.9"), symptoms={"chills": Severity.MILD})
    after = replace(before, temperature_c=Decimal("38.4"))
    earlier = [Report(temperature_c=Decimal(37))]

    shown = side_by_side(before, after, (assess(rules, before), assess(rules, after)), earlier)

    assert (
        shown
        == """
                  | as reported | with a worse answer
→ temperature_c   | 37.9        | 38.4
  symptoms chills | mild        | mild
→ urgency         | routine     | urgent
→ rules that fire | none        | rule-1 (urgent)
  undecided rules | none        | none
  earlier: temperature_c: 37"""
    )


def test_a_rule_that_asks_for_the_middle_would_be_found() -> None:
    middle = c.All((c.TemperatureAtLeast(Decimal(35)), c.TemperatureAtMost(Decimal(36))))
    rules = ruleset([rule(1, middle, Urgency.URGENT)])
    urgencies = [assess(rules, Report(temperature_c=Decimal(degrees))).urgency for degrees in ("34", "35.5", "38")]

    assert urgencies == [Urgency.ROUTINE, Urgency.URGENT, Urgency.ROUTINE]
    assert [one.check for one in turns_back(rules)] == ["worse-is-less"]


def test_the_helpers_can_find_a_fault() -> None:
    """A rule that fires on less would be found: the comparison is not empty."""
    rules = ruleset([])
    assert assess(rules, Report(), []).urgency is Urgency.ROUTINE
    assert ThinkingCheck(_points(7)).score == 7

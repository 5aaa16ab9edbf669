"""Random rulesets, reports and histories over a small catalogue, for the properties of the engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from hypothesis import strategies as st

from triage.rules import conditions as c
from triage.rules.catalogue import (
    MEASURED,
    THINKING_CHECK_POINTS,
    Asked,
    Catalogue,
    Presence,
    Scale,
    Severity,
    Symptom,
    Therapy,
    Window,
)
from triage.rules.report import UNKNOWN, Answer, Report, ThinkingCheck
from triage.rules.ruleset import AppliesTo, Response, Rule, Ruleset
from triage.rules.urgency import Urgency

NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)


def _symptom(code: str, scale: Scale) -> Symptom:
    return Symptom(code, scale, code.replace("_", " "), f"I have {code}", f"They have {code}", "general", Asked.DAILY)


CATALOGUE = Catalogue(
    symptoms=MappingProxyType(
        {code: _symptom(code, Scale.SEVERITY) for code in ("chills", "nausea", "headache", "confusion")}
        | {code: _symptom(code, Scale.PRESENCE) for code in ("seizure", "fainting")}
    ),
    therapies=MappingProxyType(
        {
            "car_t": Therapy("car_t", "CAR T cells", early=Window(0, 28)),
            "bite": Therapy("bite", "blinatumomab", early=Window(0, 14)),
            "donor": Therapy("donor", "donor lymphocytes"),
        }
    ),
)
RESPONSE = Response({}, {}, timedelta(hours=2))

severities = st.sampled_from([Severity.MILD, Severity.MODERATE, Severity.SEVERE, Severity.VERY_SEVERE])
codes = st.sampled_from(list(CATALOGUE.symptoms))
codes_or_any = st.one_of(codes, st.just(c.ANY_SYMPTOM))
spans = st.sampled_from([timedelta(hours=h) for h in (12, 24, 48)])
degrees = st.sampled_from([Decimal(text) for text in ("35.0", "36.0", "37.3", "37.5", "38.0", "39.5")])
points = st.integers(0, 10)
readings = st.sampled_from([Decimal(n) for n in (60, 80, 89, 92, 99)])
quantities = st.sampled_from(list(MEASURED))

leaves: st.SearchStrategy[c.Condition] = st.one_of(
    st.builds(c.SymptomAtLeast, codes_or_any, severities),
    st.builds(c.SymptomPresent, codes),
    st.builds(c.TemperatureAtLeast, degrees, st.none() | spans),
    st.builds(c.TemperatureAtLeast, degrees, st.none(), st.just(Decimal("1.0"))),
    st.builds(c.ThinkingCheckAtMost, points),
    st.builds(c.ThinkingCheckBelowBaseline, st.integers(1, 10)),
    st.just(c.ThinkingCheckAbandoned()),
    st.builds(c.MeasuredAtLeast, quantities, readings),
    st.builds(c.MeasuredAtMost, quantities, readings),
    st.just(c.OnSteroids()),
    st.just(c.FeverReducerTaken()),
    st.builds(c.Worse, codes_or_any, st.integers(1, 3), st.none() | spans),
    st.builds(c.Persists, codes_or_any, severities, st.integers(2, 4), st.none()),
    st.builds(c.Persists, codes_or_any, severities, st.none(), spans),
    st.builds(c.New, codes_or_any),
    st.just(c.TemperatureNotMeasured()),
    st.builds(c.TemperatureAtMost, degrees),
)


def several(part: st.SearchStrategy[c.Condition]) -> st.SearchStrategy[c.Condition]:
    parts = st.lists(part, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(c.All, parts),
        st.builds(c.Any, parts),
        parts.flatmap(lambda of: st.builds(c.AtLeast, st.integers(1, len(of)), st.just(of))),
    )


conditions = st.recursive(leaves, several, max_leaves=5)
windows = st.sampled_from([None, Window(0, 7), Window(0, 28), Window(30, None)])
applies_to = st.builds(
    AppliesTo,
    st.none() | st.frozensets(st.sampled_from(list(CATALOGUE.therapies)), min_size=1),
    st.booleans(),
    windows,
).filter(lambda a: not (a.early and a.days))
urgencies = st.sampled_from(list(Urgency))


def rule(number: int, when: c.Condition, urgency: Urgency, concerns: AppliesTo = AppliesTo()) -> Rule:  # noqa: B008
    return Rule(f"rule-{number}", f"Rule {number}", urgency, when, "why", f"advice {number}", "judgment", concerns)


def ruleset(rules: list[Rule]) -> Ruleset:
    ordered = tuple(sorted(rules, key=lambda one: one.id))
    return Ruleset(CATALOGUE, ordered, {}, RESPONSE, repr([one.id for one in ordered]))


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    rules = [
        rule(number, draw(conditions), draw(urgencies), draw(applies_to)) for number in range(draw(st.integers(1, 5)))
    ]
    if draw(st.booleans()):
        rules.append(rule(90, c.Together(Urgency.SOON, draw(st.integers(2, 3))), Urgency.URGENT))
    return ruleset(rules)


severity_answers: st.SearchStrategy[Answer] = st.sampled_from([*Severity, UNKNOWN])
presence_answers: st.SearchStrategy[Answer] = st.sampled_from([*Presence, UNKNOWN])
answers = st.fixed_dictionaries(
    {},
    optional={
        code: severity_answers if symptom.scale is Scale.SEVERITY else presence_answers
        for code, symptom in CATALOGUE.symptoms.items()
    },
)
yes_no = st.sampled_from([None, Presence.NO, Presence.YES, UNKNOWN])
temperatures = st.one_of(
    st.none(), st.just(UNKNOWN), st.decimals(34, 41, places=1, allow_nan=False, allow_infinity=False)
)
checks = st.one_of(
    st.none(),
    st.just(ThinkingCheck({}, abandoned=True)),
    st.just(ThinkingCheck({}, declined=True)),
    st.fixed_dictionaries({}, optional={i: st.integers(0, most) for i, most in THINKING_CHECK_POINTS.items()}).map(
        lambda points: ThinkingCheck(points, abandoned=not points)
    ),
)
measurements = st.dictionaries(quantities, st.one_of(st.just(UNKNOWN), st.integers(50, 100).map(Decimal)), max_size=3)


@st.composite
def reports(draw: st.DrawFn, at: datetime = NOW) -> Report:
    return Report(
        therapy=draw(st.sampled_from([None, *CATALOGUE.therapies])),
        days_since_therapy=draw(st.one_of(st.none(), st.integers(0, 60))),
        reported_at=at,
        temperature_c=draw(temperatures),
        fever_reducer_taken=draw(yes_no),
        on_steroids=draw(yes_no),
        symptoms=draw(answers),
        thinking_check=draw(checks),
        thinking_check_baseline=draw(st.none() | points),
        measured=draw(measurements),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Report]:
    """Earlier reports at different times."""
    ages = draw(st.lists(st.integers(1, 96), max_size=4, unique=True))
    return [draw(reports(at=NOW - timedelta(hours=age))) for age in ages]

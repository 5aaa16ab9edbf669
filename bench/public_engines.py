"""The shipped conditions in the rule engines that anybody can install, translated from the same values.

All rules are one expression that is evaluated once, which is the fastest that each engine can do. The rules that no
engine can express (earlier reports, signs counted across rules) are left out. The engines take a flat dictionary in
place of a report; making it is measured by itself. None of them says which value crossed which threshold.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from triage.rules import conditions as c
from triage.rules.catalogue import THINKING_CHECK_FULL, Catalogue, Presence, Severity
from triage.rules.report import Report, Unknown
from triage.rules.ruleset import AppliesTo, Rule, Ruleset

Facts = dict[str, Any]
Ready = Callable[[Facts], Sequence[Any]]
"""What an engine makes of its expression: the facts in, one truth value a rule out."""

WORST = "worst_symptom"
EVERY_YES = int(max(Severity))


@dataclass(frozen=True)
class Engine:
    """A public engine: how its expression is made ready, and which facts it wants."""

    name: str
    module: str
    ready: Callable[[Any, Sequence[Rule], Catalogue], Ready]
    facts: Callable[[Facts], Any] = lambda facts: facts
    slow: bool = False


def expressible(ruleset: Ruleset) -> list[Rule]:
    """The rules that look at one report only."""
    return [rule for rule in ruleset.single_rules if not any(map(_needs_history, c.leaves(rule.when)))]


def _needs_history(leaf: c.Condition) -> bool:
    if isinstance(leaf, c.TemperatureAtLeast):
        return leaf.within is not None or leaf.risen_by is not None
    return isinstance(leaf, c.Worse | c.Persists | c.New)


def flat(report: Report, catalogue: Catalogue) -> Facts:
    """The report as one flat dictionary; what was not asked or is unknown is null."""
    levels = {code: None if isinstance(a, Unknown) else +a for code, a in report.symptoms.items()}
    said = [a for a in report.symptoms.values() if a and not isinstance(a, Unknown)]
    check = report.thinking_check
    score = None if check is None or check.abandoned else check.score
    baseline = THINKING_CHECK_FULL if report.thinking_check_baseline is None else report.thinking_check_baseline
    return {
        **dict.fromkeys(catalogue.symptoms),
        **levels,
        WORST: max([EVERY_YES if a is Presence.YES else +a for a in said], default=0),
        "therapy": report.therapy,
        "day": report.days_since_therapy,
        "temperature": _float(report.temperature_c),
        "systolic_mmhg": _float(report.measured.get("systolic_mmhg")),
        "pulse": _float(report.measured.get("pulse")),
        "oxygen_percent": _float(report.measured.get("oxygen_percent")),
        "fever_reducer_taken": _int(report.fever_reducer_taken),
        "on_steroids": _int(report.on_steroids),
        "check_score": score,
        "check_lost": None if score is None else baseline - score,
        "check_unfinished": None if check is None else int(not check.finished),
    }


def _float(value: Decimal | Unknown | None) -> float | None:
    return float(value) if isinstance(value, Decimal) else None


def _int(value: Presence | Unknown | None) -> int | None:
    return int(value) if isinstance(value, Presence) else None


# --- the conditions, told apart once ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asks:
    """What a language must be able to say."""

    least: Callable[[str, Any], Any]
    most: Callable[[str, Any], Any]
    missing: Callable[[str], Any]
    one_of: Callable[[str, list[str]], Any]
    both: Callable[[list[Any]], Any]
    either: Callable[[list[Any]], Any]
    count: Callable[[int, list[Any]], Any]


def whole(rule: Rule, catalogue: Catalogue, asks: Asks) -> Any:
    """A rule with its therapies and days."""
    window = _applies(rule.applies_to, catalogue, asks)
    when = _condition(rule.when, asks)
    return asks.both([window, when]) if window is not None else when


def _applies(applies_to: AppliesTo, catalogue: Catalogue, asks: Asks) -> Any:
    parts: list[Any] = []
    if applies_to.therapies is not None:
        parts.append(asks.either([asks.missing("therapy"), asks.one_of("therapy", sorted(applies_to.therapies))]))
    if applies_to.early:
        windows: list[Any] = [asks.missing("therapy")]
        for code, therapy in catalogue.therapies.items():
            if therapy.early is not None and code in (applies_to.therapies or catalogue.therapies):
                inside = _days(therapy.early.first, therapy.early.last, asks)
                windows.append(asks.both([asks.one_of("therapy", [code]), inside]))
        parts.append(asks.either(windows))
    elif applies_to.days is not None:
        parts.append(_days(applies_to.days.first, applies_to.days.last, asks))
    return asks.both(parts) if parts else None


def _days(first: int, last: int | None, asks: Asks) -> Any:
    bounds = [asks.least("day", first)] if last is None else [asks.least("day", first), asks.most("day", last)]
    return asks.either([asks.missing("day"), asks.both(bounds)])


def _condition(condition: c.Condition, asks: Asks) -> Any:
    match condition:
        case c.All(of=parts):
            return asks.both([_condition(part, asks) for part in parts])
        case c.Any(of=parts):
            return asks.either([_condition(part, asks) for part in parts])
        case c.AtLeast(count=count, of=parts):
            return asks.count(count, [_condition(part, asks) for part in parts])
        case c.SymptomAtLeast(symptom=code, level=level):
            return asks.least(WORST if code == c.ANY_SYMPTOM else code, int(level))
        case c.SymptomPresent(symptom=code):
            return asks.least(code, 1)
        case c.TemperatureAtLeast(celsius=limit):
            return asks.least("temperature", float(limit))
        case c.TemperatureAtMost(celsius=limit):
            return asks.most("temperature", float(limit))
        case c.TemperatureNotMeasured():
            return asks.missing("temperature")
        case c.MeasuredAtLeast(quantity=quantity, value=limit):
            return asks.least(quantity, float(limit))
        case c.MeasuredAtMost(quantity=quantity, value=limit):
            return asks.most(quantity, float(limit))
        case c.OnSteroids():
            return asks.least("on_steroids", 1)
        case c.FeverReducerTaken():
            return asks.least("fever_reducer_taken", 1)
        case c.ThinkingCheckAtMost(points=points):
            return asks.most("check_score", points)
        case c.ThinkingCheckBelowBaseline(points=points):
            return asks.least("check_lost", points)
        case c.ThinkingCheckAbandoned():
            return asks.least("check_unfinished", 1)
    raise ValueError(f"no public engine can say {condition}")


# --- the languages ----------------------------------------------------------------------------------------------------


def written(both: str, either: str, known: str = "{} != null", missing: str = "{} == null", name: str = "{}") -> Asks:
    """A language with infix operators."""

    def joined(word: str) -> Callable[[list[Any]], str]:
        return lambda parts: parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"

    def compared(sign: str) -> Callable[[str, Any], str]:
        def text(fact: str, limit: Any) -> str:
            return f"({known.format(fact)} {both} {name.format(fact)} {sign} {limit})"

        return text

    def one_of(fact: str, values: list[str]) -> str:
        listed = ", ".join(f'"{value}"' for value in values)
        return f"({known.format(fact)} {both} {name.format(fact)} in [{listed}])"

    def count(least: int, parts: list[Any]) -> str:
        return "((" + " + ".join(f"({part} ? 1 : 0)" for part in parts) + f") >= {least})"

    return Asks(compared(">="), compared("<="), missing.format, one_of, joined(both), joined(either), count)


WORDS = written("and", "or")
SIGNS = written("&&", "||")
HAS = written("&&", "||", known="has(facts.{})", missing="!has(facts.{})", name="facts.{}")


def _var(fact: str) -> dict[str, Any]:
    return {"var": fact}


JSON_LOGIC = Asks(
    least=lambda fact, limit: {">=": [_var(fact), limit]},  # null counts as 0, and every limit is above it or 0 days
    most=lambda fact, limit: {"and": [{"!=": [_var(fact), None]}, {"<=": [_var(fact), limit]}]},
    missing=lambda fact: {"==": [_var(fact), None]},
    one_of=lambda fact, values: {"in": [_var(fact), values]},
    both=lambda parts: {"and": parts},
    either=lambda parts: {"or": parts},
    count=lambda least, parts: {">=": [{"+": [{"if": [part, 1, 0]} for part in parts]}, least]},
)


def listed(rules: Sequence[Rule], catalogue: Catalogue, asks: Asks) -> str:
    """All rules as one list expression."""
    return "[" + ", ".join(whole(rule, catalogue, asks) for rule in rules) + "]"


def json_list(rules: Sequence[Rule], catalogue: Catalogue) -> dict[str, Any]:
    """All rules as one JsonLogic expression that gives a list."""
    return {"merge": [whole(rule, catalogue, JSON_LOGIC) for rule in rules]}


# --- the engines ------------------------------------------------------------------------------------------------------


def _rule_engine(module: Any, rules: Sequence[Rule], catalogue: Catalogue) -> Ready:
    return module.Rule(listed(rules, catalogue, WORDS)).evaluate  # type: ignore[no-any-return]


def _zen(module: Any, rules: Sequence[Rule], catalogue: Catalogue) -> Ready:
    return module.compile_expression(listed(rules, catalogue, WORDS)).evaluate  # type: ignore[no-any-return]


def _cel(module: Any, rules: Sequence[Rule], catalogue: Catalogue) -> Ready:
    return module.compile(listed(rules, catalogue, SIGNS)).execute  # type: ignore[no-any-return]


def _celpy(module: Any, rules: Sequence[Rule], catalogue: Catalogue) -> Ready:
    environment = module.Environment()
    return environment.program(environment.compile(listed(rules, catalogue, HAS))).evaluate  # type: ignore[no-any-return]


def _celpy_facts(facts: Facts) -> Any:
    celpy = importlib.import_module("celpy")
    return {"facts": celpy.json_to_cel({name: value for name, value in facts.items() if value is not None})}


def _json_logic(module: Any, rules: Sequence[Rule], catalogue: Catalogue) -> Ready:
    logic = json_list(rules, catalogue)
    return lambda facts: module.jsonLogic(logic, facts)


def _jsonlogic_rs(module: Any, rules: Sequence[Rule], catalogue: Catalogue) -> Ready:
    logic = json.dumps(json_list(rules, catalogue))
    return lambda facts: module.apply_serialized(logic, facts, json.loads)


ENGINES = (
    Engine("rule-engine", "rule_engine", _rule_engine),
    Engine("zen-engine", "zen", _zen),
    Engine("json-logic-qubit", "json_logic", _json_logic),
    Engine("common-expression-language", "cel", _cel),
    Engine("jsonlogic-rs", "jsonlogic_rs", _jsonlogic_rs, json.dumps),
    Engine("cel-python", "celpy", _celpy, _celpy_facts, slow=True),
)


def installed() -> list[tuple[Engine, Any]]:
    """Those that are there, with their modules."""
    found = []
    for engine in ENGINES:
        try:
            found.append((engine, importlib.import_module(engine.module)))
        except ModuleNotFoundError:
            continue
    return found

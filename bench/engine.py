"""How fast the engine judges, beside the same rules written by hand and beside public rule engines.

Run it with `make bench`. Everybody has to agree on every report before anybody is timed.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import by_hand, public_engines
from bench.reports import MOST_EARLIER, Told, person, two_kinds
from triage.rules import conditions as c
from triage.rules.engine import HISTORY_LENGTH, assess
from triage.rules.loading import load
from triage.rules.ruleset import Rule, Ruleset

RULES = Path(__file__).parent.parent / "rules"
EACH = 300
ROUNDS = 7
PASSES, AT_LEAST_SECONDS = 2, 0.03
"""The best of some passes in a row counts, so that nobody pays for what ran before."""
SLOW = 8
"""Reports that an engine gets which takes many milliseconds for one."""
GOALS = {"quiet": 3.0, "firing": 6.0}


@dataclass(frozen=True)
class Contender:
    """Somebody who judges: one prepared argument a report, in the order of the reports."""

    name: str
    judge: Callable[[Any], object]
    arguments: dict[str, list[Any]]


@dataclass(frozen=True)
class Figure:
    """The best time of all rounds, and the middle of the ratios to the hand-written function in the same round."""

    micros: float
    ratio: float


# --- agreement --------------------------------------------------------------------------------------------------------


def by_hand_disagreements(ruleset: Ruleset, told: Iterable[Told]) -> list[str]:
    """Where the hand-written function and the engine say different things."""
    wrong = []
    for one in told:
        engine = sorted(rule.rule for rule in assess(ruleset, one.report, one.history).fired)
        hand = sorted(by_hand.fired(one.report, one.history))
        if engine != hand:
            wrong.append(f"{sorted(set(engine) ^ set(hand))} on {one.report}")
    return wrong


def public_disagreements(
    ruleset: Ruleset, rules: Sequence[Rule], told: Sequence[Told], judge: Callable[[Any], Any], arguments: list[Any]
) -> list[str]:
    """Where a public engine says something else than ours about the rules that it can express."""
    wrong = []
    known = {rule.id for rule in rules}
    for one, argument in zip(told, arguments, strict=False):
        engine = {rule.rule for rule in assess(ruleset, one.report, one.history).fired} & known
        theirs = {rule.id for rule, fires in zip(rules, judge(argument), strict=True) if fires}
        if engine != theirs:
            wrong.append(f"{sorted(engine ^ theirs)} on {one.report}")
    return wrong


def _agree(name: str, wrong: list[str]) -> None:
    if wrong:
        raise SystemExit(f"{name} disagrees on {len(wrong)} reports, first: {wrong[0]}")


# --- comparison -------------------------------------------------------------------------------------------------------


def compare(ruleset: Ruleset, kinds: dict[str, list[Told]]) -> dict[str, dict[str, Figure]]:
    """Figures by contender and kind of report."""
    everything = [one for told in kinds.values() for one in told]
    _agree("The hand-written function", by_hand_disagreements(ruleset, everything))
    hand = Contender("by hand", lambda one: by_hand.fired(one.report, one.history), dict(kinds))
    rules = public_engines.expressible(ruleset)
    same = replace(ruleset, rules=tuple(rules))
    contenders = [
        hand,
        Contender("assess", partial(_assess, ruleset), dict(kinds)),
        Contender(f"assess, {len(rules)} rules", partial(_assess, same), dict(kinds)),
        Contender("flat dictionary", lambda one: public_engines.flat(one.report, ruleset.catalogue), dict(kinds)),
    ]
    for engine, module in public_engines.installed():
        judge = engine.ready(module, rules, ruleset.catalogue)
        most = SLOW if engine.slow else EACH
        arguments = {
            kind: [engine.facts(public_engines.flat(one.report, ruleset.catalogue)) for one in told[:most]]
            for kind, told in kinds.items()
        }
        for kind, told in kinds.items():
            _agree(engine.name, public_disagreements(ruleset, rules, told, judge, arguments[kind]))
        contenders.append(Contender(f"{engine.name} {metadata.version(engine.name)}", judge, arguments))
    figures: dict[str, dict[str, list[Figure]]] = {one.name: {kind: [] for kind in kinds} for one in contenders}
    for _ in range(ROUNDS):
        for contender in contenders:
            for kind, arguments_of_kind in contender.arguments.items():
                beside = _micros(hand.judge, hand.arguments[kind][: len(arguments_of_kind)])
                micros = _micros(contender.judge, arguments_of_kind)
                figures[contender.name][kind].append(Figure(micros, micros / beside))
    return {name: {kind: _middle(rounds) for kind, rounds in kinds.items()} for name, kinds in figures.items()}


def _middle(rounds: list[Figure]) -> Figure:
    return Figure(min(one.micros for one in rounds), statistics.median(one.ratio for one in rounds))


def _micros(judge: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Microseconds for one report."""
    best, passes, start = float("inf"), 0, time.perf_counter()
    while passes < PASSES or time.perf_counter() - start < AT_LEAST_SECONDS:
        passes += 1
        begin = time.perf_counter()
        for argument in arguments:
            judge(argument)
        best = min(best, time.perf_counter() - begin)
    return best / len(arguments) * 1e6


# --- growth -----------------------------------------------------------------------------------------------------------


def many_rules(ruleset: Ruleset, count: int) -> Ruleset:
    """A ruleset of that many: the shipped rules again and again, about other symptoms and other limits."""
    catalogue = ruleset.catalogue
    codes: dict[object, list[str]] = {}
    for code, symptom in catalogue.symptoms.items():
        codes.setdefault(symptom.scale, []).append(code)

    def shifted(condition: c.Condition, by: int) -> c.Condition:
        match condition:
            case c.All(of=parts) | c.Any(of=parts) | c.AtLeast(of=parts):
                return replace(condition, of=tuple(shifted(part, by) for part in parts))
            case c.SymptomAtLeast(symptom=code) | c.SymptomPresent(symptom=code) | c.Worse(symptom=code):
                return replace(condition, symptom=other(code, by))
            case c.Persists(symptom=code) | c.New(symptom=code):
                return replace(condition, symptom=other(code, by))
            case c.TemperatureAtLeast(celsius=limit) | c.TemperatureAtMost(celsius=limit):
                return replace(condition, celsius=limit + Decimal(by % 10) / 100)
            case c.MeasuredAtLeast(value=value) | c.MeasuredAtMost(value=value):
                return replace(condition, value=value + by % 3)
            case _:
                return condition

    def other(code: str, by: int) -> str:
        if code == c.ANY_SYMPTOM:
            return code
        alike = codes[catalogue.symptoms[code].scale]
        return alike[(alike.index(code) + by) % len(alike)]

    shipped = list(ruleset.single_rules)
    random.Random(2).shuffle(shipped)  # so that the first 30 are of every kind
    rules = []
    for number in range(count):
        again, place = divmod(number, len(shipped))
        rule = shipped[place]
        rules.append(replace(rule, id=f"{rule.id}-{again}", when=shifted(rule.when, again)))
    rules.sort(key=lambda rule: rule.id)
    return Ruleset(catalogue, tuple(rules), ruleset.sources, ruleset.response, f"{count} rules")


def growth_with_rules(ruleset: Ruleset, told: Sequence[Told], counts: Sequence[int]) -> list[float]:
    """Microseconds for a report, by number of rules."""
    rulesets = [many_rules(ruleset, count) for count in counts]
    judges = [partial(_assess, some) for some in rulesets]
    return _best(judges, [told] * len(counts))


def _assess(ruleset: Ruleset, one: Told) -> object:
    return assess(ruleset, one.report, one.history)


def growth_with_history(ruleset: Ruleset, lengths: Sequence[int]) -> list[float]:
    """Microseconds for a report, by length of the history, with the rules alone that look at one."""
    looking = [rule for rule in ruleset.single_rules if rule not in public_engines.expressible(ruleset)]
    alone = Ruleset(ruleset.catalogue, tuple(looking), ruleset.sources, ruleset.response, "history")
    chance = random.Random(3)
    people = [person(ruleset.catalogue, chance, earlier=max(lengths)) for _ in range(EACH)]
    for one in people:
        if assess(alone, one.report, one.history) != assess(alone, one.report, one.history[-HISTORY_LENGTH:]):
            raise SystemExit(f"more than the {HISTORY_LENGTH} latest reports change a judgment")
    cut = [[Told(one.report, one.history[len(one.history) - length :]) for one in people] for length in lengths]
    return _best([partial(_assess, alone)] * len(lengths), cut)


def _best(judges: Sequence[Callable[[Any], object]], told: Sequence[Sequence[Told]]) -> list[float]:
    best = [float("inf")] * len(judges)
    for _ in range(ROUNDS):
        for number, (judge, some) in enumerate(zip(judges, told, strict=True)):
            best[number] = min(best[number], _micros(judge, some))
    return best


# --- the tables -------------------------------------------------------------------------------------------------------


def kinds_of_reports(ruleset: Ruleset, each: int) -> dict[str, list[Told]]:
    """As many quiet as firing reports."""
    quiet, firing = two_kinds(ruleset.catalogue, lambda *told: bool(by_hand.fired(*told)), each)
    return {"quiet": quiet, "firing": firing}


def main() -> None:
    """Every table, as Markdown."""
    ruleset = load(RULES)
    kinds = kinds_of_reports(ruleset, EACH)
    fired = sum(len(by_hand.fired(one.report, one.history)) for one in kinds["firing"]) / EACH
    answers = statistics.mean(len(one.report.symptoms) for told in kinds.values() for one in told)
    print(f"{len(ruleset.rules)} rules; {EACH} quiet and {EACH} firing reports of {answers:.0f} answers each")
    print(f"with up to {MOST_EARLIER} earlier reports; a firing one makes {fired:.1f} rules fire.")
    expressible = len(public_engines.expressible(ruleset))
    print(f"The public engines decide the {expressible} rules that they can express. All agree.\n")
    figures = compare(ruleset, kinds)
    print("| | quiet, µs | × by hand | firing, µs | × by hand |\n|---|---:|---:|---:|---:|")
    for name, figure in figures.items():
        quiet, firing = figure["quiet"], figure["firing"]
        print(f"| {name} | {quiet.micros:,.1f} | {quiet.ratio:,.1f} | {firing.micros:,.1f} | {firing.ratio:,.1f} |")
    ours, same, flat, *others = list(figures.values())[1:]
    for kind, goal in GOALS.items():
        met = "met" if ours[kind].ratio <= goal else "missed"
        print(f"\n{kind}: {ours[kind].ratio:.1f} × by hand, goal at most {goal:.0f} ×: {met}.")
        if others:
            best = min(other[kind].micros for other in others)
            print(f"On the same {expressible} rules: assess {same[kind].micros:.1f} µs; the fastest public engine")
            print(f"{best:.1f} µs, {best + flat[kind].micros:.1f} µs with the flat dictionary that it needs.")

    counts = (30, 300, 3000)
    print("\n| rules | quiet, µs | × the row above | firing, µs | × the row above |\n|---:|---:|---:|---:|---:|")
    _rows(counts, *(growth_with_rules(ruleset, kinds[kind][: EACH // 4], counts) for kind in ("quiet", "firing")))
    lengths = (0, 1, 2, 3, 6, 9, 12, 24, 48)
    print("\n| earlier reports | µs | × the row above |\n|---:|---:|---:|")
    _rows(lengths, growth_with_history(ruleset, lengths))


def _rows(steps: Sequence[int], *columns: Sequence[float]) -> None:
    for number, step in enumerate(steps):
        cells = [f"{column[number]:,.1f} | {_step(column, number)}" for column in columns]
        print(f"| {step:,} | {' | '.join(cells)} |")


def _step(column: Sequence[float], number: int) -> str:
    return f"{column[number] / column[number - 1]:.1f}" if number else ""


if __name__ == "__main__":
    main()

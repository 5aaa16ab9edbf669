"""Runs the example reports that stand beside each rule, and says which conditions no example decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from triage.rules import conditions as c
from triage.rules import wording
from triage.rules.catalogue import Catalogue
from triage.rules.engine import Verdict, asking, assess, assess_silence
from triage.rules.loading import CASE_KEYS
from triage.rules.report import Report, from_data
from triage.rules.ruleset import Case, Place, Rule, Ruleset
from triage.rules.urgency import Urgency
from triage.rules.written import read_span

_DAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""When example reports were made; only the spans between them matter."""


@dataclass(frozen=True)
class FailedCase:
    """An example that came out differently from what it says."""

    rule: str
    place: Place
    expected: str
    fired: tuple[str, ...]
    """Ids of all rules that fired on it."""
    name: str = ""

    def __str__(self) -> str:
        instead = f"these rules fired: {', '.join(self.fired)}" if self.fired else "no rule fired"
        name = f" ({self.name})" if self.name else ""
        return f"{self.place}: {self.rule} should {self.expected} on this example{name}; {instead}"


@dataclass(frozen=True)
class UndecidedCondition:
    """A part of a rule that could be left out, or be always true, without any example noticing."""

    rule: str
    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: no example decides “{self.text}”"


@dataclass(frozen=True)
class CasesResult:
    """What came of all examples."""

    count: int
    failed: tuple[FailedCase, ...]
    undecided: tuple[UndecidedCondition, ...]


@dataclass(frozen=True)
class Example:
    """A case as values."""

    report: Report
    history: tuple[Report, ...]
    silent: timedelta | None


def example(case: Case, catalogue: Catalogue) -> Example:
    """The reports of a case, which the loader has checked."""
    history = tuple(
        _report(earlier, catalogue, _DAY - timedelta(hours=earlier["hours_before"]))
        for earlier in case.data.get("history", ())
    )
    return Example(_report(case.data, catalogue, _DAY), history, read_span(case.data.get("silent_for")))


def _report(data: Mapping[str, Any], catalogue: Catalogue, at: datetime) -> Report:
    plain = {key: value for key, value in data.items() if key not in (*CASE_KEYS, "hours_before")}
    return replace(from_data(plain, catalogue), reported_at=at)


def run(ruleset: Ruleset, progress: Callable[[str], None] = lambda rule: None) -> CasesResult:
    """Every case of every rule. `progress` is told each rule's id before it is run."""
    failed: list[FailedCase] = []
    undecided: list[UndecidedCondition] = []
    for rule in ruleset.rules:
        progress(rule.id)
        fires = _firing(rule, ruleset)
        for case in rule.cases:
            one = example(case, ruleset.catalogue)
            if fires(one) is not case.fires:
                expected = "fire" if case.fires else "stay quiet"
                failed.append(FailedCase(rule.id, case.place, expected, judge(one, ruleset).fired, case.name))
        undecided.extend(undecided_of(rule, ruleset))
    return CasesResult(sum(len(rule.cases) for rule in ruleset.rules), tuple(failed), tuple(undecided))


@dataclass(frozen=True)
class Judged:
    """What a whole ruleset makes of an example."""

    urgency: Urgency
    fired: tuple[str, ...]
    """Ids of the rules that fired."""


def judge(one: Example, ruleset: Ruleset) -> Judged:
    """The example as a report, and as a silence after it where it says so."""
    results = [assess(ruleset, one.report, one.history)]
    if one.silent is not None:
        results.append(assess_silence(ruleset, one.report, one.silent, one.history))
    fired = tuple(rule.rule for result in results for rule in result.fired)
    return Judged(max(result.urgency for result in results), fired)


def _firing(rule: Rule, ruleset: Ruleset) -> Callable[[Example], bool]:
    """Whether the rule fires, to be asked of one example after the other."""
    if isinstance(rule.when, c.Together):
        return lambda one: rule.id in judge(one, ruleset).fired
    ask = asking(rule, ruleset.catalogue)
    return lambda one: ask(one.report, one.history, one.silent).verdict is Verdict.FIRES


# --- which conditions no case decides

_TRUE, _FALSE = c.All(()), c.AtLeast(1, ())


def undecided_of(rule: Rule, ruleset: Ruleset) -> list[UndecidedCondition]:
    """The parts of one rule of the ruleset that none of its examples decides. Worked out once: checks say it, and so do
    the cases."""
    kept: dict[str, list[UndecidedCondition]] = ruleset.kept.setdefault("undecided", {})
    if rule.id not in kept:
        examples = [example(case, ruleset.catalogue) for case in rule.cases]
        kept[rule.id] = [
            UndecidedCondition(rule.id, place, text) for place, text in _undecided(rule, examples, ruleset)
        ]
    return kept[rule.id]


def _undecided(rule: Rule, examples: list[Example], ruleset: Ruleset) -> Iterator[tuple[Place, str]]:
    """Place and sentence of the parts whose replacement by "always" or by "never" changes the outcome of no example."""
    if isinstance(rule.when, c.Together):
        return
    before = [*map(_firing(rule, ruleset), examples)]

    def decided(changed: Rule) -> bool:
        """Whether an example comes out differently; the first one is enough."""
        fires = _firing(changed, ruleset)
        return any(fires(one) is not fired for one, fired in zip(examples, before, strict=True))

    ways = c.way_to_leaves(rule.when)
    for (leaf, with_leaf), way in zip(_leaves(rule.when), ways, strict=True):
        if not any(decided(replace(rule, when=with_leaf(constant))) for constant in (_TRUE, _FALSE)):
            place = ruleset.places.get(("when", rule.id, *way), rule.place)
            yield place, wording.sentence(leaf, ruleset.catalogue)
    concerns = wording.applies_sentence(rule.applies_to, ruleset.catalogue)
    if rule.applies_to.days or rule.applies_to.early:
        anywhere = replace(rule, applies_to=replace(rule.applies_to, days=None, early=False))
        if not decided(anywhere):
            yield rule.place, f"concerns {concerns}"


def _leaves(when: c.Condition) -> Iterator[tuple[c.Condition, Callable[[c.Condition], c.Condition]]]:
    """Each leaf, with a function that puts another condition in its place."""
    if not isinstance(when, c.All | c.Any | c.AtLeast):
        yield when, lambda other: other
        return
    for number, part in enumerate(when.of):
        for leaf, with_leaf in _leaves(part):

            def rebuilt(
                other: c.Condition, number: int = number, inner: Callable[[c.Condition], c.Condition] = with_leaf
            ) -> c.Condition:
                return replace(when, of=(*when.of[:number], inner(other), *when.of[number + 1 :]))

            yield leaf, rebuilt

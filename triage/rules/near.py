"""Which single other answer would have changed the urgency of a report: for teaching and review, never for patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from triage.rules import conditions as c
from triage.rules.catalogue import (
    MEASURED,
    THINKING_CHECK_FULL,
    THINKING_CHECK_POINTS,
    Presence,
    Scale,
    Severity,
)
from triage.rules.engine import assess
from triage.rules.report import UNKNOWN, Answer, Report, ThinkingCheck, Unknown
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency
from triage.rules.wording import number, subject_name

_STEP = Decimal("0.1")


@dataclass(frozen=True)
class OtherAnswer:
    """One answer that would have changed the urgency."""

    subject: str
    """A symptom code, or "temperature", "fever_reducer_taken", "on_steroids", a quantity, "thinking_check"."""
    text: str
    urgency: Urgency
    rules: tuple[str, ...]
    """Ids of the rules that then fire."""


@dataclass(frozen=True)
class Near:
    """What came of the report, and what is near to it."""

    urgency: Urgency
    changes: tuple[OtherAnswer, ...]

    def to_data(self) -> dict[str, Any]:
        return {
            "urgency": self.urgency.code,
            "changes": [
                {"subject": one.subject, "text": one.text, "urgency": one.urgency.code, "rules": list(one.rules)}
                for one in self.changes
            ],
        }


def near(report: Report, ruleset: Ruleset, history: Sequence[Report] = ()) -> Near:
    """Of each question, the nearest answer in each direction that changes the urgency; the most urgent first."""
    urgency = assess(ruleset, report, history).urgency
    changes: list[OtherAnswer] = []
    for subject, was, directions in _questions(report, ruleset):
        for answers in directions:
            for words, other in answers:
                result = assess(ruleset, other, history)
                if result.urgency is not urgency:
                    name = subject_name(subject, ruleset.catalogue)
                    fired = tuple(rule.rule for rule in result.fired)
                    changes.append(OtherAnswer(subject, f"{name}: {words} instead of {was}", result.urgency, fired))
                    break
    return Near(urgency, tuple(sorted(changes, key=lambda one: (-one.urgency, one.text))))


Answers = list[tuple[str, Report]]
"""Other answers in words, each with the report that gives it; the nearest first."""


def _questions(report: Report, ruleset: Ruleset) -> Iterator[tuple[str, str, list[Answers]]]:
    """Each question with the answer given, and the other answers in each direction."""
    for code, symptom in ruleset.catalogue.symptoms.items():
        levels: Sequence[Severity | Presence] = list(Presence if symptom.scale is Scale.PRESENCE else Severity)
        given = report.symptoms.get(code)
        yield code, _words(given), [[_symptom(report, code, one) for one in way] for way in _ways(given, levels)]
    yield "temperature", _degrees(report.temperature_c), list(_temperatures(report, ruleset))
    taken, steroids = report.fever_reducer_taken, report.on_steroids
    others = [(_words(one), replace(report, fever_reducer_taken=one)) for one in Presence if one is not taken]
    yield "fever_reducer_taken", _words(taken), [others]
    others = [(_words(one), replace(report, on_steroids=one)) for one in Presence if one is not steroids]
    yield "on_steroids", _words(steroids), [others]
    for quantity in MEASURED:
        yield quantity, _reading(quantity, report.measured.get(quantity)), list(_measured(report, ruleset, quantity))
    yield "thinking_check", _check(report.thinking_check), list(_checks(report))


def _ways(given: Answer | None, levels: Sequence[Severity | Presence]) -> list[list[Severity | Presence]]:
    """Upwards and downwards from the answer; of one that was not given or not known, upwards from nothing."""
    if given is None or isinstance(given, Unknown):
        return [list(levels)] if given else [list(levels[1:])]
    return [[one for one in levels if one > given], [one for one in reversed(levels) if one < given]]


def _symptom(report: Report, code: str, answer: Severity | Presence) -> tuple[str, Report]:
    symptoms: Mapping[str, Answer] = MappingProxyType({**report.symptoms, code: answer})
    return _words(answer), replace(report, symptoms=symptoms)


def _temperatures(report: Report, ruleset: Ruleset) -> Iterator[Answers]:
    """The thresholds of the rules and what stands just below and above them, from the reading outwards."""
    limits = {
        leaf.celsius
        for rule in ruleset.rules
        for leaf in c.leaves(rule.when)
        if isinstance(leaf, c.TemperatureAtLeast | c.TemperatureAtMost)
    }
    readings = sorted({limit + step for limit in limits for step in (-_STEP, Decimal(0), _STEP)})
    given = report.temperature_c
    start = given if isinstance(given, Decimal) else Decimal("36.6")
    up = [one for one in readings if one > start]
    down = [one for one in reversed(readings) if one < start]
    for way in (up, down):
        yield [(_degrees(one), replace(report, temperature_c=one)) for one in way]
    if given is not UNKNOWN:
        yield [(_degrees(UNKNOWN), replace(report, temperature_c=UNKNOWN))]


def _measured(report: Report, ruleset: Ruleset, quantity: str) -> Iterator[Answers]:
    """Whole readings beside the limits of the rules; of a quantity that was not measured, from each limit outwards."""
    given = report.measured.get(quantity)
    for kind, up in ((c.MeasuredAtLeast, True), (c.MeasuredAtMost, False)):
        limits = {
            leaf.value
            for rule in ruleset.rules
            for leaf in c.leaves(rule.when)
            if isinstance(leaf, kind) and leaf.quantity == quantity
        }
        beside = {whole + step for limit in limits for whole in (limit // 1, -(-limit // 1)) for step in (-1, 0, 1)}
        for way in (up, not up) if isinstance(given, Decimal) else (up,):
            readings = sorted(beside, reverse=not way)
            if isinstance(given, Decimal):
                readings = [one for one in readings if (one > given if way else one < given)]
            yield [
                (
                    _reading(quantity, one),
                    replace(report, measured=MappingProxyType({**report.measured, quantity: one})),
                )
                for one in readings
            ]
    if given is not UNKNOWN:
        unknown = MappingProxyType({**report.measured, quantity: UNKNOWN})
        yield [(_reading(quantity, UNKNOWN), replace(report, measured=unknown))]


def _reading(quantity: str, value: Decimal | Unknown | None) -> str:
    if isinstance(value, Decimal):
        return f"{number(quantity, value)} {MEASURED[quantity][1]}"
    return "not known" if value is UNKNOWN else "not measured"


def _checks(report: Report) -> Iterator[Answers]:
    """Other points of the thinking check, from those scored outwards, and a check that was begun and given up."""
    check = report.thinking_check
    scored = None if check is None or check.without_points else check.score
    ways = [range(THINKING_CHECK_FULL, -1, -1)]
    if scored is not None:
        ways = [range(scored + 1, THINKING_CHECK_FULL + 1), range(scored - 1, -1, -1)]
    for way in ways:
        yield [(f"{points} points", replace(report, thinking_check=_scoring(points))) for points in way]
    if check is None or not check.abandoned:
        yield [("given up", replace(report, thinking_check=ThinkingCheck(MappingProxyType({}), abandoned=True)))]


def _scoring(points: int) -> ThinkingCheck:
    """A finished check with so many points."""
    items: dict[str, int] = {}
    for item, most in THINKING_CHECK_POINTS.items():
        items[item] = min(points, most)
        points -= items[item]
    return ThinkingCheck(MappingProxyType(items))


def _check(check: ThinkingCheck | None) -> str:
    if check is None:
        return "not asked"
    if check.declined:
        return "declined"
    return "given up" if check.abandoned else f"{check.score} points"


def _degrees(value: Decimal | Unknown | None) -> str:
    if isinstance(value, Decimal):
        return f"{number('temperature', value)} °C"
    return "not measured" if value is UNKNOWN else "not asked"


def _words(answer: Answer | None) -> str:
    if answer is None:
        return "not asked"
    return "not known" if isinstance(answer, Unknown) else answer.code.replace("_", " ")

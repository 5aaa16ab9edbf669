"""Which answers can wake a condition: without one of them in a report, the condition stays quiet.

Every condition is monotone, so a rule can fire, or be left undecided, only when one of its triggers is there. The
engine looks rules up by what was answered instead of asking them all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import NamedTuple

from triage.rules import conditions as c
from triage.rules.catalogue import Severity
from triage.rules.report import UNKNOWN, Answer, Report, Unknown

_SYMPTOM, _UP, _DOWN, _OTHER = "symptom", "at least", "at most", "other"
_ALWAYS = "always"
_NOT_MEASURED, _NOT_FINISHED = "temperature not measured", "thinking check not finished"
_SCORE, _LOST = "points of the thinking check", "points below the baseline"


class Trigger(NamedTuple):
    """What wakes a condition: an answer of that level, a reading of at least or at most that, or anything else."""

    kind: str
    subject: str
    limit: Decimal | int = 0


ALWAYS = Trigger(_OTHER, _ALWAYS)
"""Wakes a condition whatever was answered, for example one that looks at earlier reports."""


@dataclass(frozen=True)
class Readings:
    """What a reading of one quantity wakes, by the limit that it has to reach; limits ascend."""

    limits: tuple[Decimal | int, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Triggers:
    """Rules (or whatever is looked up), by their numbers, as a report can wake them."""

    by_symptom: Mapping[str, tuple[tuple[int, ...], ...]]
    """By code (or "any"), for each level of severity the rules that an answer of this level wakes."""
    at_least: Mapping[str, Readings]
    at_most: Mapping[str, Readings]
    other: Mapping[str, tuple[int, ...]]

    def woken(self, report: Report, complaints: Mapping[str, Answer] | None = None) -> list[int]:
        """Numbers of the rules that this report may make fire or leave undecided, in their order. Who has the report's
        complaints at hand gives them along."""
        by_symptom, other = self.by_symptom, self.other
        woken = set(other.get(_ALWAYS, ()))
        worst = 0
        for code, answer in (report.complaints() if complaints is None else complaints).items():
            # "yes" meets every level, and "unknown" may turn out to.
            level = answer if type(answer) is Severity else Severity.VERY_SEVERE
            if level > worst:
                worst = level
            if code in by_symptom:
                woken.update(by_symptom[code][level])
        if worst and c.ANY_SYMPTOM in by_symptom:
            woken.update(by_symptom[c.ANY_SYMPTOM][worst])
        temperature = report.temperature_c
        if temperature is not None:
            self._reading("temperature", temperature, woken)
        if not isinstance(temperature, Decimal):
            woken.update(other.get(_NOT_MEASURED, ()))
        if report.measured:
            for quantity, value in report.measured.items():
                self._reading(quantity, value, woken)
        check = report.thinking_check
        if check is not None:
            score = UNKNOWN if check.without_points else check.score
            self._reading(_SCORE, score, woken)
            self._reading(_LOST, UNKNOWN if score is UNKNOWN else report.baseline - score, woken)
            if not (check.finished or check.declined):
                woken.update(other.get(_NOT_FINISHED, ()))
        if report.on_steroids:
            woken.update(other.get("on_steroids", ()))
        if report.fever_reducer_taken:
            woken.update(other.get("fever_reducer_taken", ()))
        return sorted(woken) if woken else []

    def _reading(self, quantity: str, value: Decimal | int | Unknown, woken: set[int]) -> None:
        up, down = self.at_least.get(quantity), self.at_most.get(quantity)
        if isinstance(value, Unknown):
            woken.update(up.numbers if up else (), down.numbers if down else ())
            return
        if up is not None and value >= up.limits[0]:
            woken.update(up.numbers[: bisect_right(up.limits, value)])
        if down is not None and value <= down.limits[-1]:
            woken.update(down.numbers[bisect_left(down.limits, value) :])


def index(conditions: Iterable[c.Condition]) -> Triggers:
    """The conditions, by number, looked up by what wakes them."""
    by_kind: dict[str, dict[str, list[tuple[Decimal | int, int]]]] = {_SYMPTOM: {}, _UP: {}, _DOWN: {}, _OTHER: {}}
    for number, condition in enumerate(conditions):
        for kind, subject, limit in triggers(condition):
            by_kind[kind].setdefault(subject, []).append((limit, number))
    return Triggers(
        {
            code: tuple(tuple(number for limit, number in pairs if limit <= level) for level in Severity)
            for code, pairs in by_kind[_SYMPTOM].items()
        },
        {quantity: _readings(pairs) for quantity, pairs in by_kind[_UP].items()},
        {quantity: _readings(pairs) for quantity, pairs in by_kind[_DOWN].items()},
        {subject: tuple(number for _, number in pairs) for subject, pairs in by_kind[_OTHER].items()},
    )


def _readings(pairs: list[tuple[Decimal | int, int]]) -> Readings:
    limits, numbers = zip(*sorted(pairs), strict=True)
    return Readings(limits, numbers)


def triggers(condition: c.Condition) -> frozenset[Trigger]:
    """What can wake it. Without any of these in a report it is quiet; with one it may fire."""
    match condition:
        case c.All(of=parts):
            # One quiet part keeps all quiet, so the triggers of one part are enough: those that are seldom there.
            return min(map(triggers, parts), key=lambda some: (ALWAYS in some, len(some)), default=frozenset({ALWAYS}))
        case c.Any(of=parts):
            return _any(parts)
        case c.AtLeast(count=count, of=parts):
            return _any(parts) if count > 0 else frozenset({ALWAYS})
        case c.SymptomAtLeast(symptom=code, level=level) | c.Persists(symptom=code, level=level):
            return frozenset({Trigger(_SYMPTOM, code, level)})
        case c.Worse(symptom=code, by=by):
            return frozenset({Trigger(_SYMPTOM, code, by)})  # no earlier answer is below "none"
        case c.SymptomPresent(symptom=code) | c.New(symptom=code):
            return frozenset({Trigger(_SYMPTOM, code, 1)})
        case c.TemperatureAtLeast(celsius=limit, within=None):
            return frozenset({Trigger(_UP, "temperature", limit)})
        case c.TemperatureAtMost(celsius=limit):
            return frozenset({Trigger(_DOWN, "temperature", limit)})
        case c.TemperatureNotMeasured():
            return frozenset({Trigger(_OTHER, _NOT_MEASURED)})
        case c.MeasuredAtLeast(quantity=quantity, value=limit):
            return frozenset({Trigger(_UP, quantity, limit)})
        case c.MeasuredAtMost(quantity=quantity, value=limit):
            return frozenset({Trigger(_DOWN, quantity, limit)})
        case c.ThinkingCheckAtMost(points=points):
            return frozenset({Trigger(_DOWN, _SCORE, points)})
        case c.ThinkingCheckBelowBaseline(points=points):
            return frozenset({Trigger(_UP, _LOST, points)})
        case c.ThinkingCheckAbandoned():
            return frozenset({Trigger(_OTHER, _NOT_FINISHED)})
        case c.OnSteroids():
            return frozenset({Trigger(_OTHER, "on_steroids")})
        case c.FeverReducerTaken():
            return frozenset({Trigger(_OTHER, "fever_reducer_taken")})
        case _:
            return frozenset({ALWAYS})


def _any(parts: tuple[c.Condition, ...]) -> frozenset[Trigger]:
    nothing: frozenset[Trigger] = frozenset()
    return reduce(lambda some, part: some | triggers(part), parts, nothing)

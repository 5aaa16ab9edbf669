"""Which answers can wake a condition: without one of them in a report, the condition stays quiet.

Every condition is monotone, so a rule can fire, or be left undecided, only when one of its triggers is there. The
engine looks rules up by what was answered instead of asking them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

from triage.rules import conditions as c
from triage.rules.catalogue import MEASURED
from triage.rules.report import Report, Unknown

ALWAYS = "always"
"""Wakes a condition whatever was answered, for example one that looks at earlier reports."""
SILENCE = "silence"
_SYMPTOM, _UP, _DOWN = "any symptom", "at least", "at most"
_NOT_MEASURED = "temperature not measured"


@dataclass(frozen=True)
class Triggers:
    """Rules (or whatever is looked up) by what wakes them, in their order. Readings wake only what is not above, or
    below, all that anything asks for."""

    by_trigger: Mapping[str, tuple[int, ...]]
    lowest: Mapping[str, Decimal]
    """By quantity, the lowest reading that an "at least" asks for."""
    highest: Mapping[str, Decimal]
    """By quantity, the highest reading that an "at most" asks for."""

    def woken(self, report: Report) -> list[int]:
        """Numbers of the rules that this report may make fire or leave undecided, in their order."""
        by_trigger = self.by_trigger
        woken = set(by_trigger.get(ALWAYS, ()))
        complaint = False
        for code, answer in report.symptoms.items():
            if answer:  # "no" and "none" are 0; every other answer, "unknown" too, is true
                complaint = True
                if code in by_trigger:
                    woken.update(by_trigger[code])
        if complaint and _SYMPTOM in by_trigger:
            woken.update(by_trigger[_SYMPTOM])
        self._reading("temperature", report.temperature_c, woken)
        if not isinstance(report.temperature_c, Decimal) and _NOT_MEASURED in by_trigger:
            woken.update(by_trigger[_NOT_MEASURED])
        if report.measured:
            for quantity, value in report.measured.items():
                self._reading(quantity, value, woken)
        if report.thinking_check is not None:
            woken.update(by_trigger.get("thinking_check", ()))
        for subject, yes in (("on_steroids", report.on_steroids), ("fever_reducer_taken", report.fever_reducer_taken)):
            if yes:
                woken.update(by_trigger.get(subject, ()))
        return sorted(woken)

    def _reading(self, quantity: str, value: Decimal | Unknown | None, woken: set[int]) -> None:
        if value is None:
            return
        unknown = isinstance(value, Unknown)
        lowest, highest = self.lowest.get(quantity), self.highest.get(quantity)
        if lowest is not None and (unknown or value >= lowest):  # type: ignore[operator]
            woken.update(self.by_trigger[f"{quantity} {_UP}"])
        if highest is not None and (unknown or value <= highest):  # type: ignore[operator]
            woken.update(self.by_trigger[f"{quantity} {_DOWN}"])


def index(conditions: Iterable[c.Condition]) -> Triggers:
    """The conditions, by number, looked up by what wakes them."""
    by_trigger: dict[str, list[int]] = {}
    lowest: dict[str, Decimal] = {}
    highest: dict[str, Decimal] = {}
    for number, condition in enumerate(conditions):
        for trigger in triggers(condition):
            by_trigger.setdefault(trigger, []).append(number)
        for leaf in c.leaves(condition):
            match leaf:
                case c.TemperatureAtLeast(celsius=limit):
                    lowest["temperature"] = min(limit, lowest.get("temperature", limit))
                case c.TemperatureAtMost(celsius=limit):
                    highest["temperature"] = max(limit, highest.get("temperature", limit))
                case c.MeasuredAtLeast(quantity=quantity, value=limit):
                    lowest[quantity] = min(limit, lowest.get(quantity, limit))
                case c.MeasuredAtMost(quantity=quantity, value=limit):
                    highest[quantity] = max(limit, highest.get(quantity, limit))
                case _:
                    pass
    for quantity in ("temperature", *MEASURED):
        by_trigger.setdefault(f"{quantity} {_UP}", [])
        by_trigger.setdefault(f"{quantity} {_DOWN}", [])
    return Triggers({trigger: tuple(numbers) for trigger, numbers in by_trigger.items()}, lowest, highest)


def triggers(condition: c.Condition) -> frozenset[str]:
    """What can wake it. Without any of these in a report it is quiet; with one it may fire."""
    match condition:
        case c.All(of=parts):
            # One quiet part keeps all quiet, so the triggers of one part are enough: those that are seldom there.
            return min(map(triggers, parts), key=lambda some: (ALWAYS in some, len(some)), default=frozenset({ALWAYS}))
        case c.Any(of=parts):
            return _any(parts)
        case c.AtLeast(count=count, of=parts):
            return _any(parts) if count > 0 else frozenset({ALWAYS})
        case (
            c.SymptomAtLeast(symptom=code)
            | c.SymptomPresent(symptom=code)
            | c.Worse(symptom=code)
            | c.Persists(symptom=code)
            | c.New(symptom=code)
        ):
            return frozenset({_SYMPTOM if code == c.ANY_SYMPTOM else code})
        case c.TemperatureAtLeast(within=within):
            return frozenset({f"temperature {_UP}" if within is None else ALWAYS})
        case c.TemperatureAtMost():
            return frozenset({f"temperature {_DOWN}"})
        case c.TemperatureNotMeasured():
            return frozenset({_NOT_MEASURED})
        case c.MeasuredAtLeast(quantity=quantity):
            return frozenset({f"{quantity} {_UP}"})
        case c.MeasuredAtMost(quantity=quantity):
            return frozenset({f"{quantity} {_DOWN}"})
        case c.ThinkingCheckAtMost() | c.ThinkingCheckBelowBaseline() | c.ThinkingCheckAbandoned():
            return frozenset({"thinking_check"})
        case c.OnSteroids():
            return frozenset({"on_steroids"})
        case c.FeverReducerTaken():
            return frozenset({"fever_reducer_taken"})
        case _:
            return frozenset({ALWAYS})


def _any(parts: tuple[c.Condition, ...]) -> frozenset[str]:
    nothing: frozenset[str] = frozenset()
    return reduce(lambda some, part: some | triggers(part), parts, nothing)

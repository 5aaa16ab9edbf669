"""Small named checks over a whole ruleset. Errors stop it from being used, warnings want a look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from triage.rules import conditions as c
from triage.rules.catalogue import Symptom
from triage.rules.engine import Verdict, evaluate
from triage.rules.report import Report
from triage.rules.ruleset import Place, Rule, Ruleset

SEED = "moffitt-immunotherapy"
"""The source whose every sign must be reached by a rule: the page the project started from."""
READ_AGAIN_AFTER = timedelta(days=365)


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    place: Place
    error: bool
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {'' if self.error else 'warning: '}{self.message}"


def run(ruleset: Ruleset, today: date) -> list[Finding]:
    """Everything that the checks find, errors first. `today` decides which sources are due for another reading."""
    found = [
        *fires_on_nothing(ruleset),
        *without_cases(ruleset),
        *unreached_signs(ruleset),
        *unused_symptoms(ruleset),
        *old_sources(ruleset, today),
    ]
    return sorted(found, key=lambda f: (not f.error, f.place.file, f.place.line, f.message))


def fires_on_nothing(ruleset: Ruleset) -> Iterator[Finding]:
    """A rule must not fire on a report in which nothing is answered, except where absence is what it asks for."""
    for rule in ruleset.rules:
        asked = replace(rule, when=_without_absence(rule.when))
        if evaluate(asked, Report(), (), ruleset.catalogue).verdict is Verdict.FIRES:
            yield Finding(rule.place, True, "fires-on-nothing", f"{rule.id} fires when nothing is answered")


def _without_absence(when: c.Condition) -> c.Condition:
    """The condition as if nothing were missing, neither a reading nor a report."""
    if isinstance(when, c.TemperatureNotMeasured | c.SilentFor | c.ThinkingCheckAbandoned):
        return c.Any(())
    if isinstance(when, c.All | c.Any | c.AtLeast):
        return replace(when, of=tuple(_without_absence(part) for part in when.of))
    return when


def without_cases(ruleset: Ruleset) -> Iterator[Finding]:
    """A rule needs an example on which it fires and one on which it stays quiet."""
    for rule in ruleset.rules:
        for fires, what in ((True, "fires"), (False, "stays quiet")):
            if not any(case.fires is fires for case in rule.cases):
                yield Finding(rule.place, True, "without-cases", f"{rule.id} has no example on which it {what}")


def unreached_signs(ruleset: Ruleset) -> Iterator[Finding]:
    """Every sign of a cited passage should be asked for by a rule; every sign of the seed page must be."""
    used = signs_used(ruleset)
    for source in ruleset.sources.values():
        for passage in source.passages.values():
            for sign in passage.signs:
                if sign not in used:
                    message = f"no rule asks for “{sign}”, which {source.key}/{passage.id} names"
                    place = _place(ruleset, "passage", f"{source.key}/{passage.id}")
                    yield Finding(place, source.key == SEED, "unreached-sign", message)


def unused_symptoms(ruleset: Ruleset) -> Iterator[Finding]:
    """A symptom that is asked about should matter to some rule."""
    used = signs_used(ruleset)
    for code in ruleset.catalogue.symptoms:
        if code not in used:
            message = f"no rule asks for the symptom “{code}”"
            yield Finding(_place(ruleset, "symptom", code), False, "unused-symptom", message)


def old_sources(ruleset: Ruleset, today: date) -> Iterator[Finding]:
    """A source is due for another reading after a year: pages and labels change."""
    for source in ruleset.sources.values():
        if today - source.read_on > READ_AGAIN_AFTER:
            message = f"{source.key} was read on {source.read_on.isoformat()}, more than a year ago: read it again"
            yield Finding(_place(ruleset, "source", source.key), False, "old-source", message)


def signs_used(ruleset: Ruleset) -> set[str]:
    """The symptoms and measurements that rules ask for by name."""
    return {sign for rule in ruleset.rules for leaf in c.leaves(rule.when) for sign in _signs(leaf)}


def symptoms_of(rule: Rule, ruleset: Ruleset) -> list[Symptom]:
    """The symptoms that one rule names, in the order of the catalogue."""
    named = {sign for leaf in c.leaves(rule.when) for sign in _signs(leaf)}
    return [symptom for code, symptom in ruleset.catalogue.symptoms.items() if code in named]


def _signs(leaf: c.Condition) -> tuple[str, ...]:
    match leaf:
        case c.SymptomAtLeast(symptom=code) | c.SymptomPresent(symptom=code) | c.New(symptom=code):
            return (code,)
        case c.Worse(symptom=code) | c.Persists(symptom=code):
            return (code,)
        case c.TemperatureAtLeast() | c.TemperatureAtMost() | c.TemperatureNotMeasured():
            return ("temperature",)
        case c.ThinkingCheckAtMost() | c.ThinkingCheckBelowBaseline() | c.ThinkingCheckAbandoned():
            return ("thinking_check",)
        case c.MeasuredAtLeast(quantity=quantity) | c.MeasuredAtMost(quantity=quantity):
            return (quantity,)
        case c.OnSteroids():
            return ("on_steroids",)
        case c.FeverReducerTaken():
            return ("fever_reducer_taken",)
        case c.SilentFor():
            return ("silence",)
    return ()


def _place(ruleset: Ruleset, what: str, name: str) -> Place:
    """Where the catalogue or the sources write it."""
    return ruleset.places.get((what, name), Place("", 1, 1))

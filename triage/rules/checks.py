"""Small named checks over a whole ruleset. Errors stop it from being used, warnings want a look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from triage.rules import conditions as c
from triage.rules import translation, wording
from triage.rules.cases import undecided_of
from triage.rules.catalogue import Symptom
from triage.rules.engine import Verdict, evaluate
from triage.rules.implication import in_the_middle, never, overlap, pointless_beside, windows
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


FORM_ASKS = ("temperature", "fever_reducer_taken", "on_steroids", "thinking_check", "silence")
"""What the patient's form can express beside the symptoms of the catalogue (a test compares it with the form)."""


def run(ruleset: Ruleset, today: date, texts: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that the checks find, errors first. `today` decides which sources are due for another reading;
    `texts` are the stored texts of sources, by key."""
    found = [
        *fires_on_nothing(ruleset),
        *never_fires(ruleset),
        *turns_back(ruleset),
        *reminds_too_soon(ruleset),
        *concerns_no_day(ruleset),
        *pointless(ruleset),
        *overlapping_windows(ruleset),
        *without_cases(ruleset),
        *undecided_conditions(ruleset),
        *unreached_signs(ruleset),
        *signs_nobody_can_report(ruleset),
        *unused_symptoms(ruleset),
        *quotes_not_found(ruleset, texts or {}),
        *old_sources(ruleset, today),
        *untranslated(ruleset),
    ]
    return sorted(found, key=lambda f: (not f.error, f.place.file, f.place.line, f.message))


def untranslated(ruleset: Ruleset) -> Iterator[Finding]:
    """A language with a gap is not offered at all: a page that is half in it helps nobody."""
    for language in ruleset.translations:
        by_place: dict[Place, list[translation.Text]] = {}
        for text in translation.missing(ruleset, language):
            by_place.setdefault(text.place, []).append(text)
        for place, texts in by_place.items():
            more = f" and {len(texts) - 1} more of this entry" if len(texts) > 1 else ""
            message = f"texts-{language}.yaml has no “{language}” for the {texts[0].what}: “{_short(texts[0].english)}”"
            yield Finding(place, False, "untranslated", f"{message}{more}; until it has, the language is not offered")
        for text in translation.unused(ruleset, language):
            message = f"is the translation of a text that was changed or taken out: “{_short(text.english)}”"
            yield Finding(text.place, False, "stale-translation", message)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def as_json(ruleset: Ruleset | None, found: list[Finding]) -> str:
    """The findings for editors and other programs."""
    listed = [
        {
            "file": one.place.file,
            "line": one.place.line,
            "column": one.place.column,
            "level": "error" if one.error else "warning",
            "check": one.check,
            "message": one.message,
        }
        for one in found
    ]
    return json.dumps({"ruleset": ruleset.hash if ruleset else None, "findings": listed}, ensure_ascii=False, indent=2)


def never_fires(ruleset: Ruleset) -> Iterator[Finding]:
    """A rule whose parts exclude each other looks like a safety net and is none."""
    for rule in ruleset.rules:
        if isinstance(rule.when, c.Together):
            signs = _signs_counted(ruleset, rule.when)
            if len(signs) < rule.when.count:
                message = (
                    f"{rule.id} can never fire: rules of urgency “{rule.when.of.code}” name {len(signs)} signs only"
                )
                yield Finding(rule.place, True, "never-fires", message)
        elif never(rule.when):
            yield Finding(rule.place, True, "never-fires", f"{rule.id} can never fire: its parts exclude each other")


def turns_back(ruleset: Ruleset) -> Iterator[Finding]:
    """A rule that needs a reading to be at least one value and at most a higher one asks for the middle: whoever's
    reading gets worse than that is less urgent by it."""
    for rule in ruleset.rules:
        for together in _needed_together(rule, ruleset):
            found = in_the_middle(together)
            if found:
                least, most = (wording.sentence(leaf, ruleset.catalogue) for leaf in found)
                message = (
                    f"{rule.id} can ask at once that {least} and that {most}: a reading worse than those between would "
                    "be less urgent. Ask in one direction, or write a rule for each"
                )
                yield Finding(rule.place, True, "worse-is-less", message)
                break


def reminds_too_soon(ruleset: Ruleset) -> Iterator[Finding]:
    """A reminder that comes longer before the alert than the silence itself lasts would follow each report at once."""
    for rule in ruleset.silence_rules:
        spans = [leaf.span for leaf in c.leaves(rule.when) if isinstance(leaf, c.SilentFor)]
        most = min(spans) + ruleset.response.silence_grace
        for reminder in ruleset.response.reminders:
            if reminder.before >= most:
                message = (
                    f"{rule.id} opens its alert {wording.span_words(most)} after a report: a reminder "
                    f"{wording.span_words(reminder.before)} before that would come as soon as the report is sent"
                )
                yield Finding(rule.place, True, "reminds-too-soon", message)


def _needed_together(rule: Rule, ruleset: Ruleset) -> Iterator[Sequence[c.Condition]]:
    """Each group of conditions of which the rule may need more than one."""
    if isinstance(rule.when, c.Together):
        yield [one.when for one in ruleset.single_rules if one.urgency is rule.when.of]
    for part in c.walk(rule.when):
        if isinstance(part, c.All) or (isinstance(part, c.AtLeast) and part.count > 1):
            yield part.of


def _signs_counted(ruleset: Ruleset, when: c.Together) -> set[str]:
    """The signs that can make rules of that urgency fire; "any" counts as every symptom."""
    signs: set[str] = set()
    for rule in ruleset.single_rules:
        if rule.urgency is when.of:
            named = {sign for leaf in c.leaves(rule.when) for sign in _signs(leaf)}
            signs |= set(ruleset.catalogue.symptoms) if c.ANY_SYMPTOM in named else named
    return signs


def concerns_no_day(ruleset: Ruleset) -> Iterator[Finding]:
    """A rule for the early window, where no therapy of the catalogue has one, concerns nobody whose therapy is known.
    (Of therapies that a rule names, the loader asks that each has one.)"""
    for rule in ruleset.rules:
        if rule.applies_to.early and not any(windows(rule.applies_to, ruleset.catalogue).values()):
            message = f"{rule.id} asks for the early window, and no therapy of the catalogue has one"
            yield Finding(rule.place, True, "empty-window", message)


def pointless(ruleset: Ruleset) -> Iterator[Finding]:
    """A rule beside which another of the same or a higher urgency always fires too changes nothing but the words."""
    for number, rule in enumerate(ruleset.rules):
        for place, other in enumerate(ruleset.rules):
            if rule is other or not pointless_beside(rule, other, ruleset.catalogue):
                continue
            if place > number and pointless_beside(other, rule, ruleset.catalogue):
                continue  # each makes the other pointless: said once, at the second
            message = f"{rule.id} is pointless: whenever it fires, {other.id} fires too, {other.urgency.code} as well"
            if other.urgency > rule.urgency:
                message = f"{rule.id} is pointless: whenever it fires, {other.id} fires too and is {other.urgency.code}"
            yield Finding(rule.place, False, "pointless", message)
            break


def overlapping_windows(ruleset: Ruleset) -> Iterator[Finding]:
    """Two rules that ask for the same on some of the same days, at two urgencies: one of them is out of date."""
    for number, rule in enumerate(ruleset.rules):
        for other in ruleset.rules[:number]:
            if rule.when != other.when or rule.urgency is other.urgency:
                continue
            theirs = windows(other.applies_to, ruleset.catalogue)
            shared = [
                code
                for code, span in windows(rule.applies_to, ruleset.catalogue).items()
                if span is not None and (mine := theirs.get(code)) is not None and overlap(span, mine)
            ]
            if shared:
                message = (
                    f"{rule.id} and {other.id} ask for the same on overlapping days after {' and '.join(shared)}, "
                    f"one {rule.urgency.code}, one {other.urgency.code}"
                )
                yield Finding(rule.place, False, "overlapping-windows", message)


def undecided_conditions(ruleset: Ruleset) -> Iterator[Finding]:
    """A part of a rule that no example decides could be wrong without anybody noticing."""
    for rule in ruleset.rules:
        for one in undecided_of(rule, ruleset):
            yield Finding(one.place, False, "undecided-condition", f"{one.rule}: no example decides “{one.text}”")


def signs_nobody_can_report(ruleset: Ruleset) -> Iterator[Finding]:
    """A documented sign that no answer in the patient's form can express reaches no rule, whatever the rules say."""
    for source in ruleset.sources.values():
        for passage in source.passages.values():
            for sign in passage.signs:
                if sign not in ruleset.catalogue.symptoms and sign not in FORM_ASKS:
                    message = f"the form does not ask for “{sign}”, which {source.key}/{passage.id} names"
                    place = _place(ruleset, "passage", f"{source.key}/{passage.id}")
                    yield Finding(place, False, "sign-not-asked", message)


def quotes_not_found(ruleset: Ruleset, texts: Mapping[str, str]) -> Iterator[Finding]:
    """A passage that calls itself a quote must stand, word for word, in the stored text of its source."""
    for source in ruleset.sources.values():
        if source.key not in texts:
            continue
        text = _words(texts[source.key])
        for passage in source.passages.values():
            if passage.form == "quote" and _words(passage.text) not in text:
                message = f"this quote is not found in the stored text of {source.key} (texts/{source.key}.txt)"
                place = _place(ruleset, "passage", f"{source.key}/{passage.id}")
                yield Finding(place, True, "quote-not-found", message)


def _words(text: str) -> str:
    """The words alone: lists, line breaks and quotation marks are set differently everywhere."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.lower())) + " "


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

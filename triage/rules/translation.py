"""What patients read of a ruleset, in another language. Values only; the files are read in `loading`.

A text is found by its English words. So one that is changed has no translation any more, whoever changed it, and what
was translated from the old words stands unused; nothing can be out of date unseen. The translated ruleset is for pages
only: what judges, and what an assessment holds, stays English.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from triage.rules.catalogue import Catalogue, Symptom
from triage.rules.ruleset import Place, Rule, Ruleset


@dataclass(frozen=True)
class Text:
    """One English text that patients read: what it is, and where it stands."""

    english: str
    what: str
    """For example "title of crs-fever"."""
    place: Place


def sentences(text: str) -> list[str]:
    """An advice sentence by sentence: rules share them, and each is translated, and shown, once."""
    return re.split(r"(?<=[.!?])\s+", text)


def texts_of(ruleset: Ruleset) -> list[Text]:
    """Every text of the ruleset that patients read, each once, in the order in which they meet them."""
    found: dict[str, Text] = {}
    for text in _texts(ruleset):
        if text.english:
            found.setdefault(text.english, text)
    return list(found.values())


def missing(ruleset: Ruleset, language: str) -> list[Text]:
    """The texts that have no translation into that language."""
    there = ruleset.translations[language].texts if language in ruleset.translations else {}
    return [text for text in texts_of(ruleset) if text.english not in there]


def unused(ruleset: Ruleset, language: str) -> list[Text]:
    """What was translated from English words that are not there any more."""
    wanted = {text.english for text in texts_of(ruleset)}
    translation = ruleset.translations[language]
    return [
        Text(english, "translation", translation.places.get(english, Place("", 1, 1)))
        for english in translation.texts
        if english not in wanted
    ]


def is_whole(ruleset: Ruleset, language: str) -> bool:
    """Whether every text that patients read has its translation: else the language is not offered at all."""
    return language in ruleset.translations and not missing(ruleset, language)


def seal(ruleset: Ruleset, language: str) -> str:
    """Names what a clinician approves: each English text with its translation. The order changes nothing, nor does
    what no patient reads. "sha256:" and 64 hex digits."""
    texts = ruleset.translations[language].texts
    pairs = sorted((text.english, texts.get(text.english, "")) for text in texts_of(ruleset))
    return "sha256:" + hashlib.sha256(json.dumps(pairs, ensure_ascii=False).encode()).hexdigest()


def translated(ruleset: Ruleset, texts: Mapping[str, str]) -> Ruleset | None:
    """The ruleset with those texts in place of the English ones; None where one is missing, since half a page in
    another language helps nobody."""
    if any(text.english not in texts for text in texts_of(ruleset)):
        return None

    def to(english: str) -> str:
        return texts[english] if english else ""

    def symptom(one: Symptom) -> Symptom:
        danger = one.danger_question
        if danger is not None:
            danger = replace(danger, question=to(danger.question), about=to(danger.about))
        return replace(
            one,
            label=to(one.label),
            question=to(one.question),
            about=to(one.about),
            hint=to(one.hint),
            danger_question=danger,
        )

    def rule(one: Rule) -> Rule:
        advice = " ".join(to(sentence) for sentence in sentences(one.advice))
        return replace(one, title=to(one.title), why=to(one.why), advice=advice)

    known = ruleset.catalogue
    catalogue = Catalogue(
        symptoms=MappingProxyType({code: symptom(one) for code, one in known.symptoms.items()}),
        therapies=MappingProxyType(
            {code: replace(therapy, label=to(therapy.label)) for code, therapy in known.therapies.items()}
        ),
        groups=MappingProxyType({code: to(label) for code, label in known.groups.items()}),
        severities=MappingProxyType({code: to(words) for code, words in known.severities.items()}),
        thinking_check=known.thinking_check,
    )
    next_report = {urgency: to(text) for urgency, text in ruleset.response.next_report.items()}
    return replace(
        ruleset,
        catalogue=catalogue,
        rules=tuple(rule(one) for one in ruleset.rules),
        response=replace(ruleset.response, next_report=MappingProxyType(next_report)),
    )


def marks(text: str) -> tuple[list[str], list[str]]:
    """What a translation must keep: the placeholders and the numbers, in any order."""
    return sorted(re.findall(r"\{\w+\}", text)), sorted(re.findall(r"\d+(?:[.,]\d+)?", text.replace(",", ".")))


def _texts(ruleset: Ruleset) -> Iterator[Text]:
    catalogue, places = ruleset.catalogue, ruleset.places
    file = places.get(("catalogue",), Place("catalogue.yaml", 1, 1))
    for code, one in catalogue.symptoms.items():
        place = places.get(("symptom", code), file)
        yield Text(one.question, f"question of {code}", place)
        yield Text(one.about, f"question of {code} for a caregiver", place)
        yield Text(one.hint, f"hint of {code}", place)
        if one.danger_question is not None:
            yield Text(one.danger_question.question, f"danger question of {code}", place)
            yield Text(one.danger_question.about, f"danger question of {code} for a caregiver", place)
        yield Text(one.label, f"name of {code}", place)
    for code, label in catalogue.groups.items():
        yield Text(label, f"heading of the group {code}", file)
    for code, words in catalogue.severities.items():
        yield Text(words, f"meaning of {code}", file)
    for code, therapy in catalogue.therapies.items():
        yield Text(therapy.label, f"name of the therapy {code}", file)
    response = places.get(("response",), Place("response.yaml", 1, 1))
    for urgency, text in ruleset.response.next_report.items():
        yield Text(text, f"next report after {urgency.code}", response)
    for rule in sorted(ruleset.rules, key=lambda rule: (-rule.urgency, rule.id)):
        yield Text(rule.title, f"title of {rule.id}", rule.place)
        yield Text(rule.why, f"why of {rule.id}", rule.place)
        for sentence in sentences(rule.advice):
            yield Text(sentence, f"advice of {rule.id}", rule.place)

"""The catalogues hold every text of the pages, with what must not be lost on the way."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.translations.catalogue import extracted, file_of, read
from triage.languages import ENGLISH, LANGUAGES
from triage.paths import folder
from triage.reports import thinking
from triage.rules.loading import load

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
ALIKE = {"mmHg", "no", "auditor", "Error:", "°C (Celsius)", "°F (Fahrenheit)"}
"""Texts that are the same in both languages."""


def parts(text):
    """Placeholders and marks of a text, and the numbers in it."""
    return sorted(re.findall(r"%\(\w+\)s|\{\w+\}|</?\w+[^>]*>|\d+", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_of_the_pages_is_translated(language):
    wanted = {str(message.id) for message in extracted() if message.id}
    there = {str(message.id): message for message in read(language) if message.id}
    assert wanted == set(there), "run `make texts`, and translate what it names"
    for english, message in there.items():
        assert message.string, f"{file_of(language)}: no translation of {english!r}"
        assert not message.fuzzy, f"{file_of(language)}: {english!r} is marked fuzzy: nobody has read it"
        assert parts(english) == parts(str(message.string)), f"{english!r} and {message.string!r} hold other values"
        assert english in ALIKE or message.string != english, f"{english!r} is not translated"
        other = str(message.string)
        assert (english[0] == " ") == (other[0] == " "), f"{english!r} begins otherwise"
        assert english[-1] not in ".:?!" or other[-1] == english[-1], f"{english!r} ends otherwise"


@pytest.mark.parametrize("language", OTHERS)
def test_the_thinking_check_asks_the_same_in_every_language(language):
    """The number of a set of pictures is stored: it must mean the same drawings and the same shape."""
    english, other = thinking.words(), thinking.words(language)
    assert [one.shape for one in other.sets] == [one.shape for one in english.sets]
    numbers = [[picture.number for picture in one.pictures] for one in english.sets]
    assert [[picture.number for picture in one.pictures] for one in other.sets] == numbers
    assert len(other.months) == 12
    assert len(set().union(*other.months)) == sum(map(len, other.months)), "two months share a name"
    assert thinking.is_sentence(other.sentence, other.sentence)
    assert not thinking.is_sentence(english.sentence, other.sentence)
    for one in other.sets:
        for picture in one.pictures:
            for name in picture.names:
                assert thinking.is_named(f"¡{name.upper()}!", picture.names, other)
            rest = [each for each in one.pictures if each is not picture]
            assert not any(thinking.is_named(picture.names[0], each.names, other) for each in rest)


def test_a_wheel_carries_the_catalogues():
    build = tomllib.loads(folder("pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "translations" in build["only-include"]
    assert build["sources"]["translations"] == "triage/translations"


def test_the_shipped_texts_of_the_rules_are_whole_and_wait_for_a_clinician():
    from triage.rules import translation

    ruleset = load(folder("rules"))
    for language in OTHERS:
        assert translation.missing(ruleset, language) == []
        assert translation.unused(ruleset, language) == []
        assert ruleset.translations[language].review == "awaiting clinical review"

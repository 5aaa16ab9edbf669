"""What patients read of a ruleset in another language: found by the English words, whole or not at all."""

from __future__ import annotations

import pytest

from triage.paths import folder
from triage.rules import checks, translation
from triage.rules.engine import assess
from triage.rules.loading import RuleFileErrors, from_document, load_texts, read_folder
from triage.rules.report import from_data

FILES = read_folder(folder("rules"))
NAME = "texts-es.yaml"
ADVICE = "Do not take a fever reducer before you have spoken to them."


def loaded(**changed):
    """The shipped files with other texts in some of them: `crs=("Fever", "High fever")` replaces."""
    files = dict(FILES)
    for name, pairs in changed.items():
        file = f"{name.replace('_', '-')}.yaml"
        for old, new in pairs:
            assert old in files[file]
            files[file] = files[file].replace(old, new)
    return load_texts(files)


SHIPPED = loaded()


def found(ruleset):
    from datetime import date

    kinds = ("untranslated", "stale-translation")
    return [str(one) for one in checks.run(ruleset, date(2026, 11, 25)) if one.check in kinds]


def test_the_shipped_translation_is_whole():
    assert translation.is_whole(SHIPPED, "es")
    assert found(SHIPPED) == []


def test_a_changed_english_text_makes_its_translation_stale_at_both_places():
    """Whoever changes an advice and forgets the other language is told, and nobody is shown the old sentence."""
    changed = loaded(crs=[("title: Feels feverish, no reading", "title: Feels feverish, and no reading")])
    assert not translation.is_whole(changed, "es")
    missing, stale = found(changed)
    assert missing.startswith("crs.yaml:")
    assert "title of crs-feverish-unmeasured: “Feels feverish, and no reading”" in missing
    assert stale.startswith(f"{NAME}:")
    assert "“Feels feverish, no reading”" in stale
    assert translation.translated(changed, SHIPPED.translations["es"].texts) is None
    assert translation.seal(changed, "es") != translation.seal(SHIPPED, "es")


def test_an_advice_is_translated_sentence_by_sentence():
    (text,) = [text for text in translation.texts_of(SHIPPED) if text.english == ADVICE]
    assert text.what.startswith("advice of ")
    spanish = translation.translated(SHIPPED, SHIPPED.translations["es"].texts)
    assert spanish.by_id["crs-fever"].advice.endswith(SHIPPED.translations["es"].texts[ADVICE])
    assert "{care_team_phone}" in spanish.by_id["crs-fever"].advice


def test_the_seal_names_what_patients_read_and_nothing_else():
    same = loaded(texts_es=[("review: awaiting clinical review", "review: read by Dr A")])
    assert translation.seal(same, "es") == translation.seal(SHIPPED, "es")
    assert same.hash != SHIPPED.hash, "the file is part of the ruleset, and changes with four eyes"
    other = loaded(texts_es=[("es: Fiebre\n", "es: Calentura\n")])
    assert translation.seal(other, "es") != translation.seal(SHIPPED, "es")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("es: Fiebre\n", 'es: ""\n', "is empty"),
        ("es: Fiebre\n", "it: Febbre\n", "an entry has two lines"),
        ("es: Fiebre\n", "es: Fiebre desde 38,0\n", "must hold the numbers of the English text"),
        ("al {care_team_phone}.", "al {emergency_number}.", "must hold the placeholders of the English text"),
        ("en: Fever\n", "en: Chills\n", "is translated already, at"),
        ("review: awaiting clinical review", "reviewed: yes", "unknown word “reviewed”"),
    ],
)
def test_a_slip_in_the_file_is_told_at_its_place(old, new, says):
    files = {**FILES, NAME: FILES[NAME].replace(old, new)}
    with pytest.raises(RuleFileErrors) as caught:
        load_texts(files)
    assert any(error.place.file == NAME and says in error.message for error in caught.value.errors), str(caught.value)


def test_the_document_holds_the_translation_and_an_old_one_has_none():
    assert from_document(SHIPPED.document).translations["es"].texts == SHIPPED.translations["es"].texts
    assert from_document(SHIPPED.document).hash == SHIPPED.hash
    without = load_texts({name: text for name, text in FILES.items() if name != NAME})
    assert '"translations"' not in without.document, "the hash of a ruleset without translations stays what it was"
    assert from_document(without.document).hash == without.hash
    assert found(without) == []


def test_translated_texts_judge_nothing():
    """Conditions, urgencies and sources are the same; only what people read is another."""
    spanish = translation.translated(SHIPPED, SHIPPED.translations["es"].texts)
    data = {"therapy": "car_t", "days_since_therapy": 5, "temperature_c": 38.4, "symptoms": {"chills": "moderate"}}
    report = from_data(data, SHIPPED.catalogue)
    one, other = (assess(ruleset, report, ()) for ruleset in (SHIPPED, spanish))
    assert [(fired.rule, fired.urgency) for fired in one.fired] == [
        (fired.rule, fired.urgency) for fired in other.fired
    ]
    assert spanish.hash == SHIPPED.hash

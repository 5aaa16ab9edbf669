"""A change made in a form reaches the file and nothing beside it moves."""

from __future__ import annotations

import re
from difflib import ndiff
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.paths import folder
from triage.rules.loading import load_texts, read_folder
from triage.rules.tree import read_tree
from triage.ruleset_editor import editing

FILES = read_folder(folder("rules"))
# One of every eight: files are written in one hand.
RULES = ["crs-fever", *[rule.id for rule in load_texts(FILES).rules][::8]]
WORDS = "Call: your team – “now”, at 38.0 °C # or not? {care_team_phone} 100% it's [fine] & 'so' on"


def written_at(rule):
    """The rule in its file, which is cut down to it and its neighbours: each change is read again, and that takes as
    long as the file is."""
    written = editing.find(FILES, rule)
    head, *rules = re.split(r"^(?=- id: )", written.text, flags=re.MULTILINE)
    assert len(rules) == len(data_of(written.text))
    near = rules[max(written.number - 1, 0) : written.number + 2]
    return editing.find({written.file: head + "".join(near)}, rule)


@lru_cache(maxsize=64)
def data_of(text):
    mistakes = []
    tree = read_tree("x.yaml", text, lambda place, message: mistakes.append(f"{place}: {message}"))
    assert not mistakes
    return tree.data


def lines_that_differ(before, after):
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize("rule", RULES)
def test_a_form_that_changes_nothing_changes_no_character(rule):
    written = editing.find(FILES, rule)
    texts = {key: written.data.get(key, "") for key in ("title", "why", "advice", "reasoning")}
    assert written.changed(texts, {}) == written.text


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("key", ["title", "why", "advice", "reasoning"])
def test_a_sentence_is_replaced_and_all_else_stays(rule, key):
    written = written_at(rule)
    for sentence in (WORDS, WORDS * 5):
        after = written.changed({key: sentence}, {})
        data = data_of(after)
        assert data[written.number] == {**written.data, key: sentence}
        before = data_of(written.text)
        assert [one for number, one in enumerate(data) if number != written.number] == [
            one for number, one in enumerate(before) if number != written.number
        ]
        assert written.text.count("#") + sentence.count("#") == after.count("#") + str(written.data.get(key, "")).count(
            "#"
        )


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sentence_comes_back_as_it_was_typed(typed):
    written = written_at("crs-fever")
    sentence = " ".join(typed.split())
    mistakes = []
    after = read_tree("x", written.changed({"reasoning": typed}, {}), lambda place, message: mistakes.append(message))
    if mistakes:  # characters that nobody sees are refused, whoever wrote them
        assert all("invisible" in mistake for mistake in mistakes)
    else:
        assert after.data[written.number].get("reasoning", "") == sentence


def test_one_number_is_one_line():
    written = editing.find(FILES, "crs-fever")
    after = written.changed({}, {("when", "temperature", "at_least"): "37.8 C"})
    assert lines_that_differ(written.text, after) == [
        "-     temperature: {at_least: 38.0 C}",
        "+     temperature: {at_least: 37.8 C}",
    ]
    assert data_of(after)[written.number]["when"] == {"temperature": {"at_least": "37.8 C"}}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("applies_to", [{}, {"therapies": ["car_t", "bite"], "days": "0-56"}, {"window": "early"}])
def test_whom_it_concerns_is_replaced_added_or_taken_away(rule, applies_to):
    written = written_at(rule)
    after = written.with_applies_to(applies_to)
    expected = {key: value for key, value in written.data.items() if key != "applies_to"}
    assert data_of(after)[written.number] == (expected | {"applies_to": applies_to} if applies_to else expected)
    assert after.count("#") == written.text.count("#")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fires", [True, False])
def test_every_example_can_change_sides(rule, fires):
    here, there = ("fires", "stays_quiet") if fires else ("stays_quiet", "fires")
    written = written_at(rule)
    for number, case in enumerate(written.data["cases"][here]):
        after = data_of(written.with_case_moved(fires, number))[written.number]
        left = [one for place, one in enumerate(written.data["cases"][here]) if place != number]
        assert after["cases"] == {**written.data["cases"], here: left, there: [*written.data["cases"][there], case]}


@pytest.mark.parametrize("rule", RULES)
def test_the_last_example_leaves_an_empty_list_and_comes_back(rule):
    written = written_at(rule)
    files = {written.file: written.text}
    count = len(written.data["cases"]["fires"])
    for _ in range(count):
        files[written.file] = editing.find(files, rule).with_case_moved(True, 0)
    moved = editing.find(files, rule)
    assert moved.data["cases"]["fires"] == []
    for _ in range(count):
        files[written.file] = editing.find(files, rule).with_case_moved(
            False, len(written.data["cases"]["stays_quiet"])
        )
    assert editing.find(files, rule).data == written.data


@pytest.mark.parametrize("rule", RULES)
def test_an_example_is_added_to_either_side(rule):
    written = written_at(rule)
    case = {"days_since_therapy": 5, "temperature_c": 37.8, "symptoms": {"chills": "mild"}, "name": "so: it is"}
    for fires, side in ((True, "fires"), (False, "stays_quiet")):
        after = data_of(written.with_case(fires, case))[written.number]
        assert after["cases"][side] == [*written.data["cases"][side], case]


def test_a_rule_that_is_nowhere_is_not_found():
    with pytest.raises(LookupError):
        editing.find(FILES, "no-such-rule")
    with pytest.raises(LookupError):
        editing.find({**FILES, "crs.yaml": "- id: crs-fever\n  when: ["}, "crs-fever")

"""Whatever stands in a rule file, the answer is a ruleset or mistakes with places: nothing else, and soon."""

# ruff: noqa: E501 (lists of pieces)
from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.rules.written_rules import FILES
from triage.rules import batch, cases, checks
from triage.rules.loading import RuleFileErrors, from_document, load_texts
from triage.rules.ruleset import Ruleset

PLACED = re.compile(r"[\w/.]+:\d+:\d+: \S")
PIECES = [
    *("\t", "  ", "- ", ": ", "{", "}", "[", "]", ",", "'", '"', "&a", "*a", "!!set", "|", ">", "#", "?", "%", "---", "..."),
    *("null", "yes", "no", "~", "-1", "0", "1e9", ".inf", ".nan", "0x10", "9" * 40, "38", "38.0 C", "2026-11-01", "<<"),
    *("all", "any", "of", "at_least", "not", "symptom", "together", "silent_for", "worse", "than", "chills", "fires"),
    *("\n", "\r", "\x00", "\u2028", "\ud800", "é", "😀", "{emergency_number}", "{0}"),
]  # fmt: skip


def outcome(load: Callable[[], Ruleset]) -> Ruleset | RuleFileErrors:
    try:
        return load()
    except RuleFileErrors as refused:
        return refused


def is_answered(files: dict[str, str]) -> None:
    ruleset = outcome(lambda: load_texts(files))
    if isinstance(ruleset, RuleFileErrors):
        assert ruleset.errors
        for error in ruleset.errors:
            assert PLACED.match(str(error)), str(error)
            assert min(error.place.line, error.place.column) >= 1
        return
    # What loads must be usable to the end.
    assert from_document(ruleset.document) == ruleset
    cases.run(ruleset)
    checks.run(ruleset, checks.date.max)
    assert len(list(batch.assess_lines(ruleset, io.BytesIO(b'{"symptoms": {}}\n')))) == 1


@given(st.text(max_size=200), st.sampled_from(sorted(FILES)))
@example("%", "rules/crs.yaml")
@example("? ? ?", "rules/crs.yaml")
@example("!", "rules/crs.yaml")
@example("- " * 60, "rules/crs.yaml")
@example("{" * 60, "rules/crs.yaml")
@settings(max_examples=100)
def test_any_text_is_answered(text: str, name: str) -> None:
    is_answered(FILES | {name: text})


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.sampled_from(sorted(FILES)))
@settings(max_examples=100)
def test_any_heap_of_yaml_is_answered(text: str, name: str) -> None:
    is_answered(FILES | {name: text})


@given(st.data(), st.sampled_from(sorted(FILES)))
@settings(max_examples=100)
def test_a_valid_file_with_random_slips_is_answered(data: st.DataObject, name: str) -> None:
    text = FILES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    is_answered(FILES | {name: text})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(PIECES) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PIECES) | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
DOCUMENT = json.loads(load_texts(FILES).document)


def _ways(node: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [way, *(inner for key, value in items for inner in _ways(value, (*way, key)))]


@given(st.sampled_from(_ways(DOCUMENT)[1:]), anything)
@settings(max_examples=300)
def test_a_document_with_anything_in_the_place_of_anything_is_answered(way: tuple[str | int, ...], value: Any) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    node = document
    for step in way[:-1]:
        node = node[step]
    node[way[-1]] = value
    ruleset = outcome(lambda: from_document(json.dumps(document)))
    if isinstance(ruleset, RuleFileErrors):
        assert ruleset.errors
    else:
        cases.run(ruleset)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 60_000, "- " * 100_000, "a: " * 80_000, "? " * 100_000, "'" * 200_000, "# x\n" * 60_000,
     "- [" + "a, " * 20_000, "- {" + "a: b, " * 10_000, "a" * 250_000, "\n" * 250_000, "- |\n" + " x\n" * 80_000],
    ids=lambda text: f"{text[:6]!r}",
)  # fmt: skip
def test_a_file_made_to_be_slow_is_answered(text: str) -> None:
    with pytest.raises(RuleFileErrors):
        load_texts(FILES | {"rules/crs.yaml": text})

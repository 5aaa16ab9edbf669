"""What differs between two rulesets: rule by rule in plain sentences, and line by line in the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import islice

from triage.rules.ruleset import Rule, Ruleset
from triage.rules.wording import example_sentence, rule_sentences

OTHER_PARTS = {
    "catalogue": "the catalogue of symptoms and therapies",
    "sources": "the documents that rules cite",
    "response": "how soon alerts must be answered, who is told, and when to report next",
}


@dataclass(frozen=True)
class Line:
    """A sentence or a line of text. `mark` is "+" where only the new one has it, "-" where only the old one, "@" for
    the place of the lines that follow, else empty."""

    mark: str
    text: str


@dataclass(frozen=True)
class RuleDifference:
    """A rule that is new, gone or changed, in the sentences of `rules explain`."""

    id: str
    title: str
    kind: str
    """new, removed or changed."""
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Difference:
    """All that differs. Two rulesets may judge alike and still differ in their text."""

    rules: tuple[RuleDifference, ...]
    others: tuple[str, ...]
    """Other parts that differ, in words."""
    files: Mapping[str, tuple[Line, ...]]
    """By file name, the changed lines with three around them."""

    def __bool__(self) -> bool:
        return bool(self.rules or self.others or self.files)


def difference(
    before: Ruleset, after: Ruleset, before_files: Mapping[str, str], after_files: Mapping[str, str]
) -> Difference:
    """What the second ruleset changes in the first."""
    others = tuple(words for part, words in OTHER_PARTS.items() if getattr(before, part) != getattr(after, part))
    return Difference(tuple(_rules(before, after)), others, text_difference(before_files, after_files))


def text_difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[Line, ...]]:
    """By name, the changed lines of each file that differs, with three around them."""
    changed = (name for name in sorted({*before, *after}) if before.get(name) != after.get(name))
    return {name: tuple(_text(before.get(name, ""), after.get(name, ""))) for name in changed}


def _rules(before: Ruleset, after: Ruleset) -> Iterator[RuleDifference]:
    for id in sorted({*before.by_id, *after.by_id}):
        old, new = before.by_id.get(id), after.by_id.get(id)
        was = _told(old, before) if old else []
        now = _told(new, after) if new else []
        if was != now:
            kind = "changed" if old and new else "new" if new else "removed"
            lines = (line for line in _compared(was, now) if line.mark or not line.text.startswith(_BESIDE))
            yield RuleDifference(id, (new.title if new else old.title if old else ""), kind, tuple(lines))


_EXAMPLE = {True: "An example on which it fires", False: "An example on which it stays quiet"}
_BESIDE = ("Why:", "The patient is told:", "Source:", "Reasoning:", *_EXAMPLE.values())
"""Sentences that are told where they change only."""


def _told(rule: Rule, ruleset: Ruleset) -> list[str]:
    """Everything about a rule that a clinician decides, its cases too."""
    cases = [
        f"{_EXAMPLE[case.fires]}: {case.name or example_sentence(case.data, ruleset.catalogue)}" for case in rule.cases
    ]
    return [*rule_sentences(rule, ruleset)[1:], *cases]


def _compared(was: list[str], now: list[str]) -> Iterator[Line]:
    for tag, a, b, c, d in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Line("", text) for text in was[a:b])
        else:
            yield from (Line("-", text) for text in was[a:b])
            yield from (Line("+", text) for text in now[c:d])


def _text(was: str, now: str) -> Iterator[Line]:
    lines = unified_diff(was.splitlines(), now.splitlines(), lineterm="", n=3)
    for line in islice(lines, 2, None):  # the first two name the files
        yield Line("@", line) if line.startswith("@@") else Line(line[:1].strip(), line[1:])

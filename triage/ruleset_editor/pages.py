"""Rules as the pages show them: read from the ruleset, in the sentences of triage.rules.wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from triage.languages import name_in_english
from triage.models import RulesetDraft
from triage.rules.boundaries import Boundary, boundaries
from triage.rules.loading import CATALOGUE, RESPONSE, SOURCES, holds_rules, language_of
from triage.rules.ruleset import JUDGMENT, Case, Passage, Rule, Ruleset, Source
from triage.rules.schema import completions, schema, shape_of
from triage.rules.wording import example_sentence, fill, judging_lines, rule_sentences
from triage.ruleset_editor.services import Checked, Problem


@dataclass(frozen=True)
class Cited:
    """A passage that a rule stands on, with its document."""

    source: Source
    passage: Passage


@dataclass(frozen=True)
class Theme:
    """The rules of one file, most urgent first."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class RulePage:
    """All a clinician needs to judge a rule."""

    rule: Rule
    judging: tuple[str, ...]
    """The sentences of `rules explain`: whom it concerns, when it fires, what follows."""
    told: str
    cited: tuple[Cited, ...]
    is_judgment: bool

    @property
    def firing_cases(self) -> tuple[Case, ...]:
        return tuple(case for case in self.rule.cases if case.fires)

    @property
    def quiet_cases(self) -> tuple[Case, ...]:
        return tuple(case for case in self.rule.cases if not case.fires)


def themes(ruleset: Ruleset) -> list[Theme]:
    """The rules by the file they are written in, and in each file most urgent first."""
    by_file: dict[str, list[Rule]] = {}
    for rule in sorted(ruleset.rules, key=lambda rule: (-rule.urgency, rule.title)):
        by_file.setdefault(rule.place.file, []).append(rule)
    return [Theme(_theme(file), tuple(by_file[file])) for file in sorted(by_file)]


def read(rule: Rule, ruleset: Ruleset) -> RulePage:
    """One rule with its passages and its cases."""
    cited = (
        Cited(ruleset.sources[citation.source], passage)
        for citation in rule.citations
        if (passage := ruleset.passage(citation)) is not None
    )
    return RulePage(
        rule=rule,
        judging=tuple(judging_lines(rule, ruleset.catalogue)),
        told=fill(rule.advice),
        cited=tuple(cited),
        is_judgment=rule.source == JUDGMENT,
    )


@dataclass(frozen=True)
class Example:
    """A case of a rule, what it should do, and whether it does."""

    number: int
    fires: bool
    text: str
    fails: bool


@dataclass(frozen=True)
class DraftFile:
    """A rule file in somebody's draft."""

    name: str
    theme: str
    """Its name as a heading."""
    changed: bool
    rules: tuple[tuple[str, str], ...]
    """Id and title of each rule in it."""


def draft_files(draft: RulesetDraft, base: Mapping[str, str], checked: Checked) -> list[DraftFile]:
    """The files of a draft in the order of their names, those with rules first."""
    by_file: dict[str, list[tuple[str, str]]] = {name: [] for name in sorted(draft.files)}
    for rule in checked.ruleset.rules if checked.ruleset else ():
        by_file.setdefault(rule.place.file, []).append((rule.id, rule.title))
    files = [
        DraftFile(name, _theme(name), draft.files.get(name) != base.get(name), tuple(by_file[name])) for name in by_file
    ]
    return sorted(files, key=lambda file: (not holds_rules(file.name), file.name))


def examples(rule: Rule, ruleset: Ruleset, checked: Checked) -> list[Example]:
    """The cases of a rule as it stands in its file."""
    failed = {one.place for one in checked.cases.failed} if checked.cases else set()
    found = []
    for fires in (True, False):
        some = [case for case in rule.cases if case.fires is fires]
        for number, case in enumerate(some):
            text = case.name or example_sentence(case.data, ruleset.catalogue)
            found.append(Example(number, fires, text, case.place in failed))
    return found


def problems_of(rule: Rule, checked: Checked) -> list[Problem]:
    """What the checks say of the rule as a whole and of its parts; its examples say it for themselves."""
    return [one for one in checked.problems if one.place == rule.place or one.message.startswith(f"{rule.id}: ")]


def boundaries_to_keep(rule: Rule, ruleset: Ruleset) -> list[Boundary]:
    """Entries on the edges of the rule's thresholds that are none of its examples yet."""
    there = {example_sentence(case.data, ruleset.catalogue) for case in rule.cases}
    return [one for one in boundaries(rule, ruleset) if _kept(rule, one, ruleset) not in there]


def _kept(rule: Rule, one: Boundary, ruleset: Ruleset) -> str:
    """The entry as it reads once it is an example: the loader then names its therapy."""
    therapy = one.data.get("therapy", next((case.data.get("therapy") for case in rule.cases), None))
    return example_sentence({"therapy": therapy, **one.data}, ruleset.catalogue)


def sentences_of_file(name: str, ruleset: Ruleset) -> list[tuple[str, str, int, list[str]]]:
    """Id, title, line and sentences of each rule of a file, in the order of the file."""
    rules = sorted((rule for rule in ruleset.rules if rule.place.file == name), key=lambda rule: rule.place.line)
    return [(rule.id, rule.title, rule.place.line, rule_sentences(rule, ruleset)[1:]) for rule in rules]


def ran(checked: Checked) -> str:
    """How many examples were run, and how many come out differently; empty where the rules cannot be read."""
    if checked.cases is None:
        return ""
    differently = len(checked.cases.failed)
    how = "all come out as they say" if not differently else f"{differently} come out differently"
    if differently == 1:
        how = "1 comes out differently"
    return f"{checked.cases.count} examples were run: {how}."


def words(ruleset: Ruleset, file: str) -> dict[str, list[list[str]]]:
    """What an editor offers while somebody types in that file: words by the key they come after, each with what it
    means; after no key, the keys of an entry. All of it is read out of the JSON Schema of `triage rules schema`."""
    return {
        key: [[word, meaning] for word, meaning in found.items()]
        for key, found in completions(schema(ruleset), shape_of(file)).items()
    }


def _theme(file: str) -> str:
    """The name of a rule file as a heading: "liver.yaml" is "Liver", "crs.yaml" what it stands for."""
    name = PurePath(file).stem.replace("_", " ").replace("-", " ")
    if language := language_of(file):
        return f"What patients read in {name_in_english(language)}"
    if file in _BESIDE_RULES:
        return _BESIDE_RULES[file]
    return _WRITTEN_OUT.get(name, name.capitalize())


_BESIDE_RULES = {
    CATALOGUE: "What is asked: symptoms and therapies",
    SOURCES: "Documents that rules stand on",
    RESPONSE: "Who is told, and how soon",
}
_WRITTEN_OUT = {"crs": "Cytokine release syndrome (CRS)"}
"""Headings for names of files that are no words."""

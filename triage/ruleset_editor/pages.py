"""Rules as the pages show them: read from the ruleset, in the sentences of triage.rules.wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from triage.models import RulesetDraft
from triage.rules.boundaries import Boundary, boundaries
from triage.rules.catalogue import MEASURED, SEVERITY_CODES
from triage.rules.entries import AppliesForm, CasesForm, RuleForm
from triage.rules.loading import CATALOGUE, RESPONSE, SOURCES
from triage.rules.ruleset import JUDGMENT, Case, Passage, Rule, Ruleset, Source
from triage.rules.urgency import Urgency
from triage.rules.wording import (
    URGENCY_MEANS,
    applies_sentence,
    example_sentence,
    fill,
    fires_lines,
    rule_sentences,
)
from triage.rules.written import ConditionReader
from triage.ruleset_editor.services import Checked

NO_RULES = (CATALOGUE, SOURCES, RESPONSE)
_INNER = (
    *(
        "at_least",
        "at_most",
        "within",
        "risen_by",
        "below_baseline",
        "by",
        "lowest_in",
        "reports",
        "for",
        "count",
        "is",
    ),
    *("days_since_therapy", "temperature_c", "symptoms", "history", "hours_before"),
)
"""Keys inside conditions and examples."""


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
    concerns: str
    fires: tuple[str, ...]
    then: str
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
        concerns=applies_sentence(rule.applies_to, ruleset.catalogue),
        fires=tuple(fires_lines(rule.when, ruleset.catalogue)),
        then=URGENCY_MEANS[rule.urgency],
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
    changed: bool
    rules: tuple[tuple[str, str], ...]
    """Id and title of each rule in it."""


def draft_files(draft: RulesetDraft, base: Mapping[str, str], checked: Checked) -> list[DraftFile]:
    """The files of a draft in the order of their names, those with rules first."""
    by_file: dict[str, list[tuple[str, str]]] = {name: [] for name in sorted(draft.files)}
    for rule in checked.ruleset.rules if checked.ruleset else ():
        by_file.setdefault(rule.place.file, []).append((rule.id, rule.title))
    files = [DraftFile(name, draft.files.get(name) != base.get(name), tuple(by_file[name])) for name in by_file]
    return sorted(files, key=lambda file: (file.name in NO_RULES, file.name))


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


def words(ruleset: Ruleset) -> dict[str, list[list[str]]]:
    """What an editor offers while somebody types: words by the key they come after, each with what it means."""
    catalogue = ruleset.catalogue
    severities = [[code, ""] for code in SEVERITY_CODES[1:]]
    urgencies = [[urgency.code, URGENCY_MEANS[urgency].partition(": ")[2]] for urgency in Urgency]
    symptoms = [[symptom.code, symptom.label] for symptom in catalogue.symptoms.values()]
    therapies = [[code, therapy.label] for code, therapy in catalogue.therapies.items()]
    sources = [[key, source.title] for key, source in ruleset.sources.items()]
    conditions = ConditionReader(catalogue, lambda loc, message, key=False: None).readers
    forms = (RuleForm, AppliesForm, CasesForm)
    keys = dict.fromkeys([*(key for form in forms for key in form.model_fields), *conditions, *_INNER])
    return {
        "symptom": symptoms,
        "symptoms": symptoms,
        "at_least": severities,
        "urgency": urgencies,
        "of": urgencies,
        "therapies": therapies,
        "therapy": therapies,
        "source": [[JUDGMENT, "no document says it: give a reasoning"], *sources],
        "more_sources": sources,
        "measured": [[code, name] for code, (name, unit) in MEASURED.items()],
        "window": [["early", "the early window of the therapy"]],
        "is": [["yes", ""]],
        "": [[key, ""] for key in keys],
    }


def _theme(file: str) -> str:
    """The name of a rule file as a heading: "liver.yaml" is "Liver", "crs.yaml" what it stands for."""
    name = PurePath(file).stem.replace("_", " ").replace("-", " ")
    return _WRITTEN_OUT.get(name, name.capitalize())


_WRITTEN_OUT = {"crs": "Cytokine release syndrome (CRS)"}
"""Headings for names of files that are no words."""

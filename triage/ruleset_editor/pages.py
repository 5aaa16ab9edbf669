"""Rules as the pages show them: read from the ruleset, in the sentences of triage.rules.wording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from triage.rules.ruleset import JUDGMENT, Case, Passage, Rule, Ruleset, Source
from triage.rules.wording import URGENCY_MEANS, applies_sentence, fill, fires_lines


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


def _theme(file: str) -> str:
    """The name of a rule file in words: "rules/crs.yaml" is "crs"."""
    return PurePath(file).stem.replace("_", " ").replace("-", " ")

"""Rules, the passages they stand on, and all of them together under one content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any

from triage.rules.catalogue import Catalogue, Window
from triage.rules.conditions import Condition, SilentFor, Together, leaves
from triage.rules.triggers import Triggers, index
from triage.rules.urgency import Urgency

JUDGMENT = "judgment"
"""In place of a source: the rule stands on reasoning that a site's clinicians are asked to approve."""


@dataclass(frozen=True)
class Place:
    """Where something stands in a rule file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Passage:
    """What a source says. `form` is "quote" for its own words, "summary" for our record of them."""

    id: str
    text: str
    form: str
    signs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A document that rules cite."""

    key: str
    title: str
    address: str
    read_on: date
    kind: str
    passages: Mapping[str, Passage]
    publisher: str = ""


@dataclass(frozen=True)
class Citation:
    """One passage of one source."""

    source: str
    passage: str

    def __str__(self) -> str:
        return f"{self.source}/{self.passage}"


@dataclass(frozen=True)
class AppliesTo:
    """Whom and when a rule concerns. None means everybody, or any day."""

    therapies: frozenset[str] | None = None
    early: bool = False
    """Only inside the therapy's own early window."""
    days: Window | None = None


@dataclass(frozen=True)
class Case:
    """An example report as data, what it should make its rule do, and where it is written."""

    data: Mapping[str, Any]
    fires: bool
    place: Place
    name: str = ""


@dataclass(frozen=True)
class Rule:
    """One warning sign and what it asks for."""

    id: str
    title: str
    urgency: Urgency
    when: Condition
    why: str
    advice: str
    source: str
    applies_to: AppliesTo = AppliesTo()
    citations: tuple[Citation, ...] = ()
    reasoning: str = ""
    cases: tuple[Case, ...] = field(default=(), compare=False)
    place: Place = field(default=Place("", 1, 1), compare=False)

    @cached_property
    def asks_for_silence(self) -> bool:
        """Whether only the silence check can make the rule fire."""
        return any(isinstance(leaf, SilentFor) for leaf in leaves(self.when))


OUTCOME_WITHIN: Mapping[Urgency, timedelta] = MappingProxyType(
    {Urgency.EMERGENCY: timedelta(minutes=15), Urgency.URGENT: timedelta(minutes=60)}
)
"""What counts where response.yaml says nothing, as in rulesets that were stored before it could."""

TOLD = ("on_call", "nurses", "administrators", "everybody", "patient", "caregivers")
"""Whom a step of an escalation may tell. `everybody` is all staff of the care team."""
STAFF_TOLD = TOLD[:4]
CHANNELS = ("sms", "mail", "teams", "slack", "pagerduty", "webhook")
"""By what a step may tell them."""
PERSONAL_CHANNELS = CHANNELS[:2]
"""These reach one person; the others a room or a service of all staff."""


@dataclass(frozen=True)
class QuietHours:
    """A part of the day, in the care team's time zone, in which nobody is woken for this. It may pass midnight."""

    begins: time
    ends: time

    def contains(self, moment: time) -> bool:
        if self.begins <= self.ends:
            return self.begins <= moment < self.ends
        return moment >= self.begins or moment < self.ends


@dataclass(frozen=True)
class Step:
    """Who is told, and by what, once an alert has waited so long without being acknowledged."""

    after: timedelta
    tell: str
    """One of TOLD."""
    by: tuple[str, ...]
    """Of CHANNELS, the preferred one first; the next is taken where one fails or does not reach somebody."""
    quiet_hours: QuietHours | None = None
    repeat_every: timedelta | None = None
    """The last resort: the step comes again and again until somebody acknowledges."""


@dataclass(frozen=True)
class Reminder:
    """Who is asked for a report that is missing, before its silence becomes an alert."""

    before: timedelta
    """So long before the alert would open."""
    tell: str
    """Of TOLD, nobody of the staff."""
    by: tuple[str, ...]
    """Of PERSONAL_CHANNELS, the preferred one first."""
    quiet_hours: QuietHours | None = None
    """Only where the alert would be no more than soon."""


@dataclass(frozen=True)
class Response:
    """What each urgency asks of the care team, and when silence counts."""

    acknowledge_within: Mapping[Urgency, timedelta]
    next_report: Mapping[Urgency, str]
    silence_grace: timedelta
    outcome_within: Mapping[Urgency, timedelta] = field(default_factory=lambda: OUTCOME_WITHIN)
    """How long after an acknowledgement something must be written. What is not urgent has no such limit."""
    escalation: Mapping[Urgency, tuple[Step, ...]] = field(default_factory=dict)
    """Who is told, step by step. Empty in rulesets from before there was such a section."""
    reminders: tuple[Reminder, ...] = ()
    """Who is asked for a missing report, the earliest first. Nobody in rulesets from before there was this section."""


@dataclass(frozen=True)
class Translation:
    """What patients read, in another language (`triage.rules.translation`)."""

    language: str
    """For example "es"."""
    review: str
    """What clinicians have said of it, for example "awaiting clinical review"."""
    texts: Mapping[str, str]
    """By the English text."""
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Ruleset:
    """All rules active together, in the order of their ids. `document` is their canonical JSON text, from which
    `loading.from_document` makes the same ruleset again."""

    catalogue: Catalogue
    rules: tuple[Rule, ...]
    sources: Mapping[str, Source]
    response: Response
    document: str
    places: Mapping[tuple[str | int, ...], Place] = field(default_factory=dict, compare=False, repr=False)
    """Where things are written: ("symptom", code), ("source", key), ("passage", "key/id"), ("when", rule, *way)."""
    translations: Mapping[str, Translation] = field(default_factory=dict)
    """What patients read in other languages, by language."""

    @cached_property
    def hash(self) -> str:
        """Names the content: "sha256:" and 64 hex digits. The order of rules and files does not change it."""
        return "sha256:" + hashlib.sha256(self.document.encode()).hexdigest()

    @cached_property
    def by_id(self) -> Mapping[str, Rule]:
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def single_rules(self) -> tuple[Rule, ...]:
        """Those that judge a report by themselves."""
        return tuple(rule for rule in self.rules if not rule.asks_for_silence and not isinstance(rule.when, Together))

    @cached_property
    def silence_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.asks_for_silence)

    @cached_property
    def together_rules(self) -> tuple[Rule, ...]:
        """Those that count what the others found."""
        return tuple(rule for rule in self.rules if isinstance(rule.when, Together))

    @cached_property
    def triggers(self) -> Triggers:
        """Which of `single_rules` a report can wake."""
        return index(rule.when for rule in self.single_rules)

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What its readers work out once and keep with it, each under its own name; a changed copy starts anew."""
        return {}

    def passage(self, citation: Citation) -> Passage | None:
        """The passage a rule cites, or None for a judgment."""
        source = self.sources.get(citation.source)
        return source.passages.get(citation.passage) if source else None

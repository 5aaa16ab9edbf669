"""What a ruleset made of one report, and its canonical bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triage.rules.urgency import Urgency


@dataclass(frozen=True)
class Fact:
    """One reported value beside the threshold it met.

    `subject` is a symptom code, "temperature", "thinking_check", a measured quantity, "fever_reducer_taken",
    "on_steroids" or "silence". `test` is one of at_least, at_most, is, within, risen_by, worse_by, below_baseline,
    abandoned, not_measured, new, silent_for. Values and thresholds are the codes and numbers of the data form
    (temperature in °C, silence in hours). `at` is the time (UTC) of the earlier report that said it, None for the
    judged report; `earlier` and `earlier_at` are what it was compared with.
    """

    subject: str
    value: str
    test: str
    threshold: str = ""
    at: datetime | None = None
    earlier: str = ""
    earlier_at: datetime | None = None

    def __hash__(self) -> int:
        """Of the parts that tell most facts apart: facts are looked up for every report."""
        return hash((self.subject, self.value, self.threshold))

    def to_data(self) -> dict[str, str]:
        """As JSON-able data, without what is empty."""
        data = {
            "subject": self.subject,
            "value": self.value,
            "test": self.test,
            "threshold": self.threshold,
            "at": self.at.isoformat() if self.at else "",
            "earlier": self.earlier,
            "earlier_at": self.earlier_at.isoformat() if self.earlier_at else "",
        }
        return {key: value for key, value in data.items() if value}


@dataclass(frozen=True)
class FiredRule:
    """A rule that fired, with the facts that made it fire and the same in sentences. `failed` marks a rule that could
    not be evaluated: it counts as an urgent finding, so that a person looks."""

    rule: str
    urgency: Urgency
    title: str
    facts: tuple[Fact, ...]
    because: tuple[str, ...]
    source: str
    advice: str = ""
    failed: bool = False

    def to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "rule": self.rule,
            "urgency": self.urgency.code,
            "title": self.title,
            "because": list(self.because),
            "source": self.source,
            "facts": [fact.to_data() for fact in self.facts],
        }
        if self.failed:
            data["failed"] = True
        return data


@dataclass(frozen=True)
class Undecided:
    """A rule whose outcome hangs on answers that nobody could give."""

    rule: str
    urgency: Urgency
    title: str
    unknown: tuple[str, ...]
    because: tuple[str, ...]

    def to_data(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "urgency": self.urgency.code,
            "title": self.title,
            "because": list(self.because),
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True)
class Assessment:
    """The judgment of one report: most urgent rules first, then by id."""

    patient: str | None
    reported_at: datetime | None
    urgency: Urgency
    ruleset: str
    fired: tuple[FiredRule, ...]
    undecided: tuple[Undecided, ...] = ()

    @property
    def advice(self) -> tuple[str, ...]:
        """What the patient is told to do, each sentence once, the most urgent first. Texts hold the placeholders
        {emergency_number} and {care_team_phone}."""
        return tuple(dict.fromkeys(fired.advice for fired in self.fired if fired.advice))

    def to_data(self) -> dict[str, Any]:
        """The data form of docs/rule-language.md."""
        data: dict[str, Any] = {
            "patient": self.patient,
            "reported_at": self.reported_at.isoformat() if self.reported_at else None,
            "urgency": self.urgency.code,
            "ruleset": self.ruleset,
            "fired": [fired.to_data() for fired in self.fired],
            "advice": list(self.advice),
        }
        if self.undecided:
            data["undecided"] = [undecided.to_data() for undecided in self.undecided]
        return data

    def to_bytes(self) -> bytes:
        """Canonical UTF-8 JSON on one line: equal assessments give equal bytes."""
        return json.dumps(self.to_data(), ensure_ascii=False, separators=(",", ":")).encode()


def highest(fired: Iterable[FiredRule]) -> Urgency:
    """The urgency of the most urgent rule that fired; ROUTINE when none did. Never a sum."""
    return max((rule.urgency for rule in fired), default=Urgency.ROUTINE)

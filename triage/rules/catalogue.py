"""What can be reported: symptoms with their scales, therapies with their windows. Values only, no file reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, IntEnum
from functools import cached_property


class Severity(IntEnum):
    """How bad a symptom was at its worst in the last 24 hours."""

    NONE = 0
    MILD = 1
    MODERATE = 2
    SEVERE = 3
    VERY_SEVERE = 4

    @property
    def code(self) -> str:
        return self.name.lower()


class Presence(IntEnum):
    """Whether a sign was there in the last 24 hours."""

    NO = 0
    YES = 1

    @property
    def code(self) -> str:
        return self.name.lower()


class Scale(Enum):
    """The two ways in which a symptom is answered."""

    SEVERITY = "severity"
    PRESENCE = "presence"


class Asked(Enum):
    """When the daily form asks about a symptom."""

    START = "start"  # before anything else, one tap
    DANGER = "danger"  # the first screen
    DAILY = "daily"
    MORE = "more"  # after "something else"
    CAREGIVER = "caregiver"  # of an onlooker only


SEVERITY_CODES: tuple[str, ...] = tuple(level.code for level in Severity)
PRESENCE_CODES: tuple[str, ...] = tuple(level.code for level in Presence)

MEASURED: Mapping[str, tuple[str, str]] = {
    "systolic_mmhg": ("upper blood pressure", "mmHg"),
    "pulse": ("pulse", "a minute"),
    "oxygen_percent": ("oxygen saturation", "%"),
}
"""Quantities a lent device measures: code → (plain name, unit)."""

THINKING_CHECK_POINTS: Mapping[str, int] = {"orientation": 4, "naming": 3, "command": 1, "writing": 1, "attention": 1}
"""Items of the thinking check and the points each can give, ten in all (ICE score, Lee et al., BBMT 2019;25:625)."""

THINKING_CHECK_FULL = sum(THINKING_CHECK_POINTS.values())


@dataclass(frozen=True)
class Window:
    """A span of whole days since therapy, both ends included; `last` is None when it never ends."""

    first: int
    last: int | None

    def contains(self, day: int) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def __str__(self) -> str:
        return f"{self.first}-{'' if self.last is None else self.last}"


@dataclass(frozen=True)
class Code:
    """A standard code with its display text."""

    code: str
    display: str


@dataclass(frozen=True)
class DangerQuestion:
    """A tick on the first screen that stores `means` for a symptom answered by severity."""

    question: str
    about: str
    means: Severity


@dataclass(frozen=True)
class Symptom:
    """One entry of the catalogue. `question` speaks to the patient, `about` to a caregiver."""

    code: str
    scale: Scale
    label: str
    question: str
    about: str
    group: str
    asked: Asked
    hint: str = ""
    daily_for: frozenset[str] = frozenset()
    """Therapies for which it is asked daily; empty means all."""
    danger_question: DangerQuestion | None = None
    snomed: Code | None = None

    @property
    def worst(self) -> Severity | Presence:
        """The worst possible answer."""
        return Presence.YES if self.scale is Scale.PRESENCE else Severity.VERY_SEVERE


@dataclass(frozen=True)
class Therapy:
    """A kind of immunotherapy; both windows count days from the latest dose event."""

    code: str
    label: str
    about: str = ""
    products: tuple[str, ...] = ()
    early: Window | None = None
    daily_report: Window | None = None


@dataclass(frozen=True)
class CheckWindow:
    """Days after a therapy on which the thinking check is asked, when the last one is `again_after` old."""

    therapies: frozenset[str]
    days: Window
    again_after: timedelta


@dataclass(frozen=True)
class CheckAsked:
    """When the form asks the thinking check: on some days, and of whoever reports one of some signs."""

    windows: tuple[CheckWindow, ...] = ()
    signs: frozenset[str] = frozenset()

    def again_after(self, therapy: str | None, day: int | None) -> timedelta | None:
        """How old the last check may be on that day; None where the day asks for none. A therapy or day that is not
        known is inside every window."""
        spans = [
            window.again_after
            for window in self.windows
            if (therapy is None or therapy in window.therapies) and (day is None or window.days.contains(day))
        ]
        return min(spans, default=None)


@dataclass(frozen=True)
class Catalogue:
    """Everything that can be asked, by code, in the order of the file."""

    symptoms: Mapping[str, Symptom]
    therapies: Mapping[str, Therapy]
    groups: Mapping[str, str] = field(default_factory=dict)
    """Group code → its label on the form."""
    severities: Mapping[str, str] = field(default_factory=dict)
    """Severity code → what it means in plain words."""
    thinking_check: CheckAsked = CheckAsked()

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where each symptom stands in the order of the file."""
        return {code: place for place, code in enumerate(self.symptoms)}

    def asked_when(self, *kinds: Asked, therapy: str | None = None) -> list[Symptom]:
        """The symptoms asked at those moments; a therapy narrows the daily ones, an unknown therapy does not."""
        return [s for s in self.symptoms.values() if s.asked in kinds and self._concerns(s, therapy)]

    @staticmethod
    def _concerns(symptom: Symptom, therapy: str | None) -> bool:
        return therapy is None or not symptom.daily_for or therapy in symptom.daily_for

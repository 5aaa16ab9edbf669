"""Where two people said different things about one patient on one day. Both reports count; this says that they differ.

The ill brain does not report itself: a patient who answers "none" and a caregiver who sees confusion are not two votes,
but one reason more to telephone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.rules.catalogue import Asked, Catalogue
from triage.rules.report import Answer, Report, Unknown

WITHIN = timedelta(hours=24)
"""Two reports further apart tell of two days."""


@dataclass(frozen=True)
class Said:
    """One report and who sent it, in words."""

    by: str
    at: datetime
    report: Report


@dataclass(frozen=True)
class Contradiction:
    """What one reporter saw and another denied. `signs`: labels with the answer; `denied`: what the other said."""

    saw: Said
    other: Said
    signs: tuple[str, ...]
    denied: str


def between(said: Iterable[Said], catalogue: Catalogue) -> list[Contradiction]:
    """The contradictions among the reports of one patient, the latest first. Of each reporter every report counts."""
    ordered = sorted(said, key=lambda one: one.at, reverse=True)
    found: list[Contradiction] = []
    for place, one in enumerate(ordered):
        for other in ordered[place + 1 :]:
            if one.at - other.at > WITHIN:
                break
            if one.by == other.by:
                continue
            for saw, denies in ((one, other), (other, one)):
                if signs := _denied(saw.report, denies.report, catalogue):
                    denied = "nothing of that" if denies.report.complaints() else "no sign at all"
                    found.append(Contradiction(saw, denies, signs, denied))
    return found


def _denied(saw: Report, other: Report, catalogue: Catalogue) -> tuple[str, ...]:
    """What the first report has and the second answers with none or no. What only an onlooker is asked is denied by a
    report that answers the same group of signs and has nothing of it."""
    signs: list[str] = []
    complaints = saw.complaints()
    for code, symptom in catalogue.symptoms.items():
        answer = complaints.get(code)
        if answer is None or isinstance(answer, Unknown):
            continue
        told = other.symptoms.get(code)
        if told is None and symptom.asked is Asked.CAREGIVER:
            group = [one for one in other.symptoms if (s := catalogue.symptoms.get(one)) and s.group == symptom.group]
            quiet = bool(group) and not any(other.symptoms[one] for one in group)
            if quiet:
                signs.append(symptom.label)
        elif told is not None and not isinstance(told, Unknown) and not told:
            signs.append(_sign(symptom.label, answer))
    return tuple(signs)


def _sign(label: str, answer: Answer) -> str:
    return label if answer.code == "yes" else f"{label} {answer.code.replace('_', ' ')}"

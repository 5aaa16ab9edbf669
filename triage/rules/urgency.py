"""The four urgencies, in order. They are compared, never added."""

from __future__ import annotations

from enum import IntEnum


class Urgency(IntEnum):
    """How soon a report needs a person; a higher rank is more urgent."""

    ROUTINE = 0
    SOON = 1
    URGENT = 2
    EMERGENCY = 3

    @property
    def code(self) -> str:
        """The lower-case word used in rule files, data and pages."""
        return self.name.lower()

    @classmethod
    def from_code(cls, code: str) -> Urgency:
        """The urgency of that code; raises KeyError for another word."""
        return cls[code.upper()] if code == code.lower() else cls[code]


URGENCY_CODES: tuple[str, ...] = tuple(urgency.code for urgency in sorted(Urgency, reverse=True))
"""Most urgent first."""

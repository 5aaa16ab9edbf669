"""Which rows of the queue a nurse wants to see.

An urgent alert is never filtered away: it is listed first, and said to be outside the filter. What is not known (a
therapy, a day) is inside every window, as for the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from flask import has_request_context, request

from triage.care_team.queue import QueueRow
from triage.rules.urgency import URGENCY_CODES, Urgency

WHOSE = {"": "All", "mine": "Taken by me", "unacknowledged": "Not acknowledged"}
DAYS = {"": "All", "early": "Inside the early window", "later": "After the early window"}
URGENCIES = {"": "All"} | {code: code.capitalize() for code in URGENCY_CODES if code != "routine"}
NOT_KNOWN = "unknown"
"""Stands for no therapy on file among the therapies."""


@dataclass(frozen=True)
class Filter:
    """What was chosen; empty means all. A word that is no choice is left out: nonsense hides nobody."""

    whose: str = ""
    urgency: str = ""
    therapy: str = ""
    days: str = ""
    silent: bool = False

    @classmethod
    def read(cls, sent: Mapping[str, str], therapies: Mapping[str, str]) -> Filter:
        def one_of(name: str, choices: Mapping[str, str]) -> str:
            return sent[name] if sent.get(name) in choices else ""

        return cls(
            one_of("whose", WHOSE),
            one_of("urgency", URGENCIES),
            one_of("therapy", therapies),
            one_of("days", DAYS),
            sent.get("silent") == "yes",
        )

    @property
    def used(self) -> bool:
        return self != Filter()

    def shows(self, row: QueueRow, me: UUID) -> bool:
        """Whether the row is what was asked for."""
        return (
            self._of_whom(row, me)
            and (not self.urgency or row.alert.urgency.code == self.urgency)
            and (not self.therapy or (row.therapy_code or NOT_KNOWN) in (self.therapy, NOT_KNOWN))
            and (not self.days or (row.in_early is None) or row.in_early == (self.days == "early"))
            and (not self.silent or row.silent)
        )

    def _of_whom(self, row: QueueRow, me: UUID) -> bool:
        if self.whose == "mine":
            return row.alert.taken_by_id == me
        return self.whose != "unacknowledged" or row.open


NAMES = tuple(field.name for field in fields(Filter))
"""The words of an address that choose."""
TEAM = "team"
"""The word of an address that names a team which is covered."""


def keep(endpoint: str, values: dict[str, Any]) -> None:
    """Write what was chosen into each address of the nurses' pages: who acknowledges, reads a record or writes a note
    comes back to the queue as it was. An address that says otherwise, also with None, says what counts."""
    if has_request_context():
        for name in (*NAMES, TEAM):
            if name in request.args:
                values.setdefault(name, request.args[name])


@dataclass(frozen=True)
class Shown:
    """The rows of a page. `outside` are urgent ones that were not asked for; they stand first. `hidden` counts the
    rest."""

    outside: tuple[QueueRow, ...]
    inside: tuple[QueueRow, ...]
    hidden: int

    @property
    def rows(self) -> tuple[QueueRow, ...]:
        return self.outside + self.inside


def apply(chosen: Filter, rows: Sequence[QueueRow], me: UUID) -> Shown:
    """What a page shows of all rows, each part in the order of the queue."""
    inside = tuple(row for row in rows if chosen.shows(row, me))
    others = [row for row in rows if not chosen.shows(row, me)]
    outside = tuple(row for row in others if row.alert.urgency >= Urgency.URGENT)
    return Shown(outside, inside, len(others) - len(outside))

"""The rows of each care team, kept by this process for as long as nothing changes.

Every open dashboard of a team shows the same rows, in its own words (who may give back what, which filter). Reading and
drawing them is most of what an open queue costs; it is done once for a change, and not once for each dashboard.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import cast
from uuid import UUID

from flask import current_app
from sqlalchemy.orm import Session

from triage.care_team.queue import QueueRow, Version, place, queue
from triage.models import CareTeam

EXTENSION = "triage_boards"
"""The `Boards` of a running server."""
MOST_KEPT = 100
"""Care teams."""


@dataclass(frozen=True)
class Board:
    """The rows of a care team as they were at a moment (UTC)."""

    version: Version
    at: datetime
    rows: Sequence[QueueRow]
    drawn: dict[tuple[UUID, object], str] = field(default_factory=dict)
    """The HTML of rows by alert and what else decides about it, as far as anybody asked for it."""


class Boards:
    """The latest board of each care team. Several threads may ask at once: one reads, the others wait for it."""

    def __init__(self) -> None:
        self._kept: dict[UUID, Board] = {}
        self._turns: dict[UUID, Lock] = {}

    def board(self, session: Session, team: CareTeam, version: Version, at: datetime, *, fresh: bool = False) -> Board:
        """The board of that version of the queue; where it is not kept, the rows that changed are read now, and all of
        them when another minute has begun or it shall be `fresh`.

        The version is taken before the rows are read: what comes in between is a new version, and read with that.
        """
        if not fresh and (kept := self._kept_as(team.id, version)):
            return kept
        with self._turns.setdefault(team.id, Lock()):
            if not fresh and (kept := self._kept_as(team.id, version)):  # by whoever had the turn before
                return kept
            before = self._kept.get(team.id)
            if fresh or before is None or before.version.minute != version.minute:
                board = Board(version, at, _apart(session, team, at))
            else:
                board = _with_changes(before, session, team, version, at)
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[team.id] = board
            return board

    def _kept_as(self, team_id: UUID, version: Version) -> Board | None:
        kept = self._kept.get(team_id)
        return kept if kept is not None and kept.version == version else None


def boards() -> Boards:
    """Those of this server."""
    return cast(Boards, current_app.extensions[EXTENSION])


def _with_changes(before: Board, session: Session, team: CareTeam, version: Version, at: datetime) -> Board:
    """The next board of the same minute: only rows are read whose state is another one."""
    states = before.version.states
    same = {id for id, state in version.states.items() if states.get(id) == state}
    rows = [row for row in before.rows if row.alert.id in same]
    rows += _apart(session, team, at, version.states.keys() - same)
    drawn = {key: html for key, html in list(before.drawn.items()) if key[0] in same}
    return Board(version, at, sorted(rows, key=lambda row: place(row.alert, at)), drawn)


def _apart(session: Session, team: CareTeam, at: datetime, only: Collection[UUID] | None = None) -> list[QueueRow]:
    """The rows, read by a session of their own: they outlive the request, and nothing can be read or saved by them."""
    with Session(session.get_bind()) as own:
        return queue(own, team, at, only)

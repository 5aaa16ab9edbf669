"""The rows of each care team, kept by this process for as long as nothing changes.

Every open dashboard of a team shows the same rows, in its own words (who may give back what, which filter). Reading
them is most of what an open queue costs; it is done once for a change, and not once for each dashboard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import cast
from uuid import UUID

from flask import current_app
from sqlalchemy.orm import Session

from triage.care_team.queue import QueueRow, queue
from triage.models import CareTeam

EXTENSION = "triage_boards"
"""The `Boards` of a running server."""
MOST_KEPT = 100
"""Care teams."""


@dataclass(frozen=True)
class Board:
    """The rows of a care team as they were at a moment (UTC)."""

    version: str
    at: datetime
    rows: Sequence[QueueRow]


class Boards:
    """The latest board of each care team. Several threads may ask at once: one reads, the others wait for it."""

    def __init__(self) -> None:
        self._kept: dict[UUID, Board] = {}
        self._turns: dict[UUID, Lock] = {}

    def board(self, session: Session, team: CareTeam, version: str, at: datetime, *, fresh: bool = False) -> Board:
        """The board of that version of the queue; read now where it is not kept, or where it shall be `fresh`.

        The version is taken before the rows are read: what comes in between is a new version, and read with that.
        """
        if not fresh and (kept := self._kept_as(team.id, version)):
            return kept
        with self._turns.setdefault(team.id, Lock()):
            if not fresh and (kept := self._kept_as(team.id, version)):  # by whoever had the turn before
                return kept
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            board = self._kept[team.id] = Board(version, at, _apart(session, team, at))
            return board

    def _kept_as(self, team_id: UUID, version: str) -> Board | None:
        kept = self._kept.get(team_id)
        return kept if kept is not None and kept.version == version else None


def boards() -> Boards:
    """Those of this server."""
    return cast(Boards, current_app.extensions[EXTENSION])


def _apart(session: Session, team: CareTeam, at: datetime) -> list[QueueRow]:
    """The rows, read by a session of their own: they outlive the request, and nothing can be read or saved by them."""
    with Session(session.get_bind()) as own:
        return queue(own, team, at)

"""Whether messages go out: how long ago a heartbeat last came all the way through (triage/heartbeat.py makes them).

The heartbeat's own alerts tell it. One that is resolved was reported, judged, seen in the queue and delivered; its age
counts from its report, so that a chain that takes too long is late as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from triage.models import HEARTBEAT_PATIENT, Alert, AlertStatus, Delivery, Patient

CLOCKS_MAY_DIFFER = timedelta(minutes=1)
"""A heartbeat that seems to come from later than this was made before a clock was set back, and proves nothing."""


_BEATS = select(
    select(func.max(Alert.opened_at))
    .where(
        Alert.patient_id == HEARTBEAT_PATIENT,
        Alert.status == AlertStatus.RESOLVED,
        Alert.opened_at <= bindparam("until"),
    )
    .scalar_subquery(),
    select(Patient.enrolled_at).where(Patient.id == HEARTBEAT_PATIENT).scalar_subquery(),
)
"""When the latest heartbeat that came through was reported, and since when there is one."""


@dataclass(frozen=True)
class Pulse:
    """The state of the heartbeat at one moment."""

    came_through_at: datetime | None
    """When the latest one that came through was reported; None while none has."""
    begun_at: datetime | None
    """Since when there is one; None where no worker was ever begun beside this database."""
    late_after: timedelta
    at: datetime

    @property
    def age(self) -> timedelta | None:
        """Since the latest one that came through."""
        return None if self.came_through_at is None else max(self.at - self.came_through_at, timedelta())

    @property
    def late_since(self) -> datetime | None:
        """Since when messages may not be going out; None while they do. Where no worker was ever begun this is None
        too: administrators are told of that, and `triage watch` raises the alarm."""
        last = self.came_through_at or self.begun_at
        return last if last is not None and self.at - last > self.late_after else None


def pulse(session: Session, at: datetime) -> Pulse:
    """The heartbeat as it is at that moment."""
    came_through_at, begun_at = session.execute(_BEATS, {"until": at + CLOCKS_MAY_DIFFER}).one()
    return Pulse(came_through_at, begun_at, late_after(), at)


def late_since(session: Session, at: datetime) -> datetime | None:
    """Since when messages may not be going out; None while they do."""
    return pulse(session, at).late_since


def answers(session: Session, keys: Sequence[str]) -> bool:
    """Whether these are keys of deliveries of the heartbeat: the worker that sends and the server that is asked then
    look into one database."""
    own = select(Alert.id).where(Alert.patient_id == HEARTBEAT_PATIENT)
    found = select(func.count()).where(Delivery.key.in_(keys), Delivery.alert_id.in_(own))
    return bool(keys) and session.scalar(found) == len(set(keys))


def late_after() -> timedelta:
    """How old the latest heartbeat may be."""
    return timedelta(minutes=current_app.config["HEARTBEAT_LATE_MINUTES"])

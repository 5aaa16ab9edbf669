"""Forgets who was told what, once it was kept long enough after an alert was resolved.

A delivery is evidence: of an alert that is not resolved every one stays, and one that is still to be sent stays in any
case. Reports, assessments, alerts, what nurses wrote and the audit trail are never touched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from triage.database import writing
from triage.models import Alert, AlertStatus, Delivery, OwedStep

AT_ONCE = 500
"""Rows in one look, so that nobody who writes waits for it; the next look comes a minute later."""


def sweep(session: Session, kept: timedelta, at: datetime) -> int:
    """Delete deliveries and owed steps that ended so long ago; how many rows."""
    session.rollback()
    before = at - kept
    gone = _forget(session, Delivery, session.scalars(_deliveries(before).limit(AT_ONCE)).all())
    steps = select(OwedStep.id).where(
        OwedStep.alert_id.in_(_resolved(before)), ~exists().where(Delivery.step_id == OwedStep.id)
    )
    return gone + _forget(session, OwedStep, session.scalars(steps.limit(AT_ONCE)).all())


def due(session: Session, kept: timedelta, at: datetime) -> int:
    """How many deliveries would be deleted."""
    return session.scalar(select(func.count()).select_from(_deliveries(at - kept).subquery())) or 0


def _deliveries(before: datetime) -> Select[UUID]:
    """The deliveries that ended before that moment, but for those of alerts that were not resolved before it."""
    return select(Delivery.id).where(
        or_(Delivery.delivered_at < before, Delivery.given_up_at < before, Delivery.cancelled_at < before),
        or_(Delivery.alert_id.is_(None), Delivery.alert_id.in_(_resolved(before))),
    )


def _resolved(before: datetime) -> Select[UUID]:
    """The alerts that were resolved before that moment."""
    return select(Alert.id).where(Alert.status == AlertStatus.RESOLVED, Alert.resolved_at < before)


def _forget(session: Session, table: type[Delivery | OwedStep], ids: Sequence[UUID]) -> int:
    if ids:
        with writing(session):
            session.execute(delete(table).where(table.id.in_(ids)).execution_options(synchronize_session=False))
    return len(ids)

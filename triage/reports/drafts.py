"""What somebody has typed and not yet sent: one draft a person, kept on the server step by step."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from triage.database import writing
from triage.models import Person, ReportDraft, Role

LASTS = timedelta(hours=12)
"""Older answers are about another day."""

ASKED_AGAIN_AFTER = timedelta(hours=1)
"""Danger signs and temperature are told as they are now: older answers are shown, and asked again."""
_NOW = ("danger", "temperature")
_AT = "_at"
SENT = "_sent"
"""Among the answers of a step: the id of the report as which it was sent already."""

Typed = Mapping[str, Any]


def new_token() -> str:
    """Goes with a form, so that a report sent twice is stored once."""
    return secrets.token_urlsafe(32)


def current(session: Session, person: Person, at: datetime) -> ReportDraft | None:
    """The person's draft; None when there is none or it is too old to go on with."""
    draft = session.get(ReportDraft, person.id)
    return draft if draft is not None and at - draft.begun_at < LASTS else None


def too_old(session: Session, person: Person, at: datetime) -> bool:
    """Whether there is a draft that will not be continued."""
    draft = session.get(ReportDraft, person.id)
    return draft is not None and at - draft.begun_at >= LASTS


def save(session: Session, person: Person, step: str, typed: Typed, at: datetime, *, about: UUID | None = None) -> None:
    """Keep what was typed on that step at `at`. A draft that is too old, or about another patient than `about`, is
    begun anew; None is a reporter's own patient. What a phone had to keep replaces nothing that was typed later."""
    with writing(session):
        draft = session.get(ReportDraft, person.id)
        if draft is not None and (at - draft.begun_at >= LASTS or draft.patient_id != about):
            draft.answers, draft.token, draft.begun_at, draft.patient_id = {}, new_token(), at, about
        if draft is None:
            draft = ReportDraft(person_id=person.id, token=new_token(), answers={}, begun_at=at, patient_id=about)
            draft.updated_at = at
            session.add(draft)
        if _typed_at(draft.answers.get(step, {})) > at:
            return
        draft.answers = {**draft.answers, step: {**typed, _AT: at.isoformat()}}
        draft.updated_at = max(at, draft.updated_at)
        if person.role != Role.NURSE and typed.get("unit") in ("c", "f"):
            person.temperature_unit = typed["unit"]  # what the thermometer at home shows; a nurse hears of many


def keep(
    session: Session, person: Person, answers: Mapping[str, Typed], at: datetime, *, about: UUID | None = None
) -> None:
    """Begin a draft with answers that were sent already, so that the rest can be answered."""
    with writing(session):
        if session.get(ReportDraft, person.id) is None:
            draft = ReportDraft(person_id=person.id, token=new_token(), answers=dict(answers), begun_at=at)
            draft.updated_at, draft.patient_id = at, about
            session.add(draft)


def sent_as(answers: Mapping[str, Typed], ticked: Any) -> UUID | None:
    """The report as which these very danger signs were sent from this draft; None when they were not."""
    danger = answers.get("danger", {})
    sent = danger.get(SENT)
    return UUID(sent) if sent and set(danger.get("signs") or ()) == set(ticked or ()) else None


def still_true(answers: Mapping[str, Typed], at: datetime) -> dict[str, Typed]:
    """The answers without those that tell of a now that is over."""
    return {step: typed for step, typed in answers.items() if step not in _NOW or not _over(typed, at)}


def _over(typed: Typed, at: datetime) -> bool:
    return at - _typed_at(typed) >= ASKED_AGAIN_AFTER


def _typed_at(typed: Typed) -> datetime:
    """When the step was answered; long ago where that is not known."""
    asked = typed.get(_AT)
    return datetime.fromisoformat(asked) if asked else datetime.min.replace(tzinfo=UTC)

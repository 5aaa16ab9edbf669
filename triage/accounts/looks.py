"""Who looked at what, and who was refused: noted while a request is answered, written before the answer leaves.

`access` notes each row about a patient that it hands to staff or a caregiver, so that no view can forget it; pages that
list patients note themselves. What is noted becomes entries of the audit trail when a page was shown; a redirect shows
nothing. The answer leaves after they are written.

A list that is asked for again and again, as an open queue is every two seconds, is one look in `LIST_AGAIN_AFTER`:
forty thousand entries a nurse and day would bury the looks that somebody is asked about.

Where the database cannot be written, pages can still be read: a queue that vanishes with a full disk would hide
emergencies. Then the log gets the entry (`look_not_written`), with the same ids. Changes and exports have no such way:
no audit entry, no action.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flask import g, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from triage import logs
from triage.accounts import audit
from triage.database import writing
from triage.models import Person, Role

LIST_AGAIN_AFTER = timedelta(minutes=15)
_NOTED = "triage_looks"


@dataclass(frozen=True)
class _Noted:
    """One entry to be."""

    action: str
    person_id: UUID
    patient_id: UUID | None
    shown: bool
    """Whether it counts only when a page was shown."""
    rarely: bool = False
    """Whether it is one look in LIST_AGAIN_AFTER."""


def at_patient(person: Person, patient_id: UUID) -> None:
    """Somebody is given something about that patient; the patients' own looks are nobody's business."""
    if person.role != Role.PATIENT:
        _note(_Noted("patient_seen", person.id, patient_id, shown=True))


def at_list(person: Person, action: str, patient_id: UUID | None = None) -> None:
    """Somebody of the staff sees a list in which patients are named."""
    _note(_Noted(action, person.id, patient_id, shown=True, rarely=True))


def refused(person: Person) -> None:
    """Somebody asked for a page of people with another task."""
    _note(_Noted("refused", person.id, None, shown=False))


def out_of_reach(person: Person, patient_id: UUID | None) -> None:
    """Somebody asked for a row outside their reach: of that patient, or of nobody."""
    _note(_Noted("out_of_reach", person.id, patient_id, shown=False))


def write(session: Session, at: datetime, shown: bool) -> None:
    """Write what was noted during this request; `shown`: whether its answer shows a page."""
    noted = [one for one in g.pop(_NOTED, {}) if shown or not one.shown]
    page = (request.endpoint or "")[:80]
    try:
        due = [one for one in noted if not one.rarely or not _seen_lately(session, one, at)]
        if due:
            with writing(session):
                for one in due:
                    audit.record_ids(
                        session, one.action, person_id=one.person_id, patient_id=one.patient_id, subject=page, at=at
                    )
    except SQLAlchemyError as error:
        for one in noted:
            patient = str(one.patient_id) if one.patient_id else None
            logs.failure(
                "look_not_written", error, action=one.action, person=str(one.person_id), patient=patient, page=page
            )


def _seen_lately(session: Session, one: _Noted, at: datetime) -> bool:
    return audit.happened_since(session, one.action, one.person_id, one.patient_id, at - LIST_AGAIN_AFTER)


def _note(one: _Noted) -> None:
    if _NOTED not in g:
        setattr(g, _NOTED, {})
    getattr(g, _NOTED)[one] = None  # a dictionary: each once, in order

"""What was done about an alert, in the words of the patient record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import joinedload, selectinload

from triage.models import Alert, AlertNote, AlertOpinion, CallBack, CallBackEnd, CallOutcome, Disposition, NoteKind

STEPS = {
    "alert_opened": "Alert opened",
    "alert_raised": "Alert raised",
    "alert_reopened": "Alert opened again",
    "alert_acknowledged": "Alert acknowledged",
    "alert_resolved": "Alert resolved",
    "alert_taken_over": "Alert taken over",
    "alert_given_back": "Alert given back: open again",
    "alert_acknowledgement_expired": "Alert open again: nothing was written after it was acknowledged",
    "resolution_taken_back": "Resolution taken back",
}
"""What can become of an alert, by the action of the audit trail."""

WORK = (
    *STEPS,
    "alert_note_written",
    "alert_call_noted",
    "alert_usefulness_said",
    "call_back_promised",
    *(f"call_back_{end}" for end in CallBackEnd),
)
"""Actions of the audit trail that tell of work on an alert: their subject is its id."""

CALLS = {
    CallOutcome.REACHED: "Call: reached",
    CallOutcome.NO_ANSWER: "Call: no answer",
    CallOutcome.LEFT_MESSAGE: "Call: left a message",
}
_NOTES = {
    NoteKind.NOTE: "Note",
    NoteKind.RESOLUTION: "Resolved, and taken back since",
    NoteKind.REOPENING: "Why a resolution was taken back",
}
_ENDS = {
    CallBackEnd.DONE: "Promised call-back made",
    CallBackEnd.MOVED: "Promised call-back moved",
    CallBackEnd.NOT_NEEDED: "Promised call-back not needed any more",
}

LOADED: tuple[Any, ...] = (
    selectinload(Alert.notes).joinedload(AlertNote.written_by),
    selectinload(Alert.call_backs).options(joinedload(CallBack.promised_by), joinedload(CallBack.ended_by)),
    selectinload(Alert.opinions).joinedload(AlertOpinion.said_by),
    joinedload(Alert.taken_by),
)
"""What these words need, loaded with the alerts."""


@dataclass(frozen=True)
class Resolution:
    """What was done when an alert was resolved. It stands until somebody takes it back."""

    disposition: Disposition | None
    note: str
    stands: bool


@dataclass(frozen=True)
class Tale:
    """One thing that somebody did."""

    at: datetime
    what: str
    by: str
    note: str = ""


def note_words(note: AlertNote) -> str:
    """What kind of entry it is: "Note", "Call: no answer"."""
    return CALLS[CallOutcome(note.call_outcome)] if note.call_outcome else _NOTES[NoteKind(note.kind)]


def resolution(alert: Alert, at: datetime) -> Resolution:
    """The resolution of that moment, which may have been taken back since."""
    for note in alert.notes:
        if note.kind == NoteKind.RESOLUTION and note.written_at == at:
            return Resolution(Disposition(note.disposition) if note.disposition else None, note.text, False)
    stands = alert.is_resolved and alert.resolved_at == at
    return Resolution(Disposition(alert.disposition) if alert.disposition else None, alert.note, stands)


def tales(alert: Alert, time_zone: str) -> Iterator[Tale]:
    """Notes, calls, promised call-backs and what was said of its use. What was resolved is told by the audit trail."""
    for note in alert.notes:
        if note.kind != NoteKind.RESOLUTION:
            yield Tale(note.written_at, note_words(note), note.written_by.name, note.text)
    for call_back in alert.call_backs:
        due = call_back.due_at.astimezone(ZoneInfo(time_zone))
        what = f"Call-back promised for {due.day} {due:%B, %H:%M}"
        yield Tale(call_back.promised_at, what, call_back.promised_by.name)
        if call_back.end_kind and call_back.ended_at and call_back.ended_by:
            yield Tale(call_back.ended_at, _ENDS[CallBackEnd(call_back.end_kind)], call_back.ended_by.name)
    for opinion in alert.opinions:
        what = "Said that the alert was useful" if opinion.useful else "Said that the alert was not useful"
        yield Tale(opinion.said_at, what, opinion.said_by.name, opinion.why)

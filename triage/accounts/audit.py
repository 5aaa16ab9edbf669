"""The only way to write an audit entry. No audit entry, no action: it commits with what it tells of.

1. `record` notes an entry for the present transaction. Nothing is written yet.
2. When that transaction commits, and all else of it is written, the row `audit_head` is locked, the entries get the
   next numbers and the hashes that chain each to the one before it, and the head moves on. Two writers at once are so
   put one after the other, numbers have no gaps, and the lock is held for the moment of the commit only.
3. That lock is the last of every transaction, whatever it locked before, and an entry points to nothing by a foreign
   key, so that writing one asks for no other lock: nobody who waits for the head has what its holder still needs.

An entry holds ids and constant names: no name of a person, nothing about health. Names are joined where it is shown, so
that a person can be erased and the chain stays whole.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.orm import Session, SessionTransaction

from triage import logs
from triage.models import HEARTBEAT_PATIENT, AuditEntry, AuditHead, Patient, Person

BEGINNING = "0" * 64
"""Stands for the hash before the first entry."""
FROZEN_MILLISECONDS = 5_000
"""How long a program that was stopped while it held the head keeps all other writers of a PostgreSQL waiting. Less than
`database.LONGEST_WAIT`, so that they go on instead of giving up."""
_PENDING = "triage_audit_entries"


def record(
    session: Session,
    action: str,
    *,
    by: Person | None,
    patient: Patient | None = None,
    subject: str = "",
    at: datetime,
) -> None:
    """Add who did what, when. `action` is a constant name, `subject` the id of a row; neither holds health data.

    Adds, never commits: the caller's transaction carries it.
    """
    record_ids(
        session,
        action,
        person_id=by.id if by else None,
        patient_id=patient.id if patient else None,
        subject=subject,
        at=at,
    )


def record_ids(
    session: Session, action: str, *, person_id: UUID | None, patient_id: UUID | None, subject: str, at: datetime
) -> None:
    """The same, for whoever has ids only. What the heartbeat does is nobody's act, about nobody: three thousand entries
    a day would bury those about people."""
    if patient_id == HEARTBEAT_PATIENT:
        return
    entry = {"at": at, "action": action, "person_id": person_id, "patient_id": patient_id, "subject": subject}
    session.info.setdefault(_PENDING, []).append(entry)


def happened_since(session: Session, action: str, person_id: UUID, patient_id: UUID | None, since: datetime) -> bool:
    """Whether the trail has that of the person since then."""
    query = select(AuditEntry.id).where(
        AuditEntry.person_id == person_id,
        AuditEntry.at > since,
        AuditEntry.action == action,
        AuditEntry.patient_id == patient_id,
    )
    return session.scalar(query.limit(1)) is not None


def chained(
    before: str,
    number: int,
    at: datetime | str,
    action: str | None,
    person_id: UUID | str | None,
    patient_id: UUID | str | None,
    subject: str | None,
) -> str:
    """The hash of an entry: SHA-256 over its canonical bytes, among which is the hash of the one before it.

    The bytes are one JSON list without spaces, in ASCII: number, time (UTC, six decimals), action, the two ids as 32
    hexadecimal digits or null, subject, hash of the entry before. What a database gives as text is taken as it is.
    """
    when = at if isinstance(at, str) else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    ids = (one.hex if isinstance(one, UUID) else one for one in (person_id, patient_id))
    canonical = json.dumps([number, when, action, *ids, subject, before], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def head(session: Session) -> tuple[int, str]:
    """Number and hash of the latest entry; (0, BEGINNING) in an empty trail."""
    row = session.execute(select(AuditHead.number, AuditHead.hash)).first()
    return (row.number, row.hash) if row else (0, BEGINNING)


def note_head(session: Session) -> None:
    """Write number and hash of the latest entry into the log. Where the log is kept on another machine, whoever cuts
    the end of the trail, or makes the whole chain anew, is found out by it (`triage audit verify --heads`)."""
    number, link = head(session)
    logs.event("audit_head", number=number, hash=link)


@event.listens_for(Session, "before_commit")
def _chain(session: Session) -> None:
    """Write what was noted, chained, as the last thing before the commit."""
    if session.in_nested_transaction() or not (entries := session.info.pop(_PENDING, None)):
        return
    session.flush()  # whatever else this transaction writes and locks comes before the head
    number, link = _locked_head(session)
    rows: list[dict[str, Any]] = []
    for entry in entries:
        number += 1
        link = chained(link, number, **entry)
        rows.append({"id": number, "hash": link, **entry})
    session.execute(insert(AuditEntry), rows)
    session.execute(
        update(AuditHead).values(number=number, hash=link).execution_options(synchronize_session=False),
    )


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """What was noted in a transaction that did not commit did not happen."""
    if transaction.parent is None:
        session.info.pop(_PENDING, None)


def _locked_head(session: Session) -> tuple[int, str]:
    query: Any = select(AuditHead.number, AuditHead.hash).with_for_update()
    if session.get_bind().dialect.name == "postgresql":
        # For this transaction only, and without a question of its own.
        setting = func.set_config("idle_in_transaction_session_timeout", str(FROZEN_MILLISECONDS), True)
        query = query.add_columns(setting)
    row = session.execute(query).first()
    if row is None:  # somebody took the head away: it goes on from the last entry, which `verify` looks at
        latest = session.execute(select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)).first()
        values = {"number": latest.id if latest else 0, "hash": latest.hash if latest else BEGINNING}
        session.execute(
            text("INSERT INTO audit_head (id, number, hash) VALUES (1, :number, :hash) ON CONFLICT DO NOTHING"), values
        )
        row = session.execute(query).one()
    return row.number, row.hash

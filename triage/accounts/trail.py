"""Reading the audit trail: searching it, writing it out, proving that it is whole. Nothing here writes an entry."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, Select, or_, select, text, tuple_
from sqlalchemy.orm import Session

from triage.accounts import audit
from triage.models import AuditEntry, Patient, Person, Role, by_name

PAGE = 50
"""Entries on a page."""
MOST_FOUND = 50
"""People or patients that a search for a name lists."""
_AT_ONCE = 5_000
"""Entries held in memory while the whole trail is read."""


@dataclass(frozen=True)
class Question:
    """What somebody wants to see of the trail. None and "" leave a thing open; days are those of `zone`."""

    person_id: UUID | None = None
    mark: str = ""
    """Of the person's sign-in name (`services.mark`): failures to sign in by it are found with what the person did."""
    patient_id: UUID | None = None
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None
    zone: str = "UTC"


@dataclass(frozen=True)
class Line:
    """An entry as it is shown: with the names of today."""

    entry: AuditEntry
    person: Person | None
    patient: Patient | None


@dataclass(frozen=True)
class Page:
    """Some entries, the latest first, and the number before which the next page begins; None on the last."""

    lines: list[Line]
    go_on_before: int | None


def page(session: Session, question: Question, before: int | None = None) -> Page:
    """The entries that answer the question, from before that number on. As fast in a trail of millions."""
    entries = _latest(session, question, before, PAGE + 1)
    shown = entries[:PAGE]
    return Page(_with_names(session, shown), shown[-1].id if len(entries) > PAGE else None)


def actions(session: Session) -> list[str]:
    """All actions that stand in the trail, by the index: each is looked for after the one before it."""
    query = text(
        "WITH RECURSIVE known(action) AS (SELECT min(action) FROM audit_entry UNION ALL "
        "SELECT (SELECT min(action) FROM audit_entry WHERE audit_entry.action > known.action) FROM known "
        "WHERE known.action IS NOT NULL) SELECT action FROM known WHERE action IS NOT NULL"
    )
    return list(session.scalars(query))


def people_called(session: Session, words: str) -> list[Person]:
    """People whose name or sign-in name holds these words."""
    looked_for = words.casefold()
    everybody = session.scalars(select(Person))
    holds = (one for one in everybody if looked_for in one.name.casefold() or looked_for in one.sign_in_name)
    return by_name(holds)[:MOST_FOUND]


def patients_called(session: Session, words: str) -> list[Patient]:
    """Patients whose name holds these words."""
    looked_for = words.casefold()
    return by_name(one for one in session.scalars(select(Patient)) if looked_for in one.name.casefold())[:MOST_FOUND]


COLUMNS = ("number", "time_utc", "action", "person_id", "name", "role", "patient_id", "subject", "hash")


def csv_lines(engine: Engine, question: Question) -> Iterator[str]:
    """The answer as CSV, the latest entry first, some thousand entries in memory at a time. In a session of its own,
    since it goes on after the request has ended.

    Staff stand there with name and role; of patients and caregivers, as of every row, only the id.
    """
    yield _csv([COLUMNS])
    before: int | None = None
    with Session(engine) as session:
        while entries := _latest(session, question, before, _AT_ONCE):
            yield _csv(_cells(line) for line in _with_names(session, entries))
            before = entries[-1].id
            session.expunge_all()


def _cells(line: Line) -> tuple[object, ...]:
    entry, person = line.entry, line.person
    named = person if person is not None and person.is_staff else None
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    who = (named.name if named else "", person.role if person else "")
    return (entry.id, at, entry.action, entry.person_id or "", *who, entry.patient_id or "", entry.subject, entry.hash)


def _csv(rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def _harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _latest(session: Session, question: Question, before: int | None, most: int) -> list[AuditEntry]:
    """At most that many, the latest first. Each part reads its index from one place on; no part reads what it skips."""
    found: dict[int, AuditEntry] = {}
    for part in _parts(question):
        query = select(AuditEntry).where(*part, *_in_time(question))
        if before is not None:
            at = session.scalar(select(AuditEntry.at).where(AuditEntry.id == before))
            if at is None:
                return []
            query = query.where(tuple_(AuditEntry.at, AuditEntry.id) < tuple_(at, before))
        query = query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(most)
        found |= {entry.id: entry for entry in session.scalars(query)}
    return sorted(found.values(), key=lambda entry: (entry.at, entry.id), reverse=True)[:most]


def _parts(question: Question) -> Iterator[list[ColumnElement[bool]]]:
    """What an entry must be; a person's entries are what they did, and failures to sign in by their name."""
    rest: list[ColumnElement[bool]] = []
    if question.patient_id:
        rest.append(AuditEntry.patient_id == question.patient_id)
    if question.action:
        rest.append(AuditEntry.action == question.action)
    if question.subject:
        rest.append(AuditEntry.subject == question.subject)
    if question.person_id is None:
        yield rest
        return
    yield [AuditEntry.person_id == question.person_id, *rest]
    if question.mark:
        yield [AuditEntry.subject == question.mark, *rest]


def _in_time(question: Question) -> Iterator[ColumnElement[bool]]:
    zone = ZoneInfo(question.zone)
    if question.since:
        yield AuditEntry.at >= datetime.combine(question.since, time(), zone)
    if question.until and question.until < date.max:
        yield AuditEntry.at < datetime.combine(question.until + timedelta(days=1), time(), zone)


def _with_names(session: Session, entries: Iterable[AuditEntry]) -> list[Line]:
    entries = list(entries)
    people = _by_id(session, select(Person).where(Person.id.in_({one.person_id for one in entries})))
    patients = _by_id(session, select(Patient).where(Patient.id.in_({one.patient_id for one in entries})))
    return [Line(one, people.get(one.person_id), patients.get(one.patient_id)) for one in entries]


def _by_id(session: Session, query: Select[Any]) -> dict[UUID | None, Any]:
    return {row.id: row for row in session.scalars(query)}


# --- who looked at a patient's record ---------------------------------------------------------------------------------


def looks_at(session: Session, patient: Patient, before: int | None = None) -> Page:
    """What others saw and did about the patient, the latest first. One who was erased since is still told of."""
    query = (
        select(AuditEntry)
        .outerjoin(Person, Person.id == AuditEntry.person_id)
        .where(
            AuditEntry.patient_id == patient.id,
            AuditEntry.person_id.is_not(None),
            or_(Person.id.is_(None), Person.role != Role.PATIENT),
        )
    )
    if before is not None:
        at = session.scalar(select(AuditEntry.at).where(AuditEntry.id == before, AuditEntry.patient_id == patient.id))
        if at is None:
            return Page([], None)
        query = query.where(tuple_(AuditEntry.at, AuditEntry.id) < tuple_(at, before))
    query = query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(PAGE + 1)
    entries = list(session.scalars(query))
    shown = entries[:PAGE]
    return Page(_with_names(session, shown), shown[-1].id if len(entries) > PAGE else None)


# --- whether the trail is whole ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A place where the trail is not what was written. Number, time and action are those of the entry found there."""

    number: int
    at: str
    action: str
    what: str

    def __str__(self) -> str:
        entry = f"entry {self.number}" + (f" ({self.at}, {self.action})" if self.at else "")
        return f"{entry}: {self.what}"


@dataclass
class Verdict:
    """How many entries were read, the hash of the last, and what is wrong with them."""

    count: int = 0
    number: int = 0
    hash: str = audit.BEGINNING
    faults: list[Fault] = field(default_factory=list)
    """The first MOST_FAULTS."""
    more: int = 0
    """Faults beyond these."""

    @property
    def whole(self) -> bool:
        return not self.faults

    def add(self, fault: Fault) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
        else:
            self.more += 1


MOST_FAULTS = 20
_FIRST = -(2**62)

_READ = text(
    "SELECT id, at, action, person_id, patient_id, subject, hash FROM audit_entry WHERE id > :after "
    "ORDER BY id LIMIT :most"
)


def verify(
    session: Session, heads: Mapping[int, str] | None = None, tick: Callable[[], object] | None = None
) -> Verdict:
    """Read the whole trail and compare each entry with its hash, its number and the entry before it.

    1. A missing number: entries were taken out there. A number below 1, or a hash that is not that of the entry in its
       place: it was changed, put in or moved. After a fault the stored hash goes on, so that the next one is found too.
    2. The head of the trail must be its last entry, or entries at its end are missing.
    3. Whoever may change the whole database can make the whole chain anew. `heads` are numbers and hashes that were
       written down elsewhere (`audit.note_head`): each must still stand in the trail.

    Entries that are added meanwhile are read too. Memory does not grow with the trail.
    """
    verdict, left = Verdict(), dict(heads or {})
    last = _FIRST
    while True:
        head = audit.head(session)  # before the entries: what comes in between is read with the next part
        rows = session.execute(_READ, {"after": last, "most": _AT_ONCE}).all()
        for row in rows:
            _compare(verdict, row, left)
            last = row.id
            if tick:
                tick()
        if not rows:
            break
        session.expunge_all()
    if head != (verdict.number, verdict.hash):
        said = f"the head of the trail is entry {head[0]} with hash {head[1]}: entries at the end were taken out"
        verdict.add(Fault(verdict.number, "", "", said))
    for number, link in sorted(left.items()):
        verdict.add(Fault(number, "", "", f"was written down elsewhere with hash {link}, and is not in the trail"))
    return verdict


def _compare(verdict: Verdict, row: Any, heads: dict[int, str]) -> None:
    """One entry against the one before it."""
    at = row.at if isinstance(row.at, str) else row.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    entry = (row.id, f"{at[:19]} UTC", str(row.action))
    expected = verdict.number + 1
    if row.id > expected:
        gone = f"entry {expected} was" if row.id == expected + 1 else f"entries {expected} to {row.id - 1} were"
        verdict.add(Fault(*entry, f"{gone} taken out before it"))
    elif row.id < expected:
        verdict.add(Fault(*entry, "no entry has such a number: it was put in"))
    elif row.hash != audit.chained(verdict.hash, row.id, at, row.action, row.person_id, row.patient_id, row.subject):
        verdict.add(Fault(*entry, "it was changed, put in or moved: its hash is not that of what stands in this place"))
    noted = heads.pop(row.id, None)
    if noted not in (None, row.hash):
        verdict.add(Fault(*entry, f"its hash was written down elsewhere as {noted}: the trail was made anew"))
    verdict.count += 1
    if row.id >= expected:
        verdict.number, verdict.hash = row.id, str(row.hash)


def read_heads(lines: Iterable[str]) -> dict[int, str]:
    """Numbers and hashes from lines of the log (`audit_head`), or from lines of `triage audit head`."""
    found: dict[int, str] = {}
    for line in lines:
        number, _, link = line.strip().partition(" ")
        if number.isdigit() and len(link) == len(audit.BEGINNING):
            found[int(number)] = link
        elif "audit_head" in line:
            try:
                entry = json.loads(line[line.index("{") :])
                found[int(entry["number"])] = str(entry["hash"])
            except (ValueError, KeyError, TypeError):
                continue
    found.pop(0, None)
    return found

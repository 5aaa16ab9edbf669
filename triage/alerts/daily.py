"""Reminding people of today's report at the time of day that each of them chose.

1. A patient or caregiver says when, by mail or SMS, and in which hours never (`wish`, `drop`).
2. When that time has come in the care team's time zone, the worker owes one message for that person and day, as a
   delivery whose key is the person and the day: two workers, a restart, or an hour that comes twice in the night when
   the clocks change owe the same one (`carry_out`). A time that the clocks skip is due at the moment they skip to.
3. None is owed where a report about the patient came since midnight, by whomever, nor on a day without an expected
   report: in hospital, after the end of monitoring, outside the days of the therapy, after a death.
4. `Delivery.unless_report_since` and `Delivery.useless_after` are asked again each time before it is sent: a report
   that comes meanwhile, the quiet hours and the passing of the morning stop it.

A message is the link to sign in, and nothing else. Nothing here replaces the reminders of a missing report
(`triage.alerts.reminders`), which nobody can turn off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session, joinedload

from triage import logs
from triage.accounts import audit
from triage.alerts import escalation, silence
from triage.alerts.channels import setup
from triage.database import writing
from triage.models import DailyReminder, Delivery, Patient, Person, ReportRecord
from triage.rules.ruleset import PERSONAL_CHANNELS, QuietHours, Ruleset

USEFUL_FOR = timedelta(hours=3)
"""A reminder that could not be sent so long after its time is not sent any more: the day has its own reminders."""


@dataclass(frozen=True)
class Wish:
    """When and how somebody wants to be reminded. Times of day in the care team's time zone."""

    at: time
    channel: str
    """One of PERSONAL_CHANNELS."""
    quiet: QuietHours | None = None


def wish_of(person: Person) -> Wish | None:
    """What the person chose; None: no reminder."""
    row = person.daily_reminder
    if row is None:
        return None
    return Wish(time.fromisoformat(row.time_of_day), row.channel, _quiet(row))


def reachable(person: Person, channels: Collection[str]) -> list[str]:
    """By which of the channels that are set up the person can be reminded."""
    return [name for name in PERSONAL_CHANNELS if name in channels and escalation.address_of(person, name)]


def offered(person: Person) -> list[str]:
    """The same, of the channels of this server."""
    return reachable(person, setup.names(current_app.config))


def wish(session: Session, person: Person, chosen: Wish, at: datetime) -> None:
    """Remind the person so from now on; not for today where the time has passed. Commits once."""
    with writing(session):
        zone = _zone(person)
        row = _row(session, person) or DailyReminder(person_id=person.id)
        row.time_of_day, row.channel = f"{chosen.at:%H:%M}", chosen.channel
        row.quiet_hours = f"{chosen.quiet.begins:%H:%M}-{chosen.quiet.ends:%H:%M}" if chosen.quiet else ""
        today = at.astimezone(zone).date()
        row.looked_at_until = today if _due(row, today, zone) <= at else today - timedelta(days=1)
        session.add(row)
        _cancel(session, person.id, at)
        audit.record(session, "daily_reminder_chosen", by=person, patient=person.patient, subject=str(person.id), at=at)


def drop(session: Session, person: Person, at: datetime) -> None:
    """Do not remind the person any more. Commits once."""
    with writing(session):
        row = _row(session, person)
        if row is not None:
            session.delete(row)
        _cancel(session, person.id, at)
        audit.record(
            session, "daily_reminder_dropped", by=person, patient=person.patient, subject=str(person.id), at=at
        )


def stop(session: Session, patient_id: UUID, at: datetime) -> None:
    """No report is expected now: what is owed already is not sent. Adds, never commits; the caller has locked the
    patient's row."""
    people = select(Person.id).where(Person.patient_id == patient_id)
    _cancel_where(session, Delivery.person_id.in_(people), at)


def carry_out(session: Session, ruleset: Ruleset, channels: Collection[str], at: datetime) -> int:
    """Owe the reminders whose time has come; how many. Each is a transaction of its own, under the lock of the
    patient's row, so that a report, an admission and two workers come one after the other."""
    session.rollback()
    owed = 0
    for person_id in [row.person_id for row in _waiting(session, at)]:
        try:
            with writing(session):
                person = session.get_one(Person, person_id)
                session.get_one(Patient, person.patient_id, with_for_update=True)
                row = session.get(DailyReminder, person_id, with_for_update=True, populate_existing=True)
                if row is not None:
                    owed += _carry_out(session, ruleset, person, row, channels, at)
        except Exception as error:  # the next sweep tries again; the others must not wait for it
            logs.failure("daily_reminder_failed", error, person=str(person_id))
    return owed


def _waiting(session: Session, at: datetime) -> Iterator[DailyReminder]:
    """Those of which a day is to be looked at: its time has come."""
    query = select(DailyReminder).options(
        joinedload(DailyReminder.person).joinedload(Person.patient).joinedload(Patient.care_team)
    )
    for row in session.scalars(query).all():
        if row.person.active and any(True for _ in _days(row, at)):
            yield row


def _days(row: DailyReminder, at: datetime) -> Iterator[date]:
    """The days whose time has come and that were not looked at yet: today, and yesterday for a late hour."""
    zone = _zone(row.person)
    today = at.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if row.looked_at_until < day and _due(row, day, zone) <= at:
            yield day


def _carry_out(
    session: Session, ruleset: Ruleset, person: Person, row: DailyReminder, channels: Collection[str], at: datetime
) -> int:
    zone, owed = _zone(person), 0
    patient = _patient(person)
    for day in list(_days(row, at)):
        row.looked_at_until = day
        due, midnight = _due(row, day, zone), _moment(day, time(), zone)
        until = _useless_after(row, due, zone)
        if until <= at or row.channel not in reachable(person, channels):
            continue
        if not silence.expected(ruleset, patient, at) or _reported_since(session, patient.id, midnight):
            continue
        escalation.owe_daily(session, person, patient.care_team_id, row.channel, day, due, midnight, until)
        owed += 1
    return owed


def _useless_after(row: DailyReminder, due: datetime, zone: ZoneInfo) -> datetime:
    """When it is too late for the reminder of that moment: after a few hours, and before the quiet hours begin."""
    until = due + USEFUL_FOR
    quiet = _quiet(row)
    if quiet is not None:
        local = due.astimezone(zone)
        for day in (local.date(), local.date() + timedelta(days=1)):
            if (begins := _moment(day, quiet.begins, zone)) > due:
                return min(until, begins)
    return until


def _reported_since(session: Session, patient_id: UUID, since: datetime) -> bool:
    query = select(ReportRecord.id).where(ReportRecord.patient_id == patient_id, ReportRecord.reported_at >= since)
    return session.scalar(query.limit(1)) is not None


def _due(row: DailyReminder, day: date, zone: ZoneInfo) -> datetime:
    return _moment(day, time.fromisoformat(row.time_of_day), zone)


def _moment(day: date, of_day: time, zone: ZoneInfo) -> datetime:
    """The first time that the clock shows this on that day. A time that the clocks skip: the same number of minutes
    after midnight as the clock counted before."""
    return datetime.combine(day, of_day, zone).astimezone(ZoneInfo("UTC"))


def _patient(person: Person) -> Patient:
    """Whose report the person is reminded of."""
    if person.patient is None:
        raise LookupError("only a patient or a caregiver is reminded of a report")
    return person.patient


def _zone(person: Person) -> ZoneInfo:
    return ZoneInfo(_patient(person).care_team.time_zone)


def _quiet(row: DailyReminder) -> QuietHours | None:
    if not row.quiet_hours:
        return None
    begins, ends = (time.fromisoformat(part) for part in row.quiet_hours.split("-"))
    return QuietHours(begins, ends)


def _row(session: Session, person: Person) -> DailyReminder | None:
    return session.get(DailyReminder, person.id, with_for_update=True, populate_existing=True)


def _cancel(session: Session, person_id: UUID, at: datetime) -> None:
    _cancel_where(session, Delivery.person_id == person_id, at)


def _cancel_where(session: Session, whose: ColumnElement[bool], at: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(
            whose,
            Delivery.unless_report_since.is_not(None),
            Delivery.delivered_at.is_(None),
            Delivery.cancelled_at.is_(None),
        )
        .values(cancelled_at=at)
        .execution_options(synchronize_session=False)
    )

"""What an alert owes: who is told, step by step, until somebody acknowledges it.

1. Opening an alert writes the steps of its urgency as rows (`begin`), in the transaction that opens it.
2. A raised urgency adds the steps of the higher one (`rise`); those of the lower one go on.
3. Acknowledging or resolving cancels what is left (`stop`). Open again, the steps begin anew (`begin`, `resume`).
4. A step whose time has come is carried out (`carry_out`): one delivery for each person it tells, by the first channel
   of its list that is set up and reaches them. Who is on call is looked up then, not before.
5. A step that repeats gets its next time. After an outage that is one time, not all that were missed.
6. A channel that fails too often gives up its delivery, and the next channel of the list takes its place (`go_on`).

Nothing is sent here: that is the worker's part. `begin`, `rise`, `stop`, `resume` and `go_on` add and never commit;
whoever calls them has locked the patient's row and the alert's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CursorResult,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from triage import logs
from triage.accounts import audit
from triage.alerts import rota
from triage.database import writing
from triage.models import (
    HEARTBEAT_CHANNEL,
    HEARTBEAT_PATIENT,
    Alert,
    AlertStatus,
    CareTeam,
    Delivery,
    MessageKind,
    OwedReminder,
    OwedStep,
    Patient,
    Person,
    ReportRecord,
    Role,
    by_name,
)
from triage.rules.ruleset import CHANNELS, PERSONAL_CHANNELS, STAFF_TOLD, QuietHours, Ruleset, Step
from triage.rules.urgency import Urgency

WITHOUT_STEPS = (Step(timedelta(), "everybody", CHANNELS, repeat_every=timedelta(minutes=10)),)
"""For what is urgent where the rules say nothing, as those from before there was an `escalation`: better all staff too
often than nobody."""
_KEYS = UUID("6f1f7f0e-9f1d-4f5e-8f0c-3b8c54a6a0c1")
"""The space of our idempotency keys; any constant would do."""


UNRESOLVED = text("alert.status <> 'resolved'")
"""The words of the index that holds them, so that what has ended is not read: a database does not see it in a value."""


def begin(session: Session, ruleset: Ruleset, alert: Alert, at: datetime) -> None:
    """The steps of the alert's urgency, counted from `at`: it was opened, or is open again."""
    _add(session, ruleset, alert, _last_run(session, alert) + 1, at)


def rise(session: Session, ruleset: Ruleset, alert: Alert, at: datetime) -> None:
    """The steps of the alert's raised urgency, beside those that run already."""
    _add(session, ruleset, alert, max(_last_run(session, alert), 1), at)


def resume(session: Session, ruleset: Ruleset, alert: Alert, at: datetime) -> None:
    """The alert waits for somebody again, for example since an acknowledgement has expired: its steps begin anew,
    unless they are running."""
    if not session.scalar(select(_has_steps(alert.id))):
        begin(session, ruleset, alert, at)


def stop(session: Session, alert: Alert, at: datetime) -> None:
    """Somebody looks after the alert: what has not been told yet is not told any more.

    Deliveries are not touched, so that nobody who acknowledges ever waits for a worker: each is sent only while its
    step is not cancelled.
    """
    session.execute(
        update(OwedStep)
        .where(OwedStep.alert_id == alert.id, OwedStep.cancelled_at.is_(None))
        .values(cancelled_at=at)
        .execution_options(synchronize_session=False)
    )


def adopt(session: Session, ruleset: Ruleset, at: datetime) -> int:
    """Begin the steps of open alerts that have none, as those from before there were steps; how many.

    Every open urgent alert has a clock that runs, whatever went wrong before.
    """
    session.rollback()
    with_steps = [urgency for urgency in Urgency if _steps(ruleset, urgency)]
    begun = 0
    for alert_id, patient_id in session.execute(_forgotten(), {"with_steps": with_steps}).all():
        try:
            with writing(session):
                alert = _locked(session, alert_id, patient_id)
                if alert.status == AlertStatus.OPEN and not session.scalar(select(_has_steps(alert.id))):
                    begin(session, ruleset, alert, at)
                    begun += 1
        except Exception as error:  # the next sweep tries again
            logs.failure("steps_not_begun", error, alert=str(alert_id))
    return begun


def carry_out(session: Session, channels: Collection[str], at: datetime) -> int:
    """Owe the messages of all steps whose time has come, the most urgent first; how many steps.

    `channels` are the names of those that are set up. Each alert is a transaction of its own, so that one that fails
    keeps no other waiting.
    """
    session.rollback()
    carried_out = 0
    for alert_id, patient_id in session.execute(_with_due_steps(), {"at": at}).all():
        try:
            with writing(session):
                alert = _locked(session, alert_id, patient_id)
                if alert.status == AlertStatus.OPEN:
                    carried_out += _carry_out(session, alert, channels, at)
        except Exception as error:  # the next sweep tries again
            logs.failure("step_failed", error, alert=str(alert_id))
    return carried_out


@cache
def _forgotten() -> Select[UUID, UUID]:
    # Made once, like the others that every sweep asks: making them took longer than the database takes to answer.
    return (
        select(Alert.id, Alert.patient_id)
        .where(
            UNRESOLVED,
            Alert.status == AlertStatus.OPEN,
            Alert.urgency.in_(bindparam("with_steps", expanding=True)),
            ~_has_steps(Alert.id),
        )
        .order_by(Alert.urgency.desc(), Alert.opened_at)
    )


@cache
def _with_due_steps() -> Select[UUID, UUID]:
    due = exists().where(OwedStep.alert_id == Alert.id, *_due(bindparam("at")))
    return (
        select(Alert.id, Alert.patient_id)
        .where(UNRESOLVED, Alert.status == AlertStatus.OPEN, due)
        .order_by(Alert.urgency.desc(), Alert.waiting_since)
    )


def go_on(session: Session, delivery: Delivery, channels: Collection[str], at: datetime) -> bool:
    """Owe by the next channel what this one does not deliver; whether there is a next one."""
    usable = [name for name in delivery.others if name in channels]
    if not usable:
        return False
    team = session.get_one(CareTeam, delivery.care_team_id)
    if delivery.reminder_id is not None and delivery.person is not None:
        reminder = session.get_one(OwedReminder, delivery.reminder_id)
        return owe_reminder(session, reminder, team.id, delivery.person, usable, at)
    if delivery.step_id is None:
        return bool(delivery.person) and notify(session, [cast(Person, delivery.person)], delivery.kind, at, usable)
    step = session.get_one(OwedStep, delivery.step_id)
    people = [delivery.person] if delivery.person else recipients(session, team, step.tell, step.alert.patient_id, at)
    return _owe_step(session, step, team, people, usable, delivery.key, at) > 0


def recipients(session: Session, team: CareTeam, tell: str, patient_id: UUID, at: datetime) -> Sequence[Person]:
    """Whom these words mean at that moment. Where they mean nobody of the staff, all staff: no alert is lost to an
    empty list."""
    if tell not in STAFF_TOLD:
        role = Role.PATIENT if tell == "patient" else Role.CAREGIVER
        living = Person.patient.has(Patient.died_on.is_(None))
        return _people(session, Person.patient_id == patient_id, Person.role == role, living)
    of_team = and_(Person.care_team_id == team.id, Person.role != Role.AUDITOR)
    if tell == "on_call":
        return rota.on_call(session, team, at) or _people(session, of_team)
    roles = {"nurses": Role.NURSE, "administrators": Role.ADMINISTRATOR}
    found = _people(session, of_team, Person.role == roles[tell]) if tell in roles else ()
    return found or _people(session, of_team)


def notify(
    session: Session,
    people: Iterable[Person],
    kind: MessageKind,
    at: datetime,
    channels: Collection[str],
    about: str = "",
) -> bool:
    """Owe each a message that is not about an alert, by the first of these channels that reaches them; whether anybody
    is reached. Once for each person, kind and `about`, and channel."""
    owed = False
    for person in people:
        usable = [name for name in channels if address_of(person, name)]
        if usable and person.care_team_id:
            key = _key(kind, about or at.isoformat(), person.id, usable[0])
            _owe(session, key, at, kind=kind, team_id=person.care_team_id, person=person, usable=usable)
            owed = True
    return owed


def owe_reminder(
    session: Session, reminder: OwedReminder, team_id: UUID, person: Person, channels: Collection[str], at: datetime
) -> bool:
    """Owe a message of a reminder by the first of these channels that reaches the person; whether one does."""
    usable = [name for name in channels if address_of(person, name)]
    if usable:
        key = _key(MessageKind.REMINDER, reminder.id, person.id, usable[0])
        _owe(
            session,
            key,
            at,
            kind=MessageKind.REMINDER,
            team_id=team_id,
            person=person,
            usable=usable,
            reminder_id=reminder.id,
        )
    return bool(usable)


def owe_daily(
    session: Session,
    person: Person,
    team_id: UUID,
    channel: str,
    day: date,
    due: datetime,
    midnight: datetime,
    useless_after: datetime,
) -> None:
    """Owe the reminder of that day to the person by that channel alone; once, however often it is asked for."""
    _owe(
        session,
        _key("daily", person.id, day.isoformat()),
        due,
        kind=MessageKind.REMINDER,
        team_id=team_id,
        person=person,
        usable=[channel],
        more={"unless_report_since": midnight, "useless_after": useless_after},
    )


def owe_test(session: Session, team: CareTeam, channels: Collection[str], by: Person, at: datetime) -> int:
    """Owe a test, marked as one, by every channel that is set up, to whoever is on call or, with an empty rota, to all
    staff; how many messages. Commits once."""
    owed = 0
    with writing(session):
        people = recipients(session, team, "on_call", team.id, at)
        for name in channels:
            told: list[Person | None] = [None]
            if name in PERSONAL_CHANNELS:
                told = [person for person in people if address_of(person, name)]
            for person in told:
                key = _key(MessageKind.TEST, team.id, at.isoformat(), person.id if person else "room", name)
                _owe(session, key, at, kind=MessageKind.TEST, team_id=team.id, person=person, usable=[name])
                owed += 1
        audit.record(session, "test_alert_sent", by=by, subject=str(team.id), at=at)
    return owed


def address_of(person: Person, channel: str) -> str:
    """Where that channel reaches the person; empty where it does not."""
    return {"mail": person.mail, "sms": person.phone}.get(channel, "")


def quiet_until(quiet: QuietHours, time_zone: str, at: datetime) -> datetime | None:
    """When those quiet hours end, if they are now."""
    local = at.astimezone(ZoneInfo(time_zone))
    if not quiet.contains(local.time()):
        return None
    end = local.replace(hour=quiet.ends.hour, minute=quiet.ends.minute, second=0, microsecond=0, fold=0)
    return end if end > local else end + timedelta(days=1)


def answered() -> ColumnElement[bool]:
    """Of reminders: whether a report has come since the silence began."""
    return exists().where(
        ReportRecord.patient_id == OwedReminder.patient_id, ReportRecord.reported_at > OwedReminder.silent_since
    )


def sendable(at: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """Of deliveries joined with their alert and step: those to send at that moment. One whose alert somebody has
    acknowledged is not sent any more, nor a reminder once a report has come, nor anything to the people of a patient
    who has died."""
    return and_(
        Delivery.delivered_at.is_(None),
        Delivery.given_up_at.is_(None),
        Delivery.cancelled_at.is_(None),
        Delivery.next_try_at <= at,
        or_(Delivery.lease_until.is_(None), Delivery.lease_until <= at),
        or_(Delivery.alert_id.is_(None), and_(Alert.status == AlertStatus.OPEN, OwedStep.cancelled_at.is_(None))),
        ~_reminder_stopped(),
        ~_daily_stopped(at),
        ~exists().where(Person.id == Delivery.person_id, Patient.id == Person.patient_id, Patient.died_on.is_not(None)),
    )


def _reminder_stopped() -> ColumnElement[bool]:
    return exists().where(
        OwedReminder.id == Delivery.reminder_id, or_(OwedReminder.cancelled_at.is_not(None), answered())
    )


def _daily_stopped(at: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """Of deliveries: a daily reminder that is too late, or whose report has come."""
    answered = exists().where(
        Person.id == Delivery.person_id,
        ReportRecord.patient_id == Person.patient_id,
        ReportRecord.reported_at >= Delivery.unless_report_since,
    )
    return and_(Delivery.useless_after.is_not(None), or_(Delivery.useless_after <= at, answered))


def tidy(session: Session, at: datetime) -> None:
    """Mark the deliveries that are not to be sent any more, so that the list of waiting ones stays short."""
    session.rollback()
    if not session.scalar(_one_stopped(), {"at": at}):
        return
    with writing(session):
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(_stopped(at).with_for_update(skip_locked=True, of=Delivery)))
            .values(cancelled_at=at)
            .execution_options(synchronize_session=False)
        )


@cache
def _one_stopped() -> Select[UUID]:
    return _stopped(bindparam("at")).limit(1)


def _stopped(at: datetime | BindParameter[Any]) -> Select[UUID]:
    return (
        select(Delivery.id)
        .outerjoin(OwedStep, OwedStep.id == Delivery.step_id)
        .where(
            or_(OwedStep.cancelled_at.is_not(None), _reminder_stopped(), _daily_stopped(at)),
            Delivery.delivered_at.is_(None),
            Delivery.given_up_at.is_(None),
            Delivery.cancelled_at.is_(None),
            or_(Delivery.lease_until.is_(None), Delivery.lease_until <= at),
        )
    )


def _steps(ruleset: Ruleset, urgency: Urgency) -> Sequence[Step]:
    steps = ruleset.response.escalation.get(urgency, ())
    return steps or (WITHOUT_STEPS if urgency >= Urgency.URGENT else ())


def _add(session: Session, ruleset: Ruleset, alert: Alert, run: int, at: datetime) -> None:
    for number, step in enumerate(_steps(ruleset, alert.urgency)):
        quiet = f"{step.quiet_hours.begins:%H:%M}-{step.quiet_hours.ends:%H:%M}" if step.quiet_hours else ""
        session.add(
            OwedStep(
                alert_id=alert.id,
                run=run,
                urgency=alert.urgency,
                number=number,
                tell=step.tell,
                channels=[HEARTBEAT_CHANNEL] if alert.patient_id == HEARTBEAT_PATIENT else list(step.by),
                quiet_hours=quiet,
                repeat_minutes=int(step.repeat_every.total_seconds()) // 60 if step.repeat_every else None,
                due_at=at + step.after,
            )
        )


def _last_run(session: Session, alert: Alert) -> int:
    return session.scalar(select(func.max(OwedStep.run)).where(OwedStep.alert_id == alert.id)) or 0


def _has_steps(alert_id: Any) -> ColumnElement[bool]:
    return exists().where(OwedStep.alert_id == alert_id, OwedStep.cancelled_at.is_(None))


def _due(at: datetime | BindParameter[Any]) -> tuple[ColumnElement[bool], ...]:
    return (OwedStep.done_at.is_(None), OwedStep.cancelled_at.is_(None), OwedStep.due_at <= at)


def _locked(session: Session, alert_id: UUID, patient_id: UUID) -> Alert:
    """The alert, after the patient's row and its own were locked, always in this order."""
    session.execute(select(Patient.id).where(Patient.id == patient_id).with_for_update())
    return session.get_one(Alert, alert_id, with_for_update=True, populate_existing=True)


def _carry_out(session: Session, alert: Alert, channels: Collection[str], at: datetime) -> int:
    team = session.get_one(CareTeam, alert.care_team_id)
    due = select(OwedStep).where(OwedStep.alert_id == alert.id, *_due(at)).order_by(OwedStep.due_at, OwedStep.number)
    carried_out = 0
    for step in session.scalars(due).all():
        if (ends := _quiet_until(step, team, at)) is not None:
            step.due_at = ends
            continue
        people = recipients(session, team, step.tell, alert.patient_id, at)
        usable = [name for name in step.channels if name in channels]
        if step.tell == "on_call" and not rota.on_call(session, team, at):
            _tell_that_the_rota_is_empty(session, team, channels, at)
        if not _owe_step(session, step, team, people, usable, "", at):
            logs.event("nobody_reached", alert=str(alert.id), step=step.number)
        step.times += 1
        if step.repeat_minutes is None:
            step.done_at = at
        else:
            every = timedelta(minutes=step.repeat_minutes)
            step.due_at += every * ((at - step.due_at) // every + 1)
        carried_out += 1
    return carried_out


def _tell_that_the_rota_is_empty(session: Session, team: CareTeam, channels: Collection[str], at: datetime) -> None:
    """To the administrators of the team, once a day."""
    day = at.astimezone(ZoneInfo(team.time_zone)).date()
    administrators = _people(session, Person.care_team_id == team.id, Person.role == Role.ADMINISTRATOR)
    personal = [name for name in PERSONAL_CHANNELS if name in channels]
    notify(session, administrators, MessageKind.ROTA_EMPTY, at, personal, about=day.isoformat())


def _quiet_until(step: OwedStep, team: CareTeam, at: datetime) -> datetime | None:
    """When the quiet hours of the step end, if they are now."""
    if not step.quiet_hours:
        return None
    begins, ends = (time.fromisoformat(part) for part in step.quiet_hours.split("-"))
    return quiet_until(QuietHours(begins, ends), team.time_zone, at)


def _owe_step(
    session: Session,
    step: OwedStep,
    team: CareTeam,
    people: Sequence[Person],
    usable: Sequence[str],
    instead_of: str,
    at: datetime,
) -> int:
    """Owe the messages of a step by these channels; how many are owed now.

    A room or service of all staff comes first in the list: one message there. Else each person by the first channel
    that reaches them; whoever has no address is told where all staff are, if such a channel is in the list.
    """
    told: set[tuple[Person | None, tuple[str, ...]]] = set()
    for person in people or (None,):
        for place, name in enumerate(usable):
            if name not in PERSONAL_CHANNELS or (person and address_of(person, name)):
                told.add((person if name in PERSONAL_CHANNELS else None, tuple(usable[place:])))
                break
    waiting = set() if instead_of else _waiting(session, step)
    for person, names in told:
        if (person.id if person else None, names[0]) in waiting:
            continue  # the message of last time has not left yet: one is enough
        key = _key(step.id, instead_of or step.times, person.id if person else "room", names[0])
        _owe(
            session,
            key,
            at,
            kind=MessageKind.ALERT,
            team_id=team.id,
            person=person,
            usable=names,
            alert_id=step.alert_id,
            step_id=step.id,
            urgency=step.urgency,
        )
    return len(told)


def _waiting(session: Session, step: OwedStep) -> set[tuple[UUID | None, str]]:
    """To whom, and by what, an earlier message of the step is still to be sent."""
    query = select(Delivery.person_id, Delivery.channel).where(
        Delivery.step_id == step.id, Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None)
    )
    return {(person_id, channel) for person_id, channel in session.execute(query)}


def _owe(
    session: Session,
    key: str,
    at: datetime,
    *,
    kind: MessageKind,
    team_id: UUID,
    person: Person | None,
    usable: Sequence[str],
    alert_id: UUID | None = None,
    step_id: UUID | None = None,
    reminder_id: UUID | None = None,
    urgency: Urgency = Urgency.ROUTINE,
    more: Mapping[str, Any] | None = None,
) -> None:
    """A delivery, unless one of that key is there: two workers may come to the same end at once."""
    values = {
        "key": key,
        "kind": kind,
        "care_team_id": team_id,
        "person_id": person.id if person else None,
        "channel": usable[0],
        "others": list(usable[1:]),
        "alert_id": alert_id,
        "step_id": step_id,
        "reminder_id": reminder_id,
        "urgency": urgency,
        "due_at": at,
        "next_try_at": at,
        **(more or {}),
    }
    insert: Any
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert
    session.execute(insert(Delivery).values(values).on_conflict_do_nothing())


def _people(session: Session, *where: ColumnElement[bool]) -> Sequence[Person]:
    return by_name(session.scalars(select(Person).where(Person.active, *where)))


def _key(*parts: object) -> str:
    return str(uuid5(_KEYS, "/".join(str(part) for part in parts)))


def changed_one(result: object) -> bool:
    """Whether an UPDATE changed exactly one row: of two that try, one does."""
    return cast("CursorResult[Any]", result).rowcount == 1

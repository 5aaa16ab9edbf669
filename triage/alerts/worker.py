"""Carries out what is owed: `triage worker`.

A sweep, every few seconds:
1. Open alerts without steps get them; steps whose time has come become deliveries (triage/alerts/escalation.py), and so
   do reminders of missing reports (triage/alerts/reminders.py), and those at the time that somebody chose
   (triage/alerts/daily.py).
2. Deliveries that are due are put together, one message for each person or room and channel: "3 alerts are waiting".
   After an outage that is one message a person, and the most urgent goes first.
3. Those of one message are leased: an UPDATE that must change exactly one row each. Another worker passes them by.
4. The message is sent, outside any transaction.
5. Only then are they marked delivered. A worker that dies between 3 and 5 lets the lease run out, and the message goes
   out again: it may be told twice, and never not at all.
6. A failure is tried again, later each time. After a few, the next channel takes over at once, and the delivery is
   given up; where there is no next one it is tried for as long as the alert is open. A channel that keeps failing is
   told to the administrators.

Each time it looks at the heartbeat. Every minute it also looks for acknowledgements that have expired, for missed
reports, and for messages that were kept long enough, and writes into the log where the audit trail ends; where so many
fell silent at once that this takes long, messages go out in between. Two workers at once are harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from triage import clock, logs
from triage.accounts import audit
from triage.alerts import daily, escalation, messages, reminders, retention, silence, work
from triage.alerts.channels import setup
from triage.alerts.channels.message import Channel, Message, Undelivered
from triage.database import db, writing
from triage.models import (
    HEARTBEAT_CHANNEL,
    Alert,
    ChannelState,
    Delivery,
    MessageKind,
    OwedStep,
    Person,
    Role,
)
from triage.rules.ruleset import PERSONAL_CHANNELS, Ruleset
from triage.ruleset_editor import spoken, versions

SWEEP_SECONDS = 3
SILENCE_SECONDS = 60
LOOK_SECONDS = 2
"""So long it looks for missing reports at a stretch; then messages go out before it looks on."""
LEASE = timedelta(seconds=90)
"""Longer than any channel takes to send."""
MOST_TRIES = 3
"""Failures of a delivery after which the next channel takes over; of a channel, after which it counts as failing."""
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE_OF_THE_HEARTBEAT = timedelta(seconds=30)
"""Dashboards stay red until it has come through."""
NOTICES_TRIED = 20
"""What is not about an alert is given up in the end."""

Now = Callable[[], datetime]


def main(once: bool, beat: Callable[[Session, Ruleset, datetime], None] | None = None) -> None:
    """Sweep every few seconds for ever, with a look at the heartbeat (`triage.heartbeat.beat`); every minute look for
    acknowledgements after which nothing was written, for missed reports, and for what is kept long enough; or each of
    them once."""
    from triage import create_app

    app = create_app()
    kept = timedelta(days=app.config["DELIVERY_DAYS"])
    with app.app_context():
        channels = setup.channels(app.config)
    looked_at = None
    while True:
        with app.app_context():
            # Told before looked for: a check that takes long or fails must not keep an alert waiting.
            _guarded("delivery_sweep_failed", once, lambda: sweep(db.session, versions.active(), channels, clock.now))
            if beat is not None:
                _guarded("heartbeat_failed", once, lambda: beat(db.session, versions.active(), clock.now()))
        began = time.monotonic()
        if looked_at is None or began - looked_at >= SILENCE_SECONDS:
            with app.app_context():
                finished = _look(once, kept)
            looked_at = began if finished else None
            if not finished:
                continue  # what it has found so far goes out before it looks on
        if once:
            return
        time.sleep(SWEEP_SECONDS)


def _look(once: bool, kept: timedelta) -> bool:
    """What is looked for every minute; whether it came to an end. Hundreds who fall silent at once take a minute to
    write down, and what is owed does not wait for that."""
    until = time.monotonic() + LOOK_SECONDS
    looks: list[silence.Look] = []

    def silent() -> None:
        found = silence.look(db.session, versions.active(), clock.now(), lambda: not once and time.monotonic() > until)
        looks.append(found)

    _guarded("acknowledgement_check_failed", once, lambda: work.expire_acknowledgements(db.session, clock.now()))
    _guarded("silence_sweep_failed", once, silent)
    _guarded("deliveries_not_forgotten", once, lambda: retention.sweep(db.session, kept, clock.now()))
    _guarded("audit_head_not_noted", once, lambda: audit.note_head(db.session))
    return all(look.finished for look in looks)


def _guarded(name: str, once: bool, do: Callable[[], object]) -> None:
    """Do it; a failure is logged and the next round tries again."""
    try:
        do()
    except Exception as error:
        logs.failure("worker_failed", error, what=name)
        if once:
            raise


def sweep(session: Session, ruleset: Ruleset, channels: Mapping[str, Channel], now: Now) -> int:
    """Carry out what is owed at this moment; how many messages were sent."""
    escalation.adopt(session, ruleset, now())
    escalation.carry_out(session, channels, now())
    reminders.carry_out(session, ruleset, channels, now())
    daily.carry_out(session, ruleset, channels, now())
    sent = _deliver(session, channels, now)
    escalation.tidy(session, now())
    return sent


@dataclass(frozen=True)
class _Group:
    """The deliveries of one message: to one person or, None, one room, by one channel, of one kind."""

    kind: str
    channel: str
    person_id: UUID | None


@dataclass(frozen=True)
class _Leased:
    """What is to be sent now."""

    ids: tuple[UUID, ...]
    message: Message
    address: str


def _deliver(session: Session, channels: Mapping[str, Channel], now: Now) -> int:
    sent, down = 0, dict.fromkeys(channels, 0)
    tried: set[_Group] = set()
    while waiting := [group for group in _waiting(session, now()) if group not in tried]:
        for group in waiting:
            tried.add(group)
            try:
                if down.get(group.channel, 0) >= MOST_TRIES:
                    # Each try may take seconds: others must not wait for a server that is down.
                    _fail(session, _lease(session, group, now()), group, channels, now())
                elif (leased := _lease(session, group, now())) is not None:
                    channel = channels.get(group.channel)
                    if channel is None or (group.channel in PERSONAL_CHANNELS and not leased.address):
                        # Not set up any more, or the address is gone: no fault of the channel.
                        _fail(session, leased, group, channels, now(), blame=False)
                    elif _send(leased, channel, group):
                        _delivered(session, leased, group, now())
                        sent, down[group.channel] = sent + 1, 0
                    else:
                        down[group.channel] = down.get(group.channel, 0) + 1
                        _fail(session, leased, group, channels, now())
            except Exception as error:  # its lease runs out; the others must not wait for it
                logs.failure("delivery_failed", error, channel=group.channel)
    return sent


def _of_open_alerts(query: Any) -> Any:
    return query.outerjoin(Alert, Alert.id == Delivery.alert_id).outerjoin(OwedStep, OwedStep.id == Delivery.step_id)


def _waiting(session: Session, at: datetime) -> list[_Group]:
    """The messages to send, the most urgent first and among those the oldest."""
    session.rollback()
    return [_Group(*row) for row in session.execute(_messages_to_send(), {"at": at})]


@cache
def _messages_to_send() -> Any:
    return (
        _of_open_alerts(select(Delivery.kind, Delivery.channel, Delivery.person_id))
        .where(escalation.sendable(bindparam("at")))
        .group_by(Delivery.kind, Delivery.channel, Delivery.person_id)
        # The heartbeat last: whatever is wrong with its channel must not keep a message to people waiting.
        .order_by(
            Delivery.channel == HEARTBEAT_CHANNEL,
            func.max(Delivery.urgency).desc(),
            func.min(Delivery.due_at),
            Delivery.kind,
            Delivery.channel,
            Delivery.person_id,
        )
    )


def _lease(session: Session, group: _Group, at: datetime) -> _Leased | None:
    """Take the deliveries of a message for this worker; None when another one has them, or somebody acknowledged."""
    with writing(session):
        query = (
            _of_open_alerts(select(Delivery))
            .where(
                escalation.sendable(at),
                Delivery.kind == group.kind,
                Delivery.channel == group.channel,
                Delivery.person_id.is_(None) if group.person_id is None else Delivery.person_id == group.person_id,
            )
            .order_by(Delivery.urgency.desc(), Delivery.due_at, Delivery.key)
            .with_for_update(skip_locked=True, of=Delivery)
        )
        taken = [delivery for delivery in session.scalars(query).all() if _take(session, delivery, at)]
        if not taken:
            return None
        person = taken[0].person
        kind = str(group.kind)
        if kind == MessageKind.ALERT and person is not None and not person.is_staff:
            kind = messages.REMINDER
        if group.channel == HEARTBEAT_CHANNEL:
            kind = messages.HEARTBEAT
        alerts = {delivery.alert_id for delivery in taken if delivery.alert_id is not None}
        message = messages.compose(
            kind,
            [delivery.key for delivery in taken],
            alerts,
            max(delivery.urgency for delivery in taken),
            spoken.language_of(person),
        )
        address = escalation.address_of(person, group.channel) if person and person.active else ""
        return _Leased(tuple(sorted(delivery.id for delivery in taken)), message, address)


def _take(session: Session, delivery: Delivery, at: datetime) -> bool:
    before = delivery.lease_until
    return escalation.changed_one(
        session.execute(
            update(Delivery)
            .where(
                Delivery.id == delivery.id,
                Delivery.delivered_at.is_(None),
                Delivery.lease_until.is_(None) if before is None else Delivery.lease_until == before,
            )
            .values(lease_until=at + LEASE)
            .execution_options(synchronize_session=False)
        )
    )


def _send(leased: _Leased, channel: Channel, group: _Group) -> bool:
    """Whether the channel took it."""
    try:
        channel.send(leased.message, leased.address)
    except Undelivered:
        return False
    except Exception as error:  # a fault of a channel is a failure of it
        logs.failure("channel_broken", error, channel=group.channel)
        return False
    return True


def _delivered(session: Session, leased: _Leased, group: _Group, at: datetime) -> None:
    with writing(session):
        for delivery_id in leased.ids:
            session.execute(
                update(Delivery)
                .where(Delivery.id == delivery_id, Delivery.delivered_at.is_(None))
                .values(delivered_at=at, lease_until=None)
                .execution_options(synchronize_session=False)
            )
        state = _state(session, group.channel)
        state.failures, state.failing_since, state.told_at, state.delivered_at = 0, None, None, at
    logs.event("message_sent", channel=group.channel, deliveries=len(leased.ids))


def _fail(
    session: Session,
    leased: _Leased | None,
    group: _Group,
    channels: Mapping[str, Channel],
    at: datetime,
    *,
    blame: bool = True,
) -> None:
    """Try again later, or go on by the next channel. `blame`: it counts against the channel."""
    if leased is None:
        return
    with writing(session):
        failing = _count_failure(session, group.channel, channels, at) if blame else True
        query = select(Delivery).where(Delivery.id.in_(leased.ids), Delivery.delivered_at.is_(None))
        for delivery in session.scalars(query.order_by(Delivery.id).with_for_update()).all():
            delivery.attempts += 1
            delivery.lease_until = None
            delivery.next_try_at = at + pause(delivery.attempts)
            if group.channel == HEARTBEAT_CHANNEL:
                delivery.next_try_at = min(delivery.next_try_at, at + LONGEST_PAUSE_OF_THE_HEARTBEAT)
            over = delivery.attempts >= MOST_TRIES or failing
            forgotten = delivery.kind != MessageKind.ALERT and delivery.attempts >= NOTICES_TRIED
            if (over and escalation.go_on(session, delivery, channels, at)) or forgotten:
                delivery.given_up_at = at
    logs.event("message_not_sent", channel=group.channel, deliveries=len(leased.ids))


def _count_failure(session: Session, name: str, channels: Mapping[str, Channel], at: datetime) -> bool:
    """Whether the channel keeps failing; administrators are then told once, by another one."""
    state = _state(session, name)
    state.failures += 1
    state.failing_since = state.failing_since or at
    if state.failures < MOST_TRIES:
        return False
    if state.told_at is None and name != HEARTBEAT_CHANNEL:  # every dashboard and `triage watch` tell of that one
        state.told_at = at
        others = [other for other in PERSONAL_CHANNELS if other in channels and other != name]
        about = f"{name}/{at.isoformat()}"
        escalation.notify(session, _administrators(session), MessageKind.CHANNEL_FAILING, at, others, about)
    return True


def pause(attempts: int) -> timedelta:
    """How long after that many failures the next try comes: twice as long each time, five minutes at most."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 10)), LONGEST_PAUSE)


def _state(session: Session, channel: str) -> ChannelState:
    """The channel's row, made if it is new, locked: two workers count one after the other."""
    insert: Any
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert
    session.execute(insert(ChannelState).values(name=channel).on_conflict_do_nothing())
    return session.get_one(ChannelState, channel, with_for_update=True, populate_existing=True)


def _administrators(session: Session) -> Iterable[Person]:
    return session.scalars(select(Person).where(Person.role == Role.ADMINISTRATOR, Person.active)).all()

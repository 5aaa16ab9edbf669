"""What is done about an alert between acknowledging and resolving it; slips are taken back, nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.alerts.test_services import NOTE, at_once, only
from triage.alerts import services, silence, work
from triage.database import db, writing
from triage.models import (
    Alert,
    AlertNote,
    AlertStatus,
    AuditEntry,
    CallBack,
    CallBackEnd,
    CallOutcome,
    Disposition,
    NoteKind,
    OpenBecause,
    Person,
)
from triage.rules.urgency import Urgency

MINUTE = timedelta(minutes=1)


@pytest.fixture
def taken(make, anna, alice, session):
    """Anna's urgent alert, opened and acknowledged by Alice an hour ago."""
    at = make.now() - timedelta(hours=1)
    alert = make.alert(anna, Urgency.URGENT, at=at)
    services.acknowledge(session, alert, alice, at)
    return alert


@pytest.fixture
def resolved(make, taken, alice, session):
    services.resolve(session, taken, alice, Disposition.SEEN_TODAY, NOTE, make.now())
    return taken


def expire(app, session, at):
    with app.app_context():
        return work.expire_acknowledgements(session, at)


def actions(session, alert):
    query = select(AuditEntry.action).where(AuditEntry.subject == str(alert.id)).order_by(AuditEntry.id)
    return list(session.scalars(query))


def notes(session):
    return list(session.scalars(select(AlertNote).order_by(AlertNote.written_at, AlertNote.id)))


# --- who has it


def test_whoever_acknowledges_an_alert_has_it_and_another_takes_it_over(make, taken, alice, bob, session):
    assert taken.taken_by_id == alice.id
    at = make.now()
    work.take_over(session, taken, bob, at, instead_of=alice.id)

    alert = only(session)
    assert (alert.taken_by_id, alert.taken_at, alert.acknowledged_by_id) == (bob.id, at, alice.id)
    assert actions(session, alert)[-1] == "alert_taken_over"


def test_of_two_who_take_it_over_at_once_one_does_and_the_other_is_told(make, app, taken, alice, bob, session):
    carla = make.nurse("Carla")
    alert_id, had_it, nurses = taken.id, alice.id, [bob.id, carla.id]
    session.rollback()
    with app.app_context():
        engine = db.engine

    def taking(nurse):
        def act():
            with Session(engine) as own:
                alert, by = own.get_one(Alert, alert_id), own.get_one(Person, nurse)
                work.take_over(own, alert, by, make.now(), instead_of=had_it)

        return act

    (told,) = filter(None, at_once(*(taking(nurse) for nurse in nurses)))
    assert isinstance(told, work.Taken), told
    alert = only(session)
    assert (told.by_name, told.at) == (alert.taken_by.name, alert.taken_at)
    assert actions(session, alert).count("alert_taken_over") == 1


def test_given_back_it_is_open_again_and_has_waited_all_the_time(make, taken, alice, bob, session):
    before = (taken.waiting_since, taken.answer_by, taken.opened_at)
    with pytest.raises(work.Taken):
        work.give_back(session, make.ruleset, taken, bob, make.now())
    work.give_back(session, make.ruleset, taken, alice, make.now())
    work.give_back(session, make.ruleset, taken, alice, make.now())

    alert = only(session)
    assert (alert.status, alert.open_because) == (AlertStatus.OPEN, OpenBecause.GIVEN_BACK)
    assert (alert.waiting_since, alert.answer_by, alert.opened_at) == before
    assert (alert.taken_by, alert.acknowledged_by) == (None, None)
    assert actions(session, alert).count("alert_given_back") == 1


def test_an_open_or_resolved_alert_is_not_taken_over(make, taken, alice, bob, session):
    work.give_back(session, make.ruleset, taken, alice, make.now())
    with pytest.raises(work.NotAcknowledged):
        work.take_over(session, taken, bob, make.now(), instead_of=None)
    services.acknowledge(session, taken, alice, make.now())
    services.resolve(session, taken, alice, Disposition.ADMITTED, NOTE, make.now())
    with pytest.raises(services.AlreadyDone):
        work.give_back(session, make.ruleset, taken, bob, make.now())
    with pytest.raises(services.AlreadyDone):
        work.take_over(session, taken, bob, make.now(), instead_of=alice.id)


# --- notes and calls


def test_notes_and_calls_stand_in_order_with_who_and_when(make, taken, alice, bob, session):
    at = make.now()
    work.write_down(session, taken, alice, at - MINUTE, call=CallOutcome.NO_ANSWER)
    work.write_down(session, taken, bob, at, text=" Her husband answers in the evening. ")

    assert [(note.kind, note.call_outcome, note.text, note.written_by_id) for note in notes(session)] == [
        (NoteKind.CALL, CallOutcome.NO_ANSWER, "", alice.id),
        (NoteKind.NOTE, None, "Her husband answers in the evening.", bob.id),
    ]
    assert actions(session, taken)[-2:] == ["alert_call_noted", "alert_note_written"]
    assert only(session).status == AlertStatus.ACKNOWLEDGED, "writing something down resolves nothing"


def test_a_note_sent_twice_is_one_and_an_empty_one_is_none(make, taken, alice, session):
    at = make.now()
    for _ in range(2):
        work.write_down(session, taken, alice, at, text=NOTE)
    with pytest.raises(services.NoteMissing):
        work.write_down(session, taken, alice, at, text="  \n")
    work.write_down(session, taken, alice, at + 2 * MINUTE, text=NOTE)

    assert len(notes(session)) == 2


def test_no_audit_entry_no_note(make, taken, alice, session, monkeypatch):
    monkeypatch.setattr("triage.alerts.work.audit.record", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work.write_down(session, taken, alice, make.now(), text=NOTE, call_back=make.now() + MINUTE)
    assert (notes(session), only(session).call_backs) == ([], [])


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE alert_note SET text = ''", "never changed"),
        ("DELETE FROM alert_note", "never deleted"),
        ("UPDATE alert_opinion SET useful = NOT useful", "never changed"),
        ("DELETE FROM alert_opinion", "never deleted"),
        ("DELETE FROM call_back", "never deleted"),
    ],
)
def test_the_database_itself_keeps_what_was_written(statement, says, make, taken, alice, session):
    work.write_down(session, taken, alice, make.now(), text=NOTE, call_back=make.now() + MINUTE)
    work.say_useful(session, taken, alice, True, "", make.now())
    with pytest.raises(DBAPIError, match=says), writing(session):
        session.execute(text(statement))


# --- call-backs


def test_a_promised_call_back_stays_until_a_person_has_made_it(make, taken, alice, bob, session):
    due = make.now() + timedelta(hours=2)
    for _ in range(2):
        work.write_down(session, taken, alice, make.now(), call_back=due)
    (promised,) = only(session).promised
    with pytest.raises(services.CallBackPromised):
        services.resolve(session, taken, alice, Disposition.ADVICE_GIVEN, NOTE, make.now())
    at = make.now()
    work.end_call_back(session, promised, bob, CallBackEnd.DONE, at)
    work.end_call_back(session, promised, alice, CallBackEnd.NOT_NEEDED, make.now())

    assert only(session).promised == []
    assert (promised.ended_at, promised.ended_by_id, promised.end_kind) == (at, bob.id, CallBackEnd.DONE)
    assert actions(session, taken)[-2:] == ["call_back_promised", "call_back_done"]
    services.resolve(session, taken, alice, Disposition.ADVICE_GIVEN, NOTE, make.now())


def test_a_moved_call_back_keeps_its_first_time(make, taken, alice, bob, session):
    first, later = make.now() + timedelta(hours=1), make.now() + timedelta(hours=3)
    work.write_down(session, taken, alice, make.now(), call_back=first)
    (promised,) = only(session).promised
    work.move_call_back(session, promised, bob, later, make.now())

    made = session.scalars(select(CallBack).order_by(CallBack.due_at)).all()
    assert [(each.due_at, each.end_kind, each.promised_by_id) for each in made] == [
        (first, CallBackEnd.MOVED, alice.id),
        (later, None, bob.id),
    ]


def test_a_call_back_is_promised_for_a_time_to_come_on_an_alert_that_somebody_sees(make, resolved, alice, session):
    other = make.alert(make.patient("Berta"))
    with pytest.raises(work.NotToCome):
        work.write_down(session, other, alice, make.now(), text=NOTE, call_back=make.now() - MINUTE)
    with pytest.raises(services.AlreadyDone):
        work.write_down(session, resolved, alice, make.now(), text=NOTE, call_back=make.now() + MINUTE)
    assert notes(session) == [], "all of it or nothing"


# --- an acknowledgement after which nothing is written


@pytest.mark.parametrize(("urgency", "minutes"), [(Urgency.EMERGENCY, 15), (Urgency.URGENT, 60)])
def test_an_acknowledgement_without_an_outcome_expires(urgency, minutes, make, anna, alice, app, session):
    at = make.now()
    alert = make.alert(anna, urgency, at=at)
    services.acknowledge(session, alert, alice, at + MINUTE)
    before = (alert.waiting_since, alert.answer_by)
    over = at + MINUTE + timedelta(minutes=minutes)

    assert expire(app, session, over - timedelta(seconds=1)) == 0
    assert only(session).status == AlertStatus.ACKNOWLEDGED
    assert expire(app, session, over) == 1
    assert expire(app, session, over) == 0, "it happens once"
    alert = only(session)
    assert (alert.status, alert.open_because) == (AlertStatus.OPEN, OpenBecause.EXPIRED)
    assert (alert.waiting_since, alert.answer_by) == before, "it has waited all the time"
    assert actions(session, alert)[-1] == "alert_acknowledgement_expired"


def test_what_is_not_urgent_may_stay_acknowledged(make, anna, alice, app, session):
    alert = make.alert(anna, Urgency.SOON)
    services.acknowledge(session, alert, alice, make.now())
    assert expire(app, session, make.now() + timedelta(days=3)) == 0


@pytest.mark.parametrize(
    "outcome",
    [{"text": NOTE}, {"call": CallOutcome.LEFT_MESSAGE}, {"call_back": timedelta(hours=5)}],
    ids=["note", "call", "call-back"],
)
def test_what_was_written_down_by_anybody_keeps_it(outcome, make, anna, alice, bob, app, session):
    at = make.now()
    alert = make.alert(anna, Urgency.EMERGENCY, at=at)
    services.acknowledge(session, alert, alice, at)
    if "call_back" in outcome:
        outcome = {"call_back": at + outcome["call_back"]}
    work.write_down(session, alert, bob, at + MINUTE, **outcome)

    assert expire(app, session, at + timedelta(days=1)) == 0
    assert only(session).status == AlertStatus.ACKNOWLEDGED


def test_what_was_written_before_the_acknowledgement_is_no_outcome_of_it(make, taken, alice, app, session):
    work.write_down(session, taken, alice, make.now(), text=NOTE)
    work.give_back(session, make.ruleset, taken, alice, make.now())
    at = make.now()
    services.acknowledge(session, taken, alice, at)

    assert expire(app, session, at + timedelta(minutes=60)) == 1


def test_one_alert_that_cannot_be_opened_does_not_keep_the_others(
    make, taken, alice, app, session, monkeypatch, capsys
):
    other = make.alert(make.patient("Berta"), Urgency.EMERGENCY)
    services.acknowledge(session, other, alice, make.now())
    record, broken = work.audit.record, str(taken.id)

    def fails_for_one(session, action, **what):
        if what["subject"] == broken:
            raise ZeroDivisionError
        record(session, action, **what)

    monkeypatch.setattr(work.audit, "record", fails_for_one)
    assert expire(app, session, make.now() + timedelta(hours=2)) == 1
    assert "acknowledgement_not_expired" in capsys.readouterr().err
    session.refresh(other)
    assert (other.status, taken.status) == (AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED)


def test_the_check_beside_the_server_expires_them_even_when_the_look_for_silence_fails(
    make, taken, app, session, monkeypatch
):
    monkeypatch.setattr("triage.create_app", lambda: app)
    monkeypatch.setattr(silence, "sweep", lambda *what: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        silence.main(None)
    assert only(session).open_because == OpenBecause.EXPIRED


# --- a resolution taken back


def test_a_resolution_is_taken_back_with_a_reason_and_stays_readable(make, resolved, bob, session):
    opened_at, at = resolved.opened_at, make.now()
    with pytest.raises(services.NoteMissing):
        work.reopen(session, make.ruleset, resolved, bob, "oops", at)
    holder = work.reopen(session, make.ruleset, resolved, bob, "The wrong patient was resolved", at)

    alert = only(session)
    assert holder.id == alert.id
    assert (alert.status, alert.open_because, alert.opened_at) == (AlertStatus.OPEN, OpenBecause.REOPENED, opened_at)
    assert (alert.waiting_since, alert.answer_by) == (at, at + timedelta(minutes=15))
    assert (alert.resolved_at, alert.disposition, alert.note) == (None, None, "")
    kept, reason = notes(session)
    assert (kept.kind, kept.disposition, kept.text) == (NoteKind.RESOLUTION, Disposition.SEEN_TODAY, NOTE)
    assert (reason.kind, reason.text, reason.written_by_id) == (
        NoteKind.REOPENING,
        "The wrong patient was resolved",
        bob.id,
    )
    assert actions(session, alert)[-1] == "resolution_taken_back"
    with pytest.raises(work.NotResolved):
        work.reopen(session, make.ruleset, alert, bob, "The wrong patient was resolved", at)


def test_a_resolution_is_taken_back_within_a_day(make, resolved, bob, session):
    late = resolved.resolved_at + work.REOPEN_WITHIN + timedelta(seconds=1)
    with pytest.raises(work.TooLate):
        work.reopen(session, make.ruleset, resolved, bob, "It was a slip", late)
    assert only(session).is_resolved


def test_beside_another_unresolved_alert_the_findings_join_that_one(make, resolved, anna, alice, bob, session):
    other = make.alert(anna, Urgency.SOON)
    services.acknowledge(session, other, alice, make.now())
    at = make.now()
    holder = work.reopen(session, make.ruleset, resolved, bob, "It was a slip of the finger", at)

    session.rollback()
    assert (holder.id, len(holder.findings)) == (other.id, 2)
    assert (holder.urgency, holder.status) == (Urgency.URGENT, AlertStatus.OPEN)
    assert (holder.open_because, holder.waiting_since) == (OpenBecause.REOPENED, at)
    session.refresh(resolved)
    assert (resolved.is_resolved, resolved.note) == (True, NOTE)
    assert [note.alert_id for note in notes(session)] == [other.id]
    with pytest.raises(work.NotResolved):
        work.reopen(session, make.ruleset, resolved, bob, "It was a slip of the finger", at)


def test_an_open_emergency_stays_one_when_findings_join_it(make, resolved, anna, bob, session):
    other = make.alert(anna, Urgency.EMERGENCY)
    before = other.answer_by
    work.reopen(session, make.ruleset, resolved, bob, "It was a slip of the finger", make.now())

    session.refresh(other)
    assert (other.urgency, other.status, other.answer_by) == (Urgency.EMERGENCY, AlertStatus.OPEN, before)


# --- usefulness


def test_whether_it_was_useful_is_said_when_resolving_and_later(make, taken, alice, bob, session):
    services.resolve(session, taken, alice, Disposition.SEEN_TODAY, NOTE, make.now(), useful=True)
    for _ in range(2):
        work.say_useful(session, taken, bob, False, " Known since Monday. ", make.now())

    session.refresh(taken)
    assert [(each.useful, each.why, each.said_by_id) for each in taken.opinions] == [
        (True, "", alice.id),
        (False, "Known since Monday.", bob.id),
    ]
    assert actions(session, taken).count("alert_usefulness_said") == 2

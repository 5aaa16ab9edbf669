"""Handing a shift over: begun, each urgent alert accepted by name, closed by whoever comes on, and kept as read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.alerts.test_services import at_once
from tests.house.test_queries import counted
from tests.pages import Part
from triage.alerts import services, work
from triage.care_team import handover as shifts
from triage.database import db, writing
from triage.models import (
    Alert,
    AuditEntry,
    CareTeam,
    Disposition,
    Handover,
    HandoverAcceptance,
    HandoverEnd,
    Person,
)
from triage.rules.urgency import Urgency


@pytest.fixture
def clock(monkeypatch, make):
    """A clock that a test moves: `clock(minutes=10)`."""
    at = [make.now()]
    monkeypatch.setattr("triage.clock.now", lambda: at[0])

    def move(**by):
        at[0] += timedelta(**by)
        return at[0]

    return move


def begin(visitor, who="off", note=""):
    return visitor.get("handover.begin").press("Begin", who=who, note=note)


def accept(visitor, name):
    return visitor.get("handover.now").press(f"Accept the alert of {name}")


def close(visitor):
    return visitor.get("handover.now").press("I come on: close the handover")


def actions(session):
    session.rollback()
    return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def handovers(session):
    session.rollback()
    return session.scalars(select(Handover).order_by(Handover.begun_at)).all()


def acceptances(session):
    session.rollback()
    return session.scalars(select(HandoverAcceptance)).all()


def test_a_shift_is_handed_over_with_each_red_accepted_by_name(session, make, anna, pages, alice, bob):
    make.alert(anna, Urgency.URGENT, ago=timedelta(hours=1))
    make.alert(make.patient("Berta"), Urgency.SOON, ago=timedelta(hours=2))
    off, on = pages(alice), pages(bob)
    page = begin(off, note="Anna's daughter has the key.")
    assert page.shows("Alice hands over")
    assert page.shows("Anna's daughter has the key.")

    page = close(on)
    assert page.shows("Not closed: not every urgent alert is accepted")
    page = accept(on, "Anna")
    assert page.row("Anna").shows("Accepted by Bob")
    page = close(on)
    assert page.shows("Bob came on and closed it")
    assert page.row("Anna").shows("Accepted by Bob")
    assert page.shows("Anna's daughter has the key.")
    (handover,) = handovers(session)
    assert (handover.end_kind, handover.ended_by_id, handover.handed_over_by_id) == ("closed", bob.id, alice.id)
    told = actions(session)
    assert [each for each in told if each.startswith("handover") and each != "handover_seen"] == [
        "handover_begun",
        "handover_note_written",
        "handover_accepted",
        "handover_closed",
    ]


def test_whoever_hands_over_can_neither_accept_nor_close(session, make, anna, pages, alice):
    alert = make.alert(anna, Urgency.URGENT)
    visitor = pages(alice)
    page = begin(visitor)
    assert not page.shows("I come on: close the handover")
    assert page.shows("Whoever comes on opens this page")
    (handover,) = handovers(session)
    visitor.post("handover.accept", handover_id=handover.id, alert_id=alert.id)
    page = visitor.post("handover.close", handover_id=handover.id).follow()
    assert page.shows("Not closed: you hand this shift over")
    assert acceptances(session) == []
    session.refresh(handover)
    assert handover.is_running


def test_a_new_finding_has_to_be_accepted_again_and_a_new_red_too(clock, make, anna, pages, alice, bob):
    make.alert(anna, Urgency.URGENT)
    begin(pages(alice))
    on = pages(bob)
    clock(minutes=1)
    accept(on, "Anna")
    clock(minutes=1)
    make.alert(anna, Urgency.EMERGENCY)
    make.alert(make.patient("Berta"), Urgency.URGENT)
    page = on.get("handover.now")
    assert page.row("Anna").shows("Something new came since Bob accepted it")
    assert close(on).shows("Not closed: not every urgent alert is accepted")
    accept(on, "Anna")
    accept(on, "Berta")
    assert close(on).shows("The shift is handed over")


def test_what_came_while_somebody_read_is_not_accepted_unread(session, make, anna, pages, alice, bob):
    make.alert(anna, Urgency.URGENT)
    begin(pages(alice))
    page = pages(bob).get("handover.now")
    make.alert(anna, Urgency.EMERGENCY)
    assert page.press("Accept the alert of Anna").shows("Not accepted: something new came")
    assert acceptances(session) == []


def test_who_accepts_an_acknowledged_alert_has_it_and_an_open_one_stays_open(session, make, anna, pages, alice, bob):
    taken, waiting = make.alert(anna), make.alert(make.patient("Berta"))
    services.acknowledge(session, taken, alice, make.now())
    limit = waiting.answer_by
    begin(pages(alice))
    on = pages(bob)
    accept(on, "Anna")
    accept(on, "Berta")
    session.rollback()
    assert (taken.taken_by_id, taken.status) == (bob.id, "acknowledged")
    assert (waiting.taken_by_id, waiting.status, waiting.answer_by) == (None, "open", limit)


def test_a_slip_is_taken_back(session, make, anna, pages, alice, bob):
    make.alert(anna)
    off, on = pages(alice), pages(bob)
    begin(off)
    accept(on, "Anna")
    accept_page = on.get("handover.now").press("Take back that you accepted the alert of Anna")
    assert accept_page.row("Anna").shows("Not accepted")
    assert close(on).shows("Not closed: not every urgent alert")
    page = off.get("handover.now").press("Take the handover back")
    assert page.shows("The handover is taken back")
    assert page.links()["Begin the handover"]
    (handover,) = handovers(session)
    assert handover.end_kind == HandoverEnd.TAKEN_BACK
    assert not off.get("handover.earlier").shows("taken back")


def test_only_who_did_it_takes_it_back(session, make, anna, pages, alice, bob):
    make.alert(anna)
    begin(pages(alice))
    accept(pages(bob), "Anna")
    carla = pages(make.nurse("Carla"))
    (acceptance,) = acceptances(session)
    page = carla.post("handover.take_acceptance_back", acceptance_id=acceptance.id).follow()
    assert page.shows("Not taken back: somebody else has accepted")
    page = carla.post("handover.take_back", handover_id=acceptance.handover_id).follow()
    assert page.shows("Not taken back: somebody else has begun it")


def test_two_who_close_at_once_close_it_once(session, make, anna, pages, alice, bob):
    begin(pages(alice))
    first, second = pages(bob).get("handover.now"), pages(make.nurse("Carla")).get("handover.now")
    first.press("I come on: close the handover")
    page = second.press("I come on: close the handover")
    assert page.shows("Nothing was changed: the handover was closed meanwhile")
    assert page.shows("Bob came on and closed it")
    assert actions(session).count("handover_closed") == 1


def test_two_who_begin_at_once_begin_one(session, make, anna, pages, alice, bob):
    begin(pages(alice))
    page = begin(pages(bob), who="on", note="Ring the ward")
    assert page.status == 422
    assert page.errors == ["Not begun: Alice has begun one already. Copy your note, open Handover, and add it there"]
    assert "Ring the ward" in page.html
    assert len(handovers(session)) == 1


def test_a_shift_that_nobody_closed_is_said_and_keeps_nobody_from_the_next(
    clock, session, make, anna, pages, alice, bob
):
    make.alert(anna, Urgency.SOON)
    begin(pages(alice))
    on = pages(bob)
    close(on)
    clock(hours=8)
    begin(on, note="Never read")
    clock(hours=9)
    page = on.get("handover.now")
    assert page.shows("This handover was not closed")
    assert begin(pages(alice), who="on").shows("Nobody hands over: the shift before had gone when Alice came on")
    kinds = [each.end_kind for each in handovers(session)]
    assert kinds == ["closed", "left", None]
    assert on.get("handover.earlier").shows("Not closed by anybody")
    closed, _, running = handovers(session)
    assert running.since == closed.ended_at


def test_a_shift_without_a_handover_is_said(clock, make, anna, pages, alice, bob):
    assert pages(alice).get("handover.now").shows("No handover was closed for this shift")
    begin(pages(alice))
    close(pages(bob))
    assert pages(alice).get("handover.now").shows("Nobody has begun the next")
    clock(hours=17)
    assert pages(alice).get("handover.now").shows("No handover was closed for this shift")


def test_the_page_tells_what_the_next_shift_has_to_know(clock, session, make, pages, alice, bob):
    anna = make.patient("Anna", day=5)
    alert = make.alert(anna, Urgency.URGENT)
    clock(minutes=10)
    with make.app.app_context():
        services.acknowledge(session, alert, alice, clock())
        work.write_down(session, alert, alice, clock(), text="Will measure again at six", call_back=clock(hours=1))
    done = make.alert(make.patient("Berta", day=5), Urgency.SOON)
    with make.app.app_context():
        services.acknowledge(session, done, alice, clock(minutes=1))
        services.resolve(session, done, alice, Disposition.ADVICE_GIVEN, "Drinks more", clock(minutes=1))
    leaves = make.patient("Dana", day=29)
    comes = make.patient("Eva", day=0)
    for patient in (leaves, comes):
        make.report(patient, chills="none")
    make.patient("Fay", day=5, enrolled_at=make.now() - timedelta(days=3))
    make.patient("Gil", therapy=None, day=None)
    make.duty(bob)
    clock(hours=2)
    page = pages(alice).get("handover.now")

    assert page.row("Anna").shows("Alice has it")
    assert page.shows("promised by Alice: overdue")
    assert page.shows("Note, Alice")
    assert page.shows("Will measure again at six")
    assert page.shows("Alert resolved (soon): advice given, Alice: Drinks more")
    moves = Part(page.soup.select_one("[aria-labelledby=handover-moves]"))
    assert moves.row("Dana").shows("day 29 of CAR T cells: is out of the early window")
    assert moves.row("Eva").shows("comes into the early window")
    assert Part(page.soup.select_one("[aria-labelledby=handover-silent]")).row("Fay").shows("No alert waits")
    assert page.shows("inside every window: Gil")
    assert page.shows("On call: Bob")


def test_rule_changes_of_the_shift_are_told(session, make, anna, pages, alice):
    from triage.ruleset_editor import services as editor

    dora, emma = make.clinician("Dora"), make.clinician("Emma")
    proposal = make.proposal(dora)
    with make.app.test_request_context():
        editor.approve(session, proposal.id, emma, "Read and agreed", make.now())
    page = pages(alice).get("handover.now")
    assert page.shows("Version 2 became active, Emma")
    assert page.shows("Reviewed with the liver team")


def test_what_was_handed_over_is_never_changed(clock, session, make, anna, pages, alice, bob):
    make.alert(anna)
    begin(pages(alice))
    accept(pages(bob), "Anna")
    before = close(pages(bob)).text.replace("The shift is handed over. What stood on the page is kept.", "")
    clock(hours=3)
    make.alert(anna, Urgency.EMERGENCY)
    (handover,) = handovers(session)
    after = pages(bob).get("handover.kept", handover_id=handover.id).text
    assert "Anna" in after
    assert after.split("came on and closed it")[1] == before.split("came on and closed it")[1]
    with pytest.raises(DBAPIError, match="never changed"), writing(session):
        session.execute(text("UPDATE handover SET page = NULL"))


def test_nothing_can_be_done_on_one_that_has_ended(session, make, anna, pages, alice, bob):
    alert = make.alert(anna)
    begin(pages(alice))
    on = pages(bob)
    accept(on, "Anna")
    (acceptance,) = acceptances(session)
    note = pages(alice).get("handover.write", handover_id=acceptance.handover_id)
    close(on)
    page = note.press("Save", note="Too late")
    assert page.errors == ["Not saved: the handover was closed. Copy your note"]
    assert "Too late" in page.html
    for endpoint, values in (
        ("handover.accept", {"handover_id": acceptance.handover_id, "alert_id": alert.id}),
        ("handover.take_acceptance_back", {"acceptance_id": acceptance.id}),
        ("handover.take_back", {"handover_id": acceptance.handover_id}),
    ):
        assert on.post(endpoint, **values).follow().shows("Nothing was changed: the handover was closed meanwhile")
    session.refresh(acceptance)
    assert acceptance.taken_back_at is None


def test_a_full_ward_costs_as_many_queries_as_an_empty_one(app, make, pages, alice, bob):
    def fill(number):
        for index in range(number):
            patient = make.patient(f"Patient {number}-{index}", enrolled_at=make.now() - timedelta(days=4))
            alert = make.alert(patient, ago=timedelta(hours=30 * (index % 2)))
            make.call_back(alert, alice)

    def cost():
        with counted(app) as statements:
            pages(bob).get("handover.now")
        return len(statements)

    begin(pages(alice))
    fill(2)
    cost()  # the first look is written down
    few = cost()
    fill(6)
    assert cost() == few


def test_whoever_is_in_hospital_stands_there_and_a_report_since_asks_whether_they_are_home(
    make, anna, pages, alice, bob
):
    """A return that nobody noted would hide a silence for ever: each shift is shown who is not waited for."""
    assert not pages(bob).get("handover.now").shows("In hospital")
    make.admission(anna, alice, ago=timedelta(hours=6))
    page = pages(bob).get("handover.now")
    assert page.shows("In hospital: no report is missed (1)")
    assert page.shows("noted by Alice.")
    assert not page.shows("home again?")
    make.report(anna, chills="none")
    assert pages(bob).get("handover.now").shows("A report came since")


def test_another_team_stands_on_no_page(make, anna, pages, charlie):
    make.alert(anna)
    assert not begin(pages(charlie)).shows("Anna")


@pytest.fixture
def engine(app, session):
    """The application's engine, for sessions of several people; the test's own holds no lock any more."""
    session.rollback()
    with app.app_context():
        return db.engine


def test_at_one_moment_one_handover_begins_and_is_closed_once(app, make, anna, alice, bob, engine, session):
    make.alert(anna)
    carla = make.nurse("Carla")
    team_id, people, at = alice.care_team_id, {each.name: each.id for each in (alice, bob, carla)}, make.now()
    session.rollback()

    def beginning(name):
        def act():
            with Session(engine) as own, app.app_context():
                by = own.get_one(Person, people[name])
                shifts.begin(own, own.get_one(CareTeam, team_id), by, at, going_off=False)

        return act

    raised = at_once(beginning("Alice"), beginning("Bob"))
    assert [type(each) for each in raised if each] == [shifts.AlreadyBegun]
    (handover,) = handovers(session)
    handover_id, alert_id = handover.id, session.scalars(select(Alert.id)).one()
    session.rollback()

    def closing(name):
        def act():
            with Session(engine) as own, app.app_context():
                by = own.get_one(Person, people[name])
                shifts.close(own, make.ruleset, own.get_one(Handover, handover_id), by, at)

        return act

    def accepting(name):
        def act():
            with Session(engine) as own, app.app_context():
                by, alert = own.get_one(Person, people[name]), own.get_one(Alert, alert_id)
                shifts.accept(own, own.get_one(Handover, handover_id), alert, by, at, seen=None)

        return act

    # Whoever comes to it last meets what the others have made of it: closed only once somebody has accepted.
    raised = at_once(accepting("Bob"), accepting("Carla"), closing("Alice"))
    assert {type(each) for each in raised if each} <= {shifts.NotAccepted, shifts.Ended}
    assert acceptances(session)
    if handovers(session)[0].is_running:
        raised = at_once(closing("Bob"), closing("Carla"))
        assert [type(each) for each in raised if each] == [shifts.Ended]
    (handover,) = handovers(session)
    assert handover.end_kind == HandoverEnd.CLOSED
    assert actions(session).count("handover_closed") == 1

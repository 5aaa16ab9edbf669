"""The on-call page: who is told because they are on call, and that an empty rota loses nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.alerts.test_worker import Recorder
from tests.pages import Part
from triage.alerts import rota, worker
from triage.database import writing
from triage.models import AuditEntry, Delivery, Duty, Person
from triage.rules.urgency import Urgency


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


@pytest.fixture
def bob(make):
    return make.nurse("Bob", phone="+44 1632 960 501", mail="bob@example.org")


@pytest.fixture
def emil(make):
    return make.administrator("Emil", mail="emil@example.org")


@pytest.fixture
def told(app, session, make, anna, alice):
    """Who is told by SMS and mail when an urgent alert comes at that moment: (address, subject)."""
    with writing(session):
        alice.phone = "+44 1632 960 500"

    def run(at=None):
        at = at or make.now()
        sms, mail = Recorder(), Recorder()
        make.alert(anna, Urgency.URGENT, at=at)
        with app.app_context():
            worker.sweep(session, make.ruleset, {"sms": sms, "mail": mail}, lambda: at)
        return {(address, subject) for _, address, subject in sms.got + mail.got}

    return run


def test_whoever_is_on_call_is_told_first(make, bob, told):
    make.duty(bob)
    assert (bob.phone, "An urgent alert is waiting") in told()


def test_with_an_empty_rota_all_staff_are_told_and_administrators_that_it_is_empty(make, alice, bob, emil, told):
    make.duty(bob, begins=hours(-9), ends=hours(-1))
    make.duty(bob, begins=hours(1), ends=hours(9))
    got = told()
    for address in (alice.phone, bob.phone):
        assert (address, "An urgent alert is waiting") in got
    assert (emil.mail, "Nobody is on call") in got


def test_somebody_who_left_is_not_on_call(make, session, bob, alice, told):
    make.duty(bob)
    with writing(session):
        bob.active = False
    got = told()
    assert bob.phone not in {address for address, _ in got}
    assert (alice.phone, "An urgent alert is waiting") in got


def test_a_nurse_adds_a_duty_and_another_swaps_it(make, session, alice, bob, pages):
    page = pages(alice).get("alerts.rota")
    assert page.shows("Nobody is on call now")
    day = make.now() + timedelta(days=1)
    page = page.click("Add a duty").press(
        "Add duty",
        person=str(alice.id),
        **{f"begins_on-{part}": str(getattr(day, part)) for part in ("day", "month", "year")},
        begins_at="8:00",
        **{f"ends_on-{part}": str(getattr(day, part)) for part in ("day", "month", "year")},
        ends_at="20.30",
    )
    assert page.heading == "On call for Ward A", page.errors
    assert page.row("20:30").shows("Alice")
    session.rollback()
    (duty,) = session.scalars(select(Duty)).all()
    page = pages(bob).get("alerts.swap_duty", duty_id=duty.id).press("Swap", person=str(bob.id))
    assert page.row("20:30").shows("Bob")
    assert not page.row("20:30").shows("Alice")
    session.rollback()
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("duty%"))).all()
    assert sorted(actions) == ["duty_added", "duty_swapped"]


def test_a_duty_that_has_begun_is_handed_over_now_and_what_was_stays(make, session, alice, bob):
    duty, at = make.duty(alice), make.now()
    ends_at = duty.ends_at
    rota.swap(session, duty, bob, by=alice, at=at)
    assert rota.on_call(session, make.team(), at + timedelta(seconds=1)) == [bob]
    assert rota.on_call(session, make.team(), at - timedelta(minutes=1)) == [alice]
    assert [one.ends_at for one in rota.coming(session, make.team(), at)] == [ends_at]


def test_a_duty_can_be_taken_off(make, alice, session, pages):
    make.duty(alice, begins=hours(20), ends=hours(30))
    page = pages(alice).get("alerts.rota")
    label = next(Part(button).text for button in page.soup.select("button") if "Remove" in button.text)
    page = page.press(label)
    session.rollback()
    assert session.scalars(select(Duty.removed_at)).one() is not None
    assert not page.shows("Duties")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"person": ""}, "Choose who is on call"),
        ({"begins_at": "half past"}, "Enter when it begins"),
        ({"ends_at": "25:00"}, "Enter when it ends"),
        ({"ends_at": "07:00"}, "The end must come after the beginning"),
        ({"begins_on-year": "2001", "ends_on-year": "2001"}, "The end must lie in the future"),
        ({"ends_on-year": "2099"}, "more than 31 days"),
    ],
)
@pytest.mark.database("sqlite")
def test_a_slip_in_the_rota_is_named(make, session, alice, pages, typed, says):
    day = make.now() + timedelta(days=1)
    right = {"person": str(alice.id), "begins_at": "08:00", "ends_at": "20:00"} | {
        f"{when}-{part}": str(getattr(day, part))
        for when in ("begins_on", "ends_on")
        for part in ("day", "month", "year")
    }
    page = pages(alice).get("alerts.add_duty").press("Add duty", **(right | typed))
    assert page.status == 422
    assert any(says in error for error in page.errors), page.errors
    assert session.scalars(select(Duty)).all() == []


def test_people_set_where_they_are_reached_and_administrators_that_of_everybody(
    make, session, alice, bob, emil, charlie, pages
):
    page = pages(alice).get("alerts.contact", staff_id=alice.id)
    page.press("Save", mail="alice@example.org", phone="+44 1632 960 511")
    session.rollback()
    assert session.get_one(Person, alice.id).mail == "alice@example.org"
    assert pages(alice).get("alerts.contact", staff_id=bob.id).status == 404
    assert pages(emil).get("alerts.contact", staff_id=alice.id).status == 200
    assert pages(charlie).get("alerts.contact", staff_id=alice.id).status == 404
    page = pages(emil).get("alerts.contact", staff_id=bob.id).press("Save", mail="bob, and another", phone="call me")
    assert page.status == 422
    assert len(page.errors) == 2


def test_a_test_is_marked_as_one_everywhere(app, make, session, alice, bob, pages, monkeypatch):
    make.duty(bob)
    app.config["CHANNEL_MAIL"], app.config["CHANNEL_SLACK"] = "mailto://example.org?to={to}", "slack://a/b/c"
    page = pages(alice).get("alerts.rota").press("Send a test to whoever is on call")
    assert page.shows("A test is on its way: 2 messages.")
    mail, slack = Recorder(), Recorder()
    with app.app_context():
        worker.sweep(session, make.ruleset, {"mail": mail, "slack": slack}, make.now)
    assert [(address, subject) for _, address, subject in mail.got] == [(bob.mail, "TEST: no alert is waiting")]
    assert [(address, subject) for _, address, subject in slack.got] == [("", "TEST: no alert is waiting")]
    assert "This is a test: nothing has to be done." in mail.messages[0].body
    page = pages(alice).get("alerts.rota")
    assert page.row("TEST").shows("delivered")
    session.rollback()
    assert all(delivery.delivered_at for delivery in session.scalars(select(Delivery)))


def test_a_test_that_reaches_nobody_says_so(make, alice, pages):
    page = pages(alice).get("alerts.rota").press("Send a test to whoever is on call")
    assert page.shows("Nobody can be reached")

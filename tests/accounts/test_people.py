"""The administrator's pages: enrolling, giving access, dose events, the end of monitoring."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.make import PASSWORD
from triage.accounts import passwords
from triage.models import Alert, AlertStatus, AuditEntry, Course, Invitation, Patient, Person
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

CODE = re.compile(r"\b[a-z]{4}(?:-[a-z]{4}){4}\b")
NEW = "four words of no sentence"


@pytest.fixture
def emil(make):
    return make.administrator("Emil")


@pytest.fixture
def visitor(pages, emil):
    return pages(emil)


def parts(field, day):
    """The three boxes of a date."""
    return {f"{field}-day": str(day.day), f"{field}-month": str(day.month), f"{field}-year": str(day.year)}


def enrol(visitor, today, **fields):
    """Fill in the whole form, but for what is given."""
    filled = {
        "name": "Zoe Sample",
        "phone": "+44 1632 960 401",
        "therapy": "car_t",
        "product": "TECARTUS",
        "sign_in_name": "zoe",
        **parts("started_on", today - timedelta(days=3)),
    }
    return visitor.get("accounts.enrol").press("Enrol", **(filled | fields))


@pytest.fixture
def today(make):
    return make.now().date()


def now(session):
    """The session, looking at what requests have written since it looked last."""
    session.rollback()
    return session


def audited(session):
    """What was done, without who looked."""
    done = select(AuditEntry.action).where(AuditEntry.action.not_like("%seen")).order_by(AuditEntry.id)
    return now(session).scalars(done).all()


def test_an_enrolled_patient_signs_in_with_the_sheet_and_reports(visitor, today, pages):
    sheet = enrol(visitor, today)
    assert sheet.heading == "Invitation for Zoe Sample"
    (code,) = CODE.findall(sheet.text)
    page = pages(None).get("joining.code").press("Continue", code=code)
    assert page.press("Save and sign in", passphrase=NEW, again=NEW).path == "/report"
    assert pages(None).get("accounts.sign_in").press("Sign in", sign_in_name="zoe", passphrase=NEW).path == "/report"


def test_enrolment_keeps_what_was_filled_in(visitor, today, emil, session):
    enrol(visitor, today, **parts("born_on", today.replace(year=1970, day=1)), **parts("on_steroids_since", today))
    (patient,) = now(session).scalars(select(Patient))
    (course,) = patient.courses
    assert (patient.name, patient.phone, patient.care_team_id) == ("Zoe Sample", "+44 1632 960 401", emil.care_team_id)
    assert patient.born_on == today.replace(year=1970, day=1)
    assert (course.therapy, course.product, course.on_steroids_since) == ("car_t", "TECARTUS", today)
    assert course.started_on == today - timedelta(days=3)
    assert [event.given_on for event in course.dose_events] == [course.started_on]
    assert audited(session) == ["patient_enrolled", "access_given"]


def test_an_unknown_therapy_and_day_stay_unknown(visitor, today, session):
    """Unknown is never normal: nothing may stand in for it."""
    empty = {"started_on-day": "", "started_on-month": "", "started_on-year": ""}
    enrol(visitor, today, therapy="unknown", **empty)
    (course,) = now(session).scalars(select(Course))
    assert (course.therapy, course.started_on, course.dose_events) == (None, None, [])


def test_every_therapy_of_the_catalogue_can_be_chosen(visitor, make):
    page = visitor.get("accounts.enrol")
    offered = [str(radio["value"]) for radio in page.soup.select("input[name=therapy]")]
    assert offered == [*make.ruleset.catalogue.therapies, "unknown"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": " "}, "Enter the patient’s name"),
        ({"therapy": None}, "Choose the therapy, or “Not known”"),
        ({"therapy": "made_up"}, "Choose the therapy, or “Not known”"),
        ({"started_on-month": "13"}, "Enter the date as day, month and year"),
        ({"started_on-year": ""}, "Enter the date as day, month and year"),
        ({"started_on-year": "2999"}, "Day 0 cannot be in the future"),
        ({"started_on-year": "1926"}, "Day 0 is more than 2 years ago. Check the year"),
        ({"sign_in_name": "zoe sample"}, "A sign-in name has letters, digits"),
    ],
    ids=[
        "no name",
        "no therapy",
        "unheard-of therapy",
        "no such month",
        "half a date",
        "future",
        "long ago",
        "space in the name",
    ],
)
def test_a_slip_is_named_and_what_was_typed_is_kept(fields, error, visitor, today, session):
    page = enrol(visitor, today, **fields)
    assert page.status == 422
    assert len(page.errors) == 1
    assert page.errors[0].startswith(error)
    assert page.field("product") == "TECARTUS"
    assert now(session).scalar(select(func.count()).select_from(Patient)) == 0


def test_a_sign_in_name_belongs_to_one_person_however_it_is_written(visitor, today, make, session):
    make.nurse("Somebody", sign_in_name="zoe")
    page = enrol(visitor, today, sign_in_name="ZOE")
    assert page.errors == ["Somebody has this sign-in name already. Choose another one"]
    assert now(session).scalar(select(func.count()).select_from(Patient)) == 0, "all or nothing"


def test_reloading_the_sheet_enrols_nobody_twice(visitor, today, session):
    enrol(visitor, today)
    assert enrol(visitor, today).status == 422
    assert now(session).scalar(select(func.count()).select_from(Patient)) == 1


def test_a_patient_may_have_no_account(visitor, today, session):
    page = enrol(visitor, today, sign_in_name="")
    assert page.shows("Nobody can sign in for this patient yet")
    assert page.heading == "Zoe Sample"


def test_the_code_is_shown_once_and_stored_nowhere(visitor, today, session):
    sheet = enrol(visitor, today)
    (code,) = CODE.findall(sheet.text)
    (patient,) = now(session).scalars(select(Patient))
    assert code not in visitor.get("accounts.patient", patient_id=patient.id).html
    rows = session.scalars(select(Invitation)).all() + session.scalars(select(Person)).all()
    stored = [str(value) for row in rows for value in vars(row).values()]
    assert len(stored) > 20
    assert not any(code in value or code.replace("-", "") in value for value in stored)


def test_no_two_passphrases_are_alike_and_none_can_be_guessed():
    made = {passwords.code() for _ in range(200)}
    assert len(made) == 200
    assert all(CODE.fullmatch(passphrase) for passphrase in made)
    assert not set("ilos01") & set("".join(made)), "letters that look or sound alike"


def test_a_caregiver_gets_access_to_one_patient(visitor, anna, emil, today, pages, session):
    page = visitor.get("accounts.patient", patient_id=anna.id).click("Give access")
    fields = {"role": "caregiver", "name": "Cora", "sign_in_name": "cora", "phone": "+44 1632 960 402"}
    page = page.press("Make an invitation", **fields)
    assert page.errors == [
        "Choose how the patient agreed",
        "Enter the date as day, month and year, for example 17 11 2026",
    ], "no caregiver without the patient's consent"
    assert now(session).scalar(select(Person).where(Person.called("cora"))) is None
    sheet = page.press("Make an invitation", way="in_writing", **parts("given_on", today))
    (code,) = CODE.findall(sheet.text)
    page = pages(None).get("joining.code").press("Continue", code=code)
    assert page.press("Save and sign in", passphrase=NEW, again=NEW).path == "/report"
    cora = now(session).scalar(select(Person).where(Person.called("cora")))
    assert (cora.role, cora.patient_id, cora.phone) == ("caregiver", anna.id, "+44 1632 960 402")
    assert (cora.consent.way, cora.consent.given_on, cora.consent.noted_by_id) == ("in_writing", today, emil.id)


def test_a_role_that_is_not_offered_cannot_be_given(visitor, anna, session):
    page = visitor.get("accounts.give_access", patient_id=anna.id)
    page = page.press("Make an invitation", role="nurse", name="Mallory", sign_in_name="mallory")
    assert page.errors == ["Choose whose account it is"]
    assert now(session).scalar(select(Person).where(Person.called("mallory"))) is None


def test_a_new_invitation_ends_passphrase_and_sign_ins(visitor, make, anna, pages):
    """What somebody who has lost the phone needs at once."""
    account = make.account(anna)
    on_the_phone = pages(account)
    sheet = visitor.get("accounts.patient", patient_id=anna.id).press("Make a new invitation for Anna")
    assert len(CODE.findall(sheet.text)) == 1
    assert on_the_phone.get("reports.home").location.startswith("/sign-in")
    page = pages(None).get("accounts.sign_in")
    page = page.press("Sign in", sign_in_name=account.sign_in_name, passphrase=PASSWORD)
    assert page.shows("is not right")


def test_an_account_of_another_patient_cannot_be_renewed_through_this_one(visitor, make, anna, session):
    other = make.account(make.patient("Berta"))
    before = other.password_hash
    assert visitor.post("accounts.renew_access", patient_id=anna.id, person_id=other.id).status == 404
    session.rollback()
    assert other.password_hash == before


def test_a_further_dose_starts_the_count_anew(visitor, make, anna, today, session):
    page = visitor.get("monitoring.add_dose", patient_id=anna.id)
    page = page.press("Add dose", kind="dose_step", **parts("given_on", today))
    assert page.path == f"/people/{anna.id}"
    session.rollback()
    (course,) = anna.courses
    assert course.started_on == today - timedelta(days=5), "day 0 stays the first"
    assert [(event.given_on, event.kind) for event in course.dose_events][-1] == (today, "dose_step")
    assert audited(session)[-1] == "dose_added"


def test_the_first_dose_makes_day_0_known(visitor, make, today, session):
    berta = make.patient("Berta", day=None)
    visitor.get("monitoring.add_dose", patient_id=berta.id).press(
        "Add dose", kind="infusion", **parts("given_on", today)
    )
    session.rollback()
    assert berta.courses[0].started_on == today


def test_a_dose_in_the_future_is_a_slip(visitor, anna, today):
    page = visitor.get("monitoring.add_dose", patient_id=anna.id)
    page = page.press("Add dose", kind="infusion", **parts("given_on", today + timedelta(days=2)))
    assert page.errors == ["The dose cannot be in the future"]
    assert page.field("given_on-year") == str((today + timedelta(days=2)).year)


def test_the_end_of_monitoring_closes_no_alert(visitor, make, anna, alice, today, pages, session):
    """An urgent alert leaves only by a person's decision."""
    alert = make.alert(anna, Urgency.URGENT)
    page = visitor.get("monitoring.end", patient_id=anna.id)
    page = page.press("End monitoring", reason="completed", **parts("ended_on", today))
    assert page.shows(f"ended on {today.isoformat()}")
    session.rollback()
    assert anna.courses[0].ended_on == today
    assert session.get(Alert, alert.id).status == AlertStatus.OPEN
    assert pages(alice).get("care_team.queue").row("Anna").shows("Urgent")


def test_monitoring_cannot_end_before_it_began(visitor, anna, today):
    page = visitor.get("monitoring.end", patient_id=anna.id)
    page = page.press("End monitoring", reason="completed", **parts("ended_on", today - timedelta(days=6)))
    assert page.errors == ["The last day cannot be before day 0"]


def test_the_list_shows_the_own_team_only(visitor, make, anna, charlie):
    make.patient("Hugo", team=charlie.care_team)
    page = visitor.get("accounts.people")
    assert page.row("Anna").shows("CAR T")
    assert not page.shows("Hugo")


def test_a_patient_without_a_course_is_not_dropped_from_the_list(visitor, make):
    make.patient("Berta", course=False)
    assert visitor.get("accounts.people").row("Berta")

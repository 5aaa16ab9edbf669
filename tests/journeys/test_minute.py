"""A report in under a minute, on a phone: taps are counted, and what goes wrong in the middle loses nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.browsing import follow
from tests.journeys.test_road import checked, go_on, say, sign_in
from tests.make import PASSWORD
from triage import clock
from triage.database import writing
from triage.models import Alert, ReportDraft, ReportRecord, ThinkingBaseline
from triage.reports import thinking
from triage.rules.urgency import Urgency

pytestmark = pytest.mark.database("sqlite")
MOST_TAPS = 6


class Thumb:
    """Taps on a phone, counted. Typing is what the tapped field then gets."""

    def __init__(self, page, look=lambda page: page):
        self.page = page
        self.taps = 0
        self.look = look

    def field(self, label, text):
        self.taps += 1
        self.page.get_by_label(label).tap()
        self.page.keyboard.type(text)

    def button(self, name):
        self.taps += 1
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).tap()
        self.look(self.page)


def press(page, button):
    """Press a button that is an answer. The pages themselves are looked at in three of these tests."""
    follow(page.get_by_role("button", name=button, exact=True))
    return page


@pytest.fixture
def otto(make):
    """On a day that asks for no thinking check."""
    return make.patient("Otto", day=40, town="Leeds", hospital="Jimmy’s")


def stored(session):
    session.rollback()
    return session.scalars(select(ReportRecord).order_by(ReportRecord.reported_at)).all()


def quiet_day(thumb):
    thumb.button("None of these")
    thumb.field("Your temperature now", "36.8")
    thumb.button("Continue")
    thumb.button("None of these")
    thumb.button("None of all these")


def test_a_quiet_day_takes_six_taps_and_one_number(make, otto, browse, session):
    make.account(otto, temperature_unit="c")  # as the thermometer showed yesterday
    phone = browse("phone")
    sign_in(phone, make.account(otto))
    thumb = Thumb(phone, checked)
    quiet_day(thumb)
    thumb.button("Send")

    assert thumb.taps <= MOST_TAPS, f"a quiet day took {thumb.taps} taps"
    expect(phone.get_by_role("heading", name="Nothing in this report asks for a call today")).to_be_visible()
    assert len(stored(session)) == 1


def test_progress_is_shown_and_what_changed_before_sending(make, otto, browse):
    make.report(otto, ago=timedelta(hours=20), temperature_c=36.6, tiredness="moderate", cough="none", nausea="mild")
    phone = browse("phone")
    sign_in(phone, make.account(otto))
    expect(phone.get_by_text("Step 1 of 5")).to_be_visible()
    press(phone, "None of these")
    assert phone.get_by_label("Your temperature now").input_value() == ""
    phone.get_by_label("Your temperature now").fill("36.8")
    phone.get_by_label("°C (Celsius)").check()
    press(phone, "Continue")
    expect(phone.get_by_text("Step 3 of 5")).to_be_visible()
    press(phone, "None of these")
    assert phone.locator("input:checked").count() == 0, "nothing is filled in from yesterday"
    phone.get_by_label("I cough").check()
    phone.get_by_label("I am tired").check()
    press(phone, "Continue")
    phone.get_by_role("group", name="I cough").get_by_label("Mild").check()
    phone.get_by_role("group", name="I am tired").get_by_label("Severe", exact=False).first.check()
    press(phone, "Continue")
    assert phone.locator(".app-since li").all_inner_texts() == [
        "New: Cough, from none to mild",
        "More: Temperature, from 36.6 °C to 36.8 °C",
        "More: Tiredness, from moderate to severe",
        "Not any more: Nausea, from mild to none",
    ]


@pytest.mark.parametrize("address", ["/report", "/report/danger"])
def test_every_target_is_large_enough_for_a_hot_and_shaking_hand(address, make, otto, browse):
    phone = browse("phone")
    sign_in(phone, make.account(otto))
    phone.goto(address)
    for target in phone.locator("main button:visible, main .nhsuk-checkboxes__item, main .app-call__link").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44, target.inner_text()
    assert phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_an_emergency_on_the_first_question_is_two_taps_and_going_back_sends_nothing_twice(make, otto, browse, session):
    phone = browse("phone")
    sign_in(phone, make.account(otto))
    phone.get_by_label("I had a seizure").check()
    press(phone, "Continue")
    expect(phone.get_by_role("heading", name="Call 999 now")).to_be_visible()
    phone.go_back()
    phone.goto("/report/danger")
    assert phone.get_by_label("I had a seizure").is_checked()
    press(phone, "Continue")
    expect(phone.get_by_role("heading", name="Call 999 now")).to_be_visible()
    assert len(stored(session)) == 1, "the same signs were sent already"
    phone.goto("/report/danger")
    phone.get_by_label("I coughed up or vomited blood").check()
    press(phone, "Continue")
    assert len(stored(session)) == 2, "one more sign is news"
    follow(phone.get_by_role("button", name="Tell us more"))
    expect(checked(phone).get_by_role("heading", name="Temperature")).to_be_visible()


def test_a_dead_battery_loses_nothing_another_device_goes_on(make, otto, browse, session):
    phone, tablet = browse("phone"), browse("desktop")
    sign_in(phone, make.account(otto))
    press(phone, "None of these")
    phone.get_by_label("Your temperature now").fill("37.9")
    phone.get_by_label("°C (Celsius)").check()
    press(phone, "Continue")
    phone.context.close()

    sign_in(tablet, make.account(otto))
    follow(tablet.get_by_role("button", name="Go on with today’s report"))
    expect(checked(tablet).get_by_text("Which of these are true?")).to_be_visible()
    press(tablet, "None of these")
    press(tablet, "None of all these")
    expect(tablet.get_by_text("37.9 °C (100.2 °F)")).to_be_visible()
    press(tablet, "Send")
    (report,) = stored(session)
    assert '"temperature_c": 37.9' in report.data


def test_a_sign_in_that_ends_in_the_middle_loses_nothing(make, otto, browse, session):
    phone = browse("phone")
    sign_in(phone, make.account(otto))
    press(phone, "None of these")
    phone.get_by_label("Your temperature now").fill("38.6")
    phone.get_by_label("°C (Celsius)").check()
    phone.context.clear_cookies()
    press(phone, "Continue")
    phone.get_by_label("Your sign-in name").fill(make.account(otto).sign_in_name)
    phone.get_by_label("Your passphrase").fill(PASSWORD)
    press(phone, "Sign in")
    press(phone, "Send it now")
    expect(phone.get_by_text("Step 3 of 5")).to_be_visible()
    session.rollback()
    assert session.scalar(select(ReportDraft)).answers["temperature"]["temperature"] == "38.6"


def test_a_quiet_day_by_keyboard_alone(make, otto, browse, session):
    desk = browse("desktop")
    sign_in(desk, make.account(otto))

    def reach(name):
        button = desk.get_by_role("button", name=name, exact=True)
        for _ in range(120):
            desk.keyboard.press("Tab")
            if button.evaluate("e => e === document.activeElement"):
                break
        else:
            raise AssertionError(f"the keyboard does not reach {name}")
        with desk.expect_navigation():
            desk.keyboard.press("Enter")

    reach("None of these")
    field = desk.get_by_label("Your temperature now")
    while not field.evaluate("e => e === document.activeElement"):
        desk.keyboard.press("Tab")
    desk.keyboard.type("36,8")
    desk.keyboard.press("Tab")
    desk.keyboard.press("Space")
    reach("Continue")
    reach("None of these")
    reach("None of all these")
    reach("Send")
    assert len(stored(session)) == 1


def test_a_quiet_day_without_scripts(make, otto, browse, session):
    phone = browse("phone", java_script_enabled=False)
    phone.goto("/")
    phone.get_by_label("Your sign-in name").fill(make.account(otto).sign_in_name)
    phone.get_by_label("Your passphrase").fill(PASSWORD)
    follow(phone.get_by_role("button", name="Sign in"))
    follow(phone.get_by_role("button", name="None of these"))
    phone.get_by_label("Your temperature now").fill("36.8")
    phone.get_by_label("°C (Celsius)").check()
    for name in ("Continue", "None of these", "None of all these", "Send"):
        follow(phone.get_by_role("button", name=name, exact=True))
    assert len(stored(session)) == 1


# --- the thinking check


@pytest.fixture
def nora(make, session):
    """On day 6 after CAR T cells, with a check of her own from before."""
    nora = make.patient("Nora", day=6, town="Leeds", hospital="Jimmy’s")
    every = [mark for marks in thinking.MARKS.values() for mark in marks]
    account = make.account(nora, temperature_unit="c")
    with writing(session):
        session.add(
            ThinkingBaseline(
                patient_id=nora.id,
                language="en",
                steps={},
                taken_at=make.now() - timedelta(days=9),
                taken_by_id=account.id,
                right_answers=every,
                answers={"sentence": thinking.words().sentence},
            )
        )
    return nora


def think(thumb, *, counting="100 90 80 70 60 50 40 30 20 10"):
    """The five tasks, answered rightly but for the last where it is given."""
    page = thumb.page
    thumb.button("Start the thinking check")
    today = clock.now()
    thumb.field("What year is it?", str(today.year))
    thumb.field("What month is it?", f"{today:%B}")
    thumb.field("Which town are you in?", "Leeds")
    thumb.field("Which hospital looks after you?", "Jimmys")
    thumb.button("Continue")
    sources = [image.get_attribute("src") for image in page.locator("img.app-picture").all()]
    names = {picture.number: picture.names[0] for one in thinking.words().sets for picture in one.pictures}
    for number, source in enumerate(sources, 1):
        thumb.field(f"What is in picture {number}?", names[int(re.search(r"(\d+)\.svg", source)[1])])
    thumb.button("Continue")
    shape = re.search(r"Press the (\w+)", page.locator(".app-task").inner_text())[1]
    thumb.button(shape)
    thumb.field("Write this sentence:", thinking.words().sentence)
    thumb.button("Continue")
    thumb.field("Count back from 100 by ten", counting)
    thumb.button("Continue")


def test_a_quiet_day_with_the_thinking_check(make, nora, browse, session):
    phone = browse("phone")
    sign_in(phone, make.account(nora))
    thumb = Thumb(phone)
    quiet_day(thumb)
    thumb.look = checked
    before = thumb.taps
    think(thumb)
    assert thumb.taps - before == 15
    assert "of 10" not in phone.content()
    thumb.button("Send")
    expect(phone.get_by_role("heading", name="Nothing in this report asks for a call today")).to_be_visible()
    assert "of 10" not in phone.content()


def test_a_score_that_falls_reaches_the_nurse(make, nora, alice, browse, session):
    phone, desk = browse("phone"), browse("desktop")
    sign_in(phone, make.account(nora))
    thumb = Thumb(phone)
    quiet_day(thumb)
    think(thumb, counting="100 90 70 60")
    thumb.button("Send")
    expect(phone.get_by_role("heading", name="Call your care team now")).to_be_visible()
    session.rollback()
    assert session.scalar(select(Alert.urgency)) is Urgency.URGENT

    sign_in(desk, alice)
    row = desk.locator(".app-queue__row", has_text="Nora")
    expect(row).to_contain_text("thinking check 9 points is at least 1 below the person's own 10")
    follow(row.get_by_role("link", name="Open record"))
    expect(checked(desk).get_by_text("Latest sentence")).to_be_visible()


def test_patient_and_caregiver_on_one_day_and_the_nurse_reads_that_they_differ(make, otto, alice, browse, session):
    patient, caregiver, desk = browse("phone"), browse("phone"), browse("desktop")
    sign_in(patient, make.account(otto))
    press(patient, "None of these")
    patient.get_by_label("Your temperature now").fill("36.8")
    patient.get_by_label("°C (Celsius)").check()
    press(patient, "Continue")
    for button in ("None of these", "None of all these", "Send"):
        press(patient, button)

    sign_in(caregiver, make.caregiver(otto, "Cora"))
    say(caregiver, "None of these")
    caregiver.get_by_label("I could not measure it").check()
    go_on(caregiver)
    say(caregiver, "None of these")
    caregiver.get_by_label("They are not themselves").check()
    go_on(caregiver)
    say(caregiver, "Otto is not with me")
    say(caregiver, "Send")
    expect(caregiver.get_by_role("heading", name="Call your care team now")).to_be_visible()

    sign_in(desk, alice)
    row = desk.locator(".app-queue__row", has_text="Otto")
    expect(row).to_contain_text("Contradiction: Cora (caregiver)")
    expect(row).to_contain_text("no sign at all")
    assert len(stored(session)) == 2

"""Without a connection: whom to call is there, what was said is kept and never claimed to be sent, then sent once."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tests.browsing import follow
from tests.journeys.test_road import checked
from tests.make import PASSWORD
from triage.models import ReportRecord
from triage.reports import services

pytestmark = pytest.mark.database("sqlite")

UNSENT = "Not sent yet: your care team does not know"
KEPT = """async () => {
    const open = indexedDB.open("triage", 1);
    await new Promise(done => { open.onsuccess = open.onerror = done });
    if (!open.result.objectStoreNames.contains("forms")) return [];
    const all = open.result.transaction("forms").objectStore("forms").getAll();
    await new Promise(done => { all.onsuccess = done });
    open.result.close();
    return all.result;
}"""
STORED = """async () => {
    const found = [];
    for (const name of await caches.keys())
        for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
    return found.sort();
}"""

AGE = """async hours => {
    const open = indexedDB.open("triage", 1);
    await new Promise(done => { open.onsuccess = done });
    const forms = open.result.transaction("forms", "readwrite").objectStore("forms");
    const all = forms.getAll();
    await new Promise(done => { all.onsuccess = done });
    for (const form of all.result) forms.put({ ...form, at: form.at - hours * 3_600_000 });
    await new Promise(done => { forms.transaction.oncomplete = done });
    open.result.close();
}"""
PAGE = "async () => (await caches.match('/no-connection'))?.text() ?? ''"
WORKERS = "async () => (await navigator.serviceWorker.getRegistrations()).length"


@pytest.fixture
def otto(make):
    """On a day that asks for no thinking check."""
    return make.patient("Otto", day=40, town="Leeds", hospital="Jimmy’s")


def sign_in(page, person):
    page.goto("/")
    page.get_by_label("Your sign-in name").fill(person.sign_in_name)
    page.get_by_label("Your passphrase").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))
    return page


def ready(page, person):
    """The phone of that person, on which the page for later is stored."""
    sign_in(page, person)
    until(page, STORED, lambda stored: "/no-connection" in stored)
    return page


def told(page, words):
    """The line above the page says it; the others in it are hidden."""
    expect(page.locator("#unsent p:visible", has_text=words)).to_be_visible()


def until(page, script, good):
    """Ask the page again and again, until its answer is good."""
    for _ in range(600):
        if good(page.evaluate(script)):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{page.evaluate(script)} after half a minute")


def press(page, button):
    follow(page.get_by_role("button", name=button, exact=True))
    return page


def quiet_day(page):
    press(page, "None of these")
    page.get_by_label("Your temperature now").fill("36.8")
    page.get_by_label("°C (Celsius)").check()
    for button in ("Continue", "None of these", "None of all these"):
        press(page, button)
    return page


def reports(session):
    session.rollback()
    return session.scalars(select(ReportRecord)).all()


def test_a_report_is_kept_without_a_connection_and_sent_once(make, otto, browse, session):
    phone = ready(browse("phone"), make.account(otto))
    quiet_day(phone)
    phone.context.set_offline(True)
    press(phone, "Send")
    expect(checked(phone).get_by_role("heading", name=UNSENT)).to_be_visible()
    phone.goto("/my-record")
    expect(phone.get_by_role("heading", name=UNSENT)).to_be_visible()
    assert reports(session) == []
    kept = phone.evaluate(KEPT)
    assert [form["path"] for form in kept] == ["/report/send"]
    assert "36.8" not in json.dumps(kept), "the answers of a finished report are with the draft on the server"

    phone.context.set_offline(False)
    phone.wait_for_url("**/reports/*")
    expect(phone.get_by_role("heading", name="Nothing in this report asks for a call today")).to_be_visible()
    assert len(reports(session)) == 1
    assert phone.evaluate(KEPT) == []


def test_a_danger_sign_shows_whom_to_call_at_once_and_is_sent_once(make, otto, browse, session):
    phone = ready(browse("phone"), make.account(otto))
    phone.context.set_offline(True)
    follow(phone.get_by_role("link", name="Emergency signs"))
    expect(phone.get_by_text("No connection. Your care team cannot see you here.")).to_be_visible()
    expect(phone.get_by_text("I can hardly stay awake")).to_be_visible()
    assert "Otto" not in phone.content()
    expect(phone.get_by_text("0 minutes ago")).to_be_visible()
    phone.context.set_offline(False)
    phone.goto("/report")
    phone.context.set_offline(True)
    phone.get_by_label("I had a seizure").check()
    press(phone, "Continue")
    expect(checked(phone).get_by_role("heading", name="Call 999 now", exact=False).first).to_be_in_viewport()
    card = phone.get_by_text("What you answered is a danger sign")
    expect(card).to_contain_text("not sent yet: your care team does not know")
    phone.reload()
    assert len(phone.evaluate(KEPT)) == 1, "the same form sent again by the reload is one report"
    phone.context.set_offline(False)
    phone.wait_for_url("**/reports/*")
    expect(phone.get_by_role("heading", name="Call 999 now")).to_be_visible()
    assert len(reports(session)) == 1


def test_the_answers_of_one_page_are_kept_and_the_form_goes_on(make, otto, browse, session):
    phone = ready(browse("phone"), make.account(otto))
    press(phone, "None of these")
    phone.get_by_label("Your temperature now").fill("38.6")
    phone.get_by_label("°C (Celsius)").check()
    phone.context.set_offline(True)
    press(phone, "Continue")
    expect(phone.get_by_text("The answers of that page are kept on this phone")).to_be_visible()
    phone.context.set_offline(False)
    expect(phone.get_by_text("Step 3 of 5")).to_be_visible()
    for button in ("None of these", "None of all these"):
        press(phone, button)
    expect(phone.get_by_text("38.6 °C (101.5 °F)")).to_be_visible()
    phone.context.set_offline(True)
    press(phone, "Send")
    expect(phone.get_by_role("heading", name="Call your care team now")).to_be_visible()


def test_after_the_sign_in_ended_a_kept_report_waits_for_its_own_person(make, otto, browse, session):
    phone = ready(browse("phone"), make.account(otto))
    quiet_day(phone)
    phone.context.set_offline(True)
    press(phone, "Send")
    phone.context.clear_cookies()
    phone.context.set_offline(False)
    follow(phone.locator("#unsent").get_by_role("link", name="Sign in"))
    told(phone, UNSENT)
    sign_in(phone, make.account(otto))
    phone.wait_for_url("**/reports/*")
    assert len(reports(session)) == 1
    assert phone.locator("#unsent").is_hidden()


@pytest.mark.parametrize("other", ["a patient", "a nurse"])
def test_another_person_on_the_same_phone_neither_sends_nor_sees_it(other, make, otto, alice, browse, session):
    phone = ready(browse("phone"), make.account(otto))
    quiet_day(phone)
    phone.context.set_offline(True)
    press(phone, "Send")
    phone.context.clear_cookies()
    phone.context.set_offline(False)
    berta = make.patient("Berta", day=40, team=make.team("Ward B", phone="+44 1632 960 777"))
    sign_in(phone, alice if other == "a nurse" else make.account(berta))
    until(phone, KEPT, lambda kept: kept == [])
    assert phone.locator("#unsent").count() == 0 or phone.locator("#unsent").is_hidden()
    assert reports(session) == []
    if other == "a nurse":
        until(phone, WORKERS, lambda number: number == 0)
        assert phone.evaluate(STORED) == []
    else:
        until(phone, PAGE, lambda page: "+44 1632 960 777" in page)


def test_no_page_of_a_person_is_stored_and_signing_out_leaves_nothing(make, otto, browse, session):
    make.report(otto, temperature_c=36.6)
    phone = ready(browse("phone"), make.account(otto))
    for address in ("/report", "/my-record", "/reports", "/account", "/on-this-phone"):
        phone.goto(address)
    checked(phone)
    expected = ["/no-connection", "/static/icon.svg", "/static/reporter.js", "/static/site.css"]
    assert phone.evaluate(STORED) == expected
    page = phone.evaluate(PAGE)
    assert "Otto" not in page
    assert make.account(otto).sign_in_name not in page
    follow(phone.get_by_role("button", name="Sign out"))
    assert phone.evaluate(STORED) == []
    assert phone.evaluate(WORKERS) == 0


def test_a_server_that_fails_counts_as_no_connection(make, otto, browse, session, monkeypatch):
    phone = ready(browse("phone"), make.account(otto))
    quiet_day(phone)
    asked = []
    phone.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    with monkeypatch.context() as broken:
        broken.setattr(services, "submit", fail)
        press(phone, "Send")
        expect(phone.get_by_role("heading", name=UNSENT)).to_be_visible()
        phone.goto("/my-record")
        told(phone, UNSENT)
        with phone.expect_event("dialog"):
            phone.get_by_role("button", name="Sign out").click()  # stays on the page
        told(phone, UNSENT)
        assert "Signing out deletes it" in asked[0]
        phone.goto("/report/note")
        phone.get_by_label("Anything else").fill("I am")
    phone.context.set_offline(True)
    phone.context.set_offline(False)
    told(phone, "is sent now")
    assert phone.get_by_label("Anything else").input_value() == "I am", "nobody is taken away while they type"
    assert len(reports(session)) == 1
    follow(phone.get_by_role("link", name="Read what to do now"))
    expect(phone.locator("#unsent")).to_be_hidden()


def fail(*args, **kwargs):
    raise OperationalError("INSERT", {}, Exception("the disk is full"))


def test_what_is_too_old_to_be_sent_is_deleted_and_told_of(make, otto, browse, session):
    phone = ready(browse("phone"), make.account(otto))
    quiet_day(phone)
    phone.context.set_offline(True)
    press(phone, "Send")
    phone.evaluate(AGE, 73)
    phone.context.set_offline(False)
    phone.goto("/report")
    told(phone, "was never sent")
    phone.get_by_role("button", name="I have read this").click()  # stays on the page
    expect(phone.locator("#unsent")).to_be_hidden()
    assert phone.evaluate(KEPT) == []
    assert reports(session) == []

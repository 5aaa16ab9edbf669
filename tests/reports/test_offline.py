"""What a phone keeps without a connection, as the server takes it; in a browser: tests/journeys/test_offline.py."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.reports.test_form import TEMPERATURE, fill_in
from triage import clock
from triage.accounts.access import allowed_roles
from triage.models import Alert, ReportDraft, ReportRecord, Role
from triage.paths import top
from triage.reports import services

pytestmark = pytest.mark.database("sqlite")
WORKER = (top() / "assets/worker.mjs").read_text()


@pytest.fixture
def otto(make):
    """On a day that asks for no thinking check."""
    return make.patient("Otto", day=40)


@pytest.fixture
def visitor(make, otto, pages):
    return pages(make.account(otto))


@pytest.fixture
def later(monkeypatch):
    """Lets hours pass."""

    def pass_(**time):
        real = clock.now
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(**time))

    return pass_


def send_kept(visitor, path, fields, **waited):
    """As the worker sends it: with a token of the present sign-in and for how long it was kept, in seconds."""
    permit = json.loads(visitor.client.get("/report/token").text)
    seconds = str(int(timedelta(**waited).total_seconds()))
    page = visitor.post(path, fields | {"csrf_token": permit["csrf_token"], "waited": seconds})
    page.next = page.response.json["next"] if page.response.is_json else page.path
    return page


def hidden(page, action):
    """The hidden fields of the form that goes there."""
    (form,) = page.soup.select(f'form[action="{action}"]')
    return {tag["name"]: tag["value"] for tag in form.select("input[type=hidden]")}


def reports(session):
    session.rollback()
    return session.scalars(select(ReportRecord)).all()


def test_a_report_counts_when_it_was_answered_and_its_alert_begins_when_it_came(visitor, alice, pages, session, later):
    page = fill_in(visitor, TEMPERATURE | {"temperature": "38.6"})
    fields = hidden(page, "/report/send")
    assert fields["meanwhile"] == "urgent", "without a connection the phone shows whom to call"
    answered = clock.now()
    later(hours=3)
    page = visitor.get(send_kept(visitor, "/report/send", fields, hours=3).next)

    assert page.shows("The phone had no connection")
    (report,) = reports(session)
    assert abs(report.reported_at - answered) < timedelta(minutes=1)
    assert '"temperature_c": 38.6' in report.data, "what was felt then is not asked anew"
    alert = session.scalars(select(Alert)).one()
    assert alert.opened_at - report.reported_at > timedelta(hours=2), "nobody could have answered it before"
    assert send_kept(visitor, "/report/send", fields, hours=3).next == f"/reports/{report.id}"
    assert len(reports(session)) == 1, "sent twice is stored once"
    nurse, said = pages(alice), "kept by the phone until it had a connection"
    assert nurse.get("care_team.queue").row("Otto").shows(said)
    assert nurse.get("care_team.record", patient_id=alert.patient_id).shows(said)


def test_a_danger_sign_and_the_one_tap_are_sent_late_too(visitor, session, later):
    page = visitor.get("reports.home")
    assert hidden(page, "/report/too-unwell")["meanwhile"] == "urgent"
    one_tap = hidden(page, "/report/too-unwell")
    signs = hidden(page, "/report/danger") | {"signs": ["seizure"]}
    later(minutes=50)
    for path, fields in (("/report/danger", signs), ("/report/too-unwell", one_tap)):
        for _ in range(2):
            assert send_kept(visitor, path, fields, minutes=50).next.startswith("/reports/")
    assert len(reports(session)) == 2
    assert all(clock.now() - report.reported_at >= timedelta(minutes=50) for report in reports(session))


def test_nobody_elses_form_is_taken_whatever_the_phone_says(make, visitor, pages, session):
    page = fill_in(visitor)
    berta = pages(make.account(make.patient("Berta", day=40)))
    fill_in(berta)
    for path in ("/report/send", "/report/too-unwell", "/report/danger"):
        assert send_kept(berta, path, hidden(page, "/report/send") | {"signs": ["seizure"]}).status == 403
    assert reports(session) == []


@pytest.mark.parametrize("waited", ["-5", "nonsense", "", "9" * 30])
def test_no_clock_of_a_phone_moves_a_report_far(waited, visitor, session):
    page = fill_in(visitor)
    fields = hidden(page, "/report/send") | {"waited": waited}
    del fields["csrf_token"]
    assert visitor.post("reports.send", fields).response.json["next"].startswith("/reports/")
    (report,) = reports(session)
    assert abs(clock.now() - report.reported_at) < timedelta(minutes=1), "it was finished after its last page came"


def test_a_kept_page_replaces_nothing_that_was_typed_later_elsewhere(visitor, session, later):
    page = visitor.get("reports.danger").press("None of these")
    kept = {"for_person": page.field("for_person"), "temperature": "37.1", "unit": "c"}
    later(minutes=20)
    page.press("Continue", temperature="38.9", unit="c")
    send_kept(visitor, "/report/temperature", kept, minutes=20)
    session.rollback()
    assert session.scalar(select(ReportDraft)).answers["temperature"]["temperature"] == "38.9"


def test_the_stored_page_holds_nothing_of_the_person(make, otto, pages):
    cora = make.caregiver(otto)
    for somebody, first in ((make.account(otto), "I can hardly stay awake"), (cora, "They cannot be woken")):
        visitor = pages(somebody)
        visitor.get("own_record.page")
        page = visitor.get("offline.page")
        assert page.shows("Your care team cannot see you here")
        assert page.shows(first)
        for secret in ("Otto", "Cora", somebody.sign_in_name, str(somebody.id), "csrf", "stamp"):
            assert secret not in page.html, secret
        assert "tel:+441632960300" in page.html


def test_storing_the_page_takes_no_message_from_the_next_one(make, otto, visitor):
    visitor.post("reports.send", {"token": "never printed"})  # says on the next page that there was nothing to send
    visitor.get("offline.page")
    assert visitor.get("reports.home").shows("There was no finished report to send")


def test_the_worker_stands_before_pages_of_reporters_and_no_page_of_staff(app):
    ours = re.compile(re.search(r"OURS = /(.+)/\n", WORKER)[1].replace("\\/", "/"))
    shared = {"/", "/sign-in", "/emergency", "/account", "/account/passphrase", "/account/end", "/account/end-others"}
    shared |= {f"/account/passkeys/{what}" for what in ("add", "save", "remove")}
    for rule in app.url_map.iter_rules():
        path, roles = re.sub(r"<[^>]+>", "one", rule.rule), allowed_roles(app.view_functions[rule.endpoint])
        if path in shared or rule.endpoint in ("static", "offline.page"):
            continue
        for_reporters = roles is not None and set(roles) <= {Role.PATIENT, Role.CAREGIVER}
        assert bool(ours.match(path)) == for_reporters, f"{path}: see OURS of assets/worker.mjs"


def test_phone_and_server_keep_for_the_same_time():
    hours = re.search(r"LONGEST = (\d+) \* 3_600_000", (top() / "assets/kept.mjs").read_text())[1]
    assert timedelta(hours=int(hours)) == services.LONGEST_WAIT


def test_it_can_be_installed(client):
    with client.get("/static/manifest.webmanifest") as answer:
        manifest = json.loads(answer.data)
        assert answer.mimetype == "application/manifest+json"
    assert (manifest["name"], manifest["start_url"], manifest["display"]) == ("Triage helper", "/report", "standalone")
    for icon in manifest["icons"]:
        with client.get(icon["src"]) as file:
            assert (file.status_code, file.mimetype) == (200, icon["type"])
    with client.get("/static/worker.js") as worker:
        assert worker.headers["Service-Worker-Allowed"] == "/"


def test_only_signing_out_as_patient_or_caregiver_clears_the_browser(make, otto, alice, pages):
    """Staff have choices of their own there, as whether the queue makes a sound."""
    for somebody, cleared in ((make.account(otto), '"storage"'), (alice, None)):
        assert pages(somebody).post("accounts.sign_out").response.headers.get("Clear-Site-Data") == cleared


def test_a_message_about_what_was_kept_waits_for_the_reporter_and_not_for_the_worker(visitor, session):
    page = fill_in(visitor)
    fields = hidden(page, "/report/send")
    visitor.get("reports.home").press("I am too unwell to answer")  # takes the draft along
    assert send_kept(visitor, "/report/send", fields, minutes=2).next == "/report"
    assert visitor.get("reports.home").shows("There was no finished report to send")
    assert len(reports(session)) == 1

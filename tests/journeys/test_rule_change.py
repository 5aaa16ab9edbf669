"""A change of the rules in a real browser: edited, replayed, proposed, approved by another, and taken back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.browsing import follow
from tests.journeys.test_road import checked, report_fever, sign_in
from triage.models import AssessmentRecord, RulesetDraft
from triage.reports import services as reports

REASON = "Our ward sees every fever from 37.8 °C on"


@pytest.fixture
def dora(make):
    return make.clinician("Dora")


def open_file(page, name="crs.yaml"):
    follow(page.get_by_role("link", name="Change the rules").first)
    follow(page.get_by_role("link", name=name, exact=True).first)
    expect(page.locator(".cm-content")).to_be_visible()
    return checked(page)


def type_over(page, line, was, now):
    """Put the cursor before `was` in the first line that shows `line`, and type over it."""
    page.locator(".cm-line", has_text=line).first.click()
    page.keyboard.press("End")
    for _ in range(len(line) - line.index(was)):
        page.keyboard.press("ArrowLeft")
    for _ in was:
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.type(now)


@pytest.mark.database("sqlite")  # each step of it is tested on both by tests/ruleset_editor
def test_from_a_threshold_to_a_new_version_and_back(make, session, app, anna, alice, dora, browse):
    make.report(anna, temperature_c=37.9)
    fred, berta = make.clinician("Fred"), make.patient("Berta")
    one, two, phone, desk = browse("desktop"), browse("desktop"), browse("phone"), browse("desktop")

    # Clinician one writes 37.8 in place of 38.0, and turns the example round that says otherwise.
    sign_in(one, dora)
    open_file(one)
    type_over(one, "temperature: {at_least: 38.0 C}", "38.0", "37.8")
    expect(one.locator("#editor-state")).to_contain_text("Saved in your draft")
    expect(one.locator("#editor-told")).to_contain_text("the temperature is at least 37.8 °C (100.0 °F)")
    expect(one.locator("#editor-problems")).to_contain_text("crs-fever should stay quiet on this example")
    expect(one.locator("#editor-ran")).to_contain_text("1 comes out differently")
    checked(one).locator("#editor-told").get_by_role("heading", name="Fever", exact=True).wait_for()
    one.goto("/ruleset/draft/rules/crs-fever")
    follow(checked(one).get_by_role("button", name="It should fire on it"))
    expect(checked(one).get_by_text("Comes out differently")).to_have_count(0)
    for entry in ("day 40, 37.7 °C: soon by other rules", "day 40, 37.8 °C: urgent"):
        one.get_by_label(entry).check()
    follow(one.get_by_role("button", name="Keep as examples"))
    checked(one)

    # The replay names whom it would have flagged.
    one.goto("/ruleset/draft")
    follow(checked(one).get_by_role("button", name="Replay on past reports"))
    change = checked(one).locator(".app-change")
    expect(change).to_contain_text("Anna")
    expect(change).to_contain_text("New: Fever (urgent): temperature 37.9 °C is at least 37.8 °C")
    follow(one.get_by_role("button", name="Propose"))
    checked(one)
    for box in one.get_by_role("checkbox").all():
        box.check()
    for why in one.locator("textarea[name^=accepted]").all():
        why.fill("The wider window is meant so")
    one.get_by_label("Why this change?").fill(REASON)
    follow(one.get_by_role("button", name="Propose"))
    expect(checked(one).get_by_text("Nobody approves their own change")).to_be_visible()
    assert not one.get_by_role("button", name="Approve").count()

    # Until it is approved, nothing changes. Clinician two reads the difference and approves.
    sign_in(two, fred)
    two.goto(one.url)
    checked(two)
    expect(two.locator("ins").first).to_contain_text("the temperature is at least 37.8 °C")
    expect(two.locator("del").first).to_contain_text("the temperature is at least 38.0 °C")
    two.get_by_label("What you say to it").fill("Agreed")
    follow(two.get_by_role("button", name="Approve and make it active"))
    expect(checked(two).get_by_role("heading", name="Version 2")).to_be_visible()

    # A patient with 37.9 °C is told to call, and stands in the queue by the new version.
    sign_in(phone, make.account(berta))
    report_fever(phone, "37.9")
    assert phone.get_by_role("heading", name="Call your care team now").is_visible()
    sign_in(desk, alice)
    expect(desk.get_by_text("temperature 37.9 °C is at least 37.8 °C").first).to_be_visible()

    # Back to version 1 in one step; every old assessment still repeats under its own version.
    two.goto("/ruleset/versions/1")
    checked(two).get_by_label("Why go back?").fill("Too many alerts in one night")
    follow(two.get_by_role("button", name="Make version 1 active again"))
    expect(checked(two).get_by_role("heading", name="Version 3")).to_be_visible()
    session.rollback()
    made = session.scalars(select(AssessmentRecord)).all()
    assert len({assessment.ruleset_hash for assessment in made}) == 2
    with app.app_context():
        assert all(reports.reassess(session, assessment.report_id).same for assessment in made)


@pytest.mark.database("sqlite")
def test_the_code_editor_names_mistakes_completes_words_and_keeps_what_was_typed(session, dora, browse):
    page = browse("desktop")
    sign_in(page, dora)
    open_file(page)
    type_over(page, "urgency: urgent", "urgent", "urgnt")
    expect(page.locator("#editor-problems")).to_contain_text('did you mean "urgent"')
    expect(page.locator(".cm-lintRange-error")).to_have_text("urgnt")
    checked(page)
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.type("e")
    page.keyboard.press("Backspace")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("urgent")
    page.keyboard.press("Escape")
    # In the moment in which nothing is saved yet: the server answers only after the page was to be left.
    questions, held = [], []
    page.on("dialog", lambda dialog: (questions.append(dialog.type), dialog.dismiss()))
    page.route("**/check", lambda route: held.append(route))
    page.keyboard.type("e")
    page.keyboard.press("Backspace")
    with page.expect_event("dialog"):
        page.evaluate("() => { setTimeout(() => location.reload(), 0) }")
    page.unroute("**/check")
    for route in held:
        route.continue_()
    expect(page.locator("#editor-state")).to_contain_text("Saved in your draft")
    assert questions == ["beforeunload"]
    page.reload()
    expect(page.locator(".cm-content")).to_contain_text("urgency: urg")
    session.rollback()
    assert "urgency: urg\n" in session.get(RulesetDraft, dora.id).files["crs.yaml"]


@pytest.mark.database("sqlite")
def test_the_code_editor_completes_what_the_schema_allows_at_that_place(dora, browse):
    page = browse("desktop")
    sign_in(page, dora)
    open_file(page)
    offered = page.locator(".cm-tooltip-autocomplete")
    type_over(page, "temperature: {at_least: 38.0 C}", "at_least: 38.0 C", "wi")
    expect(offered).to_contain_text("within")
    expect(offered).not_to_contain_text("window")  # a key of another place
    page.keyboard.press("Escape")
    page.locator(".cm-line", has_text="urgency: urgent").first.click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("appl")
    expect(offered).to_contain_text("applies_to")
    page.keyboard.press("Escape")
    page.locator(".cm-line", has_text="stays_quiet:").first.click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("  - {days_since_therapy: 3, thin")
    expect(offered).to_contain_text("thinking_check_baseline")
    page.keyboard.press("Escape")
    for _ in "thin":
        page.keyboard.press("Backspace")
    page.keyboard.type("symptoms: {seiz")
    expect(offered).to_contain_text("seizure")
    page.keyboard.press("Escape")
    expect(page.locator("#editor-ran")).to_contain_text("as soon as the mistakes are mended")


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_pages_of_a_change_fit_the_screen(device, make, dora, anna, browse):
    make.report(anna, temperature_c=37.9)
    proposal = make.proposal(make.clinician("Fred"))
    page = browse(device)
    sign_in(page, dora)
    for path in (
        "/ruleset/draft",
        "/ruleset/draft/files/crs.yaml",
        "/ruleset/draft/rules/crs-fever",
        "/ruleset/draft/replay",
        "/ruleset/draft/propose",
        "/ruleset/draft/discard",
        f"/ruleset/proposals/{proposal.id}",
        "/ruleset/versions",
        "/ruleset/versions/1",
    ):
        page.goto(path)
        checked(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


@pytest.mark.database("sqlite")
def test_without_scripts_the_text_is_edited_and_checked_too(session, dora, browse):
    page = browse("desktop", java_script_enabled=False)
    page.goto("/")
    page.get_by_label("Your sign-in name").fill(dora.sign_in_name)
    page.get_by_label("Your passphrase").fill("a long passphrase for tests")
    follow(page.get_by_role("button", name="Sign in"))
    page.goto("/ruleset/draft/files/liver.yaml")
    area = page.get_by_label("The text of the file")
    area.fill(area.input_value().replace("urgency: urgent", "urgency: urgnt", 1))
    follow(page.get_by_role("button", name="Check and run the examples"))
    expect(page.get_by_text('did you mean "urgent"').first).to_be_visible()

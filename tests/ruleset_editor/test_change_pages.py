"""The pages on which clinicians change rules, without scripts."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from tests.make import OTHER_TEAM
from tests.ruleset_editor.changed import as_meant, fever_at
from triage.models import AuditEntry, RulesetDraft
from triage.ruleset_editor import services, versions
from triage.ruleset_editor.editing import find
from triage.ruleset_editor.forms import knobs

pytestmark = pytest.mark.database("sqlite")

REASON = "Our ward sees every fever from 37.8 °C on"


@pytest.fixture
def dora(make):
    return make.clinician("Dora")


@pytest.fixture
def fred(make):
    return make.clinician("Fred")


@pytest.fixture
def drafted(app, session, make):
    """Puts a fever threshold, its examples mended, into somebody's draft."""

    def put(person, threshold="37.8"):
        with app.app_context():
            services.replace_files(session, person, fever_at(versions.started().files, threshold), make.now())

    return put


@pytest.fixture
def proposed(app, session, make, drafted):
    def put(person, threshold="37.8"):
        drafted(person, threshold)
        with app.app_context():
            return services.propose(session, person, as_meant(session, person, REASON), make.now())

    return put


def boxes(page, name):
    return [box["value"] for box in page.soup.select(f"input[name={name}]")]


def test_a_threshold_is_changed_in_a_form_and_its_example_is_turned_round(make, pages, session, dora):
    page = pages(dora).get("ruleset_editor.draft").click("Fever")
    assert page.field("when-temperature-at_least") == "38.0 C"
    page = page.press("Save in my draft", **{"when-temperature-at_least": "37.8 C"}).follow()

    assert page.shows("the temperature is at least 37.8 °C (100.0 °F)")
    assert page.row("day 40, 37.9 °C").shows("Comes out differently")
    text = kept(session, dora)["crs.yaml"]
    was = versions_files(make)["crs.yaml"]
    assert text == was.replace("temperature: {at_least: 38.0 C}\n  why", "temperature: {at_least: 37.8 C}\n  why", 1)

    assert page.shows("1 of its examples comes out differently now: see below")
    page = page.press("It should fire on it day 40, 37.9 °C").follow()
    assert not page.shows("Comes out differently")
    assert page.shows("crs-fever has no example on which it stays quiet")
    page = page.press("Keep as examples", keep=["day 40, 37.7 °C: soon by other rules"])
    assert page.row("day 40, 37.7 °C").shows("Stays quiet")
    assert not page.shows("What the checks say of it")
    draft = pages(dora).get("ruleset_editor.draft")
    assert draft.shows("Fires when the temperature is at least 37.8 °C")
    assert draft.shows("examples were run: all come out as they say.")


def kept(session, person):
    """The files of somebody's draft, as they are stored now."""
    session.rollback()
    draft = session.get(RulesetDraft, person.id)
    return draft and draft.files


def versions_files(make):
    return make.app.extensions[versions.EXTENSION].files


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("when-temperature-at_least", "38", "enter a number with its unit"),
        ("when-temperature-at_least", "88.0 C", "is no body temperature"),
        ("title", " ", "cannot be empty"),
        ("advice", "Call {phone} now", "may stand in braces"),
        ("urgency", "whenever", "Choose how urgent it is"),
    ],
)
def test_a_form_says_what_is_wrong_and_keeps_what_was_typed(field, typed, message, pages, session, dora):
    page = pages(dora).get("ruleset_editor.draft_rule", rule_id="crs-fever")
    page = page.press("Save in my draft", **{field: typed, "why": "Because we want to"})
    assert page.status == 422
    assert any(message in error for error in page.errors), page.errors
    assert page.field("why").strip() == "Because we want to"
    assert kept(session, dora) is None


def test_days_and_therapies_are_changed_in_the_form(pages, session, dora):
    page = pages(dora).get("ruleset_editor.draft_rule", rule_id="crs-chills-early")
    assert page.field("therapies") == ["car_t", "bite"]
    assert page.field("window") == "early"
    page.press("Save in my draft", window="days", days="0 - 21", therapies="car_t", urgency="emergency").follow()
    text = kept(session, dora)["crs.yaml"]
    rule = text[text.index("- id: crs-chills-early") :].split("\n- id:")[0]
    assert "applies_to: {therapies: [car_t], days: 0-21}" in rule or 'days: "0-21"' in rule
    assert "urgency: emergency" in rule
    page = pages(dora).get("ruleset_editor.draft_rule", rule_id="crs-chills-early")
    page = page.press("Save in my draft", window="days", days="21-0")
    assert page.status == 422


def test_every_rule_has_a_form_that_can_be_saved_as_it_is(make, pages, session, dora):
    visitor, seen = pages(dora), set()
    files = versions_files(make)
    for rule in make.ruleset.rules:
        kinds = {(knob.kind, knob.way[-2:]) for knob in knobs(find(files, rule.id), make.ruleset.catalogue)}
        if kinds <= seen:
            continue  # one rule for each kind of number or degree, wherever it stands
        seen |= kinds
        page = visitor.get("ruleset_editor.draft_rule", rule_id=rule.id).press("Save in my draft")
        assert page.status == 200, (rule.id, page.errors)
    assert kept(session, dora) == versions_files(make)


def test_text_is_kept_with_its_mistakes_and_each_is_named_at_its_place(pages, session, dora):
    page = pages(dora).get("ruleset_editor.draft_file", name="liver.yaml")
    text = page.soup.select_one("textarea").get_text().removeprefix("\n")
    wrong = text.replace("urgency: urgent", "urgency: urgnt", 1)
    page = page.press("Check and run the examples", text=wrong).follow()
    assert kept(session, dora)["liver.yaml"] == wrong
    assert page.shows('unknown urgency "urgnt"') or page.shows("urgnt")
    assert page.shows('did you mean "urgent"')
    assert page.shows("This is what the active version says")
    assert pages(dora).get("ruleset_editor.propose").follow().shows("mend them first")


def test_two_windows_do_not_overwrite_each_other(pages, session, dora):
    one = pages(dora).get("ruleset_editor.draft_file", name="liver.yaml")
    two = pages(dora).get("ruleset_editor.draft_file", name="liver.yaml")
    text = one.soup.select_one("textarea").get_text().removeprefix("\n")
    one.press("Check and run the examples", text=text + "# one\n")
    page = two.press("Check and run the examples", text=text + "# two\n")
    assert page.status == 422
    assert page.shows("saved in another window meanwhile")
    assert "# two" in page.soup.select_one("textarea").get_text()
    assert kept(session, dora)["liver.yaml"].endswith("# one\n")
    page.press("Check and run the examples", text=text + "# two\n")
    assert kept(session, dora)["liver.yaml"].endswith("# two\n")


def ask(visitor, name, **fields):
    path = visitor.path("ruleset_editor.check_file", name=name)
    return visitor.client.post(path, data={"csrf_token": visitor.csrf_token(), **fields})


def test_the_editor_is_told_mistakes_and_sentences_and_the_text_is_kept(pages, session, dora):
    visitor = pages(dora)
    text = visitor.get("ruleset_editor.draft_file", name="liver.yaml").soup.select_one("textarea").get_text()
    answer = ask(visitor, "liver.yaml", text=text)
    assert answer.json["saved"]
    assert not [one for one in answer.json["problems"] if one["error"] or one["file"] == "liver.yaml"]
    assert all(rule["told"] for rule in answer.json["rules"])

    answer = ask(visitor, "liver.yaml", text="- id: [", seen=answer.json["seen"])
    assert answer.json["rules"] is None
    assert answer.json["problems"][0]["file"] == "liver.yaml"
    assert answer.json["problems"][0]["line"] >= 1
    assert kept(session, dora)["liver.yaml"] == "- id: ["
    assert ask(visitor, "liver.yaml", text="x", seen="another").status_code == 409
    assert ask(visitor, "liver.yaml").status_code == 422
    assert ask(visitor, "liver.yaml", text="x" * 210_000, seen=answer.json["seen"]).status_code == 409
    assert kept(session, dora)["liver.yaml"] == "- id: ["


def test_only_the_page_of_the_code_editor_may_write_styles_and_only_with_its_nonce(pages, dora):
    visitor = pages(dora)
    page = visitor.get("ruleset_editor.draft_file", name="crs.yaml")
    nonce = page.soup.select_one("meta[name=style-nonce]")["content"]
    assert f"style-src 'self' 'nonce-{nonce}';" in page.response.headers["Content-Security-Policy"]
    again = visitor.get("ruleset_editor.draft_file", name="crs.yaml")
    assert nonce not in again.response.headers["Content-Security-Policy"]
    other = visitor.get("ruleset_editor.draft")
    assert "nonce" not in other.response.headers["Content-Security-Policy"]


def test_what_is_typed_is_never_markup(pages, dora):
    page = pages(dora).get("ruleset_editor.draft_file", name="liver.yaml")
    text = page.soup.select_one("textarea").get_text().removeprefix("\n")
    bad = text.replace("title: ", 'title: "</textarea><script>alert(1)</script>" #', 1)
    page = page.press("Check and run the examples", text=bad).follow()
    assert not page.soup.select("script:not([src])")
    assert not pages(dora).get("ruleset_editor.draft").soup.select("script:not([src])")


def test_a_replay_names_patients_of_the_own_team_and_that_it_was_seen(make, pages, session, dora, drafted, anna):
    make.report(anna, temperature_c=37.9)
    make.report(make.patient("Xaver", team=make.team(OTHER_TEAM)), temperature_c=37.9)
    drafted(dora)
    page = pages(dora).get("ruleset_editor.draft_replay")
    assert page.row("Anna").shows("New: Fever (urgent): temperature 37.9 °C is at least 37.8 °C")
    assert page.shows("A patient of another team")
    assert not page.shows("Xaver")
    assert page.shows("2 reports of 2 patients")
    session.rollback()
    assert session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()[-1] == "replay_seen"


def test_a_draft_is_thrown_away_or_replaced_only_after_it_was_shown(
    make, pages, session, dora, fred, drafted, proposed
):
    pages(fred).get("ruleset_editor.proposal", proposal_id=proposed(dora, "37.9").id).press(
        "Approve and make it active"
    )
    drafted(dora)
    for where, button in (("Throw my draft away", "Throw my draft away"), ("Take the files as my draft",) * 2):
        page = pages(dora).get("ruleset_editor.draft").click(where)
        assert page.shows("is then lost")
        assert page.shows("Fires when the temperature is at least 37.8 °C")
        assert kept(session, dora)["crs.yaml"] == fever_at(versions_files(make), "37.8")["crs.yaml"]
        page.press(button)
        assert kept(session, dora) in (None, versions_files(make))
        drafted(dora)


def test_all_that_stands_against_a_proposal_is_told_at_once(pages, dora, drafted):
    drafted(dora)
    page = pages(dora).get("ruleset_editor.propose").press("Propose", reason="")
    assert len(page.errors) == 2
    assert page.errors[0].startswith("Say why, in at least 10 characters")
    assert page.errors[1].startswith("3 entries on the edge of a threshold")


def test_a_clinician_of_another_team_decides_too_and_is_told_no_name(make, pages, session, dora, drafted, anna):
    """Rules are the site's. Facts decide; a name is told within the team only."""
    make.report(anna, temperature_c=38.0)
    drafted(dora, "38.1")
    page = pages(dora).get("ruleset_editor.propose")
    ticked = {name: boxes(page, name) for name in ("signed", "confirmed")}
    page = page.press("Propose", reason=REASON, **ticked)
    xenia = pages(make.clinician("Xenia", team=make.team(OTHER_TEAM)))
    seen = xenia.get(page.path)
    assert not seen.shows("Anna")
    assert seen.shows("A patient of another team")
    assert seen.shows("No longer: Fever (urgent): temperature 38.0 °C is at least 38.0 °C")
    assert seen.press("Approve and make it active").heading.startswith("Version 2")


def test_propose_approve_and_go_back(make, pages, session, dora, fred, drafted, anna):
    make.report(anna, temperature_c=37.9)
    drafted(dora)
    page = pages(dora).get("ruleset_editor.draft").click("Propose")
    assert page.shows("Fires when the temperature is at least 37.8 °C")
    page = page.press("Propose", reason="short")
    assert page.status == 422
    page = page.press("Propose", reason=REASON)
    assert page.shows("3 entries on the edge of a threshold")
    assert page.shows("day 40, 37.8 °C: urgent")
    page = page.press("Propose", reason=REASON, confirmed=boxes(page, "confirmed")).follow()
    assert page.shows("Another clinician decides on it")
    assert "Approve and make it active" not in page.html

    page = pages(fred).get(page.path)
    assert page.row("Anna").shows("New: Fever")
    assert page.shows(REASON)
    page = page.press("Reject")
    assert page.status == 422
    page = page.press("Approve and make it active", decision="Agreed").follow()
    assert page.heading.startswith("Version 2")
    assert pages(dora).get("ruleset_editor.rules").shows("Version 2, active since")
    assert pages(dora).get("ruleset_editor.history").shows("differ from the active version in crs.yaml")

    page = pages(dora).get("ruleset_editor.version", number=1)
    page = page.press("Make version 1 active again", reason="Too many alerts in one night").follow()
    assert page.shows("going back to version 1")
    assert page.heading.startswith("Version 3")
    assert not pages(dora).get("ruleset_editor.history").shows("differ from the active version")


def test_one_s_own_proposal_can_be_taken_back_but_not_approved(pages, dora, proposed):
    proposal = proposed(dora)
    visitor = pages(dora)
    path = visitor.path("ruleset_editor.proposal", proposal_id=proposal.id)
    answer = visitor.client.post(path, data={"csrf_token": visitor.csrf_token(), "decide": "approve"})
    assert answer.status_code == 422
    assert "Nobody approves their own change" in answer.text
    page = visitor.get(path).press("Take it back").follow()
    assert page.shows("Nothing is waiting")


def test_a_report_that_falls_must_be_ticked_by_name(make, pages, dora, fred, drafted, anna):
    make.report(anna, temperature_c=38.0)
    drafted(dora, "38.1")
    page = pages(dora).get("ruleset_editor.propose")
    assert page.shows("I have looked at it and answer for it: Anna")
    page = page.press("Propose", reason=REASON, confirmed=boxes(page, "confirmed"))
    assert page.status == 422
    assert page.shows("1 past report would fall from emergency or urgent")
    change = page.soup.select_one("input[name=signed]")["value"]
    assert boxes(page, "confirmed") == [box["value"] for box in page.soup.select("input[name=confirmed][checked]")]
    page = page.press("Propose", reason=REASON, signed=change).follow()
    assert page.row("Anna").shows("Anna")

    make.report(make.patient("Berta"), temperature_c=38.0)
    decide = pages(fred).get(page.path)
    assert decide.shows("I have looked at it and answer for it: Berta")
    decide = decide.press("Approve and make it active")
    assert decide.status == 422
    change = decide.soup.select_one("input[name=signed]")["value"]
    assert decide.press("Approve and make it active", signed=change).status == 200


def test_the_second_to_propose_is_shown_the_difference_and_loses_nothing(pages, session, dora, fred, proposed, drafted):
    first = proposed(dora)
    page = pages(fred).get("ruleset_editor.draft_file", name="liver.yaml")
    text = page.soup.select_one("textarea").get_text().removeprefix("\n")
    page.press("Check and run the examples", text=text + "# of Fred\n")
    pages(fred).get("ruleset_editor.proposal", proposal_id=first.id).press("Approve and make it active")

    page = pages(fred).get("ruleset_editor.draft")
    assert page.shows("Version 2 became active after you began")
    page = pages(fred).get("ruleset_editor.propose").press("Propose", reason=REASON).follow()
    assert page.shows("Not proposed: version 2 became active after you began")
    page = page.press("Bring my draft up to date").follow()
    assert page.shows("nothing of yours or of theirs was lost")
    assert page.shows("# of Fred")
    assert pages(fred).get("ruleset_editor.propose").press("Propose", reason=REASON).status == 200


def test_versions_hold_what_a_replay_said_when_it_was_proposed(make, pages, fred, dora, proposed, anna):
    make.report(anna, temperature_c=37.9)
    proposal = proposed(dora)
    pages(fred).get("ruleset_editor.proposal", proposal_id=proposal.id).press("Approve and make it active")
    page = pages(dora).get("ruleset_editor.version", number=2)
    assert page.row("Anna").shows("New: Fever")
    assert json.loads(json.dumps(proposal.replay))["changes"][0]["after"] == "urgent"


@pytest.mark.parametrize("number", ["0", "99", "999999999999999999999999"])
def test_a_version_that_is_not_there_is_not_found(number, pages, dora):
    assert pages(dora).get(f"/ruleset/versions/{number}").status == 404

"""Somebody who does not use the pages as they are meant: nothing becomes active by it, and nobody's page breaks."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.rules.test_edits_fuzz import edited
from tests.rules.written_rules import FILES
from triage import clock
from triage.database import db, writing
from triage.models import (
    Person,
    ProposalStatus,
    RulesetActivation,
    RulesetDraft,
    RulesetProposal,
)
from triage.ruleset_editor import services, versions

SCRIPT = "<script>alert(1)</script>"
BREAKS_OUT = "\"'></textarea></script><img src=x onerror=alert(1)>"


@pytest.fixture
def dora(make):
    return make.clinician("Dora")


@pytest.fixture
def fred(make):
    return make.clinician("Fred")


def changes(session):
    """What could have been changed: versions, proposals with their state, drafts."""
    session.rollback()
    return (
        session.scalar(select(func.count()).select_from(RulesetActivation)),
        {one.id: one.status for one in session.scalars(select(RulesetProposal))},
        {one.person_id: dict(one.files) for one in session.scalars(select(RulesetDraft))},
    )


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("token", [None, "", "wrong", "of another"], ids=repr)
def test_nothing_is_done_without_the_token_of_the_own_session(token, app, make, pages, session, dora, fred):
    proposal = make.proposal(fred)
    visitor = pages(dora)
    with app.app_context():
        services.save(session, dora, "liver.yaml", "# begun\n", make.now())
    before = changes(session)
    values = {"name": "crs.yaml", "rule_id": "crs-fever", "number": 1, "proposal_id": proposal.id}
    fields = {"text": "x", "decide": "approve", "reason": "For no reason at all", "decision": "Agreed, all of it"}
    if token is not None:
        fields["csrf_token"] = pages(fred).csrf_token() if token == "of another" else token
    routes = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("ruleset_editor") and "POST" in rule.methods
    ]
    assert len(routes) > 8
    for rule in routes:
        path = visitor.path(rule.endpoint, **{name: values[name] for name in rule.arguments})
        answer = visitor.client.post(path, data=fields, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 400, (rule.endpoint, answer.status_code)
        own_page = visitor.client.post(path, data=fields)  # an old page of ours: what was typed may be sent again
        assert "not sent yet" in own_page.text or own_page.location == "/", rule.endpoint
    assert changes(session) == before


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("fields", [{}, {"decide": "withdraw"}, {"decide": "APPROVE"}])
def test_a_form_that_says_neither_yes_nor_no_decides_nothing(fields, make, pages, session, dora, fred):
    proposal = make.proposal(fred)
    for somebody in (dora, fred):
        page = pages(somebody).post(f"/ruleset/proposals/{proposal.id}", {"decision": "Agreed, all of it", **fields})
        assert page.status == 422
        assert page.errors == ["Nothing is decided: press one of the buttons below"]
    assert changes(session)[:2] == (1, {proposal.id: ProposalStatus.PROPOSED})


@pytest.mark.database("sqlite")
def test_a_second_session_of_the_same_person_is_the_same_person(make, pages, session, dora):
    proposal = make.proposal(dora)
    fields = {"decide": "approve", "decision": "Agreed", "proposed_by_id": "somebody", "person_id": "somebody"}
    for visitor in (pages(dora), pages(dora)):
        page = visitor.post(f"/ruleset/proposals/{proposal.id}", fields)
        assert page.status == 422
        assert "Nobody approves their own change" in " ".join(page.errors)
    assert changes(session)[:2] == (1, {proposal.id: ProposalStatus.PROPOSED})


@pytest.mark.database("sqlite")
def test_a_clinician_who_left_decides_nothing(make, pages, session, dora, fred):
    proposal = make.proposal(dora)
    visitor = pages(fred)
    with writing(session):
        session.get_one(Person, fred.id).active = False
    answer = visitor.client.post(
        f"/ruleset/proposals/{proposal.id}", data={"csrf_token": visitor.csrf_token(), "decide": "approve"}
    )
    assert answer.status_code in (302, 401)
    assert changes(session)[0] == 1


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    "name",
    ["..%2F..%2Fconfig.py", "%2Fetc%2Fpasswd", "../crs.yaml", "crs.yaml%00", "crs.yaml/../sources.yaml", "CRS.YAML"],
)
def test_a_file_name_is_looked_up_among_the_rules_and_nowhere_else(name, pages, session, dora):
    visitor = pages(dora)
    for path in (f"/ruleset/draft/files/{name}", f"/ruleset/draft/files/{name}/check"):
        answer = visitor.client.post(path, data={"csrf_token": visitor.csrf_token(), "text": "x"})
        assert answer.status_code in (404, 405), path
        assert visitor.client.get(path).status_code in (404, 405), path
    assert changes(session)[2] == {}


@pytest.mark.database("sqlite")
def test_a_file_that_is_too_long_or_deep_is_refused_with_a_reason_and_soon(pages, session, dora):
    visitor = pages(dora)
    page = visitor.get("ruleset_editor.draft_file", name="liver.yaml")
    kept = visitor.post(page.path, {"text": "x" * 200_001, "seen": page.field("seen")})
    assert kept.status == 422
    assert kept.shows("longer than 200,000 characters")
    assert changes(session)[2] == {}
    begun = clock.now()
    for text in ("[" * 60_000, "&a [*a]\n" * 8_000, "- {a: " * 20_000, "? " * 60_000, "!!python/object:os.system x"):
        page = visitor.get("ruleset_editor.draft_file", name="liver.yaml").press(
            "Check and run the examples", text=text
        )
        assert page.status == 200
        assert page.shows("Mistake")
    assert clock.now() - begun < timedelta(seconds=30)


@pytest.mark.database("sqlite")
def test_markup_in_rules_is_text_on_every_page(app, make, pages, session, dora, fred, anna):
    make.report(anna, temperature_c=38.0)
    with app.app_context():
        files = dict(versions.started().files)
    for was in ("title: Fever\n", "  why: "):
        assert was in files["crs.yaml"]
    text = files["crs.yaml"].replace("title: Fever\n", f"title: Fever {SCRIPT}\n", 1)
    text = text.replace("at_least: 38.0 C}\n", "at_least: 38.1 C}\n", 1)
    head, rule = text.split("- id: crs-fever ", 1)
    rule = rule.replace("  why: ", f"  why: {SCRIPT} ", 1).replace("  advice: ", f"  advice: {SCRIPT} ", 1)
    cases = rule.index("  cases:")
    rule = (
        rule[:cases]
        + "  cases:\n    fires: [{days_since_therapy: 40, temperature_c: 38.1}]\n"
        + f"    stays_quiet: [{{name: '{SCRIPT}', days_since_therapy: 40, temperature_c: 38.0}}]\n"
        + rule[rule.index("\n- id: ") :]
    )
    catalogue = files["catalogue.yaml"].replace("label: chills", f"label: chills {SCRIPT}", 1)
    assert SCRIPT in catalogue
    visitor = pages(dora)
    for name, written in (
        ("crs.yaml", head + "- id: crs-fever " + rule + f"# {SCRIPT}\n"),
        ("catalogue.yaml", catalogue),
    ):
        visitor.get("ruleset_editor.draft_file", name=name).press("Check and run the examples", text=written)
    answer = visitor.client.post(
        "/ruleset/draft/files/crs.yaml/check",
        data={"csrf_token": visitor.csrf_token(), "text": changes(session)[2][dora.id]["crs.yaml"]},
    )
    assert answer.mimetype == "application/json"

    def clean(page):
        assert page.status in (200, 422)
        assert not page.soup.select("script:not([src]), img[onerror]"), page.path
        return page

    for path in ("/ruleset/draft", "/ruleset/draft/files/crs.yaml", "/ruleset/draft/rules/crs-fever"):
        assert SCRIPT in clean(visitor.get(path)).soup.get_text(), path
    clean(visitor.get("/ruleset/draft/replay"))
    page = clean(visitor.get("/ruleset/draft/propose"))
    ticked = {
        name: [box["value"] for box in page.soup.select(f"input[name={name}]")] for name in ("signed", "confirmed")
    }
    accepted = {box["name"]: BREAKS_OUT for box in page.soup.select("textarea[name^=accepted]")}
    assert clean(page.press("Propose", reason=f"{BREAKS_OUT} {SCRIPT}", **accepted)).status == 422
    page = clean(page.press("Propose", reason=f"{BREAKS_OUT} {SCRIPT}", **ticked, **accepted))
    assert "Nobody approves their own" in page.text, page.errors
    decided = pages(fred).get(page.path)
    assert SCRIPT in clean(decided).soup.get_text()
    clean(decided.press("Approve and make it active", decision=BREAKS_OUT))
    for path in (
        "/ruleset/versions",
        "/ruleset/versions/2",
        "/rules",
        "/rules/crs-fever",
        "/ruleset/versions/1",
        page.path,
    ):
        clean(pages(fred).get(path))
    later = make.report(anna, temperature_c=38.2)
    nurse = pages(make.nurse("Nora"))
    for path in ("/queue", f"/patients/{anna.id}", "/rules/crs-fever"):
        clean(nurse.get(path))
    clean(pages(make.account(anna)).get("reports.result", report_id=later.id))


@pytest.mark.database("sqlite")
def test_the_form_of_a_rule_stands_whatever_its_file_says(app, make, pages, session, dora):
    """A draft may hold any mistake: the form of the rule then says so, or is not found, and never breaks."""
    visitor, chance = pages(dora), random.Random(3)
    small = {name.rpartition("/")[2]: text for name, text in FILES.items()}  # reading the shipped files takes long
    rule = small["crs.yaml"]
    hostile = [
        rule.replace("{therapies: [car_t], window: early}", value, 1)
        for value in (
            "x",
            "[x]",
            "{therapies: x}",
            "{therapies: [{a: b}, [c]]}",
            "{window: {a: 1}}",
            "{days: [1]}",
            "3",
        )
    ]
    hostile += [rule.replace("when:", f"when: {value}\n  was:", 1) for value in ("x", "[]", "{any: {}}", "{of: 3}")]
    hostile += [rule[: rule.index("  cases:")], "\ufeff" + rule, rule.replace("title:", "title: {a: b}\n  old:", 1)]
    hostile += [
        "- {id: chills-early}\n",
        "- id: chills-early",
        "- id: chills-early\n  id: chills-early\n",
    ]
    for text in [*hostile, *(edited(rule, chance) for _ in range(30))]:
        with app.app_context():
            services.replace_files(session, dora, {**small, "crs.yaml": text}, make.now())
        page = visitor.get("ruleset_editor.draft_rule", rule_id="chills-early")
        assert page.status in (200, 404), text
        if page.status == 200:
            pressed = page.press("Save in my draft", title="Chills", reasoning="Because", window="any")
            assert pressed.status in (200, 422), text
            kept = changes(session)[2][dora.id]["crs.yaml"]
            page = visitor.get("ruleset_editor.draft_rule", rule_id="chills-early")
            assert page.status in (200, 404), kept


def versions_files(app):
    return app.extensions[versions.EXTENSION].files


def test_an_added_sentence_stands_in_a_rule_that_has_no_examples_yet(app, make, session, dora):
    text = "- id: crs-fever\n  title: Fever\n  urgency: urgent\n  when: {temperature: {at_least: 38.0 C}}\n"
    with app.app_context():
        services.save(session, dora, "crs.yaml", text, make.now())
        written = services.editing.find({"crs.yaml": text}, "crs-fever")
        assert written.changed({"why": "It is early."}, {}) == text + "  why: It is early.\n"


def at_once(app, *calls):
    """Each call in a thread and a session of its own; the first waits, ready to commit, until the others have begun.
    What each returned or raised, in their order."""
    outcome, ready, go = [None] * len(calls), threading.Event(), threading.Event()
    real = services.audit.record

    def record(*args, **named):
        real(*args, **named)
        if threading.current_thread().name == "0":
            ready.set()
            go.wait(10)

    def run(number):
        with app.app_context():
            try:
                outcome[number] = calls[number](db.session)
            except Exception as error:
                outcome[number] = error

    threads = [threading.Thread(target=run, args=(number,), name=str(number)) for number in range(len(calls))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.audit, "record", record)
        threads[0].start()
        assert ready.wait(10), outcome
        for thread in threads[1:]:
            thread.start()
        for thread in threads[1:]:
            thread.join(0.5)
        go.set()
        for thread in threads:
            thread.join(20)
    return outcome


def approving(proposal_id, person_id, at):
    def approve(session):
        return services.approve(session, proposal_id, session.get_one(Person, person_id), "Agreed", at).number

    return approve


def test_of_two_approvals_at_once_one_is_told_that_it_came_second(app, make, session, dora, fred):
    gina = make.clinician("Gina")
    one, two = make.proposal(dora), make.proposal(fred)
    at = make.now()
    first, second = at_once(app, approving(one.id, gina.id, at), approving(two.id, gina.id, at))
    assert first == 2
    assert isinstance(second, services.Overtaken), second
    assert changes(session)[0] == 2


def test_one_proposal_is_approved_once(app, make, session, dora, fred):
    gina = make.clinician("Gina")
    proposal, at = make.proposal(dora), make.now()
    first, second = at_once(app, approving(proposal.id, fred.id, at), approving(proposal.id, gina.id, at))
    assert first == 2
    assert isinstance(second, services.Decided), second


def test_an_approval_and_a_way_back_at_once_make_one_version_each_or_tell(app, make, session, dora, fred):
    first, at = make.proposal(dora), make.now()
    with app.app_context():
        services.approve(session, first.id, fred, "Agreed", at)
    proposal = make.proposal(dora)

    def back(session):
        return services.roll_back(session, 1, session.get_one(Person, fred.id), "Too many alerts", at, active=2).number

    went, told = at_once(app, back, approving(proposal.id, fred.id, at))
    assert went == 3
    assert isinstance(told, services.Overtaken), told


def test_two_windows_that_save_at_once_lose_nothing(app, make, session, dora):
    """The second is told, whether the draft was begun before or not."""
    for seen in (versions_files(app)["liver.yaml"], "first\n"):
        stamp, at = services.stamp(seen), make.now()

        def save(text, stamp=stamp, at=at):
            return lambda session: services.save(
                session, session.get_one(Person, dora.id), "liver.yaml", text, at, stamp
            )

        def importing(session, text=seen, at=at):
            """Stands still with the turn taken, as a window does that is about to save."""
            files = {**versions_files(app), "liver.yaml": "first\n" if text != "first\n" else "again\n"}
            return services.replace_files(session, session.get_one(Person, dora.id), files, at)

        done, told = at_once(app, importing, save("second\n"))
        assert isinstance(done, RulesetDraft), done
        assert isinstance(told, services.ChangedMeanwhile), told


@pytest.mark.database("sqlite")
def test_a_proposal_that_a_newer_program_does_not_understand_is_shown_and_not_approved(
    app, make, pages, session, dora, fred
):
    proposal = make.proposal(dora)
    with writing(session):
        found = session.get_one(RulesetProposal, proposal.id)
        found.files = {
            **found.files,
            "liver.yaml": found.files["liver.yaml"].replace("urgency: urgent", "urgency: red"),
        }
    page = pages(fred).get(f"/ruleset/proposals/{proposal.id}")
    assert page.shows("It cannot be told any more")
    page = page.press("Approve and make it active")
    assert page.status == 422
    assert any('unknown urgency "red"' in error for error in page.errors)
    assert changes(session)[0] == 1


@pytest.mark.database("sqlite")
def test_a_proposal_in_which_the_checks_now_find_a_mistake_is_not_approved(app, make, pages, session, dora, fred):
    """Between proposal and approval the program was updated; its checks know more."""
    proposal = make.proposal(dora)
    with writing(session):
        found = session.get_one(RulesetProposal, proposal.id)
        text = found.files["crs.yaml"]
        found.files = {**found.files, "crs.yaml": text.replace("at_least: 38.0 C}\n", "at_least: 37.8 C}\n", 1)}
    page = pages(fred).get(f"/ruleset/proposals/{proposal.id}").press("Approve and make it active")
    assert page.status == 422
    assert any("It has a mistake now" in error and "crs-fever should stay quiet" in error for error in page.errors)
    assert changes(session)[0] == 1

"""The way of a rule change, and everything that must stop it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from tests.rules.test_edits_fuzz import edited
from tests.ruleset_editor.changed import as_meant, fever_at
from triage.database import db, writing
from triage.models import AuditEntry, RulesetActivation, RulesetDraft, RulesetProposal
from triage.reports import services as reports
from triage.rules.loading import load_texts
from triage.rules.report import from_data
from triage.rules.urgency import Urgency
from triage.ruleset_editor import services, versions
from triage.ruleset_editor.services import Change

REASON = "Our ward sees every fever from 37.8 °C on"


@pytest.fixture
def ward(app, make, session):
    """Inside the application, with two clinicians: dora changes rules, fred decides."""
    with app.app_context():
        yield make


@pytest.fixture
def dora(ward):
    return ward.clinician("Dora")


@pytest.fixture
def fred(ward):
    return ward.clinician("Fred")


@pytest.fixture
def change(session, ward):
    """Puts a changed fever threshold into somebody's draft. Cases that come out differently are turned around."""

    def put(person, threshold="37.8"):
        services.replace_files(session, person, fever_at(versions.started().files, threshold), ward.now())

    return put


def active(session):
    """What another request, in whatever process, takes for the active version now."""
    session.commit()
    db.session.rollback()
    versions.forget()
    return versions.active()


def count(session, model):
    return session.scalar(select(func.count()).select_from(model))


def propose_and_approve(session, dora, fred, at):
    proposal = services.propose(session, dora, as_meant(session, dora, REASON), at)
    return services.approve(session, proposal.id, fred, "Agreed", at)


def test_from_the_files_of_the_start_to_a_new_version(ward, session, dora, fred, change):
    before = active(session)
    change(dora)
    activation = propose_and_approve(session, dora, fred, ward.now())

    assert [one.number for one in services.history(session)] == [2, 1]
    assert activation.reason == REASON
    assert active(session).hash != before.hash
    assert active(session).hash == activation.ruleset_hash
    assert services.draft_of(session, dora) is None
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-2:] == ["ruleset_proposed", "ruleset_activated"]


def test_a_report_is_judged_by_the_version_of_its_moment_and_repeats_under_it(ward, session, anna, dora, fred, change):
    before = ward.report(anna, temperature_c=37.9)
    change(dora)
    propose_and_approve(session, dora, fred, ward.now())
    after = reports.submit(
        session, active(session), report_of(ward, anna, 37.9), ward.account(anna), "x" * 20, ward.now()
    )
    services.roll_back(session, 1, fred, "Too many alerts in one night", ward.now(), active=2)
    again = reports.submit(
        session, active(session), report_of(ward, anna, 37.9), ward.account(anna), "y" * 20, ward.now()
    )

    assert before.assessment.urgency < Urgency.URGENT
    assert after.assessment.urgency is Urgency.URGENT
    assert again.assessment.ruleset_hash == before.assessment.ruleset_hash
    for record in (before, after, again):
        assert reports.reassess(session, record.id).same


def report_of(ward, patient, temperature):
    data = ward.data(patient, ward.now(), ward.account(patient), {"temperature_c": temperature})
    return from_data(data, versions.active().catalogue)


def test_nobody_approves_their_own(ward, session, dora, change):
    change(dora)
    proposal = services.propose(session, dora, as_meant(session, dora, REASON), ward.now())

    with pytest.raises(services.NotYours):
        services.approve(session, proposal.id, dora, "", ward.now())
    assert versions.latest(session).number == 1


def test_the_database_refuses_one_pair_of_eyes_too(ward, session, dora, change):
    change(dora)
    proposal = services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    with pytest.raises(IntegrityError), writing(session):
        session.execute(
            update(RulesetProposal)
            .where(RulesetProposal.id == proposal.id)
            .values(status="approved", decided_by_id=dora.id)
        )


@pytest.mark.parametrize("statement", ["UPDATE ruleset_activation SET reason = 'x'", "DELETE FROM ruleset_activation"])
def test_versions_stay_as_they_were(statement, ward, session, dora, fred, change):
    change(dora)
    propose_and_approve(session, dora, fred, ward.now())
    with pytest.raises(DatabaseError, match="never"), writing(session):
        session.execute(text(statement))


def test_the_second_of_two_who_change_at_once_is_told_and_overwrites_nothing(ward, session, dora, fred, change):
    change(dora)
    services.save(session, fred, "liver.yaml", versions.started().files["liver.yaml"] + "# mine\n", ward.now())
    propose_and_approve(session, dora, fred, ward.now())

    with pytest.raises(services.Overtaken) as overtaken:
        services.propose(session, fred, as_meant(session, fred, REASON), ward.now())
    assert overtaken.value.active == 2
    assert services.catch_up(session, fred, ward.now()) == []
    draft = services.draft_of(session, fred)
    assert draft.base == 2
    assert draft.files["liver.yaml"].endswith("# mine\n")
    assert draft.files["crs.yaml"] == versions.latest(session).files["crs.yaml"]
    services.propose(session, fred, as_meant(session, fred, REASON), ward.now())


def test_two_who_changed_different_lines_of_one_file_keep_both(ward, session, dora, fred, change):
    change(dora)
    services.save(session, fred, "crs.yaml", versions.started().files["crs.yaml"] + "# mine\n", ward.now())
    propose_and_approve(session, dora, fred, ward.now())

    assert services.catch_up(session, fred, ward.now()) == []
    assert services.draft_of(session, fred).files["crs.yaml"] == versions.latest(session).files["crs.yaml"] + "# mine\n"


def test_a_file_of_which_both_changed_the_same_lines_is_named_and_the_difference_shows_what_would_be_undone(
    ward, session, dora, fred, change
):
    change(dora)
    services.replace_files(session, fred, fever_at(versions.started().files, "37.9"), ward.now())
    propose_and_approve(session, dora, fred, ward.now())

    assert services.catch_up(session, fred, ward.now()) == ["crs.yaml"]
    draft = services.draft_of(session, fred)
    shown = services.difference_of(draft.files, load_texts(draft.files), versions.latest(session))
    (fever,) = shown.rules
    marked = {line.mark + line.text for line in fever.lines if line.mark and line.text.startswith("Fires")}
    assert marked == {
        "-Fires when the temperature is at least 37.8 °C (100.0 °F).",
        "+Fires when the temperature is at least 37.9 °C (100.2 °F).",
    }


def test_of_two_proposals_the_second_cannot_be_approved_after_the_first(ward, session, dora, fred, change):
    change(dora)
    first = services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    change(fred, "37.9")
    second = services.propose(session, fred, as_meant(session, fred, REASON), ward.now())
    services.approve(session, first.id, fred, "", ward.now())

    with pytest.raises(services.Overtaken):
        services.approve(session, second.id, dora, "", ward.now())
    with pytest.raises(services.Decided):
        services.approve(session, first.id, fred, "", ward.now())


def test_what_stands_against_a_proposal_is_all_told_and_the_draft_stays(ward, session, dora):
    with pytest.raises(services.NotReady, match="nothing to propose"):
        services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    services.save(session, dora, "crs.yaml", "- id: [", ward.now())
    with pytest.raises(services.NotReady) as refused:
        services.propose(session, dora, Change(""), ward.now())
    assert any("Say why" in problem for problem in refused.value.problems)
    assert any("crs.yaml:1" in problem for problem in refused.value.problems)
    assert services.draft_of(session, dora).files["crs.yaml"] == "- id: ["
    assert count(session, RulesetProposal) == 0


def test_a_new_warning_needs_a_written_reason_that_stays_with_the_proposal(ward, session, dora, fred):
    """A symptom is added of which no rule asks anything: the checks warn of that."""
    files = dict(versions.started().files)
    del files["texts-es.yaml"]  # it would warn that the new question has no translation
    files["catalogue.yaml"] = files["catalogue.yaml"].replace("symptoms:\n", NOBODY_ASKS, 1)
    services.replace_files(session, dora, files, ward.now())
    with pytest.raises(services.NotReady) as refused:
        services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    (problem,) = refused.value.problems
    assert problem.startswith("Say why this warning is accepted: catalogue.yaml:")
    warning = problem.partition("accepted: ")[2]
    with pytest.raises(services.NotReady):
        services.propose(session, dora, as_meant(session, dora, REASON, accepted={warning: "  "}), ward.now())
    change = as_meant(session, dora, REASON, accepted={warning: "Asked for a study"})
    proposal = services.propose(session, dora, change, ward.now())
    assert proposal.accepted == {warning: "Asked for a study"}
    services.approve(session, proposal.id, fred, "", ward.now())

    # Answered once: the next change is not asked again.
    services.save(session, dora, "liver.yaml", files["liver.yaml"] + "# read again\n", ward.now())
    assert services.propose(session, dora, as_meant(session, dora, REASON), ward.now()).accepted == {}


NOBODY_ASKS = """symptoms:
  - code: hiccups
    scale: severity
    label: hiccups
    question: Do you have hiccups?
    about: Do they have hiccups?
    group: general
    asked: more
"""


def test_an_unchanged_draft_is_no_proposal(ward, session, dora):
    services.save(session, dora, "crs.yaml", versions.started().files["crs.yaml"], ward.now())
    with pytest.raises(services.NotReady, match="Nothing was changed"):
        services.propose(session, dora, as_meant(session, dora, REASON), ward.now())


def test_a_case_that_comes_out_differently_stops_the_proposal(ward, session, dora):
    files = dict(versions.started().files)
    files["crs.yaml"] = files["crs.yaml"].replace("{at_least: 38.0 C}", "{at_least: 37.8 C}", 1)
    services.replace_files(session, dora, files, ward.now())
    with pytest.raises(services.NotReady, match="crs-fever should stay quiet"):
        services.propose(session, dora, as_meant(session, dora, REASON), ward.now())


def test_an_entry_on_the_edge_of_a_changed_threshold_must_be_read(ward, session, dora, change):
    change(dora)
    with pytest.raises(services.NotReady, match="3 entries on the edge of a threshold"):
        services.propose(session, dora, Change(REASON), ward.now())
    proposal = services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    assert proposal.confirmed == [
        "day 40, 37.7 °C: soon by other rules",
        "day 40, 37.8 °C: urgent",
        "day 40, 37.9 °C: urgent",
    ]


def test_a_report_that_would_fall_from_urgent_needs_a_name(ward, session, anna, dora, fred, change):
    falling = ward.report(anna, temperature_c=38.0)
    change(dora, "38.1")

    with pytest.raises(services.NotReady, match="1 past report would fall"):
        services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    proposal = services.propose(session, dora, as_meant(session, dora, REASON, signed=[str(falling.id)]), ward.now())
    assert proposal.signed == {str(falling.id): str(dora.id)}

    later = ward.report(ward.patient("Berta"), temperature_c=38.0)
    with pytest.raises(services.NotReady, match="1 past report would fall"):
        services.approve(session, proposal.id, fred, "", ward.now())
    assert versions.latest(session).number == 1
    services.approve(session, proposal.id, fred, "", ward.now(), signed=[str(later.id)])
    assert session.get(RulesetProposal, proposal.id).signed[str(later.id)] == str(fred.id)


def test_a_rejected_change_comes_back_to_its_author(ward, session, dora, fred, change):
    change(dora)
    proposal = services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    with pytest.raises(services.NotReady, match="Say why"):
        services.decline(session, proposal.id, fred, "no", ward.now())
    services.decline(session, proposal.id, fred, "This doubles the alerts of a night", ward.now())

    assert services.draft_of(session, dora).files == proposal.files
    assert services.waiting(session) == []
    assert versions.latest(session).number == 1


def test_one_s_own_proposal_is_withdrawn_without_a_reason(ward, session, dora, change):
    change(dora)
    proposal = services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    services.decline(session, proposal.id, dora, "", ward.now())
    assert session.get(RulesetProposal, proposal.id).status == "withdrawn"


def test_going_back_needs_a_reason_and_what_was_seen_must_still_be_active(ward, session, dora, fred, change):
    change(dora)
    propose_and_approve(session, dora, fred, ward.now())
    back = lambda number, reason, active: services.roll_back(  # noqa: E731
        session, number, fred, reason, ward.now(), active=active
    )
    with pytest.raises(services.NotReady, match="Say why"):
        back(1, "no", 2)
    with pytest.raises(services.Overtaken):
        back(1, REASON, 1)
    with pytest.raises(services.NotReady, match="active already"):
        back(2, REASON, 2)
    with pytest.raises(LookupError):
        back(9, REASON, 2)
    assert back(1, REASON, 2).number == 3
    newest = versions.latest(session)
    assert (newest.kind, newest.back_to, newest.files) == ("roll_back", 1, session.get(RulesetActivation, 1).files)


def test_a_draft_takes_files_that_the_rules_have_and_mistakes_too(ward, session, dora):
    services.save(session, dora, "crs.yaml", "not yet\r\nfinished: [", ward.now())
    assert services.draft_of(session, dora).files["crs.yaml"] == "not yet\nfinished: ["
    with pytest.raises(LookupError):
        services.save(session, dora, "../../etc/passwd", "x", ward.now())
    services.discard(session, dora)
    assert count(session, RulesetDraft) == 0


def test_every_process_changes_over_with_the_same_commit(ward, session, dora, fred, change):
    change(dora)
    proposal = services.propose(session, dora, as_meant(session, dora, REASON), ward.now())
    seen = active(session).hash
    services.approve(session, proposal.id, fred, "", ward.now())
    assert active(session).hash == proposal.ruleset_hash != seen


@pytest.mark.parametrize("few", [0, services.FEW_REPORTS], ids=["as columns", "by the live engine"])
def test_replay_counts_reports_since_a_day_but_looks_back_further(few, monkeypatch, ward, session, anna, change, dora):
    old = ward.report(anna, ago=timedelta(days=3), temperature_c=37.9)
    new = ward.report(anna, temperature_c=37.9)
    proposed = load_texts(fever_at(versions.started().files, "37.8"))
    monkeypatch.setattr(services, "FEW_REPORTS", few)
    whole = services.replay_on_past(session, versions.active(), proposed)
    late = services.replay_on_past(session, versions.active(), proposed, since=ward.now() - timedelta(days=1))

    assert {change.id for change in whole.rising} == {str(old.id), str(new.id)}
    assert [change.id for change in late.changes] == [str(new.id)]
    assert late.reports == 1


@pytest.mark.database("sqlite")
def test_slips_in_a_draft_never_change_what_judges(ward, session, dora):
    """Whatever somebody types is kept as typed, told with its place, and proposed to nobody while it has mistakes."""
    before = active(session).hash
    files, chance = dict(versions.started().files), random.Random(7)
    text = files["liver.yaml"]
    for _ in range(60):
        broken = edited(text, chance)
        services.save(session, dora, "liver.yaml", broken, ward.now())
        checked = services.check({**files, "liver.yaml": broken}, ward.now().date())
        assert all(problem.place.file in files and problem.place.line >= 1 for problem in checked.problems)
        if checked.errors:
            with pytest.raises(services.NotReady):
                services.propose(session, dora, Change(REASON), ward.now())
        assert session.get(RulesetDraft, dora.id).files["liver.yaml"] == broken
    assert active(session).hash == before
    assert count(session, RulesetActivation) == 1


def test_a_replay_that_is_interrupted_leaves_nothing_behind(monkeypatch, ward, session, dora, anna, change):
    ward.report(anna, temperature_c=37.9)
    change(dora)
    meant = as_meant(session, dora, REASON)
    draft = dict(session.get(RulesetDraft, dora.id).files)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("triage.rules.replay.assess", interrupted)
    with pytest.raises(KeyboardInterrupt):
        services.propose(session, dora, meant, ward.now())
    session.rollback()
    assert count(session, RulesetProposal) == 0
    assert session.get(RulesetDraft, dora.id).files == draft


WATCHING = """
import time
from triage import create_app
from triage.ruleset_editor import versions

app = create_app()
said, until = None, time.monotonic() + 60
while time.monotonic() < until:
    with app.app_context():
        now = versions.active().hash
    if now != said:
        print(now, time.time(), flush=True)
        said = now
    time.sleep(0.1)
"""


def test_other_processes_judge_by_a_new_version_within_five_seconds(
    ward, session, dora, fred, change, database_url, tmp_path
):
    """Two servers that run already, neither of them told."""
    environment = {**os.environ, "TRIAGE_DATABASE_URL": database_url, "TRIAGE_DATA": str(tmp_path)}
    program = [sys.executable, "-c", WATCHING]
    servers = [subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        old = {server.stdout.readline().split()[0] for server in servers}
        change(dora)
        activation = propose_and_approve(session, dora, fred, ward.now())
        approved = time.time()
        told = [server.stdout.readline().split() for server in servers]
    finally:
        for server in servers:
            server.kill()
            server.communicate()
    assert old == {versions.started().ruleset.hash}
    for new, at in told:
        assert new == activation.ruleset_hash
        assert float(at) - approved < 5

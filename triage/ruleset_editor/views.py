"""The rules: read by nurses and clinicians, changed by clinicians, and every version that ever judged."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, current_app, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage import clock
from triage.accounts.access import names_in_a_replay, person, roles
from triage.database import db
from triage.models import Role, RulesetActivation, RulesetProposal
from triage.rules.boundaries import new_boundaries
from triage.rules.difference import text_difference
from triage.rules.loading import RuleFileErrors
from triage.ruleset_editor import editing, pages, services, versions
from triage.ruleset_editor.forms import DecideForm, ProposeForm, RollBackForm, rule_form

bp = Blueprint("ruleset_editor", __name__)


# --- the active rules


@bp.get("/rules")
@roles(Role.CLINICIAN, Role.NURSE)
def rules() -> ResponseReturnValue:
    ruleset = versions.active()
    return render_template(
        "rules/rules.html", ruleset=ruleset, themes=pages.themes(ruleset), latest=versions.latest(db.session)
    )


@bp.get("/rules/<rule_id>")
@roles(Role.CLINICIAN, Role.NURSE)
def rule(rule_id: str) -> ResponseReturnValue:
    ruleset = versions.active()
    found = ruleset.by_id.get(rule_id) or abort(404)
    return render_template("rules/rule.html", ruleset=ruleset, rule=pages.read(found, ruleset))


# --- a draft


@bp.get("/ruleset/draft")
@roles(Role.CLINICIAN)
def draft() -> ResponseReturnValue:
    return _draft_page()


def _draft_page() -> str:
    at = clock.now()
    work = services.working(db.session, person(), at)
    base = db.session.get(RulesetActivation, work.base)
    checked = services.check(work.files, at.date())
    latest = versions.latest(db.session)
    files = base.files if base else versions.started().files
    new_warnings = services.new_warnings(checked, files, at.date())
    return render_template(
        "rules/draft.html",
        draft=work,
        stored=services.draft_of(db.session, person()) is not None,
        checked=checked,
        ran=pages.ran(checked),
        old_warnings=[one for one in checked.warnings if one not in new_warnings],
        problems=[*checked.errors, *new_warnings],
        files=pages.draft_files(work, files, checked),
        difference=_difference(work.files, checked, base),
        overtaken=latest is not None and latest.number != work.base and latest,
        differing=services.files_that_differ(db.session),
        waiting=services.waiting(db.session),
    )


def _difference(files: Mapping[str, str], checked: services.Checked, base: RulesetActivation | None) -> Any:
    """What the files change; only the text where they, or the version, cannot be read."""
    if base is None or checked.ruleset is None:
        return None
    try:
        return services.difference_of(files, checked.ruleset, base)
    except RuleFileErrors:
        return None


@bp.route("/ruleset/draft/files/<name>", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def draft_file(name: str) -> ResponseReturnValue:
    at = clock.now()
    work = services.working(db.session, person(), at)
    text = work.files.get(name)
    if text is None:
        abort(404)
    problem = ""
    if request.method == "POST":
        typed = request.form.get("text")
        try:
            if typed is None:
                raise services.NotReady("Not saved: the text did not arrive. Go back and send it again.")
            saved = services.save(db.session, person(), name, typed, at, request.form.get("seen"))
            work, text = saved, saved.files[name]
        except services.ChangedMeanwhile as changed:
            problem = (
                "Not saved yet: this file was saved in another window meanwhile. What you typed stands below; "
                "the other text is kept. Save again to put yours in its place."
            )
            stamp, text = services.stamp(changed.text), typed or ""
            return _file_page(work.files, name, text, stamp, problem), 422
        except services.NotReady as refused:
            return _file_page(work.files, name, typed or text, services.stamp(text), str(refused)), 422
        flash("The file is saved in your draft. It judges nothing until it is approved.", "success")
        return redirect(url_for("ruleset_editor.draft_file", name=name))
    return _file_page(work.files, name, text, services.stamp(text), problem)


def _file_page(files: Mapping[str, str], name: str, text: str, stamp: str, problem: str) -> str:
    checked = services.check({**files, name: text}, clock.now().date())
    ruleset = checked.ruleset or versions.active()
    g.style_nonce = secrets.token_urlsafe(16)  # the code editor makes its own styles (triage/web.py)
    return render_template(
        "rules/file.html",
        name=name,
        text=text,
        stamp=stamp,
        problem=problem,
        problems=[one for one in checked.problems if one.place.file == name],
        others=[one for one in checked.problems if one.place.file != name and one.error],
        ran=pages.ran(checked),
        sentences=pages.sentences_of_file(name, ruleset),
        problem_data=[_problem(one) for one in checked.problems],
        readable=checked.ruleset is not None,
        words=pages.words(ruleset, name),
        nonce=g.style_nonce,
    )


@bp.post("/ruleset/draft/files/<name>/check")
@roles(Role.CLINICIAN)
def check_file(name: str) -> ResponseReturnValue:
    """What the code editor asks while somebody types: keeps the text, tells its mistakes, and what its rules say."""
    at = clock.now()
    if name not in services.working(db.session, person(), at).files:
        abort(404)
    text = request.form.get("text")
    if text is None:
        return jsonify(saved=False, why="the text did not arrive"), 422
    try:
        work = services.save(db.session, person(), name, text, at, request.form.get("seen"))
    except (services.ChangedMeanwhile, services.NotReady) as refused:
        return jsonify(saved=False, why=str(refused)), 409
    checked = services.check(work.files, at.date())
    told = pages.sentences_of_file(name, checked.ruleset) if checked.ruleset else None
    return jsonify(
        saved=True,
        seen=services.stamp(work.files[name]),
        problems=[_problem(one) for one in checked.problems],
        ran=pages.ran(checked),
        rules=told
        and [
            {"title": title, "href": url_for("ruleset_editor.draft_rule", rule_id=id), "told": lines}
            for id, title, _, lines in told
        ],
    )


def _problem(one: services.Problem) -> dict[str, Any]:
    """As the code editor reads it."""
    place = one.place
    return {"file": place.file, "line": place.line, "column": place.column, "message": one.message, "error": one.error}


@bp.route("/ruleset/draft/rules/<rule_id>", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def draft_rule(rule_id: str) -> ResponseReturnValue:
    at = clock.now()
    work = services.working(db.session, person(), at)
    written = _written(work.files, rule_id)
    catalogue = versions.active().catalogue
    form = rule_form(written, catalogue, services.stamp(written.text))
    if form.validate_on_submit():
        try:
            services.change_rule(db.session, person(), rule_id, form.change(), at, form.seen.data or "")
        except services.ChangedMeanwhile as changed:
            form.form_errors = [
                "Not saved yet: the file was saved in another window meanwhile. Save again if you mean it"
            ]
            form.seen.data = services.stamp(changed.text)
        except services.NotReady as refused:
            form.form_errors = [f"Not saved: {problem}" for problem in refused.problems]
        else:
            flash(_saved(rule_id, at), "success")
            return redirect(url_for("ruleset_editor.draft_rule", rule_id=rule_id))
    checked = services.check(work.files, at.date())
    found = checked.ruleset.by_id.get(rule_id) if checked.ruleset else None
    page = render_template(
        "rules/change.html",
        form=form,
        rule_id=rule_id,
        file=written.file,
        rule=pages.read(found, checked.ruleset) if found and checked.ruleset else None,
        examples=pages.examples(found, checked.ruleset, checked) if found and checked.ruleset else [],
        boundaries=pages.boundaries_to_keep(found, checked.ruleset) if found and checked.ruleset else [],
        problems=[one for one in checked.problems if one.place.file == written.file],
        of_rule=pages.problems_of(found, checked) if found else [],
    )
    return page, 422 if form.errors else 200


def _saved(rule_id: str, at: datetime) -> str:
    """What the clinician is told of the saved rule, and what is left to do below the form."""
    checked = services.check(services.working(db.session, person(), at).files, at.date())
    rule = checked.ruleset.by_id.get(rule_id) if checked.ruleset else None
    examples = pages.examples(rule, checked.ruleset, checked) if rule and checked.ruleset else []
    differently = sum(one.fails for one in examples)
    told = "The rule is saved in your draft. It judges nothing until it is approved."
    if differently:
        told += (
            f" {differently} of its examples {'come' if differently > 1 else 'comes'} out differently now: see below."
        )
    return told


@bp.post("/ruleset/draft/rules/<rule_id>/examples")
@roles(Role.CLINICIAN)
def move_example(rule_id: str) -> ResponseReturnValue:
    """An example of the rule changes sides: it should now do what it does."""
    at = clock.now()
    work = services.working(db.session, person(), at)
    written = _written(work.files, rule_id)
    number = request.form.get("number", type=int)
    fires = request.form.get("fires") == "yes"
    try:
        if number is None or number < 0:
            raise LookupError
        text = written.with_case_moved(fires, number)
        services.save(db.session, person(), written.file, text, at, request.form.get("seen"))
    except (LookupError, services.ChangedMeanwhile):
        flash("Not moved: the examples have changed meanwhile. Look at them again.")
    return redirect(url_for("ruleset_editor.draft_rule", rule_id=rule_id, _anchor="examples"))


@bp.post("/ruleset/draft/rules/<rule_id>/boundaries")
@roles(Role.CLINICIAN)
def keep_boundary(rule_id: str) -> ResponseReturnValue:
    """An entry on the edge of a threshold becomes an example of the rule, on the side on which it comes out."""
    at = clock.now()
    work = services.working(db.session, person(), at)
    written = _written(work.files, rule_id)
    checked = services.check(work.files, at.date())
    rule = checked.ruleset.by_id.get(rule_id) if checked.ruleset else None
    found = pages.boundaries_to_keep(rule, checked.ruleset) if rule and checked.ruleset else []
    wanted = [one for one in found if one.text in request.form.getlist("keep")]
    try:
        services.keep_examples(db.session, person(), written, wanted, at, request.form.get("seen"))
    except services.ChangedMeanwhile:
        flash("Not kept: the file has changed meanwhile. Look at the entries again.")
    return redirect(url_for("ruleset_editor.draft_rule", rule_id=rule_id, _anchor="examples"))


def _written(files: Mapping[str, str], rule_id: str) -> editing.WrittenRule:
    try:
        return editing.find(files, rule_id)
    except LookupError:
        abort(404)


@bp.route("/ruleset/draft/discard", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def discard() -> ResponseReturnValue:
    if request.method == "GET":
        return _lost_page("Throw your draft away?", "Throw my draft away")
    services.discard(db.session, person())
    flash("Your draft is thrown away. The active rules are as they were.", "success")
    return redirect(url_for("ruleset_editor.draft"))


def _lost_page(heading: str, button: str) -> str:
    """Asks once more, and shows what of the draft would be lost."""
    at = clock.now()
    work = services.working(db.session, person(), at)
    base = db.session.get(RulesetActivation, work.base)
    return render_template(
        "rules/lose_draft.html",
        heading=heading,
        button=button,
        draft=work,
        stored=services.draft_of(db.session, person()) is not None,
        difference=_difference(work.files, services.check(work.files, at.date()), base),
        text=text_difference(base.files, work.files) if base else {},
    )


@bp.post("/ruleset/draft/catch-up")
@roles(Role.CLINICIAN)
def catch_up() -> ResponseReturnValue:
    clashing = services.catch_up(db.session, person(), clock.now())
    if clashing:
        flash(
            "Your draft stands on the active version now. You and the others changed the same lines of "
            f"{' and '.join(clashing)}: yours are kept there, and the difference below shows what of theirs they "
            "would undo."
        )
    else:
        flash("Your draft stands on the active version now; nothing of yours or of theirs was lost.", "success")
    return redirect(url_for("ruleset_editor.draft"))


@bp.route("/ruleset/draft/take-files", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def take_files() -> ResponseReturnValue:
    """The rule files of this server become the draft."""
    if request.method == "GET":
        return _lost_page("Take the files of this server as your draft?", "Take the files as my draft")
    services.replace_files(db.session, person(), versions.started().files, clock.now())
    flash("The rule files of this server are your draft now.", "success")
    return redirect(url_for("ruleset_editor.draft"))


# --- what it would do, and proposing it


@bp.get("/ruleset/draft/replay")
@roles(Role.CLINICIAN)
def draft_replay() -> ResponseReturnValue:
    at = clock.now()
    work = services.working(db.session, person(), at)
    checked = services.check(work.files, at.date())
    if checked.ruleset is None:
        flash("The draft has mistakes; mend them first, then replay it.")
        return redirect(url_for("ruleset_editor.draft"))
    effect = services.replay_on_past(db.session, versions.active(), checked.ruleset)
    services.note_seen(db.session, person(), at)
    return render_template("rules/replay.html", replay=effect.to_data(), **_replay_words())


@bp.route("/ruleset/draft/propose", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def propose() -> ResponseReturnValue:
    at, form = clock.now(), ProposeForm()
    work = services.working(db.session, person(), at)
    checked = services.check(work.files, at.date())
    if checked.ruleset is None or checked.errors:
        flash("The draft has mistakes; mend them first, then propose it.")
        return redirect(url_for("ruleset_editor.draft"))
    latest = versions.latest(db.session)
    warnings = services.new_warnings(checked, latest.files if latest else versions.started().files, at.date())
    accepted = {str(one): request.form.get(f"accepted-{n}", "") for n, one in enumerate(warnings)}
    if request.method == "POST":
        form.validate()  # all that stands against it is told at once, not the missing reason first
        change = services.Change(
            form.reason.data or "", request.form.getlist("signed"), accepted, request.form.getlist("confirmed")
        )
        try:
            proposal = services.propose(db.session, person(), change, at)
        except services.Overtaken as overtaken:
            flash(
                f"Not proposed: version {overtaken.active} became active after you began. Your draft is kept; "
                "bring it up to date, look at the difference, then propose it."
            )
            return redirect(url_for("ruleset_editor.draft"))
        except services.NotReady as refused:
            form.form_errors = [problem for problem in refused.problems if problem != services.SAY_WHY]
        else:
            flash("The change is proposed. Another clinician decides on it; until then nothing changes.", "success")
            return redirect(url_for("ruleset_editor.proposal", proposal_id=proposal.id))
    base = db.session.get(RulesetActivation, work.base)
    effect = services.replay_on_past(db.session, versions.active(), checked.ruleset)
    services.note_seen(db.session, person(), at)
    page = render_template(
        "rules/propose.html",
        form=form,
        warnings=warnings,
        accepted=accepted,
        signed=request.form.getlist("signed"),
        difference=_difference(work.files, checked, base),
        boundaries=new_boundaries(versions.active(), checked.ruleset),
        titles={rule.id: rule.title for rule in checked.ruleset.rules},
        confirmed=request.form.getlist("confirmed"),
        replay=effect.to_data(),
        **_replay_words(),
    )
    return page, 422 if form.errors else 200


def _replay_words() -> dict[str, Any]:
    """How a replay names patients and moments."""
    names = names_in_a_replay(person())
    local_time = current_app.jinja_env.filters["local_time"]
    return {
        "who": lambda patient: names.get(patient, "A patient of another team"),
        "when": lambda moment: local_time(datetime.fromisoformat(moment)) if moment else "without a time",
    }


@bp.route("/ruleset/proposals/<uuid:proposal_id>", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def proposal(proposal_id: UUID) -> ResponseReturnValue:
    form, at = DecideForm(), clock.now()
    found = db.session.get(RulesetProposal, proposal_id) or abort(404)
    decide = request.form.get("decide")
    if form.validate_on_submit():
        try:
            if decide not in ("approve", "decline"):
                raise services.NotReady("Nothing is decided: press one of the buttons below")
            if decide == "approve":
                signed = request.form.getlist("signed")
                made = services.approve(db.session, proposal_id, person(), form.decision.data or "", at, signed)
                flash(f"Version {made.number} judges every report from now on.", "success")
                return redirect(url_for("ruleset_editor.version", number=made.number))
            services.decline(db.session, proposal_id, person(), form.decision.data or "", at)
            flash("The proposal is closed. Its text is back in the draft of its author.", "success")
            return redirect(url_for("ruleset_editor.history"))
        except services.NotYours:
            form.form_errors = ["Nobody approves their own change: another clinician must look at it"]
        except services.Overtaken as overtaken:
            form.form_errors = [
                f"Not approved: version {overtaken.active} became active since. Reject it, so that it is proposed anew"
            ]
        except services.Decided:
            form.form_errors = ["Not done: somebody has decided on this proposal meanwhile"]
        except services.NotReady as refused:
            form.form_errors = list(refused.problems)
        found = db.session.get(RulesetProposal, proposal_id) or abort(404)
    services.note_seen(db.session, person(), at)
    found = db.session.get_one(RulesetProposal, proposal_id)
    page = render_template(
        "rules/proposal.html",
        form=form,
        proposal=found,
        own=found.proposed_by_id == person().id,
        difference=services.difference_of_proposal(db.session, found),
        new=services.falling_since(db.session, found) if found.is_waiting else [],
        replay=found.replay,
        people=services.names(db.session, found.signed.values()),
        **_replay_words(),
    )
    return page, 422 if form.errors else 200


# --- versions


@bp.get("/ruleset/versions")
@roles(Role.CLINICIAN)
def history() -> ResponseReturnValue:
    return render_template(
        "rules/versions.html",
        versions=services.history(db.session),
        waiting=services.waiting(db.session),
        differing=services.files_that_differ(db.session),
    )


@bp.route("/ruleset/versions/<int(max=999999):number>", methods=["GET", "POST"])
@roles(Role.CLINICIAN)
def version(number: int) -> ResponseReturnValue:
    found = db.session.get(RulesetActivation, number) or abort(404)
    latest = versions.latest(db.session) or abort(404)
    form = RollBackForm(active=str(latest.number))
    if form.validate_on_submit():
        try:
            seen = int(active) if (active := form.active.data or "").isdecimal() else 0
            made = services.roll_back(db.session, number, person(), form.reason.data or "", clock.now(), active=seen)
        except services.Overtaken as overtaken:
            form.form_errors = [f"Not done: version {overtaken.active} became active meanwhile. Look at it first"]
            form.active.data = str(overtaken.active)
        except services.NotReady as refused:
            form.form_errors = list(refused.problems)
        else:
            flash(f"The rules of version {number} judge again, from now on, as version {made.number}.", "success")
            return redirect(url_for("ruleset_editor.version", number=made.number))
        found = db.session.get_one(RulesetActivation, number)
        latest = versions.latest(db.session) or abort(404)
    page = render_template(
        "rules/version.html",
        form=form,
        version=found,
        latest=latest,
        difference=services.difference_to_the_one_before(db.session, found),
        back=text_difference(latest.files, found.files) if found.number != latest.number else None,
        mistakes=services.mistakes_of(found, clock.now().date()) if found.number != latest.number else (),
        replay=found.proposal.replay if found.proposal else None,
        **_replay_words(),
    )
    return page, 422 if form.errors else 200

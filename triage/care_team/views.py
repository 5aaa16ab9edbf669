"""The nurses' pages: the queue, a patient's record, acknowledging and resolving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from triage import clock
from triage.accounts import covers, looks
from triage.accounts.access import alert_for, by_itself, patient_for, person, roles, team_for, team_of
from triage.alerts import pulse, services
from triage.care_team import filters
from triage.care_team import queue as waiting
from triage.care_team.boards import Board, boards
from triage.care_team.forms import ResolveForm
from triage.care_team.record import patient_record
from triage.database import db
from triage.models import Alert, AlertStatus, CareTeam, Disposition, Person, Role
from triage.ruleset_editor import versions

bp = Blueprint("care_team", __name__)
bp.add_app_template_filter(waiting.span_words, "span_words")
bp.url_defaults(filters.keep)

MOST_DRAWN = 5_000
"""Rows of a care team whose HTML is kept, for all words that addresses say."""
_TOKEN = "\0"  # noqa: S105 (stands for one)
"""Nothing that is typed can hold it: it is taken out of all fields."""
_DONE = {
    AlertStatus.OPEN: "was opened again by",
    AlertStatus.ACKNOWLEDGED: "was acknowledged by",
    AlertStatus.RESOLVED: "was resolved by",
}


@bp.get("/queue")
@roles(Role.NURSE)
def queue() -> ResponseReturnValue:
    at, team = clock.now(), _team()
    if team is None:
        flash("You do not cover that team any more. This is the queue of your own team.")
        return redirect(url_for("care_team.queue", team=None))
    return render_template(
        "care_team/queue.html",
        team=team,
        covered_by=covers.of_team(db.session, team, at),
        whose=filters.WHOSE,
        urgencies=filters.URGENCIES,
        therapies=_therapies(),
        days=filters.DAYS,
        everything=dict.fromkeys(filters.NAMES),
        **_rows(_state(team, at), fresh=True),
    )


@bp.get("/queue/rows")
@roles(Role.NURSE)
@by_itself
def queue_rows() -> ResponseReturnValue:
    """The rows alone, for an open dashboard; 304 while they are what it has, 410 when a cover is over."""
    team = _team()
    if team is None:
        return Response(status=410)
    state = _state(team, clock.now())
    if request.if_none_match.contains_weak(state.tag):
        return Response(status=304)
    return render_template("care_team/rows.html", **_rows(state))


@dataclass(frozen=True)
class _State:
    """What the queue would show at a moment: the version of the rows, and the tag of the page made of them."""

    team: CareTeam
    at: datetime
    chosen: filters.Filter
    version: waiting.Version
    tag: str


def _team() -> CareTeam | None:
    """Whose queue the address asks for: that of the nurse's own team, or of one that she covers. None for a team that
    she does not cover any more; 404 for one that she never did."""
    word = request.args.get(filters.TEAM)
    if word is None:
        return team_of(person())
    try:
        return team_for(person(), UUID(word))
    except ValueError:
        abort(404)


def _state(team: CareTeam, at: datetime) -> _State:
    chosen, out = _filter(), pulse.late_since(db.session, at) is not None
    version = waiting.version(db.session, team, at)
    return _State(team, at, chosen, version, waiting.tag(version.digest, str(person().id), str(chosen), str(out)))


def _filter() -> filters.Filter:
    return filters.Filter.read(request.args, _therapies())


def _therapies() -> dict[str, str]:
    known = versions.active().catalogue.therapies
    return {"": "All"} | {code: therapy.label for code, therapy in known.items()} | {filters.NOT_KNOWN: "Not known"}


def _rows(state: _State, *, fresh: bool = False) -> dict[str, object]:
    """What the rows are made of. The tag was taken first: what comes in between is fetched by the next question. A page
    that somebody opens is `fresh`, so that it shows also what the version does not look at."""
    team = state.team
    board = boards().board(db.session, team, state.version, state.at, fresh=fresh)
    shown = filters.apply(state.chosen, board.rows, person().id)
    looks.at_list(person(), "queue_seen")
    return {
        "version": state.tag,
        "at": board.at,
        "zone": team.time_zone,
        "chosen": state.chosen,
        "shown": shown,
        "rows": shown.rows,
        "total": len(board.rows),
        "drawn": _drawing(board, person(), team.time_zone),
    }


def _drawing(board: Board, somebody: Person, zone: str) -> Callable[[waiting.QueueRow], Markup]:
    """Draws a row for somebody, or gives it as it was drawn before for the same words: whether the alert is theirs, and
    what the address says of filters. What is kept holds a mark in the place of the token of their forms."""
    token, words = generate_csrf(), tuple(sorted(request.args.items()))
    template = current_app.jinja_env.get_template("care_team/row.html")

    def draw(row: waiting.QueueRow) -> Markup:
        key = (row.alert.id, (row.alert.taken_by_id == somebody.id, words))
        html = board.drawn.get(key)
        if html is None:
            if len(board.drawn) >= MOST_DRAWN:
                board.drawn.clear()
            html = template.render(row=row, at=board.at, zone=zone, person=somebody).replace(token, _TOKEN)
            board.drawn[key] = html
        return Markup(html.replace(_TOKEN, token))  # noqa: S704 (a template has escaped it)

    return draw


@bp.get("/patients/<uuid:patient_id>")
@roles(Role.NURSE)
def record(patient_id: UUID) -> ResponseReturnValue:
    at = clock.now()
    patient = patient_for(person(), patient_id)
    before = _moment(request.args.get("before", ""))
    found = patient_record(db.session, patient, at, before)
    return render_template(
        "care_team/record.html", record=found, before=before, at=at, zone=patient.care_team.time_zone
    )


def _moment(text: str) -> datetime | None:
    """A moment as an address of ours writes it; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


@bp.post("/alerts/<uuid:alert_id>/acknowledge")
@roles(Role.NURSE)
def acknowledge(alert_id: UUID) -> ResponseReturnValue:
    alert = alert_for(person(), alert_id)
    try:
        services.acknowledge(db.session, alert, person(), clock.now(), seen=request.args.get("seen", type=int))
    except services.NotSeen:
        flash("Not acknowledged: something new came while you were reading. Read it, then acknowledge.")
    except services.AlreadyDone as done:
        if done.status != AlertStatus.ACKNOWLEDGED or done.by_id != person().id:  # pressing twice is no quarrel
            return _somebody_was_quicker(alert, done)
    else:
        flash("You have acknowledged the alert. Resolve it when something was done.", "success")
    # No name and nothing about health goes into the message: it travels in a cookie.
    if request.args.get("back") == "record":
        return redirect(url_for("care_team.record", patient_id=alert.patient_id))
    if request.args.get("back") == "resolve":
        return redirect(url_for("care_team.resolve", alert_id=alert.id))
    return redirect(url_for("care_team.queue", _anchor=f"alert-{alert.id}"))


@bp.route("/alerts/<uuid:alert_id>/resolve", methods=["GET", "POST"])
@roles(Role.NURSE)
def resolve(alert_id: UUID) -> ResponseReturnValue:
    alert = alert_for(person(), alert_id)
    form = ResolveForm(note_needed=partial(services.note_needed, alert))
    try:
        services.refuse_resolved(alert)
        if form.is_submitted() and request.args.get("acknowledge"):  # what was typed stays on the page
            services.acknowledge(db.session, alert, person(), clock.now(), seen=_number(form.seen.data))
        elif form.validate_on_submit():
            chosen, note = Disposition(form.disposition.data), form.note.data or ""
            services.resolve(
                db.session,
                alert,
                person(),
                chosen,
                note,
                clock.now(),
                seen=_number(form.seen.data),
                useful=form.opinion,
                why=form.why.data or "",
            )
            if chosen == Disposition.ADMITTED and not alert.patient.in_hospital:
                flash("The alert is resolved. What follows from it can be noted here, or go back.", "success")
                return redirect(url_for("monitoring.admitted", patient_id=alert.patient_id))
            return _resolved()
    except services.AlreadyDone as done:
        note = form.note.data or ""
        if form.is_submitted() and done.by_id == person().id and alert.note == note.strip():
            return _resolved()  # pressing twice is no quarrel
        return _somebody_was_quicker(alert, done, note)
    except services.NotSeen:
        form.form_errors = ["Not saved: something new came while you were writing. Read it here, then go on"]
    except services.NotAcknowledged:
        form.form_errors = ["Not saved: nobody looks after this alert yet. Acknowledge it first"]
    except services.CallBackPromised:
        form.form_errors = ["Not saved: a call-back is promised. Say in the record that it was made, or is not needed"]
    return _resolve_page(alert, form)


def _resolved() -> ResponseReturnValue:
    flash("The alert is resolved. What you wrote stands in the record.", "success")
    return redirect(url_for("care_team.queue"))


def _resolve_page(alert: Alert, form: ResolveForm) -> ResponseReturnValue:
    at, team = clock.now(), alert.patient.care_team
    form.seen.data = str(len(alert.findings))
    lines = waiting.lines(db.session, alert, team, heard=waiting.last_heard(db.session, alert.patient))
    page = render_template(
        "care_team/resolve.html",
        form=form,
        alert=alert,
        lines=lines,
        at=at,
        zone=team.time_zone,
        typed=form.is_submitted(),
    )
    return page, 422 if form.errors else 200


def _somebody_was_quicker(alert: Alert, done: services.AlreadyDone, note: str = "") -> ResponseReturnValue:
    what, tried = _DONE[done.status], request.method == "POST"
    return render_template("care_team/already.html", alert=alert, done=done, what=what, note=note, tried=tried), 409


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None

"""The commands about versions of the rules: replay (as text, JSON or one HTML page), export and import."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import click

from triage import clock
from triage.rules.batch import BadLine, read_lines
from triage.rules.replay import Change, Past, Replay, Side, replay
from triage.rules.report import BadReport, from_data, from_old_data
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency


class BadReports(ValueError):
    """Lines that are no reports, each with its number and why."""

    def __init__(self, lines: list[BadLine]) -> None:
        self.lines = lines
        super().__init__("\n".join(str(line) for line in lines))


def of_lines(lines: Iterable[bytes], before: Ruleset, after: Ruleset) -> list[Past]:
    """Reports of a JSON Lines file. One without a patient stands alone. Raises BadReports with every bad line: a
    replay that leaves reports out would show less than the truth."""
    past: list[Past] = []
    bad: list[BadLine] = []
    same = before.catalogue == after.catalogue
    for number, data in read_lines(lines):
        if isinstance(data, BadLine):
            bad.append(data)
            continue
        try:
            report = from_data(data, before.catalogue)
        except BadReport as problems:
            bad.extend(BadLine(number, str(problem)) for problem in problems.problems)
            continue
        other = report if same else from_old_data(data, after.catalogue)
        past.append(Past(f"line {number}", report.patient or f"line {number}", report, other))
    if bad:
        raise BadReports(bad)
    return past


def as_json(result: Replay) -> str:
    """All of it, for machines."""
    return json.dumps(result.to_data(), ensure_ascii=False, indent=2)


def as_text(result: Replay) -> Iterator[str]:
    """All of it, for a terminal."""
    told = f"{_counted(result.reports, 'report')} of {_counted(result.patients, 'patient')}"
    yield f"{told}, {result.patient_weeks:.1f} patient-weeks"
    yield "Silence is not replayed: no report tells of it."
    yield ""
    sides = (result.before, result.after)
    yield _row("Reports that", "active", "proposed")
    for urgency in sorted(Urgency, reverse=True):
        yield _row(f"  are {urgency.code}", *(side.by_urgency.get(urgency, 0) for side in sides))
    yield _row("  reach a nurse", *(side.alerts for side in sides))
    yield ""
    weekly = [side.to_data(result.patient_weeks) for side in sides]
    yield _row("The same, a patient and week", "active", "proposed")
    for urgency in sorted(Urgency, reverse=True):
        yield _row(
            f"  are {urgency.code}", *(f"{one['by_urgency_per_patient_week'][urgency.code]:.2f}" for one in weekly)
        )
    yield _row("  reach a nurse", *(f"{one['alerts_per_patient_week']:.2f}" for one in weekly))
    yield ""
    for heading, changes in (("Rising", result.rising), ("Falling", result.falling)):
        patients = len({change.patient for change in changes})
        yield f"{heading}: {_counted(len(changes), 'report')} of {_counted(patients, 'patient')}"
        for change in changes:
            yield from _change(change)
    differing = [rule for rule in _rules(result) if _fired(result.before, rule) != _fired(result.after, rule)]
    if differing:
        yield ""
        yield "Rules that fire on more or fewer reports (and how often, a patient and week)"
        for rule in differing:
            yield _row(f"  {rule}", *(_and_weekly(side, rule, result.patient_weeks) for side in sides))
    yield ""
    yield f"Proposed rules that never fired: {', '.join(result.after.never_fired) or 'none'}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _row(words: str, before: int | str, after: int | str) -> str:
    return f"{words:<34}{before:>14}{after:>14}"


def _rules(result: Replay) -> list[str]:
    return sorted({*result.before.by_rule, *result.after.by_rule})


def _fired(side: Side, rule: str) -> int | str:
    return side.by_rule.get(rule, "-")


def _and_weekly(side: Side, rule: str, patient_weeks: float) -> str:
    count = side.by_rule.get(rule)
    if count is None:
        return "-"
    return f"{count} ({count / patient_weeks if patient_weeks else 0:.2f})"


def _change(change: Change) -> Iterator[str]:
    when = f", {change.reported_at.isoformat()}" if change.reported_at else ""
    sign = " (must be signed off)" if change.must_be_signed else ""
    yield f"  {change.patient}{when}, {change.id}: {change.before.code} → {change.after.code}{sign}"
    for mark, rules in (("-", change.lost), ("+", change.gained)):
        for rule in rules:
            yield f"    {mark} {rule.rule} ({rule.urgency.code}): {'; '.join(rule.facts)}"


def as_html(result: Replay, templates: Path) -> str:
    """One page that needs nothing beside itself, by the templates of that folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("rules/replay_file.html").render(
        replay=result.to_data(), who=str, when=lambda moment: moment or "without a time"
    )


def printed(result: Replay, form: str) -> str:
    """As text, json or html."""
    if form == "html":
        from triage.paths import folder

        return as_html(result, folder("templates"))
    return as_json(result) if form == "json" else "\n".join(as_text(result))


def of_file(
    path: Path,
    before: Ruleset,
    after: Ruleset,
    since: datetime | None,
    engine: str,
    progress: Callable[[int], None],
) -> Replay:
    """Replay over a file of reports. Ends the command where the file cannot be read or holds what is no report."""
    from triage.rules.replay_columns import replay_columns
    from triage.ruleset_editor import frames

    parquet = path.suffix == ".parquet" or path.is_dir()
    if engine == "spark" and not parquet:
        raise click.ClickException(f"--engine spark reads Parquet: make it with `triage rules columns {path} FILE`")
    if engine == "reference" and parquet:
        raise click.ClickException("--engine reference reads JSON Lines, not Parquet")
    if not parquet:
        past = sorted(_past(path, before, after), key=lambda one: one.patient)
        return _replay(before, after, past, since, engine, progress)
    try:
        found = frames.on_spark(path) if engine == "spark" else frames.of_parquet(path)
        return replay_columns(before, after, found, since, progress)
    except ModuleNotFoundError:
        raise click.ClickException(
            "Spark is not installed: pip install 'triage-helper[spark]', and a Java runtime (17 or newer)"
        ) from None
    except (OSError, frames.NoReports) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None


def _replay(
    before: Ruleset,
    after: Ruleset,
    past: Iterable[Past],
    since: datetime | None,
    engine: str,
    progress: Callable[[int], None],
) -> Replay:
    """By the live engine, report after report, or as columns. The reports stand patient after patient."""
    from triage.ruleset_editor import frames

    if engine == "reference":
        return replay(before, after, past, lambda: progress(1), since)
    return frames.replayed(before, after, past, since, progress)


def columns_of_file(path: Path, parquet: Path, ruleset: Ruleset) -> int:
    """Write the reports of a JSON Lines file as Parquet; how many. Ends the command where either cannot be done."""
    from triage.ruleset_editor import frames

    past = sorted(_past(path, ruleset, ruleset), key=lambda one: one.patient)
    try:
        return frames.write(past, ruleset.catalogue.symptoms, parquet)
    except OSError as error:
        raise click.ClickException(f"{parquet} cannot be written: {error}") from None


def columns_of_database(parquet: Path) -> int:
    """Write the stored reports as Parquet; how many."""
    from triage import create_app
    from triage.database import db
    from triage.ruleset_editor import frames, services, versions

    with create_app().app_context():
        active = versions.active()
        services.note_exported(db.session, clock.now())
        past = services.stored(db.session, active, active)
        try:
            return frames.write(past, active.catalogue.symptoms, parquet)
        except OSError as error:
            raise click.ClickException(f"{parquet} cannot be written: {error}") from None


def _past(path: Path, before: Ruleset, after: Ruleset) -> list[Past]:
    try:
        with path.open("rb") as lines:
            return of_lines(lines, before, after)
    except BadReports as bad:
        for line in bad.lines:
            click.echo(str(line), err=True)
        raise click.exceptions.Exit(2) from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from None


def of_database(
    proposed: Ruleset, active: Ruleset | None, since: datetime | None, engine: str, progress: Callable[[int], None]
) -> Replay:
    """Replay over the stored reports, against the active version if no other ruleset is given."""
    if engine == "spark":
        raise click.ClickException("--engine spark reads Parquet: make it with `triage rules columns FILE.parquet`")
    from triage import create_app
    from triage.database import db
    from triage.ruleset_editor import services, versions

    with create_app().app_context():
        before = active or versions.active()
        services.note_seen(db.session, None, clock.now())
        return _replay(before, proposed, services.stored(db.session, before, proposed), since, engine, progress)


def export(number: int | None, folder: Path) -> list[Path]:
    """Write the rule files of a version into a folder, made if it is not there. Other files are left as they are."""
    from triage import create_app
    from triage.database import db
    from triage.models import RulesetActivation
    from triage.ruleset_editor import versions

    with create_app().app_context():
        found = db.session.get(RulesetActivation, number) if number else versions.latest(db.session)
        if found is None and number:
            raise click.ClickException(f"there is no version {number}")
        files = found.files if found else versions.started().files
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sorted(files.items()):
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in sorted(files)]


def take_in(folder: Path, sign_in_name: str, replace_draft: bool) -> None:
    """Make the rule files of a folder the draft of that clinician."""
    from sqlalchemy import select

    from triage import clock, create_app
    from triage.database import db
    from triage.models import Person, Role
    from triage.rules.loading import read_folder
    from triage.ruleset_editor import services

    with create_app().app_context():
        person = db.session.scalar(select(Person).where(Person.called(sign_in_name)))
        if person is None or person.role != Role.CLINICIAN:
            raise click.ClickException(f"there is no clinician with the sign-in name {sign_in_name}")
        if services.draft_of(db.session, person) is not None and not replace_draft:
            raise click.ClickException(f"{sign_in_name} has a draft already; --replace throws it away")
        services.replace_files(db.session, person, read_folder(folder), clock.now())

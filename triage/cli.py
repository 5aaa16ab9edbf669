"""The `triage` command. Each command is a shell around one function and imports late; no logic stands here."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO
from uuid import UUID

import click

if TYPE_CHECKING:
    from triage.rules.loading import RuleFileErrors
    from triage.rules.ruleset import Rule, Ruleset

RULES_HELP = "Folder of rule files; the shipped ones when left out."
_path = click.Path(path_type=Path)


def main() -> None:
    """The entry point: a closed pipe, as after `| head`, is no mistake, nor is a terminal that knows no “°”. A database
    that cannot be used ends the command in a sentence; a fault of the program ends it with its traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")
    try:
        cli(prog_name="triage")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if (problem := _database_problem(error)) is None:
            raise
        click.echo(f"Error: {problem}", err=True)
        sys.exit(1)


def _database_problem(error: Exception) -> str | None:
    """What is wrong with the database in words; None for any other error. Rules alone load no SQLAlchemy."""
    if "sqlalchemy" not in sys.modules:
        return None
    from triage.database import problem_of

    return problem_of(error)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Judge symptom reports by rules, look after the rules, and run the web server.

    \b
    Try:  echo '{"therapy": "car_t", "days_since_therapy": 5, "temperature_c": 38.4}' | triage assess -
    """


@cli.command(short_help="Judge reports by the rules, without a database.")
@click.argument("file", type=click.File("rb"))
@click.option("--rules", "rules_path", type=_path, help=RULES_HELP)
def assess(file: BinaryIO, rules_path: Path | None) -> None:
    """Judge the reports in FILE ("-" reads them from standard input), one assessment a line.

    FILE holds one JSON report, a JSON list of reports, or one report a line (JSON Lines). Lines of one "patient", in
    the order of time, are that patient's history. Needs no database. docs/rule-language.md describes a report;
    `triage symptoms` lists what can be in it.

    \b
    Exit code 0: all judged. 1: the rule files have mistakes, nothing was judged.
    2: "line N: field: what is wrong" on standard error for each mistake; all other reports are judged.
    Example:  triage assess reports.jsonl > assessments.jsonl
    """
    from triage.rules import batch

    ruleset = _ruleset(rules_path)
    bad = 0
    with _progress("reports") as tick:
        for answer in batch.assess_lines(ruleset, file):
            if isinstance(answer, batch.BadLine):
                bad += 1
                click.echo(str(answer), err=True)
            else:
                click.echo(answer)
            tick()
    sys.exit(2 if bad else 0)


@cli.command(short_help="List what can be reported, and how it is answered.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, with scales, therapies and codes.")
@click.option("--rules", "rules_path", type=_path, help=RULES_HELP)
def symptoms(as_json: bool, rules_path: Path | None) -> None:
    """List the catalogue: every symptom, measurement and therapy that can be reported, and how it is answered.

    \b
    Exit code 0: listed. 1: the rule files have mistakes.
    Example:  triage symptoms --json
    """
    from triage.rules import batch

    catalogue = _ruleset(rules_path).catalogue
    click.echo(batch.catalogue_json(catalogue) if as_json else batch.catalogue_text(catalogue))


@cli.group()
def rules() -> None:
    """Check, test, explain and replay rule files.

    \b
    Example:  triage rules check rules && triage rules test rules
    """


@rules.command("check", short_help="Look for mistakes in rule files.")
@click.argument("path", type=_path, required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or one JSON object for editors and other programs.",
)
def rules_check(path: Path | None, form: str) -> None:
    """Look for mistakes in the rule files of the folder PATH (the shipped rules when left out).

    Each is one line, "file:line:column: what is wrong", all of them at once; at the end the number of rules and cases,
    and the hash that names exactly these rules in every assessment. Errors stop rules from becoming active; warnings
    need a written reason.

    \b
    Exit code 0: no errors (warnings may be there). 1: errors.
    Example:  triage rules check rules
    """
    from triage import clock, paths
    from triage.rules import checks
    from triage.rules.loading import RuleFileErrors, load, read_texts

    folder = path or paths.folder("rules")
    try:
        ruleset = load(folder)
    except RuleFileErrors as unreadable:
        if form == "text":
            _tell(unreadable)
        else:
            found = [checks.Finding(error.place, True, "readable", error.message) for error in unreadable.errors]
            click.echo(checks.as_json(None, found))
        sys.exit(1)
    found = checks.run(ruleset, clock.now().date(), read_texts(folder))
    errors = sum(finding.error for finding in found)
    if form == "json":
        click.echo(checks.as_json(ruleset, found))
        sys.exit(1 if errors else 0)
    for finding in found:
        click.echo(str(finding))
    cases = sum(len(rule.cases) for rule in ruleset.rules)
    words = "no errors" if not errors else f"{errors} error{'s' * (errors != 1)}"
    warnings = len(found) - errors
    click.echo(f"{len(ruleset.rules)} rules, {cases} cases: {words}, {warnings} warning{'s' * (warnings != 1)}")
    click.echo(ruleset.hash)
    sys.exit(1 if errors else 0)


@rules.command("schema", short_help="Print a JSON Schema of rule files, for editors.")
@click.option("--rules", "rules_path", type=_path, help="Folder of the rule files; the shipped ones when left out.")
def rules_schema(rules_path: Path | None) -> None:
    """Print a JSON Schema of rule files, with the symptoms, therapies and sources of these rules.

    An editor that is given it completes and checks rule files while somebody types.

    \b
    Example:  triage rules schema > rules.schema.json
    """
    import json

    from triage.rules.schema import schema

    click.echo(json.dumps(schema(_ruleset(rules_path)), indent=2, ensure_ascii=False))


@rules.command("boundaries", short_help="Print entries around each threshold of a rule.")
@click.argument("rule_id")
@click.option("--rules", "rules_path", type=_path, help="Folder of the rule files; the shipped ones when left out.")
def rules_boundaries(rule_id: str, rules_path: Path | None) -> None:
    """Print entries just below, at and just above each threshold of a rule, and what all rules make of them.

    \b
    Example:  triage rules boundaries crs-fever
    """
    from triage.rules.boundaries import boundaries

    ruleset = _ruleset(rules_path)
    for one in boundaries(_rule(ruleset, rule_id), ruleset):
        click.echo(one.text)


@rules.command("near", short_help="Show which other answer changes the urgency.")
@click.argument("report", type=click.File("rb"))
@click.option("--rules", "rules_path", type=_path, help="Folder of the rule files; the shipped ones when left out.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or JSON for machines.",
)
def rules_near(report: BinaryIO, rules_path: Path | None, form: str) -> None:
    """Show which single other answer would have changed the urgency of a report. For teaching and review.

    REPORT is a file of reports as JSON Lines, or - for standard input: the last is judged, those before it are its
    history. Never shown to patients: what they did not answer is no advice on what to answer.

    \b
    Exit code 0: shown. 2: "line N: …" for each line that is no report.
    Example:  triage rules near report.json
    """
    import json

    from triage.rules.batch import BadLine, read_lines
    from triage.rules.near import near
    from triage.rules.report import BadReport, from_data

    ruleset = _ruleset(rules_path)
    reports, bad = [], []
    for line, data in read_lines(report):
        try:
            if isinstance(data, BadLine):
                bad.append(data)
            else:
                reports.append(from_data(data, ruleset.catalogue))
        except BadReport as problems:
            bad.extend(BadLine(line, str(problem)) for problem in problems.problems)
    if bad or not reports:
        click.echo("\n".join(map(str, bad)) or "there is no report in this file", err=True)
        sys.exit(2)
    found = near(reports[-1], ruleset, reports[:-1])
    if form == "json":
        click.echo(json.dumps(found.to_data(), indent=2, ensure_ascii=False))
    else:
        click.echo(f"As reported: {found.urgency.code}")
        for one in found.changes:
            click.echo(f"  {one.text}: {one.urgency.code}")
        if not found.changes:
            click.echo("  No single other answer would have changed it.")


@rules.command("test", short_help="Run the examples that stand beside each rule.")
@click.argument("path", type=_path, required=False)
def rules_test(path: Path | None) -> None:
    """Run the example reports (cases) that stand beside each rule of the folder PATH (or of the shipped rules).

    Names each that comes out differently, with what fired instead, and each condition that no example decides.

    \b
    Exit code 0: all cases come out as they say. 1: some do not, or the files have mistakes.
    Example:  triage rules test rules
    """
    from triage.rules import cases

    ruleset = _ruleset(path)
    with _progress("rules") as tick:
        result = cases.run(ruleset, lambda rule: tick())
    for failed in result.failed:
        click.echo(str(failed))
    for undecided in result.undecided:
        click.echo(f"warning: {undecided}")
    click.echo(
        f"{result.count} cases: {result.count - len(result.failed)} as expected, {len(result.failed)} not; "
        f"{len(result.undecided)} conditions that no case decides"
    )
    sys.exit(1 if result.failed else 0)


@rules.command("explain", short_help="Say a rule in plain sentences.")
@click.argument("rule_id", metavar="ID")
@click.option("--rules", "rules_path", type=_path, help=RULES_HELP)
def rules_explain(rule_id: str, rules_path: Path | None) -> None:
    """Say in plain sentences what the rule ID asks for, what follows, and what it stands on.

    The word "escalation" in place of an id says who is told, step by step, while nobody acknowledges an alert;
    the word "reminders", who is asked for a missing report before it becomes one.

    \b
    Exit code 0: explained. 1: there is no such rule, or the files have mistakes.
    Example:  triage rules explain crs-fever
    """
    from triage.rules import wording

    ruleset = _ruleset(rules_path)
    if rule_id == "escalation":
        for urgency, steps in wording.escalation_sentences(ruleset.response).items():
            click.echo("\n  ".join([urgency.code, *steps]))
        return
    if rule_id == "reminders":
        for sentence in wording.reminder_sentences(ruleset.response) or ["nobody is reminded of a missing report"]:
            click.echo(sentence)
        return
    click.echo("\n".join(wording.rule_sentences(_rule(ruleset, rule_id), ruleset)))


@rules.command("replay", short_help="Show what changed rules make of past reports.")
@click.option("--rules", "rules_path", type=_path, required=True, help="Folder of the proposed rule files.")
@click.option(
    "--active", "active_path", type=_path, help="Folder of rule files to compare with, in place of the active."
)
@click.option(
    "--reports", type=_path, help="JSON Lines, or Parquet of `rules columns`, in place of the stored reports."
)
@click.option(
    "--engine",
    type=click.Choice(["polars", "spark", "reference"]),
    default="polars",
    show_default=True,
    help="What judges: the conditions as columns, or the live engine. All say the same.",
)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Judge reports from this day on (UTC).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="For reading here, for machines, or one page to pass on.",
)
def rules_replay(
    rules_path: Path,
    active_path: Path | None,
    reports: Path | None,
    engine: str,
    since: datetime | None,
    form: str,
) -> None:
    """Show what changed rule files would have made of past reports, before anybody is affected.

    Judges every stored report with the active and with the proposed ruleset: which reports and patients rise or fall,
    and by which rule and facts; how many reports reach a nurse, by urgency and by rule; which rules never fired.
    Nothing is stored or changed. With --reports no database is needed; the shipped rules are then the active ones,
    unless --active names others. For millions of reports, write them as Parquet once (`triage rules columns`); a Spark
    cluster reads that too (`--engine spark`).

    \b
    Exit code 0: replayed. 1: the rule files have mistakes. 2: "line N: …" for each line that is no report.
    Example:  triage rules replay --rules my-rules --since 2026-11-01
    """
    from triage.ruleset_editor import commands

    proposed = _ruleset(rules_path)
    with _progress("reports judged") as tick:
        if reports is None:
            active = _ruleset(active_path) if active_path else None
            result = commands.of_database(proposed, active, _utc(since), engine, tick)
        else:
            result = commands.of_file(reports, _ruleset(active_path), proposed, _utc(since), engine, tick)
    click.echo(commands.printed(result, form))


@rules.command("columns", short_help="Write reports as a Parquet file, for replays.")
@click.argument("parquet", type=_path)
@click.option("--reports", type=_path, help="A JSON Lines file of reports, in place of the stored ones.")
@click.option("--rules", "rules_path", type=_path, help=RULES_HELP)
def rules_columns(parquet: Path, reports: Path | None, rules_path: Path | None) -> None:
    """Write the stored reports, or those of a file, as columns into the Parquet file PARQUET.

    `triage rules replay` reads it, here or on a Spark cluster. It holds patients' ids and answers, but no notes
    and no names: keep it as safe as the database. The rule files say which symptoms the reports of a file can answer.

    \b
    Exit code 0: written. 2: "line N: …" for each line that is no report.
    Example:  triage rules columns past.parquet
    """
    from triage.ruleset_editor import commands

    if reports is None:
        count = commands.columns_of_database(parquet)
    else:
        count = commands.columns_of_file(reports, parquet, _ruleset(rules_path))
    click.echo(f"{count} reports written to {parquet}")


@rules.command("export", short_help="Write the rules of a version into a folder.")
@click.argument("folder", type=_path)
@click.option("--version", type=int, help="Its number; the active one when left out.")
def rules_export(folder: Path, version: int | None) -> None:
    """Write the rule files of the active version (or of another) into FOLDER, to keep them under version control."""
    from triage.ruleset_editor import commands

    for path in commands.export(version, folder):
        click.echo(str(path))


@rules.command("import", short_help="Put rule files into a clinician’s draft.")
@click.argument("folder", type=_path)
@click.option("--for", "sign_in_name", required=True, help="Sign-in name of the clinician who will propose them.")
@click.option("--replace", is_flag=True, help="Also where that clinician has a draft already, which is then lost.")
def rules_import(folder: Path, sign_in_name: str, replace: bool) -> None:
    """Put the rule files of FOLDER into a clinician's draft.

    Nothing becomes active by it: the clinician looks at the replay and proposes, and a second clinician approves.
    """
    from triage.ruleset_editor import commands

    _ruleset(folder)
    commands.take_in(folder, sign_in_name, replace)
    click.echo(f"{folder} is the draft of {sign_in_name} now. It judges nothing until it is proposed and approved.")


# --- with a database --------------------------------------------------------------------------------------------------


@cli.command(short_help="Bring the tables of the database up to date.")
def migrate() -> None:
    """Bring the tables of the database (TRIAGE_DATABASE_URL) up to date. Creates an SQLite file where needed.

    \b
    Example:  triage migrate
    """
    from triage import clock, create_app, data_keys
    from triage.database import db, upgrade

    app = create_app()
    upgrade(app.config["DATABASE_URL"])
    with app.app_context():
        data_keys.begin(db.session, clock.now())


@cli.command(short_help="Fill an empty database with synthetic people.")
@click.option("--if-empty", is_flag=True, help="Do nothing, without complaint, where people are in the database.")
def demo(if_empty: bool) -> None:
    """Bring the database up to date and fill it, if it is empty, with synthetic people and three weeks of reports.

    \b
    Exit code 0: filled. 1: there are people in the database already, nothing was changed.
    Example:  triage demo --if-empty
    """
    from triage import demo as demonstration

    demonstration.main(if_empty)


@cli.command("invite-administrator", short_help="Invite the first administrator of a care team.")
@click.option("--team", required=True, help="The name of the care team, which is made if it is new.")
@click.option("--name", required=True, help="The name of the administrator.")
@click.option("--sign-in-name", required=True, help="The name to sign in with.")
def invite_administrator(team: str, name: str, sign_in_name: str) -> None:
    """Invite the first administrator of a care team, or let one in again who cannot sign in. Prints a code that is good
    once; with it they choose a passphrase. A new team takes its numbers and time zone from the settings.

    \b
    Exit code 1: somebody else has that sign-in name; nothing was changed.
    Example:  triage invite-administrator --team "Ward 7" --name "Emil Sample" --sign-in-name emil
    """
    from triage import create_app
    from triage.accounts import first

    app = create_app()
    with app.app_context():
        try:
            click.echo(first.invite(team, name, sign_in_name))
        except first.NotAnAdministrator:
            raise click.ClickException("somebody else has that sign-in name. Nothing was changed.") from None


@cli.command(short_help="Serve the pages, with a worker beside them.")
def serve() -> None:
    """Serve the pages (TRIAGE_HOST, TRIAGE_PORT; 127.0.0.1:8000) and keep a worker (`triage worker`) beside them.

    \b
    Exit code 1: the settings, the rule files, the database or the port cannot be used; the reason is told.
    Example:  triage serve
    """
    from triage import serve as server

    server.main()


@cli.command(short_help="Open alerts for missed reports, once or for ever.")
@click.option("--every", type=click.IntRange(min=1), metavar="SECONDS", help="Go on for ever, with this pause.")
def silence(every: int | None) -> None:
    """Owe reminders of missing reports and open alerts for them, by the rules that ask for silence; open again what
    somebody acknowledged and wrote nothing about. `triage worker` does it too, and sends the reminders.

    \b
    Example:  triage silence --every 60
    """
    from triage.alerts import silence as check

    check.main(every)


@cli.command(short_help="Tell people of alerts, and look for missed reports.")
@click.option("--once", is_flag=True, help="Do each once, and end.")
def worker(once: bool) -> None:
    """Tell people of alerts that nobody acknowledges, by the steps of rules/response.yaml, keep the heartbeat going
    (`triage watch`), and look for missed reports each minute. `triage serve` keeps one running. Several at once are
    harmless.

    \b
    Exit code 1: the settings, the rule files or the database cannot be used; the reason is told.
    Example:  triage worker --once
    """
    from triage import heartbeat
    from triage.alerts import worker as work
    from triage.alerts.channels.setup import BadChannel

    try:
        work.main(once, heartbeat.beat)
    except BadChannel as bad:
        raise click.ClickException(str(bad)) from None


@cli.command(short_help="Raise the alarm when messages no longer go out.")
@click.argument("url")
@click.option(
    "--every", type=click.IntRange(1, 3600), default=30, show_default=True, metavar="SECONDS", help="Between two looks."
)
@click.option(
    "--late-after",
    type=click.IntRange(30, 24 * 3600),
    default=360,
    show_default=True,
    metavar="SECONDS",
    help="Without a new heartbeat for so long, it is an alarm.",
)
@click.option(
    "--repeat",
    type=click.IntRange(30, 24 * 3600),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="The alarm comes again after so long, for as long as it lasts.",
)
@click.option("--once", is_flag=True, help="Look once: exit code 1 when the heartbeat is late. Nobody is told.")
def watch(url: str, every: int, late_after: int, repeat: int, once: bool) -> None:
    """Watch the server at URL from another machine, and raise the alarm when its heartbeat stays away: a made-up
    patient reports every few minutes through the whole chain, from the report to the message that goes out.

    Needs no database and no account. TRIAGE_WATCH_ALARM says whom to tell: Apprise URLs, with blanks between. Tells
    again while it lasts, and when all is well again.

    \b
    Exit code 1: with --once, the heartbeat is late. 2: nobody to tell, or the URL is none.
    Example:  triage watch https://triage.example.org --every 30 --late-after 360
    """
    from triage import watch as watcher

    try:
        sys.exit(watcher.main(url, every, late_after, repeat, once))
    except watcher.CannotWatch as cannot:
        click.echo(f"Error: {cannot}", err=True)
        sys.exit(2)


@cli.command(short_help="Judge a stored report again and compare the bytes.")
@click.argument("report_id", type=click.UUID)
def reassess(report_id: UUID) -> None:
    """Judge a stored report again with its old ruleset, and compare the bytes with what was stored.

    \b
    Exit code 0: the same bytes. 1: they differ, or there is no such report.
    Example:  triage reassess 00000000-0000-4000-8000-000000000000
    """
    from triage import create_app
    from triage.database import db
    from triage.reports import services

    with create_app().app_context():
        try:
            result = services.reassess(db.session, report_id)
        except LookupError:
            raise click.ClickException("there is no report with this id") from None
        click.echo(result.again.decode())
        if not result.same:
            raise click.ClickException("the assessment differs from the stored one")
    click.echo("the same bytes as stored", err=True)


@cli.group(short_help="Look after the keys that encrypt the data.")
def keys() -> None:
    """Look after the keys with which names, contacts, texts and answers are encrypted in the database
    (TRIAGE_DATA_KEYS): make one, change over to it while the server runs, and see what each has encrypted.

    \b
    Example:  triage keys check
    """


@keys.command("new", short_help="Print a new data key.")
def keys_new() -> None:
    """Print a new data key, and nothing else. docs/settings.md says how to change over to it.

    \b
    Example:  triage keys new
    """
    from triage.encryption import new_key

    click.echo(new_key())


@keys.command("rotate", short_help="Encrypt all data with the newest key.")
def keys_rotate() -> None:
    """Encrypt with the first key of TRIAGE_DATA_KEYS what other keys have encrypted, some rows at a time, while the
    server runs. It may be stopped at any moment: begun again, it goes on. At the end no other key is needed any more.

    \b
    Exit code 0: all is encrypted with the newest key. 1: not; the reason is told.
    Example:  triage keys rotate
    """
    from triage import clock, create_app, data_keys
    from triage.database import db

    app = create_app()
    with app.app_context(), _progress("rows encrypted anew") as tick:
        done = data_keys.rotate(db.session, clock.now(), tick)
    others = app.config["DATA_KEYS"][1:]
    click.echo(f"{done} rows encrypted anew: all data are encrypted with the first key of TRIAGE_DATA_KEYS")
    if others:
        click.echo("Start every server and worker without the other keys now. Keep those for backups of before.")


@keys.command("check", short_help="Read every encrypted value.")
def keys_check() -> None:
    """Read every encrypted value of the database, and say how many each key has encrypted, by the name of the key.

    \b
    Exit code 0: all can be read. 1: some cannot; table, column and id of each altered one, and missing keys are told.
    Example:  triage keys check
    """
    from triage import create_app, data_keys
    from triage.database import db

    with create_app().app_context(), _progress("rows read") as tick:
        checked = data_keys.check(db.session, tick)
    for key, count in checked.values.most_common():
        said = " (the newest)" if key == checked.newest else " (NOT SET: cannot be read)" * (key in checked.missing)
        click.echo(f"key {key}{said}: {count} values")
    for place in checked.altered:
        click.echo(f"altered, cannot be read: {place}")
    sys.exit(1 if checked.altered or checked.missing else 0)


@cli.command(short_help="Erase and delete what was kept long enough.")
@click.option("--dry-run", is_flag=True, help="Only say how much it would be.")
def retention(dry_run: bool) -> None:
    """Erase patients whose monitoring ended TRIAGE_RECORD_YEARS ago, and delete drafts (TRIAGE_DRAFT_DAYS), sign-ins
    that ended (TRIAGE_SIGN_IN_DAYS) and who was told what (TRIAGE_DELIVERY_DAYS). A patient who is monitored, has
    reported since, or has an alert that nobody has resolved is never touched. It may be stopped and begun again.

    \b
    Exit code 0: said, or done. Each line is a kind, with how many.
    Example:  triage retention --dry-run
    """
    from triage import clock, create_app
    from triage import retention as keeping
    from triage.database import db

    app = create_app()
    with app.app_context():
        limits = keeping.limits(app.config)
        found = (keeping.due if dry_run else keeping.apply)(db.session, limits, clock.now())
    for kind, count in found.items():
        click.echo(f"{kind}: {count}{' would go' if dry_run else ''}")


@cli.group(short_help="Look whether the audit trail is whole.")
def audit() -> None:
    """Look at the audit trail: whether it is whole, and where it ends.

    \b
    Example:  triage audit verify
    """


@audit.command("verify", short_help="Prove that no entry was changed, removed or put in.")
@click.option(
    "--heads",
    type=click.File("r"),
    help="Lines of the log, or of `triage audit head`, kept elsewhere: each hash in them must stand in the trail.",
)
def audit_verify(heads: TextIO | None) -> None:
    """Read the whole audit trail, and name each entry that is not what was written in its place.

    Without --heads it finds every change, removal, insertion and reordering by somebody who did not make all later
    hashes anew, and entries missing at the end while the head of the trail is as it was. With --heads it finds the
    rest: the log of `triage worker` holds number and hash of the last entry each minute (docs/security.md).

    \b
    Exit code 0: the trail is whole. 1: it is not; each place is named by number, time and action.
    Example:  triage audit verify --heads /var/log/triage.log
    """
    from triage import create_app
    from triage.accounts import trail
    from triage.database import db

    with create_app().app_context(), _progress("entries read", every=5_000) as tick:
        verdict = trail.verify(db.session, trail.read_heads(heads or ()), tick)
    for fault in verdict.faults:
        click.echo(str(fault))
    if verdict.more:
        click.echo(f"and {verdict.more} more")
    click.echo(f"{verdict.count} entries read; the last is entry {verdict.number}, hash {verdict.hash}")
    click.echo("the trail is whole" if verdict.whole else "the trail is NOT what was written")
    sys.exit(0 if verdict.whole else 1)


@audit.command("head", short_help="Print number and hash of the last entry.")
def audit_head() -> None:
    """Print number and hash of the last entry of the audit trail, to be kept where nobody who can change the database
    can change it: `triage audit verify --heads` compares.

    \b
    Example:  triage audit head >> /mnt/elsewhere/triage-heads
    """
    from triage import create_app
    from triage.accounts import audit as trail
    from triage.database import db

    with create_app().app_context():
        number, link = trail.head(db.session)
    click.echo(f"{number} {link}")


# --- shared -----------------------------------------------------------------------------------------------------------


def _ruleset(path: Path | None) -> Ruleset:
    """The ruleset of that folder or the shipped one; mistakes end the command with exit code 1."""
    from triage.paths import folder
    from triage.rules.loading import RuleFileErrors, load

    try:
        return load(path if path is not None else folder("rules"))
    except RuleFileErrors as errors:
        _tell(errors)
        sys.exit(1)


def _tell(errors: RuleFileErrors) -> None:
    """Every mistake on a line of its own, and how many they are."""
    for error in errors.errors:
        click.echo(str(error), err=True)
    count = len(errors.errors)
    click.echo(f"{count} error{'s' * (count != 1)} in the rule files", err=True)


def _rule(ruleset: Ruleset, rule_id: str) -> Rule:
    """The rule of that id; the command ends where there is none."""
    from triage.rules.report import nearest

    rule = ruleset.by_id.get(rule_id)
    if rule is None:
        raise click.ClickException(f'there is no rule "{rule_id}"{nearest(rule_id, ruleset.by_id)}')
    return rule


def _utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)


class _progress:  # noqa: N801 (reads as a block of the commands above)
    """A count on standard error while long work goes on, if somebody is looking at it."""

    def __init__(self, what: str, every: int = 500, out: TextIO | None = None) -> None:
        self.what, self.every, self.count = what, every, 0
        self.out = out or sys.stderr

    def __enter__(self) -> _progress:
        return self

    def __call__(self, more: int = 1) -> None:
        before, self.count = self.count, self.count + more
        if before // self.every != self.count // self.every and self.out.isatty():
            self.out.write(f"\r{self.count} {self.what}")
            self.out.flush()

    def __exit__(self, *exception: object) -> None:
        if self.count >= self.every and self.out.isatty():
            self.out.write("\r" + " " * 40 + "\r")

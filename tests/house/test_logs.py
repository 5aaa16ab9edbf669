"""A log holds constant event names and ids: nothing a patient said, no name, no value."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path

import pytest

import triage
from triage import logs

PACKAGE = Path(triage.__file__).parent
WORDS = ("Anna", "Cora", "car_t", "chills", "38.4", "moderate", "+44", "A note in her own words", "urgent", "emergency")


def test_a_report_leaves_no_trace_of_its_content_in_the_log(make, anna, alice, pages, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    make.caregiver(anna, "Cora")
    account = make.account(anna)
    report = make.report(anna, temperature_c=38.4, chills="moderate", note="A note in her own words")
    pages(account).get("reports.result", report_id=report.id)
    pages(account).post("reports.too_unwell")
    pages(alice).get("care_team.queue")
    pages(alice).get("care_team.record", patient_id=anna.id)
    said = caplog.text + "".join(capfd.readouterr())
    for word in WORDS:
        assert word not in said, f"the log says {word!r}"


def test_wrong_passphrases_and_names_are_not_logged(make, pages, alice, caplog):
    caplog.set_level(logging.DEBUG)
    pages(None).get("accounts.sign_in").press("Sign in", sign_in_name=alice.sign_in_name, passphrase="not her secret")
    assert "not her secret" not in caplog.text
    assert alice.sign_in_name not in caplog.text


def test_an_exception_is_logged_by_type_and_place_only(caplog):
    logs.configure()
    try:
        ast.parse("Anna has chills")
    except SyntaxError as error:
        logs.failure("program_failed", error, incident="abc")
    entry = json.loads(caplog.records[-1].message)
    assert (entry["event"], entry["error"], entry["incident"]) == ("program_failed", "SyntaxError", "abc")
    assert "chills" not in caplog.text


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_every_event_has_a_constant_name(file):
    """`logs.event(f"…")` could carry anything."""
    for node in ast.walk(ast.parse(file.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "logs"
            and node.func.attr in ("event", "failure")
        ):
            first = node.args[0]
            assert isinstance(first, ast.Constant) or ast.unparse(first) == "name", (
                f"{file.name}:{node.lineno}: give the event a constant name"
            )


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_nothing_is_logged_past_triage_logs(file):
    """Python's own logging would take any object, and so would structlog's."""
    if file.relative_to(PACKAGE).as_posix() == "logs.py":
        return
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        modules = [name.partition(".")[0] for name in (*names, getattr(node, "module", None)) if name]
        if {"logging", "structlog"} & set(modules):
            pytest.fail(f"{file.name}: use triage.logs.event(…) or triage.logs.failure(…)")

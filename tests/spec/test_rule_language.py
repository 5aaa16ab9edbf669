"""docs/rule-language.md is the specification: every example, outcome and refusal on that page is run here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from triage.paths import folder
from triage.rules import cases, loading
from triage.rules.catalogue import Catalogue
from triage.rules.engine import assess, assess_silence
from triage.rules.report import BadReport, from_data
from triage.rules.ruleset import Ruleset
from triage.rules.tree import read_tree
from triage.rules.written import ConditionReader, read_span

PAGE = Path(__file__).parents[2] / "docs" / "rule-language.md"
NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
FILLING = {
    "id": "example",
    "title": "An example",
    "urgency": "urgent",
    "why": "An example.",
    "advice": "Call.",
    "source": "judgment",
    "reasoning": "An example.",
    "cases": {"fires": [{}], "stays_quiet": [{}]},
}


@dataclass(frozen=True)
class Row:
    """A row of a table on the page, with the heading and the block of YAML it belongs to."""

    line: int
    heading: str
    block: str
    kind: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.left}"


def _rows() -> Iterator[Row]:
    heading, block, kind, inside = "", "", "", None
    for number, line in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = None if inside is not None else line[3:]
            block = "" if inside == "yaml" else block
        elif inside is not None:
            block += line + "\n" if inside == "yaml" else ""
        elif line.startswith("#"):
            heading, block, kind = line.strip("# "), "", ""
        elif not line.startswith("|"):
            kind = ""
        elif cells := re.fullmatch(r"\| (.*?) \| (.*) \|", line):
            if not kind:
                kind = cells[1]
            elif not cells[1].startswith("---"):
                yield Row(number, heading, block, kind, cells[1].strip("`"), cells[2])


ROWS = list(_rows())


def _of_kind(kind: str) -> list[Any]:
    return [pytest.param(row, id=str(row)) for row in ROWS if row.kind == kind]


@cache
def shipped() -> dict[str, Any]:
    return dict(json.loads(loading.load(folder("rules")).document))


def ruleset(written: Any) -> Ruleset:
    """The rules, or the one rule or condition, written there, with what they leave out filled in."""
    if not isinstance(written, list):
        parts = written if set(written) <= {"applies_to", "when"} else {"when": written}
        written = [{"when": {"symptom": "chills", "at_least": "mild"}, **parts}]
    return loading.from_document(json.dumps(shipped() | {"rules": [FILLING | rule for rule in written]}))


@cache
def catalogue() -> Catalogue:
    return ruleset({"symptom": "chills", "at_least": "mild"}).catalogue


def data(text: str) -> Any:
    mistakes: list[str] = []
    tree = read_tree("page", text, lambda place, message: mistakes.append(f"{place}: {message}"))
    assert not mistakes
    return tree.data


def outcome(rules: Ruleset, written: dict[str, Any]) -> str:
    """What the last rule makes of the report."""
    rule = rules.rules[-1].id if len(rules.rules) == 1 else "several"
    plain = {key: value for key, value in written.items() if key not in ("history", "silent_for")}
    report = from_data(plain | {"reported_at": NOW.isoformat()}, rules.catalogue)
    history = [
        from_data(
            {key: value for key, value in earlier.items() if key != "hours_before"}
            | {"reported_at": (NOW - timedelta(hours=earlier["hours_before"])).isoformat()},
            rules.catalogue,
        )
        for earlier in written.get("history", ())
    ]
    span = read_span(written.get("silent_for"))
    result = assess_silence(rules, report, span, history) if span else assess(rules, report, history)
    if rule in [fired.rule for fired in result.fired]:
        return "fires"
    return "undecided" if rule in [undecided.rule for undecided in result.undecided] else "quiet"


@pytest.mark.parametrize("row", _of_kind("report"))
def test_a_report_does_to_a_condition_what_the_page_says(row: Row) -> None:
    assert outcome(ruleset(data(row.block)), data(row.left)) == row.right


@pytest.mark.parametrize("row", _of_kind("refused"))
def test_what_the_page_calls_refused_is_refused_with_those_words(row: Row) -> None:
    with pytest.raises(loading.RuleFileErrors) as refused:
        ruleset(data(row.left))

    assert [error.message for error in refused.value.errors] == [row.right]


@pytest.mark.parametrize("row", _of_kind("not a report"))
def test_what_the_page_calls_no_report_is_none(row: Row) -> None:
    with pytest.raises(BadReport) as bad:
        from_data(data(row.left), catalogue())

    assert str(bad.value) == row.right


def test_the_report_of_the_page_is_one() -> None:
    written = json.loads(_block("json"))

    report = from_data(written, catalogue())

    fields = {row.left for row in ROWS if row.heading == "A report" and row.kind == "field"}
    assert {name for cell in fields for name in re.findall(r"\w+", cell)} == set(written)
    assert report.symptoms["chills"].code == "moderate"


def test_the_rule_of_the_page_loads_and_its_cases_come_out_as_they_say() -> None:
    block = next(block for block in _blocks("yaml") if block.startswith("- id: fever-or-chills"))
    rules = loading.from_document(json.dumps(shipped() | {"rules": data(block)}))

    result = cases.run(rules)

    assert (result.count, result.failed, result.undecided) == (4, (), ())
    described = {name for row in ROWS if row.kind == "key" for name in re.findall(r"\w+", row.left)}
    assert described == {*data(block)[0], "passage", "more_sources"}


def test_the_commands_of_the_page_answer_what_it_says() -> None:
    lines = _block("console").splitlines()
    for command, expected in zip(lines[::2], lines[1::2], strict=True):
        echo, _, triage = command.removeprefix("$ ").partition(" | ")
        run = subprocess.run(
            [sys.executable, "-m", *shlex.split(triage)],
            input=shlex.split(echo)[1].encode(),
            capture_output=True,
            check=False,
        )
        said = (run.stdout + run.stderr).decode().rstrip()
        pattern = ".*".join(re.escape(part) for part in expected.split("…"))
        assert re.fullmatch(pattern, said), f"{command}\nanswers {said}"


def test_every_condition_has_its_place_on_the_page() -> None:
    headings = re.findall(r"^#+ (.*)", PAGE.read_text(encoding="utf-8"), re.M)
    told = {
        word for heading in headings for code in re.findall(r"`(.*?)`", heading) for word in re.findall(r"\w+", code)
    }

    assert set(ConditionReader(catalogue(), print).readers) <= told


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)


def _block(language: str) -> str:
    return str(_blocks(language)[0])

"""A stored report in words: what was answered, what the rules made of it, what to do now."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triage.rules import wording
from triage.rules.assessment import Fact
from triage.rules.catalogue import MEASURED, Catalogue, Severity
from triage.rules.report import Report, Unknown, celsius_to_fahrenheit
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency


@dataclass(frozen=True)
class Reason:
    """One fired or undecided rule in words."""

    rule: str
    urgency: Urgency
    title: str
    why: str
    because: tuple[str, ...]
    failed: bool = False


@dataclass(frozen=True)
class Result:
    """What the rules made of a report. Advice holds no placeholders any more."""

    urgency: Urgency
    reasons: tuple[Reason, ...]
    undecided: tuple[Reason, ...]
    advice: tuple[str, ...]
    next_report: str


When = Callable[[datetime], str]


def of(
    body: bytes, ruleset: Ruleset, emergency_number: str, care_team_phone: str, when: When = wording.utc_text
) -> Result:
    """The result that the canonical bytes of an assessment tell; `when` says how moments are written."""
    data = json.loads(body)
    urgency = Urgency.from_code(data["urgency"])
    advice = tuple(wording.fill(text, emergency_number, care_team_phone) for text in data["advice"])
    return Result(
        urgency=urgency,
        reasons=tuple(_reason(entry, ruleset, when) for entry in data["fired"]),
        undecided=tuple(_reason(entry, ruleset, when) for entry in data.get("undecided", ())),
        advice=advice,
        next_report=ruleset.response.next_report[urgency],
    )


def _reason(entry: dict[str, Any], ruleset: Ruleset, when: When) -> Reason:
    rule = ruleset.by_id.get(entry["rule"])
    facts = [_fact(fact) for fact in entry.get("facts", ())]
    sentences = [wording.fact_sentence(fact, ruleset.catalogue, when) for fact in facts] or entry["because"]
    return Reason(
        rule=entry["rule"],
        urgency=Urgency.from_code(entry["urgency"]),
        title=entry["title"],
        why=rule.why if rule else "",
        because=tuple(sentences),
        failed=bool(entry.get("failed")),
    )


def _fact(data: dict[str, str]) -> Fact:
    values: dict[str, Any] = dict(data)
    for key in ("at", "earlier_at"):
        if key in values:
            values[key] = datetime.fromisoformat(values[key])
    return Fact(**values)


def answers(report: Report, catalogue: Catalogue) -> list[tuple[str, str]]:
    """Every answer of a report as (what, answer); what was not asked is left out, unknown is said."""
    rows: list[tuple[str, str]] = []
    if report.temperature_c is not None:
        rows.append(("Temperature", _temperature(report)))
    for name, value in (
        ("Fever reducer in the last 6 hours", report.fever_reducer_taken),
        ("Steroids", report.on_steroids),
    ):
        if value is not None:
            rows.append((name, _word(value.code)))
    complaints = [(code, answer) for code, answer in report.symptoms.items() if answer not in (Severity.NONE, 0)]
    order = list(catalogue.symptoms)
    for code, answer in sorted(complaints, key=lambda pair: order.index(pair[0])):
        rows.append((catalogue.symptoms[code].label.capitalize(), _word(answer.code)))
    if denied := [
        catalogue.symptoms[code].label
        for code in order
        if code in report.symptoms and report.symptoms[code] in (Severity.NONE, 0)
    ]:
        rows.append(("Answered “no”", ", ".join(denied)))
    for quantity, (label, unit) in MEASURED.items():
        if (reading := report.measured.get(quantity)) is not None:
            text = "I don’t know" if isinstance(reading, Unknown) else f"{wording.number(quantity, reading)} {unit}"
            rows.append((label.capitalize(), text))
    if report.thinking_check is not None:
        check = report.thinking_check
        rows.append(("Thinking check", f"{check.score} of 10" if check.finished else "begun and not finished"))
    return rows


def _temperature(report: Report) -> str:
    reading = report.temperature_c
    if reading is None or isinstance(reading, Unknown):
        return "not measured"
    fahrenheit = celsius_to_fahrenheit(reading)
    return f"{wording.number('temperature', reading)} °C ({fahrenheit} °F)"


def _word(code: str) -> str:
    return {"unknown": "I don’t know", "yes": "yes", "no": "no"}.get(code, code.replace("_", " "))

"""A stored report in words: what was answered, what the rules made of it, what to do now."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

from triage import languages
from triage.languages import _
from triage.rules import wording
from triage.rules.assessment import Fact
from triage.rules.catalogue import MEASURED, Catalogue, Severity
from triage.rules.report import Report, ThinkingCheck, Unknown
from triage.rules.ruleset import Rule, Ruleset
from triage.rules.urgency import Urgency


@dataclass(frozen=True)
class Reason:
    """One fired or undecided rule in words."""

    rule: str
    urgency: Urgency
    title: str
    why: str
    facts: tuple[Fact, ...]
    because: tuple[str, ...]
    failed: bool = False


@dataclass(frozen=True)
class Result:
    """What the rules made of a report. Advice holds no placeholders any more."""

    urgency: Urgency
    reasons: tuple[Reason, ...]
    """Most urgent first."""
    undecided: tuple[Reason, ...]
    advice: tuple[str, ...]
    """What to do, from the most urgent rules only: each sentence once, since a tired person reads it."""
    next_report: str

    @property
    def deciding(self) -> tuple[Reason, ...]:
        """The reasons that made the urgency what it is. Those that stand on one fact come first: they say most plainly
        what is wrong."""
        found = (reason for reason in self.reasons if reason.urgency is self.urgency)
        return tuple(sorted(found, key=lambda reason: len(reason.facts)))

    @property
    def telling(self) -> tuple[str, ...]:
        """The facts of the deciding rules, and what could not be decided, each once: of two thresholds that the same
        value met, the one that says more."""
        found: dict[tuple[object, ...], tuple[float, str]] = {}
        for reason in self.deciding:
            for fact, text in zip(reason.facts, reason.because, strict=False):
                key = (fact.subject, fact.test, fact.value, fact.at)
                if key not in found or _weight(fact) > found[key][0]:
                    found[key] = (_weight(fact), text)
            if not reason.facts:
                found.update({(text,): (0.0, text) for text in reason.because})
        sentences = [text for _, text in found.values()]
        return tuple(dict.fromkeys([*sentences, *self.open_questions]))

    @property
    def open_questions(self) -> tuple[str, ...]:
        """What could not be decided, each once: one answer that is not known leaves many rules open."""
        return tuple(dict.fromkeys(text for reason in self.undecided for text in reason.because))


def _weight(fact: Fact) -> float:
    """How much the threshold of a fact says: a higher "at least", a lower "at most"."""
    names = [level.code for level in Severity]
    try:
        weight = float(names.index(fact.threshold) if fact.threshold in names else fact.threshold)
    except ValueError:
        return 0.0
    return -weight if fact.test == "at_most" else weight


When = Callable[[datetime], str]


def of(
    body: bytes,
    ruleset: Ruleset,
    emergency_number: str,
    care_team_phone: str,
    time_zone: str,
    *,
    for_patient: bool = False,
) -> Result:
    """The result that the canonical bytes of an assessment tell; moments are written in that time zone. `for_patient`:
    without the points of the thinking check, which patients and caregivers are never shown."""

    def when(moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(time_zone))
        return f"{languages.month_day(local)}, {local:%H:%M}"

    data = json.loads(body)
    urgency = Urgency.from_code(data["urgency"])
    reasons = tuple(_reason(entry, ruleset, when, for_patient) for entry in data["fired"])
    texts = [
        rule.advice for reason in reasons if reason.urgency is urgency and (rule := ruleset.by_id.get(reason.rule))
    ]
    sentences = dict.fromkeys(sentence for text in texts for sentence in re.split(r"(?<=[.!?])\s+", text))
    advice = tuple(wording.fill(sentence, emergency_number, care_team_phone) for sentence in sentences)
    return Result(
        urgency=urgency,
        reasons=reasons,
        undecided=tuple(_reason(entry, ruleset, when, for_patient) for entry in data.get("undecided", ())),
        advice=advice,
        next_report=ruleset.response.next_report[urgency],
    )


def _reason(entry: dict[str, Any], ruleset: Ruleset, when: When, for_patient: bool = False) -> Reason:
    rule = ruleset.by_id.get(entry["rule"])
    facts = [_fact(fact) for fact in entry.get("facts", ())]
    speech = languages.speech()
    sentences = [wording.fact_sentence(fact, ruleset.catalogue, when, speech) for fact in facts]
    if not facts and entry.get("unknown"):
        sentences = [wording.unknown_sentence(subject, ruleset.catalogue, speech) for subject in entry["unknown"]]
    elif not facts:
        sentences = [_(text) for text in entry["because"]]
    if for_patient:
        sentences = [
            _("the answers in the thinking check") if fact and fact.subject == "thinking_check" else text
            for fact, text in zip_longest(facts, sentences)
        ]
    return Reason(
        rule=entry["rule"],
        urgency=Urgency.from_code(entry["urgency"]),
        title=_title(entry, rule),
        why=rule.why if rule else "",
        facts=tuple(facts),
        because=tuple(sentences),
        failed=bool(entry.get("failed")),
    )


def _title(entry: dict[str, Any], rule: Rule | None) -> str:
    """The title of the rule in the language of the page. It is the stored one: the ruleset is found by its hash."""
    if rule is None:
        return str(entry["title"])
    return _("The rule “%(title)s” could not be evaluated", title=rule.title) if entry.get("failed") else rule.title


def _fact(data: dict[str, str]) -> Fact:
    values: dict[str, Any] = dict(data)
    for key in ("at", "earlier_at"):
        if key in values:
            values[key] = datetime.fromisoformat(values[key])
    return Fact(**values)


def answers(report: Report, catalogue: Catalogue, *, for_patient: bool = False) -> list[tuple[str, str]]:
    """Every answer of a report as (what, answer); what was not asked is left out, unknown is said. `for_patient`:
    without the points of the thinking check."""
    rows: list[tuple[str, str]] = []
    if report.temperature_c is not None:
        rows.append((_("Temperature"), _temperature(report)))
    for name, value in (
        (_("Fever reducer in the last 6 hours"), report.fever_reducer_taken),
        (_("Steroids"), report.on_steroids),
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
        rows.append((_("Answered “no”"), ", ".join(denied)))
    for quantity, (label, unit) in MEASURED.items():
        if (reading := report.measured.get(quantity)) is not None:
            number = languages.decimals("" if isinstance(reading, Unknown) else wording.number(quantity, reading))
            text = _word("unknown") if isinstance(reading, Unknown) else f"{number} {_(unit)}"
            rows.append((_(label).capitalize(), text))
    if report.thinking_check is not None:
        rows.append((_("Thinking check"), _check_words(report.thinking_check, for_patient)))
    if not for_patient:
        rows += [(CHECK_ANSWERS.get(item, item), text) for item, text in report.thinking_check_answers.items()]
    return rows


CHECK_ANSWERS = {
    "year": "Wrote as the year",
    "month": "Wrote as the month",
    "town": "Wrote as the town",
    "hospital": "Wrote as the hospital",
    "picture_1": "Wrote for picture 1",
    "picture_2": "Wrote for picture 2",
    "picture_3": "Wrote for picture 3",
    "shape": "Pressed the",
    "sentence": "Wrote as the sentence",
    "counting": "Counted",
    "set": "Set of pictures",
    "language": "Language of the check",
}


def _check_words(check: ThinkingCheck, for_patient: bool) -> str:
    if check.declined:
        return _("declined")
    if not check.finished:
        return _("begun and not finished")
    return _("done") if for_patient else f"{check.score} of 10"


def _temperature(report: Report) -> str:
    reading = report.temperature_c
    if reading is None or isinstance(reading, Unknown):
        return _("not measured")
    return languages.degrees(reading)


def _word(code: str) -> str:
    return languages.code_words(code)

"""What a clinician fills in: a change of one rule without its text, and the reasons that a change needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, ValidationError

from triage.fields import Checkboxes, Hidden, Radios, Select, Text, TextArea
from triage.rules.catalogue import MEASURED, Catalogue
from triage.rules.tree import Loc
from triage.rules.urgency import Urgency
from triage.rules.wording import URGENCY_MEANS
from triage.ruleset_editor.editing import WrittenRule
from triage.ruleset_editor.services import LEAST_REASON, SAY_WHY, RuleChange


class ApproveLanguageForm(FlaskForm):
    """A clinician's word for the texts of one language."""

    read = Checkboxes(
        "Before you approve",
        choices=[("yes", "I read this language, and have compared each text with the English one")],
    )
    seal = Hidden()

    def validate_read(self, field: Field) -> None:
        if field.data != ["yes"]:
            raise ValidationError("Compare the texts first, and say that you have")


TEXTS = {
    "title": "Title",
    "why": "Why the patient is told this",
    "advice": "What the patient is told",
    "reasoning": "Reasoning, where no document says it",
}
ANY_DAY, EARLY, THESE_DAYS = "any", "early", "days"
_SEVERITIES = [("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe"), ("very_severe", "Very severe")]

DEGREES, WHOLE, NUMBER, SPAN, SEVERITY, URGENCY = "degrees", "whole", "number", "span", "severity", "urgency"
_FORMS = {
    DEGREES: (r"\d{1,3}(\.\d{1,2})? ?°? ?[CF]", "a number with its unit, for example 38.0 C or 100.4 F"),
    WHOLE: (r"\d{1,3}", "a whole number"),
    NUMBER: (r"\d{1,4}(\.\d{1,2})?", "a number without its unit"),
    SPAN: (r"\d{1,4} ?(h|min|d)", "a span such as 48h, 30 min or 2 d"),
}
_DAYS = re.compile(r"\d{1,4} ?- ?(\d{1,4})?")


@dataclass(frozen=True)
class Knob:
    """A number or degree inside a rule's condition that a form can change."""

    way: Loc
    """From the rule to the value."""
    kind: str
    label: str
    written: str
    unit: str = ""

    @property
    def name(self) -> str:
        """Of its field in a form."""
        return "-".join(str(step) for step in self.way)


def knobs(written: WrittenRule, catalogue: Catalogue) -> list[Knob]:
    """What the form offers of the rule's condition, in the order in which it is written."""
    return list(_knobs(written.data.get("when"), ("when",), catalogue))


def _knobs(data: Any, way: Loc, catalogue: Catalogue) -> Iterator[Knob]:
    if not isinstance(data, Mapping):
        return
    if "of" in data:
        yield Knob((*way, "at_least"), WHOLE, "How many of the following must hold", str(data.get("at_least", "")))
    for key in ("all", "any", "of"):
        parts = data.get(key)
        for number, part in enumerate(parts if isinstance(parts, list) else ()):
            yield from _knobs(part, (*way, key, number), catalogue)
    for key, value in data.items():
        if key == "at_least" and "symptom" in data:
            yield Knob((*way, key), SEVERITY, f"{_label(data['symptom'], catalogue)}: at least", str(value))
        elif key == "silent_for":
            yield Knob((*way, key), SPAN, "No report for", str(value))
        elif isinstance(value, Mapping):
            yield from _inner(key, value, (*way, key), catalogue)


def _inner(key: str, data: Mapping[str, Any], way: Loc, catalogue: Catalogue) -> Iterator[Knob]:
    about = _label(data.get("symptom"), catalogue)
    quantity = next(iter(data), "")
    unit = MEASURED.get(quantity, ("", ""))[1]
    name = MEASURED.get(quantity, (quantity, ""))[0].capitalize()
    known: dict[tuple[str, str], tuple[str, str]] = {
        ("temperature", "at_least"): (DEGREES, "Temperature: at least"),
        ("temperature", "at_most"): (DEGREES, "Temperature: at most"),
        ("temperature", "risen_by"): (DEGREES, "Temperature: risen by at least"),
        ("temperature", "within"): (SPAN, "Temperature: now or in a report of the last"),
        ("thinking_check", "at_most"): (WHOLE, "Thinking check: at most, of 10 points"),
        ("thinking_check", "below_baseline"): (WHOLE, "Thinking check: points below the person's own baseline"),
        ("worse", "by"): (WHOLE, f"{about}: levels worse"),
        ("persists", "at_least"): (SEVERITY, f"{about}: at least"),
        ("persists", "reports"): (WHOLE, f"{about}: in how many reports running"),
        ("persists", "for"): (SPAN, f"{about}: for at least"),
        ("together", "of"): (URGENCY, "How urgent the rules are that count together"),
        ("together", "count"): (WHOLE, "On how many different signs"),
    }
    for inner, value in data.items():
        if (key, inner) in known:
            kind, label = known[key, inner]
            yield Knob((*way, inner), kind, label, str(value))
        elif key == "worse" and isinstance(value, Mapping):
            span = str(value.get("lowest_in", ""))
            yield Knob((*way, inner, "lowest_in"), SPAN, f"{about}: worse than the lowest answer of the last", span)
        elif key == "measured" and isinstance(value, Mapping):
            for side, limit in value.items():
                yield Knob((*way, inner, side), NUMBER, f"{name}: {side.replace('_', ' ')}", _plain(limit), unit)


def _label(code: object, catalogue: Catalogue) -> str:
    symptom = catalogue.symptoms.get(str(code))
    label = symptom.label if symptom else "any symptom" if code == "any" else str(code)
    return label[:1].upper() + label[1:]


def _plain(limit: object) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)


class RuleForm(FlaskForm):
    """One rule without its text. `knob_fields` are the fields of its numbers and degrees."""

    title = Text(TEXTS["title"])
    urgency = Radios(
        "How urgent",
        choices=[(urgency.code, urgency.code.capitalize()) for urgency in sorted(Urgency, reverse=True)],
        hints={urgency.code: URGENCY_MEANS[urgency].partition(": ")[2].capitalize() for urgency in Urgency},
        message="Choose how urgent it is",
    )
    therapies = Checkboxes("Therapies it concerns", description="None ticked: everybody.")
    window = Radios(
        "Days it concerns",
        choices=[
            (ANY_DAY, "Any day"),
            (EARLY, "The early window of the therapy (in the catalogue)"),
            (THESE_DAYS, "These days after therapy"),
        ],
        message="Choose which days it concerns",
    )
    days = Text(
        "Days after therapy", description="For example 0-56, or 30- for day 30 and later.", width=10, plain=True
    )
    why = TextArea(TEXTS["why"], rows=3)
    advice = TextArea(
        TEXTS["advice"], rows=3, description="{care_team_phone} and {emergency_number} become the team's numbers."
    )
    reasoning = TextArea(TEXTS["reasoning"], rows=3)
    seen = Hidden()
    """The file as it stood on the page, so that two windows do not overwrite each other."""

    knobs: tuple[Knob, ...] = ()

    @property
    def knob_fields(self) -> list[Field]:
        return [self[knob.name] for knob in self.knobs]

    def validate_days(self, field: Field) -> None:
        if self.window.data == THESE_DAYS and not _DAYS.fullmatch((field.data or "").strip()):
            raise ValidationError("Enter the first and the last day, for example 0-56, or 30-")

    def validate_title(self, field: Field) -> None:
        _needed(field)

    def validate_why(self, field: Field) -> None:
        _needed(field)

    def validate_advice(self, field: Field) -> None:
        _needed(field)

    def change(self) -> RuleChange:
        """What differs from the file; a value that was left as it is stays as it is written."""
        values = {knob.way: " ".join((self[knob.name].data or "").split()) for knob in self.knobs}
        scalars = {knob.way: values[knob.way] for knob in self.knobs if values[knob.way] != knob.written}
        if self.urgency.data and self.urgency.data != self.urgency.object_data:
            scalars["urgency",] = self.urgency.data
        return RuleChange({key: self[key].data or "" for key in TEXTS}, scalars, self.applies_to)

    @property
    def applies_to(self) -> dict[str, Any]:
        """As a rule file writes it."""
        found: dict[str, Any] = {}
        if self.therapies.data:
            found["therapies"] = list(self.therapies.data)
        if self.window.data == EARLY:
            found["window"] = "early"
        elif self.window.data == THESE_DAYS:
            found["days"] = (self.days.data or "").replace(" ", "")
        return found


def _needed(field: Field) -> None:
    if not (field.data or "").strip():
        raise ValidationError(f"“{field.label.text}” cannot be empty")


def rule_form(written: WrittenRule, catalogue: Catalogue, seen: str) -> RuleForm:
    """The form of that rule, filled with what the file says, or with what was sent."""
    found = tuple(knobs(written, catalogue))
    fields = {knob.name: _field(knob) for knob in found}
    kind: type[RuleForm] = type("RuleFormOfOne", (RuleForm,), {**fields, "knobs": found})
    applies = written.applies_to
    window = EARLY if applies.get("window") else THESE_DAYS if applies.get("days") else ANY_DAY
    form = kind(
        data={
            **{key: str(written.data.get(key) or "") for key in TEXTS},
            "urgency": str(written.data.get("urgency")),
            "therapies": [str(code) for code in applies.get("therapies") or ()],
            "window": window,
            "days": str(applies.get("days") or ""),
            **{knob.name: knob.written for knob in found},
            "seen": seen,
        }
    )
    form.therapies.choices = {code: therapy.label for code, therapy in catalogue.therapies.items()}
    return form


def _field(knob: Knob) -> Field:
    if knob.kind == SEVERITY:
        return Select(knob.label, choices=_SEVERITIES)
    if knob.kind == URGENCY:
        return Select(knob.label, choices=[(one.code, one.code.capitalize()) for one in sorted(Urgency, reverse=True)])
    pattern, what = _FORMS[knob.kind]

    def fits(form: Any, field: Field) -> None:
        if not re.fullmatch(pattern, (field.data or "").strip()):
            raise ValidationError(f"{knob.label}: enter {what}")

    hint = "" if knob.kind == WHOLE else f"{what[0].upper()}{what[1:]}."
    return Text(knob.label, [fits], description=hint, width=10, suffix=knob.unit, plain=True)


def _reason(form: Any, field: Field) -> None:
    if len((field.data or "").strip()) < LEAST_REASON:
        raise ValidationError(SAY_WHY)


class ProposeForm(FlaskForm):
    """The reason of a change; warnings, reports and entries to sign stand beside it."""

    reason = TextArea(
        "Why this change?",
        [_reason],
        description="Your colleagues read this, now and in years. No names of patients.",
    )


class DecideForm(FlaskForm):
    """What the second clinician says."""

    decision = TextArea("What you say to it", rows=3, description="Needed when you reject it.")


class RollBackForm(FlaskForm):
    """Why an earlier version becomes active again."""

    active = Hidden()
    """The version that was active on the page."""
    reason = TextArea("Why go back?", [_reason], rows=3)

"""A JSON Schema of rule files, so that an editor completes and checks them while somebody types.

It knows words and shapes; what only the loader can know (a code used twice, say) stays with `rules check`. The editor
page completes from it too (`completions`), so no word is written down for it a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from triage.rules.catalogue import MEASURED, SEVERITY_CODES, THINKING_CHECK_FULL, THINKING_CHECK_POINTS
from triage.rules.conditions import ANY_SYMPTOM
from triage.rules.entries import (
    CatalogueForm,
    GroupForm,
    ResponseForm,
    RuleForm,
    SourceForm,
    SymptomForm,
    TherapyForm,
    TranslationForm,
)
from triage.rules.loading import CATALOGUE, OTHER_SIGNS, RESPONSE, SOURCES, language_of
from triage.rules.ruleset import JUDGMENT, Ruleset
from triage.rules.urgency import Urgency
from triage.rules.wording import URGENCY_MEANS

Schema = dict[str, Any]

_AMOUNT: Schema = {"type": "string", "pattern": r"^\d{1,3}(\.\d{1,2})?\s*°?[CF]$", "examples": ["38.0 C", "100.4 F"]}
_SPAN: Schema = {"type": "string", "pattern": r"^\d{1,5}\s*(min|h|d)$", "examples": ["48h", "30 min", "2 d"]}
_DAYS: Schema = {"type": "string", "pattern": r"^\d{1,5}\s*-\s*(\d{1,5})?$", "examples": ["0-28", "30-"]}
_YES: Schema = {"const": "yes"}

RULES: Schema = {"type": "array", "items": {"$ref": "#/$defs/RuleForm"}}
"""The shape of every file that holds rules."""
SHAPES: Mapping[str, Schema] = {
    CATALOGUE: {"$ref": "#/$defs/CatalogueForm"},
    SOURCES: {"type": "array", "items": {"$ref": "#/$defs/SourceForm"}},
    RESPONSE: {"$ref": "#/$defs/ResponseForm"},
}
"""The shapes of these, by their names."""
TRANSLATION: Schema = {"$ref": "#/$defs/TranslationForm"}
"""The shape of what patients read in another language."""


def shape_of(file: str) -> Schema:
    """The shape of a rule file, by its name."""
    return TRANSLATION if language_of(file) else SHAPES.get(file, RULES)


def schema(ruleset: Ruleset) -> Schema:
    """The schema of a rule file, of the catalogue, of the sources, of the response and of a translation, as one
    of five shapes."""
    forms = (RuleForm, SymptomForm, TherapyForm, GroupForm, CatalogueForm, SourceForm, ResponseForm, TranslationForm)
    _, made = models_json_schema([(form, "validation") for form in forms], ref_template="#/$defs/{model}")
    shapes: dict[str, Schema] = made["$defs"]
    shapes["Condition"] = _condition(ruleset)
    rule = shapes["RuleForm"]["properties"]
    rule["when"] = {"$ref": "#/$defs/Condition"}
    rule["urgency"] = _one_of(_URGENCIES)
    sources = {key: source.title for key, source in ruleset.sources.items()}
    rule["source"] = _one_of({JUDGMENT: "no document says it: give a reasoning", **sources})
    pattern = f"^({'|'.join(ruleset.sources)})(/.*)?$"
    rule["more_sources"]["items"] = {"anyOf": [_one_of(sources), {"type": "string", "pattern": pattern}]}
    applies = shapes["AppliesForm"]["properties"]
    applies["therapies"] = {"type": "array", "items": _therapy(ruleset), "minItems": 1}
    applies["window"] = _one_of({"early": "the early window of the therapy, in the catalogue"})
    applies["days"] = _DAYS
    case = _case(ruleset)
    for side in ("fires", "stays_quiet"):
        shapes["CasesForm"]["properties"][side] = {"type": "array", "items": case}
    for key, form in (("groups", GroupForm), ("symptoms", SymptomForm), ("therapies", TherapyForm)):
        shapes["CatalogueForm"]["properties"][key] = _list_of(form.__name__)
    shapes["SymptomForm"]["properties"]["group"] = _one_of(ruleset.catalogue.groups)
    shapes["SymptomForm"]["properties"]["daily_for"]["items"] = _therapy(ruleset)
    shapes["CheckAskedForm"]["properties"]["signs"]["items"] = _one_of(_symptoms(ruleset))
    shapes["CheckWindowForm"]["properties"]["therapies"]["items"] = _therapy(ruleset)
    shapes["CheckWindowForm"]["properties"]["days"] = _DAYS
    shapes["PassageForm"]["properties"]["signs"]["items"] = _one_of(_symptoms(ruleset) | dict.fromkeys(OTHER_SIGNS, ""))
    languages = {code: {"type": "string"} for code in ("en", *ruleset.translations)}
    translated = {"type": "object", "properties": languages, "additionalProperties": False}
    shapes["TranslationForm"]["properties"]["texts"]["items"] = translated
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rule files of the triage helper",
        "oneOf": [RULES, *SHAPES.values(), TRANSLATION],
        "$defs": shapes,
    }


def completions(schema: Schema, shape: Schema) -> dict[str, dict[str, str]]:
    """What may be written in a file of that shape: by key, the words that its value may be or begin with, each with
    what it means; under "" the keys of a whole entry."""
    found: dict[str, dict[str, str]] = {}
    seen: set[tuple[str, str]] = set()

    def offer(part: Schema, key: str) -> None:
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            if (name, key) not in seen:
                seen.add((name, key))
                offer(schema["$defs"][name], key)
        words = part.get("enum", [part["const"]] if "const" in part else [])
        meanings = part.get("enumDescriptions", [""] * len(words))
        for word, meaning in zip(words, meanings, strict=True):
            if isinstance(word, str):
                found.setdefault(key, {}).setdefault(word, meaning)
        for other in (*part.get("oneOf", ()), *part.get("anyOf", ())):
            offer(other, key)
        if isinstance(part.get("items"), dict):
            offer(part["items"], key)
        for name, value in part.get("properties", {}).items():
            found.setdefault(key, {}).setdefault(name, value.get("description", ""))
            offer(value, name)

    offer(shape, "")
    return found


def _one_of(words: Mapping[str, str]) -> Schema:
    """One of these words, each with what it means, as editors show it (a key of theirs, which validators ignore)."""
    return {"enum": list(words), "enumDescriptions": list(words.values())}


_URGENCIES = {urgency.code: URGENCY_MEANS[urgency].partition(": ")[2] for urgency in sorted(Urgency, reverse=True)}


def _symptoms(ruleset: Ruleset) -> dict[str, str]:
    return {symptom.code: symptom.label for symptom in ruleset.catalogue.symptoms.values()}


def _therapy(ruleset: Ruleset) -> Schema:
    return _one_of({code: therapy.label for code, therapy in ruleset.catalogue.therapies.items()})


def _list_of(shape: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{shape}"}}


def _closed(properties: dict[str, Schema], *needed: str) -> Schema:
    """Keys with values, and no other keys."""
    return {"type": "object", "properties": properties, "required": list(needed), "additionalProperties": False}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _condition(ruleset: Ruleset) -> Schema:
    symptom = _one_of(_symptoms(ruleset) | {ANY_SYMPTOM: "any symptom of the catalogue"})
    severity: Schema = {"enum": list(SEVERITY_CODES[1:])}
    parts: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Condition"}}
    side = {"at_least": {"type": "number"}, "at_most": {"type": "number"}}
    than: Schema = {"oneOf": [{"const": "previous"}, _closed({"lowest_in": _SPAN}, "lowest_in")]}
    worse = {"symptom": symptom, "by": _whole(1, 4), "than": than}
    persists = {"symptom": symptom, "at_least": severity, "reports": _whole(2, 13), "for": _SPAN}
    temperature = {"at_least": _AMOUNT, "at_most": _AMOUNT, "within": _SPAN, "risen_by": _AMOUNT}
    thinking = {"at_most": _whole(0, 9), "below_baseline": _whole(1, 10)}
    together = {"of": _one_of(_URGENCIES), "count": _whole(2, 20)}
    return {
        "oneOf": [
            _closed({"all": parts}, "all"),
            _closed({"any": parts}, "any"),
            _closed({"at_least": _whole(1, 1000), "of": parts}, "at_least", "of"),
            _closed({"symptom": symptom, "at_least": severity}, "symptom", "at_least"),
            _closed({"symptom": symptom, "is": _YES}, "symptom", "is"),
            _closed({"temperature": _closed(temperature)}, "temperature"),
            _closed({"thinking_check": {"oneOf": [_closed(thinking), {"const": "abandoned"}]}}, "thinking_check"),
            _closed({"measured": _closed(_measured(_closed(side)))}, "measured"),
            _closed({"on_steroids": _YES}, "on_steroids"),
            _closed({"fever_reducer_taken": _YES}, "fever_reducer_taken"),
            _closed({"worse": _closed(worse, "symptom", "by", "than")}, "worse"),
            _closed({"persists": _closed(persists, "symptom", "at_least")}, "persists"),
            _closed({"new": _closed({"symptom": symptom}, "symptom")}, "new"),
            _closed({"not_measured": {"const": "temperature"}}, "not_measured"),
            _closed({"silent_for": _SPAN}, "silent_for"),
            _closed({"together": _closed(together, "of", "count")}, "together"),
        ]
    }


def _measured(value: Schema) -> dict[str, Schema]:
    return {code: value | {"description": f"{name}, {unit}"} for code, (name, unit) in MEASURED.items()}


def _case(ruleset: Ruleset) -> Schema:
    """An example: completed where words are known; what a report may hold besides is said by the loader."""
    answers: Schema = {"enum": [*SEVERITY_CODES, "no", "yes", "unknown"]}
    symptoms = {code: answers | {"description": label} for code, label in _symptoms(ruleset).items()}
    reading: Schema = {"anyOf": [{"type": "number"}, {"const": "unknown"}]}
    yes_or_no: Schema = {"anyOf": [{"type": "boolean"}, {"enum": ["yes", "no", "unknown"]}]}
    points = {item: {"anyOf": [_whole(0, most), {"type": "null"}]} for item, most in THINKING_CHECK_POINTS.items()}
    report: dict[str, Schema] = {
        "temperature_c": reading,
        "fever_reducer_taken": yes_or_no,
        "on_steroids": yes_or_no,
        "thinking_check": {"anyOf": [_closed(points), {"enum": ["abandoned", None]}]},
        "thinking_check_baseline": {"anyOf": [_whole(0, THINKING_CHECK_FULL), {"type": "null"}]},
        "measured": _closed(_measured(reading)),
        "symptoms": _closed(symptoms),
    }
    hours: Schema = {"type": "number", "exclusiveMinimum": 0}
    earlier: Schema = {"type": "object", "properties": {"hours_before": hours, **report}, "required": ["hours_before"]}
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "therapy": {"anyOf": [_therapy(ruleset), {"type": "null"}]},
            "days_since_therapy": {"type": ["integer", "null"], "minimum": 0},
            **report,
            "silent_for": _SPAN,
            "history": {"type": "array", "items": earlier},
        },
    }

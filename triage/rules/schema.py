"""A JSON Schema of rule files, so that an editor completes and checks them while somebody types.

It knows words and shapes; what only the loader can know (a code used twice, say) stays with `rules check`.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from triage.rules.catalogue import MEASURED, SEVERITY_CODES
from triage.rules.conditions import ANY_SYMPTOM
from triage.rules.entries import CatalogueForm, ResponseForm, RuleForm, SourceForm, SymptomForm, TherapyForm
from triage.rules.ruleset import JUDGMENT, Ruleset
from triage.rules.urgency import URGENCY_CODES
from triage.rules.wording import URGENCY_MEANS

Schema = dict[str, Any]

_AMOUNT: Schema = {"type": "string", "pattern": r"^\d{1,3}(\.\d{1,2})?\s*°?[CF]$", "examples": ["38.0 C", "100.4 F"]}
_SPAN: Schema = {"type": "string", "pattern": r"^\d{1,5}\s*(min|h|d)$", "examples": ["48h", "30 min", "2 d"]}
_DAYS: Schema = {"type": "string", "pattern": r"^\d{1,5}\s*-\s*(\d{1,5})?$", "examples": ["0-28", "30-"]}
_YES: Schema = {"const": "yes"}


def schema(ruleset: Ruleset) -> Schema:
    """The schema of a rule file, of the catalogue, of the sources and of the response, as one of four shapes."""
    forms = (RuleForm, SymptomForm, TherapyForm, CatalogueForm, SourceForm, ResponseForm)
    _, made = models_json_schema([(form, "validation") for form in forms], ref_template="#/$defs/{model}")
    shapes: dict[str, Schema] = made["$defs"]
    shapes["Condition"] = _condition(ruleset)
    rule = shapes["RuleForm"]["properties"]
    rule["when"] = {"$ref": "#/$defs/Condition"}
    rule["urgency"] = {"enum": list(URGENCY_CODES), "description": "\n".join(URGENCY_MEANS.values())}
    rule["source"] = {"enum": [JUDGMENT, *ruleset.sources]}
    rule["more_sources"]["items"] = {"type": "string", "pattern": f"^({'|'.join(ruleset.sources)})(/.*)?$"}
    applies = shapes["AppliesForm"]["properties"]
    applies["therapies"] = {"type": "array", "items": {"enum": list(ruleset.catalogue.therapies)}, "minItems": 1}
    applies["window"] = {"const": "early"}
    applies["days"] = _DAYS
    case = _case(ruleset)
    for side in ("fires", "stays_quiet"):
        shapes["CasesForm"]["properties"][side] = {"type": "array", "items": case}
    shapes["CatalogueForm"]["properties"]["symptoms"] = _list_of("SymptomForm")
    shapes["CatalogueForm"]["properties"]["therapies"] = _list_of("TherapyForm")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rule files of the triage helper",
        "oneOf": [
            _list_of("RuleForm"),
            _list_of("SourceForm"),
            {"$ref": "#/$defs/CatalogueForm"},
            {"$ref": "#/$defs/ResponseForm"},
        ],
        "$defs": shapes,
    }


def _list_of(shape: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{shape}"}}


def _closed(properties: dict[str, Schema], *needed: str) -> Schema:
    """Keys with values, and no other keys."""
    return {"type": "object", "properties": properties, "required": list(needed), "additionalProperties": False}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _condition(ruleset: Ruleset) -> Schema:
    symptom: Schema = {"enum": [*ruleset.catalogue.symptoms, ANY_SYMPTOM]}
    severity: Schema = {"enum": list(SEVERITY_CODES[1:])}
    parts: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Condition"}}
    side = {"at_least": {"type": "number"}, "at_most": {"type": "number"}}
    than: Schema = {"oneOf": [{"const": "previous"}, _closed({"lowest_in": _SPAN}, "lowest_in")]}
    worse = {"symptom": symptom, "by": _whole(1, 4), "than": than}
    persists = {"symptom": symptom, "at_least": severity, "reports": _whole(2, 13), "for": _SPAN}
    temperature = {"at_least": _AMOUNT, "at_most": _AMOUNT, "within": _SPAN, "risen_by": _AMOUNT}
    thinking = {"at_most": _whole(0, 9), "below_baseline": _whole(1, 10)}
    together = {"of": {"enum": list(URGENCY_CODES)}, "count": _whole(2, 20)}
    return {
        "oneOf": [
            _closed({"all": parts}, "all"),
            _closed({"any": parts}, "any"),
            _closed({"at_least": _whole(1, 1000), "of": parts}, "at_least", "of"),
            _closed({"symptom": symptom, "at_least": severity}, "symptom", "at_least"),
            _closed({"symptom": symptom, "is": _YES}, "symptom", "is"),
            _closed({"temperature": _closed(temperature)}, "temperature"),
            _closed({"thinking_check": {"oneOf": [_closed(thinking), {"const": "abandoned"}]}}, "thinking_check"),
            _closed({"measured": _closed({name: _closed(side) for name in MEASURED})}, "measured"),
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


def _case(ruleset: Ruleset) -> Schema:
    """An example: completed where words are known; what a report may hold besides is said by the loader."""
    answers: Schema = {"enum": [*SEVERITY_CODES, "no", "yes", "unknown"]}
    symptoms = dict.fromkeys(ruleset.catalogue.symptoms, answers)
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "therapy": {"enum": [*ruleset.catalogue.therapies, None]},
            "days_since_therapy": {"type": ["integer", "null"], "minimum": 0},
            "symptoms": _closed(symptoms),
            "silent_for": _SPAN,
            "history": {"type": "array", "items": {"type": "object", "required": ["hours_before"]}},
        },
    }

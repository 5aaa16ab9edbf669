"""The JSON Schema of rule files: what ships fits, and slips do not."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from triage.paths import folder
from triage.rules.catalogue import MEASURED, SEVERITY_CODES
from triage.rules.conditions import ANY_SYMPTOM
from triage.rules.entries import AppliesForm, RuleForm
from triage.rules.loading import load, read_folder
from triage.rules.ruleset import JUDGMENT
from triage.rules.schema import RULES, completions, schema, shape_of
from triage.rules.tree import read_tree
from triage.rules.urgency import URGENCY_CODES
from triage.rules.written import ConditionReader

FILES = {name: read_tree(name, text, lambda *mistake: None).data for name, text in read_folder(folder("rules")).items()}
RULESET = load(folder("rules"))
SCHEMA = schema(RULESET)
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", FILES)
def test_every_shipped_file_fits(name):
    assert [error.message for error in CHECK.iter_errors(FILES[name])] == []


@pytest.mark.parametrize(
    ("way", "slip"),
    [
        (("urgency",), "urgnt"),
        (("when", "temperature", "at_least"), "38.0"),
        (("when",), {"symptom": "chils", "at_least": "mild"}),
        (("when",), {"symptom": "chills", "at_least": "modrate"}),
        (("when",), {"not": {"symptom": "chills", "at_least": "mild"}}),
        (("when",), {"symptom": "chills", "at_least": "mild", "on_steroids": "yes"}),
        (("source",), "no-such-source"),
        (("applies_to",), {"therapies": ["car-t"]}),
        (("applies_to",), {"days": "28"}),
        (("advise",), "Call"),
        (("cases", "fires", 0, "symptoms"), {"chils": "mild"}),
    ],
)
def test_a_slip_does_not_fit(way, slip):
    rules = copy.deepcopy(FILES["crs.yaml"])
    part = rules[0]
    for step in way[:-1]:
        part = part[step]
    part[way[-1]] = slip
    assert not CHECK.is_valid(rules)


def test_what_an_editor_completes_is_what_the_schema_allows():
    words = completions(SCHEMA, RULES)
    assert {*words[""]} == {*RuleForm.model_fields}
    assert {*words["applies_to"]} == {*AppliesForm.model_fields}
    assert {*words["symptom"]} == {*RULESET.catalogue.symptoms, ANY_SYMPTOM}
    assert words["symptom"]["chills"] == RULESET.catalogue.symptoms["chills"].label
    assert [*words["at_least"]] == [*SEVERITY_CODES[1:]]
    assert {*words["urgency"]} == {*URGENCY_CODES}
    assert {*words["therapies"]} == {*RULESET.catalogue.therapies} <= {*words["therapy"]}
    assert {*words["source"]} == {JUDGMENT, *RULESET.sources}
    assert {*words["temperature"]} >= {"at_least", "at_most", "within", "risen_by"}
    assert {*words["measured"]} == {*MEASURED}
    assert {*words["symptoms"]} == {*RULESET.catalogue.symptoms}
    assert {*words["fires"]} == {*words["stays_quiet"]} > {"days_since_therapy", "temperature_c", "history"}
    assert "hours_before" in words["history"]


@pytest.mark.parametrize("place", ["when", "all", "any", "of"])
def test_every_condition_of_the_language_is_completed_wherever_one_may_stand(place):
    """The reader of conditions and the schema are two lists of the same words."""
    reader = ConditionReader(RULESET.catalogue, lambda loc, message, *, key=False: None)
    assert {*completions(SCHEMA, RULES)[place]} >= {*reader.readers}
    allowed = {key for shape in SCHEMA["$defs"]["Condition"]["oneOf"] for key in shape["properties"]}
    assert allowed == {*reader.readers, "at_least", "is"}


FIXED = ("symptom", "urgency", "therapies", "source", "window", "form", "tell", "group", "signs", "daily_for")


@pytest.mark.parametrize("name", FILES)
def test_every_key_and_fixed_word_of_the_shipped_files_would_have_been_offered(name):
    words = completions(SCHEMA, shape_of(name))

    def missing(data, key):
        for part in data if isinstance(data, list) else [data]:
            if isinstance(part, dict):
                for inner, value in part.items():
                    if inner not in words.get(key, ()):
                        yield key, inner
                    yield from missing(value, inner)
            elif isinstance(part, str) and key in FIXED and part not in words[key]:
                yield key, part

    assert not {*missing(FILES[name], "")}

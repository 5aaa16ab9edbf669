"""The JSON Schema of rule files: what ships fits, and slips do not."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from triage.paths import folder
from triage.rules.loading import load, read_folder
from triage.rules.schema import schema
from triage.rules.tree import read_tree

FILES = {name: read_tree(name, text, lambda *mistake: None).data for name, text in read_folder(folder("rules")).items()}
SCHEMA = schema(load(folder("rules")))
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

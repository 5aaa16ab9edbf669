"""Small rule files as text, for tests that spoil one thing in them."""
# ruff: noqa: E501 (lines of YAML)

from __future__ import annotations

import pytest

from triage.rules.loading import RuleFileErrors, load_texts
from triage.rules.ruleset import Ruleset

CATALOGUE = """\
groups:
  - {code: general, label: General}
severities: {mild: I notice it, moderate: It disturbs me, severe: I cannot go on, very_severe: I can do nothing}
symptoms:
  - {code: chills, scale: severity, label: chills, question: I have chills, about: They have chills, group: general, asked: daily}
  - {code: nausea, scale: severity, label: nausea, question: I feel sick, about: They feel sick, group: general, asked: daily}
  - {code: fainting, scale: presence, label: fainting, question: I fainted, about: They fainted, group: general, asked: danger}
therapies:
  - {code: car_t, label: CAR T cells, early: 0-28, daily_report: 0-28}
  - {code: donor, label: Donor cells, early: null}
"""

SOURCES = """\
- key: label
  title: A label
  address: example.org
  read_on: 2026-11-01
  kind: label
  passages:
    - {id: fever, text: Call for fever., form: quote, signs: [chills]}
    - {id: other, text: Call for nausea., form: summary, signs: [nausea]}
- {key: leaflet, title: A leaflet, address: example.org, read_on: 2026-11-01, kind: leaflet, passages: [{id: all, text: Call., form: quote}]}
"""

RESPONSE = """\
acknowledge_within: {emergency: 5 min, urgent: 15 min, soon: 24 h}
next_report: {emergency: Call first., urgent: Call first., soon: This evening., routine: Tomorrow.}
silence: {grace: 2 h}
outcome_within: {emergency: 10 min, urgent: 1 h}
"""

RULE = """\
- id: chills-early
  title: Chills in the first weeks
  urgency: urgent
  applies_to: {therapies: [car_t], window: early}
  when:
    symptom: chills
    at_least: mild
  why: They can be the first sign.
  advice: Call {care_team_phone} now.
  source: label
  passage: fever
  cases:
    fires:
      - {days_since_therapy: 5, symptoms: {chills: mild}}
    stays_quiet:
      - {days_since_therapy: 5, symptoms: {chills: none}}
      - {days_since_therapy: 29, symptoms: {chills: mild}}
"""

FILES = {
    "rules/catalogue.yaml": CATALOGUE,
    "rules/sources.yaml": SOURCES,
    "rules/response.yaml": RESPONSE,
    "rules/crs.yaml": RULE,
}


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """The files with one thing in one of them changed; the change must hit."""
    name = f"rules/{file}.yaml"
    assert old in FILES[name], f"{old!r} does not stand in {name}"
    return FILES | {name: FILES[name].replace(old, new, 1)}


def rules_with(
    when: str, *, urgency: str = "urgent", cases: str = "{fires: [{}], stays_quiet: [{}]}", **keys: str
) -> str:
    """One rule as text, with that condition in flow style."""
    more = "".join(f"  {key}: {value}\n" for key, value in keys.items())
    return (
        f"- id: example\n  title: t\n  urgency: {urgency}\n  when: {when}\n  why: w\n  advice: a\n"
        f"  source: judgment\n  reasoning: r\n  cases: {cases}\n{more}"
    )


def load(*rules: str) -> Ruleset:
    """The ruleset of these rule files beside the catalogue, sources and response."""
    return load_texts(FILES | {f"rules/{'crs' if n == 0 else f'more{n}'}.yaml": text for n, text in enumerate(rules)})


def mistakes(files: dict[str, str]) -> list[str]:
    """What the loader finds wrong, as people read it."""
    with pytest.raises(RuleFileErrors) as refused:
        load_texts(files)
    assert str(refused.value) == "\n".join(map(str, refused.value.errors))
    return [str(error) for error in refused.value.errors]

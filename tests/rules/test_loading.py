"""Every kind of mistake in a rule file is answered with its place, what is wrong, and the nearest word."""
# ruff: noqa: E501 (tables of mistakes)

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.rules.written_rules import CATALOGUE, FILES, RULE, changed, load, mistakes, rules_with
from triage.paths import folder
from triage.rules import conditions as c
from triage.rules import loading
from triage.rules.catalogue import Severity, Window
from triage.rules.loading import RuleFileErrors, from_document, load_texts
from triage.rules.ruleset import Citation
from triage.rules.urgency import Urgency

NO_NOT = (
    "the language has no “not” and no “no”: a rule may only ask for something being there or being worse, "
    "so that a worse answer can never make a report less urgent"
)
ANCHORS = "anchors (&) and aliases (*) are not allowed: write it out, so that each rule can be read alone"

MISTAKES = [
    ("crs", "  title:", "‸\ttitle:", ["a tab stands where only spaces may: indent with spaces"]),
    ("crs", "  title:", "   title‸:", ["a colon stands where none may: put a text that holds “: ” in quotes"]),
    ("crs", "  when:", " ‸when:", ["this line does not fit those above it: check how far it is indented"]),
    ("crs", "[car_t], window: early}", "[car_t], window: early", ["5:7: the brace { is not closed, or a comma is missing (opened at line 4, column 15)"]),
    ("crs", "[car_t], window", "[car_t, window", ["4:48: the bracket [ is not closed, or a comma is missing (opened at line 4, column 27)"]),
    ("crs", "Call {care", "'Call {care", ["18:1: a quotation mark is not closed (opened at line 9, column 11)"]),
    ("crs", "why: They", "why: ‸@They", ["put a text that begins with this character in quotes"]),
    ("crs", "  why:", "  why: Because.\n  ‸why:", ["“why” stands twice, first at rules/crs.yaml:8:3"]),
    ("crs", "title: Chills", "title: ‸&t Chills", [ANCHORS]),
    ("crs", "title: Chills", "title: ‸*t #Chills", [ANCHORS]),
    ("crs", "- id", "- ‸&a\n  id", [ANCHORS]),
    ("crs", "title: Chills", "title: ‸!!str Chills", ["tags (!) are not allowed: put a text that begins with “!” in quotes"]),
    ("crs", "- id", "‸%YAML 1.1\n---\n- id", ["a line that begins with % is not allowed"]),
    ("crs", RULE, RULE + "‸---\n" + RULE, ["“---” may not divide a file: put all into one list"]),
    ("crs", "first sign", "first ‸\x07sign", ["the invisible character U+0007 may not stand in a rule file"]),
    ("crs", "chills\n", "chills‸\u200b\n", ["the invisible character U+200B may not stand in a rule file"]),
    ("crs", "  why:", "  ‸[a]: b\n  why:", ["a key must be a word"]),
    ("crs", RULE, "", ["1:1: must be a list of rules, each beginning with a dash"]),
    ("crs", RULE, "‸rules: []", ["must be a list of rules, each beginning with a dash"]),
    ("crs", RULE, "‸[]", ["must be a list of rules, each beginning with a dash"]),
    ("crs", RULE, "‸# nothing\n", ["must be a list of rules, each beginning with a dash"]),
    ("crs", "  urgency:", "  ‸urgncy:", ["1:3: “urgency” is missing", 'unknown word “urgncy” — did you mean "urgency"?']),
    ("crs", "  why: They can be the first sign.\n", "", ["1:3: “why” is missing"]),
    ("crs", "why: They can be the first sign.", "why: ‸7", ["must be text; put it in quotes if it looks like a number"]),
    ("crs", "why: They can be the first sign.", "why: ‸' '", ["“why” is empty"]),
    ("crs", "why: They can be the first sign.", "‸why:", ["“why” is empty"]),
    ("crs", "id: chills-early", "id: ‸Chills_early", ["“Chills_early” is no id: lower-case letters, digits and single dashes only"]),
    ("crs", "urgency: urgent", "urgency: ‸urgnt", ['unknown urgency "urgnt" — did you mean "urgent"?']),
    ("crs", "now.", "now or {emergency_phone}.", ['9:11: only {emergency_number} and {care_team_phone} may stand in braces — did you mean "emergency_number"?']),
    ("crs", "[car_t]", "[‸car]", ['unknown therapy "car" — did you mean "car_t"?']),
    ("crs", "[car_t]", "[]", ["4:16: name at least one therapy, or leave “therapies” out for everybody"]),
    ("crs", "[car_t]", "[car_t, ‸donor]", ["“donor” has no early window in the catalogue: name the “days” instead"]),
    ("crs", "window: early", "window: ‸erly", ['unknown window "erly" — did you mean "early"?']),
    ("crs", "window: early", "‸windw: early", ['unknown word “windw” — did you mean "window"?']),
    ("crs", "window: early", "days: ‸28-0", ["“28-0” is no window of days; write for example “0-28” or “30-”"]),
    ("crs", "window: early", "days: ‸-5-7", ["“-5-7” is no window of days; write for example “0-28” or “30-”"]),
    ("crs", "window: early", "days: ‸28", ["must be text; put it in quotes if it looks like a number"]),
    ("crs", "window: early", "‸days: 0-7, window: early", ["“window” and “days” exclude each other"]),
    ("crs", "window: early", "‸days: ", ["“days” is empty: write what it should be, or leave it out"]),
    ("crs", "{therapies: [car_t], window: early}", "", ["4:3: “applies_to” is empty"]),
    ("crs", "source: label", "source: ‸labl", ['unknown source "labl" — did you mean "label"?']),
    ("crs", "passage: fever", "passage: ‸fevr", ['unknown passage "fevr" — did you mean "fever"?']),
    ("crs", "  passage: fever\n", "", ["10:11: “label” has several passages; name one of fever, other"]),
    ("crs", "  passage: fever\n", "  passage: fever\n  more_sources: [‸leaflet/al, ‸leaflt]\n", ['unknown passage "al" — did you mean "all"?', 'unknown source "leaflt" — did you mean "leaflet"?']),
    ("crs", "source: label\n  passage: fever", "source: ‸judgment", ["a judgment needs its “reasoning”, so that clinicians see what they approve"]),
    ("crs", "source: label", "source: judgment\n  reasoning: r", ["12:12: a judgment has no passage"]),
    ("sources", "2026-11-01", "‸last week", ["“last week” is no date; write for example 2026-11-01"]),
    ("sources", "2026-11-01", "‸2026-02-30", ["“2026-02-30” is no date; write for example 2026-11-01"]),
    ("sources", "kind: label", "kind: ‸lable", ['unknown word "lable" — did you mean "label"?; one of label, guideline, paper, leaflet, page, tool']),
    ("sources", "form: quote", "form: ‸quot", ['unknown word "quot" — did you mean "quote"?; one of quote, summary']),
    ("sources", "signs: [chills]", "signs: [‸chils]", ['unknown sign "chils" — did you mean "chills"?']),
    ("sources", "id: other", "id: ‸fever", ['the passage "label/fever" is taken, at rules/sources.yaml:7:12']),
    ("sources", "key: leaflet", "key: ‸label", ['the source "label" is taken, at rules/sources.yaml:1:8']),
    ("sources", "key: leaflet", "key: ‸judgment", ["“judgment” is no id: lower-case letters, digits and single dashes only"]),
    ("sources", "[{id: all, text: Call., form: quote}]", "[]", ["9:94: a source needs the passage that was read"]),
    ("catalogue", "code: nausea", "code: ‸chills", ['the symptom "chills" is taken, at rules/catalogue.yaml:5:12', 'rules/sources.yaml:8:66: unknown sign "nausea"']),
    ("catalogue", "code: donor", "code: ‸car_t", ['the therapy "car_t" is taken, at rules/catalogue.yaml:9:12']),
    ("catalogue", "null}\n", "null}\nthinking_check: {signs: [‸chils]}\n", ['unknown symptom "chils" — did you mean "chills"?']),
    ("catalogue", "null}\n", "null}\nthinking_check: {windows: [{therapies: [‸car], days: 0-14, again_after: 8 h}]}\n", ['unknown therapy "car" — did you mean "car_t"?']),
    ("catalogue", "null}\n", "null}\nthinking_check: {windows: [{therapies: [car_t], days: 0-14, again_after: ‸8}]}\n", ["must be text; put it in quotes if it looks like a number"]),
    ("catalogue", "null}\n", "null}\nthinking_check: {windows: [{therapies: [car_t], days: 0-14, again_after: ‸twice}]}\n", ["“twice” is no span of time; write for example “8 h”"]),
    ("catalogue", "code: fainting", "code: ‸Fainting", ["“Fainting” is no code: lower-case letters, digits and _ only, a letter first"]),
    ("catalogue", "code: fainting", "code: ‸any", ["“any” has a meaning of its own in the language: choose another code"]),
    ("catalogue", "code: fainting", "code: ‸temperature", ["“temperature” has a meaning of its own in the language: choose another code"]),
    ("catalogue", "scale: presence", "scale: ‸presnce", ['unknown word "presnce" — did you mean "presence"?; one of severity, presence']),
    ("catalogue", "group: general", "group: ‸genral", ['unknown group "genral" — did you mean "general"?']),
    ("catalogue", "asked: danger}", "asked: danger, daily_for: [‸cart]}", ['unknown therapy "cart" — did you mean "car_t"?']),
    ("catalogue", "asked: danger}", "asked: danger, snomed: {code: ‸'91175001', display: Seizure}}", ["“91175001” is no SNOMED code: a digit is wrong"]),
    ("catalogue", "asked: danger}", "asked: danger, ‸snomed: {‸cod: '91175000', display: Seizure}}", ["“code” is missing", 'unknown word “cod” — did you mean "code"?']),
    ("catalogue", "asked: danger}", "asked: danger, ‸danger_question: {question: q, about: a, means: severe}}", ["only a symptom answered by severity needs a danger question"]),
    ("catalogue", "early: 0-28", "early: ‸soon", ["“soon” is no window of days; write for example “0-28” or “30-”"]),
    ("catalogue", "mild: I notice it, ", "", ["3:1: “mild” is missing"]),
    ("catalogue", CATALOGUE[CATALOGUE.index("therapies") :], "‸therapies: []\n", ["“therapies” is empty"]),
    ("response", "15 min", "‸15 minutes", ["“15 minutes” is no span of time; write for example “5 min”, “24 h” or “2 d”"]),
    ("response", "15 min", "‸4 min", ["what is more urgent must not be allowed to wait longer"]),
    ("response", "10 min", "‸soon", ["“soon” is no span of time; write for example “5 min”, “24 h” or “2 d”"]),
    ("response", "1 h}", "‸9 min}", ["what is more urgent must not be allowed to wait longer"]),
    ("response", ", urgent: 1 h}", "}", ["4:1: “urgent” is missing"]),
    ("response", "1 h}", "1 h, ‸soon: 1 d}", ["unknown word “soon”"]),
    ("response", "grace: 2 h", "grace: ‸0 h", ["“0 h” is no span of time; write for example “5 min”, “24 h” or “2 d”"]),
    ("response", ", routine: Tomorrow.", "", ["2:1: “routine” is missing"]),
    ("response", "Tomorrow.", "‸' '", ["“routine” is empty"]),
    ("crs", "{chills: mild}", "{‸chils: mild}", ['unknown symptom "chils" — did you mean "chills"?']),
    ("crs", "{chills: mild}", "{chills: ‸mld}", ['"mld" is no answer to chills — did you mean "mild"?; one of none, mild, moderate, severe, very_severe, unknown']),
    ("crs", "days_since_therapy: 5, symptoms: {chills: mild}", "‸days_since_therpy: 5", ['unknown field "days_since_therpy" — did you mean "days_since_therapy"?']),
    ("crs", "{days_since_therapy: 5,", "{days_since_therapy: 5, temperature_c: ‸101,", ["101 looks like °F; this field is in °C (it would be 38.33 °C)"]),
    ("crs", "{days_since_therapy: 5,", "{‸silnt_for: 24h,", ['unknown field "silnt_for" — did you mean "silent_for"?']),
    ("crs", "{days_since_therapy: 5,", "{silent_for: ‸24,", ["“24” is no span of time; write for example “24h”"]),
    ("crs", "{days_since_therapy: 5,", "{name: ‸7,", ["must be text"]),
    ("crs", "{days_since_therapy: 5,", "{‸history: {},", ["must be a list of earlier reports"]),
    ("crs", "{days_since_therapy: 5,", "{history: [{hours_before: ‸0}],", ["an earlier report needs “hours_before: 24” (a number above 0)"]),
    ("crs", "{days_since_therapy: 5,", "{history: [‸{symptoms: {‸chils: mild}}],", ["an earlier report needs “hours_before: 24” (a number above 0)", 'unknown symptom "chils" — did you mean "chills"?']),
    ("crs", "{days_since_therapy: 5,", "{history: [‸soon],", ["an earlier report needs “hours_before: 24” (a number above 0)"]),
    ("crs", "- {days_since_therapy: 5, symptoms: {chills: mild}}", "- ‸feverish", ["must be keys with values, for example {days_since_therapy: 5}"]),
    ("crs", "    stays_quiet:", "    ‸stays_quite:", ["12:3: “stays_quiet” is missing", 'unknown word “stays_quite” — did you mean "stays_quiet"?']),
]  # fmt: skip


def marked(name: str, text: str, expected: list[str]) -> tuple[str, list[str]]:
    """The text without its ‸ marks, and the expected mistakes with the places that the marks stand for, in order.
    What begins with a place of its own keeps it."""
    places = []
    while (at := text.find("‸")) >= 0:
        places.append(f"{name}:{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}")
        text = text[:at] + text[at + 1 :]
    wanted = []
    for message in expected:
        if message.startswith("rules/"):
            wanted.append(message)
        else:
            wanted.append(f"{name}:{message}" if re.match(r"\d+:\d+: ", message) else f"{places.pop(0)}: {message}")
    assert not places, "a mark without a mistake"
    return text, wanted


@pytest.mark.parametrize(("file", "old", "new", "expected"), MISTAKES, ids=[f"{m[2]!a:.60}" for m in MISTAKES])
def test_a_mistake_is_named_where_the_mark_stands(file: str, old: str, new: str, expected: list[str]) -> None:
    files, name = changed(file, old, new), f"rules/{file}.yaml"
    files[name], wanted = marked(name, files[name], expected)

    assert mistakes(files) == wanted


CONDITIONS = [
    ("‸when: {}", "the condition is empty"),
    ("when: ‸chills", "must be a condition, for example {symptom: chills, at_least: mild}"),
    ("‸when: []", "must be a condition, for example {symptom: chills, at_least: mild}"),
    ("‸when: ", "“when” is empty: write what it should be, or leave it out"),
    ("when: {‸sympton: chills, at_least: mild}", 'unknown condition “sympton” — did you mean "symptom"?'),
    ("when: {‸at_least: 2}", "“at_least” needs “of” with a list of conditions, or a “symptom” beside it"),
    ("when: {‸is: yes}", "unknown condition “is”"),
    ("when: {‸not: {symptom: chills, at_least: mild}}", NO_NOT),
    ("when: {‸unless: {symptom: chills, at_least: mild}}", NO_NOT),
    ("when: {symptom: ‸chils, at_least: mild}", 'unknown symptom "chils" — did you mean "chills"?'),
    ("when: {symptom: chills, at_least: ‸mld}", 'unknown severity "mld" — did you mean "mild"?; one of mild, moderate, severe, very_severe'),
    ("when: {symptom: chills, at_least: ‸none}", 'unknown severity "none"; one of mild, moderate, severe, very_severe'),
    ("when: {symptom: chills, ‸at_leats: mild}", 'unknown word “at_leats” here — did you mean "at_least"?'),
    ("when: {‸symptom: chills}", "say either how bad (“at_least: moderate”) or “is: yes”"),
    ("when: {symptom: chills, ‸is: yes}", "“chills” is answered by severity: write “at_least: mild” instead of “is: yes”"),
    ("when: {symptom: fainting, ‸at_least: mild}", "“fainting” is answered yes or no: write “is: yes” instead of “at_least”"),
    ("when: {symptom: fainting, is: ‸no}", NO_NOT),
    ("when: {symptom: fainting, is: ‸unknown}", "what nobody could say is handled by the engine; a rule may only ask for “yes”"),
    ("when: {symptom: fainting, is: ‸true}", "must be “yes”, not “True”"),
    ("when: {symptom: chills, at_least: mild, ‸on_steroids: yes}", "one condition at a time: put “symptom” and “on_steroids” into “all:” or “any:”"),
    ("when: {‸all: []}", "“all” needs a list of at least one condition"),
    ("when: {‸any: {symptom: chills, at_least: mild}}", "“any” needs a list of at least one condition"),
    ("when: {at_least: ‸2, of: [{on_steroids: yes}]}", "“at_least” must be a whole number from 1 to 1"),
    ("when: {at_least: ‸0, of: [{on_steroids: yes}]}", "“at_least” must be a whole number from 1 to 1"),
    ("‸when: {of: [{on_steroids: yes}]}", "“at_least” must be a whole number from 1 to 1"),
    ("when: {on_steroids: ‸no}", NO_NOT),
    ("when: {fever_reducer_taken: ‸no}", NO_NOT),
    ("when: {on_steroids: yes, ‸at_leest: 2}", "unknown word “at_leest” here"),
    ("when: {temperature: {at_least: ‸38.0}}", "“38.0” needs a number with its unit, for example “38.0 C” or “100.4 F”"),
    ("when: {temperature: {at_least: ‸38.0 K}}", "“38.0 K” needs a number with its unit, for example “38.0 C” or “100.4 F”"),
    ("when: {temperature: {at_least: ‸38.0 F}}", "38.0 F is no body temperature (30–45 °C, 86–113 °F)"),
    ("when: {temperature: {at_most: ‸45.1 C}}", "45.1 C is no body temperature (30–45 °C, 86–113 °F)"),
    ("when: {temperature: {‸at_leest: 38 C}}", 'unknown word “at_leest” — did you mean "at_least"?; one of at_least, at_most, within, risen_by'),
    ("when: {‸temperature: {within: 48h}}", "say either “at_least: 38.0 C” or “at_most: 35.9 C”"),
    ("when: {temperature: ‸38 C}", "“temperature” needs one of: at_least, at_most, within, risen_by"),
    ("when: {temperature: {at_most: 36 C, ‸within: 48h}}", "“within” goes with “at_least” only"),
    ("when: {temperature: {at_least: 38 C, within: ‸48}}", "“48” is no span of time; write for example “48h”, “30 min” or “2 d”"),
    ("when: {temperature: {at_least: 38 C, risen_by: ‸1}}", "“1” needs a number with its unit, for example “38.0 C” or “100.4 F”"),
    ("when: {temperature: {at_least: 38 C, risen_by: ‸0.0 C}}", "a rise must be above 0 and at most 10 °C"),
    ("when: {temperature: {at_least: 38 C, risen_by: 1 C, ‸within: 48h}}", "“within” and “risen_by” exclude each other"),
    ("when: {thinking_check: {at_most: ‸10}}", "“at_most” must be a whole number from 0 to 9"),
    ("when: {thinking_check: {below_baseline: ‸0}}", "“below_baseline” must be a whole number from 1 to 10"),
    ("when: {thinking_check: ‸abandond}", "“thinking_check” needs one of: at_most, below_baseline"),
    ("when: {‸thinking_check: {at_most: 7, below_baseline: 1}}", "say one of: at_most, below_baseline"),
    ("when: {measured: {‸puls: {at_least: 100}}}", 'unknown word “puls” — did you mean "pulse"?; one of systolic_mmhg, pulse, oxygen_percent'),
    ("when: {measured: {pulse: {at_least: ‸1000}}}", "“1000” must be a number from 20 to 300 (in a minute, without the unit)"),
    ("when: {measured: {pulse: {at_least: ‸true}}}", "“True” must be a number from 20 to 300 (in a minute, without the unit)"),
    ("when: {measured: {pulse: {‸above: 100}}}", "unknown word “above”; one of at_least, at_most"),
    ("when: {worse: {symptom: chills, by: ‸0, than: previous}}", "“by” must be a whole number from 1 to 4"),
    ("when: {worse: {symptom: fainting, by: ‸2, than: previous}}", "“fainting” is answered yes or no: it can only get worse by 1"),
    ("when: {worse: {symptom: chills, by: 1, than: ‸before}}", "“than” must be “previous” or {lowest_in: 48h}"),
    ("when: {‸worse: {symptom: chills, by: 1}}", "“than” must be “previous” or {lowest_in: 48h}"),
    ("when: {worse: {symptom: chills, by: 1, than: {lowest_in: ‸48}}}", "“48” is no span of time; write for example “48h”, “30 min” or “2 d”"),
    ("when: {‸worse: {by: 1, than: previous}}", "“symptom” is missing"),
    ("when: {persists: {symptom: chills, at_least: mild, reports: ‸1}}", "“reports” must be a whole number from 2 to 13"),
    ("when: {persists: {symptom: chills, at_least: mild, reports: ‸14}}", "“reports” must be a whole number from 2 to 13"),
    ("when: {‸persists: {symptom: chills, at_least: mild}}", "say either in how many reports running (“reports: 3”) or for how long (“for: 48h”)"),
    ("when: {persists: {symptom: chills, at_least: mild, for: ‸0h}}", "“0h” is no span of time; write for example “48h”, “30 min” or “2 d”"),
    ("when: {new: {‸symptom: [chills]}}", "unknown symptom \"['chills']\" — did you mean \"chills\"?"),
    ("when: {‸persists: {symptom: chills, reports: 3}}", "“at_least” is missing; one of mild, moderate, severe, very_severe"),
    ("when: {‸together: {count: 3}}", "“of” is missing; one of emergency, urgent, soon, routine"),
    ("when: {new: ‸chills}", "“new” needs one of: symptom"),
    ("when: {not_measured: ‸temprature}", 'only “not_measured: temperature” can be asked — did you mean "temperature"?'),
    ("when: {silent_for: ‸1 day}", "“1 day” is no span of time; write for example “48h”, “30 min” or “2 d”"),
    ("when: {together: {of: ‸sonn, count: 2}}", 'unknown urgency “sonn” — did you mean "soon"?'),
    ("when: {together: {of: soon, count: ‸1}}", "“count” must be a whole number from 2 to 20"),
    ("when: {any: [{‸together: {of: soon, count: 2}}]}", "“together” may only be the whole “when” of a rule"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "message"), CONDITIONS, ids=[case[0] for case in CONDITIONS])
def test_a_mistake_in_a_condition_is_named_where_the_mark_stands(when: str, message: str) -> None:
    name = "rules/crs.yaml"
    text, wanted = marked(name, rules_with("").replace("when: ", when), [message])

    assert mistakes(FILES | {name: text}) == wanted


def test_a_together_rule_must_be_more_urgent_than_what_it_is_made_of() -> None:
    files = FILES | {"rules/crs.yaml": rules_with("{together: {of: soon, count: 2}}", urgency="soon")}

    assert mistakes(files) == ["rules/crs.yaml:3:12: must be higher than the “soon” it is made of"]


READ = [
    ("{symptom: chills, at_least: mild}", c.SymptomAtLeast("chills", Severity.MILD)),
    ("{symptom: any, at_least: severe}", c.SymptomAtLeast("any", Severity.SEVERE)),
    ("{symptom: fainting, is: yes}", c.SymptomPresent("fainting")),
    ("{temperature: {at_least: 100.4 F}}", c.TemperatureAtLeast(Decimal("38.00"))),
    ("{temperature: {at_least: 38 C, within: 2 d}}", c.TemperatureAtLeast(Decimal(38), timedelta(days=2))),
    ("{temperature: {at_least: 37.3°C, risen_by: 1.8 F}}", c.TemperatureAtLeast(Decimal("37.3"), None, Decimal("1.00"))),
    ("{temperature: {at_most: 35.9 C}}", c.TemperatureAtMost(Decimal("35.9"))),
    ("{not_measured: temperature}", c.TemperatureNotMeasured()),
    ("{thinking_check: {at_most: 7}}", c.ThinkingCheckAtMost(7)),
    ("{thinking_check: {below_baseline: 1}}", c.ThinkingCheckBelowBaseline(1)),
    ("{thinking_check: abandoned}", c.ThinkingCheckAbandoned()),
    ("{measured: {oxygen_percent: {at_most: 92.5}}}", c.MeasuredAtMost("oxygen_percent", Decimal("92.5"))),
    ("{measured: {pulse: {at_least: 120}}}", c.MeasuredAtLeast("pulse", Decimal(120))),
    ("{on_steroids: yes}", c.OnSteroids()),
    ("{fever_reducer_taken: yes}", c.FeverReducerTaken()),
    ("{worse: {symptom: chills, by: 2, than: previous}}", c.Worse("chills", 2)),
    ("{worse: {symptom: any, by: 1, than: {lowest_in: 48 h}}}", c.Worse("any", 1, timedelta(hours=48))),
    ("{persists: {symptom: chills, at_least: mild, reports: 13}}", c.Persists("chills", Severity.MILD, 13)),
    ("{persists: {symptom: chills, at_least: mild, for: 30 min}}", c.Persists("chills", Severity.MILD, None, timedelta(minutes=30))),
    ("{new: {symptom: chills}}", c.New("chills")),
    ("{silent_for: 24h}", c.SilentFor(timedelta(hours=24))),
    ("{together: {of: soon, count: 2}}", c.Together(Urgency.SOON, 2)),
    ("{all: [{on_steroids: yes}]}", c.All((c.OnSteroids(),))),
    ("{any: [{on_steroids: yes}]}", c.Any((c.OnSteroids(),))),
    ("{at_least: 1, of: [{on_steroids: yes}, {symptom: fainting, is: yes}]}", c.AtLeast(1, (c.OnSteroids(), c.SymptomPresent("fainting")))),
]  # fmt: skip


@pytest.mark.parametrize(("written", "read"), READ, ids=[case[0] for case in READ])
def test_a_condition_is_read_as_it_is_written(written: str, read: c.Condition) -> None:
    assert load(rules_with(written)).rules[0].when == read


def test_a_rule_is_read_with_everything_that_stands_in_it() -> None:
    ruleset = load_texts(
        changed("crs", "  passage: fever\n", "  passage: fever\n  more_sources: [leaflet, label/other]\n")
    )

    [rule] = ruleset.rules
    assert (rule.id, rule.title, rule.urgency) == ("chills-early", "Chills in the first weeks", Urgency.URGENT)
    assert (rule.applies_to.therapies, rule.applies_to.early, rule.applies_to.days) == (
        frozenset({"car_t"}),
        True,
        None,
    )
    assert rule.citations == (Citation("label", "fever"), Citation("leaflet", "all"), Citation("label", "other"))
    assert [(case.fires, case.data["therapy"], case.place.line) for case in rule.cases] == [
        (True, "car_t", 15),
        (False, "car_t", 17),
        (False, "car_t", 18),
    ]
    assert ruleset.catalogue.therapies["car_t"].early == Window(0, 28)
    assert ruleset.sources["label"].read_on == date(2026, 11, 1)
    assert ruleset.response.acknowledge_within[Urgency.URGENT] == timedelta(minutes=15)
    assert ruleset.response.silence_grace == timedelta(hours=2)
    assert ruleset.response.outcome_within == {
        Urgency.EMERGENCY: timedelta(minutes=10),
        Urgency.URGENT: timedelta(hours=1),
    }


def test_rulesets_stored_before_outcome_within_was_known_have_fifteen_and_sixty_minutes() -> None:
    older = load_texts(changed("response", "outcome_within: {emergency: 10 min, urgent: 1 h}\n", ""))

    minutes = {urgency: span.total_seconds() / 60 for urgency, span in older.response.outcome_within.items()}
    assert minutes == {Urgency.EMERGENCY: 15, Urgency.URGENT: 60}
    assert from_document(older.document).hash == older.hash


def test_yes_and_no_are_words_and_not_true_and_false() -> None:
    cases = "{fires: [{symptoms: {fainting: yes}}], stays_quiet: [{symptoms: {fainting: no}}]}"

    rule = load(rules_with("{symptom: fainting, is: yes}", cases=cases)).rules[0]

    assert [case.data["symptoms"]["fainting"] for case in rule.cases] == ["yes", "no"]


def test_a_case_of_a_rule_for_everybody_has_no_therapy_unless_it_says_one() -> None:
    cases = "{fires: [{}], stays_quiet: [{therapy: donor}]}"

    rule = load(rules_with("{not_measured: temperature}", cases=cases)).rules[0]

    assert [case.data["therapy"] for case in rule.cases] == [None, "donor"]


def test_all_mistakes_of_all_files_come_at_once_in_their_order() -> None:
    files = (
        changed("catalogue", "group: general, asked: danger", "group: genral, asked: dangr")
        | {"rules/crs.yaml": rules_with("{symptom: chils, at_least: mld}", source="x").replace("  why: w\n", "")}
        | {"rules/other.yaml": "\t"}
    )

    assert [error.split(": ")[0] for error in mistakes(files)] == [
        "rules/catalogue.yaml:7:105",
        "rules/catalogue.yaml:7:120",
        "rules/crs.yaml:1:3",
        "rules/crs.yaml:4:19",
        "rules/crs.yaml:4:36",
        "rules/crs.yaml:9:3",
        "rules/other.yaml:1:1",
    ]


def test_a_key_that_is_missing_hides_no_other_mistake_of_the_rule() -> None:
    spoiled = RULE.replace("  why: They can be the first sign.\n", "").replace("source: label", "source: 7")
    spoiled = spoiled.replace("urgent", "urgnt").replace("early}", "erly}").replace("{chills: none}", "{chills: nne}")

    assert [error.split(": ")[0] for error in mistakes(FILES | {"rules/crs.yaml": spoiled})] == [
        "rules/crs.yaml:1:3",
        "rules/crs.yaml:3:12",
        "rules/crs.yaml:4:44",
        "rules/crs.yaml:9:11",
        "rules/crs.yaml:15:52",
    ]


def test_a_broken_entry_does_not_make_rules_that_name_it_look_wrong() -> None:
    spoiled = changed("catalogue", "label: chills, ", "") | {
        "rules/sources.yaml": FILES["rules/sources.yaml"].replace("title: A label", "titel: A label")
    }
    spoiled["rules/catalogue.yaml"] = spoiled["rules/catalogue.yaml"].replace("label: CAR T cells, ", "")
    spoiled["rules/catalogue.yaml"] = spoiled["rules/catalogue.yaml"].replace("label: General", "lable: General")

    assert mistakes(spoiled) == [
        "rules/catalogue.yaml:2:5: “label” is missing",
        'rules/catalogue.yaml:2:21: unknown word “lable” — did you mean "label"?',
        "rules/catalogue.yaml:5:5: “label” is missing",
        "rules/catalogue.yaml:9:5: “label” is missing",
        "rules/sources.yaml:1:3: “title” is missing",
        'rules/sources.yaml:2:3: unknown word “titel” — did you mean "title"?',
    ]


@pytest.mark.parametrize("name", ["catalogue", "sources"])
def test_a_file_that_cannot_be_read_at_all_brings_one_mistake(name: str) -> None:
    [mistake] = mistakes(FILES | {f"rules/{name}.yaml": "a: {\n"})

    assert mistake.startswith(f"rules/{name}.yaml:2:1: ")


@pytest.mark.parametrize("name", ["catalogue", "sources", "response"])
def test_a_missing_file_is_named(name: str) -> None:
    files = {file: text for file, text in FILES.items() if name not in file}

    assert f"rules/{name}.yaml:1:1: this file is missing" in mistakes(files)


def test_a_rule_whose_condition_was_left_empty_is_not_dropped() -> None:
    files = FILES | {"rules/more.yaml": rules_with("")}

    assert mistakes(files) == ["rules/more.yaml:4:3: “when” is empty: write what it should be, or leave it out"]


def test_an_id_may_stand_once_in_all_files_even_if_the_rule_is_wrong() -> None:
    again = RULE.replace("urgency: urgent", "urgency: urgnt")

    assert mistakes(FILES | {"rules/infection.yaml": again}) == [
        'rules/infection.yaml:1:7: the id "chills-early" is taken, at rules/crs.yaml:1:7',
        'rules/infection.yaml:3:12: unknown urgency "urgnt" — did you mean "urgent"?',
    ]


def test_two_files_of_one_name_are_both_read() -> None:
    more = rules_with("{on_steroids: yes}")

    assert [rule.id for rule in load_texts(FILES | {"elsewhere/crs.yaml": more}).rules] == ["chills-early", "example"]


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    files = FILES | {"rules/crs.yaml": RULE + "#" * 262_144}

    assert mistakes(files) == ["rules/crs.yaml:1:1: is larger than 256 KB: divide it into several files"]


def test_conditions_may_not_stand_inside_each_other_without_end() -> None:
    when = "{any: [" * 30 + "{on_steroids: yes}" + "]}" * 30

    assert mistakes(FILES | {"rules/crs.yaml": rules_with(when)})[0].endswith("more than 40 levels inside each other")


def test_a_number_of_no_sense_is_answered_shortly() -> None:
    [mistake] = mistakes(FILES | {"rules/crs.yaml": rules_with("{symptom: chills, at_least: " + "9" * 5000 + "}")})

    assert mistake.startswith("rules/crs.yaml:4:37: unknown severity")
    assert len(mistake) < 500


@pytest.mark.parametrize(
    "change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n", "\r")]
)
def test_byte_order_marks_and_other_line_ends_change_nothing(change) -> None:
    files = {name: change(text) for name, text in FILES.items()}

    assert load_texts(files).hash == load_texts(FILES).hash
    assert mistakes(files | {"rules/crs.yaml": change(RULE.replace("mild\n", "mld\n"))})[0].startswith(
        "rules/crs.yaml:7:15: "
    )


# --- the hash and the document


def test_the_document_gives_the_same_ruleset_again() -> None:
    ruleset = load_texts(FILES)

    again = from_document(ruleset.document)

    assert again == ruleset
    assert again.hash == ruleset.hash
    assert again.rules[0].cases[0].data == ruleset.rules[0].cases[0].data


def test_the_order_of_rules_files_keys_and_comments_does_not_change_the_hash() -> None:
    one, two = RULE, rules_with("{on_steroids: yes}")
    hashes = {
        load(one, two).hash,
        load(two, one).hash,
        load(one + two).hash,
        load("# a remark\n" + two + one.replace("  why: They can be the first sign.\n", "") + "  why: They can be the first sign.\n").hash,
    }  # fmt: skip

    assert len(hashes) == 1
    assert hashes.pop().startswith("sha256:")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("crs", "at_least: mild", "at_least: severe"),
        ("crs", "first sign", "last sign"),
        ("crs", "day" + "s_since_therapy: 29", "days_since_therapy: 30"),
        ("catalogue", "0-28,", "0-29,"),
        ("sources", "Call for fever", "Call for any fever"),
        ("response", "15 min", "16 min"),
    ],
)
def test_whatever_is_said_differently_changes_the_hash(file: str, old: str, new: str) -> None:
    assert load_texts(changed(file, old, new)).hash != load_texts(FILES).hash


@pytest.mark.parametrize(
    "document", ["", "null", "[]", "{}", '{"catalogue": 1, "sources": 1, "response": 1, "rules": 1}', "[" * 100_000]
)
def test_what_is_no_document_is_refused(document: str) -> None:
    with pytest.raises(RuleFileErrors):
        from_document(document)


def test_a_document_in_which_a_rule_was_spoiled_is_refused() -> None:
    data = json.loads(load_texts(FILES).document)
    data["rules"][0]["when"]["symptom"] = "chils"

    with pytest.raises(RuleFileErrors, match='unknown symptom "chils"'):
        from_document(json.dumps(data))


# --- folders


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `rules` in the current one, with the small files."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "rules"


def in_folder(path: Path) -> list[str]:
    with pytest.raises(RuleFileErrors) as refused:
        loading.load(path)
    return [str(error) for error in refused.value.errors]


def test_files_are_named_as_one_would_type_them(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (rules / "crs.yaml").write_text(RULE.replace("mild\n", "mld\n"), encoding="utf-8")

    assert in_folder(rules)[0].startswith("rules/crs.yaml:7:15: ")
    assert in_folder(Path("rules"))[0].startswith("rules/crs.yaml:7:15: ")
    monkeypatch.chdir(rules)
    assert in_folder(Path("."))[0].startswith("crs.yaml:7:15: ")
    assert in_folder(rules)[0].startswith("crs.yaml:7:15: ")
    (rules / "inner").mkdir()
    monkeypatch.chdir(rules / "inner")
    assert in_folder(rules)[0].startswith(f"{rules}/crs.yaml:7:15: ")


def test_a_folder_that_is_none_is_named(rules: Path) -> None:
    assert in_folder(Path("rulez")) == ["rulez:1:1: there is no such folder"]
    assert in_folder(Path("rules/crs.yaml")) == ["rules/crs.yaml:1:1: this is a file; name the folder it lies in"]


def test_a_folder_without_rules_is_none(rules: Path) -> None:
    (rules / "crs.yaml").unlink()

    assert in_folder(rules) == ["rules:1:1: there is no rule in these files"]


def test_a_file_that_would_not_be_read_because_of_its_name_is_a_mistake(rules: Path) -> None:
    (rules / "mine.yml").write_text(RULE, encoding="utf-8")

    assert in_folder(rules) == ["rules/mine.yml:1:1: would not be read: its name must end in .yaml"]


def test_files_that_cannot_be_read_do_not_hide_the_mistakes_of_others(rules: Path) -> None:
    (rules / "crs.yaml").write_bytes(b"\xff\xfe")
    (rules / "huge.yaml").write_bytes(b"#" * 2_000_000)
    (rules / "sub.yaml").mkdir()
    (rules / "typo.yaml").write_text(rules_with("{symptom: chils, at_least: mild}"), encoding="utf-8")

    assert in_folder(rules) == [
        "rules/crs.yaml:1:1: is not written in UTF-8",
        "rules/huge.yaml:1:1: is larger than 256 KB: divide it into several files",
        "rules/sub.yaml:1:1: cannot be read: Is a directory",
        'rules/typo.yaml:4:19: unknown symptom "chils" — did you mean "chills"?',
    ]


def test_the_shipped_rules_load_and_survive_their_document() -> None:
    ruleset = loading.load(folder("rules"))

    assert len(ruleset.rules) >= 48
    assert from_document(ruleset.document) == ruleset


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("- id: [", 8, "a value is missing here"),
        ("- id: x\n- ]", 3, "a value is missing here"),
        ("a: 1\n- b", 1, "this line does not fit those above it"),
        ('"a" "b"', 5, "this does not continue what stands above"),
        ("a: - b", 4, "a dash may not begin a text"),
        ("a: ? b", 4, "a question mark may not begin a text"),
        ("- why: |x", 9, "after | or > the text begins on the next line"),
        ("- why: >0\n", 9, "after | or > the text begins on the next line"),
        ('- "\\q"', 5, "in double quotes a backslash means something else"),
        ('- "a\n--- b"', 1, "a quotation mark is not closed"),
        ("%YAML x", 7, "a line that begins with % is not allowed"),
        ("- & x", 4, "from here on the text cannot be read"),
        ("!<x", 4, "from here on the text cannot be read"),
    ],
)
def test_broken_text_is_told_in_plain_words(text: str, column: int, words: str) -> None:
    """No word of the parser's: a clinician never heard of nodes, streams and tokens."""
    (told,) = [one for one in mistakes(FILES | {"rules/crs.yaml": text}) if one.startswith("rules/crs.yaml")]

    place, message = told.split(": ", 1)
    assert place.endswith(f":{column}")
    assert message.startswith(words)
    assert not re.search(r"YAML|node|token|stream|scalar|flow|mapping|sequence|directive|<|anchor|Error", message)

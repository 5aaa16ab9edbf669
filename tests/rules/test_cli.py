"""The commands about rules and reports, as people run them: what they print, and their exit codes."""

# ruff: noqa: E501 (tables)
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.rules.written_rules import FILES, RULE, rules_with
from triage.cli import cli
from triage.rules.batch import assess_lines
from triage.rules.loading import load_texts

FEVER = rules_with(
    "{temperature: {at_least: 38.0 C}}", cases="{fires: [{temperature_c: 38}], stays_quiet: [{temperature_c: 37.9}]}"
).replace("id: example", "id: fever")
WORSE = rules_with(
    "{worse: {symptom: nausea, by: 1, than: previous}}",
    cases="{fires: [{symptoms: {nausea: mild}, history: [{hours_before: 24, symptoms: {nausea: none}}]}],"
    " stays_quiet: [{symptoms: {nausea: mild}}]}",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with small rule files in `rules`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    files = FILES | {"rules/fever.yaml": FEVER, "rules/nausea.yaml": WORSE}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def triage(*words: str, stdin: str | bytes = b"") -> Result:
    return CliRunner().invoke(cli, words, input=stdin, prog_name="triage")


def assess(stdin: str | bytes) -> Result:
    return triage("assess", "-", "--rules", "rules", stdin=stdin)


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def fired(result: Result) -> list[list[str]]:
    return [[rule["rule"] for rule in answer["fired"]] for answer in answers(result)]


# --- assess


def test_a_report_in_is_an_assessment_out(folder: Path) -> None:
    result = assess('{"patient": "A", "reported_at": "2026-03-02T08:00:00+00:00", "temperature_c": 38.4}')

    assert (result.exit_code, result.stderr) == (0, "")
    assert answers(result) == [
        {
            "patient": "A",
            "reported_at": "2026-03-02T08:00:00+00:00",
            "urgency": "urgent",
            "ruleset": load_texts(FILES | {"f.yaml": FEVER, "w.yaml": WORSE}).hash,
            "fired": [
                {
                    "rule": "fever",
                    "urgency": "urgent",
                    "title": "t",
                    "because": ["temperature 38.4 °C is at least 38.0 °C"],
                    "source": "judgment",
                    "facts": [{"subject": "temperature", "value": "38.4", "test": "at_least", "threshold": "38.0"}],
                }
            ],
            "advice": ["a"],
        }
    ]


def test_placeholders_in_the_advice_are_filled_with_plain_words(folder: Path) -> None:
    [answer] = answers(assess('{"therapy": "car_t", "days_since_therapy": 5, "symptoms": {"chills": "mild"}}'))

    assert answer["advice"] == ["Call the 24-hour line now."]


HOT, COOL = '{"temperature_c": 38}', '{"temperature_c": 37}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ("[]", []),
        ("[\n]\n", []),
        (HOT, [["fever"]]),
        (f"{HOT}\n{COOL}\n", [["fever"], []]),
        (f"{HOT}\r\n\r\n  {COOL}", [["fever"], []]),
        (f"\ufeff{HOT}\n{COOL}", [["fever"], []]),
        (f"\n\n{HOT}", [["fever"]]),
        (f"[{HOT}, {COOL}]", [["fever"], []]),
        (f"[\n{HOT},\n{COOL}\n]\n", [["fever"], []]),
        ('{\n  "temperature_c": 38\n}\n', [["fever"]]),
        ('[{\n"temperature_c":\n38}\n,\n{}]', [["fever"], []]),
        (f"[{HOT}]\n{COOL}\n", [["fever"], []]),
    ],
)
def test_one_report_a_list_or_one_a_line(folder: Path, text: str, expected: list[list[str]]) -> None:
    result = assess(text)

    assert (result.exit_code, result.stderr) == (0, "")
    assert fired(result) == expected


BAD = [
    ('{"therapy": "cart"}', ['line 1: therapy: unknown therapy "cart" — did you mean "car_t"?'], 0),
    (f'{HOT}\n\n{{"temperature_c": 46, "x": 1}}\n{COOL}', ["line 3: temperature_c: must be from 30 to 45, not 46", 'line 3: x: unknown field "x"'], 2),
    (f"{HOT}\nfever\n{COOL}", ["line 2: is no JSON: Expecting value at column 1"], 2),
    (f"fever\n{HOT}", ["line 1: is no JSON: Expecting value at column 1"], 1),
    (f'{{"a" 1}}\n{HOT}', ["line 1: is no JSON: Expecting ':' delimiter at column 6"], 1),
    (f"{{\n{HOT}", ["line 1: is no JSON: Expecting property name enclosed in double quotes at column 2"], 1),
    ('{\n"therapy": "car_t"\n"note": ""}', ["line 3: is no JSON: Expecting ',' delimiter at column 1"], 0),
    ('{"temperature_c": NaN}', ["line 1: is no JSON: NaN is no number"], 0),
    ('{"temperature_c": 1e999}', ['line 1: temperature_c: must be a number from 30 to 45, or "unknown"'], 0),
    ('{"note": "", "note": ""}', ['line 1: is no JSON: "note" stands twice in one object'], 0),
    ("[" * 50_000, ["line 1: is no JSON: too deeply nested"], 0),
    ('7\nnull\n"x"', [f'line {n}: report: must be one JSON object, for example {{"therapy": "car_t", …}}' for n in (1, 2, 3)], 0),
    (f'[\n{HOT},\n{{"therapy":\n"cart"}},\n7,\n{HOT}]', ['line 3: therapy: unknown therapy "cart" — did you mean "car_t"?', 'line 5: report: must be one JSON object, for example {"therapy": "car_t", …}'], 2),
    (f"[\n{HOT},\n{{,\n{HOT}]", ["line 3: is no JSON: Expecting property name enclosed in double quotes at column 2"], 1),
    (f"[\n{HOT}\n{HOT}\n]", ["line 3: is no JSON: a comma or the end of the list “]” is expected"], 1),
    (f"[\n{HOT}\n]\nx", ["line 4: is no JSON: a comma or the end of the list “]” is expected"], 1),
    (f'[\n{HOT},\n{{"note": NaN}}]', ["line 3: is no JSON: NaN is no number"], 1),
    (f"[\n{HOT},", ["line 2: is no JSON: Expecting value at column 23"], 1),
    (b'\xff\n{"temperature_c": 38}', ["line 1: is not written in UTF-8"], 1),
    (b'{"a\xff\n{"temperature_c": 38}', ["line 1: is not written in UTF-8"], 1),
    ('{"a\\nb": 1}', ['line 1: a b: unknown field "a b"'], 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "judged"), BAD, ids=[f"{b[0][:50]!a}" for b in BAD])
def test_bad_lines_are_named_and_all_others_judged(folder: Path, text: str, said: list[str], judged: int) -> None:
    result = assess(text)

    assert result.stderr.splitlines() == said
    assert result.exit_code == 2
    assert len(answers(result)) == judged


def test_a_very_long_word_is_answered_shortly(folder: Path) -> None:
    result = assess(json.dumps({"therapy": "x" * 1_000_000}))

    assert result.exit_code == 2
    assert len(result.stderr) < 500


def line(patient: str | None, day: int, nausea: str) -> str:
    time = f"2026-03-{day:02}T08:00:00+00:00"
    return json.dumps({"patient": patient, "reported_at": time, "symptoms": {"nausea": nausea}})


def test_earlier_lines_of_the_same_patient_are_the_history(folder: Path) -> None:
    lines = [
        line("A", 1, "none"),
        line("B", 2, "mild"),
        line("A", 2, "mild"),
        line(None, 1, "none"),
        line(None, 2, "mild"),
        line("C", 3, "mild"),
        line("C", 2, "none"),
        line("C", 4, "moderate"),
    ]

    assert fired(assess("\n".join(lines))) == [[], [], ["example"], [], [], [], [], ["example"]]


@pytest.mark.parametrize(
    "line", ['{"days_since_therapy": %s}', '[{"days_since_therapy": %s}]', '{"days_since_therapy":\n%s}']
)
def test_a_number_of_thousands_of_digits_is_answered_in_plain_words(folder: Path, line: str) -> None:
    result = assess(line % ("9" * 5000))

    assert result.exit_code == 2
    assert "is no JSON: a number is far too long" in result.stderr
    assert "sys." not in result.stderr


def test_without_times_the_order_of_lines_counts(folder: Path) -> None:
    lines = [json.dumps({"patient": "A", "symptoms": {"nausea": word}}) for word in ["mild"] * 30 + ["none", "mild"]]

    assert fired(assess("\n".join(lines)))[-2:] == [[], ["example"]]


def test_history_ends_at_the_twelve_latest_reports(folder: Path) -> None:
    (folder / "rules/nausea.yaml").write_text(
        WORSE.replace("than: previous", "than: {lowest_in: 90 d}"), encoding="utf-8"
    )
    lines = [line("A", 1, "none"), *(line("A", day, "mild") for day in range(2, 15))]

    judged = fired(assess("\n".join(lines)))

    assert judged[12] == ["example"]  # the twelve before it begin on day 1
    assert judged[13] == []


def test_assessments_come_as_soon_as_their_line_is_there() -> None:
    """A program that writes a report and waits for the answer is not left waiting."""
    ruleset = load_texts(FILES)
    read: list[int] = []

    def lines():
        for number in range(3):
            read.append(number)
            yield b"{}\n"

    for number, _ in enumerate(assess_lines(ruleset, lines())):
        assert read == list(range(number + 1))


def test_a_missing_file_is_one_line(folder: Path) -> None:
    result = triage("assess", "nowhere.jsonl")

    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr.splitlines()[-1]


def test_rules_with_mistakes_judge_nothing(folder: Path) -> None:
    (folder / "rules/crs.yaml").write_text(RULE.replace("mild\n", "mld\n"), encoding="utf-8")

    result = assess(HOT)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        'rules/crs.yaml:7:15: unknown severity "mld" — did you mean "mild"?; one of mild, moderate, severe, very_severe',
        "1 error in the rule files",
    ]


def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "triage", *words], capture_output=True, check=False, **options)


def test_a_terminal_without_utf_8_is_no_traceback(folder: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}

    judged = run(["assess", "-", "--rules", "rules"], input=HOT.encode() + b'\n{"\\ud800": 1}', env=environment)
    explained = run(["rules", "explain", "fever", "--rules", "rules"], env=environment)

    assert json.loads(judged.stdout)["fired"][0]["because"] == [
        "temperature 38.4 °C is at least 38.0 °C".replace("38.4", "38.0")
    ]
    assert judged.returncode == 2
    assert (explained.returncode, b"Traceback" in explained.stderr) == (0, False)


# --- symptoms


def test_the_catalogue_for_programs(folder: Path) -> None:
    result = triage("symptoms", "--json", "--rules", "rules")

    data = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [(s["code"], s["scale"], s["answers"]) for s in data["symptoms"]] == [
        ("chills", "severity", ["none", "mild", "moderate", "severe", "very_severe", "unknown"]),
        ("nausea", "severity", ["none", "mild", "moderate", "severe", "very_severe", "unknown"]),
        ("fainting", "presence", ["no", "yes", "unknown"]),
    ]
    assert [(t["code"], t["early"]) for t in data["therapies"]] == [("car_t", "0-28"), ("donor", None)]
    assert [m["code"] for m in data["measured"]] == ["systolic_mmhg", "pulse", "oxygen_percent"]


def test_the_catalogue_for_people(folder: Path) -> None:
    lines = triage("symptoms", "--rules", "rules").stdout.splitlines()

    assert [entry.split() for entry in lines[:3]] == [
        ["chills", "none", "…", "very_severe", "chills"],
        ["nausea", "none", "…", "very_severe", "nausea"],
        ["fainting", "no,", "yes", "fainting"],
    ]


# --- rules check, test, explain


def test_check_says_how_many_rules_and_names_the_ruleset(folder: Path) -> None:
    result = triage("rules", "check", "rules")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-2] == "3 rules, 7 cases: no errors, 1 warning"
    assert lines[-1].startswith("sha256:")


def test_check_names_every_mistake_and_fails(folder: Path) -> None:
    (folder / "rules/crs.yaml").write_text(RULE.replace("mild\n", "mld\n"), encoding="utf-8")
    (folder / "rules/fever.yaml").write_text(FEVER.replace("38.0 C", "38.0"), encoding="utf-8")

    result = triage("rules", "check", "rules")

    assert result.exit_code == 1
    assert [entry.split(": ")[0] for entry in result.stderr.splitlines()] == [
        "rules/crs.yaml:7:15",
        "rules/fever.yaml:4:34",
        "2 errors in the rule files",
    ]


def test_check_fails_for_what_the_checks_call_an_error(folder: Path) -> None:
    (folder / "rules/fever.yaml").write_text(
        rules_with("{on_steroids: yes}", cases="{fires: [], stays_quiet: [{}]}").replace("id: example", "id: fever"),
        encoding="utf-8",
    )

    result = triage("rules", "check", "rules")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "rules/fever.yaml:1:7: fever has no example on which it fires"
    assert "3 rules, 6 cases: 1 error, 1 warning" in result.stdout


def test_test_runs_the_cases(folder: Path) -> None:
    result = triage("rules", "test", "rules")

    assert result.exit_code == 0
    assert result.stdout == "7 cases: 7 as expected, 0 not; 0 conditions that no case decides\n"


def test_test_names_each_failing_case_and_fails(folder: Path) -> None:
    (folder / "rules/fever.yaml").write_text(FEVER.replace("at_least: 38.0 C", "at_least: 37.5 C"), encoding="utf-8")

    result = triage("rules", "test", "rules")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "rules/fever.yaml:9:55: fever should stay quiet on this example; these rules fired: fever",
        "7 cases: 6 as expected, 1 not; 0 conditions that no case decides",
    ]


def test_test_names_a_condition_that_no_case_decides(folder: Path) -> None:
    (folder / "rules/fever.yaml").write_text(
        FEVER.replace(
            "{temperature: {at_least: 38.0 C}}",
            "{any: [{temperature: {at_least: 38.0 C}}, {all: [{symptom: fainting, is: yes}, {on_steroids: yes}]}]}",
        ),
        encoding="utf-8",
    )

    result = triage("rules", "test", "rules")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "warning: rules/fever.yaml:4:58: fever: no example decides “fainting: yes”",
        "warning: rules/fever.yaml:4:88: fever: no example decides “the person takes steroids or was given tocilizumab”",
        "7 cases: 7 as expected, 0 not; 2 conditions that no case decides",
    ]


def test_explain_says_a_rule_in_sentences(folder: Path) -> None:
    result = triage("rules", "explain", "chills-early", "--rules", "rules")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == [
        "Chills in the first weeks (chills-early)",
        "Concerns people after CAR T cells, in the early window (days 0 to 28 after CAR T cells).",
        "Fires when chills is at least mild.",
    ]


def test_explain_of_an_unknown_rule_names_the_nearest(folder: Path) -> None:
    result = triage("rules", "explain", "chils-early", "--rules", "rules")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == 'Error: there is no rule "chils-early" — did you mean "chills-early"?\n'


def test_a_folder_that_is_not_there_is_one_line(folder: Path) -> None:
    result = triage("rules", "test", "rulez")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["rulez:1:1: there is no such folder", "1 error in the rule files"]


@pytest.mark.parametrize("group", ["", "rules"])
def test_the_list_of_commands_has_whole_sentences(group: str) -> None:
    result = triage(*group.split(), "--help")

    listed = result.stdout.partition("Commands:")[2].split("\n  ")[1:]
    assert listed
    assert not [line for line in listed if not line.strip().endswith(".") or "..." in line]


@pytest.mark.parametrize(
    "command",
    [
        "",
        "assess",
        "symptoms",
        "rules",
        "rules check",
        "rules test",
        "rules explain",
        "migrate",
        "demo",
        "serve",
        "silence",
        "reassess",
    ],
)
def test_help_ends_in_a_line_to_paste_that_works_as_it_stands(command: str) -> None:
    result = triage(*command.split(), "--help")

    assert result.exit_code == 0
    assert "Example:  triage" in result.stdout or "Try:  " in result.stdout


def test_the_commands_start_without_a_database_or_the_web() -> None:
    program = "import sys\nfrom triage.cli import cli\ntry:\n cli(['symptoms'])\nexcept SystemExit: pass\n"
    loaded = run_program(program + "print(*sys.modules)").stdout.decode().splitlines()[-1].split()

    assert not {"flask", "sqlalchemy", "werkzeug"} & set(loaded)


def run_program(program: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

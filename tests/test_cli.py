"""The `triage` command as somebody types it: in a process of its own, without a database unless it needs one."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triage.encryption import Ring
from triage.paths import folder

DESIGN_EXAMPLE = {
    "patient": "A",
    "therapy": "car_t",
    "days_since_therapy": 5,
    "reported_at": "2026-03-02T08:00:00+00:00",
    "reporter": "patient",
    "temperature_c": 38.4,
    "fever_reducer_taken": False,
    "on_steroids": False,
    "symptoms": {"chills": "moderate", "confusion": "mild", "fainting": "no", "headache": "unknown"},
    "thinking_check": {"orientation": 4, "naming": 3, "command": 1, "writing": 1, "attention": 1},
    "thinking_check_baseline": 10,
    "measured": {"systolic_mmhg": 118, "pulse": 84, "oxygen_percent": 97},
    "note": "",
}


def triage(*words, given="", **environment):
    """The command's exit code, output and errors."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    return subprocess.run(
        [sys.executable, "-m", "triage", *map(str, words)],
        input=given,
        capture_output=True,
        text=True,
        env=clean | environment,
        timeout=120,
        cwd=folder("rules").parent,
        check=False,
    )


def test_the_example_of_the_design_is_answered():
    done = triage("assess", "-", given=json.dumps(DESIGN_EXAMPLE))
    answer = json.loads(done.stdout)

    assert done.returncode == 0
    assert (answer["patient"], answer["urgency"]) == ("A", "urgent")
    assert answer["ruleset"].startswith("sha256:")
    fever = next(fired for fired in answer["fired"] if fired["rule"] == "crs-fever")
    assert fever["because"] == ["temperature 38.4 °C is at least 38.0 °C"]
    assert fever["source"] == "tecartus-patient"
    assert any("24-hour line" in advice for advice in answer["advice"])
    assert any(u["unknown"] == ["headache"] for u in answer["undecided"])


def test_bad_lines_are_named_and_all_others_answered(tmp_path):
    file = tmp_path / "reports.jsonl"
    lines = [
        json.dumps(DESIGN_EXAMPLE),
        "nonsense",
        json.dumps({"therapy": "car_tt", "days_since_therapy": -1, "symptoms": {"chils": "mild"}}),
        "",
        json.dumps({"therapy": None, "days_since_therapy": None, "temperature_c": 98.6}),
        json.dumps({"therapy": None, "days_since_therapy": None}),
    ]
    file.write_text("\n".join(lines))
    done = triage("assess", file)

    assert done.returncode == 2
    assert [json.loads(line)["urgency"] for line in done.stdout.splitlines()] == ["urgent", "soon"]
    errors = done.stderr.splitlines()
    assert errors[0].startswith("line 2: ")
    assert 'line 3: therapy: unknown therapy "car_tt" — did you mean "car_t"?' in errors
    assert 'line 3: symptoms.chils: unknown symptom "chils" — did you mean "chills"?' in errors
    assert any(error.startswith("line 3: days_since_therapy: ") for error in errors)
    assert any(error.startswith("line 5: temperature_c: 98.6 looks like °F") for error in errors)


def test_lines_of_one_patient_are_their_history():
    reports = [
        {
            "patient": "A",
            "therapy": "donor_lymphocyte_infusion",
            "days_since_therapy": day,
            "symptoms": {"nausea": word},
        }
        for day, word in ((1, "none"), (2, "severe"))
    ]
    for number, report in enumerate(reports):
        report["reported_at"] = f"2026-03-0{number + 1}T08:00:00+00:00"
    done = triage("assess", "-", given="\n".join(map(json.dumps, reports)))

    second = json.loads(done.stdout.splitlines()[1])
    assert "worse-clear-step" in [fired["rule"] for fired in second["fired"]]


def test_one_report_over_several_lines_and_a_list_are_read_too():
    assert triage("assess", "-", given=json.dumps(DESIGN_EXAMPLE, indent=2)).returncode == 0
    assert len(triage("assess", "-", given=json.dumps([DESIGN_EXAMPLE] * 3)).stdout.splitlines()) == 3


def test_a_closed_pipe_is_no_traceback(tmp_path):
    file = tmp_path / "many.jsonl"
    file.write_text((json.dumps(DESIGN_EXAMPLE) + "\n") * 2000)
    shell = f"{sys.executable} -m triage assess {file} | head -1"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_the_catalogue_as_json():
    catalogue = json.loads(triage("symptoms", "--json").stdout)

    chills = next(symptom for symptom in catalogue["symptoms"] if symptom["code"] == "chills")
    assert chills["answers"] == ["none", "mild", "moderate", "severe", "very_severe", "unknown"]
    assert "car_t" in [therapy["code"] for therapy in catalogue["therapies"]]
    assert "chills" in triage("symptoms").stdout


def test_the_shipped_rules_have_no_errors_and_every_case_comes_out():
    check, test = triage("rules", "check"), triage("rules", "test")

    assert (check.returncode, test.returncode) == (0, 0), check.stdout + test.stdout
    assert "no errors" in check.stdout
    assert "0 conditions that no case decides" in test.stdout


def test_a_mistake_is_named_with_file_line_and_column(tmp_path):
    rules = copy_rules(tmp_path)
    file = rules / "crs.yaml"
    text = file.read_text().replace("symptom: chills\n", "symptom: chils\n", 1)
    file.write_text(text)
    line = text[: text.index("chils")].count("\n") + 1
    done = triage("rules", "check", rules)

    assert done.returncode == 1
    assert f"crs.yaml:{line}:" in done.stdout + done.stderr
    assert 'unknown symptom "chils" — did you mean "chills"?' in done.stdout + done.stderr


def test_a_case_that_comes_out_differently_is_named_with_what_fired(tmp_path):
    rules = copy_rules(tmp_path)
    file = rules / "crs.yaml"
    file.write_text(file.read_text().replace("at_least: 38.0 C", "at_least: 38.5 C", 1))
    done = triage("rules", "test", rules)

    assert done.returncode == 1
    assert "crs-fever should fire on this example" in done.stdout
    assert "crs-raised-alone" in done.stdout


def test_a_rule_in_plain_sentences_and_the_nearest_id():
    told = triage("rules", "explain", "crs-fever").stdout
    assert "the temperature is at least 38.0 °C (100.4 °F)" in told
    assert "TECARTUS" in told
    unknown = triage("rules", "explain", "crs-fevr")
    assert unknown.returncode == 1
    assert 'did you mean "crs-fever"?' in unknown.stderr


@pytest.mark.parametrize(
    "words", [(), ("assess",), ("symptoms",), ("rules",), ("rules", "check"), ("rules", "test"), ("rules", "explain"),
              ("demo",), ("serve",), ("silence",), ("worker",), ("migrate",), ("reassess",)]
)  # fmt: skip
def test_help_says_what_a_command_does(words):
    done = triage(*words, "--help")
    assert done.returncode == 0
    assert "Usage: triage" in done.stdout
    assert len(done.stdout.splitlines()) > 5


@pytest.mark.parametrize("words", [("serve",), ("silence",), ("worker", "--once"), ("reassess", "0" * 32)])
def test_a_database_without_tables_is_one_sentence_that_says_what_to_do(words, tmp_path):
    done = triage(*words, TRIAGE_DATA=str(tmp_path))

    assert done.returncode == 1
    assert "Error: the database cannot be used (no such table: " in done.stderr
    assert "`triage migrate`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_none_and_a_folder_that_cannot_be_made_are_told_in_a_sentence(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("no database at all, only some words")
    for done in (
        triage("migrate", TRIAGE_DATA=str(tmp_path), TRIAGE_DATABASE_URL=f"sqlite:///{file}"),
        triage("migrate", TRIAGE_DATA=str(file / "below-a-file")),
    ):
        assert done.returncode == 1
        assert "Error: " in done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_told_once_with_the_setting_that_changes_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {"TRIAGE_DATA": str(tmp_path), "TRIAGE_PORT": str(taken.getsockname()[1])}
        assert triage("migrate", **environment).returncode == 0
        done = triage("serve", **environment)

    assert done.returncode == 1
    assert "Set TRIAGE_PORT to another port" in done.stderr
    assert "http://" not in done.stdout


def children(server, words):
    """The processes of that server whose command holds these words."""
    listed = subprocess.run(["ps", "-ax", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    found = [line.split(None, 2) for line in listed.splitlines()]
    return {int(pid) for pid, parent, args in found if int(parent) == server.pid and words in args}


def until(happens):
    """Wait for it, at most a minute."""
    end = time.monotonic() + 60
    while not (happened := happens()):
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.2)
    return happened


def test_the_worker_goes_on_as_long_as_the_server_does(tmp_path):
    """Whatever ends its process, or one of the server's: else nobody would be told any more."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {"TRIAGE_DATA": str(tmp_path), "TRIAGE_PORT": str(port)}
    assert triage("migrate", **environment).returncode == 0
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    command = [sys.executable, "-m", "triage", "serve"]
    with open(tmp_path / "said", "w") as said:
        server = subprocess.Popen(command, env=clean | environment, stdout=said, stderr=said)
    try:
        (first,) = until(lambda: children(server, "triage worker"))
        os.kill(first, signal.SIGKILL)
        (second,) = until(lambda: children(server, "triage worker") - {first})
        worker = until(lambda: children(server, "triage serve")).pop()
        os.kill(worker, signal.SIGABRT)  # as gunicorn ends a worker that hangs
        until(lambda: len(children(server, "triage serve") - {worker}) == 2)
        assert children(server, "triage worker") == {second}
    finally:
        server.terminate()
        assert server.wait(timeout=60) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)
    assert "worker_begun_anew" in (tmp_path / "said").read_text()


def test_an_address_of_version_6_can_be_served(tmp_path):
    """TRIAGE_HOST=::1 is offered by the settings; without brackets its port would be read out of the address."""
    from gunicorn.util import parse_address

    from triage.serve import address_of

    assert parse_address(address_of("::1", 8123)) == ("::1", 8123)
    assert parse_address(address_of("127.0.0.1", 8123)) == ("127.0.0.1", 8123)


def test_the_demonstration_keeps_its_data_and_every_report_can_be_judged_again(tmp_path):
    environment = {"TRIAGE_DATA": str(tmp_path)}
    assert triage("demo", "--if-empty", **environment).returncode == 0
    size = (tmp_path / "triage.sqlite3").stat().st_size
    assert triage("demo", "--if-empty", **environment).stdout == ""
    assert (tmp_path / "triage.sqlite3").stat().st_size == size
    assert "people already" in triage("demo", **environment).stderr
    import sqlite3

    with sqlite3.connect(tmp_path / "triage.sqlite3") as database:
        (report,) = database.execute("SELECT id FROM report ORDER BY reported_at DESC LIMIT 1").fetchone()
        names = [name for (name,) in database.execute("SELECT name FROM patient")]
    done = triage("reassess", report, **environment)
    assert done.returncode == 0, done.stderr
    assert "same bytes" in done.stderr
    assert triage("reassess", "0" * 32, **environment).returncode == 1
    key = (tmp_path / "data-keys").read_text()
    ring = Ring([base64.urlsafe_b64decode(key + "=")])
    assert names
    assert all(b"(synthetic)" in ring.open("patient.name", name) for name in names)


def test_demo_people_are_not_served_to_other_machines(tmp_path):
    assert triage("demo", TRIAGE_DATA=str(tmp_path)).returncode == 0
    done = triage(
        "serve",
        TRIAGE_DATA=str(tmp_path),
        TRIAGE_HOST="0.0.0.0",
        TRIAGE_SECRET_KEY="k" * 40,
        TRIAGE_DATA_KEYS=(tmp_path / "data-keys").read_text(),
        TRIAGE_EMERGENCY_NUMBER="999",
        TRIAGE_CARE_TEAM_PHONE="+44 1632 960 123",
        TRIAGE_CARE_TEAM_NAME="Ward 7",
    )
    assert done.returncode == 1
    assert "demo people with a published password" in done.stderr


def copy_rules(tmp_path: Path) -> Path:
    import shutil

    return shutil.copytree(folder("rules"), tmp_path / "rules")

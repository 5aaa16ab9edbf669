"""`triage rules replay`, `export` and `import`, as somebody types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.ruleset_editor.changed import fever_at
from triage.paths import folder
from triage.rules.loading import read_folder

FILES = read_folder(folder("rules"))


def triage(*words, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-m", "triage", *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


@pytest.fixture
def changed(tmp_path):
    """A folder of the shipped rules in which fever begins at 37.8 °C."""
    path = tmp_path / "my-rules"
    path.mkdir()
    for name, text in fever_at(FILES, "37.8").items():
        (path / name).write_text(text)
    return path


@pytest.fixture
def past(tmp_path):
    path = tmp_path / "past.jsonl"
    lines = [
        {"patient": "a", "therapy": "car_t", "days_since_therapy": 40, "reported_at": at, "temperature_c": degrees}
        for at, degrees in (("2026-11-01T08:00:00Z", 37.9), ("2026-11-02T08:00:00Z", 36.6))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_file_of_reports_is_replayed_without_a_database(changed, past):
    done = triage("rules", "replay", "--rules", changed, "--reports", past)
    assert done.returncode == 0, done.stderr
    assert "Rising: 1 report of 1 patient" in done.stdout
    assert "+ crs-fever (urgent): temperature 37.9 °C is at least 37.8 °C" in done.stdout
    assert "Falling: 0 reports" in done.stdout


def test_how_often_a_patient_and_week_is_told_by_urgency_and_by_rule(changed, past):
    """Two reports, a day apart: a seventh of a patient-week."""
    found = json.loads(triage("rules", "replay", "--rules", changed, "--reports", past, "--format", "json").stdout)
    assert found["before"]["by_urgency_per_patient_week"]["urgent"] == 0
    assert found["after"]["by_urgency_per_patient_week"]["urgent"] == 7
    assert found["before"]["by_rule_per_patient_week"]["crs-fever"] == 0
    assert found["after"]["by_rule_per_patient_week"]["crs-fever"] == 7
    told = triage("rules", "replay", "--rules", changed, "--reports", past).stdout
    assert "crs-fever 0 (0.00) 1 (7.00)" in " ".join(told.split())
    assert "are urgent 0.00 7.00" in " ".join(told.split())
    page = triage("rules", "replay", "--rules", changed, "--reports", past, "--format", "html").stdout
    assert page.count("1 (7.00)") >= 2


def test_a_replay_for_machines_and_as_a_page(changed, past):
    found = json.loads(triage("rules", "replay", "--rules", changed, "--reports", past, "--format", "json").stdout)
    assert found["reports"] == 2
    assert [change["after"] for change in found["changes"]] == ["urgent"]
    page = triage("rules", "replay", "--rules", changed, "--reports", past, "--format", "html").stdout
    assert page.startswith("<!DOCTYPE html>") or "<!DOCTYPE html>" in page
    assert "temperature 37.9 °C is at least 37.8 °C" in page
    late = triage("rules", "replay", "--rules", changed, "--reports", past, "--since", "2026-11-02")
    assert "Rising: 0 reports" in late.stdout


def test_every_engine_tells_the_same_replay(changed, past, tmp_path):
    parquet = tmp_path / "past.parquet"
    done = triage("rules", "columns", parquet, "--reports", past)
    assert "2 reports written" in done.stdout, done.stderr
    told = triage("rules", "replay", "--rules", changed, "--reports", past, "--engine", "reference", "--format", "json")
    assert '"rises": true' in told.stdout
    for reports in (past, parquet):
        by_columns = triage("rules", "replay", "--rules", changed, "--reports", reports, "--format", "json")
        assert by_columns.stdout == told.stdout


@pytest.mark.parametrize(
    ("engine", "name", "why"),
    [
        ("spark", "past.jsonl", "--engine spark reads Parquet: make it with `triage rules columns"),
        ("reference", "past.parquet", "--engine reference reads JSON Lines"),
        ("polars", "none.parquet", "none.parquet cannot be read"),
        ("polars", "none.jsonl", "none.jsonl cannot be read"),
        ("polars", "torn.parquet", "torn.parquet cannot be read"),
    ],
)
def test_files_that_an_engine_cannot_read(changed, past, tmp_path, engine, name, why):
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and then nothing")
    done = triage("rules", "replay", "--rules", changed, "--reports", tmp_path / name, "--engine", engine)
    assert done.returncode == 1
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_columns_that_cannot_be_made(past, tmp_path):
    past.write_text('{"temperature_c": "hot"}\n')
    done = triage("rules", "columns", tmp_path / "past.parquet", "--reports", past)
    assert done.returncode == 2
    assert "line 1: temperature_c" in done.stderr
    past.write_text('{"temperature_c": 37}\n')
    done = triage("rules", "columns", tmp_path / "no" / "folder.parquet", "--reports", past)
    assert done.returncode == 1
    assert "folder.parquet cannot be written" in done.stderr


def test_lines_that_are_no_reports_are_all_named_and_nothing_is_told(changed, past):
    past.write_text(past.read_text() + "{\n" + '{"temperature_c": "hot"}\n')
    done = triage("rules", "replay", "--rules", changed, "--reports", past)
    assert done.returncode == 2
    assert "line 3" in done.stderr
    assert "line 4" in done.stderr
    assert done.stdout == ""


def test_rules_with_mistakes_are_not_replayed(changed, past):
    (changed / "crs.yaml").write_text("- id: [")
    done = triage("rules", "replay", "--rules", changed, "--reports", past)
    assert done.returncode == 1
    assert "crs.yaml:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_people_are_replayed_exported_and_imported(changed, tmp_path):
    environment = {"TRIAGE_DATA": str(tmp_path)}
    assert triage("demo", **environment).returncode == 0
    done = triage("rules", "replay", "--rules", changed, **environment)
    assert "Rising: 1 report of 1 patient" in done.stdout, done.stdout + done.stderr

    written = tmp_path / "written"
    assert triage("rules", "export", written, **environment).returncode == 0
    assert read_folder(written) == FILES
    assert triage("rules", "export", written, "--version", "7", **environment).returncode == 1

    taken = triage("rules", "import", changed, "--for", "clinician", **environment)
    assert "judges nothing until it is proposed and approved" in taken.stdout
    assert "--replace" in triage("rules", "import", changed, "--for", "clinician", **environment).stderr
    assert triage("rules", "import", changed, "--for", "clinician", "--replace", **environment).returncode == 0
    assert "no clinician" in triage("rules", "import", changed, "--for", "nurse", **environment).stderr
    shutil.rmtree(written)
    assert triage("rules", "export", written, **environment).returncode == 0
    assert read_folder(written) == FILES  # nothing is active by an import

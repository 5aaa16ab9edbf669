"""The conditions on a local Spark cluster against the live engine, from Parquet as the command reads it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.rules.records import by_columns, by_reference, examples, past, records
from tests.rules.strategies import CATALOGUE, NOW, rulesets
from tests.ruleset_editor.changed import fever_at
from triage.cli import cli
from triage.paths import folder
from triage.rules.loading import load, load_texts, read_folder
from triage.rules.replay import replay
from triage.rules.replay_columns import replay_columns
from triage.ruleset_editor import frames

pytestmark = pytest.mark.usefixtures("cluster")

# Each example is a job of some seconds: few rulesets, each over many records, and no shrinking.
FEW = settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def many(some):
    """Records of many draws as one, each patient with a name of their own."""
    return [
        (f"{number}-{id}", f"{number}-{patient}", replace(report, patient=f"{number}-{patient}"))
        for number, record in enumerate(some)
        for id, patient, report in record
    ]


@given(rulesets(), st.lists(records(), min_size=5, max_size=15))
@FEW
def test_spark_says_what_the_engine_says(tmp_path_factory, ruleset, some):
    some = many(some)
    path = tmp_path_factory.mktemp("past") / "past.parquet"
    frames.write(past(some), CATALOGUE.symptoms, path)
    (frame,) = frames.on_spark(path)
    assert by_columns(ruleset, frame.to_native()) == by_reference(ruleset, some)


@pytest.fixture(scope="module")
def shipped():
    return load(folder("rules"))


def test_a_replay_of_the_shipped_rules_from_a_folder_of_files(tmp_path, shipped):
    """Every example of every rule, some of them again a while ago."""
    changed = load_texts(fever_at(read_folder(folder("rules")), "37.8"))
    some = examples(shipped)
    chance = random.Random(1)
    for number in range(40):
        report = replace(chance.choice(some)[2], patient="long", reported_at=NOW - timedelta(hours=number))
        some.append((f"long-{number}", "long", report))
    for name, first in (("a", True), ("b", False)):
        part = [one for one in past(some) if (one.patient < "h") is first]
        frames.write(
            sorted(part, key=lambda one: one.patient), shipped.catalogue.symptoms, tmp_path / f"{name}.parquet"
        )

    found = replay_columns(shipped, changed, frames.on_spark(tmp_path))
    assert found == replay(shipped, changed, past(some))
    assert found.rising


def test_the_command_says_the_same_by_every_engine(tmp_path, shipped):
    changed = tmp_path / "changed"
    changed.mkdir()
    for name, text in fever_at(read_folder(folder("rules")), "37.8").items():
        (changed / name).write_text(text)
    lines = tmp_path / "past.jsonl"
    lines.write_text(
        "".join(
            f'{{"patient": "A", "therapy": "car_t", "days_since_therapy": {day}, "temperature_c": 37.{day}, '
            f'"reported_at": "2026-03-0{day}T08:00:00+00:00"}}\n'
            for day in range(5, 10)
        )
    )

    def run(*words):
        done = CliRunner().invoke(cli, ["rules", *map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    parquet = tmp_path / "past.parquet"
    run("columns", parquet, "--reports", lines)
    told = {
        run("replay", "--rules", changed, "--reports", file, "--engine", engine, "--format", "json")
        for engine, file in (("reference", lines), ("polars", lines), ("polars", parquet), ("spark", parquet))
    }
    assert len(told) == 1
    assert '"rises": true' in told.pop()


def test_a_file_of_something_else_is_refused(tmp_path, shipped):
    import polars as pl

    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(frames.NoReports, match="rules columns"):
        list(frames.on_spark(tmp_path / "other.parquet"))

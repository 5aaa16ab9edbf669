"""Reports as tables: whole patients at a time, whatever they are made of."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from tests.rules.records import past
from tests.rules.strategies import NOW
from tests.ruleset_editor.changed import fever_at
from triage.paths import folder
from triage.rules.loading import load, load_texts, read_folder
from triage.rules.replay import replay
from triage.rules.replay_columns import replay_columns
from triage.rules.report import Report
from triage.ruleset_editor import frames


@pytest.fixture(scope="module")
def shipped():
    return load(folder("rules"))


SOME = [
    (f"{patient}{hour}", patient, Report(reported_at=NOW - timedelta(hours=hour), temperature_c=Decimal("37.9")))
    for patient in ("a", "b", "c")
    for hour in range(5)
]


def patients(found):
    return [frame["patient"].to_list() for frame in found]


@pytest.mark.parametrize("at_once", [1, 4, 5, 7, 10, 100])
def test_whole_patients_are_read_at_a_time(tmp_path, shipped, at_once):
    codes = shipped.catalogue.symptoms
    frames.write(past(SOME), codes, tmp_path / "past.parquet")
    for found in (frames.of_parquet(tmp_path / "past.parquet", at_once), frames.of_reports(past(SOME), codes, at_once)):
        read = patients(found)
        assert [patient for frame in read for patient in frame] == [patient for _, patient, _ in SOME]
        assert sorted(patient for frame in read for patient in set(frame)) == ["a", "b", "c"]


def test_pieces_make_the_same_replay_as_the_whole(shipped):
    changed = load_texts(fever_at(read_folder(folder("rules")), "37.8"))
    result = replay_columns(shipped, changed, frames.of_reports(past(SOME), shipped.catalogue.symptoms, 7))
    assert result == replay(shipped, changed, past(SOME))
    assert len(result.rising) == 15


def test_nothing_is_nothing(tmp_path, shipped):
    assert frames.write([], shipped.catalogue.symptoms, tmp_path / "none.parquet") == 0
    assert list(frames.of_parquet(tmp_path / "none.parquet")) == list(frames.of_reports([], [])) == []
    assert replay_columns(shipped, shipped, []).reports == 0


def test_files_of_something_else_are_refused(tmp_path):
    pl.DataFrame({"patient": ["a"]}).write_parquet(tmp_path / "other.parquet")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and then nothing")
    for name, why in (("other", "no column “abandoned”; write it with `triage rules columns`"), ("torn", ".")):
        with pytest.raises(frames.NoReports, match=why):
            list(frames.of_parquet(tmp_path / f"{name}.parquet"))
    with pytest.raises(OSError, match="none"):
        list(frames.of_parquet(tmp_path / "none.parquet"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(frames.NoReports, match="no file in it"):
        list(frames.of_parquet(tmp_path / "folder"))


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 2, 1], [0, 1, 1], [1, 2]])
def test_rows_that_would_be_taken_for_somebody_elses_history_are_refused(tmp_path, shipped, order):
    frames.write(past(SOME), shipped.catalogue.symptoms, tmp_path / "past.parquet")
    pl.read_parquet(tmp_path / "past.parquet")[order].write_parquet(tmp_path / "mixed.parquet")
    with pytest.raises(frames.NoReports, match="patient after patient"):
        list(frames.of_parquet(tmp_path / "mixed.parquet"))


def test_a_folder_is_read_as_one_file(tmp_path, shipped):
    frames.write(past(SOME), shipped.catalogue.symptoms, tmp_path / "past.parquet")
    whole = pl.read_parquet(tmp_path / "past.parquet")
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, part in enumerate((whole[:3], whole[3:4].drop("s_chills"), whole[4:])):
        part.write_parquet(folder / f"{number}.parquet")
    for at_once in (2, 100):
        read = [patient for frame in patients(frames.of_parquet(folder, at_once)) for patient in frame]
        assert read == whole["patient"].to_list()

"""Reports as tables of Polars and Spark: made of stored or given reports, or read from Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from triage.rules import table
from triage.rules.columns import Frame
from triage.rules.replay import Past, Replay
from triage.rules.replay_columns import replay_columns, rows_of
from triage.rules.ruleset import Ruleset

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT_ONCE = 100_000
"""Reports in memory at a time: a frame of them with all its verdicts takes some hundred megabytes."""

_KINDS: dict[str, Any] = {"string": pl.String, "int64": pl.Int64, "int8": pl.Int8}


class NoReports(ValueError):
    """The file holds no reports as this program writes them; says what is wrong."""


def replayed(
    before: Ruleset, after: Ruleset, past: Iterable[Past], since: datetime | None, progress: Callable[[int], None]
) -> Replay:
    """The replay of reports, which stand patient after patient, some thousands at a time."""
    codes = {**before.catalogue.symptoms, **after.catalogue.symptoms}
    return replay_columns(before, after, of_reports(past, codes), since, progress)


def of_reports(past: Iterable[Past], codes: Iterable[str], at_once: int = AT_ONCE) -> Iterator[Frame]:
    """Frames of reports, which stand patient after patient; `codes` are the symptoms that they may answer."""
    codes = list(codes)
    rows = rows_of(past)
    left: list[table.Row] = []
    while part := list(islice(rows, at_once)):
        part = left + part
        last = part[-1]["patient"]
        whole = next((place for place in range(len(part), 0, -1) if part[place - 1]["patient"] != last), 0)
        left = part[whole:]
        if whole:
            yield _eager(table_of(part[:whole], codes))
    if left:
        yield _eager(table_of(left, codes))


def table_of(rows: Iterable[table.Row], codes: Iterable[str]) -> pl.DataFrame:
    """Rows as a Polars frame with all columns, those that nobody answered too."""
    return pl.DataFrame(rows, schema={name: _KINDS[kind] for name, kind in table.columns(codes).items()}, strict=True)


def of_parquet(path: Path, at_once: int = AT_ONCE) -> Iterator[Frame]:
    """Frames of a Parquet file or folder, in the file's order. Raises NoReports and OSError.

    The rows stand as `triage rules columns` writes them: patient after patient, and by position.
    """
    left: list[pl.DataFrame] = []
    for part in _slices(path, at_once):
        left.append(part)
        if sum(map(len, left)) >= at_once:
            together = pl.concat(left, how="diagonal")
            last = pl.col("patient") == together["patient"][-1]
            left = [together.filter(last)]
            if len(whole := together.filter(~last)):
                yield _eager(_in_order(whole))
    if left:
        yield _eager(_in_order(pl.concat(left, how="diagonal")))


def _slices(path: Path, at_once: int) -> Iterator[pl.DataFrame]:
    """The rows of a file, or of one file of a folder after the other, some at a time."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise NoReports("no file in it ends in .parquet")
    for file in files:
        try:
            scan = pl.scan_parquet(file)
            _must_hold_reports(scan.collect_schema().names())
            offset = 0
            while len(part := scan.slice(offset, at_once).collect()):
                offset += len(part)
                yield part
        except pl.exceptions.PolarsError as error:
            raise NoReports(str(error).partition("\n")[0]) from None


def _in_order(whole: pl.DataFrame) -> pl.DataFrame:
    """The rows, in which each patient's stand together and by position: else others' would count as their history."""
    patient, position = pl.col("patient"), pl.col("position")
    begins = (position == 0) & (patient != patient.shift(1)).fill_null(True)
    goes_on = ((patient == patient.shift(1)) & (position == position.shift(1) + 1)).fill_null(False)
    if not whole.select((begins | goes_on).all()).item():
        raise NoReports(
            "its rows do not stand patient after patient, by position; write it with `triage rules columns`"
        )
    return whole


def _must_hold_reports(names: Iterable[str]) -> None:
    missing = sorted(table.columns([]).keys() - set(names))
    if missing:
        raise NoReports(f"it has no column “{missing[0]}”; write it with `triage rules columns`")


def _eager(frame: pl.DataFrame) -> Frame:
    return nw.from_native(frame, eager_only=True)


def write(past: Iterable[Past], codes: Iterable[str], path: Path) -> int:
    """Write reports as a Parquet file, which both engines read; how many."""
    frames = [frame.to_native() for frame in of_reports(past, codes)]
    whole = pl.concat(frames) if frames else table_of([], codes)
    whole.write_parquet(path)
    return len(whole)


def on_spark(path: Path) -> Iterator[Frame]:
    """The reports of a Parquet file or folder as one frame on Spark. A session that is there is used; else a local one
    is begun, reachable from this machine only. Raises ImportError where Spark is not installed, and NoReports."""
    frame = nw.from_native(spark_session().read.parquet(str(path)))
    _must_hold_reports(frame.collect_schema().names())
    yield frame


LOCAL_SPARK: dict[str, bool | float | int | str | None] = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    # Else each of some thousand parts of expressions looks up the line of Python that made it: most of the time.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}


def spark_session() -> SparkSession:
    """The session that is there, or a local one."""
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() or SparkSession.builder.config(map=LOCAL_SPARK).getOrCreate()

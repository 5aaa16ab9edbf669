"""How fast a replay goes through very many reports, beside the same rules as Polars expressions written by hand.

Run it with `make bench-replay`. Each measurement is a process of its own, so that its memory is its own too; both read
the same Parquet files in the same pieces, and have to say the same.

    python -m bench.replay [REPORTS …]    100,000, 1,000,000 and 10,000,000, when left out
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from bench import by_hand_polars
from bench.reports import person
from triage.rules import conditions as c
from triage.rules.loading import load
from triage.rules.replay import Past
from triage.rules.replay_columns import replay_columns
from triage.rules.ruleset import Rule, Ruleset
from triage.ruleset_editor import frames

RULES = Path(__file__).parent.parent / "rules"
EACH = 50
"""Reports of one patient."""
PATIENTS = 400
"""Different ones; further patients are those again, under other names."""
SIZES = (100_000, 1_000_000, 10_000_000)
ROUNDS = 3
GOAL_RATIO, GOAL_MEMORY = 3.0, 2 * 1024
CHANGED_FEVER = 37.8


def make(folder: Path, reports: int, patients: int = PATIENTS) -> None:
    """Write that many reports as a folder of Parquet files, the same on every machine."""
    ruleset = load(RULES)
    one = folder / "one"
    frames.write(_past(ruleset, patients), ruleset.catalogue.symptoms, one)
    pool = pl.read_parquet(one)
    one.unlink()
    for number in range(reports // len(pool)):
        name = pl.lit(f"{number:04}-") + pl.col("patient")
        pool.with_columns(patient=name, id=pl.lit(f"{number:04}-") + pl.col("id")).write_parquet(
            folder / f"{number:04}.parquet"
        )


def _past(ruleset: Ruleset, patients: int) -> Iterator[Past]:
    chance = random.Random(1)
    for number in range(patients):
        told = person(ruleset.catalogue, chance, EACH - 1)
        for place, report in enumerate([*told.history, told.report]):
            named = replace(report, patient=f"p{number:04}")
            yield Past(f"p{number:04}-{place}", f"p{number:04}", named, named)


def changed(ruleset: Ruleset) -> Ruleset:
    """The rules with a lower threshold for fever."""

    def lower(rule: Rule) -> Rule:
        if rule.id != "crs-fever" or not isinstance(rule.when, c.TemperatureAtLeast):
            return rule
        return replace(rule, when=c.TemperatureAtLeast(type(rule.when.celsius)(str(CHANGED_FEVER))))

    return replace(ruleset, rules=tuple(lower(rule) for rule in ruleset.rules))


# --- what is measured: how many reports each rule fires on, before and after the change -------------------------------

Counts = dict[str, dict[str, int]]


def by_replay(folder: Path) -> Counts:
    """The replay of a changed threshold, with every changed report explained."""
    ruleset = load(RULES)
    result = replay_columns(ruleset, changed(ruleset), frames.of_parquet(folder))
    return {"before": dict(result.before.by_rule), "after": dict(result.after.by_rule)}


def by_hand(folder: Path) -> Counts:
    """The rules of both sides as hand-written expressions, counted; nothing is explained."""
    catalogue = load(RULES).catalogue
    counts: dict[str, Counter[str]] = {"before": Counter(), "after": Counter()}
    sides = {"before": by_hand_polars.Rules(catalogue), "after": by_hand_polars.Rules(catalogue, CHANGED_FEVER)}
    for frame in frames.of_parquet(folder):
        native = frame.to_native()
        for side, rules in sides.items():
            counts[side].update(_counted(rules.fired(native), native.columns))
    return {side: dict(found) for side, found in counts.items()}


def by_hand_once(folder: Path) -> Counts:
    """The same of one side only: the least that anybody who wants to know what the rules say has to do."""
    rules = by_hand_polars.Rules(load(RULES).catalogue)
    found: Counter[str] = Counter()
    for frame in frames.of_parquet(folder):
        native = frame.to_native()
        found.update(_counted(rules.fired(native), native.columns))
    return {"before": dict(found)}


def _counted(judged: pl.DataFrame, names: list[str]) -> dict[str, int]:
    ids = [name for name in judged.columns if "-" in name and name not in names]
    return judged.select(pl.col(ids).sum()).row(0, named=True)


MEASURED: dict[str, Callable[[Path], Counts]] = {
    "replay": by_replay,
    "by hand": by_hand,
    "by hand, one side": by_hand_once,
}


def measure(name: str, folder: Path) -> dict[str, Any]:
    """In a process of its own: seconds, the most memory in MiB, and what was found."""
    program = [sys.executable, "-m", "bench.replay", "--measure", name, str(folder)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def _measure_here(name: str, folder: Path) -> None:
    begun = time.perf_counter()
    counts = MEASURED[name](folder)
    seconds = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "memory": memory, "counts": counts}))


def _must_agree(found: dict[str, dict[str, Any]]) -> None:
    hand = found["by hand"]["counts"]
    for side, counts in found["replay"]["counts"].items():
        differing = {rule for rule in {*counts, *hand[side]} if counts.get(rule, 0) != hand[side].get(rule, 0)}
        if differing:
            sys.exit(f"by hand and the replay disagree on {sorted(differing)}")


def main(sizes: tuple[int, ...]) -> None:
    print(f"| reports | {' | '.join(f'{name}, s' for name in MEASURED)} | × by hand | × one side | memory, MiB |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(folder, size)
            rounds = []
            for _ in range(ROUNDS if size <= 1_000_000 else 1):
                rounds.append({each: measure(each, folder) for each in MEASURED})
                _must_agree(rounds[-1])
        best = {each: min(one[each]["seconds"] for one in rounds) for each in MEASURED}
        ratios = [
            statistics.median(one["replay"]["seconds"] / one[other]["seconds"] for one in rounds)
            for other in ("by hand", "by hand, one side")
        ]
        memory = max(one["replay"]["memory"] for one in rounds)
        print(
            f"| {size:,} | {' | '.join(f'{seconds:.1f}' for seconds in best.values())} "
            f"| {ratios[0]:.1f} | {ratios[1]:.1f} | {memory:,.0f} |",
            flush=True,
        )
    print(f"\nGoals: at most {GOAL_RATIO} × by hand, at most {GOAL_MEMORY:,} MiB, linear in the number of reports.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure_here(sys.argv[2], Path(sys.argv[3]))
    else:
        main(tuple(int(word.replace(",", "")) for word in sys.argv[1:]) or SIZES)

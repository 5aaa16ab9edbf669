"""The same replay as `replay`, over tables: for records of thousands of patients, and on many machines.

Columns say which reports change; why they do is told by the live engine, from those reports alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import fsum

import narwhals as nw

from triage.rules.columns import Frame, judged
from triage.rules.engine import HISTORY_LENGTH, assess
from triage.rules.replay import Change, Past, Replay, Side, change, in_order, listed, weeks
from triage.rules.ruleset import Ruleset
from triage.rules.table import Row, report_of, rows, since_1970
from triage.rules.urgency import Urgency


def rows_of(past: Iterable[Past]) -> Iterator[Row]:
    """The rows of reports, which stand patient after patient."""
    patient: str | None = None
    own: list[Past] = []
    for one in past:
        if one.patient != patient:
            yield from _rows_of_one(own)
            patient, own = one.patient, []
        own.append(one)
    yield from _rows_of_one(own)


def _rows_of_one(own: Sequence[Past]) -> Iterator[Row]:
    if own:
        ordered = sorted(own, key=lambda one: in_order(one.before))
        yield from rows([(one.id, (one.before, one.after)) for one in ordered], own[0].patient)


def replay_columns(
    before: Ruleset,
    after: Ruleset,
    frames: Iterable[Frame],
    since: datetime | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Replay:
    """Judge every report of the frames with both rulesets. Each frame holds whole patients, and no patient is in two.

    Reports before `since` (UTC) are history only. `progress` is told how many reports a frame held.
    """
    tally = _Tally(before, after)
    for frame in frames:
        progress(tally.take(frame, since))
    return tally.replay()


class _Tally:
    """Adds up what the frames tell."""

    def __init__(self, before: Ruleset, after: Ruleset) -> None:
        self.rulesets = before, after
        self.reports = 0
        self.weeks: list[float] = []
        self.by_urgency: tuple[Counter[Urgency], Counter[Urgency]] = Counter(), Counter()
        self.by_rule = tuple(
            Counter({rule.id: 0 for rule in ruleset.rules if not rule.asks_for_silence}) for ruleset in self.rulesets
        )
        self.changes: list[Change] = []

    def take(self, frame: Frame, since: datetime | None) -> int:
        """One frame, judged by both rulesets; how many of its reports were."""
        both, verdicts = judged(frame, self.rulesets)
        both = _kept(both)
        if since is not None:
            both = both.filter(nw.col("reported_at") >= since_1970(since))
        old, new = (one.urgency for one in verdicts)
        told = {name for one in verdicts for name in one.fires.values()}
        fires = [nw.col(name).cast(nw.Int64).sum() for name in sorted(told)]
        count = 0
        for row in _collected(both.group_by(old, new).agg(nw.len().alias("reports"), *fires)):
            count += row["reports"]
            for one, by_urgency, by_rule in zip(verdicts, self.by_urgency, self.by_rule, strict=True):
                by_urgency[Urgency(row[one.urgency])] += row["reports"]
                for rule, name in one.fires.items():
                    by_rule[rule] += row[name]
        time = nw.col("reported_at")
        spans = both.group_by("patient").agg(time.min().alias("first"), time.max().alias("last"))
        for row in _collected(spans):
            span = 0 if row["first"] is None else row["last"] - row["first"]
            self.weeks.append(weeks(timedelta(microseconds=span)))
        changed = _collected(both.filter(nw.col(old) != nw.col(new)).select("id", "patient", "position"))
        self._explain(frame, changed)
        self.reports += count
        return count

    def _explain(self, frame: Frame, changed: Sequence[Row]) -> None:
        """The live engine tells why each of these reports changes."""
        if not changed:
            return
        by_patient: dict[str, dict[int, Row]] = {row["patient"]: {} for row in changed}
        for row in _collected(frame.filter(nw.col("patient").is_in(sorted(by_patient)))):
            by_patient[row["patient"]][row["position"]] = row
        for one in changed:
            own, position = by_patient[one["patient"]], one["position"]
            some = [own[number] for number in range(max(0, position - HISTORY_LENGTH), position + 1)]
            readings = [[report_of(row, ruleset.catalogue) for row in some] for ruleset in self.rulesets]
            old, new = (
                assess(ruleset, report, history)
                for ruleset, (*history, report) in zip(self.rulesets, readings, strict=True)
            )
            past = Past(one["id"], one["patient"], readings[0][-1], readings[1][-1])
            self.changes.append(change(past, old, new))

    def replay(self) -> Replay:
        """All of it."""
        before, after = (
            Side(ruleset.hash, dict(by_urgency), dict(by_rule))
            for ruleset, by_urgency, by_rule in zip(self.rulesets, self.by_urgency, self.by_rule, strict=True)
        )
        changes = tuple(sorted(self.changes, key=listed))
        return Replay(self.reports, len(self.weeks), fsum(self.weeks), before, after, changes)


def _kept(frame: Frame) -> Frame:
    """The frame, worked out once though it is asked several times."""
    return nw.from_native(frame.to_native().cache()) if isinstance(frame, nw.LazyFrame) else frame


def _collected(frame: Frame) -> list[Row]:
    """The rows of a frame, fetched from wherever it is."""
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return list(eager.iter_rows(named=True))

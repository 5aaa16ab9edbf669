"""What a changed ruleset would have done to past reports: which patients, which reports, which alerts, and why.

The past is asked twice, with the active and with the proposed ruleset; whatever differs is told with the rules that
made the difference and their facts. A report that would fall from emergency or urgent is always told by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import Any

from triage.rules.assessment import Assessment, FiredRule
from triage.rules.engine import HISTORY_LENGTH, assess
from triage.rules.report import Report, to_data
from triage.rules.ruleset import Ruleset
from triage.rules.urgency import Urgency

ALERTS_FROM = Urgency.SOON
"""The lowest urgency that puts a report in front of a nurse."""


@dataclass(frozen=True)
class Past:
    """A report that was made, by a patient, with the id it is known by; as each of the two catalogues reads it."""

    id: str
    patient: str
    before: Report
    after: Report


@dataclass(frozen=True)
class Because:
    """A rule that speaks on one side only, or at another urgency; `facts` are sentences."""

    rule: str
    title: str
    urgency: Urgency
    facts: tuple[str, ...]

    def to_data(self) -> dict[str, Any]:
        return {"rule": self.rule, "title": self.title, "urgency": self.urgency.code, "because": list(self.facts)}


@dataclass(frozen=True)
class Change:
    """A report whose urgency the proposed ruleset would have changed."""

    id: str
    patient: str
    reported_at: datetime | None
    before: Urgency
    after: Urgency
    lost: tuple[Because, ...]
    """What only the active ruleset finds."""
    gained: tuple[Because, ...]
    """What only the proposed ruleset finds."""

    @property
    def rises(self) -> bool:
        return self.after > self.before

    @property
    def must_be_signed(self) -> bool:
        """It would fall from emergency or urgent: somebody has to answer for that with their name."""
        return self.after < self.before and self.before >= Urgency.URGENT

    def to_data(self) -> dict[str, Any]:
        return {
            "report": self.id,
            "patient": self.patient,
            "reported_at": self.reported_at.isoformat() if self.reported_at else None,
            "before": self.before.code,
            "after": self.after.code,
            "rises": self.rises,
            "must_be_signed": self.must_be_signed,
            "lost": [because.to_data() for because in self.lost],
            "gained": [because.to_data() for because in self.gained],
        }


@dataclass(frozen=True)
class Side:
    """What one ruleset made of all the reports."""

    ruleset: str
    by_urgency: Mapping[Urgency, int]
    """Reports, by the urgency they got."""
    by_rule: Mapping[str, int]
    """Reports on which each rule fired; every rule that judges reports is named, with 0 if it never fired."""

    @property
    def alerts(self) -> int:
        """Reports that open an alert or join one."""
        return sum(count for urgency, count in self.by_urgency.items() if urgency >= ALERTS_FROM)

    @property
    def never_fired(self) -> tuple[str, ...]:
        return tuple(rule for rule, count in self.by_rule.items() if not count)

    def to_data(self, patient_weeks: float) -> dict[str, Any]:
        def weekly(count: int) -> float:
            return round(count / patient_weeks, 4) if patient_weeks else 0.0

        return {
            "ruleset": self.ruleset,
            "alerts": self.alerts,
            "alerts_per_patient_week": weekly(self.alerts),
            "by_urgency_per_patient_week": {
                urgency.code: weekly(self.by_urgency.get(urgency, 0)) for urgency in sorted(Urgency, reverse=True)
            },
            "by_rule_per_patient_week": {rule: weekly(count) for rule, count in self.by_rule.items()},
            "by_urgency": {urgency.code: self.by_urgency.get(urgency, 0) for urgency in sorted(Urgency, reverse=True)},
            "by_rule": dict(self.by_rule),
            "never_fired": list(self.never_fired),
        }


@dataclass(frozen=True)
class Replay:
    """Two rulesets over the same reports. Silence is not replayed: no report tells of it."""

    reports: int
    patients: int
    patient_weeks: float
    """From each patient's first report to their last, in weeks; at least a day each."""
    before: Side
    after: Side
    changes: tuple[Change, ...]

    @property
    def rising(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.rises)

    @property
    def falling(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if not change.rises)

    @property
    def to_sign(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.must_be_signed)

    def to_data(self) -> dict[str, Any]:
        return {
            "reports": self.reports,
            "patients": self.patients,
            "patient_weeks": round(self.patient_weeks, 2),
            "before": self.before.to_data(self.patient_weeks),
            "after": self.after.to_data(self.patient_weeks),
            "changes": [change.to_data() for change in self.changes],
        }


def replay(
    before: Ruleset,
    after: Ruleset,
    past: Iterable[Past],
    progress: Callable[[], None] = lambda: None,
    since: datetime | None = None,
) -> Replay:
    """Judge every report with both rulesets. The reports of one patient are each other's history, in time order.

    Reports before `since` (UTC) are history only. `progress` is called once a report. Reads all of `past` before it
    judges.
    """
    by_patient: dict[str, list[Past]] = {}
    for one in past:
        by_patient.setdefault(one.patient, []).append(one)
    tallies = _Tally(before), _Tally(after)
    changes: list[Change] = []
    spans: list[float] = []
    count = patients = 0
    for reports in by_patient.values():
        reports.sort(key=lambda one: in_order(one.before))
        judged = [number for number, one in enumerate(reports) if since is None or _time(one) >= since]
        if not judged:
            continue
        patients += 1
        spans.append(weeks(_span([reports[number].before for number in judged])))
        for number in judged:
            one = reports[number]
            earlier = reports[max(0, number - HISTORY_LENGTH) : number]
            old = tallies[0].judge(one.before, [each.before for each in earlier])
            new = tallies[1].judge(one.after, [each.after for each in earlier])
            if old.urgency is not new.urgency:
                changes.append(change(one, old, new))
            count += 1
            progress()
    changes.sort(key=listed)
    return Replay(count, patients, fsum(spans), tallies[0].side(), tallies[1].side(), tuple(changes))


class _Tally:
    """Counts what one ruleset makes of each report."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.by_urgency: Counter[Urgency] = Counter()
        judging = (rule for rule in ruleset.rules if not rule.asks_for_silence)
        self.by_rule: Counter[str] = Counter({rule.id: 0 for rule in judging})

    def judge(self, report: Report, history: list[Report]) -> Assessment:
        result = assess(self.ruleset, report, history)
        self.by_urgency[result.urgency] += 1
        self.by_rule.update(fired.rule for fired in result.fired)
        return result

    def side(self) -> Side:
        return Side(self.ruleset.hash, dict(self.by_urgency), dict(self.by_rule))


def in_order(report: Report) -> tuple[datetime, str]:
    """By what the reports of one patient are sorted: time, and for equal times their content, as the engine does."""
    return report.reported_at or datetime.min.replace(tzinfo=UTC), repr(to_data(report))


def _time(one: Past) -> datetime:
    return one.before.reported_at or datetime.min.replace(tzinfo=UTC)


def _span(reports: list[Report]) -> timedelta:
    times = [report.reported_at for report in reports if report.reported_at is not None]
    return max(times) - min(times) if times else timedelta()


def weeks(span: timedelta) -> float:
    """The weeks that a patient reported for: from the first report to the last, at least a day."""
    return max(span / timedelta(days=1), 1.0) / 7


def listed(change: Change) -> tuple[bool, bool, int, str]:
    """The order in which changes are told: those that must be signed first."""
    return not change.must_be_signed, change.rises, -change.before, change.id


def change(one: Past, old: Assessment, new: Assessment) -> Change:
    """What differs between the two judgments of that report."""
    return Change(
        id=one.id,
        patient=one.patient,
        reported_at=one.before.reported_at,
        before=old.urgency,
        after=new.urgency,
        lost=tuple(_only_in(old, new)),
        gained=tuple(_only_in(new, old)),
    )


def _only_in(these: Assessment, those: Assessment) -> Iterable[Because]:
    """What speaks here and not there; rules left undecided speak too."""
    there = {(fired.rule, fired.urgency) for fired in those.fired}
    for fired in these.fired:
        if (fired.rule, fired.urgency) not in there:
            yield _because(fired)
    undecided = {(rule.rule, rule.urgency) for rule in those.undecided}
    for rule in these.undecided:
        if (rule.rule, rule.urgency) not in undecided:
            yield Because(rule.rule, rule.title, rule.urgency, rule.because)


def _because(fired: FiredRule) -> Because:
    return Because(fired.rule, fired.title, fired.urgency, fired.because)

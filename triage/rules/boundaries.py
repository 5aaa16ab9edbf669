"""The entries just below, at and just above each threshold of a rule, made by the machine and judged by the whole
ruleset, so that a clinician reads in plain words what a number does: "day 5, 37.9 °C: not flagged"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any as Anything

from triage.rules import conditions as c
from triage.rules.cases import example, judge
from triage.rules.catalogue import (
    THINKING_CHECK_FULL,
    THINKING_CHECK_POINTS,
    Catalogue,
    Presence,
    Scale,
    Severity,
    Window,
)
from triage.rules.report import MEASURED_RANGE, TEMPERATURE_RANGE_C, BadReport
from triage.rules.ruleset import Case, Rule, Ruleset
from triage.rules.urgency import Urgency
from triage.rules.wording import example_sentence, sentence

FAR_DAY = 40
"""A day outside every early window, for rules that hold on any day."""
_HOURS = 24
"""Between the reports of an entry with earlier reports."""

Data = dict[str, Anything]


@dataclass(frozen=True)
class Boundary:
    """One made-up entry on the edge of a threshold, and what comes of it."""

    rule: str
    threshold: str
    """The part of the rule whose edge it is, in words."""
    data: Mapping[str, Anything]
    """In the form of an example under `cases`."""
    urgency: Urgency
    """By the whole ruleset."""
    fires: bool
    """Whether this rule fires on it."""
    text: str
    """The entry and what comes of it, in plain words."""


def boundaries(rule: Rule, ruleset: Ruleset) -> tuple[Boundary, ...]:
    """Every threshold's entries, all other parts of the rule being met. A rule that counts others has none."""
    found: dict[str, Boundary] = {}
    for threshold, data in _entries(rule, ruleset.catalogue):
        try:
            one = example(Case({"therapy": _therapy(rule), **data}, True, rule.place), ruleset.catalogue)
        except BadReport:
            continue  # beyond what a report can hold: there is no entry on that side
        judged = judge(one, ruleset)
        fires = rule.id in judged.fired
        outcome = "not flagged" if judged.urgency is Urgency.ROUTINE else judged.urgency.code
        if not fires and judged.urgency > Urgency.ROUTINE:
            outcome += " by other rules"
        text = f"{example_sentence(data, ruleset.catalogue)}: {outcome}"
        found.setdefault(text, Boundary(rule.id, threshold, data, judged.urgency, fires, text))
    return tuple(found.values())


def new_boundaries(before: Ruleset, after: Ruleset) -> tuple[Boundary, ...]:
    """The entries of the second ruleset that the first does not have, or that come out differently there."""
    known = {(one.rule, one.text) for rule in before.rules for one in _changed(rule, after.by_id.get(rule.id), before)}
    found = (one for rule in after.rules for one in _changed(rule, before.by_id.get(rule.id), after))
    return tuple(one for one in found if (one.rule, one.text) not in known)


def _changed(rule: Rule, other: Rule | None, ruleset: Ruleset) -> Iterable[Boundary]:
    """Of a rule that judges alike in both rulesets, nothing needs to be read again."""
    if other is not None and (rule.when, rule.applies_to, rule.urgency) == (
        other.when,
        other.applies_to,
        other.urgency,
    ):
        return ()
    return boundaries(rule, ruleset)


def _therapy(rule: Rule) -> str | None:
    """One that the rule concerns; None, not known, for a rule that concerns everybody."""
    therapies = rule.applies_to.therapies
    if not therapies:
        return None
    return "car_t" if "car_t" in therapies else min(therapies)


def _entries(rule: Rule, catalogue: Catalogue) -> Iterator[tuple[str, Data]]:
    if isinstance(rule.when, c.Together):
        return
    whom: Data = {"therapy": _therapy(rule)} if len(rule.applies_to.therapies or ()) > 1 else {}
    day = _day(rule, catalogue)
    for leaf, others in _chosen(rule.when):
        for edge in _edges(leaf, catalogue):
            data = {**whom, "days_since_therapy": day}
            for part in others:
                _merge(data, next(_met(part, catalogue)))
            _merge(data, edge)
            yield sentence(leaf, catalogue), data
    window = _window(rule, catalogue)
    if window is not None:
        for number in _days_around(window):
            data = {**whom, "days_since_therapy": number}
            for part in _one_way(rule.when):
                _merge(data, next(_met(part, catalogue)))
            yield f"days {window}", data


def _day(rule: Rule, catalogue: Catalogue) -> int:
    window = _window(rule, catalogue)
    if window is None:
        return FAR_DAY
    if window.last is None:
        return max(window.first, FAR_DAY)
    return min(window.first + 5, window.last)


def _window(rule: Rule, catalogue: Catalogue) -> Window | None:
    if rule.applies_to.early:
        therapy = catalogue.therapies.get(_therapy(rule) or "")
        return therapy.early if therapy else None
    return rule.applies_to.days


def _days_around(window: Window) -> list[int]:
    days = [window.first - 1, window.first] if window.first else []
    return days + ([] if window.last is None else [window.last, window.last + 1])


# --- which parts hold together


def _chosen(when: c.Condition) -> Iterator[tuple[c.Condition, list[c.Condition]]]:
    """Each leaf, with leaves that make the rest of the rule hold beside it, and as little more as possible."""
    if isinstance(when, c.All):
        for number, part in enumerate(when.of):
            rest = [leaf for other in (*when.of[:number], *when.of[number + 1 :]) for leaf in _one_way(other)]
            yield from ((leaf, [*others, *rest]) for leaf, others in _chosen(part))
    elif isinstance(when, c.Any):
        for part in when.of:
            yield from _chosen(part)
    elif isinstance(when, c.AtLeast):
        for number, part in enumerate(when.of):
            rest_of = [*when.of[:number], *when.of[number + 1 :]][: when.count - 1]
            rest = [leaf for other in rest_of for leaf in _one_way(other)]
            yield from ((leaf, [*others, *rest]) for leaf, others in _chosen(part))
    else:
        yield when, []


def _one_way(when: c.Condition) -> list[c.Condition]:
    """Leaves that make the condition hold."""
    if isinstance(when, c.All):
        return [leaf for part in when.of for leaf in _one_way(part)]
    if isinstance(when, c.Any):
        return _one_way(when.of[0]) if when.of else []
    if isinstance(when, c.AtLeast):
        return [leaf for part in when.of[: when.count] for leaf in _one_way(part)]
    return [when]


# --- what makes a leaf hold, and what stands around it


def _met(leaf: c.Condition, catalogue: Catalogue) -> Iterator[Data]:
    """Answers that make the leaf hold, just so."""
    edges = list(_edges(leaf, catalogue))
    yield edges[len(edges) // 2] if len(edges) > 1 else edges[0] if edges else {}


def _edges(leaf: c.Condition, catalogue: Catalogue) -> Iterator[Data]:
    """Answers just below, at and just above the leaf's threshold; of a leaf without one, the answer that meets it."""
    match leaf:
        case c.SymptomAtLeast(symptom=code, level=level):
            yield from ({"symptoms": {_named(code, catalogue): one.code}} for one in _around(level))
        case c.SymptomPresent(symptom=code):
            yield from ({"symptoms": {code: answer}} for answer in _absent_present(code, catalogue))
        case c.TemperatureAtLeast(celsius=limit, within=within, risen_by=risen_by):
            yield from _temperatures(limit, None if within else risen_by)
        case c.TemperatureAtMost(celsius=limit):
            yield from ({"temperature_c": float(limit + step)} for step in _STEPS)
        case c.ThinkingCheckAtMost(points=points):
            yield from ({"thinking_check": _items(points + step)} for step in (1, 0, -1))
        case c.ThinkingCheckBelowBaseline(points=points):
            full = THINKING_CHECK_FULL
            yield from ({"thinking_check": _items(full - points - step)} for step in (-1, 0, 1))
        case c.ThinkingCheckAbandoned():
            yield {"thinking_check": "abandoned"}
        case c.MeasuredAtLeast(quantity=quantity, value=value) | c.MeasuredAtMost(quantity=quantity, value=value):
            least, most = MEASURED_RANGE[quantity]
            yield from ({"measured": {quantity: _plain(one)}} for one in _readings(value) if least <= one <= most)
        case c.OnSteroids():
            yield {"on_steroids": True}
        case c.FeverReducerTaken():
            yield {"fever_reducer_taken": True}
        case c.Worse(symptom=code, by=by):
            name = _named(code, catalogue)
            yield from (
                {"symptoms": {name: Severity(step).code}, "history": [_before(_HOURS, symptoms={name: "none"})]}
                for step in (by - 1, by, by + 1)
                if 0 <= step <= Severity.VERY_SEVERE
            )
        case c.Persists(symptom=code, level=level, reports=reports, span=span):
            name = _named(code, catalogue)
            for count in _lengths(reports, int(span.total_seconds()) // 3600 if span else None):
                earlier = [_before(hours, symptoms={name: level.code}) for hours in count]
                yield {"symptoms": {name: level.code}, "history": earlier}
        case c.New(symptom=code):
            absent, present = _absent_present(_named(code, catalogue), catalogue)
            name = _named(code, catalogue)
            yield {"symptoms": {name: present}, "history": [_before(_HOURS, symptoms={name: absent})]}
        case c.TemperatureNotMeasured():
            yield {"temperature_c": "unknown"}
        case c.SilentFor(span=span):
            hours = int(span.total_seconds()) // 3600
            yield from ({"silent_for": f"{one}h"} for one in (hours - 1, hours, hours + 1) if one > 0)


def _readings(limit: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """A device shows whole numbers: those around the limit, and the limit itself."""
    down, up = limit.to_integral_value(ROUND_FLOOR), limit.to_integral_value(ROUND_CEILING)
    return (limit - 1, limit, limit + 1) if down == limit else (down, limit, up)


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


_STEPS = (Decimal("0.1"), Decimal(0), Decimal("-0.1"))


def _temperatures(limit: Decimal, risen_by: Decimal | None) -> Iterator[Data]:
    for step in reversed(_STEPS):
        if TEMPERATURE_RANGE_C[0] <= limit + step <= TEMPERATURE_RANGE_C[1]:
            found: Data = {"temperature_c": float(limit + step)}
            if risen_by:
                found["history"] = [_before(_HOURS, temperature_c=float(limit + step - risen_by))]
            yield found


def _around(level: Severity) -> list[Severity]:
    return [one for one in Severity if abs(one - level) <= 1]


def _named(code: str, catalogue: Catalogue) -> str:
    """The symptom itself; for “any”, the first that has degrees."""
    if code != c.ANY_SYMPTOM:
        return code
    return next(symptom.code for symptom in catalogue.symptoms.values() if symptom.scale is Scale.SEVERITY)


def _absent_present(code: str, catalogue: Catalogue) -> tuple[str, str]:
    if catalogue.symptoms[code].scale is Scale.PRESENCE:
        return Presence.NO.code, Presence.YES.code
    return Severity.NONE.code, Severity.MILD.code


def _items(points: int) -> Data:
    """A finished thinking check of that many points."""
    left, items = max(0, min(points, THINKING_CHECK_FULL)), {}
    for item, most in THINKING_CHECK_POINTS.items():
        items[item] = min(left, most)
        left -= items[item]
    return items


def _lengths(reports: int | None, hours: int | None) -> Iterator[list[int]]:
    """How long before the entry its earlier reports were made, hours: too few or too short, then enough."""
    if reports is not None:
        for count in (reports - 2, reports - 1):
            yield [_HOURS * number for number in range(1, count + 1)]
    elif hours is not None:
        for first in (hours - 1, hours):
            yield [first] if first <= _HOURS else [*range(_HOURS, first, _HOURS), first]


def _before(hours: int, **answers: Anything) -> Data:
    return {"hours_before": hours, **answers}


def _merge(data: Data, more: Data) -> None:
    """Put answers beside others; of two for one question the later stays, earlier reports of the same hour join."""
    for key, value in more.items():
        if key in ("symptoms", "measured"):
            data[key] = {**data.get(key, {}), **value}
        elif key == "history":
            by_hours = {one["hours_before"]: dict(one) for one in data.get("history", [])}
            for one in value:
                mine = by_hours.setdefault(one["hours_before"], {"hours_before": one["hours_before"]})
                _merge(mine, {name: answer for name, answer in one.items() if name != "hours_before"})
            data["history"] = [by_hours[hours] for hours in sorted(by_hours)]
        else:
            data[key] = value

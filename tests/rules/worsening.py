"""What "worse" means for each answer of a report, and two reports beside each other as filled forms.

| answer | worse is |
| --- | --- |
| symptom | a higher degree or "yes", also where nothing was asked; the worst answer instead of "I don't know" |
| fever reducer, steroids | "yes": each can hide a fever |
| temperature, device reading | further out in the direction in which rules ask; see below |
| device reading that was not asked | any reading |
| thinking check | a point less; or an item less done, which counts as lost and leaves the check unfinished |
| thinking check that was not asked | any |

Where rules ask for a reading in both directions, one that lies outside all thresholds of one direction is compared
along the other only.

A reading that is missing afterwards, and "I don't know" afterwards, are not worse: they take away what was known. So
does a thinking check that was begun and of which nothing was done. It has no points, so it is compared only with checks
that no rule about points has flagged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from triage.rules import conditions as c
from triage.rules.assessment import Assessment
from triage.rules.catalogue import THINKING_CHECK_POINTS, Catalogue, Presence, Scale, Severity
from triage.rules.report import Report, ThinkingCheck, Unknown, to_data
from triage.rules.ruleset import Ruleset

STEPS = [Decimal(text) for text in ("0.1", "1", "5", "20")]
"""How much further out a reading is moved."""


def worse(report: Report, rules: Ruleset) -> Iterator[Report]:
    """The same report with one answer worse, in every way there is."""
    yield from _symptoms(report, rules.catalogue)
    for name, answer in (("fever_reducer_taken", report.fever_reducer_taken), ("on_steroids", report.on_steroids)):
        if answer is not Presence.YES:
            yield replace(report, **{name: Presence.YES})  # type: ignore[arg-type]
    yield from _readings(report, rules)
    yield from _thinking_checks(report, rules)


def _symptoms(report: Report, catalogue: Catalogue) -> Iterator[Report]:
    for code, symptom in catalogue.symptoms.items():
        scale = Presence if symptom.scale is Scale.PRESENCE else Severity
        answer = report.symptoms.get(code, Severity.NONE)
        levels = [symptom.worst] if isinstance(answer, Unknown) else [level for level in scale if level > answer]
        for level in levels:
            yield replace(report, symptoms={**report.symptoms, code: level})


def _readings(report: Report, rules: Ruleset) -> Iterator[Report]:
    if isinstance(report.temperature_c, Decimal):
        for further in _further_out(report.temperature_c, *thresholds(rules, "temperature")):
            yield replace(report, temperature_c=further)
    for quantity in sorted({leaf.quantity for leaf in _leaves(rules) if isinstance(leaf, _MEASURED)}):
        reading = report.measured.get(quantity)
        least, most = thresholds(rules, quantity)
        if reading is None:
            for found in {*least, *most}:
                yield replace(report, measured={**report.measured, quantity: found})
        elif not isinstance(reading, Unknown):
            for further in _further_out(reading, least, most):
                yield replace(report, measured={**report.measured, quantity: further})


_MEASURED = (c.MeasuredAtLeast, c.MeasuredAtMost)


def _leaves(rules: Ruleset) -> Iterator[c.Condition]:
    return (leaf for rule in rules.rules for leaf in c.leaves(rule.when))


def thresholds(rules: Ruleset, quantity: str) -> tuple[list[Decimal], list[Decimal]]:
    """What the rules ask of that reading: at least these, at most those."""
    least, most = [], []
    for leaf in _leaves(rules):
        match leaf:
            case c.TemperatureAtLeast(celsius=limit) if quantity == "temperature":
                least.append(limit)
            case c.TemperatureAtMost(celsius=limit) if quantity == "temperature":
                most.append(limit)
            case c.MeasuredAtLeast(quantity=of, value=limit) if quantity == of:
                least.append(limit)
            case c.MeasuredAtMost(quantity=of, value=limit) if quantity == of:
                most.append(limit)
    return least, most


def _further_out(reading: Decimal, least: Sequence[Decimal], most: Sequence[Decimal]) -> Iterator[Decimal]:
    if least and all(reading > limit for limit in most):
        yield from (reading + step for step in STEPS)
    if most and all(reading < limit for limit in least):
        yield from (reading - step for step in STEPS)


def _thinking_checks(report: Report, rules: Ruleset) -> Iterator[Report]:
    check = report.thinking_check
    if check is None:
        full = dict(THINKING_CHECK_POINTS)
        for begun in (ThinkingCheck(full), ThinkingCheck({**full, "naming": 1}), ThinkingCheck({}, abandoned=True)):
            yield replace(report, thinking_check=begun)
        return
    for item, points in check.points.items():
        for fewer in range(points):
            yield replace(report, thinking_check=replace(check, points={**check.points, item: fewer}))
        if len(check.points) > 1:
            done = {other: some for other, some in check.points.items() if other != item}
            yield replace(report, thinking_check=replace(check, points=done))
    if check.points and not _flagged_by_points(report, check, rules):
        yield replace(report, thinking_check=ThinkingCheck({}, abandoned=True))


def _flagged_by_points(report: Report, check: ThinkingCheck, rules: Ruleset) -> bool:
    for leaf in _leaves(rules):
        match leaf:
            case c.ThinkingCheckAtMost(points=points) if check.score <= points:
                return True
            case c.ThinkingCheckBelowBaseline(points=points) if report.baseline - check.score >= points:
                return True
    return False


# --- two filled forms side by side


def side_by_side(
    before: Report, after: Report, results: tuple[Assessment, Assessment], earlier: Iterable[Report]
) -> str:
    """Both reports as filled forms, the answers that differ marked, and what came of each; then the earlier reports."""
    one, other = _form(before, results[0]), _form(after, results[1])
    rows = [("", "as reported", "with a worse answer")]
    rows += [
        (question, one.get(question, "not asked"), other.get(question, "not asked")) for question in {**one, **other}
    ]
    widths = [max(len(row[number]) for row in rows) for number in (0, 1)]
    lines = [
        f"{'→' if number and left != right else ' '} {question:<{widths[0]}} | {left:<{widths[1]}} | {right}"
        for number, (question, left, right) in enumerate(rows)
    ]
    for report in earlier:
        lines.append("  earlier: " + "; ".join(f"{question}: {answer}" for question, answer in _flat(report).items()))
    return "\n".join(["", *lines])


def _form(report: Report, result: Assessment) -> dict[str, str]:
    fired, undecided = (
        ", ".join(f"{rule.rule} ({rule.urgency.code})" for rule in rules) or "none"
        for rules in (result.fired, result.undecided)
    )
    return {**_flat(report), "urgency": result.urgency.code, "rules that fire": fired, "undecided rules": undecided}


def _flat(report: Report) -> dict[str, str]:
    """Each question with its answer."""
    answers: dict[str, str] = {}
    for key, value in to_data(report).items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        answers |= {f"{key} {name}".strip(): str(answer) for name, answer in inner if answer is not None}
    return answers

"""What can be said of conditions without any report: that one can never hold, that one holds whenever another does,
that one may ask for what lies between two thresholds.

The first two are answered "yes" only where it is certain; a "no" means: not certain. Of the third only a "no" is
certain, since a worse reading must never be less urgent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.rules import conditions as c
from triage.rules.catalogue import Catalogue, Window
from triage.rules.ruleset import AppliesTo, Rule


def never(when: c.Condition) -> bool:
    """Whether no report can make the condition hold."""
    match when:
        case c.Any(of=parts):
            return all(map(never, parts))
        case c.AtLeast(count=count, of=parts):
            return sum(not never(part) for part in parts) < count
        case c.All(of=parts):
            return any(map(never, parts)) or _exclude_each_other(list(_together(when)))
    return False


def _together(when: c.Condition) -> Iterator[c.Condition]:
    """The leaves that must hold at once."""
    if isinstance(when, c.All):
        for part in when.of:
            yield from _together(part)
    elif not isinstance(when, c.Any | c.AtLeast):
        yield when


def _exclude_each_other(leaves: list[c.Condition]) -> bool:
    least = [leaf.celsius for leaf in leaves if isinstance(leaf, c.TemperatureAtLeast) and leaf.within is None]
    most = [leaf.celsius for leaf in leaves if isinstance(leaf, c.TemperatureAtMost)]
    if least and most and max(least) > min(most):
        return True
    if (least or most) and any(isinstance(leaf, c.TemperatureNotMeasured) for leaf in leaves):
        return True
    for quantity in {leaf.quantity for leaf in leaves if isinstance(leaf, c.MeasuredAtLeast)}:
        low = max(leaf.value for leaf in leaves if isinstance(leaf, c.MeasuredAtLeast) and leaf.quantity == quantity)
        tops = [leaf.value for leaf in leaves if isinstance(leaf, c.MeasuredAtMost) and leaf.quantity == quantity]
        if tops and low > min(tops):
            return True
    return False


def in_the_middle(parts: Sequence[c.Condition]) -> tuple[c.Condition, c.Condition] | None:
    """Two thresholds of one reading that these parts may need at once, so that a reading between them counts and one
    further out, on whichever side, does not: a worse reading would then be less urgent."""
    for number, part in enumerate(parts):
        others = [leaf for other in (*parts[:number], *parts[number + 1 :]) for leaf in c.leaves(other)]
        for leaf in c.leaves(part):
            for other in others:
                if _leaves_a_middle(leaf, other):
                    return leaf, other
    return None


def _leaves_a_middle(least: c.Condition, most: c.Condition) -> bool:
    match least, most:
        case c.TemperatureAtLeast(celsius=low), c.TemperatureAtMost(celsius=high):
            return low <= high
        case c.MeasuredAtLeast(quantity=one, value=low), c.MeasuredAtMost(quantity=other, value=high):
            return one == other and low <= high
    return False


def implies(one: c.Condition, other: c.Condition) -> bool:
    """Whether `other` holds whenever `one` does."""
    if one == other:
        return True
    if isinstance(one, c.Any):
        return all(implies(part, other) for part in one.of)
    if isinstance(other, c.All):
        return all(implies(one, part) for part in other.of)
    if isinstance(one, c.AtLeast):
        if isinstance(other, c.AtLeast) and set(one.of) <= set(other.of) and one.count >= other.count:
            return True
        if one.count >= 1 and all(implies(part, other) for part in one.of):
            return True
    if isinstance(other, c.Any) and any(implies(one, part) for part in other.of):
        return True
    if isinstance(one, c.All):
        return any(implies(part, other) for part in one.of)
    return _leaf_implies(one, other)


def _leaf_implies(one: c.Condition, other: c.Condition) -> bool:
    match one, other:
        case c.SymptomAtLeast(), c.SymptomAtLeast():
            return other.symptom in (one.symptom, c.ANY_SYMPTOM) and one.level >= other.level
        case c.Persists(), c.SymptomAtLeast():
            return one.symptom == other.symptom != c.ANY_SYMPTOM and one.level >= other.level
        case c.Persists(), c.Persists() if one.reports and other.reports:
            return one.symptom == other.symptom and one.level >= other.level and one.reports >= other.reports
        case c.TemperatureAtLeast(), c.TemperatureAtLeast():
            if one.celsius < other.celsius:
                return False
            if other.risen_by is not None:
                return one.within is None and one.risen_by is not None and one.risen_by >= other.risen_by
            return one.within is None or (other.within is not None and one.within <= other.within)
        case c.TemperatureAtMost(), c.TemperatureAtMost():
            return one.celsius <= other.celsius
        case c.ThinkingCheckAtMost(), c.ThinkingCheckAtMost():
            return one.points <= other.points
        case c.ThinkingCheckBelowBaseline(), c.ThinkingCheckBelowBaseline():
            return one.points >= other.points
        case c.MeasuredAtLeast(), c.MeasuredAtLeast():
            return one.quantity == other.quantity and one.value >= other.value
        case c.MeasuredAtMost(), c.MeasuredAtMost():
            return one.quantity == other.quantity and one.value <= other.value
        case c.Worse(), c.Worse():
            same = (one.symptom, one.lowest_in) == (other.symptom, other.lowest_in)
            return same and one.by >= other.by
        case c.SilentFor(), c.SilentFor():
            return one.span >= other.span
    return False


def narrower(one: AppliesTo, other: AppliesTo, catalogue: Catalogue) -> bool:
    """Whether everybody whom `one` concerns, on each of those days, is concerned by `other` too."""
    if other.therapies is not None and (one.therapies is None or not one.therapies <= other.therapies):
        return False
    if not other.early and other.days is None:
        return True
    if one.early and other.early:
        return True
    spans = windows(one, catalogue)
    return bool(spans) and all(
        span is not None and any(mine is not None and _within(span, mine) for mine in of_other)
        for therapy, span in spans.items()
        if (of_other := [windows(other, catalogue).get(therapy)])
    )


def windows(applies_to: AppliesTo, catalogue: Catalogue) -> dict[str, Window | None]:
    """By therapy, the days on which it is concerned; None where that therapy has no early window."""
    therapies = [code for code in catalogue.therapies if applies_to.therapies is None or code in applies_to.therapies]
    always = applies_to.days or Window(0, None)
    return {code: catalogue.therapies[code].early if applies_to.early else always for code in therapies}


def _within(inner: Window, outer: Window) -> bool:
    if inner.first < outer.first:
        return False
    return outer.last is None or (inner.last is not None and inner.last <= outer.last)


def overlap(one: Window, other: Window) -> bool:
    """Whether two windows share a day."""
    if other.last is not None and one.first > other.last:
        return False
    return one.last is None or other.first <= one.last


def pointless_beside(rule: Rule, other: Rule, catalogue: Catalogue) -> bool:
    """Whether the other rule, at the same or a higher urgency, fires whenever this one does."""
    if rule.asks_for_silence != other.asks_for_silence or other.urgency < rule.urgency:
        return False
    if isinstance(rule.when, c.Together) or isinstance(other.when, c.Together):
        return False
    return implies(rule.when, other.when) and narrower(rule.applies_to, other.applies_to, catalogue)

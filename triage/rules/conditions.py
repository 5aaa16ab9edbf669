"""What a rule may ask, as frozen values. Data only: engine, wording and checks are its readers.

There is no `not`, and every degree is "at least": that is why a worse answer can never lower the urgency.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from triage.rules.catalogue import Severity
from triage.rules.urgency import Urgency

ANY_SYMPTOM = "any"
"""In place of a symptom code: whichever symptom of the catalogue."""


@dataclass(frozen=True)
class All:
    """Every one of `of` holds."""

    of: tuple[Condition, ...]


@dataclass(frozen=True)
class Any:
    """One of `of` holds, or more."""

    of: tuple[Condition, ...]


@dataclass(frozen=True)
class AtLeast:
    """`count` of `of` hold, or more."""

    count: int
    of: tuple[Condition, ...]


@dataclass(frozen=True)
class SymptomAtLeast:
    """The symptom is that bad or worse; a presence sign answered "yes" meets every level."""

    symptom: str
    level: Severity


@dataclass(frozen=True)
class SymptomPresent:
    """The sign was answered "yes" (or, for a symptom with degrees, anything above none)."""

    symptom: str


@dataclass(frozen=True)
class TemperatureAtLeast:
    """The temperature, °C, now or in an earlier report not older than `within`; with `risen_by`, also that far above
    the previous reading."""

    celsius: Decimal
    within: timedelta | None = None
    risen_by: Decimal | None = None


@dataclass(frozen=True)
class TemperatureAtMost:
    """The temperature now, °C."""

    celsius: Decimal


@dataclass(frozen=True)
class ThinkingCheckAtMost:
    """Points of the thinking check, 0–10."""

    points: int


@dataclass(frozen=True)
class ThinkingCheckBelowBaseline:
    """Points lost against the person's own baseline; against 10 where none is on file."""

    points: int


@dataclass(frozen=True)
class ThinkingCheckAbandoned:
    """The thinking check was begun and not finished."""


@dataclass(frozen=True)
class MeasuredAtLeast:
    """A device reading, in the unit of its quantity."""

    quantity: str
    value: Decimal


@dataclass(frozen=True)
class MeasuredAtMost:
    """A device reading, in the unit of its quantity."""

    quantity: str
    value: Decimal


@dataclass(frozen=True)
class OnSteroids:
    """Takes steroids, or was given tocilizumab."""


@dataclass(frozen=True)
class FeverReducerTaken:
    """Took a fever reducer in the last 6 hours."""


@dataclass(frozen=True)
class Worse:
    """The symptom rose by `by` levels above the previous report, or above the lowest answer within `lowest_in`."""

    symptom: str
    by: int
    lowest_in: timedelta | None = None


@dataclass(frozen=True)
class Persists:
    """The symptom was that bad in each of the last `reports` reports that answered it (this one included), or in all
    such reports over at least `span`."""

    symptom: str
    level: Severity
    reports: int | None = None
    span: timedelta | None = None


@dataclass(frozen=True)
class New:
    """The symptom is there now and was not in the previous report that answered it, if there is one."""

    symptom: str


@dataclass(frozen=True)
class TemperatureNotMeasured:
    """This report carries no readable temperature."""


@dataclass(frozen=True)
class SilentFor:
    """No report came for that long. Only the silence check can make it true; the other conditions of such a rule look
    at the last report."""

    span: timedelta


@dataclass(frozen=True)
class Together:
    """Rules of urgency `of` fired on at least `count` different signs. Only as the whole condition of a rule."""

    of: Urgency
    count: int


Condition = (
    All
    | Any
    | AtLeast
    | SymptomAtLeast
    | SymptomPresent
    | TemperatureAtLeast
    | TemperatureAtMost
    | ThinkingCheckAtMost
    | ThinkingCheckBelowBaseline
    | ThinkingCheckAbandoned
    | MeasuredAtLeast
    | MeasuredAtMost
    | OnSteroids
    | FeverReducerTaken
    | Worse
    | Persists
    | New
    | TemperatureNotMeasured
    | SilentFor
    | Together
)


def walk(condition: Condition) -> Iterator[Condition]:
    """The condition and everything inside it, outermost first."""
    yield condition
    if isinstance(condition, All | Any | AtLeast):
        for part in condition.of:
            yield from walk(part)


def leaves(condition: Condition) -> Iterator[Condition]:
    """The parts that look at a report."""
    return (part for part in walk(condition) if not isinstance(part, All | Any | AtLeast))


def way_to_leaves(condition: Condition, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where each of `leaves` stands inside the condition as it is written, in the same order: ("all", 0, "any", 1)."""
    if not isinstance(condition, All | Any | AtLeast):
        yield way
        return
    key = {All: "all", Any: "any", AtLeast: "of"}[type(condition)]
    for number, part in enumerate(condition.of):
        yield from way_to_leaves(part, (*way, key, number))

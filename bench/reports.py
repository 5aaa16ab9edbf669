"""Reports for the benchmarks: made up, the same on every machine, with up to twelve earlier ones each."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from triage.rules.catalogue import THINKING_CHECK_POINTS, Asked, Catalogue, Presence, Scale, Severity
from triage.rules.report import UNKNOWN, Answer, Report, ThinkingCheck

MOST_EARLIER = 12
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
FORM = (Asked.START, Asked.DANGER, Asked.DAILY)
COMPLAINTS = (0.0, 0.01, 0.03, 0.1)
"""How likely each question of the form is answered with a complaint, by person."""


@dataclass(frozen=True)
class Told:
    """A report with the earlier ones of the same person, oldest first."""

    report: Report
    history: tuple[Report, ...]


def two_kinds(
    catalogue: Catalogue, fires: Callable[[Report, Sequence[Report]], bool], each: int, seed: int = 1
) -> tuple[list[Told], list[Told]]:
    """As many reports on which nothing fires as reports on which something does."""
    chance = random.Random(seed)
    quiet: list[Told] = []
    firing: list[Told] = []
    while len(quiet) < each or len(firing) < each:
        told = person(catalogue, chance)
        kind = firing if fires(told.report, told.history) else quiet
        if len(kind) < each:
            kind.append(told)
    return quiet, firing


def person(catalogue: Catalogue, chance: random.Random, earlier: int | None = None) -> Told:
    """Somebody's latest report and up to twelve earlier ones, about twelve hours apart."""
    therapy = chance.choice([None, *catalogue.therapies, *["car_t", "bite"] * 3])
    day = None if chance.random() < 0.05 else chance.randint(0, 90)
    ill = chance.choice(COMPLAINTS)
    count = chance.randint(0, MOST_EARLIER) if earlier is None else earlier
    times = [START + timedelta(hours=12 * number, minutes=chance.randint(0, 120)) for number in range(count + 1)]
    *history, latest = (_report(catalogue, chance, therapy, day, ill, at) for at in times)
    return Told(latest, tuple(history))


def _report(
    catalogue: Catalogue, chance: random.Random, therapy: str | None, day: int | None, ill: float, at: datetime
) -> Report:
    """A daily form: every question that it asks is answered, nearly all of them with "no"."""
    symptoms: dict[str, Answer] = {}
    for symptom in catalogue.asked_when(*FORM, therapy=therapy):
        if chance.random() < 0.002:
            symptoms[symptom.code] = UNKNOWN
        elif symptom.scale is Scale.PRESENCE:
            symptoms[symptom.code] = Presence(chance.random() < ill / 4)
        elif chance.random() < ill:
            symptoms[symptom.code] = Severity(chance.choice((1, 1, 1, 2, 2, 3, 4)))
        else:
            symptoms[symptom.code] = Severity.NONE
    measured: dict[str, Decimal] = {}
    if chance.random() < 0.2:
        measured = {
            "systolic_mmhg": Decimal(chance.randint(86, 150)),
            "pulse": Decimal(chance.randint(55, 123)),
            "oxygen_percent": Decimal(chance.randint(91, 100)),
        }
    check = baseline = None
    if chance.random() < 0.3:
        lost = chance.random() < 2 * ill
        check = ThinkingCheck({item: chance.randint(0, most) if lost else most for item, most in _ITEMS})
        baseline = chance.choice((None, 9, 10))
    return Report(
        therapy=therapy,
        days_since_therapy=day,
        patient="somebody",
        reported_at=at,
        temperature_c=_temperature(chance, ill),
        fever_reducer_taken=Presence(chance.random() < 0.05),
        on_steroids=Presence(chance.random() < 0.05),
        symptoms=MappingProxyType(symptoms),
        thinking_check=check,
        thinking_check_baseline=baseline,
        measured=MappingProxyType(measured),
    )


_ITEMS = tuple(THINKING_CHECK_POINTS.items())


def _temperature(chance: random.Random, ill: float) -> Decimal | None:
    if chance.random() < 0.03:
        return None
    mean, spread = (37.3, 0.8) if chance.random() < 3 * ill else (36.6, 0.25)
    return Decimal(f"{min(max(chance.gauss(mean, spread), 34.5), 41.0):.1f}")

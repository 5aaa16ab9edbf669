"""What is different from the last report, in words for whoever is about to send one.

It says more or less, never good or bad: what that means, the rules say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from triage import languages
from triage.languages import _
from triage.rules.catalogue import Catalogue
from triage.rules.report import Answer, Report, Unknown


@dataclass(frozen=True)
class Change:
    """One answer that is another than last time."""

    kind: str
    """new, more, less or not_any_more."""
    what: str
    before: str
    now: str


def since(before: Report, now: Report, catalogue: Catalogue) -> tuple[Change, ...]:
    """What changed of all that both reports answer: what is new and more first."""
    found = [*_temperature(before, now), *_symptoms(before, now, catalogue)]
    order = ("new", "more", "not_any_more", "less")
    return tuple(sorted(found, key=lambda change: order.index(change.kind)))


def _temperature(before: Report, now: Report) -> Iterator[Change]:
    was, is_now = before.temperature_c, now.temperature_c
    if isinstance(was, Decimal) and isinstance(is_now, Decimal) and was != is_now:
        kind = "more" if is_now > was else "less"
        yield Change(kind, _("Temperature"), *(languages.celsius(each) for each in (was, is_now)))


def _symptoms(before: Report, now: Report, catalogue: Catalogue) -> Iterator[Change]:
    for code, symptom in catalogue.symptoms.items():
        was, is_now = before.symptoms.get(code), now.symptoms.get(code)
        if was is None or is_now is None or isinstance(was, Unknown) or isinstance(is_now, Unknown) or was == is_now:
            continue
        kind = ("more" if was else "new") if is_now > was else ("less" if is_now else "not_any_more")
        yield Change(kind, symptom.label.capitalize(), _word(was), _word(is_now))


def _word(answer: Answer) -> str:
    return languages.code_words(answer.code)

"""Conditions as written in a rule file, read into values. Every mistake is noted with its place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from decimal import Decimal
from typing import Any as Anything
from typing import Protocol

from triage.rules import conditions as c
from triage.rules.catalogue import MEASURED, SEVERITY_CODES, Catalogue, Scale, Severity, Window
from triage.rules.report import MEASURED_RANGE, TEMPERATURE_RANGE_C, UNKNOWN, fahrenheit_to_celsius, nearest
from triage.rules.ruleset import QuietHours
from triage.rules.tree import Loc
from triage.rules.urgency import URGENCY_CODES, Urgency


class Note(Protocol):
    """Notes a mistake: where in the data, and what is wrong; `key` when it is the key that is wrong."""

    def __call__(self, loc: Loc, message: str, *, key: bool = False) -> None: ...


LONGEST_RUN = 13
"""The judged report and the 12 before it."""

NO_NOT = (
    "the language has no “not” and no “no”: a rule may only ask for something being there or being worse, "
    "so that a worse answer can never make a report less urgent"
)


def read_span(text: object) -> timedelta | None:
    """ "48h", "30 min", "2 d" as a span; None when it is none, or not above zero."""
    match = re.fullmatch(r"(\d{1,5})\s*(min|h|d)", text) if isinstance(text, str) else None
    if not match or int(match[1]) == 0:
        return None
    unit = {"min": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})


AT_ONCE = "at_once"
"""In place of a span: without waiting."""


def read_quiet_hours(text: object) -> QuietHours | None:
    """ "22:00-07:00" as a part of the day; None when it is none, or without length."""
    match = (
        re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)", text)
        if isinstance(text, str)
        else None
    )
    if not match:
        return None
    begins, ends = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    return None if begins == ends else QuietHours(begins, ends)


def read_window(text: object) -> Window | None:
    """ "0-28" or "30-" as a window of days; None when it is none, or ends before it begins."""
    match = re.fullmatch(r"(\d{1,5})\s*-\s*(\d{1,5})?", text) if isinstance(text, str) else None
    if not match:
        return None
    first, last = int(match[1]), None if match[2] is None else int(match[2])
    return None if last is not None and last < first else Window(first, last)


class ConditionReader:
    """Reads one `when`. What cannot be read is noted and left out, so that all mistakes are found at once."""

    def __init__(self, catalogue: Catalogue, note: Note) -> None:
        self.catalogue = catalogue
        self.note = note
        self.readers: dict[str, Callable[[Mapping[str, Anything], Loc], c.Condition | None]] = {
            "all": self._all,
            "any": self._any,
            "of": self._at_least,
            "symptom": self._symptom,
            "temperature": self._temperature,
            "thinking_check": self._thinking_check,
            "measured": self._measured,
            "on_steroids": lambda data, loc: self._yes(data, loc, "on_steroids", c.OnSteroids()),
            "fever_reducer_taken": lambda data, loc: self._yes(data, loc, "fever_reducer_taken", c.FeverReducerTaken()),
            "worse": self._worse,
            "persists": self._persists,
            "new": self._new,
            "not_measured": self._not_measured,
            "silent_for": self._silent_for,
            "together": self._together,
        }

    def read(self, data: object, loc: Loc, *, whole: bool = False) -> c.Condition | None:
        """The condition written there; `whole` where it is a rule's entire `when`."""
        if not isinstance(data, Mapping):
            self.note(loc, "must be a condition, for example {symptom: chills, at_least: mild}")
            return None
        names = [key for key in data if key in self.readers]
        if not names:
            self._unknown(data, loc)
            return None
        if len(names) > 1:
            message = f"one condition at a time: put “{names[0]}” and “{names[1]}” into “all:” or “any:”"
            self.note((*loc, names[1]), message, key=True)
            return None
        if names[0] == "together" and not whole:
            self.note((*loc, "together"), "“together” may only be the whole “when” of a rule")
            return None
        return self.readers[names[0]](data, loc)

    def _unknown(self, data: Mapping[str, Anything], loc: Loc) -> None:
        """Notes why this asks for nothing the language knows."""
        refused = next((key for key in data if key in ("not", "no", "none", "unless", "except")), None)
        if refused is not None:
            self.note((*loc, refused), NO_NOT, key=True)
        elif set(data) == {"at_least"}:
            message = "“at_least” needs “of” with a list of conditions, or a “symptom” beside it"
            self.note((*loc, "at_least"), message, key=True)
        elif not data:
            self.note(loc, "the condition is empty")
        else:
            others = [key for key in data if key not in ("at_least", "is")]
            key = next((key for key in others if nearest(key, self.readers)), others[0] if others else "is")
            self.note((*loc, key), f"unknown condition “{key}”{nearest(key, self.readers)}", key=True)

    # --- groups

    def _parts(self, data: Mapping[str, Anything], loc: Loc, key: str) -> tuple[c.Condition, ...] | None:
        written = data[key]
        if not isinstance(written, list) or not written:
            self.note((*loc, key), f"“{key}” needs a list of at least one condition")
            return None
        parts = [self.read(part, (*loc, key, number)) for number, part in enumerate(written)]
        return None if None in parts else tuple(part for part in parts if part is not None)

    def _all(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        self._only(data, loc, "all")
        parts = self._parts(data, loc, "all")
        return c.All(parts) if parts else None

    def _any(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        self._only(data, loc, "any")
        parts = self._parts(data, loc, "any")
        return c.Any(parts) if parts else None

    def _at_least(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        self._only(data, loc, "at_least", "of")
        parts = self._parts(data, loc, "of")
        count = self._whole(data, loc, "at_least", 1, len(data["of"]) if isinstance(data["of"], list) else 99)
        return c.AtLeast(count, parts) if parts and count else None

    # --- symptoms

    def _symptom(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        self._only(data, loc, "symptom", "at_least", "is")
        code = self._code(data, loc)
        symptom = self.catalogue.symptoms.get(code or "")
        scale = symptom.scale if symptom else None
        if ("at_least" in data) == ("is" in data):
            if set(data) <= {"symptom", "at_least", "is"}:  # else the likely slip has been named
                self.note((*loc, "symptom"), "say either how bad (“at_least: moderate”) or “is: yes”", key=True)
            return None
        if "is" in data:
            if not self._says_yes(data["is"], (*loc, "is")):
                return None
            if scale is Scale.SEVERITY:
                message = f"“{code}” is answered by severity: write “at_least: mild” instead of “is: yes”"
                self.note((*loc, "is"), message, key=True)
                return None
            return c.SymptomPresent(code) if code else None
        level = self._level(data, loc)
        if scale is Scale.PRESENCE:
            message = f"“{code}” is answered yes or no: write “is: yes” instead of “at_least”"
            self.note((*loc, "at_least"), message, key=True)
            return None
        return c.SymptomAtLeast(code, level) if code and level else None

    def _worse(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        inner, loc = self._inner(data, loc, "worse", "symptom", "by", "than")
        if inner is None:
            return None
        code = self._code(inner, loc)
        by = self._whole(inner, loc, "by", 1, len(SEVERITY_CODES) - 1)
        symptom = self.catalogue.symptoms.get(code or "")
        if by and by > 1 and symptom and symptom.scale is Scale.PRESENCE:
            self.note((*loc, "by"), f"“{code}” is answered yes or no: it can only get worse by 1")
        than = inner.get("than")
        lowest: timedelta | None = None
        if isinstance(than, Mapping) and set(than) == {"lowest_in"}:
            lowest = self._span(than, (*loc, "than"), "lowest_in")
            if lowest is None:
                return None
        elif than != "previous":
            self.note((*loc, "than"), "“than” must be “previous” or {lowest_in: 48h}")
            return None
        return c.Worse(code, by, lowest) if code and by else None

    def _persists(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        inner, loc = self._inner(data, loc, "persists", "symptom", "at_least", "reports", "for")
        if inner is None:
            return None
        code = self._code(inner, loc)
        level = self._level(inner, loc)
        if ("reports" in inner) == ("for" in inner):
            self.note(loc, "say either in how many reports running (“reports: 3”) or for how long (“for: 48h”)")
            return None
        if "reports" in inner:
            reports = self._whole(inner, loc, "reports", 2, LONGEST_RUN)
            return c.Persists(code, level, reports=reports) if code and level and reports else None
        span = self._span(inner, loc, "for")
        return c.Persists(code, level, span=span) if code and level and span else None

    def _new(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        inner, loc = self._inner(data, loc, "new", "symptom")
        code = self._code(inner, loc) if inner is not None else None
        return c.New(code) if code else None

    # --- numbers

    def _temperature(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        inner, loc = self._inner(data, loc, "temperature", "at_least", "at_most", "within", "risen_by")
        if inner is None:
            return None
        if ("at_least" in inner) == ("at_most" in inner):
            self.note(loc, "say either “at_least: 38.0 C” or “at_most: 35.9 C”")
            return None
        if "at_most" in inner:
            for key in ("within", "risen_by"):
                if key in inner:
                    self.note((*loc, key), f"“{key}” goes with “at_least” only", key=True)
            limit = self._degrees(inner, loc, "at_most")
            return c.TemperatureAtMost(limit) if limit is not None else None
        limit = self._degrees(inner, loc, "at_least")
        within = self._span(inner, loc, "within") if "within" in inner else None
        risen = self._rise(inner, loc) if "risen_by" in inner else None
        if "within" in inner and "risen_by" in inner:
            self.note((*loc, "within"), "“within” and “risen_by” exclude each other", key=True)
        return c.TemperatureAtLeast(limit, within, risen) if limit is not None else None

    def _degrees(self, data: Mapping[str, Anything], loc: Loc, key: str) -> Decimal | None:
        amount = self._amount(data[key], (*loc, key))
        if amount is None:
            return None
        number, unit = amount
        celsius = fahrenheit_to_celsius(number) if unit == "F" else number
        least, most = TEMPERATURE_RANGE_C
        if not least <= celsius <= most:
            self.note((*loc, key), f"{number} {unit} is no body temperature (30–45 °C, 86–113 °F)")
            return None
        return celsius

    def _rise(self, data: Mapping[str, Anything], loc: Loc) -> Decimal | None:
        amount = self._amount(data["risen_by"], (*loc, "risen_by"))
        if amount is None:
            return None
        number, unit = amount
        celsius = (number * 5 / 9).quantize(Decimal("0.01")) if unit == "F" else number
        if not 0 < celsius <= 10:
            self.note((*loc, "risen_by"), "a rise must be above 0 and at most 10 °C")
            return None
        return celsius

    def _amount(self, written: object, loc: Loc) -> tuple[Decimal, str] | None:
        match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,2})?)\s*°?([CF])", written) if isinstance(written, str) else None
        if match:
            return Decimal(match[1]), match[2]
        self.note(loc, f"“{written}” needs a number with its unit, for example “38.0 C” or “100.4 F”")
        return None

    def _thinking_check(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        if data["thinking_check"] == "abandoned":
            self._only(data, loc, "thinking_check")
            return c.ThinkingCheckAbandoned()
        inner, loc = self._inner(data, loc, "thinking_check", "at_most", "below_baseline", one_of=True)
        if inner is None:
            return None
        if "at_most" in inner:
            points = self._whole(inner, loc, "at_most", 0, 9)
            return c.ThinkingCheckAtMost(points) if points is not None else None
        points = self._whole(inner, loc, "below_baseline", 1, 10)
        return c.ThinkingCheckBelowBaseline(points) if points is not None else None

    def _measured(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        inner, loc = self._inner(data, loc, "measured", *MEASURED, one_of=True)
        if inner is None:
            return None
        quantity = next(iter(inner))
        limits, loc = self._inner(inner, loc, quantity, "at_least", "at_most", one_of=True)
        if limits is None:
            return None
        key, written = next(iter(limits.items()))
        least, most = MEASURED_RANGE[quantity]
        number = isinstance(written, int | float) and not isinstance(written, bool)
        value = Decimal(str(written)) if number else Decimal(0)
        if not least <= value <= most:
            unit = MEASURED[quantity][1]
            self.note((*loc, key), f"“{written}” must be a number from {least} to {most} (in {unit}, without the unit)")
            return None
        return c.MeasuredAtLeast(quantity, value) if key == "at_least" else c.MeasuredAtMost(quantity, value)

    # --- the rest

    def _yes(self, data: Mapping[str, Anything], loc: Loc, key: str, condition: c.Condition) -> c.Condition | None:
        self._only(data, loc, key)
        return condition if self._says_yes(data[key], (*loc, key)) else None

    def _not_measured(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        self._only(data, loc, "not_measured")
        if data["not_measured"] == "temperature":
            return c.TemperatureNotMeasured()
        word = str(data["not_measured"])
        self.note(
            (*loc, "not_measured"), f"only “not_measured: temperature” can be asked{nearest(word, ['temperature'])}"
        )
        return None

    def _silent_for(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        self._only(data, loc, "silent_for")
        span = self._span(data, loc, "silent_for")
        return c.SilentFor(span) if span else None

    def _together(self, data: Mapping[str, Anything], loc: Loc) -> c.Condition | None:
        inner, loc = self._inner(data, loc, "together", "of", "count")
        if inner is None:
            return None
        count = self._whole(inner, loc, "count", 2, 20)
        of = inner.get("of")
        if of not in URGENCY_CODES:
            missing = f"“of” is missing; one of {', '.join(URGENCY_CODES)}"
            wrong = f"unknown urgency “{of}”{nearest(str(of), URGENCY_CODES)}"
            self.note((*loc, "of"), wrong if "of" in inner else missing)
            return None
        return c.Together(Urgency.from_code(str(of)), count) if count else None

    # --- words and numbers

    def _only(self, data: Mapping[str, Anything], loc: Loc, *allowed: str) -> None:
        for key in data:
            if key not in allowed:
                self.note((*loc, key), f"unknown word “{key}” here{nearest(str(key), allowed)}", key=True)

    def _inner(
        self, data: Mapping[str, Anything], loc: Loc, key: str, *allowed: str, one_of: bool = False
    ) -> tuple[Mapping[str, Anything] | None, Loc]:
        if key in self.readers:
            self._only(data, loc, key)
        inner = data[key]
        loc = (*loc, key)
        if not isinstance(inner, Mapping) or not inner:
            self.note(loc, f"“{key}” needs one of: {', '.join(allowed)}")
            return None, loc
        wrong = [word for word in inner if word not in allowed]
        for word in wrong:
            message = f"unknown word “{word}”{nearest(str(word), allowed)}; one of {', '.join(allowed)}"
            self.note((*loc, word), message, key=True)
        if one_of and not wrong and len(inner) > 1:
            self.note(loc, f"say one of: {', '.join(allowed)}")
            return None, loc
        return (None if wrong else inner), loc

    def _code(self, data: Mapping[str, Anything], loc: Loc) -> str | None:
        if "symptom" not in data:
            self.note(loc, "“symptom” is missing")
            return None
        code = data["symptom"]
        if isinstance(code, str) and (code in self.catalogue.symptoms or code == c.ANY_SYMPTOM):
            return code
        if not self.catalogue.symptoms:
            return None  # the catalogue itself could not be read, which is said there
        self.note((*loc, "symptom"), f'unknown symptom "{code}"{nearest(str(code), self.catalogue.symptoms)}')
        return None

    def _level(self, data: Mapping[str, Anything], loc: Loc) -> Severity | None:
        word = data.get("at_least")
        levels = SEVERITY_CODES[1:]
        if isinstance(word, str) and word in levels:
            return Severity[word.upper()]
        if "at_least" not in data:
            self.note(loc, f"“at_least” is missing; one of {', '.join(levels)}")
            return None
        self.note(
            (*loc, "at_least"), f'unknown severity "{word}"{nearest(str(word), levels)}; one of {", ".join(levels)}'
        )
        return None

    def _whole(self, data: Mapping[str, Anything], loc: Loc, key: str, least: int, most: int) -> int | None:
        value = data.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        where = (*loc, key) if key in data else loc
        self.note(where, f"“{key}” must be a whole number from {least} to {most}")
        return None

    def _span(self, data: Mapping[str, Anything], loc: Loc, key: str) -> timedelta | None:
        span = read_span(data[key])
        if span is None:
            self.note((*loc, key), f"“{data[key]}” is no span of time; write for example “48h”, “30 min” or “2 d”")
        return span

    def _says_yes(self, word: object, loc: Loc) -> bool:
        if word == "yes":
            return True
        if word in ("no", False):
            self.note(loc, NO_NOT)
        elif word == UNKNOWN.code:
            self.note(loc, "what nobody could say is handled by the engine; a rule may only ask for “yes”")
        else:
            self.note(loc, f"must be “yes”, not “{word}”")
        return False

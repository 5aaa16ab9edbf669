"""A report as values, and the one data form in which reports enter and leave (docs/rule-language.md).

"none", "unknown" and "not asked" are three different things: a severity of NONE, `UNKNOWN`, and a missing entry.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from triage.rules.catalogue import (
    MEASURED,
    PRESENCE_CODES,
    SEVERITY_CODES,
    THINKING_CHECK_FULL,
    THINKING_CHECK_POINTS,
    Catalogue,
    Presence,
    Scale,
    Severity,
    Symptom,
)


class Unknown(Enum):
    """The answer "I don't know", or a value that cannot be read. Never the same as "no"."""

    UNKNOWN = "unknown"

    @property
    def code(self) -> str:
        return self.value


UNKNOWN: Final = Unknown.UNKNOWN

Answer = Severity | Presence | Unknown

TEMPERATURE_RANGE_C = (Decimal(30), Decimal(45))
"""Readings outside are asked about, not stored."""

MEASURED_RANGE: Mapping[str, tuple[int, int]] = {
    "systolic_mmhg": (40, 300),
    "pulse": (20, 300),
    "oxygen_percent": (30, 100),
}

MOST_DAYS = 36_525
REPORTERS = ("patient", "caregiver", "nurse")
NOTE_LENGTH = 4_000


@dataclass(frozen=True)
class ThinkingCheck:
    """Points by item; an item that was not done is missing, and is never scored as right.

    `abandoned`: begun, and nothing of it done. `declined`: not begun, because the person did not want to.
    """

    points: Mapping[str, int]
    abandoned: bool = False
    declined: bool = False

    @property
    def finished(self) -> bool:
        return not self.without_points and self.points.keys() == THINKING_CHECK_POINTS.keys()

    @property
    def without_points(self) -> bool:
        """Whether nothing is known of what the person can do: then no number of points stands for it."""
        return self.abandoned or self.declined

    @property
    def score(self) -> int:
        """0–10; an item that was not done gives nothing."""
        return sum(self.points.values())


@dataclass(frozen=True)
class Report:
    """What one reporter said at one time. None means "not asked"; temperatures in °C, `reported_at` in UTC."""

    therapy: str | None = None
    days_since_therapy: int | None = None
    patient: str | None = None
    reported_at: datetime | None = None
    reporter: str | None = None
    temperature_c: Decimal | Unknown | None = None
    fever_reducer_taken: Presence | Unknown | None = None
    on_steroids: Presence | Unknown | None = None
    symptoms: Mapping[str, Answer] = field(default_factory=lambda: MappingProxyType({}))
    thinking_check: ThinkingCheck | None = None
    thinking_check_baseline: int | None = None
    thinking_check_answers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What was answered, as typed, for the people who look at it. No rule reads it."""
    measured: Mapping[str, Decimal | Unknown] = field(default_factory=lambda: MappingProxyType({}))
    note: str = ""

    @property
    def baseline(self) -> int:
        """The person's own points in the thinking check; all of them where none are on file."""
        return THINKING_CHECK_FULL if self.thinking_check_baseline is None else self.thinking_check_baseline

    def complaints(self) -> dict[str, Answer]:
        """The answers other than "none" and "no"; "unknown" is among them."""
        return {code: answer for code, answer in self.symptoms.items() if answer}  # "none" and "no" are 0


@dataclass(frozen=True)
class DataProblem:
    """What is wrong with one field of a report, in plain words."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class BadReport(ValueError):
    """The data is no report; carries every problem, not only the first."""

    def __init__(self, problems: list[DataProblem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def nearest(word: str, words: Iterable[str]) -> str:
    """' — did you mean "chills"?' for the closest of `words`, or nothing."""
    close = get_close_matches(word, list(words), n=1)
    return f' — did you mean "{close[0]}"?' if close else ""


def fahrenheit_to_celsius(fahrenheit: Decimal) -> Decimal:
    """°F in °C, to two decimals (100.4 °F is 38.00 °C)."""
    return ((fahrenheit - 32) * 5 / 9).quantize(Decimal("0.01"), ROUND_HALF_UP)


def celsius_to_fahrenheit(celsius: Decimal) -> Decimal:
    """°C in °F, to one decimal."""
    return (celsius * 9 / 5 + 32).quantize(Decimal("0.1"), ROUND_HALF_UP)


def read_number(text: str) -> Decimal | None:
    """A number as people type it: "38.4", "38,4", "38,4 °C"; None when it is not one."""
    match = re.fullmatch(r"\s*([+-]?\d{1,6}(?:[.,]\d{1,4})?)\s*(?:°?\s*[CcFf])?\s*", text)
    return Decimal(match[1].replace(",", ".")) if match else None


def plain(number: Decimal) -> str:
    """A number without needless zeros, at least one decimal kept where it had one: 38.40 → 38.4, 38.00 → 38.0."""
    text = f"{number:f}"
    return re.sub(r"(\.\d+?)0+$", r"\1", text)


def from_data(data: object, catalogue: Catalogue) -> Report:
    """The report that the data describes. Raises BadReport with every problem."""
    if not isinstance(data, Mapping):
        raise BadReport([DataProblem("report", 'must be one JSON object, for example {"therapy": "car_t", …}')])
    reader = _Reader(catalogue)
    report = reader.read(data)
    if reader.problems:
        raise BadReport(reader.problems)
    return report


def from_old_data(data: Mapping[str, Any], catalogue: Catalogue) -> Report:
    """The report that stored data describes. What this catalogue does not know is left out, as not asked: an old answer
    must never keep a new report from being taken in."""
    try:
        return from_data(data, catalogue)
    except BadReport as bad:
        known = copy.deepcopy(dict(data))
        for problem in bad.problems:
            *path, last = problem.field.split(".")
            part: Any = known
            for step in path:
                part = part[step]
            del part[last]
        return from_data(known, catalogue)


def to_data(report: Report) -> dict[str, Any]:
    """The data form of a report: what was not asked is left out, but for therapy and day, which may be null."""
    data: dict[str, Any] = {
        "patient": report.patient,
        "therapy": report.therapy,
        "days_since_therapy": report.days_since_therapy,
        "reported_at": report.reported_at.isoformat() if report.reported_at else None,
        "reporter": report.reporter,
        "temperature_c": _number_data(report.temperature_c),
        "fever_reducer_taken": _presence_data(report.fever_reducer_taken),
        "on_steroids": _presence_data(report.on_steroids),
        "symptoms": {code: report.symptoms[code].code for code in sorted(report.symptoms)},
        "thinking_check": _check_data(report.thinking_check),
        "thinking_check_baseline": report.thinking_check_baseline,
        "thinking_check_answers": {
            name: report.thinking_check_answers[name] for name in sorted(report.thinking_check_answers)
        },
        "measured": {name: _number_data(report.measured[name]) for name in sorted(report.measured)},
        "note": report.note,
    }
    always = ("therapy", "days_since_therapy")
    return {key: value for key, value in data.items() if key in always or value not in (None, {}, "")}


def _number_data(value: Decimal | Unknown | None) -> float | int | str | None:
    if value is None or isinstance(value, Unknown):
        return value.code if value else None
    return int(value) if value == value.to_integral_value() else float(value)


def _presence_data(value: Presence | Unknown | None) -> bool | str | None:
    if value is None or isinstance(value, Unknown):
        return value.code if value else None
    return value is Presence.YES


def _check_data(check: ThinkingCheck | None) -> dict[str, int] | str | None:
    if check is None:
        return None
    if check.without_points:
        return "declined" if check.declined else "abandoned"
    return {item: check.points[item] for item in THINKING_CHECK_POINTS if item in check.points}


class _Reader:
    """Reads one report, collecting problems instead of stopping at the first."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.problems: list[DataProblem] = []

    def read(self, data: Mapping[str, Any]) -> Report:
        readers: dict[str, Callable[[str, Any], Any]] = {
            "patient": self._text,
            "therapy": self._therapy,
            "days_since_therapy": self._days,
            "reported_at": self._time,
            "reporter": self._reporter,
            "temperature_c": self._temperature,
            "fever_reducer_taken": self._yes_no,
            "on_steroids": self._yes_no,
            "symptoms": self._symptoms,
            "thinking_check": self._thinking_check,
            "thinking_check_baseline": self._baseline,
            "thinking_check_answers": self._check_answers,
            "measured": self._measured,
            "note": self._note,
        }
        values: dict[str, Any] = {}
        for key, raw in data.items():
            if key not in readers:
                self._problem(str(key), f'unknown field "{key}"{nearest(str(key), readers)}')
            elif raw is not None:
                value = readers[key](key, raw)
                if value is not None:
                    values[key] = value
        return Report(**values)

    def _problem(self, name: str, message: str) -> None:
        self.problems.append(DataProblem(name, message))

    def _text(self, name: str, raw: Any) -> str | None:
        if not isinstance(raw, str):
            self._problem(name, "must be text")
        elif re.search("[\x00\ud800-\udfff]", raw):
            self._problem(name, "holds a character that cannot be stored")
        else:
            return raw
        return None

    def _note(self, name: str, raw: Any) -> str | None:
        text = self._text(name, raw)
        if text is not None and len(text) > NOTE_LENGTH:
            self._problem(name, f"must be at most {NOTE_LENGTH} characters")
        return text

    def _therapy(self, name: str, raw: Any) -> str | None:
        if isinstance(raw, str) and raw in self.catalogue.therapies:
            return raw
        if raw == UNKNOWN.code:
            return None
        self._problem(name, f'unknown therapy "{raw}"{nearest(str(raw), self.catalogue.therapies)}')
        return None

    def _reporter(self, name: str, raw: Any) -> str | None:
        if raw in REPORTERS:
            return str(raw)
        self._problem(name, f'unknown reporter "{raw}"{nearest(str(raw), REPORTERS)}; one of {", ".join(REPORTERS)}')
        return None

    def _whole(self, name: str, raw: Any, least: int, most: int) -> int | None:
        if isinstance(raw, bool) or not isinstance(raw, int):
            self._problem(name, f"must be a whole number from {least} to {most}")
        elif not least <= raw <= most:
            self._problem(name, f"must be from {least} to {most}, not {raw}")
        else:
            return raw
        return None

    def _days(self, name: str, raw: Any) -> int | None:
        return None if raw == UNKNOWN.code else self._whole(name, raw, 0, MOST_DAYS)

    def _baseline(self, name: str, raw: Any) -> int | None:
        return self._whole(name, raw, 0, THINKING_CHECK_FULL)

    def _time(self, name: str, raw: Any) -> datetime | None:
        if isinstance(raw, str):
            try:
                time = datetime.fromisoformat(raw)
            except ValueError:
                time = None
            if time is not None and time.tzinfo is not None:
                try:
                    return time.astimezone(UTC)
                except OverflowError:
                    pass
        self._problem(name, "must be a time with its zone, for example 2026-03-02T08:00:00+00:00")
        return None

    def _number(self, name: str, raw: Any, least: Decimal, most: Decimal) -> Decimal | Unknown | None:
        if raw == UNKNOWN.code:
            return UNKNOWN
        value: Decimal | None = None
        if isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
            try:
                value = Decimal(str(raw))
            except InvalidOperation:
                value = None
        if value is None or not value.is_finite():
            self._problem(name, f'must be a number from {least} to {most}, or "unknown"')
            return None
        if not least <= value <= most:
            self._problem(name, f"must be from {least} to {most}, not {raw}")
            return None
        return value

    def _temperature(self, name: str, raw: Any) -> Decimal | Unknown | None:
        value = self._number(name, raw, *TEMPERATURE_RANGE_C)
        if value is None and isinstance(raw, int | float) and 86 <= raw <= 113:
            fahrenheit = fahrenheit_to_celsius(Decimal(str(raw)))
            self.problems[-1] = DataProblem(
                name, f"{raw} looks like °F; this field is in °C (it would be {plain(fahrenheit)} °C)"
            )
        return value

    def _yes_no(self, name: str, raw: Any) -> Presence | Unknown | None:
        words = {True: Presence.YES, False: Presence.NO, "yes": Presence.YES, "no": Presence.NO, "unknown": UNKNOWN}
        if isinstance(raw, bool | str) and raw in words:
            return words[raw]  # type: ignore[return-value]
        self._problem(name, 'must be true, false or "unknown"')
        return None

    def _symptoms(self, name: str, raw: Any) -> Mapping[str, Answer] | None:
        if not isinstance(raw, Mapping):
            self._problem(name, 'must be an object, for example {"chills": "mild"}')
            return None
        answers: dict[str, Answer] = {}
        for code, word in raw.items():
            symptom = self.catalogue.symptoms.get(code) if isinstance(code, str) else None
            if symptom is None:
                self._problem(
                    f"symptoms.{code}", f'unknown symptom "{code}"{nearest(str(code), self.catalogue.symptoms)}'
                )
                continue
            if word is None:
                continue  # not asked
            answer = read_answer(symptom, word)
            if answer is None:
                words = (SEVERITY_CODES if symptom.scale is Scale.SEVERITY else PRESENCE_CODES) + (UNKNOWN.code,)
                self._problem(
                    f"symptoms.{code}",
                    f'"{word}" is no answer to {code}{nearest(str(word), words)}; one of {", ".join(words)}',
                )
            else:
                answers[code] = answer
        return MappingProxyType(answers)

    def _thinking_check(self, name: str, raw: Any) -> ThinkingCheck | None:
        if raw in ("abandoned", "declined"):
            return ThinkingCheck(MappingProxyType({}), abandoned=raw == "abandoned", declined=raw == "declined")
        if not isinstance(raw, Mapping):
            self._problem(
                name, 'must be "abandoned", "declined" or the points of each item, for example {"orientation": 4, …}'
            )
            return None
        points: dict[str, int] = {}
        for item, value in raw.items():
            if item not in THINKING_CHECK_POINTS:
                self._problem(f"{name}.{item}", f'unknown item "{item}"{nearest(str(item), THINKING_CHECK_POINTS)}')
            elif value is not None and value != UNKNOWN.code:
                whole = self._whole(f"{name}.{item}", value, 0, THINKING_CHECK_POINTS[item])
                if whole is not None:
                    points[item] = whole
        return ThinkingCheck(MappingProxyType(points), abandoned=not points)

    def _check_answers(self, name: str, raw: Any) -> Mapping[str, str] | None:
        if not isinstance(raw, Mapping):
            self._problem(name, 'must be an object of texts, for example {"year": "2026"}')
            return None
        texts: dict[str, str] = {}
        for item, answer in raw.items():
            text = self._text(f"{name}.{item}", answer)
            if text is not None and len(text) > NOTE_LENGTH:
                self._problem(f"{name}.{item}", f"must be at most {NOTE_LENGTH} characters")
            elif text is not None:
                texts[str(item)] = text
        return MappingProxyType(texts)

    def _measured(self, name: str, raw: Any) -> Mapping[str, Decimal | Unknown] | None:
        if not isinstance(raw, Mapping):
            self._problem(name, 'must be an object, for example {"pulse": 84}')
            return None
        values: dict[str, Decimal | Unknown] = {}
        for quantity, reading in raw.items():
            if quantity not in MEASURED:
                self._problem(f"{name}.{quantity}", f'unknown quantity "{quantity}"{nearest(str(quantity), MEASURED)}')
            elif reading is not None:
                least, most = MEASURED_RANGE[quantity]
                value = self._number(f"{name}.{quantity}", reading, Decimal(least), Decimal(most))
                if value is not None:
                    values[quantity] = value
        return MappingProxyType(values)


def read_answer(symptom: Symptom, word: object) -> Answer | None:
    """The answer that `word` means on the symptom's scale; None when it means nothing there."""
    if word == UNKNOWN.code:
        return UNKNOWN
    if symptom.scale is Scale.PRESENCE:
        if isinstance(word, bool):
            return Presence.YES if word else Presence.NO
        return Presence[word.upper()] if isinstance(word, str) and word in PRESENCE_CODES else None
    return Severity[word.upper()] if isinstance(word, str) and word in SEVERITY_CODES else None

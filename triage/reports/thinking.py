"""The thinking check: what is asked, and what of the answers is right. No database and no form.

The ten points of the ICE score as somebody can do them alone or with a caregiver who reads aloud: year, month, town,
hospital; three pictured objects; one instruction; one sentence; counting back from 100 by ten. An answer that was not
given, or that nobody can judge because no town or hospital is on file, is never right.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from triage.rules.catalogue import THINKING_CHECK_POINTS
from triage.rules.report import ThinkingCheck

ITEMS = tuple(THINKING_CHECK_POINTS)
"""The steps of the check, in the order in which they are asked."""

INTRO = "thinking"
START, DECLINE, AWAY = "start", "decline", "away"
STOP, SKIP = "stop", "skip"
PRESSED = "pressed"
"""The key of a step's answers that says which button ended it, where it was not "Continue"."""
SPOKEN = "_language"
"""The key that says in which language the step was asked, where it was not English."""

MARKS: Mapping[str, tuple[str, ...]] = {
    "orientation": ("year", "month", "town", "hospital"),
    "naming": ("picture_1", "picture_2", "picture_3"),
    "command": ("shape",),
    "writing": ("sentence",),
    "attention": ("counting",),
}
"""The answers of each item; each right one is a point."""

SHAPES = ("circle", "square", "triangle", "star")
LANGUAGE = "en"
ANSWER_LENGTH = 500

Answers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Picture:
    """One drawing and what it may be called."""

    number: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class PictureSet:
    """What is asked together: three drawings, and the shape that is to be pressed."""

    shape: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Words:
    """The check in one language."""

    language: str
    sentence: str
    small: frozenset[str]
    weak: frozenset[str]
    months: tuple[frozenset[str], ...]
    sets: tuple[PictureSet, ...]


@cache
def words(language: str = LANGUAGE) -> Words:
    """The words of that language. Raises FileNotFoundError where there are none."""
    data = tomllib.loads(files("triage.reports").joinpath(f"thinking_{language}.toml").read_text("utf-8"))
    return Words(
        language=language,
        sentence=data["sentence"],
        small=frozenset(data["small_words"]),
        weak=frozenset(data["weak_words"]),
        months=tuple(frozenset(names) for names in data["months"]),
        sets=tuple(
            PictureSet(one["shape"], tuple(Picture(each["picture"], tuple(each["names"])) for each in one["pictures"]))
            for one in data["sets"]
        ),
    )


@dataclass(frozen=True)
class Place:
    """What is right for one person: names of the town where they stay and of the hospital that looks after them."""

    towns: tuple[str, ...] = ()
    hospitals: tuple[str, ...] = ()
    zone: str = "UTC"


@dataclass(frozen=True)
class Asked:
    """The thinking check of one patient at one moment."""

    due: bool
    """Whether it is asked whatever is reported."""
    place: Place
    at: datetime
    language: str = LANGUAGE
    """In which it is asked: that of the page."""
    able: frozenset[str] | None = None
    """The marks that were right in the person's own baseline; None where none counts."""


@dataclass(frozen=True)
class Scored:
    """A check with its answers as typed. `right` holds the marks that gave a point."""

    check: ThinkingCheck
    right: frozenset[str]
    answers: Mapping[str, str]
    language: str = LANGUAGE


def names_in(text: str) -> tuple[str, ...]:
    """The names that an administrator divided by commas."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def set_of(at: datetime, zone: str) -> int:
    """The number of the set that is asked at that moment: another one each morning and each noon."""
    local = at.astimezone(ZoneInfo(zone))
    return (local.toordinal() * 2 + (local.hour >= 12)) % len(words().sets)


def read_set(text: object) -> int:
    """The number of the set that a page was printed with; the first for what is none."""
    typed = str(text or "")
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 3 else 0
    return number if number < len(words().sets) else 0


def next_item(answers: Answers) -> str | None:
    """The item to ask after those answers; None when the check is not begun, or over."""
    if answers.get(INTRO, {}).get(PRESSED) != START:
        return None
    for item in ITEMS:
        if item not in answers:
            return item
        if answers[item].get(PRESSED) == STOP:
            return None
    return None


def is_ahead(item: str, answers: Answers) -> bool:
    """Whether the item is answered or still to come: nobody declined the check, or stopped before it."""
    if answers.get(INTRO, {}).get(PRESSED, START) != START:
        return False
    return not any(answers.get(one, {}).get(PRESSED) == STOP for one in ITEMS[: ITEMS.index(item)])


def scored(answers: Answers, place: Place, at: datetime) -> Scored | None:
    """What the answers make of the check; None where nobody was asked, or the person was not there. Day and month are
    held against the moment at which they were typed, else against `at`."""
    choice = answers.get(INTRO, {}).get(PRESSED)
    if choice == DECLINE:
        return Scored(ThinkingCheck(MappingProxyType({}), declined=True), frozenset(), {})
    if choice != START:
        return None
    points: dict[str, int] = {}
    right: set[str] = set()
    typed: dict[str, str] = {}
    language = LANGUAGE
    for item in ITEMS:
        given = answers.get(item)
        if given is None or given.get(PRESSED) == STOP:
            break
        language = _spoken(given)
        if given.get(PRESSED) == SKIP:
            continue
        found = {mark for mark in MARKS[item] if _is_right(mark, given, place, at)}
        points[item] = len(found)
        right |= found
        typed |= {mark: text for mark in MARKS[item] if (text := _text(given.get(mark)))}
        if "set" in given:
            typed["set"] = str(read_set(given["set"]) + 1)
    over = len(points) < len(ITEMS) and not any(answers.get(item, {}).get(PRESSED) == SKIP for item in ITEMS)
    if over and len(right) == sum(len(MARKS[item]) for item in points):
        points = {}  # stopped, and nothing was wrong so far: points that were never tried for would look like a fall
    check = ThinkingCheck(MappingProxyType(points), abandoned=not points)
    if typed and language != LANGUAGE:
        typed["language"] = language
    return Scored(check, frozenset(right), typed, language)


def _spoken(given: Mapping[str, Any]) -> str:
    return str(given.get(SPOKEN) or LANGUAGE)


def reference(before: Collection[str], now: Collection[str]) -> int:
    """The own points to hold a check against: what the person could do before, and whatever they can do now. So a new
    right answer never hides that another one was lost. Pictures are counted, since they differ each time."""
    pictures = set(MARKS["naming"])
    named = max(len(pictures & set(before)), len(pictures & set(now)))
    return len((set(before) | set(now)) - pictures) + named


def _text(value: object) -> str:
    return str(value or "").strip()[:ANSWER_LENGTH]


def _is_right(mark: str, given: Mapping[str, Any], place: Place, at: datetime) -> bool:
    typed = _text(given.get(mark))
    if not typed:
        return False
    known = words(_spoken(given))
    asked = known.sets[read_set(given.get("set"))]
    if mark == "year":
        return typed in {str(day.year) for day in _days(given, place, at)}
    if mark == "month":
        return any(_plain(typed) in known.months[day.month - 1] for day in _days(given, place, at))
    if mark == "town":
        return is_place(typed, place.towns, known)
    if mark == "hospital":
        return is_place(typed, place.hospitals, known)
    if mark.startswith("picture_"):
        return is_named(typed, asked.pictures[int(mark[-1]) - 1].names, known)
    if mark == "shape":
        return typed == asked.shape
    if mark == "sentence":
        return is_sentence(typed, known.sentence)
    return counts_back(typed)


def _days(given: Mapping[str, Any], place: Place, at: datetime) -> set[date]:
    """Today, where the person is. Within an hour after midnight yesterday is right, too."""
    typed_at = given.get("_at")
    moment = datetime.fromisoformat(typed_at) if isinstance(typed_at, str) else at
    zone = ZoneInfo(place.zone)
    return {(moment - back).astimezone(zone).date() for back in (timedelta(), timedelta(hours=1))}


def _plain(text: str) -> str:
    """Lower case, without accents and punctuation, single spaces."""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return " ".join(re.sub(r"[^\w\s]|_", " ", bare.casefold().replace("'", "").replace("’", "")).split())


def is_named(typed: str, names: Iterable[str], known: Words | None = None) -> bool:
    """Whether somebody wrote one of these names; `known` are the words of the language, else of English."""
    small = (known or words()).small
    said = _without(_plain(typed), small)
    return any(_alike(said, _without(_plain(name), small)) for name in names)


def is_place(typed: str, names: Iterable[str], known: Words | None = None) -> bool:
    """Whether somebody wrote one of these names, or the telling part of one. Without names nothing is right."""
    known = known or words()
    said = _without(_plain(typed), known.small)
    if not said:
        return False
    for name in names:
        full = _without(_plain(name), known.small)
        if _alike(said, full):
            return True
        parts = full.split()
        telling = [word for word in said.split() if word not in known.weak]
        if telling and all(any(_alike(word, part) for part in parts) for word in telling):
            return True
        initials = "".join(part[0] for part in _plain(name).split())
        if len(initials) > 2 and said.replace(" ", "") == initials:
            return True
    return False


def is_sentence(typed: str, sentence: str) -> bool:
    """Whether it is that sentence, but for two slips of a finger. A missing, wrong or doubled word is more."""
    said, wanted = _plain(typed), _plain(sentence)
    return len(said.split()) == len(wanted.split()) and _slips(said, wanted) <= 2


def counts_back(typed: str) -> bool:
    """Whether the numbers go from 100 (or 90) down to 10 (or 0) by ten, without a mistake."""
    numbers = [int(number) for number in re.findall(r"\d{1,3}", typed)]
    row = list(range(100, -1, -10))
    right = [row[begin:end] for begin in (0, 1) for end in (len(row), len(row) - 1)]
    digits = re.sub(r"\D", "", typed)
    return numbers in right or (len(digits) > 15 and digits in {"".join(map(str, one)) for one in right})


def _without(text: str, small: Collection[str]) -> str:
    return " ".join(word for word in text.split() if word not in small)


def _alike(said: str, wanted: str) -> bool:
    """The same word but for a slip of the finger, where it is long enough that a slip makes no other word."""
    allowed = 0 if len(wanted) < 6 else 1 if len(wanted) < 10 else 2
    return _slips(said, wanted) <= allowed


def _slips(one: str, other: str) -> int:
    """How many letters are wrong, missing, too many, or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        current = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, row = row, current
    return row[-1]

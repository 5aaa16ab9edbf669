"""Two thousand random edits of the shipped rule files: each loads, or gives mistakes with their places."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator

import pytest

from triage.paths import folder
from triage.rules.loading import (
    CATALOGUE,
    RESPONSE,
    SOURCES,
    RuleError,
    RuleFileErrors,
    holds_rules,
    load_texts,
    read_folder,
)

FILES = read_folder(folder("rules"))
BASE = {name: FILES[name] for name in (CATALOGUE, SOURCES, RESPONSE)}
SMALL = min(filter(holds_rules, FILES), key=lambda name: len(FILES[name]))
WORDS = sorted({word for text in FILES.values() for word in re.findall(r"[a-z_]{3,}", text)})
TRICKS = (
    *(
        "&a",
        "*a",
        "!!python/object:os.system",
        "<<: *a",
        "---",
        "...",
        "%YAML 1.1",
        "\t",
        "{",
        "}",
        "[",
        "]",
        "|",
        ">-",
    ),
    *("9" * 40, "1e999", ".nan", "-0", "0x1F", "2026-13-45", "null", "~", "yes", "'", '"', "\u202e", "\x07", "\ufeff"),
    *("not: ", "id: ", "? ", ": ", "# ", "38.0", "38.0 C", "0-28", "48h", "{emergency_number}", "{0.__class__}"),
)
PARTS, OF_EACH = 8, 250
pytestmark = pytest.mark.no_cover  # what the loader can say is covered by the tests that expect it


def edited(text: str, chance: random.Random) -> str:
    """One to three edits as slips of the hand, of the keyboard or of ill will."""
    for _ in range(chance.randint(1, 3)):
        lines = text.split("\n")
        number = chance.randrange(len(lines))
        line = lines[number]
        place = chance.randint(0, len(line))
        match chance.randrange(9):
            case 0:
                del lines[number]
            case 1:
                lines.insert(number, line)
            case 2:
                other = chance.randrange(len(lines))
                lines[number], lines[other] = lines[other], line
            case 3:
                lines[number] = " " * chance.randint(0, 8) + line.lstrip()
            case 4:
                lines[number] = re.sub(r"[\w.]+", chance.choice(WORDS), line, count=1)
            case 5:
                lines[number] = line[:place] + chance.choice(TRICKS) + line[place:]
            case 6:
                lines[number] = line[:place] + line[place + 1 :]
            case 7:
                lines[number] = re.sub(r"\d+", str(chance.choice([0, 1, 99, 10**9])), line, count=1)
            case _:
                lines = lines[: number + 1]
        text = "\n".join(lines) or " "
    return text


def edits(part: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(part)
    for _ in range(OF_EACH):
        name = chance.choice(sorted(FILES))
        yield name, edited(FILES[name] if name in BASE else some_rules(FILES[name], chance), chance)


def some_rules(text: str, chance: random.Random) -> str:
    """Three rules that follow each other in their file: reading a text takes as long as it is, and a slip in one rule
    does not reach far."""
    head, *rules = re.split(r"^(?=- id: )", text, flags=re.MULTILINE)
    first = chance.randrange(max(len(rules) - 2, 1))
    return head + "".join(rules[first : first + 3])


@pytest.mark.parametrize("part", range(PARTS))
def test_an_edit_loads_or_gives_mistakes_with_their_places(part: int) -> None:
    outcomes = [mistakes(name, text) for name, text in edits(part)]
    for error in [error for outcome in outcomes for error in outcome]:
        assert error.place.file in FILES, error
        assert min(error.place.line, error.place.column) >= 1, error
        assert 0 < len(error.message.strip()) < 1000, error
    assert 0 < sum(map(bool, outcomes)) < OF_EACH


def mistakes(name: str, text: str) -> list[RuleError]:
    """Of the edited file beside those that it needs; nothing where it loads."""
    rules = {SMALL: FILES[SMALL]} if not holds_rules(name) else {}
    try:
        load_texts({**BASE, **rules, name: text})
    except RuleFileErrors as errors:
        assert errors.errors  # noqa: PT017
        return errors.errors
    return []


BOMB = "a: &a [x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "anchors"),
        ("- id: one\n  id: two\n", "stands twice"),
        ("- !!python/object:os.system x\n", "tags"),
        ("- id: x # " + "y" * 10_000_000, "is larger than"),
        ("[" * 5_000, "levels inside each other"),
    ],
)
def test_tricks_are_refused_at_once_with_a_reason(text: str, why: str) -> None:
    began = time.monotonic()
    with pytest.raises(RuleFileErrors, match=why):
        load_texts({**BASE, "tricks.yaml": text})
    assert time.monotonic() - began < 20  # a bomb would take hours; this is no measurement

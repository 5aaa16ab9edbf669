"""YAML text → plain data, and where each part of it stands.

ruamel.yaml cuts the text into pieces; what a rule file may hold of YAML 1.2 is decided here. Anchors, aliases, tags and
directives are mistakes, so that each rule can be read alone and "yes" and "no" stay words. Nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from triage.rules.ruleset import Place

Loc = tuple[str | int, ...]
"""A way into the data: keys and positions in lists."""

MOST_CHARACTERS = 262_144
DEEPEST = 40
"""Levels of lists and keys inside each other; the deepest rule of sense needs half of that."""

_UNSEEN = re.compile(
    "[^\t\n\x20-\x7e\xa0-\xac\xae-\u200a\u200c\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, half characters, rare line breaks and marks that turn the direction of writing: what a reader
cannot see must not decide anything."""

_WHOLE = re.compile(r"[-+]?[0-9]{1,15}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,15}|[0-9]{1,15}\.[0-9]{0,15})")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}

_PLAIN_WORDS = (
    ("character '\\t'", "a tab stands where only spaces may: indent with spaces"),
    ("mapping values are not allowed", "a colon stands where none may: put a text that holds “: ” in quotes"),
    ("expected <block end>", "this line does not fit those above it: check how far it is indented"),
    ("expected ',' or '}'", "the brace { is not closed, or a comma is missing"),
    ("expected ',' or ']'", "the bracket [ is not closed, or a comma is missing"),
    ("could not find expected ':'", "a colon is missing after a key"),
    ("found unexpected end of stream", "a quotation mark is not closed"),
    ("that cannot start any token", "put a text that begins with this character in quotes"),
    ("expected a single document", "“---” may not divide a file: put all into one list"),
    ("non-comment content after document end", "nothing may follow “...”, which ends a file"),
    (
        "expected '<document start>'",
        "this does not continue what stands above: check for a dash too few, or a lost line",
    ),
    ("expected <block mapping start>", "this line does not fit those above it: check how far it is indented"),
    ("expected the node content", "a value is missing here, or a comma or bracket is too many"),
    ("sequence entries are not allowed", "a dash may not begin a text: put the text in quotes"),
    ("expected a comment or a line break", "after | or > the text begins on the next line"),
    ("chomping or indentation indicator", "after | or > the text begins on the next line"),
    ("indentation indicator", "after | or > the text begins on the next line"),
    ("found unknown escape character", "in double quotes a backslash means something else: use single quotes"),
    ("expected escape sequence", "in double quotes a backslash means something else: use single quotes"),
    ("found unexpected document separator", "a quotation mark is not closed"),
    ("mapping keys are not allowed", "a question mark may not begin a text: put the text in quotes"),
)
_UNREADABLE = (
    "from here on the text cannot be read: check the dashes, colons, brackets and quotation marks, "
    "also in the line above"
)


class Tree:
    """A file as plain data (dict, list, str, int, float, bool, None) with its places. Keys are always text."""

    def __init__(self, name: str, data: Any = None, *, readable: bool = True) -> None:
        self.name = name
        self.data = data
        self.readable = readable
        self.places: dict[Loc, tuple[Place, Place]] = {}
        """Way → place of the key, place of the value."""

    def place(self, loc: Loc, *, key: bool = False) -> Place:
        """Where `loc` stands: its value, or its key with `key`; the nearest part around it when it is missing."""
        end = len(loc)
        while end and loc[:end] not in self.places:
            end -= 1
        at_key, at_value = self.places.get(loc[:end], (Place(self.name, 1, 1),) * 2)
        return at_key if key or end < len(loc) else at_value


def read_tree(name: str, text: str, note: Callable[[Place, str], None]) -> Tree:
    """The text as a tree; each mistake goes to `note`. What cannot be read at all gives a tree that is not readable."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MOST_CHARACTERS:
        note(Place(name, 1, 1), f"is larger than {MOST_CHARACTERS // 1024} KB: divide it into several files")
        return Tree(name, readable=False)
    unseen = _UNSEEN.search(text)
    if unseen:
        line = text.count("\n", 0, unseen.start()) + 1
        column = unseen.start() - text.rfind("\n", 0, unseen.start())
        note(Place(name, line, column), f"the invisible character U+{ord(unseen[0]):04X} may not stand in a rule file")
        return Tree(name, readable=False)
    reader = _Reader(name, note)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            reader.take(event)
    except _Stop:
        return Tree(name, readable=False)
    except MarkedYAMLError as error:
        _note_error(name, error, note)
        return Tree(name, readable=False)
    except (YAMLError, ValueError, LookupError, AttributeError, TypeError, AssertionError):
        # ruamel.yaml lets some of its own slips out for texts that are far from YAML.
        note(reader.last, _UNREADABLE)
        return Tree(name, readable=False)
    return reader.tree


def _note_error(name: str, error: MarkedYAMLError, note: Callable[[Place, str], None]) -> None:
    problem, context = str(error.problem or ""), str(error.context or "")
    at = error.problem_mark or error.context_mark
    place = Place(name, at.line + 1, at.column + 1) if at else Place(name, 1, 1)
    message = next((words for part, words in _PLAIN_WORDS if part in problem), _UNREADABLE)
    if "directive" in context:
        message = "a line that begins with % is not allowed"
    opened = error.context_mark
    if (
        opened
        and opened is not at
        and (opened.line, opened.column) != (at.line, at.column)
        and re.search("flow|quoted", context)
    ):
        message += f" (opened at line {opened.line + 1}, column {opened.column + 1})"
    note(place, message)


class _Stop(Exception):
    """What follows cannot be understood; the mistake has been noted."""


class _Reader:
    """Builds the tree from the events of one document."""

    def __init__(self, name: str, note: Callable[[Place, str], None]) -> None:
        self.tree = Tree(name)
        self.note = note
        self.last = Place(name, 1, 1)
        self.open: list[dict[str, Any] | list[Any]] = []
        self.loc: list[str | int] = []
        self.key: tuple[str, Place] | None = None
        """The key of the innermost mapping whose value comes next."""
        self.documents = 0

    def take(self, event: Event) -> None:
        mark = event.start_mark
        self.last = place = Place(self.tree.name, mark.line + 1, mark.column + 1)
        match event:
            case DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    self.stop(place, "“---” may not divide a file: put all into one list")
                if event.version or event.tags:
                    self.stop(Place(self.tree.name, 1, 1), "a line that begins with % is not allowed")
            case AliasEvent():
                self.stop(place, _ANCHORS)
            case MappingStartEvent() | SequenceStartEvent():
                self.check(event, place)
                if len(self.open) >= DEEPEST:
                    self.stop(place, f"more than {DEEPEST} levels inside each other")
                value: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
                self.put(value, place)
                self.open.append(value)
            case MappingEndEvent() | SequenceEndEvent():
                self.open.pop()
                if self.loc:
                    self.loc.pop()
            case ScalarEvent():
                self.check(event, place)
                if self.open and isinstance(self.open[-1], dict) and self.key is None:
                    self.key = (event.value, place)
                else:
                    plain = bool(event.implicit and event.implicit[0])
                    self.put(_value(event.value) if plain else event.value, place)

    def check(self, event: MappingStartEvent | SequenceStartEvent | ScalarEvent, place: Place) -> None:
        if event.anchor:
            self.stop(place, _ANCHORS)
        if event.tag and not (event.tag == "!" and isinstance(event, ScalarEvent) and event.style):
            self.stop(place, "tags (!) are not allowed: put a text that begins with “!” in quotes")

    def stop(self, place: Place, message: str) -> NoReturn:
        self.note(place, message)
        raise _Stop

    def put(self, value: Any, place: Place) -> None:
        """The value goes where it belongs; a mapping or list becomes the innermost open one."""
        container = isinstance(value, dict | list)
        if not self.open:
            self.tree.data = value
            self.tree.places[()] = (place, place)
            return
        parent = self.open[-1]
        if isinstance(parent, list):
            step: str | int = len(parent)
            parent.append(value)
            at_key = place
        elif self.key is None:
            self.stop(place, "a key must be a word")
        else:
            step, at_key = self.key
            self.key = None
            if step in parent:
                first = self.tree.places[(*self.loc, step)][0]
                self.note(at_key, f"“{step}” stands twice, first at {first}")
            else:
                parent[step] = value
        # A key whose value is a list or mapping, or missing, is where people look; the value may begin lines below.
        where = (at_key, at_key if container or value is None else place)
        self.tree.places.setdefault((*self.loc, step), where)
        if container:
            self.loc.append(step)


_ANCHORS = "anchors (&) and aliases (*) are not allowed: write it out, so that each rule can be read alone"


def _value(text: str) -> Any:
    """What a plain word means in YAML 1.2. A number of no sense (too long, hexadecimal, infinite) stays text, and so
    does a date."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text

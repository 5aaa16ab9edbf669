"""Changes in the text of a rule file that leave every other character where it is: comments, order and line ends.

Writing the whole file anew from its data (ruamel's round trip) keeps comments too, but turns lists, quotes and line
breaks into its own form, and a clinician who changed one number would be shown a difference of many lines. So ruamel
says where each value stands, and only that piece of the text is replaced.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from triage.rules.loading import holds_rules, tree_of
from triage.rules.tree import Loc, read_tree

LONGEST_LINE = 118
_PLAIN = re.compile(r"[a-zA-Z][\w.;()/+ -]*|\d+-\d*", re.ASCII)
_NOT_WORDS = ("null", "true", "false")


@dataclass(frozen=True)
class Piece:
    """Characters `start` to `end` of a text, and what comes in their place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class WrittenRule:
    """A rule as it stands in its file."""

    file: str
    number: int
    """Its position in the file, from 0."""
    data: Mapping[str, Any]
    text: str
    """Of the whole file."""

    @property
    def applies_to(self) -> dict[str, Any]:
        """Whom it concerns, as far as that can be read: a draft may hold mistakes."""
        data = self.data.get("applies_to")
        found = dict(data) if isinstance(data, Mapping) else {}
        if "therapies" in found and not isinstance(found["therapies"], list):
            found["therapies"] = []
        return found

    def changed(self, texts: Mapping[str, str], scalars: Mapping[Loc, str]) -> str:
        """The text of the file with other values. `texts`: keys of the rule whose value is a sentence (an empty one
        takes the key away); `scalars`: words and numbers by their way into the rule, written as given."""
        rule = self._node()
        pieces = [_text_piece(self.text, rule, key, value) for key, value in texts.items() if self._differs(key, value)]
        pieces += [_scalar_piece(self.text, _walk(rule, way), value) for way, value in scalars.items()]
        return _apply(self.text, [piece for piece in pieces if piece])

    def with_applies_to(self, applies_to: Mapping[str, Any]) -> str:
        """The text of the file with another `applies_to`; an empty one takes the key away."""
        rule, written = self._node(), flow(applies_to)
        found = _entry(rule, "applies_to")
        if found is None:
            return _apply(self.text, [_new_key(self.text, rule, f"applies_to: {written}")] if applies_to else [])
        key, value = found
        if not applies_to:
            return _apply(self.text, [_without(self.text, key.start_mark.index, _end(self.text, value))])
        return _apply(self.text, [Piece(value.start_mark.index, _end(self.text, value), written)])

    def with_case_moved(self, fires: bool, number: int) -> str:
        """The text of the file with that example on the other side: what it should make the rule do is turned round.

        Raises LookupError where there is no such example.
        """
        here, there = (_side(self._node(), side) for side in (_name(fires), _name(not fires)))
        item = here.value[number]
        written = self.text[item.start_mark.index : _end(self.text, item)]
        if "\n" in written or not isinstance(item, MappingNode) or not item.flow_style:
            written = flow(self.data["cases"][_name(fires)][number])
        return _apply(self.text, [_without_item(self.text, here, number), _with_item(self.text, there, written)])

    def with_case(self, fires: bool, data: Mapping[str, Any]) -> str:
        """The text of the file with one more example."""
        return _apply(self.text, [_with_item(self.text, _side(self._node(), _name(fires)), flow(data))])

    def _differs(self, key: str, value: str) -> bool:
        return " ".join(str(self.data.get(key, "")).split()) != " ".join(value.split())

    def _node(self) -> MappingNode:
        node: MappingNode = _composed(self.text).value[self.number]
        return node


@lru_cache(maxsize=8)
def _composed(text: str) -> Node:
    """Where each value of a text stands. One form asks several times for the same file; nobody changes a node."""
    node: Node = YAML(typ="safe", pure=True).compose(text)
    return node


def find(files: Mapping[str, str], rule_id: str) -> WrittenRule:
    """Where that rule is written. Raises LookupError where it is in no file that can be read."""
    for name in sorted(files):
        if not holds_rules(name) or rule_id not in files[name]:
            continue
        tree, _ = tree_of(name, files[name])
        if tree.readable and isinstance(tree.data, list):
            for number, data in enumerate(tree.data):
                if isinstance(data, dict) and data.get("id") == rule_id:
                    return WrittenRule(name, number, data, files[name])
    raise LookupError(rule_id)


def flow(data: Any) -> str:
    """Data on one line, as it stands in rule files: `{days_since_therapy: 5, symptoms: {chills: mild}}`."""
    match data:
        case Mapping():
            return "{" + ", ".join(f"{flow(key)}: {flow(value)}" for key, value in data.items()) + "}"
        case str():
            plain = _PLAIN.fullmatch(data) and data == data.strip() and data.lower() not in _NOT_WORDS
            return data if plain else json.dumps(data, ensure_ascii=False)
        case Sequence():
            return "[" + ", ".join(flow(value) for value in data) + "]"
        case _:
            return json.dumps(data)


# --- where things stand


def _walk(node: Node, way: Loc) -> Node:
    for step in way:
        if isinstance(node, SequenceNode) and isinstance(step, int):
            node = node.value[step]
        else:
            found = _entry(node, str(step)) if isinstance(node, MappingNode) else None
            if found is None:
                raise LookupError(".".join(map(str, way)))
            node = found[1]
    return node


def _entry(node: MappingNode, key: str) -> tuple[ScalarNode, Node] | None:
    return next(((name, value) for name, value in node.value if name.value == key), None)


def _side(rule: MappingNode, side: str) -> SequenceNode:
    node = _walk(rule, ("cases", side))
    if not isinstance(node, SequenceNode):
        raise LookupError(side)
    return node


def _name(fires: bool) -> str:
    return "fires" if fires else "stays_quiet"


def _end(text: str, node: Node) -> int:
    """Where the value itself ends. The end of a block reaches to the next token, past comments that are not its own."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    start: int = node.start_mark.index
    return start + len(text[start : node.end_mark.index].rstrip())


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


# --- what comes in their place


def _text_piece(text: str, rule: MappingNode, key: str, value: str) -> Piece | None:
    value = " ".join(value.split())
    found = _entry(rule, key)
    indent = rule.start_mark.column
    if found is None:
        return _new_key(text, rule, f"{key}: {_sentence(value, indent, len(key) + 2)}") if value else None
    name, node = found
    start, end = node.start_mark.index, _end(text, node)
    if not value:
        return _without(text, name.start_mark.index, end)
    return Piece(start, end, _sentence(value, indent, len(key) + 2))


def _scalar_piece(text: str, node: Node, value: str) -> Piece:
    return Piece(node.start_mark.index, _end(text, node), value)


def _sentence(value: str, indent: int, before: int) -> str:
    """A sentence on its line if it fits there, else folded below its key."""
    written = flow(value) if not _readable_plain(value) else value
    if indent + before + len(written) <= LONGEST_LINE:
        return written
    pad = " " * (indent + 2)
    lines = textwrap.wrap(value, LONGEST_LINE - len(pad), break_long_words=False, break_on_hyphens=False)
    return ">-\n" + "\n".join(pad + line for line in lines)


def _readable_plain(value: str) -> bool:
    """Whether YAML reads the bare words as that very text, in a block and at the end of a line."""
    tree = read_tree("", f"- key: {value}\n", lambda place, message: None)
    return bool(tree.readable and tree.data == [{"key": value}])


def _new_key(text: str, rule: MappingNode, line: str) -> Piece:
    """A key of its own line, before the examples, or right after the urgency for whom the rule concerns."""
    indent = " " * rule.start_mark.column
    urgency = _entry(rule, "urgency")
    if line.startswith("applies_to") and urgency is not None:
        at = text.find("\n", urgency[1].end_mark.index)
        at = len(text) if at < 0 else at
        return Piece(at, at, f"\n{indent}{line}")
    cases = _entry(rule, "cases")
    if cases is None:
        at = _end(text, rule)
        return Piece(at, at, f"\n{indent}{line}")
    at = _line_start(text, cases[0].start_mark.index)
    return Piece(at, at, f"{indent}{line}\n")


def _without(text: str, start: int, end: int) -> Piece:
    """Takes the characters away, and their lines where nothing else stands there; a remark stays."""
    first, after = _line_start(text, start), text.find("\n", end)
    after = len(text) if after < 0 else after + 1
    if not text[first:start].strip() and not text[end:after].strip():
        return Piece(first, after, "")
    return Piece(start, end, "")


def _without_item(text: str, items: SequenceNode, number: int) -> Piece:
    item = items.value[number]
    if items.flow_style or len(items.value) == 1:
        return _as_flow(text, items, [*_written(text, items, skip=number)])
    start = _line_start(text, item.start_mark.index)
    end = text.find("\n", _end(text, item))
    return Piece(start, len(text) if end < 0 else end + 1, "")


def _with_item(text: str, items: SequenceNode, written: str) -> Piece:
    if items.flow_style:
        return _as_flow(text, items, [*_written(text, items), written])
    last = items.value[-1]
    end = text.find("\n", _end(text, last))
    dash = " " * (items.start_mark.column) + "- "
    if end < 0:
        return Piece(len(text), len(text), f"\n{dash}{written}")
    return Piece(end + 1, end + 1, f"{dash}{written}\n")


def _written(text: str, items: SequenceNode, skip: int = -1) -> Iterator[str]:
    for number, item in enumerate(items.value):
        if number != skip:
            yield text[item.start_mark.index : _end(text, item)]


def _as_flow(text: str, items: SequenceNode, written: list[str]) -> Piece:
    """The list in brackets; in a block, that is what its last item leaves behind."""
    return Piece(items.start_mark.index, _end(text, items), f"[{', '.join(written)}]")


def _apply(text: str, pieces: Sequence[Piece]) -> str:
    for piece in sorted(pieces, key=lambda piece: (piece.start, piece.end), reverse=True):
        text = text[: piece.start] + piece.text + text[piece.end :]
    return text

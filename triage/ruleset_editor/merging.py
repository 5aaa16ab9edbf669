"""Two changes of one text, put together line by line: what only one of them changed is theirs, whoever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class _Hunk:
    """Lines `first` up to `end` of the base, and what stands in their place."""

    first: int
    end: int
    lines: tuple[str, ...]


def merged_files(
    base: Mapping[str, str], mine: Mapping[str, str], theirs: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The files with the changes of both, and the names of those in which both changed the same lines.

    A file that one of them made or took away, while the other changed it too, is mine as a whole.
    """
    files: dict[str, str] = {}
    clashing: list[str] = []
    for name in sorted({*base, *mine, *theirs}):
        was, my, their = base.get(name), mine.get(name), theirs.get(name)
        if was is not None and my is not None and their is not None:
            text: str | None
            text, clash = merged(was, my, their)
        else:
            text, clash = (their, False) if my == was else (my, their not in (was, my))
        if clash:
            clashing.append(name)
        if text is not None:
            files[name] = text
    return files, clashing


def merged(base: str, mine: str, theirs: str) -> tuple[str, bool]:
    """The text with the changes of both, and whether both changed the same lines, or lines next to each other, in two
    ways: there it is mine."""
    lines = base.splitlines(keepends=True)
    my, their = list(_hunks(lines, mine)), list(_hunks(lines, theirs))
    found: list[str] = []
    at, clash = 0, False
    while my or their:
        first = min(hunk.first for hunk in (*my[:1], *their[:1]))
        ours, others, end = _group(my, their, first)
        found += lines[at:first]
        chosen = ours or others
        if ours and others and _replaced(lines, first, end, ours) != _replaced(lines, first, end, others):
            clash = True
        found += _replaced(lines, first, end, chosen)
        at = end
    return "".join(found + lines[at:]), clash


def _hunks(base: Sequence[str], changed: str) -> Iterator[_Hunk]:
    lines = changed.splitlines(keepends=True)
    for tag, first, end, a, b in SequenceMatcher(None, base, lines).get_opcodes():
        if tag != "equal":
            yield _Hunk(first, end, tuple(lines[a:b]))


def _group(my: list[_Hunk], their: list[_Hunk], first: int) -> tuple[list[_Hunk], list[_Hunk], int]:
    """Takes from both lists the hunks that touch each other, from `first` on, and says where they end."""
    taken: tuple[list[_Hunk], list[_Hunk]] = ([], [])
    end = first
    while True:
        for side, hunks in zip(taken, (my, their), strict=True):
            if hunks and hunks[0].first <= end:
                end = max(end, hunks[0].end)
                side.append(hunks.pop(0))
                break
        else:
            return *taken, end


def _replaced(base: Sequence[str], first: int, end: int, hunks: Sequence[_Hunk]) -> list[str]:
    """Lines `first` up to `end` of the base, with those changes."""
    found: list[str] = []
    for hunk in hunks:
        found += [*base[first : hunk.first], *hunk.lines]
        first = hunk.end
    return [*found, *base[first:end]]

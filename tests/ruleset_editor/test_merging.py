"""What two people change in one text at once is put together; where both changed the same lines, they are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.ruleset_editor.merging import merged, merged_files

BASE = "one\ntwo\nthree\nfour\nfive\n"


@pytest.mark.parametrize(
    ("mine", "theirs", "together", "clash"),
    [
        (BASE, BASE, BASE, False),
        (BASE.replace("two", "2"), BASE, BASE.replace("two", "2"), False),
        (BASE, BASE.replace("two", "2"), BASE.replace("two", "2"), False),
        (BASE.replace("two", "2"), BASE.replace("four", "4"), "one\n2\nthree\n4\nfive\n", False),
        (BASE.replace("two\n", ""), BASE + "six\n", "one\nthree\nfour\nfive\nsix\n", False),
        (BASE.replace("two", "2"), BASE.replace("two", "2"), BASE.replace("two", "2"), False),
        (BASE.replace("two", "2"), BASE.replace("two", "II"), BASE.replace("two", "2"), True),
        (BASE.replace("two", "2"), BASE.replace("two\nthree", "II\nIII"), BASE.replace("two", "2"), True),
        (BASE.replace("two", "2"), BASE.replace("three", "III"), BASE.replace("two", "2"), True),
        (BASE + "mine\n", BASE + "theirs\n", BASE + "mine\n", True),
        ("", BASE.replace("two", "2"), "", True),
    ],
)
def test_lines_of_both(mine, theirs, together, clash):
    assert merged(BASE, mine, theirs) == (together, clash)


def test_files_that_one_of_them_made_or_took_away():
    base = {"a": "a\n", "b": "b\n", "c": "c\n"}
    mine = {"a": "a\n", "b": "b\n", "c": "c, mine\n", "new": "mine\n"}
    assert merged_files(base, mine, {"a": "a\n", "c": "c\n", "theirs": "t\n"}) == (
        {"a": "a\n", "c": "c, mine\n", "new": "mine\n", "theirs": "t\n"},
        [],
    )
    assert merged_files(base, mine, {"a": "a\n", "b": "b\n"}) == ({**mine}, ["c"])
    assert merged_files(base, {"a": "a\n"}, base) == ({"a": "a\n"}, [])


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n"]), max_size=8).map("".join)


@given(base=LINES, mine=LINES, theirs=LINES)
def test_nothing_of_either_is_lost_unseen(base, mine, theirs):
    text, clash = merged(base, mine, theirs)
    other, also = merged(base, theirs, mine)
    assert clash == also
    if not clash:
        assert text == other  # whoever comes second makes no difference
    assert merged(base, mine, base) == (mine, False)
    assert merged(base, base, theirs) == (theirs, False)
    assert merged(base, mine, mine) == (mine, False)

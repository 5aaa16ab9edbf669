"""Standard codes: copied from repository to repository with wrong check digits elsewhere, so ours are tested."""

from __future__ import annotations

import pytest

from triage.paths import folder
from triage.rules.loading import load

# Code and display as verified in published guides or value sets (November 2026).
VERIFIED = {
    "422587007": "Nausea (finding)",
    "103001002": "Feeling feverish",
    "43724002": "Chill (finding)",
    "84229001": "Fatigue (finding)",
    "25064002": "Headache (finding)",
    "267036007": "Dyspnea (finding)",
    "62315008": "Diarrhea (finding)",
    "14760008": "Constipation (finding)",
    "271807003": "Eruption of skin (disorder)",
    "21522001": "Abdominal pain (finding)",
    "422400008": "Vomiting (disorder)",
    "404640003": "Dizziness (finding)",
    "24199005": "Feeling agitated (finding)",
    "91175000": "Seizure (finding)",
    "87486003": "Aphasia (finding)",
}

_TIMES = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
]
_TURN = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def check_digit_is_right(code: str) -> bool:
    """The Verhoeff check digit that ends every SNOMED CT identifier."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        value = int(digit)
        for _ in range(place % 8):
            value = _TURN[value]
        check = _TIMES[check][value]
    return check == 0


@pytest.mark.parametrize("wrong", ["62315001", "29857001", "91611006"])
def test_the_check_finds_the_wrong_codes_that_go_around(wrong):
    assert not check_digit_is_right(wrong)


def test_every_code_of_the_catalogue_is_verified_and_has_its_check_digit():
    codes = [symptom.snomed for symptom in load(folder("rules")).catalogue.symptoms.values() if symptom.snomed]

    assert len(codes) == len({code.code for code in codes}) > 10
    for code in codes:
        assert check_digit_is_right(code.code), code
        assert VERIFIED.get(code.code) == code.display, code

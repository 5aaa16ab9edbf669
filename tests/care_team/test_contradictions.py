"""Two people say different things about one patient on one day: both count, and the nurse reads that they differ."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from triage.models import Alert
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

FINE = {"temperature_c": 36.6, "confusion": "none", "tremor": "none", "tiredness": "mild"}


@pytest.fixture
def cora(make, anna):
    return make.caregiver(anna, "Cora")


def test_fine_and_not_themselves_stand_side_by_side_in_queue_and_record(make, anna, cora, pages, alice, session):
    make.report(anna, ago=timedelta(hours=3), **FINE)
    make.report(anna, by=cora, ago=timedelta(hours=1), not_themselves="yes", confusion="mild")

    told = r"Contradiction: Cora \(caregiver\), today 1\d:\d\d: not themselves, confusion mild. Anna \(patient\), today"
    row = pages(alice).get("care_team.queue").row("Anna")
    record = pages(alice).get("care_team.record", patient_id=anna.id)
    for place in (row, record):
        assert re.search(told, place.text)
        assert place.shows("nothing of that.")
    assert session.scalar(select(Alert.urgency)) is Urgency.URGENT, "the more worrying one decides"


def test_the_milder_report_may_come_last_and_lowers_nothing(make, anna, cora, pages, alice, session):
    make.report(anna, by=cora, ago=timedelta(hours=3), not_themselves="yes")
    make.report(anna, ago=timedelta(hours=1), **(FINE | {"tiredness": "none"}))

    row = pages(alice).get("care_team.queue").row("Anna")
    assert row.shows("Urgent")
    assert re.search(
        r"Cora \(caregiver\), today \S+ not themselves. Anna \(patient\), today \S+ no sign at all.", row.text
    )


@pytest.mark.parametrize(
    ("patient", "caregiver", "hours"),
    [
        ({"confusion": "mild"}, {"confusion": "moderate"}, 1),  # both see it
        ({"confusion": "none"}, {"confusion": "moderate"}, 25),  # of another day
        ({"confusion": "unknown"}, {"confusion": "moderate"}, 1),  # not known is no denial
        ({"chills": "none"}, {"confusion": "moderate"}, 1),  # was not asked
        ({"chills": "none"}, {"not_themselves": "yes"}, 1),  # nothing of that group was asked
    ],
)
def test_no_contradiction(patient, caregiver, hours, make, anna, cora, pages, alice):
    make.report(anna, ago=timedelta(hours=hours, minutes=10), **patient)
    make.report(anna, by=cora, ago=timedelta(minutes=5), **caregiver)
    assert "Contradiction" not in pages(alice).get("care_team.record", patient_id=anna.id).html


def test_one_person_who_changes_their_mind_contradicts_nobody(make, anna, pages, alice):
    make.report(anna, ago=timedelta(hours=2), confusion="none")
    make.report(anna, ago=timedelta(hours=1), confusion="mild")
    assert "Contradiction" not in pages(alice).get("care_team.queue").html

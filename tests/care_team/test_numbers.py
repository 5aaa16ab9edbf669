"""The team's numbers: each figure against a ward whose events were counted by hand."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from triage.alerts import services, work
from triage.care_team.numbers import FEW, numbers, period_of, spans, table, waits
from triage.models import Disposition
from triage.rules.urgency import Urgency

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
SOON, URGENT, EMERGENCY = Urgency.SOON, Urgency.URGENT, Urgency.EMERGENCY


def at(minutes):
    return T0 + timedelta(minutes=minutes)


def told(*events, findings=((0, URGENT),)):
    """(from, until, urgency) of each wait, in minutes."""
    found = waits([(f"{action}", at(minute)) for action, minute in events], [(at(m), u) for m, u in findings])
    minutes = [
        (
            (wait.began_at - T0).total_seconds() / 60,
            wait.ended_at and (wait.ended_at - T0).total_seconds() / 60,
            wait.urgency,
        )
        for wait in found
    ]
    return minutes


OPENED, ACKNOWLEDGED, RAISED = ("alert_opened", 0), "alert_acknowledged", "alert_raised"
REOPENED, EXPIRED, GIVEN_BACK = "alert_reopened", "alert_acknowledgement_expired", "alert_given_back"


@pytest.mark.parametrize(
    ("events", "findings", "expected"),
    [
        ([OPENED], [(0, URGENT)], [(0, None, URGENT)]),
        ([OPENED, (ACKNOWLEDGED, 7)], [(0, URGENT)], [(0, 7, URGENT)]),
        # An acknowledgement that expired, or was given back, ended nothing.
        ([OPENED, (ACKNOWLEDGED, 7), (EXPIRED, 67), (ACKNOWLEDGED, 70)], [(0, URGENT)], [(0, 70, URGENT)]),
        ([OPENED, (ACKNOWLEDGED, 7), (GIVEN_BACK, 8)], [(0, URGENT)], [(0, None, URGENT)]),
        # Raised while it waited: from then on, in the higher urgency.
        ([OPENED, (RAISED, 300), (ACKNOWLEDGED, 304)], [(0, SOON), (300, EMERGENCY)], [(300, 304, EMERGENCY)]),
        # Opened again by a finding: what was acknowledged was, and a new wait begins.
        (
            [OPENED, (ACKNOWLEDGED, 7), (REOPENED, 60), (RAISED, 60), (ACKNOWLEDGED, 63)],
            [(0, URGENT), (60, EMERGENCY)],
            [(0, 7, URGENT), (60, 63, EMERGENCY)],
        ),
        (
            [OPENED, (ACKNOWLEDGED, 7), ("resolution_taken_back", 90), (ACKNOWLEDGED, 95)],
            [(0, URGENT)],
            [(0, 7, URGENT), (90, 95, URGENT)],
        ),
    ],
)
def test_how_long_an_alert_waited_is_told_by_its_events(events, findings, expected):
    assert told(*events, findings=findings) == expected


def test_a_percentile_of_few_is_not_told():
    minutes = [timedelta(minutes=each) for each in range(1, FEW + 1)]
    few, enough = spans(minutes[:-1], unfinished=2), spans(reversed(minutes), unfinished=0, limit=minutes[4])
    assert (few.number, few.median, few.ninetieth, few.longest, few.unfinished) == (
        9,
        timedelta(minutes=5),
        None,
        timedelta(minutes=9),
        2,
    )
    assert (enough.median, enough.ninetieth, enough.within) == (timedelta(minutes=5.5), timedelta(minutes=9), 5)
    assert spans([], unfinished=0).median is None


@pytest.fixture
def ward(make, session, alice):
    """Anna since three days with two reports on one day and one on another; Berta without any; three alerts."""
    noon = make.now()
    anna = make.patient("Anna", day=5, enrolled_at=noon - timedelta(days=3))
    berta = make.patient("=SUM(Berta)", therapy=None, day=None, enrolled_at=noon - timedelta(days=2))
    yesterday = noon - timedelta(days=1)
    make.report(anna, at=yesterday - timedelta(days=1), chills="none", temperature_c=36.6)
    first = make.alert(anna, URGENT, at=yesterday)
    with make.app.app_context():
        services.acknowledge(session, first, alice, yesterday + timedelta(minutes=4))
        words = "Rang, nothing was wrong"
        services.resolve(
            session, first, alice, Disposition.NO_ACTION, words, yesterday + timedelta(minutes=34), useful=False
        )
        work.say_useful(session, first, alice, True, "", yesterday + timedelta(minutes=35))
        work.say_useful(session, first, alice, False, "", yesterday + timedelta(minutes=36))
    make.alert(berta, EMERGENCY, at=yesterday, by=make.caregiver(berta, "Cora"))
    make.alert(make.patient("Elsewhere", team=make.team("Ward B")), URGENT, at=yesterday)
    make.alert(make.patient("Today", enrolled_at=noon), URGENT, at=noon)
    session.rollback()
    return alice.care_team


def found(make, session, team, days=7):
    with make.app.app_context():
        return numbers(session, make.ruleset, team, days, make.now())


def test_reports_are_counted_against_the_days_that_expect_one(ward, make, session):
    reports = found(make, session, ward).reports
    # Anna: enrolled three days ago, so two whole days, both with a report. Berta: enrolled two days ago, one day.
    assert (reports.patients, reports.patient_days, reports.expected, reports.kept) == (2, 5, 3, 3)
    assert reports.received == 3
    assert {str(role): number for role, number in reports.by_role.items()} == {"patient": 2, "caregiver": 1}


def test_alerts_are_counted_once_and_timed_by_their_events(ward, make, session):
    by_urgency = {each.urgency: each for each in found(make, session, ward).urgencies}
    assert [by_urgency[each].opened for each in (EMERGENCY, URGENT, SOON)] == [1, 1, 0]
    assert by_urgency[URGENT].per_patient_week == pytest.approx(1 / (5 / 7))
    acknowledging = by_urgency[URGENT].acknowledging
    assert (acknowledging.number, acknowledging.median, acknowledging.within) == (1, timedelta(minutes=4), 1)
    assert by_urgency[URGENT].resolving.median == timedelta(minutes=34)
    assert (by_urgency[EMERGENCY].acknowledging.number, by_urgency[EMERGENCY].acknowledging.unfinished) == (0, 1)
    assert by_urgency[EMERGENCY].resolving.unfinished == 1


def test_what_became_of_the_alerts_of_a_rule(ward, make, session):
    rows = found(make, session, ward).rules
    noisy, other = rows
    assert (noisy.urgency, noisy.alerts, noisy.resolved, noisy.no_action) == (URGENT, 1, 1, 1)
    assert (noisy.judged, noisy.not_useful, noisy.known) == (1, 1, True)
    assert (other.urgency, other.alerts, other.resolved, other.judged) == (EMERGENCY, 1, 0, 0)


def test_the_page_says_what_counts_and_names_nobody(ward, make, pages, alice):
    for somebody in (alice, make.clinician()):
        page = pages(somebody).get("numbers.page", query={"period": 7})
        assert page.row("Urgent").shows("4 minutes") or page.shows("4 minutes")
        assert page.shows("too few; longest 4 minutes")
        assert page.shows("1 of 1 (few)")
        for name in ("Anna", "Berta", "Cora"):
            assert not page.shows(name)
    assert page.shows("Change and replay")
    assert not pages(alice).get("numbers.page").shows("Change and replay")


def test_the_file_holds_every_figure_and_no_formula(ward, make, session, pages, alice):
    answer = pages(alice).client.get("/numbers.csv?period=7")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    (line,) = [row for row in rows if row["figure"] == "time to acknowledge, median" and row["urgency"] == "urgent"]
    assert (line["value"], line["unit"], line["of"]) == ("4.0", "minutes", "1")
    assert "Anna" not in answer.text
    assert "Berta" not in answer.text
    assert not [cell for row in rows for cell in row.values() if cell[:1] in tuple("=+-@\t\r")]


def test_a_title_that_a_spreadsheet_would_run_is_text(ward, make, session):
    import dataclasses

    got = found(make, session, ward)
    evil = dataclasses.replace(got.rules[0], title='=HYPERLINK("x")', rule="@rule")
    lines = list(table(dataclasses.replace(got, rules=(evil,))))
    assert {line[2] for line in lines[-5:]} == {"'@rule"}
    assert {line[3] for line in lines[-5:]} == {'\'=HYPERLINK("x")'}


def test_a_period_is_whole_days_of_the_team(make, alice):
    team = alice.care_team
    period = period_of(team, 7, datetime(2026, 3, 30, 0, 30, tzinfo=UTC))  # 01:30 in London, a day after the change
    assert (period.first.isoformat(), period.last.isoformat()) == ("2026-03-23", "2026-03-29")
    assert period.begins == datetime(2026, 3, 23, tzinfo=UTC)
    assert period.ends == datetime(2026, 3, 29, 23, tzinfo=UTC)


def test_nonsense_in_the_address_means_the_usual_period(ward, pages, alice):
    assert pages(alice).get("numbers.page", query={"period": "all"}).shows("Last 28 days")

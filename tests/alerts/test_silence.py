"""A report that does not come is a reason to call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from triage.accounts import services as accounts
from triage.alerts import silence
from triage.models import Alert, AlertFinding, AlertKind
from triage.rules.urgency import Urgency


@pytest.fixture
def sweep(app, session, make):
    def run(later=timedelta()):
        with app.app_context():
            return silence.sweep(session, make.ruleset, make.now() + later)

    return run


def alerts(session):
    session.rollback()
    return session.scalars(select(Alert)).all()


@pytest.mark.parametrize(
    ("day", "hours", "urgency"),
    [
        (7, 25, None),
        (7, 26, Urgency.URGENT),
        (20, 25, None),
        (20, 26, Urgency.SOON),
        (20, 38, Urgency.URGENT),
        (29, 200, None),
    ],
)
def test_the_hours_depend_on_the_day_and_the_grace(day, hours, urgency, make, session, sweep):
    patient = make.patient(day=day)
    make.report(patient, ago=timedelta(hours=hours, minutes=1), chills="none", temperature_c=36.6)
    sweep()

    assert [alert.urgency for alert in alerts(session)] == ([urgency] if urgency else [])


def test_after_a_sign_the_wait_is_shorter(make, session, sweep, alice):
    patient = make.patient(day=7)
    make.report(patient, ago=timedelta(hours=14, minutes=1), trouble_writing="mild", temperature_c=36.6)
    before = len(session.scalars(select(AlertFinding)).all())
    sweep()

    session.rollback()
    findings = session.scalars(select(AlertFinding)).all()
    assert len(findings) == before + 1
    assert AlertKind.SILENCE in {finding.kind for finding in findings}


def test_the_same_silence_is_told_once_and_a_longer_one_raises_it(make, session, sweep):
    patient = make.patient(day=20)
    make.report(patient, ago=timedelta(hours=27), temperature_c=36.6)

    assert (sweep(), sweep(), sweep()) == (1, 0, 0)
    assert alerts(session)[0].urgency is Urgency.SOON
    assert (sweep(timedelta(hours=12)), sweep(timedelta(hours=13))) == (1, 0)
    assert alerts(session)[0].urgency is Urgency.URGENT


def test_who_never_reported_is_silent_since_enrolment(make, session, sweep):
    make.patient(day=3, enrolled_at=make.now() - timedelta(hours=30))
    assert sweep() == 1


def test_who_was_just_enrolled_is_not_silent(make, sweep):
    make.patient(day=3, enrolled_at=make.now() - timedelta(hours=2))
    assert sweep() == 0


@pytest.mark.parametrize("known", [{"therapy": None}, {"day": None}])
def test_an_unknown_therapy_or_day_counts_as_expected(known, make, sweep):
    make.patient(**({"day": 5} | known))
    assert sweep() == 1


def test_nobody_waits_for_reports_after_the_end_of_monitoring(make, session, sweep, alice):
    patient = make.patient(day=5)
    accounts.end_monitoring(session, patient.courses[0], make.now().date(), alice, make.now())
    assert sweep() == 0


def test_a_patient_whose_check_fails_is_shown_and_the_others_are_checked(make, session, sweep, monkeypatch, caplog):
    broken, fine = make.patient("Broken", day=5), make.patient("Fine", day=5)
    real = silence.judge

    def judge(ruleset, patient, last, at):
        if patient.id == broken.id:
            raise RuntimeError("secret detail of Broken")
        return real(ruleset, patient, last, at)

    monkeypatch.setattr(silence, "judge", judge)
    assert sweep() == 2
    assert {alert.patient_id: alert.urgency for alert in alerts(session)} == {
        broken.id: Urgency.URGENT,
        fine.id: Urgency.URGENT,
    }
    assert "secret" not in caplog.text

"""A report that does not come is a reason to call."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from tests.rules.written_rules import FILES
from triage.alerts import services, silence
from triage.database import db, writing
from triage.models import Alert, AlertFinding, AlertKind, AuditEntry, Disposition, Patient
from triage.rules.loading import load_texts
from triage.rules.urgency import Urgency

NOTE = "Telephoned, will report this evening"

# Reports are expected after CAR T cells on days 0 to 28, after donor cells never; the grace is two hours.
SMALL = FILES | {
    "rules/silence.yaml": """\
- id: a-day
  title: No report for a day
  urgency: soon
  when: {silent_for: 24h}
  why: They may be too ill.
  advice: Call.
  source: leaflet
  cases: {fires: [{silent_for: 24h}], stays_quiet: [{silent_for: 23h}]}
- id: two-days-after-chills
  title: No report for two days after chills
  urgency: urgent
  when: {all: [{silent_for: 48h}, {symptom: chills, at_least: mild}]}
  why: They may be too ill.
  advice: Call.
  source: leaflet
  cases: {fires: [{silent_for: 48h, symptoms: {chills: mild}}], stays_quiet: [{silent_for: 48h}]}
"""
}


@pytest.fixture
def sweep(app, session, make):
    """Look for missing reports now or `later`; how many findings were added."""

    def run(later=timedelta(), ruleset=None):
        with app.app_context():
            return silence.sweep(session, ruleset or make.ruleset, make.now() + later)

    return run


def hours(number):
    return timedelta(hours=number)


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
    make.end(patient, alice)
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


@pytest.fixture
def small():
    return load_texts(SMALL)


@pytest.mark.parametrize(
    ("silent", "chills", "found"),
    [
        (timedelta(hours=25, minutes=59), "mild", []),
        (timedelta(hours=26, seconds=1), "mild", [Urgency.SOON]),
        (timedelta(hours=49, minutes=59), "mild", [Urgency.SOON]),
        (timedelta(hours=50, seconds=1), "mild", [Urgency.URGENT]),
        (timedelta(hours=50, seconds=1), "none", [Urgency.SOON]),
    ],
)
def test_an_alert_opens_the_hours_of_the_rule_and_the_grace_after_the_last_report(
    silent, chills, found, make, session, small, app
):
    patient, at = make.patient(day=7), make.now()
    make.report(patient, at=at - silent - hours(1), chills="severe")  # only the last report counts
    make.report(patient, at=at - silent, chills=chills)
    with app.app_context():
        silence.sweep(session, small, at)

    assert session.scalars(select(AlertFinding.urgency).where(AlertFinding.kind == AlertKind.SILENCE)).all() == found


def test_the_finding_tells_the_true_hours_and_the_audit_trail_tells_of_it(make, session, sweep, small):
    make.report(make.patient(day=7), ago=timedelta(hours=30, minutes=6), temperature_c=36.6)
    sweep(ruleset=small)

    (finding,) = session.scalars(select(AlertFinding)).all()
    assert "no report for 30.1 hours, at least 24 hours" in finding.body.decode()
    entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "silence_found")).all()
    assert [(entry.patient_id, entry.person_id) for entry in entries] == [(finding.alert.patient_id, None)]


@pytest.mark.parametrize(("day", "found"), [(28, 1), (29, 0)])
def test_outside_the_days_of_daily_reports_nobody_waits(day, found, make, sweep, small):
    make.report(make.patient(day=day), ago=hours(40), temperature_c=36.6)
    assert sweep(ruleset=small) == found


def test_a_therapy_without_daily_reports_expects_none(make, sweep, small):
    make.patient(therapy="donor", day=3)
    assert sweep(ruleset=small) == 0


def test_a_therapy_that_the_rules_do_not_know_any_more_counts_as_unknown(make, sweep, small):
    make.patient(therapy="something_given_up", day=3)
    assert sweep(ruleset=small) == 1


def test_without_a_course_nobody_waits_for_reports(make, sweep, small):
    make.patient(course=False)
    assert sweep(ruleset=small) == 0


def test_until_the_announced_end_of_monitoring_reports_are_expected(make, session, sweep, small):
    patient = make.patient(day=7)
    with writing(session):
        patient.courses[0].ended_on = make.now().date() + timedelta(days=3)
    assert sweep(ruleset=small) == 1


def test_the_last_day_of_monitoring_is_still_a_day_of_monitoring(make, session, sweep, small):
    patient = make.patient(day=7)
    with writing(session):
        patient.courses[0].ended_on = make.now().date()
    assert sweep(ruleset=small) == 1
    assert sweep(hours(24), ruleset=small) == 0


def test_a_report_before_day_0_does_not_make_day_0_silent(make, sweep, small):
    patient = make.patient(course=False)
    make.report(patient, ago=timedelta(days=20), temperature_c=36.6)
    make.course(patient, day=0)

    assert sweep(ruleset=small) == 0
    assert sweep(hours(51), ruleset=small) == 1  # day 0 began at most a day ago


def test_the_next_cycle_starts_the_hours_anew_after_a_pause(make, sweep, small):
    """The last report of the first cycle is two weeks old, and nobody expected one in between."""
    patient = make.patient(day=42)
    make.report(patient, ago=timedelta(days=15), temperature_c=36.6)
    assert sweep(ruleset=small) == 0
    make.dose(patient.courses[0], day=0, kind="cycle_start")

    assert sweep(ruleset=small) == 0
    assert sweep(hours(51), ruleset=small) == 1  # the day of the dose began at most a day ago


def test_a_dose_within_the_days_of_daily_reports_forgives_no_silence(make, sweep, small):
    patient = make.patient(day=8)
    make.report(patient, ago=hours(40), temperature_c=36.6)
    make.dose(patient.courses[0], day=0, kind="dose_step")

    assert sweep(ruleset=small) == 1


def test_silence_that_goes_on_after_it_was_dealt_with_is_told_again(make, session, sweep, small, alice):
    make.report(make.patient(day=7), ago=hours(30), temperature_c=36.6)
    assert sweep(ruleset=small) == 1
    (alert,) = alerts(session)
    services.acknowledge(session, alert, alice, make.now())
    services.resolve(session, alert, alice, Disposition.ADVICE_GIVEN, NOTE, make.now())

    assert sweep(hours(25), ruleset=small) == 0
    assert sweep(hours(27), ruleset=small) == 1
    assert sweep(hours(60), ruleset=small) == 0, "told, and not dealt with yet"
    assert len([alert for alert in alerts(session) if not alert.is_resolved]) == 1


def test_a_report_ends_the_silence_and_the_next_silence_is_a_new_one(make, session, sweep, small):
    patient = make.patient(day=7)
    make.report(patient, ago=hours(60), temperature_c=36.6)
    assert sweep(-hours(30), ruleset=small) == 1
    make.report(patient, ago=hours(29), temperature_c=36.6)

    assert sweep(-hours(20), ruleset=small) == 0
    assert sweep(ruleset=small) == 1
    (alert,) = alerts(session)
    assert len(alert.findings) == 2


def test_silence_joins_the_alert_that_is_there_and_does_not_lower_it(make, session, sweep, small):
    patient = make.patient(day=7)
    make.alert(patient, Urgency.EMERGENCY, ago=hours(30))
    assert sweep(ruleset=small) == 1

    (alert,) = alerts(session)
    assert (alert.urgency, len(alert.findings)) == (Urgency.EMERGENCY, 2)


def test_two_checks_at_once_make_one_finding(make, session, small, app):
    make.report(make.patient(day=7), ago=hours(40), temperature_c=36.6)
    session.rollback()
    start, counts, at = threading.Barrier(2), [], make.now()

    def check():
        with app.app_context():
            start.wait()
            counts.append(silence.sweep(db.session, small, at))

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(counts) == [0, 1]
    assert len(session.scalars(select(AlertFinding)).all()) == 1


def test_a_report_that_comes_while_the_check_runs_wins(make, session, sweep, small, monkeypatch):
    patient = make.patient(day=7)
    make.report(patient, ago=hours(40), temperature_c=36.6)
    looked = silence._news

    def then_it_came(*what):
        missing = looked(*what)
        make.report(patient, temperature_c=36.6)
        return missing

    monkeypatch.setattr(silence, "_news", then_it_came)
    assert sweep(ruleset=small) == 0
    assert alerts(session) == []


def test_a_check_that_fails_is_told_once_and_again_a_day_after_it_was_dealt_with(
    make, session, sweep, monkeypatch, alice
):
    make.patient(day=5)
    monkeypatch.setattr(silence, "judge", lambda *what, **more: 1 / 0)

    assert (sweep(), sweep()) == (1, 0)
    (alert,) = alerts(session)
    services.acknowledge(session, alert, alice, make.now())
    services.resolve(session, alert, alice, Disposition.ADVICE_GIVEN, NOTE, make.now())
    assert (sweep(hours(23)), sweep(hours(25)), sweep(hours(26))) == (0, 1, 0)


def test_the_alert_of_a_failed_check_does_not_hide_the_silence_itself(make, session, sweep, monkeypatch):
    make.patient(day=5)
    with monkeypatch.context() as broken:
        broken.setattr(silence, "judge", lambda *what, **more: 1 / 0)
        sweep()

    assert sweep() == 1
    (alert,) = alerts(session)
    assert len(alert.findings) == 2


def test_a_patient_whose_finding_cannot_be_saved_does_not_stop_the_others(make, session, sweep, monkeypatch, capsys):
    broken, fine = make.patient("Broken", day=5), make.patient("Fine", day=5)
    real = silence.add_finding

    def add_finding(session, ruleset, patient, *what):
        if patient.id == broken.id:
            raise RuntimeError("secret detail of Broken")
        return real(session, ruleset, patient, *what)

    monkeypatch.setattr(silence, "add_finding", add_finding)
    assert sweep() == 1
    assert [alert.patient_id for alert in alerts(session)] == [fine.id]
    logged = capsys.readouterr().err
    assert ("silence_finding_failed" in logged, str(broken.id) in logged) == (True, True)
    assert "secret" not in logged
    monkeypatch.undo()
    assert sweep() == 1


def test_looking_takes_the_same_number_of_queries_for_many_patients(make, app, sweep, small):
    counts = []
    for number in (2, 8):
        for index in range(number):
            make.report(make.patient(f"P{number}-{index}", day=7), temperature_c=36.6)
            make.report(make.patient(f"S{number}-{index}", day=7), ago=hours(30), temperature_c=36.6)
        assert sweep(ruleset=small) == number  # and is told of no more
        with app.app_context():
            engine = db.engine
        statements = []

        def count(connection, cursor, statement, *rest, into=statements):
            into.append(statement)

        event.listen(engine, "before_cursor_execute", count)
        assert sweep(ruleset=small) == 0
        event.remove(engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 6


def test_while_everybody_reports_looking_takes_one_query(make, app, sweep, small):
    for index in range(3):
        make.report(make.patient(f"P{index}", day=7), ago=hours(23), temperature_c=36.6)
    sweep(ruleset=small)
    with app.app_context():
        engine = db.engine
    statements = []

    def count(connection, cursor, statement, *rest):
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    assert sweep(ruleset=small) == 0
    event.remove(engine, "before_cursor_execute", count)
    assert sum(statement.startswith("SELECT") for statement in statements) == 1


def test_a_look_that_takes_long_stops_and_the_next_finds_the_rest(make, app, session, small):
    for index in range(3):
        make.report(make.patient(f"P{index}", day=7), ago=hours(30), temperature_c=36.6)
    with app.app_context():
        looks = [silence.look(session, small, make.now(), enough=lambda: True) for _ in range(4)]
    assert [(look.found, look.finished) for look in looks] == [(1, False), (1, False), (1, True), (0, True)]


def test_a_finding_that_cannot_be_saved_stops_no_look(make, app, session, small, monkeypatch):
    for index in range(3):
        make.report(make.patient(f"P{index}", day=7), ago=hours(30), temperature_c=36.6)
    first = min(patient.id for patient in session.scalars(select(Patient)))
    real = silence.add_finding

    def add_finding(session, ruleset, patient, *what):
        if patient.id == first:
            raise RuntimeError
        return real(session, ruleset, patient, *what)

    monkeypatch.setattr(silence, "add_finding", add_finding)
    with app.app_context():
        looks = [silence.look(session, small, make.now(), enough=lambda: True) for _ in range(3)]
    assert [look.found for look in looks] == [1, 1, 0]


def test_the_command_looks_once(make, app, session, monkeypatch):
    make.patient(day=5)
    monkeypatch.setattr("triage.create_app", lambda: app)
    silence.main(None)

    assert len(alerts(session)) == 1


def test_the_command_goes_on_after_a_check_that_failed_altogether(app, monkeypatch, capsys):
    class Stopped(Exception):
        pass

    rests = []

    def sleep(seconds):
        rests.append(seconds)
        if len(rests) == 2:
            raise Stopped

    monkeypatch.setattr("triage.create_app", lambda: app)
    monkeypatch.setattr(silence, "sweep", lambda *what: 1 / 0)
    monkeypatch.setattr(silence.time, "sleep", sleep)
    with pytest.raises(Stopped):
        silence.main(60)

    assert rests == [60, 60]
    assert capsys.readouterr().err.count("silence_sweep_failed") == 2
    with pytest.raises(ZeroDivisionError):
        silence.main(None)

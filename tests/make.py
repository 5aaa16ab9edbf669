"""Builders with valid defaults: one argument for each thing a test is about.

    def test_a_milder_report_does_not_lower_an_open_alert(make, pages, alice):
        anna = make.patient("Anna", therapy="car_t", day=5)
        make.alert(anna, Urgency.URGENT)
        make.report(anna, chills="none")
        assert pages(alice).get("care_team.queue").row("Anna").shows("Urgent")

The cast: Alice and Bob are nurses of the team that everybody is in unless a test says otherwise; Charlie is a nurse of
another team and may see nothing of theirs. What is made is committed: requests see it at once.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy.orm import Session

    from triage.models import (
        Admission,
        Alert,
        CallBack,
        CareTeam,
        Course,
        CourseChange,
        Cover,
        DoseEvent,
        Duty,
        MonitoringEnd,
        Patient,
        Person,
        ReportRecord,
        RuleMute,
        RulesetProposal,
    )
    from triage.rules.ruleset import Ruleset
    from triage.rules.urgency import Urgency

PASSWORD = "a long passphrase for tests"
TEAM = "Ward A"
OTHER_TEAM = "Ward B"


@cache
def password_hash() -> str:
    """Of PASSWORD, with the cheapest settings: tests sign in a thousand times."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


class Make:
    """Makes rows in the test's database, through the services where there are some."""

    def __init__(self, app: Flask, session: Session) -> None:
        self.app = app
        self.session = session
        self._numbers = itertools.count(1)

    def now(self) -> datetime:
        from triage import clock

        return clock.now()

    @property
    def ruleset(self) -> Ruleset:
        """The ruleset of the application."""
        ruleset: Ruleset = self.app.extensions["triage_ruleset"].ruleset
        return ruleset

    # People

    def team(self, name: str = TEAM, *, time_zone: str = "Europe/London", phone: str = "+44 1632 960 300") -> CareTeam:
        """The team of that name, made if it is new."""
        from sqlalchemy import select

        from triage.models import CareTeam

        found = self.session.scalar(select(CareTeam).where(CareTeam.name == name))
        return found or self._add(CareTeam(name=name, time_zone=time_zone, phone=phone, emergency_number="999"))

    def patient(
        self,
        name: str = "Anna",
        *,
        team: CareTeam | None = None,
        therapy: str | None = "car_t",
        day: int | None = 5,
        course: bool = True,
        **columns: Any,
    ) -> Patient:
        """A patient on that day of that therapy. `therapy=None`: not known; `day=None`: no date is on file;
        `course=False`: no course at all."""
        from triage.models import Patient

        team = team or self.team()
        columns = {"phone": "+44 1632 960 400", "enrolled_at": self.now() - timedelta(days=30)} | columns
        patient = self._add(Patient(name=name, care_team_id=team.id, **columns))
        if course:
            self.course(patient, therapy=therapy, day=day)
        return patient

    def course(self, patient: Patient, *, therapy: str | None = "car_t", day: int | None = 5, **columns: Any) -> Course:
        """A course whose day 0 was `day` days ago in the team's time zone, with that one dose event."""
        from triage.models import Course

        started_on = None if day is None else self._today(patient) - timedelta(days=day)
        course = self._add(Course(patient_id=patient.id, therapy=therapy, started_on=started_on, **columns))
        if day is not None:
            self.dose(course, day=day)
        return course

    def dose(self, course: Course, *, day: int, kind: str = "infusion") -> DoseEvent:
        """A dose event `day` days ago."""
        from triage.models import DoseEvent, DoseKind

        given_on = self._today(course.patient) - timedelta(days=day)
        return self._add(DoseEvent(course_id=course.id, given_on=given_on, kind=DoseKind(kind)))

    def account(self, patient: Patient, **columns: Any) -> Person:
        """The patient's own account; the same one each time."""
        from triage.models import Role

        own = next((account for account in patient.people if account.role == Role.PATIENT), None)
        return own or self._person(patient.name, Role.PATIENT, patient_id=patient.id, **columns)

    def caregiver(self, patient: Patient, name: str = "Cora", **columns: Any) -> Person:
        """Somebody who cares for the patient and reports for them."""
        from triage.models import Role

        return self._person(name, Role.CAREGIVER, patient_id=patient.id, **columns)

    def nurse(self, name: str = "Alice", *, team: CareTeam | None = None, **columns: Any) -> Person:
        return self.staff("nurse", name, team=team, **columns)

    def clinician(self, name: str = "Dora", *, team: CareTeam | None = None, **columns: Any) -> Person:
        return self.staff("clinician", name, team=team, **columns)

    def administrator(self, name: str = "Emil", *, team: CareTeam | None = None, **columns: Any) -> Person:
        return self.staff("administrator", name, team=team, **columns)

    def auditor(self, name: str = "Flora", *, team: CareTeam | None = None, **columns: Any) -> Person:
        return self.staff("auditor", name, team=team, **columns)

    def staff(self, role: str, name: str, *, team: CareTeam | None = None, **columns: Any) -> Person:
        """Somebody who works in a team."""
        from triage.models import Role

        return self._person(name, Role(role), care_team_id=(team or self.team()).id, **columns)

    def duty(
        self, person: Person, *, begins: timedelta = timedelta(hours=-1), ends: timedelta = timedelta(hours=7)
    ) -> Duty:
        """That nurse is on call from then until then, counted from now."""
        from triage.models import Duty

        now = self.now()
        return self._add(
            Duty(
                care_team_id=person.care_team_id,
                person_id=person.id,
                begins_at=now + begins,
                ends_at=now + ends,
                entered_by_id=person.id,
            )
        )

    # What happens

    def report(
        self,
        patient: Patient,
        *,
        at: datetime | None = None,
        ago: timedelta = timedelta(),
        by: Person | None = None,
        token: str | None = None,
        **answers: Any,
    ) -> ReportRecord:
        """A report sent as the forms send it. Answers are fields of the data form or symptom codes:
        `make.report(anna, temperature_c=38.4, chills="moderate")`. Therapy and day come from the patient's course."""
        from triage.reports import services
        from triage.rules.report import from_data

        at = at or self.now() - ago
        reporter = by or self.account(patient)
        data = self.data(patient, at, reporter, answers)
        report = from_data(data, self.ruleset.catalogue)
        with self.app.app_context():
            record = services.submit(
                self.session, self.ruleset, report, reporter, token or secrets.token_urlsafe(16), at
            )
        return record

    def data(self, patient: Patient, at: datetime, reporter: Person, answers: Mapping[str, Any]) -> dict[str, Any]:
        """The data form of such a report."""
        from triage.reports import history
        from triage.rules.report import Report

        day = history.local_date(patient.care_team, at)
        course = history.current_course(patient, day)
        known = {field.name for field in fields(Report)}
        return {
            "patient": str(patient.id),
            "therapy": course.therapy if course else None,
            "days_since_therapy": history.days_since_therapy(course, day) if course else None,
            "reported_at": at.isoformat(),
            "reporter": str(reporter.role),
            **{name: answer for name, answer in answers.items() if name in known},
            "symptoms": {
                **{name: answer for name, answer in answers.items() if name not in known},
                **answers.get("symptoms", {}),
            },
        }

    def alert(
        self,
        patient: Patient,
        urgency: Urgency | None = None,
        *,
        at: datetime | None = None,
        ago: timedelta = timedelta(),
        by: Person | None = None,
    ) -> Alert:
        """An open alert of that urgency (urgent when none is given): a report on which one rule of that urgency
        fired, with nothing else reported."""
        from triage.alerts import services
        from triage.database import writing
        from triage.models import AlertKind, AssessmentRecord, ReportRecord
        from triage.rules.assessment import Assessment, Fact, FiredRule
        from triage.rules.urgency import Urgency
        from triage.ruleset_editor import versions

        at = at or self.now() - ago
        urgency = Urgency.URGENT if urgency is None else urgency
        rule = next(rule for rule in self.ruleset.rules if rule.urgency is urgency)
        fact = Fact("temperature", "38.4", "at_least", "38.0")
        fired = FiredRule(rule.id, urgency, rule.title, (fact,), ("a made-up reason",), rule.source, rule.advice)
        assessment = Assessment(str(patient.id), at, urgency, self.ruleset.hash, (fired,))
        reporter = by or self.account(patient)
        with self.app.app_context(), writing(self.session):
            versions.keep(self.session, self.ruleset, at)
            report = ReportRecord(
                patient_id=patient.id,
                reporter_id=reporter.id,
                token=secrets.token_urlsafe(16),
                reported_at=at,
                data='{"therapy": null, "days_since_therapy": null}',
            )
            self.session.add(report)
            self.session.flush()
            self.session.add(
                AssessmentRecord(
                    report_id=report.id,
                    ruleset_hash=self.ruleset.hash,
                    urgency=urgency,
                    body=assessment.to_bytes(),
                    history=[],
                    made_at=at,
                )
            )
            alert = services.add_finding(
                self.session, self.ruleset, patient, assessment, AlertKind.REPORT, report.id, at
            )
        assert alert is not None, f"{urgency.code} opens no alert"
        return alert

    def call_back(self, alert: Alert, by: Person, *, due_in: timedelta = timedelta(hours=1)) -> CallBack:
        """A call-back that `by` has just promised for that time from now; a negative one is overdue."""
        from triage.models import CallBack

        at = self.now()
        promised_at = min(at, at + due_in - timedelta(minutes=1))
        return self._add(  # type: ignore[no-any-return]
            CallBack(alert_id=alert.id, due_at=at + due_in, promised_at=promised_at, promised_by_id=by.id)
        )

    def handover(self, alert: Alert, by: Person) -> dict[str, Any]:
        """A handover that is going on in the team of the alert, in which `by` has accepted it: the ids of both."""
        from triage.care_team import handover as shifts

        at = self.now()
        with self.app.app_context():
            running = shifts.begin(self.session, alert.patient.care_team, by, at, going_off=False)
            shifts.accept(self.session, running, alert, by, at, seen=None)
            return {"handover_id": running.id, "acceptance_id": running.acceptances[0].id}

    def cover(self, nurse: Person, team: CareTeam, *, hours: int = 4) -> Cover:
        """That nurse looks after that team, from now on."""
        from triage.accounts import covers

        return covers.begin(self.session, nurse, team.id, "Nobody of that team is there tonight", hours, self.now())

    def mute(self, patient: Patient, by: Person, *, days: int = 1) -> RuleMute:
        """A rule that is muted for that patient until so many days from now."""
        from sqlalchemy import select

        from triage.alerts import mutes, work
        from triage.models import RuleMute

        rule = next(rule for rule in self.ruleset.rules if mutes.can_be_muted(rule))
        at, ends_on = self.now(), self._today(patient) + timedelta(days=days)
        work.mute(self.session, self.ruleset, patient, rule.id, "Known, and told to the clinic", ends_on, by, at)
        return self.session.scalars(select(RuleMute).where(RuleMute.patient_id == patient.id)).one()

    def admission(self, patient: Patient, by: Person, *, ago: timedelta = timedelta()) -> Admission:
        """The patient is in hospital since then."""
        from triage.monitoring import stays

        return stays.note_admission(self.session, patient, self.now() - ago, by, self.now())

    def end(self, patient: Patient, by: Person, reason: str = "completed", *, on: date | None = None) -> MonitoringEnd:
        """Monitoring of the patient ended yesterday, or that day."""
        from triage.models import EndReason
        from triage.monitoring import stays

        on = on or self._today(patient) - timedelta(days=1)
        return stays.end_monitoring(self.session, patient, EndReason(reason), on, by, self.now())

    def course_change(self, patient: Patient, by: Person, *, day: int = 0) -> CourseChange:
        """A further dose of the patient's course, given `day` days ago."""
        from triage.models import DoseKind
        from triage.monitoring import courses

        given_on = self._today(patient) - timedelta(days=day)
        with self.app.app_context():
            return courses.add_dose(
                self.session, self.ruleset, patient.courses[0], given_on, DoseKind("infusion"), by, self.now()
            )

    def proposal(self, by: Person) -> RulesetProposal:
        """A change that waits for a decision: the active files with a remark more."""
        from triage.database import writing
        from triage.models import RulesetProposal
        from triage.rules.replay import replay
        from triage.ruleset_editor import versions

        with self.app.app_context(), writing(self.session):
            active = versions.plant(self.session, self.now())
            proposal = RulesetProposal(
                base=active.number,
                files={**active.files, "liver.yaml": active.files["liver.yaml"] + "# reviewed\n"},
                ruleset_hash=active.ruleset_hash,
                reason="Reviewed with the liver team",
                replay=replay(self.ruleset, self.ruleset, ()).to_data(),
                signed={},
                accepted={},
                confirmed=[],
                proposed_by_id=by.id,
                proposed_at=self.now(),
            )
            self.session.add(proposal)
        return proposal

    def _person(self, name: str, role: Any, **columns: Any) -> Person:
        from triage.models import Person

        defaults = {
            "sign_in_name": f"{name.lower().replace(' ', '-')}-{next(self._numbers)}",
            "password_hash": password_hash(),
            "session_key": secrets.token_urlsafe(16),
        }
        return self._add(Person(name=name, role=role, **(defaults | columns)))

    def _today(self, patient: Patient) -> Any:
        return self.now().astimezone(ZoneInfo(patient.care_team.time_zone)).date()

    def _add(self, row: Any) -> Any:
        from triage.database import writing

        with writing(self.session):
            self.session.add(row)
        return row


@pytest.fixture
def make(app: Flask, session: Session) -> Make:
    """Makes people, reports and alerts."""
    return Make(app, session)


@pytest.fixture
def alice(make: Make) -> Person:
    """A nurse."""
    return make.nurse("Alice")


@pytest.fixture
def bob(make: Make) -> Person:
    """Her colleague."""
    return make.nurse("Bob")


@pytest.fixture
def charlie(make: Make) -> Person:
    """A nurse of another team: nothing of Alice's patients may reach him."""
    return make.nurse("Charlie", team=make.team(OTHER_TEAM, phone="+44 1632 960 999"))


@pytest.fixture
def anna(make: Make) -> Patient:
    """A patient of Alice's team, on day 5 after CAR T cells."""
    return make.patient("Anna", therapy="car_t", day=5)

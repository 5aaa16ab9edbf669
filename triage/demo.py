"""Clearly synthetic people with three weeks of reports, for trying the helper out. Never mixed with real patients."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import click
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from triage import clock, create_app, data_keys
from triage.accounts.passwords import hash_password
from triage.alerts import services as alerts
from triage.alerts import silence
from triage.database import db, upgrade, writing
from triage.models import (
    HEARTBEAT_NURSE,
    HEARTBEAT_REPORTER,
    Alert,
    AlertStatus,
    CareTeam,
    Course,
    Disposition,
    DoseEvent,
    DoseKind,
    Duty,
    Patient,
    Person,
    Role,
)
from triage.reports import services as reports
from triage.rules.report import from_data
from triage.rules.ruleset import Ruleset
from triage.ruleset_editor import versions

DEMO_PASSWORD = "synthetic-demo-only"  # noqa: S105 (published on purpose; refused off loopback)
TEAM_NAME = "Synthetic demo team"
_EVERY_DAY_NONE = ("chills", "nausea", "headache", "shortness_of_breath", "dizziness", "confusion")

DayReport = Mapping[str, Any]


@dataclass(frozen=True)
class _Story:
    """One made-up patient: a course, and what is reported on which of its days, by whom."""

    name: str
    sign_in: str
    about: str
    therapy: str
    product: str
    today: int
    """Days since therapy today."""
    report: Callable[[int], DayReport | None]
    """What is reported on that day; None for no report."""
    hour: int = 8
    first_day: int = 0
    caregiver: str = ""
    caregiver_sign_in: str = ""
    dose_kind: DoseKind = DoseKind.INFUSION
    reporter_of: Callable[[int], str] = field(default=lambda day: "patient")


def main(if_empty: bool) -> None:
    """Bring the database up to date and put the demo people into it, unless it holds people already.

    Raises ClickException where people are there and `if_empty` is False.
    """
    app = create_app()
    upgrade(app.config["DATABASE_URL"])
    with app.app_context():
        people = select(Person.id).where(Person.id.not_in((HEARTBEAT_REPORTER, HEARTBEAT_NURSE)))
        if db.session.scalar(people.limit(1)) is not None:
            if not if_empty:
                raise click.ClickException("this database holds people already; demo people go into an empty one only")
            return
        data_keys.begin(db.session, clock.now())
        click.echo("Making synthetic demo people and three weeks of reports …")
        fill(db.session, versions.active(), clock.now())


def demo_people(app: Flask) -> list[tuple[str, str]]:
    """Sign-in names of the demo people that are meant to be tried, and what they are; empty without demo people."""
    with app.app_context():
        if db.session.scalar(select(CareTeam).where(CareTeam.name == TEAM_NAME)) is None:
            return []
    return [
        ("patient", "CAR T cells three weeks ago, a quiet course"),
        ("caregiver", "reports for a patient on day 9 after CAR T cells"),
        ("nurse", "reviews the queue"),
        ("nurse-two", "takes over at the end of the shift"),
        ("clinician", "changes the rules"),
        ("clinician-two", "approves what the other has changed"),
        ("administrator", "enrols patients"),
        ("auditor", "reads the audit trail"),
    ]


def fill(session: Session, ruleset: Ruleset, now: datetime) -> None:
    """Add the demo team, its people and their reports, as if they had used the helper until `now` (UTC)."""
    password = hash_password(DEMO_PASSWORD)
    with writing(session):
        team = CareTeam(name=TEAM_NAME, time_zone="Europe/London", phone="+44 1632 960 123", emergency_number="999")
        session.add(team)
        session.flush()
        staff = {
            role: _person(session, name, str(role), role, password, care_team_id=team.id)
            for role, name in (
                (Role.NURSE, "Nora Sample (synthetic)"),
                (Role.CLINICIAN, "Clara Sample (synthetic)"),
                (Role.ADMINISTRATOR, "Adam Sample (synthetic)"),
            )
        }
        _person(session, "Nils Sample (synthetic)", "nurse-two", Role.NURSE, password, care_team_id=team.id)
        _person(session, "Aud Sample (synthetic)", "auditor", Role.AUDITOR, password, care_team_id=team.id)
        _person(session, "Cato Sample (synthetic)", "clinician-two", Role.CLINICIAN, password, care_team_id=team.id)
        session.flush()
        nurse = staff[Role.NURSE]
        week = (now - timedelta(hours=1), now + timedelta(days=7))
        session.add(
            Duty(
                care_team_id=team.id,
                person_id=nurse.id,
                begins_at=week[0],
                ends_at=week[1],
                entered_by_id=staff[Role.ADMINISTRATOR].id,
            )
        )
        cast = [(story, _enrol(session, story, team, now, password)) for story in _STORIES]
    due = sorted(
        ((at, story, patient, day) for story, patient in cast for at, day in _days(story, now)),
        key=lambda entry: entry[0],
    )
    for at, story, patient, day in due:
        _send(session, ruleset, story, patient, day, at)
        _work_off(session, staff[Role.NURSE], patient, at, now)
    silence.sweep(session, ruleset, now)


def _person(session: Session, name: str, sign_in: str, role: Role, password: str, **of: Any) -> Person:
    person = Person(
        name=name, sign_in_name=sign_in, role=role, password_hash=password, session_key=secrets.token_hex(16), **of
    )
    session.add(person)
    return person


def _enrol(session: Session, story: _Story, team: CareTeam, now: datetime, password: str) -> Patient:
    day_zero = (now - timedelta(days=story.today)).date()
    patient = Patient(
        name=f"{story.name} (synthetic)",
        born_on=date(1961 + len(story.name), 4, 12),
        phone="+44 1632 960 200",
        town="Sampletown",
        hospital="Sample Hospital",
        care_team_id=team.id,
        synthetic=True,
        enrolled_at=now - timedelta(days=story.today - story.first_day, hours=6),
    )
    course = Course(therapy=story.therapy, product=story.product, started_on=day_zero)
    course.dose_events.append(DoseEvent(given_on=day_zero, kind=story.dose_kind))
    patient.courses.append(course)
    session.add(patient)
    session.flush()
    _person(session, patient.name, story.sign_in, Role.PATIENT, password, patient_id=patient.id)
    if story.caregiver:
        name = f"{story.caregiver} (synthetic)"
        _person(session, name, story.caregiver_sign_in, Role.CAREGIVER, password, patient_id=patient.id)
    return patient


def _days(story: _Story, now: datetime) -> Iterator[tuple[datetime, int]]:
    """The moments of its reports, all before `now`."""
    for day in range(story.first_day, story.today + 1):
        if story.report(day) is None:
            continue
        at = (now - timedelta(days=story.today - day)).replace(hour=story.hour, minute=12, second=0, microsecond=0)
        # Whoever starts the demo at night still finds today's report, sent a little while ago.
        yield (at if at < now else now - timedelta(minutes=7 + story.hour)), day


def _send(session: Session, ruleset: Ruleset, story: _Story, patient: Patient, day: int, at: datetime) -> None:
    role = story.reporter_of(day)
    reporter = next(person for person in patient.people if person.role == role)
    said = dict(story.report(day) or {})
    symptoms = dict.fromkeys(_EVERY_DAY_NONE, "none") | said.pop("symptoms", {})
    data = {
        "patient": str(patient.id),
        "therapy": story.therapy,
        "days_since_therapy": day,
        "reported_at": at.isoformat(),
        "reporter": role,
        "temperature_c": 36.6,
        "fever_reducer_taken": False,
        "on_steroids": False,
        "symptoms": symptoms,
        **said,
    }
    report = from_data(data, ruleset.catalogue)
    reports.submit(session, ruleset, report, reporter, token=uuid4().hex, at=at)


def _work_off(session: Session, nurse: Person, patient: Patient, at: datetime, now: datetime) -> None:
    """The demo nurse has answered what came in more than a day ago."""
    if at > now - timedelta(hours=20):
        return
    alert = session.scalar(select(Alert).where(Alert.patient_id == patient.id, Alert.status != AlertStatus.RESOLVED))
    if alert is not None:
        alerts.acknowledge(session, alert, nurse, at + timedelta(minutes=4))
        note = "Synthetic note: telephoned, spoke with the patient, will report again tonight."
        alerts.resolve(session, alert, nurse, Disposition.ADVICE_GIVEN, note, at + timedelta(minutes=25))


def _quiet(day: int) -> DayReport:
    tired = "mild" if day % 5 == 2 else "none"
    return {"temperature_c": 36.4 + (day % 3) / 10, "symptoms": {"tiredness": tired}}


def _crs(day: int) -> DayReport:
    days: list[DayReport] = [
        {"temperature_c": 36.7},
        {"temperature_c": 36.9},
        {"temperature_c": 36.8, "symptoms": {"tiredness": "mild"}},
        {"temperature_c": 37.2, "symptoms": {"tiredness": "mild", "muscle_pain": "mild"}},
        {
            "temperature_c": 38.6,
            "symptoms": {"chills": "moderate", "tiredness": "moderate", "headache": "mild", "dizziness": "mild"},
            "note": "Synthetic note: shivering since the early morning.",
        },
    ]
    return days[day]


_CHECK = {"orientation": 4, "naming": 3, "command": 1, "writing": 1, "attention": 1}


def _neurotoxicity(day: int) -> DayReport:
    check: DayReport = {"thinking_check": _CHECK, "thinking_check_baseline": 10}
    if day < 9:
        return {"temperature_c": 36.8, "symptoms": {"tiredness": "mild"} if day > 5 else {}, **check}
    return {
        **check,
        "thinking_check": _CHECK | {"naming": 2, "writing": 0},
        "temperature_c": 36.7,
        "symptoms": {
            "handwriting_change": "yes",
            "not_themselves": "yes",
            "trouble_speaking": "mild",
            "tremor": "mild",
        },
        "note": "Synthetic note: searches for words, and the shopping list cannot be read.",
    }


def _silent(day: int) -> DayReport | None:
    if day > 10:
        return None
    return {"temperature_c": "unknown" if day == 6 else 37.0, "symptoms": {"tiredness": "mild"}}


def _donor(day: int) -> DayReport:
    if day < 24:
        return {"temperature_c": 37.8 if day == 20 else 36.6, "fever_reducer_taken": day == 16}
    if day < 27:
        return {"temperature_c": 36.8, "symptoms": {"skin_rash": "mild", "itching": "mild"}}
    return {"temperature_c": 36.7, "symptoms": {"dry_mouth": "mild"}}


_STORIES = (
    _Story("Quentin Example", "patient", "a quiet course", "car_t", "brexucabtagene (TECARTUS)", 21, _quiet),
    _Story("Cora Example", "patient-crs", "CRS on day 4", "car_t", "tisagenlecleucel (KYMRIAH)", 4, _crs, hour=7),
    _Story(
        "Neil Example",
        "patient-neuro",
        "neurotoxicity without fever on day 9, noticed by the caregiver",
        "car_t",
        "obecabtagene (AUCATZYL)",
        9,
        _neurotoxicity,
        hour=9,
        caregiver="Carol Example",
        caregiver_sign_in="caregiver",
        reporter_of=lambda day: "caregiver" if day == 9 else "patient",
    ),
    _Story(
        "Silas Example",
        "patient-silent",
        "fell silent after day 10",
        "bite",
        "blinatumomab (BLINCYTO)",
        12,
        _silent,
        dose_kind=DoseKind.CYCLE_START,
    ),
    _Story(
        "Dora Example", "patient-donor", "after donor lymphocytes", "donor_lymphocyte_infusion", "", 34, _donor, 10, 13
    ),
)

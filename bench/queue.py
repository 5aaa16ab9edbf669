"""How long the queue and a patient's record take with very many stored reports, beside the same with few.

Run it with `make bench-queue`. SQLite keeps its file on the disk as `triage serve` does; PostgreSQL is a private server
of this run. Both hold a care team with a thousand open alerts; what grows is everything around them.

    python -m bench.queue [FEW MANY]    10,000 and 2,000,000 reports, when left out
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from tests.servers import postgresql_server
from triage import clock, create_app
from triage.accounts import sessions
from triage.database import db, upgrade, writing
from triage.models import (
    Alert,
    AlertFinding,
    AlertKind,
    AssessmentRecord,
    CareTeam,
    Course,
    DoseEvent,
    DoseKind,
    Patient,
    Person,
    ReportRecord,
    Role,
)
from triage.reports import services
from triage.rules.report import from_data
from triage.rules.urgency import Urgency
from triage.ruleset_editor import versions

FEW, MANY = 10_000, 2_000_000
ALERTS = 1_000
LOOKED_AT = 42
"""Reports of the patient whose record is opened: six weeks, in the small database and in the large one."""
EACH = 100
"""Reports of everybody else in the large database; in the small one there are too few for so many."""
TEAM = 1_000
"""Patients of one care team."""
TIMES = 15
GOAL = 1.5


@dataclass(frozen=True)
class Site:
    """A filled database, and who looks at what in it."""

    url: str
    session_key: str
    patient_id: UUID


def main(few: int = FEW, many: int = MANY) -> int:
    """Print milliseconds and ratios; 1 where a ratio is over the goal."""
    worst = 0.0
    for name, database in (("SQLite", _sqlite), ("PostgreSQL", postgresql_server)):
        print(f"\n{name}, {ALERTS:,} open alerts of one care team", flush=True)
        taken: list[Mapping[str, float]] = []
        for reports in (few, many):
            with database() as url:
                began = time.monotonic()
                site = fill(url, reports)
                print(f"  {reports:>9,} reports, written in {time.monotonic() - began:.0f} s", flush=True)
                taken.append(measure(site))
        for what, before in taken[0].items():
            after = taken[1][what]
            worst = max(worst, after / before)
            print(f"  {what:<26} {1000 * before:7.1f} ms, {1000 * after:7.1f} ms: {after / before:.2f} ×", flush=True)
    print(f"\nthe largest ratio is {worst:.2f} ×; the goal is at most {GOAL} ×")
    return 0 if worst <= GOAL else 1


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
        yield f"sqlite:///{folder}/bench.sqlite3"


# Looking


def measure(site: Site) -> Mapping[str, float]:
    """Seconds that each page takes, the median of some times."""
    app = create_app({"DATABASE_URL": site.url})
    client = app.test_client()
    tomorrow = clock.now() + timedelta(days=1)
    with app.app_context():
        nurse = db.session.scalars(select(Person).where(Person.session_key == site.session_key)).one()
        fields = sessions.opened(db.session, nurse, tomorrow, tomorrow, "A browser")
    with client.session_transaction() as session:
        session.permanent = True
        session.update(fields)

    def page(path: str, answer: int = 200, **headers: str) -> Callable[[], object]:
        def get() -> None:
            response = client.get(path, headers=headers)
            if response.status_code != answer:
                raise RuntimeError(f"{path} answered {response.status_code}")

        return get

    record = f"/patients/{site.patient_id}"
    found = {"the queue": _seconds(page("/queue")), "a patient's record": _seconds(page(record))}
    return found | {"nothing new in the queue": _seconds(_unchanged(app, client))}


def _unchanged(app: Flask, client: Any) -> Callable[[], object]:
    """What an open dashboard asks every two seconds, with the tag of what it shows."""
    tag = [""]

    def ask() -> None:
        response = client.get("/queue/rows", headers={"If-None-Match": f'W/"{tag[0]}"'})
        if response.status_code == 200:  # another minute has begun
            tag[0] = response.text.split('data-version="', 1)[1].split('"', 1)[0]
            ask()

    return ask


def _seconds(do: Callable[[], object]) -> float:
    do()
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        do()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


# Filling


def fill(url: str, reports: int) -> Site:
    """Fill the empty database at `url` with that many reports."""
    upgrade(url)
    app = create_app({"DATABASE_URL": url})
    with app.app_context():
        session, at = db.session, clock.now()
        patients = max(ALERTS, reports // EACH)
        with writing(session):
            versions.plant(session, at)
            teams = [new_team(number) for number in range(max(1, patients // TEAM))]
            session.add_all(teams)
            session.flush()
            nurse = _person(session, Role.NURSE, care_team_id=teams[0].id)
            patient = new_patient("Looked At", teams[0], at, day=LOOKED_AT)
            session.add(patient)
            session.flush()
            _person(session, Role.PATIENT, patient_id=patient.id)
        _reports(session, patient, at)
        template = _template(session)
        site = Site(url, nurse.session_key, patient.id)
        _everybody_else(session, teams, template, patients - 1, -(-(reports - LOOKED_AT) // (patients - 1)), at)
    return site


def new_team(number: int) -> CareTeam:
    """A care team of that number."""
    return CareTeam(name=f"Team {number}", time_zone="Europe/London", phone="+44 1632 960 123", emergency_number="999")


def _person(session: Session, role: Role, **of: Any) -> Person:
    person = new_person(role, **of)
    session.add(person)
    session.flush()
    return person


def new_person(role: Role, **of: Any) -> Person:
    return Person(
        name=str(role), sign_in_name=str(uuid4()), password_hash="", role=role, session_key=str(uuid4()), **of
    )


def new_patient(name: str, team: CareTeam, at: datetime, *, day: int) -> Patient:
    """Somebody so many days after CAR T cells."""
    started = (at - timedelta(days=day)).date()
    patient = Patient(name=name, phone="", care_team=team, synthetic=True, enrolled_at=at - timedelta(days=day))
    course = Course(patient=patient, therapy="car_t", started_on=started)
    course.dose_events.append(DoseEvent(given_on=started, kind=DoseKind.INFUSION))
    return patient


def _reports(session: Session, patient: Patient, at: datetime) -> None:
    """One a day, the last of them with a fever."""
    ruleset = versions.active()
    reporter = patient.people[0]
    for ago in reversed(range(LOOKED_AT)):
        told = {"therapy": "car_t", "days_since_therapy": LOOKED_AT - ago, "temperature_c": 36.6 if ago else 38.6}
        sent_at = at - timedelta(days=ago, minutes=5)
        services.submit(session, ruleset, from_data(told, ruleset.catalogue), reporter, str(uuid4()), sent_at)


@dataclass(frozen=True)
class _Template:
    """A report with its assessment, and what opened an alert: all others are copies."""

    data: str
    body: bytes
    finding: bytes
    ruleset_hash: str


def _template(session: Session) -> _Template:
    first = session.scalars(select(ReportRecord).order_by(ReportRecord.reported_at)).first()
    finding = session.scalars(select(AlertFinding).order_by(AlertFinding.urgency.desc())).first()
    if first is None or finding is None:
        raise RuntimeError("the reports that are to be copied opened no alert")
    return _Template(first.data, first.assessment.body, finding.body, finding.ruleset_hash)


def _everybody_else(
    session: Session, teams: list[CareTeam], template: _Template, patients: int, each: int, at: datetime
) -> None:
    """Written as rows: twenty thousand people and their reports through the services would take a day."""
    with writing(session):
        for place in range(patients):
            team = teams[0 if place < ALERTS else place // TEAM % len(teams)]
            patient = new_patient(f"Synthetic {place:05}", team, at, day=20)
            session.add_all([patient, new_person(Role.PATIENT, patient=patient)])
            if place < ALERTS - 1:
                session.add(_alert(template, patient, place, at))
        session.flush()
        if session.get_bind().dialect.name == "sqlite":  # or each of five indexes is fetched from the disk row by row
            session.execute(text("PRAGMA cache_size = -4000000"))
        _copy_reports(session, template, each, at)
    session.execute(text("ANALYZE"))
    session.commit()


def _alert(template: _Template, patient: Patient, place: int, at: datetime) -> Alert:
    """One a minute, the urgencies by turns."""
    urgency, since = Urgency(1 + place % 3), at - timedelta(minutes=place)
    finding = AlertFinding(
        kind=AlertKind.REPORT,
        urgency=urgency,
        found_at=since,
        ruleset_hash=template.ruleset_hash,
        body=template.finding,
    )
    return Alert(
        patient=patient,
        care_team_id=patient.care_team.id,
        urgency=urgency,
        opened_at=since,
        waiting_since=since,
        answer_by=since + timedelta(minutes=15),
        findings=[finding],
    )


_WORDS = {
    "sqlite": {
        "id": "lower(hex(randomblob(16)))",
        "numbers": "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :each)",
        "time": "strftime('%Y-%m-%d %H:%M:%f', :at, '-' || (12 * n) || ' hours')",
    },
    "postgresql": {
        "id": "gen_random_uuid()",
        "numbers": "WITH numbers AS (SELECT generate_series(1, :each) AS n)",
        "time": "CAST(:at AS timestamptz) - n * interval '12 hours'",
    },
}


def _copy_reports(session: Session, template: _Template, each: int, at: datetime) -> None:
    """Written by the database itself: a report every twelve hours of everybody who has none, and its assessment."""
    say = _WORDS[session.get_bind().dialect.name]
    session.execute(
        text(
            f"{say['numbers']} INSERT INTO report (id, patient_id, reporter_id, token, reported_at, data) "  # noqa: S608
            f"SELECT {say['id']}, patient.id, person.id, CAST({say['id']} AS varchar), {say['time']}, :data "
            "FROM patient JOIN person ON person.patient_id = patient.id CROSS JOIN numbers "
            "WHERE patient.id NOT IN (SELECT patient_id FROM report)"
        ).bindparams(bindparam("data", type_=ReportRecord.__table__.c.data.type)),
        {"each": each, "at": at.strftime("%Y-%m-%d %H:%M:%S"), "data": template.data},
    )
    session.execute(
        text(
            "INSERT INTO assessment (id, report_id, ruleset_hash, urgency, body, history, made_at) "  # noqa: S608
            f"SELECT {say['id']}, report.id, :hash, 0, :body, '[]', report.reported_at FROM report "
            "LEFT JOIN assessment ON assessment.report_id = report.id WHERE assessment.id IS NULL"
        ).bindparams(bindparam("body", type_=AssessmentRecord.__table__.c.body.type)),
        {"hash": template.ruleset_hash, "body": template.body},
    )


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))

"""Who may see what: the only way to fetch a row for a person.

Every view says who may use it, with `@roles(…)` or `@public`; one that says nothing is refused (`web.create_app`
asks `refusal` before each request). A row is fetched through the person asking, so that another team's row does not
exist for them: it is a 404, like a row that was never there. What the staff are given about a patient here, and what
was out of reach, is noted for the audit trail (`looks`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NoReturn, TypeVar, cast
from uuid import UUID

from flask import abort, current_app, request
from flask_login import current_user
from sqlalchemy import Select, SQLColumnExpression, false, or_, select
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from triage import clock
from triage.accounts import covers, looks
from triage.database import db
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
    Handover,
    HandoverAcceptance,
    MonitoringEnd,
    Patient,
    Person,
    ReportRecord,
    Role,
    RuleMute,
)

View = TypeVar("View", bound=Callable[..., Any])
Found = TypeVar("Found")
Row = TypeVar("Row", Admission, Alert, Course, CourseChange, MonitoringEnd, RuleMute)

PEOPLE_OF_A_PATIENT = (Role.PATIENT, Role.CAREGIVER)
PEOPLE_OF_A_TEAM = (Role.NURSE, Role.ADMINISTRATOR)

_ROLES = "triage_roles"
_WITHOUT_RECORDS = "triage_without_records"
_BY_ITSELF = "triage_by_itself"
_STATIC = "static"
"""Flask's own endpoint for style sheets and scripts."""


class Refusal(Enum):
    """Why a request may not reach its view."""

    SIGN_IN_FIRST = "sign in first"
    WRONG_ROLE = "wrong role"


def roles(*allowed: Role) -> Callable[[View], View]:
    """Only signed-in people with one of these roles may use the view."""

    def mark(view: View) -> View:
        setattr(view, _ROLES, frozenset(allowed))
        return view

    return mark


def by_itself(view: View) -> View:
    """A page asks for this without anybody doing anything: it keeps no device from locking."""
    setattr(view, _BY_ITSELF, True)
    return view


def is_by_itself() -> bool:
    """Whether the present request is one that nobody did."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, _BY_ITSELF, False))


def public(view: View) -> View:
    """Everybody may use the view, signed in or not."""
    setattr(view, _ROLES, None)
    return view


def without_records(view: View) -> View:
    """The view answers also when the database does not: who is signed in is then not known to it."""
    setattr(view, _WITHOUT_RECORDS, True)
    return view


def needs_records() -> bool:
    """Whether the present request can only be answered with the database."""
    view = current_app.view_functions.get(request.endpoint or "")
    return not getattr(view, _WITHOUT_RECORDS, False)


def allowed_roles(view: Callable[..., Any]) -> frozenset[Role] | None:
    """Who may use the view; None means everybody. A view that does not say is for nobody."""
    return cast("frozenset[Role] | None", getattr(view, _ROLES, frozenset()))


def refusal() -> Refusal | None:
    """Why the present request must not go on, or None."""
    if request.endpoint is None or request.endpoint == _STATIC:
        return None  # no such page, which is a 404 for everybody
    allowed = allowed_roles(current_app.view_functions[request.endpoint])
    if allowed is None:
        return None
    somebody = signed_in()
    if somebody is None:
        return Refusal.SIGN_IN_FIRST
    return None if somebody.role in allowed else Refusal.WRONG_ROLE


def signed_in() -> Person | None:
    """Whoever is signed in, if anybody."""
    user: Any = current_user
    return cast(Person, user._get_current_object()) if user.is_authenticated else None


def person() -> Person:
    """The signed-in person."""
    return signed_in() or abort(401)


def own_patient(person: Person) -> Patient:
    """The patient whose account this is, or for whom this caregiver cares."""
    return person.patient or abort(404)


def team_of(person: Person) -> CareTeam:
    """The care team a person works in, or that looks after their patient."""
    if person.care_team:
        return person.care_team
    return own_patient(person).care_team


def team_for(person: Person, team_id: UUID) -> CareTeam | None:
    """That care team: the nurse's own, or one that she covers now. None where she covered it before, 404 else."""
    if team_id == person.care_team_id:
        return team_of(person)
    covered = covers.teams(person.id, clock.now())
    found = db.session.scalar(select(CareTeam).where(CareTeam.id == team_id, CareTeam.id.in_(covered)))
    if found is None and not covers.covered_before(db.session, person, team_id):
        looks.out_of_reach(person, None)
        abort(404)
    return found


def patients_of(person: Person) -> Select[Patient]:
    """The patients within a person's reach: a nurse's also in teams that she covers. A clinician owns rules and sees no
    patient."""
    if person.role in PEOPLE_OF_A_PATIENT:
        return select(Patient).where(Patient.id == person.patient_id)
    if person.role in PEOPLE_OF_A_TEAM:
        own = Patient.care_team_id == person.care_team_id
        covered = Patient.care_team_id.in_(covers.teams(person.id, clock.now()))
        return select(Patient).where(
            or_(own, covered) if person.role == Role.NURSE else own, Patient.erased_at.is_(None)
        )
    return select(Patient).where(false())


def names_in_a_replay(person: Person) -> dict[str, str]:
    """Names by patient id, of the patients of a clinician's own team.

    Clinicians see no record. Whoever answers by name for what a rule change does to a report must know whose it is; of
    another team's patients a replay shows the facts that decide, and no name.
    """
    query = select(Patient.id, Patient.name).where(Patient.care_team_id == person.care_team_id)
    return {str(id): name for id, name in db.session.execute(query)}


def patient_for(person: Person, patient_id: UUID) -> Patient:
    """That patient; 404 outside the person's reach."""
    found = db.session.scalar(patients_of(person).where(Patient.id == patient_id))
    if found is None:
        _out_of_reach(person, select(Patient.id).where(Patient.id == patient_id))
    looks.at_patient(person, found.id)
    return found


def report_for(person: Person, report_id: UUID) -> ReportRecord:
    """That report with its assessment; 404 outside the person's reach."""
    one = select(ReportRecord).where(ReportRecord.id == report_id)
    return _within_reach(person, one, ReportRecord.patient_id, joinedload(ReportRecord.assessment))


def alert_for(person: Person, alert_id: UUID) -> Alert:
    """That alert; 404 outside the person's reach."""
    return _of_a_patient(person, Alert, alert_id)


def call_back_for(person: Person, call_back_id: UUID) -> CallBack:
    """That promised call-back; 404 outside the person's reach."""
    one = select(CallBack).join(CallBack.alert).where(CallBack.id == call_back_id)
    return _within_reach(person, one, Alert.patient_id)


def mute_for(person: Person, mute_id: UUID) -> RuleMute:
    """That muted rule; 404 outside the person's reach."""
    return _of_a_patient(person, RuleMute, mute_id)


def _of_a_patient(person: Person, kind: type[Row], row_id: UUID) -> Row:
    """A row that names its patient."""
    return _within_reach(person, select(kind).where(kind.id == row_id), kind.patient_id)


def _within_reach(
    person: Person, one: Select[Found], whose: SQLColumnExpression[UUID], *options: ExecutableOption
) -> Found:
    """The row of that query, about the patient `whose`; noted for the audit trail, whether or not it is within the
    person's reach."""
    found = db.session.execute(one.add_columns(whose).where(whose.in_(_reach(person))).options(*options)).first()
    if found is None:
        _out_of_reach(person, one.with_only_columns(whose))
    row, patient_id = found
    looks.at_patient(person, patient_id)
    return cast(Found, row)


def _reach(person: Person) -> Select[Any]:
    """The ids of the patients within a person's reach."""
    return patients_of(person).with_only_columns(Patient.id)


def _out_of_reach(person: Person, whose: Select[Any]) -> NoReturn:
    """A 404, the same for a row of another team and for one that never was. Which it was goes into the trail."""
    looks.out_of_reach(person, db.session.scalar(whose))
    abort(404)


def course_for(person: Person, course_id: UUID) -> Course:
    """That course; 404 outside the person's reach."""
    return _of_a_patient(person, Course, course_id)


def dose_for(person: Person, dose_id: UUID) -> DoseEvent:
    """That dose; 404 outside the person's reach."""
    one = select(DoseEvent).join(DoseEvent.course).where(DoseEvent.id == dose_id)
    return _within_reach(person, one, Course.patient_id)


def change_for(person: Person, change_id: UUID) -> CourseChange:
    """What was changed of a course; 404 outside the person's reach."""
    return _of_a_patient(person, CourseChange, change_id)


def admission_for(person: Person, admission_id: UUID) -> Admission:
    """That stay in hospital; 404 outside the person's reach."""
    return _of_a_patient(person, Admission, admission_id)


def end_for(person: Person, end_id: UUID) -> MonitoringEnd:
    """That end of monitoring; 404 outside the person's reach."""
    return _of_a_patient(person, MonitoringEnd, end_id)


def duty_for(person: Person, duty_id: UUID) -> Duty:
    """That duty of the person's own team, while it is on the rota; 404 else."""
    query = select(Duty).where(Duty.id == duty_id, Duty.care_team_id == person.care_team_id, Duty.removed_at.is_(None))
    return db.session.scalar(query.options(joinedload(Duty.person))) or abort(404)


def cover_for(person: Person, cover_id: UUID) -> Cover:
    """That cover: one of the person's own, or by which somebody sees the person's team; 404 else."""
    query = select(Cover).where(
        Cover.id == cover_id, or_(Cover.person_id == person.id, Cover.care_team_id == person.care_team_id)
    )
    return db.session.scalar(query) or abort(404)


def handover_for(person: Person, handover_id: UUID) -> Handover:
    """That handover of the person's own team; 404 else."""
    query = select(Handover).where(Handover.id == handover_id, Handover.care_team_id == person.care_team_id)
    return db.session.scalar(query) or abort(404)


def acceptance_for(person: Person, acceptance_id: UUID) -> HandoverAcceptance:
    """That acceptance, in a handover of the person's own team; 404 else."""
    query = (
        select(HandoverAcceptance)
        .join(HandoverAcceptance.handover)
        .where(HandoverAcceptance.id == acceptance_id, Handover.care_team_id == person.care_team_id)
    )
    return db.session.scalar(query) or abort(404)


def staff_for(person: Person, staff_id: UUID) -> Person:
    """That member of the staff, for themselves and for the administrators of their team; 404 for everybody else."""
    query = select(Person).where(Person.id == staff_id, Person.care_team_id == person.care_team_id, Person.active)
    if person.role != Role.ADMINISTRATOR:
        query = query.where(Person.id == person.id)
    return db.session.scalar(query) or abort(404)


def colleague_for(person: Person, staff_id: UUID) -> Person:
    """That member of an administrator's own team, also one who has left; 404 else."""
    query = select(Person).where(Person.id == staff_id, Person.care_team_id == person.care_team_id)
    return db.session.scalar(query) or abort(404)

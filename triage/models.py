"""The tables, and yes/no properties on them. No query across patients, no commit, no rule.

Reports and assessments are never updated, alerts never deleted (a test of the house looks for it).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID, uuid4

from flask_login import UserMixin
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from triage import encryption
from triage.database import Encrypted, Id, Model, UtcTime
from triage.rules.urgency import Urgency

# The heartbeat: a made-up patient who reports every few minutes (triage/heartbeat.py). The ids are constants, so that
# the database itself can tell these rows from everybody else's (migration 0008).
HEARTBEAT_TEAM = UUID("68656172-7462-4561-8574-000000000001")
HEARTBEAT_PATIENT = UUID("68656172-7462-4561-8574-000000000002")
HEARTBEAT_REPORTER = UUID("68656172-7462-4561-8574-000000000003")
HEARTBEAT_NURSE = UUID("68656172-7462-4561-8574-000000000004")
"""Closes the heartbeat's alerts. The database refuses its name on any other."""
HEARTBEAT_CHANNEL = "heartbeat"
"""By which the heartbeat's alerts go out, and nothing else does: it wakes nobody."""
_Number = BigInteger().with_variant(Integer, "sqlite")  # there an INTEGER key is the row's own number


_SIGN_IN_NAME = "person.sign_in_name"

NO_HASH = ""
"""Stands where the hash of a passphrase will stand: nobody can sign in with it."""


class Role(StrEnum):
    """What a person may do here."""

    PATIENT = "patient"
    CAREGIVER = "caregiver"
    NURSE = "nurse"
    CLINICIAN = "clinician"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    """Sees the audit trail of the whole site, and nothing else."""


class DoseKind(StrEnum):
    """What made a dose event."""

    INFUSION = "infusion"
    CYCLE_START = "cycle_start"
    DOSE_STEP = "dose_step"


class AlertStatus(StrEnum):
    """open → acknowledged → resolved."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertKind(StrEnum):
    """What opened an alert."""

    REPORT = "report"
    SILENCE = "silence"
    REJUDGMENT = "rejudgment"
    """A report that is more urgent now that it is known when the therapy was given."""


class Disposition(StrEnum):
    """What was done about an alert."""

    ADVICE_GIVEN = "advice_given"
    SEEN_TODAY = "seen_today"
    SENT_TO_EMERGENCY = "sent_to_emergency"
    ADMITTED = "admitted"
    NO_ACTION = "no_action"


class OpenBecause(StrEnum):
    """Why an alert that somebody had taken, or resolved, is open again."""

    EXPIRED = "expired"
    """Nothing was written in time after it was acknowledged."""
    GIVEN_BACK = "given_back"
    REOPENED = "reopened"
    """It was resolved by a slip."""


class NoteKind(StrEnum):
    """What an entry in the notes of an alert tells."""

    NOTE = "note"
    CALL = "call"
    RESOLUTION = "resolution"
    """A resolution that was taken back, kept as it was."""
    REOPENING = "reopening"


class CallOutcome(StrEnum):
    """What came of a call."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    LEFT_MESSAGE = "left_message"


class CallBackEnd(StrEnum):
    """How a promised call-back ended."""

    DONE = "done"
    MOVED = "moved"
    NOT_NEEDED = "not_needed"


class HandoverEnd(StrEnum):
    """What became of a handover that was begun."""

    CLOSED = "closed"
    TAKEN_BACK = "taken_back"
    """It was begun by a slip."""
    LEFT = "left"
    """Nobody closed it, and a later shift began its own."""


class MessageKind(StrEnum):
    """What somebody is told of."""

    ALERT = "alert"
    REMINDER = "reminder"
    """To a patient or caregiver: a report is missing."""
    CHANNEL_FAILING = "channel_failing"
    """To administrators: a channel does not deliver."""
    ROTA_EMPTY = "rota_empty"
    """To administrators: nobody was on call when an alert came."""
    TEST = "test"
    """Somebody tries out who would be told."""


class EndReason(StrEnum):
    """Why monitoring ended."""

    COMPLETED = "completed"
    TRANSFERRED = "transferred"
    WITHDREW = "withdrew"
    DIED = "died"


class CourseChangeKind(StrEnum):
    """What was entered of a therapy after the patient was enrolled."""

    DOSE_ADDED = "dose_added"
    DOSE_CORRECTED = "dose_corrected"
    DOSE_REMOVED = "dose_removed"
    """It was not given."""
    COURSE_BEGUN = "course_begun"
    STEROIDS = "steroids"


class ProposalStatus(StrEnum):
    """proposed → approved, rejected or withdrawn."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class ActivationKind(StrEnum):
    """How a version of the rules became active."""

    SEED = "seed"
    """The files with which the site began."""
    APPROVAL = "approval"
    ROLL_BACK = "roll_back"


class ConsentWay(StrEnum):
    """How a patient said that somebody may report for them."""

    IN_WRITING = "in_writing"
    SPOKEN = "spoken"
    BY_TELEPHONE = "by_telephone"
    BY_REPRESENTATIVE = "by_representative"
    """Somebody who may decide for the patient said it."""


class CareTeam(Model):
    """A group of staff and their patients; nobody sees another team's patients."""

    __tablename__ = "care_team"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(200), unique=True)
    time_zone: Mapped[str] = mapped_column(String(64))
    """IANA name, for example Europe/London."""
    phone: Mapped[str] = mapped_column(String(40))
    """The 24-hour line, as shown and dialled."""
    emergency_number: Mapped[str] = mapped_column(String(20))


class Patient(Model):
    """Somebody under the care of a team. Signing in is a Person's matter: a patient may have no account."""

    __tablename__ = "patient"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(Encrypted("patient.name"))
    born_on: Mapped[date | None] = mapped_column(Encrypted("patient.born_on", date))
    phone: Mapped[str] = mapped_column(Encrypted("patient.phone"), default="")
    care_team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"), index=True)
    synthetic: Mapped[bool] = mapped_column(default=False)
    """Made up for a demonstration."""
    enrolled_at: Mapped[UtcTime]
    died_on: Mapped[date | None]
    """Nothing is ever sent to the patient or a caregiver then, and the patient's account is closed."""
    town: Mapped[str] = mapped_column(Encrypted("patient.town"), default="")
    """Where the patient stays; several names are divided by commas. Right answers of the thinking check."""
    hospital: Mapped[str] = mapped_column(Encrypted("patient.hospital"), default="")
    """Which hospital looks after the patient, in the same way."""
    erasing_since: Mapped[UtcTime | None]
    """Set only within the transaction that erases the patient: it alone may rewrite what is never changed."""
    erased_at: Mapped[UtcTime | None]
    """Since then nobody is told whose record it was (monitoring/erasing.py)."""

    care_team: Mapped[CareTeam] = relationship()
    courses: Mapped[list[Course]] = relationship(back_populates="patient", order_by="Course.started_on")
    accounts: Mapped[list[Person]] = relationship(back_populates="patient", order_by="Person.id")
    admissions: Mapped[list[Admission]] = relationship(
        primaryjoin="and_(Patient.id == Admission.patient_id, Admission.undone_at.is_(None))",
        order_by="Admission.since",
        viewonly=True,
    )
    """Those that were not a slip."""

    @property
    def people(self) -> list[Person]:
        """The patient, if they have an account, and the caregivers, by name."""
        return by_name(self.accounts)

    @property
    def has_died(self) -> bool:
        return self.died_on is not None

    @property
    def in_hospital(self) -> Admission | None:
        """The admission from which the patient has not come home."""
        return next((stay for stay in self.admissions if stay.home_at is None), None)

    @property
    def open_course(self) -> Course | None:
        """The course that is being monitored: the latest that has not ended."""
        return next((course for course in reversed(self.courses) if course.ended_on is None), None)


class Person(Model, UserMixin):
    """Somebody who can sign in. Staff belong to a care team; a patient's or caregiver's account to one patient."""

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("(role IN ('patient', 'caregiver')) = (patient_id IS NOT NULL)", name="patient_of_role"),
        CheckConstraint("(role IN ('patient', 'caregiver')) = (care_team_id IS NULL)", name="team_of_role"),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(Encrypted("person.name"))
    sign_in_name: Mapped[str] = mapped_column(Encrypted("person.sign_in_name"))
    """Lower case. `Person.called` looks for one."""
    sign_in_mark: Mapped[str] = mapped_column(String(64), unique=True)
    """Stands for the sign-in name in the database: a hash of it with a data key."""
    password_hash: Mapped[str] = mapped_column(String(255))
    """Empty until the person has set a passphrase with an invitation."""
    role: Mapped[Role] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(default=True)
    session_key: Mapped[str] = mapped_column(String(64), unique=True)
    """Stands for the person in a session cookie; a new one signs out everywhere."""
    phone: Mapped[str] = mapped_column(Encrypted("person.phone"), default="")
    """Where messages go by SMS; empty: not by SMS."""
    mail: Mapped[str] = mapped_column(Encrypted("person.mail"), default="")
    """Where messages go by mail; empty: not by mail."""
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"), index=True)
    care_team_id: Mapped[UUID | None] = mapped_column(ForeignKey("care_team.id"), index=True)
    temperature_unit: Mapped[str] = mapped_column(String(1), default="", server_default=text("''"))
    """"c" or "f": what their thermometer showed last time; empty: not known."""
    language: Mapped[str] = mapped_column(String(10), default="", server_default=text("''"))
    """In which pages and messages speak to a patient or caregiver, for example "es"; empty: nobody chose one."""

    patient: Mapped[Patient | None] = relationship(back_populates="accounts")
    care_team: Mapped[CareTeam | None] = relationship()
    daily_reminder: Mapped[DailyReminder | None] = relationship(back_populates="person")
    invitations: Mapped[list[Invitation]] = relationship(
        back_populates="person", order_by="Invitation.made_at", foreign_keys="Invitation.person_id"
    )
    consents: Mapped[list[Consent]] = relationship(
        back_populates="caregiver", order_by="Consent.noted_at", foreign_keys="Consent.caregiver_id"
    )

    @validates("sign_in_name")
    def _marked(self, attribute: str, sign_in_name: str) -> str:
        self.sign_in_mark = encryption.ring().newest.mark(_SIGN_IN_NAME, sign_in_name)
        return sign_in_name

    @classmethod
    def called(cls, sign_in_name: str) -> ColumnElement[bool]:
        """The condition that somebody has this sign-in name, also while data are encrypted anew with another key."""
        return cls.sign_in_mark.in_(encryption.ring().marks(_SIGN_IN_NAME, sign_in_name.strip().lower()))

    @property
    def has_passphrase(self) -> bool:
        return self.password_hash != NO_HASH

    @property
    def waiting_invitation(self) -> Invitation | None:
        """The invitation that was neither used nor taken back; it may have expired."""
        return next((one for one in self.invitations if one.used_at is None and one.taken_back_at is None), None)

    @property
    def consent(self) -> Consent | None:
        """The patient's consent that stands."""
        return next((one for one in self.consents if one.withdrawn_at is None), None)

    def get_id(self) -> str:
        return self.session_key

    @property
    def is_active(self) -> bool:
        return self.active

    @property
    def is_staff(self) -> bool:
        return self.role not in (Role.PATIENT, Role.CAREGIVER)


Named = TypeVar("Named", Patient, Person)


def by_name(rows: Iterable[Named]) -> list[Named]:
    """People or patients as a list to read: the database cannot sort what is encrypted."""
    return sorted(rows, key=lambda row: (row.name.casefold(), row.name, row.id))


class DailyReminder(Model):
    """When a patient or caregiver wants to be reminded of the day's report. No row: not at all."""

    __tablename__ = "daily_reminder"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    time_of_day: Mapped[str] = mapped_column(String(5))
    """"08:30" in the care team's time zone."""
    channel: Mapped[str] = mapped_column(String(20))
    """One of PERSONAL_CHANNELS."""
    quiet_hours: Mapped[str] = mapped_column(String(11), default="")
    """"22:00-07:00" in the care team's time zone, or empty."""
    looked_at_until: Mapped[date]
    """The last day of which it was decided whether a message is owed."""

    person: Mapped[Person] = relationship(back_populates="daily_reminder")


class Invitation(Model):
    """With its code one person sets a passphrase, once. Only the hash of the code is kept."""

    __tablename__ = "invitation"
    __table_args__ = (
        Index(
            "uq_invitation_waiting",
            "person_id",
            unique=True,
            sqlite_where=text("used_at IS NULL AND taken_back_at IS NULL"),
            postgresql_where=text("used_at IS NULL AND taken_back_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[UtcTime]
    made_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    """None: somebody at the command line."""
    expires_at: Mapped[UtcTime]
    used_at: Mapped[UtcTime | None]
    taken_back_at: Mapped[UtcTime | None]
    """By a person, or by the next invitation, which takes its place."""

    person: Mapped[Person] = relationship(back_populates="invitations", foreign_keys=person_id)

    def is_good(self, at: datetime) -> bool:
        """Whether a passphrase can be set with it."""
        return self.used_at is None and self.taken_back_at is None and at < self.expires_at


class Consent(Model):
    """The patient agreed that this caregiver sees and sends reports. Withdrawn, it stays, and the account is closed."""

    __tablename__ = "consent"
    __table_args__ = (
        Index(
            "uq_consent_standing",
            "caregiver_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    caregiver_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    way: Mapped[ConsentWay] = mapped_column(String(20))
    given_on: Mapped[date]
    noted_at: Mapped[UtcTime]
    noted_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    withdrawn_at: Mapped[UtcTime | None]
    withdrawn_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))

    caregiver: Mapped[Person] = relationship(back_populates="consents", foreign_keys=caregiver_id)
    noted_by: Mapped[Person] = relationship(foreign_keys=noted_by_id)


class SignInTry(Model):
    """Failures to sign in, of one name, one device or one address. A success clears it."""

    __tablename__ = "sign_in_try"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    """A keyed hash: what is typed as a name may be anything, and an address is personal."""
    failures: Mapped[int]
    last_at: Mapped[UtcTime] = mapped_column(index=True)
    held_until: Mapped[UtcTime | None]


class SignIn(Model):
    """Somebody is signed in on a device. Its id is in the cookie there; ended here, the cookie is worth nothing."""

    __tablename__ = "sign_in"

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    device: Mapped[str] = mapped_column(String(60))
    """What the browser says of itself, in two words: "Firefox on Android"."""
    begun_at: Mapped[UtcTime]
    seen_at: Mapped[UtcTime]
    """When somebody did something there, to the minute."""
    ends_at: Mapped[UtcTime]
    ended_at: Mapped[UtcTime | None]

    person: Mapped[Person] = relationship()


class Authenticator(Model):
    """The app that shows somebody's codes. Whoever gets a new invitation begins with a new one."""

    __tablename__ = "authenticator"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(255))
    """Encrypted with a key that is made from the server's secret key."""
    made_at: Mapped[UtcTime]
    confirmed_at: Mapped[UtcTime | None]
    """When a first code of it was right; before, it lets nobody in."""
    last_step: Mapped[int] = mapped_column(default=0)
    """The half minute of the last code that was taken: no code is taken twice."""


class RecoveryCode(Model):
    """Lets somebody in once without their authenticator app."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("person_id", "code_hash"),)

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    code_hash: Mapped[str] = mapped_column(String(80))
    used_at: Mapped[UtcTime | None]


class Passkey(Model):
    """A key on a device of somebody, which signs for this site. Whoever gets a new invitation begins without any."""

    __tablename__ = "passkey"

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    """What the device calls it, in base64url."""
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    """In COSE form. It proves what the device has signed, and signs nothing itself."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """How often the device has signed, by its own count; 0 where it never counts."""
    name: Mapped[str] = mapped_column(Encrypted("passkey.name"))
    """What its owner calls the device."""
    made_at: Mapped[UtcTime]
    used_at: Mapped[UtcTime | None]
    challenge_at: Mapped[UtcTime]
    """When the challenge was made that it answered last: it takes none twice, and no older one."""

    person: Mapped[Person] = relationship()


class Course(Model):
    """One therapy given to one patient. Day 0 is its first dose event."""

    __tablename__ = "course"

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    therapy: Mapped[str | None] = mapped_column(Encrypted("course.therapy"))
    """A code of the catalogue; None when it is not known."""
    product: Mapped[str] = mapped_column(Encrypted("course.product"), default="")
    started_on: Mapped[date | None]
    """Day 0 in the care team's time zone; None when no date is on file."""
    ended_on: Mapped[date | None]
    """When monitoring ended."""
    end_id: Mapped[UUID | None] = mapped_column(ForeignKey("monitoring_end.id"))
    """Who ended it, and why; None where nobody wrote that down."""
    on_steroids_since: Mapped[date | None]
    """Or since tocilizumab was given."""
    on_steroids_until: Mapped[date | None]
    """The last day; None while it goes on."""

    patient: Mapped[Patient] = relationship(back_populates="courses")
    dose_events: Mapped[list[DoseEvent]] = relationship(back_populates="course", order_by="DoseEvent.given_on")


class DoseEvent(Model):
    """An infusion, cycle start or dose step of a course; windows count from the latest."""

    __tablename__ = "dose_event"

    id: Mapped[Id]
    course_id: Mapped[UUID] = mapped_column(ForeignKey("course.id"), index=True)
    given_on: Mapped[date]
    kind: Mapped[DoseKind] = mapped_column(String(20))

    course: Mapped[Course] = relationship(back_populates="dose_events")


class Admission(Model):
    """A patient is in hospital: no report is expected, and nobody is reminded. A slip is taken back, never deleted."""

    __tablename__ = "admission"
    __table_args__ = (
        CheckConstraint("home_at >= since", name="home_after"),
        CheckConstraint("(home_at IS NULL) = (home_noted_at IS NULL)", name="home_noted"),
        Index(
            "uq_admission_in_hospital",
            "patient_id",
            unique=True,
            sqlite_where=text("home_at IS NULL AND undone_at IS NULL"),
            postgresql_where=text("home_at IS NULL AND undone_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    since: Mapped[UtcTime]
    noted_at: Mapped[UtcTime]
    noted_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    home_at: Mapped[UtcTime | None]
    """Since when the patient is home again: silence counts from then."""
    home_noted_at: Mapped[UtcTime | None]
    home_noted_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    undone_at: Mapped[UtcTime | None]
    undone_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))

    noted_by: Mapped[Person] = relationship(foreign_keys=noted_by_id)
    home_noted_by: Mapped[Person | None] = relationship(foreign_keys=home_noted_by_id)
    undone_by: Mapped[Person | None] = relationship(foreign_keys=undone_by_id)


class MonitoringEnd(Model):
    """Monitoring of a patient ended, and why. A slip is taken back, never deleted."""

    __tablename__ = "monitoring_end"

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    reason: Mapped[EndReason] = mapped_column(String(20))
    ended_on: Mapped[date]
    """The last day on which a report was expected; for a death, the day of it."""
    noted_at: Mapped[UtcTime]
    noted_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    undone_at: Mapped[UtcTime | None]
    undone_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))

    noted_by: Mapped[Person] = relationship(foreign_keys=noted_by_id)
    undone_by: Mapped[Person | None] = relationship(foreign_keys=undone_by_id)


class CourseChange(Model):
    """What somebody entered or corrected of a therapy, with what stood there before. Never changed."""

    __tablename__ = "course_change"

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    course_id: Mapped[UUID] = mapped_column(ForeignKey("course.id"))
    kind: Mapped[CourseChangeKind] = mapped_column(String(20))
    before_on: Mapped[date | None]
    """The day that stood there; None for what is new."""
    before_kind: Mapped[DoseKind | None] = mapped_column(String(20))
    after_on: Mapped[date | None]
    """None for what was taken out."""
    after_kind: Mapped[DoseKind | None] = mapped_column(String(20))
    before_until: Mapped[date | None]
    after_until: Mapped[date | None]
    """The last day of steroids."""
    why: Mapped[str] = mapped_column(Encrypted("course_change.why"), default="")
    changed_at: Mapped[UtcTime]
    changed_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))

    patient: Mapped[Patient] = relationship()
    changed_by: Mapped[Person] = relationship()
    rejudgments: Mapped[list[Rejudgment]] = relationship(back_populates="change", order_by="Rejudgment.number")
    """Every report that it concerns, the earliest first."""


class RulesetVersion(Model):
    """A ruleset by its content hash, stored on first use, so that any old report can be judged by it again."""

    __tablename__ = "ruleset_version"

    hash: Mapped[str] = mapped_column(String(71), primary_key=True)
    document: Mapped[str] = mapped_column(Text)
    first_used_at: Mapped[UtcTime]


class LanguageApproval(Model):
    """A clinician's word that the texts of the rules in one language may be shown to patients. Withdrawn, never
    deleted."""

    __tablename__ = "language_approval"
    __table_args__ = (CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by_id IS NULL)", name="withdrawn"),)

    id: Mapped[Id]
    language: Mapped[str] = mapped_column(String(10))
    seal: Mapped[str] = mapped_column(String(80))
    """Names each English text with its translation (`triage.rules.translation.seal`)."""
    approved_at: Mapped[UtcTime]
    approved_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    withdrawn_at: Mapped[UtcTime | None]
    withdrawn_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))

    approved_by: Mapped[Person] = relationship(foreign_keys=approved_by_id)
    withdrawn_by: Mapped[Person | None] = relationship(foreign_keys=withdrawn_by_id)


class RulesetDraft(Model):
    """The rule files as one clinician is changing them. One a clinician; gone when it is proposed or thrown away."""

    __tablename__ = "ruleset_draft"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    base: Mapped[int] = mapped_column(ForeignKey("ruleset_activation.number"))
    """The version it was begun from."""
    files: Mapped[dict[str, str]] = mapped_column(JSON)
    """Text by file name. It may hold mistakes."""
    updated_at: Mapped[UtcTime]


class RulesetProposal(Model):
    """A changed ruleset that waits for, or got, the decision of a second clinician. What was proposed never changes."""

    __tablename__ = "ruleset_proposal"
    __table_args__ = (CheckConstraint("decided_by_id <> proposed_by_id OR status = 'withdrawn'", name="four_eyes"),)

    id: Mapped[Id]
    base: Mapped[int]
    """Number of the version it was begun from."""
    files: Mapped[dict[str, str]] = mapped_column(JSON)
    ruleset_hash: Mapped[str] = mapped_column(ForeignKey("ruleset_version.hash"))
    reason: Mapped[str] = mapped_column(Encrypted("ruleset_proposal.reason"))
    replay: Mapped[dict[str, Any]] = mapped_column(Encrypted("ruleset_proposal.replay", dict))
    """What it would have done to past reports (triage.rules.replay), as it was when it was proposed."""
    signed: Mapped[dict[str, str]] = mapped_column(JSON)
    """Reports that fall from emergency or urgent, by id: the id of the person who answers for it."""
    accepted: Mapped[dict[str, str]] = mapped_column(Encrypted("ruleset_proposal.accepted", dict))
    """Warnings of the check, and why each is accepted."""
    confirmed: Mapped[list[str]] = mapped_column(JSON)
    """Boundary entries that the proposer has read and meant so, in plain words."""
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    proposed_at: Mapped[UtcTime]
    status: Mapped[ProposalStatus] = mapped_column(String(20), default=ProposalStatus.PROPOSED)
    decided_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[UtcTime | None]
    decision: Mapped[str] = mapped_column(Encrypted("ruleset_proposal.decision"), default="")
    """What the second clinician wrote."""

    proposed_by: Mapped[Person] = relationship(foreign_keys=proposed_by_id)
    decided_by: Mapped[Person | None] = relationship(foreign_keys=decided_by_id)

    @property
    def is_waiting(self) -> bool:
        return self.status == ProposalStatus.PROPOSED


class RulesetActivation(Model):
    """From when on which ruleset judges: the one with the highest number does. Only added to, never changed."""

    __tablename__ = "ruleset_activation"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1, 2, 3 …: what people call the version. Two that come at once cannot both be the next."""
    key: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    """The same in no other database: what a running server remembers it by."""
    kind: Mapped[ActivationKind] = mapped_column(String(20))
    ruleset_hash: Mapped[str] = mapped_column(ForeignKey("ruleset_version.hash"))
    files: Mapped[dict[str, str]] = mapped_column(JSON)
    """Text by file name, comments included."""
    reason: Mapped[str] = mapped_column(Encrypted("ruleset_activation.reason"))
    proposal_id: Mapped[UUID | None] = mapped_column(ForeignKey("ruleset_proposal.id"))
    back_to: Mapped[int | None] = mapped_column(ForeignKey("ruleset_activation.number"))
    """The version whose files it brought back."""
    activated_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    """None: the site's first start."""
    activated_at: Mapped[UtcTime]

    activated_by: Mapped[Person | None] = relationship()
    proposal: Mapped[RulesetProposal | None] = relationship(foreign_keys=proposal_id)


class ReportDraft(Model):
    """What a reporter has typed and not yet sent. One a person; gone when the report is sent."""

    __tablename__ = "report_draft"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    """Whom a nurse writes about, on the telephone; None for a patient's or caregiver's own patient."""
    token: Mapped[str] = mapped_column(String(64), unique=True)
    answers: Mapped[dict[str, Any]] = mapped_column(Encrypted("report_draft.answers", dict))
    """Form fields as typed, by step."""
    begun_at: Mapped[UtcTime]
    updated_at: Mapped[UtcTime]


class ThinkingBaseline(Model):
    """A patient's own first thinking check, in one language. Once it is taken, only its acceptance is added."""

    __tablename__ = "thinking_baseline"
    __table_args__ = (
        UniqueConstraint("patient_id", "language"),
        CheckConstraint("(accepted_at IS NULL) = (accepted_by_id IS NULL)", name="accepted"),
    )

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    language: Mapped[str] = mapped_column(String(10))
    """Of the questions and answers, for example "en"."""
    steps: Mapped[dict[str, Any]] = mapped_column(Encrypted("thinking_baseline.steps", dict))
    """What was typed so far, by step, until it is taken."""
    taken_at: Mapped[UtcTime | None]
    """None while it is begun and not finished."""
    taken_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    right_answers: Mapped[list[str]] = mapped_column(Encrypted("thinking_baseline.right_answers", dict))
    """The answers that gave a point (triage.reports.thinking.MARKS)."""
    answers: Mapped[dict[str, str]] = mapped_column(Encrypted("thinking_baseline.answers", dict))
    """As typed, by answer."""
    accepted_at: Mapped[UtcTime | None]
    accepted_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    """Who said that one taken after day 0 counts as this person's own."""

    patient: Mapped[Patient] = relationship()
    taken_by: Mapped[Person] = relationship(foreign_keys=taken_by_id)
    accepted_by: Mapped[Person | None] = relationship(foreign_keys=accepted_by_id)


CAME_LATE = timedelta(minutes=5)
"""A report that came so long after it was answered is told as one that a phone had to keep."""


class ReportRecord(Model):
    """A report as stored: written once, never changed."""

    __tablename__ = "report"
    __table_args__ = (Index("ix_report_patient_time", "patient_id", "reported_at"),)

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    reporter_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    """Given with the form: a second send finds the first."""
    reported_at: Mapped[UtcTime]
    data: Mapped[str] = mapped_column(Encrypted("report.data"))
    """The data form (triage.rules.report), as JSON."""

    patient: Mapped[Patient] = relationship()
    reporter: Mapped[Person] = relationship()
    assessment: Mapped[AssessmentRecord] = relationship(back_populates="report")

    @property
    def was_kept_until(self) -> datetime | None:
        """When it came, where a phone without a connection had kept it for minutes or longer; None else."""
        assessment: AssessmentRecord | None = self.assessment
        came = assessment.made_at if assessment else self.reported_at
        return came if came - self.reported_at >= CAME_LATE else None


class AssessmentRecord(Model):
    """What a ruleset made of a report: the canonical bytes and, for the queue, the rank. Never changed."""

    __tablename__ = "assessment"

    id: Mapped[Id]
    report_id: Mapped[UUID] = mapped_column(ForeignKey("report.id"), unique=True)
    ruleset_hash: Mapped[str] = mapped_column(ForeignKey("ruleset_version.hash"), index=True)
    urgency: Mapped[Urgency]
    body: Mapped[bytes] = mapped_column(Encrypted("assessment.body", bytes))
    """Canonical bytes of triage.rules.assessment.Assessment."""
    history: Mapped[list[str]] = mapped_column(JSON)
    """Ids of the earlier reports it looked at, so that it can be repeated exactly."""
    made_at: Mapped[UtcTime]

    report: Mapped[ReportRecord] = relationship(back_populates="assessment")


class Rejudgment(Model):
    """A report judged again since other days of the therapy are known. Never changed, like the assessment, which stays
    as it was: this stands beside it."""

    __tablename__ = "rejudgment"
    __table_args__ = (UniqueConstraint("report_id", "turn"),)

    id: Mapped[Id]
    change_id: Mapped[UUID] = mapped_column(ForeignKey("course_change.id"), index=True)
    number: Mapped[int]
    """Its place among the reports of the change, by time."""
    report_id: Mapped[UUID] = mapped_column(ForeignKey("report.id"))
    turn: Mapped[int]
    """1 when the report is judged again for the first time, then 2, and so on."""
    ruleset_hash: Mapped[str] = mapped_column(ForeignKey("ruleset_version.hash"))
    """The ruleset that judged the report when it came, so that only the days make a difference."""
    data: Mapped[str] = mapped_column(Encrypted("rejudgment.data"))
    """The data form of the report as judged here, as JSON."""
    history: Mapped[list[str]] = mapped_column(JSON)
    """Ids of the earlier reports it looked at."""
    before_day: Mapped[int | None]
    day: Mapped[int | None]
    """Days since therapy, as judged before and as judged here."""
    before_urgency: Mapped[Urgency]
    before_body: Mapped[bytes] = mapped_column(Encrypted("rejudgment.before_body", bytes))
    """Canonical bytes of what was judged before: the assessment, or the rejudgment before this one."""
    urgency: Mapped[Urgency]
    body: Mapped[bytes] = mapped_column(Encrypted("rejudgment.body", bytes))
    """Canonical bytes of the assessment made here."""
    made_at: Mapped[UtcTime]

    change: Mapped[CourseChange] = relationship(back_populates="rejudgments")
    report: Mapped[ReportRecord] = relationship()


class Alert(Model):
    """Work for a care team, opened by an assessment or a missed report. Never deleted, its urgency never lowered.

    A patient has at most one alert that is not resolved: further findings join it (`AlertFinding`).
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "uq_alert_unresolved_patient",
            "patient_id",
            unique=True,
            sqlite_where=text("status <> 'resolved'"),
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("ix_alert_team_status", "care_team_id", "status"),
        Index("ix_alert_team_opened", "care_team_id", "opened_at"),
    )

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    care_team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"))
    urgency: Mapped[Urgency]
    status: Mapped[AlertStatus] = mapped_column(String(20), default=AlertStatus.OPEN)
    opened_at: Mapped[UtcTime]
    waiting_since: Mapped[UtcTime]
    """When its present urgency or a new finding began to wait for a person."""
    answer_by: Mapped[UtcTime]
    """When somebody should have acknowledged it."""
    acknowledged_at: Mapped[UtcTime | None]
    acknowledged_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    taken_at: Mapped[UtcTime | None]
    taken_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    """Who works on it: whoever acknowledged it, or took it over since. Nobody while it is open."""
    open_because: Mapped[OpenBecause | None] = mapped_column(String(20))
    """Why it is open again; None when it never was, or when a new finding opened it."""
    resolved_at: Mapped[UtcTime | None]
    resolved_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    disposition: Mapped[Disposition | None] = mapped_column(String(30))
    note: Mapped[str] = mapped_column(Encrypted("alert.note"), default="")

    patient: Mapped[Patient] = relationship()
    findings: Mapped[list[AlertFinding]] = relationship(back_populates="alert", order_by="AlertFinding.found_at")
    acknowledged_by: Mapped[Person | None] = relationship(foreign_keys=acknowledged_by_id)
    taken_by: Mapped[Person | None] = relationship(foreign_keys=taken_by_id)
    resolved_by: Mapped[Person | None] = relationship(foreign_keys=resolved_by_id)
    notes: Mapped[list[AlertNote]] = relationship(back_populates="alert", order_by="AlertNote.written_at")
    call_backs: Mapped[list[CallBack]] = relationship(back_populates="alert", order_by="CallBack.due_at")
    opinions: Mapped[list[AlertOpinion]] = relationship(back_populates="alert", order_by="AlertOpinion.said_at")

    @property
    def is_resolved(self) -> bool:
        return self.status == AlertStatus.RESOLVED

    @property
    def promised(self) -> list[CallBack]:
        """Call-backs that are still to be made, the earliest first."""
        return [call_back for call_back in self.call_backs if call_back.is_promised]


class AlertFinding(Model):
    """One reason for an alert: a report's assessment, or silence since a time."""

    __tablename__ = "alert_finding"
    __table_args__ = (UniqueConstraint("alert_id", "report_id"),)

    id: Mapped[Id]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    kind: Mapped[AlertKind] = mapped_column(String(20))
    urgency: Mapped[Urgency]
    found_at: Mapped[UtcTime]
    report_id: Mapped[UUID | None] = mapped_column(ForeignKey("report.id"), unique=True)
    rejudgment_id: Mapped[UUID | None] = mapped_column(ForeignKey("rejudgment.id"), index=True, unique=True)
    ruleset_hash: Mapped[str] = mapped_column(ForeignKey("ruleset_version.hash"))
    body: Mapped[bytes] = mapped_column(Encrypted("alert_finding.body", bytes))
    """Canonical bytes of the assessment."""

    alert: Mapped[Alert] = relationship(back_populates="findings")
    report: Mapped[ReportRecord | None] = relationship()
    rejudgment: Mapped[Rejudgment | None] = relationship()


class AlertNote(Model):
    """What somebody wrote down about an alert, or a call they tried. Never changed: a further note corrects it."""

    __tablename__ = "alert_note"
    __table_args__ = (CheckConstraint("(kind = 'call') = (call_outcome IS NOT NULL)", name="outcome_of_call"),)

    id: Mapped[Id]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    kind: Mapped[NoteKind] = mapped_column(String(20))
    call_outcome: Mapped[CallOutcome | None] = mapped_column(String(20))
    disposition: Mapped[Disposition | None] = mapped_column(String(30))
    """Of a resolution that was taken back."""
    text: Mapped[str] = mapped_column(Encrypted("alert_note.text"))
    written_at: Mapped[UtcTime]
    written_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))

    alert: Mapped[Alert] = relationship(back_populates="notes")
    written_by: Mapped[Person] = relationship()


class CallBack(Model):
    """A call that somebody promised. It stays a task until a person has made it, moved it or taken it back."""

    __tablename__ = "call_back"
    __table_args__ = (CheckConstraint("(ended_at IS NULL) = (end_kind IS NULL)", name="ended"),)

    id: Mapped[Id]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    due_at: Mapped[UtcTime]
    promised_at: Mapped[UtcTime]
    promised_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    ended_at: Mapped[UtcTime | None]
    ended_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    end_kind: Mapped[CallBackEnd | None] = mapped_column(String(20))
    """A call-back that was moved is followed by another."""

    alert: Mapped[Alert] = relationship(back_populates="call_backs")
    promised_by: Mapped[Person] = relationship(foreign_keys=promised_by_id)
    ended_by: Mapped[Person | None] = relationship(foreign_keys=ended_by_id)

    @property
    def is_promised(self) -> bool:
        return self.end_kind is None


class AlertOpinion(Model):
    """Whether an alert was useful, as somebody said it. The latest counts; none is ever changed."""

    __tablename__ = "alert_opinion"

    id: Mapped[Id]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    useful: Mapped[bool]
    why: Mapped[str] = mapped_column(Encrypted("alert_opinion.why"))
    said_at: Mapped[UtcTime]
    said_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))

    alert: Mapped[Alert] = relationship(back_populates="opinions")
    said_by: Mapped[Person] = relationship()


class RuleMute(Model):
    """A rule of urgency *soon* that opens no alert for one patient until a day. The assessment is as ever."""

    __tablename__ = "rule_mute"
    __table_args__ = (CheckConstraint("urgency = 1", name="only_soon"),)

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    rule: Mapped[str] = mapped_column(Encrypted("rule_mute.rule"))
    """Id of the rule."""
    title: Mapped[str] = mapped_column(Encrypted("rule_mute.title"))
    """Of the rule, as it was called then."""
    urgency: Mapped[Urgency]
    """Of the rule: the database refuses any but soon."""
    reason: Mapped[str] = mapped_column(Encrypted("rule_mute.reason"))
    ends_on: Mapped[date]
    """The last day on which it is muted, in the care team's time zone."""
    muted_at: Mapped[UtcTime]
    muted_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    lifted_at: Mapped[UtcTime | None]
    lifted_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))

    muted_by: Mapped[Person] = relationship(foreign_keys=muted_by_id)
    lifted_by: Mapped[Person | None] = relationship(foreign_keys=lifted_by_id)


class Cover(Model):
    """A nurse looks after another care team for a while, with a reason: breaking the glass. Never deleted."""

    __tablename__ = "cover"
    __table_args__ = (CheckConstraint("ends_at > begun_at", name="has_an_end"),)

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    care_team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"), index=True)
    reason: Mapped[str] = mapped_column(Encrypted("cover.reason"))
    begun_at: Mapped[UtcTime]
    ends_at: Mapped[UtcTime]
    ended_at: Mapped[UtcTime | None]
    """When somebody ended it before its time."""
    ended_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))

    person: Mapped[Person] = relationship(foreign_keys=person_id)
    care_team: Mapped[CareTeam] = relationship()
    ended_by: Mapped[Person | None] = relationship(foreign_keys=ended_by_id)

    @property
    def over_at(self) -> datetime:
        """When it ended, or will."""
        return min(self.ended_at or self.ends_at, self.ends_at)


class Handover(Model):
    """One shift hands over to the next. A team has at most one that has not ended; what has ended is never changed."""

    __tablename__ = "handover"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (end_kind IS NULL)", name="ended"),
        Index(
            "uq_handover_running_team",
            "care_team_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_handover_team_begun", "care_team_id", "begun_at"),
    )

    id: Mapped[Id]
    care_team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"))
    since: Mapped[UtcTime]
    """From when on it tells what was done: the end of the handover before it."""
    begun_at: Mapped[UtcTime]
    begun_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    handed_over_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    """Whose shift ends; None where the shift before had gone without handing over."""
    ended_at: Mapped[UtcTime | None]
    ended_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    end_kind: Mapped[HandoverEnd | None] = mapped_column(String(20))
    page: Mapped[dict[str, Any] | None] = mapped_column(Encrypted("handover.page", dict))
    """What stood on it when it was closed, in the words in which it was read."""

    begun_by: Mapped[Person] = relationship(foreign_keys=begun_by_id)
    handed_over_by: Mapped[Person | None] = relationship(foreign_keys=handed_over_by_id)
    ended_by: Mapped[Person | None] = relationship(foreign_keys=ended_by_id)
    notes: Mapped[list[HandoverNote]] = relationship(order_by="HandoverNote.written_at")
    acceptances: Mapped[list[HandoverAcceptance]] = relationship(
        back_populates="handover", order_by="HandoverAcceptance.accepted_at"
    )

    @property
    def is_running(self) -> bool:
        return self.ended_at is None


class HandoverAcceptance(Model):
    """Somebody who comes on answers for an alert from now on, as it was then. One that was taken back stays."""

    __tablename__ = "handover_acceptance"

    id: Mapped[Id]
    handover_id: Mapped[UUID] = mapped_column(ForeignKey("handover.id"), index=True)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    urgency: Mapped[Urgency]
    findings: Mapped[int]
    """How many findings the alert had: with another one it is accepted again."""
    accepted_at: Mapped[UtcTime]
    accepted_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    taken_back_at: Mapped[UtcTime | None]

    handover: Mapped[Handover] = relationship(back_populates="acceptances")
    accepted_by: Mapped[Person] = relationship()


class HandoverNote(Model):
    """What somebody tells the next shift. Never changed: a further note corrects it."""

    __tablename__ = "handover_note"

    id: Mapped[Id]
    handover_id: Mapped[UUID] = mapped_column(ForeignKey("handover.id"), index=True)
    text: Mapped[str] = mapped_column(Encrypted("handover_note.text"))
    written_at: Mapped[UtcTime]
    written_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))

    written_by: Mapped[Person] = relationship()


class Duty(Model):
    """Somebody is on call for a care team. What was, stays: a swap ends one duty and begins another."""

    __tablename__ = "duty"
    __table_args__ = (
        CheckConstraint("ends_at > begins_at", name="begins_before_it_ends"),
        Index("ix_duty_team_end", "care_team_id", "ends_at"),
    )

    id: Mapped[Id]
    care_team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    begins_at: Mapped[UtcTime]
    ends_at: Mapped[UtcTime]
    entered_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    removed_at: Mapped[UtcTime | None]

    person: Mapped[Person] = relationship(foreign_keys=person_id)


class OwedStep(Model):
    """A step of an escalation that an alert owes: committed with what opened the alert, carried out by the worker.

    It keeps the words of the rules it began with. Who is on call is looked up when its time has come, not before.
    """

    __tablename__ = "owed_step"
    __table_args__ = (
        UniqueConstraint("alert_id", "run", "urgency", "number"),
        Index(
            "ix_owed_step_waiting",
            "due_at",
            sqlite_where=text("done_at IS NULL AND cancelled_at IS NULL"),
            postgresql_where=text("done_at IS NULL AND cancelled_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alert.id"))
    run: Mapped[int]
    """1, and one more each time the alert is open again."""
    urgency: Mapped[Urgency]
    number: Mapped[int]
    """Its place among the steps of that urgency, from 0."""
    tell: Mapped[str] = mapped_column(String(30))
    channels: Mapped[list[str]] = mapped_column(JSON)
    """Names, the preferred one first."""
    quiet_hours: Mapped[str] = mapped_column(String(11), default="")
    """"20:00-07:00" in the care team's time zone, or empty."""
    repeat_minutes: Mapped[int | None]
    due_at: Mapped[UtcTime]
    times: Mapped[int] = mapped_column(default=0)
    """How often it was carried out."""
    done_at: Mapped[UtcTime | None]
    """A step that repeats is never done."""
    cancelled_at: Mapped[UtcTime | None]
    """Somebody acknowledged or resolved the alert."""

    alert: Mapped[Alert] = relationship()


class OwedReminder(Model):
    """Somebody is to be asked for a missing report: once for each silence and step of the rules."""

    __tablename__ = "owed_reminder"
    __table_args__ = (
        UniqueConstraint("patient_id", "silent_since", "number"),
        Index(
            "ix_owed_reminder_waiting",
            "due_at",
            sqlite_where=text("done_at IS NULL AND cancelled_at IS NULL"),
            postgresql_where=text("done_at IS NULL AND cancelled_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    silent_since: Mapped[UtcTime]
    """Names the silence."""
    number: Mapped[int]
    """Its place among the reminders of the rules, from 0."""
    tell: Mapped[str] = mapped_column(String(30))
    channels: Mapped[list[str]] = mapped_column(JSON)
    owed_at: Mapped[UtcTime]
    due_at: Mapped[UtcTime]
    """Later than `owed_at` in quiet hours."""
    done_at: Mapped[UtcTime | None]
    """Its messages are owed (`Delivery`)."""
    cancelled_at: Mapped[UtcTime | None]
    """A report came, or none is expected any more."""


class Delivery(Model):
    """One message owed to one person, or to one room of staff, by one channel.

    Leased, sent, then marked delivered: a worker that dies in between may tell twice, and never not at all.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("(kind = 'alert') = (step_id IS NOT NULL)", name="step_of_kind"),
        Index(
            "ix_delivery_waiting",
            "next_try_at",
            sqlite_where=text("delivered_at IS NULL AND given_up_at IS NULL AND cancelled_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL AND cancelled_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(36), unique=True)
    """The same for each try: channels get it to drop doubles."""
    kind: Mapped[MessageKind] = mapped_column(String(20))
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert.id"), index=True)
    step_id: Mapped[UUID | None] = mapped_column(ForeignKey("owed_step.id"), index=True)
    reminder_id: Mapped[UUID | None] = mapped_column(ForeignKey("owed_reminder.id"), index=True)
    care_team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"), index=True)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"), index=True)
    """None: a room or service of all staff."""
    channel: Mapped[str] = mapped_column(String(20))
    others: Mapped[list[str]] = mapped_column(JSON)
    """The channels that are left to try when this one fails."""
    urgency: Mapped[Urgency]
    due_at: Mapped[UtcTime]
    next_try_at: Mapped[UtcTime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[UtcTime | None]
    """Until then a worker is sending it."""
    delivered_at: Mapped[UtcTime | None]
    given_up_at: Mapped[UtcTime | None]
    """The channel failed too often; a delivery by the next one took its place."""
    cancelled_at: Mapped[UtcTime | None]
    unless_report_since: Mapped[UtcTime | None]
    """Of a daily reminder: it is not sent once a report about the person's patient has come since then."""
    useless_after: Mapped[UtcTime | None]
    """Of a daily reminder: it is not sent any more from then on."""

    alert: Mapped[Alert | None] = relationship()
    person: Mapped[Person | None] = relationship()


class ChannelState(Model):
    """How a channel has been doing, for all care teams together. Never an address, a password or an answer."""

    __tablename__ = "channel_state"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    """Since the last success."""
    failing_since: Mapped[UtcTime | None]
    delivered_at: Mapped[UtcTime | None]
    told_at: Mapped[UtcTime | None]
    """When administrators were told of the present failures."""


class AuditEntry(Model):
    """Who did what, when. Only accounts/audit.py writes one; nothing changes or deletes it.

    It points to people, patients and rows by ids without foreign keys: it outlives them, and writing it locks no row.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_person_time", "person_id", "at"),
        Index("ix_audit_entry_patient_time", "patient_id", "at"),
        Index("ix_audit_entry_action_time", "action", "at"),
        Index("ix_audit_entry_subject_time", "subject", "at"),
        Index("ix_audit_entry_time", "at"),
    )

    id: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)
    """1, 2, 3 … without a gap."""
    at: Mapped[UtcTime]
    action: Mapped[str] = mapped_column(String(60))
    """A constant name, for example report_submitted."""
    person_id: Mapped[UUID | None]
    """None: the system itself, or somebody who is not signed in."""
    patient_id: Mapped[UUID | None]
    subject: Mapped[str] = mapped_column(String(80), default="")
    """Id of the row it was about, or the page that was seen. Never health data."""
    hash: Mapped[str] = mapped_column(String(64))
    """Over all of it and the hash of the entry before (accounts/audit.py, `chained`)."""


class DataKey(Model):
    """A key with which values of this database are encrypted, by its name. The key itself is never stored."""

    __tablename__ = "data_key"

    name: Mapped[str] = mapped_column(String(8), primary_key=True)
    """Made from the key, which it does not tell."""
    first_used_at: Mapped[UtcTime]
    retired_at: Mapped[UtcTime | None]
    """When nothing was encrypted with it any more."""


class AuditHead(Model):
    """Where the audit trail ends: the one row that whoever adds an entry locks."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(_Number)
    hash: Mapped[str] = mapped_column(String(64))

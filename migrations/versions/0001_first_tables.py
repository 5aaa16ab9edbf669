"""The first tables. What must never change, the database itself refuses to change.

Audit entries are only ever added; reports and assessments are never rewritten; an alert is never deleted and its
urgency never lowered. Triggers hold these four, so that a mistake in the program, or a hand on the database, fails
instead of losing what a patient said. (SQLite drops triggers with a rebuilt table: a later migration that rebuilds
one of these must make them again. tests/house/test_migrations.py looks.)
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Name, what is refused, on which table, when, and what the database then says.
_REFUSED = (
    ("audit_entry_no_update", "UPDATE", "audit_entry", None, "audit entries are never changed"),
    ("audit_entry_no_delete", "DELETE", "audit_entry", None, "audit entries are never deleted"),
    ("report_no_update", "UPDATE", "report", None, "reports are never changed"),
    ("assessment_no_update", "UPDATE", "assessment", None, "assessments are never changed"),
    ("alert_no_delete", "DELETE", "alert", None, "alerts are never deleted"),
    ("alert_no_lowering", "UPDATE", "alert", "NEW.urgency < OLD.urgency", "the urgency of an alert is never lowered"),
)


def upgrade() -> None:
    op.create_table(
        "care_team",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("emergency_number", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_care_team"),
        sa.UniqueConstraint("name", name="uq_care_team_name"),
    )
    op.create_table(
        "ruleset_version",
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_ruleset_version"),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("born_on", sa.Date(), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("care_team_id", sa.Uuid(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["care_team_id"], ["care_team.id"], name="fk_patient_care_team_id_care_team"),
        sa.PrimaryKeyConstraint("id", name="pk_patient"),
    )
    op.create_index("ix_patient_care_team_id", "patient", ["care_team_id"], unique=False)
    op.create_table(
        "course",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("therapy", sa.String(length=60), nullable=True),
        sa.Column("product", sa.String(length=100), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("on_steroids_since", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_course_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_course"),
    )
    op.create_index("ix_course_patient_id", "course", ["patient_id"], unique=False)
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sign_in_name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("session_key", sa.String(length=64), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("care_team_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(role IN ('patient', 'caregiver')) = (care_team_id IS NULL)", name="ck_person_team_of_role"
        ),
        sa.CheckConstraint(
            "(role IN ('patient', 'caregiver')) = (patient_id IS NOT NULL)", name="ck_person_patient_of_role"
        ),
        sa.ForeignKeyConstraint(["care_team_id"], ["care_team.id"], name="fk_person_care_team_id_care_team"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_person_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("session_key", name="uq_person_session_key"),
        sa.UniqueConstraint("sign_in_name", name="uq_person_sign_in_name"),
    )
    op.create_index("ix_person_care_team_id", "person", ["care_team_id"], unique=False)
    op.create_index("ix_person_patient_id", "person", ["patient_id"], unique=False)
    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("care_team_id", sa.Uuid(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by_id", sa.Uuid(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by_id", sa.Uuid(), nullable=True),
        sa.Column("disposition", sa.String(length=30), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["acknowledged_by_id"], ["person.id"], name="fk_alert_acknowledged_by_id_person"),
        sa.ForeignKeyConstraint(["care_team_id"], ["care_team.id"], name="fk_alert_care_team_id_care_team"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_alert_patient_id_patient"),
        sa.ForeignKeyConstraint(["resolved_by_id"], ["person.id"], name="fk_alert_resolved_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )
    op.create_index("ix_alert_patient_id", "alert", ["patient_id"], unique=False)
    op.create_index("ix_alert_team_status", "alert", ["care_team_id", "status"], unique=False)
    op.create_index(
        "uq_alert_unresolved_patient",
        "alert",
        ["patient_id"],
        unique=True,
        sqlite_where=sa.text("status <> 'resolved'"),
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_audit_entry_patient_id_patient"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_audit_entry_person_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
    )
    op.create_index("ix_audit_entry_patient_time", "audit_entry", ["patient_id", "at"], unique=False)
    op.create_index("ix_audit_entry_subject_time", "audit_entry", ["subject", "at"], unique=False)
    op.create_table(
        "dose_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name="fk_dose_event_course_id_course"),
        sa.PrimaryKeyConstraint("id", name="pk_dose_event"),
    )
    op.create_index("ix_dose_event_course_id", "dose_event", ["course_id"], unique=False)
    op.create_table(
        "report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("reporter_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_report_patient_id_patient"),
        sa.ForeignKeyConstraint(["reporter_id"], ["person.id"], name="fk_report_reporter_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_report"),
        sa.UniqueConstraint("token", name="uq_report_token"),
    )
    op.create_index("ix_report_patient_time", "report", ["patient_id", "reported_at"], unique=False)
    op.create_index("ix_report_reporter_id", "report", ["reporter_id"], unique=False)
    op.create_table(
        "report_draft",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_report_draft_person_id_person"),
        sa.PrimaryKeyConstraint("person_id", name="pk_report_draft"),
        sa.UniqueConstraint("token", name="uq_report_draft_token"),
    )
    op.create_table(
        "alert_finding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=True),
        sa.Column("ruleset_hash", sa.String(length=71), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_alert_finding_alert_id_alert"),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name="fk_alert_finding_report_id_report"),
        sa.ForeignKeyConstraint(
            ["ruleset_hash"], ["ruleset_version.hash"], name="fk_alert_finding_ruleset_hash_ruleset_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_finding"),
        sa.UniqueConstraint("alert_id", "report_id", name="uq_alert_finding_alert_id_report_id"),
        sa.UniqueConstraint("report_id", name="uq_alert_finding_report_id"),
    )
    op.create_index("ix_alert_finding_alert_id", "alert_finding", ["alert_id"], unique=False)
    op.create_table(
        "assessment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("ruleset_hash", sa.String(length=71), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name="fk_assessment_report_id_report"),
        sa.ForeignKeyConstraint(
            ["ruleset_hash"], ["ruleset_version.hash"], name="fk_assessment_ruleset_hash_ruleset_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assessment"),
        sa.UniqueConstraint("report_id", name="uq_assessment_report_id"),
    )
    op.create_index("ix_assessment_ruleset_hash", "assessment", ["ruleset_hash"], unique=False)
    _refuse()


def _refuse() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_entry_no_truncate BEFORE TRUNCATE ON audit_entry "
            "EXECUTE FUNCTION refuse('audit entries are never deleted')"
        )
    for name, action, table, condition, says in _REFUSED:
        when = f"WHEN ({condition}) " if condition else ""
        does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {when}{does}")

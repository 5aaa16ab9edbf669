"""Reminders of missing reports, stays in hospital, why monitoring ended, and reports judged again after a correction.

Columns are added, never tables made anew: their triggers would be lost with them on SQLite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_REFUSED = (
    ("rejudgment_no_update", "UPDATE", "rejudgment", "rejudgments are never changed"),
    ("rejudgment_no_delete", "DELETE", "rejudgment", "rejudgments are never deleted"),
    ("course_change_no_update", "UPDATE", "course_change", "what was corrected is never changed"),
    ("course_change_no_delete", "DELETE", "course_change", "what was corrected is never deleted"),
    ("admission_no_delete", "DELETE", "admission", "stays in hospital are never deleted"),
    ("monitoring_end_no_delete", "DELETE", "monitoring_end", "an end of monitoring is never deleted"),
)
_WAITS = sa.text("done_at IS NULL AND cancelled_at IS NULL")
_IN_HOSPITAL = sa.text("home_at IS NULL AND undone_at IS NULL")


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "admission",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_by_id", sa.Uuid(), nullable=False),
        sa.Column("home_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("home_noted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("home_noted_by_id", sa.Uuid(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("home_at >= since", name="ck_admission_home_after"),
        sa.CheckConstraint("(home_at IS NULL) = (home_noted_at IS NULL)", name="ck_admission_home_noted"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_admission_patient_id_patient"),
        sa.ForeignKeyConstraint(["noted_by_id"], ["person.id"], name="fk_admission_noted_by_id_person"),
        sa.ForeignKeyConstraint(["home_noted_by_id"], ["person.id"], name="fk_admission_home_noted_by_id_person"),
        sa.ForeignKeyConstraint(["undone_by_id"], ["person.id"], name="fk_admission_undone_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_admission"),
    )
    op.create_index("ix_admission_patient_id", "admission", ["patient_id"])
    op.create_index(
        "uq_admission_in_hospital",
        "admission",
        ["patient_id"],
        unique=True,
        sqlite_where=_IN_HOSPITAL,
        postgresql_where=_IN_HOSPITAL,
    )
    op.create_table(
        "monitoring_end",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_by_id", sa.Uuid(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_monitoring_end_patient_id_patient"),
        sa.ForeignKeyConstraint(["noted_by_id"], ["person.id"], name="fk_monitoring_end_noted_by_id_person"),
        sa.ForeignKeyConstraint(["undone_by_id"], ["person.id"], name="fk_monitoring_end_undone_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_monitoring_end"),
    )
    op.create_index("ix_monitoring_end_patient_id", "monitoring_end", ["patient_id"])
    op.create_table(
        "course_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("before_on", sa.Date(), nullable=True),
        sa.Column("before_kind", sa.String(length=20), nullable=True),
        sa.Column("after_on", sa.Date(), nullable=True),
        sa.Column("after_kind", sa.String(length=20), nullable=True),
        sa.Column("before_until", sa.Date(), nullable=True),
        sa.Column("after_until", sa.Date(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_course_change_patient_id_patient"),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name="fk_course_change_course_id_course"),
        sa.ForeignKeyConstraint(["changed_by_id"], ["person.id"], name="fk_course_change_changed_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_course_change"),
    )
    op.create_index("ix_course_change_patient_id", "course_change", ["patient_id"])
    op.create_table(
        "rejudgment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("ruleset_hash", sa.String(length=71), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.Column("before_day", sa.Integer(), nullable=True),
        sa.Column("day", sa.Integer(), nullable=True),
        sa.Column("before_urgency", sa.SmallInteger(), nullable=False),
        sa.Column("before_body", sa.LargeBinary(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["course_change.id"], name="fk_rejudgment_change_id_course_change"),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name="fk_rejudgment_report_id_report"),
        sa.ForeignKeyConstraint(
            ["ruleset_hash"], ["ruleset_version.hash"], name="fk_rejudgment_ruleset_hash_ruleset_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rejudgment"),
        sa.UniqueConstraint("report_id", "turn", name="uq_rejudgment_report_id_turn"),
    )
    op.create_index("ix_rejudgment_change_id", "rejudgment", ["change_id"])
    op.create_table(
        "owed_reminder",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("silent_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tell", sa.String(length=30), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("owed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_owed_reminder_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_owed_reminder"),
        sa.UniqueConstraint(
            "patient_id", "silent_since", "number", name="uq_owed_reminder_patient_id_silent_since_number"
        ),
    )
    op.create_index(
        "ix_owed_reminder_waiting", "owed_reminder", ["due_at"], sqlite_where=_WAITS, postgresql_where=_WAITS
    )
    op.add_column("patient", sa.Column("died_on", sa.Date(), nullable=True))
    op.add_column("course", sa.Column("on_steroids_until", sa.Date(), nullable=True))
    kind = "UUID" if postgresql else "CHAR(32)"
    for table, column, of in (
        ("course", "end_id", "monitoring_end"),
        ("alert_finding", "rejudgment_id", "rejudgment"),
        ("delivery", "reminder_id", "owed_reminder"),
    ):
        name = f"fk_{table}_{column}_{of}"
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} CONSTRAINT {name} REFERENCES {of} (id)")
    op.create_index("ix_alert_finding_rejudgment_id", "alert_finding", ["rejudgment_id"], unique=True)
    op.create_index("ix_delivery_reminder_id", "delivery", ["reminder_id"])
    for name, action, table, says in _REFUSED:
        does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {does}")

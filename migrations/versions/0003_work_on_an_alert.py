"""Work on an alert: who has taken it, notes and calls, promised call-backs, usefulness, muted rules; and whom a nurse
writes a report about.

Columns of `alert` are added, never the table made anew: its triggers would be lost with it on SQLite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REFUSED = (
    ("alert_note_no_update", "UPDATE", "alert_note", "notes are never changed"),
    ("alert_note_no_delete", "DELETE", "alert_note", "notes are never deleted"),
    ("alert_opinion_no_update", "UPDATE", "alert_opinion", "what was said of an alert is never changed"),
    ("alert_opinion_no_delete", "DELETE", "alert_opinion", "what was said of an alert is never deleted"),
    ("call_back_no_delete", "DELETE", "call_back", "call-backs are never deleted"),
    ("rule_mute_no_delete", "DELETE", "rule_mute", "muted rules are never deleted"),
)


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.add_column("alert", sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert", sa.Column("open_because", sa.String(length=20), nullable=True))
    kind = "UUID" if postgresql else "CHAR(32)"
    op.execute(
        f"ALTER TABLE alert ADD COLUMN taken_by_id {kind} CONSTRAINT fk_alert_taken_by_id_person REFERENCES person (id)"
    )
    op.execute(
        f"ALTER TABLE report_draft ADD COLUMN patient_id {kind} "
        "CONSTRAINT fk_report_draft_patient_id_patient REFERENCES patient (id)"
    )
    op.execute(
        "UPDATE alert SET taken_by_id = acknowledged_by_id, taken_at = acknowledged_at WHERE status = 'acknowledged'"
    )
    op.create_table(
        "alert_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("call_outcome", sa.String(length=20), nullable=True),
        sa.Column("disposition", sa.String(length=30), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(kind = 'call') = (call_outcome IS NOT NULL)", name="ck_alert_note_outcome_of_call"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_alert_note_alert_id_alert"),
        sa.ForeignKeyConstraint(["written_by_id"], ["person.id"], name="fk_alert_note_written_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_note"),
    )
    op.create_index("ix_alert_note_alert_id", "alert_note", ["alert_id"], unique=False)
    op.create_table(
        "call_back",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promised_by_id", sa.Uuid(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Uuid(), nullable=True),
        sa.Column("end_kind", sa.String(length=20), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (end_kind IS NULL)", name="ck_call_back_ended"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_call_back_alert_id_alert"),
        sa.ForeignKeyConstraint(["ended_by_id"], ["person.id"], name="fk_call_back_ended_by_id_person"),
        sa.ForeignKeyConstraint(["promised_by_id"], ["person.id"], name="fk_call_back_promised_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_call_back"),
    )
    op.create_index("ix_call_back_alert_id", "call_back", ["alert_id"], unique=False)
    op.create_table(
        "alert_opinion",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("useful", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("said_by_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_alert_opinion_alert_id_alert"),
        sa.ForeignKeyConstraint(["said_by_id"], ["person.id"], name="fk_alert_opinion_said_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_opinion"),
    )
    op.create_index("ix_alert_opinion_alert_id", "alert_opinion", ["alert_id"], unique=False)
    op.create_table(
        "rule_mute",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("muted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("muted_by_id", sa.Uuid(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("urgency = 1", name="ck_rule_mute_only_soon"),
        sa.ForeignKeyConstraint(["lifted_by_id"], ["person.id"], name="fk_rule_mute_lifted_by_id_person"),
        sa.ForeignKeyConstraint(["muted_by_id"], ["person.id"], name="fk_rule_mute_muted_by_id_person"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_rule_mute_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_rule_mute"),
    )
    op.create_index("ix_rule_mute_patient_id", "rule_mute", ["patient_id"], unique=False)
    for name, action, table, says in _REFUSED:
        does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {does}")

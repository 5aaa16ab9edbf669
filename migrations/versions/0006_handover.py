"""Handovers from one shift to the next: begun, each urgent alert accepted by name, closed, and kept as read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_REFUSED = (
    ("handover_no_update", "UPDATE", "handover", "OLD.ended_at IS NOT NULL", "what was handed over is never changed"),
    ("handover_no_delete", "DELETE", "handover", "", "handovers are never deleted"),
    ("handover_acceptance_no_delete", "DELETE", "handover_acceptance", "", "acceptances are never deleted"),
    ("handover_note_no_update", "UPDATE", "handover_note", "", "notes are never changed"),
    ("handover_note_no_delete", "DELETE", "handover_note", "", "notes are never deleted"),
)


def upgrade() -> None:
    op.create_table(
        "handover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("care_team_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begun_by_id", sa.Uuid(), nullable=False),
        sa.Column("handed_over_by_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Uuid(), nullable=True),
        sa.Column("end_kind", sa.String(length=20), nullable=True),
        sa.Column("page", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (end_kind IS NULL)", name="ck_handover_ended"),
        sa.ForeignKeyConstraint(["begun_by_id"], ["person.id"], name="fk_handover_begun_by_id_person"),
        sa.ForeignKeyConstraint(["care_team_id"], ["care_team.id"], name="fk_handover_care_team_id_care_team"),
        sa.ForeignKeyConstraint(["ended_by_id"], ["person.id"], name="fk_handover_ended_by_id_person"),
        sa.ForeignKeyConstraint(["handed_over_by_id"], ["person.id"], name="fk_handover_handed_over_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_handover"),
    )
    op.create_index(
        "uq_handover_running_team",
        "handover",
        ["care_team_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_handover_team_begun", "handover", ["care_team_id", "begun_at"], unique=False)
    op.create_table(
        "handover_acceptance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handover_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("findings", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_by_id", sa.Uuid(), nullable=False),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["accepted_by_id"], ["person.id"], name="fk_handover_acceptance_accepted_by_id_person"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_handover_acceptance_alert_id_alert"),
        sa.ForeignKeyConstraint(["handover_id"], ["handover.id"], name="fk_handover_acceptance_handover_id_handover"),
        sa.PrimaryKeyConstraint("id", name="pk_handover_acceptance"),
    )
    op.create_index("ix_handover_acceptance_handover_id", "handover_acceptance", ["handover_id"], unique=False)
    op.create_index("ix_handover_acceptance_alert_id", "handover_acceptance", ["alert_id"], unique=False)
    op.create_table(
        "handover_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handover_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["handover_id"], ["handover.id"], name="fk_handover_note_handover_id_handover"),
        sa.ForeignKeyConstraint(["written_by_id"], ["person.id"], name="fk_handover_note_written_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_handover_note"),
    )
    op.create_index("ix_handover_note_handover_id", "handover_note", ["handover_id"], unique=False)
    op.create_index("ix_alert_team_opened", "alert", ["care_team_id", "opened_at"], unique=False)
    postgresql = op.get_bind().dialect.name == "postgresql"
    for name, action, table, condition, says in _REFUSED:
        when = f"WHEN ({condition}) " if condition else ""
        does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {when}{does}")

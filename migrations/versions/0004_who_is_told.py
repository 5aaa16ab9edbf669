"""Who is told of an alert: the steps an alert owes, the messages owed to people, how the channels are doing, and where
a person is reached by mail.

Alerts that were open before get their steps from the worker's first sweep (triage/alerts/escalation.py, `adopt`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STEP_WAITS = sa.text("done_at IS NULL AND cancelled_at IS NULL")
_DELIVERY_WAITS = sa.text("delivered_at IS NULL AND given_up_at IS NULL AND cancelled_at IS NULL")


def upgrade() -> None:
    # Not by a rebuilt table: SQLite adds a column with a default in place.
    op.add_column("person", sa.Column("mail", sa.String(length=254), server_default=sa.text("''"), nullable=False))
    op.create_table(
        "owed_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tell", sa.String(length=30), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("quiet_hours", sa.String(length=11), nullable=False),
        sa.Column("repeat_minutes", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_owed_step_alert_id_alert"),
        sa.PrimaryKeyConstraint("id", name="pk_owed_step"),
        sa.UniqueConstraint("alert_id", "run", "urgency", "number", name="uq_owed_step_alert_id_run_urgency_number"),
    )
    op.create_index(
        "ix_owed_step_waiting", "owed_step", ["due_at"], sqlite_where=_STEP_WAITS, postgresql_where=_STEP_WAITS
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=True),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column("care_team_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("others", sa.JSON(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(kind = 'alert') = (step_id IS NOT NULL)", name="ck_delivery_step_of_kind"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_delivery_alert_id_alert"),
        sa.ForeignKeyConstraint(["care_team_id"], ["care_team.id"], name="fk_delivery_care_team_id_care_team"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_delivery_person_id_person"),
        sa.ForeignKeyConstraint(["step_id"], ["owed_step.id"], name="fk_delivery_step_id_owed_step"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("key", name="uq_delivery_key"),
    )
    for column in ("alert_id", "step_id", "care_team_id", "person_id"):
        op.create_index(f"ix_delivery_{column}", "delivery", [column])
    op.create_index(
        "ix_delivery_waiting",
        "delivery",
        ["next_try_at"],
        sqlite_where=_DELIVERY_WAITS,
        postgresql_where=_DELIVERY_WAITS,
    )
    op.create_table(
        "channel_state",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_channel_state"),
    )

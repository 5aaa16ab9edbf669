"""Reminders at the time that a patient or caregiver chose.

Columns are added, never tables made anew: their triggers would be lost with them on SQLite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "daily_reminder",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("time_of_day", sa.String(length=5), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("quiet_hours", sa.String(length=11), nullable=False),
        sa.Column("looked_at_until", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_daily_reminder_person_id_person"),
        sa.PrimaryKeyConstraint("person_id", name="pk_daily_reminder"),
    )
    op.add_column("delivery", sa.Column("unless_report_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("delivery", sa.Column("useless_after", sa.DateTime(timezone=True), nullable=True))

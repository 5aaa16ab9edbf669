"""Who is on call, from when until when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duty",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("care_team_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by_id", sa.Uuid(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ends_at > begins_at", name="ck_duty_begins_before_it_ends"),
        sa.ForeignKeyConstraint(["care_team_id"], ["care_team.id"], name="fk_duty_care_team_id_care_team"),
        sa.ForeignKeyConstraint(["entered_by_id"], ["person.id"], name="fk_duty_entered_by_id_person"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_duty_person_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_duty"),
    )
    op.create_index("ix_duty_team_end", "duty", ["care_team_id", "ends_at"])

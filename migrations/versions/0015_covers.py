"""Nurses who look after another team for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("care_team_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("ends_at > begun_at", name="ck_cover_has_an_end"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_cover_person_id_person"),
        sa.ForeignKeyConstraint(["care_team_id"], ["care_team.id"], name="fk_cover_care_team_id_care_team"),
        sa.ForeignKeyConstraint(["ended_by_id"], ["person.id"], name="fk_cover_ended_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_cover"),
    )
    op.create_index("ix_cover_person_id", "cover", ["person_id"])
    op.create_index("ix_cover_care_team_id", "cover", ["care_team_id"])

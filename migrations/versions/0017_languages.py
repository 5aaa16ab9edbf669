"""The language in which a person is spoken to, and which languages a site has approved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("language", sa.String(length=10), server_default=sa.text("''"), nullable=False))
    op.create_table(
        "language_approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("seal", sa.String(length=80), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by_id", sa.Uuid(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by_id IS NULL)", name="ck_language_approval_withdrawn"),
        sa.ForeignKeyConstraint(["approved_by_id"], ["person.id"], name="fk_language_approval_approved_by_id_person"),
        sa.ForeignKeyConstraint(["withdrawn_by_id"], ["person.id"], name="fk_language_approval_withdrawn_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_language_approval"),
    )

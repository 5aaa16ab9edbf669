"""The thinking check: a baseline for each patient, right answers for town and hospital; the unit of a thermometer.

The pages *Temperature* and *The last 24 hours* ask other questions than before. What somebody had typed on them and not
sent is taken out of the drafts, so that it is asked again and never read as an answer to another question.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ASKED_ANEW = ("temperature", "symptoms", "about")


def upgrade() -> None:
    op.add_column("patient", sa.Column("town", sa.String(length=200), server_default=sa.text("''"), nullable=False))
    op.add_column("patient", sa.Column("hospital", sa.String(length=200), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "person", sa.Column("temperature_unit", sa.String(length=1), server_default=sa.text("''"), nullable=False)
    )
    op.create_table(
        "thinking_baseline",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_by_id", sa.Uuid(), nullable=False),
        sa.Column("right_answers", sa.JSON(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(accepted_at IS NULL) = (accepted_by_id IS NULL)", name="ck_thinking_baseline_accepted"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_thinking_baseline_patient_id_patient"),
        sa.ForeignKeyConstraint(["taken_by_id"], ["person.id"], name="fk_thinking_baseline_taken_by_id_person"),
        sa.ForeignKeyConstraint(["accepted_by_id"], ["person.id"], name="fk_thinking_baseline_accepted_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_thinking_baseline"),
        sa.UniqueConstraint("patient_id", "language", name="uq_thinking_baseline_patient_id_language"),
    )
    drafts = sa.table("report_draft", sa.column("person_id", sa.Uuid()), sa.column("answers", sa.JSON()))
    connection = op.get_bind()
    for person_id, answers in connection.execute(sa.select(drafts.c.person_id, drafts.c.answers)).all():
        kept = {step: typed for step, typed in answers.items() if step not in _ASKED_ANEW}
        connection.execute(drafts.update().where(drafts.c.person_id == person_id).values(answers=kept))

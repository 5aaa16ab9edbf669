"""Invitations, the consent of patients to their caregivers, and failures to sign in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WAITING = "used_at IS NULL AND taken_back_at IS NULL"
STANDING = "withdrawn_at IS NULL"


def _when(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        _when("made_at"),
        sa.Column("made_by_id", sa.Uuid(), nullable=True),
        _when("expires_at"),
        _when("used_at", nullable=True),
        _when("taken_back_at", nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_invitation_person_id_person"),
        sa.ForeignKeyConstraint(["made_by_id"], ["person.id"], name="fk_invitation_made_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("code_hash", name="uq_invitation_code_hash"),
    )
    op.create_index("ix_invitation_person_id", "invitation", ["person_id"])
    op.create_index(
        "uq_invitation_waiting",
        "invitation",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text(WAITING),
        postgresql_where=sa.text(WAITING),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("caregiver_id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.String(20), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        _when("noted_at"),
        sa.Column("noted_by_id", sa.Uuid(), nullable=False),
        _when("withdrawn_at", nullable=True),
        sa.Column("withdrawn_by_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_consent_patient_id_patient"),
        sa.ForeignKeyConstraint(["caregiver_id"], ["person.id"], name="fk_consent_caregiver_id_person"),
        sa.ForeignKeyConstraint(["noted_by_id"], ["person.id"], name="fk_consent_noted_by_id_person"),
        sa.ForeignKeyConstraint(["withdrawn_by_id"], ["person.id"], name="fk_consent_withdrawn_by_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_patient_id", "consent", ["patient_id"])
    op.create_index("ix_consent_caregiver_id", "consent", ["caregiver_id"])
    op.create_index(
        "uq_consent_standing",
        "consent",
        ["caregiver_id"],
        unique=True,
        sqlite_where=sa.text(STANDING),
        postgresql_where=sa.text(STANDING),
    )
    op.create_table(
        "sign_in_try",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _when("last_at"),
        _when("held_until", nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_try"),
    )
    op.create_index("ix_sign_in_try_last_at", "sign_in_try", ["last_at"])

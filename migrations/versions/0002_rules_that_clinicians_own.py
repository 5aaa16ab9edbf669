"""Versions of the rules: drafts, proposals that a second clinician decides, and from when on which one judges.

An activation is never changed or deleted, a proposal never deleted: who made which rules active, when and why, stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_REFUSED = (
    ("ruleset_activation_no_update", "UPDATE", "ruleset_activation", "activated rulesets are never changed"),
    ("ruleset_activation_no_delete", "DELETE", "ruleset_activation", "activated rulesets are never deleted"),
    ("ruleset_proposal_no_delete", "DELETE", "ruleset_proposal", "proposed rulesets are never deleted"),
)


def upgrade() -> None:
    op.create_table(
        "ruleset_proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("ruleset_hash", sa.String(length=71), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("replay", sa.JSON(), nullable=False),
        sa.Column("signed", sa.JSON(), nullable=False),
        sa.Column("accepted", sa.JSON(), nullable=False),
        sa.Column("confirmed", sa.JSON(), nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "decided_by_id <> proposed_by_id OR status = 'withdrawn'", name="ck_ruleset_proposal_four_eyes"
        ),
        sa.ForeignKeyConstraint(["decided_by_id"], ["person.id"], name="fk_ruleset_proposal_decided_by_id_person"),
        sa.ForeignKeyConstraint(["proposed_by_id"], ["person.id"], name="fk_ruleset_proposal_proposed_by_id_person"),
        sa.ForeignKeyConstraint(
            ["ruleset_hash"], ["ruleset_version.hash"], name="fk_ruleset_proposal_ruleset_hash_ruleset_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_ruleset_proposal"),
    )
    op.create_table(
        "ruleset_activation",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("ruleset_hash", sa.String(length=71), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=True),
        sa.Column("back_to", sa.Integer(), nullable=True),
        sa.Column("activated_by_id", sa.Uuid(), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["activated_by_id"], ["person.id"], name="fk_ruleset_activation_activated_by_id_person"
        ),
        sa.ForeignKeyConstraint(
            ["back_to"], ["ruleset_activation.number"], name="fk_ruleset_activation_back_to_ruleset_activation"
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["ruleset_proposal.id"], name="fk_ruleset_activation_proposal_id_ruleset_proposal"
        ),
        sa.ForeignKeyConstraint(
            ["ruleset_hash"], ["ruleset_version.hash"], name="fk_ruleset_activation_ruleset_hash_ruleset_version"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_ruleset_activation"),
        sa.UniqueConstraint("key", name="uq_ruleset_activation_key"),
    )
    op.create_table(
        "ruleset_draft",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["base"], ["ruleset_activation.number"], name="fk_ruleset_draft_base_ruleset_activation"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_ruleset_draft_person_id_person"),
        sa.PrimaryKeyConstraint("person_id", name="pk_ruleset_draft"),
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    for name, action, table, says in _REFUSED:
        does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {does}")

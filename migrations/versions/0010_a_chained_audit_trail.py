"""Each audit entry is chained by hash to the one before it; numbers have no gaps; entries point to nothing.

The entries that are there keep their order and get the numbers 1, 2, 3 …, since transactions that were rolled back had
left gaps on PostgreSQL. Foreign keys go: an entry outlives the person it tells of, and checking one would lock a row
after the head of the trail, which is the last lock of every transaction (triage/accounts/audit.py).
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT_ONCE = 5_000

# Name, what is refused, on which table, when, and what the database then says.
_REFUSED = (
    ("audit_entry_no_update", "UPDATE", "audit_entry", None, "audit entries are never changed"),
    ("audit_entry_no_delete", "DELETE", "audit_entry", None, "audit entries are never deleted"),
    ("audit_head_no_delete", "DELETE", "audit_head", None, "the head of the audit trail is never deleted"),
    (
        "audit_head_no_going_back",
        "UPDATE",
        "audit_head",
        "NEW.number <= OLD.number",
        "the audit trail never becomes shorter",
    ),
)


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.rename_table("audit_entry", "audit_entry_before")
    for name in ("ix_audit_entry_patient_time", "ix_audit_entry_subject_time"):
        op.drop_index(name, table_name="audit_entry_before")
    if postgresql:
        op.execute("ALTER TABLE audit_entry_before RENAME CONSTRAINT pk_audit_entry TO pk_audit_entry_before")
    op.create_table(
        "audit_entry",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_audit_head_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    _chain()
    op.drop_table("audit_entry_before")  # and its triggers
    op.create_index("ix_audit_entry_person_time", "audit_entry", ["person_id", "at"])
    op.create_index("ix_audit_entry_patient_time", "audit_entry", ["patient_id", "at"])
    op.create_index("ix_audit_entry_action_time", "audit_entry", ["action", "at"])
    op.create_index("ix_audit_entry_subject_time", "audit_entry", ["subject", "at"])
    op.create_index("ix_audit_entry_time", "audit_entry", ["at"])
    _refuse(postgresql)


def _table(name: str, *more: sa.Column[str]) -> sa.TableClause:
    return sa.table(
        name,
        sa.column("id", _NUMBER),
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("action", sa.String()),
        sa.column("person_id", sa.Uuid()),
        sa.column("patient_id", sa.Uuid()),
        sa.column("subject", sa.String()),
        *more,
    )


def _chain() -> None:
    """Copy the entries in their order, some thousand at a time, each with its number and hash."""
    connection = op.get_bind()
    before, now = _table("audit_entry_before"), _table("audit_entry", sa.column("hash", sa.String()))
    number, link, last = 0, "0" * 64, 0
    while True:
        query = sa.select(before).where(before.c.id > last).order_by(before.c.id).limit(_AT_ONCE)
        found = connection.execute(query).all()
        if not found:
            break
        rows = []
        for row in found:
            number += 1
            link = _hash(number, row.at, row.action, row.person_id, row.patient_id, row.subject, link)
            rows.append({**row._mapping, "id": number, "hash": link})
        connection.execute(sa.insert(now), rows)
        last = found[-1].id
    op.execute(
        sa.text("INSERT INTO audit_head (id, number, hash) VALUES (1, :number, :hash)").bindparams(
            number=number, hash=link
        )
    )


def _hash(
    number: int, at: datetime, action: str, person_id: UUID | None, patient_id: UUID | None, subject: str, before: str
) -> str:
    """As `chained` of triage/accounts/audit.py was when this was written."""
    utc = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    ids = (one.hex if one else None for one in (person_id, patient_id))
    entry = [number, utc.strftime("%Y-%m-%d %H:%M:%S.%f"), action, *ids, subject, before]
    return hashlib.sha256(json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode("ascii")).hexdigest()


def _refuse(postgresql: bool) -> None:
    if postgresql:
        for table in ("audit_entry", "audit_head"):
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "EXECUTE FUNCTION refuse('the audit trail is never deleted')"
            )
    for name, action, table, condition, says in _REFUSED:
        when = f"WHEN ({condition}) " if condition else ""
        does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {when}{does}")

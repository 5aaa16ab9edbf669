"""The heartbeat: what the program may do by itself to the alerts of one made-up patient, and to nobody else's.

The rows of that patient are the only ones that may be deleted: alerts and reports of everybody else stay as they
were. Whoever closes the heartbeat's alerts cannot stand on any other. An alert never changes its patient, so that none
can be passed off as the heartbeat's. The ids are constants of triage/models.py, written out here because a migration
does not change with the program.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PATIENT = "68656172-7462-4561-8574-000000000002"
_NURSE = "68656172-7462-4561-8574-000000000004"

# Name, what is refused, on which table, when, and what the database then says.
_REFUSED = (
    ("alert_no_delete", "DELETE", "alert", "OLD.patient_id <> {patient}", "alerts are never deleted"),
    (
        "report_no_delete",
        "DELETE",
        "report",
        "OLD.patient_id <> {patient}",
        "reports are never deleted",
    ),
    (
        "alert_same_patient",
        "UPDATE",
        "alert",
        "NEW.patient_id <> OLD.patient_id",
        "an alert never changes its patient",
    ),
    (
        "alert_by_a_person",
        "UPDATE",
        "alert",
        "NEW.patient_id <> {patient} AND (NEW.acknowledged_by_id = {nurse} OR NEW.taken_by_id = {nurse}"
        " OR NEW.resolved_by_id = {nurse})",
        "only a person closes the alert of a person",
    ),
)


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    ids = {"patient": _literal(_PATIENT, postgresql), "nurse": _literal(_NURSE, postgresql)}
    for name, action, table, condition, says in _REFUSED:
        does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        when = condition.format(**ids)
        op.execute(f"DROP TRIGGER IF EXISTS {name}{f' ON {table}' if postgresql else ''}")
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW WHEN ({when}) {does}")


def _literal(id: str, postgresql: bool) -> str:
    """SQLite keeps an id as its 32 hexadecimal digits."""
    return f"'{id}'" if postgresql else f"'{id.replace('-', '')}'"

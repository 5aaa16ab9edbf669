"""Names, contacts, texts, answers and what was made of them are encrypted with a data key (triage/encryption.py).

All rows are encrypted in this one transaction. What the database refuses to change it still refuses: such a row may be
encrypted anew with another key, and rewritten while its patient is erased, which is one transaction.

Whoever wants to go back takes the backup from before: like every migration here this one has no way back, and one that
writes names into a file in clear should not lie about.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from triage import encryption
from triage.database import LEFT_OVER

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_KEYS = {"report_draft": "person_id", "ruleset_activation": "number"}
"""Of tables whose key is not called id."""
_SEALED = {
    "patient": ("name", "born_on", "phone", "town", "hospital"),
    "person": ("name", "sign_in_name", "phone", "mail"),
    "course": ("therapy", "product"),
    "course_change": ("why",),
    "ruleset_proposal": ("reason", "replay", "accepted", "decision"),
    "ruleset_activation": ("reason",),
    "report_draft": ("answers",),
    "thinking_baseline": ("steps", "right_answers", "answers"),
    "report": ("data",),
    "assessment": ("body",),
    "rejudgment": ("data", "before_body", "body"),
    "alert": ("note",),
    "alert_finding": ("body",),
    "alert_note": ("text",),
    "alert_opinion": ("why",),
    "rule_mute": ("rule", "title", "reason"),
    "handover": ("page",),
    "handover_note": ("text",),
    "cover": ("reason",),
}
_NEVER_CHANGED = {
    "report": ("reports are never changed", "", "patient"),
    "assessment": ("assessments are never changed", "", ""),
    "rejudgment": ("rejudgments are never changed", "", "report"),
    "course_change": ("what was corrected is never changed", "", "patient"),
    "ruleset_activation": ("activated rulesets are never changed", "", ""),
    "alert_note": ("notes are never changed", "", "alert"),
    "alert_opinion": ("what was said of an alert is never changed", "", "alert"),
    "handover_note": ("notes are never changed", "", "any"),
    "handover": ("what was handed over is never changed", "OLD.ended_at IS NOT NULL AND ", "any"),
}
"""Table: what the database says, when it refuses at all, and through what a row belongs to a patient who is erased."""
_WHOSE = {
    "patient": "patient.id = {id}",
    "report": "patient.id = (SELECT patient_id FROM report WHERE report.id = {id})",
    "alert": "patient.id = (SELECT patient_id FROM alert WHERE alert.id = {id})",
    "any": "1 = 1",
}
_BEING_ERASED = "EXISTS (SELECT 1 FROM patient WHERE patient.erasing_since IS NOT NULL AND {whose})"


def upgrade() -> None:
    connection = op.get_bind()
    postgresql = connection.dialect.name == "postgresql"
    op.create_table(
        "data_key",
        sa.Column("name", sa.String(length=8), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_data_key"),
    )
    for name in ("erasing_since", "erased_at"):
        op.add_column("patient", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    if postgresql:  # which takes no question in the condition of a trigger, but a function
        cases = " OR ".join(f"(kind = '{kind}' AND {whose.format(id='$2')})" for kind, whose in _WHOSE.items())
        op.execute(
            "CREATE FUNCTION being_erased(kind text, id uuid) RETURNS boolean LANGUAGE sql STABLE AS "
            f"$$ SELECT {_BEING_ERASED.format(whose=f'({cases})')} $$"
        )
    for table in _NEVER_CHANGED:
        op.execute(f"DROP TRIGGER {table}_no_update{f' ON {table}' if postgresql else ''}")
    # The column that is looked for keeps its index and becomes the mark; the name itself gets a new one.
    op.execute("ALTER TABLE person RENAME COLUMN sign_in_name TO sign_in_mark")
    op.add_column("person", sa.Column("sign_in_name", sa.LargeBinary(), nullable=True))
    if postgresql:
        _bytes_of_postgresql()
    if sum([_seal(connection, table, columns) for table, columns in _SEALED.items()]):
        used = sa.table("data_key", sa.column("name"), sa.column("first_used_at", sa.DateTime(timezone=True)))
        connection.execute(used.insert().values(name=encryption.ring().newest.name, first_used_at=datetime.now(UTC)))
        context.config.attributes[LEFT_OVER] = True
    if postgresql:
        op.execute("ALTER TABLE person ALTER COLUMN sign_in_name SET NOT NULL")
        op.execute("ALTER TABLE person ALTER COLUMN sign_in_mark TYPE VARCHAR(64)")
        op.execute("ALTER TABLE person RENAME CONSTRAINT uq_person_sign_in_name TO uq_person_sign_in_mark")
    else:
        _declare_on_sqlite(connection)
    for table in _NEVER_CHANGED:
        _refuse_changes(connection, table, postgresql)


def _seal(connection: sa.Connection, table: str, columns: tuple[str, ...]) -> int:
    """Encrypt every row of the table; how many."""
    key, last, done = _KEYS.get(table, "id"), None, 0
    read = tuple("sign_in_mark" if name == "sign_in_name" else name for name in columns)
    write = ", ".join(f"{name} = :{name}" for name in (*columns, *(("sign_in_mark",) if table == "person" else ())))
    while True:
        after = "" if last is None else f"WHERE {key} > :last "
        found = connection.execute(
            sa.text(f"SELECT {key}, {', '.join(read)} FROM {table} {after}ORDER BY {key} LIMIT {_AT_ONCE}"),  # noqa: S608
            {} if last is None else {"last": last},
        ).all()
        if not found:
            return done
        rows = []
        for row in found:
            values: dict[str, Any] = {"key": row[0]}
            for name, value in zip(columns, row[1:], strict=True):
                values[name] = _sealed(f"{table}.{name}", value)
                if name == "sign_in_name":
                    values["sign_in_mark"] = encryption.ring().newest.mark("person.sign_in_name", value)
            rows.append(values)
        connection.execute(sa.text(f"UPDATE {table} SET {write} WHERE {key} = :key"), rows)  # noqa: S608
        done, last = done + len(rows), found[-1][0]


def _sealed(place: str, value: Any) -> bytes | None:
    """Texts, days and JSON are stored in the same letters as before; what was bytes stays bytes."""
    if value is None:
        return None
    return encryption.ring().seal(place, value.encode() if isinstance(value, str) else bytes(value))


def _bytes_of_postgresql() -> None:
    """The columns hold bytes from now on."""
    for table, columns in _SEALED.items():
        for name in columns:
            if name not in ("sign_in_name", "body", "before_body"):
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT")
                text = f"to_char({name}, 'YYYY-MM-DD')" if name == "born_on" else f"{name}::text"
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE BYTEA USING convert_to({text}, 'UTF8')")


def _declare_on_sqlite(connection: sa.Connection) -> None:
    """SQLite stores bytes in a column of any type; only the words of the declaration change, and a table that others
    point to need not be made anew. This is the way that its documentation gives for what is not stored in the rows
    (https://sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes")."""
    ask = connection.exec_driver_sql
    version = ask("PRAGMA schema_version").scalar_one()
    ask("PRAGMA writable_schema = ON")
    for table, columns in _SEALED.items():
        sql = ask("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)).scalar_one()
        for name in columns:
            declared = rf'(?<=[\s,(])("?{name}"?) (VARCHAR\(\d+\)|TEXT|DATE|JSON|BLOB)( DEFAULT \'\')?(?=[\s,])'
            sql, times = re.subn(declared, r"\1 BLOB", sql)
            if times != 1:
                raise RuntimeError(f"{table}.{name} is not declared as it was expected")
        if table == "person":
            sql = sql.replace("sign_in_name BLOB", "sign_in_name BLOB NOT NULL")
            sql = sql.replace("uq_person_sign_in_name UNIQUE", "uq_person_sign_in_mark UNIQUE")
            sql = re.sub(r'"?sign_in_mark"? VARCHAR\(100\)', "sign_in_mark VARCHAR(64)", sql)
        ask("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", (sql, table))
    ask(f"PRAGMA schema_version = {version + 1}")
    ask("PRAGMA writable_schema = RESET")
    faults = [row[0] for row in ask("PRAGMA quick_check") if row[0] != "ok"]
    if faults:
        raise RuntimeError(f"the declarations are not in order: {faults[0]}")


def _refuse_changes(connection: sa.Connection, table: str, postgresql: bool) -> None:
    """Refuse every change of a row but two: its seals become others of the same length, made with another key; or any
    others, while its patient is erased."""
    says, when, kind = _NEVER_CHANGED[table]
    erased = _being_erased(kind, postgresql)
    columns = [column["name"] for column in sa.inspect(connection).get_columns(table)]
    same, other = [], []
    for name in columns:
        new, old = (f"NEW.{name}::text", f"OLD.{name}::text") if postgresql else (f"NEW.{name}", f"OLD.{name}")
        equal = f"{new} IS NOT DISTINCT FROM {old}" if postgresql else f"{new} IS {old}"
        if name in _SEALED[table]:
            other.append(f"NOT ({equal})")
            form = "'\\x01'::bytea" if postgresql else "x'01'"
            equal = (
                f"({equal} OR (substr(NEW.{name}, 1, 1) = {form} AND length(NEW.{name}) = length(OLD.{name})"
                f" AND substr(NEW.{name}, 1, 5) <> substr(OLD.{name}, 1, 5)){erased})"
            )
        same.append(equal)
    does = f"EXECUTE FUNCTION refuse('{says}')" if postgresql else f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
    same.append(f"({' OR '.join(other)})")
    # NULL stands for "no": a seal that is taken away is a change.
    changed = f"{when}NOT coalesce({' AND '.join(same)}, {'false' if postgresql else '0'})"
    op.execute(
        sa.text(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed}) {does}".replace(
                ":", "\\:"
            )
        )
    )


def _being_erased(kind: str, postgresql: bool) -> str:
    """The alternative that the row belongs to a patient who is being erased; nothing for what belongs to nobody."""
    if not kind:
        return ""
    id = "NULL" if kind == "any" else f"NEW.{kind}_id"
    if postgresql:
        return f" OR being_erased('{kind}', {id})"
    return f" OR {_BEING_ERASED.format(whose=_WHOSE[kind].format(id=id))}"

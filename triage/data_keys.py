"""The data keys of a database: which are in use, whether this server has them, and encrypting anew with the newest.

1. `TRIAGE_DATA_KEYS` holds keys, the newest first. The newest one writes; `begin` notes its name in the database.
2. Each connection of the web application or a command asks whether it has every key in use (`check_connection`). One
   that has not is refused: it could show nothing, and would write what others cannot read.
3. `rotate` encrypts with the newest key what others have encrypted, some rows at a time, beside a running server. It
   may be stopped at any moment and begun again. When nothing is left, the other keys are retired: nobody needs them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from triage import encryption
from triage.accounts import audit
from triage.database import Encrypted, Model, writing
from triage.models import DataKey, Person

AT_ONCE = 100
"""Rows in one transaction: a few milliseconds, in which other writers wait."""
REST_SECONDS = 0.01
"""Between two of them: whoever sends a report comes in."""


@dataclass(frozen=True)
class Sealed:
    """A table with encrypted columns, its seals as plain bytes."""

    table: Any
    """As SQLAlchemy's lightweight table: key and seals."""
    key: Any
    seals: Mapping[str, Any]
    """Columns by name."""

    def place(self, name: str) -> str:
        return f"{self.table.name}.{name}"


def sealed_tables() -> Iterator[Sealed]:
    """Every table that has encrypted columns."""
    for table in Model.metadata.sorted_tables:
        names = [column.name for column in table.columns if isinstance(column.type, Encrypted)]
        if names:
            (key,) = table.primary_key.columns
            seals = {name: sa.column(name, sa.LargeBinary()) for name in names}
            more = [sa.column("sign_in_mark", sa.String())] if table is Person.__table__ else []
            plain = sa.table(table.name, sa.column(key.name, key.type), *seals.values(), *more)
            yield Sealed(plain, plain.c[key.name], {name: plain.c[name] for name in names})


def check_connection(connection: Any, record: object = None) -> None:
    """Refuse a new connection of the database driver where a key that is in use is not set. Raises WrongKeys."""
    sqlite = type(connection).__module__.startswith("sqlite3")
    cursor = connection.cursor()
    try:
        known = "SELECT 1 FROM sqlite_schema WHERE name = 'data_key'" if sqlite else "SELECT to_regclass('data_key')"
        found = cursor.execute(known).fetchone()
        if found and found[0]:  # a database that is still to be migrated has no such table
            cursor.execute("SELECT name FROM data_key WHERE retired_at IS NULL ORDER BY name")
            missing = [name for (name,) in cursor.fetchall() if name not in encryption.ring().names]
            if missing:
                raise encryption.WrongKeys(missing)
    finally:
        cursor.close()
        if not sqlite:
            connection.rollback()


def begin(session: Session, at: datetime) -> None:
    """Note that the newest key is in use from now on. Commits once, and only where it is new."""
    session.rollback()
    found = session.get(DataKey, encryption.ring().newest.name)
    if found is not None and found.retired_at is None:
        return
    with writing(session):
        session.merge(DataKey(name=encryption.ring().newest.name, first_used_at=at, retired_at=None))


def rotate(session: Session, at: datetime, progress: Callable[[int], object] = lambda rows: None) -> int:
    """Encrypt with the newest key what others have encrypted, and retire those; how many rows."""
    begin(session, at)
    newest, done = encryption.ring().newest, 0
    tables = list(sealed_tables())
    while any(_is_left(session, sealed, newest) for sealed in tables):
        for sealed in tables:  # another time for rows that somebody held, and for what a late server has written
            for rows in _batches(session, sealed, newest):
                done += rows
                progress(rows)
                time.sleep(REST_SECONDS)
    with writing(session):
        others = sa.update(DataKey).where(DataKey.name != newest.name, DataKey.retired_at.is_(None))
        session.execute(others.values(retired_at=at))
        audit.record(session, "data_keys_rotated", by=None, subject=newest.name, at=at)
    return done


def _is_old(sealed: Sealed, newest: encryption.Key) -> Any:
    return sa.or_(
        *(
            sa.and_(seal.is_not(None), sa.func.substr(seal, 1, encryption.PREFIX_BYTES) != newest.prefix)
            for seal in sealed.seals.values()
        )
    )


def _is_left(session: Session, sealed: Sealed, newest: encryption.Key) -> bool:
    session.rollback()
    return session.scalar(sa.select(sealed.key).where(_is_old(sealed, newest)).limit(1)) is not None


def _batches(session: Session, sealed: Sealed, newest: encryption.Key) -> Iterator[int]:
    """Encrypt the rows of a table anew, a transaction for some of them; how many each time."""
    last = None
    while True:
        query = sa.select(sealed.key, *sealed.seals.values()).where(_is_old(sealed, newest))
        if last is not None:
            query = query.where(sealed.key > last)
        with writing(session):
            # Rows that somebody else has locked are left for the next time: nobody waits, so nobody waits for ever.
            query = query.order_by(sealed.key).limit(AT_ONCE)
            rows = session.execute(query.with_for_update(skip_locked=True, key_share=True)).all()
            for row in rows:
                values = _sealed_anew(sealed, row._mapping)
                session.execute(sa.update(sealed.table).where(sealed.key == row[0]).values(values))
        if not rows:
            return
        last = rows[-1][0]
        yield len(rows)


def _sealed_anew(sealed: Sealed, row: Any) -> dict[str, bytes | str]:
    ring, values = encryption.ring(), dict[str, bytes | str]()
    for name in sealed.seals:
        if (seal := row[name]) is not None:
            value = ring.open(sealed.place(name), bytes(seal))
            values[name] = ring.seal(sealed.place(name), value)
            if sealed.place(name) == "person.sign_in_name":
                values["sign_in_mark"] = ring.newest.mark(sealed.place(name), value.decode())
    return values


@dataclass
class Checked:
    """How many values each key has encrypted, by its name, and where values cannot be read."""

    newest: str
    values: Counter[str] = field(default_factory=Counter)
    altered: list[str] = field(default_factory=list)
    """Place and id of each value that was changed, cut off or copied from elsewhere."""

    @property
    def missing(self) -> list[str]:
        """Keys that are not set."""
        return sorted(set(self.values) - set(encryption.ring().names))


def check(session: Session, progress: Callable[[int], object] = lambda rows: None) -> Checked:
    """Read every encrypted value."""
    ring = encryption.ring()
    checked = Checked(ring.newest.name)
    for sealed in sealed_tables():
        query = sa.select(sealed.key, *sealed.seals.values()).execution_options(yield_per=500)
        for row in session.execute(query):
            progress(1)
            for name in sealed.seals:
                if row._mapping[name] is not None:
                    seal = bytes(row._mapping[name])
                    try:
                        ring.open(sealed.place(name), seal)
                    except encryption.Altered:
                        checked.altered.append(f"{sealed.place(name)} {row[0]}")
                        continue
                    except encryption.WrongKeys:
                        pass  # counted with its key, which is then missing
                    checked.values[encryption.name_of(seal)] += 1
    return checked

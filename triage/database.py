"""Engine options, the base of all tables, shared column types and the write lock. No table stands here."""

from __future__ import annotations

import fcntl
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Annotated, Any
from uuid import UUID, uuid4

from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Dialect,
    Engine,
    LargeBinary,
    MetaData,
    SmallInteger,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator

from triage import encryption, logs
from triage.rules.urgency import Urgency

db = SQLAlchemy()


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC. A time without a zone is refused: guessing a zone could move a deadline by hours."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UrgencyRank(TypeDecorator[Urgency]):
    """An urgency, stored as its rank, so that sorting and `>=` mean the same on every database (an enum column stores
    the name: on SQLite emergencies would then sort last)."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Urgency | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Urgency | None:
        return None if value is None else Urgency(value)


_ALTERED = {str: "(cannot be read)", bytes: b""}
"""What is shown of a value that somebody, or a broken disk, has altered: one of them must not hide a whole queue.
Anything else of that kind is an error."""
_TO_BYTES: dict[type, Callable[[Any], bytes]] = {
    str: str.encode,
    bytes: bytes,
    date: lambda day: day.isoformat().encode(),
    dict: lambda data: json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(),
}
_FROM_BYTES: dict[type, Callable[[bytes], Any]] = {
    str: bytes.decode,
    bytes: bytes,
    date: lambda stored: date.fromisoformat(stored.decode()),
    dict: json.loads,
}


class Encrypted(TypeDecorator[Any]):
    """A value that the database never sees (encryption.py). `place` is "table.column"; `kind` is str, bytes, date, or
    dict for whatever JSON can hold.

    It can be neither looked for nor sorted by in the database: both are refused, since they would find nothing.
    """

    impl = LargeBinary
    cache_ok = True

    class Comparator(TypeDecorator.Comparator[Any]):
        """Whether there is a value at all is everything that can be asked."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
            with_a_column = bool(other) and isinstance(other[0], ColumnElement)  # SQLAlchemy does, within itself
            if op not in (operators.is_, operators.is_not) and not with_a_column:
                raise TypeError("an encrypted column cannot be compared or sorted by in the database")
            return super().operate(op, *other, **kwargs)

    comparator_factory = Comparator

    def __init__(self, place: str, kind: type = str) -> None:
        super().__init__()
        self.place, self.kind = place, kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return None if value is None else encryption.ring().seal(self.place, _TO_BYTES[self.kind](value))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        try:
            return _FROM_BYTES[self.kind](encryption.ring().open(self.place, value))
        except encryption.Altered:
            if self.kind not in _ALTERED:
                raise
            logs.event("value_altered", place=self.place)
            return _ALTERED[self.kind]


Id = Annotated[UUID, mapped_column(primary_key=True, default=uuid4)]
UtcTime = datetime


class Model(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), Urgency: UrgencyRank()}  # noqa: RUF012 (SQLAlchemy reads it so)


class NoWriteLock(SQLAlchemyError):
    """A writer's turn does not come: the file by which SQLite's writers take turns cannot be opened (the disk is full
    or can only be read), or another program keeps it."""


LONGEST_WAIT = 15.0
"""Seconds that a writer waits for others. Then somebody is told "not saved" and whom to call, while they still look at
the page: a program that was stopped while it wrote must not keep everybody else waiting for ever."""
_WRITE = "triage_write"
_thread_lock = threading.RLock()


@event.listens_for(Engine, "connect")
def _on_connect(connection: Any, record: Any) -> None:
    """Make SQLite durable and leave transactions to us; nobody waits for a lock for ever."""
    longest = round(LONGEST_WAIT * 1000)
    if type(connection).__module__.startswith("sqlite3"):
        connection.isolation_level = None
        for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", f"busy_timeout={longest}"):
            connection.execute(f"PRAGMA {pragma}")
    elif type(connection).__module__.startswith("psycopg"):
        connection.autocommit = True  # else a transaction would begin here, and the setting end with it
        connection.execute(f"SET lock_timeout = {longest}")
        connection.autocommit = False


@event.listens_for(Engine, "begin")
def _on_begin(connection: Any) -> None:
    """A writing transaction on SQLite takes the write lock at its start, not at its first change."""
    if connection.dialect.name == "sqlite":
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def writing(session: Session) -> Iterator[None]:
    """One write transaction: commits once at the end, rolls everything back when anything fails.

    What was read before is read again inside, so that a decision never rests on old rows. On SQLite one writer at a
    time goes in, in turn, through a file lock: SQLite's own waiting is unfair (STACK: p99 350 ms against 46 ms).
    """
    session.rollback()
    bind = session.get_bind()
    file = bind.engine.url.database if bind.dialect.name == "sqlite" else None
    with _file_lock(Path(file)) if file and file != ":memory:" else nullcontext():
        session.connection(execution_options={_WRITE: True})
        try:
            yield
            session.commit()
        except BaseException:
            session.rollback()
            raise


@contextmanager
def _file_lock(database: Path) -> Iterator[None]:
    until = time.monotonic() + LONGEST_WAIT
    if not _thread_lock.acquire(timeout=LONGEST_WAIT):
        raise NoWriteLock("another writer does not end")
    try:
        # Whoever comes next waits with the turn in its hand, so that a program that writes again and again, as the
        # worker does after an outage, cannot come before it each time.
        with _lock_file(database, ".turn") as turn, _lock_file(database, ".lock") as lock:
            _take(turn, until)
            _take(lock, until)
            fcntl.flock(turn, fcntl.LOCK_UN)
            yield
    finally:
        _thread_lock.release()


def _lock_file(database: Path, end: str) -> IO[str]:
    try:
        return open(database.with_name(database.name + end), "w")
    except OSError as error:
        raise NoWriteLock(type(error).__name__) from error


def _take(handle: IO[str], until: float) -> None:
    """Wait for the other processes, of which there are few: looking every two milliseconds finds a turn soon enough."""
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise NoWriteLock("another program does not end its writing") from None
            time.sleep(0.002)


def problem_of(error: Exception) -> str | None:
    """What keeps the database from being used, for whoever types commands; None for any other error.

    Only what is wrong with the whole database is told: an error about a row may quote what stands in it.
    """
    if isinstance(error, NoWriteLock):
        return f"the database cannot be written ({error})."
    if isinstance(error, encryption.WrongKeys):
        return f"the database cannot be used: {error}. Set the keys that were set before: nothing else can read them."
    if isinstance(error, encryption.Altered):
        return f"{error}. `triage keys check` names every such value."
    if isinstance(error, OperationalError | ProgrammingError) or type(error) is DatabaseError:
        said = (str(error.orig).splitlines() or [""])[0]
        return f"the database cannot be used ({said}). TRIAGE_DATABASE_URL names it; `triage migrate` makes its tables."
    return None


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to that revision of its tables, creating an SQLite file where there is none."""
    from alembic import command

    config = alembic_config(url)
    command.upgrade(config, revision)
    if config.attributes.get(LEFT_OVER):
        _compact(url)


LEFT_OVER = "left_over"
"""Set by a migration that has encrypted or erased something: its clear text may still lie in unused parts of files."""


def _compact(url: str) -> None:
    """Write the database anew, without its unused parts."""
    engine = engine_for(url)
    connection = engine.raw_connection()
    try:
        if engine.dialect.name == "sqlite":
            connection.cursor().execute("VACUUM")
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        else:
            driver: Any = connection.driver_connection
            driver.autocommit = True
            driver.execute("VACUUM FULL")
    finally:
        connection.close()
        engine.dispose()


def alembic_config(url: str) -> Any:
    """Alembic's settings for the database at `url`; migrations lie beside the package or, in a wheel, inside it."""
    from alembic.config import Config

    from triage.paths import folder

    config = Config()
    config.set_main_option("script_location", str(folder("migrations")))
    config.attributes["url"] = url
    return config


def engine_for(url: str) -> Engine:
    """An engine for scripts outside the web application."""
    if make_url(url).get_backend_name() == "sqlite" and (file := make_url(url).database):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    return create_engine(url)

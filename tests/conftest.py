"""What tests stand on: a fresh database on SQLite and on PostgreSQL, the application, a client, a real browser.

A test that asks for `database_url`, or for anything made from it (`app`, `client`, `session`, `live_server`,
`browse`), runs twice, once on each kind of database, each time on a fresh, empty, migrated one. Where one kind is
enough, `@pytest.mark.database("sqlite")` says so. Everything is imported late: a test of the rules starts in
milliseconds and needs neither Flask nor a server. What is missing fails, and says what to install; it never skips.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings

from tests import servers

if TYPE_CHECKING:
    import psycopg
    from flask import Flask
    from flask.testing import FlaskClient
    from jinja2 import BytecodeCache
    from playwright.sync_api import Browser
    from sqlalchemy.orm import Session

    from tests.browsing import Browsing

DATABASES = ("sqlite", "postgresql")
pytest_plugins = ("tests.make", "tests.pages")

# The tests of two people must not differ because one of them runs a server with settings of her own.
for name in [name for name in os.environ if name.startswith("TRIAGE_")]:
    del os.environ[name]

# All of them encrypt with one key, also commands in processes of their own.
os.environ["TRIAGE_DATA_KEYS"] = "dGVzdHMgb25seTogYSBrZXkgdGhhdCBpcyBub25lLi4"

# No deadlines: the machine's speed is nothing a property promises. On CI the same examples every time, so that a
# change never fails for what another one brought; at a desk new ones each time, so that new faults are found.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(scope="session", autouse=True)
def noon() -> Iterator[None]:
    """Tests begin at noon in London, whenever they are run: midnight must not fall between what a test makes "five days
    ago" and the page that counts the days. Commands in processes of their own have the real time."""
    from triage import clock

    real = clock.now
    now = real().astimezone(ZoneInfo("Europe/London"))
    until_noon = now.replace(hour=12, minute=0) - now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: real() + until_noon)
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that touches the database on every kind, or on those its `database` mark names."""
    if "database_url" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("database")
        kinds = mark.args if mark else DATABASES
        if unknown := set(kinds) - set(DATABASES):
            raise pytest.UsageError(f"{metafunc.definition.nodeid}: unknown databases {sorted(unknown)}")
        metafunc.parametrize("database_url", kinds, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-m browser` and `-m "not browser"` work without anybody having to mark a test."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A private PostgreSQL, one for each test process; the URL of its empty database `postgres`."""
    try:
        with servers.postgresql_server() as url:
            yield url
    except servers.Missing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, empty, migrated database, removed afterwards."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'triage.sqlite3')}"
    else:
        database: PostgresqlDatabase = request.getfixturevalue("postgresql_database")
        with _closed_afterwards():
            yield database.url
        database.empty()


@contextmanager
def _closed_afterwards() -> Iterator[None]:
    """Close what an application of the test's own has left open: it would be told as a fault of a later test."""
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    opened: list[Any] = []

    def remember(connection: Any, record: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", remember)
    try:
        yield
    finally:
        event.remove(Pool, "connect", remember)
        for connection in opened:
            connection.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty migrated SQLite file. Migrating takes long; copying the file does not."""
    from triage.database import upgrade

    file = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    upgrade(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the file alone then holds everything
    return file


@pytest.fixture(scope="session")
def postgresql_database(postgres_url: str) -> Iterator[PostgresqlDatabase]:
    """The migrated PostgreSQL database of this test process."""
    database = PostgresqlDatabase(postgres_url)
    yield database
    database.close()


class PostgresqlDatabase:
    """One database for all tests of a process, emptied after each: a copy for each takes a hundred times as long."""

    def __init__(self, postgres_url: str) -> None:
        from sqlalchemy import make_url

        self._sockets = str(make_url(postgres_url).query["host"])
        self._server = self._connect("postgres")
        self.url = servers.postgresql_url(Path(self._sockets), "triage")
        self._make()

    def _connect(self, database: str) -> psycopg.Connection:
        import psycopg

        return psycopg.connect(host=self._sockets, user="app", dbname=database, autocommit=True)

    def _make(self) -> None:
        from triage.database import upgrade

        self._server.execute("CREATE DATABASE triage")
        upgrade(self.url)
        self._database = self._connect("triage")
        names = self._database.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        self._tables = [name for (name,) in names if name != "alembic_version"]
        self._schema = self._changes_of_schema()

    def empty(self) -> None:
        """As it was when it was made: no rows, numbers from 1 again, no settings, and the tables of the migrations."""
        # Whatever this test left open, a lock or a thread that writes: it must not reach the next one.
        self._server.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'triage' AND pid <> %s",
            [self._database.info.backend_pid],
        )
        if self._changes_of_schema() != self._schema:
            self._database.close()
            self._server.execute("DROP DATABASE triage")
            self._make()
            return
        self._server.execute("ALTER DATABASE triage RESET ALL")
        with self._database.transaction():
            # A replica runs no triggers: those that protect the record would refuse this, and foreign keys would ask
            # for an order. TRUNCATE would make new files for every table and index.
            self._database.execute("SET LOCAL session_replication_role = replica")
            for table in self._tables:
                self._database.execute(f"DELETE FROM {table}")
            self._database.execute("SELECT setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences")

    def _changes_of_schema(self) -> object:
        """The transactions that made or last changed the parts of all tables and triggers."""
        catalogues = ("pg_class", "pg_attribute", "pg_constraint", "pg_index", "pg_trigger", "pg_proc", "pg_namespace")
        changes = "SELECT '{0}', count(*), sum(xmin::text::bigint) FROM {0}"
        each = " UNION ALL ".join(changes.format(name) for name in catalogues)
        return self._database.execute(each).fetchall()

    def close(self) -> None:
        self._database.close()
        self._server.close()


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application on a fresh database."""
    from triage.database import db
    from triage.web import create_app

    settings = {"TESTING": True, "SECRET_KEY": "only-for-tests", "DATABASE_URL": database_url, "DATA": str(tmp_path)}
    app = create_app(settings)
    app.jinja_env.bytecode_cache = compiled_templates()
    yield app
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@cache
def compiled_templates() -> BytecodeCache:
    """Templates compiled once a process, and again when their text changes: each test has an application of its own."""
    from jinja2 import BytecodeCache
    from jinja2.bccache import Bucket

    class Compiled(BytecodeCache):
        def __init__(self) -> None:
            self.codes: dict[tuple[str, str], Any] = {}

        def load_bytecode(self, bucket: Bucket) -> None:
            bucket.code = self.codes.get((bucket.key, bucket.checksum))

        def dump_bytecode(self, bucket: Bucket) -> None:
            self.codes[bucket.key, bucket.checksum] = bucket.code

    return Compiled()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody's browser without scripts, nobody signed in."""
    return app.test_client()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session of the test's own on the application's database. What other people's requests wrote since the last
    look is seen after `session.rollback()` or `session.commit()`.

    No application context is open around the test: requests would share it, and with it who is signed in.
    """
    from sqlalchemy.orm import Session

    from triage.database import db

    with app.app_context():
        engine = db.engine
    with Session(engine) as session:
        yield session


@dataclass(frozen=True)
class LiveServer:
    """The application, answering on this machine only."""

    url: str
    app: Flask
    database_url: str


@pytest.fixture
def live_server(app: Flask, database_url: str) -> Iterator[LiveServer]:
    """The application behind a real socket, in a thread, for browsers. `session` looks into the same database."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:
            """Say nothing: the application has its own log."""

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="live_server")
    thread.start()
    try:
        yield LiveServer(f"http://127.0.0.1:{server.server_port}", app, database_url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, one for each test process."""
    from tests.browsing import chromium_browser

    try:
        with chromium_browser() as browser:
            yield browser
    except servers.Missing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def browse(chromium: Browser, live_server: LiveServer) -> Iterator[Browsing]:
    """Opens a page as on a phone or desktop: `browse("phone").goto("/")`; each call is another person's device.

    Fails the test if a page had a script error, broke the content security policy, or asked another server.
    """
    from tests.browsing import Browsing

    browsing = Browsing(chromium, live_server.url)
    yield browsing
    browsing.close()
    assert not browsing.problems, "\n".join(browsing.problems)

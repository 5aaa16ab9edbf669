"""`triage watch` raises the alarm by itself, whatever of the server stands still, and whatever the clocks say."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.alerts.sinks import free_port, http_sink
from triage import clock, heartbeat, watch
from triage.alerts import worker
from triage.models import HEARTBEAT_CHANNEL

MINUTE = 60
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Takes:
    def send(self, message, address):
        pass


class Time:
    """A stopwatch and a wall clock that stand still until they are moved."""

    def __init__(self):
        self.seconds, self.wall = 1000.0, NOON

    def stopwatch(self):
        return self.seconds

    def now(self):
        return self.wall

    def pass_(self, seconds):
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)


@pytest.fixture
def time_():
    return Time()


@pytest.fixture
def told():
    return []


@pytest.fixture
def watcher(time_, told):
    """Alarm after five minutes, again after fifteen; what it tells is in `told`."""
    reached = lambda subject, text: told.append((subject, text)) or True  # noqa: E731
    return watch.Watch(5 * MINUTE, 15 * MINUTE, time_.stopwatch, time_.now, reached, io.StringIO())


def beat(number, age=3.0, clock_off=0.0, problem=""):
    return watch.Look(problem, f"beat {number}", age, timedelta(seconds=clock_off))


def subjects(told):
    return [subject.split(":")[0] for subject, _ in told]


def test_it_tells_when_it_stays_away_again_while_it_does_and_when_it_is_back(watcher, time_, told):
    assert watcher.see(beat(1))
    for _ in range(19):
        time_.pass_(15)
        assert watcher.see(beat(1))
    assert told == []
    time_.pass_(15)
    assert not watcher.see(beat(1))
    assert subjects(told) == ["ALARM"]
    assert "since 2026-03-02 11:59 UTC" in told[0][1]
    for _ in range(59):
        time_.pass_(15)
        watcher.see(watch.Look("the server does not answer: TimeoutError"))
    assert subjects(told) == ["ALARM"]
    time_.pass_(15)
    watcher.see(watch.Look("the server does not answer: TimeoutError"))
    assert subjects(told) == ["ALARM", "ALARM"]
    assert "the server does not answer" in told[1][1]
    time_.pass_(15)
    assert watcher.see(beat(2))
    assert told[2][0] == "The triage helper is telling people again"
    assert "20 minutes" in told[2][1] or "21 minutes" in told[2][1]
    time_.pass_(15)
    watcher.see(beat(2))
    assert len(told) == 3


def test_a_server_that_never_answers_from_the_start_is_an_alarm(watcher, time_, told):
    for _ in range(5):
        time_.pass_(MINUTE)
        watcher.see(watch.Look("the server does not answer: ConnectionRefusedError"))
    assert told == []
    time_.pass_(MINUTE)
    watcher.see(watch.Look("the server does not answer: ConnectionRefusedError"))
    assert subjects(told) == ["ALARM"]


def test_an_old_heartbeat_at_the_first_look_is_an_alarm_at_once(watcher, told):
    assert not watcher.see(beat(1, age=600))
    assert subjects(told) == ["ALARM"]


def test_an_alarm_that_nobody_took_is_tried_with_each_look(time_):
    tries = []
    deaf = watch.Watch(
        5 * MINUTE, 15 * MINUTE, time_.stopwatch, time_.now, lambda *said: bool(tries.append(said)), io.StringIO()
    )
    deaf.see(beat(1, age=600))
    time_.pass_(30)
    deaf.see(beat(1, age=630))
    assert len(tries) == 2


@pytest.mark.parametrize("wrong", [-7 * 24 * 3600, 7 * 24 * 3600], ids=["a week behind", "a week before"])
def test_a_wrong_clock_of_the_watcher_neither_hides_an_alarm_nor_makes_one(wrong, watcher, time_, told):
    time_.wall += timedelta(seconds=wrong)
    for number in range(10):
        time_.pass_(MINUTE)
        watcher.see(beat(number, clock_off=-wrong))
    assert subjects(told) == ["The clock of the triage helper may be wrong"], "once"
    assert "10080 minutes" in told[0][1]
    for _ in range(6):
        time_.pass_(MINUTE)
        watcher.see(beat(9, clock_off=-wrong))
    assert subjects(told)[1:] == ["ALARM"]


@pytest.mark.parametrize("age", [0, -3600, 3])
def test_a_server_that_says_always_the_same_is_not_believed(age, watcher, time_, told):
    """Its clock stands still, or a proxy shows an old page: the heartbeat is always the same, and always young."""
    for _ in range(6):
        watcher.see(beat(1, age=age))
        time_.pass_(MINUTE)
    watcher.see(beat(1, age=age))
    assert subjects(told) == ["ALARM"]


def test_an_older_heartbeat_after_a_newer_one_proves_nothing_and_takes_nothing_back(watcher, time_, told):
    watcher.see(beat(2))
    for _ in range(11):
        time_.pass_(30)
        watcher.see(beat(1, age=200 + time_.seconds - 1000))
        watcher.see(beat(2, age=3 + time_.seconds - 1000))
    assert subjects(told) == ["ALARM"]


# With a real server


@pytest.fixture
def server(live_server, session, make, monkeypatch):
    """The application behind a socket, its worker played by the test: `server.beat()` is a round of it."""

    class Server:
        url, app = live_server.url, live_server.app
        at = make.now()

        def close(self):
            """No connection to the database is open."""
            from triage.database import db

            session.close()
            with self.app.app_context():
                db.engine.dispose()

        def pass_(self, seconds):
            self.at += timedelta(seconds=seconds)

        def beat(self):
            with self.app.app_context():
                heartbeat.beat(session, make.ruleset, self.at)
                worker.sweep(session, make.ruleset, {HEARTBEAT_CHANNEL: Takes()}, lambda: self.at)
                heartbeat.beat(session, make.ruleset, self.at)

    server = Server()
    monkeypatch.setattr(clock, "now", lambda: server.at)
    return server


def watching(server, sink, time_):
    """A watcher that tells a sink by Apprise, and a function that lets half minutes pass and looks after each."""
    tell = watch._teller([sink.url.replace("http://", "json://")])
    watcher = watch.Watch(5 * MINUTE, 15 * MINUTE, time_.stopwatch, time_.now, tell, io.StringIO())

    def pass_(minutes, *, beats, url=server.url):
        good = True
        for _ in range(minutes * 2):
            time_.pass_(30)
            server.pass_(30)
            if beats:
                server.beat()
            good = watcher.see(watch.look(url, clock.now))
        return good

    return pass_


def alarms(sink):
    return [said["title"].split(":")[0] for said in sink.said]


def test_a_stopped_worker_is_told_by_apprise_and_so_is_its_return(server, time_):
    with http_sink() as sink:
        pass_ = watching(server, sink, time_)
        assert pass_(6, beats=True)
        assert sink.got == []
        assert not pass_(6, beats=False)
        assert alarms(sink) == ["ALARM"]
        assert "the server says that it is late" in sink.said[0]["message"]
        assert pass_(2, beats=True)
        assert alarms(sink) == ["ALARM", "The triage helper is telling people again"]


@pytest.mark.database("sqlite")
def test_a_stopped_database_is_told(server, time_, database_url):
    """The file is gone, as a disk that came off: the pages answer, and say that nothing works."""
    file = Path(urlsplit(database_url).path)
    with http_sink() as sink:
        pass_ = watching(server, sink, time_)
        assert pass_(3, beats=True)
        server.close()
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            (file.parent / name).unlink(missing_ok=True)
        file.mkdir()
        assert not pass_(6, beats=False)
        assert alarms(sink) == ["ALARM"]
        assert "the server answers 503" in sink.said[0]["message"]


@pytest.mark.database("postgresql")
def test_a_database_server_that_takes_no_connection_is_told(server, time_):
    import psycopg

    from triage.database import db

    def down(*args):
        raise psycopg.OperationalError("connection refused")

    with http_sink() as sink:
        pass_ = watching(server, sink, time_)
        assert pass_(3, beats=True)
        server.close()
        with server.app.app_context():
            db.engine.pool._creator = down
        assert not pass_(6, beats=False)
        assert alarms(sink) == ["ALARM"]
        assert "the server answers 503" in sink.said[0]["message"]


@contextmanager
def hung(drips):
    """A server that takes connections and never answers; or a byte now and then, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_, stop = [], threading.Event()

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_.append(connection)
            while drips and not stop.wait(0.05):
                try:
                    connection.sendall(b"H")
                except OSError:
                    break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.close()
        for connection in open_:
            connection.close()


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "a byte now and then"])
def test_a_hung_server_does_not_hang_the_watcher(drips, monkeypatch):
    monkeypatch.setattr(watch, "TIMEOUT_SECONDS", 0.2)
    with hung(drips) as url:
        seen = watch._within(0.5, lambda: watch.look(url, clock.now))
    assert seen.beat is None
    assert "does not answer" in seen.problem


def test_a_stopped_server_and_one_that_is_another_are_problems():
    assert "ConnectionRefusedError" in watch.look(f"http://127.0.0.1:{free_port()}", clock.now).problem
    with http_sink() as sink:  # takes POST only
        assert watch.look(sink.url, clock.now).problem == "the server answers 501"


@pytest.mark.parametrize(
    "answer", ["", "{}", "[1]", "ok", '{"beat": 1, "now": "x", "late": false}', json.dumps({"beat": None})]
)
def test_an_answer_that_is_none_is_a_problem(answer):
    seen = watch._read(answer.encode(), NOON)
    assert seen.problem
    assert seen.beat is None


# The command


def triage_watch(*words, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    command = [sys.executable, "-m", "triage", "watch", *words]
    return subprocess.run(command, capture_output=True, text=True, env=clean | environment, timeout=60, check=False)


@pytest.mark.database("sqlite")
def test_once_says_by_its_exit_code_whether_it_is_late(server):
    assert triage_watch(server.url, "--once").returncode == 1
    server.beat()
    done = triage_watch(server.url, "--once")
    assert (done.returncode, done.stderr) == (0, "the latest heartbeat is 0 seconds old\n")
    server.pass_(400)
    assert triage_watch(server.url, "--once").returncode == 1


@pytest.mark.parametrize(
    ("words", "alarm", "says"),
    [
        (["https://triage.example.org"], {}, "TRIAGE_WATCH_ALARM must say whom to tell"),
        (["https://triage.example.org"], {"TRIAGE_WATCH_ALARM": "nonsense://hunter2"}, "URL number 1"),
        (["https://triage.example.org"], {"TRIAGE_WATCH_ALARM": "hunter2"}, "must be one Apprise URL"),
        (["triage.example.org"], {"TRIAGE_WATCH_ALARM": "json://127.0.0.1:1"}, "URL must be an address"),
    ],
)
def test_a_watcher_that_could_tell_nobody_does_not_start(words, alarm, says, tmp_path):
    done = triage_watch(*words, **alarm, TRIAGE_DATA=str(tmp_path / "data"))
    assert done.returncode == 2
    assert says in done.stderr
    assert "hunter2" not in done.stderr
    assert not (tmp_path / "data").exists(), "it makes no key and no database"

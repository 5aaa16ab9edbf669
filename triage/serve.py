"""Runs the web server and, beside it, the worker that tells people, keeps the heartbeat going and looks for missed
reports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from triage import clock, create_app, data_keys, heartbeat, logs
from triage.alerts.channels import setup
from triage.database import db, writing
from triage.rules.loading import RuleFileErrors
from triage.ruleset_editor import services, versions
from triage.web import is_loopback

WORKER_REST_SECONDS = 2
"""Before a worker that ended is begun anew: one that cannot begin at all must not keep a processor busy."""
SWITCH_SECONDS = 0.0005
"""For how long a thread may compute while others of its process wait. A report asks the database some twenty times
while it holds the write lock, and each time waits for its turn: with Python's own 5 ms everybody would wait with it."""


def main() -> None:
    """Serve on the configured address until stopped. Refuses another address than loopback while demo people exist."""
    from triage.demo import DEMO_PASSWORD, demo_people

    app = create_app()
    host, port = app.config["HOST"], app.config["PORT"]
    people = demo_people(app)
    if people and not is_loopback(host):
        raise click.ClickException(
            f"this database holds demo people with a published password, so the server may only listen on 127.0.0.1, "
            f"not on {host}. Set TRIAGE_HOST=127.0.0.1, or use a database without demo people (TRIAGE_DATABASE_URL)."
        )
    _begin_rules(app)
    _refuse_bad_channels(app)
    with app.app_context():
        data_keys.begin(db.session, clock.now())
        heartbeat.plant(db.session, clock.now())
    address = address_of(host, port)
    _refuse_taken(host, port, address)
    click.echo(f"Triage helper: http://{address}")
    if people:
        click.echo(f"Synthetic demo people; everybody's password is {DEMO_PASSWORD}")
        for name, what in people:
            click.echo(f"  {name:<14} {what}")
    click.echo("Stop with Ctrl-C.")
    sys.setswitchinterval(SWITCH_SECONDS)
    worker = _Worker()
    try:
        _Server(app, {"bind": address, "workers": 2, "threads": 4, "worker_class": "gthread"}).run()
    finally:
        worker.stop()


class _Worker:
    """`triage worker`, in a process of its own. Should that ever end, it is begun anew: the pages would go on, and
    nobody would notice that nobody is told any more, and that nobody notices who fell silent."""

    def __init__(self) -> None:
        self._server = os.getpid()
        self._stopping = threading.Event()
        self._process = self._begin()
        threading.Thread(target=self._keep_going, daemon=True).start()

    def stop(self) -> None:
        """End it with the server; not with one of the server's workers, which leave by the same way."""
        if os.getpid() == self._server:
            self._stopping.set()
            self._process.terminate()
            self._process.wait(timeout=10)

    def _keep_going(self) -> None:
        while True:
            self._process.wait()
            if self._stopping.wait(WORKER_REST_SECONDS):
                return
            logs.event("worker_begun_anew")
            self._process = self._begin()

    def _begin(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "triage", "worker"])


def _refuse_bad_channels(app: Flask) -> None:
    """Ends the command where a channel cannot be used as it is set: nobody would be told by it."""
    try:
        setup.channels(app.config)
    except setup.BadChannel as bad:
        raise click.ClickException(str(bad)) from None


def _refuse_taken(host: str, port: int, address: str) -> None:
    """Ends the command where something else listens there already: said once, and before anything is started."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn: a port that was just left is free
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"the server cannot listen on {address} ({error.strerror}). Set TRIAGE_PORT to another port."
            ) from None


def _begin_rules(app: Flask) -> None:
    """The rule files are the first version of a new site. Ends the command where they have mistakes, since nobody has
    approved them yet, and where the active version cannot be read: a server that judged by other rules than the
    approved ones would do so unseen. What newer checks find in an approved version is told and stops nothing: patients
    wait for answers."""
    with app.app_context():
        today = clock.now().date()
        if versions.latest(db.session) is None:
            _refuse_mistakes(services.check(versions.started().files, today).errors)
        with writing(db.session):
            active = versions.plant(db.session, clock.now())
        try:
            versions.read(active)
        except RuleFileErrors as errors:
            raise click.ClickException(
                f"version {active.number} of the rules is active and cannot be read by this program:\n{errors}\n"
                "Start the program that approved it, and change these places there."
            ) from None
        mistakes = services.mistakes_of(active, today)
    if mistakes:
        found = "\n".join(f"  {problem}" for problem in mistakes)
        click.echo(
            f"Version {active.number} of the rules judges with mistakes. A clinician mends them:\n{found}", err=True
        )


def _refuse_mistakes(mistakes: Sequence[object]) -> None:
    """Ends the command before rules that nobody approved become active with mistakes."""
    if mistakes:
        found = "\n".join(map(str, mistakes))
        raise click.ClickException(
            f"the rule files of this new site have mistakes, so they do not become active:\n{found}\n"
            "`triage rules check` and `triage rules test` show them too."
        )


def address_of(host: str, port: int) -> str:
    """Host and port as one word; an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(BaseApplication):
    """Gunicorn with our settings instead of its command line."""

    def __init__(self, app: Flask, options: Mapping[str, Any]) -> None:
        self.app = app
        self.options = {
            "keepalive": 75,  # longer than the pages' polling, or requests meet a closed connection
            "control_socket_disable": True,  # it would write to the home folder and clash between two servers
            "loglevel": "warning",
            **options,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self.app

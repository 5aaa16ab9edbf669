"""`triage watch`: looks at a server from elsewhere, and raises the alarm when its heartbeat stays away.

It trusts nothing but what it sees. A heartbeat counts from the moment at which it is seen that there is a new one, by
the watcher's own stopwatch: a server that hangs, a proxy that shows an old page, a clock that stands still or runs
wrong on either machine cannot make a dead chain look alive, nor a live one dead. What the server says of a heartbeat's
age can make it older only.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http.client import HTTPException
from typing import Any, TextIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from triage import clock, paths
from triage.alerts.channels import by_apprise
from triage.alerts.channels.message import Undelivered

TIMEOUT_SECONDS = 10
LARGEST_ANSWER = 10_000
"""Bytes; more is no answer of ours."""
CLOCKS_MAY_DIFFER = timedelta(minutes=2)
"""Deadlines and the times in records are those of the server's clock."""

Tell = Callable[[str, str], bool]
"""Sends a subject and a text; whether anybody was reached."""


class CannotWatch(Exception):
    """Something is missing without which nobody would ever be told."""


@dataclass(frozen=True)
class Look:
    """What one look at the server showed. `problem` is empty where it answered as it should."""

    problem: str = ""
    beat: str | None = None
    """Names the latest heartbeat that came through."""
    age: float = 0.0
    """Seconds, as the server counts."""
    clock_off: timedelta = timedelta()
    """How far the server's clock is before ours."""


@dataclass
class Watch:
    """Remembers what was seen and told. `stopwatch` counts seconds and is never set; `now` is for the texts."""

    late_after: float
    repeat: float
    stopwatch: Callable[[], float]
    now: Callable[[], datetime]
    tell: Tell
    out: TextIO = field(default_factory=lambda: sys.stderr)

    def __post_init__(self) -> None:
        self._beat: str | None = None
        self._seen = self.stopwatch()
        self._late_since: datetime | None = None
        self._told: float | None = None
        self._clock_told = False

    def see(self, look: Look) -> bool:
        """Take one look into account, and tell whoever is to be told; whether the heartbeat is on time."""
        if look.beat is not None and look.beat != self._beat:
            came = self.stopwatch() - max(look.age, 0.0)
            self._seen = came if self._beat is None else max(self._seen, came)
            self._beat = look.beat
        silent = self.stopwatch() - self._seen
        if silent <= self.late_after:
            self._recovered()
        else:
            self._alarm(silent, look.problem)
        self._compare_clocks(look)
        return silent <= self.late_after

    def _alarm(self, silent: float, problem: str) -> None:
        if self._late_since is None:
            self._late_since = self.now() - timedelta(seconds=silent)
        if self._told is not None and self.stopwatch() - self._told < self.repeat:
            return
        text = (
            f"No heartbeat of the triage helper since {_words(self._late_since)}"
            f"{f' ({problem})' if problem else ''}. Messages about alerts may not be going out, and patients' reports "
            "may not arrive. Telephone the wards: they look at the queue themselves and answer the telephone. Then "
            "look at the server and its worker."
        )
        if self._say("ALARM: the triage helper may not be telling anybody", text):
            self._told = self.stopwatch()  # else it is tried again with the next look

    def _recovered(self) -> None:
        if self._late_since is None:
            return
        lasted = round((self.now() - self._late_since).total_seconds() / 60)
        text = (
            f"Its heartbeat comes through again. It had been away since {_words(self._late_since)}, {lasted} minutes."
        )
        if self._told is None or self._say("The triage helper is telling people again", text):
            self._late_since = self._told = None

    def _compare_clocks(self, look: Look) -> None:
        if look.beat is None or look.problem:
            return
        off = abs(look.clock_off)
        if off <= CLOCKS_MAY_DIFFER:
            self._clock_told = False
        elif not self._clock_told:
            minutes = round(off.total_seconds() / 60)
            where = "before" if look.clock_off > timedelta() else "behind"
            text = (
                f"The clock of the triage server is {minutes} minutes {where} that of the machine that watches it. One "
                "of them is wrong. Deadlines and the times in records are those of the server: look at it first."
            )
            self._clock_told = self._say("The clock of the triage helper may be wrong", text)

    def _say(self, subject: str, text: str) -> bool:
        print(f"{_words(self.now())} {subject}. {text}", file=self.out, flush=True)
        return self.tell(subject, text)


def main(url: str, every: float, late_after: float, repeat: float, once: bool) -> int:
    """Watch for ever; or look once, and give 1 when the heartbeat is late. Raises CannotWatch."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise CannotWatch("URL must be an address that begins with https:// or http://")
    if once:
        return _once(_within(2 * TIMEOUT_SECONDS, partial(look, url, clock.now)), late_after)
    watch = Watch(late_after, repeat, time.monotonic, clock.now, _teller(_alarms()))
    print(f"{_words(clock.now())} Watching {urlsplit(url).hostname}.", file=sys.stderr, flush=True)
    while True:
        watch.see(_within(2 * TIMEOUT_SECONDS, partial(look, url, clock.now)))
        time.sleep(every)


def _within(seconds: float, do: Callable[[], Look]) -> Look:
    """What it gives, or a problem after so long: a server that sends a byte now and then never times out."""
    seen: list[Look] = []
    thread = threading.Thread(target=lambda: seen.append(do()), daemon=True)
    thread.start()
    thread.join(seconds)
    return seen[0] if seen else Look("the server does not answer in time")


def look(url: str, now: Callable[[], datetime]) -> Look:
    """Ask the server once. Never raises: whatever it does is something seen."""
    request = Request(url.rstrip("/") + "/health/heartbeat", headers={"Cache-Control": "no-cache"})  # noqa: S310
    try:
        with _web().open(request, timeout=TIMEOUT_SECONDS) as answer:
            return _read(answer.read(LARGEST_ANSWER), now())
    except HTTPError as error:  # 503 while it is late, with the same words
        return _read(error.read(LARGEST_ANSWER), now(), f"the server answers {error.code}")
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Look(f"the server does not answer: {type(reason).__name__}")


def _web() -> OpenerDirector:
    """Opens http and https and nothing else, wherever an answer may point to."""
    web = OpenerDirector()
    for part in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPRedirectHandler):
        web.add_handler(part())
    web.add_handler(HTTPErrorProcessor())
    return web


def _read(body: bytes, now: datetime, problem: str = "") -> Look:
    try:
        told: Any = json.loads(body)
        beat = told["beat"]
        if beat is None:
            return Look("no heartbeat has come through yet")
        off = datetime.fromisoformat(told["now"]) - now
        late = "the server says that it is late" if told["late"] else ""
        return Look(late, str(beat), float(told["age_seconds"]), off)
    except (ValueError, TypeError, KeyError):
        return Look(problem or "the answer is none of a triage server")


def _once(seen: Look, late_after: float) -> int:
    late = bool(seen.problem) or seen.age > late_after
    print(seen.problem or f"the latest heartbeat is {round(seen.age)} seconds old", file=sys.stderr)
    return 1 if late else 0


def _alarms() -> Sequence[str]:
    """The Apprise URLs of TRIAGE_WATCH_ALARM. Raises CannotWatch."""
    config = paths.config_file()
    try:
        urls: Sequence[str] = config["only"]("WATCH_ALARM", os.environ)
    except config["BadSettings"] as bad:
        raise CannotWatch(str(bad)) from None
    if not urls:
        raise CannotWatch("TRIAGE_WATCH_ALARM must say whom to tell; without it use --once")
    for number, url in enumerate(urls, 1):
        if not by_apprise.usable(url):
            raise CannotWatch(f"URL number {number} of TRIAGE_WATCH_ALARM is none by which Apprise can send")
    return urls


def _teller(urls: Sequence[str]) -> Tell:
    def tell(subject: str, text: str) -> bool:
        return sum([_sent(url, subject, text) for url in urls]) > 0  # every one is tried

    return tell


def _sent(url: str, subject: str, text: str) -> bool:
    try:
        by_apprise.send(url, subject, text)
    except Undelivered:
        print(f"{_words(clock.now())} One of TRIAGE_WATCH_ALARM did not take it.", file=sys.stderr, flush=True)
        return False
    return True


def _words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
